package authority_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// upstream is a provider as a test sets it up. What is about the wire of real ones is
// tested where they are.
type upstream struct {
	issuer string

	mu       sync.Mutex
	people   map[string]authority.Profile // by access token
	foreign  map[string]bool              // tokens of somebody else's client
	codes    map[string]string            // access token by code; taken out at the first use
	seen     []authority.UpstreamCode
	asked    []authority.UpstreamAuth
	polls    []authority.DevicePoll // answers to polls, the last one for ever
	polled   int
	polling  int // at this moment
	most     int
	forgot   []string
	down     error
	interval time.Duration
}

func newUpstream(issuer string) *upstream {
	return &upstream{
		issuer: issuer, people: map[string]authority.Profile{}, foreign: map[string]bool{}, codes: map[string]string{}, interval: time.Millisecond,
	}
}

func (u *upstream) Issuer() string { return u.issuer }

func (u *upstream) AuthURL(_ context.Context, q authority.UpstreamAuth) (string, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.asked = append(u.asked, q)
	return u.issuer + "/authorize?state=" + q.State, u.down
}

func (u *upstream) Exchange(_ context.Context, q authority.UpstreamCode) (authority.UpstreamGrant, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.seen = append(u.seen, q)
	raw, ok := u.codes[q.Code]
	if u.down != nil {
		return authority.UpstreamGrant{}, u.down
	}
	if !ok {
		return authority.UpstreamGrant{}, &authority.Error{Kind: authority.UpstreamCodeInvalid, Op: "test"}
	}
	delete(u.codes, q.Code)
	return authority.UpstreamGrant{AccessToken: raw, Nonce: q.Nonce}, nil
}

func (u *upstream) Identify(_ context.Context, g authority.UpstreamGrant) (authority.Profile, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	p, ok := u.people[g.AccessToken]
	if !ok {
		return p, &authority.Error{Kind: authority.UpstreamTokenInvalid, Op: "test"}
	}
	return p, u.down
}

func (u *upstream) Prove(ctx context.Context, raw string) (authority.Profile, error) {
	u.mu.Lock()
	foreign := u.foreign[raw]
	u.mu.Unlock()
	if foreign {
		return authority.Profile{}, &authority.Error{Kind: authority.UpstreamTokenInvalid, Op: "test"}
	}
	return u.Identify(ctx, authority.UpstreamGrant{AccessToken: raw})
}

func (u *upstream) StartDevice(context.Context) (authority.UpstreamDevice, error) {
	return authority.UpstreamDevice{
		DeviceCode: "device-code", UserCode: "ABCD-EFGH", VerificationURI: u.issuer + "/device", ExpiresIn: 15 * time.Minute, Interval: u.interval,
	}, u.down
}

func (u *upstream) PollDevice(context.Context, string) (authority.DevicePoll, error) {
	u.mu.Lock()
	u.polling++
	u.most = max(u.most, u.polling)
	n := min(u.polled, len(u.polls)-1)
	u.polled++
	p, down := u.polls[n], u.down
	u.mu.Unlock()
	defer func() {
		u.mu.Lock()
		u.polling--
		u.mu.Unlock()
	}()
	return p, down
}

func (u *upstream) Forget(_ context.Context, raw string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.forgot = append(u.forgot, raw)
	return nil
}

func (u *upstream) set(change func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	change()
}

// knows lets an access token be about a person.
func (u *upstream) knows(raw string, p authority.Profile) { u.set(func() { u.people[raw] = p }) }

// withUpstream is the demo realm with users, and GitHub as a provider of open sign-up.
func withUpstream(t *testing.T) (*house, *upstream, []authority.Realm) {
	t.Helper()
	up := newUpstream("https://github.example")
	realms := withUsers(func(r *authority.Realm) {
		r.Users[0].Email, r.Users[1].Email, r.Users[1].EmailVerified = "ada@corp.example", "bob@corp.example", true
	})
	r := &realms[0]
	r.PersonalLife, r.SignUp.Open = 365*24*time.Hour, true
	r.Upstreams = []authority.Upstream{{Name: "github", Provider: up}}
	return open(t, realms), up, realms
}

var ada = authority.Profile{Subject: "583231", Username: "ada-l", Name: "Ada Lovelace", Email: "ada@example.com", EmailVerified: true}

func (h *house) golem(raw string) (authority.PersonalGrant, error) {
	return h.LoginByUpstreamToken(h.t.Context(), authority.UpstreamTokenRequest{Provider: "github", AccessToken: raw})
}

// mustBe fails the test unless err is of the kind.
func mustBe(t *testing.T, err error, kind authority.Kind) {
	t.Helper()
	if err == nil || authority.KindOf(err) != kind {
		t.Fatalf("got %v, want the kind %s", err, kind)
	}
}

func TestLoginByUpstreamToken(t *testing.T) {
	h, up, _ := withUpstream(t)
	up.knows("ours", ada)
	first, err := h.golem("ours")
	if err != nil {
		t.Fatal(err)
	}
	p, err := h.verify(first.Secret)
	if err != nil || p.Kind != authority.KindPersonal || p.Account != first.Account || p.Client != authority.FirstParty ||
		p.Email != "ada@example.com" || !p.EmailVerified || p.Username != "" || p.Name != "Ada Lovelace" || p.Session != "" || p.TokenID != first.ID {
		t.Fatalf("%+v, %v", p, err)
	}
	// The account is the subject's, whatever else changes; each login mints anew.
	renamed := ada
	renamed.Username, renamed.Email = "countess", "countess@example.org"
	up.knows("later", renamed)
	second, err := h.golem("later")
	if err != nil || second.Account != first.Account || second.Secret == first.Secret {
		t.Fatalf("%+v, %v", second, err)
	}
	if p, err = h.verify(first.Secret); err != nil || p.Email != "countess@example.org" {
		t.Errorf("the profile was not refreshed: %+v, %v", p, err)
	}
	for name, tc := range map[string]struct {
		q    authority.UpstreamTokenRequest
		want authority.Kind
	}{
		"unknown provider": {authority.UpstreamTokenRequest{Provider: "gitlab", AccessToken: "ours"}, authority.ProviderUnknown},
		"unknown realm":    {authority.UpstreamTokenRequest{Realm: "nowhere", Provider: "github", AccessToken: "ours"}, authority.RealmUnknown},
		"unknown token":    {authority.UpstreamTokenRequest{Provider: "github", AccessToken: "junk"}, authority.UpstreamTokenInvalid},
		"no token":         {authority.UpstreamTokenRequest{Provider: "github"}, authority.UpstreamTokenInvalid},
		"endless token":    {authority.UpstreamTokenRequest{Provider: "github", AccessToken: strings.Repeat("a", 20000)}, authority.UpstreamTokenInvalid},
		"two lines":        {authority.UpstreamTokenRequest{Provider: "github", AccessToken: "a\r\nX: y"}, authority.UpstreamTokenInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := h.LoginByUpstreamToken(t.Context(), tc.q)
			mustBe(t, err, tc.want)
		})
	}
}

// A site that runs an application of its own at the provider collects its visitors'
// tokens there and brings them here: none of them may open an account.
func TestAttackTokenOfAnotherClient(t *testing.T) {
	h, up, _ := withUpstream(t)
	up.knows("theirs", ada)
	up.set(func() { up.foreign["theirs"] = true })
	_, err := h.golem("theirs")
	mustBe(t, err, authority.UpstreamTokenInvalid)
	_, err = h.StepByUpstreamToken(t.Context(), authority.UpstreamTokenRequest{Provider: "github", AccessToken: "theirs"})
	mustBe(t, err, authority.UpstreamTokenInvalid)
}

// Somebody takes over the login name that another person gave up, or the address.
func TestAttackRenamedLoginAndReusedAddress(t *testing.T) {
	h, up, realms := withUpstream(t)
	realms[0].Upstreams[0].LinkVerified = true // even where addresses may lead to accounts
	h.configure(realms)
	up.knows("ada", ada)
	first, err := h.golem("ada")
	if err != nil {
		t.Fatal(err)
	}
	thief := ada
	thief.Subject = "666"
	up.knows("thief", thief)
	second, err := h.golem("thief")
	if err != nil || second.Account == first.Account {
		t.Fatalf("another subject of the same name and address got the account: %+v, %v", second, err)
	}
}

// An address leads to an account only where the operator says so, only if both sides
// are verified, and never past a disabled account.
func TestLinkByVerifiedEmail(t *testing.T) {
	h, up, realms := withUpstream(t)
	corp := newUpstream("https://corp.example")
	link := func(github, corpLinks bool) {
		realms[0].Upstreams = []authority.Upstream{{Name: "github", Provider: up, LinkVerified: github}, {Name: "corp", Provider: corp, LinkVerified: corpLinks}}
		h.configure(realms)
	}
	byCorp := func(subject, email string, verified bool) authority.PersonalGrant {
		t.Helper()
		corp.knows("corp-"+subject, authority.Profile{Subject: subject, Email: email, EmailVerified: verified})
		g, err := h.LoginByUpstreamToken(t.Context(), authority.UpstreamTokenRequest{Provider: "corp", AccessToken: "corp-" + subject})
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	link(false, false)
	up.knows("ada", ada)
	first, err := h.golem("ada")
	if err != nil {
		t.Fatal(err)
	}
	if g := byCorp("1", "ada@example.com", true); g.Account == first.Account {
		t.Error("linked though nobody allowed it")
	}
	link(false, true)
	if g := byCorp("2", "ada@example.com", true); g.Account == first.Account {
		t.Error("linked to an address that nobody vouched for whom the operator trusts")
	}
	link(true, true)
	if _, err = h.golem("ada"); err != nil { // now her address is vouched for
		t.Fatal(err)
	}
	if g := byCorp("3", "ada@example.com", false); g.Account == first.Account {
		t.Error("linked by an address that is not verified")
	}
	// The account of subject 2 has the same address, so nobody can say whose it is.
	if g := byCorp("4", "ada@example.com", true); g.Account == first.Account {
		t.Error("linked though two accounts have the address")
	}
	grace := authority.Profile{Subject: "1906", Email: "Grace@Example.NET", EmailVerified: true}
	up.knows("grace", grace)
	hers, err := h.golem("grace")
	if err != nil {
		t.Fatal(err)
	}
	if g := byCorp("5", "grace@example.net", true); g.Account != hers.Account {
		t.Error("not linked though everything speaks for it")
	}
	if g := byCorp("5", "other@example.net", true); g.Account != hers.Account {
		t.Error("the link was forgotten")
	}
	if g := byCorp("6", "ADA@corp.example", true); g.Account != "sub-ada" {
		t.Errorf("not linked to the user of the configuration: %s", g.Account)
	}
}

func TestSignUp(t *testing.T) {
	h, up, realms := withUpstream(t)
	profile := func(subject, email string, verified bool) authority.Profile {
		return authority.Profile{Subject: subject, Email: email, EmailVerified: verified}
	}
	for _, tc := range []struct {
		name  string
		allow []string
		p     authority.Profile
		in    bool
	}{
		{"closed", nil, ada, false},
		{"address", []string{"ada@example.com"}, ada, true},
		{"address in another case", []string{"ADA@example.com"}, profile("1", "ada@EXAMPLE.com", true), true},
		{"address not verified", []string{"ada@example.com"}, profile("2", "ada@example.com", false), false},
		{"domain", []string{"@example.com"}, profile("3", "x@example.com", true), true},
		{"domain not verified", []string{"@example.com"}, profile("4", "x@example.com", false), false},
		{"longer domain", []string{"@example.com"}, profile("5", "x@evil-example.com", true), false},
		{"subdomain", []string{"@example.com"}, profile("6", "x@sub.example.com", true), false},
		{"two at signs", []string{"@example.com"}, profile("7", "x@evil.com@example.com", true), false},
		{"a letter that folds into ASCII", []string{"@kelvin.com"}, profile("8", "x@\u212Aelvin.com", true), false},
		{"subject", []string{"github:9"}, profile("9", "", false), true},
		{"subject of another provider", []string{"gitlab:10"}, profile("10", "", false), false},
		{"empty entry", []string{"", "@"}, profile("11", "x@y", true), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			realms[0].SignUp = authority.SignUp{Allow: tc.allow}
			h.configure(realms)
			up.knows("someone", tc.p)
			_, err := h.golem("someone")
			if tc.in && err != nil {
				t.Fatal(err)
			}
			if !tc.in {
				mustBe(t, err, authority.SignUpRefused)
			}
		})
	}
	up.knows("nobody", profile("", "ada@example.com", true))
	_, err := h.golem("nobody")
	mustBe(t, err, authority.ProviderFailed)
}

// A disabled account is refused on every path, at once and for good.
func TestDisabledAccount(t *testing.T) {
	h, up, _ := withUpstream(t)
	up.knows("ada", ada)
	g, err := h.golem("ada")
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if err := h.DisableAccount(ctx, "", "github:583231"); err != nil {
		t.Fatal(err)
	}
	if h.active(g.Secret) {
		t.Error("a token of a disabled account is good")
	}
	if !slices.Contains(h.told.ended, authority.Tag{Kind: authority.TagAccount, Realm: h.realm[0].ID, ID: g.Account}) {
		t.Error("the caches were not told")
	}
	_, err = h.golem("ada")
	mustBe(t, err, authority.AccountDisabled)
	_, err = h.StepByUpstreamToken(ctx, authority.UpstreamTokenRequest{Provider: "github", AccessToken: "ada"})
	mustBe(t, err, authority.AccountDisabled)
	_, err = h.finish(h.start(), "ada")
	mustBe(t, err, authority.AccountDisabled)
	if err := h.EnableAccount(ctx, "", g.Account); err != nil {
		t.Fatal(err)
	}
	if h.active(g.Secret) {
		t.Error("what was ended came back")
	}
	if again, err := h.golem("ada"); err != nil || again.Account != g.Account {
		t.Errorf("%+v, %v", again, err)
	}
}

// The name of a provider comes to stand for another upstream, where the same subject
// is another person.
func TestAttackProviderNameReused(t *testing.T) {
	h, up, realms := withUpstream(t)
	up.knows("ada", ada)
	if _, err := h.golem("ada"); err != nil {
		t.Fatal(err)
	}
	other := newUpstream("https://other.example")
	other.knows("thief", authority.Profile{Subject: ada.Subject})
	realms[0].Upstreams = []authority.Upstream{{Name: "github", Provider: other}}
	h.configure(realms)
	_, err := h.golem("thief")
	mustBe(t, err, authority.AccountUnknown)
}

// At most a hundred live personal tokens: the oldest goes, and its verdicts with it.
func TestPersonalTokensAreBounded(t *testing.T) {
	h, up, _ := withUpstream(t)
	up.knows("ada", ada)
	first, err := h.golem("ada")
	if err != nil {
		t.Fatal(err)
	}
	call := authority.AccountCall{Bearer: first.Secret}
	var last authority.PersonalGrant
	for range 100 {
		h.clock.move(time.Second)
		if last, err = h.MintPersonalToken(t.Context(), call); err != nil {
			t.Fatal(err)
		}
	}
	if h.active(first.Secret) || !h.active(last.Secret) {
		t.Error("the oldest should have gone, the newest be there")
	}
	if !slices.Contains(h.told.ended, authority.Tag{Kind: authority.TagToken, Realm: h.realm[0].ID, ID: first.ID}) {
		t.Error("the caches were not told")
	}
	list, err := h.PersonalTokens(t.Context(), authority.AccountCall{Bearer: last.Secret})
	if err != nil || len(list) != 100 || list[99] != last.PersonalToken {
		t.Errorf("%d tokens, %v", len(list), err)
	}
}

// A flood of starts writes no row and is told to come again.
func TestStartsAreBounded(t *testing.T) {
	h, _, _ := withUpstream(t)
	ctx := authority.WithCaller(t.Context(), authority.Caller{Address: "192.0.2.7"})
	var err error
	started := 0
	for ; started < 5000; started++ {
		if _, err = h.StartLogin(ctx, authority.StartRequest{Provider: "github"}); err != nil {
			break
		}
	}
	mustBe(t, err, authority.Throttled)
	if started < 100 || started > 1000 {
		t.Errorf("%d starts of one address", started)
	}
	if _, err = h.StartDevice(ctx, authority.DeviceRequest{Provider: "github"}); authority.KindOf(err) != authority.Throttled {
		t.Errorf("device starts are not counted with them: %v", err)
	}
	if _, err := h.StartLogin(t.Context(), authority.StartRequest{Provider: "github"}); err != nil {
		t.Errorf("others suffer: %v", err)
	}
	h.clock.move(11 * time.Minute)
	if _, err := h.StartLogin(ctx, authority.StartRequest{Provider: "github"}); err != nil {
		t.Errorf("not forgiven after the window: %v", err)
	}
}

func TestUpstreamDown(t *testing.T) {
	h, up, _ := withUpstream(t)
	up.knows("ada", ada)
	start := h.start()
	up.set(func() {
		up.down = &authority.Error{Kind: authority.ProviderFailed, Op: "test", Err: errors.New("hung")}
	})
	_, err := h.golem("ada")
	mustBe(t, err, authority.ProviderFailed)
	_, err = h.finish(start, "ada")
	mustBe(t, err, authority.ProviderFailed)
	_, err = h.StartDevice(t.Context(), authority.DeviceRequest{Provider: "github"})
	mustBe(t, err, authority.ProviderFailed)
	_, err = h.ExchangeCode(t.Context(), authority.UpstreamCodeRequest{Provider: "github", Code: "x"})
	mustBe(t, err, authority.ProviderFailed)
}

// The store fails after the commit or instead of it: nothing is answered as done.
func TestUpstreamStoreFails(t *testing.T) {
	h, up, _ := withUpstream(t)
	up.knows("ada", ada)
	h.store.instead = gone
	_, err := h.golem("ada")
	mustBe(t, err, authority.Unavailable)
	h.store.instead, h.store.after = nil, gone
	_, err = h.golem("ada")
	mustBe(t, err, authority.Unavailable)
}

// hanging is an upstream that answers when it is told to.
type hanging struct {
	*upstream
	in    chan struct{} // one for each call that came
	leave chan struct{}
}

func (u *hanging) Prove(ctx context.Context, _ string) (authority.Profile, error) {
	u.in <- struct{}{}
	select {
	case <-u.leave:
	case <-ctx.Done():
	}
	return authority.Profile{}, &authority.Error{Kind: authority.ProviderFailed, Op: "test"}
}

// failingOnce is an upstream that cannot say who it is about the first time.
type failingOnce struct {
	*upstream
	failed bool
}

func (u *failingOnce) Identify(ctx context.Context, g authority.UpstreamGrant) (authority.Profile, error) {
	if !u.failed {
		u.failed = true
		return authority.Profile{}, &authority.Error{Kind: authority.ProviderFailed, Op: "test"}
	}
	return u.upstream.Identify(ctx, g)
}
