package authority

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
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
	maxWaiting = 256 // logins that wait for a place; further ones are told to come again
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
	waiting atomic.Int64
	salt    string // of what must not be foreseen from outside

	mu        sync.Mutex
	settled   chan struct{} // closed, and made anew, whenever a try comes to its end
	pairs     map[secret.Digest]pair
	addresses map[string]window
	accounts  map[secret.Digest]window
	asked     map[string]window // questions without client authentication, by network
	started   map[string]window // starts of logins, by network
	calls     map[string]int    // to upstreams, at this moment, by upstream and by network
}

// pair counts the tries of one address at one account.
type pair struct {
	failures int
	inFlight int
	until    time.Time // no further try before this
	last     time.Time
}

// window counts failures from its first one on, for windowLength.
type window struct {
	failures int
	ends     time.Time
}

// outcome is how a try came to its end.
type outcome uint8

const (
	failed    outcome = iota // the guess was wrong
	succeeded                // the guess was right: the pair begins anew
	unjudged                 // nobody could say: it never was
)

// NewThrottle returns a Throttle that has counted nothing.
func NewThrottle(clock Clock) *Throttle {
	return &Throttle{
		clock: clock, hashing: make(chan struct{}, maxHashing), salt: secret.Token(),
		settled: make(chan struct{}), pairs: map[secret.Digest]pair{},
		addresses: map[string]window{}, accounts: map[secret.Digest]window{},
		asked: map[string]window{}, started: map[string]window{}, calls: map[string]int{},
	}
}

var errTooMany = errors.New("too many logins are waiting")

// hash waits for a place to hash a password in and answers how to leave it.
func (t *Throttle) hash(ctx context.Context) (done func(), err error) {
	defer t.waiting.Add(-1)
	if t.waiting.Add(1) > maxWaiting {
		return nil, errTooMany
	}
	select {
	case t.hashing <- struct{}{}:
		return func() { <-t.hashing }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// guess is one try at an account.
type guess struct {
	account secret.Digest
	network string // see networkOf
	known   bool   // the network has logged in to the account before
	key     secret.Digest
}

// try admits a guess and counts it as a failure until it is settled. It answers how
// long to wait instead, or zero and how to settle it. Tries of one pair beyond the
// free ones go one after the other: who sends the right password many times at once
// is not a guesser, and who sends wrong ones gains nothing by haste.
func (t *Throttle) try(ctx context.Context, g guess) (wait time.Duration, settle func(outcome), err error) {
	g.key = secret.DigestOf(string(g.account[:]) + g.network)
	for {
		wait, settled := t.admit(g)
		if settled == nil {
			return wait, func(o outcome) { t.settle(g, o) }, nil
		}
		if err := t.wait(ctx, settled); err != nil {
			return 0, nil, err
		}
	}
}

// wait waits for its turn, as one of so many.
func (t *Throttle) wait(ctx context.Context, turn <-chan struct{}) error {
	defer t.waiting.Add(-1)
	if t.waiting.Add(1) > maxWaiting {
		return errTooMany
	}
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// admit counts the guess if its turn has come. Otherwise it answers a wait, or what
// to listen to before asking again.
func (t *Throttle) admit(g guess) (wait time.Duration, settled <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.clock()
	p := t.pairs[g.key]
	if p.inFlight == 0 && now.Sub(p.last) > pairMemory {
		p = pair{}
	}
	from, at := current(t.addresses[g.network], now), current(t.accounts[g.account], now)
	wait = max(p.until.Sub(now), from.over(addressFailures, now))
	if !g.known {
		wait = max(wait, at.over(accountFailures, now))
	}
	if wait > 0 {
		return wait, nil
	}
	if p.inFlight > 0 && p.failures+p.inFlight >= freeFailures {
		return 0, t.settled
	}
	p.inFlight, p.last = p.inFlight+1, now
	put(t.pairs, g.key, p, func(old pair) bool { return old.inFlight == 0 && now.Sub(old.last) > pairMemory }, pair.light)
	ended := func(old window) bool { return !now.Before(old.ends) }
	put(t.addresses, g.network, from.plus(1), ended, window.light)
	if !g.known {
		put(t.accounts, g.account, at.plus(1), ended, window.light)
	}
	return 0, nil
}

// settle writes down how a try ended.
func (t *Throttle) settle(g guess, o outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.settled)
	t.settled = make(chan struct{})
	p := t.pairs[g.key]
	p.inFlight = max(0, p.inFlight-1)
	switch o {
	case failed:
		p.failures++
		if over := p.failures - freeFailures; over >= 0 {
			p.until = t.clock().Add(min(firstWait<<min(over, 10), longestWait))
		}
	case succeeded:
		p.failures, p.until = 0, time.Time{}
	}
	if p == (pair{last: p.last}) {
		delete(t.pairs, g.key)
	} else {
		t.pairs[g.key] = p
	}
	if o == failed {
		return
	}
	if w, ok := t.addresses[g.network]; ok {
		t.addresses[g.network] = w.plus(-1)
	}
	if w, ok := t.accounts[g.account]; ok && !g.known {
		t.accounts[g.account] = w.plus(-1)
	}
}

// light reports whether little is lost by forgetting it.
func (p pair) light() bool { return p.failures <= 1 && p.inFlight == 0 }

func (w window) light() bool { return w.failures <= 1 }

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

// put stores v. A full map first loses what is over, then what weighs little, and if
// nothing does, some entry: a flood may shorten memories, it may not take the
// machine's.
func put[K comparable, V any](m map[K]V, k K, v V, over, light func(V) bool) {
	if _, there := m[k]; !there && len(m) >= throttleEntries {
		for _, goes := range []func(V) bool{over, light, func(V) bool { return true }} {
			for old, value := range m {
				if len(m) < throttleEntries-throttleEntries/16 {
					break
				}
				if goes(value) {
					delete(m, old)
				}
			}
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
