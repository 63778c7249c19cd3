package caddymodule

import (
	"bytes"
	"encoding/json"
	"fmt"
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
	var lists []caddyhttp.RouteList // whose routes are being provisioned, or may be
	if server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); ok {
		lists = append(lists, server.Routes)
	}
	for _, above := range ctx.Modules() {
		if block, ok := above.(*caddyhttp.Subroute); ok {
			lists = append(lists, block.Routes)
		}
	}
	for _, routes := range lists {
		atWork := slices.IndexFunc(routes, pending)
		if atWork < 0 {
			continue
		}
		before := answersAll(routes[:atWork])
		for _, raw := range routes[atWork].HandlersRaw {
			if before != "" && bytes.Contains(raw, []byte(`"gatehouse_guard"`)) {
				return fmt.Errorf("no request gets to this guard: %s in front of it answers all of them. "+
					"Leave out `order guard`, and in a `route` block write guard first", before)
			}
			if before == "" {
				before = answers(handlerIn(raw))
			}
		}
	}
	return nil
}

// answersAll returns the name of what answers every request for the routes, "" if there may
// be some that get past them.
func answersAll(routes caddyhttp.RouteList) string {
	passed := map[string]bool{} // groups of which a route may pass a request on
	for _, route := range routes {
		name := answering(route)
		if name != "" && len(route.MatcherSets)+len(route.MatcherSetsRaw) == 0 && !passed[route.Group] {
			return name
		}
		if name == "" && route.Group != "" {
			passed[route.Group] = true
		}
	}
	return ""
}

// answering returns the name of the handler by which a route answers what it matches.
func answering(route caddyhttp.Route) string {
	for _, h := range route.Handlers {
		if name := answers(h); name != "" {
			return name
		}
	}
	for _, raw := range route.HandlersRaw {
		if name := answers(handlerIn(raw)); name != "" {
			return name
		}
	}
	return ""
}

// answers returns the directive's name of a handler that hands no request on to the next
// one, "" for all others.
func answers(handler any) string {
	switch h := handler.(type) {
	case *reverseproxy.Handler:
		if !slices.ContainsFunc(h.HandleResponse, passesOn) {
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
			return answersAll(h.Routes)
		}
	}
	return ""
}

// passesOn reports whether a request may go on to the next handler when its app has answered,
// as it does in forward_auth.
func passesOn(answer caddyhttp.ResponseHandler) bool {
	return answer.StatusCode == "" && answersAll(answer.Routes) == ""
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
	default:
		return nil
	}
	if json.Unmarshal(raw, h) != nil {
		return nil // Caddy says so, in its turn
	}
	return h
}
