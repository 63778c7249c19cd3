package caddymodule

import (
	"bufio"
	"crypto/rand"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/internal/guard"
)

// tunnelVar is Caddy's variable in which we keep what a client sends into a WebSocket that
// it opens by extended CONNECT.
const tunnelVar = "gatehouse.tunnel"

// upgrade makes a WebSocket that is opened by extended CONNECT (RFC 8441, RFC 9220) the
// GET that opens one in HTTP/1.1. reverse_proxy would do so, after all rules: what tells
// requests apart by their method, a matcher in front of a guard or a policy, would judge
// another method than the app sees.
func upgrade(r *http.Request) {
	if r.Method != http.MethodConnect {
		return
	}
	if tunnelOf(r) != nil {
		r.Method = http.MethodGet // Caddy gives error routes the method that came
		return
	}
	if !guard.ConnectsWebSocket(r) {
		return
	}
	caddyhttp.SetVar(r.Context(), tunnelVar, r.Body)
	r.Method, r.Body, r.ContentLength = http.MethodGet, http.NoBody, 0
	var key [16]byte
	_, _ = rand.Read(key[:]) // it does not fail
	delete(r.Header, ":protocol")
	r.Header["Connection"], r.Header["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}
	r.Header["Sec-Websocket-Key"] = []string{base64.StdEncoding.EncodeToString(key[:])}
}

// tunnelOf returns what the client sends into the WebSocket that upgrade made a GET of,
// nil for any other request.
func tunnelOf(r *http.Request) io.ReadCloser {
	if r.ProtoMajor < 2 {
		return nil
	}
	sent, _ := caddyhttp.GetVar(r.Context(), tunnelVar).(io.ReadCloser)
	return sent
}

// tunnelled returns the writer for what upgrade made of a request: handlers find there
// what they find in HTTP/1.1. Some of them, such as encode, hold an answer's header back
// until its body comes, but no 101.
func tunnelled(w http.ResponseWriter, r *http.Request) http.ResponseWriter {
	if r.Header["Upgrade"] != nil {
		if sent := tunnelOf(r); sent != nil {
			return &tunnel{w, sent}
		}
	}
	return w
}

// tunnel is a writer whose connection may be taken over: it is the request's stream.
type tunnel struct {
	http.ResponseWriter
	sent io.ReadCloser
}

// WriteHeader says 200 where HTTP/1.1 switches protocols (RFC 8441 §5).
func (t *tunnel) WriteHeader(status int) {
	if status == http.StatusSwitchingProtocols {
		status = http.StatusOK
		h := t.Header()
		for name := range h {
			switch http.CanonicalHeaderKey(name) {
			case "Connection", "Upgrade", "Sec-Websocket-Accept":
				delete(h, name)
			}
		}
	}
	t.ResponseWriter.WriteHeader(status)
}

// Hijack hands the stream over, after the header.
func (t *tunnel) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	s := &stream{ReadCloser: t.sent, to: t.ResponseWriter, control: http.NewResponseController(t.ResponseWriter)}
	return s, bufio.NewReadWriter(bufio.NewReader(s), bufio.NewWriter(s)), s.control.Flush()
}

// Unwrap is for http.ResponseController.
func (t *tunnel) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// stream is a stream of HTTP/2 or HTTP/3 as a connection.
type stream struct {
	io.ReadCloser
	to      io.Writer
	control *http.ResponseController
}

func (s *stream) Write(p []byte) (int, error) {
	n, err := s.to.Write(p)
	if err == nil {
		err = s.control.Flush()
	}
	return n, err
}

func (*stream) LocalAddr() net.Addr                  { return new(net.TCPAddr) }
func (*stream) RemoteAddr() net.Addr                 { return new(net.TCPAddr) }
func (s *stream) SetReadDeadline(t time.Time) error  { return s.control.SetReadDeadline(t) }
func (s *stream) SetWriteDeadline(t time.Time) error { return s.control.SetWriteDeadline(t) }
func (s *stream) SetDeadline(t time.Time) error {
	if err := s.SetReadDeadline(t); err != nil {
		return err
	}
	return s.SetWriteDeadline(t)
}

var (
	_ http.Hijacker = (*tunnel)(nil)
	_ net.Conn      = (*stream)(nil)
)
