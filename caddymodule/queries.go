package caddymodule

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// ofQuery begins the placeholders of a request's query.
const ofQuery = "{http.request.uri.query"

// queried reports whether what the query says decides whether a request gets to the guard
// that is being provisioned.
func queried(ctx caddy.Context) bool {
	for _, routes := range listsAtWork(ctx) {
		atWork := slices.IndexFunc(routes, pending)
		for _, route := range routes[:atWork+1] {
			if slices.ContainsFunc(route.MatcherSets, setReadsQuery) || slices.ContainsFunc(route.HandlersRaw, rawKeepsQuery) ||
				slices.ContainsFunc(route.Handlers, func(h caddyhttp.MiddlewareHandler) bool { return keepsQuery(h, false) }) {
				return true
			}
		}
	}
	return false
}

func setReadsQuery(set caddyhttp.MatcherSet) bool { return slices.ContainsFunc(set, readsQuery) }

// readsQuery reports whether a matcher may look at the query, be it by a placeholder.
func readsQuery(matcher any) bool {
	switch m := caddysOf(matcher).(type) {
	case *Strip, *stripFirst:
		return false
	case *caddyhttp.MatchNot:
		return slices.ContainsFunc(m.MatcherSets, setReadsQuery)
	case *caddyhttp.MatchQuery:
		return true
	case *caddyhttp.MatchExpression:
		return strings.Contains(m.Expr, "query")
	default:
		return quotes(m, ofQuery)
	}
}

// keepsQuery reports whether a handler, or one in its routes, puts what the query says where a
// matcher may look for it: into a variable. decided says that its route goes by the query.
func keepsQuery(h caddyhttp.MiddlewareHandler, decided bool) bool {
	switch caddy.GetModuleID(h) {
	case "http.handlers.map", "http.handlers.vars":
		return decided || quotes(h, ofQuery)
	}
	return slices.ContainsFunc(routesIn(h), func(route caddyhttp.Route) bool {
		decided := decided || slices.ContainsFunc(route.MatcherSets, setReadsQuery)
		return slices.ContainsFunc(route.Handlers, func(h caddyhttp.MiddlewareHandler) bool { return keepsQuery(h, decided) })
	})
}

// rawKeepsQuery is keepsQuery of a handler that is still to be provisioned.
func rawKeepsQuery(raw json.RawMessage) bool {
	text := string(raw)
	return strings.Contains(text, ofQuery) && (strings.Contains(text, `"handler":"map"`) || strings.Contains(text, `"handler":"vars"`))
}
