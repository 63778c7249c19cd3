package provider

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

func TestCheckURL(t *testing.T) {
	for _, good := range []string{"https://github.com", "https://git.example.com:8443/api/v3", "http://127.0.0.1:9101", "http://[::1]:9101", "http://localhost:9101"} {
		if err := CheckURL(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "github.com", "//github.com", "http://github.com", "http://127.0.0.1.example.com", "http://localhost.example.com",
		"ftp://github.com", "https://", "https:github.com", "https://user:pass@github.com", "https://github.com?x=1",
		"https://github.com?", "https://github.com#x", "https://github.com#", "https://a b", "javascript:alert(1)",
		"https://example.com/" + strings.Repeat("x", maxAddress),
	} {
		if err := CheckURL(bad); err == nil {
			t.Errorf("%q is taken", bad)
		} else if bad != "" && strings.Contains(err.Error(), "pass") {
			t.Errorf("the error tells a password: %v", err)
		}
	}
}

func TestCheckProfile(t *testing.T) {
	for story, subject := range map[string]string{
		"empty": "", "too long": strings.Repeat("s", 256), "a line break": "a\nb", "a NUL": "a\x00",
		"bytes that are no text": "a\xff", "what stands for such bytes": "a\ufffd",
	} {
		if p, err := CheckProfile(authority.Profile{Subject: subject}); err == nil {
			t.Errorf("a subject that is %s is taken: %+v", story, p)
		}
	}
	p, err := CheckProfile(authority.Profile{
		Subject: strings.Repeat("s", 255), Username: " a\u0000d\r\na\u009b ", Name: strings.Repeat("ä", 200),
		Email: "ada@example.com", EmailVerified: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if p.Username != "ada" || len(p.Name) != 254 || !utf8.ValidString(p.Name) || !p.EmailVerified {
		t.Errorf("profile is %+v", p)
	}
	// What is no address is none, and nobody has verified it.
	for _, bad := range []string{"", "ada", "@example.com", "ada@", "a@evil@corp.com", "a\n@example.com", "a b@example.com", strings.Repeat("a", 250) + "@b.cd"} {
		p, err := CheckProfile(authority.Profile{Subject: "1", Email: bad, EmailVerified: true})
		if err != nil || p.Email != "" || p.EmailVerified {
			t.Errorf("%q: profile is %+v, error %v", bad, p, err)
		}
	}
}
