package pakt

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// good are requests that each call takes.
func good() map[string]*http.Request {
	return map[string]*http.Request{
		"start":    with(get(startPath), "Authorization", "Bearer s3cret", "X-Api-Key", "s3cret"),
		"validate": with(post(validatePath+"?state=s3cret&code=s3cret", ""), "Cookie", "gatehouse-login=s3cret"),
		"account":  with(get(accountPath), "Authorization", "Bearer s3cret"),
		"logout":   with(post(logoutPath, ""), "Authorization", "Bearer s3cret"),
	}
}

func TestErrorTable(t *testing.T) {
	if missing := errorTable().Missing(); len(missing) != 0 {
		t.Fatalf("kinds without a row: %v", missing)
	}
	statuses := map[authority.Kind]int{
		authority.Internal: 500, authority.Unavailable: 503, authority.Throttled: 429, authority.Invalid: 400, authority.TooLarge: 413,
		authority.RealmUnknown: 404, authority.ClientUnauthenticated: 401, authority.ClientForbidden: 403, authority.GrantUnsupported: 400,
		authority.GrantInvalid: 400, authority.ScopeInvalid: 400, authority.TargetInvalid: 400, authority.TokenInvalid: 401,
		authority.LoginFailed: 401, authority.NotFound: 404, authority.ProviderUnknown: 404, authority.ProviderFailed: 502,
		authority.UpstreamTokenInvalid: 401, authority.UpstreamCodeInvalid: 400, authority.StateInvalid: 400, authority.AccountUnknown: 403,
		authority.SignUpRefused: 403, authority.AccountDisabled: 403, authority.StepInvalid: 401, authority.SecondFactorInvalid: 401,
		authority.BindingInvalid: 401, authority.DeviceInvalid: 400, authority.DeviceRefused: 403,
	}
	if len(statuses) != len(authority.Kinds()) {
		t.Fatalf("%d statuses for %d kinds", len(statuses), len(authority.Kinds()))
	}
	for kind, status := range statuses {
		for name, r := range good() {
			t.Run(kind.String()+"/"+name, func(t *testing.T) {
				s := newTestSite(t, Options{})
				s.auth.err = &authority.Error{Kind: kind, RetryAfter: 6500 * time.Millisecond, Err: errors.New("the cause")}
				w := s.do(t, r)
				message := wantMessage(t, w, status)
				if message != errorTable()[kind].Text {
					t.Errorf("%q", message)
				}
				if got, want := w.Header().Get("WWW-Authenticate") != "", status == 401; got != want {
					t.Errorf("challenge: %t", got)
				}
				if got, want := w.Header().Get("Retry-After") == "7", status == 429 || status >= 502; got != want {
					t.Errorf("Retry-After %q", w.Header().Get("Retry-After"))
				}
				if strings.Contains(message, "cause") || strings.Contains(message, "s3cret") || strings.Contains(s.log.String(), "s3cret") {
					t.Errorf("too much got out: %s; %s", message, s.log)
				}
			})
		}
	}
}

func TestPublicTextComesThrough(t *testing.T) {
	s := newTestSite(t, Options{})
	s.auth.err = &authority.Error{Kind: authority.StateInvalid, Public: "say this", Fields: []authority.Field{{Name: "state", Reason: "and this"}}}
	if got := wantMessage(t, s.do(t, good()["validate"]), 400); got != "say this; state: and this" {
		t.Errorf("%q", got)
	}
}

func TestWrongMethod(t *testing.T) {
	s := newTestSite(t, Options{})
	for path, allow := range map[string]string{startPath: "GET, HEAD", validatePath: "POST", accountPath: "GET, HEAD", logoutPath: "POST"} {
		method := http.MethodGet
		if strings.HasPrefix(allow, "GET") {
			method = http.MethodPost
		}
		w := s.do(t, httptest.NewRequest(method, path+"?code=s3cret", nil))
		if got := wantMessage(t, w, 405); got != "Method Not Allowed" || w.Header().Get("Allow") != allow {
			t.Errorf("%s: %q, Allow %q", path, got, w.Header().Get("Allow"))
		}
	}
	if len(s.auth.calls) > 0 {
		t.Errorf("the authority was asked: %v", s.auth.calls)
	}
}

func TestServesItsPathsOnly(t *testing.T) {
	s := newTestSite(t, Options{})
	for _, target := range []string{
		"/", "/v1/account/", "/v1//account", "/v1/account/update", "/V1/account", "/v1/%61ccount", "/v1/auth/login",
		"/v1/auth/google/oauth/generate-state/", "/v1/auth/Google/oauth/generate-state", "/v1/auth/nobody/oauth/generate-state",
		"/v1/auth//oauth/generate-state", "/v1/auth/google/oauth", "/v1/auth/google%2Foauth/generate-state",
	} {
		r := get(target)
		if s.Serves(r) {
			t.Errorf("%s is served", target)
		}
		w := httptest.NewRecorder()
		if s.ServeHTTP(w, r); wantMessage(t, w, 404) != "Not Found" {
			t.Errorf("%s: %s", target, w.Body)
		}
	}
}

func TestNew(t *testing.T) {
	for name, tc := range map[string]struct {
		realm   Realm
		options Options
	}{
		"no redirect URI":     {testRealm, Options{}},
		"a name twice":        {Realm{Providers: []Provider{{Name: "a"}, {Name: "a"}}}, Options{RedirectURI: frontEnd}},
		"everybody":           {testRealm, Options{RedirectURI: frontEnd, CORSOrigins: []string{"*"}}},
		"a wildcard":          {testRealm, Options{RedirectURI: frontEnd, CORSOrigins: []string{"https://*.example.com"}}},
		"null":                {testRealm, Options{RedirectURI: frontEnd, CORSOrigins: []string{"null"}}},
		"no origin":           {testRealm, Options{RedirectURI: frontEnd, CORSOrigins: []string{""}}},
		"https and no Secure": {Realm{Issuer: "https://auth.example.com"}, Options{RedirectURI: frontEnd}},
	} {
		if _, err := New(new(fake), tc.realm, tc.options, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
