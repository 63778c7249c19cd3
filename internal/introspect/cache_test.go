package introspect

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

func TestSecondCallIsAnsweredFromTheCache(t *testing.T) {
	c, covered := newCache(t, Options{}), knows()
	v := c.Verifier(idOf("main"), covered)
	first := mustPass(t, v, "alice")
	settled(t, c)
	second := mustPass(t, v, "alice")
	covered.times(t, 1, "after two calls")
	if first != second {
		t.Errorf("looked up %+v, cached %+v", first, second)
	}
	mustPass(t, v, "bob")
	covered.times(t, 2, "after another credential")
	if s := c.Stats(); s.Hits != 1 || s.Misses != 2 || s.Lookups != 2 || s.Bytes == 0 {
		t.Errorf("stats: %+v", s)
	}
}

// What was looked up while max_ttl was 30 s and negative_ttl 2 s, at which moment
// it is used again, and whether that takes another lookup.
func TestLifeOfAVerdict(t *testing.T) {
	expiresIn := func(d time.Duration) func() (authority.Principal, error) {
		return func() (authority.Principal, error) {
			p := principalOf("alice")
			p.Expires = time.Now().Add(d).Unix()
			return p, nil
		}
	}
	fails := func(err error) func() (authority.Principal, error) {
		return func() (authority.Principal, error) { return authority.Principal{}, err }
	}
	for _, tc := range []struct {
		name    string
		answer  func() (authority.Principal, error)
		takes   time.Duration // how long the lookup takes
		after   time.Duration // from its end
		lookups int64
	}{
		{"at once", expiresIn(time.Hour), 0, 0, 1},
		{"within max_ttl", expiresIn(time.Hour), 0, 30*time.Second - 1, 1},
		{"at max_ttl", expiresIn(time.Hour), 0, 30 * time.Second, 2},
		{"life counts from the lookup's start", expiresIn(time.Hour), 5 * time.Second, 25 * time.Second, 2},
		{"a slow lookup is kept for the rest", expiresIn(time.Hour), 5 * time.Second, 25*time.Second - 1, 1},
		{"before the token's expiry", expiresIn(10 * time.Second), 0, 10*time.Second - 1, 1},
		{"at the token's expiry", expiresIn(10 * time.Second), 0, 10 * time.Second, 2},
		{"expired while it was looked up", expiresIn(0), 0, 0, 2},
		{"without an expiry", func() (authority.Principal, error) {
			p := principalOf("alice")
			p.Expires = 0
			return p, nil
		}, 0, 0, 2},
		{"far expiry", func() (authority.Principal, error) {
			p := principalOf("alice")
			p.Expires = 1<<63 - 1
			return p, nil
		}, 0, 29 * time.Second, 1},
		{"too big to keep", func() (authority.Principal, error) {
			p := principalOf("alice")
			p.Roles = authority.ListOf(strings.Repeat("r", maxBlock))
			return p, nil
		}, 0, 0, 2},
		{"not active", fails(notActive("")), 0, 2*time.Second - 1, 1},
		{"not active, at negative_ttl", fails(notActive("")), 0, 2 * time.Second, 2},
		{"not active, wrapped", fails(errors.Join(notActive(""))), 0, time.Second, 1},
		{"not active, looked up too long", fails(notActive("")), 2 * time.Second, 0, 2},
		{"not active, with a long text", fails(notActive(strings.Repeat("x", maxPublic+1))), 0, 0, 2},
		{"unavailable", fails(&authority.Error{Kind: authority.Unavailable}), 0, 0, 2},
		{"internal", fails(&authority.Error{Kind: authority.Internal}), 0, 0, 2},
		{"of no kind", fails(errors.New("odd")), 0, 0, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCache(t, Options{MaxTTL: 30 * time.Second, NegativeTTL: 2 * time.Second})
				covered := &counter{answer: func(context.Context, string) (authority.Principal, error) {
					p, err := tc.answer()
					time.Sleep(tc.takes)
					return p, err
				}}
				v := c.Verifier(idOf("main"), covered)
				first, firstErr := v.Verify(t.Context(), "alice")
				synctest.Wait()
				time.Sleep(tc.after)
				second, secondErr := v.Verify(t.Context(), "alice")
				covered.times(t, tc.lookups, "after two calls")
				if tc.lookups == 1 && first != second {
					t.Errorf("looked up %+v, cached %+v", first, second)
				}
				if (firstErr == nil) != (secondErr == nil) || authority.KindOf(firstErr) != authority.KindOf(secondErr) {
					t.Errorf("first %v, then %v", firstErr, secondErr)
				}
			})
		})
	}
}

func TestRememberedRefusalKeepsItsText(t *testing.T) {
	c, covered := newCache(t, Options{}), refuses(notActive("the token has expired"))
	v := c.Verifier(idOf("main"), covered)
	for range 2 {
		if e := mustFail(t, v, "old", authority.TokenInvalid); e.Public != "the token has expired" {
			t.Errorf("public text %q", e.Public)
		}
		settled(t, c)
	}
	covered.times(t, 1, "after two calls")
	if s := c.Stats(); s.NegativeHits != 1 || s.Hits != 0 {
		t.Errorf("stats: %+v", s)
	}
}

func TestOversizeCredentialIsNotLookedUp(t *testing.T) {
	c, covered := newCache(t, Options{}), knows()
	v := c.Verifier(idOf("main"), covered)
	mustFail(t, v, strings.Repeat("x", maxCredential+1), authority.TokenInvalid)
	covered.times(t, 0, "after a credential over the limit")
	mustPass(t, v, strings.Repeat("x", 1000))
}

// Attack 66: an entry lives past its token's own `exp`, since the clock that
// counts the entry's life is slow or stands still. Expiry is read from the wall
// clock at every use.
func TestAttackEntryOutlivesItsToken(t *testing.T) {
	clock, covered := newClocks(), knows()
	expires := clock.wall.Add(time.Minute)
	covered.answer = func(_ context.Context, credential string) (authority.Principal, error) {
		p := principalOf(credential)
		p.Expires = expires.Unix()
		return p, nil
	}
	c := newCache(t, clock.options(Options{MaxTTL: time.Hour}))
	v := c.Verifier(idOf("main"), covered)
	mustPass(t, v, "alice")
	settled(t, c)
	clock.move(58*time.Second, 0)
	mustPass(t, v, "alice")
	covered.times(t, 1, "before the token's expiry")
	clock.move(3*time.Second, 0)
	covered.answer = refuses(notActive("expired")).answer
	mustFail(t, v, "alice", authority.TokenInvalid)
	covered.times(t, 2, "after the token's expiry")
}

// The wall clock is set back by a day: the life of entries does not grow by it.
func TestLifeIsMonotonic(t *testing.T) {
	clock, covered := newClocks(), knows()
	c := newCache(t, clock.options(Options{MaxTTL: 30 * time.Second}))
	v := c.Verifier(idOf("main"), covered)
	mustPass(t, v, "alice")
	settled(t, c)
	clock.move(-24*time.Hour, 30*time.Second)
	mustPass(t, v, "alice")
	covered.times(t, 2, "max_ttl later, a day earlier")
}

func TestReloadKeepsWarmWhatDidNotChange(t *testing.T) {
	c := newCache(t, Options{})
	old, fresh := knows(), knows()
	mustPass(t, c.Verifier(idOf("block"), old), "alice")
	settled(t, c)
	mustPass(t, c.Verifier(idOf("block"), fresh), "alice")
	fresh.times(t, 0, "the block is the same")
	mustPass(t, c.Verifier(idOf("changed block"), fresh), "alice")
	fresh.times(t, 1, "the block changed")
}

// Attack 70: a reload narrows what is allowed. A changed block makes its verdicts
// unreachable, in the same moment and also for those who hold a warm token.
func TestAttackReloadDeletesAnIssuersUser(t *testing.T) {
	c := newCache(t, Options{})
	before := c.Verifier(idOf("realm main with user alice"), knows())
	mustPass(t, before, "alice")
	settled(t, c)
	mustPass(t, before, "alice")
	after := c.Verifier(idOf("realm main"), refuses(notActive("")))
	mustFail(t, after, "alice", authority.TokenInvalid)
}

func TestReloadOfLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, covered := newCache(t, Options{MaxTTL: time.Minute}), knows()
		v := c.Verifier(idOf("main"), covered)
		mustPass(t, v, "alice")
		synctest.Wait()
		time.Sleep(20 * time.Second)
		c.SetLimits(0, 25*time.Second, 0)
		mustPass(t, v, "alice")
		covered.times(t, 1, "a shorter max_ttl that is not over")
		c.SetLimits(0, 15*time.Second, 0)
		mustPass(t, v, "alice")
		covered.times(t, 2, "a shorter max_ttl that is over")
		synctest.Wait()
		c.SetLimits(0, time.Hour, 0)
		time.Sleep(14 * time.Second)
		mustPass(t, v, "alice")
		covered.times(t, 2, "a longer max_ttl, within the first")
		time.Sleep(2 * time.Second)
		mustPass(t, v, "alice")
		covered.times(t, 3, "a longer max_ttl does not lengthen what was cached")
	})
}

func TestNegativeLimits(t *testing.T) {
	for _, o := range []Options{
		{MaxSize: -1}, {MaxTTL: -1}, {NegativeTTL: -1}, {MaxLookups: -1}, {LookupTimeout: -1},
	} {
		if c, err := New(o); err == nil {
			c.Close()
			t.Errorf("%+v was accepted", o)
		}
	}
}

// The smallest cache still works, and a nearly full one answers all the same.
func TestTinyCache(t *testing.T) {
	c, covered := newCache(t, Options{MaxSize: 1}), knows()
	v := c.Verifier(idOf("main"), covered)
	for name := range strings.SplitSeq("a b c d e f g h", " ") {
		mustPass(t, v, name)
	}
	settled(t, c)
	mustPass(t, v, "h")
	covered.times(t, 8, "after nine calls")
}

// The key of a credential is another in each cache, so that nobody outside can work out
// which credentials meet in the index.
func TestKeysAreSalted(t *testing.T) {
	one, other := newCache(t, Options{}).Verifier(idOf("main"), knows()), newCache(t, Options{}).Verifier(idOf("main"), knows())
	if one.digest("alice") == other.digest("alice") {
		t.Error("two caches have the same key for one credential")
	}
	if one.digest("alice") == one.cache.Verifier(idOf("other"), knows()).digest("alice") {
		t.Error("two verifiers have the same key for one credential")
	}
	if one.digest("alice") != one.cache.Verifier(idOf("main"), knows()).digest("alice") {
		t.Error("the same verifier has another key")
	}
}

// Attack 69: a request alters the principal it was given; the next one must not
// see it.
func TestAttackCallerAltersThePrincipal(t *testing.T) {
	c := newCache(t, Options{})
	v := c.Verifier(idOf("main"), knows())
	for range 3 {
		p := mustPass(t, v, "alice")
		if p.Roles.Has("root") || p.Account != "account-of-alice" {
			t.Fatal("another caller's change came through")
		}
		p.Roles = authority.ListOf("root")
		p.Account = "account-of-root"
		settled(t, c)
	}
}

// Attack 63: a token proven on one route is used on another. The cache hands out
// the same facts to both and no decision, so each route judges for itself.
func TestAttackProvenOnAnotherRoute(t *testing.T) {
	c := newCache(t, Options{})
	routeA, routeB := c.Verifier(idOf("main"), knows()), c.Verifier(idOf("main"), knows())
	a := mustPass(t, routeA, "alice")
	settled(t, c)
	b := mustPass(t, routeB, "alice")
	if a != b || !b.Scopes.HasAll([]string{"openid", "email"}) || b.Scopes.Has("admin") {
		t.Errorf("route A saw %+v, route B %+v", a, b)
	}
	// The same token at a guard of another issuer is another question.
	mustFail(t, c.Verifier(idOf("another issuer"), refuses(notActive(""))), "alice", authority.TokenInvalid)
}

func TestClosed(t *testing.T) {
	c, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	v := c.Verifier(idOf("main"), knows())
	mustPass(t, v, "alice")
	c.Close()
	c.Close()
	mustFail(t, v, "alice", authority.Unavailable)
	c.SetLimits(0, 0, 0)
	c.End(authority.Tag{Kind: authority.TagRealm, Realm: testRealm, ID: testRealm})
	_ = c.Stats()
}

// A record brings the same facts when the cache has forgotten them.
func TestRecall(t *testing.T) {
	c := newCache(t, Options{})
	v := c.Verifier(idOf("main"), knows())
	first, record, err := v.VerifyRecorded(t.Context(), "alice", time.Now())
	if err != nil || record != "" || first.Username != "alice" {
		t.Fatalf("the first sight: %q, %v", record, err)
	}
	settled(t, c)
	again, record, err := v.VerifyRecorded(t.Context(), "alice", time.Now())
	if err != nil || record == "" || again != first {
		t.Fatalf("the second: %q, %v", record, err)
	}
	c.Close()
	if recalled, ok := v.Recall(record); !ok || recalled != first {
		t.Errorf("recalled %v", ok)
	}
	if _, ok := v.Recall("no record"); ok {
		t.Error("something else was recalled")
	}
}

// What was used lives no longer for it.
func TestUseLengthensNoLife(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	age := time.Duration(0)
	o := Options{Clock: func() time.Time { return now }, elapsed: func() time.Duration { return age }, MaxTTL: time.Minute}
	begin := func(t *testing.T) (*Cache, *Verifier, *counter) {
		t.Helper()
		now, age = time.Unix(1_700_000_000, 0), 0
		issuer := knows()
		c := newCache(t, o)
		v := c.Verifier(idOf("main"), issuer)
		for range 10 {
			mustPass(t, v, "alice")
		}
		issuer.times(t, 1, "before")
		return c, v, issuer
	}
	for name, end := range map[string]func(c *Cache){
		"an ending": func(c *Cache) {
			c.End(authority.Tag{Kind: authority.TagSession, Realm: testRealm, ID: "session-of-alice"})
		},
		"a shorter max_ttl": func(c *Cache) { age = 20 * time.Second; c.SetLimits(0, 10*time.Second, 0) },
		"its age":           func(*Cache) { age = 2 * time.Minute },
		"a longer max_ttl":  func(c *Cache) { age = 2 * time.Minute; c.SetLimits(0, time.Hour, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			c, v, issuer := begin(t)
			end(c)
			mustPass(t, v, "alice")
			issuer.times(t, 2, "after "+name)
		})
	}
	t.Run("the token's expiry", func(t *testing.T) {
		_, v, issuer := begin(t)
		now = now.Add(100 * 365 * 24 * time.Hour)
		_, _ = v.Verify(t.Context(), "alice")
		issuer.times(t, 2, "after the expiry")
	})
	t.Run("the end of the cache", func(t *testing.T) {
		c, v, issuer := begin(t)
		c.Close()
		mustFail(t, v, "alice", authority.Unavailable)
		issuer.times(t, 1, "after the end")
	})
}

// max_ttl is shortened, so a verdict is too old and the issuer is asked again, which
// refuses. Then max_ttl is made long again: the older verdict does not come back over the
// newer answer. The same for a refusal, which must not come back over "active".
func TestLongerLifeIsForWhatComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, covered := newCache(t, Options{MaxTTL: time.Hour, NegativeTTL: time.Hour}), knows()
		v := c.Verifier(idOf("main"), covered)
		active, refusing := covered.answer, refuses(notActive("revoked")).answer
		mustPass(t, v, "alice")
		covered.answer = refusing
		mustFail(t, v, "bob", authority.TokenInvalid)
		synctest.Wait()
		c.SetLimits(0, 10*time.Second, 2*time.Second)
		time.Sleep(time.Minute)
		mustFail(t, v, "alice", authority.TokenInvalid)
		covered.answer = active
		mustPass(t, v, "bob")
		covered.times(t, 4, "with the shorter lives")
		synctest.Wait()
		c.SetLimits(0, time.Hour, time.Hour)
		covered.answer = refusing
		mustPass(t, v, "bob") // it is eight seconds old at most, and may be used
		time.Sleep(11 * time.Second)
		mustFail(t, v, "alice", authority.TokenInvalid)
		covered.answer = active
		mustPass(t, v, "bob")
	})
}
