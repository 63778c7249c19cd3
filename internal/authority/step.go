package authority

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

const (
	stepLife     = 5 * time.Minute // of the token between the steps of a login
	stepFailures = 5               // wrong second factors that spend it
)

// StepByPassword is the first step of a login in two: the user's e-mail address, in
// Username, and password. Errors: RealmUnknown, LoginFailed, Throttled,
// ClientForbidden, Unavailable, Internal.
func (a *Authority) StepByPassword(ctx context.Context, q LoginRequest) (StepToken, error) {
	const op = "begin a login by password"
	r, err := a.realm(op, q.Realm)
	if err != nil {
		return StepToken{}, a.refuse(ctx, nil, q.Client, err)
	}
	t, err := a.stepByPassword(ctx, op, r, q)
	if err != nil {
		return StepToken{}, a.refuse(ctx, r, q.Client, err)
	}
	return t, nil
}

func (a *Authority) stepByPassword(ctx context.Context, op string, r *Realm, q LoginRequest) (StepToken, error) {
	if _, err := a.loginClient(op, r, q.Client); err != nil {
		return StepToken{}, err
	}
	email := foldEmail(q.Username)
	u := r.emails[email]
	// Counted by the address, whether anybody has it or not: were it counted by the
	// username, failures elsewhere would tell here whose address it is.
	try, settle, err := a.guess(ctx, op, r, "email:"+email)
	if err != nil {
		return StepToken{}, err
	}
	ended := unjudged
	defer func() { settle(ended) }()
	if err := a.proven(ctx, op, r, u, email, q.Password); err != nil {
		if KindOf(err) == LoginFailed {
			ended = failed
		}
		return StepToken{}, err
	}
	p := r.declared(u)
	// With a second factor to come nothing is proven yet: were the password alone to
	// wipe the slate clean, who knows it could guess the factor for ever.
	if p.totp() == "" {
		ended = succeeded
		known := func(tx Tx) error { return tx.PutKnownAddress(try.remembered(r, tx.Now())) }
		if err := a.store.Update(ctx, known); err != nil {
			return StepToken{}, err
		}
	}
	return a.stepFor(ctx, r, &p, proof{credential: credentialText(&p)})
}

// StepByUpstreamToken is the first step of a login in two: an upstream's access token
// that was issued to our own client. It signs nobody up. Errors: RealmUnknown,
// ProviderUnknown, UpstreamTokenInvalid, ProviderFailed, AccountUnknown,
// AccountDisabled, Throttled, Unavailable, Internal.
func (a *Authority) StepByUpstreamToken(ctx context.Context, q UpstreamTokenRequest) (StepToken, error) {
	const op = "begin a login by a provider's token"
	r, err := a.realm(op, q.Realm)
	if err != nil {
		return StepToken{}, a.refuse(ctx, nil, "", err)
	}
	up, profile, err := a.presented(ctx, op, r, q)
	if err != nil {
		return StepToken{}, a.refuse(ctx, r, FirstParty, err)
	}
	var in admitted
	err = a.store.Update(ctx, func(tx Tx) (err error) {
		in, err = a.admit(tx, op, admission{realm: r, upstream: up, profile: profile})
		return err
	})
	if err != nil {
		return StepToken{}, a.refuse(ctx, r, FirstParty, err)
	}
	a.welcome(ctx, r, up, in)
	return a.stepFor(ctx, r, &in.person, proof{
		credential: credentialText(&in.person), provider: up.Name, issuer: up.Issuer(), subject: profile.Subject,
	})
}

// stepFor makes the token between the steps. It is bound to what the account proves
// to know: another password or second factor ends it.
func (a *Authority) stepFor(ctx context.Context, r *Realm, p *person, of proof) (StepToken, error) {
	key, err := a.stepKey(ctx, r, purposeStep, typeStep)
	if err != nil {
		return StepToken{}, err
	}
	now := a.clock()
	raw, err := a.forms.SignStep(key, StepClaims{
		Issuer: r.Issuer, Subject: p.ID, TokenID: secret.UUID(), Detail: of.detail(),
		IssuedAt: now.Unix(), Expires: now.Add(stepLife).Unix(),
	})
	return StepToken{Token: raw, SecondFactor: p.totp() != ""}, err
}

// proof is what the token between the steps remembers of the first one.
type proof struct {
	credential string // what the account proved to know, see credentialText
	provider   string // of the upstream login; empty for a password
	issuer     string
	subject    string
}

func (p *proof) origin() List {
	if p.provider == "" {
		return ""
	}
	return ListOf(p.provider, p.issuer)
}

// credentialText is what of an account's credential a token may show: nobody who
// reads it learns a digest that is used elsewhere.
func credentialText(p *person) string {
	d := p.credential()
	d = secret.DigestOf("step\x00" + string(d[:]))
	return hex.EncodeToString(d[:16])
}

// detail packs the proof; proofOf unpacks it.
func (p *proof) detail() string {
	return base64.RawURLEncoding.EncodeToString([]byte(ListOf(p.credential, p.provider, p.issuer, p.subject)))
}

func proofOf(c StepClaims) *proof {
	text, err := base64.RawURLEncoding.DecodeString(c.Detail)
	parts := List(text).Slice()
	if err != nil || len(parts) != 4 {
		return new(proof) // its credential is nobody's
	}
	return &proof{credential: parts[0], provider: parts[1], issuer: parts[2], subject: parts[3]}
}

// proofStands reports whether the identity that the first step proved still opens the
// account.
func (a *Authority) proofStands(tx Tx, op string, r *Realm, p *person, proof *proof) error {
	if proof.provider == "" {
		return nil
	}
	id, err := tx.Identity(r.ID, proof.provider, proof.subject)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if err != nil || id.Account != p.ID || id.Issuer != proof.issuer || !r.trusts(proof.origin()) {
		return &Error{Kind: StepInvalid, Op: op, Public: publicStep, Err: errors.New("the identity that it began with is not the account's any more")}
	}
	return nil
}

// OpenSession is the second step: it spends the token of the first one and starts a
// session. A wrong second factor does not spend it; five do. Errors: RealmUnknown,
// StepInvalid, SecondFactorInvalid, AccountDisabled, Throttled, ClientForbidden,
// Unavailable, Internal.
func (a *Authority) OpenSession(ctx context.Context, q SessionRequest) (TokenGrant, error) {
	const op = "open a session"
	r, err := a.realm(op, q.Realm)
	if err != nil {
		return TokenGrant{}, a.refuse(ctx, nil, FirstParty, err)
	}
	g, err := a.openSession(ctx, op, r, q)
	if err != nil {
		return TokenGrant{}, a.refuse(ctx, r, FirstParty, err)
	}
	return g, nil
}

func (a *Authority) openSession(ctx context.Context, op string, r *Realm, q SessionRequest) (TokenGrant, error) {
	c, err := a.loginClient(op, r, "")
	if err != nil {
		return TokenGrant{}, err
	}
	key, err := a.stepKey(ctx, r, purposeStep, typeStep)
	if err != nil {
		return TokenGrant{}, err
	}
	claims, err := a.forms.ReadStep(key, r.Issuer, q.Token)
	if err != nil {
		return TokenGrant{}, &Error{Kind: StepInvalid, Op: op, Public: publicStep, Err: err}
	}
	var p person
	err = a.store.View(ctx, func(tx Tx) (err error) {
		p, err = a.stepStands(tx, op, r, claims)
		return err
	})
	if err != nil {
		return TokenGrant{}, err
	}
	i := issue{
		realm: r, client: c, scopes: ListOf(c.Scopes...), audience: ListOf(r.Issuer), form: formReadable,
		origin: proofOf(claims).origin(), binding: q.Binding, person: &p,
	}
	if p.totp() == "" {
		return a.openWith(ctx, op, i, claims, func(Tx) error { return nil })
	}
	return a.openWithFactor(ctx, op, i, claims, q.Code)
}

const publicStep = "the token of the first step is not good"

// stepStands finds the account of the token between the steps, if the token is good.
func (a *Authority) stepStands(tx Tx, op string, r *Realm, c StepClaims) (person, error) {
	refused := func(why string) error {
		return &Error{Kind: StepInvalid, Op: op, Public: publicStep, Err: errors.New(why)}
	}
	if !tx.Now().Before(unix(c.Expires)) {
		return person{}, refused("expired")
	}
	m, err := findMark(tx, r.ID, mark(purposeStep, c.TokenID))
	if err != nil {
		return person{}, err
	}
	p, notFound := r.person(tx, c.Subject)
	proof := proofOf(c)
	switch {
	case !m.Spent.IsZero():
		return person{}, refused("spent")
	case errors.Is(notFound, ErrNotFound):
		return person{}, refused("its account is gone")
	case notFound != nil:
		return person{}, notFound
	case p.disabled():
		return person{}, &Error{Kind: AccountDisabled, Op: op, Public: "this account may not log in"}
	case proof.credential != credentialText(&p):
		return person{}, refused("its user's password or second factor was changed")
	case c.IssuedAt <= p.Ended.Unix():
		return person{}, refused("its account's logins were ended")
	}
	return p, a.proofStands(tx, op, r, &p, proof)
}

// findMark returns the mark, or a new one.
func findMark(tx Tx, realm string, id secret.Digest) (Mark, error) {
	m, err := tx.Mark(realm, id)
	if errors.Is(err, ErrNotFound) {
		return Mark{Realm: realm, ID: id}, nil
	}
	return m, err
}

// openWith spends the token and starts the session.
func (a *Authority) openWith(ctx context.Context, op string, i issue, c StepClaims, prove func(Tx) error) (TokenGrant, error) {
	return a.begin(ctx, op, grantLogin, i, func(tx Tx, i *issue) error {
		p, err := a.stepStands(tx, op, i.realm, c)
		if err != nil {
			return err
		}
		i.person = &p
		if err := prove(tx); err != nil {
			return err
		}
		_, err = spendMark(tx, i.realm.ID, mark(purposeStep, c.TokenID), unix(c.Expires))
		return err
	})
}

// openWithFactor is openWith for an account with a second factor. Its failures count
// like wrong passwords: beginning the login anew gives no further tries.
func (a *Authority) openWithFactor(ctx context.Context, op string, i issue, c StepClaims, code string) (TokenGrant, error) {
	r := i.realm
	wrong := &Error{Kind: SecondFactorInvalid, Op: op, Public: "the second factor is missing or wrong"}
	if code == "" {
		return TokenGrant{}, wrong
	}
	try, settle, err := a.guess(ctx, op, r, i.person.Username)
	if err != nil {
		return TokenGrant{}, err
	}
	ended := unjudged
	defer func() { settle(ended) }()
	g, err := a.openWith(ctx, op, i, c, func(tx Tx) error {
		switch fresh, err := a.spendStep(tx, i.person, code); {
		case err != nil:
			return err
		case !fresh:
			return wrong
		}
		return tx.PutKnownAddress(try.remembered(r, tx.Now()))
	})
	switch KindOf(err) {
	case SecondFactorInvalid:
		ended = failed
		if failed := a.countFactor(ctx, r, c); failed != nil {
			return TokenGrant{}, failed
		}
	default:
		if err == nil {
			ended = succeeded
		}
	}
	return g, err
}

// countFactor counts a wrong second factor at the token between the steps.
func (a *Authority) countFactor(ctx context.Context, r *Realm, c StepClaims) error {
	return a.store.Update(ctx, func(tx Tx) error {
		m, err := findMark(tx, r.ID, mark(purposeStep, c.TokenID))
		if err != nil {
			return err
		}
		m.Failures, m.Expires = m.Failures+1, unix(c.Expires)
		if m.Failures >= stepFailures && m.Spent.IsZero() {
			m.Spent = tx.Now()
		}
		return tx.PutMark(m)
	})
}

// RefreshSession rotates the tokens of a session that OpenSession started. Errors:
// RealmUnknown, GrantInvalid, BindingInvalid, ClientUnauthenticated, Unavailable, Internal.
func (a *Authority) RefreshSession(ctx context.Context, q SessionRefresh) (TokenGrant, error) {
	const op = "refresh a session"
	r, err := a.realm(op, q.Realm)
	if err != nil {
		return TokenGrant{}, a.refuse(ctx, nil, FirstParty, err)
	}
	key, err := a.stepKey(ctx, r, purposeRefresh, typeRefresh)
	if err != nil {
		return TokenGrant{}, a.refuse(ctx, r, FirstParty, err)
	}
	if _, err := a.forms.ReadStep(key, r.Issuer, q.RefreshToken); err != nil {
		return TokenGrant{}, a.refuse(ctx, r, FirstParty, &Error{Kind: GrantInvalid, Op: op, Public: "the refresh token is not good", Err: err})
	}
	return a.Token(ctx, TokenRequest{
		Realm: q.Realm, Client: ClientAuth{ID: FirstParty}, GrantType: GrantRefreshToken, RefreshToken: q.RefreshToken,
		binding: q.Binding, readable: true,
	})
}
