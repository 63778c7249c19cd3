package authority

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// KeyFacts are what an operator may see of a key: nothing secret.
type KeyFacts struct {
	ID      string
	Alg     string
	State   string // next, signing, verifying or revoked; sealing for the realm's symmetric root
	Created time.Time
	Signs   time.Time
	Retires time.Time // zero while it has no successor
	Expires time.Time // zero while it has no successor
}

// Keys lists the realm's keys, oldest first. Errors: RealmUnknown, Unavailable, Internal.
func (a *Authority) Keys(ctx context.Context, realm string) ([]KeyFacts, error) {
	r, err := a.realm("list keys", realm)
	if err != nil {
		return nil, err
	}
	keys, err := a.keys.load(ctx, r.ID, r.SigningAlg)
	if err != nil {
		return nil, err
	}
	now := a.clock()
	present, _ := signer(keys, r.SigningAlg, now)
	facts := make([]KeyFacts, 0, len(keys))
	for _, k := range keys {
		if k.dead(now) {
			continue
		}
		f := KeyFacts{ID: k.ID, Alg: k.Alg, State: "verifying", Created: k.Created, Signs: k.Signs, Retires: k.Retires, Expires: k.Expires}
		switch {
		case !k.Revoked.IsZero():
			f.State = "revoked"
		case k.ID == present.ID:
			f.State = "signing"
		case k.Signs.After(now):
			f.State = "next"
		}
		facts = append(facts, f)
	}
	root, err := a.keys.knownRoot(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	if root.ID != "" {
		facts = append(facts, KeyFacts{ID: root.ID, Alg: root.Alg, State: "sealing", Created: root.Created, Signs: root.Signs})
	}
	return facts, nil
}

// RotateKeys publishes the realm's next key, which signs ten minutes later. It
// answers false if one is on its way already. Errors: as Keys.
func (a *Authority) RotateKeys(ctx context.Context, realm string) (bool, error) {
	r, err := a.realm("rotate keys", realm)
	if err != nil {
		return false, err
	}
	return a.rotate(ctx, r, keyHurry, 0)
}

// Maintain does what is due: the next key of a realm whose key grows old, and the
// retirement of keys that no realm signs with any more. It is for the configuration
// that serves. Errors: Unavailable, Internal.
func (a *Authority) Maintain(ctx context.Context) error {
	for _, r := range a.realms {
		if err := a.keys.settle(ctx, r.ID, r.SigningAlg); err != nil {
			return err
		}
		if _, err := a.rotate(ctx, r, keyLead, keyAge); err != nil {
			return err
		}
	}
	return nil
}

func (a *Authority) rotate(ctx context.Context, r *Realm, lead, age time.Duration) (bool, error) {
	made, err := a.keys.rotate(ctx, r.ID, r.SigningAlg, lead, age)
	if made && err == nil {
		a.audit.Record(ctx, Event{Name: "key", Realm: r.Name, Detail: "the next key was published"})
	}
	return made, err
}

// RevokeKey ends a key and every token it signed. With the realm's symmetric root end
// the logins under way and the refresh tokens that are JWTs. Errors: RealmUnknown,
// NotFound, Unavailable, Internal.
func (a *Authority) RevokeKey(ctx context.Context, realm, id string) error {
	r, err := a.realm("revoke a key", realm)
	if err != nil {
		return err
	}
	if root, err := a.keys.knownRoot(ctx, r.ID); err != nil {
		return err
	} else if root.ID == id && id != "" {
		if _, err = a.keys.setRoot(ctx, r.ID, id); err == nil {
			a.audit.Record(ctx, Event{Name: "key", Realm: r.Name, Detail: "revoked " + id})
		}
		return err
	}
	err = a.keys.revoke(ctx, r.ID, r.SigningAlg, id)
	if KindOf(err) == NotFound {
		return err
	}
	a.endings.End(Tag{TagKey, r.ID, id}) // also when nobody knows whether it was done
	if err == nil {
		a.audit.Record(ctx, Event{Name: "key", Realm: r.Name, Detail: "revoked " + id})
	}
	return err
}

// EndToken ends a token by the operator's word, whosesoever it is: an access token,
// or a refresh token and with it its session. Errors: RealmUnknown, NotFound (not a
// token of this realm that is alive), Unavailable, Internal.
func (a *Authority) EndToken(ctx context.Context, realm, raw string) error {
	const op = "revoke a token"
	r, err := a.realm(op, realm)
	if err != nil {
		return err
	}
	ended, err := a.end(ctx, op, r, nil, raw)
	if err == nil && ended == (Event{}) {
		err = &Error{Kind: NotFound, Op: op, Public: "this is not a live token of the realm"}
	}
	if err != nil {
		return err
	}
	a.audit.Record(ctx, ended)
	return nil
}

// EndTokenID ends an access token by its id (`jti`), as the audit log names it. An id
// that nobody has is no error: the realm cannot know all ids of its JWTs. Errors:
// RealmUnknown, Unavailable, Internal.
func (a *Authority) EndTokenID(ctx context.Context, realm, id string) error {
	r, err := a.realm("revoke a token", realm)
	if err != nil {
		return err
	}
	err = a.store.Update(ctx, func(tx Tx) error {
		switch t, err := tx.TokenByID(r.ID, id); {
		case err == nil: // an opaque one ends with its row, however long it would have lived
			if err := tx.DeleteToken(t.Digest); err != nil {
				return err
			}
		case !errors.Is(err, ErrNotFound):
			return err
		}
		return tx.PutRevocation(Revocation{Realm: r.ID, TokenID: id, Expires: tx.Now().Add(MaxAccessLife)})
	})
	a.endings.End(Tag{TagToken, r.ID, id})
	if err == nil {
		a.audit.Record(ctx, Event{Name: "revoke", Realm: r.Name, TokenID: id, Detail: "by the operator"})
	}
	return err
}

// SessionFacts are what an operator may see of a session.
type SessionFacts struct {
	ID       string
	Account  string // UUID; empty for a client's own session
	Username string // empty if the user is gone from the configuration
	Client   string
	Address  string // where it was started from
	Created  time.Time
	LastUsed time.Time
	Expires  time.Time
}

// MaxListed is the most sessions that one listing shows.
const MaxListed = 1000

// Sessions lists the live sessions of an account (see resolve for which), or of the
// realm when which is empty, oldest first, at most MaxListed. Errors: RealmUnknown,
// NotFound, Unavailable, Internal.
func (a *Authority) Sessions(ctx context.Context, realm, which string) ([]SessionFacts, error) {
	const op = "list sessions"
	r, err := a.realm(op, realm)
	if err != nil {
		return nil, err
	}
	facts := []SessionFacts{}
	err = a.store.View(ctx, func(tx Tx) error {
		account := ""
		if which != "" {
			p, err := r.resolve(tx, op, which)
			if err != nil {
				return err
			}
			account = p.ID
		}
		rows, err := tx.Sessions(r.ID, account, MaxListed)
		facts = facts[:0]
		for _, s := range rows {
			if !tx.Now().Before(s.Expires) {
				continue
			}
			f := SessionFacts{ID: s.ID, Account: s.Account, Client: s.Client, Address: s.Address, Created: s.Created, LastUsed: s.LastUsed, Expires: s.Expires}
			if s.Account != "" {
				switch p, err := r.person(tx, s.Account); {
				case err == nil:
					f.Username = p.Username
				case !errors.Is(err, ErrNotFound):
					return err
				}
			}
			facts = append(facts, f)
		}
		return err
	})
	return facts, err
}

// EndSession ends a session and all that it gave. Errors: RealmUnknown, NotFound,
// Unavailable, Internal.
func (a *Authority) EndSession(ctx context.Context, realm, id string) error {
	const op = "end a session"
	r, err := a.realm(op, realm)
	if err != nil {
		return err
	}
	was, err := a.endSession(ctx, r, id)
	if err == nil && !was {
		err = &Error{Kind: NotFound, Op: op, Public: "the realm has no such session"}
	}
	if err == nil {
		a.audit.Record(ctx, Event{Name: "revoke", Realm: r.Name, Session: id, Detail: "by the operator"})
	}
	return err
}

// NewClientSecret makes a client secret and the hash that the configuration takes.
func NewClientSecret() (plain, hash string) {
	plain = secret.Token()
	return plain, secret.DigestOf(plain).SecretHash()
}
