// Package wire is the frame that every dialect stands on: what a dialect may be
// called with, how its requests are read and how its answers are written.
//
// It owns the route table (exact paths, methods, HEAD beside GET), the reading of
// bounded bodies and of form-encoded parameters without a second meaning, the
// writing of JSON, and the table that turns every authority.Kind into a dialect's
// own error.
//
// A route is decode, one verb of the authority, encode; Call is that shape, so a
// handler has no place for a second verb. The frame knows no dialect's names or
// texts, holds no state and no rule of the domain, and touches no request that is
// not on one of the dialect's own paths. Who calls (authority.Caller) is in the
// context before the frame is asked: it believes no forwarding header.
//
// It does not recover panics: net/http, under Caddy, ends the request and logs
// the panic, and nothing of its value reaches the caller. Recovering here would
// answer from a state nobody knows.
//
// Only the dialects and gatehouse import it; it imports authority and the
// standard library.
//
// It obeys RFC 9110 (methods, Allow, Retry-After), RFC 9111 (no-store), RFC 6749
// Appendix B (application/x-www-form-urlencoded in UTF-8) and RFC 8259 (JSON).
package wire
