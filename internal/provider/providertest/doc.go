// Package providertest has fakes of the upstream logins, and what a provider must
// do: one suite that every provider of ours runs against its fake, all of it.
//
// It owns the fakes' frame (clients, users, codes, tokens, device logins and the
// ways to misbehave), the fakes themselves and the meaning of authority.Provider
// where its comments could be read in two ways. A fake is an http.Handler that can
// stand on any port; what a test changes in it goes through methods, or through
// POST /control/… where the test is another process. It never calls anybody.
//
// The facts behind the fakes: RFC 6749 (codes), RFC 7636 (PKCE), RFC 8628 (device
// logins) and the upstreams' own documents, whose departures from the RFCs are the
// reason why the fakes exist.
//
// Only tests may import it.
package providertest
