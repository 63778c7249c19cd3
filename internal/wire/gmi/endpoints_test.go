package gmi

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // RFC 7636 Appendix B

func TestExchange(t *testing.T) {
	const home = "https://console.example.com/callback"
	for body, want := range map[string]authority.UpstreamCodeRequest{
		`{"provider":"github","code":"c"}`: {Provider: "github", Code: "c", RedirectURI: home},
		`{"provider":"acme","code":"c","redirectUri":"http://127.0.0.1:7/cb?x=1","codeVerifier":"` + verifier + `","state":"s"}`: {
			Provider: "acme", Code: "c", RedirectURI: "http://127.0.0.1:7/cb?x=1", Verifier: verifier},
		`{"provider":"google","code":"c","redirectUri":null,"codeVerifier":"","state":null,"more":{"a":[1]},"other":1}`: {
			Provider: "google", Code: "c", RedirectURI: home},
	} {
		s := newTestSite(t)
		s.auth.raw = "gho_raw"
		w := s.do(t, callTo(t, "POST", exchangePath).request(body))
		want.Realm = "main"
		if w.Code != 200 || w.Body.String() != `{"accessToken":"gho_raw"}` || s.auth.code != want || len(s.auth.calls) != 1 {
			t.Errorf("%s: %d %s, asks %+v", body, w.Code, w.Body, s.auth.code)
		}
	}
}

func TestOAuthToken(t *testing.T) {
	s := newTestSite(t)
	s.auth.step = authority.StepToken{Token: "step", SecondFactor: true} // not told here, as in the original
	w := s.do(t, callTo(t, "POST", oauthTokenPath).request(`{"provider":"google","accessToken":"ya29.x"}`))
	want := authority.UpstreamTokenRequest{Realm: "main", Provider: "google", AccessToken: "ya29.x"}
	if w.Code != 201 || w.Body.String() != `{"authToken":"step"}` || s.auth.token != want {
		t.Errorf("%d %s, asks %+v", w.Code, w.Body, s.auth.token)
	}
}

// A provider that the realm does not have is oauth/0 on both calls, in any spelling.
func TestUnknownProvider(t *testing.T) {
	for _, path := range []string{exchangePath, oauthTokenPath} {
		for _, name := range []string{"gitlab", "GitHub", "github ", "hugging_face"} {
			s := newTestSite(t)
			w := s.do(t, callTo(t, "POST", path).request(`{"provider":"`+name+`","code":"c","accessToken":"t"}`))
			if got := wantError(t, w, 400, "oauth", 0); got.Message != "Unsupported OAuth provider." || len(s.auth.calls) > 0 {
				t.Errorf("%s: %s, calls %v", name, w.Body, s.auth.calls)
			}
		}
	}
}

func TestPassword(t *testing.T) {
	for second, want := range map[bool]string{
		false: `{"authToken":"step","is2FARequired":false}`,
		true:  `{"authToken":"step","is2FARequired":true}`,
	} {
		s := newTestSite(t)
		s.auth.step = authority.StepToken{Token: "step", SecondFactor: second}
		r := callTo(t, "POST", authTokenPath).request(`{"email":"Ann@example.com","password":" p w "}`)
		r.Header["Ce-Clientid"] = []string{"not looked at", "here"}
		w := s.do(t, r)
		if w.Code != 201 || w.Body.String() != want || s.auth.login != (authority.LoginRequest{Realm: "main", Username: "Ann@example.com", Password: " p w "}) {
			t.Errorf("%d %s, asks %+v", w.Code, w.Body, s.auth.login)
		}
	}
}

func TestOpenSession(t *testing.T) {
	for body, code := range map[string]string{
		`{"authToken":"a"}`: "",
		`{"authToken":"a","otpCode":null,"type":"native"}`:    "", // as the public client sends it
		`{"authToken":"a","otpCode":""}`:                      "",
		`{"authToken":"a","otpCode":"012345"}`:                "012345",
		`{"authToken":"a","otpCode":123456}`:                  "123456",
		`{"authToken":"a","otpCode":345}`:                     "000345",
		`{"authToken":"a","otpCode":12345678}`:                "12345678",
		`{"authToken":"a","is2FARequired":false,"otpCode":0}`: "000000",
	} {
		s := newTestSite(t)
		s.auth.grant = authority.TokenGrant{AccessToken: "at", RefreshToken: "rt", ExpiresIn: time.Minute, Scope: "openid", Session: "sid"}
		w := s.do(t, callTo(t, "POST", sessionsPath).request(body))
		want := authority.SessionRequest{Realm: "main", Token: "a", Code: code, Binding: "portal"}
		if w.Code != 201 || w.Body.String() != `{"accessToken":"at","refreshToken":"rt"}` || s.auth.session != want {
			t.Errorf("%s: %d %s, asks %+v", body, w.Code, w.Body, s.auth.session)
		}
	}
}

func TestRefreshSession(t *testing.T) {
	s := newTestSite(t)
	s.auth.grant = authority.TokenGrant{AccessToken: "at", RefreshToken: "rt"}
	w := s.do(t, callTo(t, "PATCH", sessionsPath).request(`{"refreshToken":"r"}`))
	if w.Code != 200 || w.Body.String() != `{"accessToken":"at","refreshToken":"rt"}` ||
		s.auth.refresh != (authority.SessionRefresh{Realm: "main", RefreshToken: "r", Binding: "portal"}) {
		t.Errorf("%d %s, asks %+v", w.Code, w.Body, s.auth.refresh)
	}
}

// What a session is bound by is judged before the body, and is one plain word.
func TestClientID(t *testing.T) {
	long := "abcdefghijklmnopqrstuvwxyz012345"
	for _, tc := range []struct {
		fields []string
		good   bool
	}{
		{[]string{"gmisdk"}, true}, {[]string{"7"}, true}, {[]string{long}, true}, {[]string{"Portal"}, true},
		{nil, false}, {[]string{""}, false}, {[]string{long + "6"}, false}, {[]string{"a-b"}, false}, {[]string{"a b"}, false},
		{[]string{"ä"}, false}, {[]string{"a", "a"}, false}, {[]string{"a,b"}, false}, {[]string{"a\x00"}, false},
	} {
		for _, method := range []string{"POST", "PATCH"} {
			s := newTestSite(t)
			c := callTo(t, method, sessionsPath)
			r := c.request("good")
			r.Header["Ce-Clientid"] = tc.fields
			w := s.do(t, r)
			if tc.good {
				if w.Code >= 400 || s.auth.session.Binding+s.auth.refresh.Binding != tc.fields[0] {
					t.Errorf("%q: %d %s", tc.fields, w.Code, w.Body)
				}
				continue
			}
			wantError(t, w, 400, "auth", 0)
			r = c.request("")
			r.Header["Ce-Clientid"] = tc.fields
			wantError(t, s.do(t, r), 400, "auth", 0)
			if len(s.auth.calls) > 0 {
				t.Errorf("%q: the authority was asked", tc.fields)
			}
		}
	}
}

func TestCloseSession(t *testing.T) {
	s := newTestSite(t)
	w := s.do(t, callTo(t, "DELETE", sessionsPath).request("good"))
	if w.Code != 204 || w.Body.Len() != 0 || s.auth.finished != (authority.AccountCall{Realm: "main", Bearer: "hush-access"}) {
		t.Errorf("%d %s, asks %+v", w.Code, w.Body, s.auth.finished)
	}
}

// Attack: two credentials, of which the front looks at one and we at the other.
func TestBearer(t *testing.T) {
	const absent, refused = `Bearer realm="main"`, `Bearer realm="main", error="invalid_token"`
	for _, tc := range []struct {
		fields    []string
		status    int
		challenge string
	}{
		{[]string{"Bearer t.o-k_en~+/=="}, 200, ""}, {[]string{"bearer t.o-k_en~+/=="}, 200, ""}, {[]string{"BEARER  t.o-k_en~+/=="}, 200, ""},
		{nil, 401, absent}, {[]string{""}, 401, absent}, {[]string{"Basic YTpi"}, 401, absent},
		{[]string{"Bearer"}, 401, refused}, {[]string{"Bearer "}, 401, refused}, {[]string{"Bearer a b"}, 401, refused},
		{[]string{"Bearer a, Bearer b"}, 400, ""}, {[]string{"Bearer a\tb"}, 401, refused}, {[]string{"Bearer ä"}, 401, refused},
		{[]string{"Bearer a", "Bearer a"}, 400, ""}, {[]string{"Bearer a", "Basic YTpi"}, 400, ""},
	} {
		for _, c := range calls[5:] {
			s := newTestSite(t)
			r := c.request("good")
			r.Header["Authorization"] = tc.fields
			w := s.do(t, r)
			if got := w.Header().Get("WWW-Authenticate"); got != tc.challenge {
				t.Errorf("%q: challenge %q, want %q", tc.fields, got, tc.challenge)
			}
			switch tc.status {
			case 200:
				if w.Code >= 400 || s.auth.asked.Bearer+s.auth.finished.Bearer != "t.o-k_en~+/==" {
					t.Errorf("%q: %d %s", tc.fields, w.Code, w.Body)
				}
				continue
			case 400:
				if !strings.HasPrefix(w.Body.String(), `{"group":"request","code":0,"validationDetail":[{"field":"Authorization","expression":"unique","reason":"This header `) {
					t.Errorf("%q: %s", tc.fields, w.Body)
				}
			default:
				wantError(t, w, 401, "auth", 4)
			}
			if w.Code != tc.status || len(s.auth.calls) > 0 {
				t.Errorf("%q: %d, calls %v", tc.fields, w.Code, s.auth.calls)
			}
		}
	}
}

func TestProfile(t *testing.T) {
	const id = "0b9a3f0e-1111-5222-8333-444455556666"
	organization := `"organization":{"id":"` + organizationID(id) + `","role":"org_owner"}}`
	for _, tc := range []struct {
		facts authority.AccountFacts
		want  string
	}{
		{authority.AccountFacts{
			ID: id, Username: "ada-l", Name: "Augusta  Ada Lovelace", Email: "ada@example.com", EmailVerified: true, Roles: authority.ListOf("staff"),
			Created: time.Unix(1, 0), LastLogin: time.Unix(1700739396, 9e8), Provider: "github",
		}, `{"user":{"id":"` + id + `","email":"ada@example.com","firstName":"Augusta Ada","lastName":"Lovelace","lastLoginAt":1700739396,"lastLoginIDP":"github"},`},
		{authority.AccountFacts{ID: id, Name: "Plato"},
			`{"user":{"id":"` + id + `","email":"","firstName":"Plato","lastName":"","lastLoginAt":0,"lastLoginIDP":""},`},
		{authority.AccountFacts{ID: id}, `{"user":{"id":"` + id + `","email":"","firstName":"","lastName":"","lastLoginAt":0,"lastLoginIDP":""},`},
	} {
		s := newTestSite(t)
		s.auth.facts = tc.facts
		w := s.do(t, callTo(t, "GET", profilePath).request("good"))
		if w.Code != 200 || w.Body.String() != tc.want+organization || s.auth.asked != (authority.AccountCall{Realm: "main", Bearer: "hush-access"}) {
			t.Errorf("%d %s\nwant %s%s", w.Code, w.Body, tc.want, organization)
		}
	}
}

// Clients keep the id of an organization: it must stay what it is.
func TestOrganizationID(t *testing.T) {
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := map[string]bool{}
	for _, account := range []string{"", "a", "0b9a3f0e-1111-5222-8333-444455556666", "0b9a3f0e-1111-5222-8333-444455556667"} {
		id := organizationID(account)
		if !form.MatchString(id) || seen[id] || id == account || id != organizationID(account) {
			t.Errorf("%q has %q", account, id)
		}
		seen[id] = true
	}
}

func TestNew(t *testing.T) {
	if _, err := New(new(fake), Realm{}, Options{}, nil); err == nil {
		t.Error("a realm without a name is served")
	}
	providers := []string{"github"}
	d, err := New(new(fake), Realm{Name: "main", Providers: providers}, Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	providers[0] = "gitlab"
	if d.provider("gitlab") == nil {
		t.Error("the caller can change what is served")
	}
}

func TestWrongMethod(t *testing.T) {
	s := newTestSite(t)
	for path, allow := range map[string]string{
		exchangePath: "POST", oauthTokenPath: "POST", authTokenPath: "POST", sessionsPath: "POST, PATCH, DELETE", profilePath: "GET, HEAD",
	} {
		w := s.do(t, httptest.NewRequest(http.MethodPut, path, nil))
		if got := wantError(t, w, 405, "request", 5); got.Message != "Method not allowed." || w.Header().Get("Allow") != allow {
			t.Errorf("%s: %s, Allow %q", path, w.Body, w.Header().Get("Allow"))
		}
	}
	if len(s.auth.calls) > 0 {
		t.Errorf("the authority was asked: %v", s.auth.calls)
	}
}

func TestServesItsPathsOnly(t *testing.T) {
	s := newTestSite(t)
	for _, target := range []string{
		"/", "/api/v1", "/api/v1/", "/api/v1/me", "/api/v1/me/sessions/", "/api/v1/me/2fa-verification-code", "/api/v1/users",
		"/api/v1/me/%73essions", "/api/v1//me/sessions", "/API/v1/me/sessions", "/me/sessions", "/v1/me/sessions",
	} {
		r := httptest.NewRequest("POST", target, nil)
		if s.Serves(r) {
			t.Errorf("%s is served", target)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		wantError(t, w, 404, "request", 4)
	}
}
