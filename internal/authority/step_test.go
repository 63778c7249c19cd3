package authority_test

import (
	"encoding/base64"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

func (h *house) step(email, password string) (authority.StepToken, error) {
	ctx := authority.WithCaller(h.t.Context(), authority.Caller{Address: adaAddress})
	return h.StepByPassword(ctx, authority.LoginRequest{Username: email, Password: password})
}

func (h *house) mustStep(email string) authority.StepToken {
	h.t.Helper()
	s, err := h.step(email, "ada's password")
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

func (h *house) openSession(token, code string) (authority.TokenGrant, error) {
	ctx := authority.WithCaller(h.t.Context(), authority.Caller{Address: adaAddress})
	return h.OpenSession(ctx, authority.SessionRequest{Token: token, Code: code, Binding: "portal"})
}

func (h *house) code() string {
	h.t.Helper()
	code, err := totp.GenerateCode(bobTOTP, h.clock.now())
	if err != nil {
		h.t.Fatal(err)
	}
	return code
}

func TestLoginInTwoSteps(t *testing.T) {
	h, up, _ := withUpstream(t)
	up.knows("ada", ada)
	s := h.mustStep("ADA@corp.example") // case does not count
	if s.SecondFactor || strings.Count(s.Token, ".") != 2 {
		t.Fatalf("%+v", s)
	}
	g, err := h.openSession(s.Token, "")
	if err != nil {
		t.Fatal(err)
	}
	p, err := h.verify(g.AccessToken)
	if err != nil || p.Account != "sub-ada" || p.Client != authority.FirstParty || p.Session != g.Session {
		t.Fatalf("%+v, %v", p, err)
	}
	for name, raw := range map[string]string{"access": g.AccessToken, "refresh": g.RefreshToken} {
		body, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[1])
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"access": `"userId":"sub-ada"`, "refresh": `"exp":`}[name]
		if !strings.Contains(string(body), want) {
			t.Errorf("the %s token lacks %s: %s", name, want, body)
		}
	}
	// Worthless anywhere else, as the refresh token is.
	for name, raw := range map[string]string{"step": s.Token, "refresh": g.RefreshToken} {
		if h.active(raw) {
			t.Errorf("the %s token passes a guard", name)
		}
	}
	if _, err := h.openSession(g.RefreshToken, ""); authority.KindOf(err) != authority.StepInvalid {
		t.Errorf("a refresh token opens a session: %v", err)
	}
	_, err = h.openSession(s.Token, "")
	mustBe(t, err, authority.StepInvalid) // spent
	late := h.mustStep("ada@corp.example")
	h.clock.move(5 * time.Minute)
	_, err = h.openSession(late.Token, "")
	mustBe(t, err, authority.StepInvalid)
	// By a provider's token: only who has an account.
	_, err = h.StepByUpstreamToken(t.Context(), authority.UpstreamTokenRequest{Provider: "github", AccessToken: "ada"})
	mustBe(t, err, authority.AccountUnknown)
	if err := h.LinkAccount(t.Context(), "", "ada", "github", ada.Subject); err != nil {
		t.Fatal(err)
	}
	s, err = h.StepByUpstreamToken(t.Context(), authority.UpstreamTokenRequest{Provider: "github", AccessToken: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	if g, err = h.openSession(s.Token, ""); err != nil {
		t.Fatal(err)
	}
	f, err := h.AccountOf(t.Context(), authority.AccountCall{Bearer: g.AccessToken})
	if err != nil || f.ID != "sub-ada" || f.Provider != "github" || !f.LastLogin.Equal(h.clock.now()) {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestRefreshSession(t *testing.T) {
	h, _, _ := withUpstream(t)
	g, err := h.openSession(h.mustStep("ada@corp.example").Token, "")
	if err != nil {
		t.Fatal(err)
	}
	refresh := func(raw, binding string) (authority.TokenGrant, error) {
		return h.RefreshSession(t.Context(), authority.SessionRefresh{RefreshToken: raw, Binding: binding})
	}
	_, err = refresh(g.RefreshToken, "other")
	mustBe(t, err, authority.BindingInvalid)
	_, err = h.refresh(g.RefreshToken) // at the standard endpoint, past the binding
	mustBe(t, err, authority.GrantInvalid)
	next, err := refresh(g.RefreshToken, "portal")
	if err != nil || next.RefreshToken == g.RefreshToken || next.Session != g.Session {
		t.Fatalf("%+v, %v", next, err)
	}
	same, err := refresh(g.RefreshToken, "portal") // within the grace
	if err != nil || same.RefreshToken != next.RefreshToken {
		t.Fatalf("%+v, %v", same, err)
	}
	h.clock.move(11 * time.Second)
	_, err = refresh(g.RefreshToken, "portal") // reuse ends the family
	mustBe(t, err, authority.GrantInvalid)
	_, err = refresh(next.RefreshToken, "portal")
	mustBe(t, err, authority.GrantInvalid)
	if h.active(next.AccessToken) {
		t.Error("the access token outlived its family")
	}
	_, err = refresh("a.b.c", "portal")
	mustBe(t, err, authority.GrantInvalid)
	// Revoking the refresh token by its own text ends the session too.
	if g, err = h.openSession(h.mustStep("ada@corp.example").Token, ""); err != nil {
		t.Fatal(err)
	}
	if err := h.Revoke(t.Context(), authority.TokenQuery{Client: authority.ClientAuth{ID: authority.FirstParty}, Token: g.RefreshToken}); err != nil {
		t.Fatal(err)
	}
	if h.active(g.AccessToken) {
		t.Error("revoking the refresh token left the access token alive")
	}
}

// A wrong second factor does not spend the step, five do, and beginning anew gives no
// further tries.
func TestAttackSecondFactorByRestarting(t *testing.T) {
	h, _, _ := withUpstream(t)
	s := h.mustStep("bob@corp.example")
	if !s.SecondFactor {
		t.Fatal("no second factor is asked for")
	}
	_, err := h.openSession(s.Token, "")
	mustBe(t, err, authority.SecondFactorInvalid)
	for range 4 {
		_, err = h.openSession(s.Token, "000000")
		mustBe(t, err, authority.SecondFactorInvalid)
	}
	if _, err = h.openSession(s.Token, h.code()); err != nil {
		t.Fatalf("the fifth try was right: %v", err)
	}
	h.clock.move(time.Minute)
	s = h.mustStep("bob@corp.example")
	for range 5 {
		_, err = h.openSession(s.Token, "000000")
		mustBe(t, err, authority.SecondFactorInvalid)
	}
	h.clock.move(2 * time.Second) // past the wait that the failures cost
	_, err = h.openSession(s.Token, h.code())
	mustBe(t, err, authority.StepInvalid)
	// The password is known to the guesser: it wipes no slate clean.
	throttled := 0
	for range 20 {
		s, err := h.step("bob@corp.example", "ada's password")
		if err == nil {
			_, err = h.openSession(s.Token, "000000")
		}
		if authority.KindOf(err) == authority.Throttled {
			throttled++
		}
	}
	if throttled < 15 {
		t.Errorf("only %d of 20 restarted guesses had to wait", throttled)
	}
}

// One code, one step, fifty at once: one session.
func TestAttackParallelSessions(t *testing.T) {
	h, _, _ := withUpstream(t)
	s := h.mustStep("ada@corp.example")
	var opened atomic.Int64
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			switch _, err := h.openSession(s.Token, ""); {
			case err == nil:
				opened.Add(1)
			case authority.KindOf(err) != authority.StepInvalid:
				t.Error(err)
			}
		})
	}
	group.Wait()
	if opened.Load() != 1 {
		t.Errorf("%d sessions", opened.Load())
	}
}

// What changes or ends the account between the steps ends the login.
func TestStepDiesWithItsAccount(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(u *authority.User)
		want   authority.Kind
	}{
		"another password":      {func(u *authority.User) { u.PasswordHash = strings.Replace(adaHash, "t=1", "t=2", 1) }, authority.StepInvalid},
		"another second factor": {func(u *authority.User) { u.TOTPSecret = bobTOTP }, authority.StepInvalid},
		"disabled":              {func(u *authority.User) { u.Disabled = true }, authority.AccountDisabled},
		"gone":                  {func(u *authority.User) { u.Username, u.Subject = "else", "sub-else" }, authority.StepInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			h, _, realms := withUpstream(t)
			s := h.mustStep("ada@corp.example")
			tc.change(&realms[0].Users[0])
			h.configure(realms)
			_, err := h.openSession(s.Token, "")
			mustBe(t, err, tc.want)
		})
	}
}

func TestStepByPasswordRefusals(t *testing.T) {
	h, _, _ := withUpstream(t)
	for name, tc := range map[string][2]string{
		"wrong password": {"ada@corp.example", "wrong"},
		"unknown":        {"nobody@corp.example", "ada's password"},
		"a username":     {"ada", "ada's password"},
		"empty":          {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := h.step(tc[0], tc[1])
			mustBe(t, err, authority.LoginFailed)
		})
	}
	// Counted by the address alone: what happens to a username elsewhere must not tell
	// here whose address it is, nor the other way round.
	var err error
	for range 6 {
		_, err = h.step("ada@corp.example", "wrong")
	}
	mustBe(t, err, authority.Throttled)
	if _, err = h.login(adaAddress, "ada", "ada's password", ""); err != nil {
		t.Errorf("the username is counted by failures at the address: %v", err)
	}
}

// A token of our own exchange needs no further proof; nobody else's word makes one so.
func TestExchangedTokenIsOurs(t *testing.T) {
	h, up, _ := withUpstream(t)
	if err := h.LinkAccount(t.Context(), "", "ada", "github", ada.Subject); err != nil {
		t.Fatal(err)
	}
	up.knows("secret", ada)
	up.set(func() { up.codes["c"], up.foreign["secret"] = "secret", true }) // it has no proof to offer
	byToken := func() error {
		_, err := h.StepByUpstreamToken(t.Context(), authority.UpstreamTokenRequest{Provider: "github", AccessToken: "secret"})
		return err
	}
	mustBe(t, byToken(), authority.UpstreamTokenInvalid)
	raw, err := h.ExchangeCode(t.Context(), authority.UpstreamCodeRequest{Provider: "github", Code: "c"})
	if err != nil || raw != "secret" {
		t.Fatalf("%q, %v", raw, err)
	}
	if err := byToken(); err != nil {
		t.Error(err)
	}
	h.clock.move(10 * time.Minute)
	mustBe(t, byToken(), authority.UpstreamTokenInvalid)
	_, err = h.ExchangeCode(t.Context(), authority.UpstreamCodeRequest{Provider: "github", Code: "c"})
	mustBe(t, err, authority.UpstreamCodeInvalid)
}
