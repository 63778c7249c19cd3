package authority_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// What a realm issued is known in every spelling from which whoever gets it could make the
// token again, though none but the one that was issued is good here.
func TestOwnTokensAreKnownInEverySpelling(t *testing.T) {
	h, up, realms := withUpstream(t)
	realms[0].Issuer = "https://auth.example.com/?>~" // has both letters in which the alphabets differ
	h.configure(realms)
	up.knows("ours", ada)
	personal, err := h.golem("ours")
	if err != nil {
		t.Fatal(err)
	}
	jwt := h.issue()
	parts := strings.Split(jwt, ".")
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	standard := base64.StdEncoding.EncodeToString(text)
	if !strings.ContainsAny(standard, "+/") {
		t.Fatal("its claims are the same in both alphabets")
	}
	spellings := map[string]string{
		"a JWT": jwt, "without its signature": parts[0] + "." + parts[1] + ".", "a part more": jwt + ".x", "a dot more": jwt + ".",
		"a dot in front": "." + jwt, "two dots": parts[0] + ".." + parts[1] + "." + parts[2], "padded": jwt + "==",
		"in the other alphabet":       parts[0] + "." + strings.TrimRight(standard, "=") + "." + parts[2],
		"in the other, padded":        parts[0] + "." + standard + "." + parts[2],
		"a personal token":            personal.Secret,
		"a personal token in capital": strings.ToUpper(personal.Secret),
		"in capitals, padded":         strings.ToUpper(personal.Secret) + "=",
		"without hyphens":             strings.ReplaceAll(personal.Secret, "-", ""),
		"without, in capitals":        strings.ToUpper(strings.ReplaceAll(personal.Secret, "-", "")),
		"with other hyphens":          strings.ReplaceAll(personal.Secret, "-", "_"),
	}
	for _, configured := range []string{"with providers", "without"} {
		for story, raw := range spellings {
			if owns, err := h.Owns(t.Context(), raw); err != nil || !owns {
				t.Errorf("%s, %s: %v %v", story, configured, owns, err)
			}
			if story != "a JWT" && story != "a personal token" && h.active(raw) {
				t.Errorf("%s, %s: it is good", story, configured)
			}
		}
		for _, raw := range []string{"opaque", "", ".", "a.b.c", "0B6CF4AC-5C1B-4D9C-8A25-2F8A3A0A5D11", "0b6cf4ac5c1b4d9c8a252f8a3a0a5d11", strings.Repeat(".", 16<<10)} {
			if owns, err := h.Owns(t.Context(), raw); err != nil || owns {
				t.Errorf("%.40q, %s: %v %v", raw, configured, owns, err)
			}
		}
		realms[0].Upstreams = nil // so that a personal token is known by its row alone
		h.configure(realms)
	}
	h.store.instead = gone
	_, err = h.Owns(t.Context(), strings.ToUpper(personal.Secret))
	mustBe(t, err, authority.Unavailable)
}
