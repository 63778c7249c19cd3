package caddymodule

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/gatehouse"
)

// Endpoints is the handler that serves the endpoints of realms. Paths that are not
// theirs go on to the next handler.
type Endpoints struct {
	config.Endpoints

	app   *App
	index int
}

// CaddyModule returns the module's id.
func (Endpoints) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.gatehouse", New: func() caddy.Module { return new(Endpoints) }}
}

// Provision checks the handler against the app and registers it there.
func (e *Endpoints) Provision(ctx caddy.Context) (err error) {
	if e.app, err = appOf(ctx); err != nil {
		return err
	}
	e.index, err = e.app.addEndpoints(e.Endpoints)
	return err
}

// ServeHTTP answers what is a realm's and hands on the rest.
func (e *Endpoints) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	served, err := e.serve(w, r)
	if err != nil {
		return unavailable(w, err)
	}
	if served {
		return nil
	}
	return next.ServeHTTP(w, r)
}

func (e *Endpoints) serve(w http.ResponseWriter, r *http.Request) (bool, error) {
	run, err := e.app.lease.enter()
	if err != nil {
		return false, err
	}
	defer run.leave()
	run.Serving()
	return run.Site(e.index).ServeHTTP(w, r, func() gatehouse.Caller {
		var c gatehouse.Caller
		c.Address, _ = caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
		if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
			c.RequestID, _ = repl.GetString("http.request.uuid")
		}
		return c
	}), nil
}

var (
	_ caddy.Provisioner           = (*Endpoints)(nil)
	_ caddyhttp.MiddlewareHandler = (*Endpoints)(nil)
)
