// Package caddymodule is the only door to Caddy: the app `gatehouse`, the
// handlers `http.handlers.gatehouse`, `http.handlers.gatehouse_guard` and
// `http.handlers.gatehouse_strip`, and their Caddyfile.
//
// It owns how a guest lives in Caddy: parsing, placeholders of secrets, the life
// cycle over reloads and the translation of a refusal into Caddy's errors. No rule
// about tokens lives here. Import it for its side effect; of ours it imports only
// gatehouse, config and guard.
package caddymodule
