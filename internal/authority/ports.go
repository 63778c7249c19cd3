package authority

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// Verifier answers what a presented credential is. A realm is one, somebody
// else's issuer is one, and the verdict cache in front of either is one.
type Verifier interface {
	// Verify returns the facts of an active credential. Errors: TokenInvalid (not
	// active, whatever the reason), Unavailable, Internal.
	Verify(ctx context.Context, credential string) (Principal, error)
}

// Endings hears of everything that ends, after the commit and before the answer,
// also when the commit's outcome is unknown.
type Endings interface {
	// End makes every verdict that hangs on one of the tags, and whose lookup began
	// before this call returned, worthless.
	End(tags ...Tag)
}

// Audit hears of every event, after the commit.
type Audit interface {
	Record(ctx context.Context, e Event)
}

// Event is one line of the audit log. It holds no token, secret or password.
type Event struct {
	Name    string // issue, refuse, introspect, revoke, ...
	Realm   string // name of the realm
	Client  string // client id
	Account string // account UUID
	Session string // session id
	TokenID string // `jti`
	Detail  string // the grant type, or why
	Kind    Kind   // for refusals
}

// Digest is the form in which tokens and secrets are kept (see secret.Digest).
type Digest = secret.Digest

// Clock tells the time; a test hands in its own.
type Clock func() time.Time

// Store keeps rows. The rules run here; the database only makes them atomic.
type Store interface {
	// View runs fn over one consistent state and must not write.
	View(ctx context.Context, fn func(Tx) error) error
	// Update runs fn and commits, or undoes all of it if fn fails. fn touches only
	// its Tx and may run twice. When Update returns nil, the change is on disk.
	// Errors: fn's own, Unavailable.
	Update(ctx context.Context, fn func(Tx) error) error
	// Ping reports whether the store can be read. Errors: Unavailable.
	Ping(ctx context.Context) error
}

// Tx is plain gets and puts. A get without a row answers ErrNotFound; a put
// writes the whole row, new or not; deleting what is not there is no error.
// Expired rows may be there or gone: who reads one judges its expiry.
type Tx interface {
	// Now is the database's clock, one value for the whole Tx.
	Now() time.Time

	// Keys returns the realm's keys of all purposes, oldest first.
	Keys(realm string) ([]Key, error)
	PutKey(Key) error

	Token(secret.Digest) (Token, error)
	PutToken(Token) error
	DeleteToken(secret.Digest) error
	// TokenByID finds an opaque token by its id (`jti`).
	TokenByID(realm, id string) (Token, error)
	// Tokens returns the account's opaque tokens of the kind, oldest first (by issue,
	// then id). At most limit rows.
	Tokens(realm, account string, kind TokenKind, limit int) ([]Token, error)
	// DeleteTokens deletes every opaque token of the account.
	DeleteTokens(realm, account string) error

	// Revoked reports whether the JWT with this id was revoked.
	Revoked(realm, tokenID string) (bool, error)
	PutRevocation(Revocation) error

	Session(realm, id string) (Session, error)
	PutSession(Session) error
	DeleteSession(realm, id string) error
	// Sessions returns the account's sessions, oldest first; all of the realm's
	// when account is empty. At most limit rows.
	Sessions(realm, account string, limit int) ([]Session, error)
	// DeleteSessions deletes every session of the account.
	DeleteSessions(realm, account string) error

	Refresh(secret.Digest) (Refresh, error)
	PutRefresh(Refresh) error
	// EraseSuccessors forgets the sealed successors whose grace ended before t.
	EraseSuccessors(before time.Time) error

	// KnownAddress tells of an earlier login from this network.
	KnownAddress(realm string, account secret.Digest, network string) (KnownAddress, error)
	PutKnownAddress(KnownAddress) error

	// SpendStep marks a TOTP step of an account as used until expires. It answers
	// false if the step was spent before.
	SpendStep(realm, account string, step int64, expires time.Time) (bool, error)

	Account(realm, id string) (Account, error)
	PutAccount(Account) error
	DeleteAccount(realm, id string) error
	// Accounts returns accounts after the one with the given place (its creation, then
	// its id), oldest first. The zero place is before all. At most limit rows.
	Accounts(realm string, created time.Time, id string, limit int) ([]Account, error)
	// AccountsByEmail returns accounts with the e-mail key, oldest first. At most limit rows.
	AccountsByEmail(realm, emailKey string, limit int) ([]Account, error)

	Identity(realm, provider, subject string) (Identity, error)
	PutIdentity(Identity) error
	DeleteIdentity(realm, provider, subject string) error
	// Identities returns the account's identities by provider and subject. At most limit rows.
	Identities(realm, account string, limit int) ([]Identity, error)

	Mark(realm string, id secret.Digest) (Mark, error)
	PutMark(Mark) error
}

// Purpose is what a key is for. Each purpose has keys of its own.
type Purpose string

// The purposes.
const (
	PurposeAccess Purpose = "access" // signs access tokens; public half in the JWK set
	PurposeRealm  Purpose = "realm"  // symmetric root of the realm; never published
)

// Key is a realm's key as it is stored.
type Key struct {
	ID      string // `kid`
	Realm   string // UUID of the realm
	Purpose Purpose
	Alg     string    // ES256, RS256, EdDSA, or HKDF-SHA256 for the realm secret
	Private []byte    // PKCS #8, or the secret's bytes
	Created time.Time // when it was published
	Signs   time.Time // from when it signs
	Retires time.Time // when its successor began to sign; zero while it is the newest
	Expires time.Time // when its last token is dead; zero while unknown
	Revoked time.Time // zero unless it was revoked
}

// Token is an opaque token as it is stored: by digest.
type Token struct {
	Digest   secret.Digest
	ID       string // `jti`, for logs, lists and tags
	Realm    string
	Kind     TokenKind
	Client   string
	Account  string // empty for a client's own token
	Session  string // empty for a client's own token and for a personal one
	Scopes   List
	Audience List
	// Credential is of what the user of a personal token proved to know when it was
	// minted; another one ends the token. Zero for every other token.
	Credential secret.Digest
	Origin     List // of the login that a personal token was minted after, as with Session
	Issued     time.Time
	Expires    time.Time
}

// Revocation marks a JWT as ended until it would have expired anyway.
type Revocation struct {
	Realm   string
	TokenID string // `jti`
	Expires time.Time
}

// KnownAddress remembers that a login name was logged in to from a network, so that
// strangers' failures cannot lock its owner out.
type KnownAddress struct {
	Realm   string
	Account secret.Digest // of the login name
	Network string        // an IPv4 address or an IPv6 /64
	Expires time.Time
}

// Session is one login of one account on one client. What a login gave lives only
// as long as its row.
type Session struct {
	ID         string // `sid`
	Realm      string
	Account    string
	Client     string
	Address    string        // where it was started from; empty if unknown
	Origin     List          // of the upstream login it began with: the provider's name and its issuer; empty for a password
	Binding    string        // which client of the user it belongs to, as that one calls itself; empty if it does not
	Credential secret.Digest // of what the user proved to know; another one ends the session
	Created    time.Time
	LastUsed   time.Time
	Expires    time.Time // when it ends of disuse: no token that it gave lives longer
	Ends       time.Time // absolute end
}

// Refresh is a refresh token as it is stored: by digest. Used ones stay until the
// absolute end of their session, so that their reuse is noticed.
type Refresh struct {
	Digest    secret.Digest
	ID        string
	Realm     string
	Session   string // the family: every refresh token of a session
	Client    string
	Account   string
	Scopes    List // granted at the login; a refresh may narrow, never widen
	Audience  List
	Issued    time.Time
	Expires   time.Time // when it is good no more
	Until     time.Time // how long the row is kept: it leads to the session, and shows reuse
	Used      time.Time // zero until its first use
	Successor []byte    // the next token, sealed under the presented one; erased after the grace
}

// TokenForms is what a token looks like. The token room implements it.
type TokenForms interface {
	// NewKey makes a key pair for alg and its id. Realm, purpose and times are the caller's.
	NewKey(alg string) (Key, error)
	// Sign writes an access token (RFC 9068, `typ` at+jwt) with the key. Errors: Internal.
	Sign(k Key, c AccessClaims) (string, error)
	// Read verifies an access token with one of the keys: canonical encoding, exact
	// `typ`, algorithm of the key and not of the header, signature, `iss`. It judges
	// no time. Errors: TokenInvalid.
	Read(keys []Key, issuer, raw string) (c AccessClaims, keyID string, err error)
	// PublicSet is the JWK set (RFC 7517 §5) of the keys' public halves. Errors: Internal.
	PublicSet(keys []Key) ([]byte, error)
	// NewOpaque returns a new token of the kind: its prefix and 256 random bits.
	NewOpaque(kind TokenKind) string
	// KindOf tells an opaque token's kind by its prefix; a UUID is KindPersonal. A JWT
	// is KindAccess and jwt; the kind of anything else is empty.
	KindOf(raw string) (kind TokenKind, jwt bool)
	// OpaqueIn is the first opaque token that stands in a text, empty if there is none.
	OpaqueIn(raw string) string
	// IssuerOf is the `iss` that a JWT claims, in any spelling, unverified; empty if it
	// cannot be read.
	IssuerOf(raw string) string
	// SignStep writes a JWT of the step's type (HS256). Errors: Internal.
	SignStep(k StepKey, c StepClaims) (string, error)
	// ReadStep verifies a JWT of the step's type: canonical encoding, exact `typ`, `kid`
	// and `alg`, signature, `iss`. It judges no time. Errors: TokenInvalid.
	ReadStep(k StepKey, issuer, raw string) (StepClaims, error)
}

// StepKey is the symmetric key of one purpose of a realm.
type StepKey struct {
	ID     string // `kid`
	Type   string // `typ`
	Secret [secret.KeySize]byte
}

// StepClaims are the claims of a token that only its own verb takes back.
type StepClaims struct {
	Issuer   string
	Subject  string // account UUID
	TokenID  string // `jti`
	Detail   string // `dtl`: what the purpose needs to remember, or empty
	IssuedAt int64  // Unix seconds
	Expires  int64  // Unix seconds
}

// AccessClaims are the claims of an access token (RFC 9068 §2.2).
type AccessClaims struct {
	Issuer   string
	Subject  string
	Audience []string
	Client   string // `client_id`
	Scope    string // space-separated
	TokenID  string // `jti`
	Session  string // `sid`, or empty
	IssuedAt int64  // Unix seconds
	Expires  int64  // Unix seconds
	AuthTime int64  // Unix seconds, or zero
	UserID   string // `userId`, for the dialect whose clients read it, or empty
}
