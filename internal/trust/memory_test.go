package trust_test

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// As many answers as there are lookups at a time are read beside one another: what an issuer
// says in each must not take all the memory there is.
func TestAttackAnswersThatTakeMemory(t *testing.T) {
	i := newIssuer(t)
	o := i.asking()
	o.Claims = []string{"tenant"}
	tr := open(t, o)
	good := strings.TrimSuffix(i.facts(t, nil), "}")
	fill := func(size int, before, again, after string) string {
		return good + "," + before + strings.Repeat(again, (size-len(good)-100)/len(again)) + after + "}"
	}
	var members strings.Builder
	for n := 0; members.Len() < 100<<10; n++ {
		fmt.Fprintf(&members, `"%x":1,`, n)
	}
	for story, tc := range map[string]struct {
		answer string
		kind   authority.Kind // of the error; Internal: none
	}{
		"a megabyte":                  {fill(1<<20, `"x":"`, "x", `"`), authority.Unavailable},
		"many members":                {good + "," + members.String() + `"y":1}`, authority.Unavailable},
		"many roles":                  {fill(128<<10, `"roles":[`, `"",`, `""]`), authority.TokenInvalid},
		"many roles of Keycloak's":    {fill(128<<10, `"realm_access":{"roles":[`, `"",`, `""]}`), authority.TokenInvalid},
		"many scopes":                 {fill(128<<10, `"scope":"`, "a ", `a"`), authority.TokenInvalid},
		"many scopes, a list":         {fill(128<<10, `"scp":[`, `"a",`, `"a"]`), authority.TokenInvalid},
		"many audiences":              {fill(128<<10, `"aud":[`, `"a",`, `"a"]`), authority.TokenInvalid},
		"a long claim that is kept":   {fill(128<<10, `"tenant":[`, `1,`, `1]`), authority.Internal},
		"a long claim of white space": {fill(128<<10, `"tenant":[`, ` `, `1]`), authority.Internal},
	} {
		if story == "many audiences" {
			tc.answer = strings.Replace(tc.answer, fmt.Sprintf(`"aud":%q,`, audience), "", 1)
		}
		i.on("/introspect", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, tc.answer) })
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := tr.Verify(t.Context(), opaque)
		runtime.ReadMemStats(&after)
		if tc.kind != authority.Internal {
			refused(t, story, err, tc.kind, "", opaque)
		} else if err != nil {
			t.Errorf("%s: %v", story, err)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 3<<20 {
			t.Errorf("%s: %d KiB were allocated", story, took>>10)
		}
	}
}
