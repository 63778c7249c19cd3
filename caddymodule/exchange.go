package caddymodule

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/internal/guard"
)

// exchange is one request and its answer, as far as our handlers are concerned. The
// first of them to meet the request makes it and hands it on in the place of the
// writer: those behind it find there what they share without looking for it in the
// request's context. It is one allocation.
type exchange struct {
	answer
	request guard.Request
	of      *url.URL // whose request it is: handlers may change what this points to
}

// Format tells nothing: the request holds a credential.
func (*exchange) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "exchange(redacted)") }

// exchangeIn returns the exchange that is the writer, nil if there is none of this
// request: a handler may have begun another request with its writer.
func exchangeIn(w http.ResponseWriter, r *http.Request) *exchange {
	if x, ok := w.(*exchange); ok && x.of == r.URL {
		return x
	}
	return nil
}

// answer keeps what only the gateway may say out of the answers of what stands behind
// a guard: the names of identity headers, by which a gateway in front of this one
// would take the app's word for ours, and our own cookies, these on the rest of a guarded
// site as well. What an operator's handler in front of the guard says of the caller stays.
type answer struct {
	http.ResponseWriter
	st    *guard.Request // whose answer it is
	names *guard.Names
	keeps http.Header // identity headers that stood there before the app was asked; mostly nil
	care  care        // of what is asked now
	wrote bool
	mute  bool // the header is all that the client gets
}

// care says what is kept out of an answer. More of it keeps out what less does, too.
type care uint8

const (
	careless   care = iota // nothing
	ofCookies              // our cookies: it comes from a guarded site
	ofIdentity             // identity headers: it comes from behind a guard, or from beside one
)

// requestVar is Caddy's variable in which a request's handlers find what they share,
// when somebody else's writer stands between them and the exchange.
const requestVar = "gatehouse.request"

// exchangeOf returns what our handlers share about this request, and the writer to
// hand on.
func (a *App) exchangeOf(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, *guard.Request) {
	upgrade(r)
	st, vars := requestIn(w, r)
	if st != nil {
		if !st.Met { // by matchers only
			st.Met, w = true, tunnelled(w, r)
		}
		return w, st
	}
	x := &exchange{answer: answer{ResponseWriter: tunnelled(w, r), names: a.identityNames()}, of: r.URL}
	x.st, x.request.ClientIP, x.request.Met = &x.request, clientIP, true
	if vars != nil { // otherwise no request of Caddy's: nobody shares it
		vars[requestVar] = &x.request // not the exchange: whoever prints the variable learns nothing
	}
	return x, &x.request
}

// requestIn returns what our handlers share about this request, nil if none of them has
// met it yet, and where else to look for it: Caddy's variables.
func requestIn(w http.ResponseWriter, r *http.Request) (*guard.Request, map[string]any) {
	if x := exchangeIn(w, r); x != nil {
		return &x.request, nil
	}
	vars, _ := r.Context().Value(caddyhttp.VarsCtxKey).(map[string]any)
	st, _ := vars[requestVar].(*guard.Request)
	return st, vars
}

// clientIP is the client's address as Caddy judges it: forwarded ones count from
// trusted proxies only.
func clientIP(r *http.Request) string {
	ip, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	return ip
}

// answerTo looks after the answer of what comes next with so much care. Whoever is told
// that it is his calls ended afterwards, with the care that was taken before; otherwise
// somebody further out takes as much.
func (a *App) answerTo(w http.ResponseWriter, st *guard.Request, much care) (to http.ResponseWriter, own *answer, before care) {
	switch known := w.(type) {
	case *exchange:
		to, own = w, &known.answer
	case *answer:
		to, own = w, known
	default:
		own = &answer{ResponseWriter: w, st: st, names: a.identityNames()}
		to = own
	}
	if before = own.care; before >= much {
		return to, nil, before
	}
	own.look(much)
	return to, own, before
}

// headerOnly keeps the body of an answer that is looked after back.
func headerOnly(w http.ResponseWriter) {
	switch of := w.(type) {
	case *exchange:
		of.mute = true
	case *answer:
		of.mute = true
	}
}

// look has the answer cleaned from now on, of all identity but what stands there already.
func (a *answer) look(much care) {
	a.care, a.keeps = much, nil
	if h := a.Header(); much == ofIdentity && !onlyServers(h) {
		a.keep(h)
	}
}

// keep remembers the identity headers that stand there.
func (a *answer) keep(h http.Header) {
	for name, values := range h {
		if a.names.Has(name) {
			if a.keeps == nil {
				a.keeps = http.Header{}
			}
			a.keeps[name] = values
		}
	}
}

// onlyServers reports whether a header has nothing but what Caddy's server puts there
// before any handler: so it is nearly always, and asking is cheaper than walking it.
func onlyServers(h http.Header) bool {
	n := len(h)
	for _, name := range [...]string{"Server", "Alt-Svc"} {
		if n == 0 {
			break
		}
		if _, ok := h[name]; ok {
			n--
		}
	}
	return n == 0
}

// clean takes out what the app has no business to say, of its trailers too: those that
// were not announced stand among the header's fields with a prefix.
func (a *answer) clean() {
	h := a.Header()
	switch {
	case a.st.Own != nil && a.st.Own.Now:
		return
	case a.care < ofIdentity:
		guard.StripSetCookies(h, a.st.Own)
		delete(h, http.TrailerPrefix+"Set-Cookie")
		return
	}
	for name := range h {
		field, trailer := strings.CutPrefix(name, http.TrailerPrefix)
		switch {
		case name == "Set-Cookie":
			guard.StripSetCookies(h, a.st.Own)
		case trailer && (a.mute || strings.EqualFold(field, "Set-Cookie")):
			delete(h, name)
		case a.names.Has(field):
			if kept, ok := a.keeps[name]; ok {
				h[name] = kept
			} else {
				delete(h, name)
			}
		}
	}
}

// WriteHeader writes the header, cleaned; an informational one may come before it.
func (a *answer) WriteHeader(status int) {
	if a.wrote || a.care == careless {
		a.wrote = a.wrote || final(status)
		a.ResponseWriter.WriteHeader(status)
		return
	}
	a.clean()
	a.wrote = final(status)
	h := a.Header()
	if a.mute && a.wrote {
		delete(h, "Content-Length")
		delete(h, "Content-Encoding")
		delete(h, "Trailer") // what is not announced is not sent
	}
	n := len(h)
	a.ResponseWriter.WriteHeader(status)
	if a.care == ofIdentity && len(h) != n {
		a.keep(h) // an operator's handler in front of the guard has had its say just now
	}
}

func final(status int) bool {
	return status >= http.StatusOK || status == http.StatusSwitchingProtocols
}

// Write writes to the body, after the header.
func (a *answer) Write(p []byte) (int, error) {
	a.begin()
	if a.mute {
		return len(p), nil
	}
	return a.ResponseWriter.Write(p)
}

// ReadFrom is Write from a reader: the connection may do that without copying.
func (a *answer) ReadFrom(from io.Reader) (int64, error) {
	a.begin()
	if a.mute {
		return io.Copy(io.Discard, from)
	}
	return io.Copy(a.ResponseWriter, from)
}

// FlushError sends what was written, the header too.
func (a *answer) FlushError() error {
	a.begin()
	return http.NewResponseController(a.ResponseWriter).Flush()
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// ended sees to an answer once its handlers have: to a header that is still to be
// written, by the server or by somebody who held it back, and to the trailers, which
// have come by now.
func (a *answer) ended(before care) {
	if a != nil {
		a.clean()
		a.care = before
	}
}

// Push is HTTP/2's server push, where there is such a thing.
func (a *answer) Push(target string, options *http.PushOptions) error {
	if pusher, ok := a.ResponseWriter.(http.Pusher); ok {
		return pusher.Push(target, options)
	}
	return http.ErrNotSupported
}

func (a *answer) begin() {
	if !a.wrote {
		a.WriteHeader(http.StatusOK)
	}
}

var (
	_ io.ReaderFrom = (*answer)(nil)
	_ http.Pusher   = (*answer)(nil)
)
