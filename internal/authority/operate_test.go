package authority_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

func (h *house) keyStates() string {
	h.t.Helper()
	keys, err := h.Keys(h.t.Context(), "demo")
	if err != nil {
		h.t.Fatal(err)
	}
	states := make([]string, 0, len(keys))
	for _, k := range keys {
		states = append(states, k.State)
	}
	return strings.Join(states, " ")
}

// kidOf is the key that a token says it was signed with.
func (h *house) kidOf(raw string) string {
	h.t.Helper()
	p, err := h.verify(raw)
	if err != nil {
		h.t.Fatal(err)
	}
	return p.KeyID
}

// The next key is published before it signs, the last one until its tokens are dead.
func TestRotation(t *testing.T) {
	h := open(t, demo())
	first := h.kidOf(h.issue())
	if made, err := h.RotateKeys(t.Context(), "demo"); !made || err != nil {
		t.Fatal(made, err)
	}
	if made, err := h.RotateKeys(t.Context(), "demo"); made || err != nil {
		t.Errorf("a second next key: %v %v", made, err)
	}
	if got := h.keyStates(); got != "signing next" {
		t.Errorf("keys are %s", got)
	}
	set, err := h.PublicKeys(t.Context(), "demo")
	if err != nil || strings.Count(string(set), `"kid"`) != 2 {
		t.Errorf("published: %s %v", set, err)
	}
	h.clock.move(10*time.Minute - time.Second)
	last := h.issue()
	if h.kidOf(last) != first {
		t.Error("the next key signs before its time")
	}
	h.clock.move(time.Second)
	if h.kidOf(h.issue()) == first || !h.active(last) {
		t.Error("the next key does not sign, or the last one's tokens died with it")
	}
	if got := h.keyStates(); got != "verifying signing" {
		t.Errorf("keys are %s", got)
	}
	h.clock.move(authority.MaxAccessLife)
	set, err = h.PublicKeys(t.Context(), "demo")
	if err != nil || strings.Contains(string(set), first) {
		t.Errorf("the last key is published when its tokens are dead: %s %v", set, err)
	}
}

// Keys rotate by age: the next one is published a day before the ninetieth.
func TestRotationByAge(t *testing.T) {
	h := open(t, demo())
	for _, c := range []struct {
		move time.Duration
		want string
	}{
		{0, "signing"}, {88 * 24 * time.Hour, "signing"}, {24 * time.Hour, "signing next"}, {23 * time.Hour, "signing next"},
		{time.Hour, "verifying signing"}, {24 * time.Hour, "signing"},
	} {
		h.clock.move(c.move)
		if err := h.Maintain(t.Context()); err != nil {
			t.Fatal(err)
		}
		// A later process sees the same keys.
		h.keys = authority.NewKeyring(h.store, token.New(), h.clock.now)
		h.configure(demo())
		if got := h.keyStates(); got != c.want {
			t.Errorf("after another %s the keys are %q, want %q", c.move, got, c.want)
		}
	}
}

// A clock that is set back makes no new key and kills no token.
func TestClockSetBack(t *testing.T) {
	h := open(t, withUsers(nil))
	own, login := h.issue(), h.mustLogin()
	for _, step := range []time.Duration{-time.Minute, -time.Hour, 2 * time.Minute} {
		h.clock.move(step)
		fresh := h.issue()
		if !h.active(own) || !h.active(fresh) || !h.active(login.AccessToken) || h.kidOf(fresh) != h.kidOf(own) {
			t.Errorf("after a step of %s", step)
		}
		if got := h.keyStates(); got != "signing" {
			t.Errorf("after a step of %s the keys are %q", step, got)
		}
	}
	if g, err := h.refresh(login.RefreshToken); err != nil || !h.active(g.AccessToken) {
		t.Errorf("refresh: %v", err)
	}
	h.clock.move(2 * time.Hour)
	if h.active(own) || h.active(login.AccessToken) {
		t.Error("alive after their time")
	}
}

// A change of keys that fails takes nothing from those who only verify, and makes
// nobody wait.
func TestVerifyingNeedsNoWriting(t *testing.T) {
	h := open(t, demo())
	raw := h.issue()
	h.store.writes = gone
	for range 3 {
		if err := h.RevokeKey(t.Context(), "demo", "nobody's"); authority.KindOf(err) != authority.Unavailable {
			t.Fatal(err)
		}
		if !h.active(raw) {
			t.Error("a good token is refused")
		}
		if _, err := h.PublicKeys(t.Context(), "demo"); err != nil {
			t.Error(err)
		}
	}
}

// Keys that are revoked at the same time are all gone afterwards, in memory too.
func TestRevokeKeysAtOnce(t *testing.T) {
	for range 20 {
		h := open(t, demo())
		for _, alg := range []string{"EdDSA", "ES256", "EdDSA", "ES256"} {
			changed := demo()
			changed[0].SigningAlg = alg
			h.configure(changed)
			h.issue()
			if _, err := h.RotateKeys(t.Context(), "demo"); err != nil {
				t.Fatal(err)
			}
			h.clock.move(11 * time.Minute)
		}
		keys, err := h.Keys(t.Context(), "demo")
		if err != nil || len(keys) < 4 {
			t.Fatal(len(keys), err)
		}
		var wg sync.WaitGroup
		for _, k := range keys {
			wg.Go(func() {
				if err := h.RevokeKey(t.Context(), "demo", k.ID); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		after, err := h.Keys(t.Context(), "demo")
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range after {
			if k.State != "revoked" && slices.ContainsFunc(keys, func(old authority.KeyFacts) bool { return old.ID == k.ID }) {
				t.Fatalf("key %s was revoked and is %s", k.ID, k.State)
			}
		}
	}
}

// A configuration that never serves leaves the keys as they are; one that serves
// retires those of an algorithm that nobody signs with.
func TestAnotherAlgorithm(t *testing.T) {
	h := open(t, demo())
	old := h.issue()
	changed := demo()
	changed[0].SigningAlg = "EdDSA"
	h.configure(changed)
	if set, err := h.PublicKeys(t.Context(), "demo"); err != nil || strings.Count(string(set), `"kid"`) != 1 {
		t.Errorf("starting made a key: %s %v", set, err)
	}
	h.clock.move(time.Second)
	fresh := h.issue()
	if err := h.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !h.active(old) || !h.active(fresh) || h.keyStates() != "verifying signing" {
		t.Errorf("keys are %s", h.keyStates())
	}
	h.clock.move(authority.MaxAccessLife)
	if got := h.keyStates(); got != "signing" {
		t.Errorf("a day later the keys are %s", got)
	}
}

// The key whose successor was revoked before it began signs on.
func TestRevokeNextKey(t *testing.T) {
	h := open(t, demo())
	first := h.kidOf(h.issue())
	h.clock.move(time.Second)
	if _, err := h.RotateKeys(t.Context(), "demo"); err != nil {
		t.Fatal(err)
	}
	keys, _ := h.Keys(t.Context(), "demo")
	if err := h.RevokeKey(t.Context(), "demo", keys[1].ID); err != nil {
		t.Fatal(err)
	}
	h.clock.move(time.Hour)
	if h.kidOf(h.issue()) != first || h.keyStates() != "signing revoked" {
		t.Errorf("keys are %s", h.keyStates())
	}
}

// A leaked key is ended with all that it signed, and another one signs at once.
func TestRevokeKey(t *testing.T) {
	h := open(t, demo())
	raw := h.issue()
	kid := h.kidOf(raw)
	if err := h.RevokeKey(t.Context(), "demo", "nobody's"); authority.KindOf(err) != authority.NotFound {
		t.Errorf("an unknown key: %v", err)
	}
	if err := h.RevokeKey(t.Context(), "demo", kid); err != nil {
		t.Fatal(err)
	}
	if h.active(raw) || !slices.Contains(h.told.ended, authority.Tag{Kind: authority.TagKey, Realm: h.realm[0].ID, ID: kid}) {
		t.Error("its tokens live on")
	}
	if h.kidOf(h.issue()) == kid || h.keyStates() != "revoked signing" {
		t.Errorf("keys are %s", h.keyStates())
	}
	set, err := h.PublicKeys(t.Context(), "demo")
	if err != nil || strings.Contains(string(set), kid) {
		t.Errorf("the revoked key is published: %s %v", set, err)
	}
	h.store.instead = gone
	if err := h.RevokeKey(t.Context(), "demo", kid); authority.KindOf(err) != authority.Unavailable {
		t.Errorf("without the store: %v", err)
	}
}

func TestOperatorsEndings(t *testing.T) {
	h := open(t, withUsers(nil))
	g, own := h.mustLogin(), h.issue()
	list, err := h.Sessions(t.Context(), "demo", "ada")
	if err != nil || len(list) != 1 || list[0].ID != g.Session || list[0].Username != "ada" || list[0].Address != adaAddress || list[0].Client != authority.FirstParty {
		t.Errorf("%v %+v", err, list)
	}
	if list, err := h.Sessions(t.Context(), "demo", "bob"); err != nil || len(list) != 0 {
		t.Errorf("bob's: %v %+v", err, list)
	}
	if _, err := h.Sessions(t.Context(), "demo", "eve"); authority.KindOf(err) != authority.NotFound {
		t.Errorf("nobody's: %v", err)
	}
	if err := h.EndToken(t.Context(), "demo", own); err != nil || h.active(own) {
		t.Errorf("a client's token: %v", err)
	}
	if err := h.EndToken(t.Context(), "demo", "junk"); authority.KindOf(err) != authority.NotFound {
		t.Errorf("junk: %v", err)
	}
	byID := h.issue()
	p, _ := h.verify(byID)
	if err := h.EndTokenID(t.Context(), "demo", p.TokenID); err != nil || h.active(byID) {
		t.Errorf("by its id: %v", err)
	}
	if err := h.EndToken(t.Context(), "demo", g.RefreshToken); err != nil || h.active(g.AccessToken) {
		t.Errorf("a refresh token: %v", err)
	}
	if err := h.EndSession(t.Context(), "demo", g.Session); authority.KindOf(err) != authority.NotFound {
		t.Errorf("a session that has ended: %v", err)
	}
	plain, hash := authority.NewClientSecret()
	if len(plain) < 40 || !strings.HasPrefix(hash, "sha256:") {
		t.Errorf("%q %q", plain, hash)
	}
}
