// Package audit writes one line and counts one counter for each event.
//
// It owns the event's form in the log and the metrics' names; it never sees a
// token, secret or password, since authority.Event has no place for one, and it
// cuts what callers chose themselves to a bounded length. Only the assembly
// imports it; only this room imports Prometheus.
package audit
