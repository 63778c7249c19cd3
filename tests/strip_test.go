package tests

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// forged sends identity that the client made up, beside a good token, and fails the
// test if it reaches the upstream.
func (s *server) forged(url, token string) {
	s.t.Helper()
	a := send(s.t, "GET", url, "", "Authorization", "Bearer "+token, "Remote-User", "admin", "remote_groups", "wheel", "Remote.Email", "a@b")
	if a.status != 200 || !strings.HasPrefix(a.body, "user=") || strings.Contains(a.body, "admin") || strings.Contains(a.body, "wheel") {
		s.t.Errorf("%s: %d %s", url, a.status, a.body)
	}
}

// anyHost is the main job with an app that answers whichever host it is asked for: the proxy
// hands on the one that came.
func (s *server) anyHost() string {
	_, s.vars["BEHIND"], _ = net.SplitHostPort(s.vars["UP"])
	return strings.Replace(mainJob, "http://$UP {", "http://:$BEHIND {", 1)
}

// Attack 7: a guard inside a block protects the other blocks of its site from forged
// identity too, whether the site has a host or not, whatever the order, and also when
// the guard stands in a named route.
func TestForgedIdentityOutsideTheGuardedBlock(t *testing.T) {
	const proxied = " {\n\t\treverse_proxy $UP\n\t}\n\t"
	guarded := "handle /api/* {\n\t\tguard\n\t\treverse_proxy $UP\n\t}\n\t"
	for name, blocks := range map[string]string{
		"between":                           "handle /a/*" + proxied + guarded + "handle /b/*" + proxied + "handle" + proxied,
		"before":                            guarded + "route /r/*" + proxied + "reverse_proxy $UP",
		"named route":                       "handle /api/* {\n\t\tinvoke protected\n\t}\n\thandle /a/*" + proxied + "handle" + proxied,
		"named route after an app's answer": "handle /api/* {\n\t\treverse_proxy $UP {\n\t\t\t@ok status 2xx\n\t\t\thandle_response @ok {\n\t\t\t\tinvoke protected\n\t\t\t}\n\t\t}\n\t}\n\thandle /b/*" + proxied + "handle" + proxied,
		"named route in an app's place":     "handle /api/* {\n\t\tintercept {\n\t\t\t@ok status 2xx\n\t\t\thandle_response @ok {\n\t\t\t\theader -Content-Length\n\t\t\t\tinvoke protected\n\t\t\t}\n\t\t}\n\t\treverse_proxy $UP\n\t}\n\thandle" + proxied,
		"named route beside another":        "handle /api/* {\n\t\tinvoke protected\n\t}\n\tinvoke /b/* open\n\thandle" + proxied,
		"named route beside others":         "handle /api/* {\n\t\tinvoke protected\n\t}\n\thandle /b/*" + proxied + "handle" + proxied,
		"reordered":                         "@open not path /api/*\n\treverse_proxy @open $UP\n\tguard /api/*\n\thandle" + proxied,
	} {
		for kind, site := range map[string]string{"with a host": "http://localhost:$PORT", "without a host": "http://:$PORT"} {
			t.Run(name+", "+kind, func(t *testing.T) {
				s := newServer(t)
				_, s.vars["PORT"], _ = net.SplitHostPort(s.vars["APP"])
				before, rest, _ := strings.Cut(s.anyHost(), "http://$APP {")
				_, upstream, _ := strings.Cut(rest, "http://:$BEHIND {")
				if strings.HasPrefix(name, "named route") {
					before += "&(protected) {\n\tguard\n\treverse_proxy $UP\n}\n&(open) {\n\treverse_proxy $UP\n}\n"
				}
				if name == "reordered" {
					before = strings.Replace(before, "{\n", "{\n\torder reverse_proxy before guard\n", 1)
				}
				s.start(before + site + " {\n\tbind 127.0.0.1\n\t" + blocks + "\n}\nhttp://:$BEHIND {" + upstream)
				token := s.token(appCredentials)
				for _, path := range []string{"/a/x", "/b/x", "/r/x", "/", "/api/x"} {
					s.forged("http://localhost:"+s.vars["PORT"]+path, token)
				}
			})
		}
	}
}

// Nor does what a client made up reach an app by way of what stands before the guard: in a
// variable, in the path, or in a field of another name.
func TestForgedIdentityInOtherPlaces(t *testing.T) {
	s, _, before := newTalkerServer(t)
	ports := freePorts(t, 2)
	for i, host := range []string{"localhost", ""} {
		before += "http://" + host + ":" + ports[i] + ` {
	bind 127.0.0.1
	vars who {header.Remote-User}
	map {cookie.gatehouse-login-x} {login} {
		default "{cookie.gatehouse-login-x}"
	}
	vars /x/* login {login}
	rewrite /me /of/{header.X-Forwarded-User}
	guard /admin/*
	reverse_proxy $BACKEND {
		header_up X-Who "{vars.who}, {vars.login}"
	}
}
`
	}
	s.start(before)
	token := s.token(appCredentials)
	for _, port := range ports {
		for _, path := range []string{"/me", "/x/y", "/admin/x"} {
			a := send(t, "GET", "http://localhost:"+port+path, "", "Authorization", "Bearer "+token,
				"Remote-User", "forged", "X-Forwarded-User", "forged", "Cookie", "gatehouse-login-x=forged")
			if a.status != 200 || strings.Contains(a.body, "forged") || !strings.Contains(a.body, `"X-Who"`) {
				t.Errorf("%s, port %s of %s: %d %s", path, port, ports, a.status, a.body)
			}
		}
	}
}

// The same for JSON, where routes stand as their author wrote them.
func TestForgedIdentityInJSON(t *testing.T) {
	s := newServer(t)
	s.start(s.anyHost())
	out, err := s.command(t.Context(), "adapt", "--config", s.dir+"/Caddyfile").Output()
	if err != nil {
		t.Fatal(err)
	}
	proxy := `{"handler":"reverse_proxy","upstreams":[{"dial":"$UP"}]}`
	guard := `{"handler":"gatehouse_guard"}`
	_, port, _ := net.SplitHostPort(s.vars["METRICS"])
	for name, routes := range map[string]string{
		"a route before the guard's": `[{"match":[{"path":["/public*"]}],"handle":[` + proxy + `]},{"handle":[` + guard + `]},{"handle":[` + proxy + `]}]`,
		"two routes for one host":    `[{"match":[{"host":["localhost"],"path":["/public*"]}],"handle":[` + proxy + `]},{"match":[{"host":["localhost"]}],"handle":[` + guard + `,` + proxy + `]}]`,
		"hosts that overlap":         `[{"match":[{"path":["/public*"]}],"handle":[` + proxy + `]},{"match":[{"host":["*.localhost"],"path":["/wild*"]}],"handle":[` + proxy + `]},{"match":[{"host":["localhost"]}],"handle":[` + guard + `,` + proxy + `]},{"handle":[` + proxy + `]}]`,
		"two guarded sites":          `[{"match":[{"host":["other.example"]}],"handle":[` + guard + `,` + proxy + `]},{"match":[{"host":["localhost"],"path":["/api*"]}],"handle":[` + guard + `,` + proxy + `]},{"match":[{"host":["localhost"]}],"handle":[` + proxy + `]}]`,
		"a route after it":           `[{"match":[{"path":["/api*"]}],"handle":[` + guard + `,` + proxy + `]},{"handle":[` + proxy + `]}]`,
	} {
		t.Run(name, func(t *testing.T) {
			var config map[string]any
			if err := json.Unmarshal(out, &config); err != nil {
				t.Fatal(err)
			}
			var server any
			if err := json.Unmarshal([]byte(s.fill(`{"listen":["127.0.0.1:`+port+`"],"automatic_https":{"disable":true},"routes":`+routes+`}`)), &server); err != nil {
				t.Fatal(err)
			}
			config["apps"].(map[string]any)["http"].(map[string]any)["servers"].(map[string]any)["json"] = server
			body, err := json.Marshal(config)
			if err != nil {
				t.Fatal(err)
			}
			a := send(t, http.MethodPost, "http://"+s.vars["ADMIN"]+"/load", string(body), "Content-Type", "application/json")
			if a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
			token := s.token(appCredentials)
			for _, path := range []string{"/public/x", "/api/x", "/other"} {
				s.forged("http://localhost:"+port+path, token)
			}
		})
	}
}

// An upgrade to anything but a WebSocket would make the proxy a blind tunnel, in which
// the next request is seen by no guard.
func TestNoBlindTunnels(t *testing.T) {
	s := newServer(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	upstream := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			_, _ = w.Write([]byte("plain"))
			return
		}
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", r.Header.Get("Upgrade"))
		w.WriteHeader(http.StatusSwitchingProtocols)
	})}
	go func() { _ = upstream.Serve(l) }()
	defer upstream.Close()
	s.vars["BACKEND"] = l.Addr().String()
	s.start(strings.Replace(mainJob, "reverse_proxy $UP", "reverse_proxy $BACKEND", 1))
	token := s.token(appCredentials)
	url := "http://" + s.vars["APP"] + "/"
	for _, c := range []struct {
		name, method string
		headers      []string
		status       int
	}{
		{"h2c with a token", "GET", []string{"Authorization", "Bearer " + token, "Connection", "Upgrade, HTTP2-Settings", "Upgrade", "h2c"}, 200},
		{"a preflight that upgrades", "OPTIONS", []string{"Origin", "https://evil.example", "Access-Control-Request-Method", "GET", "Connection", "Upgrade", "Upgrade", "websocket"}, 200},
		{"a WebSocket with a token", "GET", []string{"Authorization", "Bearer " + token, "Connection", "Upgrade", "Upgrade", "websocket"}, 101},
		{"a WebSocket without one", "GET", []string{"Connection", "Upgrade", "Upgrade", "websocket"}, 401},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(c.headers); i += 2 {
			req.Header.Add(c.headers[i], c.headers[i+1])
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		resp.Body.Close()
		if resp.StatusCode != c.status {
			t.Errorf("%s: %d, want %d", c.name, resp.StatusCode, c.status)
		}
	}
}

// A site without a guard is none of the guards' business, also where its host is one of
// those that a guarded site beside it is for: what it gets is neither refused nor stripped.
func TestSitesBesideAGuardedOne(t *testing.T) {
	s, app := startTalker(t, "respond elsewhere")
	_, port, _ := net.SplitHostPort(s.vars["METRICS"])
	before, _, _ := strings.Cut(mainJob, "http://$APP {")
	site := func(hosts, handlers string) string {
		var addresses []string
		for host := range strings.FieldsSeq(hosts) {
			addresses = append(addresses, "http://"+host+":"+port)
		}
		return strings.Join(addresses, ", ") + " {\n\tbind 127.0.0.1\n\t" + handlers + "\n\treverse_proxy $BACKEND\n}\n"
	}
	s.stop()
	s.start(before + "&(closed) {\n\tguard\n}\n" + site("*.app.example", "guard /admin/*") + site("other.example", "guard") +
		site("open.app.example also.app.example", "") + site("part.app.example/public/*", "") + site("part.app.example", "guard /admin/*") +
		site("named.app.example", "handle /admin/* {\n\t\tinvoke closed\n\t}"))
	for host, open := range map[string]bool{"open": true, "ALSO": true, "any": false, "part": false, "named": false} {
		ask := func(path string) (int, string) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:"+port+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Host, req.Header = host+".app.example", http.Header{"Remote-User": {"forged"}}
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			return resp.StatusCode, string(body)
		}
		if status, body := ask("/public/x"); status != 200 || strings.Contains(body, "forged") != open {
			t.Errorf("%s: %d, the app sees %s", host, status, body)
		}
		app.reached()
		status, _ := ask("/public/a%2Fb")
		if got := app.reached(); status != map[bool]int{true: 200, false: 400}[open] || (len(got) > 0) != open {
			t.Errorf("%s: %d, the app got %q", host, status, got)
		}
	}
}
