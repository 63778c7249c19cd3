package caddymodule

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() {
	caddy.RegisterModule(new(App))
	caddy.RegisterModule(Endpoints{})
	caddy.RegisterModule(Guard{})
	caddy.RegisterModule(Strip{})
	caddy.RegisterModule(Admin{})
	registerCommand()
	registerCaddyfile()
}

// appOf returns the app that a handler belongs to.
func appOf(ctx caddy.Context) (*App, error) {
	app, err := ctx.App("gatehouse")
	if err != nil {
		return nil, err
	}
	return app.(*App), nil
}

// unavailable is the answer when the state cannot be opened: fail closed.
func unavailable(w http.ResponseWriter, err error) error {
	w.Header().Set("Retry-After", "5")
	w.Header().Set("Cache-Control", "no-store")
	return caddyhttp.Error(http.StatusServiceUnavailable, err)
}
