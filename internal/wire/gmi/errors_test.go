package gmi

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/wire"
)

// Every call has a row for every kind, with a code that can be read.
func TestErrorTables(t *testing.T) {
	for name, table := range map[string]wire.Table{
		"all": errorTable(), "exchange": exchangeTable(), "login": loginTable(), "session": sessionTable(), "profile": profileTable(),
	} {
		if missing := table.Missing(); len(missing) != 0 {
			t.Errorf("%s: kinds without a row: %v", name, missing)
		}
		statuses := map[string]int{}
		for kind, row := range table {
			group, code := groupAndCode(row.Code)
			back, digits, _ := strings.Cut(row.Code, "/")
			if group == "" || group != back || digits == "" || code == 0 && digits != "0" {
				t.Errorf("%s, %v: code %q", name, kind, row.Code)
			}
			// The numbers say whose fault it is.
			if ours := row.Status >= 500; ours != (code >= 200) {
				t.Errorf("%s, %v: %s with status %d", name, kind, row.Code, row.Status)
			}
			if was, ok := statuses[row.Code]; ok && was != row.Status {
				t.Errorf("%s: %s has two statuses", name, row.Code)
			}
			statuses[row.Code] = row.Status
		}
	}
}

// says is what one call answers to one kind.
type says struct {
	status  int
	code    string
	message string
}

func TestErrors(t *testing.T) {
	const userGone, retry = "User does not exist.", "7"
	rows := map[authority.Kind]says{
		authority.Internal:              {500, "session/200", "Failed to create auth token."},
		authority.Unavailable:           {500, "user/1200", "Get user encountered DB error."},
		authority.Throttled:             {429, "request/2", ""},
		authority.Invalid:               {400, "request/0", ""},
		authority.TooLarge:              {413, "request/3", ""},
		authority.RealmUnknown:          {404, "request/4", ""},
		authority.ClientUnauthenticated: {401, "auth/4", ""},
		authority.ClientForbidden:       {403, "auth/5", ""},
		authority.GrantUnsupported:      {403, "auth/5", ""},
		authority.GrantInvalid:          {400, "auth/1", ""},
		authority.ScopeInvalid:          {403, "auth/5", ""},
		authority.TargetInvalid:         {403, "auth/5", ""},
		authority.TokenInvalid:          {401, "auth/4", ""},
		authority.LoginFailed:           {400, "session/0", "Invalid email or password."},
		authority.NotFound:              {404, "request/4", ""},
		authority.ProviderUnknown:       {400, "oauth/0", "Unsupported OAuth provider."},
		authority.ProviderFailed:        {500, "oauth/1000", "Get user info encountered error."},
		authority.UpstreamTokenInvalid:  {400, "oauth/1", "Invalid access token."},
		authority.UpstreamCodeInvalid:   {400, "oauth/2", "Invalid authorization code."},
		authority.StateInvalid:          {400, "oauth/2", ""},
		authority.AccountUnknown:        {404, "user/1", userGone},
		authority.SignUpRefused:         {404, "user/1", userGone},
		authority.AccountDisabled:       {403, "user/2", ""},
		authority.StepInvalid:           {400, "auth/2", ""},
		authority.SecondFactorInvalid:   {400, "auth/3", ""},
		authority.BindingInvalid:        {400, "auth/0", ""},
		authority.DeviceInvalid:         {400, "oauth/2", ""},
		authority.DeviceRefused:         {400, "oauth/2", ""},
	}
	if len(rows) != len(authority.Kinds()) {
		t.Fatalf("%d rows for %d kinds", len(rows), len(authority.Kinds()))
	}
	exchangeFailed := says{500, "oauth/1200", "Exchange authorization code encountered error."}
	sessionFailed := says{500, "session/202", ""}
	others := map[string]map[authority.Kind]says{
		"POST" + exchangePath:   {authority.Internal: exchangeFailed, authority.ProviderFailed: exchangeFailed},
		"POST" + sessionsPath:   {authority.Internal: sessionFailed},
		"PATCH" + sessionsPath:  {authority.Internal: sessionFailed},
		"DELETE" + sessionsPath: {authority.Internal: sessionFailed},
		"GET" + profilePath:     {authority.Internal: {500, "user/200", ""}, authority.NotFound: {404, "user/1", userGone}},
	}
	for kind, row := range rows {
		for _, c := range calls {
			t.Run(kind.String()+" "+c.method+c.path, func(t *testing.T) {
				want := row
				if other, ok := others[c.method+c.path][kind]; ok {
					want = other
				}
				s := newTestSite(t)
				s.auth.err = &authority.Error{Kind: kind, RetryAfter: 6500 * time.Millisecond, Public: "what the authority says", Err: errors.New("the cause")}
				w := s.do(t, c.request("good"))
				group, code := groupAndCode(want.code)
				got := wantError(t, w, want.status, group, code)
				if want.message != "" && got.Message != want.message {
					t.Errorf("says %q", got.Message)
				}
				again := ""
				if kind == authority.Unavailable || kind == authority.Throttled || kind == authority.ProviderFailed {
					again = retry
				}
				if h := w.Header().Get("Retry-After"); h != again {
					t.Errorf("Retry-After %q, want %q", h, again)
				}
				if challenged := w.Header().Get("WWW-Authenticate") != ""; challenged != (w.Code == 401) {
					t.Errorf("challenge: %v", w.Header())
				}
				if out := w.Body.String() + s.log.String(); strings.Contains(out, "hush") || strings.Contains(w.Body.String(), "cause") {
					t.Errorf("too much got out: %s; %s", w.Body, s.log)
				}
				logged := strings.Contains(s.log.String(), "the cause")
				if want := kind == authority.Internal || kind == authority.Unavailable || kind == authority.ProviderFailed; logged != want {
					t.Errorf("logged: %t; %s", logged, s.log)
				}
			})
		}
	}
}

// The original's examples, to the byte.
func TestOriginalsExamples(t *testing.T) {
	s := newTestSite(t)
	if w := s.do(t, callTo(t, "POST", oauthTokenPath).request(`{"accessToken":"x"}`)); w.Code != 400 || w.Body.String() !=
		`{"group":"request","code":0,"validationDetail":[{"field":"provider","expression":"required","originalValue":"","reason":"This field is required."}]}` {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := s.do(t, callTo(t, "POST", exchangePath).request(`{"provider":"github"}`)); w.Code != 400 || w.Body.String() !=
		`{"group":"request","code":0,"validationDetail":[{"field":"code","expression":"required","originalValue":"","reason":"This field is required."}]}` {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := s.do(t, callTo(t, "POST", oauthTokenPath).request("")); w.Code != 400 || w.Body.String() !=
		`{"group":"request","code":1,"message":"The request body is required."}` {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	s.auth.err = &authority.Error{Kind: authority.AccountUnknown}
	if w := s.do(t, callTo(t, "POST", oauthTokenPath).request("good")); w.Code != 404 || w.Body.String() !=
		`{"group":"user","code":1,"message":"User does not exist."}` {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestInvalidFieldsOfTheAuthority(t *testing.T) {
	s := newTestSite(t)
	s.auth.err = &authority.Error{Kind: authority.Invalid, Fields: []authority.Field{{Name: "username", Reason: "too long"}, {Name: "x", Reason: "odd"}}}
	w := s.do(t, callTo(t, "POST", authTokenPath).request("good"))
	want := `{"group":"request","code":0,"validationDetail":[{"field":"email","expression":"valid","reason":"Too long."},{"field":"x","expression":"valid","reason":"Odd."}]}`
	if w.Code != 400 || w.Body.String() != want {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// A fault of ours is not explained to anybody, whatever it carries.
func TestUnknownErrors(t *testing.T) {
	s := newTestSite(t)
	s.auth.err = errors.New("the disk burns")
	w := s.do(t, callTo(t, "POST", authTokenPath).request("good"))
	if got := wantError(t, w, 500, "session", 200); got.Message != "Failed to create auth token." || !strings.Contains(s.log.String(), "the disk burns") {
		t.Errorf("%s; %s", w.Body, s.log)
	}
}
