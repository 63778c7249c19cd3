package pakt

import (
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

func TestGenerateState(t *testing.T) {
	const address = `https://accounts.example/auth?scope=openid%20email&state=0uf8QFFI6eFu`
	for provider, data := range map[string]string{
		"google":    `{"state":"0uf8QFFI6eFu","googleAuthUrl":"` + address + `","authUrl":"` + address + `"}`,
		"workspace": `{"state":"0uf8QFFI6eFu","googleAuthUrl":"` + address + `","authUrl":"` + address + `"}`,
		"github":    `{"state":"0uf8QFFI6eFu","authUrl":"` + address + `"}`,
	} {
		s := newTestSite(t, Options{})
		w := s.do(t, with(get("/v1/auth/"+provider+"/oauth/generate-state?type=testnet"), "Authorization", "Bearer YOUR_SECRET_TOKEN"))
		if want := `{"status":"success","message":"OK","data":` + data + `}`; w.Code != 200 || w.Body.String() != want {
			t.Errorf("%d %s\nwant %s", w.Code, w.Body, want)
		}
		want := authority.StartRequest{Realm: "main", Provider: provider, RedirectURI: frontEnd}
		if !reflect.DeepEqual(s.auth.start, want) {
			t.Errorf("asks %+v, want %+v", s.auth.start, want)
		}
	}
}

func TestValidateState(t *testing.T) {
	for _, tc := range []struct {
		login authority.UpstreamLogin
		data  string
	}{
		{authority.UpstreamLogin{AccessToken: "a.b.c", ExpiresIn: 24*time.Hour - time.Millisecond, EmailVerified: true},
			`{"token":"a.b.c","token_type":"Bearer","expiresIn":86399,"isVerified":true,"type":"sign_in"}`},
		{authority.UpstreamLogin{AccessToken: "x", ExpiresIn: time.Hour, SignedUp: true},
			`{"token":"x","token_type":"Bearer","expiresIn":3600,"isVerified":false,"type":"sign_up"}`},
	} {
		s := newTestSite(t, Options{StrictState: true})
		s.auth.ended = tc.login
		w := s.do(t, with(post("/v1/auth/github/oauth/validate-state?state=0uf8QFFI6eFu&code=abc&iss=https://github.example", ""),
			"Cookie", "a=b; gatehouse-login-Z=Zm9v; c=d", "Content-Type", "application/json"))
		if want := `{"status":"success","message":"OK","data":` + tc.data + `}`; w.Code != 200 || w.Body.String() != want {
			t.Errorf("%d %s\nwant %s", w.Code, w.Body, want)
		}
		want := authority.FinishRequest{
			Realm: "main", Provider: "github", State: "0uf8QFFI6eFu", Code: "abc", Issuer: "https://github.example",
			RedirectURI: frontEnd, Browsers: []string{"Zm9v"}, Strict: true,
		}
		if !reflect.DeepEqual(s.auth.finish, want) {
			t.Errorf("asks %+v, want %+v", s.auth.finish, want)
		}
	}
}

func TestAccount(t *testing.T) {
	s := newTestSite(t, Options{})
	s.auth.facts = authority.AccountFacts{
		ID: "5225b959-0507-4b32-98fb-76aec1110ad8", Username: "ada-l", Name: "Ada <b> Lovelace", Email: "ada@example.com", EmailVerified: true,
		Roles: authority.ListOf("staff", "admin"), Provider: "google",
		Created: time.Date(2026, 3, 1, 12, 0, 0, 5e6, time.FixedZone("x", 3600)), LastLogin: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC),
	}
	w := s.do(t, with(get("/v1/account"), "Authorization", "bEARER  a.b-c_d~e+f/g=="))
	const want = `{"status":"success","message":"OK","data":{"_id":"5225b959-0507-4b32-98fb-76aec1110ad8","email":"ada@example.com",` +
		`"firstName":"Ada <b>","lastName":"Lovelace","name":"Ada <b> Lovelace","username":"ada-l","isVerified":true,"roles":["staff","admin"],` +
		`"provider":"google","createdAt":"2026-03-01T11:00:00.005Z","lastLogin":"2026-03-02T00:00:00.000Z"}}`
	if w.Code != 200 || w.Body.String() != want {
		t.Errorf("%d %s\nwant %s", w.Code, w.Body, want)
	}
	if q := (authority.AccountCall{Realm: "main", Bearer: "a.b-c_d~e+f/g=="}); s.auth.call != q {
		t.Errorf("asks %+v", s.auth.call)
	}

	s.auth.facts = authority.AccountFacts{ID: "x"}
	w = s.do(t, with(get("/v1/account"), "Authorization", "Bearer t"))
	const bare = `{"status":"success","message":"OK","data":{"_id":"x","email":"","firstName":"","lastName":"","name":"","username":"","isVerified":false,"roles":[]}}`
	if w.Body.String() != bare {
		t.Errorf("%s", w.Body)
	}
}

func TestSplitName(t *testing.T) {
	for name, want := range map[string][2]string{
		"":                             {"", ""},
		"Plato":                        {"Plato", ""},
		" Ada  Lovelace ":              {"Ada", "Lovelace"},
		"Grace Brewster Murray Hopper": {"Grace Brewster Murray", "Hopper"},
	} {
		if first, last := splitName(name); first != want[0] || last != want[1] {
			t.Errorf("%q: %q, %q", name, first, last)
		}
	}
}

func TestLogout(t *testing.T) {
	for _, body := range []string{"", "{}", "anything at all"} {
		s := newTestSite(t, Options{})
		w := s.do(t, with(post("/v1/account/logout", body), "Authorization", "Bearer t0ken"))
		if w.Code != 200 || w.Body.String() != `{"status":"success","message":"OK","data":null}` {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if q := (authority.AccountCall{Realm: "main", Bearer: "t0ken"}); s.auth.call != q || !reflect.DeepEqual(s.auth.calls, []string{"close"}) {
			t.Errorf("asks %+v: %v", s.auth.call, s.auth.calls)
		}
	}
}

// Attack: two credentials, of which two readers might believe different ones.
func TestBearer(t *testing.T) {
	for name, tc := range map[string]struct {
		fields    []string
		status    int
		challenge string
	}{
		"none":           {nil, 401, `Bearer realm="main"`},
		"another scheme": {[]string{"Basic YTpi"}, 401, `Bearer realm="main", error="invalid_token"`},
		"a longer word":  {[]string{"Bearers t"}, 401, `Bearer realm="main", error="invalid_token"`},
		"no token":       {[]string{"Bearer"}, 400, ""},
		"two fields":     {[]string{"Bearer a", "Bearer b"}, 400, ""},
		"the same twice": {[]string{"Bearer a", "Bearer a"}, 400, ""},
		"joined":         {[]string{"Bearer a, Bearer b"}, 400, ""},
		"two words":      {[]string{"Bearer a b"}, 400, ""},
		"no text":        {[]string{"Bearer \xff"}, 400, ""},
		"padding only":   {[]string{"Bearer =="}, 400, ""},
		"without end":    {[]string{"Bearer " + strings.Repeat("x", maxCredential+1)}, 401, `Bearer realm="main", error="invalid_token"`},
	} {
		for _, r := range []*http.Request{get("/v1/account"), post("/v1/account/logout", "")} {
			s := newTestSite(t, Options{})
			r.Header["Authorization"] = tc.fields
			w := s.do(t, r)
			wantMessage(t, w, tc.status)
			if got := w.Header().Get("WWW-Authenticate"); got != tc.challenge {
				t.Errorf("%s: challenge %q", name, got)
			}
			if len(s.auth.calls) > 0 {
				t.Errorf("%s: the authority was asked", name)
			}
		}
	}
}

func TestTenantKey(t *testing.T) {
	const right, wrong = "tenant-key-0123456789!", "tenant-key-0123456788!"
	for name, tc := range map[string]struct {
		fields []string
		status int
	}{
		"none":                 {nil, 401},
		"x-api-key":            {[]string{"x-api-key", right}, 200},
		"bearer":               {[]string{"Authorization", "bearer " + right}, 200},
		"wrong":                {[]string{"x-api-key", wrong}, 401},
		"wrong bearer":         {[]string{"Authorization", "Bearer " + wrong}, 401},
		"Basic":                {[]string{"Authorization", "Basic " + right}, 401},
		"beside a token":       {[]string{"x-api-key", right, "Authorization", "Bearer a.b.c"}, 200},
		"wrong beside right":   {[]string{"x-api-key", wrong, "Authorization", "Bearer " + right}, 401},
		"empty beside right":   {[]string{"x-api-key", "", "Authorization", "Bearer " + right}, 200},
		"twice":                {[]string{"x-api-key", right, "x-api-key", right}, 400},
		"twice a bearer":       {[]string{"Authorization", "Bearer " + right, "Authorization", "Bearer " + right}, 400},
		"empty":                {[]string{"x-api-key", ""}, 401},
		"longer than any key":  {[]string{"x-api-key", strings.Repeat("k", maxCredential+1)}, 401},
		"a query does nothing": {[]string{"Referer", right}, 401},
	} {
		s := newTestSite(t, Options{TenantKey: func(key string) bool {
			if len(key) > maxCredential || key == "" {
				t.Errorf("%s: asked about %d bytes", name, len(key))
			}
			return key == right
		}})
		w := s.do(t, with(get(startPath), tc.fields...))
		if w.Code != tc.status || (len(s.auth.calls) > 0) != (tc.status == 200) {
			t.Errorf("%s: %d %s, %v", name, w.Code, w.Body, s.auth.calls)
		}
		if tc.status == 401 && (w.Header().Get("WWW-Authenticate") != `Bearer realm="main"` || !strings.Contains(wantMessage(t, w, 401), "tenant key")) {
			t.Errorf("%s: %v", name, w.Header())
		}
		if strings.Contains(s.log.String(), "tenant-key") || strings.Contains(w.Body.String(), "tenant-key-") {
			t.Errorf("%s: the key got out: %s", name, s.log)
		}
	}
	// Only the start of a login asks for it.
	s := newTestSite(t, Options{TenantKey: func(string) bool { return false }})
	if w := s.do(t, post(validatePath+"?state=abc&code=x", "")); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestHead(t *testing.T) {
	s := newTestSite(t, Options{})
	r := httptest.NewRequest(http.MethodHead, "/v1/account", nil)
	if w := s.do(t, with(r, "Authorization", "Bearer t")); w.Code != 200 {
		t.Errorf("%d", w.Code)
	}
}
