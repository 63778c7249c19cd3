package golem

import (
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

func TestErrorTable(t *testing.T) {
	if missing := errorTable().Missing(); len(missing) != 0 {
		t.Fatalf("kinds without a row: %v", missing)
	}
	type row struct {
		status int
		retry  string
	}
	rows := map[authority.Kind]row{
		authority.Internal:              {500, ""},
		authority.Unavailable:           {500, "7"},
		authority.Throttled:             {429, "7"},
		authority.Invalid:               {400, ""},
		authority.TooLarge:              {413, ""},
		authority.RealmUnknown:          {404, ""},
		authority.ClientUnauthenticated: {401, ""},
		authority.ClientForbidden:       {403, ""},
		authority.GrantUnsupported:      {400, ""},
		authority.GrantInvalid:          {400, ""},
		authority.ScopeInvalid:          {400, ""},
		authority.TargetInvalid:         {400, ""},
		authority.TokenInvalid:          {401, ""},
		authority.LoginFailed:           {401, ""},
		authority.NotFound:              {404, ""},
		authority.ProviderUnknown:       {400, ""},
		authority.ProviderFailed:        {500, "7"},
		authority.UpstreamTokenInvalid:  {401, ""},
		authority.UpstreamCodeInvalid:   {401, ""},
		authority.StateInvalid:          {400, ""},
		authority.AccountUnknown:        {403, ""},
		authority.SignUpRefused:         {403, ""},
		authority.AccountDisabled:       {401, ""},
		authority.StepInvalid:           {401, ""},
		authority.SecondFactorInvalid:   {401, ""},
		authority.BindingInvalid:        {401, ""},
		authority.DeviceInvalid:         {400, ""},
		authority.DeviceRefused:         {401, ""},
	}
	for _, kind := range authority.Kinds() {
		want, known := rows[kind]
		if !known {
			t.Errorf("%s is not tested", kind)
		}
		for _, call := range allCalls() {
			s := newTestSite(t, "github")
			s.auth.err = &authority.Error{Kind: kind, RetryAfter: 6500 * time.Millisecond, Err: errors.New("the cause")}
			w := s.do(t, good(call))
			if !slices.Equal(s.auth.calls, []string{call}) {
				t.Fatalf("%s called %v", call, s.auth.calls)
			}
			texts := wantError(t, w, want.status)
			if kind == authority.DeviceInvalid && !strings.HasPrefix(texts[0], "Invalid Session") {
				t.Errorf("%q", texts)
			}
			if got := w.Header().Get("Retry-After"); got != want.retry {
				t.Errorf("%s: Retry-After %q, want %q", kind, got, want.retry)
			}
			challenge := ""
			if want.status == 401 {
				challenge = `Bearer realm="main"`
				if kind == authority.TokenInvalid && good(call).Header.Get("Authorization") != "" {
					challenge += `, error="invalid_token"`
				}
			}
			if got := w.Header().Get("WWW-Authenticate"); got != challenge {
				t.Errorf("%s %s: challenge %q, want %q", call, kind, got, challenge)
			}
			for _, secret := range []string{"cause", theSecret, "gho_s3cret", "c2VhbGVk"} {
				if strings.Contains(w.Body.String(), secret) {
					t.Errorf("the answer tells %s: %s", secret, w.Body)
				}
				if secret != "cause" && strings.Contains(s.log.String(), secret) {
					t.Errorf("the log tells %s: %s", secret, s.log)
				}
			}
		}
	}
}

// What the authority says for the public is told, each fault by itself.
func TestPublicTexts(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  authority.Error
		want string
	}{
		{"fields", authority.Error{Kind: authority.Invalid, Fields: []authority.Field{{Name: "a", Reason: "x"}, {Name: "b", Reason: "y"}}}, `{"errors":["a: x","b: y"]}`},
		{"both", authority.Error{Kind: authority.Invalid, Public: "no", Fields: []authority.Field{{Name: "a", Reason: "x"}}}, `{"errors":["no","a: x"]}`},
		{"neither", authority.Error{Kind: authority.Invalid}, `{"errors":["the request is malformed"]}`},
		{"session", authority.Error{Kind: authority.DeviceInvalid, Public: "it is spent"}, `{"errors":["Invalid Session: it is spent"]}`},
		{"message", authority.Error{Kind: authority.SignUpRefused, Public: "nobody new"}, `{"message":"nobody new"}`},
		{"error", authority.Error{Kind: authority.ProviderFailed, Public: "GitHub is away"}, `{"error":"GitHub is away"}`},
		{"fault of ours", authority.Error{Kind: authority.Internal, Public: "the disk"}, `{"error":"internal error"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newTestSite(t, "github")
			s.auth.err = &tc.err
			if w := s.do(t, good("login")); w.Body.String() != tc.want {
				t.Errorf("%s, want %s", w.Body, tc.want)
			}
		})
	}
}

func TestProviderFailedWithoutATime(t *testing.T) {
	s := newTestSite(t, "github")
	s.auth.err = &authority.Error{Kind: authority.ProviderFailed}
	if got := s.do(t, good("start")).Header().Get("Retry-After"); got != "5" {
		t.Errorf("Retry-After %q", got)
	}
}

func TestWrongMethod(t *testing.T) {
	s := newTestSite(t, "github")
	for _, tc := range []struct{ method, target, allow string }{
		{"GET", "/v1/oauth2?access_token=gho_s3cret", "POST"},
		{"GET", "/v1/login/oauth2", "POST"},
		{"POST", ownPath, "GET, HEAD"},
		{"GET", "/oauth2/device/start", "POST"},
		{"PUT", "/v1/login/oauth2/device/complete", "POST"},
		{"DELETE", accountPath, "GET, HEAD"},
		{"DELETE", tokensPath, "GET, HEAD, POST"},
		{"POST", tokenPath, "GET, HEAD, DELETE"},
		{"OPTIONS", tokenPath, "GET, HEAD, DELETE"},
	} {
		w := s.do(t, asAda(tc.method, tc.target, ""))
		wantError(t, w, 405)
		if got := w.Header().Get("Allow"); got != tc.allow {
			t.Errorf("%s %s: Allow %q, want %q", tc.method, tc.target, got, tc.allow)
		}
	}
	if len(s.auth.calls) > 0 {
		t.Errorf("the authority was asked: %v", s.auth.calls)
	}
}

func TestServesItsPathsOnly(t *testing.T) {
	s := newTestSite(t, "github")
	for _, target := range []string{
		"/", "/v1/oauth2/", "/v1/OAuth2", "/v1/%6fauth2", "/v1/login", "/v1/login/token/", "/oauth2/token",
		"/oauth2/device", "/v1/oauth2/device/start", "/v1/accounts", "/v1/accounts/", "/v1/account",
		accountPath + "/", accountPath + "/plan", tokensPath + "/", tokenPath + "/", tokenPath + "/x",
		"/v1/accounts//tokens", "/v1/accounts/%7BaccountId%7D", "/v1/accounts/{accountId}", "/v1/accounts/" + accountID + "/tokens/%20",
		"/v1/login/oauth2/web/authorize",
	} {
		r := asAda("GET", target, "")
		if s.Serves(r) {
			t.Errorf("%s is served", target)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		wantError(t, w, 404)
	}
}

func TestNew(t *testing.T) {
	if _, err := New(new(fake), Realm{}, nil); err == nil {
		t.Error("a realm without a name")
	}
	providers := []string{"github"}
	d, err := New(new(fake), Realm{Name: "main", Providers: providers}, nil)
	providers[0] = "corp"
	if err != nil || d.defaultProvider() != "github" {
		t.Error(err, d)
	}
}
