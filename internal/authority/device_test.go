package authority_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

func (h *house) startDevice() string {
	h.t.Helper()
	s, err := h.StartDevice(h.t.Context(), authority.DeviceRequest{Provider: "github"})
	if err != nil {
		h.t.Fatal(err)
	}
	return s.Session
}

func (h *house) completeDevice(ctx context.Context, session string) (authority.PersonalGrant, error) {
	return h.CompleteDevice(ctx, authority.DeviceCompletion{Session: session})
}

var (
	pending  = authority.DevicePoll{Answer: authority.DevicePending}
	approved = authority.DevicePoll{Answer: authority.DeviceGranted, Grant: authority.UpstreamGrant{AccessToken: "ada"}}
)

func TestDeviceLogin(t *testing.T) {
	h, up, realms := withUpstream(t)
	up.knows("ada", ada)
	up.polls = []authority.DevicePoll{pending, pending, approved}
	session := h.startDevice()
	h.configure(realms) // a reload, or a restart: nothing is remembered but in the caller's hands
	h.devices = authority.NewDevices(h.clock.now, func() bool { return false })
	h.configure(realms)
	g, err := h.completeDevice(t.Context(), session)
	if err != nil || !h.active(g.Secret) || up.polled != 3 {
		t.Fatalf("%+v, %v after %d polls", g, err, up.polled)
	}
	_, err = h.completeDevice(t.Context(), session)
	mustBe(t, err, authority.DeviceInvalid)
}

func TestDeviceAnswers(t *testing.T) {
	for name, tc := range map[string]struct {
		poll authority.DevicePoll
		want authority.Kind
	}{
		"denied":  {authority.DevicePoll{Answer: authority.DeviceDenied}, authority.DeviceRefused},
		"expired": {authority.DevicePoll{Answer: authority.DeviceExpired}, authority.DeviceRefused},
		"unknown": {authority.DevicePoll{Answer: 99}, authority.ProviderFailed},
	} {
		t.Run(name, func(t *testing.T) {
			h, up, _ := withUpstream(t)
			up.polls = []authority.DevicePoll{pending, tc.poll}
			_, err := h.completeDevice(t.Context(), h.startDevice())
			mustBe(t, err, tc.want)
		})
	}
	t.Run("expired before", func(t *testing.T) {
		h, up, _ := withUpstream(t)
		up.polls = []authority.DevicePoll{approved}
		s := h.startDevice()
		h.clock.move(15 * time.Minute)
		_, err := h.completeDevice(t.Context(), s)
		mustBe(t, err, authority.DeviceRefused)
		if up.polled != 0 {
			t.Error("the upstream was asked")
		}
	})
}

// The session is sealed: nobody alters it, and it is good in its own realm only.
func TestAttackDeviceSessions(t *testing.T) {
	h, up, realms := withUpstream(t)
	up.knows("ada", ada)
	up.polls = []authority.DevicePoll{approved}
	second := demo()[0]
	second.Name, second.ID, second.Issuer = "second", "0d8a9f0e-8a53-4d8e-9a5e-5e4a3c2b1a01", "https://second.example.com"
	second.Upstreams = realms[0].Upstreams
	h.configure(append(realms, second))
	s := h.startDevice()
	if strings.Contains(s, "device-code") {
		t.Error("the session shows the device code")
	}
	state := h.start().State
	for name, q := range map[string]authority.DeviceCompletion{
		"altered":        {Session: flip(s)},
		"cut":            {Session: s[:len(s)-1]},
		"longer":         {Session: s + "A"},
		"empty":          {},
		"endless":        {Session: strings.Repeat("A", 20000)},
		"another realm":  {Realm: "second", Session: s},
		"a login state":  {Session: state},
		"padded":         {Session: s + "="},
		"with line ends": {Session: s[:10] + "\n" + s[10:]},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := h.CompleteDevice(t.Context(), q)
			mustBe(t, err, authority.DeviceInvalid)
		})
	}
	if up.polled != 0 {
		t.Error("the upstream was asked about a session that is not ours")
	}
}

// However many wait, the upstream is asked by one, and one gets the token.
func TestAttackParallelCompletes(t *testing.T) {
	h, up, _ := withUpstream(t)
	up.knows("ada", ada)
	up.polls = []authority.DevicePoll{pending, pending, pending, approved}
	s := h.startDevice()
	var got atomic.Int64
	var group sync.WaitGroup
	for range 30 {
		group.Go(func() {
			switch _, err := h.completeDevice(t.Context(), s); {
			case err == nil:
				got.Add(1)
			case authority.KindOf(err) != authority.DeviceInvalid:
				t.Error(err)
			}
		})
	}
	group.Wait()
	if got.Load() != 1 || up.most != 1 || up.polled != 4 {
		t.Errorf("%d tokens, %d polls, %d at once", got.Load(), up.polled, up.most)
	}
}

// Nobody waits: nobody asks. Who comes back goes on where the others stopped.
func TestDeviceCallersComeAndGo(t *testing.T) {
	h, up, _ := withUpstream(t)
	up.knows("ada", ada)
	up.interval = 5 * time.Minute // a second poll would come after the end of the test
	up.polls = []authority.DevicePoll{pending, approved}
	s := h.startDevice()
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		_, err := h.completeDevice(ctx, s)
		left <- err
	}()
	for polled := 0; polled == 0; {
		up.set(func() { polled = up.polled })
	}
	leave()
	mustBe(t, <-left, authority.Unavailable)
	// The interval holds over the caller's going: nobody polls faster by hanging up.
	ctx, leave = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer leave()
	_, err := h.completeDevice(ctx, s)
	mustBe(t, err, authority.Unavailable)
	if up.polled != 1 {
		t.Fatalf("%d polls within one interval", up.polled)
	}
}

// slow_down is obeyed: five seconds more, or what the upstream says.
func TestDeviceSlowDown(t *testing.T) {
	h, up, _ := withUpstream(t)
	up.polls = []authority.DevicePoll{{Answer: authority.DeviceSlowDown}, approved}
	ctx, leave := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer leave()
	_, err := h.completeDevice(ctx, h.startDevice())
	mustBe(t, err, authority.Unavailable)
	if up.polled != 1 {
		t.Errorf("%d polls after slow_down", up.polled)
	}
}

// A process that exits keeps nobody waiting.
func TestDeviceEndsWithTheProcess(t *testing.T) {
	h, up, realms := withUpstream(t)
	up.polls = []authority.DevicePoll{pending}
	var exiting atomic.Bool
	h.devices = authority.NewDevices(h.clock.now, exiting.Load)
	h.configure(realms)
	s := h.startDevice()
	left := make(chan error)
	go func() {
		_, err := h.completeDevice(t.Context(), s)
		left <- err
	}()
	exiting.Store(true)
	mustBe(t, <-left, authority.Unavailable)
}

// The store fails at the moment of the mint: the approval is not lost.
func TestDeviceStoreFails(t *testing.T) {
	h, up, _ := withUpstream(t)
	up.knows("ada", ada)
	up.polls = []authority.DevicePoll{approved, {Answer: authority.DeviceExpired}}
	s := h.startDevice()
	h.store.writes = gone
	_, err := h.completeDevice(t.Context(), s)
	mustBe(t, err, authority.Unavailable)
	h.store.writes = nil
	if g, err := h.completeDevice(t.Context(), s); err != nil || !h.active(g.Secret) {
		t.Errorf("%+v, %v", g, err)
	}
}
