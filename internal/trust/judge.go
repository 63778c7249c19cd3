package trust

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/provider"
)

// The bounds of what a token says. One that says more is refused, since a cut list would
// be another one.
const (
	maxAudience = 100
	maxScopes   = 200
	maxRoles    = 500
)

// judge decides whether the claims are those of an access token for us, now, and returns
// what they say. They are a JWT's or an introspection's. The reader has the fault.
func (t *Trust) judge(r *reader, raw string) authority.Principal {
	if r.identifier("iss") != t.o.Issuer {
		r.refuse("is of another issuer (iss)")
	}
	r.noRestriction()
	r.noOtherKind()
	p := authority.Principal{
		Source: t.o.Name, Realm: t.o.ID, Issuer: t.o.Issuer, Kind: authority.KindAccess,
		Expires: t.current(r), IssuedAt: r.time("iat"), AuthTime: r.time("auth_time"),
	}
	audience := r.texts("aud", maxAudience)
	if t.o.Audience != nil && !slices.ContainsFunc(audience, func(a string) bool { return slices.Contains(t.o.Audience, a) }) {
		r.refuse("is not for this resource (aud)")
	}
	if p.Subject = r.identifier("sub"); p.Subject == "" {
		r.refuse("names no subject (sub)")
	}
	p.Audience = authority.ListOf(audience...)
	p.Scopes = authority.ListOf(r.scopes()...)
	roles, elsewhere := r.roles()
	p.Roles, p.RolesElsewhere = authority.ListOf(roles...), elsewhere
	p.Session = r.identifier("sid")
	if p.Client = r.identifier("client_id"); p.Client == "" {
		p.Client = r.identifier("azp")
	}
	if p.TokenID = r.identifier("jti"); p.TokenID == "" {
		digest := sha256.Sum256([]byte(raw))
		p.TokenID = "sha256-" + base64.RawURLEncoding.EncodeToString(digest[:])
	}
	if p.Username = r.description("preferred_username"); p.Username == "" {
		p.Username = r.description("username")
	}
	p.Name = r.description("name")
	if email := r.description("email"); provider.CheckEmail(email) {
		p.Email = email
		p.EmailVerified = string(r.o["email_verified"]) == "true" // not a text that says so
	}
	p.Claims = r.further(t.o.Claims)
	return p
}

// current judges the times and returns the end.
func (t *Trust) current(r *reader) (expires int64) {
	now := t.o.Now()
	latest := now.Add(Leeway).Unix()
	switch expires = r.time("exp"); {
	case expires <= 0:
		r.refuse("does not say when it ends (exp)")
	case !now.Before(time.Unix(expires, 0).Add(Leeway)):
		r.refuse("has expired (exp)")
	case r.time("nbf") > latest:
		r.refuse("is not good yet (nbf)")
	case r.time("iat") > latest:
		r.refuse("is of the future (iat)")
	}
	return expires
}

// noRestriction refuses what restricts a token's use in a way that is not kept here: who
// took it for a bearer token would take the restriction away.
func (r *reader) noRestriction() {
	switch {
	case r.o.Has("cnf"): // RFC 7800, RFC 8705, RFC 9449
		r.refuse("is bound to a key (cnf), whose proof is not asked for here")
	case r.o.Has("authorization_details"): // RFC 9396
		r.refuse("is good only for what its authorization_details say, which are not judged here")
	}
}

// noOtherKind refuses what is signed by the same key and is no access token, whatever its
// header says (RFC 8725 §3.12).
func (r *reader) noOtherKind() {
	// tokenName is PingAM's (once ForgeRock's), whose refresh tokens say Bearer in token_type.
	for _, name := range []string{"typ", "token_use", "token_type", "tokenName"} {
		if r.o.Has(name) && !isOneOf(r.identifier(name), "bearer", "access", "access_token", "at+jwt", "application/at+jwt", "jwt") {
			r.refuse("is no access token (" + name + ")")
		}
	}
	// Keycloak before release 25 writes the nonce into access tokens too, which it marks.
	marked := isOneOf(r.quiet("typ"), "bearer")
	for _, name := range []string{"at_hash", "c_hash", "s_hash"} { // OpenID Connect Core §3.3.2.11
		if r.o.Has(name) {
			r.refuse("is an ID token (" + name + "): an access token is asked for")
		}
	}
	switch {
	case r.o.Has("nonce") && !marked:
		r.refuse("is an ID token (nonce): an access token is asked for")
	case r.o.Has("events"): // RFC 8417; OpenID Connect Back-Channel Logout §2.4
		r.refuse("is a message about events, no access token")
	}
}

// isOneOf compares without case.
func isOneOf(text string, known ...string) bool {
	return slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, text) })
}
