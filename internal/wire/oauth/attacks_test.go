package oauth

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

var postEndpoints = []string{
	"/oauth2/token", "/oauth2/introspect", "/oauth2/revoke",
	"/realms/staff/oauth2/token", "/realms/staff/oauth2/introspect", "/tenants/staff/oauth2/revoke",
}

const goodBody = "grant_type=client_credentials&token=tok"

// Attack: a secret or token sent in the query works, so clients do it, and every
// log between them and us keeps it. It must not work, and we must not be one of
// the logs.
func TestSecretsInTheQueryAreRefused(t *testing.T) {
	for _, target := range postEndpoints {
		for _, name := range []string{"client_secret", "client_id", "token", "access_token", "password", "refresh_token", "code", "grant_type", "client%5Fsecret"} {
			s := newTestSite(t)
			s.auth.err = &authority.Error{Kind: authority.Internal} // were it asked, it would log
			says := wantError(t, s.do(t, withBasic(form(target+"?x=1&"+name+"=hush-hush", goodBody))), 400, "invalid_request")
			if plain, _ := url.QueryUnescape(name); !strings.HasPrefix(says, plain+": ") || strings.Contains(says, "hush") {
				t.Errorf("%s ?%s: says %q", target, name, says)
			}
			if len(s.auth.calls) != 0 || s.log.Len() != 0 {
				t.Errorf("%s ?%s: asked %v, logged %q", target, name, s.auth.calls, s.log)
			}
		}
	}
	// A query that is nobody's business stays so.
	s := newTestSite(t)
	if w := s.do(t, withBasic(form("/oauth2/token?tenant=7", goodBody))); w.Code != 200 {
		t.Errorf("another parameter in the query: %d %s", w.Code, w.Body)
	}
}

// Attack: a log at any level keeps what was presented. Even where the server
// itself fails, the line names the request and nothing that it carried.
func TestFailuresLogNoSecret(t *testing.T) {
	for _, target := range postEndpoints {
		s := newTestSite(t)
		s.auth.err = &authority.Error{Kind: authority.Internal, Op: "sign"}
		r := form(target+"?x=hush-query", "grant_type=client_credentials&token=hush-token&scope=hush-scope")
		r.SetBasicAuth("app", "hush-secret")
		wantError(t, s.do(t, r), 500, "server_error")
		if line := s.log.String(); !strings.Contains(line, "path="+target) || strings.Contains(line, "hush") || strings.Contains(line, r.Header.Get("Authorization")) {
			t.Errorf("%s: logged %q", target, line)
		}
	}
}

// Attack: tokens are tried at the introspection endpoint, or ended at the
// revocation endpoint, by somebody who proves nothing. Neither is even asked.
func TestIntrospectionAndRevocationNeedAClient(t *testing.T) {
	for _, tc := range []struct{ name, target, body, auth string }{
		{"introspect, nobody", "/oauth2/introspect", "token=tok", ""},
		{"introspect, public client", "/oauth2/introspect", "token=tok&client_id=spa", ""},
		{"introspect, empty secret", "/oauth2/introspect", "token=tok&client_id=spa&client_secret=", ""},
		{"introspect, empty Basic secret", "/oauth2/introspect", "token=tok", basicField("spa:")},
		{"introspect, the token itself", "/oauth2/introspect", "token=tok", "Bearer tok"},
		{"revoke, nobody", "/oauth2/revoke", "token=tok", ""},
		{"revoke, the token itself", "/oauth2/revoke", "token=tok", "Bearer tok"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newTestSite(t)
			s.auth.answer.Active = true
			r := form(tc.target, tc.body)
			if tc.auth != "" {
				r.Header.Set("Authorization", tc.auth)
			}
			w := s.do(t, r)
			wantError(t, w, 401, "invalid_client")
			if w.Header().Get("WWW-Authenticate") == "" || len(s.auth.calls) != 0 {
				t.Errorf("challenge %q, asked %v", w.Header().Get("WWW-Authenticate"), s.auth.calls)
			}
		})
	}
}

// Attack: an access token is sent for revocation with the hint that it is a
// refresh token, or the other way round, so that the server looks in the wrong
// place, finds nothing, and answers 200 with the token alive. The hint never
// reaches whoever looks.
func TestAWrongHintDoesNotSaveAToken(t *testing.T) {
	var asked []authority.TokenQuery
	for _, hint := range []string{"", "&token_type_hint=access_token", "&token_type_hint=refresh_token", "&token_type_hint=nonsense"} {
		s := newTestSite(t)
		if w := s.do(t, withBasic(form("/oauth2/revoke", "token=tok"+hint))); w.Code != 200 {
			t.Errorf("%s: %d", hint, w.Code)
		}
		if asked = append(asked, s.auth.query); asked[0] != s.auth.query {
			t.Errorf("%q changed the question to %+v", hint, s.auth.query)
		}
	}
}

// Attack: the store fails while a token is revoked and the client reads success.
func TestAFailedRevocationIsNot200(t *testing.T) {
	s := newTestSite(t)
	s.auth.err = &authority.Error{Kind: authority.Unavailable}
	w := s.do(t, withBasic(form("/oauth2/revoke", "token=tok")))
	wantError(t, w, 503, "temporarily_unavailable")
	if w.Header().Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

// Attack: a realm's name is misspelt in a revocation. Were the path left to the
// site, its empty 200 would say that the token is revoked.
func TestAnUnknownRealmIsNotTheSitesEmpty200(t *testing.T) {
	for _, target := range []string{"/realms/no-such/oauth2/revoke", "/realms/no-such/oauth2/token", "/realms/no-such/oauth2/introspect", "/realms/no-such/oauth2/jwks"} {
		s := newTestSite(t)
		wantError(t, s.do(t, withBasic(form(target, goodBody))), 404, "invalid_request")
		if len(s.auth.calls) != 0 {
			t.Errorf("%s: asked %v", target, s.auth.calls)
		}
	}
}

// Attack: a parameter is sent twice, so that whoever checks reads one value and
// whoever acts reads the other.
func TestRepeatedParametersAreRefused(t *testing.T) {
	for _, target := range postEndpoints {
		for _, twice := range []string{"client_id", "client_secret", "scope", "token", "grant_type", "token_type_hint", "state", "code", "redirect_uri", "logout_token"} {
			s := newTestSite(t)
			body := "x=1&" + twice + "=a&" + twice + "=b"
			says := wantError(t, s.do(t, form(target, body)), 400, "invalid_request")
			if says != twice+": given more than once" || len(s.auth.calls) != 0 {
				t.Errorf("%s: %s twice: %q, asked %v", target, twice, says, s.auth.calls)
			}
		}
	}
	// resource may be repeated where RFC 8707 says so, and only there.
	s := newTestSite(t)
	wantError(t, s.do(t, withBasic(form("/oauth2/revoke", goodBody+"&resource=a&resource=b"))), 400, "invalid_request")
}

// Attack: a body without end, with its length said or not.
func TestOversizedBodiesAreRefused(t *testing.T) {
	for _, target := range postEndpoints {
		for _, chunked := range []bool{false, true} {
			s := newTestSite(t)
			r := withBasic(form(target, goodBody+"&x="+strings.Repeat("a", 64<<10)))
			if chunked {
				r.ContentLength = -1
			}
			wantError(t, s.do(t, r), 413, "invalid_request")
			if len(s.auth.calls) != 0 {
				t.Errorf("%s: asked %v", target, s.auth.calls)
			}
		}
	}
}

// Attack: text of the caller's comes back in error_description and breaks out of
// it: into a header, a log line, or markup in a page that shows it.
func TestErrorDescriptionCannotBeBrokenOutOf(t *testing.T) {
	nasty := "x\r\nSet-Cookie: a=b\r\n\r\n\"}\\<script>\u2028ä"
	s := newTestSite(t)
	w := s.do(t, withBasic(form("/oauth2/token", "grant_type=a&"+url.QueryEscape(nasty)+"=1&"+url.QueryEscape(nasty)+"=2")))
	says := wantError(t, w, 400, "invalid_request")
	if strings.ContainsAny(says, "\r\n\"\\") || says != strings.ToValidUTF8(says, "") || len(says) > maxDescription {
		t.Errorf("says %q", says)
	}
	if w.Header().Get("Set-Cookie") != "" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("header %v", w.Header())
	}
	for name, values := range w.Header() {
		if strings.ContainsAny(strings.Join(values, ""), "\r\n<") {
			t.Errorf("%s: %q", name, values)
		}
	}
}

// Attack: Host or a forwarding header names another host, and the metadata sends
// clients and their secrets there.
func TestAddressesNeverComeFromTheRequest(t *testing.T) {
	s := newTestSite(t)
	for _, target := range []string{"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"} {
		r := httptest.NewRequest(http.MethodGet, "http://evil.example"+target, nil)
		r.Header.Set("X-Forwarded-Host", "evil.example")
		r.Header.Set("X-Forwarded-Proto", "javascript")
		r.Header.Set("Forwarded", "host=evil.example")
		w := s.do(t, r)
		var document map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &document); err != nil || document["issuer"] != "https://auth.example.com" {
			t.Errorf("%s: %s", target, w.Body)
		}
		if strings.Contains(w.Body.String(), "evil") || strings.Contains(w.Body.String(), "javascript") {
			t.Errorf("%s: %s", target, w.Body)
		}
	}
}
