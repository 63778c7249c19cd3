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
	return Introspection{Active: true, Principal: p}, nil
}

// Revoke ends a token of the client that asks (RFC 7009). Errors: see Verbs.
func (a *Authority) Revoke(ctx context.Context, q TokenQuery) error {
	const op = "revoke a token"
	r, c, err := a.asker(ctx, op, q)
	if err != nil {
		return err
	}
	kind, jwt := a.forms.KindOf(q.Token)
	var id string
	switch {
	case kind == "":
		return nil // RFC 7009 §2.2: invalid tokens do not cause an error
	case jwt:
		id, err = a.revokeJWT(ctx, op, r, c, q.Token)
	default:
		id, err = a.revokeOpaque(ctx, op, r, c, q.Token)
	}
	if err != nil {
		return a.refuse(ctx, r, c.ID, err)
	}
	if id != "" {
		a.audit.Record(ctx, Event{Name: "revoke", Realm: r.Name, Client: c.ID, TokenID: id})
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

// revokeJWT marks the JWT as ended until it would have expired. It answers the
// token's id, or nothing where there was nothing to end.
func (a *Authority) revokeJWT(ctx context.Context, op string, r *Realm, c *Client, raw string) (string, error) {
	claims, _, err := a.readJWT(ctx, r, raw)
	switch {
	case KindOf(err) == TokenInvalid:
		return "", nil
	case err != nil:
		return "", err
	case !a.clock().Before(unix(claims.Expires)):
		return "", nil
	case claims.Client != c.ID:
		return "", foreignToken(op)
	}
	row := Revocation{Realm: r.ID, TokenID: claims.TokenID, Expires: unix(claims.Expires)}
	err = a.store.Update(ctx, func(tx Tx) error { return tx.PutRevocation(row) })
	// After a failed commit nobody knows whether it is on disk: the verdict dies
	// either way, and the next look-up reads what is.
	a.endings.End(Tag{TagToken, r.ID, claims.TokenID})
	return claims.TokenID, err
}

// revokeOpaque deletes the token's row.
func (a *Authority) revokeOpaque(ctx context.Context, op string, r *Realm, c *Client, raw string) (string, error) {
	digest, ended := secret.DigestOf(raw), ""
	err := a.store.Update(ctx, func(tx Tx) error {
		ended = ""
		t, err := tx.Token(digest)
		switch {
		case errors.Is(err, ErrNotFound):
			return nil
		case err != nil:
			return err
		case t.Realm != r.ID:
			return nil
		case t.Client != c.ID:
			return foreignToken(op)
		}
		ended = t.ID
		return tx.DeleteToken(digest)
	})
	if ended != "" {
		a.endings.End(Tag{TagToken, r.ID, ended})
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
