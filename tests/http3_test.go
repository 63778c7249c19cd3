package tests

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"testing"
	"time"
)

// What is tested of the guard in the clear holds over TLS too, by HTTP/2 and by HTTP/3, which
// is a server of its own: it has no Connection and no Host, holds back the header of a short
// answer, cannot tell an empty body from one to come, and takes requests in early data.
func TestOverTLS(t *testing.T) {
	t.Setenv("QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING", "true") // of the deaf connection
	s := secure(t, "", secureSite)
	for _, part := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"the main job", s.mainJob}, {"forged identity", s.forgedIdentity}, {"answers", s.answers}, {"targets", s.targets},
		{"bodies", s.bodies}, {"extended CONNECT", s.connect}, {"early data", s.earlyData},
	} {
		t.Run(part.name, part.run)
	}
}

// The main job, over HTTP/2 and HTTP/3 with TLS: who has a token passes, and the app learns
// who calls from us alone; who has none is challenged. Tokens are to be had there as well.
func (s *secureRig) mainJob(t *testing.T) {
	for _, w := range []way{s.h2, s.h3} {
		t.Run(w.name, func(t *testing.T) {
			a, text, err := w.ask(t, "POST", "/oauth2/token", strings.NewReader("grant_type=client_credentials&"+appCredentials), "Content-Type", form) //nolint:bodyclose // it was read to its end
			if err != nil || a.StatusCode != 200 {
				t.Fatal(err, text)
			}
			token := answer{body: text}.json(t)["access_token"].(string)
			s.secret(token)
			bearer := []string{"Authorization", "Bearer " + token}
			for _, c := range []struct {
				name, method, path string
				fields             []string
				status             int
				body               string
				want               []string // the identity that arrives
			}{
				{"a token", "GET", "/admin/x", bearer, 200, "ok", []string{"Remote-Groups: reader", "Remote-User: service-account-app"}},
				{"a map", "GET", "/team/x", bearer, 200, "ok", []string{"X-Team: app"}},
				{"no token", "GET", "/admin/x", nil, 401, "", nil},
				{"a bad token", "GET", "/admin/x", []string{"Authorization", "Bearer x" + token}, 401, "", nil},
				{"two tokens", "GET", "/admin/x", slices.Concat(bearer, bearer), 400, "", nil},
				{"an open path", "GET", "/public/x", nil, 200, "ok", nil},
				{"HEAD", "HEAD", "/admin/x", bearer, 200, "", []string{"Remote-Groups: reader", "Remote-User: service-account-app"}},
				{"HEAD without a token", "HEAD", "/admin/x", nil, 401, "", nil},
				{"a preflight", "OPTIONS", "/admin/x", []string{"Origin", "https://spa.example", "Access-Control-Request-Method", "GET"}, 200, "", nil},
				{"a preflight with a cookie", "OPTIONS", "/admin/x", []string{"Origin", "https://spa.example", "Access-Control-Request-Method", "GET", "Cookie", "a=1"}, 401, "", nil},
				{"a policy that asks for the address", "GET", "/loopback/x", bearer, 200, "ok", []string{"Remote-Groups: reader", "Remote-User: service-account-app"}},
				{"an upload without a token", "PUT", "/admin/x", nil, 401, "", nil},
				{"TRACE", "TRACE", "/admin/x", bearer, 405, "", nil},
			} {
				id := w.name + "/" + c.name
				var body io.Reader
				if c.method == "PUT" {
					body = strings.NewReader(strings.Repeat("x", 1<<20))
				}
				a, text, err := w.ask(t, c.method, c.path, body, append([]string{"X-Case", id}, c.fields...)...) //nolint:bodyclose // it was read to its end
				if err != nil || a.StatusCode != c.status || c.status == 200 && text != c.body {
					t.Errorf("%s: %v %v %q", c.name, err, a, text)
					continue
				}
				if challenge := a.Header.Get("WWW-Authenticate"); c.status == 401 && (!strings.HasPrefix(challenge, `Bearer realm="demo"`) || strings.Contains(challenge, "error=") != (c.name == "a bad token")) {
					t.Errorf("%s: the challenge is %q", c.name, challenge)
				}
				got := s.app.of(id)
				if c.status != 200 {
					if len(got) > 0 {
						t.Errorf("%s: it reached the app: %+v", c.name, got)
					}
					continue
				}
				if len(got) != 1 || !slices.Equal(got[0].identity(), c.want) || got[0].header["Authorization"] != nil {
					t.Errorf("%s: the app sees %+v", c.name, got)
				}
			}
			s.revoke(token, appCredentials)
			if a, _, err := w.ask(t, "GET", "/admin/x", nil, bearer...); err != nil || a.StatusCode != 401 { //nolint:bodyclose // it was read to its end
				t.Errorf("after the revocation: %v %v", a, err)
			}
		})
	}
}

// Attacks 1 to 10 and 13: whatever a client adds to speak in the gateway's name, in header
// and trailer, and the gateway's own cookies, stay away from the app.
func (s *secureRig) forgedIdentity(t *testing.T) {
	bearer := []string{"Authorization", "Bearer " + s.token(appCredentials)}
	corpus := headerCorpus(t)
	ours := []string{"Remote-Groups: reader", "Remote-User: service-account-app"}
	for _, w := range []way{s.h2, s.h3} {
		t.Run(w.name, func(t *testing.T) {
			passed := 0
			for i, fields := range corpus {
				var body io.Reader
				if at := slices.Index(fields, ":body"); at >= 0 {
					body = strings.NewReader(fields[at+1])
					fields = slices.Delete(slices.Clone(fields), at, at+2)
				}
				path, want := "/public/x", []string(nil)
				if i%2 == 0 {
					path, want, fields = "/admin/x", ours, slices.Concat(bearer, fields)
				}
				id := fmt.Sprintf("%s/%d", w.name, i)
				a, _, err := w.ask(t, "POST", path, body, append([]string{"X-Case", id}, fields...)...) //nolint:bodyclose // it was read to its end
				got := s.app.of(id)
				if err != nil || a.StatusCode != 200 {
					if len(got) > 0 {
						t.Errorf("%q: refused, and it reached the app: %+v", fields, got)
					}
					continue
				}
				passed++
				if len(got) != 1 || !slices.Equal(got[0].identity(), want) {
					t.Errorf("%q: the app sees %+v", fields, got)
				}
			}
			if passed < len(corpus)/2 {
				t.Errorf("only %d of %d passed", passed, len(corpus))
			}
			for _, path := range []string{"/admin/x", "/public/x", "/fallen/x"} {
				id := w.name + "/cookies" + path
				_, _, err := w.ask(t, "GET", path, nil, append(bearer, "X-Case", id, "Remote_User", "root", "Cookie", "app=1", "Cookie", "gatehouse-login-x=s", "Cookie", "__Host-gatehouse-y=s", "Cookie", "b=2")...) //nolint:bodyclose // it was read to its end
				if got := s.app.of(id); err != nil || len(got) != 1 || got[0].header.Get("Cookie") != "app=1; b=2" || slices.Contains(got[0].identity(), "Remote-User: root") {
					t.Errorf("%s: %v, the app sees: %+v", path, err, got)
				}
			}
		})
	}
	t.Run("HTTP/3, every byte", func(t *testing.T) {
		c := dialRaw3(t, s)
		for i, extra := range [][][2]string{
			{}, {{"content-length", "4"}}, {{"trailer", "remote-user, x-digest"}}, {{"content-length", "4"}, {"trailer", "remote-user, x-digest"}},
			{{"remote-user", "root"}, {"remote-user", "root"}, {"remote_user", "root"}, {"remote.user", "root"}},
		} {
			for _, path := range []string{"/public/x", "/admin/x"} {
				id, want := fmt.Sprintf("raw/%d%s", i, path), []string(nil)
				fields := slices.Concat(c.pseudo("POST", path), [][2]string{{"x-case", id}}, extra)
				if path == "/admin/x" {
					fields, want = append(fields, [2]string{"authorization", bearer[1]}), ours
				}
				status := c.send(fields, "body", [2]string{"remote-user", "root"}, [2]string{"remote_groups", "root"}, [2]string{"x.team", "root"}, [2]string{"x-digest", "1"})
				if got := s.app.of(id); status != 200 || len(got) != 1 || !slices.Equal(got[0].identity(), want) || got[0].size != 4 {
					t.Errorf("%q: %d, the app sees %+v", fields, status, got)
				}
			}
		}
	})
}

// Attack 16: an app cannot answer in the gateway's name, neither in headers nor in trailers
// nor in early hints, and its own cookies, headers and trailers arrive: also of an answer so
// short that the server holds its header back until the handlers have ended.
func (s *secureRig) answers(t *testing.T) {
	token := s.token(appCredentials)
	for _, w := range []way{s.h2, s.h3} {
		for _, what := range []string{"answers", "flushed", "hints", "announced", "unannounced", "gone"} {
			for _, path := range []string{"/admin/", "/public/", "/fallen/"} {
				t.Run(w.name+path+what, func(t *testing.T) {
					r, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+s.addr()+path+what, nil)
					must(t, err)
					r.Header.Set("Authorization", "Bearer "+token)
					var hints []textproto.MIMEHeader
					r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{Got1xxResponse: func(_ int, h textproto.MIMEHeader) error {
						hints = append(hints, h)
						return nil
					}}))
					a, err := w.RoundTrip(r)
					must(t, err)
					text, err := io.ReadAll(a.Body)
					a.Body.Close()
					if err != nil || a.StatusCode != map[bool]int{true: 204, false: 200}[what == "gone"] || what != "gone" && string(text) != "said" {
						t.Fatalf("%v %d %q", err, a.StatusCode, text)
					}
					usurped(t, "header", a.Header, what != "announced" && what != "unannounced")
					usurped(t, "trailers", a.Trailer, what == "announced" || what == "unannounced")
					if (len(hints) > 0) != (what == "hints") {
						t.Errorf("%d early hints", len(hints))
					}
					for _, h := range hints {
						usurped(t, "early hints", http.Header(h), true)
					}
				})
			}
		}
	}
}

// usurped checks one section of an app's answer: said tells whether it has the app's own.
func usurped(t *testing.T, where string, h http.Header, said bool) {
	t.Helper()
	for _, name := range identityNames {
		for got, values := range h {
			if strings.EqualFold(strings.ReplaceAll(got, "_", "-"), name) && len(values) > 0 || got == "Set-Cookie" && strings.Contains(strings.Join(values, " "), "gatehouse-") {
				t.Errorf("%s: the caller gets %s: %q", where, got, values)
			}
		}
	}
	cookies := []string(nil)
	if said && where != "trailers" { // no app sets a cookie there, and nobody reads one
		cookies = []string{"app=1; Path=/"}
	}
	if where == "trailers" {
		delete(h, "Set-Cookie")
	}
	if !slices.Equal(h["Set-Cookie"], cookies) || said && h.Get("X-Digest") != "1" {
		t.Errorf("%s: the caller gets %v", where, h)
	}
}

// Attacks 17 to 25 and 31: a target that two programs read in two ways, or a Host that
// contradicts the authority.
func (s *secureRig) targets(t *testing.T) {
	bearer := [2]string{"authorization", "Bearer " + s.token(appCredentials)}
	c := dialRaw3(t, s)
	refused := 0
	for i, at := range pathCorpus(t) {
		if at.want == "refused" && i%4 != 0 {
			continue // what is refused is judged alike
		}
		for _, fields := range [][][2]string{nil, {bearer}} {
			id := fmt.Sprintf("target/%d/%d", i, len(fields))
			status := c.send(slices.Concat(c.pseudo("GET", at.text), [][2]string{{"x-case", id}}, fields), "")
			want := map[string]int{"open": 200, "refused": 400, "guarded": 401}[at.want]
			if want == 401 && len(fields) > 0 {
				want = 200
			}
			if status == 0 && want == 400 {
				status = 400 // cut off before any handler
			}
			if status != want || len(s.app.of(id)) != map[bool]int{true: 1}[want == 200] {
				t.Errorf("%q, with %d fields: %d, want %d; reached: %+v", at.text, len(fields), status, want, s.app.of(id))
			}
			if status == 400 {
				refused++
			}
		}
	}
	if refused < 100 {
		t.Errorf("only %d were refused", refused)
	}
	for i, hosts := range [][][2]string{
		{{":authority", "app.example"}, {"host", "admin.example"}}, {{":authority", "app.example"}, {"host", "app.example"}, {"host", "admin.example"}},
		{{":authority", "app.example."}}, {{":authority", "evil@app.example"}}, {{":authority", "app.example"}, {"host", "app.example."}}, {{":authority", ""}, {"host", ""}},
		{{"host", "app..example"}}, {{":authority", ""}, {"host", "app.example"}}, {{":authority", "app.example"}, {":authority", "admin.example"}},
	} {
		id := fmt.Sprintf("host/%d", i)
		fields := [][2]string{{":method", "GET"}, {":scheme", "https"}, {":path", "/public/x"}}
		fields = slices.Concat(fields, hosts, [][2]string{{"x-case", id}})
		if status := c.send(fields, ""); status != 0 && status != 400 || len(s.app.of(id)) > 0 {
			t.Errorf("%q: %d, reached: %+v", hosts, status, s.app.of(id))
		}
	}
	for _, hosts := range [][2]string{{":authority", "app.example"}, {"host", "app.example"}} {
		if status := c.send([][2]string{{":method", "GET"}, {":scheme", "https"}, {":path", "/public/x"}, hosts}, ""); status != 200 {
			t.Errorf("%q: %d", hosts, status)
		}
	}
}

// Bodies pass both ways, whole and as they come.
func (s *secureRig) bodies(t *testing.T) {
	bearer := []string{"Authorization", "Bearer " + s.token(appCredentials)}
	const large = 4 << 20
	upload := make([]byte, large)
	_, _ = rand.Read(upload)
	for _, w := range []way{s.h2, s.h3} {
		t.Run(w.name, func(t *testing.T) {
			for name, body := range map[string]io.Reader{"known": bytes.NewReader(upload), "unknown": struct{ io.Reader }{bytes.NewReader(upload)}} {
				id := w.name + "/upload/" + name
				a, text, err := w.ask(t, "PUT", "/admin/echo", body, append(bearer, "X-Case", id)...) //nolint:bodyclose // it was read to its end
				if err != nil || a.StatusCode != 200 || text != string(upload) {
					t.Errorf("%s: %v, %d bytes come back", name, err, len(text))
				}
				if got := s.app.of(id); len(got) != 1 || got[0].size != large || got[0].sum != sha256.Sum256(upload) {
					t.Errorf("%s: %d bytes arrive", name, got[0].size)
				}
			}
			r, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+s.addr()+"/admin/events", nil)
			must(t, err)
			r.Header.Set(bearer[0], bearer[1])
			a, err := w.RoundTrip(r)
			must(t, err)
			defer a.Body.Close()
			events := bufio.NewReader(a.Body)
			if line, err := events.ReadString('\n'); err != nil || line != "data: one\n" {
				t.Fatalf("%q %v", line, err)
			}
			s.app.next <- struct{}{}
			if rest, err := io.ReadAll(events); err != nil || string(rest) != "\ndata: two\n\n" {
				t.Errorf("%q %v", rest, err)
			}
		})
	}
}

// smuggled is a request that a blind tunnel would carry past every guard.
const smuggled = "GET /admin/x HTTP/1.1\r\nHost: app.example\r\nX-Case: smuggled\r\nRemote-User: root\r\n\r\n"

// connects are extended CONNECT requests (RFC 8441 and RFC 9220).
var connects = []struct {
	protocol, path string
	token          bool
	status         int
	want           []string // the identity that arrives
}{
	{"websocket", "/admin/socket", false, 401, nil},
	{"websocket", "/listed/socket", false, 401, nil}, // guarded by the method that the app sees
	{"websocket", "/listed/x", false, 401, nil},
	{"websocket", "/admin/%2e%2e/socket", true, 400, nil},
	{"websocket", "/admin/socket", true, 200, []string{"Remote-Groups: reader", "Remote-User: service-account-app"}},
	{"websocket", "/listed/socket", true, 200, []string{"Remote-Groups: reader", "Remote-User: service-account-app"}},
	{"websocket", "/team/socket", true, 200, []string{"X-Team: app"}},
	{"websocket", "/public/socket", false, 200, nil},
	{"websocket", "/packed/socket", false, 200, nil}, // encode holds an answer's header back
	{"websocket", "/fallen/socket", false, 200, nil}, // by way of an error route
	{"WebSocket", "/admin/socket", true, 405, nil},
	{"connect-udp", "/admin/socket", true, 405, nil},
}

// Extended CONNECT opens a WebSocket as an upgrade of HTTP/1.1 does, and nothing else: over
// HTTP/3, and over HTTP/2 where Caddy is told to take it; otherwise it is refused there.
func (s *secureRig) connect(t *testing.T) {
	token := "Bearer " + s.token(appCredentials)
	for i, c := range connects {
		t.Run(fmt.Sprintf("HTTP/3, %s %s, token %v", c.protocol, c.path, c.token), func(t *testing.T) {
			id := fmt.Sprintf("connect/%d", i)
			said, in := io.Pipe()
			r, err := http.NewRequestWithContext(t.Context(), "CONNECT", "https://"+s.addr()+c.path, said)
			must(t, err)
			r.Proto = c.protocol
			r.Header = http.Header{"X-Case": {id}, "Remote-User": {"root"}, "Cookie": {"gatehouse-login-x=s; b=2"}, "Accept-Encoding": {"gzip"}}
			if c.token {
				r.Header.Set("Authorization", token)
			}
			a, err := s.h3.RoundTrip(r)
			must(t, err)
			defer a.Body.Close()
			defer in.Close()
			got := s.app.of(id)
			if a.StatusCode != c.status || len(got) != map[bool]int{true: 1}[c.status == 200] {
				t.Fatalf("%d %v, the app sees %+v", a.StatusCode, a.Header, got)
			}
			if c.status != 200 {
				return
			}
			_, err = io.WriteString(in, "hello")
			must(t, err)
			heard := make([]byte, 5)
			if _, err := io.ReadFull(a.Body, heard); err != nil || string(heard) != "hello" {
				t.Errorf("%q %v", heard, err)
			}
			usurped(t, "a socket", a.Header, true)
			if got[0].method != "GET" || !slices.Equal(got[0].identity(), c.want) || got[0].header.Get("Cookie") != "b=2" || got[0].header["Authorization"] != nil {
				t.Errorf("the app sees %+v", got)
			}
		})
	}
	raw := dialRaw3(t, s)
	for _, path := range []string{"/public/x", "/fallen/x", "/admin/x"} {
		for _, protocol := range []string{"connect-udp", "WebSocket", "x"} {
			raw.send(append(raw.pseudo("CONNECT", path), [2]string{":protocol", protocol}), smuggled)
		}
	}
	raw.send([][2]string{{":method", "CONNECT"}, {":authority", "app.example:443"}}, smuggled)
	raw.send(append(raw.pseudo("CONNECT", "/public/x"), [2]string{":protocol", ""}), smuggled)
	h2 := &rawClient{addr: s.addr(), h2: true, tls: s.trusted}
	defer h2.close()
	for i, c := range connects {
		id := fmt.Sprintf("refused/%d", i)
		status, _ := h2.send("CONNECT", c.path, "app.example", ":protocol", c.protocol, "X-Case", id, "Authorization", token)
		if status/100 == 2 || len(s.app.of(id)) > 0 {
			t.Errorf("HTTP/2: %s %s: %d, reached: %+v", c.protocol, c.path, status, s.app.of(id))
		}
	}
	noTunnel(t, s.app)
}

// noTunnel checks that nothing was smuggled. It would come behind the answer.
func noTunnel(t *testing.T, app *secureApp) {
	t.Helper()
	<-time.After(100 * time.Millisecond)
	if got := app.of("smuggled"); len(got) > 0 {
		t.Errorf("smuggled to the app: %+v", got)
	}
}

// The same over HTTP/2, where Caddy takes extended CONNECT if it is told so by GODEBUG.
func TestExtendedConnectOverHTTP2(t *testing.T) {
	t.Setenv("GODEBUG", "http2xconnect=1")
	for name, site := range map[string]string{"app.example": secureSite + besideSite, "": routedSite} {
		t.Run("a site for "+name, func(t *testing.T) { secure(t, name, site).connectOverHTTP2(t) })
	}
}

func (s *secureRig) connectOverHTTP2(t *testing.T) {
	token := "Bearer " + s.token(appCredentials)
	h2 := &rawClient{addr: s.addr(), h2: true, tls: s.trusted}
	defer h2.close()
	for i, c := range connects {
		id := fmt.Sprintf("connect/%d", i)
		fields := []string{":protocol", c.protocol, "X-Case", id, "Remote-User", "root", "Cookie", "gatehouse-login-x=s; b=2", "Accept-Encoding", "gzip", ":body", "hello"}
		if c.token {
			fields = append(fields, "Authorization", token)
		}
		status, header := h2.send("CONNECT", c.path, "app.example", fields...)
		got := s.app.of(id)
		if status != c.status || len(got) != map[bool]int{true: 1}[c.status == 200] {
			t.Errorf("%s %s, token %v: %d, the app sees %+v", c.protocol, c.path, c.token, status, got)
			continue
		}
		if c.status == 200 {
			usurped(t, "a socket", header, true)
			if got[0].method != "GET" || !slices.Equal(got[0].identity(), c.want) || got[0].header.Get("Cookie") != "b=2" || got[0].header["Authorization"] != nil {
				t.Errorf("%s: the app sees %+v", c.path, got)
			}
		}
	}
	for _, path := range []string{"/public/x", "/fallen/x", "/admin/x"} {
		for _, protocol := range []string{"connect-udp", "WebSocket", "x"} {
			h2.send("CONNECT", path, "app.example", ":protocol", protocol, ":body", smuggled)
		}
	}
	noTunnel(t, s.app)
	if s.vars["NAME"] == "" {
		return
	}
	// Beside a site without a guard nothing of this is ours, but error routes are shared.
	for path, want := range map[string]string{"/open/socket": "GET", "/dead/x": "GET"} {
		id := "beside" + path
		status, _ := h2.send("CONNECT", path, "other.example", ":protocol", "websocket", "X-Case", id, ":body", "hello")
		if got := s.app.of(id); status != 200 || len(got) != 1 || got[0].method != want {
			t.Errorf("beside it, %s: %d, the app sees %+v", path, status, got)
		}
	}
}

// besideSite is a site without a guard on the server of another.
const besideSite = `https://other.example:$TLS {
	bind 127.0.0.1
	tls $CERT $KEY
	reverse_proxy /dead/* 127.0.0.1:1
	reverse_proxy $BACKEND
	handle_errors {
		reverse_proxy $BACKEND
	}
}
`

// A request in early data comes before the caller's address is proven, so that anybody may
// send one from any address, and again: nothing may hang on the address of such a request.
func (s *secureRig) earlyData(t *testing.T) {
	bearer := [2]string{"authorization", "Bearer " + s.token(appCredentials)}
	s.trusted.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	known := dialRaw3(t, s)
	if status := known.send(append(known.pseudo("GET", "/loopback/x"), bearer), ""); status != 200 {
		t.Fatal(status)
	}
	early := dialDeaf3(t, s)
	early.begin(slices.Concat(early.pseudo("GET", "/loopback/x"), [][2]string{{"x-case", "address"}, bearer}), "")
	for range 12 {
		early.begin(append(early.pseudo("POST", "/auth/api/v1/oauth/connect/user/login"), [2]string{"content-type", form}), "username=ada&password=wrong")
	}
	early.begin(slices.Concat(early.pseudo("GET", "/admin/x"), [][2]string{{"x-case", "early"}, bearer}), "")
	eventually(t, 5*time.Second, "early data", func() bool { return len(s.app.of("early")) > 0 })
	if got := s.app.of("early"); got[0].header.Get("Early-Data") != "1" || !slices.Equal(got[0].identity(), []string{"Remote-Groups: reader", "Remote-User: service-account-app"}) {
		t.Errorf("the app sees %+v", got)
	}
	if got := s.app.of("address"); len(got) > 0 {
		t.Errorf("it was let through by an address that nobody has proven: %+v", got)
	}
	if _, _, err := s.login(t.Context()); err != nil {
		t.Errorf("somebody else's early data keep ada from logging in at her own address: %v", err)
	}
}
