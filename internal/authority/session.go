package authority

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// bond is what a token hangs on: when one of these goes, so does the token.
type bond struct {
	client     string
	session    string        // empty for a client's own token and for a personal one
	account    string        // of a token without a session; empty for a client's own
	credential secret.Digest // of a personal token: what its account proved to know
	origin     List          // of a personal token
}

// holder is whom a token was issued to, as the realm knows them now.
type holder struct {
	client  *Client
	person  *person // nil for a client's own token
	session Session // zero for a token without a session
}

// standing is the one check that every grant, every introspection and every guard
// passes: may what was issued to this client, this account, in this session, go on?
// It runs inside the Tx that reads or writes, so that what it saw is what is.
func (a *Authority) standing(tx Tx, op string, r *Realm, b bond) (holder, error) {
	h := holder{client: r.clients[b.client]}
	if h.client == nil || h.client.Disabled {
		return holder{}, inactive(op, "its client is gone or disabled")
	}
	if b.session != "" {
		s, err := tx.Session(r.ID, b.session)
		switch {
		case errors.Is(err, ErrNotFound):
			return holder{}, inactive(op, "its session has ended")
		case err != nil:
			return holder{}, err
		case s.Client != b.client:
			return holder{}, inactive(op, "its session is another client's")
		case !tx.Now().Before(s.Expires):
			return holder{}, inactive(op, "its session has expired")
		}
		h.session, b.account, b.credential, b.origin = s, s.Account, s.Credential, s.Origin
	}
	if b.account == "" {
		return h, nil
	}
	if !r.trusts(b.origin) {
		return holder{}, inactive(op, "the login provider that it began with is gone")
	}
	p, err := r.person(tx, b.account)
	switch {
	case errors.Is(err, ErrNotFound):
		return holder{}, inactive(op, "its account is gone")
	case err != nil:
		return holder{}, err
	case p.disabled():
		return holder{}, inactive(op, "its account is disabled")
	}
	if credential := p.credential(); !credential.Equal(b.credential) {
		return holder{}, inactive(op, "its user's password or second factor was changed")
	}
	h.person = &p
	return h, nil
}

// subject is the `sub` of the holder's tokens.
func (h *holder) subject() string {
	if h.person != nil {
		return h.person.ID
	}
	return h.client.Subject
}

// begin starts a session and hands out its first tokens. within runs in the Update
// that stores them: what it refuses never was, and whose session it is may be
// decided there.
func (a *Authority) begin(ctx context.Context, op, grant string, i issue, within func(Tx, *issue) error) (TokenGrant, error) {
	r := i.realm
	i.session = Session{
		ID: secret.UUID(), Realm: r.ID, Client: i.client.ID, Address: CallerOf(ctx).Address,
		Origin: i.origin, Binding: i.binding,
	}
	var err error
	if i.refresh, err = a.newRefresh(ctx, &i); err != nil {
		return TokenGrant{}, err
	}
	row := secret.UUID()
	err = a.store.Update(ctx, func(tx Tx) error {
		now := tx.Now()
		i.session.Created, i.session.LastUsed, i.session.Ends = now, now, now.Add(r.SessionLife)
		i.session.Expires = i.disuse(now)
		if err := within(tx, &i); err != nil {
			return err
		}
		if i.person != nil {
			i.session.Account, i.session.Credential = i.person.ID, i.person.credential()
		}
		if err := tx.PutSession(i.session); err != nil {
			return err
		}
		if i.form == formLong {
			_, err := a.standing(tx, op, r, bond{client: i.client.ID, session: i.session.ID})
			return err
		}
		first := i.refreshRow(row, i.scopes, i.audience, now)
		i.refreshIn = first.Expires.Sub(now)
		if err := tx.PutRefresh(first); err != nil {
			return err
		}
		_, err := a.standing(tx, op, r, bond{client: i.client.ID, session: i.session.ID})
		return err
	})
	if err != nil {
		return TokenGrant{}, err
	}
	return a.hand(ctx, grant, i)
}

// refreshRow is the row of the issue's refresh token. It never outlives the session.
func (i *issue) refreshRow(id string, scopes, audience List, now time.Time) Refresh {
	return Refresh{
		Digest: secret.DigestOf(i.refresh), ID: id, Realm: i.realm.ID, Session: i.session.ID, Client: i.client.ID,
		Account: i.session.Account, Scopes: scopes, Audience: audience, Issued: now,
		Expires: i.within(now.Add(i.unused())), Until: i.session.Expires,
	}
}

// unused is how long a refresh token lives without being used.
func (i *issue) unused() time.Duration { return cmp.Or(i.refreshLife, i.realm.RefreshLife) }

// within is a moment, or the absolute end of the session if that comes first.
func (i *issue) within(t time.Time) time.Time {
	if i.session.Ends.Before(t) {
		return i.session.Ends
	}
	return t
}

// disuse is when the session ends if nothing more is done with it: with the last
// token that it gave, those of the grace among them.
func (i *issue) disuse(now time.Time) time.Time {
	if i.form == formLong {
		return i.within(now.Add(i.accessLife()))
	}
	return i.within(now.Add(max(i.unused(), i.accessLife()) + i.realm.RefreshGrace))
}

// endSession ends a session and all that it gave. It answers whether there was one.
func (a *Authority) endSession(ctx context.Context, r *Realm, id string) (bool, error) {
	var was bool
	err := a.store.Update(ctx, func(tx Tx) error {
		_, err := tx.Session(r.ID, id)
		was = err == nil
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return tx.DeleteSession(r.ID, id)
	})
	a.endings.End(Tag{TagSession, r.ID, id})
	return was, err
}
