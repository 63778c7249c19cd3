package authority

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// The bounds of guessing.
const (
	freeFailures    = 5                // of one address at one account, before it has to wait
	firstWait       = time.Second      // after them, doubling with each further failure
	longestWait     = time.Minute      // where the doubling ends
	pairMemory      = 15 * time.Minute // how long a pair's failures are remembered
	windowLength    = 10 * time.Minute
	addressFailures = 100 // of one address at all accounts, in a window
	accountFailures = 50  // at one account from addresses that never logged in to it, in a window

	throttleEntries = 1 << 16 // of each sort; bounds the memory whatever the flood

	// maxHashing bounds the password hashes that run at once: one takes tens of MiB,
	// and a login waits its turn rather than taking the machine.
	maxHashing = 4
)

// Throttle bounds guessing. It counts by name whether the name exists or not, and
// it counts a try before anything is hashed, so that a burst is a row of tries.
//
// Three counts hold together: an address at an account waits ever longer; an
// address at all accounts is cut off for a while; and so is an account from
// addresses that never logged in to it, which leaves its owner alone.
type Throttle struct {
	clock   Clock
	hashing chan struct{}

	mu        sync.Mutex
	pairs     map[secret.Digest]pair
	addresses map[string]window
	accounts  map[secret.Digest]window
}

// pair counts the failures of one address at one account.
type pair struct {
	failures int
	until    time.Time // no further try before this
	last     time.Time
}

// window counts failures from its first one on, for windowLength.
type window struct {
	failures int
	ends     time.Time
}

// NewThrottle returns a Throttle that has counted nothing.
func NewThrottle(clock Clock) *Throttle {
	return &Throttle{
		clock: clock, hashing: make(chan struct{}, maxHashing), pairs: map[secret.Digest]pair{},
		addresses: map[string]window{}, accounts: map[secret.Digest]window{},
	}
}

// hash waits for a place to hash a password in and answers how to leave it.
func (t *Throttle) hash(ctx context.Context) (done func(), err error) {
	select {
	case t.hashing <- struct{}{}:
		return func() { <-t.hashing }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// try counts a try as a failure beforehand. It answers how long to wait instead, or
// zero and a function that takes the failure back after a success. known says that
// the address has logged in to the account before.
func (t *Throttle) try(account secret.Digest, address string, known bool) (wait time.Duration, succeeded func()) {
	network := networkOf(address)
	key := secret.DigestOf(string(account[:]) + network)
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.clock()
	p := t.pairs[key]
	if now.Sub(p.last) > pairMemory {
		p = pair{}
	}
	from, at := current(t.addresses[network], now), current(t.accounts[account], now)
	wait = max(p.until.Sub(now), from.over(addressFailures, now))
	if !known {
		wait = max(wait, at.over(accountFailures, now))
	}
	if wait > 0 {
		return wait, nil
	}
	p.failures, p.last = p.failures+1, now
	if over := p.failures - freeFailures; over >= 0 {
		p.until = now.Add(min(firstWait<<min(over, 10), longestWait))
	}
	put(t.pairs, key, p, func(old pair) bool { return now.Sub(old.last) > pairMemory })
	ended := func(old window) bool { return !now.Before(old.ends) }
	put(t.addresses, network, from.plus(1), ended)
	if !known {
		put(t.accounts, account, at.plus(1), ended)
	}
	return 0, func() { t.takeBack(key, network, account, known) }
}

// takeBack undoes the count of a try that succeeded. The pair starts anew.
func (t *Throttle) takeBack(key secret.Digest, network string, account secret.Digest, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.pairs, key)
	if w, ok := t.addresses[network]; ok {
		t.addresses[network] = w.plus(-1)
	}
	if w, ok := t.accounts[account]; ok && !known {
		t.accounts[account] = w.plus(-1)
	}
}

// current returns the window if it still runs, and a new one otherwise.
func current(w window, now time.Time) window {
	if !now.Before(w.ends) {
		return window{ends: now.Add(windowLength)}
	}
	return w
}

func (w window) plus(n int) window {
	w.failures = max(0, w.failures+n)
	return w
}

// over is how long a full window still runs.
func (w window) over(limit int, now time.Time) time.Duration {
	if w.failures < limit {
		return 0
	}
	return w.ends.Sub(now)
}

// put stores v. A full map first loses what is over, and if nothing is, some
// entry: a flood may shorten memories, it may not take the machine's.
func put[K comparable, V any](m map[K]V, k K, v V, over func(V) bool) {
	if _, there := m[k]; !there && len(m) >= throttleEntries {
		for old, value := range m {
			if over(value) {
				delete(m, old)
			}
		}
		for old := range m {
			if len(m) < throttleEntries-throttleEntries/16 {
				break
			}
			delete(m, old)
		}
	}
	m[k] = v
}

// networkOf is the part of an address that one caller holds: all of an IPv4
// address, the /64 of an IPv6 one.
func networkOf(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return "unknown"
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	p, err := ip.Prefix(64)
	if err != nil {
		return "unknown"
	}
	return p.String()
}
