package introspect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// held is a verifier whose lookups wait until they are released.
type held struct {
	counter
	release chan struct{}
}

func holds(answer verifierFunc) *held {
	h := &held{release: make(chan struct{})}
	h.answer = func(ctx context.Context, credential string) (authority.Principal, error) {
		select {
		case <-h.release:
			return answer(ctx, credential)
		case <-ctx.Done():
			return authority.Principal{}, ctx.Err()
		}
	}
	return h
}

// together calls Verify n times at once and returns the errors, once the held
// lookup was released.
func together(t *testing.T, n int, v *Verifier, credential string, h *held) []error {
	t.Helper()
	errs := make([]error, n)
	var callers sync.WaitGroup
	for i := range errs {
		callers.Go(func() {
			p, err := v.Verify(t.Context(), credential)
			if err == nil && p.Username != credential {
				err = fmt.Errorf("facts of %q", p.Username)
			}
			errs[i] = err
		})
	}
	synctest.Wait()
	close(h.release)
	callers.Wait()
	return errs
}

// 500 first requests with one token at the same time make one lookup, whatever
// its answer, and those who come right behind make none.
func TestStampede(t *testing.T) {
	for name, answer := range map[string]*counter{
		"active": knows(), "not active": refuses(notActive("no")),
		"unavailable": refuses(&authority.Error{Kind: authority.Unavailable}),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := holds(answer.answer)
				c := newCache(t, Options{})
				v := c.Verifier(idOf("main"), h)
				errs := together(t, 500, v, "alice", h)
				h.times(t, 1, "500 callers at once")
				for _, err := range errs {
					if (err == nil) != (name == "active") || authority.KindOf(err) != authority.KindOf(errs[0]) {
						t.Fatalf("one of 500 got %v", err)
					}
				}
			})
		})
	}
}

// The same with real threads and no pause: some callers come while the verdict is
// on its way into the cache.
func TestStampedeWithoutOrder(t *testing.T) {
	c := newCache(t, Options{})
	for round := range 50 {
		covered := knows()
		v := c.Verifier(idOf(fmt.Sprint(round)), covered)
		var callers sync.WaitGroup
		for range 200 {
			callers.Go(func() { mustPassIn(t, v, "alice") })
		}
		callers.Wait()
		covered.times(t, 1, "200 callers")
	}
}

// mustPassIn is mustPass for goroutines.
func mustPassIn(t *testing.T, v authority.Verifier, credential string) {
	if p, err := v.Verify(t.Context(), credential); err != nil || p.Username != credential {
		t.Errorf("facts of %q, %v", p.Username, err)
	}
}

func TestLeaderLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := holds(knows().answer)
		v := newCache(t, Options{}).Verifier(idOf("main"), h)
		leader, leave := context.WithCancelCause(t.Context())
		gone := make(chan error, 1)
		go func() {
			_, err := v.Verify(leader, "alice")
			gone <- err
		}()
		synctest.Wait()
		var others sync.WaitGroup
		for range 10 {
			others.Go(func() { mustPassIn(t, v, "alice") })
		}
		synctest.Wait()
		cause := errors.New("the client hung up")
		leave(cause)
		if err := <-gone; authority.KindOf(err) != authority.Unavailable || !errors.Is(err, cause) {
			t.Errorf("the leader got %v", err)
		}
		close(h.release)
		others.Wait()
		h.times(t, 1, "leader and ten others")
	})
}

// All callers leave; the lookup they began still fills the cache.
func TestEverybodyLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := holds(knows().answer)
		v := newCache(t, Options{}).Verifier(idOf("main"), h)
		ctx, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		if _, err := v.Verify(ctx, "alice"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		close(h.release)
		synctest.Wait()
		mustPass(t, v, "alice")
		h.times(t, 1, "after a caller that left")
	})
}

type secretive struct{ credential string }

// The verifier panics, or ends its goroutine: an Internal error for all who
// wait, a line in the log that holds no credential, and the next caller's lookup
// is a new one.
func TestVerifierPanics(t *testing.T) {
	for name, fail := range map[string]func(credential string){
		"text":          func(credential string) { panic("cannot read " + credential) },
		"value":         func(credential string) { panic(secretive{credential}) },
		"runtime error": func(string) { var m map[string]int; m["x"] = 1 }, //nolint:staticcheck // SA5000: the panic is wanted
		"goexit":        func(string) { runtime.Goexit() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				h := holds(func(_ context.Context, credential string) (authority.Principal, error) {
					fail(credential)
					return authority.Principal{}, nil
				})
				c := newCache(t, Options{Logger: slog.New(slog.NewTextHandler(&log, nil)), MaxLookups: 1})
				v := c.Verifier(idOf("main"), h)
				for _, err := range together(t, 20, v, "s3cr3t-credential", h) {
					if err == nil || authority.KindOf(err) != authority.Internal {
						t.Fatalf("one of 20 got %v", err)
					}
				}
				synctest.Wait()
				if strings.Contains(log.String(), "s3cr3t") || (name != "goexit") != strings.Contains(log.String(), "panicked") {
					t.Errorf("log: %s", &log)
				}
				if n := c.Stats().Flights; n != 0 {
					t.Errorf("%d flights leaked", n)
				}
				mustFail(t, v, "s3cr3t-credential", authority.Internal) // the one slot is free again
				h.times(t, 2, "after the panic")
			})
		})
	}
}

func TestLookupsInFlightAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := holds(knows().answer)
		c := newCache(t, Options{MaxLookups: 3, LookupTimeout: 10 * time.Second})
		v, other := c.Verifier(idOf("main"), h), c.Verifier(idOf("other"), knows())
		var served, refused atomic.Int64
		var callers sync.WaitGroup
		for i := range 10 {
			callers.Go(func() {
				switch _, err := v.Verify(t.Context(), fmt.Sprint(i)); {
				case err == nil:
					served.Add(1)
				case authority.KindOf(err) == authority.Unavailable:
					refused.Add(1)
				}
			})
		}
		synctest.Wait()
		h.times(t, 3, "ten callers and three slots")
		mustPass(t, other, "alice") // each verifier has slots of its own
		time.Sleep(9 * time.Second)
		close(h.release)
		callers.Wait()
		if served.Load() != 10 || refused.Load() != 0 {
			t.Errorf("%d served, %d refused", served.Load(), refused.Load())
		}
	})
}

// An issuer that never answers holds all slots: who waits for one is told so when
// its time is up.
func TestWaitingForASlotEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := holds(knows().answer)
		c := newCache(t, Options{MaxLookups: 1, LookupTimeout: 10 * time.Second})
		v := c.Verifier(idOf("main"), h)
		go func() { _, _ = v.Verify(t.Context(), "slow") }()
		synctest.Wait()
		time.Sleep(5 * time.Second)
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, err := v.Verify(ctx, "alice")
		if authority.KindOf(err) != authority.Unavailable || time.Since(start) != 2*time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		start = time.Now()
		mustPassOrUnavailable(t, v, "bob")
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("a caller waited for %v", d)
		}
	})
}

func mustPassOrUnavailable(t *testing.T, v authority.Verifier, credential string) {
	t.Helper()
	if _, err := v.Verify(t.Context(), credential); err != nil && authority.KindOf(err) != authority.Unavailable {
		t.Errorf("got %v", err)
	}
}

// A hostile caller sends random tokens and hangs up at once, while all slots are
// taken: what nobody waits for is not queued.
func TestAttackHangUpAndLeaveALookup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := holds(knows().answer)
		c := newCache(t, Options{MaxLookups: 1})
		v := c.Verifier(idOf("main"), h)
		go func() { _, _ = v.Verify(t.Context(), "slow") }()
		synctest.Wait()
		before := runtime.NumGoroutine()
		for i := range 100 {
			ctx, hangUp := context.WithCancel(t.Context())
			go func() { _, _ = v.Verify(ctx, fmt.Sprint("random", i)) }()
			synctest.Wait()
			hangUp()
			synctest.Wait()
		}
		if n := c.Stats().Flights; n != 1 {
			t.Errorf("%d flights, want the slow one", n)
		}
		if n := runtime.NumGoroutine(); n > before+10 {
			t.Errorf("%d goroutines, were %d", n, before)
		}
		close(h.release)
		synctest.Wait()
		h.times(t, 1, "after a hundred who hung up")
	})
}

// A verifier that ignores its context cannot hold its callers.
func TestVerifierIgnoresItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		covered := &counter{answer: func(context.Context, string) (authority.Principal, error) {
			<-stuck
			return principalOf("alice"), nil
		}}
		c := newCache(t, Options{LookupTimeout: 3 * time.Second})
		v := c.Verifier(idOf("main"), covered)
		start := time.Now()
		mustFail(t, v, "alice", authority.Unavailable)
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("waited %v", d)
		}
		close(stuck)
	})
}

// The verifier's own context error is no answer about the credential.
func TestDeadlineIsUnavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := holds(knows().answer)
		v := newCache(t, Options{LookupTimeout: 3 * time.Second}).Verifier(idOf("main"), h)
		mustFail(t, v, "alice", authority.Unavailable)
	})
}

// A verdict that is too big to be kept is shared by those who wait for it, and by nobody
// else.
func TestTooBigAVerdictIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := holds(func(_ context.Context, credential string) (authority.Principal, error) {
			p := principalOf(credential)
			p.Roles = authority.ListOf(strings.Repeat("r", maxBlock))
			return p, nil
		})
		v := newCache(t, Options{}).Verifier(idOf("main"), h)
		for _, err := range together(t, 20, v, "alice", h) {
			if err != nil {
				t.Fatal(err)
			}
		}
		h.times(t, 1, "twenty at once")
		mustPass(t, v, "alice")
		h.times(t, 2, "one more")
	})
}

func TestCloseEndsLookups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := holds(knows().answer)
		c, err := New(Options{})
		if err != nil {
			t.Fatal(err)
		}
		v := c.Verifier(idOf("main"), h)
		done := make(chan error, 1)
		go func() {
			_, err := v.Verify(t.Context(), "alice")
			done <- err
		}()
		synctest.Wait()
		c.Close()
		if err := <-done; authority.KindOf(err) != authority.Unavailable {
			t.Errorf("got %v", err)
		}
	})
}
