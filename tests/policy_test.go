package tests

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// withPolicy is a guarded site whose policy is the text in POLICY; it takes tokens of
// our realm and of the forger.
const withPolicy = `
{
	admin $ADMIN
	auto_https off
	persist_config off
	gatehouse {
		store sqlite $DIR/gatehouse.db
		cache {
			max_ttl 1h
		}
		realm demo {
			issuer http://$AUTH
			client app {
				secret app-secret-0123456789
				grants client_credentials
				scopes read write
				roles reader "night shift"
			}
		}
		trust forged {
			issuer http://$FORGER
			audience app
		}
	}
}
http://$AUTH {
	bind 127.0.0.1
	gatehouse
}
http://$APP {
	bind 127.0.0.1
	header X-Policy DIGEST
	guard /optional/* {
		accept demo forged
		optional
		policy ` + "`POLICY`" + `
	}
	@must not path /optional/*
	guard @must {
		accept demo forged
		policy ` + "`POLICY`" + `
		identity {
			X-Tenant tenant
			X-User user
		}
	}
	respond "tenant={http.request.header.X-Tenant} user={http.request.header.X-User}"
}
`

// policyServer serves a policy, and another one after a reload.
func policyServer(t *testing.T, policy string) (*server, *forger) {
	t.Helper()
	f := newForger(t)
	s := newServer(t)
	s.vars["FORGER"] = strings.TrimPrefix(f.URL, "http://")
	return s.start(policed(policy)), f
}

func policed(policy string) string {
	return strings.NewReplacer("POLICY", policy, "DIGEST", policyDigest(policy)).Replace(withPolicy)
}

func policyDigest(policy string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(policy))) }

// repolicy reloads, and waits until the new configuration answers: Caddy ends the old one in
// the background, and for a moment that may still answer on a connection of its own.
func (s *server) repolicy(policy string) {
	s.t.Helper()
	if err := s.reload(policed(policy)); err != nil {
		s.t.Fatal(err)
	}
	for range 1000 {
		client.CloseIdleConnections()
		if a := send(s.t, "GET", "http://"+s.vars["APP"]+"/", ""); a.header.Get("X-Policy") == policyDigest(policy) {
			return
		}
	}
	s.t.Fatal("the new configuration never answers")
}

// Policies say yes and no on the real binary, by the token and by the request.
func TestPolicies(t *testing.T) {
	s, f := policyServer(t, "true")
	own := s.token(appCredentials)
	acme := f.sign(nil, f.claims(jwt.MapClaims{"tenant": "acme", "level": 3, "groups": []string{"staff", "ops"}}))
	evil := f.sign(nil, f.claims(jwt.MapClaims{"tenant": "evil", "level": "3"}))
	for i, c := range []struct {
		policy, method, path, token string
		headers                     []string
		status                      int
	}{
		{`"reader" in principal.roles`, "GET", "/", own, nil, 200},
		{`"night shift" in principal.roles && principal.scopes.all(s, s in ["read", "write"])`, "GET", "/", own, nil, 200},
		{`"admin" in principal.roles`, "GET", "/", own, nil, 403},
		{`principal.client == "app" && principal.source == "demo"`, "GET", "/", own, nil, 200},
		{`principal.source == "demo"`, "GET", "/", acme, nil, 403},
		{`principal.subject == "ada" && principal.source == "forged"`, "GET", "/", acme, nil, 200},
		{`principal.username.startsWith("service-account-")`, "GET", "/", own, nil, 200},
		{`request.method in ["GET", "HEAD"]`, "GET", "/", own, nil, 200},
		{`request.method in ["GET", "HEAD"]`, "POST", "/", own, nil, 403},
		{`request.method == "GET" || "admin" in principal.roles`, "DELETE", "/", own, nil, 403},
		{`request.path.startsWith("/reports/")`, "GET", "/reports/2026", own, nil, 200},
		{`request.path.startsWith("/reports/")`, "GET", "/rep%6Frts/2026", own, nil, 200},
		{`!request.path.startsWith("/admin")`, "GET", "/%61dmin/x", own, nil, 403},
		{`!request.path.startsWith("/admin")`, "GET", "/x/..%2fadmin/x", own, nil, 400},
		{`request.path == "/tenants/" + principal.claims.tenant`, "GET", "/tenants/acme", acme, nil, 200},
		{`request.path == "/tenants/" + principal.claims.tenant`, "GET", "/tenants/acme", evil, nil, 403},
		{`principal.claims.level > 2`, "GET", "/", acme, nil, 200},
		{`principal.claims.level > 2`, "GET", "/", evil, nil, 403},
		{`principal.claims.tenant == "acme"`, "GET", "/", own, nil, 403},
		{`has(principal.claims.tenant) && principal.claims.tenant == "acme"`, "GET", "/", own, nil, 403},
		{`!has(principal.claims.tenant)`, "GET", "/", own, nil, 200},
		{`"acme" == principal.claims["tenant"]`, "GET", "/", acme, nil, 200},
		{`request.headers["x-token-use"] == "batch"`, "GET", "/", own, []string{"X-Token-Use", "batch"}, 200},
		{`request.headers["x-token-use"] == "batch"`, "GET", "/", own, nil, 403},
		{`request.query["tenant"] == ["acme"]`, "GET", "/?tenant=acme", own, nil, 200},
		{`request.query["tenant"] == ["acme"]`, "GET", "/?tenant=acme&tenant=evil", own, nil, 403},
		{`cidr("127.0.0.0/8").containsIP(ip(request.remote_ip))`, "GET", "/", own, nil, 200},
		{`cidr("10.0.0.0/8").containsIP(ip(request.remote_ip))`, "GET", "/", own, []string{"X-Forwarded-For", "10.1.2.3"}, 403},
		{`request.time < principal.expires && request.time >= principal.issued_at - duration("10s")`, "GET", "/", own, nil, 200},
		{`request.scheme == "http" && request.host == "127.0.0.1"`, "GET", "/", own, nil, 200},
		{`1 / 0 == 1`, "GET", "/", own, nil, 403},
		{`false`, "GET", "/", own, nil, 403},
	} {
		t.Run(fmt.Sprintf("%d %s", i, c.policy), func(t *testing.T) {
			s.repolicy(c.policy)
			s.secret(c.token)
			a := send(t, c.method, "http://"+s.vars["APP"]+c.path, "", append([]string{"Authorization", "Bearer " + c.token}, c.headers...)...)
			if a.status != c.status {
				t.Errorf("%s %s: %d, want %d", c.method, c.path, a.status, c.status)
			}
			if c.status == 403 && (a.body != "" || strings.Contains(a.header.Get("WWW-Authenticate"), "principal")) {
				t.Errorf("the refusal tells of the rule: %q %v", a.body, a.header)
			}
		})
	}
}

// Attack 70: a verdict is a fact, not a decision. What a reload takes away is gone for
// tokens that are cached for another hour, and nobody is asked again.
func TestNarrowedPolicyAppliesToCachedTokens(t *testing.T) {
	s, f := policyServer(t, `"reader" in principal.roles || principal.subject == "ada"`)
	own, foreign := s.token(appCredentials), f.sign(nil, f.claims(jwt.MapClaims{"level": 3}))
	ask := func(when string, ownStatus, foreignStatus int) {
		t.Helper()
		for token, want := range map[string]int{own: ownStatus, foreign: foreignStatus} {
			if a := s.guarded("/", token); a.status != want {
				t.Errorf("%s: %d %q, want %d", when, a.status, a.body, want)
			}
		}
	}
	ask("before", 200, 200)
	fetched := f.calls()
	for _, c := range []struct {
		policy       string
		own, foreign int
	}{
		{`"reader" in principal.roles`, 200, 403},
		{`"admin" in principal.roles`, 403, 403},
		{`principal.source == "forged"`, 403, 200},
		{`true`, 200, 200},
	} {
		s.repolicy(c.policy)
		ask(c.policy, c.own, c.foreign)
	}
	if n := f.calls(); n != fetched {
		t.Errorf("%d calls at the issuer for changes of a policy", n-fetched)
	}
	// A claim that no rule named before was not kept; now it is, and so the token is
	// looked at afresh.
	s.repolicy(`principal.claims.level == 3`)
	ask("by a claim that was not asked for before", 403, 200)
	s.repolicy(`principal.claims.level > 3`)
	ask("by the same claim", 403, 403)
}

// Attack 63: what one route's policy let pass is nothing to another's.
func TestPolicyOfOneRouteIsNotAnothers(t *testing.T) {
	s, _ := policyServer(t, `request.path == "/a"`)
	token := s.token(appCredentials)
	for range 2 {
		if a := s.guarded("/a", token); a.status != 200 {
			t.Errorf("/a: %d", a.status)
		}
		if a := s.guarded("/b", token); a.status != 403 {
			t.Errorf("/b: %d", a.status)
		}
	}
}

// A policy judges callers without a token too, where those may pass: they have no
// subject. What it refuses them may be had with a token, so they are asked for one.
func TestPolicyOfAnOptionalGuard(t *testing.T) {
	s, _ := policyServer(t, `principal.subject != "" || request.method == "GET"`)
	token, url := s.token(appCredentials), "http://"+s.vars["APP"]+"/optional/x"
	if a := send(t, "GET", url, ""); a.status != 200 {
		t.Errorf("anonymous GET: %d", a.status)
	}
	if a := send(t, "POST", url, ""); a.status != 401 || a.header.Get("WWW-Authenticate") != `Bearer realm="demo"` {
		t.Errorf("anonymous POST: %d %q", a.status, a.header.Get("WWW-Authenticate"))
	}
	if a := send(t, "POST", url, "", "Authorization", "Bearer "+token); a.status != 200 {
		t.Errorf("POST with a token: %d", a.status)
	}
	if a := send(t, "GET", url, "", "Authorization", "Bearer junk"); a.status != 401 {
		t.Errorf("GET with a bad token: %d", a.status)
	}
}

// A policy with a fault is refused before anything runs, with file, line and column;
// a running Gatehouse goes on as it was.
func TestPolicyFaultsAreFound(t *testing.T) {
	s, _ := policyServer(t, "true")
	token := s.token(appCredentials)
	for policy, want := range map[string][]string{
		`principal.subjct == "ada"`:                                  {"line 1, column", "subjct", "did you mean", "subject"},
		`principal.roles == "admin"`:                                 {"line 1, column"},
		`"admin" in principal.roles &&`:                              {"line 1, column", "ends too early"},
		`principal.subject`:                                          {"true or false"},
		`prinicpal.subject == "ada"`:                                 {"line 1, column", "principal"},
		"true &&\n\t\t\trequest.pth == \"/\"":                        {"line 2, column", "path"},
		`principal.claims[request.path] == "x"`:                      {"line 1, column", "written in the expression"},
		`request.headers["authorization"] != ""`:                     {"does not see the credential"},
		`request.headers["Authorization"] != "x"`:                    {"lower case"},
		`principal.subject.matches("(a")`:                            {"line 1, column"},
		`principal.subject == "{env.ADMIN}"`:                         {"takes no placeholder"},
		strings.Repeat("true && ", 600) + "true":                     {"longer than 4096 bytes"},
		strings.Repeat("(", 200) + "true" + strings.Repeat(")", 200): {"policy"},
	} {
		t.Run(fmt.Sprintf("%.40s", policy), func(t *testing.T) {
			config := policed(policy)
			at := fmt.Sprintf("Caddyfile:%d", 1+strings.Count(config[:strings.Index(config, policy)], "\n"))
			out, err := s.command(t.Context(), "adapt", "--config", s.write(config), "--adapter", "caddyfile").CombinedOutput()
			if err == nil {
				t.Fatalf("it was adapted:\n%s", out)
			}
			for _, part := range append(want, at) {
				if !strings.Contains(string(out), part) {
					t.Errorf("the error does not say %q:\n%s", part, out)
				}
			}
			if err := s.reload(config); err == nil {
				t.Error("it was loaded")
			}
			if a := s.guarded("/", token); a.status != http.StatusOK {
				t.Errorf("afterwards the running configuration answers %d", a.status)
			}
		})
	}
}

// The log says of a refused request why it was refused and whose token it was, at the
// level that everybody has, and holds no token.
func TestRefusalsAreExplainedInTheLog(t *testing.T) {
	s, f := policyServer(t, `principal.claims.tenant == "acme"`)
	own := s.token(appCredentials)
	evil := f.sign(nil, f.claims(jwt.MapClaims{"tenant": "evil", "jti": "jti-of-another"}))
	old := f.sign(nil, f.claims(jwt.MapClaims{"exp": 1000000000}))
	for token, want := range map[string]struct {
		status int
		line   []string
	}{
		own:  {403, []string{`"refused":"policy","realm":"demo","client":"app","token_id":"`, `"detail":"the policy could not be evaluated at line 1, column 17: a name that is not there"`}},
		evil: {403, []string{`"refused":"policy","realm":"forged","client":"portal","detail":"the policy is not true"`}},
		old:  {401, []string{`"refused":"token","detail":"demo: `, `; forged: the token has expired (exp)"`}},
	} {
		before := len(s.output.String())
		if a := s.guarded("/", token); a.status != want.status {
			t.Errorf("%d, want %d", a.status, want.status)
		}
		said := ""
		for _, part := range append(want.line, `"level":"info"`, `"request_id":"`) {
			eventually(t, 10*time.Second, "the log says "+part, func() bool {
				said = s.output.String()[before:]
				return strings.Contains(said, part)
			})
		}
		if strings.Contains(said, token) || strings.Contains(said, "jti-of-another") {
			t.Errorf("the log holds a token or its id at another issuer:\n%s", said)
		}
	}
}
