package guard

import (
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/config"
)

// benchPolicies are rules as operators write them.
var benchPolicies = []struct{ name, policy string }{
	{"method", `request.method == "GET"`},
	{"role or own page", `"admin" in principal.roles || request.path.startsWith("/u/" + principal.username + "/")`},
	{"network", `cidr("10.0.0.0/8").containsIP(request.remote_ip)`},
	{"claim", `principal.claims.tenant == "acme" && principal.claims.level >= 3`},
	{"header and query", `request.headers["accept"] == "text/html" && !("debug" in request.query)`},
	{"age", `request.time - principal.auth_time < duration("2h")`},
	{"loop", `principal.roles.exists(r, r.startsWith("team-") || r == "dev")`},
}

func BenchmarkPolicy(b *testing.B) {
	p := ada()
	p.Claims = authority.List("tenant\x00\"acme\"\x00level\x003\x00")
	for _, bb := range benchPolicies {
		b.Run(bb.name, func(b *testing.B) {
			g := mustGuard(b, config.Guard{Policy: bb.policy}, []Accepted{{Name: "main", Issuer: issuer, Verifier: knows(p), Judged: true}})
			r := get()
			r.Header, r.RemoteAddr = ordinary(), "10.1.2.3:4"
			st := new(Request)
			b.ReportAllocs()
			for b.Loop() {
				if err := g.policy.judge(&scene{r: r, st: st, principal: &p, guard: g}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPolicyCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := compilePolicy(benchPolicies[1].policy, true, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPolicyAtItsLimit is the most that one evaluation can take.
func BenchmarkPolicyAtItsLimit(b *testing.B) {
	p := ada()
	p.Roles = authority.List(strings.Repeat("role\x00", 3000))
	g := mustGuard(b, config.Guard{Policy: `principal.roles.all(a, principal.roles.all(b, a != "x" || b != "y"))`}, mainRealm(knows(p)))
	r, st := get(), new(Request)
	for b.Loop() {
		if err := g.policy.judge(&scene{r: r, st: st, principal: &p, guard: g}); err == nil {
			b.Fatal("passes")
		}
	}
}
