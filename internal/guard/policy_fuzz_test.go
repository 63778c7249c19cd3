package guard

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/config"
)

// Any text as a policy is either refused at load with its reason, or judges without a
// panic, within its cost, and without a change to what it looks at.
func FuzzPolicyExpression(f *testing.F) {
	for _, b := range benchPolicies {
		f.Add(b.policy)
	}
	for _, text := range []string{
		`principal.claims.groups.exists(g, g in ["a"])`, `has(principal.claims.a.b) && request.headers["x-a"] == "b"`, `true ? false : 1 / 0 == 1`,
		`{"a": [1, 2.0, b"x", null]}["a"][0] == 1u`, "principal.roles.all(a, principal.roles.all(b, a + b != \"\"))", `"\u0000" in request.query`,
		`timestamp("2026-01-01T00:00:00Z") + duration("1h") < request.time`, `ip("::1").isLoopback() && cidr("10.0.0.0/8").masked() == cidr("10.0.0.0/8")`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := compilePolicy(text, true, nil)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "policy: ") || len(err.Error()) > 16<<10 {
				t.Fatalf("a fault of %d bytes: %.200s", len(err.Error()), err)
			}
			return
		}
		who, r := grace(), asks()
		before, header := who, r.Header.Clone()
		g := &Guard{policy: p, now: atNoon}
		first := p.judge(&scene{r: r, st: new(Request), principal: &who, guard: g})
		second := p.judge(&scene{r: r, st: new(Request), principal: &who, guard: g})
		if (first == nil) != (second == nil) {
			t.Fatalf("%q: %v, then %v", text, first, second)
		}
		if who != before || !reflect.DeepEqual(r.Header, header) {
			t.Fatalf("%q changed what it looked at", text)
		}
		nobody := new(authority.Principal)
		_ = p.judge(&scene{r: r, st: new(Request), principal: nobody, guard: g})
		if *nobody != (authority.Principal{}) {
			t.Fatalf("%q made somebody of nobody", text)
		}
	})
}

// Whatever principal and request hold, the policy answers as plain Go would: it lets
// in exactly whom the rule means.
func FuzzPolicyInput(f *testing.F) {
	f.Add("ada", "admin", `"acme"`, "GET", "/u/ada/", "v=1", "test", "10.1.2.3:4")
	f.Add("", "", "null", "get", "", "v=1&v=2;", "\r\n", "")
	f.Add("a\x00b", "a,b", `{"a":`, "POST", "/u/%2e", "%zz", strings.Repeat("x", 20000), "[::1]:1")
	f.Add("Zoë", "{env.HOME}", `["a"]`, "GET", "\xff", "v=\x00", "é", "[fe80::1%eth0]:1")
	const rule = `principal.username != "" && request.path.startsWith("/u/" + principal.username + "/") && "admin" in principal.roles &&
		principal.claims.tenant == "acme" && request.method == "GET" && request.query.v == ["1"] && request.headers["x-env"] == "test" &&
		cidr("10.0.0.0/8").containsIP(request.remote_ip)`
	g := mustGuard(f, config.Guard{Policy: rule}, corp(new(issuerOf)))
	f.Fuzz(func(t *testing.T, username, role, claim, method, path, query, env, peer string) {
		p := grace()
		p.Username, p.Roles = username, authority.ListOf(role)
		p.Claims = authority.List("tenant\x00" + strings.ReplaceAll(claim, "\x00", "") + "\x00")
		r := get("X-Env", env)
		r.Method, r.RemoteAddr = method, peer
		r.URL.Path, r.URL.RawQuery = path, query
		st := new(Request)
		got := g.policy.judge(&scene{r: r, st: st, principal: &p, guard: g}) == nil
		var tenant any
		_ = json.Unmarshal([]byte(strings.ReplaceAll(claim, "\x00", "")), &tenant)
		want := username != "" && strings.HasPrefix(path, "/u/"+username+"/") && role == "admin" && tenant == "acme" && method == "GET" &&
			onlyOne(r) && env == "test" && strings.HasPrefix(st.remoteIP(r), "10.")
		if got != want {
			t.Fatalf("the policy says %v, plain Go %v", got, want)
		}
	})
}

// onlyOne says whether the query can be parsed and has exactly v=1.
func onlyOne(r *http.Request) bool {
	if len(r.URL.RawQuery) > maxPolicyInput || strings.Contains(r.URL.RawQuery, ";") {
		return false
	}
	v := r.URL.Query()["v"]
	s := &scene{r: r}
	_, err := s.parameter("v")
	return err == nil && len(v) == 1 && v[0] == "1"
}

// constantly vouches for one principal.
func constantly(p authority.Principal) authority.Verifier { return &freeVerifier{p} }

// Any claim of a foreign token becomes a header that is one line of printable ASCII,
// or none; and reads as strictly as the rules say.
func FuzzForeignClaim(f *testing.F) {
	for _, text := range []string{`"acme"`, `["a,b","c"]`, `{"a":1}`, "null", "-0", "1e400", `"\ud800"`, `["a\u0000b"]`, `[[[[]]]]`, `"a" "b"`, "\"a\r\nb\""} {
		f.Add(text)
	}
	id := config.Identity{Headers: []config.IdentityHeader{{Name: "X-Claim", Claim: "c"}}}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.IndexByte(text, 0) >= 0 {
			return // no JSON text has one
		}
		p := grace()
		p.Claims = authority.List("b\x00\"x\"\x00c\x00" + text + "\x00d\x00\"y\"\x00")
		r := bearer("X-Claim", "forged")
		_, refusal := meet(r, mustGuard(t, config.Guard{Identity: id}, corp(constantly(p))))
		wantStatus(t, refusal, http.StatusOK)
		value := r.Header.Get("X-Claim")
		if value == "forged" || len(value) > MaxHeaderValue || len(r.Header["X-Claim"]) > 1 {
			t.Fatalf("the header is %q", value)
		}
		for i := range len(value) {
			if value[i] < ' ' || value[i] > '~' {
				t.Fatalf("the header has %q", value)
			}
		}
		if !json.Valid([]byte(text)) && value != "" {
			t.Fatalf("%q is no JSON and became %q", text, value)
		}
		if v, err := celOfJSON(text); (err == nil) != (v != nil) || err == nil && !json.Valid([]byte(text)) {
			t.Fatalf("%q: %v, %v", text, v, err)
		}
	})
}
