package caddymodule

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/headers" // of the sites below
)

func init() { caddy.RegisterModule(new(probe)) }

// probe is a handler that could hand the request to anybody. It notes what it saw and hands
// it on to the next one.
type probe struct{}

// seen is what the probes of a request saw.
type seen struct {
	forged, crooked []string // where
	set             []string // our cookies, by way of the answer
	count           int
}

type seenKey struct{}

// CaddyModule returns the module's id.
func (*probe) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.test_probe", New: func() caddy.Module { return new(probe) }}
}

// ServeHTTP notes and goes on.
func (*probe) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	saw := r.Context().Value(seenKey{}).(*seen)
	saw.count++
	if quoted, _ := caddyhttp.GetVar(r.Context(), "who").(string); quoted != "" || r.Header["Remote-User"] != nil {
		saw.forged = append(saw.forged, r.Host+r.URL.Path)
	}
	w.Header()["Set-Cookie"] = []string{"gatehouse-login-x=1"}
	if strings.Contains(r.URL.Path, ";") || r.Method == http.MethodConnect {
		saw.crooked = append(saw.crooked, r.Host+r.URL.Path)
	}
	if r.Header["Upgrade"] != nil && !takesOver(w) {
		saw.crooked = append(saw.crooked, r.Host+r.URL.Path+" as a socket that nobody can take over")
	}
	return next.ServeHTTP(w, r)
}

// takesOver reports whether a writer's connection can be taken over.
func takesOver(w http.ResponseWriter) bool {
	for {
		if _, ok := w.(http.Hijacker); ok {
			return true
		}
		inner, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		w = inner.Unwrap()
	}
}

// provisioned is a server with these routes.
func provisioned(t *testing.T, store string, routes any) (*caddyhttp.Server, error) {
	t.Helper()
	text := caddyconfig.JSON(map[string]any{
		"admin": map[string]any{"disabled": true},
		"apps": map[string]any{
			"gatehouse": map[string]any{
				"store":  map[string]any{"sqlite": store},
				"realms": []any{map[string]any{"name": "demo", "issuer": "http://127.0.0.1:1"}},
			},
			"http": map[string]any{"servers": map[string]any{"only": map[string]any{
				"listen": []string{"127.0.0.1:0"}, "automatic_https": map[string]any{"disable": true}, "routes": routes,
			}}},
		},
	}, nil)
	var config caddy.Config
	if err := json.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	ctx, err := caddy.ProvisionContext(&config)
	if err != nil {
		return nil, err
	}
	ours, err := ctx.App("gatehouse")
	if err != nil {
		return nil, err
	}
	if err := ours.(*App).Start(); err != nil { // each request would open the store otherwise
		return nil, err
	}
	t.Cleanup(func() { _ = ours.(*App).Cleanup() })
	app, err := ctx.App("http")
	if err != nil {
		return nil, err
	}
	return app.(*caddyhttp.App).Servers["only"], nil
}

// gardener makes sites of all shapes.
type gardener struct{ *rand.Rand }

type (
	object = map[string]any
	list   = []any
)

// routes makes some routes; guarded tells whether there is a guard among them.
func (g gardener) routes(depth int) (routes list, guarded bool) {
	for range 1 + g.IntN(4) {
		r := object{}
		path := list{fmt.Sprintf("/p%d/*", g.IntN(2))}
		switch g.IntN(7) {
		case 0, 1:
			r["match"] = list{object{"path": path}}
		case 3:
			r["match"] = list{object{"not": list{object{"header": object{"Remote-User": list{"*"}}}}}}
		case 2:
			r["match"] = list{object{"path": path, "method": list{"GET"}}, object{"path": list{"/p2/*"}, "method": list{"CONNECT"}}}
		}
		if g.IntN(6) == 0 {
			r["group"] = fmt.Sprintf("group%d", g.IntN(2))
		}
		if g.IntN(8) == 0 {
			r["terminal"] = true
		}
		var handlers list
		for range 1 + g.IntN(3) {
			h, one := g.handler(depth)
			handlers, guarded = append(handlers, h), guarded || one
		}
		r["handle"] = handlers
		routes = append(routes, r)
	}
	return routes, guarded
}

func (g gardener) handler(depth int) (handler object, guarded bool) {
	switch n := g.IntN(11); {
	case n == 10:
		return object{"handler": "vars", "who": []string{"{http.request.header.Remote-User}", "{http.request.cookie.gatehouse-login-x}"}[g.IntN(2)]}, false
	case n < 3:
		return object{"handler": "gatehouse_guard", "optional": true}, true
	case n < 4:
		return object{"handler": "gatehouse_strip"}, false
	case n < 5:
		return object{"handler": "headers", "response": object{"set": object{"X": list{"y"}}}}, false
	case n < 7 && depth > 0:
		inner, guarded := g.routes(depth - 1)
		return object{"handler": "subroute", "routes": inner}, guarded
	}
	return object{"handler": "test_probe"}, false
}

// hosts makes a server's routes: sites with hosts, and one without.
func (g gardener) hosts() (routes list, guarded map[string]bool) {
	guarded = map[string]bool{}
	for _, host := range []string{"a.test", "b.test", ""} {
		if host == "" && g.IntN(2) == 0 {
			continue
		}
		inner, one := g.routes(2)
		guarded[host] = one
		handle := list{object{"handler": "subroute", "routes": inner}}
		if g.IntN(4) == 0 {
			handle = append(list{object{"handler": "test_probe"}}, handle...)
		}
		r := object{"handle": handle, "terminal": true}
		if host != "" {
			r["match"] = list{object{"host": list{host}}}
		}
		routes = append(routes, r)
	}
	return routes, guarded
}

// Whatever a site looks like: where a guard stands in it, no handler sees an identity header
// that a client sent, nor a path that somebody could read as another one's, nor a WebSocket
// by CONNECT, not even one that the guard's matcher leaves out.
func TestSitesOfAllShapes(t *testing.T) {
	store, met := filepath.Join(t.TempDir(), "gatehouse.db"), 0
	for i := range 1500 {
		g := gardener{rand.New(rand.NewPCG(uint64(i), 1))} // the same sites each time
		var routes list
		guarded := map[string]bool{}
		if i%2 == 0 {
			routes, guarded[""] = g.routes(2)
		} else {
			routes, guarded = g.hosts()
		}
		server, err := provisioned(t, store, routes)
		if err != nil && strings.Contains(err.Error(), anotherOfGroup) {
			continue // see TestGuardsThatNoRequestGetsTo
		}
		if err != nil {
			t.Fatalf("%d: %v\n%s", i, err, caddyconfig.JSON(routes, nil))
		}
		for _, host := range []string{"a.test", "b.test", "c.test"} {
			site := host
			if _, own := guarded[host]; !own {
				site = ""
			}
			for _, path := range []string{"/p0/x", "/p1/x", "/p2/x", "/p0/x;/y", "/p2/..;/p0/x"} {
				saw := visit(t, server, host, path)
				met += saw.count
				if guarded[site] && len(saw.forged)+len(saw.crooked)+len(saw.set) > 0 {
					t.Fatalf("%d: forged identity at %q, crooked paths at %q, cookies %q of\n%s", i, saw.forged, saw.crooked, saw.set, caddyconfig.JSON(routes, nil))
				}
			}
		}
	}
	if met < 10_000 {
		t.Errorf("only %d probes were met", met)
	}
}

func visit(t *testing.T, server *caddyhttp.Server, host, path string) *seen {
	t.Helper()
	saw := new(seen)
	for _, method := range []string{http.MethodGet, http.MethodConnect} {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Method, r.Host = method, host
		r.Header["Remote-User"], r.Header["remote_user"] = []string{"root"}, []string{"root"}
		r.Header["X-Forwarded-User"], r.Header["Cookie"] = []string{host}, []string{"gatehouse-login-x=1"}
		if method == http.MethodConnect {
			r.ProtoMajor, r.Header[":protocol"] = 2, []string{"websocket"}
		}
		w := httptest.NewRecorder()
		server.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), seenKey{}, saw)))
		saw.set = append(saw.set, w.Header()["Set-Cookie"]...)
	}
	return saw
}

// A guard that goes by the method sees a WebSocket by CONNECT as the GET that it is for the
// app, in each place where guards stand; and one that goes by the header, no identity that a
// client made up, none of our cookies and no upgrade that is taken off.
func TestGuardsMatchersSeeWhatTheAppSees(t *testing.T) {
	store := filepath.Join(t.TempDir(), "gatehouse.db")
	rule := object{"handler": "gatehouse_guard"}
	behind := object{"handle": list{object{"handler": "gatehouse_strip"}, object{"handler": "test_probe"}}}
	for story, match := range map[string]object{
		"by method": {"method": list{"GET"}}, "by path and method": {"method": list{"GET"}, "path": list{"/p0/*"}},
		"by header":          {"not": list{object{"header": object{"Remote-User": list{"*"}}}}},
		"by path and header": {"path": list{"/p0/*"}, "not": list{object{"header": object{"remote_user": list{"*"}}}}},
		"by cookie":          {"not": list{object{"header_regexp": object{"Cookie": object{"pattern": "gatehouse-"}}}}},
		"by expression":      {"expression": "{http.request.header.Remote-User} == ''"},
		"by name":            {"not": list{object{"host": list{"{http.request.header.X-Forwarded-User}"}}}},
		"by placeholder":     {"path": list{"/p0/x{http.request.header.Remote-User}"}},
	} {
		routes := list{object{"match": list{match}, "handle": list{rule}}, behind}
		block := object{"handler": "subroute", "routes": routes}
		for place, whole := range map[string]list{
			"at the top":   routes,
			"for a host":   {object{"match": list{object{"host": list{"a.test"}}}, "handle": list{block}, "terminal": true}},
			"beside hosts": {object{"match": list{object{"host": list{"b.test"}}}, "handle": list{object{"handler": "test_probe"}}, "terminal": true}, object{"handle": list{block}}},
			"in a block":   {object{"handle": list{object{"handler": "subroute", "routes": list{object{"handle": list{block}}}}}}},
		} {
			server, err := provisioned(t, store, whole)
			if err != nil {
				t.Fatal(err)
			}
			if saw := visit(t, server, "a.test", "/p0/x"); saw.count > 0 {
				t.Errorf("%s, %s: the app was asked", story, place)
			}
		}
	}
}

// A site without a guard that hands its requests on to a guarded one's is no site of its own.
func TestSiteThatPassesRequestsOn(t *testing.T) {
	host := func(name string, terminal bool, handlers ...any) object {
		return object{"match": list{object{"host": list{name}}}, "handle": handlers, "terminal": terminal}
	}
	store, probes := filepath.Join(t.TempDir(), "gatehouse.db"), object{"handler": "test_probe"}
	for terminal, forged := range map[bool]int{true: 1, false: 0} {
		server, err := provisioned(t, store, list{
			host("a.test", terminal, probes), host("*.test", true, object{"handler": "gatehouse_guard", "optional": true}, probes),
		})
		if err != nil {
			t.Fatal(err)
		}
		saw := new(seen)
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host, r.Header["Remote-User"] = "a.test", []string{"root"}
		server.ServeHTTP(httptest.NewRecorder(), r.WithContext(context.WithValue(r.Context(), seenKey{}, saw)))
		if len(saw.forged) != forged || saw.count == 0 {
			t.Errorf("terminal: %v: of %d probes, %d saw forged identity", terminal, saw.count, len(saw.forged))
		}
	}
}

// A Strip that somebody wrote into a block of its own is no guard: what is one of a guarded
// site's hosts is judged there as everywhere.
func TestStripByHandIsNoGuard(t *testing.T) {
	site := func(match object, first string) object {
		return object{"match": list{match}, "handle": list{object{"handler": "subroute", "routes": list{
			object{"handle": list{object{"handler": first}, object{"handler": "test_probe"}}},
		}}}, "terminal": true}
	}
	server, err := provisioned(t, filepath.Join(t.TempDir(), "gatehouse.db"), list{
		site(object{"host": list{"a.test"}, "path": list{"/p0/*"}}, "gatehouse_strip"), site(object{"host": list{"*.test"}}, "gatehouse_guard"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if saw := visit(t, server, "a.test", "/p0/x;/y"); saw.count > 0 {
		t.Error("an ambiguous target reached the app")
	}
	if saw := visit(t, server, "a.test", "/p0/x"); saw.count == 0 || len(saw.forged) > 0 {
		t.Errorf("a plain one: %+v", saw)
	}
}

// What answers the errors of a block that stands in front of a guard is looked after like the
// block itself.
func TestErrorsOfBlocks(t *testing.T) {
	block := object{
		"handler": "subroute", "routes": list{object{"handle": list{object{"handler": "error", "status_code": 500}}}},
		"errors": object{"routes": list{object{"handle": list{object{"handler": "test_probe"}, object{"handler": "static_response"}}}}},
	}
	rule, probes := object{"handler": "gatehouse_guard", "optional": true}, object{"handler": "test_probe"}
	for name, routes := range map[string]list{
		"beside it":  {object{"match": list{object{"path": list{"/p0/*"}}}, "handle": list{block}}, object{"handle": list{rule, probes}}},
		"around it":  {object{"handle": list{block}}, object{"handle": list{rule, probes}}},
		"for a host": {object{"match": list{object{"host": list{"a.test"}}}, "handle": list{block}}, object{"match": list{object{"host": list{"a.test"}}}, "handle": list{rule, probes}}},
	} {
		server, err := provisioned(t, filepath.Join(t.TempDir(), "gatehouse.db"), routes)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if saw := visit(t, server, "a.test", "/p0/x"); saw.count == 0 || len(saw.forged)+len(saw.set) > 0 {
			t.Errorf("%s: %d probes, forged identity at %q, cookies %q", name, saw.count, saw.forged, saw.set)
		}
	}
}
