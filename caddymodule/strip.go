package caddymodule

import (
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// Strip is the handler that takes identity headers off every request of a site
// with a guard, whichever path it goes to. The directive guard adds it.
type Strip struct {
	app *App
}

// CaddyModule returns the module's id.
func (Strip) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.gatehouse_strip", New: func() caddy.Module { return new(Strip) }}
}

// Provision finds the app.
func (s *Strip) Provision(ctx caddy.Context) (err error) {
	s.app, err = appOf(ctx)
	return err
}

// ServeHTTP strips, once per request, and goes on.
func (s *Strip) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	s.app.identityNames().Strip(r, stateOf(r))
	return next.ServeHTTP(w, r)
}

// stripSite puts a Strip in front of everything else of the site whose handlers are
// being provisioned. The route that the directive adds stands beside the guard: one
// inside `handle` would leave the site's other blocks open, and an app behind those
// would believe the identity headers that a client sent.
//
// Caddy provisions a server's routes in order, each from HandlersRaw into Handlers:
// the first one that still has the former is the one at work. With a matcher on the
// host it is the whole site; without, the server has one site and each of its
// routes stands by itself. A guard in a named route is provisioned after all of
// them and strips where it is invoked only.
func stripSite(ctx caddy.Context, app *App) error {
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok {
		return nil // provisioned outside a server, as in a test of Caddy's own
	}
	strip := &Strip{app: app}
	atWork := slices.IndexFunc(server.Routes, func(r caddyhttp.Route) bool { return len(r.HandlersRaw) > 0 })
	if atWork < 0 {
		return nil
	}
	if hasHost(&server.Routes[atWork]) {
		strip.putFirst(&server.Routes[atWork])
		return nil
	}
	for i := range server.Routes {
		route := &server.Routes[i]
		switch {
		case hasHost(route):
		case len(route.HandlersRaw) > 0:
			strip.putFirst(route)
		default:
			if err := strip.putInside(ctx, route); err != nil {
				return err
			}
		}
	}
	return nil
}

// putFirst puts the Strip before the handlers that a route is still to get.
func (s *Strip) putFirst(route *caddyhttp.Route) {
	if len(route.Handlers) == 0 {
		route.Handlers = append(route.Handlers, s)
	}
}

// putInside puts the Strip first into the blocks of a route that is complete
// already: Caddy puts a block's chain together at each request. What is not a block
// and stands before one in Caddy's order of directives answers no request.
func (s *Strip) putInside(ctx caddy.Context, route *caddyhttp.Route) error {
	for _, h := range route.Handlers {
		block, ok := h.(*caddyhttp.Subroute)
		if !ok || startsWithStrip(block) {
			continue
		}
		first := caddyhttp.Route{Handlers: []caddyhttp.MiddlewareHandler{s}}
		if err := first.ProvisionHandlers(ctx, nil); err != nil {
			return err
		}
		block.Routes = slices.Insert(block.Routes, 0, first)
	}
	return nil
}

func startsWithStrip(block *caddyhttp.Subroute) bool {
	if len(block.Routes) == 0 || len(block.Routes[0].Handlers) == 0 {
		return false
	}
	_, ok := block.Routes[0].Handlers[0].(*Strip)
	return ok && len(block.Routes[0].MatcherSets) == 0
}

// hasHost reports whether the route is for some hosts only.
func hasHost(route *caddyhttp.Route) bool {
	for _, set := range route.MatcherSets {
		for _, m := range set {
			switch m.(type) {
			case caddyhttp.MatchHost, *caddyhttp.MatchHost:
				return true
			}
		}
	}
	return false
}

var (
	_ caddy.Provisioner           = (*Strip)(nil)
	_ caddyhttp.MiddlewareHandler = (*Strip)(nil)
)
