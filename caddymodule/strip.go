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
// the first one that still has the former is the one at work. The site is every
// route for one of its hosts or, where it names none, every route without hosts. A
// guard in a named route comes after all of them: its sites are those that invoke.
func stripSite(ctx caddy.Context, app *App) error {
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok {
		return nil // provisioned outside a server, as in a test of Caddy's own
	}
	strip := &Strip{app: app}
	atWork := slices.IndexFunc(server.Routes, pending)
	for i := range server.Routes {
		route := &server.Routes[i]
		switch {
		case atWork < 0 && !invokes(route.Handlers),
			atWork >= 0 && !sameSite(&server.Routes[atWork], route):
		case pending(*route):
			if len(route.Handlers) == 0 {
				route.Handlers = append(route.Handlers, strip)
			}
		default:
			if err := strip.putBefore(ctx, route); err != nil {
				return err
			}
		}
	}
	return nil
}

// pending reports whether a route's handlers are still to be provisioned.
func pending(route caddyhttp.Route) bool { return len(route.HandlersRaw) > 0 }

// putBefore puts the Strip before the handlers of a route that is complete. Into
// blocks it goes as their first route, for Caddy puts a block's chain together at
// each request. A route with another handler that may pass the request on is made
// anew, which costs it Caddy's metrics of its own.
func (s *Strip) putBefore(ctx caddy.Context, route *caddyhttp.Route) error {
	anew := false
	for _, h := range route.Handlers {
		switch h := h.(type) {
		case *Strip:
			return nil
		case *caddyhttp.Subroute:
			if err := s.putInside(ctx, h); err != nil {
				return err
			}
		default:
			anew = anew || !passesNothingOn(h)
		}
	}
	if !anew {
		return nil
	}
	route.Handlers = slices.Insert(route.Handlers, 0, caddyhttp.MiddlewareHandler(s))
	return route.ProvisionHandlers(ctx, nil)
}

// putInside makes the Strip the first route of a block.
func (s *Strip) putInside(ctx caddy.Context, block *caddyhttp.Subroute) error {
	if len(block.Routes) > 0 && len(block.Routes[0].MatcherSets) == 0 && len(block.Routes[0].Handlers) > 0 {
		if _, there := block.Routes[0].Handlers[0].(*Strip); there {
			return nil
		}
	}
	first := caddyhttp.Route{Handlers: []caddyhttp.MiddlewareHandler{s}}
	if err := first.ProvisionHandlers(ctx, nil); err != nil {
		return err
	}
	block.Routes = slices.Insert(block.Routes, 0, first)
	return nil
}

// passesNothingOn reports whether a handler hands the request to nobody but the next
// handler. What is not known is taken to.
func passesNothingOn(h caddyhttp.MiddlewareHandler) bool {
	switch caddy.GetModuleID(h) {
	case "http.handlers.headers", "http.handlers.rewrite", "http.handlers.vars", "http.handlers.map", "http.handlers.encode",
		"http.handlers.request_body", "http.handlers.tracing", "http.handlers.log_append", "http.handlers.authentication",
		"http.handlers.static_response", "http.handlers.error", "http.handlers.gatehouse", "http.handlers.gatehouse_guard":
		return true
	}
	return false
}

// invokes reports whether one of the handlers, or one in their blocks, calls a named
// route.
func invokes(handlers []caddyhttp.MiddlewareHandler) bool {
	return slices.ContainsFunc(handlers, func(h caddyhttp.MiddlewareHandler) bool {
		switch h := h.(type) {
		case *caddyhttp.Invoke:
			return true
		case *caddyhttp.Subroute:
			return slices.ContainsFunc(h.Routes, func(r caddyhttp.Route) bool { return invokes(r.Handlers) })
		}
		return false
	})
}

// sameSite reports whether two routes of a server are for a common host, or both for
// any.
func sameSite(a, b *caddyhttp.Route) bool {
	hosts, others := hostsOf(a), hostsOf(b)
	if len(hosts) == 0 || len(others) == 0 {
		return len(hosts) == len(others)
	}
	return slices.ContainsFunc(hosts, func(h string) bool { return slices.Contains(others, h) })
}

// hostsOf returns the hosts that a route's matchers name.
func hostsOf(route *caddyhttp.Route) []string {
	var hosts []string
	for _, set := range route.MatcherSets {
		for _, m := range set {
			switch m := m.(type) {
			case caddyhttp.MatchHost:
				hosts = append(hosts, m...)
			case *caddyhttp.MatchHost:
				hosts = append(hosts, *m...)
			}
		}
	}
	return hosts
}

var (
	_ caddy.Provisioner           = (*Strip)(nil)
	_ caddyhttp.MiddlewareHandler = (*Strip)(nil)
)
