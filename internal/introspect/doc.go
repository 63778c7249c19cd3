// Package introspect is the verdict cache: it stands in front of whatever can
// say what a credential is (a realm, somebody else's issuer), has the same
// interface, and remembers the answer for a short while.
//
// It owns the cached verdicts, the lookups in flight and the watermarks of what
// has ended. It keeps digests and facts, never a credential, and never a
// decision: what a route demands is judged by the guard on every request. It
// knows no HTTP and no store, and asks nobody but the verifier it covers: so many
// lookups at a time, the others queue. What the verifier can answer without a lookup
// ([Prompt]) it is asked on the caller's own goroutine, and does not queue.
//
// A verdict is used only while all of these hold, tested at every use: its age,
// counted from the moment its lookup began, is below max_ttl; its token has not
// expired by the wall clock; nothing that it hangs on has ended since its lookup
// began. The last is kept by watermarks: one counter for the process, raised by
// each ending and written on the tags that end. So no request sent after
// [Cache.End] returned is answered from what was known before.
//
// Files: cache.go is the cache and its limits, verifier.go the path of a hit,
// flight.go a lookup shared by its callers, endings.go the watermarks, life.go how long
// verdicts are used, verdict.go and pack.go the flat block in which a verdict is kept. The
// blocks stand in the tables of the room slab.
//
// Only the room gatehouse imports it; it imports authority, secret and slab.
//
// It obeys RFC 7662 §4 (a cached answer is never used past the token's `exp`, and
// caching is bounded by the operator), RFC 7009 §2 (an ended token is refused at
// once on this node) and RFC 7519 §4.1.4 (`exp`).
package introspect
