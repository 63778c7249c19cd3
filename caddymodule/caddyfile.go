package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/guard"
)

// appName is the app's key in Caddy's JSON and its global option.
const appName = "gatehouse"

// registerCaddyfile makes the global option and the directives known. Both
// directives stand before basic_auth; each later one is put right before it, so
// gatehouse stands before guard.
func registerCaddyfile() {
	httpcaddyfile.RegisterGlobalOption("gatehouse", parseApp)
	httpcaddyfile.RegisterDirective("gatehouse", parseEndpoints)
	httpcaddyfile.RegisterDirective("guard", parseGuard)
	httpcaddyfile.RegisterDirective("gatehouse_verify", parseVerify)
	httpcaddyfile.RegisterDirectiveOrder("gatehouse", httpcaddyfile.Before, "basic_auth")
	httpcaddyfile.RegisterDirectiveOrder("guard", httpcaddyfile.Before, "basic_auth")
}

// parseEndpoints reads the directive `gatehouse [<matcher>]`.
func parseEndpoints(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	matcher, err := matcherOf(h)
	if err != nil {
		return nil, err
	}
	var e Endpoints
	p, err := e.readCaddyfile(h.Dispenser)
	if err != nil {
		return nil, err
	}
	cfg, err := appConfig(h, p)
	if err != nil {
		return nil, err
	}
	if err := p.report(e.Validate(cfg)); err != nil {
		return nil, err
	}
	return []httpcaddyfile.ConfigValue{route(matcher, e.Endpoints, e.CaddyModule())}, nil
}

// parseGuard reads the directive `guard [<matcher>]`. Beside a guard with a matcher it
// returns the handler that strips identity headers from every request of the block, also
// from those that the matcher leaves out.
func parseGuard(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	matcher, err := matcherOf(h)
	if err != nil {
		return nil, err
	}
	var g Guard
	p, err := g.readCaddyfile(h.Dispenser)
	if err != nil {
		return nil, err
	}
	cfg, err := appConfig(h, p)
	if err != nil {
		return nil, err
	}
	faults := g.Validate(cfg)
	if err := errors.Join(p.report(faults), p.compile(g.Guard, faults, cfg)); err != nil {
		return nil, err
	}
	if err := keptWhole(h, p); err != nil {
		return nil, err
	}
	rule := route(matcher, g.Guard, g.CaddyModule())
	if strippedAlready(h) || matcher == nil && !h.IsNamedRoute() {
		return []httpcaddyfile.ConfigValue{rule}, nil
	}
	return []httpcaddyfile.ConfigValue{strip(h), rule}, nil
}

// compile reports what only the guard itself can judge, claims and policy, unless
// their words were faulty before. Provision does so again, for those who write JSON.
func (p places) compile(said config.Guard, faults config.Faults, cfg *config.Config) error {
	trusts := make([]string, len(cfg.Trusts))
	for i := range cfg.Trusts {
		trusts[i] = cfg.Trusts[i].Name
	}
	said.SetDefaults(cfg)
	clean := func(word string) bool {
		return !slices.ContainsFunc(faults, func(f config.Fault) bool { return strings.HasPrefix(f.Path, word) })
	}
	judge := func(at string, rule config.Guard) error {
		rule.Accept = said.Accept
		err := guard.Valid(rule, trusts...)
		if err == nil {
			return nil
		}
		return errf(p[at], "%s", strings.TrimPrefix(err.Error(), "guard: "))
	}
	var errs []error
	if clean("identity") {
		for i, header := range said.Identity.Headers {
			errs = append(errs, judge(fmt.Sprintf("identity.headers[%d]", i), config.Guard{Identity: config.Identity{Headers: []config.IdentityHeader{header}}}))
		}
	}
	if clean("policy") && said.Policy != "" {
		identity := config.Identity{Preset: "none"}
		if clean("identity") && errors.Join(errs...) == nil {
			identity = said.Identity
		}
		errs = append(errs, judge("policy", config.Guard{Policy: said.Policy, Identity: identity}))
	}
	return errors.Join(errs...)
}

// strip is the route that strips identity headers from every request of the block. Caddy
// sorts it behind the guards that have a matcher.
//
// A named route whose directives all lack a matcher is merged by Caddy into one
// route, of which it then keeps the first handler only (extractNamedRoutes): the
// guard would be gone, and nobody told. A route with a group is not merged, and
// two routes are kept whole.
func strip(h httpcaddyfile.Helper) httpcaddyfile.ConfigValue {
	r := route(nil, struct{}{}, Strip{}.CaddyModule())
	if h.IsNamedRoute() {
		alone := r.Value.(caddyhttp.Route)
		alone.Group = "gatehouse_strip"
		r.Value = alone
	}
	return r
}

// parseVerify refuses the directive that a later version will bring.
func parseVerify(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	h.Next()
	return nil, h.Errf("%s", config.Unavailable(h.Val()))
}

// matcherOf takes the matcher off the directive.
func matcherOf(h httpcaddyfile.Helper) (caddy.ModuleMap, error) {
	h.Next()
	matcher, err := h.ExtractMatcherSet()
	if err != nil {
		return nil, h.WrapErr(err)
	}
	return matcher, nil
}

// route is a route with one handler.
func route(matcher caddy.ModuleMap, handler any, info caddy.ModuleInfo) httpcaddyfile.ConfigValue {
	r := caddyhttp.Route{
		HandlersRaw: []json.RawMessage{caddyconfig.JSONModuleObject(handler, "handler", info.ID.Name(), nil)},
	}
	if matcher != nil {
		r.MatcherSetsRaw = caddyhttp.RawMatcherSets{matcher}
	}
	return httpcaddyfile.ConfigValue{Class: "route", Value: r}
}

// appConfig is what the global options say. They are read before any site.
func appConfig(h httpcaddyfile.Helper, p places) (*config.Config, error) {
	app, ok := h.Option(appName).(httpcaddyfile.App)
	if !ok {
		word := p[""]
		return nil, errf(word, "%s needs a realm: add a gatehouse block with a realm to the global options", word.Text)
	}
	cfg := new(config.Config)
	return cfg, json.Unmarshal(app.Value, cfg)
}

// strippedAlready reports whether an earlier guard of the same block brought the
// stripping handler. A block within the block gets its own: the directives around
// it may run later.
//
// Blocks within a site have a BlockState each, but sites share one and Caddy
// exports nothing else that tells them apart; so the site is known by the address
// of its keys. Should that field go, every guard brings a handler of its own,
// which changes nothing but the looks of the JSON.
func strippedAlready(h httpcaddyfile.Helper) bool {
	type block struct{ site, inner uintptr }
	site := ofParent(h, "Keys")
	if site.Kind() != reflect.Slice || h.State == nil {
		return false
	}
	const key = "gatehouse.stripped"
	// The map holds the BlockStates, lest another one be put at the same address.
	seen, _ := h.State[key].(map[block]map[string]any)
	if seen == nil {
		seen = make(map[block]map[string]any)
		h.State[key] = seen
	}
	b := block{site.Pointer(), reflect.ValueOf(h.BlockState).Pointer()}
	_, there := seen[b]
	seen[b] = h.BlockState
	return there
}

// ofParent returns a field of the site, or the named route, that is being read, whose block Caddy
// does not export; an invalid one should it go.
func ofParent(h httpcaddyfile.Helper, field string) reflect.Value {
	parent := reflect.ValueOf(h).FieldByName("parentBlock")
	if parent.Kind() != reflect.Struct {
		return reflect.Value{}
	}
	return parent.FieldByName(field)
}

var (
	_ caddyfile.Unmarshaler = (*App)(nil)
	_ caddyfile.Unmarshaler = (*Endpoints)(nil)
	_ caddyfile.Unmarshaler = (*Guard)(nil)
	_ caddyfile.Unmarshaler = (*Strip)(nil)
)
