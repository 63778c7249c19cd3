package introspect

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// While others come in crowds and the table grows, a warm verdict is overlooked by nobody:
// its issuer is asked once.
func TestWarmVerdictInACrowd(t *testing.T) {
	const warm, crowd = 50, 20_000
	c, covered := newCache(t, Options{MaxTTL: time.Hour}), knows()
	v := c.Verifier(idOf("main"), covered)
	for i := range warm {
		mustPass(t, v, fmt.Sprint("warm", i))
	}
	var callers, comers sync.WaitGroup
	var stop atomic.Bool
	for range 2 {
		comers.Go(func() {
			for i := range crowd {
				mustPassIn(t, v, fmt.Sprint("other", i)) // the two meet now and then
			}
		})
		callers.Go(func() {
			for i := 0; !stop.Load(); i++ {
				mustPassIn(t, v, fmt.Sprint("warm", i%warm))
			}
		})
	}
	comers.Wait()
	stop.Store(true)
	callers.Wait()
	covered.times(t, warm+crowd, "each credential once")
}

// Everything at once, in a cache that is too small and whose limits change all the time:
// whoever passes gets the facts of the own credential, and none that ended before.
func TestEverythingAtOnce(t *testing.T) {
	const users, calls = 3000, 20_000
	var born [users]atomic.Int64 // raised before the ending of a user's account
	c := newCache(t, Options{MaxSize: 1 << 20})
	v := c.Verifier(idOf("main"), verifierFunc(func(_ context.Context, credential string) (authority.Principal, error) {
		var n int
		if _, err := fmt.Sscanf(credential, "user%d", &n); err != nil {
			return authority.Principal{}, err
		}
		p := principalOf(credential)
		p.IssuedAt = born[n].Load()
		return p, nil
	}))
	var workers sync.WaitGroup
	for worker := range 6 {
		workers.Go(func() {
			r := rand.New(rand.NewPCG(uint64(worker), 1))
			for i := range calls {
				n := r.IntN(users)
				if worker == 0 && i%20 == 0 {
					born[n].Add(1)
					c.End(tagOf(authority.TagAccount, fmt.Sprint("account-of-user", n)))
				}
				if worker == 1 && i%1000 == 0 {
					c.SetLimits(int64(1+r.IntN(2000))<<10, time.Duration(1+r.IntN(10))*time.Millisecond, 0)
				}
				name, least := fmt.Sprint("user", n), born[n].Load()
				if worker > 0 { // only who ends knows that the last ending is over
					least--
				}
				p, err := v.Verify(t.Context(), name)
				if err != nil && authority.KindOf(err) != authority.Unavailable {
					t.Errorf("%s: %v", name, err)
				}
				if err == nil && (p.Username != name || p.IssuedAt < least) {
					t.Errorf("%s: facts of %q, from before %d endings", name, p.Username, least-p.IssuedAt)
				}
			}
		})
	}
	workers.Wait()
}

// The cache is closed while it is in use: every call ends, with the right facts or with
// Unavailable, and nothing is kept.
func TestCloseAtAnyMoment(t *testing.T) {
	for round := range 50 {
		c, err := New(Options{MaxSize: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		v := c.Verifier(idOf("main"), knows())
		var callers sync.WaitGroup
		for caller := range 4 {
			callers.Go(func() {
				for i := 0; ; i++ {
					name := fmt.Sprint("user", (i*7+caller)%500)
					p, err := v.Verify(t.Context(), name)
					switch {
					case err == nil && p.Username == name:
					case err != nil && authority.KindOf(err) == authority.Unavailable:
						return
					default:
						t.Errorf("%s: facts of %q, %v", name, p.Username, err)
						return
					}
				}
			})
		}
		for range 20 * round { // another moment each time
			runtime.Gosched()
		}
		c.SetLimits(2<<20, 0, 0)
		c.Close()
		callers.Wait()
		if s := c.Stats(); s.Flights != 0 || s.Bytes > 8<<10 {
			t.Errorf("after the end: %+v", s)
		}
	}
}
