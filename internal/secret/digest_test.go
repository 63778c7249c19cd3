package secret

import (
	"strings"
	"testing"
)

const phrase = "correct horse battery staple"

func TestSecretHash(t *testing.T) {
	const hash = "sha256:c4bbcb1fbec99d65bf59d85c8cb62ee2db963f0fe106f483d9afa73bd4e39a8a"
	if got := DigestOf(phrase).SecretHash(); got != hash {
		t.Errorf("%s, want %s", got, hash)
	}
	for _, s := range []string{hash, "sha256:" + strings.ToUpper(hash[7:])} {
		if d, err := ParseSecretHash(s); err != nil || !d.Equal(DigestOf(phrase)) {
			t.Errorf("%s: %v", s, err)
		}
	}
	for _, bad := range []string{
		"", "sha256:", hash[7:], hash[:len(hash)-1], hash + "0", hash + "\n", " " + hash, "SHA256:" + hash[7:], "sha512:" + hash[7:],
		"sha256:" + strings.Repeat("g", 64), "sha256=" + hash[7:], "sha256:" + strings.Repeat("\x00", 64), phrase,
	} {
		d, err := ParseSecretHash(bad)
		if err == nil || d != (Digest{}) {
			t.Errorf("%q is taken", bad)
			continue
		}
		// A secret put where its hash belongs must not come back in an error message.
		if len(bad) > 20 && strings.Contains(err.Error(), bad) {
			t.Errorf("%q is repeated: %v", bad, err)
		}
	}
}

func TestDigestsAreCompared(t *testing.T) {
	a, b := DigestOf("a"), DigestOf("b")
	if !a.Equal(a) || a.Equal(b) || a.AnyEqual(nil) || a.AnyEqual([]Digest{b, b}) || !a.AnyEqual([]Digest{b, a, a}) {
		t.Error("digests are compared wrongly")
	}
	near := a
	near[31] ^= 1
	if a.Equal(near) || a.AnyEqual([]Digest{near}) {
		t.Error("one bit is not seen")
	}
}

func TestTokensAreRandom(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		token := Token()
		if len(token) != 43 || strings.ContainsAny(token, "+/=") || seen[token] {
			t.Fatalf("%q", token)
		}
		seen[token] = true
	}
}

func TestUUIDs(t *testing.T) {
	if a := UUID(); a == UUID() || len(a) != 36 || a[14] != '4' {
		t.Errorf("%s is not a random UUID", a)
	}
	realm := NamedUUID("https://auth.example.com", "main")
	if realm[14] != '5' || realm != NamedUUID("https://auth.example.com", "main") || realm == NamedUUID("https://auth.example.com", "other") {
		t.Errorf("%s does not name one thing", realm)
	}
	if NamedUUID(realm, "user:a") == NamedUUID(NamedUUID("https://auth.example.com", "other"), "user:a") {
		t.Error("one user name of two realms is one account")
	}
	// RFC 9562 A.4.
	if got := NamedUUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8", "www.example.com"); got != "2ed6657d-e927-568b-95e1-2665a8aea6a2" {
		t.Error(got)
	}
}

func FuzzParseSecretHash(f *testing.F) {
	f.Add(DigestOf("a").SecretHash())
	f.Add("sha256:")
	f.Add("sha256:" + strings.Repeat("A", 64))
	f.Add(strings.Repeat("0", 64))
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := ParseSecretHash(s); err == nil && !strings.EqualFold(d.SecretHash(), s) {
			t.Errorf("%q became %q", s, d.SecretHash())
		}
	})
}
