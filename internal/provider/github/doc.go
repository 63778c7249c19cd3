// Package github is the login at GitHub, and at GitHub Enterprise by its own addresses.
//
// It owns what GitHub does in its own way: numeric user ids (the login name changes
// hands), addresses in a list of their own, errors with status 200, and the endpoint
// that says whether an access token was issued to our own app
// (docs.github.com/rest/apps/oauth-applications). Nobody is identified by his login
// name or address. It keeps nothing, and decides nothing about accounts.
//
// RFC 6749 (codes), RFC 7636 (PKCE), RFC 8628 (device logins). GitHub gives no ID token.
//
// Only the assembly may import it.
package github
