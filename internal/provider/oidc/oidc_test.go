package oidc_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/provider"
	"github.com/gatehouse-auth/gatehouse/internal/provider/oidc"
	"github.com/gatehouse-auth/gatehouse/internal/provider/providertest"
)

const (
	back     = "https://gate.example/callback"
	verifier = "verifier-verifier-verifier-verifier-verifier"
	nonce    = "nonce-1"
)

// upstream is a fake whose answers a test may edit, with a clock of its own.
type upstream struct {
	*providertest.Fake
	base    string
	private ed25519.PrivateKey

	mu    sync.Mutex
	edits map[string]func(answer map[string]any)
	ahead time.Duration
}

func newUpstream(t *testing.T) *upstream {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	u := &upstream{Fake: providertest.NewOpenID(), private: private, edits: map[string]func(map[string]any){}}
	server := httptest.NewServer(http.HandlerFunc(u.serve))
	t.Cleanup(server.Close)
	u.base = server.URL
	return u
}

func (u *upstream) serve(w http.ResponseWriter, r *http.Request) {
	u.mu.Lock()
	edit := u.edits[r.URL.Path]
	u.mu.Unlock()
	if edit == nil {
		u.ServeHTTP(w, r)
		return
	}
	answer := httptest.NewRecorder()
	u.ServeHTTP(answer, r)
	var v map[string]any
	_ = json.Unmarshal(answer.Body.Bytes(), &v)
	edit(v)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(answer.Code)
	_ = json.NewEncoder(w).Encode(v)
}

// edit changes what a path answers.
func (u *upstream) edit(path string, fn func(answer map[string]any)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.edits[path] = fn
}

// later moves the provider's clock.
func (u *upstream) later(d time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.ahead += d
}

func (u *upstream) now() time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	return time.Now().Add(u.ahead)
}

func (u *upstream) rotate(t *testing.T) {
	t.Helper()
	w := httptest.NewRecorder()
	u.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/control/rotate", nil))
	if w.Code != http.StatusOK {
		t.Fatal(w.Code)
	}
}

func (u *upstream) options() oidc.Options {
	c := u.Client()
	return oidc.Options{
		Name: "test", ClientID: c.ID, ClientSecret: c.Secret, Issuer: u.base,
		HTTP: &http.Client{Transport: &http.Transport{}}, Now: u.now,
	}
}

func (u *upstream) open(t *testing.T) *oidc.Provider {
	t.Helper()
	return open(t, u.options())
}

func open(t *testing.T, o oidc.Options) *oidc.Provider {
	t.Helper()
	p, err := oidc.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// login goes through a browser's part of a login and returns the code.
func login(t *testing.T, p *oidc.Provider, as string) string {
	t.Helper()
	address, err := p.AuthURL(t.Context(), authority.UpstreamAuth{State: "state", Nonce: nonce, Verifier: verifier, RedirectURI: back})
	if err != nil {
		t.Fatal(err)
	}
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"&as="+as, nil)
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	u, err := url.Parse(res.Header.Get("Location"))
	if err != nil || u.Query().Get("state") != "state" || u.Query().Get("code") == "" {
		t.Fatalf("%d %v %v", res.StatusCode, u, err)
	}
	return u.Query().Get("code")
}

func exchange(t *testing.T, p *oidc.Provider, as string) authority.UpstreamGrant {
	t.Helper()
	code := login(t, p, as)
	g, err := p.Exchange(t.Context(), authority.UpstreamCode{Code: code, Verifier: verifier, Nonce: nonce, RedirectURI: back})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// failed fails the test unless the error is of the kind, and says nothing of the token.
func failed(t *testing.T, story string, err error, kind authority.Kind, g authority.UpstreamGrant) {
	t.Helper()
	e, ok := errors.AsType[*authority.Error](err)
	if !ok || e.Kind != kind {
		t.Errorf("%s: %v, want %v", story, err, kind)
		return
	}
	for _, secret := range []string{g.AccessToken, g.IDToken, "oidc-secret"} {
		if secret != "" && strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error holds a secret", story)
		}
	}
}

var ada = authority.Profile{Subject: "sub-ada", Username: "ada-l", Name: "Ada Lovelace", Email: "ada@example.com", EmailVerified: true}

func TestALogin(t *testing.T) {
	u := newUpstream(t)
	p := u.open(t)
	g := exchange(t, p, "ada")
	if profile, err := p.Identify(t.Context(), g); err != nil || profile != ada {
		t.Errorf("%+v %v", profile, err)
	}
	if n := u.Calls("/.well-known/openid-configuration") + u.Calls("/jwks"); n != 2 {
		t.Errorf("%d fetches of what is published, want 2", n)
	}
	if p.Issuer() != u.base {
		t.Error(p.Issuer())
	}
	if err := p.Forget(t.Context(), g.AccessToken); err != nil {
		t.Error(err)
	}
}

func TestWithoutOpenIDScopeThereIsNoProvider(t *testing.T) {
	_, err := oidc.New(oidc.Options{Name: "test", Issuer: "http://idp.example", Scopes: []string{"email"}})
	for _, word := range []string{"client_id", "issuer", "openid", "HTTP"} {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%v does not name %s", err, word)
		}
	}
}

// Each discovery document is one that the provider must not be used with.
func TestDiscoveryFailsClosed(t *testing.T) {
	for story, edit := range map[string]func(map[string]any){
		"of another issuer":          func(d map[string]any) { d["issuer"] = "https://evil.example" },
		"with a slash more":          func(d map[string]any) { d["issuer"] = d["issuer"].(string) + "/" },
		"no issuer":                  func(d map[string]any) { delete(d, "issuer") },
		"no key set":                 func(d map[string]any) { delete(d, "jwks_uri") },
		"no token endpoint":          func(d map[string]any) { delete(d, "token_endpoint") },
		"null authorization":         func(d map[string]any) { d["authorization_endpoint"] = nil },
		"a plain http endpoint":      func(d map[string]any) { d["token_endpoint"] = "http://idp.example/token" },
		"an endpoint of a file":      func(d map[string]any) { d["userinfo_endpoint"] = "file:///etc/passwd" },
		"an endpoint with a user":    func(d map[string]any) { d["jwks_uri"] = "https://user:pass@idp.example/jwks" },
		"an endpoint that is a list": func(d map[string]any) { d["userinfo_endpoint"] = []string{"https://idp.example"} },
		"an endpoint of nowhere":     func(d map[string]any) { d["introspection_endpoint"] = "/introspect" },
		"only private_key_jwt":       func(d map[string]any) { d["token_endpoint_auth_methods_supported"] = []string{"private_key_jwt"} },
	} {
		u := newUpstream(t)
		u.edit("/.well-known/openid-configuration", edit)
		p := u.open(t)
		_, err := p.AuthURL(t.Context(), authority.UpstreamAuth{State: "s"})
		failed(t, story, err, authority.ProviderFailed, authority.UpstreamGrant{})
		_, err = p.Prove(t.Context(), u.Token("ada", u.Client().ID))
		failed(t, story, err, authority.ProviderFailed, authority.UpstreamGrant{})
		_, err = p.StartDevice(t.Context())
		failed(t, story, err, authority.ProviderFailed, authority.UpstreamGrant{})
	}
}

func TestDiscoveryIsTriedAgainAfterAPause(t *testing.T) {
	u := newUpstream(t)
	p := u.open(t)
	const path = "/.well-known/openid-configuration"
	u.Misbehave(path, providertest.Misbehaviour{Mode: providertest.Error500})
	for range 5 {
		if _, err := p.AuthURL(t.Context(), authority.UpstreamAuth{State: "s"}); authority.KindOf(err) != authority.ProviderFailed {
			t.Fatal(err)
		}
	}
	if u.Calls(path) != 1 {
		t.Errorf("%d fetches without a pause", u.Calls(path))
	}
	u.Misbehave(path, providertest.Misbehaviour{Mode: providertest.None})
	u.later(3 * time.Second)
	login(t, p, "ada")
	// A good copy outlives its life as long as no newer one can be had, but not a day.
	u.Misbehave(path, providertest.Misbehaviour{Mode: providertest.Down})
	u.later(2 * time.Hour)
	login(t, p, "ada")
	u.later(23 * time.Hour)
	if _, err := p.AuthURL(t.Context(), authority.UpstreamAuth{State: "s"}); authority.KindOf(err) != authority.ProviderFailed {
		t.Error(err)
	}
}

// signed writes a JWT with a key that stands in the edited key set.
func (u *upstream) signed(header, claims map[string]any) string {
	head, _ := json.Marshal(header)
	body, _ := json.Marshal(claims)
	input := base64.RawURLEncoding.EncodeToString(head) + "." + base64.RawURLEncoding.EncodeToString(body)
	return input + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(u.private, []byte(input)))
}

func (u *upstream) publish() {
	u.edit("/jwks", func(set map[string]any) {
		set["keys"] = []any{map[string]any{
			"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": "mine",
			"x": base64.RawURLEncoding.EncodeToString(u.private.Public().(ed25519.PublicKey)),
		}}
	})
}

// Each ID token is one that somebody could bring about, or that is about somebody else.
func TestIDTokensThatAreNotAboutThisLogin(t *testing.T) {
	u := newUpstream(t)
	u.publish()
	p := u.open(t)
	access := u.Token("ada", u.Client().ID)
	now := time.Now().Unix()
	header := map[string]any{"alg": "EdDSA", "kid": "mine"}
	good := map[string]any{"iss": u.base, "sub": "sub-ada", "aud": u.Client().ID, "iat": now, "exp": now + 60, "nonce": nonce}
	grant := func(header, claims map[string]any) authority.UpstreamGrant {
		return authority.UpstreamGrant{AccessToken: access, IDToken: u.signed(header, claims), Nonce: nonce}
	}
	with := func(more map[string]any) map[string]any {
		claims := maps.Clone(good)
		maps.Copy(claims, more)
		return claims
	}
	for story, claims := range map[string]map[string]any{
		"plain": good, "audience as a list": with(map[string]any{"aud": []string{u.Client().ID}}),
		"two audiences and azp": with(map[string]any{"aud": []string{"api", u.Client().ID}, "azp": u.Client().ID}),
		"within the leeway":     with(map[string]any{"exp": now - 3, "iat": now + 3, "nbf": now + 3}),
	} {
		if profile, err := p.Identify(t.Context(), grant(header, claims)); err != nil || profile != ada {
			t.Errorf("%s: %+v %v", story, profile, err)
		}
	}
	for story, more := range map[string]map[string]any{
		"another issuer":               {"iss": "https://evil.example"},
		"an issuer without its scheme": {"iss": strings.TrimPrefix(u.base, "http://")},
		"no issuer":                    {"iss": nil},
		"another client":               {"aud": "other-app"},
		"no audience":                  {"aud": nil},
		"an audience of numbers":       {"aud": []int{1}},
		"two audiences, no azp":        {"aud": []string{"other-app", u.Client().ID}},
		"another azp":                  {"azp": "other-app"},
		"expired":                      {"exp": now - 6},
		"no expiry":                    {"exp": nil},
		"an expiry in words":           {"exp": "tomorrow"},
		"a fraction of a second":       {"exp": 1e300},
		"issued in the future":         {"iat": now + 60},
		"never issued":                 {"iat": nil},
		"not good yet":                 {"nbf": now + 60},
		"another login's nonce":        {"nonce": "nonce-2"},
		"no nonce":                     {"nonce": nil},
		"a nonce that is a list":       {"nonce": []string{nonce}},
		"about somebody else":          {"sub": "sub-grace"},
	} {
		g := grant(header, with(more))
		_, err := p.Identify(t.Context(), g)
		failed(t, story, err, authority.UpstreamTokenInvalid, g)
	}
	for story, sub := range map[string]any{"null": nil, "empty": "", "a number": 1, "too long": strings.Repeat("s", 256), "with a NUL": "a\x00b"} {
		g := grant(header, with(map[string]any{"sub": sub}))
		_, err := p.Identify(t.Context(), g)
		failed(t, "subject "+story, err, authority.ProviderFailed, g)
	}
	for story, header := range map[string]map[string]any{
		"an access token": {"alg": "EdDSA", "kid": "mine", "typ": "at+jwt"},
		"a logout token":  {"alg": "EdDSA", "kid": "mine", "typ": "logout+jwt"},
		"alg none":        {"alg": "none", "kid": "mine"},
		"unknown key":     {"alg": "EdDSA", "kid": "other"},
	} {
		g := grant(header, good)
		_, err := p.Identify(t.Context(), g)
		failed(t, story, err, authority.UpstreamTokenInvalid, g)
	}
	_, err := p.Identify(t.Context(), authority.UpstreamGrant{AccessToken: access, Nonce: nonce})
	failed(t, "a nonce and no ID token", err, authority.ProviderFailed, authority.UpstreamGrant{AccessToken: access})
	if _, err = p.Identify(t.Context(), authority.UpstreamGrant{AccessToken: access}); err != nil {
		t.Errorf("a grant without nonce and ID token, as of a device login: %v", err)
	}
}

func TestAnExchangeWithoutIDTokenFails(t *testing.T) {
	u := newUpstream(t)
	u.edit("/token", func(answer map[string]any) { delete(answer, "id_token") })
	p := u.open(t)
	_, err := p.Exchange(t.Context(), authority.UpstreamCode{Code: login(t, p, "ada"), Verifier: verifier, Nonce: nonce, RedirectURI: back})
	failed(t, "no ID token", err, authority.ProviderFailed, authority.UpstreamGrant{})
}

func TestARotatedKeyIsFetchedAndAFloodOfUnknownKeysIsNot(t *testing.T) {
	u := newUpstream(t)
	p := u.open(t)
	if _, err := p.Identify(t.Context(), exchange(t, p, "ada")); err != nil {
		t.Fatal(err)
	}
	u.rotate(t)
	u.later(11 * time.Second)
	if _, err := p.Identify(t.Context(), exchange(t, p, "ada")); err != nil {
		t.Errorf("after the rotation: %v", err)
	}
	u.rotate(t)
	before := u.Calls("/jwks")
	flood := authority.UpstreamGrant{
		AccessToken: u.Token("ada", u.Client().ID),
		IDToken:     u.signed(map[string]any{"alg": "EdDSA", "kid": "made up"}, map[string]any{"sub": "s"}),
	}
	var wait sync.WaitGroup
	for range 50 {
		wait.Go(func() {
			_, err := p.Identify(context.WithoutCancel(t.Context()), flood)
			failed(t, "flood", err, authority.UpstreamTokenInvalid, flood)
		})
	}
	wait.Wait()
	if u.Calls("/jwks") != before {
		t.Errorf("%d fetches within 10 s of the last", u.Calls("/jwks")-before)
	}
	u.later(11 * time.Second)
	for range 50 {
		wait.Go(func() {
			_, err := p.Identify(context.WithoutCancel(t.Context()), flood)
			failed(t, "flood", err, authority.UpstreamTokenInvalid, flood)
		})
	}
	wait.Wait()
	if u.Calls("/jwks") != before+1 {
		t.Errorf("%d fetches after 10 s", u.Calls("/jwks")-before)
	}
	// A key set that cannot be fetched leaves the last good one in use.
	u.Misbehave("/jwks", providertest.Misbehaviour{Mode: providertest.Empty})
	u.later(11 * time.Second)
	_, err := p.Identify(t.Context(), flood)
	failed(t, "no newer key set", err, authority.UpstreamTokenInvalid, flood)
	if _, err := p.Identify(t.Context(), exchange(t, p, "ada")); err != nil {
		t.Errorf("with the last good key set: %v", err)
	}
}

func TestACallerThatGoesAwayDoesNotEndTheFetch(t *testing.T) {
	u := newUpstream(t)
	p := u.open(t)
	gone, leave := context.WithCancel(t.Context())
	entered, release := make(chan struct{}), make(chan struct{})
	u.edit("/.well-known/openid-configuration", func(map[string]any) { close(entered); <-release })
	first := make(chan error)
	go func() {
		_, err := p.AuthURL(gone, authority.UpstreamAuth{State: "s"})
		first <- err
	}()
	<-entered
	leave()
	if err := <-first; authority.KindOf(err) != authority.ProviderFailed || !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	second := make(chan error)
	go func() {
		_, err := p.AuthURL(t.Context(), authority.UpstreamAuth{State: "s"})
		second <- err
	}()
	close(release)
	if err := <-second; err != nil {
		t.Error(err)
	}
	if n := u.Calls("/.well-known/openid-configuration"); n != 1 {
		t.Errorf("%d fetches", n)
	}
}

func TestUserinfoAboutSomebodyElse(t *testing.T) {
	u := newUpstream(t)
	p := u.open(t)
	g := exchange(t, p, "ada")
	g.AccessToken = u.Token("mallory", u.Client().ID)
	_, err := p.Identify(t.Context(), g)
	failed(t, "swapped access token", err, authority.UpstreamTokenInvalid, g)
}

// A text that says true is not a true: only Google's tokeninfo writes booleans so.
func TestAnEmailIsVerifiedOnlyByATrue(t *testing.T) {
	for _, said := range []any{"true", 1, "yes", nil, []bool{true}} {
		u := newUpstream(t)
		u.edit("/userinfo", func(a map[string]any) { a["email_verified"] = said })
		p := u.open(t)
		profile, err := p.Identify(t.Context(), exchange(t, p, "ada"))
		if err != nil || profile.Email != "ada@example.com" || profile.EmailVerified {
			t.Errorf("%v: %+v %v", said, profile, err)
		}
	}
}

func TestWithoutUserinfoTheIDTokenIsEnough(t *testing.T) {
	u := newUpstream(t)
	u.edit("/.well-known/openid-configuration", func(d map[string]any) { delete(d, "userinfo_endpoint") })
	p := u.open(t)
	if profile, err := p.Identify(t.Context(), exchange(t, p, "ada")); err != nil || profile != ada {
		t.Errorf("%+v %v", profile, err)
	}
	g := authority.UpstreamGrant{AccessToken: u.Token("ada", u.Client().ID)}
	_, err := p.Identify(t.Context(), g)
	failed(t, "neither", err, authority.ProviderFailed, g)
	_, err = p.Prove(t.Context(), g.AccessToken)
	failed(t, "no proof without userinfo", err, authority.UpstreamTokenInvalid, g)
}

func TestProofByIntrospection(t *testing.T) {
	for story, c := range map[string]struct {
		edit func(map[string]any)
		kind authority.Kind
	}{
		"active as a text":      {func(a map[string]any) { a["active"] = "true" }, authority.UpstreamTokenInvalid},
		"active as a number":    {func(a map[string]any) { a["active"] = 1 }, authority.UpstreamTokenInvalid},
		"not active":            {func(a map[string]any) { a["active"] = false }, authority.UpstreamTokenInvalid},
		"no word of it":         {func(a map[string]any) { delete(a, "active") }, authority.ProviderFailed},
		"another client":        {func(a map[string]any) { a["client_id"] = "other-app" }, authority.UpstreamTokenInvalid},
		"another, ours its aud": {func(a map[string]any) { a["client_id"], a["aud"] = "other-app", "gatehouse-oidc" }, authority.UpstreamTokenInvalid},
		"no client":             {func(a map[string]any) { delete(a, "client_id") }, authority.UpstreamTokenInvalid},
		"clients as a list":     {func(a map[string]any) { a["client_id"] = []string{"gatehouse-oidc"} }, authority.UpstreamTokenInvalid},
		"one of two audiences":  {func(a map[string]any) { delete(a, "client_id"); a["aud"] = []string{"x", "gatehouse-oidc"} }, authority.UpstreamTokenInvalid},
		"ours is its audience":  {func(a map[string]any) { delete(a, "client_id"); a["aud"] = "gatehouse-oidc" }, authority.UpstreamTokenInvalid},
		"another party":         {func(a map[string]any) { a["azp"] = "other-app" }, authority.UpstreamTokenInvalid},
		"expired":               {func(a map[string]any) { a["exp"] = 1 }, authority.UpstreamTokenInvalid},
		"another issuer":        {func(a map[string]any) { a["iss"] = "https://evil.example" }, authority.UpstreamTokenInvalid},
		"somebody else":         {func(a map[string]any) { a["sub"] = "sub-grace" }, authority.UpstreamTokenInvalid},
		"nobody":                {func(a map[string]any) { a["sub"] = "" }, authority.UpstreamTokenInvalid},
	} {
		u := newUpstream(t)
		g := authority.UpstreamGrant{AccessToken: u.Token("ada", u.Client().ID)}
		u.edit("/introspect", c.edit)
		_, err := u.open(t).Prove(t.Context(), g.AccessToken)
		failed(t, story, err, c.kind, g)
	}
}

func TestWhatDiscoveryDoesNotNameIsNotThere(t *testing.T) {
	u := newUpstream(t)
	u.edit("/.well-known/openid-configuration", func(d map[string]any) {
		delete(d, "introspection_endpoint")
		delete(d, "device_authorization_endpoint")
		d["token_endpoint_auth_methods_supported"] = []string{"client_secret_post"}
	})
	p := u.open(t)
	g := authority.UpstreamGrant{AccessToken: u.Token("ada", u.Client().ID)}
	_, err := p.Prove(t.Context(), g.AccessToken)
	failed(t, "no introspection", err, authority.UpstreamTokenInvalid, g)
	_, err = p.StartDevice(t.Context())
	failed(t, "no device logins", err, authority.Invalid, g)
	exchange(t, p, "ada")
	if r := u.LastCall("/token"); r.PostForm.Get("client_secret") == "" || r.Header.Get("Authorization") != "" {
		t.Error("the secret is not in the form where only that is offered")
	}
	u = newUpstream(t)
	exchange(t, u.open(t), "ada")
	if r := u.LastCall("/token"); r.PostForm.Get("client_secret") != "" || r.Header.Get("Authorization") == "" {
		t.Error("the secret is not in the header where that is offered")
	}
}

func FuzzClaims(f *testing.F) {
	f.Add(`{"iss":"i","sub":"s","aud":["a","b"],"exp":1,"email_verified":true}`, `{"sub":"s","email":"a@b.example"}`)
	f.Add(`{"active":true,"aud":"a","sub":null}`, `{"sub":""}`)
	f.Fuzz(func(t *testing.T, one, two string) {
		a, err1 := provider.ParseObject([]byte(one))
		b, err2 := provider.ParseObject([]byte(two))
		if err1 != nil || err2 != nil {
			return
		}
		_, _ = oidc.Texts(a, "aud")
		_ = oidc.Current(a, time.Now())
		p, err := oidc.ProfileOf(oidc.Merge(a, b))
		if err == nil && (p.Subject == "" || len(p.Subject) > 255 || p.EmailVerified && p.Email == "") {
			t.Errorf("%+v", p)
		}
		if oidc.SameSubject(a, b) && !oidc.SameSubject(b, a) {
			t.Error("one-sided")
		}
	})
}
