package oauth

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

const (
	mainServer = `{"issuer":"https://auth.example.com","token_endpoint":"https://auth.example.com/oauth2/token",` +
		`"jwks_uri":"https://auth.example.com/oauth2/jwks","introspection_endpoint":"https://auth.example.com/oauth2/introspect",` +
		`"revocation_endpoint":"https://auth.example.com/oauth2/revoke","grant_types_supported":["client_credentials"],` +
		`"response_types_supported":[],"scopes_supported":["read","write"],` +
		`"token_endpoint_auth_methods_supported":["client_secret_basic","client_secret_post"],` +
		`"introspection_endpoint_auth_methods_supported":["client_secret_basic","client_secret_post"],` +
		`"revocation_endpoint_auth_methods_supported":["client_secret_basic","client_secret_post"]}`
	staffServer = `{"issuer":"https://auth.example.com/tenants/staff","token_endpoint":"https://auth.example.com/tenants/staff/oauth2/token",` +
		`"jwks_uri":"https://auth.example.com/tenants/staff/oauth2/jwks","introspection_endpoint":"https://auth.example.com/tenants/staff/oauth2/introspect",` +
		`"revocation_endpoint":"https://auth.example.com/tenants/staff/oauth2/revoke","grant_types_supported":[],` +
		`"response_types_supported":[],` +
		`"token_endpoint_auth_methods_supported":["client_secret_basic","client_secret_post"],` +
		`"introspection_endpoint_auth_methods_supported":["client_secret_basic","client_secret_post"],` +
		`"revocation_endpoint_auth_methods_supported":["client_secret_basic","client_secret_post"]}`
)

func openID(server, alg string) string {
	return strings.TrimSuffix(server, "}") + `,"subject_types_supported":["public"],"id_token_signing_alg_values_supported":["` + alg + `"]}`
}

func TestServerMetadata(t *testing.T) {
	s := newTestSite(t)
	for _, tc := range []struct {
		realm, server, alg string
		bases              []string
	}{
		{"main", mainServer, "ES256", []string{"", "/realms/main"}},
		{"staff", staffServer, "RS256", []string{"/realms/staff", "/tenants/staff"}},
	} {
		for _, base := range tc.bases {
			for path, want := range map[string]string{
				base + authorizationServer: tc.server, authorizationServer + base: tc.server,
				base + openIDConfiguration: openID(tc.server, tc.alg), openIDConfiguration + base: openID(tc.server, tc.alg),
			} {
				w := s.do(t, httptest.NewRequest(http.MethodGet, path, nil))
				if w.Code != 200 || w.Body.String() != want {
					t.Errorf("%s: %d\n%s\nwant\n%s", path, w.Code, w.Body, want)
				}
				h := w.Header()
				if h.Get("Content-Type") != "application/json" || h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Cache-Control") != "public, max-age=300" {
					t.Errorf("%s: %v", path, h)
				}
			}
		}
	}
}

// Metadata names only what answers: every address in it is served, both as it
// stands and with the issuer's path taken off before us.
func TestMetadataNamesOnlyWhatAnswers(t *testing.T) {
	s := newTestSite(t, Realm{Name: "only", Issuer: "https://h.example/auth", SigningAlg: "EdDSA"})
	w := s.do(t, httptest.NewRequest(http.MethodGet, "/.well-known/openid-configuration/auth", nil))
	var document map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &document); err != nil {
		t.Fatal(err)
	}
	found := 0
	for name, value := range document {
		address, _ := value.(string)
		if !strings.HasSuffix(name, "_endpoint") && name != "jwks_uri" {
			continue
		}
		found++
		path, ok := strings.CutPrefix(address, "https://h.example")
		if !ok {
			t.Errorf("%s is %q", name, address)
		}
		for _, p := range []string{path, strings.TrimPrefix(path, "/auth")} {
			if !s.Serves(httptest.NewRequest(http.MethodGet, p, nil)) {
				t.Errorf("%s: nothing answers at %s", name, p)
			}
		}
	}
	if found != 4 {
		t.Errorf("%d addresses in %s", found, w.Body)
	}
}

// RFC 9728 §3.3: resource equals the address asked about, or there is no answer.
func TestResourceMetadata(t *testing.T) {
	s := newTestSite(t)
	for _, tc := range []struct{ name, target, want string }{
		{"the issuer itself", "https://auth.example.com/.well-known/oauth-protected-resource",
			`{"resource":"https://auth.example.com","authorization_servers":["https://auth.example.com"],"bearer_methods_supported":["header"],"scopes_supported":["read","write"]}`},
		{"another realm's issuer", "https://auth.example.com/.well-known/oauth-protected-resource/tenants/staff",
			`{"resource":"https://auth.example.com/tenants/staff","authorization_servers":["https://auth.example.com/tenants/staff"],"bearer_methods_supported":["header"]}`},
		{"a resource of two realms", "https://auth.example.com/.well-known/oauth-protected-resource/mcp",
			`{"resource":"https://auth.example.com/mcp","authorization_servers":["https://auth.example.com","https://auth.example.com/tenants/staff"],"bearer_methods_supported":["header"],"scopes_supported":["read","admin"]}`},
		{"host in another case, with its port", "https://AUTH.example.com:443/.well-known/oauth-protected-resource/mcp",
			`{"resource":"https://auth.example.com/mcp","authorization_servers":["https://auth.example.com","https://auth.example.com/tenants/staff"],"bearer_methods_supported":["header"],"scopes_supported":["read","admin"]}`},
		{"another host, a path with a slash and a query", "https://app.example.com/.well-known/oauth-protected-resource/api/?v=2",
			`{"resource":"https://app.example.com/api/?v=2","authorization_servers":["https://auth.example.com"],"bearer_methods_supported":["header"]}`},
		{"only a host", "https://app.example.com/.well-known/oauth-protected-resource",
			`{"resource":"https://App.example.com:443/","authorization_servers":["https://auth.example.com"],"bearer_methods_supported":["header"]}`},

		{"an unknown host", "https://evil.example/.well-known/oauth-protected-resource", ""},
		{"the resource of another host", "https://app.example.com/.well-known/oauth-protected-resource/mcp", ""},
		{"another port", "https://auth.example.com:8443/.well-known/oauth-protected-resource", ""},
		{"an unknown path", "https://auth.example.com/.well-known/oauth-protected-resource/other", ""},
		{"a slash more", "https://auth.example.com/.well-known/oauth-protected-resource/mcp/", ""},
		{"a slash less", "https://app.example.com/.well-known/oauth-protected-resource/api?v=2", ""},
		{"no query", "https://app.example.com/.well-known/oauth-protected-resource/api/", ""},
		{"a query more", "https://auth.example.com/.well-known/oauth-protected-resource/mcp?v=2", ""},
		{"an encoded spelling", "https://auth.example.com/.well-known/oauth-protected-resource/m%63p", ""},
		{"an encoded spelling of the well-known part", "https://auth.example.com/.well-known/oauth-protected%2dresource/mcp", ""},
		{"under the realm", "https://auth.example.com/realms/main/.well-known/oauth-protected-resource", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, tc.target, nil)
			if tc.want == "" {
				if s.Serves(r) {
					t.Error("served")
				}
				return
			}
			w := s.do(t, r)
			if w.Code != 200 || w.Body.String() != tc.want || w.Header().Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("%d\n%s\nwant\n%s", w.Code, w.Body, tc.want)
			}
		})
	}
}

// Each resource's own metadata address, made as RFC 9728 §3.1 says, answers with
// that resource.
func TestEveryResourceAnswersWhereItsAddressSays(t *testing.T) {
	s := newTestSite(t)
	for _, realm := range testRealms {
		for _, resource := range realm.Resources {
			u, err := url.Parse(resource.URL)
			if err != nil {
				t.Fatal(err)
			}
			if u.Host == "" {
				continue
			}
			if u.Path == "/" {
				u.Path = ""
			}
			u.Path = protectedResource + u.Path
			w := s.do(t, httptest.NewRequest(http.MethodGet, u.String(), nil))
			var document struct{ Resource string }
			if err := json.Unmarshal(w.Body.Bytes(), &document); err != nil || document.Resource != resource.URL {
				t.Errorf("%s: %s", u, w.Body)
			}
		}
	}
}

// RFC 9728 §3.1: the well-known path stands between the resource's host and its path.
func TestMetadataURL(t *testing.T) {
	const host, path = "https://api.example.com", "/.well-known/oauth-protected-resource"
	for resource, want := range map[string]string{
		host: host + path, host + "/": host + path, host + "/v1": host + path + "/v1", host + "/v1/": host + path + "/v1/",
		host + "/v1/?v=2": host + path + "/v1/?v=2", host + "?v=2": host + path + "?v=2", host + `/a"b`: host + path + "/a%22b",
		host + "/a%2Fb": host + path + "/a%2Fb", "https://me:secret@api.example.com/": host + path, "urn:api": "",
	} {
		at, err := MetadataURL(resource)
		if err != nil || (at != nil) != (want != "") || at != nil && at.String() != want {
			t.Errorf("%s: %v %v, want %s", resource, at, err, want)
		}
	}
	if at, err := MetadataURL("https://api.example.com/%zz"); err == nil {
		t.Errorf("what is no URL: %v", at)
	}
}
