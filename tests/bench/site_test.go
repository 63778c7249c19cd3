package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/gatehouse-auth/gatehouse/caddymodule"
)

func init() { caddy.RegisterModule(app{}) }

// app is the app behind the sites. It answers at once, so that what is measured is
// Caddy's handling of a request and ours, without a proxy.
type app struct{}

// CaddyModule returns the module's id.
func (app) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.bench_app", New: func() caddy.Module { return new(app) }}
}

// ServeHTTP answers with three fields and no body.
func (app) ServeHTTP(w http.ResponseWriter, _ *http.Request, _ caddyhttp.Handler) error {
	h := w.Header()
	h["Content-Type"], h["Date"], h["Content-Length"] = answerType, answerDate, answerLength
	w.WriteHeader(http.StatusOK)
	return nil
}

var answerType, answerDate, answerLength = []string{"text/plain"}, []string{"Sun, 22 Nov 2026 00:00:00 GMT"}, []string{"0"}

// sitesConfig has one site a port, each of which the app is put behind: without a
// guard, with one, and with guards for some paths.
const sitesConfig = `{
	admin off
	auto_https off
	persist_config off
	gatehouse {
		store sqlite STORE
		realm unused {
			issuer http://127.0.0.1:9479
		}
		cache {
			max_ttl 10m
		}
		trust opaque {
			issuer http://127.0.0.1:9478
			audience any
			verify introspection ISSUER {
				client_id bench
				client_secret bench-secret-0123456789
			}
		}
	}
}
(rule) {
	accept opaque
	login never
	identity {
		X-Auth-Subject sub
	}
}
http://:9471 {
	bind 127.0.0.1
	route
}
http://:9472 {
	bind 127.0.0.1
	guard {
		import rule
	}
}
http://:9473 {
	bind 127.0.0.1
	guard /api/* {
		import rule
	}
	@other path /other/* /third/*
	guard @other {
		import rule
	}
}
`

// sitePorts are the ports of sitesConfig.
var sitePorts = []struct{ name, port string }{{"bare", "9471"}, {"guarded", "9472"}, {"guarded-paths", "9473"}}

// startSites starts Caddy in this process and returns its servers by port.
func startSites(tb testing.TB) map[string]*caddyhttp.Server {
	tb.Helper()
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"active":true,"iss":"http://127.0.0.1:9478","sub":%q,"exp":4000000000,"token_type":"Bearer"}`, r.FormValue("token"))
	}))
	tb.Cleanup(issuer.Close)
	text := strings.NewReplacer("STORE", tb.TempDir()+"/gatehouse.db", "ISSUER", issuer.URL).Replace(sitesConfig)
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), nil)
	if err != nil {
		tb.Fatal(err)
	}
	if err := caddy.Load(withApp(tb, adapted), true); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = caddy.Stop() })
	module, err := caddy.ActiveContext().App("http")
	if err != nil {
		tb.Fatal(err)
	}
	servers := map[string]*caddyhttp.Server{}
	for _, s := range module.(*caddyhttp.App).Servers {
		_, port, _ := strings.Cut(s.Listen[0], ":")
		servers[port] = s
	}
	return servers
}

// withApp puts the app at the end of every server's last route, as reverse_proxy would
// stand there.
func withApp(tb testing.TB, adapted []byte) []byte {
	tb.Helper()
	var whole, http map[string]any
	var servers map[string]map[string]any
	apps := map[string]json.RawMessage{}
	decode := func(text []byte, into any) {
		if err := json.Unmarshal(text, into); err != nil {
			tb.Fatal(err)
		}
	}
	encode := func(v any) json.RawMessage {
		text, err := json.Marshal(v)
		if err != nil {
			tb.Fatal(err)
		}
		return text
	}
	decode(adapted, &whole)
	decode(encode(whole["apps"]), &apps)
	decode(apps["http"], &http)
	decode(encode(http["servers"]), &servers)
	behind := map[string]any{"handler": "bench_app"}
	for _, s := range servers {
		routes, _ := s["routes"].([]any)
		if n := len(routes); n > 0 {
			if last, _ := routes[n-1].(map[string]any); last["match"] == nil {
				handlers, _ := last["handle"].([]any)
				last["handle"] = append(handlers, behind)
				continue
			}
		}
		s["routes"] = append(routes, map[string]any{"handle": []any{behind}})
	}
	http["servers"] = servers
	apps["http"] = encode(http)
	whole["apps"] = apps
	return encode(whole)
}

// visit is a request to a site, over and over with a thousand tokens in turn.
type visit struct {
	server *caddyhttp.Server
	r      *http.Request
	header http.Header
	answer http.Header
	fields [][]string
	status int
	n      int
}

// Header, Write and WriteHeader make a visit its own writer.
func (v *visit) Header() http.Header         { return v.answer }
func (v *visit) Write(p []byte) (int, error) { return len(p), nil }
func (v *visit) WriteHeader(status int)      { v.status = status }

func newVisit(tb testing.TB, server *caddyhttp.Server) *visit {
	tb.Helper()
	ctx := context.WithValue(tb.Context(), http.ServerContextKey, &http.Server{})
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "/api/things", nil)
	if err != nil {
		tb.Fatal(err)
	}
	r.RequestURI, r.Host, r.RemoteAddr = "/api/things", "127.0.0.1:9473", "127.0.0.1:4711"
	v := &visit{server: server, r: r, header: r.Header, answer: http.Header{}, fields: make([][]string, 1000)}
	for i := range v.fields {
		v.fields[i] = []string{fmt.Sprintf("Bearer %08d-0000-0000-0000-000000000000", i)}
	}
	for range v.fields {
		if v.once(); v.status != http.StatusOK {
			tb.Fatalf("the answer was %d", v.status)
		}
	}
	return v
}

func (v *visit) once() {
	clear(v.header)
	clear(v.answer)
	v.header["Authorization"] = v.fields[v.n%len(v.fields)]
	v.n++
	v.r.URL = &url.URL{Path: "/api/things"}
	v.server.ServeHTTP(v, v.r)
}

// BenchmarkSite is a request's whole way through Caddy's handlers on a hit, without
// network and proxy: what a guard adds is the difference to the bare site.
func BenchmarkSite(b *testing.B) {
	servers := startSites(b)
	for _, site := range sitePorts {
		b.Run(site.name, func(b *testing.B) {
			v := newVisit(b, servers[site.port])
			b.ReportAllocs()
			for b.Loop() {
				v.once()
			}
		})
	}
}

// A guard adds so many allocations to a request at most: what the handlers of the
// request share, what answers the placeholders, and Caddy's for each handler that
// stands in a route.
func TestAllocationsOfASite(t *testing.T) {
	servers := startSites(t)
	var got [2]float64
	for i, site := range sitePorts[:2] {
		v := newVisit(t, servers[site.port])
		got[i] = testing.AllocsPerRun(2000, v.once)
	}
	if added := got[1] - got[0]; added > 3 {
		t.Errorf("a guard adds %v allocations to the %v of a request without one, want 3 at most", added, got[0])
	}
}
