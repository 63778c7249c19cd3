package provider

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// How long what an issuer publishes is used.
const (
	DiscoveryLife = time.Hour
	KeysLife      = 10 * time.Minute // a key that was withdrawn is good for so long
)

// How often it is asked for.
const (
	// maxStale is how long the last good copy is used while no newer one can be had.
	maxStale = 24 * time.Hour
	// pauseAfterFailure is the least time between tries that fail.
	pauseAfterFailure = 2 * time.Second
	// pauseBetween is the least time between fetches that tokens ask for: whoever makes up
	// key ids cannot make us call the issuer each time. Other fetches do not count, so that
	// a key that signs from the moment it is published is found soon after one of them.
	pauseBetween = 10 * time.Second
	// pauseAfterAny is the least time between a fetch, whoever asked for it, and one that a
	// token asks for: what was fetched for its sake just now is not asked for again.
	pauseAfterAny = time.Second
	// maxPatience is how long a fetch is waited for while there is a good copy: an issuer
	// that says nothing must not slow down those whose keys are known.
	maxPatience = 2 * time.Second
)

// ErrWithdrawn in the error of a fetch means that the issuer did answer, and publishes
// none any more. That is its word, and no fault that an older copy could make up for.
var ErrWithdrawn = errors.New("the issuer publishes none any more")

// Document is something that an issuer publishes: fetched when it is first needed, by
// one caller for all, and kept. A caller that goes away does not end the fetch of the
// others. Any number of goroutines may use it.
type Document[T any] struct {
	client   *Client
	op       string // what is being done, for the log
	now      authority.Clock
	life     time.Duration
	patience time.Duration
	fetch    func(context.Context) (*T, error)

	mu      sync.Mutex
	flight  chan struct{} // closed when the fetch under way ends; nil if there is none
	value   *T            // the last good one, or nil
	fetched time.Time     // when the fetch of value began
	stale   time.Duration // how old value may be while no newer one can be had
	tried   time.Time     // when the last fetch began
	asked   time.Time     // when the last one began that a token asked for
	err     error         // of the last fetch
}

// NewDocument makes a Document that is fetched anew when it is older than its life. The
// fetch bounds its own time, as the client's calls do.
func NewDocument[T any](c *Client, op string, now authority.Clock, life time.Duration, fetch func(context.Context) (*T, error)) *Document[T] {
	return &Document[T]{
		client: c, op: op, now: now, life: life, patience: min(maxPatience, c.deadline/4), fetch: fetch,
	}
}

// Get returns the document: fetched anew when it is older than its life, and the last
// good copy when that fails or takes long, unless the issuer withdrew it. Errors: those of
// the fetch, and ProviderFailed for a caller that went away.
func (d *Document[T]) Get(ctx context.Context) (*T, error) {
	d.mu.Lock()
	now := d.now()
	resting := d.flight == nil && d.err != nil && now.Sub(d.tried) < pauseAfterFailure
	if d.fresh(now) || resting {
		defer d.mu.Unlock()
		return d.usable(now)
	}
	if last := d.value; last != nil && now.Sub(d.fetched) < d.stale {
		left := d.patienceLeft(now)
		if left <= 0 {
			d.mu.Unlock()
			return last, nil
		}
		within, cancel := context.WithTimeout(ctx, left)
		defer cancel()
		if value, err := d.join(within, now); err == nil || within.Err() == nil || ctx.Err() != nil {
			return value, err
		}
		return last, nil
	}
	return d.join(ctx, now)
}

// AtHand returns the document if it is not older than its life, else nil. It waits for
// nobody.
func (d *Document[T]) AtHand() *T {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.fresh(d.now()) {
		return nil
	}
	return d.value
}

// fresh says that the document need not be asked for. The caller holds the lock.
func (d *Document[T]) fresh(now time.Time) bool {
	return d.value != nil && now.Sub(d.fetched) < d.life
}

// Newer returns another document than the given one if there is one, or if the issuer
// has one; it asks at most once in ten seconds. Otherwise it returns the given one, and
// beside it the error if the last fetch failed; nil only when the given one is too old.
func (d *Document[T]) Newer(ctx context.Context, old *T) (*T, error) {
	d.mu.Lock()
	now := d.now()
	if d.value == old && (d.flight != nil || d.mayAsk(now)) {
		// While a good one stands, nobody waits long: a flood of tokens that name unknown
		// keys would hold up those whose keys are known.
		within, cancel := ctx, func() {}
		if old != nil && now.Sub(d.fetched) < d.stale {
			left := d.patienceLeft(now)
			if left <= 0 {
				d.mu.Unlock()
				return old, d.client.Failed(d.op, context.DeadlineExceeded)
			}
			within, cancel = context.WithTimeout(ctx, left)
		}
		if d.flight == nil {
			d.asked = now
		}
		value, err := d.join(within, now)
		cancel()
		if err != nil && (old == nil || ctx.Err() != nil || within.Err() == nil) {
			return value, err
		}
		if err != nil {
			return old, err
		}
		d.mu.Lock()
	}
	defer d.mu.Unlock()
	value, err := d.usable(d.now())
	if err == nil && value == old {
		err = d.err
	}
	return value, err
}

// mayAsk says that a token may ask for a newer copy. The caller holds the lock.
func (d *Document[T]) mayAsk(now time.Time) bool {
	pause := pauseAfterAny
	if d.err != nil {
		pause = pauseAfterFailure
	}
	return now.Sub(d.asked) >= pauseBetween && now.Sub(d.tried) >= pause
}

// patienceLeft is how long a caller who has a good copy waits for the fetch under way, or
// for the one that he begins. It is the fetch's, not each caller's own: whoever comes when
// it is spent would wait as long for the same silence. The caller holds the lock.
func (d *Document[T]) patienceLeft(now time.Time) time.Duration {
	if d.flight == nil {
		return d.patience
	}
	return d.patience - now.Sub(d.tried)
}

// usable returns the last good copy if it is not too old, else the last error. The
// caller holds the lock.
func (d *Document[T]) usable(now time.Time) (*T, error) {
	if d.value != nil && (d.err == nil || now.Sub(d.fetched) < d.stale) {
		return d.value, nil
	}
	return nil, d.err
}

// join waits for the fetch under way, or begins one. The caller holds the lock, and has
// it no more afterwards.
func (d *Document[T]) join(ctx context.Context, now time.Time) (*T, error) {
	flight := d.flight
	if flight == nil {
		flight = make(chan struct{})
		d.flight, d.tried = flight, now
		go d.fly(context.WithoutCancel(ctx), flight, now)
	}
	d.mu.Unlock()
	select {
	case <-flight:
	case <-ctx.Done():
		return nil, d.client.Failed(d.op, ctx.Err())
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.usable(d.now())
}

func (d *Document[T]) fly(ctx context.Context, flight chan struct{}, began time.Time) {
	value, err := d.fetch(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	switch d.err = err; {
	case err == nil:
		d.value, d.fetched, d.stale = value, began, maxStale
	case errors.Is(err, ErrWithdrawn):
		d.stale = d.life // however long the issuer is away from now on
	}
	d.flight = nil
	close(flight)
}
