package authority

import (
	"context"
	"errors"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// Introspect tells the facts of a token to a client that may know them (RFC 7662).
// Errors: see Verbs.
func (a *Authority) Introspect(ctx context.Context, q TokenQuery) (Introspection, error) {
	const op = "introspect a token"
	if q.Anonymous && q.Client == (ClientAuth{}) {
		return a.introspectAnonymously(ctx, op, q)
	}
	r, c, err := a.asker(ctx, op, q)
	if err != nil {
		return Introspection{}, err
	}
	if c.Public() { // RFC 7662 §2.1: the endpoint must know who asks
		return Introspection{}, a.refuse(ctx, r, c.ID, &Error{Kind: ClientUnauthenticated, Op: op,
			Public: "a public client may not introspect tokens"})
	}
	p, err := a.verify(ctx, op, r, q.Token)
	if KindOf(err) == TokenInvalid {
		return Introspection{}, nil
	}
	if err != nil {
		return Introspection{}, a.refuse(ctx, r, c.ID, err)
	}
	if !r.knows(c, &p) {
		return Introspection{}, nil
	}
	return a.told(ctx, r, p)
}

// Revoke ends a token of the client that asks (RFC 7009): an access token, or a
// refresh token and with it the session and all that it gave (§2.1). Errors: see Verbs.
func (a *Authority) Revoke(ctx context.Context, q TokenQuery) error {
	const op = "revoke a token"
	r, c, err := a.asker(ctx, op, q)
	if err != nil {
		return err
	}
	ended, err := a.end(ctx, op, r, c, q.Token)
	if err != nil {
		return a.refuse(ctx, r, c.ID, err)
	}
	if ended != (Event{}) { // RFC 7009 §2.2: what was no live token is no error
		a.audit.Record(ctx, ended)
	}
	return nil
}

// asker finds the realm and believes the client of a query.
func (a *Authority) asker(ctx context.Context, op string, q TokenQuery) (*Realm, *Client, error) {
	r, err := a.realm(op, q.Realm)
	if err != nil {
		return nil, nil, a.refuse(ctx, nil, q.Client.ID, err)
	}
	c, err := a.authenticate(op, r, q.Client)
	if err != nil {
		return nil, nil, a.refuse(ctx, r, q.Client.ID, err)
	}
	return r, c, nil
}

// end ends a token of the client, or anybody's when c is nil. It answers the event
// to record, or nothing where there was nothing to end.
func (a *Authority) end(ctx context.Context, op string, r *Realm, c *Client, raw string) (Event, error) {
	kind, jwt := a.forms.KindOf(raw)
	switch {
	case kind == "":
		return Event{}, nil
	case jwt:
		return a.endJWT(ctx, op, r, c, raw)
	case kind == KindRefresh:
		return a.endFamily(ctx, op, r, c, raw)
	default:
		return a.endOpaque(ctx, op, r, c, raw)
	}
}

// endJWT marks the JWT as ended until it would have expired.
func (a *Authority) endJWT(ctx context.Context, op string, r *Realm, c *Client, raw string) (Event, error) {
	claims, _, err := a.readJWT(ctx, r, raw)
	switch {
	case KindOf(err) == TokenInvalid:
		return a.endFamily(ctx, op, r, c, raw) // a refresh token may be a JWT too; its row says so
	case err != nil:
		return Event{}, err
	case !a.clock().Before(unix(claims.Expires)):
		return Event{}, nil
	case c != nil && claims.Client != c.ID:
		return Event{}, foreignToken(op)
	}
	row := Revocation{Realm: r.ID, TokenID: claims.TokenID, Expires: unix(claims.Expires)}
	err = a.store.Update(ctx, func(tx Tx) error { return tx.PutRevocation(row) })
	// After a failed commit nobody knows whether it is on disk: the verdict dies
	// either way, and the next look-up reads what is.
	a.endings.End(Tag{TagToken, r.ID, claims.TokenID})
	return Event{Name: "revoke", Realm: r.Name, Client: claims.Client, TokenID: claims.TokenID, Session: claims.Session}, err
}

// endOpaque deletes the token's row.
func (a *Authority) endOpaque(ctx context.Context, op string, r *Realm, c *Client, raw string) (ended Event, err error) {
	digest := secret.DigestOf(raw)
	err = a.store.Update(ctx, func(tx Tx) error {
		ended = Event{}
		t, err := tx.Token(digest)
		switch {
		case errors.Is(err, ErrNotFound):
			return nil
		case err != nil:
			return err
		case t.Realm != r.ID || !tx.Now().Before(t.Expires):
			return nil
		case c != nil && t.Client != c.ID:
			return foreignToken(op)
		}
		ended = Event{Name: "revoke", Realm: r.Name, Client: t.Client, Account: t.Account, TokenID: t.ID, Session: t.Session}
		return tx.DeleteToken(digest)
	})
	if ended.TokenID != "" {
		a.endings.End(Tag{TagToken, r.ID, ended.TokenID})
	}
	return ended, err
}

// endFamily ends the session that a refresh token belongs to.
func (a *Authority) endFamily(ctx context.Context, op string, r *Realm, c *Client, raw string) (ended Event, err error) {
	digest := secret.DigestOf(raw)
	err = a.store.Update(ctx, func(tx Tx) error {
		ended = Event{}
		row, err := tx.Refresh(digest)
		switch {
		case errors.Is(err, ErrNotFound):
			return nil
		case err != nil:
			return err
		case row.Realm != r.ID:
			return nil // an expired one still leads to its session, whose access tokens may live
		case c != nil && row.Client != c.ID:
			return foreignToken(op)
		}
		if _, err := tx.Session(r.ID, row.Session); err != nil {
			if errors.Is(err, ErrNotFound) {
				return nil
			}
			return err
		}
		ended = Event{Name: "revoke", Realm: r.Name, Client: row.Client, Account: row.Account, Session: row.Session}
		return tx.DeleteSession(r.ID, row.Session)
	})
	if ended.Session != "" {
		a.endings.End(Tag{TagSession, r.ID, ended.Session})
	}
	return ended, err
}

// foreignToken is the refusal of RFC 7009 §2.1: the token was not issued to the
// client that asks for its end.
func foreignToken(op string) error {
	return &Error{Kind: ClientForbidden, Op: op, Public: "the token was not issued to this client"}
}

// scopeList reads the scope of a token of ours.
func scopeList(op, scope string) (List, error) {
	if scope == "" {
		return "", nil
	}
	if strings.ContainsRune(scope, 0) {
		return "", inactive(op, "its scope holds a NUL")
	}
	return ListOf(strings.Split(scope, " ")...), nil
}
