package authority

import (
	"context"
	"encoding/base64"
	"errors"
	"strconv"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

const (
	defaultInterval = 5 * time.Second // RFC 8628 §3.2
	maxInterval     = 5 * time.Minute
	maxDeviceLife   = time.Hour
	longestPoll     = 15 * time.Minute // of one call for the user's decision
	maxDeviceText   = 2 << 10          // bytes of a code or address of an upstream
	maxSession      = 8 << 10          // characters of a sealed session that is looked at
	exitPoll        = 250 * time.Millisecond
)

// sessionText spells a sealed session.
var sessionText = base64.RawURLEncoding.Strict()

// relayed is what a sealed session of a device login remembers.
type relayed struct {
	id       string // UUID
	origin   List   // of the upstream: its name and its issuer
	code     string
	interval time.Duration
	expires  time.Time
}

func (d *relayed) text() []byte {
	return []byte(ListOf(d.id, providerOf(d.origin), issuerOf(d.origin), d.code, strconv.FormatInt(d.interval.Milliseconds(), 10), strconv.FormatInt(d.expires.UnixMicro(), 10)))
}

func readRelayed(text []byte) (relayed, error) {
	parts := List(text).Slice()
	if len(parts) != 6 {
		return relayed{}, errors.New("a session of another version")
	}
	interval, errInterval := strconv.ParseInt(parts[4], 10, 64)
	expires, errExpires := strconv.ParseInt(parts[5], 10, 64)
	return relayed{
		id: parts[0], origin: ListOf(parts[1], parts[2]), code: parts[3],
		interval: time.Duration(interval) * time.Millisecond, expires: time.UnixMicro(expires),
	}, errors.Join(errInterval, errExpires)
}

// StartDevice begins a device login at an upstream. Nothing is stored: the caller
// keeps the sealed session. Errors: RealmUnknown, ProviderUnknown, ProviderFailed,
// Invalid (the provider has no device login), Throttled, Unavailable, Internal.
func (a *Authority) StartDevice(ctx context.Context, q DeviceRequest) (DeviceStart, error) {
	const op = "begin a device login"
	r, err := a.realm(op, q.Realm)
	if err != nil {
		return DeviceStart{}, a.refuse(ctx, nil, FirstParty, err)
	}
	s, err := a.startDevice(ctx, op, r, q)
	if err != nil {
		return DeviceStart{}, a.refuse(ctx, r, FirstParty, err)
	}
	return s, nil
}

func (a *Authority) startDevice(ctx context.Context, op string, r *Realm, q DeviceRequest) (DeviceStart, error) {
	up, err := r.upstream(op, q.Provider)
	if err != nil {
		return DeviceStart{}, err
	}
	within, done, err := a.calling(ctx, op, r, up)
	if err != nil {
		return DeviceStart{}, err
	}
	defer done()
	key, err := a.sealing(ctx, r, purposeDevice)
	if err != nil {
		return DeviceStart{}, err
	}
	began := a.clock()
	d, err := up.StartDevice(within)
	if err != nil {
		return DeviceStart{}, err
	}
	if d.Interval <= 0 {
		d.Interval = defaultInterval
	}
	for _, text := range [...]string{d.DeviceCode, d.UserCode, d.VerificationURI} {
		if text == "" || len(text) > maxDeviceText || plain(text) != text {
			return DeviceStart{}, oddDevice(op, "a code or address that is empty, too long or not text")
		}
	}
	if d.ExpiresIn <= 0 || d.ExpiresIn > maxDeviceLife || d.Interval > maxInterval {
		return DeviceStart{}, oddDevice(op, "a life or interval out of bounds")
	}
	s := relayed{id: secret.UUID(), origin: up.origin(), code: d.DeviceCode, interval: d.Interval, expires: began.Add(d.ExpiresIn)}
	sealed, err := secret.Seal(key, s.text(), []byte(ListOf(r.ID)))
	if err != nil {
		return DeviceStart{}, &Error{Kind: Internal, Op: op, Err: err}
	}
	return DeviceStart{
		VerificationURI: d.VerificationURI, UserCode: d.UserCode, Expires: s.expires, Session: sessionText.EncodeToString(sealed),
	}, nil
}

func oddDevice(op, why string) error {
	return &Error{Kind: ProviderFailed, Op: op, Public: "the login provider answered something unexpected", Err: errors.New(why)}
}

// CompleteDevice waits until the user has decided about a device login, and mints a
// personal token. However many wait for one session, the upstream is asked by one, at
// its interval, and one of them gets the token. It ends when the caller goes away.
// Errors: RealmUnknown, DeviceInvalid (altered, spent, of another realm), DeviceRefused
// (denied or expired), ProviderFailed, UpstreamTokenInvalid, AccountUnknown,
// SignUpRefused, AccountDisabled, LoginFailed (the account has a second factor),
// Throttled, Unavailable, Internal.
func (a *Authority) CompleteDevice(ctx context.Context, q DeviceCompletion) (PersonalGrant, error) {
	const op = "complete a device login"
	r, err := a.realm(op, q.Realm)
	if err != nil {
		return PersonalGrant{}, a.refuse(ctx, nil, FirstParty, err)
	}
	g, err := a.completeDevice(ctx, op, r, q)
	if err != nil {
		return PersonalGrant{}, a.refuse(ctx, r, FirstParty, err)
	}
	return g, nil
}

func badDevice(op, why string) error {
	return &Error{Kind: DeviceInvalid, Op: op, Public: "the session is not one of a device login begun here, or is used up: begin again", Err: errors.New(why)}
}

func deviceOver(op, why string) error {
	return &Error{Kind: DeviceRefused, Op: op, Public: why}
}

func (a *Authority) completeDevice(ctx context.Context, op string, r *Realm, q DeviceCompletion) (PersonalGrant, error) {
	s, err := a.openDevice(ctx, op, r, q.Session)
	if err != nil {
		return PersonalGrant{}, err
	}
	up := r.upstreams[providerOf(s.origin)]
	if up == nil || !r.trusts(s.origin) {
		return PersonalGrant{}, badDevice(op, "its provider is gone from the configuration, or another upstream")
	}
	spent := mark(purposeDevice, s.id)
	err = a.store.View(ctx, func(tx Tx) error {
		switch m, err := findMark(tx, r.ID, spent); {
		case err != nil:
			return err
		case !m.Spent.IsZero():
			return badDevice(op, "spent")
		case !tx.Now().Before(s.expires):
			return deviceOver(op, "the device login has expired: begin again")
		}
		return nil
	})
	if err != nil {
		return PersonalGrant{}, err
	}
	profile, err := a.devices.wait(ctx, a, op, up, spent, s)
	if err != nil {
		return PersonalGrant{}, err
	}
	// The configuration may be another one by now; what it says holds.
	if a, r, up, err = a.serving(op, r, s); err != nil {
		return PersonalGrant{}, err
	}
	ask := signingUp(r, up, profile)
	return a.mintFor(ctx, op, ask, func(tx Tx) error {
		fresh, err := spendMark(tx, r.ID, spent, s.expires)
		if err == nil && !fresh {
			err = badDevice(op, "spent")
		}
		return err
	})
}

// serving returns the Authority of the configuration that serves now, with its realm
// and upstream of a device login that began under an earlier one.
func (a *Authority) serving(op string, r *Realm, s relayed) (*Authority, *Realm, *Upstream, error) {
	if now := a.devices.serving.Load(); now != nil {
		a = now
	}
	gone := badDevice(op, "its realm or provider is gone from the configuration")
	r = a.byName[r.ID]
	if r == nil || !r.trusts(s.origin) {
		return nil, nil, nil, gone
	}
	return a, r, r.upstreams[providerOf(s.origin)], nil
}

// openDevice opens a sealed session of the realm.
func (a *Authority) openDevice(ctx context.Context, op string, r *Realm, raw string) (relayed, error) {
	if len(raw) > maxSession || plain(raw) != raw { // the decoder would skip line ends
		return relayed{}, badDevice(op, "too long, or not text")
	}
	sealed, err := sessionText.DecodeString(raw)
	if err != nil {
		return relayed{}, badDevice(op, "not spelled as ours are")
	}
	key, err := a.sealing(ctx, r, purposeDevice)
	if err != nil {
		return relayed{}, err
	}
	text, err := secret.Open(key, sealed, []byte(ListOf(r.ID)))
	if err != nil {
		return relayed{}, badDevice(op, "not sealed by us for this realm")
	}
	s, err := readRelayed(text)
	if err != nil {
		return relayed{}, badDevice(op, err.Error())
	}
	return s, nil
}
