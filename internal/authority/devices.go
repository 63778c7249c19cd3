package authority

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// The bounds of waiting for the users of device logins.
const (
	maxRelays       = 4096 // sessions that are remembered
	maxDeviceWaits  = 4096 // callers that wait at once
	maxNetworkWaits = 64   // of them, from one network
	maxSessionWaits = 32   // and for one session
)

// Devices holds what callers wait for at upstreams: one poller for each session. It
// outlives configurations, as the calls that wait do.
type Devices struct {
	clock   Clock
	exiting func() bool
	serving atomic.Pointer[Authority] // of the configuration that serves; nil until one does

	mu      sync.Mutex
	relays  map[secret.Digest]*relay
	waiting map[string]int // callers by network
	total   int
}

// relay is a session somebody waited for.
type relay struct {
	waiters  int
	run      *deviceRun // nil while nobody waits
	before   *deviceRun // the one that was called off and may still be asking
	interval time.Duration
	next     time.Time // no poll before this, whoever comes
	expires  time.Time
	grant    *UpstreamGrant // the user has approved; kept until the upstream has said who it is
	granted  *Profile       // who it is; kept in case that the store fails
}

// deviceRun is one poller at work.
type deviceRun struct {
	cancel  context.CancelFunc
	done    chan struct{}
	profile Profile // valid after done
	err     error   // valid after done
}

// NewDevices returns Devices for which nobody waits. exiting tells that the process
// is about to end: then nobody is kept waiting.
func NewDevices(clock Clock, exiting func() bool) *Devices {
	return &Devices{clock: clock, exiting: exiting, relays: map[secret.Digest]*relay{}, waiting: map[string]int{}}
}

// wait returns who approved the device login, once the user has decided.
func (d *Devices) wait(ctx context.Context, a *Authority, op string, up *Upstream, id secret.Digest, s relayed) (Profile, error) {
	network := networkOf(CallerOf(ctx).Address)
	r, run, granted, err := d.join(ctx, a, op, network, up, id, s)
	if err != nil {
		return Profile{}, err
	}
	defer d.leave(r, network)
	if granted != nil {
		return *granted, nil
	}
	tick := time.NewTicker(exitPoll)
	defer tick.Stop()
	for {
		select {
		case <-run.done:
			return run.profile, run.err
		case <-ctx.Done():
			return Profile{}, &Error{Kind: Unavailable, Op: op, RetryAfter: time.Second, Err: ctx.Err()}
		case <-tick.C:
			if d.exiting() {
				return Profile{}, &Error{Kind: Unavailable, Op: op, Public: "the service is restarting: ask again", RetryAfter: time.Second,
					Err: errors.New("the process exits")}
			}
		}
	}
}

// join adds a waiter to the session's relay, and a poller where there is none. It
// answers who it is if the user has approved already.
func (d *Devices) join(ctx context.Context, a *Authority, op, network string, up *Upstream, id secret.Digest, s relayed) (*relay, *deviceRun, *Profile, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r := d.relays[id]; d.total >= maxDeviceWaits || d.waiting[network] >= maxNetworkWaits || r != nil && r.waiters >= maxSessionWaits {
		return nil, nil, nil, &Error{Kind: Throttled, Op: op, Public: "too many callers wait for device logins: try again later", RetryAfter: defaultInterval}
	}
	r := d.relays[id]
	if r == nil {
		if !d.room() {
			return nil, nil, nil, tooBusy(op, errors.New("too many device logins"))
		}
		r = &relay{interval: s.interval, next: d.clock(), expires: s.expires}
		d.relays[id] = r
	}
	d.total, d.waiting[network], r.waiters = d.total+1, d.waiting[network]+1, r.waiters+1
	if r.run == nil && r.granted == nil {
		run := &deviceRun{done: make(chan struct{})}
		var work context.Context
		work, run.cancel = context.WithCancel(context.WithoutCancel(ctx))
		before := r.before
		r.run, r.before = run, nil
		go d.work(work, a, op, up, r, run, before, s)
	}
	return r, r.run, r.granted, nil
}

// leave takes a waiter off. Without one the upstream is not asked any more.
func (d *Devices) leave(r *relay, network string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.total--
	if d.waiting[network]--; d.waiting[network] == 0 {
		delete(d.waiting, network)
	}
	if r.waiters--; r.waiters == 0 && r.run != nil {
		r.run.cancel()
		r.before, r.run = r.run, nil
	}
}

// room makes place for one more relay: those that are over go, then idle ones, of
// which only the moment of the last poll is lost.
func (d *Devices) room() bool {
	if len(d.relays) < maxRelays {
		return true
	}
	now := d.clock()
	for _, light := range []bool{false, true} {
		for id, r := range d.relays {
			if r.waiters == 0 && (!now.Before(r.expires) || light && r.granted == nil) {
				delete(d.relays, id)
			}
		}
		if len(d.relays) < maxRelays {
			return true
		}
	}
	return false
}

// work asks the upstream until the user has decided, nobody waits, or it has been
// long enough.
func (d *Devices) work(ctx context.Context, a *Authority, op string, up *Upstream, r *relay, run *deviceRun, before *deviceRun, s relayed) {
	defer run.cancel()
	if before != nil { // one poller at a time
		<-before.done
	}
	end := d.clock().Add(longestPoll)
	if s.expires.Before(end) {
		end = s.expires
	}
	d.mu.Lock()
	granted := r.granted // by the one before, in the answer that it was waiting for
	d.mu.Unlock()
	var profile Profile
	var err error
	if granted != nil {
		profile = *granted
	} else {
		profile, err = d.ask(ctx, a, op, up, r, s, end)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		r.granted = &profile
	}
	run.profile, run.err = profile, err
	if r.run == run { // whoever comes now asks anew, after the interval
		r.run = nil
	}
	close(run.done)
}

func (d *Devices) ask(ctx context.Context, a *Authority, op string, up *Upstream, r *relay, s relayed, end time.Time) (Profile, error) {
	if grant := d.grantOf(r); grant != nil {
		return d.identify(ctx, a, op, up, r, *grant)
	}
	for {
		if err := d.turn(ctx, op, r, s, end); err != nil {
			return Profile{}, err
		}
		// Who leaves now does not take the answer with him: it may be the user's approval.
		p, err := up.PollDevice(context.WithoutCancel(ctx), s.code)
		if err != nil {
			return Profile{}, err
		}
		switch p.Answer {
		case DeviceGranted:
			d.mu.Lock()
			r.grant = &p.Grant
			d.mu.Unlock()
			return d.identify(ctx, a, op, up, r, p.Grant)
		case DeviceDenied:
			return Profile{}, deviceOver(op, "the login was denied")
		case DeviceExpired:
			return Profile{}, deviceOver(op, "the device login has expired: begin again")
		case DeviceSlowDown: // RFC 8628 §3.5: five seconds more, unless the upstream says how many
			d.slower(r, p.Interval)
		case DevicePending:
		default:
			return Profile{}, oddDevice(op, "an answer to a poll that is not known")
		}
	}
}

func (d *Devices) grantOf(r *relay) *UpstreamGrant {
	d.mu.Lock()
	defer d.mu.Unlock()
	return r.grant
}

// identify asks who approved. The code is spent upstream: what it gave is lost neither
// to a caller who goes away now nor to an upstream that fails once.
func (d *Devices) identify(ctx context.Context, a *Authority, op string, up *Upstream, r *relay, g UpstreamGrant) (Profile, error) {
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), upstreamPatience)
	defer cancel()
	profile, err := up.Identify(within, g)
	if KindOf(err) == ProviderFailed {
		return Profile{}, err
	}
	d.mu.Lock()
	r.grant = nil
	d.mu.Unlock()
	a.forget(ctx, up, g.AccessToken)
	if err != nil {
		return Profile{}, err
	}
	return profile.kept(op)
}

// turn waits for the moment of the next poll, and takes it.
func (d *Devices) turn(ctx context.Context, op string, r *relay, s relayed, end time.Time) error {
	d.mu.Lock()
	now := d.clock()
	at := r.next
	if at.Before(now) {
		at = now
	}
	r.next = at.Add(r.interval)
	d.mu.Unlock()
	over := !at.Before(end)
	if over {
		at = end
	}
	wait := time.NewTimer(at.Sub(now))
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
		d.mu.Lock()
		if r.next.Equal(at.Add(r.interval)) { // this turn was not taken
			r.next = at
		}
		d.mu.Unlock()
		return &Error{Kind: Unavailable, Op: op, RetryAfter: time.Second, Err: ctx.Err()}
	}
	switch {
	case !over:
		return nil
	case end.Before(s.expires):
		return &Error{Kind: Unavailable, Op: op, Public: "nobody has decided yet: ask again", RetryAfter: time.Second}
	}
	return deviceOver(op, "the device login has expired: begin again")
}

// slower lets the relay ask less often from now on.
func (d *Devices) slower(r *relay, to time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	more := r.interval + defaultInterval
	if to > r.interval {
		more = to
	}
	more = min(more, maxInterval)
	r.next = r.next.Add(more - r.interval)
	r.interval = more
}
