package oauth

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/wire"
)

const opClient = "read client authentication"

// clientAuth reads how the client says who it is (RFC 6749 §2.3.1). It believes
// nothing: the authority checks it. Errors: Invalid, ClientUnauthenticated.
func clientAuth(r *http.Request, body wire.Params) (authority.ClientAuth, error) {
	post := authority.ClientAuth{ID: body.Get("client_id"), Secret: body.Get("client_secret")}
	fields := r.Header.Values("Authorization")
	switch {
	case len(fields) > 1:
		return authority.ClientAuth{}, twoMethods("the request has more than one Authorization field")
	case len(fields) == 1:
		basic, err := wire.Basic(fields[0])
		switch {
		case err != nil:
			return authority.ClientAuth{}, err
		case post.Secret != "":
			return authority.ClientAuth{}, twoMethods("the client authenticates in the Authorization field and in the body: use one")
		case post.ID != "" && post.ID != basic.ID:
			return authority.ClientAuth{}, twoMethods("client_id is not the client of the Authorization field")
		}
		return basic, nil
	case body.Get("client_assertion") != "" || body.Get("client_assertion_type") != "":
		// Reading it as a public client's request would drop what it says.
		return authority.ClientAuth{}, unauthenticated("client assertions are not supported: use client_secret_basic or client_secret_post")
	case post.ID == "":
		return authority.ClientAuth{}, unauthenticated("the client did not say who it is")
	case post.Secret != "":
		post.Method = authority.AuthPost
	}
	return post, nil
}

func unauthenticated(public string) error {
	return &authority.Error{Kind: authority.ClientUnauthenticated, Op: opClient, Public: public}
}

func twoMethods(public string) error {
	return &authority.Error{Kind: authority.Invalid, Op: opClient, Public: public}
}

// noneInQuery refuses parameters of these endpoints that came in the query, where
// every log on the way keeps them. Errors: Invalid, TooLarge.
func noneInQuery(r *http.Request) error {
	query, err := wire.Query(r)
	if err != nil {
		return err
	}
	for _, p := range query {
		if ours(p.Name) {
			return wire.Faulty(p.Name, "send it in the body, not in the address")
		}
	}
	return nil
}

// ours reports whether a parameter of this name belongs to the token,
// introspection or revocation endpoint, by any grant or extension: also what is
// not offered here is a secret in the wrong place.
func ours(name string) bool {
	switch name {
	case "grant_type", "scope", "resource", "audience", "requested_token_type",
		"client_id", "client_secret", "client_assertion", "client_assertion_type",
		"username", "password", "code", "code_verifier", "redirect_uri", "refresh_token",
		"device_code", "assertion", "subject_token", "subject_token_type", "actor_token",
		"actor_token_type", "token", "token_type_hint", "access_token":
		return true
	}
	return false
}
