// Package authority is the domain: who is who, what is valid, what happens once.
//
// It owns the realms, clients, accounts, sessions and tokens, the rules over
// them, the ports its neighbours implement, and the one error type that crosses
// rooms. "Once only", "expired", "belongs to" and "still enabled" are decided
// here, inside one Update, and every grant passes the same check. It knows no
// HTTP, no SQL and no JSON, and makes no network call.
//
// Every room but secret, config and pages imports it; it imports secret and the
// standard library only.
//
// It obeys RFC 6749 (grants, clients), RFC 7009 (revocation), RFC 7662
// (introspection), RFC 8707 (resources) and RFC 9068 (access tokens).
package authority
