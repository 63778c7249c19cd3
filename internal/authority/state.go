package authority

import (
	"context"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

const (
	stateLife = 10 * time.Minute
	maxState  = 512 // characters of a state that is looked at
	// maxBrowser bounds what a browser brings; what we give it has 43 characters.
	maxBrowser = 64
)

// stateText spells a sealed state in letters and digits only.
var stateText = base32.StdEncoding.WithPadding(base32.NoPadding)

// begun is what a state remembers. It is sealed, not stored: a flood of starts writes
// no row. What the upstream must see again follows from the id.
type begun struct {
	id      string // UUID
	expires time.Time
	browser string // digest of what the browser was given, in hexadecimal
	brought bool   // the browser had it before: it keeps what it is given, and must bring it again
}

func (b *begun) text() []byte {
	return []byte(ListOf(b.id, strconv.FormatInt(b.expires.Unix(), 10), b.browser, strconv.FormatBool(b.brought)))
}

func readBegun(text []byte) (begun, error) {
	parts := List(text).Slice()
	if len(parts) != 4 {
		return begun{}, errors.New("a state of another version")
	}
	expires, err := strconv.ParseInt(parts[1], 10, 64)
	return begun{id: parts[0], expires: unix(expires), browser: parts[2], brought: parts[3] == "true"}, err
}

// stateContext binds a state to where it may come back.
func stateContext(r *Realm, up *Upstream, redirectURI string) []byte {
	return []byte(ListOf(r.ID, up.Name, up.Issuer(), redirectURI))
}

// derived is a value that only who holds the realm's key can tell from the state's id.
func (b *begun) derived(key []byte, purpose string) string {
	d := secret.Derive(key, purpose+" "+b.id)
	return base64.RawURLEncoding.EncodeToString(d[:])
}

func (b *begun) verifier(key []byte) string { return b.derived(key, "PKCE verifier") }
func (b *begun) nonce(key []byte) string    { return b.derived(key, "nonce") }

// begunBy reports whether a browser that brings this began the login.
func (b *begun) begunBy(browser string) bool {
	begun := secret.DigestOf(b.browser)
	return begun.Equal(secret.DigestOf(browserDigest(browser)))
}

func browserDigest(browser string) string {
	d := secret.DigestOf("browser\x00" + browser)
	return hex.EncodeToString(d[:16])
}

// StartLogin begins a login by browser at an upstream. Nothing is stored. Errors:
// RealmUnknown, ProviderUnknown, ProviderFailed, Throttled, Unavailable, Internal.
func (a *Authority) StartLogin(ctx context.Context, q StartRequest) (LoginStart, error) {
	const op = "begin a login at a provider"
	r, err := a.realm(op, q.Realm)
	if err != nil {
		return LoginStart{}, a.refuse(ctx, nil, FirstParty, err)
	}
	s, err := a.startLogin(ctx, op, r, q)
	if err != nil {
		return LoginStart{}, a.refuse(ctx, r, FirstParty, err)
	}
	return s, nil
}

func (a *Authority) startLogin(ctx context.Context, op string, r *Realm, q StartRequest) (LoginStart, error) {
	up, err := r.upstream(op, q.Provider)
	if err != nil {
		return LoginStart{}, err
	}
	within, done, err := a.calling(ctx, op, r, up)
	if err != nil {
		return LoginStart{}, err
	}
	defer done()
	key, err := a.sealing(ctx, r, purposeState)
	if err != nil {
		return LoginStart{}, err
	}
	// A browser that has one keeps it: its other tabs are in the middle of a login with
	// it. Tabs that begin at the same time, the first time, get one each.
	browser := secret.Token()
	b := begun{id: secret.UUID(), expires: a.clock().Add(stateLife)}
	if i := slices.IndexFunc(q.Browsers, soundBrowser); i >= 0 {
		browser, b.brought = q.Browsers[i], true
	}
	b.browser = browserDigest(browser)
	sealed, err := secret.Seal(key, b.text(), stateContext(r, up, q.RedirectURI))
	if err != nil {
		return LoginStart{}, &Error{Kind: Internal, Op: op, Err: err}
	}
	state := stateText.EncodeToString(sealed)
	url, err := up.AuthURL(within, UpstreamAuth{State: state, Nonce: b.nonce(key), Verifier: b.verifier(key), RedirectURI: q.RedirectURI})
	return LoginStart{URL: url, State: state, Browser: browser, Life: stateLife}, err
}

// soundBrowser reports whether a browser brought what may have been ours.
func soundBrowser(s string) bool {
	return len(s) >= 43 && len(s) <= maxBrowser && plain(s) == s
}

// FinishLogin ends a login by browser: it spends the state, redeems the code, finds or
// makes the account and starts a session whose one access token lives as long as a
// token may. Errors: RealmUnknown, ProviderUnknown, StateInvalid, UpstreamCodeInvalid,
// UpstreamTokenInvalid, ProviderFailed, AccountUnknown, SignUpRefused,
// AccountDisabled, LoginFailed (the account has a second factor), ClientForbidden,
// Throttled, Unavailable, Internal.
func (a *Authority) FinishLogin(ctx context.Context, q FinishRequest) (UpstreamLogin, error) {
	const op = "finish a login at a provider"
	r, err := a.realm(op, q.Realm)
	if err != nil {
		return UpstreamLogin{}, a.refuse(ctx, nil, FirstParty, err)
	}
	l, err := a.finishLogin(ctx, op, r, q)
	if err != nil {
		return UpstreamLogin{}, a.refuse(ctx, r, FirstParty, err)
	}
	return l, nil
}

func (a *Authority) finishLogin(ctx context.Context, op string, r *Realm, q FinishRequest) (UpstreamLogin, error) {
	up, err := r.upstream(op, q.Provider)
	if err != nil {
		return UpstreamLogin{}, err
	}
	c, err := a.loginClient(op, r, "")
	if err != nil {
		return UpstreamLogin{}, err
	}
	grant, profile, err := a.redeem(ctx, op, r, up, q)
	if grant.AccessToken != "" {
		defer a.forget(ctx, up, grant.AccessToken)
	}
	if err != nil {
		return UpstreamLogin{}, err
	}
	ask := signingUp(r, up, profile)
	var in admitted
	g, err := a.begin(ctx, op, grantLogin, issue{
		realm: r, client: c, scopes: ListOf(c.Scopes...), audience: ListOf(r.Issuer), form: formLong, origin: up.origin(),
	}, func(tx Tx, i *issue) (err error) {
		if in, err = a.admit(tx, op, ask); err != nil {
			return err
		}
		i.person = &in.person
		return needsFactor(op, &in.person)
	})
	if err != nil {
		return UpstreamLogin{}, err
	}
	a.welcome(ctx, r, up, in)
	return UpstreamLogin{AccessToken: g.AccessToken, ExpiresIn: g.ExpiresIn, SignedUp: in.signedUp, EmailVerified: in.person.EmailVerified}, nil
}

// welcome records that an account was made, or got an identity by its address.
func (a *Authority) welcome(ctx context.Context, r *Realm, up *Upstream, in admitted) {
	if in.linked {
		a.audit.Record(ctx, Event{Name: "account", Realm: r.Name, Account: in.person.ID, Detail: "an identity of " + up.Name + " linked by its verified e-mail address"})
	}
	if in.signedUp {
		a.audit.Record(ctx, Event{Name: "sign_up", Realm: r.Name, Client: FirstParty, Account: in.person.ID, Detail: "by " + up.Name})
	}
}

// redeem spends the state and then the code, in this order: whoever sends the same
// state at the same time has nothing to redeem.
func (a *Authority) redeem(ctx context.Context, op string, r *Realm, up *Upstream, q FinishRequest) (UpstreamGrant, Profile, error) {
	key, err := a.sealing(ctx, r, purposeState)
	if err != nil {
		return UpstreamGrant{}, Profile{}, err
	}
	b, err := a.stateStands(op, r, up, key, q)
	if err != nil {
		return UpstreamGrant{}, Profile{}, err
	}
	if q.Code == "" || len(q.Code) > maxCode {
		return UpstreamGrant{}, Profile{}, &Error{Kind: UpstreamCodeInvalid, Op: op, Public: publicCode, Err: errors.New("empty or too long")}
	}
	within, done, err := a.throttle.call(ctx, op, up)
	if err != nil {
		return UpstreamGrant{}, Profile{}, err
	}
	defer done()
	err = a.store.Update(ctx, func(tx Tx) error {
		switch fresh, err := spendMark(tx, r.ID, mark(purposeState, b.id), b.expires); {
		case err != nil:
			return err
		case !fresh:
			return badState(op, "spent")
		case !tx.Now().Before(b.expires):
			return badState(op, "expired")
		}
		return nil
	})
	if err != nil {
		return UpstreamGrant{}, Profile{}, err
	}
	g, err := up.Exchange(within, UpstreamCode{Code: q.Code, Verifier: b.verifier(key), Nonce: b.nonce(key), RedirectURI: q.RedirectURI})
	if err != nil {
		return UpstreamGrant{}, Profile{}, err
	}
	p, err := up.Identify(within, g)
	if err != nil {
		return g, Profile{}, err
	}
	p, err = p.kept(op)
	return g, p, err
}

func badState(op, why string) error {
	return &Error{Kind: StateInvalid, Op: op, Public: "the state is not one of a login begun here, or is used up or too old: begin again", Err: errors.New(why)}
}

// stateStands opens the state and judges what can be judged without the store.
func (a *Authority) stateStands(op string, r *Realm, up *Upstream, key []byte, q FinishRequest) (begun, error) {
	if len(q.State) > maxState || plain(q.State) != q.State { // the decoder would skip line ends
		return begun{}, badState(op, "too long, or not text")
	}
	sealed, err := stateText.DecodeString(q.State)
	if err != nil {
		return begun{}, badState(op, "not spelled as ours are")
	}
	text, err := secret.Open(key, sealed, stateContext(r, up, q.RedirectURI))
	if err != nil {
		return begun{}, badState(op, "not sealed by us, or for another provider or redirect")
	}
	b, err := readBegun(text)
	switch brings := len(q.Browsers) > 0; {
	case err != nil:
		return begun{}, badState(op, err.Error())
	case !a.clock().Before(b.expires):
		return begun{}, badState(op, "expired")
	case q.Issuer != "" && q.Issuer != up.Issuer(): // RFC 9207 §2.4: a mix-up
		return begun{}, badState(op, "iss is another provider's")
	case brings && !slices.ContainsFunc(q.Browsers, b.begunBy):
		return begun{}, badState(op, "begun in another browser")
	case !brings && (b.brought || q.Strict):
		return begun{}, badState(op, "the browser does not bring what it was given")
	}
	return b, nil
}
