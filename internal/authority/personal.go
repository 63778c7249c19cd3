package authority

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// maxPersonal is how many live personal tokens an account has; the oldest ends.
const maxPersonal = 100

// LoginByUpstreamToken logs in by an upstream's access token that was issued to our
// own client, and mints a personal token. Errors: RealmUnknown, ProviderUnknown,
// UpstreamTokenInvalid, ProviderFailed, AccountUnknown, SignUpRefused,
// AccountDisabled, LoginFailed (the account has a second factor), Throttled,
// Unavailable, Internal.
func (a *Authority) LoginByUpstreamToken(ctx context.Context, q UpstreamTokenRequest) (PersonalGrant, error) {
	const op = "log in by a provider's token"
	r, err := a.realm(op, q.Realm)
	if err != nil {
		return PersonalGrant{}, a.refuse(ctx, nil, FirstParty, err)
	}
	up, profile, err := a.presented(ctx, op, r, q)
	if err != nil {
		return PersonalGrant{}, a.refuse(ctx, r, FirstParty, err)
	}
	ask := admission{realm: r, upstream: up, profile: profile, signUp: true, id: newAccountID()}
	g, err := a.mintFor(ctx, op, ask, func(Tx) error { return nil })
	if err != nil {
		return PersonalGrant{}, a.refuse(ctx, r, FirstParty, err)
	}
	return g, nil
}

// mintFor admits a proven identity and mints a personal token, in one Update. within
// runs first in it.
func (a *Authority) mintFor(ctx context.Context, op string, ask admission, within func(Tx) error) (PersonalGrant, error) {
	var in admitted
	m := a.newMint(ask.realm)
	err := a.store.Update(ctx, func(tx Tx) (err error) {
		if err := within(tx); err != nil {
			return err
		}
		if in, err = a.admit(tx, op, ask); err != nil {
			return err
		}
		if err := needsFactor(op, &in.person); err != nil {
			return err
		}
		return a.mint(tx, op, m, &in.person, time.Time{})
	})
	if err != nil {
		return PersonalGrant{}, err
	}
	a.welcome(ctx, ask.realm, ask.upstream, in)
	return a.minted(ctx, m, "login", "by "+ask.upstream.Name), nil
}

// mint is a personal token in the making: its secret and id, made before the Update.
type mint struct {
	realm *Realm
	raw   string
	id    string
	row   Token // as stored
	ended []Tag // older ones that had to go
}

func (a *Authority) newMint(r *Realm) *mint {
	// The dialect that shows personal tokens writes them as UUIDs: 122 random bits.
	return &mint{realm: r, raw: secret.UUID(), id: secret.UUID()}
}

// mint stores a personal token of the account. until is when it ends, if that is
// before the realm's cap.
func (a *Authority) mint(tx Tx, op string, m *mint, p *person, until time.Time) error {
	r, now := m.realm, tx.Now()
	c, err := a.loginClient(op, r, "")
	if err != nil {
		return err
	}
	m.ended = nil
	rows, err := tx.Tokens(r.ID, p.ID, KindPersonal, 2*maxPersonal)
	if err != nil {
		return err
	}
	live := len(rows)
	for _, row := range rows {
		if expired := !now.Before(row.Expires); !expired && live < maxPersonal {
			continue
		}
		if err := tx.DeleteToken(row.Digest); err != nil {
			return err
		}
		m.ended = append(m.ended, Tag{TagToken, r.ID, row.ID})
		live--
	}
	expires := now.Add(r.PersonalLife)
	if !until.IsZero() && until.Before(expires) {
		expires = until
	}
	m.row = Token{
		Digest: secret.DigestOf(m.raw), ID: m.id, Realm: r.ID, Kind: KindPersonal, Client: c.ID, Account: p.ID,
		Scopes: ListOf(c.Scopes...), Audience: ListOf(r.Issuer), Credential: p.credential(), Issued: now, Expires: expires,
	}
	if err := tx.PutToken(m.row); err != nil {
		return err
	}
	_, err = a.standing(tx, op, r, bond{client: c.ID, account: p.ID, credential: m.row.Credential})
	return err
}

// minted tells of the token after the commit.
func (a *Authority) minted(ctx context.Context, m *mint, event, detail string) PersonalGrant {
	if len(m.ended) > 0 {
		a.endings.End(m.ended...)
	}
	a.audit.Record(ctx, Event{Name: event, Realm: m.realm.Name, Client: m.row.Client, Account: m.row.Account, TokenID: m.id, Detail: detail})
	return PersonalGrant{PersonalToken: m.row.personal(), Secret: m.raw}
}

func (t *Token) personal() PersonalToken {
	return PersonalToken{ID: t.ID, Account: t.Account, Created: t.Issued, Expires: t.Expires}
}

// own judges a call that an account makes about itself: a live token, of the built-in
// client or personal, and about nobody else. Errors: RealmUnknown, TokenInvalid,
// ClientForbidden, NotFound, Unavailable, Internal.
func (a *Authority) own(ctx context.Context, op string, q AccountCall) (*Realm, Principal, error) {
	r, err := a.realm(op, q.Realm)
	if err != nil {
		return nil, Principal{}, a.refuse(ctx, nil, "", err)
	}
	p, err := a.verify(ctx, op, r, q.Bearer)
	switch {
	case err != nil:
	case p.Account == "" || p.Client != FirstParty && p.Kind != KindPersonal:
		err = &Error{Kind: ClientForbidden, Op: op, Public: "this token may not make calls about an account"}
	case q.Account != "" && q.Account != p.Account:
		err = &Error{Kind: NotFound, Op: op, Public: "there is no such account"}
	}
	if err != nil {
		return nil, Principal{}, a.refuse(ctx, r, p.Client, err)
	}
	return r, p, nil
}

// OwnToken tells about the token that asks. Errors: see own.
func (a *Authority) OwnToken(ctx context.Context, q AccountCall) (PersonalToken, error) {
	_, p, err := a.own(ctx, "tell about a token", q)
	if err != nil {
		return PersonalToken{}, err
	}
	t := PersonalToken{ID: p.TokenID, Account: p.Account, Created: unix(p.IssuedAt), Expires: unix(p.Expires)}
	// A principal counts in seconds, the row of an opaque token does not.
	err = a.store.View(ctx, func(tx Tx) error {
		row, err := tx.TokenByID(p.Realm, p.TokenID)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err == nil {
			t = row.personal()
		}
		return err
	})
	return t, err
}

// AccountOf tells an account about itself. Errors: see own.
func (a *Authority) AccountOf(ctx context.Context, q AccountCall) (AccountFacts, error) {
	const op = "tell about an account"
	r, p, err := a.own(ctx, op, q)
	if err != nil {
		return AccountFacts{}, err
	}
	var f AccountFacts
	err = a.store.View(ctx, func(tx Tx) error {
		who, err := r.person(tx, p.Account)
		if err != nil {
			return goneMeanwhile(op, err)
		}
		f = who.facts()
		if who.declared == nil || p.Session == "" {
			return nil
		}
		// Of a user of the configuration nothing is written at a login but the session.
		s, err := tx.Session(r.ID, p.Session)
		f.LastLogin, f.Provider = s.Created, s.Provider
		return goneMeanwhile(op, err)
	})
	return f, err
}

// goneMeanwhile is the answer for what ended between two looks.
func goneMeanwhile(op string, err error) error {
	if errors.Is(err, ErrNotFound) {
		return inactive(op, "ended a moment ago")
	}
	return err
}

// PersonalTokens lists the account's live personal tokens, oldest first. Errors: see own.
func (a *Authority) PersonalTokens(ctx context.Context, q AccountCall) ([]PersonalToken, error) {
	r, p, err := a.own(ctx, "list personal tokens", q)
	if err != nil {
		return nil, err
	}
	list := []PersonalToken{}
	err = a.store.View(ctx, func(tx Tx) error {
		rows, err := tx.Tokens(r.ID, p.Account, KindPersonal, 2*maxPersonal)
		list = list[:0]
		for i := range rows {
			if tx.Now().Before(rows[i].Expires) {
				list = append(list, rows[i].personal())
			}
		}
		return err
	})
	return list, err
}

// personalRow finds a live personal token of the account by its id. Anybody else's is
// as if it were not there.
func personalRow(tx Tx, op string, r *Realm, account, id string) (Token, error) {
	row, err := tx.TokenByID(r.ID, id)
	if errors.Is(err, ErrNotFound) || err == nil && (row.Account != account || row.Kind != KindPersonal || !tx.Now().Before(row.Expires)) {
		return Token{}, &Error{Kind: NotFound, Op: op, Public: "there is no such token"}
	}
	return row, err
}

// PersonalTokenOf tells about one of the account's personal tokens. Errors: see own,
// and NotFound.
func (a *Authority) PersonalTokenOf(ctx context.Context, q AccountCall) (PersonalToken, error) {
	const op = "tell about a personal token"
	r, p, err := a.own(ctx, op, q)
	if err != nil {
		return PersonalToken{}, err
	}
	var row Token
	err = a.store.View(ctx, func(tx Tx) (err error) {
		row, err = personalRow(tx, op, r, p.Account, q.TokenID)
		return err
	})
	return row.personal(), err
}

// MintPersonalToken mints another personal token for the account that asks. It never
// lives longer than the realm's cap. Errors: see own, and Invalid (it would be dead).
func (a *Authority) MintPersonalToken(ctx context.Context, q AccountCall) (PersonalGrant, error) {
	const op = "mint a personal token"
	r, p, err := a.own(ctx, op, q)
	if err != nil {
		return PersonalGrant{}, err
	}
	m := a.newMint(r)
	err = a.store.Update(ctx, func(tx Tx) error {
		if !q.Expires.IsZero() && !tx.Now().Before(q.Expires) {
			return &Error{Kind: Invalid, Op: op, Fields: []Field{{Name: "expiresAt", Reason: "must be in the future"}}}
		}
		who, err := r.person(tx, p.Account)
		if err != nil {
			return goneMeanwhile(op, err)
		}
		return a.mint(tx, op, m, &who, q.Expires)
	})
	if err != nil {
		return PersonalGrant{}, a.refuse(ctx, r, p.Client, err)
	}
	return a.minted(ctx, m, "issue", "personal"), nil
}

// EndPersonalToken ends one of the account's personal tokens. Errors: see own, and
// NotFound.
func (a *Authority) EndPersonalToken(ctx context.Context, q AccountCall) error {
	const op = "end a personal token"
	r, p, err := a.own(ctx, op, q)
	if err != nil {
		return err
	}
	var row Token
	err = a.store.Update(ctx, func(tx Tx) (err error) {
		if row, err = personalRow(tx, op, r, p.Account, q.TokenID); err != nil {
			return err
		}
		return tx.DeleteToken(row.Digest)
	})
	if KindOf(err) == NotFound {
		return err
	}
	a.endings.End(Tag{TagToken, r.ID, q.TokenID}) // also when nobody knows whether it was done
	if err == nil {
		a.audit.Record(ctx, Event{Name: "revoke", Realm: r.Name, Client: p.Client, Account: p.Account, TokenID: row.ID})
	}
	return err
}

// CloseSession ends the session of the token that asks and all that it gave; a
// personal token has none and ends itself. Errors: see own.
func (a *Authority) CloseSession(ctx context.Context, q AccountCall) error {
	const op = "log out"
	r, p, err := a.own(ctx, op, q)
	if err != nil {
		return err
	}
	if p.Session == "" {
		q.TokenID = p.TokenID
		return a.EndPersonalToken(ctx, q)
	}
	if _, err := a.endSession(ctx, r, p.Session); err != nil {
		return err
	}
	a.audit.Record(ctx, Event{Name: "revoke", Realm: r.Name, Client: p.Client, Account: p.Account, Session: p.Session, Detail: "logout"})
	return nil
}
