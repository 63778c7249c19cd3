package oidc

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/provider"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// Leeway is how far the upstream's clock may be from ours.
const Leeway = 5 * time.Second

var errNoIDToken = errors.New("no ID token for a login that began with a nonce")

// VerifyJWT verifies the signature of a JWT with the provider's key set, fetched anew if
// the key is not in it, and returns the claims; nobody has judged them yet. known is false
// if the provider publishes no key that it names. Errors: ProviderFailed (no key set),
// UpstreamTokenInvalid.
func (p *Provider) VerifyJWT(ctx context.Context, op, raw string) (claims provider.Object, known bool, err error) {
	_, claims, known, err = p.verify(ctx, op, raw)
	return claims, known, err
}

func (p *Provider) verify(ctx context.Context, op, raw string) (token.ForeignHeader, provider.Object, bool, error) {
	var none token.ForeignHeader
	set, err := p.keys.Get(ctx)
	if err != nil {
		return none, nil, true, err
	}
	h, body, err := set.Verify(raw)
	if errors.Is(err, token.ErrUnknownKey) {
		if set, err = p.keys.Newer(ctx, set); set == nil {
			return none, nil, true, err
		}
		h, body, err = set.Verify(raw)
	}
	if err != nil {
		return none, nil, !errors.Is(err, token.ErrUnknownKey), p.client.TokenInvalid(op, err)
	}
	claims, err := provider.ParseObject(body)
	if err != nil {
		return none, nil, true, p.client.TokenInvalid(op, err)
	}
	return h, claims, true, nil
}

// idToken verifies an ID token that the token endpoint gave us (OpenID Connect Core
// §3.1.3.7). Without a nonce, none is looked for. Errors: ProviderFailed,
// UpstreamTokenInvalid.
func (p *Provider) idToken(ctx context.Context, raw, nonce string) (provider.Object, error) {
	h, claims, _, err := p.verify(ctx, provider.OpIdentify, raw)
	if err != nil {
		return nil, err
	}
	// RFC 8725 §3.11: the same key may sign other sorts of token for us.
	if h.Type != "" && !strings.EqualFold(h.Type, "JWT") {
		return nil, p.client.TokenInvalid(provider.OpIdentify, errors.New("the ID token has the typ of something else"))
	}
	if err := judge(claims, append([]string{p.o.Issuer}, p.o.OtherIssuers...), p.o.ClientID, nonce, p.o.Now()); err != nil {
		return nil, p.client.TokenInvalid(provider.OpIdentify, err)
	}
	if _, err := ProfileOf(claims); err != nil {
		return nil, p.client.Failed(provider.OpIdentify, err)
	}
	return claims, nil
}

// judge decides whether the claims are about a login with our client, now.
func judge(claims provider.Object, issuers []string, client, nonce string, now time.Time) error {
	if iss, err := claims.Text("iss"); err != nil || !slices.Contains(issuers, iss) {
		return errors.New("the ID token is of another issuer")
	}
	audience, err := Texts(claims, "aud")
	if err != nil || !slices.Contains(audience, client) {
		return errors.New("the ID token is not for our client")
	}
	azp, err := claims.Text("azp")
	if err != nil || azp != "" && azp != client || azp == "" && len(audience) > 1 {
		return errors.New("the ID token was issued to another client (azp)")
	}
	if err := Current(claims, now); err != nil {
		return err
	}
	issued, err := claims.Integer("iat")
	if err != nil || issued <= 0 || time.Unix(issued, 0).After(now.Add(Leeway)) {
		return errors.New("the ID token has no iat, or one to come")
	}
	said, err := claims.Text("nonce")
	if err != nil || nonce != "" && subtle.ConstantTimeCompare([]byte(said), []byte(nonce)) != 1 {
		return errors.New("the ID token has not the nonce of this login")
	}
	return nil
}

// Current reports by an error that the claims have no `exp`, or that now is behind it or
// before `nbf`.
func Current(claims provider.Object, now time.Time) error {
	expires, err := claims.Integer("exp")
	if err != nil || expires <= 0 || !now.Before(time.Unix(expires, 0).Add(Leeway)) {
		return errors.New("the token has no exp, or has expired")
	}
	start, err := claims.Integer("nbf")
	if err != nil || time.Unix(start, 0).After(now.Add(Leeway)) {
		return errors.New("the token is not good yet (nbf)")
	}
	return nil
}

// Texts reads a member that is a text or a list of texts, as `aud` may be (RFC 7519
// §4.1.3); none if it is not there.
func Texts(o provider.Object, name string) ([]string, error) {
	if !o.Has(name) {
		return nil, nil
	}
	if one, err := o.Text(name); err == nil {
		return []string{one}, nil
	}
	var many []string
	if json.Unmarshal(o[name], &many) != nil {
		return nil, errors.New("the member " + name + " is neither text nor a list of texts")
	}
	return many, nil
}
