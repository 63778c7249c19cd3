package caddymodule

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// matchesAll reports whether a route takes every request: it has no matcher, or one of all
// paths, as `/*` is. (OPTIONS of `*` goes past that one, and no app has more to say to it than
// which methods it knows.)
func matchesAll(route *caddyhttp.Route) bool {
	if len(route.MatcherSets)+len(route.MatcherSetsRaw) == 0 {
		return true
	}
	return slices.ContainsFunc(route.MatcherSets, func(set caddyhttp.MatcherSet) bool { return !slices.ContainsFunc(set, picks) }) ||
		slices.ContainsFunc(route.MatcherSetsRaw, func(set caddy.ModuleMap) bool {
			var paths []string
			return len(set) == 1 && json.Unmarshal(set["path"], &paths) == nil && slices.ContainsFunc(paths, isEveryPath)
		})
}

// picks reports whether a matcher may leave some requests out.
func picks(matcher any) bool {
	switch m := caddysOf(matcher).(type) {
	case *Strip, *stripFirst:
		return false
	case *caddyhttp.MatchPath:
		return !slices.ContainsFunc(*m, isEveryPath)
	}
	return true
}

func isEveryPath(pattern string) bool { return pattern == "*" || pattern == "/*" }

// matchesHostsOf reports whether a route takes every request that another one would: it goes
// by the host only, and has all of the other's hosts.
func matchesHostsOf(route, other *caddyhttp.Route) bool {
	theirs := namesOfHosts(hostsOf(other))
	if len(theirs) == 0 {
		return false
	}
	return slices.ContainsFunc(route.MatcherSets, func(set caddyhttp.MatcherSet) bool {
		var names []string
		for _, m := range set {
			if hosts := namesOfHost(m); hosts != nil && names == nil {
				for _, name := range hosts {
					names = append(names, strings.ToLower(name))
				}
			} else if picks(m) {
				return false
			}
		}
		return !slices.ContainsFunc(theirs, func(name string) bool { return !slices.Contains(names, name) })
	})
}
