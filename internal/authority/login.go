package authority

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// User is a local user as the configuration declares it.
type User struct {
	Username      string
	Subject       string // `sub`, and the UUID of its account
	PasswordHash  string // argon2id or bcrypt
	TOTPSecret    string // base32, or empty: no second factor
	Email         string
	EmailVerified bool
	Name          string
	Roles         List
	Disabled      bool
}

// credential is the digest of what the user proves to know. A session keeps it:
// another password or second factor ends the session.
func (u *User) credential() secret.Digest {
	return secret.DigestOf(u.PasswordHash + "\x00" + u.TOTPSecret)
}

// LoginRequest asks for a login by password.
type LoginRequest struct {
	Realm    string // name or UUID; empty: the default realm
	Client   string // client id the login is for; empty: the built-in first-party client
	Username string
	Password string
	Code     string        // of the second factor; a dialect without a place for it leaves it empty
	Scope    string        // space-separated; empty: all the client may have
	Life     time.Duration // of the refresh token; zero: the realm's
}

// FirstParty is the id of the public client that every realm has: the one that
// user logins of the dialects are made with.
const FirstParty = "gatehouse"

const (
	knownFor   = 90 * 24 * time.Hour // how long an address stays known after a login
	stepMemory = 5 * time.Minute     // longer than any TOTP step can be used
)

// Login logs a user in and starts a session. Errors: Invalid, RealmUnknown,
// LoginFailed (unknown user, wrong password, missing or wrong or spent second
// factor, disabled user: not told apart), Throttled, ScopeInvalid,
// ClientForbidden, Unavailable, Internal.
func (a *Authority) Login(ctx context.Context, q LoginRequest) (TokenGrant, error) {
	const op = "log a user in"
	r, err := a.realm(op, q.Realm)
	if err != nil {
		return TokenGrant{}, a.refuse(ctx, nil, q.Client, err)
	}
	g, err := a.login(ctx, op, r, q)
	if err != nil {
		return TokenGrant{}, a.refuse(ctx, r, q.Client, err)
	}
	return g, nil
}

func (a *Authority) login(ctx context.Context, op string, r *Realm, q LoginRequest) (TokenGrant, error) {
	c, err := a.loginClient(op, r, q.Client)
	if err != nil {
		return TokenGrant{}, err
	}
	scopes, err := askedScopes(op, c, q.Scope)
	if err != nil {
		return TokenGrant{}, err
	}
	try, settle, err := a.guess(ctx, op, r, q.Username)
	if err != nil {
		return TokenGrant{}, err
	}
	ended := unjudged // a fault of ours, or the caller went away
	defer func() { settle(ended) }()
	g, err := a.enter(ctx, op, issue{
		realm: r, client: c, scopes: scopes, audience: ListOf(r.Issuer), refreshLife: q.Life,
	}, q, try)
	switch {
	case err == nil:
		ended = succeeded
	case KindOf(err) == LoginFailed:
		ended = failed
	}
	return g, err
}

// guess admits a try at an account, or says when to come again. name is what the
// account is counted by, whether anybody has it or not. The try must be settled.
func (a *Authority) guess(ctx context.Context, op string, r *Realm, name string) (try guess, settle func(outcome), err error) {
	try = guess{account: secret.DigestOf(r.ID + "\x00" + name), network: networkOf(CallerOf(ctx).Address)}
	if try.known, err = a.knows(ctx, r, try.account, try.network); err != nil {
		return try, nil, err
	}
	wait, settle, err := a.throttle.try(ctx, try)
	if err != nil {
		return try, nil, tooBusy(op, err)
	}
	if wait > 0 {
		a.audit.Record(ctx, Event{Name: "throttle", Realm: r.Name, Detail: "logins"})
		return try, nil, &Error{Kind: Throttled, Op: op, Public: "too many failed logins: try again later", RetryAfter: wait}
	}
	return try, settle, nil
}

// enter checks what the user proves and starts the session.
func (a *Authority) enter(ctx context.Context, op string, i issue, q LoginRequest, try guess) (TokenGrant, error) {
	r := i.realm
	u := r.users[q.Username]
	if err := a.proven(ctx, op, r, u, q.Username, q.Password); err != nil {
		return TokenGrant{}, err
	}
	// Judged here as well as where it is spent, so that a wrong code costs what a wrong
	// password costs: no Update tells that the password was right.
	if u.TOTPSecret != "" {
		if _, ok := secret.TOTPStep(u.TOTPSecret, q.Code, a.clock()); !ok {
			return TokenGrant{}, wrongPassword(op, "the second factor is missing or wrong")
		}
	}
	p := r.declared(u)
	i.person = &p
	return a.begin(ctx, op, grantLogin, i, func(tx Tx, i *issue) error {
		fresh, err := a.spendStep(tx, i.person, q.Code)
		switch {
		case err != nil:
			return err
		case !fresh:
			return wrongPassword(op, "wrong or spent second factor")
		}
		return tx.PutKnownAddress(try.remembered(r, tx.Now()))
	})
}

// remembered is the row of a guess that was right.
func (g *guess) remembered(r *Realm, now time.Time) KnownAddress {
	return KnownAddress{Realm: r.ID, Account: g.account, Network: g.network, Expires: now.Add(knownFor)}
}

// wrongPassword is the refusal of a login by password; why goes to the log only.
func wrongPassword(op, why string) error {
	return &Error{Kind: LoginFailed, Op: op, Public: "the username or password is wrong", Err: errors.New(why)}
}

// tooBusy is the answer to who would have to wait for too long.
func tooBusy(op string, err error) error {
	return &Error{Kind: Unavailable, Op: op, Public: "too busy: try again", RetryAfter: firstWait, Err: err}
}

// loginClient is the client a login is for.
func (a *Authority) loginClient(op string, r *Realm, id string) (*Client, error) {
	if id == "" {
		id = FirstParty
	}
	c := r.clients[id]
	if c == nil || c.Disabled {
		return nil, &Error{Kind: ClientForbidden, Op: op, Public: "logins are switched off here"}
	}
	if id != FirstParty && !c.may(GrantPassword) {
		return nil, &Error{Kind: ClientForbidden, Op: op, Public: "logins are switched off here",
			Err: errors.New("the default client may not use the grant password")}
	}
	return c, nil
}

// knows reports whether a login of the account succeeded from this network lately.
func (a *Authority) knows(ctx context.Context, r *Realm, account secret.Digest, network string) (known bool, err error) {
	err = a.store.View(ctx, func(tx Tx) error {
		k, err := tx.KnownAddress(r.ID, account, network)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		known = err == nil && tx.Now().Before(k.Expires)
		return err
	})
	return known, err
}

// proven reports whether the password is the user's. Whoever it is not, nobody at all
// among them, the work is the same: one hash. Errors: LoginFailed, Unavailable, Internal.
func (a *Authority) proven(ctx context.Context, op string, r *Realm, u *User, name, password string) error {
	done, err := a.throttle.hash(ctx)
	if err != nil {
		return tooBusy(op, err)
	}
	defer done()
	if u == nil {
		secret.DummyVerify(r.decoy(a.throttle.salt, name), password)
		return wrongPassword(op, "unknown user")
	}
	ok, err := secret.VerifyPassword(u.PasswordHash, password)
	switch {
	case err != nil:
		return &Error{Kind: Internal, Op: op, Err: err}
	case !ok:
		return wrongPassword(op, "wrong password")
	case u.Disabled:
		return wrongPassword(op, "the user is disabled")
	}
	return nil
}

// spendStep checks the second factor and spends its step: a code is good once. It
// answers true where the account has none.
func (a *Authority) spendStep(tx Tx, p *person, code string) (bool, error) {
	if p.totp() == "" {
		return true, nil
	}
	step, ok := secret.TOTPStep(p.totp(), code, tx.Now())
	if !ok {
		return false, nil
	}
	return tx.SpendStep(p.Realm, p.ID, step, tx.Now().Add(stepMemory))
}
