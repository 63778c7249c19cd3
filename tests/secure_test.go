package tests

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"
)

// reached is a request as it reached the app behind the guard.
type reached struct {
	method, target string
	header         http.Header
	trailer        http.Header
	size           int64
	sum            [sha256.Size]byte // of the body
}

// identity returns what it says of its caller, in any spelling, in header and trailer.
func (r reached) identity() []string {
	var a arrival
	for _, fields := range []http.Header{r.header, r.trailer} {
		for name, values := range fields {
			for _, v := range values {
				a.Fields = append(a.Fields, [2]string{name, v})
			}
		}
	}
	return a.identity()
}

// secureApp is an app behind the guard that answers in the gateway's name as far as it
// can. It keeps what reached it, by the header X-Case.
type secureApp struct {
	addr string
	next chan struct{} // lets /events go on

	mu  sync.Mutex
	got map[string][]reached
}

func newSecureApp(t *testing.T) *secureApp {
	t.Helper()
	a := &secureApp{next: make(chan struct{}), got: map[string][]reached{}}
	back := httptest.NewServer(a)
	t.Cleanup(back.Close)
	a.addr = back.Listener.Addr().String()
	return a
}

// of returns the requests of a case that reached the app.
func (a *secureApp) of(id string) []reached {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.got[id])
}

// ServeHTTP answers by the last part of the path.
func (a *secureApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	what := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	var body []byte
	if r.Header.Get("Upgrade") == "" {
		body, _ = io.ReadAll(r.Body)
	}
	a.mu.Lock()
	id := r.Header.Get("X-Case")
	a.got[id] = append(a.got[id], reached{r.Method, r.RequestURI, r.Header, r.Trailer, int64(len(body)), sha256.Sum256(body)})
	a.mu.Unlock()
	flush := func() { _ = http.NewResponseController(w).Flush() }
	switch what {
	case "echo":
		_, _ = w.Write(body)
	case "answers", "flushed", "hints", "announced", "unannounced", "gone":
		a.usurp(w, what, flush)
	case "events":
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: one\n\n")
		flush()
		<-a.next
		_, _ = io.WriteString(w, "data: two\n\n")
	case "socket":
		a.socket(w, r)
	default:
		_, _ = io.WriteString(w, "ok")
	}
}

// usurp answers in the gateway's name, beside what is the app's own.
func (a *secureApp) usurp(w http.ResponseWriter, what string, flush func()) {
	speak := func(prefix string) {
		h := w.Header()
		for name, value := range map[string]string{"Remote-User": "root", "remote_groups": "root", "X-Team": "root", "Set-Cookie": "gatehouse-login-x=s", "X-Digest": "1"} {
			h[prefix+name] = []string{value}
		}
		h[prefix+"Set-Cookie"] = append(h[prefix+"Set-Cookie"], "app=1; Path=/", "__Host-gatehouse-y=s")
	}
	switch what {
	case "hints":
		speak("")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("Remote-User", "root again")
	case "announced":
		w.Header()["Trailer"] = []string{"Remote-User, remote_groups, X-Team, X-Digest, Set-Cookie"}
	case "answers", "flushed":
		speak("")
	case "gone":
		speak("")
		w.WriteHeader(http.StatusNoContent)
		return
	}
	_, _ = io.WriteString(w, "said")
	if what != "answers" {
		flush()
	}
	switch what {
	case "announced":
		speak("")
	case "unannounced":
		speak(http.TrailerPrefix)
	}
}

// socket takes an upgrade and says everything back that it hears.
func (a *secureApp) socket(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Remote-User", "root")
	w.Header().Set("X-Digest", "1")
	w.Header().Add("Set-Cookie", "gatehouse-login-x=s")
	w.Header().Add("Set-Cookie", "app=1; Path=/")
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		_, _ = io.WriteString(w, "no socket")
		return
	}
	w.Header().Set("Connection", "Upgrade")
	w.Header().Set("Upgrade", "websocket")
	w.WriteHeader(http.StatusSwitchingProtocols)
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = io.Copy(conn, buffered)
}

// certificate writes a certificate for 127.0.0.1 and app.example, its own authority, and
// its key into the server's directory, at the variables CERT and KEY.
func (s *server) certificate(t *testing.T) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, DNSNames: []string{"app.example"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	for name, block := range map[string]*pem.Block{"CERT": {Type: "CERTIFICATE", Bytes: cert}, "KEY": {Type: "PRIVATE KEY", Bytes: private}} {
		s.vars[name] = filepath.Join(s.dir, strings.ToLower(name)+".pem")
		must(t, os.WriteFile(s.vars[name], pem.EncodeToMemory(block), 0o600))
	}
	parsed, err := x509.ParseCertificate(cert)
	must(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return pool
}

// secureSite is a guarded site over TLS.
const secureSite = `https://$NAME:$TLS {
	bind 127.0.0.1
	tls $CERT $KEY
	gatehouse {
		dialects oauth keycloak
	}
	guard /admin/*
	guard /private*
	guard /team/* {
		identity {
			X-Team client_id
		}
	}
	@listed {
		path /listed/*
		method GET HEAD POST PUT PATCH DELETE
	}
	guard @listed
	guard /loopback/* {
		policy "request.remote_ip.startsWith('127.')"
	}
	error /fallen/* 418
	encode /packed/* gzip
	reverse_proxy $BACKEND
	handle_errors {
		handle /fallen/* {
			reverse_proxy $BACKEND
		}
		handle {
			respond {err.status_code}
		}
	}
}
`

// routedSite is the same with everything in one block, before which nothing is matched.
var routedSite = strings.NewReplacer("\tgatehouse {", "\troute {\n\tgatehouse {", "\thandle_errors {", "\t}\n\thandle_errors {").Replace(secureSite)

// secureRig is a gateway with a guarded site over TLS in front of an app, and clients of it.
type secureRig struct {
	*server
	app     *secureApp
	h2, h3  way
	trusted *tls.Config
}

// way is a version of HTTP over TLS and a client that speaks it.
type way struct {
	name  string
	major int
	http.RoundTripper
	at string
}

// secure starts it, for one host or, without a name, for all.
func secure(t *testing.T, name, site string) *secureRig {
	t.Helper()
	s, app := newServer(t), newSecureApp(t)
	s.vars["BACKEND"], s.vars["TLS"], s.vars["NAME"] = app.addr, freePorts(t, 1)[0], name
	trusted := &tls.Config{RootCAs: s.certificate(t), MinVersion: tls.VersionTLS13}
	before, _, _ := strings.Cut(withLogins, "http://$APP {")
	s.start(before + site)
	// Caddy starts its apps in any order, and a handshake of QUIC may be the first thing that
	// looks at one that was started last. After a reload there is a lock between the two.
	must(t, s.reload("# again\n"+before+site))
	h2 := &http.Transport{TLSClientConfig: trusted.Clone(), ForceAttemptHTTP2: true}
	h3 := &http3.Transport{TLSClientConfig: trusted.Clone()}
	h3.Dial = func(ctx context.Context, addr string, config *tls.Config, more *quic.Config) (*quic.Conn, error) {
		conn, err := quic.DialAddrEarly(ctx, addr, config, more)
		if err == nil { // the transport forgets connections, and a server waits for them at its end
			t.Cleanup(func() { _ = conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "") })
		}
		return conn, err
	}
	t.Cleanup(func() {
		h2.CloseIdleConnections()
		h3.Close()
	})
	at := "https://127.0.0.1:" + s.vars["TLS"]
	return &secureRig{s, app, way{"HTTP/2", 2, h2, at}, way{"HTTP/3", 3, h3, at}, trusted}
}

// ask sends a request and reads the whole answer, its trailers too. Fields are name, value
// pairs; ":trailer" is a trailer field that is announced.
func (w way) ask(t *testing.T, method, target string, body io.Reader, fields ...string) (*http.Response, string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, w.at+target, body)
	if err != nil {
		return nil, "", err
	}
	r.Host = "app.example"
	for i := 0; i < len(fields); i += 2 {
		if fields[i] != ":trailer" {
			r.Header.Add(fields[i], fields[i+1])
			continue
		}
		if r.Trailer == nil {
			r.Trailer, r.ContentLength = http.Header{}, -1
		}
		name, value, _ := strings.Cut(fields[i+1], ":")
		r.Trailer.Add(name, strings.TrimSpace(value))
	}
	a, err := w.RoundTrip(r)
	if err != nil {
		return nil, "", err
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if a.ProtoMajor != w.major {
		t.Errorf("%s: it came by %s", w.name, a.Proto)
	}
	return a, string(text), err
}

func (s *secureRig) addr() string { return "127.0.0.1:" + s.vars["TLS"] }

// deaf is a connection that hears nothing, as somebody's who sends from another's address.
type deaf struct {
	net.PacketConn
	closed chan struct{}
}

func (d deaf) ReadFrom([]byte) (int, net.Addr, error) {
	<-d.closed
	return 0, nil, net.ErrClosed
}

// dialDeaf3 begins a connection of which no handshake is completed.
func dialDeaf3(t *testing.T, s *secureRig) *raw3 {
	t.Helper()
	from, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	to, err := net.ResolveUDPAddr("udp", s.addr())
	must(t, err)
	d := deaf{from, make(chan struct{})}
	transport := &quic.Transport{Conn: d}
	conn, err := transport.DialEarly(t.Context(), to, http3.ConfigureTLSConfig(s.trusted.Clone()), nil)
	must(t, err)
	t.Cleanup(func() {
		_ = conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "")
		close(d.closed)
		from.Close()
	})
	return begin3(t, conn)
}

// raw3 sends requests over HTTP/3 whose every field is the caller's, over one connection.
type raw3 struct {
	t    *testing.T
	conn *quic.Conn
}

func dialRaw3(t *testing.T, s *secureRig) *raw3 {
	t.Helper()
	config := http3.ConfigureTLSConfig(s.trusted.Clone())
	conn, err := quic.DialAddr(t.Context(), s.addr(), config, nil)
	must(t, err)
	t.Cleanup(func() { _ = conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "") })
	return begin3(t, conn)
}

func begin3(t *testing.T, conn *quic.Conn) *raw3 {
	t.Helper()
	control, err := conn.OpenUniStream()
	must(t, err)
	_, err = control.Write([]byte{0, 4, 0}) // a control stream that begins with no settings
	must(t, err)
	return &raw3{t, conn}
}

func (*raw3) pseudo(method, target string) [][2]string {
	return [][2]string{{":method", method}, {":scheme", "https"}, {":authority", "app.example"}, {":path", target}}
}

// The frames of HTTP/3 (RFC 9114 §7.2).
const frameData, frameHeaders = 0, 1

func (c *raw3) frame(to io.Writer, kind uint64, payload []byte) {
	head := quicvarint.Append(quicvarint.Append(nil, kind), uint64(len(payload)))
	_, _ = to.Write(append(head, payload...)) // a stream that is cut off has no answer
}

func (c *raw3) section(to io.Writer, fields [][2]string) {
	var block bytes.Buffer
	encoder := qpack.NewEncoder(&block)
	for _, f := range fields {
		must(c.t, encoder.WriteField(qpack.HeaderField{Name: f[0], Value: f[1]}))
	}
	c.frame(to, frameHeaders, block.Bytes())
}

// begin sends a request and waits for nothing.
func (c *raw3) begin(fields [][2]string, body string, trailers ...[2]string) *quic.Stream {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 10*time.Second)
	defer cancel()
	stream, err := c.conn.OpenStreamSync(ctx)
	must(c.t, err)
	_ = stream.SetDeadline(time.Now().Add(10 * time.Second))
	c.section(stream, fields)
	if body != "" {
		c.frame(stream, frameData, []byte(body))
	}
	if trailers != nil {
		c.section(stream, trailers)
	}
	stream.Close()
	return stream
}

// send makes a request and returns the final status, 0 if it was cut off without one.
func (c *raw3) send(fields [][2]string, body string, trailers ...[2]string) (status int) {
	c.t.Helper()
	stream := c.begin(fields, body, trailers...)
	in := quicvarint.NewReader(stream)
	for {
		kind, err := quicvarint.Read(in)
		if err != nil {
			return status
		}
		size, err := quicvarint.Read(in)
		must(c.t, err)
		payload := make([]byte, size)
		if _, err := io.ReadFull(in, payload); err != nil {
			return status
		}
		if kind != frameHeaders {
			continue
		}
		for decode := qpack.NewDecoder().Decode(payload); ; {
			f, err := decode()
			if errors.Is(err, io.EOF) {
				break
			}
			must(c.t, err)
			if f.Name == ":status" && f.Value >= "200" {
				_, err = fmt.Sscan(f.Value, &status)
				must(c.t, err)
			}
		}
	}
}
