package pakt

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/wire"
)

const (
	// corsHeaders are the request headers of the original's clients.
	corsHeaders = "Authorization, Content-Type, X-Api-Key, X-Pkt-Sdk-Version, X-Pkt-Sdk-Product, X-Pkt-Testnet, X-Pkt-Sdk-Retry"
	// corsMaxAge is how long a browser may go by a preflight, in seconds.
	corsMaxAge = "600"
)

// route is a path with its one method, and preflights where pages of other origins
// may call (Fetch Standard §3.3).
func (d *Dialect) route(path, method string, handle http.HandlerFunc) wire.Route {
	if len(d.origins) == 0 {
		return wire.Route{Path: path, Methods: []string{method}, Handle: handle}
	}
	return wire.Route{Path: path, Methods: []string{method, http.MethodOptions}, Handle: func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodOptions {
			d.preflight(w, r, method)
			return
		}
		handle(w, r)
	}}
}

// allowOrigin lets the page that calls read the answer, if its origin is one of those
// that may. Others get no such field, and never is it *.
func (d *Dialect) allowOrigin(h http.Header, r *http.Request) {
	if len(d.origins) == 0 {
		return
	}
	h.Add("Vary", "Origin")
	if origin, ok := d.origin(r); ok {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Credentials", "true")
		h.Set("Access-Control-Expose-Headers", "Retry-After")
	}
}

// origin is the origin of the page that calls, if it may.
func (d *Dialect) origin(r *http.Request) (string, bool) {
	fields := r.Header["Origin"]
	if len(fields) != 1 || !d.origins[fields[0]] {
		return "", false
	}
	return fields[0], true
}

// preflight says what a page that may call can send.
func (d *Dialect) preflight(w http.ResponseWriter, r *http.Request, method string) {
	h := w.Header()
	wire.NoStore(h)
	h.Set("Allow", method+", "+http.MethodOptions)
	if _, ok := d.origin(r); ok {
		h.Set("Access-Control-Allow-Methods", method)
		h.Set("Access-Control-Allow-Headers", corsHeaders)
		h.Set("Access-Control-Max-Age", corsMaxAge)
	}
	w.WriteHeader(http.StatusNoContent)
}
