package authority

import (
	"fmt"
	"runtime"
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

func named(name string) secret.Digest { return secret.DigestOf(name) }

// Five failures are free, then the waits double from a second to a minute.
func TestThrottleOfOneAddressAtOneAccount(t *testing.T) {
	th, h := newThrottle()
	for i := range freeFailures {
		if wait, _ := th.try(named("ada"), "192.0.2.1", false); wait != 0 {
			t.Fatalf("failure %d waits %s", i+1, wait)
		}
	}
	for _, seconds := range []int{1, 2, 4, 8, 16, 32, 60, 60} {
		want := time.Duration(seconds) * time.Second
		wait, _ := th.try(named("ada"), "192.0.2.1", false)
		if wait != want {
			t.Fatalf("waits %s, want %s", wait, want)
		}
		h.at = h.at.Add(wait - time.Millisecond)
		if wait, _ := th.try(named("ada"), "192.0.2.1", false); wait != time.Millisecond {
			t.Fatalf("a millisecond early: waits %s", wait)
		}
		h.at = h.at.Add(time.Millisecond)
		if wait, _ := th.try(named("ada"), "192.0.2.1", false); wait != 0 {
			t.Fatalf("after the wait: waits %s", wait)
		}
	}
	if wait, _ := th.try(named("eve"), "192.0.2.1", false); wait != 0 {
		t.Errorf("another account from there waits %s", wait)
	}
	if wait, _ := th.try(named("ada"), "192.0.2.2", false); wait != 0 {
		t.Errorf("another address waits %s", wait)
	}
}

func TestThrottleForgivesASuccess(t *testing.T) {
	th, _ := newThrottle()
	for range 200 { // far over every limit
		wait, succeeded := th.try(named("ada"), "192.0.2.1", false)
		if wait != 0 {
			t.Fatalf("a successful caller waits %s", wait)
		}
		succeeded()
	}
}

// A hundred failures of one address cut it off, until its window is over.
func TestThrottleOfOneAddress(t *testing.T) {
	th, h := newThrottle()
	for i := range addressFailures {
		if wait, _ := th.try(named(fmt.Sprint("user", i)), "192.0.2.1", true); wait != 0 {
			t.Fatalf("failure %d waits %s", i+1, wait)
		}
	}
	if wait, _ := th.try(named("ada"), "192.0.2.1", true); wait != windowLength {
		t.Errorf("waits %s", wait)
	}
	h.at = h.at.Add(windowLength)
	if wait, _ := th.try(named("ada"), "192.0.2.1", true); wait != 0 {
		t.Errorf("after the window: waits %s", wait)
	}
}

// A stranger, however many addresses he has, cannot lock the owner out: the account
// closes to addresses that never logged in to it, and to these only.
func TestThrottleLeavesTheOwnerAlone(t *testing.T) {
	th, _ := newThrottle()
	for i := range accountFailures {
		if wait, _ := th.try(named("ada"), fmt.Sprintf("198.51.100.%d", i), false); wait != 0 {
			t.Fatalf("failure %d waits %s", i+1, wait)
		}
	}
	if wait, _ := th.try(named("ada"), "203.0.113.7", false); wait != windowLength {
		t.Errorf("the next stranger waits %s", wait)
	}
	if wait, _ := th.try(named("ada"), "192.0.2.1", true); wait != 0 {
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
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range 1_000_000 {
		th.try(named(fmt.Sprint(i)), fmt.Sprintf("2001:db8:%x:%x::1", i>>16, i&0xffff), false)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if len(th.pairs) > throttleEntries || len(th.addresses) > throttleEntries || len(th.accounts) > throttleEntries {
		t.Errorf("%d pairs, %d addresses, %d accounts", len(th.pairs), len(th.addresses), len(th.accounts))
	}
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 128<<20 {
		t.Errorf("the flood left %d MiB", grown>>20)
	}
	runtime.KeepAlive(th)
}
