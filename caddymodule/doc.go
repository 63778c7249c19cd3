// Package caddymodule is the only door to Caddy: the app `gatehouse`, the
// handlers `http.handlers.gatehouse`, `http.handlers.gatehouse_guard` and
// `http.handlers.gatehouse_strip`, their Caddyfile, the routes
// `admin.api.gatehouse` of the admin API, and the commands that call them.
//
// It owns how a guest lives in Caddy: parsing, placeholders of secrets, the life
// cycle over reloads, what stands in front of a site's routes and matchers, access
// logs of addresses that hold secrets, and the translation of a refusal into Caddy's
// errors. No rule about tokens lives here. Import it for its side effect; of ours it
// imports only gatehouse, config and guard.
package caddymodule
