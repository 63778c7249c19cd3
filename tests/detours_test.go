package tests

import (
	"bufio"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/fcgi"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// talker is an app that says in its answers what only the gateway may say, and in their
// bodies what it was asked.
type talker struct {
	mu      sync.Mutex
	asked   []string // targets
	cookies []string // of the last request
}

func (a *talker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	a.asked, a.cookies = append(a.asked, r.RequestURI), r.Header["Cookie"]
	a.mu.Unlock()
	if r.Header["Expect"] != nil {
		// Whether a client is told to send a body that the app answers without is a race
		// within Caddy's proxy, and any answer may wait for that body.
		_, _ = io.Copy(io.Discard, r.Body)
	}
	maps.Copy(w.Header(), map[string][]string{
		"Access-Control-Allow-Origin": {"*"},
		"Remote-User":                 {"of the app"}, "x_forwarded_groups": {"of the app"},
		"Set-Cookie": {"gatehouse-login-x=1", "=gatehouse-login-x=1; Path=/", " = gatehouse-login-x=1", "=__Host-gatehouse-login-x=1", "app=1", "=app=2"},
	})
	_ = json.NewEncoder(w).Encode(map[string]any{"target": r.RequestURI, "fields": r.Header})
}

// reached returns the targets that arrived since it was asked last.
func (a *talker) reached() (asked []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	asked, a.asked = a.asked, nil
	return asked
}

// seen returns the cookies of the last request.
func (a *talker) seen() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.cookies
}

// startTalker starts the app and a gateway with a site in front of it.
func startTalker(t *testing.T, site string) (*server, *talker) {
	t.Helper()
	s, app, before := newTalkerServer(t)
	return s.start(before + "http://$APP {\n\tbind 127.0.0.1\n" + site + "\n}\n"), app
}

// newTalkerServer prepares a server with a talker behind it, BACKEND, and what stands in its
// Caddyfile before the sites of apps.
func newTalkerServer(t *testing.T) (s *server, app *talker, before string) {
	t.Helper()
	app = new(talker)
	backend := httptest.NewServer(app)
	t.Cleanup(backend.Close)
	s = newServer(t)
	s.vars["BACKEND"] = strings.TrimPrefix(backend.URL, "http://")
	before, _, _ = strings.Cut(mainJob, "http://$APP {")
	return s, app, before
}

// quiet fails the test if an answer says more of the caller than an app may.
func quiet(t *testing.T, name string, a answer) {
	t.Helper()
	if a.header.Get("Remote-User") != "" || a.header["X_forwarded_groups"] != nil || !slices.Equal(a.header["Set-Cookie"], []string{"app=1", "=app=2"}) {
		t.Errorf("%s: the app answers in the gateway's name: %v", name, a.header)
	}
}

// Attacks 19 and 26: a rewrite puts something of the client's into the path. What comes of
// that is judged beside the guards as well as by them, since a matcher before a guard could
// be talked round by it.
func TestRewritesThatTakeTheClientsWord(t *testing.T) {
	s, app := startTalker(t, `
	rewrite /go /page/{query.to}
	rewrite /raw {query.to}
	route /again/* {
		rewrite * /page/{query.to}
		guard /admin/*
		guard /page/admin/*
		reverse_proxy $BACKEND
	}
	guard /admin/*
	guard /page/admin/*
	reverse_proxy $BACKEND`)
	for target, want := range map[string]struct {
		status int
		sent   string
	}{
		"/go?to=home":                        {200, "/page/home?to=home"},
		"/go?to=a%2Fb":                       {200, "/page/a/b?to=a%2Fb"},
		"/go?to=admin/x":                     {status: 401},
		"/go?to=..%3b/admin/x":               {status: 400},
		"/go?to=..%5cadmin/x":                {status: 400},
		"/go?to=x/../../admin/x":             {status: 400},
		"/go?to=%252e%252e%252fadmin":        {status: 400},
		"/go?to=/admin/x":                    {status: 400},
		"/go?to=..%25c2%25a0/admin/x":        {status: 400},
		"/raw?to=/admin/x":                   {status: 401},
		"/raw?to=admin/x":                    {status: 400},
		"/raw?to=/x/..%3b/admin/x":           {status: 400},
		"/raw?to=/x":                         {200, "/x?to=/x"},
		"/again/x?to=home":                   {200, "/page/home?to=home"},
		"/again/x?to=..%3b/admin/x":          {status: 400},
		"/again/x?to=x%252f..%252f..%252fy":  {status: 400},
		"/again/x?to=admin/x":                {status: 401},
		"/plain/x?to=..%3b/admin/../%5cx%2f": {200, "/plain/x?to=..%3b/admin/../%5cx%2f"},
	} {
		a := send(t, "GET", "http://"+s.vars["APP"]+target, "")
		if got := app.reached(); a.status != want.status || want.sent == "" && got != nil || want.sent != "" && !slices.Equal(got, []string{want.sent}) {
			t.Errorf("%s: %d, the app got %q, want %d %q", target, a.status, got, want.status, want.sent)
		}
	}
}

// Attacks 13, 14 and 16 by way of an error: an app that answers errors learns neither the
// credential of a request that was refused, whyever, nor our cookies, and is not heard in
// the gateway's name either.
func TestAppsThatAnswerErrors(t *testing.T) {
	s, _ := startTalker(t, `
	guard /admin/*
	error /broken 500
	@dead path /dead/* /admin/dead
	reverse_proxy @dead 127.0.0.1:1
	reverse_proxy $BACKEND
	handle_errors {
		rewrite * /sorry
		reverse_proxy $BACKEND
	}`)
	token := s.token(appCredentials)
	for _, c := range []struct{ method, target string }{
		{"GET", "/admin/x"}, {"GET", "/admin/a%2fb"}, {"GET", "/public/a%2fb"}, {"BREW", "/public/a;b"}, {"TRACE", "/admin/x"}, {"GET", "/admin/dead"}, {"GET", "/broken"}, {"GET", "/dead/x"},
	} {
		for _, credential := range []string{token, "wrong-" + token, token + ", Basic YTpi"} {
			name := c.method + " " + c.target + " with " + credential[:6]
			a := send(t, c.method, "http://"+s.vars["APP"]+c.target, "", "Authorization", "Bearer "+credential, "Cookie", "app=1; gatehouse-login-x=s", "Remote_User", "forged")
			quiet(t, name, a)
			fields := http.Header{}
			for field, values := range a.json(t)["fields"].(map[string]any) {
				for _, v := range values.([]any) {
					fields.Add(field, v.(string))
				}
			}
			open := c.target == "/broken" || c.target == "/dead/x" // no guard's business
			if a.status != 200 || !slices.Equal(fields["Cookie"], []string{"app=1"}) || fields.Get("Authorization") != "" && !open {
				t.Errorf("%s: %d, the app that answers it sees %v", name, a.status, fields)
			}
			if user := fields.Get("Remote-User"); user != "" && (user != "service-account-app" || credential != token || c.target != "/admin/dead" && c.target != "/admin/x") {
				t.Errorf("%s: the app that answers it sees %q", name, user)
			}
		}
	}
}

// Attack 28: an app that takes no notice of the method is asked by what looks like a
// preflight. It may say what pages of which origins may do, and no more.
func TestPreflightsGetNoContent(t *testing.T) {
	s, app := startTalker(t, `
	guard /admin/*
	guard /mine/* {
		optional
		policy "principal.subject != ''"
	}
	guard /ours/* {
		optional
	}
	route /packed/* {
		encode
		guard
		reverse_proxy $BACKEND
	}
	respond /admin/here secret
	reverse_proxy $BACKEND`)
	for path, body := range map[string]bool{"/admin/x": false, "/mine/x": false, "/packed/x": false, "/ours/x": true, "/public/x": true, "/admin/here": false} {
		a := send(t, "OPTIONS", "http://"+s.vars["APP"]+path, "", "Origin", "https://spa.example", "Access-Control-Request-Method", "PUT")
		quiet := path == "/admin/here" || len(app.reached()) == 1 && a.header.Get("Access-Control-Allow-Origin") == "*"
		if a.status != 200 || (a.body != "") != body || !quiet {
			t.Errorf("%s: %d %v %q", path, a.status, a.header, a.body)
		}
	}
	token := s.token(appCredentials)
	if a := send(t, "OPTIONS", "http://"+s.vars["APP"]+"/admin/x", "", "Origin", "https://spa.example", "Access-Control-Request-Method", "PUT", "Authorization", "Bearer "+token); a.status != 200 || a.body == "" {
		t.Errorf("with a token: %d %q", a.status, a.body)
	}
}

// Nor does what comes behind the body of such an answer.
func TestPreflightsGetNoTrailers(t *testing.T) {
	s := newServer(t)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Announced")
		_, _ = w.Write([]byte("ours"))
		w.Header().Set("X-Announced", "ours")
		w.Header().Set(http.TrailerPrefix+"X-Late", "ours")
	}))
	t.Cleanup(app.Close)
	s.vars["BACKEND"] = strings.TrimPrefix(app.URL, "http://")
	s.start(strings.Replace(mainJob, "reverse_proxy $UP", "reverse_proxy $BACKEND", 1))
	ask := func(method string, fields ...string) http.Header {
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.vars["APP"]+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(fields); i += 2 {
			req.Header.Set(fields[i], fields[i+1])
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 {
			t.Errorf("%s: %d, %v", method, resp.StatusCode, err)
		}
		return resp.Trailer
	}
	if got := ask("OPTIONS", "Origin", "https://spa.example", "Access-Control-Request-Method", "PUT"); len(got) > 0 {
		t.Errorf("a preflight gets %v", got)
	}
	if got := ask("GET", "Authorization", "Bearer "+s.token(appCredentials)); got.Get("X-Announced") != "ours" || got.Get("X-Late") != "ours" {
		t.Errorf("with a token: %v", got)
	}
}

// Attacks 13 and 16, in every block of a site with a guard: our cookies reach no app of it
// and no app sets one, and our own endpoints on the same site do and get them all the same.
func TestOwnCookiesInEveryBlock(t *testing.T) {
	s := newServer(t)
	s.withUpstreams()
	app := httptest.NewServer(new(talker))
	t.Cleanup(app.Close)
	s.vars["BACKEND"] = strings.TrimPrefix(app.URL, "http://")
	before, _, _ := strings.Cut(upstreamLogins, "http://$AUTH {")
	s.start(before + `http://$AUTH {
	bind 127.0.0.1
	handle /v1/* {
		encode
		gatehouse {
			pakt {
				redirect_uri http://$AUTH/front
				strict_state
			}
		}
		reverse_proxy $BACKEND
	}
	handle /guarded/* {
		guard
		reverse_proxy $BACKEND
	}
	handle {
		reverse_proxy $BACKEND
	}
}
`)
	login := func(withCookie bool) int {
		begun := send(t, "GET", s.auth("/v1/auth/google/oauth/generate-state"), "")
		data := begun.json(t)["data"].(map[string]any)
		back := send(t, "GET", data["googleAuthUrl"].(string)+"&as=ada", "").header.Get("Location")
		_, query, _ := strings.Cut(back, "?")
		cookie, _, _ := strings.Cut(begun.header.Get("Set-Cookie"), ";")
		if !strings.HasPrefix(cookie, "gatehouse-login-") {
			t.Fatalf("the login sets %q", begun.header["Set-Cookie"])
		}
		fields := []string{"Cookie", "app=1"}
		if withCookie {
			fields[1] += "; " + cookie
		}
		return send(t, "POST", s.auth("/v1/auth/google/oauth/validate-state?"+query), "", fields...).status
	}
	if with, without := login(true), login(false); with != 200 || without == 200 {
		t.Errorf("the end of a login answers %d, and %d without our cookie", with, without)
	}
	for _, path := range []string{"/v1/other", "/open/x", "/"} {
		a := send(t, "GET", s.auth(path), "", "Cookie", "app=1; gatehouse-login-x=s")
		if a.status != 200 || !strings.Contains(a.body, `"app=1"`) || strings.Contains(a.body, "gatehouse-login") {
			t.Errorf("%s: %d, the app sees %s", path, a.status, a.body)
		}
		if !slices.Equal(a.header["Set-Cookie"], []string{"app=1", "=app=2"}) || a.header.Get("Remote-User") != "of the app" {
			t.Errorf("%s: the app answers %v", path, a.header)
		}
	}
}

// Beside others, a trust's people carry its name wherever Caddy hands their id on by
// itself: an app behind FastCGI believes REMOTE_USER.
func TestRemoteUserOfFastCGI(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		_ = fcgi.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(fcgi.ProcessEnv(r)["REMOTE_USER"]))
		}))
	}()
	f := newForger(t)
	s := newServer(t)
	s.vars["FORGER"], s.vars["BACKEND"] = strings.TrimPrefix(f.URL, "http://"), l.Addr().String()
	s.start(strings.Replace(ownAndForged, `respond "sub={http.auth.user.sub}"`, "reverse_proxy $BACKEND {\n\t\ttransport fastcgi\n\t}", 1))
	f.says(f.active(""))
	if a := s.guarded("/", "an-opaque-token-of-somebody-else"); a.status != 200 || a.body != "forger:ada" {
		t.Errorf("a trust's: %d, REMOTE_USER %q", a.status, a.body)
	}
	if a := s.guarded("/", s.token(appCredentials)); a.status != 200 || strings.Contains(a.body, ":") || len(a.body) != 36 {
		t.Errorf("our own: %d, REMOTE_USER %q", a.status, a.body)
	}
}

// Attack 13, by way of an endpoint's own answer: an app that is asked for another one in its
// place sees our cookies as little as any other.
func TestAppsThatAnswerForEndpoints(t *testing.T) {
	s, app := startTalker(t, `
	route {
		intercept {
			@bad status 4xx
			handle_response @bad {
				rewrite * /sorry
				reverse_proxy $BACKEND
			}
		}
		gatehouse
		guard
		reverse_proxy $BACKEND
	}`)
	_, _ = trySend(t.Context(), "POST", "http://"+s.vars["APP"]+"/oauth2/token", "grant_type=none", "Content-Type", form, "Cookie", "app=1; gatehouse-login-x=s") // of two lengths
	var got, cookies []string
	eventually(t, 10*time.Second, "the app is asked", func() bool {
		got, cookies = app.reached(), app.seen()
		return len(got) > 0
	})
	if !slices.Equal(got, []string{"/sorry"}) || !slices.Equal(cookies, []string{"app=1"}) {
		t.Errorf("asked for %q, the app sees the cookies %q", got, cookies)
	}
}

// An error is answered whatever has become of its request since it came.
func TestErrorsOfRequestsWithAnotherHost(t *testing.T) {
	s, app := newServer(t), new(talker)
	backend := httptest.NewServer(app)
	t.Cleanup(backend.Close)
	s.vars["BACKEND"], s.vars["PORT"] = strings.TrimPrefix(backend.URL, "http://"), freePorts(t, 1)[0]
	before, _, _ := strings.Cut(mainJob, "http://$APP {")
	s.start(before + `http://:$PORT {
	bind 127.0.0.1
	route {
		request_header Host backend.
		guard /admin/*
		reverse_proxy $BACKEND
	}
	handle_errors {
		rewrite * /sorry
		reverse_proxy $BACKEND
	}
}
`)
	for _, target := range []string{"/admin/x%20y", "/admin/a%2fb", "/x%20y"} {
		a := send(t, "GET", "http://127.0.0.1:"+s.vars["PORT"]+target, "")
		if got := app.reached(); a.status != 200 || !slices.Equal(got, []string{"/sorry"}) {
			t.Errorf("%s: %d, asked for %q", target, a.status, got)
		}
	}
}

// A proxy in front that takes early data says so of each such request (RFC 8470 §5.1), and
// the address that it names is as little proven as one of our own early data.
func TestEarlyDataOfAProxyInFront(t *testing.T) {
	s, app := startTalker(t, `
	gatehouse
	guard /near/* {
		policy "request.remote_ip.startsWith('127.')"
	}
	guard
	reverse_proxy $BACKEND`)
	bearer := []string{"Authorization", "Bearer " + s.token(appCredentials)}
	for _, c := range []struct {
		path   string
		early  []string
		status int
	}{
		{"/near/x", nil, 200}, {"/near/x", []string{"Early-Data", "1"}, 425}, {"/near/x", []string{"Early-Data", "1", "Early-Data", "1"}, 425},
		{"/near/x", []string{"Early-Data", "no"}, 425}, {"/far/x", []string{"Early-Data", "1"}, 200},
		{"/.well-known/openid-configuration", nil, 200}, {"/.well-known/openid-configuration", []string{"Early-Data", "1"}, 425},
	} {
		a := send(t, "GET", "http://"+s.vars["APP"]+c.path, "", append(c.early, bearer...)...)
		got := app.reached()
		if a.status != c.status || strings.HasSuffix(c.path, "/x") && len(got) != map[bool]int{true: 1}[c.status == 200] {
			t.Errorf("%s %q: %d, the app got %q", c.path, c.early, a.status, got)
		}
	}
}

// Attack 27: a method in another case is no POST to a matcher in front of a guard, and one to
// the many apps that bring it into upper case first.
func TestMethodsInAnotherCase(t *testing.T) {
	s, app := startTalker(t, `
	@write method POST PUT PATCH DELETE
	guard @write
	guard /files/* {
		optional
		lenient_paths
		policy "request.method != 'DELETE'"
	}
	reverse_proxy $BACKEND`)
	for _, path := range []string{"/x", "/files/x"} {
		for method, want := range map[string]int{"GET": 200, "PROPFIND": 200, "M-SEARCH": 200, "POST": 401, "DELETE": 401, "post": 405, "Post": 405, "patch": 405, "dELETE": 405, "get": 405, "m-search": 405} {
			a := send(t, method, "http://"+s.vars["APP"]+path, "")
			if got := app.reached(); a.status != want || (len(got) > 0) != (want == 200) || want == 405 && a.header.Get("Allow") == "" {
				t.Errorf("%s %s: %d %v, the app got %q; want %d", method, path, a.status, a.header, got, want)
			}
		}
	}
}

// Attack 27: by HTTP/2 comes what is no method at all. To a matcher "POST " is no POST, and to
// whoever takes off what is not of a name it is one. A proxy in HTTP refuses to send it;
// FastCGI carries whatever there is.
func TestMethodsThatAreNone(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	var mu sync.Mutex
	var got []string
	go func() {
		_ = fcgi.Serve(l, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, r.Method)
		}))
	}()
	s := newServer(t)
	s.vars["BACKEND"] = l.Addr().String()
	before, _, _ := strings.Cut(strings.Replace(mainJob, "{\n", "{\n\tservers {\n\t\tprotocols h1 h2c\n\t}\n", 1), "http://$APP {")
	s.start(before + `http://$APP {
	bind 127.0.0.1
	@write method POST PUT PATCH DELETE
	guard @write
	guard /files/* {
		optional
		lenient_paths
		policy "request.method != 'POST'"
	}
	reverse_proxy $BACKEND {
		transport fastcgi
	}
}
`)
	for method, want := range map[string]int{
		"GET": 200, "M-SEARCH": 200, "POST": 401, "POST ": 405, " POST": 405, "POST\t": 405, "P OST": 405, "POST,GET": 405, "\"POST\"": 405, "POS\u00de": 405,
	} {
		for _, path := range []string{"/x", "/files/x"} {
			c := &rawClient{addr: s.vars["APP"], h2: true}
			status, _ := c.send(method, path, s.vars["APP"])
			c.close()
			if status != want {
				t.Errorf("%q %s: %d, want %d", method, path, status, want)
			}
		}
	}
	mu.Lock()
	defer mu.Unlock()
	slices.Sort(got)
	if !slices.Equal(got, []string{"GET", "GET", "M-SEARCH", "M-SEARCH"}) {
		t.Errorf("the app got %q", got)
	}
}

// Who asks whether to send his body is told no at once, and not when he has sent it.
func TestRefusalsBeforeTheBody(t *testing.T) {
	s, app := startTalker(t, `
	guard /admin/*
	reverse_proxy $BACKEND
	handle_errors 401 {
		respond "told: {err.message}"
	}`)
	for target, want := range map[string]string{"/admin/x": " 401 ", "/admin/;x": " 400 ", "/open/;x": " 400 ", "/open/x": " 100 "} {
		for _, length := range []string{"Content-Length: 5", "Transfer-Encoding: chunked"} {
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.vars["APP"])
			if err != nil {
				t.Fatal(err)
			}
			must(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
			_, err = io.WriteString(conn, "PUT "+target+" HTTP/1.1\r\nHost: "+s.vars["APP"]+"\r\nExpect: 100-continue\r\n"+length+"\r\n\r\n")
			must(t, err)
			status, err := bufio.NewReader(conn).ReadString('\n')
			if err != nil || !strings.Contains(status, want) {
				t.Errorf("%s, %s: %q, %v; want%s", target, length, status, err, want)
			}
			conn.Close()
		}
	}
	if got := app.reached(); slices.ContainsFunc(got, func(target string) bool { return target != "/open/x" }) {
		t.Errorf("the app got %q", got)
	}
}
