package tests

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// Attack 23's sibling: a query that Go does not parse has nothing in it to a matcher in front
// of a guard, and to many apps all that it says. Where none goes by the query, it is the app's.
func TestQueriesTalkNoGuardRound(t *testing.T) {
	s, app := startTalker(t, `
	handle /by-query/* {
		@delete query action=delete
		guard @delete
		reverse_proxy $BACKEND
	}
	reverse_proxy $BACKEND`)
	before, _, _ := strings.Cut(mainJob, "http://$APP {")
	many := strings.Repeat("&", 10_001) + "action=delete"
	for name, site := range map[string]string{
		"query":               "@delete query action=delete\n\tguard @delete",
		"not query":           "@delete not query action=view\n\tguard @delete",
		"a block":             "@delete query action=delete\n\thandle @delete {\n\t\tguard\n\t\treverse_proxy $BACKEND\n\t}",
		"an open block":       "@view not query action=delete\n\thandle @view {\n\t\treverse_proxy $BACKEND\n\t}\n\thandle {\n\t\tguard\n\t}",
		"expression":          "@delete expression `query({'action': 'delete'})`\n\tguard @delete",
		"placeholder":         "@delete vars {query.action} delete\n\tguard @delete",
		"map":                 "map {query.action} {does} {\n\t\tdelete harm\n\t\tdefault none\n\t}\n\t@delete vars {does} harm\n\tguard @delete",
		"a weaker guard":      "@delete query action=delete\n\tguard @delete\n\tguard {\n\t\toptional\n\t}",
		"lenient paths":       "@delete query action=delete\n\tguard @delete {\n\t\tlenient_paths\n\t}",
		"nested in two":       "route {\n\t\thandle {\n\t\t\t@delete query action=delete\n\t\t\tguard @delete\n\t\t\treverse_proxy $BACKEND\n\t\t}\n\t}",
		"a named route":       "handle {\n\t\tinvoke closed\n\t\treverse_proxy $BACKEND\n\t}",
		"a map in a block":    "route {\n\t\troute {\n\t\t\tmap {query.action} {does} {\n\t\t\t\tdelete harm\n\t\t\t\tdefault none\n\t\t\t}\n\t\t}\n\t\t@delete vars {does} harm\n\t\tguard @delete\n\t\treverse_proxy $BACKEND\n\t}",
		"decided in a block":  "route {\n\t\troute {\n\t\t\t@query query action=delete\n\t\t\tvars @query does harm\n\t\t}\n\t\t@delete vars {vars.does} harm\n\t\tguard @delete\n\t\treverse_proxy $BACKEND\n\t}",
		"nothing of the sort": "guard /admin/*",
	} {
		for kind, address := range map[string]string{"a host": "http://$APP", "no host": "http://:$PORT"} {
			if name == "a named route" && kind == "no host" {
				continue // refused: see TestForgedIdentityOutsideTheGuardedBlock
			}
			_, s.vars["PORT"], _ = strings.Cut(s.vars["APP"], ":")
			must(t, s.reload(before+"&(closed) {\n\t@delete query action=delete\n\tguard @delete\n}\n"+address+" {\n\tbind 127.0.0.1\n\t"+site+"\n\treverse_proxy $BACKEND\n}\n"))
			client.CloseIdleConnections() // the reload does: a long request would be cut off in the middle
			for query, want := range map[string]int{
				"action=view": 200, "action=delete": 401, "action=delete&x=%zz": 400, "action=delete&x=100%": 400, "action=delete&a;b": 400, many: 400,
			} {
				if name == "nothing of the sort" {
					want = 200
				}
				a := send(t, "GET", "http://"+s.vars["APP"]+"/x?"+query, "")
				if got := app.reached(); a.status != want || (len(got) > 0) != (want == 200) {
					t.Errorf("%s, %s, %.40s: %d, the app got %.40q, want %d", name, kind, query, a.status, got, want)
				}
			}
		}
	}
}

// Attack 31's sibling: {host} has the host as the client wrote it, and an app takes no notice
// of case.
func TestHostsInAnotherCase(t *testing.T) {
	s, app := startTalker(t, "respond elsewhere")
	before, _, _ := strings.Cut(mainJob, "http://$APP {")
	_, s.vars["PORT"], _ = strings.Cut(s.vars["APP"], ":")
	for name, site := range map[string]string{
		"expression": "@admin expression `{host} == 'admin.example'`\n\tguard @admin",
		"labels":     "@admin vars {labels.1} admin\n\tguard @admin",
		"not":        "@admin not vars {host} open.example\n\tguard @admin",
		"map":        "map {host} {tenant} {\n\t\tadmin.example closed\n\t\tdefault open\n\t}\n\t@admin vars {tenant} closed\n\tguard @admin",
		"vars":       "vars tenant {host}\n\t@admin vars {vars.tenant} admin.example\n\tguard @admin",
		"a rewrite":  "rewrite * /{host}{uri}\n\tguard /admin.example/*",
		"a block":    "@admin expression `{host} == 'admin.example'`\n\thandle @admin {\n\t\tguard\n\t\treverse_proxy $BACKEND\n\t}",
	} {
		must(t, s.reload(before+"http://:$PORT {\n\tbind 127.0.0.1\n\t"+site+"\n\treverse_proxy $BACKEND\n}\n"))
		for _, host := range []string{"admin.example", "ADMIN.example", "admin.Example", "open.example"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.vars["APP"]+"/x", nil)
			must(t, err)
			req.Host = host
			resp, err := client.Do(req)
			must(t, err)
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			want := map[bool]int{true: 200, false: 401}[host == "open.example"]
			if got := app.reached(); resp.StatusCode != want || (len(got) > 0) != (want == 200) {
				t.Errorf("%s, %s: %d, the app got %q, want %d", name, host, resp.StatusCode, got, want)
			}
		}
	}
}

// A star at the end of a guard's path goes as deep as there is path, also where there is
// another one or a percent sign before it.
func TestStarsAtTheEnd(t *testing.T) {
	s, app := startTalker(t, `
	guard /tenants/*/admin/*
	guard /secret%20files/*
	guard /exact/*/x
	handle /of/*/mine* {
		guard
		reverse_proxy $BACKEND
	}
	reverse_proxy $BACKEND`)
	for target, want := range map[string]int{
		"/tenants/a/admin/x": 401, "/tenants/a/admin/": 401, "/tenants/a/admin/x/": 401, "/tenants/a/admin/x/y/z": 401, "/TENANTS/a/Admin/x/y": 401,
		"/tenants/a/admin": 200, "/tenants/a/b/admin/x": 200, "/tenants/a/other/admin/x": 200,
		"/secret%20files/x": 401, "/secret%20files/x/y": 401, "/Secret%20files/%78/y/": 401, "/secret/x/y": 200, "/x/secret%20files/y": 200,
		"/exact/a/x": 401, "/exact/a/x/y": 200,
		"/of/a/mine": 401, "/of/a/mines/x/y": 401, "/of/a/b/mine": 200,
	} {
		a := send(t, "GET", "http://"+s.vars["APP"]+target, "")
		if got := app.reached(); a.status != want || (len(got) > 0) != (want == 200) {
			t.Errorf("%s: %d, the app got %q, want %d", target, a.status, got, want)
		}
	}
}

// A named route that answers everything counts where it is invoked, and so does what stands in
// front of one with a guard.
func TestNamedRoutesThatNoRequestGetsTo(t *testing.T) {
	s, _, before := newTalkerServer(t)
	s.start(mainJob)
	const routes = "&(app) {\n\treverse_proxy $BACKEND\n}\n&(closed) {\n\tguard\n}\n&(both) {\n\troute {\n\t\tguard\n\t\tinvoke app\n\t\tinvoke both\n\t}\n}\n"
	for name, c := range map[string]struct{ site, by string }{
		"the app in front":         {"route {\n\t\tinvoke app\n\t\tguard\n\t}", "reverse_proxy"},
		"in a block":               {"route {\n\t\thandle {\n\t\t\tinvoke app\n\t\t}\n\t\tguard /admin/*\n\t}", "reverse_proxy"},
		"the guard behind":         {"route {\n\t\treverse_proxy $BACKEND\n\t\tinvoke closed\n\t}", "reverse_proxy"},
		"the guard behind, deeper": {"route {\n\t\treverse_proxy /* $BACKEND\n\t\thandle /admin/* {\n\t\t\tinvoke closed\n\t\t}\n\t}", "reverse_proxy"},
		"both named":               {"route {\n\t\tinvoke app\n\t\tinvoke closed\n\t}", "reverse_proxy"},
		"sorted in front":          {"handle /admin/* {\n\t\tinvoke closed\n\t}\n\tinvoke app", "reverse_proxy"},
		"the right way":            {"route {\n\t\tinvoke closed\n\t\tinvoke app\n\t}", ""},
		"both in one":              {"invoke both", ""},
		"where some get past":      {"route {\n\t\tinvoke /open/* app\n\t\tguard\n\t\tinvoke app\n\t}", ""},
	} {
		err := s.reload(before + routes + "http://$APP {\n\tbind 127.0.0.1\n\t" + c.site + "\n}\n")
		switch {
		case c.by == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.by != "" && (err == nil || !strings.Contains(err.Error(), "no request gets to this guard: "+c.by+" ")):
			t.Errorf("%s: %v", name, err)
		case err == nil:
			if a := send(t, "GET", "http://"+s.vars["APP"]+"/admin/x", ""); a.status != 401 {
				t.Errorf("%s: %d", name, a.status)
			}
		}
	}
}
