package authority

// TokenKind is what sort of credential a token is. Each sort is good only where
// it belongs: a guard takes access and personal tokens and nothing else.
type TokenKind string

// The token kinds.
const (
	KindAccess   TokenKind = "access"
	KindRefresh  TokenKind = "refresh"
	KindPersonal TokenKind = "personal"
)

// Principal is what a presented credential turned out to be: facts, never a
// decision. It holds only strings and numbers, so that a cache can keep it as one
// flat block; who reads it must not change it.
type Principal struct {
	Source   string    // name of the realm or trust that vouches for it
	Realm    string    // UUID of the realm or trust
	Issuer   string    // `iss`
	Subject  string    // `sub`
	Account  string    // UUID of the account; empty for a client's own token
	Client   string    // client id the token was issued to
	Username string    // login name, or service-account-<client> for a client's own token
	Name     string    // display name
	Email    string    // e-mail address
	Session  string    // `sid`; empty for a client's own token
	TokenID  string    // `jti`
	KeyID    string    // `kid` of the signing key; empty for opaque tokens
	Kind     TokenKind // what sort of token it is
	Scopes   List      // granted scopes
	Roles    List      // roles the account or client has now
	Audience List      // `aud`
	// Claims are the further claims of a token that somebody else issued, as far as a
	// guard asks for them: name and JSON text in turn. Empty for a realm's own tokens.
	Claims        List
	IssuedAt      int64 // Unix seconds
	Expires       int64 // Unix seconds; never zero; NoExpiry if nobody says when it ends
	AuthTime      int64 // Unix seconds of the login; zero for a client's own token
	EmailVerified bool
	// RolesElsewhere says that Roles are not all: the issuer of a foreign token leaves it to
	// others to tell them. Nobody may conclude from one that is not there.
	RolesElsewhere bool
}

// NoExpiry stands in Principal.Expires where the issuer does not say when a token ends: the
// end of the year 9999. No rule and no app is told that it is a time.
const NoExpiry int64 = 253402300799

// ClaimUnreadable stands in Principal.Claims for the value of a claim that is there but
// was not kept. It is no JSON: whoever asks for the value meets an error.
const ClaimUnreadable = "!"

// TagKind is the sort of thing whose end ends verdicts.
type TagKind uint8

// The tag kinds. A verdict carries one tag of each kind that it has.
const (
	TagRealm TagKind = iota
	TagClient
	TagAccount
	TagSession
	TagToken
	TagKey
)

// Tag names a thing that verdicts hang on. When the thing ends, every verdict
// with its tag dies.
type Tag struct {
	Kind  TagKind
	Realm string // UUID of the realm
	ID    string // realm UUID, client id, account UUID, session id, token id or key id
}

// Tags returns the things the principal hangs on.
func (p *Principal) Tags() []Tag {
	tags := make([]Tag, 0, 6)
	tags = append(tags, Tag{TagRealm, p.Realm, p.Realm})
	for _, t := range [...]Tag{
		{TagClient, p.Realm, p.Client},
		{TagAccount, p.Realm, p.Account},
		{TagSession, p.Realm, p.Session},
		{TagToken, p.Realm, p.TokenID},
		{TagKey, p.Realm, p.KeyID},
	} {
		if t.ID != "" {
			tags = append(tags, t)
		}
	}
	return tags
}
