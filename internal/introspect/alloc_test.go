//go:build !race

package introspect

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// The race detector makes sync.Pool forget at random, so allocations are counted
// without it.

// A hit makes one thing: the copy of the verdict.
func TestAllocationsOfAHit(t *testing.T) {
	for _, length := range []int{36, 900} {
		v, from := warm(t, length, 1), newCaller(length)
		credential := from.credential(0)
		ctx := context.Background()
		if n := testing.AllocsPerRun(1000, func() {
			if _, err := v.Verify(ctx, credential); err != nil {
				t.Error(err)
			}
		}); n != 1 {
			t.Errorf("%v allocations for a hit with a token of %d bytes, want one", n, length)
		}
		// A verdict older than an ending that does not concern it costs no more.
		v.cache.End(authority.Tag{Kind: authority.TagSession, Realm: "other", ID: "one"})
		if n := testing.AllocsPerRun(1000, func() {
			if _, err := v.Verify(ctx, credential); err != nil {
				t.Error(err)
			}
		}); n > 2 {
			t.Errorf("%v allocations for a hit after an ending", n)
		}
	}
}

// A hundred thousand verdicts take what the cache says they do, and the collector
// nothing of it.
func TestVerdictsAreNoGarbage(t *testing.T) {
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	const n = 100_000
	c := newCache(t, Options{MaxTTL: time.Hour, MaxSize: 128 << 20})
	v := c.Verifier(idOf("weigh"), verifierFunc(func(_ context.Context, credential string) (authority.Principal, error) {
		return principalOf(credential[:callerDigits]), nil
	}))
	empty := heap()
	from := newCaller(200)
	for i := range n {
		if _, err := v.Verify(t.Context(), string([]byte(from.credential(i)))); err != nil {
			t.Fatal(err)
		}
	}
	grown, taken := heap()-empty, c.Stats().Bytes
	t.Logf("%d verdicts: the heap grew by %d KiB, the cache takes %d B each", n, grown>>10, taken/n)
	if grown > 4<<20 { // the index is there
		t.Errorf("the heap grew by %d KiB", grown>>10)
	}
	if taken > n*400 {
		t.Errorf("a verdict takes %d bytes", taken/n)
	}
	runtime.KeepAlive(v)
}
