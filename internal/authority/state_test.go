package authority_test

import (
	"errors"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

const front = "https://front.example/back"

func (h *house) start(browsers ...string) authority.LoginStart {
	h.t.Helper()
	s, err := h.StartLogin(h.t.Context(), authority.StartRequest{Provider: "github", RedirectURI: front, Browsers: browsers})
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

// finish ends a login as the upstream's redirect does: its code leads to the access
// token of that name.
func (h *house) finish(s authority.LoginStart, token string, change ...func(*authority.FinishRequest)) (authority.UpstreamLogin, error) {
	h.t.Helper()
	up := h.realm[0].Upstreams[0].Provider.(*upstream)
	up.set(func() { up.codes["code of "+token] = token })
	q := authority.FinishRequest{Provider: "github", State: s.State, Code: "code of " + token, RedirectURI: front}
	for _, c := range change {
		c(&q)
	}
	return h.FinishLogin(h.t.Context(), q)
}

func TestLoginByBrowser(t *testing.T) {
	h, up, _ := withUpstream(t)
	up.knows("ada", ada)
	s := h.start()
	if !regexp.MustCompile(`^[A-Za-z0-9]{64,256}$`).MatchString(s.State) || s.Browser == "" || s.Life != 10*time.Minute {
		t.Errorf("%+v", s)
	}
	l, err := h.finish(s, "ada")
	if err != nil || !l.SignedUp || !l.EmailVerified || l.ExpiresIn != 24*time.Hour {
		t.Fatalf("%+v, %v", l, err)
	}
	p, err := h.verify(l.AccessToken)
	if err != nil || p.Session == "" || p.Client != authority.FirstParty || p.Name != "Ada Lovelace" || p.KeyID != "" {
		t.Errorf("%+v, %v", p, err)
	}
	// What the upstream sees at both ends belongs together, and only S256 of it is sent first.
	if up.asked[0].Verifier != up.seen[0].Verifier || up.asked[0].Nonce != up.seen[0].Nonce || up.seen[0].RedirectURI != front ||
		len(up.seen[0].Verifier) != 43 || up.seen[0].Verifier == up.seen[0].Nonce {
		t.Errorf("%+v, %+v", up.asked, up.seen)
	}
	again, err := h.finish(h.start(), "ada")
	if err != nil || again.SignedUp {
		t.Fatalf("%+v, %v", again, err)
	}
	// It dies with its session, and outlives nothing.
	if err := h.CloseSession(t.Context(), authority.AccountCall{Bearer: l.AccessToken}); err != nil {
		t.Fatal(err)
	}
	if h.active(l.AccessToken) || !h.active(again.AccessToken) {
		t.Error("the wrong session ended")
	}
	h.clock.move(24 * time.Hour)
	if h.active(again.AccessToken) {
		t.Error("the token lives for ever")
	}
}

// The state is a state once, here, for this provider and redirect, in this browser,
// for ten minutes.
func TestAttackStates(t *testing.T) {
	h, up, realms := withUpstream(t)
	up.knows("ada", ada)
	other := newUpstream("https://other.example")
	realms[0].Upstreams = append(realms[0].Upstreams, authority.Upstream{Name: "other", Provider: other})
	second := demo()[0]
	second.Name, second.ID, second.Issuer, second.SessionLife = "second", "0d8a9f0e-8a53-4d8e-9a5e-5e4a3c2b1a01", "https://second.example.com", time.Hour
	second.Upstreams = realms[0].Upstreams
	h.configure(append(realms, second))
	type change = func(*authority.FinishRequest)
	for name, do := range map[string]change{
		"another provider's":  func(q *authority.FinishRequest) { q.Provider = "other" },
		"another realm's":     func(q *authority.FinishRequest) { q.Realm = "second" },
		"another redirect's":  func(q *authority.FinishRequest) { q.RedirectURI += "/x" },
		"another issuer's":    func(q *authority.FinishRequest) { q.Issuer = "https://other.example" },
		"altered":             func(q *authority.FinishRequest) { q.State = flip(q.State) },
		"cut":                 func(q *authority.FinishRequest) { q.State = q.State[:len(q.State)-2] },
		"empty":               func(q *authority.FinishRequest) { q.State = "" },
		"another browser's":   func(q *authority.FinishRequest) { q.Browsers = []string{h.start().Browser} },
		"strict, no browser":  func(q *authority.FinishRequest) { q.Strict = true },
		"in another spelling": func(q *authority.FinishRequest) { q.State += "=" },
		"with a line end":     func(q *authority.FinishRequest) { q.State = q.State[:9] + "\n" + q.State[9:] },
	} {
		t.Run(name, func(t *testing.T) {
			s := h.start()
			_, err := h.finish(s, "ada", do)
			mustBe(t, err, authority.StateInvalid)
			if _, err := h.finish(s, "ada"); err != nil {
				t.Errorf("the refusal spent the state: %v", err)
			}
		})
	}
	t.Run("twice", func(t *testing.T) {
		s := h.start()
		if _, err := h.finish(s, "ada"); err != nil {
			t.Fatal(err)
		}
		_, err := h.finish(s, "ada")
		mustBe(t, err, authority.StateInvalid)
	})
	t.Run("too old", func(t *testing.T) {
		s := h.start()
		h.clock.move(10 * time.Minute)
		_, err := h.finish(s, "ada")
		mustBe(t, err, authority.StateInvalid)
	})
}

func flip(s string) string {
	b := []byte(s)
	if b[20] == 'A' {
		b[20] = 'B'
	} else {
		b[20] = 'A'
	}
	return string(b)
}

// Login CSRF: the attacker's own state and code, brought in by the victim's browser.
func TestAttackLoginCSRF(t *testing.T) {
	h, up, _ := withUpstream(t)
	up.knows("mallory", authority.Profile{Subject: "666"})
	up.knows("ada", ada)
	victim := h.start().Browser // she began a login some day and kept the cookie
	attack := h.start()
	_, err := h.finish(attack, "mallory", func(q *authority.FinishRequest) { q.Browsers = []string{victim} })
	mustBe(t, err, authority.StateInvalid)
	// A browser that brought its cookie to the start must bring it to the end as well.
	s := h.start(victim)
	if s.Browser != victim {
		t.Error("a browser that has a cookie got another: its other tabs would fail")
	}
	_, err = h.finish(s, "ada")
	mustBe(t, err, authority.StateInvalid)
	if _, err = h.finish(s, "ada", func(q *authority.FinishRequest) { q.Browsers, q.Strict = []string{h.start().Browser, victim}, true }); err != nil {
		t.Error(err)
	}
	// What the page of a stranger may have planted is not taken on.
	if s := h.start("x"); s.Browser == "x" {
		t.Error("a browser may choose what it is bound to")
	}
}

// One state in fifty hands at once has one effect.
func TestAttackParallelFinishes(t *testing.T) {
	h, up, _ := withUpstream(t)
	up.knows("ada", ada)
	s := h.start()
	up.set(func() { up.codes["c"] = "ada" })
	var wins, exchanges sync.Map
	var group sync.WaitGroup
	for i := range 50 {
		group.Go(func() {
			_, err := h.FinishLogin(t.Context(), authority.FinishRequest{Provider: "github", State: s.State, Code: "c", RedirectURI: front})
			if err == nil {
				wins.Store(i, true)
			} else if k := authority.KindOf(err); k != authority.StateInvalid && k != authority.Unavailable { // too many at once
				exchanges.Store(i, err)
			}
		})
	}
	group.Wait()
	n := 0
	wins.Range(func(any, any) bool { n++; return true })
	exchanges.Range(func(_, err any) bool { t.Error(err); return true })
	if n != 1 || len(up.seen) != 1 {
		t.Errorf("%d logins, %d exchanges", n, len(up.seen))
	}
}

// A second factor has no place here, so who has one does not get in without it.
func TestSecondFactorHasNoPlaceInABrowserLogin(t *testing.T) {
	h, up, _ := withUpstream(t)
	up.knows("bob", authority.Profile{Subject: "7", Username: "bob"})
	if err := h.LinkAccount(t.Context(), "", "bob", "github", "7"); err != nil {
		t.Fatal(err)
	}
	_, err := h.finish(h.start(), "bob")
	mustBe(t, err, authority.LoginFailed)
	_, err = h.golem("bob")
	mustBe(t, err, authority.LoginFailed)
}

func TestFinishStoreFails(t *testing.T) {
	h, up, _ := withUpstream(t)
	up.knows("ada", ada)
	s := h.start()
	h.store.writes = &authority.Error{Kind: authority.Unavailable, Op: "test", Err: errors.New("full")}
	_, err := h.finish(s, "ada")
	mustBe(t, err, authority.Unavailable)
	if len(up.seen) != 0 {
		t.Error("the code was spent though the state could not be")
	}
}
