package guard

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/config"
)

func TestPresets(t *testing.T) {
	robot := authority.Principal{Issuer: issuer, Subject: "robot", Kind: authority.KindAccess, Client: "ci",
		Audience: authority.ListOf(issuer), Expires: noon.Unix() + 60}
	own := config.Identity{Headers: []config.IdentityHeader{
		{Name: "x-caller", Claim: "client_id"}, {Name: "X-Scope", Claim: "scope"}, {Name: "X-Mail-Ok", Claim: "email_verified"},
		{Name: "X-Aud", Claim: "aud"}, {Name: "X-Exp", Claim: "exp"}, {Name: "X-Realm", Claim: "realm"}}}
	tests := []struct {
		name      string
		identity  config.Identity
		principal authority.Principal
		want      http.Header
	}{
		{"the default", config.Identity{}, ada(), http.Header{
			"Remote-User": {"ada"}, "Remote-Name": {"Ada Lovelace"}, "Remote-Email": {"ada@example.com"}, "Remote-Groups": {"admin,dev"}}},
		{"remote without a username", config.Identity{Preset: "remote"}, robot, http.Header{"Remote-User": {"robot"}}},
		{"x_forwarded", config.Identity{Preset: "x_forwarded"}, ada(), http.Header{
			"X-Forwarded-User": {"1f0c2c3e-ada"}, "X-Forwarded-Preferred-Username": {"ada"},
			"X-Forwarded-Email": {"ada@example.com"}, "X-Forwarded-Groups": {"admin,dev"}}},
		{"x_auth_request", config.Identity{Preset: "x_auth_request"}, robot, http.Header{"X-Auth-Request-User": {"robot"}}},
		{"none", config.Identity{Preset: "none"}, ada(), http.Header{}},
		{"a map longer than a preset", own, ada(), http.Header{"X-Caller": {"web"}, "X-Scope": {"read write"}, "X-Mail-Ok": {"true"},
			"X-Aud": {issuer}, "X-Exp": {fmt.Sprint(noon.Unix() + 300)}, "X-Realm": {"main"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := bearer()
			_, refusal := meet(r, mustGuard(t, config.Guard{Identity: tt.identity}, mainRealm(knows(tt.principal))))
			wantStatus(t, refusal, 200)
			if fmt.Sprint(r.Header) != fmt.Sprint(tt.want) {
				t.Errorf("%v\nwant %v", r.Header, tt.want)
			}
		})
	}
}

func TestClaims(t *testing.T) {
	p := ada()
	for _, name := range ClaimNames() {
		if v, ok := Claim(&p, name); !ok || v == "" {
			t.Errorf("ada has no %s", name)
		}
		if v, ok := Claim(&authority.Principal{}, name); ok || v != "" {
			t.Errorf("nobody has %s: %q", name, v)
		}
	}
	for name, want := range map[string]string{
		"id": "1f0c2c3e-ada", "sub": "1f0c2c3e-ada", "user": "ada", "preferred_username": "ada", "groups": "admin,dev",
		"scope": "read write", "iss": issuer, "sid": "sid-1", "jti": "jti-1", "email_verified": "true", "token_kind": "access",
	} {
		if v, _ := Claim(&p, name); v != want {
			t.Errorf("%s is %q, want %q", name, v, want)
		}
	}
	if v, ok := Claim(&p, "password"); ok || v != "" {
		t.Error("a claim nobody knows has a value")
	}
	p.EmailVerified = false
	if v, ok := Claim(&p, "verified_email"); ok || v != "" {
		t.Errorf("an unverified address is handed out as verified: %s", v)
	}
	if v, _ := Claim(&p, "email_verified"); v != "false" {
		t.Errorf("email_verified is %q", v)
	}
	p.Expires = authority.NoExpiry
	if v, ok := Claim(&p, "exp"); ok || v != "" {
		t.Errorf("an app is told an end that the issuer did not say: %s", v)
	}
}

func TestEncodeText(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "ada": "ada", "Ada Lovelace": "Ada Lovelace", "a,b;c=\"d\"": "a,b;c=\"d\"",
		"100%": "100%25", "%2C": "%252C", " a b ": "%20a b%20", " ": "%20",
		"a\r\nX-Admin: 1": "a%0D%0AX-Admin: 1", "a\x00b": "a%00b", "\x7f": "%7F", "\t": "%09",
		"Zoë": "Zo%C3%AB", "\xff": "%FF", "{env.SECRET}": "{env.SECRET}", "{http.request.header.X}": "{http.request.header.X}",
		strings.Repeat("x", MaxHeaderValue):           strings.Repeat("x", MaxHeaderValue),
		strings.Repeat("x", MaxHeaderValue+1):         "",
		strings.Repeat("é", MaxHeaderValue/6) + "%%":  "",
		strings.Repeat("é", MaxHeaderValue/6) + "abc": strings.Repeat("%C3%A9", MaxHeaderValue/6) + "abc",
	} {
		if got := encodeText(in); got != want {
			t.Errorf("%.40q: %.60q, want %.60q", in, got, want)
		}
	}
}

func TestEncodeList(t *testing.T) {
	tests := []struct {
		in   []string
		want string
	}{
		{nil, ""}, {[]string{"a"}, "a"}, {[]string{"a", "b"}, "a,b"}, {[]string{"a b", "c"}, "a b,c"},
		{[]string{"a,admin", "b"}, "a%2Cadmin,b"}, {[]string{"a%2Cadmin"}, "a%252Cadmin"},
		{[]string{" admin", "b "}, "%20admin,b%20"}, {[]string{""}, ""}, {[]string{"", "a", "", "b", ""}, "a,b"},
		{[]string{"é"}, "%C3%A9"}, {[]string{strings.Repeat("x", MaxHeaderValue+1)}, ""},
		{[]string{"a", strings.Repeat("x", MaxHeaderValue-1), "b"}, "a"},
		{[]string{"a", strings.Repeat("x", MaxHeaderValue-2), "b"}, "a," + strings.Repeat("x", MaxHeaderValue-2)},
	}
	for _, tt := range tests {
		if got := encodeList(authority.ListOf(tt.in...), ','); got != tt.want {
			t.Errorf("%.60q: %.60q, want %.60q", tt.in, got, tt.want)
		}
	}
	if got := encodeList(authority.ListOf("read", "two words"), ' '); got != "read two%20words" {
		t.Errorf("scope %q", got)
	}
}

// However the request is printed, neither the credential nor the person shows.
func TestRequestTellsNothing(t *testing.T) {
	st, refusal := meet(bearer(), mustGuard(t, config.Guard{Credential: "keep"}, mainRealm(knows(ada()))))
	wantStatus(t, refusal, 200)
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+verb, st, *st)
	}
	js, err := json.Marshal(map[string]any{"p": st, "v": *st})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(js)
	text, _ := st.MarshalText()
	out.Write(text)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "p", st, "v", *st)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "p", st, "v", *st)
	for _, secret := range []string{token, "ada", "Ada", "jti-1", fmt.Sprintf("%x", token[:8])} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%s shows in %s", secret, out.String())
		}
	}
}

func FuzzHeaderValue(f *testing.F) {
	for _, s := range []string{"ada", "a,b", "a\r\nb", "%", " ", "é", "\x00", "a\x00b", "a\x00\x00b", " a ,b"} {
		f.Add(s)
	}
	check := func(t *testing.T, value string, sep byte) {
		if len(value) > MaxHeaderValue {
			t.Errorf("%d bytes", len(value))
		}
		for i := range len(value) {
			if value[i] < ' ' || value[i] > '~' {
				t.Errorf("%q holds %q", value, value[i])
			}
		}
		if value != "" && sep != ' ' && (value[0] == ' ' || value[len(value)-1] == ' ') {
			t.Errorf("%q has a space at an end", value)
		}
	}
	f.Fuzz(func(t *testing.T, s string) {
		value := encodeText(s)
		check(t, value, 0)
		if back, err := url.PathUnescape(value); value != "" && (err != nil || back != s) {
			t.Errorf("%q came back as %q, %v", s, back, err)
		}
		for _, sep := range []byte{',', ' '} {
			texts := strings.Split(s, "\x00")
			value := encodeList(authority.ListOf(texts...), sep)
			check(t, value, sep)
			var back []string
			for e := range strings.SplitSeq(value, string(rune(sep))) {
				text, err := url.PathUnescape(e)
				if err != nil {
					t.Errorf("%q: %v", e, err)
				}
				if e != "" {
					back = append(back, text)
				}
			}
			want := slices.DeleteFunc(texts, func(e string) bool { return e == "" })
			if len(back) > len(want) || !slices.Equal(back, want[:len(back)]) {
				t.Errorf("%q came back as %q", want, back)
			}
			if 3*len(s) <= MaxHeaderValue && len(back) != len(want) {
				t.Errorf("%q was cut to %q", want, back)
			}
		}
	})
}

// Who writes the claim first, where any word may be a claim, would have an app believe the
// header that he meant, which nobody sets and nobody takes off.
func TestHeaderAndClaimSwapped(t *testing.T) {
	for _, c := range []struct {
		header, claim string
		swapped       bool
	}{
		{"sub", "X-User", true}, {"tenant", "X-Tenant", true}, {"preferred_username", "Remote-User", true},
		{"X-User", "sub", false}, {"x-user", "sub", false}, {"tenant", "tenant", false}, {"user", "tenant-id", false},
		{"Groups", "https://example.com/Groups-Of", false}, {"X-Tenant", "X-Tenant", false}, {"tenant", "Tenant", false},
	} {
		err := Valid(config.Guard{Accept: []string{"corp"}, Identity: config.Identity{Headers: []config.IdentityHeader{{Name: c.header, Claim: c.claim}}}}, "corp")
		if (err != nil) != c.swapped || c.swapped && !strings.Contains(err.Error(), c.claim+" looks like a header, and "+c.header+" like a claim: the header stands first") {
			t.Errorf("%s %s: %v", c.header, c.claim, err)
		}
	}
}
