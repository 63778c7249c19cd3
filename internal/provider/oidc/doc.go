// Package oidc logs in with any provider of OpenID Connect.
//
// It owns what such a provider publishes (its discovery document and its key set, each
// fetched once and kept), the verification of ID tokens, userinfo, and the proof by
// introspection that a bare access token was issued to us. It keeps nothing of a login,
// decides nothing about accounts, and never takes somebody's word for who he is that the
// provider did not give to us: an ID token whose nonce we know, or the answer to a
// question of our own.
//
// What a code was redeemed for must come with an ID token when the login began with a
// nonce. What comes without a nonce (device logins, and codes of logins that a client of
// ours began itself) came straight from the token endpoint to us, who said our secret
// there; then userinfo of that very token is enough, and an ID token is still verified
// if there is one.
//
// The assembly imports this room, and so do provider/google and provider/huggingface,
// which differ from the standards in little; it imports provider, authority and token.
//
// It obeys OpenID Connect Core 1.0, OpenID Connect Discovery 1.0, RFC 6749, RFC 7636
// (PKCE), RFC 7662 (introspection), RFC 8628 (device logins) and RFC 8725 (JWT best
// practice).
package oidc
