// Package pakt is the dialect of a web API whose front ends log in with Google: they
// ask for a state and an address, send the browser there, and hand back the state and
// code that it returns with.
//
// It owns the paths, parameters, cookie, cross-origin rules, answers and errors of
//
//	GET  /v1/auth/{provider}/oauth/generate-state
//	POST /v1/auth/{provider}/oauth/validate-state
//	GET  /v1/account
//	POST /v1/account/logout
//
// for every provider of one realm by its name. Who a login is about, whether a state is
// good and when a session ends is decided by the authority, never here. Only gatehouse
// imports it; it imports authority, wire and the standard library. docs/pakt.md is the
// page for those who use it.
//
// State and code travel in the query, as the original has it. The package logs neither
// and repeats neither in an answer; what Caddy logs of such a request is masked by who
// stands before it, by the paths /v1/auth/{provider}/oauth/.
//
// It obeys RFC 6749 §4.1.2 (the provider's answer), RFC 6750 §2.1 and §3.1 (bearer
// tokens and challenges), RFC 9207 (iss), RFC 6265bis (the cookie and its prefix) and
// the Fetch Standard (CORS with credentials).
//
// # Where the original is silent or contradicts itself
//
//   - The original has the provider google only, and the member googleAuthUrl. Any
//     provider of the realm stands in its place by its name, and the address is authUrl
//     as well; a provider of the type google has both members. A name that no provider
//     has is not the dialect's path. If the authority does not know a provider either,
//     the answer is 404.
//   - googleAuthUrl of the original is not percent-encoded; ours is. Clients only navigate to
//     it. The redirect URI in it is the front end's, from the block.
//   - generate-state is said to need nothing and shown with a bearer token: that is the
//     key of a tenant. It is looked at only where the block declares tenant_key, in
//     x-api-key, or else in Authorization, since clients send the token of their
//     account there as well.
//   - Clients put state and code into the query without escaping. A + stands for itself
//     (in a form body too), / and = do anyway; what is percent-encoded is decoded once.
//     A raw % must be sent as %25, & as %26 and # as %23: as they are, nobody could
//     tell what was meant. In a JSON body all is literal. Empty is as good as missing. A
//     parameter that stands in the query and in the body is 400, with the same value too.
//     All faults are told at once. Other parameters are ignored: clients add their own
//     (type=testnet), and front ends hand on all that a provider sends (scope, authuser, prompt).
//   - With error instead of a code the answer is 400. The state stays good until it
//     expires: nothing was proven by who could have made it up.
//   - expiresIn is in seconds; some pages of the original show milliseconds.
//   - timeZone is left out: no provider tells it.
//   - The account of the original has some forty members about profiles and escrow. Ours has
//     _id, email, firstName, lastName and isVerified (the provider vouches for the
//     address) as there, createdAt if it was made at a login, and beside them name,
//     username, roles, provider and lastLogin. firstName and lastName are the name cut
//     before its last word. What is text is never null. Times are UTC with milliseconds.
//   - data of a logout is null. A token that is dead already is 401.
//   - Errors of the original are known only by its clients: they go by the HTTP status and the
//     status "error", and show message. Statuses are real here.
//   - The cookie is not the original's. It holds no session; what it proves is that a
//     login ends in the browser that began it. SameSite=None is written only on https,
//     where browsers take it, and only with cors_origins.
//   - OPTIONS is answered only with cors_origins; an origin that is not listed gets 204
//     without any field of CORS.
//   - A second factor has no place here: such an account is 401.
package pakt
