package authority

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// The bounds of what makes us call an upstream.
const (
	startWindow      = 10 * time.Minute
	startLimit       = 600              // of one network in a window: an office behind one address logs in, a flood does not
	upstreamPatience = 20 * time.Second // with an upstream, for one caller
	maxUpstreamCalls = 64               // calls to one upstream that run at once
	maxNetworkCalls  = 16               // and those of one network
	maxCode          = 4 << 10
	maxIdentities    = 100 // of one account
	maxBearer        = 16 << 10

	// vouchedFor is how long we remember that a token came from our own exchange.
	vouchedFor = 10 * time.Minute
)

const purposeVouched = "upstream token of our own exchange"

// upstream finds a provider of the realm. Errors: ProviderUnknown.
func (r *Realm) upstream(op, name string) (*Upstream, error) {
	if up := r.upstreams[name]; up != nil {
		return up, nil
	}
	return nil, &Error{Kind: ProviderUnknown, Op: op, Public: "there is no such login provider here"}
}

// calling admits one caller to an upstream: each network so often, and only so many at
// once. done must be called. Errors: Throttled, Unavailable.
func (a *Authority) calling(ctx context.Context, op string, r *Realm, up *Upstream) (within context.Context, done func(), err error) {
	if wait := a.throttle.start(CallerOf(ctx).Address); wait > 0 {
		a.audit.Record(ctx, Event{Name: "throttle", Realm: r.Name, Detail: "starts of logins"})
		return nil, nil, &Error{Kind: Throttled, Op: op, Public: "too many logins were begun: try again later", RetryAfter: wait}
	}
	return a.throttle.call(ctx, op, up)
}

// call admits one call to an upstream among those that run at once: an upstream that
// hangs holds up nobody's logins elsewhere, and one caller not those of others. within
// bounds all that is asked of the upstream for one caller, however slowly it answers.
func (t *Throttle) call(ctx context.Context, op string, up *Upstream) (within context.Context, done func(), err error) {
	to, from := "to "+up.Name+" "+up.Issuer(), "from "+networkOf(CallerOf(ctx).Address)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.calls[to] >= maxUpstreamCalls || t.calls[from] >= maxNetworkCalls {
		return nil, nil, tooBusy(op, errors.New("too many calls "+to+" at once, or "+from))
	}
	t.calls[to]++
	t.calls[from]++
	within, cancel := context.WithTimeout(ctx, upstreamPatience)
	return within, func() {
		cancel()
		t.mu.Lock()
		defer t.mu.Unlock()
		for _, key := range []string{to, from} {
			if t.calls[key]--; t.calls[key] == 0 {
				delete(t.calls, key)
			}
		}
	}, nil
}

// start counts the start of a login. It answers how long to wait instead, or zero.
func (t *Throttle) start(address string) time.Duration {
	return t.count(t.started, networkOf(address), startWindow, startLimit)
}

// ExchangeCode redeems a code at an upstream and hands its access token on. Errors:
// RealmUnknown, ProviderUnknown, UpstreamCodeInvalid, ProviderFailed, Throttled,
// Unavailable, Internal.
func (a *Authority) ExchangeCode(ctx context.Context, q UpstreamCodeRequest) (string, error) {
	const op = "exchange a provider's code"
	r, err := a.realm(op, q.Realm)
	if err != nil {
		return "", a.refuse(ctx, nil, FirstParty, err)
	}
	raw, err := a.exchangeCode(ctx, op, r, q)
	if err != nil {
		return "", a.refuse(ctx, r, FirstParty, err)
	}
	a.audit.Record(ctx, Event{Name: "exchange", Realm: r.Name, Client: FirstParty, Detail: "a code of " + q.Provider})
	return raw, nil
}

func (a *Authority) exchangeCode(ctx context.Context, op string, r *Realm, q UpstreamCodeRequest) (string, error) {
	up, err := r.upstream(op, q.Provider)
	if err != nil {
		return "", err
	}
	if q.Code == "" || len(q.Code) > maxCode || len(q.Verifier) > maxCode {
		return "", &Error{Kind: UpstreamCodeInvalid, Op: op, Public: publicCode, Err: errors.New("empty or too long")}
	}
	within, done, err := a.calling(ctx, op, r, up)
	if err != nil {
		return "", err
	}
	defer done()
	g, err := up.Exchange(within, UpstreamCode{Code: q.Code, Verifier: q.Verifier, RedirectURI: q.RedirectURI})
	if err != nil {
		return "", err
	}
	// The token came straight from the upstream for our own client: when its owner
	// brings it back, nothing more needs to be proven about whom it was issued to.
	vouched := mark(purposeVouched, up.Name+"\x00"+g.AccessToken)
	err = a.store.Update(ctx, func(tx Tx) error {
		return tx.PutMark(Mark{Realm: r.ID, ID: vouched, Spent: tx.Now(), Expires: tx.Now().Add(vouchedFor)})
	})
	return g.AccessToken, err
}

const (
	publicCode  = "the provider's authorization code is not good"
	publicToken = "the provider's access token is not good, or was not issued to this service"
)

// presented says whom an upstream's access token is about that somebody presents: one
// that we exchanged a code for ourselves a moment ago, or one that the upstream proves
// to be issued to our own client.
func (a *Authority) presented(ctx context.Context, op string, r *Realm, q UpstreamTokenRequest) (*Upstream, Profile, error) {
	up, err := r.upstream(op, q.Provider)
	if err != nil {
		return nil, Profile{}, err
	}
	if q.AccessToken == "" || len(q.AccessToken) > maxBearer || plain(q.AccessToken) != q.AccessToken {
		return nil, Profile{}, &Error{Kind: UpstreamTokenInvalid, Op: op, Public: publicToken, Err: errors.New("empty, too long or not text")}
	}
	within, done, err := a.calling(ctx, op, r, up)
	if err != nil {
		return nil, Profile{}, err
	}
	defer done()
	var m Mark
	err = a.store.View(ctx, func(tx Tx) (err error) {
		m, err = findMark(tx, r.ID, mark(purposeVouched, up.Name+"\x00"+q.AccessToken))
		if !tx.Now().Before(m.Expires) {
			m = Mark{}
		}
		return err
	})
	if err != nil {
		return nil, Profile{}, err
	}
	var p Profile
	if m.Spent.IsZero() {
		p, err = up.Prove(within, q.AccessToken)
	} else {
		p, err = up.Identify(within, UpstreamGrant{AccessToken: q.AccessToken})
	}
	if err != nil {
		return nil, Profile{}, err
	}
	p, err = p.kept(op)
	return up, p, err
}

// forget tells the upstream that its token is not needed any more. Nobody waits for it,
// and nothing hangs on it.
func (a *Authority) forget(ctx context.Context, up *Upstream, accessToken string) {
	within, done, err := a.throttle.call(context.WithoutCancel(ctx), "forget a provider's token", up)
	if err != nil {
		return
	}
	go func() {
		defer done()
		_ = up.Forget(within, accessToken) // the token ends by itself, later
	}()
}

// admission asks for the account of a proven identity.
type admission struct {
	realm    *Realm
	upstream *Upstream
	profile  Profile
	signUp   bool   // make one where the realm's policy lets it
	id       string // UUID of the account to make
}

// admitted is the account of a proven identity.
type admitted struct {
	person   person
	signedUp bool
	linked   bool // by its e-mail address, just now
}

// admit finds the account of a proven identity, by provider and subject alone, and
// refreshes its profile. Errors: AccountUnknown, SignUpRefused, AccountDisabled, those
// of the store.
func (a *Authority) admit(tx Tx, op string, q admission) (admitted, error) {
	r, up := q.realm, q.upstream
	id, err := tx.Identity(r.ID, up.Name, q.profile.Subject)
	if errors.Is(err, ErrNotFound) {
		return a.admitStranger(tx, op, q)
	}
	if err != nil {
		return admitted{}, err
	}
	if id.Issuer != "" && id.Issuer != up.Issuer() {
		// The name stands for another upstream now, and its subjects are other people.
		return admitted{}, unknownAccount(op, "the identity is of "+id.Issuer+", which the provider's name stood for before")
	}
	p, err := r.person(tx, id.Account)
	switch {
	case errors.Is(err, ErrNotFound):
		return admitted{}, unknownAccount(op, "the identity's account is gone")
	case err != nil:
		return admitted{}, err
	}
	return a.entered(tx, op, q, p, id)
}

func unknownAccount(op, why string) error {
	return &Error{Kind: AccountUnknown, Op: op, Public: "there is no account for this login", Err: errors.New(why)}
}

// admitStranger judges an identity that no account has.
func (a *Authority) admitStranger(tx Tx, op string, q admission) (admitted, error) {
	r, up := q.realm, q.upstream
	id := Identity{Realm: r.ID, Provider: up.Name, Subject: q.profile.Subject, Issuer: up.Issuer(), Created: tx.Now()}
	owner, err := r.byEmail(tx, up, q.profile)
	switch {
	case err != nil:
		return admitted{}, err
	case owner != nil:
		in, err := a.entered(tx, op, q, *owner, id)
		in.linked = err == nil
		return in, err
	case !q.signUp:
		return admitted{}, unknownAccount(op, "nobody has this identity")
	case !r.SignUp.lets(up.Name, q.profile):
		return admitted{}, &Error{Kind: SignUpRefused, Op: op, Public: "new accounts are not open to this login"}
	}
	p := person{Account: Account{Realm: r.ID, ID: q.id, Created: tx.Now()}}
	in, err := a.entered(tx, op, q, p, id)
	in.signedUp = err == nil
	return in, err
}

// byEmail finds the one account to which a verified address leads, where the operator
// lets addresses of this provider lead anywhere. An account counts only if its own
// address was verified by somebody whom the operator trusts as much, and never one with
// a second factor: an address does not stand in for it.
func (r *Realm) byEmail(tx Tx, up *Upstream, p Profile) (*person, error) {
	if !up.LinkVerified || !p.EmailVerified || !isEmail(p.Email) {
		return nil, nil
	}
	key := foldEmail(p.Email)
	var found []person
	if u := r.emails[key]; u != nil && u.EmailVerified && u.TOTPSecret == "" {
		found = append(found, r.declared(u))
	}
	rows, err := tx.AccountsByEmail(r.ID, key, 2)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		if by := r.upstreams[providerOf(row.Origin)]; row.Origin != "" && (!r.trusts(row.Origin) || !by.LinkVerified) {
			continue // who vouched for the address is not trusted to any more
		}
		found = append(found, person{Account: row})
	}
	if len(found) != 1 {
		return nil, nil
	}
	// Whom the provider calls by another subject is another person, who was given an
	// address that the first one had before.
	known, err := tx.Identities(r.ID, found[0].ID, maxIdentities)
	if err != nil || slices.ContainsFunc(known, func(id Identity) bool { return id.Provider == up.Name }) || len(known) == maxIdentities {
		return nil, err
	}
	return &found[0], nil
}

// entered writes down that the account logged in with the identity.
func (a *Authority) entered(tx Tx, op string, q admission, p person, id Identity) (admitted, error) {
	if p.disabled() {
		return admitted{}, &Error{Kind: AccountDisabled, Op: op, Public: "this account may not log in"}
	}
	now, up := tx.Now(), q.upstream
	id.Account, id.Issuer, id.LastUsed = p.ID, up.Issuer(), now
	if err := tx.PutIdentity(id); err != nil {
		return admitted{}, err
	}
	if p.declared != nil { // the configuration is what it says
		return admitted{person: p}, nil
	}
	row := &p.Account
	row.Username, row.Name, row.LastLogin, row.Origin = q.profile.Username, q.profile.Name, now, up.origin()
	row.Email, row.EmailVerified, row.EmailKey = q.profile.Email, q.profile.EmailVerified, ""
	if up.LinkVerified && row.EmailVerified {
		row.EmailKey = foldEmail(row.Email)
	}
	return admitted{person: p}, tx.PutAccount(*row)
}

// needsFactor is the refusal of an account with a second factor where the dialect has
// no place for it.
func needsFactor(op string, p *person) error {
	if p.totp() == "" {
		return nil
	}
	return &Error{Kind: LoginFailed, Op: op, Public: "this account cannot log in here",
		Err: errors.New("the account has a second factor, and the dialect no place for it")}
}

// signingUp asks for the account of a proven identity, and for a new one where the
// policy lets it. Its id is made before the Update, which may run twice.
func signingUp(r *Realm, up *Upstream, p Profile) admission {
	return admission{realm: r, upstream: up, profile: p, signUp: true, id: secret.UUID()}
}
