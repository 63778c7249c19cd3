package guard

import (
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/config"
)

func TestParse(t *testing.T) {
	long := strings.Repeat("a", MaxCredential)
	tests := []struct {
		value string
		want  string
		found found
	}{
		{"Bearer abc", "abc", foundBearer},
		{"bearer abc", "abc", foundBearer},
		{"BEARER    abc", "abc", foundBearer},
		{"Bearer abc \t", "abc", foundBearer},
		{"Bearer eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.AAAA-_~+/==", "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.AAAA-_~+/==", foundBearer},
		{"Bearer " + long, long, foundBearer},
		{"Bearer " + long + "a", "", foundOversized},
		{"Bearer " + strings.Repeat(".", 100_000), "", foundOversized},

		{"", "", foundMalformed},
		{" ", "", foundMalformed},
		{"Bearer", "", foundMalformed},
		{"Bearer  ", "", foundMalformed},
		{"Bearer\tabc", "", foundMalformed},
		{"Bearer \tabc", "", foundMalformed},
		{"Bearer,abc", "", foundMalformed},
		{"Bearer=abc", "", foundMalformed},
		{"Bearer \"abc\"", "", foundMalformed},
		{"Bearer abc def", "", foundMalformed},
		{"Bearer abc, Bearer def", "", foundMalformed},
		{"Bearer abc,", "", foundMalformed},
		{"Bearer token=abc", "", foundMalformed},
		{"Bearer ===", "", foundMalformed},
		{"Bearer abcdefgh\x00ijklmnop", "", foundMalformed},
		{"Bearer abcdefgh\xc3\xa9jklmnop", "", foundMalformed},
		{"\"Bearer\" abc", "", foundMalformed},
		{", Bearer abc", "", foundMalformed},
		{"Basic YTpi, Bearer abc", "", foundMalformed},
		{"Basic YTpi,bearer abc", "", foundMalformed},
		{"DPoP abc ,\tBEARER", "", foundMalformed},

		{"Basic YTpi", "", foundNone},
		{"DPoP abc", "", foundNone},
		{"Bearerabc", "", foundNone},
		{"Bearer2 abc", "", foundNone},
		{"Bear", "", foundNone},
		{"Digest username=\"bearer\", realm=\"x\", bearer2=y", "", foundNone},
		{"Digest username=\"x\", realm=\"bearer things\", uri=\"/bearer/x\"", "", foundNone},
		{"AWS4-HMAC-SHA256 Credential=bearer/20260101/eu/s3/aws4_request, SignedHeaders=bearer;host, Signature=0a", "", foundNone},
		{"MediaBrowser Client=\"Web\", Device=\"Bearer\", Token=\"x\"", "", foundNone},
	}
	for _, tt := range tests {
		got, f := parse(tt.value)
		if got != tt.want || f != tt.found {
			t.Errorf("%.40q: %.40q, %d; want %.40q, %d", tt.value, got, f, tt.want, tt.found)
		}
	}
}

func TestB64TokenBytes(t *testing.T) {
	const pad = "aaaaaaaaaaaaaaaa"
	for c := range 256 {
		want := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/", byte(c)) >= 0
		for at := range len(pad) - 1 {
			if got := isB64Token(pad[:at] + string([]byte{byte(c)}) + pad[at+1:]); got != want {
				t.Fatalf("byte %#x at %d: %v", c, at, got)
			}
		}
	}
}

// A client sends two credentials, one that we know and one that an upstream might
// read instead: two fields, or one with a comma. Neither is picked.
func TestExactlyOneCredential(t *testing.T) {
	for _, cfg := range []config.Guard{{}, {Optional: true}, {Credential: "keep"}} {
		for _, fields := range [][]string{
			{"Bearer " + token, "Bearer " + token},
			{"Bearer " + token, "Basic YTpi"},
			{"Basic YTpi", "Bearer " + token},
			{"Bearer " + token + ", Bearer x"},
			{"Bearer " + token + " x"},
			{"Bearer\t" + token},
			{"Bearer"},
		} {
			v := knows(ada())
			r := get()
			r.Header["Authorization"] = fields
			_, refusal := meet(r, mustGuard(t, cfg, mainRealm(v)))
			wantStatus(t, refusal, 400)
			if !strings.Contains(refusal.Header.Get("WWW-Authenticate"), `error="invalid_request"`) {
				t.Errorf("%q: %v", fields, refusal.Header)
			}
			if v.asked.Load() != 0 {
				t.Errorf("%q was looked up", fields)
			}
			if cfg.Credential == "" && r.Header["Authorization"] != nil {
				t.Errorf("%q is left for an error route's upstream", fields)
			}
		}
	}
}

// A megabyte of token is refused before anybody hashes it.
func TestOversizedToken(t *testing.T) {
	v := knows(ada())
	_, refusal := meet(get("Authorization", "Bearer "+strings.Repeat(".", 1<<20)), mustGuard(t, config.Guard{}, mainRealm(v)))
	wantStatus(t, refusal, 401)
	if v.asked.Load() != 0 {
		t.Error("it was looked up")
	}
}

// Tokens in the query are a leak into logs and histories: they are not read.
func TestQueryAndCookieAreNotRead(t *testing.T) {
	v := knows(ada())
	r := get("Cookie", "access_token="+token)
	r.URL.RawQuery = "access_token=" + token
	_, refusal := meet(r, mustGuard(t, config.Guard{}, mainRealm(v)))
	wantStatus(t, refusal, 401)
	if v.asked.Load() != 0 {
		t.Error("it was looked up")
	}
}

func FuzzCredential(f *testing.F) {
	for _, s := range []string{"Bearer abc", "bearer  abc==", "Bearer\tabc", "Bearer a,b", "Basic YTpi", "", "Bearer", "Bearer é", "Bearer abcdefgh.-_~+/=", " Bearer x ", "Bearer a=b"} {
		f.Add(s)
	}
	form := regexp.MustCompile(`^[ \t]*(?i:bearer) +([A-Za-z0-9._~+/-]+=*)[ \t]*$`)
	f.Fuzz(func(t *testing.T, value string) {
		got, found := parse(value)
		m := form.FindStringSubmatch(value)
		switch {
		case m != nil && len(m[1]) <= MaxCredential:
			if found != foundBearer || got != m[1] {
				t.Errorf("%q: %q, %d", value, got, found)
			}
		case found == foundBearer || got != "":
			t.Errorf("%q passed as %q", value, got)
		}
	})
}
