package caddymodule

import (
	"errors"
	"maps"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/internal/guard"
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

// refused hands a refusal to the site's handle_errors, which may show {err.message} to the
// caller: so it is the public text. Why stands in a log line of our own.
func refused(w http.ResponseWriter, r *http.Request, refusal *guard.Refusal) error {
	maps.Copy(w.Header(), refusal.Header)
	awaitNoBody(w, r)
	return caddyhttp.Error(refusal.Status, errors.New(refusal.Public()))
}

// unavailable is the answer when the state cannot be opened: fail closed.
func unavailable(w http.ResponseWriter, r *http.Request, err error) error {
	w.Header().Set("Retry-After", "5")
	w.Header().Set("Cache-Control", "no-store")
	awaitNoBody(w, r)
	return caddyhttp.Error(http.StatusServiceUnavailable, err)
}

// awaitNoBody ends the connection with the answer to who asked whether to send his body: he
// waits for the answer, and the server for the body before it lets the answer go, unless
// the connection ends with it (RFC 9110 §10.1.1).
func awaitNoBody(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor == 1 && r.Header["Expect"] != nil {
		w.Header().Set("Connection", "close")
	}
}
