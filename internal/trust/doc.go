// Package trust is tokens that somebody else issues: whether one is good, and what its
// issuer says by it.
//
// It owns the two ways to know. By key set, a JWT (RFC 7519) is verified with the keys
// that its issuer publishes (OpenID Connect Discovery, RFC 8414, RFC 7517), with the
// checks of RFC 8725: the algorithms are the keys', `typ`, `iss`, `aud`, `exp` and `nbf`
// are judged, ID tokens and refresh tokens are told by their claims, and what restricts a
// token in a way that is not kept here is refused (`cnf` of RFC 7800,
// `authorization_details` of RFC 9396, `crit`). By introspection (RFC 7662), the issuer is
// asked, as our client there, and its answer is read strictly; a JWT that says of itself
// that it is restricted is not asked about.
//
// A token that names another issuer is refused before anybody is called: one issuer's
// token never reaches another's endpoint. Nobody is asked at start: discovery happens
// when it is first needed.
//
// It knows no realm of ours and keeps no verdicts: that is the cache's, which stands in
// front of it. It never takes "I cannot say" for "no": where the issuer cannot be reached,
// or does not answer as it must, the error is Unavailable and not TokenInvalid. Errors
// hold nothing of a token, and nothing of what an issuer answered.
//
// The assembly imports this room; it imports provider (bounded calls, strict reading,
// documents that are fetched once for all), token (signatures) and authority.
package trust
