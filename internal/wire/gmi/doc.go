// Package gmi is the dialect of GMI Cloud's "IAM Service API" 2.4.0: a login in two
// steps, by password or by an upstream's own token, and sessions bound to a client of
// the user.
//
// It owns the paths, bodies, answers and errors of
//
//	POST   /api/v1/oauth/token
//	POST   /api/v1/me/oauth/auth-tokens
//	POST   /api/v1/me/auth-tokens
//	POST   /api/v1/me/sessions
//	PATCH  /api/v1/me/sessions
//	DELETE /api/v1/me/sessions
//	GET    /api/v1/me/profile
//
// Whose token it is, what it is worth and what happens once is decided by the
// authority, never here; the dialect signs and verifies nothing. Only gatehouse
// imports it; it imports authority, wire and the standard library. docs/gmi.md is the
// page for those who use it. It obeys RFC 6750 (bearer tokens), RFC 7636 §4.1
// (code_verifier), RFC 8259 (JSON) and RFC 9562 §5.8 (UUIDs).
//
// It logs no body and no header. An error answer repeats of a body only provider,
// redirectUri and email, and never one that is too long.
//
// # Where the source is silent or contradicts itself
//
//   - The code of "User does not exist." is 1 in the list and 0 in the example: it is
//     1, which the public client looks for.
//   - A provider that is not there is oauth/0 on both calls, though an enum would make
//     it request/0. A code is exchanged at every provider of the realm, where the
//     original lists github only. The names are those of the realm's providers.
//   - redirectUri, codeVerifier and state beside a code are ours. Without redirectUri
//     the operator's goes upstream. state is looked at by nobody: whoever began the
//     login compares it.
//   - The original says nothing of whose client an upstream's token was issued to. Here
//     it must be our own; any other is oauth/1, as is one that is dead.
//   - The login never signs anybody up: user/1.
//   - A body that is empty or null is request/1. One that is no JSON object, or not
//     application/json, is request/0 with the field body or Content-Type. Members that
//     are not known are not looked at; null and "" count as absent; a known one that
//     stands there twice is an error.
//   - expression is a name of the original's own rule set where it has one: required,
//     email, max, min, oneof, unique, numeric, uri; json, string, utf8, code_verifier and
//     valid are ours. argument is the limit of max and min in bytes. originalValue is
//     "" where the field is missing; otherwise it is left out unless the field is
//     provider, redirectUri or email.
//   - traces is never written: original error messages stay in the log.
//   - otpCode is described as a string and shown as a number: both are taken, and
//     digits that fall short of six get the zeroes in front that a number cannot have.
//     What is not made of digits is request/0 and does not count as a wrong code.
//   - CE-ClientId is "alphanumeric, under 8 characters"; 1 to 32 are taken. It is judged
//     before the body, and ignored where it is not asked for.
//   - A second factor that is missing, wrong or spent is auth/3, an auth token that is
//     bad or spent auth/2; both are ours. Whether the account needs one is told by
//     is2FARequired after a password only, as in the original.
//   - A bearer token that is missing or dead is 401 with auth/4, and a challenge; one
//     that is good and may not be used for this, 403 with auth/5; two Authorization
//     fields are 400 with request/0. A disabled account is 403 with user/2. All are ours.
//   - Too many tries are 429 with request/2, a body over 64 KiB 413 with request/3, what
//     is not there 404 with request/4, a wrong method 405 with request/5: ours.
//   - A store that cannot be reached is user/1200 on every call, with Retry-After; any
//     other fault of ours is session/200 at the first steps, oauth/1200 at the exchange,
//     and session/202 and user/200, which are ours, elsewhere. session/201 is never used:
//     nothing is saved before the second step.
//   - There is no page for the end of a session; ours is DELETE, and 204.
//   - Clients read organization.id of the profile unasked, so everybody has an
//     organization of his own, as org_owner; its id follows from the account's. The last
//     word of a name is lastName. lastLoginIDP is the provider's name, "" for a password;
//     lastLoginAt is 0 before the first login.
//   - Anything else under /api/v1, and another spelling of these paths, is not the
//     dialect's.
package gmi
