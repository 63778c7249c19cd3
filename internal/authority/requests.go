package authority

import (
	"context"
	"time"
)

// AuthMethod is how a client said who it is (RFC 6749 §2.3).
type AuthMethod uint8

// The client authentication methods.
const (
	AuthNone  AuthMethod = iota // only a client id, or nothing
	AuthBasic                   // client_secret_basic
	AuthPost                    // client_secret_post
)

// ClientAuth is what a client presented about itself, not yet believed.
type ClientAuth struct {
	Method AuthMethod
	ID     string
	Secret string
}

// TokenRequest asks for tokens (RFC 6749 §3.2).
type TokenRequest struct {
	Realm     string // name or UUID; empty: the default realm
	Client    ClientAuth
	GrantType string
	Scope     string   // space-separated; empty: all the client may have
	Resources []string // RFC 8707; empty: the issuer itself

	RefreshToken string        // for the grant refresh_token
	WithRefresh  bool          // client_credentials: start a session and give a refresh token too
	RefreshLife  time.Duration // of a refresh token handed out; zero: the realm's

	// Said by RefreshSession only: whose session it must be, and that its tokens are
	// readable ones.
	binding  string
	readable bool
}

// TokenGrant answers a TokenRequest (RFC 6749 §5.1).
type TokenGrant struct {
	AccessToken      string
	ExpiresIn        time.Duration
	Scope            string        // space-separated, as granted
	RefreshToken     string        // empty if there is none
	RefreshExpiresIn time.Duration // zero if there is none
	Session          string        // `sid`; empty if there is none
}

// TokenQuery asks about a token or for its end.
type TokenQuery struct {
	Realm  string // name or UUID; empty: the default realm
	Client ClientAuth
	Token  string
	// Anonymous lets Introspect answer without a client, each network so many times a
	// minute. Only an operator may say so, never a request.
	Anonymous bool
}

// Introspection answers a TokenQuery (RFC 7662 §2.2). Without Active nothing else is said.
type Introspection struct {
	Active    bool
	Principal Principal
	Address   string // where its session was started from; empty if unknown
}

// Verbs is the whole of what the oauth dialect needs of an Authority; it stands
// here as the list of verbs, each dialect declares the part that it uses.
type Verbs interface {
	// Token issues tokens. Errors: Invalid, RealmUnknown, ClientUnauthenticated,
	// ClientForbidden, GrantUnsupported, GrantInvalid, ScopeInvalid, TargetInvalid, Unavailable, Internal.
	Token(ctx context.Context, r TokenRequest) (TokenGrant, error)
	// Introspect tells the facts of a token to a client that may know them.
	// Errors: Invalid, RealmUnknown, ClientUnauthenticated, Throttled (an anonymous
	// question), Unavailable, Internal.
	Introspect(ctx context.Context, q TokenQuery) (Introspection, error)
	// Revoke ends a token. A token nobody knows is no error (RFC 7009 §2.2).
	// Errors: Invalid, RealmUnknown, ClientUnauthenticated, ClientForbidden,
	// Unavailable, Internal.
	Revoke(ctx context.Context, q TokenQuery) error
	// PublicKeys is the realm's JWK set (RFC 7517 §5). Errors: RealmUnknown,
	// Unavailable, Internal.
	PublicKeys(ctx context.Context, realm string) ([]byte, error)
	// Ping reports whether the store can be read. Errors: Unavailable.
	Ping(ctx context.Context) error
}
