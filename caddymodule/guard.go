package caddymodule

import (
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/gatehouse"
	"github.com/gatehouse-auth/gatehouse/internal/guard"
)

// Guard is the handler that lets only the right requests through to the next one.
type Guard struct {
	config.Guard

	app   *App
	index int
	at    *site // where it stands
}

// CaddyModule returns the module's id.
func (Guard) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.gatehouse_guard", New: func() caddy.Module { return new(Guard) }}
}

// Provision checks the rule against the app and registers it there. It refuses a guard that
// no request gets to.
func (g *Guard) Provision(ctx caddy.Context) (err error) {
	if g.app, err = appOf(ctx); err != nil {
		return err
	}
	if g.index, err = g.app.addGuard(g.Guard); err != nil {
		return err
	}
	if err := reached(ctx); err != nil {
		return err
	}
	if err := matchDeeper(ctx, g.LenientPaths); err != nil {
		return err
	}
	g.at = siteAtWork(ctx, g.app)
	return stripSite(ctx, g.app, g.LenientPaths)
}

// ServeHTTP judges the request. A refusal goes up as an error, so that the site's
// handle_errors can answer it.
func (g *Guard) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	w, st := g.app.exchangeOf(w, r)
	g.app.strip(r, st)
	g.at.judge(st)
	showUser(r, st)
	refusal, err := g.check(r, st)
	if err != nil {
		return unavailable(w, r, err)
	}
	if refusal != nil {
		return refused(w, r, refusal)
	}
	w, own, before := g.app.answerTo(w, st, ofIdentity)
	if st.Unjudged() {
		headerOnly(w)
	}
	err = next.ServeHTTP(w, r)
	own.ended(before)
	return err
}

func (g *Guard) check(r *http.Request, st *guard.Request) (*guard.Refusal, error) {
	run, err := g.app.lease.enter()
	if err != nil {
		return nil, err
	}
	defer run.leave()
	run.Serving()
	refusal := run.Guard(g.index).Check(r, st)
	if refusal != nil {
		run.Refused(refusal, func() gatehouse.Caller { return callerOf(r) })
	}
	return refusal, nil
}

const userPrefix = "http.auth.user."

// showUser makes {http.auth.user.id} and {http.auth.user.<claim>} answer from the
// principal, also where no guard has met the request or one has refused it: what nobody
// answers stays in an operator's header as it is written there, and an app would take it for
// somebody's name. Nothing is computed until somebody asks.
func showUser(r *http.Request, st *guard.Request) {
	if st.Shown {
		return
	}
	st.Shown = true
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return
	}
	repl.Map(func(key string) (any, bool) {
		claim, ours := strings.CutPrefix(key, userPrefix)
		if !ours {
			return nil, false
		}
		// A caller without identity has an empty one.
		p, known := st.Principal()
		if !known {
			return "", true
		}
		if claim == "id" {
			return st.ID(p), true
		}
		value, _ := guard.Claim(p, claim)
		return value, true
	})
}

var (
	_ caddy.Provisioner           = (*Guard)(nil)
	_ caddyhttp.MiddlewareHandler = (*Guard)(nil)
)
