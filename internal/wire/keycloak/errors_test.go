package keycloak

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// good are requests that each call takes.
var good = map[string]string{
	tokenPath:      "client_id=app&client_secret=s3cret",
	loginPath:      "username=ann&password=s3cret",
	logoutPath:     "refresh_token=s3cret",
	introspectPath: "token=s3cret&client_id=app&client_secret=s3cret",
}

func TestErrorTable(t *testing.T) {
	if missing := errorTable().Missing(); len(missing) != 0 {
		t.Fatalf("kinds without a row: %v", missing)
	}
	rows := []struct {
		kind      authority.Kind
		status    int
		challenge string
		retry     string
	}{
		{authority.Internal, 500, "", ""},
		{authority.Unavailable, 503, "", "7"},
		{authority.Throttled, 429, "", "7"},
		{authority.Invalid, 422, "", ""},
		{authority.TooLarge, 413, "", ""},
		{authority.RealmUnknown, 404, "", ""},
		{authority.ClientUnauthenticated, 401, `Basic realm="main"`, ""},
		{authority.ClientForbidden, 400, "", ""},
		{authority.GrantUnsupported, 400, "", ""},
		{authority.GrantInvalid, 400, "", ""},
		{authority.ScopeInvalid, 400, "", ""},
		{authority.TargetInvalid, 400, "", ""},
		{authority.TokenInvalid, 401, `Bearer realm="main"`, ""},
		{authority.LoginFailed, 401, `Bearer realm="main"`, ""},
		{authority.NotFound, 404, "", ""},
		{authority.ProviderUnknown, 404, "", ""},
		{authority.ProviderFailed, 503, "", "7"},
		{authority.UpstreamTokenInvalid, 401, `Bearer realm="main"`, ""},
		{authority.UpstreamCodeInvalid, 400, "", ""},
		{authority.StateInvalid, 400, "", ""},
		{authority.AccountUnknown, 401, `Bearer realm="main"`, ""},
		{authority.SignUpRefused, 403, "", ""},
		{authority.AccountDisabled, 401, `Bearer realm="main"`, ""},
		{authority.StepInvalid, 401, `Bearer realm="main"`, ""},
		{authority.SecondFactorInvalid, 401, `Bearer realm="main"`, ""},
		{authority.BindingInvalid, 400, "", ""},
		{authority.DeviceInvalid, 400, "", ""},
		{authority.DeviceRefused, 400, "", ""},
	}
	if len(rows) != len(authority.Kinds()) {
		t.Fatalf("%d rows for %d kinds", len(rows), len(authority.Kinds()))
	}
	for _, tc := range rows {
		for target, query := range good {
			t.Run(tc.kind.String()+target, func(t *testing.T) {
				s := newTestSite(t, Options{})
				s.auth.err = &authority.Error{Kind: tc.kind, RetryAfter: 6500 * time.Millisecond, Err: errors.New("the cause")}
				w := s.do(t, post(target+"?"+query, ""))
				if tc.kind == authority.Invalid {
					if want := `{"detail":[{"type":"value_error","loc":["query"],"msg":"Value error, the request is malformed","input":null}]}`; w.Code != 422 || w.Body.String() != want {
						t.Errorf("%d %s", w.Code, w.Body)
					}
				} else {
					wantDetail(t, w, tc.status)
				}
				if got := w.Header().Get("WWW-Authenticate"); got != tc.challenge {
					t.Errorf("challenge %q, want %q", got, tc.challenge)
				}
				if got := w.Header().Get("Retry-After"); got != tc.retry {
					t.Errorf("Retry-After %q, want %q", got, tc.retry)
				}
				if strings.Contains(w.Body.String(), "cause") || strings.Contains(w.Body.String(), "s3cret") || strings.Contains(s.log.String(), "s3cret") {
					t.Errorf("too much got out: %s; %s", w.Body, s.log)
				}
				logged := strings.Contains(s.log.String(), "the cause")
				if want := tc.kind == authority.Internal || tc.kind == authority.Unavailable || tc.kind == authority.ProviderFailed; logged != want {
					t.Errorf("logged: %t; %s", logged, s.log)
				}
			})
		}
	}
}

func TestInvalidFieldsOfTheAuthority(t *testing.T) {
	s := newTestSite(t, Options{})
	s.auth.err = &authority.Error{Kind: authority.Invalid, Fields: []authority.Field{{Name: "username", Reason: "too long"}}}
	w := s.do(t, post(loginPath+"?username=a&password=b", ""))
	if want := `{"detail":[{"type":"value_error","loc":["query","username"],"msg":"Value error, too long","input":null}]}`; w.Body.String() != want {
		t.Errorf("%s", w.Body)
	}
}

func TestScopeFaultSpeaksOfScopes(t *testing.T) {
	s := newTestSite(t, Options{})
	s.auth.err = &authority.Error{Kind: authority.ScopeInvalid, Public: "scope names something", Fields: []authority.Field{{Name: "scope", Reason: "x"}}}
	if got := wantDetail(t, s.do(t, post(tokenPath, good[tokenPath])), 400); !strings.HasPrefix(got, "scopes ") {
		t.Errorf("%q", got)
	}
}

func TestWrongMethod(t *testing.T) {
	s := newTestSite(t, Options{})
	for path, allow := range map[string]string{
		healthPath: "GET, HEAD", tokenPath: "POST", loginPath: "POST", logoutPath: "POST", introspectPath: "POST",
	} {
		method := http.MethodGet
		if path == healthPath {
			method = http.MethodPost
		}
		w := s.do(t, httptest.NewRequest(method, path+"?password=s3cret", nil))
		if got := wantDetail(t, w, 405); got != "Method Not Allowed" || w.Header().Get("Allow") != allow {
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
		"/", "/healthz", "/oauth2/token", "/auth/api/v1/oauth/connect/", "/auth/api/v1/oauth/connect/token/",
		"/auth/api/v1/oauth/connect/%74oken", "/auth/api/v1/oauth/connect//token", "/AUTH/api/v1/oauth/connect/token",
	} {
		r := post(target, "")
		if s.Serves(r) {
			t.Errorf("%s is served", target)
		}
		w := httptest.NewRecorder()
		if s.ServeHTTP(w, r); w.Code != 404 || w.Body.String() != `{"detail":"Not Found"}` {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
}

func TestHealth(t *testing.T) {
	s := newTestSite(t, Options{})
	w := s.do(t, httptest.NewRequest(http.MethodGet, healthPath, nil))
	if w.Code != 200 || w.Body.String() != `{"msg":"ok"}` {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	s.auth.ping = func(ctx context.Context) error {
		if _, bounded := ctx.Deadline(); !bounded {
			t.Error("a probe waits for ever")
		}
		return errors.New("the disk burns")
	}
	w = s.do(t, httptest.NewRequest(http.MethodGet, healthPath, nil))
	wantDetail(t, w, 503)
	if w.Header().Get("Retry-After") != "5" || !strings.Contains(s.log.String(), "the disk burns") {
		t.Errorf("%v; %s", w.Header(), s.log)
	}
}

func TestNew(t *testing.T) {
	for name, realms := range map[string][]Realm{
		"none":     nil,
		"one name": {{Name: "a", ID: mainID}, {Name: "a", ID: staffID}},
		"one UUID": {{Name: "a", ID: mainID}, {Name: "b", ID: strings.ToUpper(mainID)}},
	} {
		if _, err := New(new(fake), realms, Options{}, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
