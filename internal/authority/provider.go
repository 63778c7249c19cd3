package authority

import (
	"context"
	"time"
)

// Provider is one upstream login of a realm. Each room under provider implements it
// for one kind of upstream. Every method but Issuer may call the upstream: within a
// deadline, reading a bounded answer, following no redirect to another host, and
// failing closed. Errors: ProviderFailed (unreachable, too slow, too large, or an
// answer that is not what it must be) and those named below.
type Provider interface {
	// Issuer names the upstream for good: its `iss`, or its address where it has none.
	Issuer() string
	// AuthURL is where a browser begins a login (RFC 6749 §4.1.1).
	AuthURL(ctx context.Context, q UpstreamAuth) (string, error)
	// Exchange redeems an authorization code (RFC 6749 §4.1.3). Where the upstream speaks
	// OpenID Connect an answer without an ID token is ProviderFailed. Errors:
	// UpstreamCodeInvalid.
	Exchange(ctx context.Context, q UpstreamCode) (UpstreamGrant, error)
	// Identify says whom a grant is about that came straight from the upstream to us.
	// Where the grant has an ID token it is verified, the nonce too, and must agree;
	// without one (it was not kept, or a device login gave none) the access token is enough.
	// Errors: UpstreamTokenInvalid.
	Identify(ctx context.Context, g UpstreamGrant) (Profile, error)
	// Prove says whom an access token is about that a stranger presented, and only if
	// the upstream proves that it was issued to our own client. Errors:
	// UpstreamTokenInvalid, also where the upstream has no such proof.
	Prove(ctx context.Context, accessToken string) (Profile, error)
	// StartDevice begins a device login (RFC 8628 §3.1). Errors: Invalid (the upstream
	// offers none).
	StartDevice(ctx context.Context) (UpstreamDevice, error)
	// PollDevice asks once whether the user has decided (RFC 8628 §3.4).
	PollDevice(ctx context.Context, deviceCode string) (DevicePoll, error)
	// Forget tells the upstream that a token which we obtained is not needed any more,
	// where that ends nothing but this token; elsewhere it does nothing.
	Forget(ctx context.Context, accessToken string) error
}

// UpstreamAuth is what goes into an authorization address.
type UpstreamAuth struct {
	State       string
	Nonce       string // OpenID Connect Core §3.1.2.1
	Verifier    string // PKCE (RFC 7636): only its S256 challenge is sent
	RedirectURI string
}

// UpstreamCode is a code to redeem.
type UpstreamCode struct {
	Code        string
	Verifier    string // PKCE; empty if the login began without it
	Nonce       string // that the ID token must carry; empty if the login began without one
	RedirectURI string // empty if the login began without one
}

// UpstreamGrant is what an upstream gave us for a code or a device code.
type UpstreamGrant struct {
	AccessToken string
	IDToken     string // as received; empty if there is none
	Nonce       string // that the ID token must carry; empty for none
}

// Profile is a person as an upstream vouches for him.
type Profile struct {
	Subject       string // immutable, never empty; at most 255 bytes
	Username      string // what he is called there; may change at any time
	Name          string
	Email         string
	EmailVerified bool // the upstream says that the address is his
}

// UpstreamDevice is a device login that waits for its user (RFC 8628 §3.2).
type UpstreamDevice struct {
	DeviceCode      string
	UserCode        string
	VerificationURI string
	ExpiresIn       time.Duration
	Interval        time.Duration // least time between polls; the default is 5 s
}

// DeviceAnswer is what an upstream says to a poll.
type DeviceAnswer uint8

// The answers to a poll (RFC 8628 §3.5).
const (
	DevicePending DeviceAnswer = iota
	DeviceSlowDown
	DeviceGranted
	DeviceDenied
	DeviceExpired
)

// DevicePoll is the answer to a poll.
type DevicePoll struct {
	Answer   DeviceAnswer
	Interval time.Duration // with DeviceSlowDown: the new interval if the upstream names one, else zero
	Grant    UpstreamGrant // with DeviceGranted
}
