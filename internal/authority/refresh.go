package authority

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// refresh hands out a new access token for a refresh token (RFC 6749 §6). Each
// refresh token has one successor, however many use it at once: whoever comes
// first inside the Update makes it, and repeated uses within the grace get the same
// one back. A use after the grace ends the whole family (RFC 9700 §4.14.2).
func (a *Authority) refresh(ctx context.Context, op string, r *Realm, c *Client, q TokenRequest) (TokenGrant, error) {
	if !c.may(GrantRefreshToken) {
		return TokenGrant{}, &Error{Kind: ClientForbidden, Op: op, Public: "the client may not use this grant_type"}
	}
	if kind, _ := a.forms.KindOf(q.RefreshToken); kind != KindRefresh && !q.readable {
		return TokenGrant{}, &Error{Kind: GrantInvalid, Op: op, Public: "the refresh token is not good", Err: errors.New("not a refresh token of ours")}
	}
	next, err := a.nextRefresh(ctx, r, q)
	if err != nil {
		return TokenGrant{}, err
	}
	sealed, err := secret.SealUnder(q.RefreshToken, []byte(next))
	if err != nil {
		return TokenGrant{}, &Error{Kind: Internal, Op: op, Err: err}
	}
	var out issue
	var reused string
	err = a.store.Update(ctx, func(tx Tx) error {
		out, reused = issue{}, ""
		row, err := a.familyRow(tx, op, r, c, q)
		if err != nil {
			return err
		}
		h, err := a.standing(tx, op, r, bond{client: row.Client, session: row.Session})
		if err != nil {
			return asGrantInvalid(op, err)
		}
		// Reuse is judged before anything is asked about the request: a spent token must
		// not be tried out at no risk.
		fresh, grace := row.Used.IsZero(), r.inGrace(row, tx.Now())
		if !fresh && !grace {
			reused = row.Session
			return tx.DeleteSession(r.ID, row.Session)
		}
		if h.session.Binding != q.binding {
			return &Error{Kind: BindingInvalid, Op: op, Public: "the session belongs to another client", Err: errors.New("the session is bound to another client of the user")}
		}
		if out, err = r.renewed(op, h, row, q); err != nil {
			return err
		}
		out.refresh = next
		if fresh {
			return a.spend(tx, row, &out, sealed)
		}
		out.refresh, out.refreshIn, err = a.successor(tx, r, row, q.RefreshToken)
		return err
	})
	if reused != "" {
		a.endings.End(Tag{TagSession, r.ID, reused})
	}
	if err != nil {
		return TokenGrant{}, err
	}
	if reused != "" {
		return TokenGrant{}, a.reused(ctx, op, r, c, reused)
	}
	return a.hand(ctx, GrantRefreshToken, out)
}

// renewed is what a refresh hands out: what its session was given, less what the
// configuration took from the client since, and less what the request does without.
func (r *Realm) renewed(op string, h holder, row Refresh, q TokenRequest) (issue, error) {
	out := issue{realm: r, client: h.client, person: h.person, session: h.session, refreshLife: q.RefreshLife}
	if q.readable {
		out.form = formReadable
	}
	scopes, audience := r.live(h.client, row.Scopes, row.Audience)
	if audience == "" {
		return issue{}, &Error{Kind: GrantInvalid, Op: op, Public: "the refresh token is not good", Err: errors.New("none of its audience is left")}
	}
	var err error
	if out.scopes, err = narrower(op, ScopeInvalid, "scope", scopes, strings.Fields(q.Scope)); err != nil {
		return issue{}, err
	}
	out.audience, err = narrower(op, TargetInvalid, "resource", audience, q.Resources)
	return out, err
}

// reused records that a spent refresh token came again and answers its bearer.
func (a *Authority) reused(ctx context.Context, op string, r *Realm, c *Client, session string) error {
	a.audit.Record(ctx, Event{Name: "reuse", Realm: r.Name, Client: c.ID, Session: session,
		Detail: "a spent refresh token came again: its session was ended"})
	return &Error{Kind: GrantInvalid, Op: op, Public: "the refresh token was used before: its session has ended"}
}

// leeway is how far a clock may be set back without anybody's harm.
const leeway = 5 * time.Second

// inGrace reports whether a spent refresh token still gives its successor. A clock
// that was set back does not open a grace anew.
func (r *Realm) inGrace(row Refresh, now time.Time) bool {
	return len(row.Successor) > 0 && now.Before(row.Used.Add(r.RefreshGrace)) && now.After(row.Used.Add(-leeway))
}

// successor returns the refresh token that stands for a spent one: the last of its
// chain. Who comes late must not get one that another caller has spent meanwhile,
// for his next use would look like theft.
func (a *Authority) successor(tx Tx, r *Realm, row Refresh, raw string) (string, time.Duration, error) {
	const longest = 64 // uses within one grace
	for range longest {
		next, err := secret.OpenUnder(raw, row.Successor)
		if err != nil {
			return "", 0, err
		}
		raw = string(next)
		row, err = tx.Refresh(secret.DigestOf(raw))
		if err != nil {
			return "", 0, err
		}
		if row.Used.IsZero() || !r.inGrace(row, tx.Now()) {
			break
		}
	}
	return raw, row.Expires.Sub(tx.Now()), nil
}

// familyRow finds the presented refresh token and whose it is.
func (a *Authority) familyRow(tx Tx, op string, r *Realm, c *Client, q TokenRequest) (Refresh, error) {
	refused := &Error{Kind: GrantInvalid, Op: op, Public: "the refresh token is not good"}
	row, err := tx.Refresh(secret.DigestOf(q.RefreshToken))
	switch {
	case errors.Is(err, ErrNotFound):
		refused.Err = errors.New("unknown")
	case err != nil:
		return Refresh{}, err
	case row.Realm != r.ID || row.Client != c.ID:
		refused.Err = errors.New("of another realm or client")
	case row.Used.IsZero() && !tx.Now().Before(row.Expires):
		refused.Err = errors.New("expired")
	default:
		return row, nil
	}
	return Refresh{}, refused
}

// spend marks the token as used and stores its one successor.
func (a *Authority) spend(tx Tx, row Refresh, out *issue, sealed []byte) error {
	now := tx.Now()
	row.Used, row.Successor, row.Until = now, sealed, out.session.Ends
	if err := tx.PutRefresh(row); err != nil {
		return err
	}
	out.session.LastUsed, out.session.Expires = now, out.disuse(now)
	if err := tx.PutSession(out.session); err != nil {
		return err
	}
	next := out.refreshRow(secret.UUID(), row.Scopes, row.Audience, now)
	out.refreshIn = next.Expires.Sub(now)
	return tx.PutRefresh(next)
}

// narrower is what of the asked texts the family has: all of them or an error;
// asked for none, all of the family's.
func narrower(op string, kind Kind, what string, has List, asked []string) (List, error) {
	for _, s := range asked {
		if !has.Has(s) {
			return "", &Error{Kind: kind, Op: op, Public: what + " names something the refresh token was not given for",
				Fields: []Field{{Name: what, Reason: "not granted at the login"}}}
		}
	}
	if len(asked) == 0 {
		return has, nil
	}
	return ListOf(slices.Compact(asked)...), nil
}

// asGrantInvalid turns the shared check's refusal into the grant's.
func asGrantInvalid(op string, err error) error {
	if KindOf(err) == TokenInvalid {
		return &Error{Kind: GrantInvalid, Op: op, Public: "the refresh token is not good", Err: err}
	}
	return err
}
