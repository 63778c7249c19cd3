package guard

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/config"
)

// An upgrade to anything but a WebSocket turns the proxy into a blind tunnel: what
// follows in it is seen by no guard. Such a request goes on as a plain one.
func TestOnlyWebSocketsAreUpgraded(t *testing.T) {
	for _, c := range []struct {
		method  string
		upgrade []string
		kept    bool
	}{
		{http.MethodGet, []string{"websocket"}, true},
		{http.MethodGet, []string{"WebSocket"}, true},
		{http.MethodGet, []string{"h2c"}, false},
		{http.MethodGet, []string{"websocket, h2c"}, false},
		{http.MethodGet, []string{"websocket", "h2c"}, false},
		{http.MethodGet, []string{""}, false},
		{http.MethodOptions, []string{"websocket"}, false}, // dressed as a preflight
		{http.MethodPost, []string{"websocket"}, false},
	} {
		r := httptest.NewRequest(c.method, "/", nil)
		r.Header["Upgrade"] = c.upgrade
		r.Header.Set("Connection", "Upgrade")
		NewNames().Strip(r, new(Request))
		if _, kept := r.Header["Upgrade"]; kept != c.kept {
			t.Errorf("%s, Upgrade: %q: kept %v", c.method, c.upgrade, kept)
		}
	}
}

// A proxy sends on what follows a CONNECT as it comes: without a frame around it, it would
// be the next request to the upstream. Only into a WebSocket goes what the client says.
func TestNothingFollowsConnect(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*http.Request)
		kept   bool
	}{
		"HTTP/1.1": {func(*http.Request) {}, false},
		"chunked":  {func(r *http.Request) { r.ContentLength, r.TransferEncoding = -1, []string{"chunked"} }, false},
		"HTTP/2":   {func(r *http.Request) { r.ProtoMajor, r.ContentLength, r.Header[":protocol"] = 2, -1, []string{"x"} }, false},
		"a WebSocket over HTTP/2": {func(r *http.Request) {
			r.ProtoMajor, r.ContentLength, r.Header[":protocol"] = 2, -1, []string{"websocket"}
		}, true},
		"HTTP/3":                  {func(r *http.Request) { r.ProtoMajor, r.ContentLength, r.Proto = 3, -1, "connect-udp" }, false},
		"HTTP/3, in another case": {func(r *http.Request) { r.ProtoMajor, r.ContentLength, r.Proto = 3, -1, "WebSocket" }, false},
		"a WebSocket over HTTP/3": {func(r *http.Request) { r.ProtoMajor, r.ContentLength, r.Proto = 3, -1, "websocket" }, true},
	} {
		r := httptest.NewRequest(http.MethodConnect, "/public/x", strings.NewReader("GET /admin/x HTTP/1.1\r\n\r\n"))
		r.Header.Set("Content-Length", "25")
		c.change(r)
		NewNames().Strip(r, new(Request))
		if body, _ := io.ReadAll(r.Body); (len(body) > 0) != c.kept || !c.kept && (r.ContentLength != 0 || r.TransferEncoding != nil || r.Header["Content-Length"] != nil) {
			t.Errorf("%s: %q is left, of %d bytes", name, body, r.ContentLength)
		}
	}
}

// Over HTTP/3 nobody can tell a preflight's body that is empty from one that is to come, so
// it passes without.
func TestPreflightOverHTTP3(t *testing.T) {
	g := mustGuard(t, config.Guard{}, mainRealm(knows(ada())))
	for length, want := range map[int64]int{-1: 200, 0: 200, 7: 401} {
		r := request(http.MethodOptions, "Origin", "https://spa.example", "Access-Control-Request-Method", "PUT")
		r.ProtoMajor, r.ContentLength, r.Body = 3, length, io.NopCloser(strings.NewReader("payload"))
		_, refusal := meet(r, g)
		wantStatus(t, refusal, want)
		if want == 200 && (r.Body != http.NoBody || r.ContentLength != 0) {
			t.Errorf("of %d bytes: a body is left", length)
		}
	}
}

// A policy that asks for an address which nobody has proven is not judged, whatever it
// makes of it, but after the handshake.
func TestNoAddressInEarlyData(t *testing.T) {
	for policy, want := range map[string]int{
		`request.remote_ip == "192.0.2.1"`: 425, `request.remote_ip != "192.0.2.66"`: 425, `"admin" in principal.roles`: 200,
	} {
		g := mustGuard(t, config.Guard{Policy: policy}, mainRealm(knows(ada())))
		for _, complete := range []bool{false, true} {
			r := bearer()
			r.TLS = &tls.ConnectionState{HandshakeComplete: complete}
			if complete {
				want = 200
			}
			_, refusal := meet(r, g)
			wantStatus(t, refusal, want)
		}
	}
}
