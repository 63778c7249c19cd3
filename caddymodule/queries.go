package caddymodule

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/internal/guard"
)

// queryRefused is how a request is refused on a site where the query decides whom a guard
// gets to see, if its query cannot be parsed; nil otherwise. To Caddy's matchers and
// placeholders such a query has nothing in it, or less, and to many apps all that it says.
func (at *site) queryRefused(r *http.Request) *guard.Refusal {
	if !at.queried {
		return nil
	}
	if _, err := url.ParseQuery(r.URL.RawQuery); err == nil {
		return nil
	}
	return guard.RefuseTarget("the query must not have semicolons, nor a percent sign without two digits, nor too many parameters")
}

// queried reports whether what the query says decides whether a request gets to the guard
// that is being provisioned.
func queried(ctx caddy.Context) bool {
	for _, routes := range listsAtWork(ctx) {
		atWork := slices.IndexFunc(routes, pending)
		for _, route := range routes[:atWork+1] {
			if slices.ContainsFunc(route.MatcherSets, setReadsQuery) || slices.ContainsFunc(route.HandlersRaw, keepsQuery) {
				return true
			}
			if slices.ContainsFunc(route.Handlers, func(h caddyhttp.MiddlewareHandler) bool { return keepsQuery(rawOf(h)) }) {
				return true
			}
		}
	}
	return false
}

func setReadsQuery(set caddyhttp.MatcherSet) bool { return slices.ContainsFunc(set, readsQuery) }

// readsQuery reports whether a matcher may look at the query, be it by a placeholder.
func readsQuery(matcher any) bool {
	switch m := matcher.(type) {
	case *plainPath, *Strip, *stripFirst:
		return false
	case *deepPath:
		return readsQuery(m.caddys)
	case *caddyhttp.MatchNot:
		return slices.ContainsFunc(m.MatcherSets, setReadsQuery)
	case *caddyhttp.MatchQuery:
		return true
	case *caddyhttp.MatchExpression:
		return strings.Contains(m.Expr, "query")
	}
	text, err := json.Marshal(matcher)
	return err != nil || bytes.Contains(text, []byte("{http.request.uri.query"))
}

// keepsQuery reports whether a handler puts what the query says where a matcher may look for
// it: into a variable.
func keepsQuery(raw json.RawMessage) bool {
	return bytes.Contains(raw, []byte("{http.request.uri.query")) &&
		(bytes.Contains(raw, []byte(`"handler":"map"`)) || bytes.Contains(raw, []byte(`"handler":"vars"`)))
}

// rawOf is a handler as its configuration has it, empty if it is none that keeps anything.
func rawOf(h caddyhttp.MiddlewareHandler) json.RawMessage {
	id := caddy.GetModuleID(h)
	if id != "http.handlers.map" && id != "http.handlers.vars" {
		return nil
	}
	text, err := json.Marshal(h)
	if err != nil {
		return nil
	}
	return append(text, `"handler":"`+caddy.ModuleID(id).Name()+`"`...)
}
