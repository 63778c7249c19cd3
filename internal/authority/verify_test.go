package authority_test

import (
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// spare is an opaque token whose last character has other bits behind those of the token:
// what it decodes to is the same.
func spare(raw string) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := len(raw) - 1
	return raw[:last] + letters[strings.IndexByte(letters, raw[last])+3:][:1]
}

// What is ours is known by its form, also when the store is gone; the store is asked only
// where a realm may once have issued what none issues now.
func TestOwns(t *testing.T) {
	forms := token.New()
	opaque := demo()
	opaque[0].Opaque = true
	h := open(t, opaque)
	live := h.issue("https://api/")
	dead, refresh, personal := forms.NewOpaque(authority.KindAccess), forms.NewOpaque(authority.KindRefresh), secret.UUID()
	for _, tc := range []struct {
		story      string
		realms     []authority.Realm
		raw        string
		owns, sure bool
	}{
		{"somebody's", opaque, "an-opaque-token", false, true},
		{"live", opaque, live, true, true},
		{"dead", opaque, dead, true, true},
		{"live, padded", opaque, live + "=", true, true},
		{"dead, in another alphabet", opaque, strings.NewReplacer("-", "+", "_", "/").Replace(dead), true, true},
		{"a refresh token", demo(), refresh, true, true},
		{"a refresh token, padded", demo(), refresh + "==", true, true},
		{"live and padded, where no realm is opaque any more", demo(), live + "=", true, false},
		{"live and spelt by its spare bits, where no realm is opaque any more", demo(), spare(live), true, false},
		{"live, behind something else", opaque, "v1." + live, true, true},
		{"dead, between others, as in a JWT", opaque, "a." + dead + ".b", true, true},
		{"a refresh token, glued to something", demo(), "x" + refresh + "x", true, true},
		{"live, behind something else, where no realm is opaque any more", demo(), "v1." + live, true, false},
		{"somebody's, that begins as ours do", opaque, "gateat_" + strings.Repeat("a", 42) + ".gateat_", false, true},
		{"a UUID, where no realm has providers", opaque, personal, false, false},
		{"a UUID, where one has", withProvider(demo(), newUpstream("https://up")), personal, true, true},
		{"live, where no realm is opaque any more", demo(), live, true, false},
		{"dead, where no realm is opaque any more", demo(), dead, false, false},
	} {
		h.configure(tc.realms)
		if owns, err := h.Owns(t.Context(), tc.raw); owns != tc.owns || err != nil {
			t.Errorf("%s: %v %v", tc.story, owns, err)
		}
		h.store.instead = gone
		owns, sure := h.OwnsByForm(tc.raw)
		if sure != tc.sure || owns != (tc.owns && sure) {
			t.Errorf("%s, by its form: %v, sure %v", tc.story, owns, sure)
		}
		if _, err := h.Owns(t.Context(), tc.raw); (err == nil) != tc.sure || err != nil && authority.KindOf(err) != authority.Unavailable {
			t.Errorf("%s, without the store: %v", tc.story, err)
		}
		h.store.instead = nil
	}
}
