package caddymodule

import (
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// plainPath is Caddy's path matcher in a route of a guarded site. For every pattern Caddy
// folds the case of the path and cleans it, which changes nothing of a plain path, as nearly
// all are: such a one is only compared. Whatever else there is, Caddy's matcher judges.
type plainPath struct {
	upgrades *Strip // see lookFirst
	caddys   caddyhttp.RequestMatcherWithError
	patterns []plainPattern
}

// plainPattern is a pattern that means itself, but for a star at its end.
type plainPattern struct {
	text   string
	prefix bool // there was a star
}

// plainPathOf makes a set's path matcher one, nil where there is none, or not with patterns
// of that sort only. Caddy has brought them into lower case.
func plainPathOf(upgrades *Strip, matcher any) *plainPath {
	caddys, ok := matcher.(*caddyhttp.MatchPath)
	if !ok {
		return nil
	}
	m := &plainPath{upgrades: upgrades, caddys: caddys}
	for _, text := range *caddys {
		text, prefix := strings.CutSuffix(text, "*")
		if !strings.HasPrefix(text, "/") || strings.Contains(text, "//") || strings.ContainsAny(text, `*?[\{%`) {
			return nil
		}
		m.patterns = append(m.patterns, plainPattern{text, prefix})
	}
	return m
}

// MatchWithError is that of Caddy's matcher, after upgrade.
func (m *plainPath) MatchWithError(r *http.Request) (bool, error) {
	if r.Method == http.MethodConnect {
		if ok, err := m.upgrades.MatchWithError(r); !ok || err != nil {
			return ok, err
		}
	}
	if !isPlainPath(r.URL.Path) {
		return m.caddys.MatchWithError(r)
	}
	return slices.ContainsFunc(m.patterns, func(p plainPattern) bool {
		rest, ok := strings.CutPrefix(r.URL.Path, p.text)
		return ok && (p.prefix || rest == "")
	}), nil
}

// isPlainPath reports whether a path has but names of small letters, digits, "-" and "_" in
// it, with single slashes between them and single dots within.
func isPlainPath(path string) bool {
	if path == "" || path[0] != '/' {
		return false
	}
	named := false // the last byte was part of a name
	for i := 1; i < len(path); i++ {
		switch c := path[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
			named = true
		case !named, c != '/' && c != '.':
			return false
		default:
			named = false
		}
	}
	return named || path[len(path)-1] == '/'
}

var _ caddyhttp.RequestMatcherWithError = (*plainPath)(nil)
