package introspect

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// inFront uses a credential until its verdict stands in the front, and fails the test
// if it never does.
func inFront(t *testing.T, v *Verifier, credential string) {
	t.Helper()
	mustPass(t, v, credential)
	settled(t, v.cache)
	key := v.cache.key(v.digest(credential))
	for range 100 {
		mustPass(t, v, credential)
		if v.cache.front.Load().get(key) != "" {
			return
		}
	}
	t.Fatal("the verdict never came into the front")
}

// What stands in the front lives no longer for it: an ending, a shorter max_ttl, the
// token's expiry and the end of the cache hold there as behind it.
func TestFrontLengthensNoLife(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	age := time.Duration(0)
	o := Options{Clock: func() time.Time { return now }, elapsed: func() time.Duration { return age }, MaxTTL: time.Minute}
	begin := func(t *testing.T) (*Cache, *Verifier, *counter) {
		t.Helper()
		now, age = time.Unix(1_700_000_000, 0), 0
		issuer := knows()
		c := newCache(t, o)
		v := c.Verifier(idOf("main"), issuer)
		inFront(t, v, "alice")
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

// Two credentials with one key share places in the front: neither gets the other's
// facts.
func TestFrontTellsKeysApart(t *testing.T) {
	c := newCache(t, Options{key: func(secret.Digest) uint64 { return 7 }})
	v := c.Verifier(idOf("main"), knows())
	for range 50 {
		mustPass(t, v, "alice")
		mustPass(t, v, "bob")
	}
}

// The front takes its share of max_size and no more, and nothing big.
func TestFrontIsBounded(t *testing.T) {
	for size := int64(1); size < 1<<40; size *= 3 {
		if took := frontSize(size); took > size/frontShare || took > frontMost*frontPlace {
			t.Errorf("of %d bytes the front takes %d", size, took)
		}
	}
	f := newFront(4)
	f.offer(1, 0, strings.Repeat("x", frontBlock+1))
	if f.get(1) != "" {
		t.Error("it took a block that is too big")
	}
	for key := range uint64(1000) {
		f.offer(key, key/4*frontAdmit, fmt.Sprint("block ", key)) // each place of its line in turn
		if got := f.get(key); got != fmt.Sprint("block ", key) {
			t.Fatalf("the key %d has %q", key, got)
		}
	}
	if f.get(0) != "" {
		t.Error("the first of a thousand keys still has its place among sixteen")
	}
	// All places of a line are used: the last four of its keys stand there together.
	ways := newFront(1)
	for key := uint64(1); key <= 9; key++ {
		ways.offer(key, key*frontAdmit, "block")
	}
	for key := uint64(1); key <= 9; key++ {
		if stands := ways.get(key) != ""; stands != (key > 9-frontWays) {
			t.Errorf("the key %d of nine: %v", key, stands)
		}
	}
	none := newFront(0)
	none.offer(1, 0, "block")
	if none.get(1) != "" {
		t.Error("a front without places has something")
	}
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

// Readers and writers of one place at a time never see a block under another key that
// the digest would not tell.
func TestFrontAtOnce(t *testing.T) {
	c := newCache(t, Options{MaxSize: 1 << 20})
	v := c.Verifier(idOf("main"), knows())
	var callers sync.WaitGroup
	for worker := range 8 {
		callers.Go(func() {
			for i := range 2000 {
				name := fmt.Sprint("user", (i*7+worker)%300)
				if p, err := v.Verify(t.Context(), name); err != nil || p.Username != name {
					t.Errorf("%s: %q, %v", name, p.Username, err)
					return
				}
			}
		})
	}
	callers.Wait()
}
