package caddymodule

import (
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/internal/guard"
)

// lookFirst has a route's matchers see a request as upgrade leaves it, and those that may
// look at its header as stripping leaves it: a guard's own matcher must not be talked round
// by a field that no handler gets to see.
func (s *Strip) lookFirst(route *caddyhttp.Route) {
	for i, set := range route.MatcherSets {
		if slices.ContainsFunc(set, s.looks) {
			continue
		}
		var first caddyhttp.MatcherSet
		for at, matcher := range set {
			if plain := plainPathOf(s, matcher); plain != nil {
				first, set = append(first, plain), slices.Delete(slices.Clone(set), at, at+1)
				break
			}
		}
		switch {
		case slices.ContainsFunc(set, readsHeader):
			first = append(first, &stripFirst{s})
		case first == nil:
			first = append(first, s)
		}
		route.MatcherSets[i] = append(first, set...)
	}
}

// looks reports whether a matcher is, or has in it, this one.
func (s *Strip) looks(matcher any) bool {
	switch m := matcher.(type) {
	case *plainPath:
		return m.upgrades == s
	case *stripFirst:
		return m.strip == s
	}
	return matcher == any(s)
}

// MatchWithError is for the matchers behind it: it matches whatever comes.
func (s *Strip) MatchWithError(r *http.Request) (bool, error) {
	if guard.ConnectsWebSocket(r) && s.siteOf(r) != nil {
		upgrade(r)
	}
	return true, nil
}

// stripFirst is a Strip in front of matchers that may look at the header. Like it, it
// matches whatever comes.
type stripFirst struct{ strip *Strip }

// MatchWithError strips what comes for the Strip's sites. There is no writer to make an
// exchange of yet: the first handler finds what was stripped among Caddy's variables.
func (m *stripFirst) MatchWithError(r *http.Request) (bool, error) {
	if m.strip.siteOf(r) == nil {
		return true, nil
	}
	upgrade(r)
	st, vars := requestIn(nil, r)
	if st == nil {
		st = &guard.Request{ClientIP: clientIP}
		if vars == nil {
			return true, nil // no request of Caddy's
		}
		vars[requestVar] = st
	}
	m.strip.app.strip(r, st)
	return true, nil
}

// readsHeader reports whether a matcher may look at a request's header, be it by a
// placeholder. What is not known is taken to.
func readsHeader(matcher any) bool {
	placeholder := func(s string) bool { return strings.Contains(s, "{") }
	switch m := caddysOf(matcher).(type) {
	case *Strip, *stripFirst:
		return false
	case *caddyhttp.MatchPath:
		return slices.ContainsFunc(*m, placeholder)
	case *caddyhttp.MatchNot:
		return slices.ContainsFunc(m.MatcherSets, func(set caddyhttp.MatcherSet) bool { return slices.ContainsFunc(set, readsHeader) })
	}
	if hosts := namesOfHost(matcher); hosts != nil {
		return slices.ContainsFunc(hosts, placeholder)
	}
	switch caddy.GetModuleID(matcher) {
	case "http.matchers.method", "http.matchers.path_regexp", "http.matchers.protocol",
		"http.matchers.remote_ip", "http.matchers.client_ip":
		return false
	}
	return true
}

// caddysOf is the matcher of Caddy's for which one of our path matchers stands, any other as
// it is.
func caddysOf(matcher any) any {
	switch m := matcher.(type) {
	case *plainPath:
		return m.caddys
	case *deepPath:
		return m.caddys
	}
	return matcher
}

var (
	_ caddyhttp.RequestMatcherWithError = (*Strip)(nil)
	_ caddyhttp.RequestMatcherWithError = (*stripFirst)(nil)
)
