package trust_test

import (
	"fmt"
	"net/http"
	"testing"
)

// An issuer may close a connection that it kept at any moment (RFC 9112 §9.5), also while
// a question is on its way. That is no answer, and to ask again does no harm.
func TestAConnectionThatDiesUnderAQuestion(t *testing.T) {
	i := newIssuer(t)
	tr := open(t, i.asking())
	good := i.facts(t, nil)
	i.answer("/introspect", http.StatusOK, good)
	if _, err := tr.Verify(t.Context(), "the-first"); err != nil {
		t.Fatal(err)
	}
	dying := i.called("/introspect")
	i.on("/introspect", func(w http.ResponseWriter, _ *http.Request) {
		if i.called("/introspect") == dying+1 {
			panic(http.ErrAbortHandler)
		}
		fmt.Fprint(w, good)
	})
	if p, err := tr.Verify(t.Context(), "the-second"); err != nil || p.Subject != "ada" {
		t.Errorf("%+v %v", p, err)
	}
	if n := i.called("/introspect") - dying; n != 2 {
		t.Errorf("asked %d times, want twice", n)
	}
}
