// Package google logs in with Google.
//
// It owns what Google does otherwise than OpenID Connect says: the names of its scopes,
// the issuer without https:// that its ID tokens may have, device logins that begin
// without the secret and are polled with it, and tokeninfo, which tells of a bare access
// token for which client it was issued. Everything else is provider/oidc.
//
// tokeninfo says every value as a string. Google means it for debugging and limits its
// rate; it is the only answer there is about access tokens.
//
// Only the assembly imports it; it imports provider, provider/oidc and authority. The
// facts are from Google's pages on OpenID Connect and on devices of limited input.
package google
