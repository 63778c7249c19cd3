package trust

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/provider"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// maxAnswer bounds an answer in bytes. Many are asked for at a time, so that what one may
// take is not what may be spared.
const maxAnswer = 128 << 10

// disownOther refuses what must not be sent to the issuer: what is no token, and what names
// another issuer, who would never have shown it to this one. Nor is one worth a question
// that says of itself that it is good only with what is not asked for here: the answer may
// not repeat that.
func (t *Trust) disownOther(raw string) error {
	if !provider.CheckToken(raw) {
		return t.refuse("is longer than 16 KiB, or has characters that no token has")
	}
	if issuer := token.AnyIssuer(raw); issuer != "" && issuer != t.o.Issuer {
		return t.refuse("is of another issuer (iss)")
	}
	r := &reader{o: token.AnyClaims(raw)}
	if r.noRestriction(); r.fault != "" {
		return t.refuse(r.fault)
	}
	return nil
}

// introspect judges a token by asking its issuer (RFC 7662).
func (t *Trust) introspect(ctx context.Context, raw string) (authority.Principal, error) {
	endpoint, err := t.endpoint.Get(ctx)
	if err != nil {
		return authority.Principal{}, t.unavailable(opIntrospect, err)
	}
	form := url.Values{"token": {raw}, "token_type_hint": {"access_token"}}
	call := endpoint.Call(opIntrospect, form)
	call.Again = true // a question, which changes nothing
	call.Most = maxAnswer
	answer, err := t.client.Do(ctx, call)
	if err != nil {
		return authority.Principal{}, t.unavailable(opIntrospect, err)
	}
	o, err := t.active(answer)
	if err != nil {
		return authority.Principal{}, err
	}
	r := &reader{o: maps.Clone(o), said: o}
	t.prepare(r)
	p := t.judge(r, raw)
	if r.fault != "" {
		return authority.Principal{}, t.refuse(r.fault)
	}
	return p, nil
}

// active returns the answer about an active token. A yes is the boolean true; any other
// value is a no (RFC 7662 §2.2), and what has none is no answer: Unavailable.
func (t *Trust) active(a provider.Answer) (provider.Object, error) {
	switch a.Status {
	case http.StatusOK:
	case http.StatusUnauthorized:
		return nil, t.unavailable(opIntrospect, a.Failed("the issuer does not accept our client_id and client_secret"))
	case http.StatusBadRequest:
		// RFC 7009 §2.2.1: some issuers say so of their JWTs, which they do not introspect.
		if o, err := a.Object(); err == nil {
			if code, _ := o.Text("error"); code == "unsupported_token_type" {
				return nil, t.refuse("is of a kind that its issuer does not introspect")
			}
		}
		fallthrough
	default:
		return nil, t.unavailable(opIntrospect, a.Failed("no answer to an introspection"))
	}
	o, err := a.Object()
	if err != nil {
		return nil, t.unavailable(opIntrospect, err)
	}
	switch string(o["active"]) {
	case "true":
		return o, nil
	case "":
		return nil, t.unavailable(opIntrospect, a.Failed("the answer does not say whether the token is active"))
	case "false":
		return nil, t.refuse("is not active")
	}
	return nil, t.refuse("is not active: its issuer's answer is no boolean")
}

// prepare judges what only introspection has, and fills in what its answers may leave out
// and a JWT may not.
func (t *Trust) prepare(r *reader) {
	kind := r.identifier("token_type")
	if kind != "" && !isOneOf(kind, "bearer") {
		r.refuse("is no bearer token (token_type)")
	}
	// The answer about a refresh token may be like that about an access token in all but
	// this (RFC 7662 §2.2): what kind says of the latter, it does not say of the former.
	if kind == "" && !r.o.Has("token_use") && (!r.o.Has("typ") || isOneOf(r.quiet("typ"), "jwt")) {
		r.refuse("is not known to be an access token: its issuer says neither token_type nor token_use")
	}
	if !r.o.Has("iss") {
		r.o["iss"], _ = json.Marshal(t.o.Issuer)
	}
	if !r.o.Has("exp") { // which is optional (RFC 7662 §2.2); the cache asks again when its max_ttl is over
		r.o["exp"], _ = json.Marshal(authority.NoExpiry)
	}
	// A token of a client's own has no subject at some issuers. One of a user, whom the
	// issuer does not tell us apart from others, is not good for anything.
	if !r.o.Has("sub") && r.o.Has("client_id") && !slices.ContainsFunc(ofUsers(), r.o.Has) {
		r.o["sub"] = r.o["client_id"]
	}
}

// ofUsers are claims that a client's own token has not: they tell of a person, or of a login.
func ofUsers() []string {
	return []string{
		"username", "preferred_username", "user_name", "user_id", "userid", "uid", "upn", "unique_name", "login",
		"name", "given_name", "family_name", "nickname", "email", "email_verified", "phone_number", "sid", "auth_time",
	}
}

// findEndpoint tells where the issuer is asked, and how we say who we are there.
func (t *Trust) findEndpoint(ctx context.Context) (*provider.Endpoint, error) {
	i := t.o.Introspection
	e := &provider.Endpoint{URL: i.URL, Client: i.ClientID, Secret: i.ClientSecret, Place: provider.SecretInHeader}
	if e.URL != "" {
		return e, nil
	}
	o, address, err := t.discover(ctx, "introspection_endpoint")
	if err != nil {
		return nil, err
	}
	// Without methods of its own the endpoint is taken to have those of the token endpoint.
	methods := "introspection_endpoint_auth_methods_supported"
	if !o.Has(methods) {
		methods = "token_endpoint_auth_methods_supported"
	}
	if e.Place, err = provider.PlaceOf(o, methods); err != nil {
		return nil, t.client.Failed(provider.OpDiscover, errors.Join(err, errors.New("we have only a client_secret")))
	}
	e.URL = address
	return e, nil
}
