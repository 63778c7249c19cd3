package oauth

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

func TestErrorTable(t *testing.T) {
	if missing := errorTable().Missing(); len(missing) != 0 {
		t.Fatalf("kinds without a row: %v", missing)
	}
	rows := []struct {
		kind      authority.Kind
		status    int
		code      string
		challenge string
		retry     string
	}{
		{authority.Internal, 500, "server_error", "", ""},
		{authority.Unavailable, 503, "temporarily_unavailable", "", "7"},
		{authority.Throttled, 429, "temporarily_unavailable", "", "7"},
		{authority.Invalid, 400, "invalid_request", "", ""},
		{authority.TooLarge, 413, "invalid_request", "", ""},
		{authority.RealmUnknown, 404, "invalid_request", "", ""},
		{authority.ClientUnauthenticated, 401, "invalid_client", `Basic realm="main"`, ""},
		{authority.ClientForbidden, 400, "unauthorized_client", "", ""},
		{authority.GrantUnsupported, 400, "unsupported_grant_type", "", ""},
		{authority.GrantInvalid, 400, "invalid_grant", "", ""},
		{authority.ScopeInvalid, 400, "invalid_scope", "", ""},
		{authority.TargetInvalid, 400, "invalid_target", "", ""},
		{authority.TokenInvalid, 401, "invalid_token", `Bearer realm="main", error="invalid_token"`, ""},
		{authority.LoginFailed, 400, "invalid_grant", "", ""},
		{authority.NotFound, 404, "invalid_request", "", ""},
		{authority.ProviderUnknown, 404, "invalid_request", "", ""},
		{authority.ProviderFailed, 503, "temporarily_unavailable", "", "7"},
		{authority.UpstreamTokenInvalid, 400, "invalid_grant", "", ""},
		{authority.UpstreamCodeInvalid, 400, "invalid_grant", "", ""},
		{authority.StateInvalid, 400, "invalid_request", "", ""},
		{authority.AccountUnknown, 400, "invalid_grant", "", ""},
		{authority.SignUpRefused, 400, "access_denied", "", ""},
		{authority.AccountDisabled, 400, "invalid_grant", "", ""},
		{authority.StepInvalid, 400, "invalid_grant", "", ""},
		{authority.SecondFactorInvalid, 400, "invalid_grant", "", ""},
		{authority.BindingInvalid, 400, "invalid_grant", "", ""},
		{authority.DeviceInvalid, 400, "invalid_grant", "", ""},
		{authority.DeviceRefused, 400, "access_denied", "", ""},
	}
	if len(rows) != len(authority.Kinds()) {
		t.Fatalf("%d rows for %d kinds", len(rows), len(authority.Kinds()))
	}
	for _, tc := range rows {
		for _, target := range []string{"/oauth2/token", "/oauth2/introspect", "/oauth2/revoke"} {
			t.Run(tc.kind.String()+target, func(t *testing.T) {
				s := newTestSite(t)
				s.auth.err = &authority.Error{Kind: tc.kind, RetryAfter: 6500 * time.Millisecond, Err: errors.New("the cause")}
				w := s.do(t, withBasic(form(target, "grant_type=client_credentials&token=x")))
				wantError(t, w, tc.status, tc.code)
				if got := w.Header().Get("WWW-Authenticate"); got != tc.challenge {
					t.Errorf("challenge %q, want %q", got, tc.challenge)
				}
				if got := w.Header().Get("Retry-After"); got != tc.retry {
					t.Errorf("Retry-After %q, want %q", got, tc.retry)
				}
				if strings.Contains(w.Body.String(), "cause") {
					t.Errorf("the cause got out: %s", w.Body)
				}
				logged := strings.Contains(s.log.String(), "the cause")
				if want := tc.kind == authority.Internal || tc.kind == authority.Unavailable || tc.kind == authority.ProviderFailed; logged != want {
					t.Errorf("logged: %t; %s", logged, s.log)
				}
			})
		}
	}
}

func TestDescription(t *testing.T) {
	for in, want := range map[string]string{
		"plain text!":                         "plain text!",
		`a "quoted" back\slash`:               "a 'quoted' back?slash",
		"line\r\nSet-Cookie: a=b":             "line??Set-Cookie: a=b",
		"ä\x00\x7f\u2028":                     "????",
		"not \xff UTF-8":                      "not ? UTF-8",
		strings.Repeat("x", maxDescription+9): strings.Repeat("x", maxDescription),
	} {
		if got := description(in); got != want {
			t.Errorf("description(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzDescription(f *testing.F) {
	f.Add("a\"b\\c\r\n\x00ä\xff")
	f.Fuzz(func(t *testing.T, text string) {
		got := description(text)
		if len(got) > maxDescription || len(got) > utf8.RuneCountInString(text) {
			t.Fatalf("%d bytes of %d", len(got), len(text))
		}
		for _, c := range []byte(got) {
			if c < 0x20 || c == '"' || c == '\\' || c > 0x7e {
				t.Fatalf("description(%q) = %q", text, got)
			}
		}
	})
}
