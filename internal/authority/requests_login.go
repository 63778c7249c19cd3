package authority

import "time"

// UpstreamTokenRequest presents an upstream's access token.
type UpstreamTokenRequest struct {
	Realm       string // name or UUID; empty: the default realm
	Provider    string
	AccessToken string
}

// UpstreamCodeRequest presents an upstream's code.
type UpstreamCodeRequest struct {
	Realm       string // name or UUID; empty: the default realm
	Provider    string
	Code        string
	RedirectURI string
	Verifier    string // PKCE, if the caller began the login with it
}

// StepToken answers the first step of a login in two.
type StepToken struct {
	Token        string
	SecondFactor bool // the second step asks for a second factor
}

// SessionRequest is the second step of a login in two.
type SessionRequest struct {
	Realm   string // name or UUID; empty: the default realm
	Token   string // of the first step
	Code    string // of the second factor, if the account has one
	Binding string // what the user's client calls itself; later uses must say the same
}

// SessionRefresh asks a session for its next tokens.
type SessionRefresh struct {
	Realm        string // name or UUID; empty: the default realm
	RefreshToken string
	Binding      string
}

// StartRequest begins a login by browser.
type StartRequest struct {
	Realm       string // name or UUID; empty: the default realm
	Provider    string
	RedirectURI string
	Browsers    []string // what the browser was given at earlier starts, as far as it brings it
}

// LoginStart is a login that was begun.
type LoginStart struct {
	URL     string // where the browser goes
	State   string // letters and digits, at most 256
	Browser string // what the browser should bring at the finish
	Life    time.Duration
}

// FinishRequest ends a login by browser.
type FinishRequest struct {
	Realm       string // name or UUID; empty: the default realm
	Provider    string
	State       string
	Code        string
	Issuer      string // `iss` of the callback (RFC 9207), if it came
	RedirectURI string
	Browsers    []string // what the browser was given at starts, as far as it brings it
	Strict      bool     // a browser that brings nothing is refused
}

// UpstreamLogin answers a finished login by browser.
type UpstreamLogin struct {
	AccessToken   string
	ExpiresIn     time.Duration
	SignedUp      bool // the account is new
	EmailVerified bool
}

// AccountCall is a call that an account makes about itself.
type AccountCall struct {
	Realm   string // name or UUID; empty: the default realm
	Bearer  string
	Account string    // UUID of the account asked about; empty: the bearer's own
	TokenID string    // of the personal token asked about, where the verb is about one
	Expires time.Time // of the personal token to mint; zero: as late as may be
}

// AccountFacts are what an account may know of itself.
type AccountFacts struct {
	ID            string // UUID
	Username      string
	Name          string
	Email         string
	EmailVerified bool
	Roles         List
	Created       time.Time // zero for a user of the configuration
	LastLogin     time.Time
	Provider      string // of the last login; empty for a password
}

// PersonalToken is what may be known of a long-lived token.
type PersonalToken struct {
	ID      string // `jti`
	Account string // UUID
	Created time.Time
	Expires time.Time
}

// PersonalGrant is a personal token just minted: the only time its secret is told.
type PersonalGrant struct {
	PersonalToken
	Secret string
}

// DeviceRequest begins a device login.
type DeviceRequest struct {
	Realm    string // name or UUID; empty: the default realm
	Provider string
}

// DeviceStart is a device login that was begun.
type DeviceStart struct {
	VerificationURI string
	UserCode        string
	Expires         time.Time
	Session         string // sealed; base64url
}

// DeviceCompletion waits for the end of a device login.
type DeviceCompletion struct {
	Realm   string // name or UUID; empty: the default realm
	Session string
}
