package tests

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// socket is an open WebSocket whose other end says everything back.
type socket struct {
	net.Conn
	in *bufio.Reader
}

// open asks for a WebSocket over HTTP/1.1. It is nil if that was refused.
func (s *server) open(t *testing.T, path string, fields ...string) (*socket, *http.Response) {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.vars["APP"])
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	must(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	fields = append(fields, "Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==")
	text := "GET " + path + " HTTP/1.1\r\nHost: " + s.vars["APP"] + "\r\n"
	for i := 0; i < len(fields); i += 2 {
		text += fields[i] + ": " + fields[i+1] + "\r\n"
	}
	_, err = io.WriteString(conn, text+"\r\n")
	must(t, err)
	in := bufio.NewReader(conn)
	a, err := http.ReadResponse(in, nil)
	must(t, err)
	a.Body.Close()
	if a.StatusCode != http.StatusSwitchingProtocols {
		return nil, a
	}
	return &socket{conn, in}, a
}

// hears reports whether what is said comes back.
func (k *socket) hears(word string) bool {
	if _, err := io.WriteString(k, word+"\n"); err != nil {
		return false
	}
	line, err := k.in.ReadString('\n')
	return err == nil && line == word+"\n"
}

// An open WebSocket is judged when it is opened: it outlives its token, which opens no
// second one, and reloads, if the operator says so; without his word Caddy closes it with
// the configuration that it began in. What a new configuration demands holds for new ones.
func TestOpenWebSockets(t *testing.T) {
	s, app := newServer(t), newSecureApp(t)
	s.vars["BACKEND"] = app.addr
	before, _, _ := strings.Cut(mainJob, "http://$APP {")
	site := before + `http://$APP {
	bind 127.0.0.1
	guard /admin/* {
		scopes read
	}
	guard /short/* {
		scopes read
	}
	reverse_proxy /short/* $BACKEND
	reverse_proxy $BACKEND {
		stream_close_delay 1m
	}
}
`
	s.start(site)
	token := s.token(appCredentials)
	bearer := []string{"Authorization", "Bearer " + token}
	open := map[string]*socket{}
	for i, c := range []struct {
		path   string
		fields []string
		status int
		want   []string
	}{
		{"/admin/socket", nil, 401, nil},
		{"/admin/socket", append(bearer, bearer...), 400, nil},
		{"/admin/%2e%2e/socket", bearer, 400, nil},
		{"/admin/socket", append(bearer, "Remote-User", "root", "remote_groups", "root", "Cookie", "gatehouse-login-x=s; b=2"), 101, []string{"Remote-Groups: reader", "Remote-User: service-account-app"}},
		{"/short/socket", bearer, 101, []string{"Remote-Groups: reader", "Remote-User: service-account-app"}},
		{"/public/socket", []string{"Remote-User", "root"}, 101, nil},
	} {
		id := fmt.Sprintf("socket/%d", i)
		k, a := s.open(t, c.path, append(c.fields, "X-Case", id)...) //nolint:bodyclose // it was read to its end
		got := app.of(id)
		if a.StatusCode != c.status || len(got) != map[bool]int{true: 1}[k != nil] {
			t.Fatalf("%s: %d, the app sees %+v", c.path, a.StatusCode, got)
		}
		if k == nil {
			continue
		}
		open[c.path] = k
		usurped(t, c.path, a.Header, true)
		if !slices.Equal(got[0].identity(), c.want) || strings.Contains(got[0].header.Get("Cookie"), "gatehouse") || c.want != nil && got[0].header["Authorization"] != nil || !k.hears("hello") {
			t.Errorf("%s: the app sees %+v", c.path, got)
		}
	}
	s.revoke(token, appCredentials)
	if _, a := s.open(t, "/admin/socket", bearer...); a.StatusCode != 401 { //nolint:bodyclose // it was read to its end
		t.Errorf("a second one with an ended token: %d", a.StatusCode)
	}
	for path, k := range open {
		if !k.hears("after the token") {
			t.Errorf("%s: the end of the token has cut it", path)
		}
	}
	bearer[1] = "Bearer " + s.token(appCredentials)
	for n, config := range []string{strings.ReplaceAll(site, "scopes read\n\t}", "scopes admin\n\t}"), site} {
		must(t, s.reload(config))
		for path, k := range open {
			if path != "/short/socket" && !k.hears("after a reload") {
				t.Errorf("%s: reload %d has cut it", path, n)
			}
		}
		if _, a := s.open(t, "/admin/socket", bearer...); a.StatusCode != []int{403, 101}[n] { //nolint:bodyclose // it was read to its end
			t.Errorf("a new one after reload %d: %d", n, a.StatusCode)
		}
	}
	if _, err := io.ReadAll(open["/short/socket"].in); err != nil { // to its end
		t.Errorf("the one that ends with its configuration: %v", err)
	}
}
