package guard

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/config"
)

// seen is what the upstream got.
type seen struct{ header, trailer http.Header }

// trailerBody forwards the trailers that came with the body, at its end, as a
// gateway does that passes them on.
type trailerBody struct {
	io.ReadCloser
	inbound *http.Request
	out     http.Header
}

func (b *trailerBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		for name, values := range b.inbound.Trailer {
			b.out[name] = slices.Clone(values)
		}
	}
	return n, err
}

// gateway is a guarded reverse proxy in front of an upstream that reports what it
// got. copied says whether handlers see a shallow copy of the server's request,
// as they do behind middleware that adds to its context.
func gateway(t *testing.T, g *Guard, h2, copied bool) (*httptest.Server, <-chan seen) {
	t.Helper()
	got := make(chan seen, 1)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		got <- seen{r.Header.Clone(), r.Trailer.Clone()}
		if r.Header.Get("Upgrade") != "" {
			w.Header().Set("Connection", "Upgrade")
			w.Header().Set("Upgrade", "websocket")
			w.WriteHeader(http.StatusSwitchingProtocols)
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_ = conn.Close()
			}
		}
	}))
	t.Cleanup(upstream.Close)
	target, err := url.Parse(upstream.URL)
	if err != nil {
		t.Fatal(err)
	}
	names := NewNames(headersOf(g)...)
	handler := func(w http.ResponseWriter, r *http.Request) {
		st := new(Request)
		names.Strip(r, st)
		if refusal := g.Check(r, st); refusal != nil {
			w.WriteHeader(refusal.Status)
			return
		}
		proxy := &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(target)
			if p.Out.Body == nil {
				return
			}
			if p.Out.Trailer == nil {
				p.Out.Trailer = http.Header{}
			}
			p.Out.Body = &trailerBody{ReadCloser: p.Out.Body, inbound: r, out: p.Out.Trailer}
		}}
		proxy.ServeHTTP(w, r)
	}
	type key struct{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if copied {
			r = r.WithContext(context.WithValue(r.Context(), key{}, true))
		}
		handler(w, r)
	}))
	server.EnableHTTP2 = h2
	if h2 {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	return server, got
}

// raw sends HTTP/1.1 as it stands and returns the status line.
func raw(t *testing.T, server *httptest.Server, text string) string {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, strings.ReplaceAll(text, "\n", "\r\n")); err != nil {
		t.Fatal(err)
	}
	status, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(status)
}

func identityIn(h http.Header) []string {
	var names []string
	all := NewNames("X-Team")
	for name, values := range h {
		if all.Has(name) && len(values) > 0 {
			names = append(names, fmt.Sprintf("%s: %q", name, values))
		}
	}
	slices.Sort(names)
	return names
}

// A client sends identity in the trailer section of a chunked body, where a
// filter of headers has long finished. Some upstreams merge trailers into
// headers. Declared or not, only trailers that are not identity go through.
func TestTrailersHTTP1(t *testing.T) {
	g := mustGuard(t, config.Guard{}, mainRealm(knows(ada())))
	for _, copied := range []bool{false, true} {
		for _, declared := range []string{"Trailer: X-Checksum, Remote-User, x_forwarded_user\n", "Trailer: X-Checksum\n", ""} {
			t.Run(fmt.Sprintf("copied=%v/%s", copied, strings.TrimSpace(declared)), func(t *testing.T) {
				server, got := gateway(t, g, false, copied)
				status := raw(t, server, "POST / HTTP/1.1\nHost: a\nConnection: close\nTransfer-Encoding: chunked\n"+declared+
					"Authorization: Bearer "+token+"\n\n4\nbody\n0\nX-Checksum: 1\nRemote-User: root\nRemote_Groups: admin\nX_Forwarded_User: root\n\n")
				if status != "HTTP/1.1 200 OK" {
					t.Fatal(status)
				}
				s := <-got
				if left := identityIn(s.trailer); left != nil {
					t.Errorf("upstream got trailers %v", left)
				}
				if list := s.header.Get("Trailer"); strings.Contains(list, "Remote") {
					t.Errorf("Trailer: %s", list)
				}
				if declared != "" && s.trailer.Get("X-Checksum") != "1" {
					t.Errorf("the innocent trailer is lost: %v", s.trailer)
				}
				if s.header.Get("Remote-User") != "ada" {
					t.Errorf("Remote-User %q", s.header["Remote-User"])
				}
			})
		}
	}
}

// The same over HTTP/2, where trailers are a second HEADERS frame.
func TestTrailersHTTP2(t *testing.T) {
	server, got := gateway(t, mustGuard(t, config.Guard{}, mainRealm(knows(ada()))), true, true)
	pr, pw := io.Pipe()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, pr)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header["remote_user"] = []string{"root"}
	r.Trailer = http.Header{"X-Checksum": nil, "Remote-User": nil, "Remote_groups": nil}
	go func() {
		_, _ = io.WriteString(pw, "body")
		r.Trailer.Set("X-Checksum", "1")
		r.Trailer.Set("Remote-User", "root")
		r.Trailer.Set("Remote_groups", "admin")
		_ = pw.Close()
	}()
	resp, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.ProtoMajor != 2 || resp.StatusCode != 200 {
		t.Fatalf("%s %s", resp.Proto, resp.Status)
	}
	s := <-got
	if left := identityIn(s.trailer); left != nil {
		t.Errorf("upstream got trailers %v", left)
	}
	if s.trailer.Get("X-Checksum") != "1" {
		t.Errorf("the innocent trailer is lost: %v", s.trailer)
	}
	want := []string{`Remote-Email: ["ada@example.com"]`, `Remote-Groups: ["admin,dev"]`, `Remote-Name: ["Ada Lovelace"]`, `Remote-User: ["ada"]`}
	if ids := identityIn(s.header); !slices.Equal(ids, want) {
		t.Errorf("upstream got %v", ids)
	}
}

// A Connection header names our header, and the proxy obediently removes it after
// we set it: the upstream sees nobody where it should see ada, and an upstream
// that takes nobody for an internal caller lets her in as that.
func TestConnectionCannotRemoveIdentity(t *testing.T) {
	server, got := gateway(t, mustGuard(t, config.Guard{}, mainRealm(knows(ada()))), false, true)
	for _, list := range []string{"close, Remote-User", "close, remote-user,Remote-Groups", "close,\tRemote_User"} {
		status := raw(t, server, "GET / HTTP/1.1\nHost: a\nConnection: "+list+"\nConnection: remote-name, X-Drop\nX-Drop: 1\nAuthorization: Bearer "+token+"\n\n")
		if status != "HTTP/1.1 200 OK" {
			t.Fatal(status)
		}
		s := <-got
		if s.header.Get("Remote-User") != "ada" || s.header.Get("Remote-Name") == "" || s.header.Get("Remote-Groups") == "" {
			t.Errorf("Connection: %s removed identity: %v", list, s.header)
		}
		if s.header.Get("X-Drop") != "" {
			t.Error("other hop-by-hop fields are no longer removed")
		}
	}
}

// A WebSocket upgrade is a request like any other until it is answered.
func TestWebSocketUpgrade(t *testing.T) {
	server, got := gateway(t, mustGuard(t, config.Guard{}, mainRealm(knows(ada()))), false, true)
	upgrade := "GET /ws HTTP/1.1\nHost: a\nConnection: Upgrade, Remote-User\nUpgrade: websocket\nSec-WebSocket-Key: AAAA\nSec-WebSocket-Version: 13\nRemote-User: root\nX.Forwarded.User: root\n"
	if status := raw(t, server, upgrade+"\n"); status != "HTTP/1.1 401 Unauthorized" {
		t.Errorf("without a credential: %s", status)
	}
	if status := raw(t, server, upgrade+"Authorization: Bearer "+token+"\n\n"); status != "HTTP/1.1 101 Switching Protocols" {
		t.Fatalf("with a credential: %s", status)
	}
	s := <-got
	if s.header.Get("Remote-User") != "ada" || s.header.Get("Authorization") != "" || s.header.Get("X.forwarded.user") != "" {
		t.Errorf("upstream got %v", s.header)
	}
}

// A display name with a line break must not become a header of its own.
func TestClaimCannotSplitTheRequest(t *testing.T) {
	p := ada()
	p.Name, p.Username = "Ada\r\nX-Admin: 1\r\n\r\nGET /admin HTTP/1.1", "a\x00da\u00e9"
	server, got := gateway(t, mustGuard(t, config.Guard{}, mainRealm(knows(p))), true, true)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	s := <-got
	if resp.StatusCode != 200 || s.header.Get("X-Admin") != "" {
		t.Errorf("%s, upstream got %v", resp.Status, s.header)
	}
	if s.header.Get("Remote-User") != "a%00da%C3%A9" || s.header.Get("Remote-Name") != "Ada%0D%0AX-Admin: 1%0D%0A%0D%0AGET /admin HTTP/1.1" {
		t.Errorf("upstream got %v", s.header)
	}
}

// The credential rules hold as the server hands the field over, in both protocols.
func TestCredentialOnTheWire(t *testing.T) {
	server, got := gateway(t, mustGuard(t, config.Guard{}, mainRealm(knows(ada()))), false, true)
	for fields, want := range map[string]string{
		"Authorization: bearer " + token + "  \t\n":                                  "HTTP/1.1 200 OK",
		"Authorization: Bearer " + token + "\nauthorization: Bearer " + token + "\n": "HTTP/1.1 400 Bad Request",
		"Authorization: Bearer " + token + ", Bearer x\n":                            "HTTP/1.1 400 Bad Request",
		"Authorization: Bearer\t" + token + "\n":                                     "HTTP/1.1 400 Bad Request",
		"Authorization:\n":                                                           "HTTP/1.1 400 Bad Request",
		"Authorization: Basic " + token + "\n":                                       "HTTP/1.1 401 Unauthorized",
		"Proxy-Authorization: Bearer " + token + "\n":                                "HTTP/1.1 401 Unauthorized",
	} {
		if status := raw(t, server, "GET / HTTP/1.1\nHost: a\nConnection: close\n"+fields+"\n"); status != want {
			t.Errorf("%q: %s, want %s", fields, status, want)
		}
		if strings.HasSuffix(want, "OK") {
			<-got
		}
	}
	h2, _ := gateway(t, mustGuard(t, config.Guard{}, mainRealm(knows(ada()))), true, true)
	client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true,
		TLSClientConfig: &tls.Config{RootCAs: h2.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, ServerName: "example.com"}}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h2.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header["Authorization"] = []string{"Bearer " + token, "Bearer " + token}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.ProtoMajor != 2 || resp.StatusCode != 400 {
		t.Errorf("%s: %s", resp.Proto, resp.Status)
	}
}
