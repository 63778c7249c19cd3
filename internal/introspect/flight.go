package introspect

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

const opVerify = "verify credential"

// flight is one miss and those who wait for its answer: it is given at once, or there is a
// lookup.
type flight struct {
	digest secret.Digest
	serial uint64             // flights of a later serial began later
	time   context.Context    // of the lookup: done when its time is up
	cancel context.CancelFunc // of time
	done   chan struct{}      // closed when it has landed
	idle   chan struct{}      // closed when the last caller left before it took off

	// Guarded by flights.mu.
	callers  int
	started  bool
	deserted bool

	// Written before done is closed, only read after it.
	principal authority.Principal
	err       error
	number    uint64        // the counter of endings before the lookup
	birth     time.Duration // the cache's age before the lookup
}

// flights is the table of lookups in flight.
type flights struct {
	mu      sync.Mutex
	table   map[secret.Digest]*flight
	closed  bool
	serial  atomic.Uint64
	landing sync.WaitGroup
}

func (t *flights) latest() uint64 { return t.serial.Load() }

// close stops new flights. It answers false the second time.
func (t *flights) close() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := !t.closed
	t.closed = true
	return first
}

// retire takes f out of the table, so that the next caller makes a lookup of its own.
func (t *flights) retire(f *flight) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.table[f.digest] == f {
		delete(t.table, f.digest)
	}
}

// leave takes a caller out of f. The last one to leave before f took off ends it:
// what nobody waits for does not queue.
func (t *flights) leave(f *flight) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f.callers--
	if f.callers > 0 || f.started || f.deserted {
		return
	}
	f.deserted = true
	close(f.idle)
	if t.table[f.digest] == f {
		delete(t.table, f.digest)
	}
}

// takeOff marks f as started, unless everybody left.
func (t *flights) takeOff(f *flight) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	f.started = !f.deserted
	return f.started
}

// wait returns nil when f has landed, and an error when the caller's own time or
// that of f is up.
func (t *flights) wait(ctx context.Context, f *flight) error {
	select {
	case <-f.done:
		return nil
	default:
	}
	select {
	case <-f.done:
		return nil
	case <-ctx.Done():
		t.leave(f)
		return unavailable(context.Cause(ctx))
	case <-f.time.Done():
		select {
		case <-f.done: // both at once: an answer is an answer
			return nil
		default:
			t.leave(f)
			return unavailable(errors.New("the lookup took too long"))
		}
	}
}

func unavailable(err error) *authority.Error {
	return &authority.Error{Kind: authority.Unavailable, Op: opVerify, RetryAfter: time.Second, Err: err}
}

// board finds the flight for d or makes one: the caller who is its first has it depart.
// Without a flight the answer came into the cache meanwhile, or the cache is closed.
func (v *Verifier) board(ctx context.Context, d secret.Digest) (f *flight, first bool, p authority.Principal, _ error) {
	c, t := v.cache, &v.cache.flights
	t.mu.Lock()
	defer t.mu.Unlock()
	if f, ok := t.table[d]; ok {
		f.callers++
		return f, false, p, nil
	}
	if t.closed {
		return nil, false, p, unavailable(errors.New("the verdict cache is closed"))
	}
	// A flight leaves the table when its verdict is kept: that may have happened between
	// this caller's look and now.
	now := c.now()
	if c.find(&d, now, &p) == alive {
		return nil, false, p, nil
	}
	if err := c.refusal(&d, now); err != nil {
		return nil, false, authority.Principal{}, err
	}
	f = &flight{
		digest: d, serial: t.serial.Add(1), callers: 1, done: make(chan struct{}), idle: make(chan struct{}),
		err: &authority.Error{Kind: authority.Internal, Op: opVerify, Err: errors.New("the verifier gave no answer")},
	}
	f.time, f.cancel = context.WithTimeout(context.WithoutCancel(ctx), c.lookupTimeout)
	t.table[d] = f
	t.landing.Add(1)
	return f, true, authority.Principal{}, nil
}

// depart has f land at once if that needs no lookup, or else begins the lookup.
func (v *Verifier) depart(f *flight, credential string) {
	if v.prompt == nil || !v.atOnce(f, credential) {
		go v.fly(f, credential)
	}
}

// atOnce answers without a lookup, on the caller's own goroutine: it does not wait, so
// there is nothing that the caller could leave.
func (v *Verifier) atOnce(f *flight, credential string) (landed bool) {
	landed = true // also on the way out of a panic or a Goexit of the verifier
	defer func() {
		if landed {
			v.land(f)
		}
	}()
	defer func() { v.survived(recover()) }()
	v.begin(f)
	p, answered, err := v.prompt.VerifyAtOnce(credential)
	if !answered {
		return false
	}
	f.principal, f.err = p, err
	return true
}

// begin notes when the answer of f begins to be true.
func (v *Verifier) begin(f *flight) {
	f.birth = v.cache.now().age
	f.number = v.cache.endings.number.Load()
}

// fly makes the lookup on a goroutine of its own: the caller who began it may
// leave without failing the others.
func (v *Verifier) fly(f *flight, credential string) {
	c := v.cache
	defer v.land(f)                               // on every way out: a panic or a Goexit of the verifier leaves f.err as it was made
	detach := context.AfterFunc(c.life, f.cancel) // Close ends the lookup
	defer detach()
	defer func() { v.survived(recover()) }()
	if !v.queue(f) {
		return
	}
	defer func() { <-v.slots }()
	if !c.flights.takeOff(f) {
		return
	}
	c.counts.lookups.Add(1)
	v.begin(f)
	p, err := v.covered.Verify(f.time, credential)
	if _, ours := errors.AsType[*authority.Error](err); err != nil && !ours && f.time.Err() != nil {
		err = unavailable(err)
	}
	f.principal, f.err = p, err
}

// queue takes a slot for f. It answers false where there is no lookup to make: nobody
// waits for it any more, or its time is up.
func (v *Verifier) queue(f *flight) bool {
	select {
	case v.slots <- struct{}{}:
		return true
	case <-f.idle:
	case <-f.time.Done():
		f.err = unavailable(errors.New("too many lookups in flight"))
	}
	return false
}

// survived logs what the verifier panicked with, nil if it did not.
func (v *Verifier) survived(r any) {
	if r != nil {
		v.cache.logger.Error("a verifier panicked", "cause", describe(r), "stack", string(debug.Stack()))
	}
}

// describe tells what was panicked with, but no text that was made from data: it
// may hold the credential.
func describe(r any) string {
	if err, ok := r.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("%T", r)
}

// land keeps the verdict, takes the flight out of the table, and wakes the callers. In
// this order whoever comes finds the one or the other.
func (v *Verifier) land(f *flight) {
	v.cache.keep(f)
	v.cache.flights.retire(f)
	close(f.done)
	f.cancel()
	v.cache.flights.landing.Done()
}
