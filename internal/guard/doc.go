// Package guard is the rule of one route over one request: strip inbound
// identity, find the credential, judge what it turned out to be, set outbound
// identity.
//
// It owns the names of identity headers, the folding that finds their aliases,
// the reading of the Authorization field, the challenges and the encoding of
// claims in header values. It never decides what a credential is (a Verifier
// does), keeps no verdict, reads no body and no query, writes no response and
// knows no Caddy. Only gatehouse, caddymodule and tests may import it.
//
// It obeys RFC 6750 (bearer tokens: §2.1 the header only, §3 challenges),
// RFC 9110 (§5.5 field values, §7.6.1 Connection, §6.5 trailers, §15.5.6 Allow),
// RFC 8441 and RFC 9220 (WebSocket by extended CONNECT) and the Fetch standard's
// definition of a CORS preflight.
//
// # One request, several guards
//
// The door keeps one Request for the life of an HTTP request and hands it to
// every handler of ours that the request meets. The first guard reads the
// credential and removes its field; later guards find it in the Request. All of
// them must agree; the identity headers are those of the last one. When one of
// them says `credential strip`, no later `keep` brings the field back. A
// refusal withdraws whatever identity an earlier guard had set, so that an error
// route sees none.
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
package guard
