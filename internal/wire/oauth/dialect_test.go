package oauth

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// Every place of a realm answers for that realm and no other.
func TestPlaces(t *testing.T) {
	s := newTestSite(t)
	for base, realm := range map[string]string{
		"": "main", "/realms/main": "main", "/realms/0b9a3f0e-1111-5222-8333-444455556666": "main",
		"/realms/staff": "staff", "/tenants/staff": "staff",
	} {
		if w := s.do(t, withBasic(form(base+"/oauth2/token", "grant_type=x"))); w.Code != 200 || s.auth.token.Realm != realm {
			t.Errorf("%s/oauth2/token: %d, realm %q, want %q", base, w.Code, s.auth.token.Realm, realm)
		}
		for _, path := range []string{"/oauth2/introspect", "/oauth2/revoke"} {
			if w := s.do(t, withBasic(form(base+path, "token=x"))); w.Code != 200 || s.auth.query.Realm != realm {
				t.Errorf("%s%s: %d, realm %q, want %q", base, path, w.Code, s.auth.query.Realm, realm)
			}
		}
		if w := s.do(t, httptest.NewRequest(http.MethodGet, base+"/oauth2/jwks", nil)); w.Code != 200 || s.auth.keysRealm != realm {
			t.Errorf("%s/oauth2/jwks: %d, realm %q, want %q", base, w.Code, s.auth.keysRealm, realm)
		}
		if w := s.do(t, httptest.NewRequest(http.MethodGet, base+"/healthz", nil)); w.Code != 200 {
			t.Errorf("%s/healthz: %d", base, w.Code)
		}
	}
}

// What is not ours stays untouched for whoever comes next.
func TestEverythingElseFallsThrough(t *testing.T) {
	s := newTestSite(t)
	for _, target := range []string{
		"/", "/oauth2", "/oauth2/", "/oauth2/token/", "/oauth2/Token", "/oauth2/authorize", "/x/oauth2/token",
		"//oauth2/token", "/./oauth2/token", "/x/../oauth2/token", "/oauth2/tok%65n", "/oauth2%2ftoken", "/%6fauth2/token",
		"/oauth2/token;x", "/oauth2/token%00", "/oauth2/token%20",
		"/realms/", "/realms/main", "/realms/no-such/", "/realms/no-such/healthz", "/realms/no-such/oauth2/authorize",
		"/realms/no-such/.well-known/openid-configuration", "/realms/a/b/oauth2/token", "/realms/m%61in/oauth2/token", "/realms/%2e/oauth2/token",
		"/tenants/oauth2/token", "/tenants/other/oauth2/token",
		"/.well-known/oauth-authorization-server/", "/.well-known/oauth-authorization-server/tenants",
		"/.well-known/oauth-authorization-server/realms/no-such", "/.well-known/openid-configuration/x", "/.well-known/openid%2dconfiguration",
		"/.well-known/oauth-protected-resource/no-such", "/.well-known/oauth-protected-resourceful", "/.well-known/acme-challenge/x",
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodOptions} {
			r := form(target, "a=b")
			r.Method = method
			if s.Serves(r) {
				t.Errorf("%s %s is served", method, target)
			}
		}
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, form("/elsewhere", ""))
	wantError(t, w, 404, "invalid_request")
	if len(s.auth.calls) != 0 {
		t.Errorf("asked %v", s.auth.calls)
	}
}

func TestMethods(t *testing.T) {
	posts, gets := "POST", "GET, HEAD"
	for target, allow := range map[string]string{
		"/oauth2/token": posts, "/oauth2/introspect": posts, "/oauth2/revoke": posts, "/realms/staff/oauth2/token": posts,
		"/oauth2/jwks": gets, "/healthz": gets, "/.well-known/openid-configuration": gets,
		"/.well-known/oauth-authorization-server": gets, "/.well-known/oauth-protected-resource": gets,
		"/.well-known/oauth-protected-resource/mcp": gets,
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "post"} {
			if strings.Contains(", "+allow+",", ", "+method+",") {
				continue
			}
			s := newTestSite(t)
			r := withBasic(form(target, "grant_type=x&token=x"))
			r.Method = method
			w := s.do(t, r)
			says := wantError(t, w, 405, "invalid_request")
			if w.Header().Get("Allow") != allow || !strings.HasSuffix(says, allow) || len(s.auth.calls) != 0 {
				t.Errorf("%s %s: Allow %q, %q, asked %v", method, target, w.Header().Get("Allow"), says, s.auth.calls)
			}
		}
	}
}

func TestNewRefuses(t *testing.T) {
	const issuer = "https://auth.example.com"
	for _, tc := range []struct {
		name   string
		realms []Realm
		says   []string
	}{
		{"no realm", nil, []string{"no realm"}},
		{"no name", []Realm{{Issuer: issuer}}, []string{"cannot stand in a path"}},
		{"names that are paths", []Realm{{Name: "a/b", Issuer: issuer}, {Name: "..", Issuer: issuer}, {Name: `a"b`, Issuer: issuer}},
			[]string{`"a/b" cannot`, `".." cannot`, `"a\"b" cannot`}},
		{"a name twice", []Realm{{Name: "a", Issuer: issuer}, {Name: "a", Issuer: issuer + "/x"}}, []string{`"a" names realm "a" too`}},
		{"a name that is another's id", []Realm{{Name: "a", ID: "b", Issuer: issuer}, {Name: "b", Issuer: issuer + "/x"}}, []string{`"b" names realm "a" too`}},
		{"no issuer", []Realm{{Name: "a"}}, []string{"not an absolute URL"}},
		{"issuer with a query", []Realm{{Name: "a", Issuer: issuer + "?a"}}, []string{"not an absolute URL"}},
		{"issuer that needs encoding", []Realm{{Name: "a", Issuer: issuer + "/a%20b"}}, []string{"percent-encoding"}},
		{"issuer where another realm stands", []Realm{{Name: "a", Issuer: issuer + "/realms/b"}, {Name: "b", Issuer: issuer + "/b"}},
			[]string{`stands where realm "b" does`}},
		{"issuer in the way of an endpoint", []Realm{{Name: "a", Issuer: issuer + "/.well-known/openid-configuration"},
			{Name: "b", Issuer: issuer + "/.well-known/oauth-authorization-server"}}, []string{"two routes"}},
		{"a resource that is no URL", []Realm{{Name: "a", Issuer: issuer, Resources: []Resource{{URL: "https://%zz"}}}}, []string{"is not a URL"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := New(&fake{}, tc.realms, slog.New(slog.DiscardHandler))
			if err == nil {
				t.Fatal("accepted")
			}
			for _, says := range tc.says {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("%q lacks %q", err, says)
				}
			}
		})
	}
}

// Two issuers with the same path on different hosts: the first realm has it.
func TestTheFirstRealmHasASharedPath(t *testing.T) {
	s := newTestSite(t,
		Realm{Name: "a", Issuer: "https://a.example.com/auth", SigningAlg: "ES256"},
		Realm{Name: "b", Issuer: "https://b.example.com/auth", SigningAlg: "ES256"},
		Realm{Name: "c", Issuer: "https://c.example.com/realms/c", SigningAlg: "ES256"},
	)
	for target, realm := range map[string]string{
		"/oauth2/token": "a", "/auth/oauth2/token": "a", "/realms/b/oauth2/token": "b", "/realms/c/oauth2/token": "c",
	} {
		if w := s.do(t, withBasic(form(target, "grant_type=x"))); w.Code != 200 || s.auth.token.Realm != realm {
			t.Errorf("%s: %d, realm %q, want %q", target, w.Code, s.auth.token.Realm, realm)
		}
	}
}

// The challenge names the realm that was asked.
func TestChallengeNamesTheRealm(t *testing.T) {
	s := newTestSite(t)
	s.auth.err = &authority.Error{Kind: authority.ClientUnauthenticated}
	w := s.do(t, withBasic(form("/realms/staff/oauth2/token", "grant_type=x")))
	if got := w.Header().Get("WWW-Authenticate"); w.Code != 401 || got != `Basic realm="staff"` {
		t.Errorf("%d %q", w.Code, got)
	}
}
