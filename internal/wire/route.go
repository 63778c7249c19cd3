package wire

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Route is one path of a dialect.
type Route struct {
	// Path is the whole path, exactly as it must be asked for.
	Path string
	// Methods are those it takes. HEAD comes with GET.
	Methods []string
	// Handle answers.
	Handle http.HandlerFunc
}

// Mux finds the route of a request. It is made once and never changes.
type Mux struct {
	routes      map[string]entry
	wrongMethod http.HandlerFunc
}

type entry struct {
	Route
	allow string // value of the Allow field
}

// NewMux makes a table of the routes. wrongMethod answers a method that a path
// does not take; Allow is already set then, the status is its to write. It is an
// error if a path stands there twice.
func NewMux(routes []Route, wrongMethod http.HandlerFunc) (*Mux, error) {
	m := &Mux{routes: make(map[string]entry, len(routes)), wrongMethod: wrongMethod}
	for _, route := range routes {
		if _, twice := m.routes[route.Path]; twice {
			return nil, fmt.Errorf("two routes have the path %s", route.Path)
		}
		methods := slices.Clone(route.Methods)
		if slices.Contains(methods, http.MethodGet) && !slices.Contains(methods, http.MethodHead) {
			methods = append(methods, http.MethodHead)
		}
		route.Methods = methods
		m.routes[route.Path] = entry{route, strings.Join(methods, ", ")}
	}
	return m, nil
}

// Find returns what answers the request, or nil if its path is not in the table or
// not sent in its plain spelling. It reads nothing but the method and the path.
func (m *Mux) Find(r *http.Request) http.HandlerFunc {
	if !Plain(r) {
		return nil
	}
	return m.FindKey(r.URL.Path, r.Method)
}

// FindKey is Find in a table whose keys are not paths alone.
func (m *Mux) FindKey(key, method string) http.HandlerFunc {
	found, ok := m.routes[key]
	switch {
	case !ok:
		return nil
	case slices.Contains(found.Methods, method):
		return found.Handle
	}
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", found.allow) // RFC 9110 §15.5.6
		m.wrongMethod(w, r)
	}
}

// Plain reports whether the path was sent in its one plain spelling. An encoded
// spelling is another path to whoever stands before or behind us, so it is none
// of ours.
func Plain(r *http.Request) bool { return r.URL.EscapedPath() == r.URL.Path }

// Call is a route's handler: decode, one verb of the authority, encode. decode
// and encode leave the answer unwritten when they return an error; fail then
// writes it.
func Call[Q, A any](
	decode func(*http.Request) (Q, error),
	verb func(context.Context, Q) (A, error),
	encode func(http.ResponseWriter, A) error,
	fail func(http.ResponseWriter, *http.Request, error),
) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q, err := decode(r)
		if err != nil {
			fail(w, r, err)
			return
		}
		a, err := verb(r.Context(), q)
		if err == nil {
			err = encode(w, a)
		}
		if err != nil {
			fail(w, r, err)
		}
	}
}
