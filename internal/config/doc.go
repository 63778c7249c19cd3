// Package config is what an operator may say: plain structs, their defaults and
// Validate, which reports every fault at once.
//
// It owns the shape of the JSON configuration and the rules that hold between
// its parts. It never opens, creates or fetches anything, expands no placeholder
// (who does calls Validate again: a secret that still holds one is not judged) and
// knows no Caddyfile. Every room may import it; it imports nothing of ours.
//
// The Caddyfile and the JSON fill the same structs, so a rule written here holds
// for both. What the structs can hold and this version cannot do is refused by one
// table, Available.
//
// It obeys RFC 6749 (client identifiers, scopes, redirect URIs), RFC 8414 §2 (issuers),
// RFC 8707 §2 (resources), RFC 9110 §5.1 (field names), RFC 6454 §6.2 (origins) and
// OpenID Connect Core §3.1.2.1 (the scope openid).
package config
