package github_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/provider/github"
	"github.com/gatehouse-auth/gatehouse/internal/provider/providertest"
)

func open(t *testing.T, s providertest.Setup) authority.Provider {
	t.Helper()
	p, err := github.New(github.Options{
		Name: "github", ClientID: s.Client.ID, ClientSecret: s.Client.Secret,
		WebURL: s.Base, APIURL: s.Base, HTTP: s.HTTP, Deadline: s.Deadline,
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestContract(t *testing.T) {
	providertest.Run(t, providertest.Subject{Fake: providertest.NewGitHub, Open: open})
}

// served opens a provider over a fake GitHub, with what a test puts in front of it.
func served(t *testing.T, fake *providertest.Fake, api string, front http.HandlerFunc) authority.Provider {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if front != nil {
			front(w, r)
			return
		}
		fake.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	o := github.Options{
		Name: "github", ClientID: fake.Client().ID, ClientSecret: fake.Client().Secret,
		WebURL: server.URL + "/", HTTP: server.Client(),
	}
	if api != "" {
		o.APIURL = server.URL + api
	}
	p, err := github.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func wantKind(t *testing.T, err error, kind authority.Kind) {
	t.Helper()
	if err == nil || authority.KindOf(err) != kind {
		t.Errorf("error is %v, want one of kind %v", err, kind)
	}
}

func TestNewRefuses(t *testing.T) {
	good := github.Options{ClientID: "id", ClientSecret: "secret", HTTP: &http.Client{}}
	for _, tc := range []struct {
		story  string
		spoil  func(*github.Options)
		reason string
	}{
		{"no client", func(o *github.Options) { o.ClientID = "" }, "client_id"},
		{"no secret", func(o *github.Options) { o.ClientSecret = "" }, "client_secret"},
		{"no HTTP client", func(o *github.Options) { o.HTTP = nil }, "HTTP client"},
		{"Enterprise logins, but tokens sent to github.com", func(o *github.Options) {
			o.WebURL, o.APIURL = "https://git.example.com", github.DefaultAPIURL
		}, "web_url and api_url"},
		{"logins at github.com, but tokens sent elsewhere", func(o *github.Options) {
			o.APIURL = "https://git.example.com/api/v3"
		}, "web_url and api_url"},
		{"no TLS", func(o *github.Options) { o.WebURL = "http://git.example.com" }, "web_url"},
		{"no TLS to the API", func(o *github.Options) {
			o.WebURL, o.APIURL = "https://git.example.com", "http://git.example.com"
		}, "api_url"},
	} {
		o := good
		tc.spoil(&o)
		if _, err := github.New(o); err == nil || !strings.Contains(err.Error(), tc.reason) {
			t.Errorf("%s: error is %v, want one about %s", tc.story, err, tc.reason)
		}
	}
	p, err := github.New(good)
	if err != nil {
		t.Fatal(err)
	}
	if p.Issuer() != "https://github.com" {
		t.Errorf("the issuer is %q", p.Issuer())
	}
}

// GitHub Enterprise has its API below /api/v3, which nobody needs to write down.
func TestEnterprise(t *testing.T) {
	fake := providertest.NewGitHub()
	var paths []string
	p := served(t, fake, "", func(w http.ResponseWriter, r *http.Request) {
		paths = append(paths, r.URL.Path)
		fake.ServeHTTP(w, r)
	})
	profile, err := p.Prove(t.Context(), fake.Token("grace", fake.Client().ID))
	if err != nil || profile.Subject != "1906" || profile.Email != "grace@example.net" {
		t.Errorf("profile is %+v, error %v", profile, err)
	}
	for _, path := range paths {
		if !strings.HasPrefix(path, "/api/v3/") {
			t.Errorf("a call went to %s", path)
		}
	}
	if strings.HasSuffix(p.Issuer(), "/") {
		t.Errorf("the issuer is %q", p.Issuer())
	}
}

// Forgetting ends the one token, not what the user allowed other installations of us.
func TestForgetEndsOneToken(t *testing.T) {
	fake := providertest.NewGitHub()
	p := served(t, fake, "/api/v3", nil)
	gone, stays := fake.Token("ada", fake.Client().ID), fake.Token("ada", fake.Client().ID)
	foreign := fake.Token("ada", providertest.OtherClient)
	for _, token := range []string{gone, foreign} {
		if err := p.Forget(t.Context(), token); err != nil {
			t.Error(err)
		}
	}
	_, err := p.Prove(t.Context(), gone)
	wantKind(t, err, authority.UpstreamTokenInvalid)
	if _, err := p.Prove(t.Context(), stays); err != nil {
		t.Error(err)
	}
	wantKind(t, p.Forget(t.Context(), "no token"), authority.UpstreamTokenInvalid)
	fake.Misbehave(fake.Paths().Proof, providertest.Misbehaviour{Mode: providertest.Error500})
	wantKind(t, p.Forget(t.Context(), stays), authority.ProviderFailed)
}

// answers is a GitHub that says what it is told to.
type answers struct {
	check, user, emails string
	emailStatus         int
	emailHeader         http.Header
}

func (a answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	switch {
	case strings.HasPrefix(r.URL.Path, "/applications/"):
		_, _ = w.Write([]byte(a.check))
	case r.URL.Path == "/user":
		_, _ = w.Write([]byte(a.user))
	default:
		maps.Copy(w.Header(), a.emailHeader)
		if a.emailStatus != 0 {
			w.WriteHeader(a.emailStatus)
		}
		_, _ = w.Write([]byte(a.emails))
	}
}

var good = answers{
	check:  `{"app":{"client_id":"gatehouse-github"},"user":{"id":7,"login":"ada"}}`,
	user:   `{"id":7,"login":"ada","name":null,"email":"public@example.com"}`,
	emails: `[{"email":"ada@example.com","primary":true,"verified":true}]`,
}

func (a answers) prove(t *testing.T) (authority.Profile, error) {
	t.Helper()
	return served(t, providertest.NewGitHub(), "/", a.ServeHTTP).Prove(t.Context(), strings.Repeat("t", 40))
}

// Each of these answers names somebody, in a way that must not be believed.
func TestProofsThatProveNothing(t *testing.T) {
	for _, tc := range []struct{ story, check, user string }{
		{"the check is about another app", `{"app":{"client_id":"other-app"},"user":{"id":7}}`, good.user},
		{"the check names no app", `{"user":{"id":7}}`, good.user},
		{"the app is null", `{"app":null,"user":{"id":7}}`, good.user},
		{"the app's id is differently cased", `{"app":{"client_id":"Gatehouse-GitHub"},"user":{"id":7}}`, good.user},
		{"the check names no user", `{"app":{"client_id":"gatehouse-github"}}`, good.user},
		{"the user is null", `{"app":{"client_id":"gatehouse-github"},"user":null}`, good.user},
		{"the check is about another user", `{"app":{"client_id":"gatehouse-github"},"user":{"id":8}}`, good.user},
		{"the app stands there twice", `{"app":{"client_id":"other-app"},"app":{"client_id":"gatehouse-github"},"user":{"id":7}}`, good.user},
		{"the id is text", good.check, `{"id":"7","login":"ada"}`},
		{"the id is a fraction", good.check, `{"id":7.0,"login":"ada"}`},
		{"the id is a power", good.check, `{"id":7e0,"login":"ada"}`},
		{"the id is negative", good.check, `{"id":-7,"login":"ada"}`},
		{"the id is too large", good.check, `{"id":70000000000000000000,"login":"ada"}`},
		{"the id is missing", good.check, `{"login":"ada"}`},
		{"the id is written otherwise", good.check, `{"ID":7,"login":"ada"}`},
		{"the login is no text", good.check, `{"id":7,"login":["ada"]}`},
		{"something comes after it", good.check, good.user + `{"id":8}`},
		{"the profile is a list", good.check, `[` + good.user + `]`},
	} {
		a := good
		a.check, a.user = tc.check, tc.user
		if p, err := a.prove(t); err == nil {
			t.Errorf("%s: proved %+v", tc.story, p)
		} else {
			wantKind(t, err, authority.ProviderFailed)
		}
	}
}

// The address is the primary one, and only if it is verified; the public one in the
// profile is never taken. Without an address one is still somebody.
func TestAddresses(t *testing.T) {
	for _, tc := range []struct {
		story  string
		emails string
		status int
		header http.Header
		want   string
		kind   authority.Kind // where it fails
	}{
		{story: "one", emails: good.emails, want: "ada@example.com"},
		{story: "none", emails: `[]`},
		{story: "not primary", emails: `[{"email":"a@example.com","primary":false,"verified":true}]`},
		{story: "not verified", emails: `[{"email":"a@example.com","primary":true,"verified":false}]`},
		{story: "verified is not said", emails: `[{"email":"a@example.com","primary":true}]`},
		{story: "no address", emails: `[{"email":"a@evil.example@example.com","primary":true,"verified":true}]`},
		{story: "the token has no such scope", emails: `{"message":"Not Found"}`, status: 404},
		{story: "the app has no such permission", emails: `{"message":"Resource not accessible by integration"}`, status: 403},
		{
			story: "too many calls", emails: `{"message":"API rate limit exceeded"}`, status: 403,
			header: http.Header{"X-Ratelimit-Remaining": {"0"}}, kind: authority.ProviderFailed,
		},
		{
			story: "too many calls at once", emails: `{"message":"secondary rate limit"}`, status: 403,
			header: http.Header{"Retry-After": {"60"}}, kind: authority.ProviderFailed,
		},
		{story: "revoked just now", emails: `{"message":"Bad credentials"}`, status: 401, kind: authority.UpstreamTokenInvalid},
		{story: "verified is text", emails: `[{"email":"a@example.com","primary":true,"verified":"false"}]`, kind: authority.ProviderFailed},
		{story: "not a list", emails: `{"email":"a@example.com","primary":true,"verified":true}`, kind: authority.ProviderFailed},
		{story: "a list of texts", emails: `["a@example.com"]`, kind: authority.ProviderFailed},
	} {
		a := good
		a.emails, a.emailStatus, a.emailHeader = tc.emails, tc.status, tc.header
		p, err := a.prove(t)
		switch {
		case tc.kind != 0:
			wantKind(t, err, tc.kind)
		case err != nil:
			t.Errorf("%s: %v", tc.story, err)
		case p.Subject != "7" || p.Email != tc.want || p.EmailVerified != (tc.want != ""):
			t.Errorf("%s: profile is %+v", tc.story, p)
		}
	}
}

// The next page is asked for at the address that we know, whatever a link says.
func TestLinksAreNotFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a link was followed with the token")
	}))
	t.Cleanup(elsewhere.Close)
	a := good
	a.emails = `[{"email":"b@example.com","primary":false,"verified":true}]`
	a.emailHeader = http.Header{"Link": {"<" + elsewhere.URL + `>; rel="next"`}}
	if p, err := a.prove(t); err != nil || p.Email != "" {
		t.Errorf("profile is %+v, error %v", p, err)
	}
}

// Only the app itself may ask about tokens: it says who it is, and the token is in the
// body, not in an address that lands in logs.
func TestHowTheTokenIsChecked(t *testing.T) {
	fake := providertest.NewGitHub()
	p := served(t, fake, "/", nil)
	token := fake.Token("ada", fake.Client().ID)
	if _, err := p.Prove(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	call := fake.LastCall(fake.Paths().Proof)
	id, secret, _ := call.BasicAuth()
	if id != fake.Client().ID || secret != fake.Client().Secret || strings.Contains(call.URL.String(), token) {
		t.Errorf("the check was asked at %s as %q", call.URL, id)
	}
	if call.Header.Get("X-GitHub-Api-Version") != "2022-11-28" || call.UserAgent() != "Gatehouse" {
		t.Errorf("the call's header is %v", call.Header)
	}
	body := map[string]string{}
	if err := json.NewDecoder(call.Body).Decode(&body); err != nil || body["access_token"] != token || len(body) != 1 {
		t.Errorf("the call's body is %v, error %v", body, err)
	}
}

// Device logins of GitHub go without the secret, and with our scope.
func TestDeviceLoginSendsNoSecret(t *testing.T) {
	fake := providertest.NewGitHub()
	p := served(t, fake, "/", nil)
	d, err := p.StartDevice(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.PollDevice(t.Context(), d.DeviceCode); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{fake.Paths().Device, fake.Paths().Token} {
		call := fake.LastCall(path)
		if call.Header.Get("Authorization") != "" || call.PostForm.Has("client_secret") || call.PostForm.Get("client_id") != fake.Client().ID {
			t.Errorf("%s got %v", path, call.PostForm)
		}
	}
	if scope := fake.LastCall(fake.Paths().Device).PostForm.Get("scope"); scope != "user:email" {
		t.Errorf("the scope is %q", scope)
	}
	_, err = p.PollDevice(t.Context(), "nobodys-device-code")
	wantKind(t, err, authority.ProviderFailed) // incorrect_device_code: ours are sealed, so it is our fault
}
