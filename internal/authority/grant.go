package authority

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// The grant types.
const (
	GrantClientCredentials = "client_credentials" // RFC 6749 §4.4
	GrantRefreshToken      = "refresh_token"      // RFC 6749 §6
	// GrantPassword lets a client be a dialect's default client for user logins. It
	// is never a grant of the token endpoint (RFC 9700 §2.4).
	GrantPassword = "password"

	grantLogin = "login" // how a user login shows in the audit log
)

// form is what the tokens of an issue look like.
type form uint8

const (
	// formRealm is what the realm says: a JWT or an opaque access token, and an opaque
	// refresh token.
	formRealm form = iota
	// formReadable is for clients that read their tokens: a JWT with `userId`, and a
	// refresh token that is a JWT with `exp`, worth no more than its row.
	formReadable
	// formLong is for clients that cannot refresh: an opaque access token of the longest
	// life there is, without a refresh token. Opaque, so that nobody believes in it
	// after its end.
	formLong
)

// issue is what a grant decided to hand out.
type issue struct {
	realm       *Realm
	client      *Client
	person      *person // nil for a client's own token
	form        form
	origin      List   // of the upstream login it began with; empty for a password
	binding     string // see Session.Binding
	scopes      List
	audience    List
	session     Session       // zero for a token without a session
	refresh     string        // the refresh token to hand out, or empty
	refreshLife time.Duration // zero: the realm's
	refreshIn   time.Duration // how long the refresh token to hand out is good
}

// subject is the `sub` of what is issued.
func (i *issue) subject() string {
	if i.person != nil {
		return i.person.ID
	}
	return i.client.Subject
}

// accessLife is how long its access token lives.
func (i *issue) accessLife() time.Duration {
	if i.form == formLong {
		return MaxAccessLife
	}
	return i.realm.AccessLife
}

// Token issues tokens (RFC 6749 §3.2). Errors: see Verbs.
func (a *Authority) Token(ctx context.Context, q TokenRequest) (TokenGrant, error) {
	const op = "issue a token"
	r, err := a.realm(op, q.Realm)
	if err != nil {
		return TokenGrant{}, a.refuse(ctx, nil, q.Client.ID, err)
	}
	c, err := a.authenticate(op, r, q.Client)
	if err != nil {
		return TokenGrant{}, a.refuse(ctx, r, q.Client.ID, err)
	}
	var g TokenGrant
	switch q.GrantType {
	case GrantClientCredentials:
		g, err = a.clientCredentials(ctx, op, r, c, q)
	case GrantRefreshToken:
		g, err = a.refresh(ctx, op, r, c, q)
	default:
		err = &Error{Kind: GrantUnsupported, Op: op, Public: "this grant_type is not supported"}
	}
	if err != nil {
		return TokenGrant{}, a.refuse(ctx, r, c.ID, err)
	}
	return g, nil
}

// clientCredentials is the grant of RFC 6749 §4.4.
func (a *Authority) clientCredentials(ctx context.Context, op string, r *Realm, c *Client, q TokenRequest) (TokenGrant, error) {
	if !c.may(GrantClientCredentials) || c.Public() { // confidential clients only
		return TokenGrant{}, &Error{Kind: ClientForbidden, Op: op, Public: "the client may not use this grant_type"}
	}
	i := issue{realm: r, client: c, refreshLife: q.RefreshLife}
	var err error
	if i.scopes, err = askedScopes(op, c, q.Scope); err != nil {
		return TokenGrant{}, err
	}
	if i.audience, err = askedAudience(op, r, c, q.Resources); err != nil {
		return TokenGrant{}, err
	}
	if q.WithRefresh {
		return a.begin(ctx, op, q.GrantType, i, func(Tx, *issue) error { return nil })
	}
	return a.hand(ctx, q.GrantType, i)
}

// hand makes the access token and puts the answer together. A JWT writes no row; an
// opaque token is stored before it is answered.
func (a *Authority) hand(ctx context.Context, grant string, i issue) (TokenGrant, error) {
	r, id, now := i.realm, secret.UUID(), a.clock()
	expires := now.Add(i.accessLife())
	if i.session.ID != "" {
		expires = i.within(expires)
	}
	g := TokenGrant{ExpiresIn: expires.Sub(now), Scope: i.scopes.Join(" "), RefreshToken: i.refresh, Session: i.session.ID}
	if i.refresh != "" {
		g.RefreshExpiresIn = max(0, i.refreshIn)
	}
	var err error
	if i.form == formLong || i.form == formRealm && r.Opaque {
		g.AccessToken, err = a.storeToken(ctx, &i, id, now, expires)
	} else {
		g.AccessToken, err = a.sign(ctx, &i, id, now, expires)
	}
	if err != nil {
		return TokenGrant{}, err
	}
	e := Event{Name: "issue", Realm: r.Name, Client: i.client.ID, TokenID: id, Session: i.session.ID, Account: i.session.Account, Detail: grant}
	switch grant {
	case grantLogin:
		e.Name = "login"
		if i.origin != "" {
			e.Detail = "by " + providerOf(i.origin)
		}
	case GrantRefreshToken:
		e.Name = "refresh"
	}
	a.audit.Record(ctx, e)
	return g, nil
}

// storeToken makes an opaque token and stores its digest.
func (a *Authority) storeToken(ctx context.Context, i *issue, id string, now, expires time.Time) (string, error) {
	raw := a.forms.NewOpaque(KindAccess)
	row := Token{
		Digest: secret.DigestOf(raw), ID: id, Realm: i.realm.ID, Kind: KindAccess, Client: i.client.ID, Account: i.session.Account,
		Session: i.session.ID, Scopes: i.scopes, Audience: i.audience, Issued: now, Expires: expires,
	}
	return raw, a.store.Update(ctx, func(tx Tx) error { return tx.PutToken(row) })
}

// sign makes a JWT.
func (a *Authority) sign(ctx context.Context, i *issue, id string, now, expires time.Time) (string, error) {
	key, err := a.keys.signing(ctx, i.realm.ID, i.realm.SigningAlg)
	if err != nil {
		return "", err
	}
	c := AccessClaims{
		Issuer: i.realm.Issuer, Subject: i.subject(), Audience: i.audience.Slice(), Client: i.client.ID,
		Scope: i.scopes.Join(" "), TokenID: id, Session: i.session.ID, IssuedAt: now.Unix(), Expires: expires.Unix(),
	}
	if i.person != nil {
		c.AuthTime = i.session.Created.Unix()
	}
	if i.form == formReadable {
		c.UserID = i.subject()
	}
	return a.forms.Sign(key, c)
}

// askedScopes is what of the asked scope the client gets: all of it or an error
// (RFC 6749 §3.3); asked for none, all that it may have.
func askedScopes(op string, c *Client, asked string) (List, error) {
	if asked == "" {
		return ListOf(c.Scopes...), nil
	}
	var scopes []string
	for s := range strings.SplitSeq(asked, " ") {
		if !slices.Contains(c.Scopes, s) {
			return "", &Error{Kind: ScopeInvalid, Op: op,
				Public: "scope names something this client may not have, or is not a list separated by single spaces",
				Fields: []Field{{Name: "scope", Reason: "not allowed for this client"}}}
		}
		if !slices.Contains(scopes, s) {
			scopes = append(scopes, s)
		}
	}
	return ListOf(scopes...), nil
}

// askedAudience is the audience for the asked resources (RFC 8707 §2): all of them
// or an error; asked for none, the issuer itself.
func askedAudience(op string, r *Realm, c *Client, asked []string) (List, error) {
	if len(asked) == 0 {
		return ListOf(r.Issuer), nil
	}
	var audience []string
	for _, res := range asked {
		if res != r.Issuer && !slices.Contains(c.Audience, res) {
			return "", &Error{Kind: TargetInvalid, Op: op, Public: "resource names something this client may not ask for",
				Fields: []Field{{Name: "resource", Reason: "not allowed for this client"}}}
		}
		if !slices.Contains(audience, res) {
			audience = append(audience, res)
		}
	}
	return ListOf(audience...), nil
}
