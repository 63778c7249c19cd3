// Package keycloak is the dialect of "Auth API" 1.1.0: a facade over
// Keycloak, written with FastAPI.
//
// It owns the paths, parameters, answers and errors of
//
//	GET  /auth/api/v1/healthz
//	POST /auth/api/v1/oauth/connect/token
//	POST /auth/api/v1/oauth/connect/user/login
//	POST /auth/api/v1/oauth/connect/logout
//	POST /auth/api/v1/oauth/connect/introspect
//
// What a client or user may do, what a token is and what happens once is decided by
// the authority, never here. Only gatehouse imports it. The original's answers are kept
// member for member; docs/keycloak.md is the page for those who use it.
//
// Its secrets travel in the query, as the original has it. The package logs none of
// them and repeats none in an answer; what Caddy logs of such a request is masked by
// who stands before it, by the path /auth/api/v1/oauth/connect/ and all below it.
//
// # Where the source is silent or contradicts itself
//
//   - Where parameters stand is "Query Parameter" in two tables and "parameter" in
//     the third, under the heading "Request Body", and the components name request
//     bodies. The query, a form and a flat JSON object are all read. A name twice in
//     one place is 422, and so is a name in two places with two values; with one
//     value it is one parameter. A parameter without a value, or null in JSON, counts
//     as omitted. Numbers, true and false are not strings (Pydantic 2): 422. A body
//     needs its Content-Type, no body needs none. Unknown parameters are not looked
//     at, but must be readable and stand there once.
//   - The bodies of 400, 401, 404 and 500 are "Example provided", which they are not:
//     {"detail": "<text>"}, FastAPI's form. Beside them 405, 413, 429 and 503 have the
//     same form; 401 carries a challenge, 405 Allow, 429 and 503 Retry-After.
//   - HTTPValidationError is not given: the form is that of Pydantic 2 with the
//     members type, loc, msg and input, every fault at once. loc begins with query
//     unless the parameter stands in the body (or it is a header). input is always
//     null and there is no ctx: a secret is not sent back. A text that is no JSON is
//     json_invalid, and what stands after body in loc is the byte; of a place that
//     cannot be read at all, nothing is said to be missing.
//   - `realm` is "string (UUID)" and "ID for the OAuth realm", but the issuer shows a
//     name: both are taken, a UUID in any case. It is optional twice and mandatory
//     once: it is optional, and the first realm of the directive is meant then. A
//     realm that is not served by this handler is not found.
//   - The token endpoint's grants: absent means client_credentials, refresh_token is
//     ours (the original gives out refresh tokens and no way to use them). Others are 400,
//     the grant password among them: that is the login's. client_secret is mandatory
//     but for a refresh, since the client of user logins is public by default.
//   - The client of a login is not said: it is the block's default_client, else the
//     realm's public client "gatehouse". A further realm without a client of that id
//     keeps its own "gatehouse". Refreshes name that client.
//   - `scopes` is a list separated by single spaces, as in OAuth. A comma is a
//     character of a scope (RFC 6749 §3.3) and separates nothing.
//   - A refresh token for client_credentials is the answer's, so there is one always,
//     with a session. Using it takes the grant refresh_token like everywhere.
//   - Lifetimes: the original's 300 s are the realm's default; its 1800 s are this
//     dialect's where the realm sets none.
//   - There is no logout in the original; ours is 204. The client may name itself, and
//     then proves who it is. Without one the refresh token is taken as a user's of
//     the login client, whose secret he does not have. A refresh token that is
//     unknown or dead is 204 too: what was asked for is so (RFC 7009 §2.2). What is no
//     refresh token at all is 400, lest the owner of an access token believe himself
//     logged out.
//   - A user with a second factor gets the 401 of a wrong password.
//   - The introspection table has `token` optional, with the description of realm: it
//     is mandatory. The original lets anybody ask; here a client proves who it is, by
//     the Basic scheme or by parameters, unless the operator says
//     anonymous_introspection. Then who brings no credentials hears about any token
//     of the realm, 600 times a minute and address; who brings some is judged as
//     always. The Basic scheme is taken where client_id and client_secret are.
//   - `active` and `email_verified` are strings in the example, which no Keycloak
//     sends: strings they are, booleans with the word booleans.
//   - The example is a client's own token. clientId, clientHost and clientAddress are
//     absent for users; without a session so are sid and session_state, and
//     clientHost and clientAddress, which are the address the session began at. Others
//     are always there. realm_access.roles may be empty. There is no aud, as in the
//     example.
//   - Usernames of clients are service-account-<client_id> as it is written, where
//     Keycloak lowers the case: two clients must not become one name.
//   - The schema Msg of healthz is {"msg": "..."}, as in FastAPI's project template.
//   - A client that may not use a grant is 400. Keycloak says 400 or 401 by its version.
//   - Anything else under these paths, and another spelling of them, is not the
//     dialect's.
package keycloak
