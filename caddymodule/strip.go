package caddymodule

import (
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/internal/gatehouse"
	"github.com/gatehouse-auth/gatehouse/internal/guard"
)

// Strip is the handler that takes identity headers off every request of a site
// with a guard, whichever path it goes to. The directive guard adds it where the guard
// has a matcher: one without meets every request itself.
//
// In front of a site it also refuses the methods and targets that some upstream may read
// as others: a matcher before a guard, or beside it, could be talked round by one.
// Beside a guard it judges the target again, since a rewrite may have put something of the
// client's into the path. Where a guard of the site says lenient_paths, each guard
// judges targets for itself.
type Strip struct {
	app   *App
	first bool    // it stands in front of its sites, and beside no guard
	only  bool    // it judges no target: it stands in front of what answers errors
	at    *site   // whose request it is; nil: one of sites whose hosts match, or nobody's
	sites []*site // of those in front
}

// CaddyModule returns the module's id.
func (Strip) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.gatehouse_strip", New: func() caddy.Module { return new(Strip) }}
}

// Provision finds the app and the site.
func (s *Strip) Provision(ctx caddy.Context) (err error) {
	if s.app, err = appOf(ctx); err == nil {
		s.at = siteAtWork(ctx, s.app)
	}
	return err
}

// ServeHTTP strips, once per request, and goes on.
func (s *Strip) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	at := s.siteOf(r)
	if at == nil {
		return next.ServeHTTP(w, r)
	}
	handed, st := s.app.exchangeOf(w, r)
	s.app.strip(r, st)
	showUser(r, st)
	if s.only { // an error is answered whatever the target is, and by the server's own writer
		handed = tunnelled(handed, r)
	} else {
		at.judge(st)
		if at.guarded && guard.AmbiguousMethod(r.Method) {
			return s.refuse(w, r, st, guard.RefuseMethod(r.Method))
		}
		if why := st.Rewritten(r); why != "" {
			return s.refuse(w, r, st, guard.RefuseTarget(why))
		}
	}
	much := ofIdentity
	if s.first { // of blocks without a guard, too: what these say of the caller is their business
		much = ofCookies
	}
	handed, own, before := s.app.answerTo(handed, st, much)
	err := next.ServeHTTP(handed, r)
	own.ended(before)
	return err
}

// refuse answers a request whose method or target is ambiguous.
func (s *Strip) refuse(w http.ResponseWriter, r *http.Request, st *guard.Request, refusal *guard.Refusal) error {
	st.DropCredential(r.Header)
	if run, err := s.app.lease.enter(); err == nil {
		run.Serving()
		run.Refused(refusal, func() gatehouse.Caller { return callerOf(r) })
		run.leave()
	}
	return refused(w, r, refusal)
}

// strip strips a request and judges its target as it came. Where a site has no host, a
// rewrite may stand before every handler of ours: Caddy keeps what it was made of.
func (a *App) strip(r *http.Request, st *guard.Request) {
	if st.Stripped() { // by a handler further out, or in front of a matcher
		return
	}
	if came, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok && came.URL != nil {
		st.Arrive(r, came.Method, came.RequestURI, came.URL)
	}
	a.identityNames().Strip(r, st)
}

// siteOf returns the site that the request is for, nil if it is another one's. Of the
// sites with hosts the first one that matches decides, as in Caddy. In doubt it is one.
func (s *Strip) siteOf(r *http.Request) *site {
	if s.at != nil {
		return s.at
	}
	for _, at := range s.sites {
		if slices.ContainsFunc(at.hosts, func(m caddyhttp.RequestMatcherWithError) bool {
			ok, err := m.MatchWithError(r)
			return ok || err != nil
		}) {
			return at
		}
	}
	return nil
}

var (
	_ caddy.Provisioner           = (*Strip)(nil)
	_ caddyhttp.MiddlewareHandler = (*Strip)(nil)
)
