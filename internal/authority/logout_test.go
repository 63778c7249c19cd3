package authority_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

func TestLogout(t *testing.T) {
	h := open(t, withUsers(func(r *authority.Realm) {
		r.Clients = append(r.Clients, authority.Client{ID: "portal", Secrets: r.Clients[0].Secrets, Grants: []string{"password", "refresh_token"}})
	}))
	login := func(client string) authority.TokenGrant {
		t.Helper()
		g, err := h.Login(t.Context(), authority.LoginRequest{Client: client, Username: "ada", Password: "ada's password"})
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	ends := func(g authority.TokenGrant, q authority.LogoutRequest) {
		t.Helper()
		if q.RefreshToken == "" {
			q.RefreshToken = g.RefreshToken
		}
		for range 2 { // the second one finds nothing to end, and that is no error
			if err := h.Logout(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
		if h.active(g.AccessToken) {
			t.Error("the access token outlived its session")
		}
	}
	ends(login(""), authority.LogoutRequest{})
	ends(login(""), authority.LogoutRequest{Client: authority.ClientAuth{ID: "gatehouse"}})
	// A user knows no secret of the client that he logged in through.
	ends(login("portal"), authority.LogoutRequest{LoginClient: "portal"})
	ends(login("portal"), authority.LogoutRequest{Client: auth("portal", "app-new"), LoginClient: "portal"})
	if got := h.told.heard("revoke"); got != 4 {
		t.Errorf("%d logouts were recorded", got)
	}

	// A spent refresh token names its session too.
	g := login("")
	next, err := h.refresh(g.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	ends(next, authority.LogoutRequest{RefreshToken: g.RefreshToken})
}

// Attack: end somebody else's session, or learn whether there is one.
func TestLogoutRefusals(t *testing.T) {
	h := open(t, withUsers(func(r *authority.Realm) {
		r.Clients = append(r.Clients, authority.Client{ID: "portal", Secrets: r.Clients[0].Secrets, Grants: []string{"password"}})
	}))
	user := h.mustLogin()
	own, err := h.Token(t.Context(), authority.TokenRequest{Client: auth("app", "app-new"), GrantType: "client_credentials", WithRefresh: true})
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		q    authority.LogoutRequest
		want authority.Kind
	}{
		"another realm":            {authority.LogoutRequest{Realm: "nowhere", RefreshToken: user.RefreshToken}, authority.RealmUnknown},
		"a wrong secret":           {authority.LogoutRequest{Client: auth("app", "wrong"), RefreshToken: own.RefreshToken}, authority.ClientUnauthenticated},
		"no secret":                {authority.LogoutRequest{Client: authority.ClientAuth{ID: "app"}, RefreshToken: own.RefreshToken}, authority.ClientUnauthenticated},
		"a secret of nobody":       {authority.LogoutRequest{Client: authority.ClientAuth{Secret: "app-new"}, RefreshToken: own.RefreshToken}, authority.ClientUnauthenticated},
		"a client's, by nobody":    {authority.LogoutRequest{RefreshToken: own.RefreshToken}, authority.ClientForbidden},
		"a user's, by a client":    {authority.LogoutRequest{Client: auth("app", "app-new"), RefreshToken: user.RefreshToken}, authority.ClientForbidden},
		"a user's, another client": {authority.LogoutRequest{LoginClient: "portal", RefreshToken: user.RefreshToken}, authority.ClientForbidden},
		"logins of a client that may have none": {
			authority.LogoutRequest{LoginClient: "app", RefreshToken: own.RefreshToken}, authority.ClientForbidden},
		"an access token": {authority.LogoutRequest{RefreshToken: user.AccessToken}, authority.GrantInvalid},
		"junk":            {authority.LogoutRequest{RefreshToken: "junk"}, authority.GrantInvalid},
	} {
		if err := h.Logout(t.Context(), tc.q); err == nil || authority.KindOf(err) != tc.want {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
	if !h.active(user.AccessToken) || !h.active(own.AccessToken) {
		t.Error("a refused logout ended a session")
	}
	h.store.instead = gone
	if err := h.Logout(t.Context(), authority.LogoutRequest{RefreshToken: user.RefreshToken}); authority.KindOf(err) != authority.Unavailable {
		t.Errorf("without a store: %v", err)
	}
}

func (h *house) ask(address string, q authority.TokenQuery) (authority.Introspection, error) {
	h.t.Helper()
	return h.Introspect(authority.WithCaller(h.t.Context(), authority.Caller{Address: address}), q)
}

func TestAnonymousIntrospection(t *testing.T) {
	realms := withUsers(nil)
	other := demo()[0]
	other.ID, other.Name, other.Issuer = "0d8a9f0e-8a53-4d8e-9a5e-5e4a3c2b1a01", "other", "https://other.example.com"
	h := open(t, append(realms, other))
	user := h.mustLogin()
	in, err := h.ask("192.0.2.9", authority.TokenQuery{Token: user.AccessToken, Anonymous: true})
	if err != nil || !in.Active || in.Principal.Username != "ada" || in.Address != adaAddress {
		t.Errorf("%v %+v", err, in)
	}
	for name, q := range map[string]authority.TokenQuery{
		"of another realm": {Realm: "other", Token: user.AccessToken, Anonymous: true},
		"a refresh token":  {Token: user.RefreshToken, Anonymous: true},
		"junk":             {Token: "junk", Anonymous: true},
	} {
		if in, err := h.ask("192.0.2.9", q); err != nil || in != (authority.Introspection{}) {
			t.Errorf("%s: %v %+v", name, err, in)
		}
	}
	// Who brings credentials is judged by them, and nobody is anonymous unasked.
	for name, q := range map[string]authority.TokenQuery{
		"a wrong secret":   {Token: user.AccessToken, Anonymous: true, Client: auth("app", "wrong")},
		"an id alone":      {Token: user.AccessToken, Anonymous: true, Client: authority.ClientAuth{ID: "app"}},
		"a public client":  {Token: user.AccessToken, Anonymous: true, Client: authority.ClientAuth{ID: "page"}},
		"nobody, unasked":  {Token: user.AccessToken},
		"a secret, no one": {Token: user.AccessToken, Anonymous: true, Client: authority.ClientAuth{Secret: "x"}},
	} {
		if _, err := h.ask("192.0.2.9", q); authority.KindOf(err) != authority.ClientUnauthenticated {
			t.Errorf("%s: %v", name, err)
		}
	}
	if in, err := h.ask("192.0.2.9", authority.TokenQuery{Token: user.AccessToken, Anonymous: true, Client: auth("app", "app-new")}); err != nil || in.Active {
		t.Errorf("a client is told of another's token: %v %+v", err, in)
	}
	if _, err := h.ask("", authority.TokenQuery{Realm: "nowhere", Anonymous: true}); authority.KindOf(err) != authority.RealmUnknown {
		t.Errorf("unknown realm: %v", err)
	}
	h.store.instead = gone
	if _, err := h.ask("192.0.2.9", authority.TokenQuery{Token: user.AccessToken, Anonymous: true}); authority.KindOf(err) != authority.Unavailable {
		t.Errorf("without a store: %v", err)
	}
}

// Attack: try tokens where nobody asks who tries them.
func TestAnonymousIntrospectionIsLimited(t *testing.T) {
	h := open(t, withUsers(nil))
	g := h.mustLogin()
	ask := func(address string) error {
		_, err := h.ask(address, authority.TokenQuery{Token: "junk", Anonymous: true})
		return err
	}
	for i := range 600 {
		if err := ask(fmt.Sprintf("2001:db8::%x", i+1)); err != nil {
			t.Fatalf("question %d: %v", i, err)
		}
	}
	for range 3 {
		err := ask("2001:db8::ffff")
		if e, ok := err.(*authority.Error); !ok || e.Kind != authority.Throttled || e.RetryAfter <= 0 || e.RetryAfter > time.Minute {
			t.Fatalf("%v", err)
		}
	}
	if h.told.heard("throttle") != 3 {
		t.Errorf("%d throttles were recorded", h.told.heard("throttle"))
	}
	if err := ask("2001:db8:0:1::1"); err != nil {
		t.Errorf("a neighbour: %v", err)
	}
	if _, err := h.ask("2001:db8::1", authority.TokenQuery{Token: g.AccessToken, Client: auth("auditor", "auditor")}); err != nil {
		t.Errorf("a client of that network: %v", err)
	}
	h.configure(withUsers(nil)) // a reload forgives nothing
	if err := ask("2001:db8::1"); authority.KindOf(err) != authority.Throttled {
		t.Errorf("after a reload: %v", err)
	}
	h.clock.move(time.Minute)
	if err := ask("2001:db8::1"); err != nil {
		t.Errorf("a minute later: %v", err)
	}
}

func TestIntrospectionTellsWhereASessionBegan(t *testing.T) {
	h := open(t, withUsers(nil))
	ctx := authority.WithCaller(t.Context(), authority.Caller{Address: "192.0.2.77"})
	g, err := h.Token(ctx, authority.TokenRequest{Client: auth("app", "app-new"), GrantType: "client_credentials", WithRefresh: true})
	if err != nil {
		t.Fatal(err)
	}
	for token, want := range map[string]string{g.AccessToken: "192.0.2.77", h.issue(): ""} {
		in, err := h.ask("192.0.2.9", authority.TokenQuery{Token: token, Client: auth("app", "app-new")})
		if err != nil || !in.Active || in.Address != want {
			t.Errorf("%v %+v, want %q", err, in, want)
		}
	}
}
