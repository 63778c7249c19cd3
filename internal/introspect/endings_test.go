package introspect

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

func tagOf(kind authority.TagKind, id string) authority.Tag {
	return authority.Tag{Kind: kind, Realm: testRealm, ID: id}
}

// Attacks 64 and 65: a session is ended, an account or a client disabled, a
// token revoked, a key given up, a realm withdrawn. The verdicts that hang on it
// die at once, the others live.
func TestAttackEndedThingIsStillCached(t *testing.T) {
	for _, tc := range []struct {
		name       string
		tags       []authority.Tag
		alice, bob int64 // lookups after the ending
	}{
		{"alice's token", []authority.Tag{tagOf(authority.TagToken, "token-of-alice")}, 1, 0},
		{"alice's session", []authority.Tag{tagOf(authority.TagSession, "session-of-alice")}, 1, 0},
		{"alice's account", []authority.Tag{tagOf(authority.TagAccount, "account-of-alice")}, 1, 0},
		{"both accounts", []authority.Tag{
			tagOf(authority.TagAccount, "account-of-alice"), tagOf(authority.TagAccount, "account-of-bob"),
		}, 1, 1},
		{"their client", []authority.Tag{tagOf(authority.TagClient, "web")}, 1, 1},
		{"their key", []authority.Tag{tagOf(authority.TagKey, "key-1")}, 1, 1},
		{"the realm", []authority.Tag{tagOf(authority.TagRealm, testRealm)}, 1, 1},
		{"somebody else", []authority.Tag{tagOf(authority.TagAccount, "account-of-carol")}, 0, 0},
		{"the same name of another kind", []authority.Tag{tagOf(authority.TagSession, "account-of-alice")}, 0, 0},
		{"the same name in another realm", []authority.Tag{
			{Kind: authority.TagAccount, Realm: "another", ID: "account-of-alice"},
		}, 0, 0},
		{"nothing", nil, 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, covered := newCache(t, Options{}), knows()
			v := c.Verifier(idOf("main"), covered)
			mustPass(t, v, "alice")
			mustPass(t, v, "bob")
			settled(t, c)
			c.End(tc.tags...)
			mustPass(t, v, "bob")
			covered.times(t, 2+tc.bob, "for bob after the ending")
			mustPass(t, v, "alice")
			covered.times(t, 2+tc.bob+tc.alice, "for alice after the ending")
			settled(t, c)
			mustPass(t, v, "alice")
			covered.times(t, 2+tc.bob+tc.alice, "a verdict from after the ending is good")
		})
	}
}

// Attack 68: a token is revoked while a lookup of it is under way. The lookup
// read the store before the revocation and brings "active"; neither the caller
// that came before the ending nor one that came after may be let through by it.
func TestAttackRevokedDuringLookup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var revoked atomic.Bool
		reading, answering := make(chan struct{}, 9), make(chan struct{})
		covered := &counter{}
		covered.answer = func(_ context.Context, credential string) (authority.Principal, error) {
			gone := revoked.Load()
			reading <- struct{}{}
			<-answering
			if gone {
				return authority.Principal{}, notActive("revoked")
			}
			return principalOf(credential), nil
		}
		c := newCache(t, Options{})
		v := c.Verifier(idOf("main"), covered)
		answers := make(chan error, 2)
		ask := func() {
			_, err := v.Verify(t.Context(), "alice")
			answers <- err
		}
		go ask()
		<-reading
		revoked.Store(true)
		c.End(tagOf(authority.TagToken, "token-of-alice"))
		go ask() // joins the lookup that read too early
		synctest.Wait()
		covered.times(t, 1, "before the first answer")
		close(answering)
		for range 2 {
			if err := <-answers; authority.KindOf(err) != authority.TokenInvalid {
				t.Errorf("a revoked token: %v", err)
			}
		}
		covered.times(t, 2, "after both answers")
	})
}

// Endings come faster than lookups: nothing true can be said, so nothing is.
func TestEndingsFasterThanLookups(t *testing.T) {
	c := newCache(t, Options{})
	covered := &counter{}
	covered.answer = func(_ context.Context, credential string) (authority.Principal, error) {
		c.End(tagOf(authority.TagAccount, "account-of-alice"))
		return principalOf(credential), nil
	}
	v := c.Verifier(idOf("main"), covered)
	e := mustFail(t, v, "alice", authority.Unavailable)
	if e.RetryAfter != time.Second {
		t.Errorf("retry after %v", e.RetryAfter)
	}
	covered.times(t, 2, "one lookup and one more of one's own")
}

// After a dead verdict from the cache there is one lookup of one's own.
func TestOneLookupAfterADeadVerdict(t *testing.T) {
	c, covered := newCache(t, Options{}), knows()
	v := c.Verifier(idOf("main"), covered)
	mustPass(t, v, "alice")
	settled(t, c)
	c.End(tagOf(authority.TagAccount, "account-of-alice"))
	covered.answer = func(_ context.Context, credential string) (authority.Principal, error) {
		c.End(tagOf(authority.TagAccount, "account-of-alice"))
		return principalOf(credential), nil
	}
	mustFail(t, v, "alice", authority.Unavailable)
	covered.times(t, 2, "one for the cache and one of one's own")
}

// A thousand revocations race with callers. No call that began after End
// returned may succeed, wherever its answer came from.
func TestNoCallAfterEndSucceeds(t *testing.T) {
	c := newCache(t, Options{})
	for round := range 1000 {
		var revoked atomic.Bool
		v := c.Verifier(idOf("main"), verifierFunc(func(_ context.Context, credential string) (authority.Principal, error) {
			if revoked.Load() {
				return authority.Principal{}, notActive("revoked")
			}
			return principalOf(credential), nil
		}))
		credential := fmt.Sprint("token ", round)
		tag := authority.Tag{Kind: authority.TagKind(1 + round%4), Realm: testRealm}
		tag.ID = map[authority.TagKind]string{
			authority.TagClient: "web", authority.TagAccount: "account-of-" + credential,
			authority.TagSession: "session-of-" + credential, authority.TagToken: "token-of-" + credential,
		}[tag.Kind]
		var ended atomic.Bool
		var callers sync.WaitGroup
		cached := make(chan struct{})
		var once sync.Once
		for range 4 {
			callers.Go(func() {
				for after := 0; after < 3; {
					late := ended.Load()
					_, err := v.Verify(t.Context(), credential)
					if late {
						after++
					}
					if err == nil {
						once.Do(func() { close(cached) })
					}
					if late && err == nil {
						t.Errorf("round %d: a call after the ending succeeded", round)
						return
					}
					if err != nil && authority.KindOf(err) != authority.TokenInvalid && authority.KindOf(err) != authority.Unavailable {
						t.Errorf("round %d: %v", round, err)
					}
				}
			})
		}
		if round%2 == 0 {
			<-cached // half of the endings meet a verdict, the others meet its lookup
		}
		revoked.Store(true)
		c.End(tag)
		ended.Store(true)
		callers.Wait()
	}
}

func TestMarksAreDroppedWhenNobodyNeedsThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, Options{MaxTTL: 30 * time.Second, LookupTimeout: 10 * time.Second})
		for i := range 100 {
			c.End(tagOf(authority.TagSession, fmt.Sprint(i)))
		}
		time.Sleep(40 * time.Second)
		if n := c.Stats().Marks; n != 100 {
			t.Errorf("%d marks while a verdict may need them", n)
		}
		time.Sleep(time.Nanosecond)
		if s := c.Stats(); s.Marks != 0 || s.Endings != 100 {
			t.Errorf("stats: %+v", s)
		}
	})
}

// max_ttl is shortened, the mark of an ending is dropped since everything of its
// time is too old, then max_ttl is made long again: what was too old stays so, and
// what was known before an ending whose mark is gone stays dead.
func TestLongerLifeDoesNotRaiseTheDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, covered := newCache(t, Options{MaxTTL: time.Hour, LookupTimeout: time.Second}), knows()
		v := c.Verifier(idOf("main"), covered)
		mustPass(t, v, "alice")
		mustPass(t, v, "bob")
		synctest.Wait()
		c.End(tagOf(authority.TagAccount, "account-of-alice"))
		c.SetLimits(0, 10*time.Second, 0)
		time.Sleep(time.Minute)
		c.End(tagOf(authority.TagAccount, "account-of-carol"))
		if n := c.Stats().Marks; n != 1 {
			t.Fatalf("%d marks, want carol's only", n)
		}
		c.SetLimits(0, time.Hour, 0)
		covered.answer = refuses(notActive("disabled")).answer
		mustFail(t, v, "alice", authority.TokenInvalid)
		mustFail(t, v, "bob", authority.TokenInvalid)
		if p := principalOf("alice"); !c.endings.dead(0, &p) {
			t.Error("with the mark the ending was forgotten")
		}
	})
}

// More endings than marks are kept: the oldest are merged into their realm's, so
// that nothing ended comes back, and another realm stays warm.
func TestMergedMarks(t *testing.T) {
	const limit = 1000
	c := newCache(t, Options{MaxTTL: time.Hour})
	c.endings.limit = limit
	covered, others := knows(), knows()
	others.answer = func(_ context.Context, credential string) (authority.Principal, error) {
		p := principalOf(credential)
		p.Realm = "quiet"
		return p, nil
	}
	v, quiet := c.Verifier(idOf("main"), covered), c.Verifier(idOf("quiet"), others)
	mustPass(t, v, "alice")
	mustPass(t, quiet, "bob")
	settled(t, c)
	c.End(tagOf(authority.TagAccount, "account-of-alice"))
	for i := range 3 * limit {
		c.End(tagOf(authority.TagSession, fmt.Sprint(i)))
	}
	if n := c.Stats().Marks; n > limit {
		t.Errorf("%d marks", n)
	}
	covered.answer = refuses(notActive("disabled")).answer
	mustFail(t, v, "alice", authority.TokenInvalid)
	mustPass(t, quiet, "bob")
	others.times(t, 1, "a realm without endings")
	// One thing that ends again and again takes one mark.
	before := c.Stats().Marks
	for range 2 * limit {
		c.End(tagOf(authority.TagSession, "again"))
	}
	if n := c.Stats().Marks; n > before+1 {
		t.Errorf("%d marks, were %d", n, before)
	}
}

// Marks of more realms than there is room for end whatever is older.
func TestMarksOfTooManyRealms(t *testing.T) {
	const limit = 1000
	c := newCache(t, Options{MaxTTL: time.Hour})
	c.endings.limit = limit
	v := c.Verifier(idOf("main"), verifierFunc(func(_ context.Context, credential string) (authority.Principal, error) {
		p := principalOf(credential)
		p.Realm = "first"
		return p, nil
	}))
	mustPass(t, v, "alice")
	settled(t, c)
	c.End(authority.Tag{Kind: authority.TagRealm, Realm: "first", ID: "first"})
	for i := range 2 * limit {
		realm := fmt.Sprint(i)
		c.End(authority.Tag{Kind: authority.TagRealm, Realm: realm, ID: realm})
	}
	if n := c.Stats().Marks; n > limit {
		t.Errorf("%d marks", n)
	}
	refusing := refuses(errors.New("asked"))
	mustFailWith(t, c.Verifier(idOf("main"), refusing), "alice")
	refusing.times(t, 1, "after the realm ended")
}

func mustFailWith(t *testing.T, v authority.Verifier, credential string) {
	t.Helper()
	if _, err := v.Verify(t.Context(), credential); err == nil {
		t.Error("a dead verdict was used")
	}
}
