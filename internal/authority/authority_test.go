package authority_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/store/sqlite"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// house is an Authority over a real store and real tokens, with a clock that the
// test moves and ears for what it tells.
type house struct {
	*authority.Authority
	t     *testing.T
	store *brittle
	clock *clock
	told  *ears
	realm []authority.Realm
	keys  *authority.Keyring

	throttle *authority.Throttle
	devices  *authority.Devices
}

type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

type ears struct {
	mu     sync.Mutex
	ended  []authority.Tag
	events []authority.Event
}

func (e *ears) End(tags ...authority.Tag) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ended = append(e.ended, tags...)
}

func (e *ears) Record(_ context.Context, ev authority.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.events = append(e.events, ev)
}

func (e *ears) heard(name string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for _, ev := range e.events {
		if ev.Name == name {
			n++
		}
	}
	return n
}

// brittle is a store that fails on request, after the commit or instead of it.
type brittle struct {
	authority.Store
	after, instead error
	writes         error // instead of an Update only
}

func (b *brittle) Update(ctx context.Context, fn func(authority.Tx) error) error {
	if b.instead != nil {
		return b.instead
	}
	if b.writes != nil {
		return b.writes
	}
	if err := b.Store.Update(ctx, fn); err != nil {
		return err
	}
	return b.after
}

func (b *brittle) View(ctx context.Context, fn func(authority.Tx) error) error {
	if b.instead != nil {
		return b.instead
	}
	return b.Store.View(ctx, fn)
}

var gone = &authority.Error{Kind: authority.Unavailable, Op: "test", Err: errors.New("the disk is gone")}

func demo() []authority.Realm {
	return []authority.Realm{{
		ID: "0d8a9f0e-8a53-4d8e-9a5e-5e4a3c2b1a00", Name: "demo", Issuer: "https://auth.example.com", SigningAlg: "ES256", AccessLife: 5 * time.Minute,
		Clients: []authority.Client{
			{ID: "app", Subject: "sub-app", Secrets: []secret.Digest{secret.DigestOf("app-old"), secret.DigestOf("app-new")},
				Grants: []string{"client_credentials"}, Scopes: []string{"read", "write"}, Audience: []string{"https://api/", "https://files/"}, Roles: authority.ListOf("reader")},
			{ID: "api", Subject: "sub-api", Secrets: []secret.Digest{secret.DigestOf("api")}},
			{ID: "auditor", Subject: "sub-auditor", Secrets: []secret.Digest{secret.DigestOf("auditor")}, IntrospectAny: true},
			{ID: "off", Subject: "sub-off", Secrets: []secret.Digest{secret.DigestOf("off")}, Grants: []string{"client_credentials"}, Disabled: true},
			{ID: "page", Subject: "sub-page", Grants: []string{"client_credentials"}},
		},
		Resources: []authority.Resource{{URL: "https://api/", Client: "api"}},
	}}
}

func open(t *testing.T, realms []authority.Realm) *house {
	t.Helper()
	c := &clock{at: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "test.db"), sqlite.Options{Clock: c.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	h := &house{t: t, store: &brittle{Store: store}, clock: c, told: &ears{}}
	h.keys = authority.NewKeyring(h.store, token.New(), h.clock.now)
	h.throttle = authority.NewThrottle(c.now)
	h.devices = authority.NewDevices(c.now, func() bool { return false })
	h.configure(realms)
	return h
}

// configure puts another configuration over the same state, as a reload does.
func (h *house) configure(realms []authority.Realm) {
	h.t.Helper()
	a, err := authority.New(authority.Options{Store: h.store, Keys: h.keys, Throttle: h.throttle, Devices: h.devices, Forms: token.New(), Endings: h.told, Audit: h.told, Clock: h.clock.now, Realms: realms})
	if err != nil {
		h.t.Fatal(err)
	}
	if err := a.Start(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	h.Authority, h.realm = a, realms
}

func auth(id, secret string) authority.ClientAuth {
	return authority.ClientAuth{Method: authority.AuthBasic, ID: id, Secret: secret}
}

func (h *house) issue(resources ...string) string {
	h.t.Helper()
	g, err := h.Token(h.t.Context(), authority.TokenRequest{Client: auth("app", "app-new"), GrantType: "client_credentials", Resources: resources})
	if err != nil {
		h.t.Fatal(err)
	}
	return g.AccessToken
}

func (h *house) verify(raw string) (authority.Principal, error) {
	h.t.Helper()
	v, err := h.Verifier("demo")
	if err != nil {
		h.t.Fatal(err)
	}
	return v.Verify(h.t.Context(), raw)
}

// active reports whether a token is good, and fails the test on any other answer
// than yes or no.
func (h *house) active(raw string) bool {
	h.t.Helper()
	_, err := h.verify(raw)
	if err != nil && authority.KindOf(err) != authority.TokenInvalid {
		h.t.Fatal(err)
	}
	return err == nil
}

func TestTokenRefusals(t *testing.T) {
	h := open(t, demo())
	for _, c := range []struct {
		name string
		q    authority.TokenRequest
		want authority.Kind
	}{
		{"unknown realm", authority.TokenRequest{Realm: "nowhere", Client: auth("app", "app-new"), GrantType: "client_credentials"}, authority.RealmUnknown},
		{"nobody", authority.TokenRequest{GrantType: "client_credentials"}, authority.ClientUnauthenticated},
		{"unknown client", authority.TokenRequest{Client: auth("nobody", "app-new"), GrantType: "client_credentials"}, authority.ClientUnauthenticated},
		{"unknown client without a secret", authority.TokenRequest{Client: auth("nobody", ""), GrantType: "client_credentials"}, authority.ClientUnauthenticated},
		{"wrong secret", authority.TokenRequest{Client: auth("app", "app-NEW"), GrantType: "client_credentials"}, authority.ClientUnauthenticated},
		{"no secret", authority.TokenRequest{Client: authority.ClientAuth{ID: "app"}, GrantType: "client_credentials"}, authority.ClientUnauthenticated},
		{"disabled client", authority.TokenRequest{Client: auth("off", "off"), GrantType: "client_credentials"}, authority.ClientUnauthenticated},
		{"public client with a secret", authority.TokenRequest{Client: auth("page", "x"), GrantType: "client_credentials"}, authority.ClientUnauthenticated},
		{"public client with an empty Basic secret", authority.TokenRequest{Client: auth("page", ""), GrantType: "client_credentials"}, authority.ClientUnauthenticated},
		{"public client", authority.TokenRequest{Client: authority.ClientAuth{ID: "page"}, GrantType: "client_credentials"}, authority.ClientForbidden},
		{"client without the grant", authority.TokenRequest{Client: auth("api", "api"), GrantType: "client_credentials"}, authority.ClientForbidden},
		{"unknown grant", authority.TokenRequest{Client: auth("app", "app-old"), GrantType: "urn:unknown"}, authority.GrantUnsupported},
		{"password at the token endpoint", authority.TokenRequest{Client: auth("app", "app-old"), GrantType: "password"}, authority.GrantUnsupported},
		{"scope it may not have", authority.TokenRequest{Client: auth("app", "app-old"), GrantType: "client_credentials", Scope: "read admin"}, authority.ScopeInvalid},
		{"scope with two spaces", authority.TokenRequest{Client: auth("app", "app-old"), GrantType: "client_credentials", Scope: "read  write"}, authority.ScopeInvalid},
		{"resource it may not have", authority.TokenRequest{Client: auth("app", "app-old"), GrantType: "client_credentials", Resources: []string{"https://api/", "https://other/"}}, authority.TargetInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := h.told.heard("refuse")
			_, err := h.Token(t.Context(), c.q)
			if err == nil || authority.KindOf(err) != c.want {
				t.Errorf("%v, want %v", err, c.want)
			}
			if h.told.heard("refuse") != before+1 {
				t.Error("the audit log did not hear of it once")
			}
		})
	}
}

// The facts of a token, in both forms, by either of two secrets and by name or UUID.
func TestTokenFacts(t *testing.T) {
	for _, opaque := range []bool{false, true} {
		realms := demo()
		realms[0].Opaque = opaque
		h := open(t, realms)
		for _, realm := range []string{"", "demo", realms[0].ID} {
			for _, s := range []string{"app-old", "app-new"} {
				g, err := h.Token(t.Context(), authority.TokenRequest{Realm: realm, Client: auth("app", s), GrantType: "client_credentials", Scope: "write", Resources: []string{"https://api/"}})
				if err != nil {
					t.Fatal(err)
				}
				if g.ExpiresIn != 5*time.Minute || g.Scope != "write" || strings.HasPrefix(g.AccessToken, "gateat_") != opaque {
					t.Errorf("%+v", g)
				}
				p, err := h.verify(g.AccessToken)
				if err != nil {
					t.Fatal(err)
				}
				if p.TokenID == "" || (p.KeyID == "") != opaque {
					t.Errorf("token id %q, key id %q", p.TokenID, p.KeyID)
				}
				p.TokenID, p.KeyID = "", ""
				now := h.clock.now().Unix()
				want := authority.Principal{
					Source: "demo", Realm: realms[0].ID, Issuer: "https://auth.example.com", Subject: "sub-app", Client: "app", Username: "service-account-app",
					Kind: authority.KindAccess, Scopes: authority.ListOf("write"), Roles: authority.ListOf("reader"), Audience: authority.ListOf("https://api/"),
					IssuedAt: now, Expires: now + 300,
				}
				if p != want {
					t.Errorf("got  %+v\nwant %+v", p, want)
				}
			}
		}
	}
}

// A token dies at its time to the second, when it is revoked, and when its client
// loses what the token hangs on.
func TestTokenEnds(t *testing.T) {
	for _, opaque := range []bool{false, true} {
		realms := demo()
		realms[0].Opaque = opaque
		h := open(t, realms)
		raw := h.issue()
		h.clock.move(5*time.Minute - time.Second)
		if !h.active(raw) {
			t.Error("dead before its time")
		}
		h.clock.move(time.Second)
		if h.active(raw) {
			t.Error("alive after its time")
		}

		raw = h.issue("https://files/")
		change := func(f func(c *authority.Client)) {
			changed := demo()
			changed[0].Opaque = opaque
			f(&changed[0].Clients[0])
			h.configure(changed)
		}
		for name, f := range map[string]func(c *authority.Client){
			"disabled":             func(c *authority.Client) { c.Disabled = true },
			"removed":              func(c *authority.Client) { c.ID = "renamed" },
			"without the audience": func(c *authority.Client) { c.Audience = c.Audience[:1] },
		} {
			change(f)
			if h.active(raw) {
				t.Errorf("alive though its client is %s", name)
			}
		}
		change(func(c *authority.Client) { c.Scopes, c.Roles = []string{"read"}, authority.ListOf("writer") })
		p, err := h.verify(raw)
		if err != nil || p.Scopes != authority.ListOf("read") || p.Roles != authority.ListOf("writer") {
			t.Errorf("a narrowed client's token: %v %+v", err, p)
		}

		q := authority.TokenQuery{Client: auth("app", "app-new"), Token: raw}
		for range 2 { // a second time is no error
			if err := h.Revoke(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
		if h.active(raw) {
			t.Error("alive though it was revoked")
		}
		if !slices.ContainsFunc(h.told.ended, func(tag authority.Tag) bool { return tag.Kind == authority.TagToken }) {
			t.Error("the cache was not told")
		}
	}
}

func TestRevokeIsForTheTokensOwnClient(t *testing.T) {
	for _, opaque := range []bool{false, true} {
		realms := demo()
		realms[0].Opaque = opaque
		h := open(t, realms)
		raw := h.issue()
		err := h.Revoke(t.Context(), authority.TokenQuery{Client: auth("auditor", "auditor"), Token: raw})
		if authority.KindOf(err) != authority.ClientForbidden || !h.active(raw) {
			t.Errorf("another client's revocation: %v", err)
		}
		err = h.Revoke(t.Context(), authority.TokenQuery{Token: raw})
		if authority.KindOf(err) != authority.ClientUnauthenticated || !h.active(raw) {
			t.Errorf("nobody's revocation: %v", err)
		}
		if err := h.Revoke(t.Context(), authority.TokenQuery{Client: auth("app", "app-new"), Token: "junk"}); err != nil {
			t.Errorf("junk: %v; RFC 7009 §2.2 wants no error", err)
		}
	}
}

// Attack 104: a store that fails during a revocation is not answered as done, and
// what nobody can know is treated as ended.
func TestRevokeWhenTheStoreFails(t *testing.T) {
	h := open(t, demo())
	raw := h.issue()
	q := authority.TokenQuery{Client: auth("app", "app-new"), Token: raw}
	h.store.instead = gone
	if err := h.Revoke(t.Context(), q); authority.KindOf(err) != authority.Unavailable {
		t.Errorf("%v", err)
	}
	h.store.instead, h.store.after = nil, gone
	before := len(h.told.ended)
	if err := h.Revoke(t.Context(), q); authority.KindOf(err) != authority.Unavailable {
		t.Errorf("%v", err)
	}
	if len(h.told.ended) == before {
		t.Error("the outcome is unknown and the verdicts were left alive")
	}
	h.store.after = nil
	if h.active(raw) {
		t.Error("the commit had happened, the token lives")
	}
}

// Attack 59: a client learns nothing of a token that is not for it.
func TestIntrospectTellsWhoMayKnow(t *testing.T) {
	h := open(t, demo())
	own, forAPI := h.issue(), h.issue("https://api/")
	for _, c := range []struct {
		name, client, secret, token string
		active                      bool
		kind                        authority.Kind
	}{
		{"its own", "app", "app-old", own, true, 0},
		{"for its resource", "api", "api", forAPI, true, 0},
		{"not for it", "api", "api", own, false, 0},
		{"any", "auditor", "auditor", own, true, 0},
		{"junk", "auditor", "auditor", "junk", false, 0},
		{"a public client", "page", "", own, false, authority.ClientUnauthenticated},
		{"a disabled client", "off", "off", own, false, authority.ClientUnauthenticated},
		{"nobody", "", "", own, false, authority.ClientUnauthenticated},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := auth(c.client, c.secret)
			if c.secret == "" {
				a.Method = authority.AuthNone
			}
			got, err := h.Introspect(t.Context(), authority.TokenQuery{Client: a, Token: c.token})
			if (err != nil) != (c.kind != 0) || (err != nil && authority.KindOf(err) != c.kind) {
				t.Fatal(err)
			}
			if got.Active != c.active || (!got.Active && got != authority.Introspection{}) {
				t.Errorf("%+v", got)
			}
		})
	}
}

// Keys are made once however many ask at once; another algorithm gets a key of its
// own, and the tokens of the old one live on.
func TestKeysAreMadeOnceAndKept(t *testing.T) {
	h := open(t, demo())
	var wg sync.WaitGroup
	sets := make([]string, 16)
	for i := range sets {
		wg.Go(func() {
			ring := authority.NewKeyring(h.store, token.New(), h.clock.now)
			a, err := authority.New(authority.Options{Store: h.store, Keys: ring, Throttle: h.throttle, Devices: h.devices, Forms: token.New(), Endings: h.told, Audit: h.told, Clock: h.clock.now, Realms: demo()})
			if err != nil {
				t.Error(err)
				return
			}
			set, err := a.PublicKeys(t.Context(), "demo")
			if err != nil {
				t.Error(err)
			}
			sets[i] = string(set)
		})
	}
	wg.Wait()
	if len(slices.Compact(sets)) != 1 {
		t.Errorf("several key sets: %q", sets)
	}
	old := h.issue()
	for _, alg := range []string{"EdDSA", "RS256", "ES256"} {
		changed := demo()
		changed[0].SigningAlg = alg
		h.configure(changed)
		if !h.active(old) || !h.active(h.issue()) {
			t.Errorf("%s: a good token is refused", alg)
		}
		set, err := h.PublicKeys(t.Context(), "demo")
		if err != nil || !strings.Contains(string(set), `"alg":"`+alg+`"`) {
			t.Errorf("%s: %s %v", alg, set, err)
		}
	}
}

func TestUnavailableStoreIsNeverAYes(t *testing.T) {
	h := open(t, demo())
	raw := h.issue()
	h.store.instead = gone
	if _, err := h.verify(raw); authority.KindOf(err) != authority.Unavailable {
		t.Errorf("verify: %v", err)
	}
	if _, err := h.Introspect(t.Context(), authority.TokenQuery{Client: auth("app", "app-new"), Token: raw}); authority.KindOf(err) != authority.Unavailable {
		t.Errorf("introspect: %v", err)
	}
}
