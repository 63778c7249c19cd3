package caddymodule

import (
	"io"
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/guard"
)

// answer keeps what only the gateway may say out of the answers of what stands behind
// a guard: the names of identity headers, by which a gateway in front of this one
// would take the app's word for ours, and our own cookies. What an operator's handler
// in front of the guard says of the caller stays.
type answer struct {
	http.ResponseWriter
	names *guard.Names
	keeps http.Header // identity headers that stood there before the app was asked; mostly nil
	wrote bool
}

// answerTo looks after the answer of what comes next.
func (a *App) answerTo(w http.ResponseWriter) http.ResponseWriter {
	if _, ok := w.(*answer); ok {
		return w
	}
	wrapped := &answer{ResponseWriter: w, names: a.identityNames()}
	for name, values := range w.Header() {
		if wrapped.names.Has(name) {
			if wrapped.keeps == nil {
				wrapped.keeps = http.Header{}
			}
			wrapped.keeps[name] = values
		}
	}
	return wrapped
}

// clean takes out what the app has no business to say.
func (a *answer) clean() {
	h := a.Header()
	for name, values := range h {
		switch {
		case name == "Set-Cookie":
			cleanCookies(h, values)
		case a.names.Has(name):
			if kept, ok := a.keeps[name]; ok {
				h[name] = kept
			} else {
				delete(h, name)
			}
		}
	}
}

// cleanCookies drops our own cookies, whose names start with "gatehouse-" or with
// that after the prefix of RFC 6265bis §4.1.3.
func cleanCookies(h http.Header, values []string) {
	var kept []string
	for i, v := range values {
		name, _, _ := strings.Cut(v, "=")
		if guard.OwnCookie(name) {
			if kept == nil {
				kept = append(make([]string, 0, len(values)), values[:i]...)
			}
		} else if kept != nil {
			kept = append(kept, v)
		}
	}
	switch {
	case kept == nil:
	case len(kept) == 0:
		delete(h, "Set-Cookie")
	default:
		h["Set-Cookie"] = kept
	}
}

// WriteHeader writes the header, cleaned; an informational one may come before it.
func (a *answer) WriteHeader(status int) {
	if !a.wrote {
		a.clean()
		a.wrote = status >= http.StatusOK || status == http.StatusSwitchingProtocols
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write writes to the body, after the header.
func (a *answer) Write(p []byte) (int, error) {
	a.begin()
	return a.ResponseWriter.Write(p)
}

// ReadFrom is Write from a reader: the connection may do that without copying.
func (a *answer) ReadFrom(from io.Reader) (int64, error) {
	a.begin()
	return io.Copy(a.ResponseWriter, from)
}

// FlushError sends what was written, the header too.
func (a *answer) FlushError() error {
	a.begin()
	return http.NewResponseController(a.ResponseWriter).Flush()
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) begin() {
	if !a.wrote {
		a.WriteHeader(http.StatusOK)
	}
}

var _ io.ReaderFrom = (*answer)(nil)
