package guard

import (
	"net/http"
	"net/http/httptest"
	"testing"
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
