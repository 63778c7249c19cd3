package tests

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Attack: a request that Caddy refuses before any handler of ours has seen it (TLS for
// one host, HTTP for another) reaches an app by an error route, with forged identity.
func TestForgedIdentityInErrorRoutes(t *testing.T) {
	s := newServer(t)
	_, port, _ := strings.Cut(s.vars["APP"], ":")
	s.start(strings.NewReplacer(
		"auto_https off", "auto_https disable_redirects\n\tskip_install_trust\n\tservers {\n\t\tstrict_sni_host on\n\t}",
		"http://$APP {", "https://app.localhost:"+port+", https://other.localhost:"+port+" {\n\ttls internal\n\thandle_errors {\n\t\treverse_proxy $UP {\n\t\t\theader_up Host $UP\n\t\t}\n\t}",
	).Replace(mainJob))
	dial := func() (*tls.Conn, error) {
		return tls.Dial("tcp", "127.0.0.1:"+port, &tls.Config{ServerName: "other.localhost", InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	}
	conn, err := dial()
	for end := time.Now().Add(20 * time.Second); err != nil && time.Now().Before(end); conn, err = dial() {
		<-time.After(100 * time.Millisecond) // the site's own authority makes its certificates
	}
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /admin HTTP/1.1\r\nHost: app.localhost:%s\r\nRemote-User: root\r\nConnection: close\r\n\r\n", port)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body := new(strings.Builder)
	if _, err := bufio.NewReader(resp.Body).WriteTo(body); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(body.String(), "user= ") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}
