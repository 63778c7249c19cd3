package authority_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// Somebody calls himself at the upstream as a user, a client or another account is
// called here, and goes to an app that believes names.
func TestAttackLoginNameOfSomebodyElse(t *testing.T) {
	h, up, _ := withUpstream(t)
	for _, name := range []string{"ada", "service-account-app", "sub-ada"} {
		up.knows("thief", authority.Profile{Subject: "666", Username: name})
		g, err := h.golem("thief")
		if err != nil {
			t.Fatal(err)
		}
		if p, err := h.verify(g.Secret); err != nil || p.Username != "" || p.Subject != g.Account {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}

// The name of a provider comes to stand for another upstream while a device login of
// the old one is under way: its approval is nobody's at the new one.
func TestAttackDeviceOverAChangedIssuer(t *testing.T) {
	h, up, realms := withUpstream(t)
	other := newUpstream("https://ghe.example")
	other.knows("victim", ada)
	h.configure(withProvider(realms, other))
	victim, err := h.LoginByUpstreamToken(t.Context(), authority.UpstreamTokenRequest{Provider: "github", AccessToken: "victim"})
	if err != nil {
		t.Fatal(err)
	}
	h.configure(withProvider(realms, up))
	up.knows("ada", ada) // the same subject, another person
	up.polls = []authority.DevicePoll{approved}
	s := h.startDevice()
	h.configure(withProvider(realms, other))
	g, err := h.completeDevice(t.Context(), s)
	mustBe(t, err, authority.DeviceInvalid)
	if g.Account == victim.Account {
		t.Error("the victim's account was opened")
	}
}

func withProvider(realms []authority.Realm, p authority.Provider) []authority.Realm {
	changed := append([]authority.Realm{}, realms...)
	changed[0].Upstreams = []authority.Upstream{{Name: "github", Provider: p}}
	return changed
}

// While a device login waits, the operator closes sign-up: what the configuration says
// at the end holds.
func TestDeviceIsDecidedByTheConfigurationThatServes(t *testing.T) {
	h, up, realms := withUpstream(t)
	up.knows("ada", ada)
	up.polls = []authority.DevicePoll{pending, approved}
	s := h.startDevice()
	old := h.Authority
	closed := append([]authority.Realm{}, realms...)
	closed[0].SignUp = authority.SignUp{}
	h.configure(closed)
	h.Serve()
	_, err := old.CompleteDevice(t.Context(), authority.DeviceCompletion{Session: s})
	mustBe(t, err, authority.SignUpRefused)
}

// Mints in a row while the operator ends the account: none outlives that.
func TestAttackMintRacingTheEnd(t *testing.T) {
	for name, end := range map[string]func(h *house) error{
		"unlink":  func(h *house) error { return h.UnlinkAccount(h.t.Context(), "", "github", ada.Subject) },
		"disable": func(h *house) error { return h.DisableAccount(h.t.Context(), "", "github:"+ada.Subject) },
	} {
		t.Run(name, func(t *testing.T) {
			h, up, _ := withUpstream(t)
			up.knows("ada", ada)
			first, err := h.golem("ada")
			if err != nil {
				t.Fatal(err)
			}
			var mu sync.Mutex
			var minted []string
			var group sync.WaitGroup
			begun := make(chan struct{}, 1)
			for range 8 {
				group.Go(func() {
					for range 50 {
						g, err := h.MintPersonalToken(t.Context(), authority.AccountCall{Bearer: first.Secret})
						if err != nil {
							return
						}
						mu.Lock()
						minted = append(minted, g.Secret)
						mu.Unlock()
						select {
						case begun <- struct{}{}:
						default:
						}
					}
				})
			}
			<-begun
			if err := end(h); err != nil {
				t.Fatal(err)
			}
			group.Wait()
			if name == "disable" {
				if err := h.EnableAccount(t.Context(), "", first.Account); err != nil {
					t.Fatal(err)
				}
			}
			for _, raw := range minted {
				if h.active(raw) {
					t.Fatal("a token outlived the end of its account's logins")
				}
			}
		})
	}
}

// A token of the first step, fetched before the operator ended the account's logins,
// opens nothing afterwards.
func TestStepDiesWithItsIdentity(t *testing.T) {
	for name, end := range map[string]func(h *house, account string, realms []authority.Realm) error{
		"unlinked": func(h *house, _ string, _ []authority.Realm) error {
			return h.UnlinkAccount(h.t.Context(), "", "github", ada.Subject)
		},
		"disabled for a while": func(h *house, account string, _ []authority.Realm) error {
			if err := h.DisableAccount(h.t.Context(), "", account); err != nil {
				return err
			}
			return h.EnableAccount(h.t.Context(), "", account)
		},
		"provider gone": func(h *house, _ string, realms []authority.Realm) error {
			realms[0].Upstreams = nil
			h.configure(realms)
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, up, realms := withUpstream(t)
			up.knows("ada", ada)
			g, err := h.golem("ada")
			if err != nil {
				t.Fatal(err)
			}
			s, err := h.StepByUpstreamToken(t.Context(), authority.UpstreamTokenRequest{Provider: "github", AccessToken: "ada"})
			if err != nil {
				t.Fatal(err)
			}
			if err := end(h, g.Account, realms); err != nil {
				t.Fatal(err)
			}
			_, err = h.openSession(s.Token, "")
			mustBe(t, err, authority.StepInvalid)
		})
	}
}

// A provider that was taken out of the configuration takes with it all that it gave.
func TestRemovedProviderEndsItsLogins(t *testing.T) {
	h, up, realms := withUpstream(t)
	up.knows("ada", ada)
	personal, err := h.golem("ada")
	if err != nil {
		t.Fatal(err)
	}
	session, err := h.finish(h.start(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	h.configure(withProvider(realms, newUpstream("https://elsewhere.example")))
	if h.active(personal.Secret) || h.active(session.AccessToken) {
		t.Error("they outlived the upstream that vouched for them")
	}
	h.configure(realms)
	if !h.active(personal.Secret) || !h.active(session.AccessToken) {
		t.Error("put back, they should go on")
	}
}

// An address does not stand in for a second factor, and an address that a provider
// vouched for once is worth nothing when the operator trusts it no more.
func TestAttackLinkByEmail(t *testing.T) {
	h, up, realms := withUpstream(t)
	corp := newUpstream("https://corp.example")
	realms[0].Upstreams = []authority.Upstream{{Name: "github", Provider: up, LinkVerified: true}, {Name: "corp", Provider: corp, LinkVerified: true}}
	h.configure(realms)
	corp.knows("bob", authority.Profile{Subject: "1", Email: "bob@corp.example", EmailVerified: true})
	_, err := h.StepByUpstreamToken(t.Context(), authority.UpstreamTokenRequest{Provider: "corp", AccessToken: "bob"})
	mustBe(t, err, authority.AccountUnknown)

	up.knows("mallory", authority.Profile{Subject: "666", Email: "victim@example.com", EmailVerified: true})
	planted, err := h.golem("mallory")
	if err != nil {
		t.Fatal(err)
	}
	realms[0].Upstreams[0].LinkVerified = false
	h.configure(realms)
	corp.knows("victim", authority.Profile{Subject: "2", Email: "victim@example.com", EmailVerified: true})
	g, err := h.LoginByUpstreamToken(t.Context(), authority.UpstreamTokenRequest{Provider: "corp", AccessToken: "victim"})
	if err != nil || g.Account == planted.Account {
		t.Errorf("%+v, %v", g, err)
	}
}

// A token minted by another one has no scope that this one lacks.
func TestAttackMintWidensScope(t *testing.T) {
	h, _, _ := withUpstream(t)
	g, err := h.Login(t.Context(), authority.LoginRequest{Username: "ada", Password: "ada's password", Scope: "openid"})
	if err != nil {
		t.Fatal(err)
	}
	m, err := h.MintPersonalToken(t.Context(), authority.AccountCall{Bearer: g.AccessToken})
	if err != nil {
		t.Fatal(err)
	}
	if p, err := h.verify(m.Secret); err != nil || p.Scopes.Join(" ") != "openid" {
		t.Errorf("%q, %v", p.Scopes.Join(" "), err)
	}
}

// One upstream that hangs holds up nobody's logins at another, and one caller not
// those of others.
func TestHangingUpstreamHoldsUpNobodyElse(t *testing.T) {
	h, up, realms := withUpstream(t)
	hung := &hanging{upstream: newUpstream("https://slow.example"), leave: make(chan struct{}), in: make(chan struct{}, 100)}
	realms[0].Upstreams = append(realms[0].Upstreams, authority.Upstream{Name: "slow", Provider: hung})
	h.configure(realms)
	up.knows("ada", ada)
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			ctx := authority.WithCaller(t.Context(), authority.Caller{Address: "192.0.2.66"})
			_, _ = h.LoginByUpstreamToken(ctx, authority.UpstreamTokenRequest{Provider: "slow", AccessToken: "x"})
		})
		<-hung.in
	}
	ctx := authority.WithCaller(t.Context(), authority.Caller{Address: "192.0.2.66"})
	_, err := h.LoginByUpstreamToken(ctx, authority.UpstreamTokenRequest{Provider: "slow", AccessToken: "x"})
	mustBe(t, err, authority.Unavailable)
	if _, err := h.golem("ada"); err != nil {
		t.Errorf("another caller at another upstream: %v", err)
	}
	close(hung.leave)
	group.Wait()
}

// An upstream that fails right after the approval has not lost it.
func TestApprovalOutlivesAFailure(t *testing.T) {
	h, up, _ := withUpstream(t)
	up.knows("ada", ada)
	up.polls = []authority.DevicePoll{approved, {Answer: authority.DeviceExpired}}
	failing := &failingOnce{upstream: up}
	h.configure(withProvider(h.realm, failing))
	s := h.startDevice()
	_, err := h.completeDevice(t.Context(), s)
	mustBe(t, err, authority.ProviderFailed)
	if g, err := h.completeDevice(t.Context(), s); err != nil || !h.active(g.Secret) {
		t.Errorf("%+v, %v", g, err)
	}
}

// Expired tokens do not push live ones out.
func TestExpiredPersonalTokensGoFirst(t *testing.T) {
	h, up, _ := withUpstream(t)
	up.knows("ada", ada)
	first, err := h.golem("ada")
	if err != nil {
		t.Fatal(err)
	}
	for range 99 {
		if _, err := h.MintPersonalToken(t.Context(), authority.AccountCall{Bearer: first.Secret, Expires: h.clock.now().Add(time.Minute)}); err != nil {
			t.Fatal(err)
		}
	}
	h.clock.move(2 * time.Minute)
	if _, err := h.golem("ada"); err != nil || !h.active(first.Secret) {
		t.Errorf("the only live token went for the sake of dead ones: %v", err)
	}
}

// The realm's root can be seen and ended like any key, and with it what it sealed.
func TestRevokeTheRoot(t *testing.T) {
	h, up, _ := withUpstream(t)
	up.knows("ada", ada)
	step, state := h.mustStep("ada@corp.example"), h.start()
	keys, err := h.Keys(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	root := keys[len(keys)-1]
	if root.State != "sealing" || !strings.HasPrefix(root.Alg, "HKDF") {
		t.Fatalf("%+v", keys)
	}
	if err := h.RevokeKey(t.Context(), "", root.ID); err != nil {
		t.Fatal(err)
	}
	_, err = h.openSession(step.Token, "")
	mustBe(t, err, authority.StepInvalid)
	_, err = h.finish(state, "ada")
	mustBe(t, err, authority.StateInvalid)
	if _, err := h.finish(h.start(), "ada"); err != nil {
		t.Error(err)
	}
	mustBe(t, h.RevokeKey(t.Context(), "", root.ID), authority.NotFound)
}
