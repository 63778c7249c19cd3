package providertest

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// startedDevice begins a device login; ok is false where the upstream offers none.
func (b *bench) startedDevice(t *testing.T) (d authority.UpstreamDevice, ok bool) {
	t.Helper()
	d, err := b.provider.StartDevice(t.Context())
	if b.subject.NoDevice {
		b.refused(t, err, authority.Invalid)
		return d, false
	}
	if err != nil {
		t.Fatal(err)
	}
	b.secrets = append(b.secrets, d.DeviceCode)
	return d, true
}

// polled polls once.
func (b *bench) polled(t *testing.T, d authority.UpstreamDevice, want authority.DeviceAnswer) authority.DevicePoll {
	t.Helper()
	poll, err := b.provider.PollDevice(t.Context(), d.DeviceCode)
	if err != nil {
		t.Fatal(err)
	}
	if poll.Answer != want {
		t.Errorf("the answer to the poll is %d, want %d", poll.Answer, want)
	}
	if (poll.Grant.AccessToken != "") != (want == authority.DeviceGranted) {
		t.Errorf("the grant is %q", poll.Grant.AccessToken)
	}
	return poll
}

func deviceLogin(t *testing.T, b *bench) {
	d, ok := b.startedDevice(t)
	if !ok {
		return
	}
	if d.DeviceCode == "" || d.UserCode == "" || d.VerificationURI == "" || d.ExpiresIn <= 0 || d.Interval != 5*time.Second {
		t.Errorf("the device login is %+v", d)
	}
	b.polled(t, d, authority.DevicePending)
	b.polled(t, d, authority.DevicePending)
	if !b.fake.Decide(d.UserCode, "ada", Approve) {
		t.Fatalf("nobody waits with the code %q", d.UserCode)
	}
	poll := b.polled(t, d, authority.DeviceGranted)
	p, err := b.provider.Identify(t.Context(), poll.Grant)
	if err != nil {
		t.Fatal(err)
	}
	b.is(t, p, "ada")
	// What was granted once is granted no more.
	again, err := b.provider.PollDevice(t.Context(), d.DeviceCode)
	if err == nil && (again.Answer == authority.DeviceGranted || again.Answer == authority.DevicePending) {
		t.Errorf("the answer to a poll after the grant is %d", again.Answer)
	}
}

func deviceRefused(t *testing.T, b *bench) {
	for decision, want := range map[Decision]authority.DeviceAnswer{
		Deny: authority.DeviceDenied, Expire: authority.DeviceExpired,
	} {
		d, ok := b.startedDevice(t)
		if !ok {
			return
		}
		b.fake.Decide(d.UserCode, "ada", decision)
		b.polled(t, d, want)
	}
	// Another spelling that one upstream's documents have.
	d, _ := b.startedDevice(t)
	b.fake.Misbehave(b.fake.Paths().Token, Misbehaviour{Mode: Error200, Error: "token_expired", Times: 1})
	b.polled(t, d, authority.DeviceExpired)
}

func deviceSlowDown(t *testing.T, b *bench) {
	d, ok := b.startedDevice(t)
	if !ok {
		return
	}
	path := b.fake.Paths().Token
	b.fake.Misbehave(path, Misbehaviour{Mode: SlowDown, Interval: 17, Times: 1})
	if poll := b.polled(t, d, authority.DeviceSlowDown); poll.Interval != 17*time.Second {
		t.Errorf("the new interval is %v, want 17s", poll.Interval)
	}
	b.fake.Misbehave(path, Misbehaviour{Mode: SlowDown, Times: 1})
	if poll := b.polled(t, d, authority.DeviceSlowDown); poll.Interval != 0 {
		t.Errorf("the new interval is %v, and the upstream named none", poll.Interval)
	}
	b.fake.Misbehave(path, Misbehaviour{Mode: SlowDown, Interval: 1 << 40, Times: 1})
	if poll := b.polled(t, d, authority.DeviceSlowDown); poll.Interval <= 0 || poll.Interval > time.Hour {
		t.Errorf("the new interval is %v", poll.Interval)
	}
	b.polled(t, d, authority.DevicePending)
}

func deviceFails(t *testing.T, b *bench) {
	d, ok := b.startedDevice(t)
	if !ok {
		return
	}
	b.failing(t, b.fake.Paths().Device, func(p authority.Provider) error {
		_, err := p.StartDevice(t.Context())
		return err
	})
	b.failing(t, b.fake.Paths().Token, func(p authority.Provider) error {
		_, err := p.PollDevice(t.Context(), d.DeviceCode)
		return err
	})
	// The login has survived it.
	b.fake.Decide(d.UserCode, "grace", Approve)
	b.polled(t, d, authority.DeviceGranted)
	b.fake.Misbehave(b.fake.Paths().Device, Misbehaviour{Mode: Error200, Error: "device_flow_disabled"})
	_, err := b.provider.StartDevice(t.Context())
	b.refused(t, err, authority.Invalid)
}
