package caddymodule

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// passesNothingOn reports whether a handler hands the request to nobody but the next
// handler, nor what its header says. What is not known is taken to.
func passesNothingOn(h caddyhttp.MiddlewareHandler) bool {
	switch caddy.GetModuleID(h) {
	case "http.handlers.gatehouse", "http.handlers.gatehouse_guard":
		return true
	case "http.handlers.headers", "http.handlers.rewrite", "http.handlers.vars", "http.handlers.map", "http.handlers.encode",
		"http.handlers.request_body", "http.handlers.tracing", "http.handlers.log_append", "http.handlers.authentication",
		"http.handlers.static_response", "http.handlers.error":
		return !quotesHeader(h)
	}
	return false
}

// quotesHeader reports whether a handler's configuration has a placeholder of the request's
// header, or of its host, which comes in any case. One that stands in front of a Strip would
// carry what a client made up past it, in a variable or in the path; who asks for that later
// (`{http.vars.who}`) need not be known.
func quotesHeader(h caddyhttp.MiddlewareHandler) bool {
	return quotes(h, "{http.request.header.", "{http.request.cookie.", "{http.request.host")
}

// quotes reports whether a module's configuration has one of the words in it; what cannot be
// read is taken to.
func quotes(module any, words ...string) bool {
	text, err := json.Marshal(module)
	return err != nil || slices.ContainsFunc(words, func(word string) bool { return strings.Contains(string(text), word) })
}

// invokes reports whether one of the handlers, or one in their routes, calls a named
// route.
func invokes(handlers []caddyhttp.MiddlewareHandler) bool {
	return slices.ContainsFunc(handlers, func(h caddyhttp.MiddlewareHandler) bool {
		if _, ok := h.(*caddyhttp.Invoke); ok {
			return true
		}
		return slices.ContainsFunc(routesIn(h), func(r caddyhttp.Route) bool { return invokes(r.Handlers) })
	})
}

// routesIn returns the routes that a handler has in it, whoever's it is: those of a block,
// and those by which reverse_proxy, intercept and the like answer in an app's place.
func routesIn(h caddyhttp.MiddlewareHandler) (routes caddyhttp.RouteList) {
	v := reflect.Indirect(reflect.ValueOf(h))
	if v.Kind() != reflect.Struct {
		return nil
	}
	for i := range v.NumField() {
		if !v.Type().Field(i).IsExported() {
			continue
		}
		switch found := v.Field(i).Interface().(type) {
		case caddyhttp.RouteList:
			routes = append(routes, found...)
		case []caddyhttp.ResponseHandler:
			for _, answer := range found {
				routes = append(routes, answer.Routes...)
			}
		}
	}
	return routes
}
