// Package oauth is the dialect of the standards: the endpoints any OAuth 2.0 or
// OpenID Connect client library knows without being told.
//
// It owns the paths, parameters, answers and error codes of
//
//	POST /oauth2/token       RFC 6749 §3.2, §5; RFC 8707 (resource)
//	POST /oauth2/introspect  RFC 7662
//	POST /oauth2/revoke      RFC 7009
//	GET  /oauth2/jwks        RFC 7517 §5
//	GET  /healthz
//	GET  /.well-known/oauth-authorization-server  RFC 8414
//	GET  /.well-known/openid-configuration        OpenID Connect Discovery 1.0
//	GET  /.well-known/oauth-protected-resource    RFC 9728
//
// and the ways a client says who it is (RFC 6749 §2.3.1). What a client may do,
// what a token is and what happens once is decided by the authority, never here.
// Only gatehouse imports it.
//
// # Where a realm stands
//
// The first realm stands at the root of the site. Every realm stands under
// /realms/<name> (and under its UUID), and under the path of its issuer, so that
// it answers at the addresses its metadata names whether or not the operator
// strips that path before us. The metadata of a realm at <place> is at
// <place>/.well-known/... (OpenID Connect Discovery §4) and at
// /.well-known/.../<place> (RFC 8414 §3.1). Addresses in answers come from the
// configuration, never from Host or a forwarding header.
//
// Paths are compared exactly. Whatever is not ours falls through untouched, with
// one exception: /realms/<anything>/oauth2/<endpoint> of a realm nobody serves is
// 404, because a site without another handler answers an unclaimed path with an
// empty 200, and to a client that revokes a token 200 says that it is revoked.
//
// # Where the standards are silent
//
// Or where they disagree, or leave a choice:
//
//   - Client authentication: more than one Authorization field, or Basic beside a
//     secret in the body, is 400 invalid_request (RFC 6749 §2.3: never more than
//     one method). A client_id beside Basic must be the same one. What is not well
//     formed Basic, and every other scheme, is 401 invalid_client. Every 401 of a
//     client carries the Basic challenge, also when the body was used. The
//     challenge has no charset: a form-encoded id and secret are ASCII.
//   - Id and secret in the Basic field are form-decoded, as RFC 6749 §2.3.1 says.
//     A client that does not encode works as long as they hold no + and no %.
//   - Parameters of these endpoints in the query are 400, also beside a good body:
//     queries end up in logs (RFC 6749 §2.3.1, RFC 7009 §2.1). Other parameters in
//     the query are nobody's business, but must be decodable and stand there once.
//   - A wrong Content-Type is 400 invalid_request, the only fitting code of §5.2.
//   - Too many tries are 429 temporarily_unavailable with Retry-After. slow_down
//     (RFC 8628 §3.5) is not used: a device client takes it as a lasting change of
//     its polling interval.
//   - Server trouble uses the authorization endpoint's codes (RFC 6749 §4.1.2.1)
//     with the status that says the same: 500 server_error and 503
//     temporarily_unavailable with Retry-After. §5.2 has no codes for it.
//   - 404, 405 and 413 carry invalid_request. A failed login is invalid_grant,
//     whatever the grant was.
//   - An answer about a personal token says token_type Bearer, as it is used like
//     an access token; about a refresh token it says no token_type, so that nobody
//     takes one for a bearer token. roles is an array (RFC 9068 §2.2.3.1 without
//     the complex form of RFC 7643). aud is a string while it has one member.
//   - Revocation takes a public client's bare client_id (RFC 7009 §2.1);
//     introspection never does (RFC 7662 §2.1), and takes no bearer token.
//   - token_type_hint is read by nobody: RFC 7009 §2.1 and RFC 7662 §2.1 let a
//     server ignore it, and a wrong hint must not change the answer.
//   - The JWK set is application/json: RFC 7517 §8.5 registers
//     application/jwk-set+json but demands nothing, and every client takes the
//     former. It and the metadata may be kept for 300 s and read by any origin.
//   - RFC 8414 §3.2 leaves out empty lists, §2 requires response_types_supported;
//     it is sent, empty. So is an empty grant_types_supported, as leaving it out
//     would claim authorization_code and implicit.
//   - OpenID Connect Discovery §3 requires authorization_endpoint. There is none
//     yet, and the document names only what answers.
//   - Protected resource metadata answers only where its resource equals the
//     address asked about (RFC 9728 §3.3): the path decides, the query if the
//     resource has one, and Host chooses among what is configured. A resource of
//     two realms names both as its authorization servers.
//   - Of two realms whose issuers have the same path on different hosts, the path
//     is the first one's.
package oauth
