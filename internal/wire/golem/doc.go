// Package golem is the dialect of Golem Cloud's login API: a token of GitHub, or a
// login on another device, becomes a long-lived secret of our own.
//
// It owns the paths, parameters, answers and errors of
//
//	POST   /v1/oauth2                                  also /v1/login/oauth2
//	GET    /v1/login/token
//	POST   /oauth2/device/start                        also under /login and /v1/login
//	POST   /oauth2/device/complete                     also under /login and /v1/login
//	GET    /v1/accounts/{accountId}
//	GET    /v1/accounts/{accountId}/tokens
//	POST   /v1/accounts/{accountId}/tokens
//	GET    /v1/accounts/{accountId}/tokens/{tokenId}
//	DELETE /v1/accounts/{accountId}/tokens/{tokenId}
//
// Who may log in, what a token is and whose it is, how a device login waits and what
// happens once is decided by the authority, never here. Only gatehouse imports it.
// It obeys RFC 6750 (bearer tokens), RFC 3339 (points in time), RFC 8259 (JSON) and
// RFC 9110. docs/golem.md is the page for those who use it.
//
// A provider's token may stand in the query of /v1/oauth2 and /v1/login/oauth2, as
// access_token or access-token. The package logs no secret and repeats none in an
// answer; what Caddy logs of such a request is masked by who stands before it.
//
// # Where the original is silent, contradicts itself, or is not followed
//
//   - The original's documents of 2023 are what is served, with their forms of errors:
//     400 {"errors":[...]} with everything that is wrong at once, 401 and 403
//     {"message"}, 500 {"error"}. What they do not know (404, 405, 413, 429) is
//     {"error"}, as its later versions write it. An unreachable database is 500 too.
//     429 and the 500 that are worth it carry Retry-After, 401 a challenge, 405 Allow.
//   - The parameters of a login stand in the query or in a form. The later spelling
//     access-token is taken beside access_token. A parameter twice, in two places or
//     under both names, is 400, whatever its values; without a value it counts as
//     omitted. Others are not looked at, but must be readable and stand there once.
//   - The original took GitHub's token of any application. Here the provider must
//     prove that it was issued to our own client: 401 otherwise.
//   - The original handed out the same secret at every login, and kept it readable.
//     Only a digest is kept here, so every login makes a new one, and it is told once.
//     It ends with the realm's personal_token, not after ten years.
//   - 403 is for who has no account and gets none: sign-up is closed, or he is not on
//     the list. An account that may not log in is 401, and so is one with a second
//     factor, for which there is no place here.
//   - A device login names its provider by an optional JSON object. Without one it is
//     the provider called github, else the only one the realm has, else 400.
//   - The original's encodedSession is signed and shows GitHub's device code. Here it
//     is sealed base64url and means nothing to who holds it. complete takes it as the
//     only thing in the body, a JSON string, with its Content-Type. One that is altered,
//     spent or of another realm is 400 with a text that begins "Invalid Session";
//     one that the user denied or let expire is 401.
//   - complete waits as long as the user takes. It ends with the caller's connection;
//     the server's own deadlines for reading and writing do not cut it short.
//   - A secret stands in the Authorization field, the scheme in any case. The cookie
//     GOLEM_SESSION is no credential here: a browser sends it along with whatever
//     another page makes it ask for, and nothing in this API tells those requests
//     apart, so any page could make and end tokens. A request with that cookie alone
//     is 401, with a bearer token beside it 400, as are two Authorization fields.
//   - What is another account's is 404, as if it did not exist, and so is every id that
//     is not a UUID in its canonical lower-case spelling. The caller is asked who he is
//     first. Ending a token that is not there is 404 (the original once said 401).
//   - A token is made with an optional {"expiresAt"} in RFC 3339, any offset, T and Z
//     in upper case. One in the past is 400; one beyond the realm's personal_token is
//     brought back to it. The answer to an end is 200 and {}.
//   - The list of tokens is an array, as in v1.3; later versions wrap it.
//   - planId of an account is the nil UUID: there are no plans. name is the username
//     where there is no name. email is empty unless verified.
//   - Points in time are as chrono writes them: UTC, Z, and a fraction of exactly 0, 3,
//     6 or 9 digits, zeros kept.
//   - The web flow of later versions (authorize, callback, poll) is not served: its
//     answer goes to who began it, who need not be who approved it. Anything else
//     under these paths, and another spelling of them, is not the dialect's.
package golem
