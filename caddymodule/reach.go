package caddymodule

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/fileserver"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

// reached reports the guard that is being provisioned if no request gets to it, because
// what stands in front of it answers them all: after `order guard last`, say, or written
// behind reverse_proxy in a `route` block. What it was to protect would be open, and
// nobody told. What cannot be known for sure is no fault.
func reached(ctx caddy.Context) error {
	var named answerer
	server, _ := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if server != nil {
		named.routes = server.NamedRoutes
	}
	if server != nil && !slices.ContainsFunc(server.Routes, pending) { // it stands in a named route
		if err := unreached(named.invokedBehind(server.Routes)); err != nil {
			return err
		}
	}
	for _, routes := range listsAtWork(ctx) {
		atWork := slices.IndexFunc(routes, pending)
		before := named.answersAll(routes[:atWork], &routes[atWork])
		for _, raw := range routes[atWork].HandlersRaw {
			if bytes.Contains(raw, []byte(`"gatehouse_guard"`)) {
				if err := unreached(before); err != nil {
					return err
				}
			}
			if before == "" {
				before = named.answers(handlerIn(raw))
			}
		}
	}
	return nil
}

// anotherOfGroup stands in the place of a directive's name: of a group, Caddy takes the first
// route that matches, and goes on behind the last one.
const anotherOfGroup = "another route of its group"

func unreached(by string) error {
	if by == "" {
		return nil
	}
	return fmt.Errorf("no request gets to this guard: %s in front of it answers all of them. "+
		"Leave out `order guard`, and in a `route` block write guard first", by)
}

// listsAtWork returns the lists of which a route has in it what is being provisioned, from
// the outside. A route that is not the one at work has no handlers to be provisioned before it.
func listsAtWork(ctx caddy.Context) (lists []caddyhttp.RouteList) {
	if server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); ok {
		lists = append(lists, server.Routes)
	}
	for _, above := range ctx.Modules() {
		if block, ok := above.(*caddyhttp.Subroute); ok {
			lists = append(lists, block.Routes)
		}
	}
	return slices.DeleteFunc(lists, func(routes caddyhttp.RouteList) bool { return !slices.ContainsFunc(routes, pending) })
}

// answerer knows what answers all requests, given a server's named routes.
type answerer struct{ routes map[string]*caddyhttp.Route }

// without is what is known within a named route: one that invokes itself answers nothing.
func (a answerer) without(name string) answerer {
	routes := maps.Clone(a.routes)
	delete(routes, name)
	return answerer{routes}
}

// answersAll returns the name of what answers every request for the routes, "" if there may
// be some that get past them. Where it is asked for one route, only the requests for that one
// count.
func (a answerer) answersAll(routes caddyhttp.RouteList, one *caddyhttp.Route) string {
	passed := map[string]bool{} // groups of which a route may pass a request on
	for i := range routes {
		route := &routes[i]
		all := matchesAll(route) || one != nil && matchesHostsOf(route, one)
		name := a.answering(route)
		switch {
		case name != "" && all && !passed[route.Group]:
			return name
		case one != nil && all && one.Group != "" && one.Group == route.Group && !hasGuard(route.Handlers):
			return anotherOfGroup
		}
		if name == "" && route.Group != "" {
			passed[route.Group] = true
		}
	}
	return ""
}

// answering returns the name of the handler by which a route answers what it matches.
func (a answerer) answering(route *caddyhttp.Route) string {
	for _, h := range route.Handlers {
		if name := a.answers(h); name != "" {
			return name
		}
	}
	for _, raw := range route.HandlersRaw {
		if name := a.answers(handlerIn(raw)); name != "" {
			return name
		}
	}
	return ""
}

// answers returns the directive's name of a handler that hands no request on to the next
// one, "" for all others.
func (a answerer) answers(handler any) string {
	switch h := handler.(type) {
	case *reverseproxy.Handler:
		if !slices.ContainsFunc(h.HandleResponse, a.passesOn) {
			return "reverse_proxy"
		}
	case *reverseproxy.CopyResponseHandler:
		return "copy_response"
	case *fileserver.FileServer:
		if !h.PassThru {
			return "file_server"
		}
	case *caddyhttp.StaticResponse:
		// 103 are early hints. Who is sent elsewhere gets nothing that a guard was to keep.
		if h.StatusCode != "103" && !strings.HasPrefix(string(h.StatusCode), "3") && !strings.Contains(string(h.StatusCode), "{") {
			return "respond"
		}
	case *caddyhttp.Subroute:
		if h.Errors == nil {
			return a.answersAll(h.Routes, nil)
		}
	case *caddyhttp.Invoke:
		if route := a.routes[h.Name]; route != nil && matchesAll(route) {
			return a.without(h.Name).answering(route)
		}
	}
	return ""
}

// passesOn reports whether a request may go on to the next handler when its app has answered,
// as it does in forward_auth.
func (a answerer) passesOn(answer caddyhttp.ResponseHandler) bool {
	return answer.StatusCode == "" && a.answersAll(answer.Routes, nil) == ""
}

// invokedBehind returns the name of what answers all requests in front of an invoke of a named
// route with a guard, "" if there is none.
func (a answerer) invokedBehind(routes caddyhttp.RouteList) string {
	for i := range routes {
		before := a.answersAll(routes[:i], &routes[i])
		for _, h := range routes[i].Handlers {
			if invoke, ok := h.(*caddyhttp.Invoke); ok && before != "" && a.guarded(invoke.Name) {
				return before
			}
			if block, ok := h.(*caddyhttp.Subroute); ok {
				if before != "" && a.invokesGuarded(block.Routes) {
					return before
				}
				if by := a.invokedBehind(block.Routes); by != "" {
					return by
				}
			}
			if before == "" {
				before = a.answers(h)
			}
		}
	}
	return ""
}

func (a answerer) invokesGuarded(routes caddyhttp.RouteList) bool {
	return slices.ContainsFunc(routes, func(route caddyhttp.Route) bool {
		return slices.ContainsFunc(route.Handlers, func(h caddyhttp.MiddlewareHandler) bool {
			invoke, ok := h.(*caddyhttp.Invoke)
			return ok && a.guarded(invoke.Name) || a.invokesGuarded(routesIn(h))
		})
	})
}

// guarded reports whether a named route has a guard in it.
func (a answerer) guarded(name string) bool {
	route := a.routes[name]
	if route == nil {
		return false
	}
	if slices.ContainsFunc(route.HandlersRaw, func(raw json.RawMessage) bool { return bytes.Contains(raw, []byte(`"gatehouse_guard"`)) }) {
		return true
	}
	return hasGuard(route.Handlers)
}

func hasGuard(handlers []caddyhttp.MiddlewareHandler) bool {
	return slices.ContainsFunc(handlers, func(h caddyhttp.MiddlewareHandler) bool {
		if _, ok := h.(*Guard); ok {
			return true
		}
		return slices.ContainsFunc(routesIn(h), func(r caddyhttp.Route) bool { return hasGuard(r.Handlers) })
	})
}

// handlerIn is a handler that is still to be provisioned, if it is one that may answer.
func handlerIn(raw json.RawMessage) any {
	var named struct {
		Handler string `json:"handler"`
	}
	_ = json.Unmarshal(raw, &named)
	var h any
	switch named.Handler {
	case "reverse_proxy":
		h = new(reverseproxy.Handler)
	case "copy_response":
		h = new(reverseproxy.CopyResponseHandler)
	case "file_server":
		h = new(fileserver.FileServer)
	case "static_response":
		h = new(caddyhttp.StaticResponse)
	case "subroute":
		h = new(caddyhttp.Subroute)
	case "invoke":
		h = new(caddyhttp.Invoke)
	default:
		return nil
	}
	if json.Unmarshal(raw, h) != nil {
		return nil // Caddy says so, in its turn
	}
	return h
}
