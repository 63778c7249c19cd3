package oidc

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/provider"
)

// Identify says whom a grant is about. An ID token is verified if there is one, and there
// must be one if there is a nonce; what userinfo says of the access token must be about
// the same subject (OpenID Connect Core §5.3.2).
func (p *Provider) Identify(ctx context.Context, g authority.UpstreamGrant) (authority.Profile, error) {
	var claims provider.Object
	switch {
	case g.IDToken != "":
		var err error
		if claims, err = p.idToken(ctx, g.IDToken, g.Nonce); err != nil {
			return authority.Profile{}, err
		}
	case g.Nonce != "":
		return authority.Profile{}, p.client.Failed(provider.OpIdentify, errNoIDToken)
	}
	m, err := p.discovery.Get(ctx)
	if err != nil {
		return authority.Profile{}, err
	}
	if m.userinfo == "" {
		if claims == nil {
			return authority.Profile{}, p.client.Failed(provider.OpIdentify, errors.New("neither an ID token nor a userinfo_endpoint"))
		}
		return p.profile(provider.OpIdentify, claims)
	}
	info, err := p.UserInfo(ctx, provider.OpIdentify, g.AccessToken)
	if err != nil {
		return authority.Profile{}, err
	}
	if claims == nil {
		return p.profile(provider.OpIdentify, info)
	}
	if !SameSubject(claims, info) {
		return authority.Profile{}, p.client.TokenInvalid(provider.OpIdentify, errors.New("the ID token and userinfo are about different people"))
	}
	return p.profile(provider.OpIdentify, Merge(info, claims))
}

// UserInfo asks whose an access token is (OpenID Connect Core §5.3); the subject of the
// answer is one that can be used. Errors: UpstreamTokenInvalid, ProviderFailed.
func (p *Provider) UserInfo(ctx context.Context, op, accessToken string) (provider.Object, error) {
	if !provider.CheckToken(accessToken) {
		return nil, p.client.TokenInvalid(op, errors.New("not an access token"))
	}
	m, err := p.discovery.Get(ctx)
	if err != nil {
		return nil, err
	}
	if m.userinfo == "" {
		return nil, p.client.Failed(op, errors.New("discovery names no userinfo_endpoint"))
	}
	a, err := p.client.Do(ctx, provider.Call{Op: op, URL: m.userinfo, Bearer: accessToken})
	if err != nil {
		return nil, err
	}
	// RFC 6750 §3.1: invalid_token is a 401, whose body may be empty.
	if a.Status == http.StatusUnauthorized {
		return nil, p.client.TokenInvalid(op, errors.New("userinfo refuses the access token"))
	}
	o, err := a.Object()
	switch {
	case err != nil:
		return nil, err
	case a.Status == http.StatusForbidden || a.Status == http.StatusBadRequest:
		return nil, p.client.TokenInvalid(op, errors.New("userinfo refuses the access token, or its scope"))
	case a.Status != http.StatusOK:
		return nil, a.Failed("no userinfo")
	}
	if _, err := ProfileOf(o); err != nil {
		return nil, a.Failed(err.Error())
	}
	return o, nil
}

// Prove asks the provider's introspection endpoint (RFC 7662) as our client about a token
// that a stranger presented. It must be active, an access token by userinfo's word, and
// issued to our client. A provider without that endpoint has no proof, and its bare
// tokens are refused.
func (p *Provider) Prove(ctx context.Context, accessToken string) (authority.Profile, error) {
	refuse := func(why string) (authority.Profile, error) {
		return authority.Profile{}, p.client.TokenInvalid(provider.OpProve, errors.New(why))
	}
	if !provider.CheckToken(accessToken) {
		return refuse("not an access token")
	}
	m, err := p.discovery.Get(ctx)
	if err != nil {
		return authority.Profile{}, err
	}
	if m.introspection == "" || m.userinfo == "" {
		return refuse("the provider has no introspection_endpoint that takes our secret, or no userinfo_endpoint")
	}
	a, err := p.client.Do(ctx, p.introspection(m, accessToken))
	if err != nil {
		return authority.Profile{}, err
	}
	o, err := a.Object()
	if err != nil {
		return authority.Profile{}, err
	}
	// RFC 7009 §2.2.1: some providers say so of what looks like another sort of token.
	if code, _ := o.Text("error"); a.Status == http.StatusBadRequest && code == "unsupported_token_type" {
		return refuse("not a token that the provider introspects")
	}
	if a.Status != http.StatusOK || !o.Has("active") {
		return authority.Profile{}, a.Failed("no answer to an introspection")
	}
	if why := p.refusal(o); why != "" {
		return refuse(why)
	}
	// A refresh token may be active as well, but it is no key to userinfo.
	info, err := p.UserInfo(ctx, provider.OpProve, accessToken)
	if err != nil {
		return authority.Profile{}, err
	}
	if _, there := o["sub"]; there && !SameSubject(o, info) {
		return refuse("introspection and userinfo are about different people")
	}
	return p.profile(provider.OpProve, info)
}

// introspection is the call of RFC 7662 §2.1.
func (p *Provider) introspection(m *metadata, accessToken string) provider.Call {
	form := url.Values{"token": {accessToken}, "token_type_hint": {"access_token"}}
	return p.endpoint(m.introspection, m.introspectionIn).Call(provider.OpProve, form)
}

// refusal says what is wrong with the answer to an introspection (RFC 7662 §2.2). It
// must name the client that the token was issued to: an audience says whom a token is
// for, and another client may well ask for tokens that are for us.
func (p *Provider) refusal(o provider.Object) string {
	if active, err := o.Bool("active"); err != nil || !active {
		return "the token is not active"
	}
	client, err := o.Text("client_id")
	if err != nil {
		return err.Error()
	}
	party, err := o.Text("azp")
	if err != nil {
		return err.Error()
	}
	if client != p.o.ClientID || party != "" && party != p.o.ClientID {
		return "the token was issued to another client, or to one that is not named"
	}
	if o.Has("exp") {
		if err := Current(o, p.o.Now()); err != nil {
			return err.Error()
		}
	}
	if iss, err := o.Text("iss"); err != nil || iss != "" && iss != p.o.Issuer {
		return "the token is of another issuer"
	}
	return ""
}

// profile makes the answer of a verb.
func (p *Provider) profile(op string, o provider.Object) (authority.Profile, error) {
	profile, err := ProfileOf(o)
	if err != nil {
		return authority.Profile{}, p.client.Failed(op, err)
	}
	return profile, nil
}

// ProfileOf reads the standard claims (OpenID Connect Core §5.1). Only the subject must be
// there; of what else is malformed nothing is taken. An address is verified only if
// email_verified is true and not a text that says so.
func ProfileOf(o provider.Object) (authority.Profile, error) {
	subject, err := o.Text("sub")
	if err != nil {
		return authority.Profile{}, err
	}
	// The errors of these mean a member of another type.
	username, _ := o.Text("preferred_username")
	name, _ := o.Text("name")
	email, _ := o.Text("email")
	verified, err := o.Bool("email_verified")
	return provider.CheckProfile(authority.Profile{
		Subject: subject, Username: username, Name: name, Email: email, EmailVerified: verified && err == nil,
	})
}

// SameSubject reports whether both have one subject, and the same.
func SameSubject(a, b provider.Object) bool {
	one, err1 := a.Text("sub")
	other, err2 := b.Text("sub")
	return err1 == nil && err2 == nil && one != "" && one == other
}

// Merge returns what first says and, of the standard claims, what only second says. An
// address and whether it is verified come from the same one.
func Merge(first, second provider.Object) provider.Object {
	merged := provider.Object{}
	take := func(from provider.Object, name string) {
		if from.Has(name) && !merged.Has(name) {
			merged[name] = from[name]
		}
	}
	for _, name := range []string{"sub", "name", "preferred_username"} {
		take(first, name)
		take(second, name)
	}
	from := first
	if !first.Has("email") {
		from = second
	}
	take(from, "email")
	take(from, "email_verified")
	return merged
}
