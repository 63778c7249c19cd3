package providertest

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// Setup is what a provider is made with.
type Setup struct {
	Base     string        // address of the fake, without a slash at the end
	Client   Client        // ours at the fake
	HTTP     *http.Client  // whom the provider makes its calls with
	Deadline time.Duration // of each call
}

// Subject is a provider under test.
type Subject struct {
	// Fake makes the fresh upstream of one test.
	Fake func() *Fake
	// Open makes the provider over it.
	Open func(t *testing.T, s Setup) authority.Provider
	// NoProof: a bare token is refused whatever it is.
	NoProof bool
	// NoDevice: the upstream offers no device logins.
	NoDevice bool
	// IDToken: a grant carries an ID token, and the nonce is checked.
	IDToken bool
}

// Run runs the whole suite. Each test has a fresh upstream and a fresh provider.
func Run(t *testing.T, s Subject) {
	type test struct {
		name string
		run  func(*testing.T, *bench)
	}
	tests := []test{
		{"an authorization address", authorizationAddress},
		{"a login", login},
		{"a login of somebody without a verified address", unverifiedLogin},
		{"a renamed user is the same user", renamed},
		{"a wrong PKCE verifier", wrongVerifier},
		{"a code used twice", codeTwice},
		{"a wrong redirect address", wrongRedirect},
		{"a code that is none", codeUnknown},
		{"a code of another client", codeOfAnother},
		{"an upstream that fails the exchange", exchangeFails},
		{"an error code with status 200", exchangeErrors},
		{"a form instead of JSON", exchangeForm},
		{"an upstream that fails the profile", identifyFails},
		{"a profile without a subject", identifyNobody},
		{"a revoked token identifies nobody", identifyRevoked},
		{"a bare token of our own client", prove},
		{"a bare token that is not ours", proveStranger},
		{"an upstream that fails the proof", proveFails},
		{"a proof without a subject", proveNobody},
		{"addresses on many pages", manyEmails},
		{"an upstream that fails the addresses", emailsFail},
		{"a device login", deviceLogin},
		{"a device login that ends badly", deviceRefused},
		{"a device login that polls too fast", deviceSlowDown},
		{"an upstream that fails a device login", deviceFails},
		{"a token that is not needed any more", forget},
		{"a caller who leaves", callerLeaves},
		{"many at once", manyAtOnce},
	}
	if s.IDToken {
		tests = append(tests, test{"an ID token of another login", idTokenOfAnother})
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, newBench(t, s)) })
	}
}

// bench is one test's upstream and provider.
type bench struct {
	subject   Subject
	fake      *Fake
	base      string
	provider  authority.Provider
	hasty     authority.Provider // the same with little patience
	browser   *http.Client
	elsewhere string        // another host
	stolen    *atomic.Int64 // the requests that it got
	secrets   []string      // that no error may tell
}

// callback is our own address at the upstream; nobody calls it.
const callback = "https://auth.example.com/callback"

// The providers' deadlines: one that no busy machine misses, and one that is waited for.
const (
	patience = 30 * time.Second
	haste    = 400 * time.Millisecond
)

func newBench(t *testing.T, s Subject) *bench {
	t.Helper()
	fake := s.Fake()
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	b := &bench{subject: s, fake: fake, base: server.URL, stolen: new(atomic.Int64), secrets: []string{fake.Client().Secret}}
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { b.stolen.Add(1) }))
	t.Cleanup(other.Close)
	b.elsewhere = other.URL + "/elsewhere"
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	b.browser = &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	setup := Setup{Base: b.base, Client: fake.Client(), HTTP: &http.Client{Transport: transport}, Deadline: patience}
	b.provider = s.Open(t, setup)
	setup.Deadline = haste
	b.hasty = s.Open(t, setup)
	return b
}

// begun is a login whose user has come back with a code.
type begun struct {
	auth authority.UpstreamAuth
	code authority.UpstreamCode
}

// begin logs a user in at the upstream and returns what the callback would get.
func (b *bench) begin(t *testing.T, user string) begun {
	t.Helper()
	auth := authority.UpstreamAuth{
		State: rand.Text(), Nonce: rand.Text(), Verifier: rand.Text() + rand.Text(), RedirectURI: callback,
	}
	address, err := b.provider.AuthURL(t.Context(), auth)
	if err != nil {
		t.Fatal(err)
	}
	back := b.visit(t, address+"&as="+user)
	if back.Query().Get("state") != auth.State {
		t.Fatalf("the state came back as %q", back.Query().Get("state"))
	}
	code := back.Query().Get("code")
	b.secrets = append(b.secrets, code, auth.Verifier)
	return begun{auth, authority.UpstreamCode{
		Code: code, Verifier: auth.Verifier, Nonce: auth.Nonce, RedirectURI: auth.RedirectURI,
	}}
}

// visit plays the browser: it returns where the upstream sends it.
func (b *bench) visit(t *testing.T, address string) *url.URL {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := b.browser.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	back, err := res.Location()
	if err != nil {
		t.Fatalf("status %d: %v", res.StatusCode, err)
	}
	return back
}

// granted logs a user in and redeems the code.
func (b *bench) granted(t *testing.T, user string) authority.UpstreamGrant {
	t.Helper()
	g, err := b.provider.Exchange(t.Context(), b.begin(t, user).code)
	if err != nil {
		t.Fatal(err)
	}
	b.secrets = append(b.secrets, g.AccessToken)
	return g
}

// bare makes a bare token.
func (b *bench) bare(user, client string) string {
	token := b.fake.Token(user, client)
	b.secrets = append(b.secrets, token)
	return token
}

// refused fails the test unless err is of one of the kinds, has a text for the caller,
// and tells nobody what it must not.
func (b *bench) refused(t *testing.T, err error, kinds ...authority.Kind) {
	t.Helper()
	e, ok := errors.AsType[*authority.Error](err)
	if !ok || !slices.Contains(kinds, e.Kind) {
		t.Errorf("error is %v, want one of kind %v", err, kinds)
		return
	}
	if e.Public == "" || e.Op == "" {
		t.Errorf("error %v has no text for the caller or the log", err)
	}
	for _, secret := range append(b.secrets, "Unicorn", "The upstream says", "with status 200", b.elsewhere, b.base+"/") {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("error %v tells %q", err, secret)
		}
	}
}

// nobody fails the test unless err refuses a token that turns out to be nobody's: that
// is the token's fault or the upstream's, whichever the provider finds.
func (b *bench) nobody(t *testing.T, err error) {
	t.Helper()
	b.refused(t, err, authority.ProviderFailed, authority.UpstreamTokenInvalid)
}

// is fails the test unless the profile is that of the user.
func (b *bench) is(t *testing.T, p authority.Profile, user string) {
	t.Helper()
	u := b.fake.User(user)
	if p.Subject != u.Subject || p.Name != u.Name {
		t.Errorf("profile is %+v, want that of %+v", p, u)
	}
	if u.Login != "" && p.Username != u.Login {
		t.Errorf("username is %q, want %q", p.Username, u.Login)
	}
	if p.EmailVerified != u.EmailVerified || (p.Email != u.Email && (u.EmailVerified || p.Email != "")) {
		t.Errorf("e-mail is %q (verified: %v), want %q (%v)", p.Email, p.EmailVerified, u.Email, u.EmailVerified)
	}
}

// failing runs call once for each way in which a path of the upstream can fail, and
// demands ProviderFailed, within the deadline, with nothing sent elsewhere. Then it
// makes the upstream well again.
func (b *bench) failing(t *testing.T, path string, call func(authority.Provider) error) {
	t.Helper()
	for _, m := range []Misbehaviour{
		{Mode: Down}, {Mode: Hang}, {Mode: HTML}, {Mode: HTML, Status: http.StatusBadGateway},
		{Mode: HTML, Status: http.StatusNotFound}, {Mode: Huge}, {Mode: Empty}, {Mode: Error500},
		{Mode: Error500, Error: "invalid_grant"}, {Mode: Error200, Error: "server_error"},
		{Mode: Redirect, To: b.elsewhere}, {Mode: Redirect, To: b.elsewhere, Status: http.StatusTemporaryRedirect},
		{Mode: Redirect, To: b.elsewhere, Status: http.StatusPermanentRedirect},
	} {
		b.fake.Misbehave(path, m)
		p, begin := b.provider, time.Now()
		if m.Mode == Hang {
			p = b.hasty
		}
		err := call(p)
		if authority.KindOf(err) != authority.ProviderFailed {
			t.Errorf("%s %s (%d): error is %v, want one of kind %v", path, m.Mode, m.Status, err, authority.ProviderFailed)
			continue
		}
		b.refused(t, err, authority.ProviderFailed)
		if took := time.Since(begin); m.Mode == Hang && took > patience/2 {
			t.Errorf("%s was waited for %v, the deadline is %v", path, took, haste)
		}
	}
	b.fake.Misbehave(path, Misbehaviour{Mode: None})
	if n := b.stolen.Load(); n != 0 {
		t.Errorf("%s: %d calls were sent to another host", path, n)
	}
}
