package caddymodule

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// deepPath is Caddy's path matcher in front of a guard, with a pattern such as
// `/tenants/*/admin/*` or `/secret%20files/*`. In one with another star, or with a percent
// sign, a star at the end stops at the next slash: what is deeper would be open, unlike below
// `/admin/*`, and nobody told. Here it goes to the end of the path.
type deepPath struct {
	caddys *caddyhttp.MatchPath
	ends   []deepEnd
}

// deepEnd is a pattern whose last star would stop.
type deepEnd struct {
	pattern  caddyhttp.MatchPath // this one only
	segments int                 // of the paths that Caddy's matcher takes for it: no star goes past a slash
}

// matchDeeper makes the path matchers in front of the guard that is being provisioned deep,
// where they are not. It refuses a pattern with an empty segment, as `{$PREFIX}/admin/*` makes
// one of a prefix with a slash at its end: no target that has one gets as far as a matcher.
func matchDeeper(ctx caddy.Context, lenient bool) error {
	for _, routes := range listsAtWork(ctx) {
		for _, set := range routes[slices.IndexFunc(routes, pending)].MatcherSets {
			for i, matcher := range set {
				if empty := emptySegment(matcher); empty != "" && !lenient {
					return fmt.Errorf("no request gets to this guard by the path %s, which has an empty segment: write it with single slashes", empty)
				}
				if deep := deepPathOf(matcher); deep != nil {
					set[i] = deep
				}
			}
		}
	}
	return nil
}

// emptySegment returns the pattern of a path matcher that has an empty segment, "" if none has.
func emptySegment(matcher any) string {
	paths, ok := caddysOf(matcher).(*caddyhttp.MatchPath)
	if !ok {
		return ""
	}
	i := slices.IndexFunc(*paths, func(pattern string) bool { return strings.Contains(pattern, "//") && !strings.Contains(pattern, "{") })
	if i < 0 {
		return ""
	}
	return (*paths)[i]
}

func deepPathOf(matcher any) *deepPath {
	caddys, ok := matcher.(*caddyhttp.MatchPath)
	if !ok {
		return nil
	}
	deep := &deepPath{caddys: caddys}
	for _, pattern := range *caddys {
		text, star := strings.CutSuffix(pattern, "*")
		if star && strings.HasPrefix(text, "/") && strings.ContainsAny(text, "*%") {
			deep.ends = append(deep.ends, deepEnd{caddyhttp.MatchPath{pattern}, strings.Count(pattern, "/")})
		}
	}
	if deep.ends == nil {
		return nil
	}
	return deep
}

// MatchWithError matches what Caddy's matcher does, and what is below that.
func (m *deepPath) MatchWithError(r *http.Request) (bool, error) {
	if ok, err := m.caddys.MatchWithError(r); ok || err != nil {
		return ok, err
	}
	above := *r
	for _, end := range m.ends {
		path := firstSegments(r.URL.Path, end.segments)
		if path == r.URL.Path {
			continue
		}
		above.URL = &url.URL{Path: path}
		if ok, err := end.pattern.MatchWithError(&above); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// firstSegments is a path up to so many of its segments.
func firstSegments(path string, n int) string {
	for i := range len(path) {
		if path[i] != '/' {
			continue
		}
		if n == 0 {
			return path[:i]
		}
		n--
	}
	return path
}

var _ caddyhttp.RequestMatcherWithError = (*deepPath)(nil)
