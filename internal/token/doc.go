// Package token is what a token looks like: signing keys, access tokens as JWTs,
// JWK sets, the JWTs between the steps of a login, and the spelling of opaque tokens.
//
// It never decides whether a token is good: it judges no time, knows no store and
// no revocation. It says whether a text is an access token that one of the given
// keys signed, and what it claims.
//
// One spelling is accepted of what we issue, so that a revoked token cannot come
// back under another digest: strict base64url, unique member names, the lower of
// the two ES256 signatures. The key is chosen by `kid` among those given, the
// algorithm by the key, and the signature is verified before the claims are read.
//
// A step's token (HS256) goes back to the verb that gave it and to nobody else. Its
// header is compared as a whole with the one that we write for that step's key, so
// that its type, key and algorithm are never taken from the token. Access tokens
// and steps have no type in common, and no function reads both.
//
// A personal token is prefixed like the other opaque ones, or a UUID of version 4
// in lower case, as the original of the golem dialect writes it.
//
// golang-jwt supplies the signature methods and is imported nowhere else. Its
// parser is not used: it takes several spellings of one token, and the algorithm
// from the header.
//
// The assembly imports this room, and so may trust and provider/oidc; it imports
// authority and secret.
//
// It obeys RFC 7515 (JWS), RFC 7517 (JWK), RFC 7518 and RFC 8037 (algorithms),
// RFC 7519 (JWT), RFC 7638 (thumbprints), RFC 8725 (JWT best practice),
// RFC 9068 (access tokens) and RFC 9562 (UUIDs).
package token
