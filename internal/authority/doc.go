// Package authority is the domain: who is who, what is valid, what happens once.
//
// It owns the realms, clients, accounts, sessions and tokens, the rules over
// them, the ports its neighbours implement, and the one error type that crosses
// rooms. "Once only", "expired", "belongs to" and "still enabled" are decided
// here, inside one Update, and every grant passes the same check. It knows no
// HTTP, no SQL and no JSON. Whom an upstream vouches for it asks through the port
// Provider, never inside an Update.
//
// Every room but secret, config and pages imports it; it imports secret and the
// standard library only.
//
// It obeys RFC 6749 (grants, clients), RFC 7009 (revocation), RFC 7636 (PKCE),
// RFC 7662 (introspection), RFC 8628 (device logins), RFC 8707 (resources), RFC 9068
// (access tokens), RFC 9207 (iss of a callback) and RFC 9700 (refresh tokens).
package authority
