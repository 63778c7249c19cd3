// Package provider is the frame of the upstream logins: how a provider calls its
// upstream, and how it reads what comes back.
//
// It owns the bounds of every call (a deadline, 1 MiB of answer, no redirect to
// another host and none at all for what changes something), the strict reading of
// JSON, what an issuer publishes (discovery and key sets, fetched once for all and
// kept), and the translation of OAuth's error codes (RFC 6749 §5.2, RFC 8628 §3.5 and
// what the upstreams made of them) into authority's kinds. It knows no upstream, keeps
// nothing else between calls, decides nothing about accounts, and never lets an
// upstream's words out: errors carry at most its short error code, for the log, and no
// address, token, code or secret.
//
// Only the rooms under provider, and trust, may import it, and only it knows
// golang.org/x/oauth2 besides the former. That package writes the authorization
// addresses and the PKCE challenges (RFC 7636). Codes are redeemed by this one, so that
// codes, device logins and profiles are read by the same strict reader and with the same
// bounds.
package provider
