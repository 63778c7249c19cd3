// Package guard is the rule of one route over one request: strip inbound
// identity, find the credential, judge what it turned out to be, set outbound
// identity.
//
// It owns the names of identity headers, the folding that finds their aliases,
// the reading of the Authorization field, the challenges and the encoding of
// claims in header values. It never decides what a credential is (a Verifier
// does), keeps no verdict, reads no body, writes no response and knows no
// Caddy. Only gatehouse, caddymodule and tests may import it.
//
// It obeys RFC 6750 (bearer tokens: §2.1 the header only, §3 challenges; RFC 9728 §5.1),
// RFC 9110 (§5.5 field values, §7.6.1 Connection, §6.5 trailers, §15.5.6 Allow),
// RFC 8441 and RFC 9220 (WebSocket by extended CONNECT), RFC 8470 (early data) and the
// Fetch standard's definition of a CORS preflight.
//
// # One request, several guards
//
// The door keeps one Request for the life of an HTTP request and hands it to
// every handler of ours that the request meets. The first guard reads the
// credential and removes its field; later guards find it in the Request. All of
// them must agree; the identity headers are those of the last one. When one of
// them says `credential strip`, no later `keep` brings the field back. A
// refusal withdraws whatever identity an earlier guard had set, so that an error
// route sees none, nor the credential. The gateway's own cookies are taken off and
// kept in the Request for its own endpoints.
//
// # What is no credential of ours
//
// An Authorization field of another scheme (Basic, Digest, DPoP) is neither read
// nor removed: on an `optional` route it reaches the upstream as it came, and
// the caller is anonymous. Tokens in the query or the body are never read.
//
// # Header values
//
// Printable ASCII other than "%" stands for itself. Every other byte, "%" and a
// space at either end are percent-encoded as two upper-case hexadecimal digits,
// so any upstream gets the text back with one percent-decoding. A list is joined
// with "," (`scope` with " "); inside an element that separator is encoded too,
// and an empty element is left out. A value is at most MaxHeaderValue bytes: a
// longer text leaves its header out, a longer list ends after the last element
// that fits. Nothing marks a list that was cut, so an upstream must read a
// missing role as not granted, and never take a role for a restriction.
//
// A claim without a value leaves its header out. The e-mail headers of the
// presets carry the address whether or not it was verified; a map may name
// `email_verified` beside it, or `verified_email` in its place.
//
// A map may also name a further claim of a foreign token: a text, a number or a truth
// value stands as one text, an array of them as a list, each number as the token has it;
// null, an object and an array that holds one leave the header out.
//
// # Policy
//
// A policy is one expression of CEL that must be true. It is compiled and type-checked
// at load, and evaluated for every request over the facts of that moment; no answer is
// kept. False, an error and too much work refuse alike: 403 without the rule, or for a
// caller without a credential on an `optional` route, whom the policy judges by a
// principal without anything, 401 with the challenge. A true preflight is not judged.
//
// principal has source, issuer, subject, account, client, username, name, email,
// session, token_id and kind (texts, empty if there is none), email_verified, scopes,
// roles and audience (lists), issued_at, expires and auth_time (timestamps: one that is
// not known is an error), and claims, what else a foreign token says. request has
// method, host (lower case, no port), path (decoded, as the upstream will see it),
// scheme, remote_ip (the client's, as the door judges it), time, headers (names in lower
// case, repeated fields joined with ", ", without the credential and what guards set) and
// query (each name's values, all of them, in order). A header or parameter that an
// upstream could see otherwise is an error: there in another spelling. What Connection
// names is not there, for the upstream neither. has() tells whether a field has a value.
//
// claims, headers and query are asked for names that the expression writes out:
// principal.claims.tenant, request.headers["x-env"], "debug" in request.query. A name
// that is not there is an error, a claim that is null is not there, and by the rules of
// CEL an error beside a true operand of || is no error. An integer of 64 bits in a claim
// is an int, or else a uint, to its last digit; a double beyond 2^53 has no value. Other
// than in CEL, comparing values of two types (==, !=, in) is an error: which type a claim
// has only the token knows, and "3" is not to pass for what differs from 3. Of CEL's
// extensions there are strings, without those functions that can make much of little
// (format, join, quote, replace), and the network addresses ip() and cidr().
package guard
