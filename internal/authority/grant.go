package authority

import (
	"context"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// issue is what a grant decided to hand out.
type issue struct {
	realm    *Realm
	client   *Client
	subject  string
	scopes   List
	audience List
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
	g, err := a.grant(ctx, op, r, c, q)
	if err != nil {
		return TokenGrant{}, a.refuse(ctx, r, c.ID, err)
	}
	return g, nil
}

// grant dispatches an authenticated client's request by its grant type.
func (a *Authority) grant(ctx context.Context, op string, r *Realm, c *Client, q TokenRequest) (TokenGrant, error) {
	if q.GrantType != GrantClientCredentials {
		return TokenGrant{}, &Error{Kind: GrantUnsupported, Op: op, Public: "this grant_type is not supported"}
	}
	if !c.may(q.GrantType) || c.Public() { // RFC 6749 §4.4: confidential clients only
		return TokenGrant{}, &Error{Kind: ClientForbidden, Op: op, Public: "the client may not use this grant_type"}
	}
	scopes, err := askedScopes(op, c, q.Scope)
	if err != nil {
		return TokenGrant{}, err
	}
	audience, err := askedAudience(op, r, c, q.Resources)
	if err != nil {
		return TokenGrant{}, err
	}
	return a.hand(ctx, q.GrantType, issue{realm: r, client: c, subject: c.Subject, scopes: scopes, audience: audience})
}

// hand makes the access token. A JWT writes no row; an opaque one is stored before
// it is answered.
func (a *Authority) hand(ctx context.Context, grant string, i issue) (TokenGrant, error) {
	r, id := i.realm, secret.UUID()
	now := a.clock()
	expires := now.Add(r.AccessLife)
	var raw string
	if r.Opaque {
		raw = a.forms.NewOpaque(KindAccess)
		row := Token{
			Digest: secret.DigestOf(raw), ID: id, Realm: r.ID, Kind: KindAccess, Client: i.client.ID,
			Scopes: i.scopes, Audience: i.audience, Issued: now, Expires: expires,
		}
		if err := a.store.Update(ctx, func(tx Tx) error { return tx.PutToken(row) }); err != nil {
			return TokenGrant{}, err
		}
	} else {
		key, err := a.keys.signing(ctx, r.ID, r.SigningAlg)
		if err != nil {
			return TokenGrant{}, err
		}
		raw, err = a.forms.Sign(key, AccessClaims{
			Issuer: r.Issuer, Subject: i.subject, Audience: i.audience.Slice(), Client: i.client.ID,
			Scope: i.scopes.Join(" "), TokenID: id, IssuedAt: now.Unix(), Expires: expires.Unix(),
		})
		if err != nil {
			return TokenGrant{}, err
		}
	}
	a.audit.Record(ctx, Event{Name: "issue", Realm: r.Name, Client: i.client.ID, TokenID: id, Detail: grant})
	return TokenGrant{AccessToken: raw, ExpiresIn: r.AccessLife, Scope: i.scopes.Join(" ")}, nil
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
