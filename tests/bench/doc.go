// Package bench measures what the guard costs: a decision in process, and requests
// through the real binary beside a bare Caddy (load). A measurement is read by
// people; no test passes or fails by a time. Counts of allocations are exact, and
// tests hold them.
//
// Nothing imports it.
package bench
