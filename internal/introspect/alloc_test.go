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

func TestHitAllocatesNothing(t *testing.T) {
	for _, length := range []int{36, 900} {
		v, from := warm(t, length, 1), newCaller(length)
		credential := from.credential(0)
		ctx := context.Background()
		if n := testing.AllocsPerRun(1000, func() {
			if _, err := v.Verify(ctx, credential); err != nil {
				t.Error(err)
			}
		}); n != 0 {
			t.Errorf("%v allocations for a hit with a token of %d bytes, want none", n, length)
		}
		// A verdict older than an ending that does not concern it costs no more.
		v.cache.End(authority.Tag{Kind: authority.TagSession, Realm: "other", ID: "one"})
		if n := testing.AllocsPerRun(1000, func() {
			if _, err := v.Verify(ctx, credential); err != nil {
				t.Error(err)
			}
		}); n > 1 {
			t.Errorf("%v allocations for a hit after an ending", n)
		}
	}
}

// What max_size bounds is memory, not a sum of guesses: the heap that a hundred
// thousand verdicts take is what they were said to cost.
func TestCostIsWhatTheHeapTakes(t *testing.T) {
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	const n = 100_000
	before := heap()
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
	settled(t, c)
	taken, cost := heap()-empty, c.Stats().Bytes
	t.Logf("empty %d KiB; %d verdicts: %d B each, said to cost %d B each", (empty-before)>>10, n, taken/n, cost/n)
	if taken > cost*11/10 {
		t.Errorf("%d verdicts take %d bytes, said to cost %d", n, taken, cost)
	}
	if taken < cost*6/10 {
		t.Errorf("%d verdicts take %d bytes but are said to cost %d: room is wasted", n, taken, cost)
	}
	runtime.KeepAlive(v)
}
