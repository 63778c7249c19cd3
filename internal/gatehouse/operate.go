package gatehouse

import (
	"context"
	"errors"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// KeyFacts are what an operator may see of a key.
type KeyFacts = authority.KeyFacts

// SessionFacts are what an operator may see of a session.
type SessionFacts = authority.SessionFacts

// MaxListed is the most sessions that one listing shows.
const MaxListed = authority.MaxListed

// Keys lists the realm's keys, oldest first. An empty realm is the default realm,
// here and below. Errors: see Fault.
func (g *Gatehouse) Keys(ctx context.Context, by Caller, realm string) ([]KeyFacts, error) {
	return g.auth.Keys(authority.WithCaller(ctx, by), realm)
}

// RotateKeys publishes the realm's next key. It answers false if one is on its way already.
func (g *Gatehouse) RotateKeys(ctx context.Context, by Caller, realm string) (bool, error) {
	return g.auth.RotateKeys(authority.WithCaller(ctx, by), realm)
}

// RevokeKey ends a key and every token it signed.
func (g *Gatehouse) RevokeKey(ctx context.Context, by Caller, realm, id string) error {
	return g.auth.RevokeKey(authority.WithCaller(ctx, by), realm, id)
}

// EndToken ends a token, and with a refresh token its session.
func (g *Gatehouse) EndToken(ctx context.Context, by Caller, realm, raw string) error {
	return g.auth.EndToken(authority.WithCaller(ctx, by), realm, raw)
}

// EndTokenID ends an access token by its id (`jti`), known or not.
func (g *Gatehouse) EndTokenID(ctx context.Context, by Caller, realm, id string) error {
	return g.auth.EndTokenID(authority.WithCaller(ctx, by), realm, id)
}

// Sessions lists live sessions, oldest first: of a user, or of the realm when
// username is empty.
func (g *Gatehouse) Sessions(ctx context.Context, by Caller, realm, username string) ([]SessionFacts, error) {
	return g.auth.Sessions(authority.WithCaller(ctx, by), realm, username)
}

// EndSession ends a session and all that it gave.
func (g *Gatehouse) EndSession(ctx context.Context, by Caller, realm, id string) error {
	return g.auth.EndSession(authority.WithCaller(ctx, by), realm, id)
}

// NewClientSecret makes a client secret and the hash that the configuration takes.
func NewClientSecret() (plain, hash string) { return authority.NewClientSecret() }

// Fault is how an error of the above is said to an operator: an HTTP status and a
// sentence. The text of a fault of ours stays in the log.
func Fault(err error) (status int, text string) {
	text = "an internal error; Caddy's log says more"
	e, ok := errors.AsType[*authority.Error](err)
	if ok && e.Kind != authority.Internal {
		if said := e.Said(); said != "" {
			text = said
		}
	}
	switch authority.KindOf(err) {
	case authority.RealmUnknown, authority.NotFound, authority.ProviderUnknown, authority.AccountUnknown:
		return http.StatusNotFound, text
	case authority.Invalid:
		return http.StatusBadRequest, text
	case authority.Unavailable:
		return http.StatusServiceUnavailable, "the database cannot be reached; Caddy's log says more"
	default:
		return http.StatusInternalServerError, text
	}
}
