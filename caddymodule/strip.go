package caddymodule

import (
	"errors"
	"net/http"
	"reflect"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/internal/gatehouse"
	"github.com/gatehouse-auth/gatehouse/internal/guard"
)

// Strip is the handler that takes identity headers off every request of a site
// with a guard, whichever path it goes to. The directive guard adds it.
//
// In front of a site it also refuses the targets that some upstream may read as
// another path: a matcher before a guard, or beside it, could be talked round by one.
// Beside a guard it does so again, since a rewrite may have put something of the
// client's into the path. Where a guard of the site says lenient_paths, each guard
// judges for itself.
type Strip struct {
	app   *App
	first bool // it stands in front of its sites, where nothing has been rewritten yet
	only  bool // it judges no target: it stands in front of what answers errors
	whole bool // whatever the host: there is one site; otherwise one of them must match
	sites []site
}

// site is where a guard stands.
type site struct {
	hosts   []caddyhttp.RequestMatcherWithError
	lenient bool // a guard in it says lenient_paths
}

// CaddyModule returns the module's id.
func (Strip) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.gatehouse_strip", New: func() caddy.Module { return new(Strip) }}
}

// Provision finds the app.
func (s *Strip) Provision(ctx caddy.Context) (err error) {
	s.whole, s.sites = true, make([]site, 1)
	s.app, err = appOf(ctx)
	return err
}

// ServeHTTP strips, once per request, and goes on.
func (s *Strip) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	at := s.siteOf(r)
	if at == nil {
		return next.ServeHTTP(w, r)
	}
	handed, st := s.app.exchangeOf(w, r)
	s.app.strip(r, st)
	if s.first {
		if !at.lenient {
			if why := st.Came(); why != "" {
				return s.refuse(w, r, st, why)
			}
			st.Judge()
		}
		return next.ServeHTTP(handed, r)
	}
	if s.only { // an error is answered whatever the target is, and by the server's own writer
		handed = tunnelled(handed, r)
	} else if why := st.Rewritten(r); why != "" {
		return s.refuse(w, r, st, why)
	}
	// Beside the guard, after the endpoints: they set our own cookies.
	handed, own := s.app.answerTo(handed)
	err := next.ServeHTTP(handed, r)
	own.ended()
	return err
}

// refuse answers a request whose target is ambiguous.
func (s *Strip) refuse(w http.ResponseWriter, r *http.Request, st *guard.Request, why string) error {
	st.DropCredential(r.Header)
	refusal := guard.RefuseTarget(why)
	if run, err := s.app.lease.enter(); err == nil {
		run.Serving()
		run.Refused(refusal, func() gatehouse.Caller { return callerOf(r) })
		run.leave()
	}
	return refused(w, refusal)
}

// strip strips a request and judges its target as it came. Where a site has no host, a
// rewrite may stand before every handler of ours: Caddy keeps what it was made of.
func (a *App) strip(r *http.Request, st *guard.Request) {
	if st.Stripped() { // by a handler further out
		return
	}
	if came, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok && came.URL != nil {
		st.Arrive(r, came.Method, came.RequestURI, came.URL)
	}
	a.identityNames().Strip(r, st)
}

// siteOf returns the site that the request is for, nil if it is another one's. Of the
// sites with hosts the first one that matches decides, as in Caddy. In doubt it is one.
func (s *Strip) siteOf(r *http.Request) *site {
	for i := range s.sites {
		at := &s.sites[i]
		if s.whole || slices.ContainsFunc(at.hosts, func(m caddyhttp.RequestMatcherWithError) bool {
			ok, err := m.MatchWithError(r)
			return ok || err != nil
		}) {
			return at
		}
	}
	return nil
}

// stripSite puts a Strip in front of everything else of the site whose handlers are
// being provisioned. The route that the directive adds stands beside the guard: one
// inside `handle` would leave the site's other blocks open, and an app behind those
// would believe the identity headers that a client sent.
//
// Caddy provisions a server's routes in order, each from HandlersRaw into Handlers:
// the first one that still has the former is the one at work. If it is for some
// hosts, these are the site, whichever route a request for them takes; otherwise the
// site is every route without hosts. A guard in a named route comes after all of
// them, when their chains are made: its sites are those that invoke one.
func stripSite(ctx caddy.Context, app *App, lenient bool) error {
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok {
		return nil // provisioned outside a server, as in a test of Caddy's own
	}
	sites := server.Routes
	atWork := slices.IndexFunc(sites, pending)
	if atWork >= 0 {
		sites = sites[atWork : atWork+1]
	} else {
		sites = slices.DeleteFunc(slices.Clone(sites), func(r caddyhttp.Route) bool { return !invokes(r.Handlers) })
	}
	strips := app.stripsOf(server)
	for i := range sites {
		strip := &strips.forHosts
		if hosts := hostsOf(&sites[i]); hosts != nil {
			strip.guards(site{hosts, lenient})
		} else {
			strip = &strips.forAny
			strip.sites[0].lenient = strip.sites[0].lenient || lenient
		}
		if err := strip.cover(ctx, server, atWork >= 0); err != nil {
			return err
		}
	}
	strips.coverErrors(server)
	return nil
}

// coverErrors puts a Strip in front of the server's error routes: Caddy may refuse a
// request before any of our handlers has seen it, and an error route may ask an app.
// Caddy provisions error routes after the others, and before named ones.
func (s *serverStrips) coverErrors(server *caddyhttp.Server) {
	if server.Errors == nil || s.errors != nil {
		return
	}
	s.errors = &Strip{app: s.forHosts.app, only: true, whole: true, sites: make([]site, 1)}
	first := caddyhttp.Route{Handlers: []caddyhttp.MiddlewareHandler{s.errors}}
	server.Errors.Routes = slices.Insert(server.Errors.Routes, 0, first)
}

// serverStrips are the two Strips of a server: one for the guarded sites that name
// hosts, which grows with each of them, and one for the site that names none.
type serverStrips struct {
	forHosts, forAny Strip
	errors           *Strip // nil while there is none
}

// stripsOf returns the Strips of a server.
func (a *App) stripsOf(server *caddyhttp.Server) *serverStrips {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.strips == nil {
		a.strips = map[*caddyhttp.Server]*serverStrips{}
	}
	if a.strips[server] == nil {
		a.strips[server] = &serverStrips{
			forHosts: Strip{app: a, first: true}, forAny: Strip{app: a, first: true, whole: true, sites: make([]site, 1)},
		}
	}
	return a.strips[server]
}

// guards adds a guard's site, unless a guard before it stands in the same.
func (s *Strip) guards(at site) {
	i := slices.IndexFunc(s.sites, func(known site) bool { return reflect.DeepEqual(known.hosts, at.hosts) })
	if i < 0 {
		s.sites = append(s.sites, at)
		return
	}
	s.sites[i].lenient = s.sites[i].lenient || at.lenient
}

// cover puts the Strip before every route that a request for its site may take. open
// says that the server's chain is still to be made.
func (s *Strip) cover(ctx caddy.Context, server *caddyhttp.Server, open bool) error {
	for i := range server.Routes {
		route := &server.Routes[i]
		if s.whole && hostsOf(route) != nil {
			continue
		}
		s.lookFirst(route)
		if err := s.putBefore(ctx, route, open); err != nil {
			return err
		}
	}
	if open {
		return nil
	}
	for _, route := range server.NamedRoutes { // put together at each request, as blocks are
		if err := s.putBefore(ctx, route, true); err != nil {
			return err
		}
	}
	return nil
}

// pending reports whether a route's handlers are still to be provisioned.
func pending(route caddyhttp.Route) bool { return len(route.HandlersRaw) > 0 }

// putBefore puts the Strip before the handlers of a route: first among those it is
// still to get, or before those it has. Into blocks it goes as their first route, for
// Caddy puts a block's chain together at each request. A route with another handler
// that may pass the request on is made anew, which costs it Caddy's metrics of its
// own, as long as its server's chain is not made: after that nothing helps.
func (s *Strip) putBefore(ctx caddy.Context, route *caddyhttp.Route, open bool) error {
	if slices.Contains(route.Handlers, caddyhttp.MiddlewareHandler(s)) {
		return nil
	}
	if pending(*route) {
		route.Handlers = append(route.Handlers, s)
		return nil
	}
	anew := false
	for _, h := range route.Handlers {
		switch h := h.(type) {
		case *Strip:
		case *caddyhttp.Subroute:
			if err := s.putInside(ctx, h); err != nil {
				return err
			}
		case *caddyhttp.Invoke:
			anew = anew || open // a named route is stripped by itself
		default:
			anew = anew || !passesNothingOn(h)
		}
	}
	if !anew {
		return nil
	}
	if !open {
		return errors.New("a guard in a named route cannot keep forged identity headers from what stands beside `invoke` " +
			"at the top of a site without a host: put those directives into handle blocks, or give the site a host, or put a guard there")
	}
	route.Handlers = slices.Insert(route.Handlers, 0, caddyhttp.MiddlewareHandler(s))
	return route.ProvisionHandlers(ctx, nil)
}

// putInside makes the Strip the first route of a block.
func (s *Strip) putInside(ctx caddy.Context, block *caddyhttp.Subroute) error {
	for _, r := range block.Routes {
		if len(r.Handlers) == 1 && r.Handlers[0] == caddyhttp.MiddlewareHandler(s) {
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

// hostsOf returns the matchers of a route that name hosts, nil if it is for any.
func hostsOf(route *caddyhttp.Route) []caddyhttp.RequestMatcherWithError {
	var hosts []caddyhttp.RequestMatcherWithError
	for _, set := range route.MatcherSets {
		found := false
		for _, m := range set {
			switch m := m.(type) {
			case caddyhttp.MatchHost:
				hosts, found = append(hosts, m), true
			case *caddyhttp.MatchHost:
				hosts, found = append(hosts, m), true
			}
		}
		if !found {
			return nil // this set is for any host
		}
	}
	return hosts
}

var (
	_ caddy.Provisioner           = (*Strip)(nil)
	_ caddyhttp.MiddlewareHandler = (*Strip)(nil)
)
