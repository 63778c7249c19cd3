package oidc

import (
	"context"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// How long what a provider publishes is used, and how often it is asked for.
const (
	discoveryLife = time.Hour
	keysLife      = 10 * time.Minute // a key that was withdrawn is good for so long
	// maxStale is how long the last good copy is used while no newer one can be had.
	maxStale = 24 * time.Hour
	// pauseAfterFailure is the least time between tries that fail.
	pauseAfterFailure = 2 * time.Second
	// pauseBetween is the least time between fetches that tokens ask for: whoever makes up
	// key ids cannot make us call the provider each time.
	pauseBetween = 10 * time.Second
)

// document is something that a provider publishes: fetched when it is first needed, by
// one caller for all, and kept. A caller that goes away does not end the fetch of the
// others.
type document[T any] struct {
	now   authority.Clock
	life  time.Duration
	fetch func(context.Context) (*T, error) // bounds its own time
	gone  func(error) error                 // makes the error for a caller that went away

	mu      sync.Mutex
	flight  chan struct{} // closed when the fetch under way ends; nil if there is none
	value   *T            // the last good one, or nil
	fetched time.Time     // when the fetch of value began
	tried   time.Time     // when the last fetch began
	err     error         // of the last fetch
}

// get returns the document: fetched anew when it is older than its life, and the last
// good copy when that fails.
func (d *document[T]) get(ctx context.Context) (*T, error) {
	d.mu.Lock()
	now := d.now()
	fresh := d.value != nil && now.Sub(d.fetched) < d.life
	resting := d.flight == nil && d.err != nil && now.Sub(d.tried) < pauseAfterFailure
	if fresh || resting {
		defer d.mu.Unlock()
		return d.usable(now)
	}
	return d.join(ctx, now)
}

// newer returns another document than the given one if there is one, or if the provider
// has one; at most one fetch in pauseBetween. Otherwise it returns the given one.
func (d *document[T]) newer(ctx context.Context, old *T) (*T, error) {
	d.mu.Lock()
	now := d.now()
	if d.value != old || d.flight == nil && now.Sub(d.tried) < pauseBetween {
		defer d.mu.Unlock()
		return d.usable(now)
	}
	return d.join(ctx, now)
}

// usable returns the last good copy if it is not too old, else the last error. The
// caller holds the lock.
func (d *document[T]) usable(now time.Time) (*T, error) {
	if d.value != nil && (d.err == nil || now.Sub(d.fetched) < maxStale) {
		return d.value, nil
	}
	return nil, d.err
}

// join waits for the fetch under way, or begins one. The caller holds the lock, and has
// it no more afterwards.
func (d *document[T]) join(ctx context.Context, now time.Time) (*T, error) {
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
		return nil, d.gone(ctx.Err())
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.usable(d.now())
}

func (d *document[T]) fly(ctx context.Context, flight chan struct{}, began time.Time) {
	value, err := d.fetch(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err = err; err == nil {
		d.value, d.fetched = value, began
	}
	d.flight = nil
	close(flight)
}
