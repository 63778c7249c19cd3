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
	ask := signingUp(r, up, profile)
	g, err := a.mintFor(ctx, op, ask, func(Tx) error { return nil })
	if err != nil {
		return PersonalGrant{}, a.refuse(ctx, r, FirstParty, err)
	}
	return g, nil
}

// firstPartyScopes are all that the built-in client may have.
var firstPartyScopes = ListOf("openid", "email", "profile")

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
		m.origin, m.scopes = ask.upstream.origin(), firstPartyScopes
		return a.mint(tx, op, m, &in.person, time.Time{})
	})
	a.evicted(m)
	if err != nil {
		return PersonalGrant{}, err
	}
	a.welcome(ctx, ask.realm, ask.upstream, in)
	return a.minted(ctx, m, "login", "by "+ask.upstream.Name), nil
}

// mint is a personal token in the making: its secret and id, made before the Update.
type mint struct {
	realm  *Realm
	raw    string
	id     string
	origin List  // of the login that it is minted after
	scopes List  // never more than those of what mints it
	row    Token // as stored
	ended  []Tag // older ones that had to go
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
	expired := func(t Token) bool { return !now.Before(t.Expires) }
	live := 0
	for _, row := range rows {
		if !expired(row) {
			live++
		}
	}
	for _, row := range rows {
		if !expired(row) {
			if live < maxPersonal {
				continue
			}
			live--
		}
		if err := tx.DeleteToken(row.Digest); err != nil {
			return err
		}
		m.ended = append(m.ended, Tag{TagToken, r.ID, row.ID})
	}
	expires := now.Add(r.PersonalLife)
	if !until.IsZero() && until.Before(expires) {
		expires = until
	}
	m.row = Token{
		Digest: secret.DigestOf(m.raw), ID: m.id, Realm: r.ID, Kind: KindPersonal, Client: c.ID, Account: p.ID,
		Scopes: m.scopes, Audience: ListOf(r.Issuer), Credential: p.credential(), Origin: m.origin, Issued: now, Expires: expires,
	}
	if err := tx.PutToken(m.row); err != nil {
		return err
	}
	_, err = a.standing(tx, op, r, bond{client: c.ID, account: p.ID, credential: m.row.Credential, origin: m.origin})
	return err
}

// evicted tells the caches of the tokens that had to go, also when nobody knows
// whether they did.
func (a *Authority) evicted(m *mint) {
	if len(m.ended) > 0 {
		a.endings.End(m.ended...)
	}
}

// minted tells of the token after the commit.
func (a *Authority) minted(ctx context.Context, m *mint, event, detail string) PersonalGrant {
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
		f.LastLogin, f.Provider = s.Created, providerOf(s.Origin)
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
		h, origin, err := a.stillStands(tx, op, r, &p)
		if err != nil {
			return err
		}
		m.origin, m.scopes = origin, p.Scopes
		return a.mint(tx, op, m, h.person, q.Expires)
	})
	a.evicted(m)
	if err != nil {
		return PersonalGrant{}, a.refuse(ctx, r, p.Client, err)
	}
	return a.minted(ctx, m, "issue", "personal"), nil
}

// stillStands judges a bearer again, inside the Update that acts for it: since it was
// looked at, an operator may have ended it, and what it is about to make would outlive
// that. It answers the holder and the login that the bearer goes back to.
func (a *Authority) stillStands(tx Tx, op string, r *Realm, p *Principal) (holder, List, error) {
	b := bond{client: p.Client, session: p.Session}
	switch revoked, err := tx.Revoked(r.ID, p.TokenID); {
	case err != nil:
		return holder{}, "", err
	case revoked:
		return holder{}, "", inactive(op, "revoked a moment ago")
	}
	if p.KeyID == "" { // opaque: its row says
		row, err := tx.TokenByID(r.ID, p.TokenID)
		if err != nil {
			return holder{}, "", goneMeanwhile(op, err)
		}
		b = bond{client: row.Client, session: row.Session, account: row.Account, credential: row.Credential, origin: row.Origin}
	}
	h, err := a.standing(tx, op, r, b)
	if err == nil && h.person == nil {
		err = inactive(op, "its account is gone")
	}
	if h.session.ID != "" {
		b.origin = h.session.Origin
	}
	return h, b.origin, err
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
