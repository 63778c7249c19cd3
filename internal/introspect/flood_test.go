package introspect

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// Attack 67: a flood of random tokens. The good entries stay, and the memory that
// the refusals take is bounded.
func TestAttackFloodOfRandomTokens(t *testing.T) {
	const (
		good   = 1000
		flood  = 200_000
		size   = 4 << 20
		slack  = 4 << 20 // of the heap, where no verdict is: the sieve, what lookups left behind
		floods = 4
	)
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	covered := &counter{answer: func(_ context.Context, credential string) (authority.Principal, error) {
		if strings.HasPrefix(credential, "random") {
			return authority.Principal{}, notActive("the token is not active")
		}
		return principalOf(credential), nil
	}}
	c := newCache(t, Options{MaxSize: size, MaxTTL: time.Hour, NegativeTTL: time.Hour})
	v := c.Verifier(idOf("main"), covered)
	for i := range good {
		mustPass(t, v, fmt.Sprint("good", i))
	}
	settled(t, c)
	var senders sync.WaitGroup
	for sender := range floods {
		senders.Go(func() {
			for i := range flood / floods {
				if _, err := v.Verify(t.Context(), fmt.Sprintf("random %d %d", sender, i)); err == nil {
					t.Error("a random token passed")
				}
			}
		})
	}
	senders.Wait()
	settled(t, c)
	asked := covered.lookups.Load()
	for i := range good {
		mustPass(t, v, fmt.Sprint("good", i))
	}
	if lost := covered.lookups.Load() - asked; lost > 0 {
		t.Errorf("%d of %d good entries were pushed out", lost, good)
	}
	if s := c.Stats(); s.Bytes > size {
		t.Errorf("the verdicts take %d, max_size is %d", s.Bytes, size)
	}
	if grown := heap() - before; grown > slack {
		t.Errorf("the heap grew by %d KiB", grown>>10)
	}
	runtime.KeepAlive(v)
}

// More good tokens than fit: memory stays within max_size, every answer is right.
func TestMoreTokensThanFit(t *testing.T) {
	const size = 1 << 20
	c := newCache(t, Options{MaxSize: size, MaxTTL: time.Hour})
	v := c.Verifier(idOf("main"), knows())
	for i := range 20_000 {
		mustPass(t, v, fmt.Sprint(i))
	}
	settled(t, c)
	if s := c.Stats(); s.Bytes > size || s.Bytes < size/2 {
		t.Errorf("the verdicts take %d, max_size is %d", s.Bytes, size)
	}
	// A smaller max_size takes effect at once, and the youngest stay.
	c.SetLimits(size/4, time.Hour, 0)
	if s := c.Stats(); s.Bytes > size/4 {
		t.Errorf("the verdicts take %d after max_size became %d", s.Bytes, size/4)
	}
	asked := c.Stats().Lookups
	mustPass(t, v, "19999")
	if c.Stats().Lookups != asked {
		t.Error("the youngest verdict went")
	}
	for i := range 1000 {
		mustPass(t, v, fmt.Sprint("later", i))
	}
	if s := c.Stats(); s.Bytes > size/4 {
		t.Errorf("the verdicts take %d, max_size is %d", s.Bytes, size/4)
	}
}
