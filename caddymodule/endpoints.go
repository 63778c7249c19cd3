package caddymodule

import (
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/gatehouse"
	"github.com/gatehouse-auth/gatehouse/internal/guard"
)

// bodyDeadline is how long a request to an endpoint may take to arrive: its body is
// at most 64 KiB.
const bodyDeadline = 10 * time.Second

// Endpoints is the handler that serves the endpoints of realms. Paths that are not
// theirs go on to the next handler.
type Endpoints struct {
	config.Endpoints

	app    *App
	index  int
	quiet  *gatehouse.Discretion
	access *accessLog
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
	e.quiet = gatehouse.NewDiscretion(&e.Endpoints)
	e.access = newAccessLog(ctx, e.quiet)
	e.index, err = e.app.addEndpoints(e.Endpoints)
	return err
}

// ServeHTTP answers what is a realm's and hands on the rest.
func (e *Endpoints) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if e.access.secretive(r) {
		e.serveQuietly(w, r)
		return nil
	}
	served, err := e.serve(w, r)
	if err != nil {
		return unavailable(w, r, err)
	}
	if served {
		return nil
	}
	return next.ServeHTTP(w, r)
}

// serveQuietly serves a request that may carry secrets in its query. It answers
// everything itself: whatever else handled it would log it, and Caddy logs the whole
// address with an error.
func (e *Endpoints) serveQuietly(w http.ResponseWriter, r *http.Request) {
	w, r, written := e.access.begin(w, r)
	defer written()
	served, err := e.serve(w, r)
	switch {
	case err != nil:
		e.app.logger.Error("serving a request", slog.Any("error", err))
		e.quiet.Refuse(w, http.StatusServiceUnavailable, e.access.paths(r)...)
	case !served:
		e.quiet.Refuse(w, http.StatusNotFound, e.access.paths(r)...)
	}
}

func (e *Endpoints) serve(w http.ResponseWriter, r *http.Request) (bool, error) {
	run, err := e.app.lease.enter()
	if err != nil {
		return false, err
	}
	defer run.leave()
	run.Serving()
	// Failures count by address, and what may be done once must not be sent by another.
	if guard.Early(r) && run.Site(e.index).Serves(r) {
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusTooEarly)
		return true, nil
	}
	// Who sends his body slowly does not hold a handler for longer; net/http sets the
	// deadline anew for the connection's next request.
	if r.ContentLength != 0 && run.Site(e.index).Serves(r) {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyDeadline)) // not every writer has one
	}
	if st, _ := requestIn(w, r); st != nil && run.Site(e.index).Serves(r) {
		guard.StripSetCookies(w.Header(), nil) // of an app that was asked before
		own := &guard.OwnAnswer{Now: true}
		defer func() { own.Now, own.SetCookies = false, slices.Clone(w.Header()["Set-Cookie"]) }()
		st.Own, r = own, st.ShowCookies(r)
	}
	return run.Site(e.index).ServeHTTP(w, r, func() gatehouse.Caller { return callerOf(r) }), nil
}

// callerOf is who sent the request, by Caddy's own judgement: its client address
// heeds trusted_proxies, its id is the one in the access log.
func callerOf(r *http.Request) (c gatehouse.Caller) {
	c.Address, _ = caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		c.RequestID, _ = repl.GetString("http.request.uuid")
	}
	return c
}

var (
	_ caddy.Provisioner           = (*Endpoints)(nil)
	_ caddyhttp.MiddlewareHandler = (*Endpoints)(nil)
)
