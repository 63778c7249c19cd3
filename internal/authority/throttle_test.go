package authority

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

type hand struct{ at time.Time }

func (h *hand) now() time.Time { return h.at }

func newThrottle() (*Throttle, *hand) {
	h := &hand{at: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	return NewThrottle(h.now), h
}

// wrong is a guess that fails; it answers the wait that came instead of it.
func (t *Throttle) wrong(tb testing.TB, name, address string, known bool) time.Duration {
	tb.Helper()
	wait, settle, err := t.try(tb.Context(), guess{account: named(name), network: networkOf(address), known: known})
	if err != nil {
		tb.Fatal(err)
	}
	if wait == 0 {
		settle(failed)
	}
	return wait
}

func named(name string) secret.Digest { return secret.DigestOf(name) }

// Five failures are free, then the waits double from a second to a minute.
func TestThrottleOfOneAddressAtOneAccount(t *testing.T) {
	th, h := newThrottle()
	for i := range freeFailures {
		if wait := th.wrong(t, "ada", "192.0.2.1", false); wait != 0 {
			t.Fatalf("failure %d waits %s", i+1, wait)
		}
	}
	for _, seconds := range []int{1, 2, 4, 8, 16, 32, 60, 60} {
		want := time.Duration(seconds) * time.Second
		wait := th.wrong(t, "ada", "192.0.2.1", false)
		if wait != want {
			t.Fatalf("waits %s, want %s", wait, want)
		}
		h.at = h.at.Add(wait - time.Millisecond)
		if wait := th.wrong(t, "ada", "192.0.2.1", false); wait != time.Millisecond {
			t.Fatalf("a millisecond early: waits %s", wait)
		}
		h.at = h.at.Add(time.Millisecond)
		if wait := th.wrong(t, "ada", "192.0.2.1", false); wait != 0 {
			t.Fatalf("after the wait: waits %s", wait)
		}
	}
	if wait := th.wrong(t, "eve", "192.0.2.1", false); wait != 0 {
		t.Errorf("another account from there waits %s", wait)
	}
	if wait := th.wrong(t, "ada", "192.0.2.2", false); wait != 0 {
		t.Errorf("another address waits %s", wait)
	}
}

func TestThrottleForgivesASuccess(t *testing.T) {
	th, _ := newThrottle()
	for i := range 200 { // far over every limit
		wait, settle, err := th.try(t.Context(), guess{account: named("ada"), network: "192.0.2.1"})
		if wait != 0 || err != nil {
			t.Fatalf("a successful caller waits %s %v", wait, err)
		}
		settle([]outcome{succeeded, unjudged}[i%2])
	}
}

// A hundred failures of one address cut it off, until its window is over.
func TestThrottleOfOneAddress(t *testing.T) {
	th, h := newThrottle()
	for i := range addressFailures {
		if wait := th.wrong(t, fmt.Sprint("user", i), "192.0.2.1", true); wait != 0 {
			t.Fatalf("failure %d waits %s", i+1, wait)
		}
	}
	if wait := th.wrong(t, "ada", "192.0.2.1", true); wait != windowLength {
		t.Errorf("waits %s", wait)
	}
	h.at = h.at.Add(windowLength)
	if wait := th.wrong(t, "ada", "192.0.2.1", true); wait != 0 {
		t.Errorf("after the window: waits %s", wait)
	}
}

// A stranger, however many addresses he has, cannot lock the owner out: the account
// closes to addresses that never logged in to it, and to these only.
func TestThrottleLeavesTheOwnerAlone(t *testing.T) {
	th, _ := newThrottle()
	for i := range accountFailures {
		if wait := th.wrong(t, "ada", fmt.Sprintf("198.51.100.%d", i), false); wait != 0 {
			t.Fatalf("failure %d waits %s", i+1, wait)
		}
	}
	if wait := th.wrong(t, "ada", "203.0.113.7", false); wait != windowLength {
		t.Errorf("the next stranger waits %s", wait)
	}
	if wait := th.wrong(t, "ada", "192.0.2.1", true); wait != 0 {
		t.Errorf("the owner waits %s", wait)
	}
}

// All of an IPv6 /64 is one caller; so are the two spellings of an IPv4 address.
func TestNetworkOf(t *testing.T) {
	for _, c := range []struct{ a, b string }{
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"},
		{"192.0.2.1", "::ffff:192.0.2.1"},
		{"fe80::1%eth0", "fe80::2"},
		{"", "not an address"},
	} {
		if networkOf(c.a) != networkOf(c.b) {
			t.Errorf("%q is %q, %q is %q", c.a, networkOf(c.a), c.b, networkOf(c.b))
		}
	}
	if networkOf("2001:db8:1:2::1") == networkOf("2001:db8:1:3::1") || networkOf("192.0.2.1") == networkOf("192.0.2.2") {
		t.Error("two callers are one")
	}
}

// A million names from a million addresses take a bounded memory, and who waited
// before still waits.
func TestThrottleInAFlood(t *testing.T) {
	th, _ := newThrottle()
	for range 2 * freeFailures {
		th.wrong(t, "ada", "192.0.2.1", true)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range 1_000_000 {
		th.wrong(t, fmt.Sprint(i), fmt.Sprintf("2001:db8:%x:%x::1", i>>16, i&0xffff), false)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if len(th.pairs) > throttleEntries || len(th.addresses) > throttleEntries || len(th.accounts) > throttleEntries {
		t.Errorf("%d pairs, %d addresses, %d accounts", len(th.pairs), len(th.addresses), len(th.accounts))
	}
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 128<<20 {
		t.Errorf("the flood left %d MiB", grown>>20)
	}
	if wait := th.wrong(t, "ada", "192.0.2.1", true); wait == 0 {
		t.Error("who had to wait before the flood need not any more")
	}
}

// The right password many times at once is no guessing: whoever is over the free
// tries waits for his turn, and one failure later the next ones are judged as ever.
func TestThrottleOfParallelLogins(t *testing.T) {
	th, _ := newThrottle()
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			wait, settle, err := th.try(t.Context(), guess{account: named("ada"), network: "192.0.2.1", known: true})
			if wait != 0 || err != nil {
				t.Errorf("waits %s %v", wait, err)
				return
			}
			runtime.Gosched()
			settle(succeeded)
		})
	}
	wg.Wait()
	var free atomic.Int64
	for range 100 {
		wg.Go(func() {
			if wait, settle, err := th.try(t.Context(), guess{account: named("ada"), network: "192.0.2.1"}); wait == 0 && err == nil {
				free.Add(1)
				settle(failed)
			}
		})
	}
	wg.Wait()
	if free.Load() != freeFailures {
		t.Errorf("%d wrong guesses at once were let through", free.Load())
	}
}

// Who waits for his turn and goes away leaves nothing behind.
func TestThrottleForgetsWhoWentAway(t *testing.T) {
	th, _ := newThrottle()
	g := guess{account: named("ada"), network: "192.0.2.1"}
	var settles []func(outcome)
	for range freeFailures {
		_, settle, _ := th.try(t.Context(), g)
		settles = append(settles, settle)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := th.try(ctx, g); err == nil {
		t.Error("a caller that went away was let in")
	}
	for _, settle := range settles {
		settle(unjudged)
	}
	if len(th.pairs) != 0 || th.addresses["192.0.2.1"].failures != 0 || th.accounts[g.account].failures != 0 {
		t.Errorf("%v %v %v", th.pairs, th.addresses, th.accounts)
	}
}
