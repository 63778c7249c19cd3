package authority_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/hotp"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

const (
	// adaHash is the hash of "ada's password", as cheap as the bounds allow.
	adaHash    = "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$VZH4uihk6A6glsJQ1owQ23F5hFEYBZY2FvHHQofyuDA"
	bobTOTP    = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	adaAddress = "192.0.2.1"
)

// withUsers is demo with users, and with clients that may refresh.
func withUsers(change func(r *authority.Realm)) []authority.Realm {
	realms := demo()
	r := &realms[0]
	r.RefreshLife, r.RefreshGrace, r.SessionLife = time.Hour, 10*time.Second, 24*time.Hour
	r.Clients[0].Grants = append(r.Clients[0].Grants, "refresh_token")
	r.Users = []authority.User{
		{Username: "ada", Subject: "sub-ada", PasswordHash: adaHash, Email: "ada@example.com", EmailVerified: true, Name: "Ada", Roles: authority.ListOf("staff")},
		{Username: "bob", Subject: "sub-bob", PasswordHash: adaHash, TOTPSecret: bobTOTP},
		{Username: "off", Subject: "sub-off-user", PasswordHash: adaHash, Disabled: true},
	}
	if change != nil {
		change(r)
	}
	return realms
}

func (h *house) login(address, username, password, code string) (authority.TokenGrant, error) {
	h.t.Helper()
	ctx := authority.WithCaller(h.t.Context(), authority.Caller{Address: address})
	return h.Login(ctx, authority.LoginRequest{Username: username, Password: password, Code: code})
}

func (h *house) mustLogin() authority.TokenGrant {
	h.t.Helper()
	g, err := h.login(adaAddress, "ada", "ada's password", "")
	if err != nil {
		h.t.Fatal(err)
	}
	return g
}

func (h *house) refresh(token string) (authority.TokenGrant, error) {
	h.t.Helper()
	return h.Token(h.t.Context(), authority.TokenRequest{
		Client: authority.ClientAuth{ID: authority.FirstParty}, GrantType: "refresh_token", RefreshToken: token})
}

func TestLoginFacts(t *testing.T) {
	for _, opaque := range []bool{false, true} {
		h := open(t, withUsers(func(r *authority.Realm) { r.Opaque = opaque }))
		g := h.mustLogin()
		if g.ExpiresIn != 5*time.Minute || g.RefreshExpiresIn != time.Hour || g.Scope != "openid email profile" || !strings.HasPrefix(g.RefreshToken, "gatert_") || g.Session == "" {
			t.Errorf("%+v", g)
		}
		p, err := h.verify(g.AccessToken)
		if err != nil {
			t.Fatal(err)
		}
		if p.Subject != "sub-ada" || p.Account != "sub-ada" || p.Username != "ada" || p.Email != "ada@example.com" || !p.EmailVerified || p.Name != "Ada" ||
			p.Client != authority.FirstParty || !p.Roles.Has("staff") || p.Session != g.Session || p.AuthTime != h.clock.now().Unix() {
			t.Errorf("%+v", p)
		}
		if _, err := h.verify(g.RefreshToken); authority.KindOf(err) != authority.TokenInvalid {
			t.Errorf("a refresh token passes as an access token: %v", err)
		}
	}
}

// Attacks 115 and 117: who cannot log in hears one answer, whatever the reason.
func TestLoginRefusals(t *testing.T) {
	h := open(t, withUsers(nil))
	var said string
	for i, c := range []struct{ name, username, password, code string }{
		{"wrong password", "ada", "ada's Password", ""},
		{"unknown user", "eve", "ada's password", ""},
		{"another case", "ADA", "ada's password", ""},
		{"a space", " ada", "ada's password", ""},
		{"disabled user", "off", "ada's password", ""},
		{"second factor missing", "bob", "ada's password", ""},
		{"second factor wrong", "bob", "ada's password", "000000"},
		{"empty", "", "", ""},
	} {
		_, err := h.login("192.0.2.9", c.username, c.password, c.code)
		var e *authority.Error
		if authority.KindOf(err) != authority.LoginFailed {
			t.Fatalf("%s: %v", c.name, err)
		}
		e = err.(*authority.Error)
		if i == 0 {
			said = e.Public
		}
		if e.Public != said {
			t.Errorf("%s: %q tells more than %q", c.name, e.Public, said)
		}
	}
}

// Attack 113: a step of the second factor is good once, also for many at once.
func TestSecondFactorIsSpent(t *testing.T) {
	h := open(t, withUsers(nil))
	code, err := hotp.GenerateCode(bobTOTP, uint64(h.clock.now().Unix()/30))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	good := 0
	for range 5 {
		wg.Go(func() {
			if _, err := h.login("192.0.2.9", "bob", "ada's password", code); err == nil {
				mu.Lock()
				good++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if good != 1 {
		t.Errorf("one code logged in %d times", good)
	}
	if _, ok := secret.TOTPStep(bobTOTP, code, h.clock.now().Add(2*time.Minute)); ok {
		t.Error("an old code is good")
	}
}

// A login ends when it is over, when its user or client may no longer, when the
// password changes, when its refresh token is revoked, and when somebody ends it.
func TestSessionEnds(t *testing.T) {
	for name, end := range map[string]func(h *house, g authority.TokenGrant){
		"absolute end": func(h *house, _ authority.TokenGrant) { h.clock.move(24 * time.Hour) },
		"password changed": func(h *house, _ authority.TokenGrant) {
			h.configure(withUsers(func(r *authority.Realm) { r.Users[0].PasswordHash = strings.Replace(adaHash, "t=1", "t=2", 1) }))
		},
		"second factor added": func(h *house, _ authority.TokenGrant) {
			h.configure(withUsers(func(r *authority.Realm) { r.Users[0].TOTPSecret = bobTOTP }))
		},
		"user disabled": func(h *house, _ authority.TokenGrant) {
			h.configure(withUsers(func(r *authority.Realm) { r.Users[0].Disabled = true }))
		},
		"user removed": func(h *house, _ authority.TokenGrant) {
			h.configure(withUsers(func(r *authority.Realm) { r.Users = r.Users[1:] }))
		},
		"refresh token revoked": func(h *house, g authority.TokenGrant) {
			err := h.Revoke(h.t.Context(), authority.TokenQuery{Client: authority.ClientAuth{ID: authority.FirstParty}, Token: g.RefreshToken})
			if err != nil {
				h.t.Error(err)
			}
		},
		"ended by the operator": func(h *house, g authority.TokenGrant) {
			if err := h.EndSession(h.t.Context(), "demo", g.Session); err != nil {
				h.t.Error(err)
			}
		},
	} {
		for _, opaque := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				h := open(t, withUsers(func(r *authority.Realm) { r.Opaque = opaque }))
				g := h.mustLogin()
				if !h.active(g.AccessToken) {
					t.Fatal("dead from the start")
				}
				end(h, g)
				if h.active(g.AccessToken) {
					t.Error("the access token lives on")
				}
				if _, err := h.refresh(g.RefreshToken); authority.KindOf(err) != authority.GrantInvalid {
					t.Errorf("the refresh token: %v", err)
				}
			})
		}
	}
}

// Attack 101: many at once get one successor; a repeated use within the grace gets
// the same again; one after the grace ends the family, and the audit log says so.
func TestRefreshHasOneSuccessor(t *testing.T) {
	h := open(t, withUsers(nil))
	first := h.mustLogin()
	successors := make([]authority.TokenGrant, 20)
	var wg sync.WaitGroup
	for i := range successors {
		wg.Go(func() {
			g, err := h.refresh(first.RefreshToken)
			if err != nil {
				t.Error(err)
			}
			successors[i] = g
		})
	}
	wg.Wait()
	access := map[string]bool{}
	for _, g := range successors {
		if g.RefreshToken != successors[0].RefreshToken || g.RefreshToken == first.RefreshToken || g.Session != first.Session {
			t.Fatalf("%+v and %+v", successors[0], g)
		}
		access[g.AccessToken] = true
	}
	if len(access) != len(successors) {
		t.Errorf("%d access tokens for %d uses", len(access), len(successors))
	}
	h.clock.move(9 * time.Second)
	second, err := h.refresh(successors[0].RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	// The successor is spent by now: whoever comes late gets the one that is good.
	if again, err := h.refresh(first.RefreshToken); err != nil || again.RefreshToken != second.RefreshToken {
		t.Errorf("within the grace: %v", err)
	}
	h.clock.move(2 * time.Second)
	if _, err := h.refresh(first.RefreshToken); authority.KindOf(err) != authority.GrantInvalid {
		t.Errorf("after the grace: %v", err)
	}
	if _, err := h.refresh(second.RefreshToken); authority.KindOf(err) != authority.GrantInvalid {
		t.Errorf("the family lives on: %v", err)
	}
	if h.active(second.AccessToken) || h.told.heard("reuse") != 1 {
		t.Errorf("its access token is alive: %v, reuse was told %d times", h.active(second.AccessToken), h.told.heard("reuse"))
	}
}

// A refresh token that has expired unused still leads to its session, whose access
// tokens may live; a spent one that has expired is still noticed.
func TestExpiredRefreshTokens(t *testing.T) {
	short := func(r *authority.Realm) {
		r.RefreshLife, r.RefreshGrace, r.AccessLife = time.Minute, time.Second, time.Hour
	}
	h := open(t, withUsers(short))
	g := h.mustLogin()
	h.clock.move(2 * time.Minute)
	if _, err := h.refresh(g.RefreshToken); authority.KindOf(err) != authority.GrantInvalid {
		t.Errorf("an expired refresh token: %v", err)
	}
	if !h.active(g.AccessToken) {
		t.Fatal("the access token died before its time")
	}
	if err := h.Logout(t.Context(), authority.LogoutRequest{RefreshToken: g.RefreshToken}); err != nil || h.active(g.AccessToken) {
		t.Errorf("logged out with it: %v, and the access token lives: %v", err, h.active(g.AccessToken))
	}

	first := h.mustLogin()
	last := first
	for range 3 {
		h.clock.move(30 * time.Second)
		var err error
		if last, err = h.refresh(last.RefreshToken); err != nil {
			t.Fatal(err)
		}
	}
	for _, q := range []string{"openid admin", ""} { // tried out with a scope that it never had, too
		_, err := h.Token(t.Context(), authority.TokenRequest{Client: authority.ClientAuth{ID: authority.FirstParty}, GrantType: "refresh_token", RefreshToken: first.RefreshToken, Scope: q})
		if authority.KindOf(err) != authority.GrantInvalid {
			t.Errorf("the first one, long spent: %v", err)
		}
	}
	if h.told.heard("reuse") != 1 || h.active(last.AccessToken) {
		t.Errorf("reuse was told %d times, the family lives: %v", h.told.heard("reuse"), h.active(last.AccessToken))
	}
}

// A session that nobody uses ends with its last token, not with the month.
func TestUnusedSessionEnds(t *testing.T) {
	h := open(t, withUsers(func(r *authority.Realm) { r.SessionLife = 30 * 24 * time.Hour }))
	g := h.mustLogin()
	h.clock.move(50 * time.Minute)
	if _, err := h.refresh(g.RefreshToken); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{50 * time.Minute, 1}, {20 * time.Minute, 0}} {
		h.clock.move(c.after)
		if list, err := h.Sessions(t.Context(), "demo", "ada"); err != nil || len(list) != c.want {
			t.Errorf("after another %s: %d sessions, %v", c.after, len(list), err)
		}
	}
}

// A clock that is set back does not open a grace anew, and what the configuration
// took away a refresh does not bring back.
func TestRefreshAfterChanges(t *testing.T) {
	h := open(t, withUsers(nil))
	g := h.mustLogin()
	if _, err := h.refresh(g.RefreshToken); err != nil {
		t.Fatal(err)
	}
	h.clock.move(-20 * time.Minute)
	if _, err := h.refresh(g.RefreshToken); authority.KindOf(err) != authority.GrantInvalid || h.told.heard("reuse") != 1 {
		t.Errorf("a spent token after the clock was set back: %v", err)
	}

	own, err := h.Token(t.Context(), authority.TokenRequest{Client: auth("app", "app-new"), GrantType: "client_credentials", WithRefresh: true, Resources: []string{"https://api/", "https://files/"}})
	if err != nil {
		t.Fatal(err)
	}
	h.configure(withUsers(func(r *authority.Realm) {
		r.Clients[0].Scopes, r.Clients[0].Audience = []string{"read"}, []string{"https://api/"}
	}))
	next, err := h.Token(t.Context(), authority.TokenRequest{Client: auth("app", "app-new"), GrantType: "refresh_token", RefreshToken: own.RefreshToken})
	if err != nil || next.Scope != "read" {
		t.Fatalf("%v %+v", err, next)
	}
	if p, err := h.verify(next.AccessToken); err != nil || p.Audience != authority.ListOf("https://api/") {
		t.Errorf("%v %q", err, p.Audience)
	}
	h.configure(withUsers(func(r *authority.Realm) { r.Clients[0].Audience = nil }))
	_, err = h.Token(t.Context(), authority.TokenRequest{Client: auth("app", "app-new"), GrantType: "refresh_token", RefreshToken: next.RefreshToken})
	if authority.KindOf(err) != authority.GrantInvalid {
		t.Errorf("without any audience: %v", err)
	}
}

// A fault of ours is no guess: it locks nobody out.
func TestFaultsAreNoGuesses(t *testing.T) {
	h := open(t, withUsers(nil))
	h.store.after = gone
	for range 20 {
		if _, err := h.login(adaAddress, "ada", "ada's password", ""); authority.KindOf(err) != authority.Unavailable {
			t.Fatal(err)
		}
	}
	h.store.after = nil
	h.mustLogin()
}

// Attack 102: what is not the presenter's, or more than was given, is refused before
// anything is rotated.
func TestRefreshRefusesBeforeItRotates(t *testing.T) {
	h := open(t, withUsers(nil))
	first := h.mustLogin()
	for name, c := range map[string]struct {
		q    authority.TokenRequest
		want authority.Kind
	}{
		"another client":   {authority.TokenRequest{Client: auth("app", "app-new"), RefreshToken: first.RefreshToken}, authority.GrantInvalid},
		"wider scope":      {authority.TokenRequest{Client: authority.ClientAuth{ID: authority.FirstParty}, RefreshToken: first.RefreshToken, Scope: "openid read"}, authority.ScopeInvalid},
		"another resource": {authority.TokenRequest{Client: authority.ClientAuth{ID: authority.FirstParty}, RefreshToken: first.RefreshToken, Resources: []string{"https://api/"}}, authority.TargetInvalid},
		"no grant":         {authority.TokenRequest{Client: auth("api", "api"), RefreshToken: first.RefreshToken}, authority.ClientForbidden},
		"an access token":  {authority.TokenRequest{Client: authority.ClientAuth{ID: authority.FirstParty}, RefreshToken: first.AccessToken}, authority.GrantInvalid},
		"junk":             {authority.TokenRequest{Client: authority.ClientAuth{ID: authority.FirstParty}, RefreshToken: "junk"}, authority.GrantInvalid},
	} {
		c.q.GrantType = "refresh_token"
		if _, err := h.Token(t.Context(), c.q); authority.KindOf(err) != c.want {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	g, err := h.Token(t.Context(), authority.TokenRequest{Client: authority.ClientAuth{ID: authority.FirstParty}, GrantType: "refresh_token", RefreshToken: first.RefreshToken, Scope: "email"})
	if err != nil || g.Scope != "email" {
		t.Fatalf("narrower: %v %+v", err, g)
	}
	h.clock.move(time.Hour)
	if _, err := h.refresh(g.RefreshToken); authority.KindOf(err) != authority.GrantInvalid {
		t.Errorf("an unused refresh token lives longer than it should: %v", err)
	}
}

// A client's own session, as the keycloak dialect starts it.
func TestClientSession(t *testing.T) {
	h := open(t, withUsers(nil))
	g, err := h.Token(t.Context(), authority.TokenRequest{Client: auth("app", "app-new"), GrantType: "client_credentials", WithRefresh: true, RefreshLife: 30 * time.Minute})
	if err != nil || g.RefreshToken == "" || g.Session == "" || g.RefreshExpiresIn != 30*time.Minute {
		t.Fatalf("%v %+v", err, g)
	}
	next, err := h.Token(t.Context(), authority.TokenRequest{Client: auth("app", "app-new"), GrantType: "refresh_token", RefreshToken: g.RefreshToken})
	if err != nil || next.Session != g.Session {
		t.Fatalf("%v %+v", err, next)
	}
	if p, err := h.verify(next.AccessToken); err != nil || p.Account != "" || p.Subject != "sub-app" || p.Username != "service-account-app" {
		t.Errorf("%v %+v", err, p)
	}
	h.configure(withUsers(func(r *authority.Realm) { r.Clients[0].Disabled = true }))
	if h.active(next.AccessToken) {
		t.Error("a disabled client's session lives")
	}
}
