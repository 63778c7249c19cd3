package guard

import (
	"slices"
	"strconv"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// claim is a fact about a principal that a header or placeholder can carry.
type claim uint8

const (
	claimNone claim = iota
	claimSubject
	claimUser
	claimUsername
	claimName
	claimEmail
	claimEmailVerified
	claimVerifiedEmail
	claimClient
	claimScope
	claimRoles
	claimAudience
	claimIssuer
	claimRealm
	claimRealmID
	claimAccount
	claimSession
	claimTokenID
	claimTokenKind
	claimExpires
	claimIssuedAt
	claimAuthTime
)

// ClaimNames returns every name that an identity map or a placeholder may use,
// sorted.
func ClaimNames() []string {
	names := []string{
		"id", "sub", "subject", "user", "username", "preferred_username", "name",
		"email", "email_verified", "verified_email", "client_id", "scope", "roles",
		"groups", "aud", "iss", "issuer", "realm", "realm_id", "account", "sid",
		"session", "jti", "token_kind", "exp", "iat", "auth_time",
	}
	slices.Sort(names)
	return names
}

// claimOf returns the claim of that name, claimNone if there is none.
func claimOf(name string) claim {
	switch name {
	case "id", "sub", "subject":
		return claimSubject
	case "user":
		return claimUser
	case "username", "preferred_username":
		return claimUsername
	case "name":
		return claimName
	case "email":
		return claimEmail
	case "email_verified":
		return claimEmailVerified
	case "verified_email":
		return claimVerifiedEmail
	case "client_id":
		return claimClient
	case "scope":
		return claimScope
	case "roles", "groups":
		return claimRoles
	case "aud":
		return claimAudience
	case "iss", "issuer":
		return claimIssuer
	case "realm":
		return claimRealm
	case "realm_id":
		return claimRealmID
	case "account":
		return claimAccount
	case "sid", "session":
		return claimSession
	case "jti":
		return claimTokenID
	}
	return numericClaimOf(name)
}

func numericClaimOf(name string) claim {
	switch name {
	case "token_kind":
		return claimTokenKind
	case "exp":
		return claimExpires
	case "iat":
		return claimIssuedAt
	case "auth_time":
		return claimAuthTime
	}
	return claimNone
}

// Claim returns the value of a principal's claim, false if the name is unknown
// or the principal has no such value. A text is given as it is; a list is joined
// as it is in a header, so that its elements stay apart. A name that is no claim of
// ours is one of a foreign token, as far as a guard keeps it (see ClaimsOf).
func Claim(p *authority.Principal, name string) (string, bool) {
	c := claimOf(name)
	if c == claimNone {
		text, list := foreignText(p, name)
		if list != "" {
			text = encodeList(list, ',')
		}
		return text, text != ""
	}
	value := c.text(p)
	if value == "" {
		value = c.joined(p)
	}
	return value, value != ""
}

// header returns the claim's value in the form of a header, empty if there is none.
func (c claim) header(p *authority.Principal) string {
	switch c {
	case claimScope, claimRoles, claimAudience:
		return c.joined(p)
	}
	return encodeText(c.text(p))
}

// joined returns a list claim, empty for the other claims.
func (c claim) joined(p *authority.Principal) string {
	switch c {
	case claimScope:
		return encodeList(p.Scopes, ' ')
	case claimRoles:
		return encodeList(p.Roles, ',')
	case claimAudience:
		return encodeList(p.Audience, ',')
	}
	return ""
}

// text returns a claim that is one text, empty for the lists.
func (c claim) text(p *authority.Principal) string {
	switch c {
	case claimSubject:
		return p.Subject
	case claimUser:
		if p.Username != "" {
			return p.Username
		}
		return p.Subject
	case claimUsername:
		return p.Username
	case claimName:
		return p.Name
	case claimEmail:
		return p.Email
	case claimEmailVerified:
		if p.Email == "" {
			return ""
		}
		return strconv.FormatBool(p.EmailVerified)
	case claimVerifiedEmail:
		if !p.EmailVerified {
			return ""
		}
		return p.Email
	case claimClient:
		return p.Client
	case claimIssuer:
		return p.Issuer
	case claimRealm:
		return p.Source
	case claimRealmID:
		return p.Realm
	case claimAccount:
		return p.Account
	}
	return c.tokenText(p)
}

// tokenText returns what is said of the token rather than of its holder.
func (c claim) tokenText(p *authority.Principal) string {
	switch c {
	case claimSession:
		return p.Session
	case claimTokenID:
		return p.TokenID
	case claimTokenKind:
		return string(p.Kind)
	case claimExpires:
		return unixText(expires(p))
	case claimIssuedAt:
		return unixText(p.IssuedAt)
	case claimAuthTime:
		return unixText(p.AuthTime)
	}
	return ""
}

// expires is when a token ends, zero if its issuer does not say.
func expires(p *authority.Principal) int64 {
	if p.Expires == authority.NoExpiry {
		return 0
	}
	return p.Expires
}

func unixText(seconds int64) string {
	if seconds == 0 {
		return ""
	}
	return strconv.FormatInt(seconds, 10)
}
