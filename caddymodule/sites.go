package caddymodule

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/internal/guard"
)

// site is where guards stand: the hosts of one of the server's routes, or all that
// name none.
type site struct {
	hosts   []caddyhttp.RequestMatcherWithError // nil: any
	guarded bool                                // a guard stands in it
	lenient bool                                // a guard in it says lenient_paths
	queried bool                                // a guard in it is met or not by what the query says
}

// judge says of a request for the site whether ambiguous targets are refused wherever in
// it the request goes.
func (at *site) judge(st *guard.Request) {
	if at.guarded && !at.lenient {
		st.Judge()
	}
	if at.queried {
		st.JudgeQuery()
	}
}

// siteAtWork returns the site whose handlers are being provisioned, one of nobody's where
// there is none.
//
// Caddy provisions a server's routes in order, each from HandlersRaw into Handlers:
// the first one that still has the former is the one at work.
func siteAtWork(ctx caddy.Context, app *App) *site {
	if server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); ok {
		if i := slices.IndexFunc(server.Routes, pending); i >= 0 {
			return app.stripsOf(server).siteOf(&server.Routes[i])
		}
	}
	return new(site)
}

// stripSite sees to it that every request of the site whose handlers are being provisioned
// is stripped before any handler of it: one inside `handle` would leave the site's other
// blocks open, and an app behind those would believe the identity headers that a client
// sent. Where the site's routes begin with guards and Strips, these do so; otherwise a
// Strip is put in front of everything else.
//
// If the route at work is for some hosts, these are the site, whichever route a request
// for them takes; otherwise the site is every route without hosts. A guard in a named
// route comes after all of them, when their chains are made: its sites are those that
// invoke one.
func stripSite(ctx caddy.Context, app *App, lenient bool) error {
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok {
		return nil // provisioned outside a server, as in a test of Caddy's own
	}
	strips, query := app.stripsOf(server), queried(ctx)
	routes := server.Routes
	atWork := slices.IndexFunc(routes, pending)
	if atWork >= 0 {
		routes = routes[atWork : atWork+1]
	} else {
		routes = slices.DeleteFunc(slices.Clone(routes), func(r caddyhttp.Route) bool { return !invokes(r.Handlers) })
	}
	for i := range routes {
		at := strips.siteOf(&routes[i])
		at.guarded, at.lenient, at.queried = true, at.lenient || lenient, at.queried || query
		strip := strips.forAny
		if at.hosts != nil {
			strip = strips.forHosts
			if !slices.Contains(strip.sites, at) {
				strip.sites = append(strip.sites, at)
			}
		}
		if err := strip.cover(ctx, server, atWork >= 0); err != nil {
			return err
		}
	}
	return strips.coverErrors(ctx, atWork >= 0)
}

// coverErrors puts a Strip in front of the server's error routes: Caddy may refuse a
// request before any of our handlers has seen it, and an error route may ask an app.
// Caddy provisions error routes after the others, and before named ones: open says that
// theirs are still to come.
func (s *serverStrips) coverErrors(ctx caddy.Context, open bool) error {
	if s.server.Errors == nil || s.errors != nil {
		return nil
	}
	s.errors = &Strip{app: s.forAny.app, only: true, at: new(site)}
	if open {
		first := caddyhttp.Route{Handlers: []caddyhttp.MiddlewareHandler{s.errors}}
		s.server.Errors.Routes = slices.Insert(s.server.Errors.Routes, 0, first)
		return nil
	}
	for i := range s.server.Errors.Routes {
		if err := s.errors.putBefore(ctx, &s.server.Errors.Routes[i], false); err != nil {
			return err
		}
	}
	return nil
}

// serverStrips are the sites of a server, and what stands in front of them: a Strip for the
// guarded sites that name hosts, which grows with each of them, and one for the site that
// names none.
type serverStrips struct {
	server           *caddyhttp.Server
	sites            []*site // those that name hosts
	forHosts, forAny *Strip
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
			server: server, forHosts: &Strip{app: a, first: true}, forAny: &Strip{app: a, first: true, at: new(site)},
		}
	}
	return a.strips[server]
}

// siteOf returns the site that a route of the server belongs to.
func (s *serverStrips) siteOf(route *caddyhttp.Route) *site {
	hosts := hostsOf(route)
	if hosts == nil {
		return s.forAny.at
	}
	i := slices.IndexFunc(s.sites, func(known *site) bool { return reflect.DeepEqual(known.hosts, hosts) })
	if i < 0 {
		i = len(s.sites)
		s.sites = append(s.sites, &site{hosts: hosts})
	}
	return s.sites[i]
}

// cover puts the Strip before every route that a request for its site may take. open
// says that the server's chain is still to be made.
func (s *Strip) cover(ctx caddy.Context, server *caddyhttp.Server, open bool) error {
	if s.at != nil && open && !slices.ContainsFunc(server.Routes, namesHosts) && s.covered(server.Routes) {
		return nil
	}
	atWork := slices.IndexFunc(server.Routes, pending)
	for i := range server.Routes {
		route := &server.Routes[i]
		if s.at != nil && namesHosts(*route) || s.at == nil && s.isAnothers(route) {
			continue
		}
		s.lookFirst(route)
		if i == atWork && s.opened(route, blockAtWork(ctx)) {
			continue
		}
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

// opened reports whether the route at work is nothing but a block that is covered, and sees
// to it that the Strip does not stand in front of it: it did while that was not known.
func (s *Strip) opened(route *caddyhttp.Route, block *caddyhttp.Subroute) bool {
	if len(route.HandlersRaw) != 1 || block == nil || block.Errors != nil || !s.covered(block.Routes) {
		return false
	}
	route.Handlers = slices.DeleteFunc(route.Handlers, s.is)
	return true
}

func (s *Strip) is(h caddyhttp.MiddlewareHandler) bool { return h == caddyhttp.MiddlewareHandler(s) }

// covered reports whether every request for the routes meets a guard or a Strip before any
// other handler, so that nothing need stand in front of them. It has their matchers see a
// request as upgrade leaves it.
func (s *Strip) covered(routes []caddyhttp.Route) bool {
	for i := range routes {
		if !s.begins(&routes[i]) {
			return false
		}
		if len(routes[i].MatcherSets) == 0 && routes[i].Group == "" {
			break // nobody gets to the next one without
		}
	}
	for i := range routes {
		s.lookFirst(&routes[i])
	}
	return true
}

// begins reports whether the first handler of a route is one that strips, for the sites
// that this one stands in front of.
func (s *Strip) begins(route *caddyhttp.Route) bool {
	if len(route.Handlers) > 0 {
		switch h := route.Handlers[0].(type) {
		case *Guard:
			return true
		case *Strip:
			return h == s || !h.first && h.at.guarded
		}
		return false
	}
	var first map[string]any
	if !pending(*route) || json.Unmarshal(route.HandlersRaw[0], &first) != nil {
		return false
	}
	return first["handler"] == "gatehouse_strip" || first["handler"] == "gatehouse_guard"
}

// blockAtWork returns the block that the route at work consists of, nil if it is none.
func blockAtWork(ctx caddy.Context) *caddyhttp.Subroute {
	above := ctx.Modules() // the app, and what it provisions now, from the outside
	i := slices.IndexFunc(above, func(m caddy.Module) bool { _, ok := m.(*caddyhttp.App); return ok })
	if i < 0 || i+1 >= len(above) {
		return nil
	}
	block, _ := above[i+1].(*caddyhttp.Subroute)
	return block
}

// pending reports whether a route's handlers are still to be provisioned.
func pending(route caddyhttp.Route) bool { return len(route.HandlersRaw) > 0 }

// putBefore puts the Strip before the handlers of a route: first among those it is
// still to get, or before those it has. Into blocks it goes as their first route, for
// Caddy puts a block's chain together at each request. A route with another handler
// that may pass the request on is made anew, which costs it Caddy's metrics of its
// own, as long as its server's chain is not made: after that nothing helps.
func (s *Strip) putBefore(ctx caddy.Context, route *caddyhttp.Route, open bool) error {
	if slices.ContainsFunc(route.Handlers, s.is) {
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
			if h.Errors != nil {
				anew = true // they stand beside its first route, not behind it
				continue
			}
			if s.covered(h.Routes) {
				continue
			}
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
		if len(r.Handlers) == 1 && s.is(r.Handlers[0]) {
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

func namesHosts(route caddyhttp.Route) bool { return hostsOf(&route) != nil }

// hostsOf returns the matchers of a route that name hosts, nil if it is for any.
func hostsOf(route *caddyhttp.Route) []caddyhttp.RequestMatcherWithError {
	var hosts []caddyhttp.RequestMatcherWithError
	for _, set := range route.MatcherSets {
		found := false
		for _, m := range set {
			if namesOfHost(m) != nil {
				host, _ := m.(caddyhttp.RequestMatcherWithError) // both kinds are
				hosts, found = append(hosts, host), true
			}
		}
		if !found {
			return nil // this set is for any host
		}
	}
	return hosts
}

// isAnothers reports whether a route is a site without a guard that keeps its requests from
// all other routes: beside *.example.com with a guard, open.example.com may be one.
func (s *Strip) isAnothers(route *caddyhttp.Route) bool {
	if !route.Terminal {
		return false
	}
	for _, set := range route.MatcherSets {
		if slices.ContainsFunc(set, func(m any) bool { return namesOfHost(m) == nil && m != any(s) }) {
			return false
		}
	}
	names := namesOfHosts(hostsOf(route))
	guarded := func(name string) bool {
		return slices.ContainsFunc(s.sites, func(at *site) bool { return slices.Contains(namesOfHosts(at.hosts), name) })
	}
	return len(names) > 0 && !slices.ContainsFunc(names, func(name string) bool { return strings.ContainsAny(name, "*{") || guarded(name) })
}

// namesOfHosts returns what matchers name, in lower case.
func namesOfHosts(hosts []caddyhttp.RequestMatcherWithError) (names []string) {
	for _, m := range hosts {
		for _, name := range namesOfHost(m) {
			names = append(names, strings.ToLower(name))
		}
	}
	return names
}

// namesOfHost returns what a matcher names, nil if it is none of hosts.
func namesOfHost(matcher any) []string {
	switch m := matcher.(type) {
	case caddyhttp.MatchHost:
		return m
	case *caddyhttp.MatchHost:
		return *m
	}
	return nil
}
