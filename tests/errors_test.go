package tests

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
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

// What a site shows of {err.message} is what callers may read: not who was asked, at
// which address, and what went wrong there. That stands in our own log line.
func TestErrorMessagesTellNothingInternal(t *testing.T) {
	s := newServer(t)
	s.vars["AWAY"] = "127.0.0.1:" + freePorts(t, 1)[0] // nobody listens
	s.start(`{
	admin $ADMIN
	auto_https off
	persist_config off
	gatehouse {
		store sqlite $DIR/gatehouse.db
		realm unused {
			issuer http://$AUTH
		}
		trust away {
			issuer http://$AWAY
			audience any
			verify introspection http://$AWAY/introspect {
				client_id gatehouse
				client_secret asker-secret-0123456789
			}
		}
	}
}
http://$APP {
	bind 127.0.0.1
	guard {
		accept away
		policy ` + "`request.headers[\"x-rule\"] == \"kept quiet\"`" + `
	}
	respond "in"
	handle_errors {
		respond "told: {err.message}"
	}
}
`)
	for token, want := range map[string]int{"": 401, "opaque-token-of-somebody": 503, "a b": 400} {
		a := send(t, "GET", "http://"+s.vars["APP"]+"/", "", "Authorization", "Bearer "+token)
		if token == "" {
			a = send(t, "GET", "http://"+s.vars["APP"]+"/", "")
		}
		if a.status != want || !strings.HasPrefix(a.body, "told: ") || len(a.body) < len("told: x") {
			t.Errorf("%q: %d %q, want %d", token, a.status, a.body, want)
		}
		for _, inside := range []string{s.vars["AWAY"], "introspect", "dial", "refused", "guard", "rule", token + "!"} {
			if strings.Contains(a.body, inside) {
				t.Errorf("%q: %q tells %q", token, a.body, inside)
			}
		}
	}
	eventually(t, 10*time.Second, "the log says who could not be asked", func() bool {
		return strings.Contains(s.output.String(), s.vars["AWAY"])
	})
}

// A client that knows nothing but an API's address finds who issues tokens for it: the
// challenge says where the metadata is, and that names the issuer (RFC 9728 §5).
func TestClientsFindTheIssuer(t *testing.T) {
	s := newServer(t).start(strings.NewReplacer(
		"client other {", "resource http://$APP/api {\n\t\t\t\tscopes read\n\t\t\t}\n\t\t\tclient other {",
		"audience https://api.example.com/", "audience http://$APP/api",
		"	guard {\n", "	gatehouse\n	guard {\n\t\taudience http://$APP/api\n",
	).Replace(mainJob))
	for story, a := range map[string]answer{"no token": send(t, "GET", "http://"+s.vars["APP"]+"/", ""), "nobody's": s.app("no-such-token")} {
		_, rest, _ := strings.Cut(a.header.Get("WWW-Authenticate"), `resource_metadata="`)
		address, _, named := strings.Cut(rest, `"`)
		if a.status != 401 || !named {
			t.Fatalf("%s: %d %v", story, a.status, a.header)
		}
		var metadata struct {
			Resource string   `json:"resource"`
			Issuers  []string `json:"authorization_servers"`
			Scopes   []string `json:"scopes_supported"`
		}
		at := send(t, "GET", address, "")
		if err := json.Unmarshal([]byte(at.body), &metadata); err != nil {
			t.Fatalf("%s: %d %s", address, at.status, at.body)
		}
		if metadata.Resource != "http://"+s.vars["APP"]+"/api" || len(metadata.Issuers) != 1 || metadata.Issuers[0] != "http://"+s.vars["AUTH"] ||
			len(metadata.Scopes) != 1 || metadata.Scopes[0] != "read" {
			t.Errorf("%s: %s", address, at.body)
		}
	}
	if a := s.app(s.token(appCredentials + "&scope=read&resource=http://" + s.vars["APP"] + "/api")); a.status != 200 {
		t.Errorf("with a token of that issuer: %d %v", a.status, a.header)
	}
}
