package guard

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/config"
)

// held is a verdict cache that never asks twice: whatever a guard does to what it is
// given, the next caller gets the same.
type held struct {
	issuerOf
	mu    sync.Mutex
	facts map[string]authority.Principal
}

func (h *held) Verify(ctx context.Context, credential string) (authority.Principal, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p, ok := h.facts[credential]; ok {
		return p, nil
	}
	p, err := h.issuerOf.Verify(ctx, credential)
	if err == nil {
		if h.facts == nil {
			h.facts = map[string]authority.Principal{}
		}
		h.facts[credential] = p
	}
	return p, err
}

// A token proves itself on a route whose rule it meets, and its verdict is cached. On
// the next route, with another rule, the caller hopes that "known" means "let in".
func TestAttackVerdictOfAnotherRoute(t *testing.T) {
	v := &held{issuerOf: issuerOf{tokens: map[string]authority.Principal{token: grace()}}}
	open := mustGuard(t, config.Guard{Policy: `principal.claims.tenant == "acme"`}, corp(v))
	other := mustGuard(t, config.Guard{Policy: `principal.claims.tenant == "globex"`}, corp(v))
	for range 3 {
		_, refusal := meet(bearer(), open)
		wantStatus(t, refusal, http.StatusOK)
		_, refusal = meet(bearer(), other)
		wantStatus(t, refusal, http.StatusForbidden)
	}
	if asked := v.asked.Load(); asked != 1 {
		t.Errorf("asked %d times: the verdict was not the cached one", asked)
	}
	// Nor does a first guard's yes carry over to a second one on the same request.
	st, refusal := meet(bearer(), open, other)
	wantStatus(t, refusal, http.StatusForbidden)
	if _, known := st.Principal(); known {
		t.Error("refused, and yet known")
	}
}

// The same token and route, but the part of the request that the rule looks at
// changes: an answer kept from the last request would let it through.
func TestAttackAnswerOfAnotherRequest(t *testing.T) {
	g := mustGuard(t, config.Guard{Policy: `request.method == "GET" && request.path.startsWith("/u/" + principal.username + "/") && request.query.v == ["1"]`},
		corp(&held{issuerOf: issuerOf{tokens: map[string]authority.Principal{token: grace()}}}))
	good := func() *http.Request {
		r := bearer()
		r.URL.Path, r.RequestURI, r.URL.RawQuery = "/u/ada/x", "/u/ada/x?v=1", "v=1"
		return r
	}
	for name, change := range map[string]func(*http.Request){
		"another method":           func(r *http.Request) { r.Method = "DELETE" },
		"another page":             func(r *http.Request) { r.URL.Path, r.RequestURI = "/u/bob/x", "/u/bob/x?v=1" },
		"a name that begins alike": func(r *http.Request) { r.URL.Path, r.RequestURI = "/u/adam/x", "/u/adam/x?v=1" },
		"a parameter twice":        func(r *http.Request) { r.URL.RawQuery = "v=1&v=2" },
		"a parameter twice, back":  func(r *http.Request) { r.URL.RawQuery = "v=2&v=1" },
		"a parameter, escaped":     func(r *http.Request) { r.URL.RawQuery = "v=1&%76=2" },
		"a semicolon":              func(r *http.Request) { r.URL.RawQuery = "v=1;v=2" },
	} {
		_, refusal := meet(good(), g)
		wantStatus(t, refusal, http.StatusOK)
		r := good()
		change(r)
		if _, refusal := meet(r, g); refusal == nil || refusal.Status != http.StatusForbidden {
			t.Errorf("%s passes: %+v", name, refusal)
		}
	}
}

// One request's evaluation takes lists and claims of the cached principal apart and
// puts them together; the next requests must find them as they were. The race detector
// watches.
func TestAttackAlterTheCachedPrincipal(t *testing.T) {
	v := &held{issuerOf: issuerOf{tokens: map[string]authority.Principal{token: grace()}}}
	busy := mustGuard(t, config.Guard{Policy: `(principal.roles + ["root"]).exists(r, r == "root") && principal.roles.map(r, r + "!").size() == 2 &&
		(principal.claims.groups + ["root"]).size() == 3 && principal.scopes.filter(s, s != "read").size() == 1`}, corp(v))
	plain := mustGuard(t, config.Guard{Policy: `principal.roles == ["admin", "dev"] && !("root" in principal.claims.groups) && principal.scopes.size() == 2`}, corp(v))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				for _, g := range []*Guard{busy, plain} {
					r := bearer()
					if _, refusal := meet(r, g); refusal != nil {
						t.Error(refusal.Err)
					}
					if groups := r.Header.Get("Remote-Groups"); groups != "admin,dev" {
						t.Errorf("groups are %q", groups)
					}
				}
			}
		})
	}
	wg.Wait()
	if v.facts[token] != grace() {
		t.Error("the cached principal is another one")
	}
}

// A reload narrows the rule while the verdicts stay warm: the very next request of a
// cached token meets the new rule.
func TestAttackOldRuleAfterReload(t *testing.T) {
	v := &held{issuerOf: issuerOf{tokens: map[string]authority.Principal{token: grace()}}}
	before := mustGuard(t, config.Guard{Policy: `principal.claims.level >= 1`}, corp(v))
	_, refusal := meet(bearer(), before)
	wantStatus(t, refusal, http.StatusOK)
	for _, cfg := range []config.Guard{
		{Policy: `principal.claims.level >= 4`},
		{Policy: `principal.claims.level >= 1`, Audience: []string{"another-app"}},
		{Policy: `principal.claims.level >= 1`, Scopes: []string{"delete"}},
		{Policy: `principal.claims.level >= 1`, Roles: []string{"root"}},
	} {
		_, refusal := meet(bearer(), mustGuard(t, cfg, corp(v)))
		if refusal == nil {
			t.Errorf("%+v: the old rule still holds", cfg)
		}
	}
	// The trust was taken out of `accept`: its cached verdicts are nothing any more.
	_, refusal = meet(bearer(), mustGuard(t, config.Guard{Policy: "true"}, mainRealm(new(issuerOf))))
	wantStatus(t, refusal, http.StatusUnauthorized)
	if v.asked.Load() != 1 {
		t.Error("the verdicts were not warm")
	}
}

// The caller fills what a rule looks at to the brim, so that judging costs more than
// it is worth: the evaluation ends at its limit, and the answer is no.
func TestAttackExhaustTheJudge(t *testing.T) {
	g := mustGuard(t, config.Guard{LenientPaths: true, Policy: `request.query.a.all(x, x.matches("^(a+)+$") || x.contains("b")) && request.path.matches("(x+x+)+y") == false`},
		corp(knows(grace())))
	for name, query := range map[string]string{
		"many parameters": strings.Repeat("a=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa&", 500),
		"a long one":      "a=" + strings.Repeat("a", maxPolicyInput-2),
		"too many":        strings.Repeat("a=a&", maxPolicyInput),
	} {
		r := bearer()
		r.URL.RawQuery, r.URL.Path = query, "/"+strings.Repeat("x", 8000)
		_, refusal := meet(r, g)
		if refusal == nil && name != "a long one" || refusal != nil && refusal.Reason != ReasonPolicy {
			t.Errorf("%s: %+v", name, refusal)
		}
	}
}

// What a rule asks for in a loop is looked for once: reading a query of 8 KiB for each of
// its parameters took a fifth of a second.
func TestAttackLookInALoop(t *testing.T) {
	looked := 0
	of := func(found func(*scene, string) (ref.Val, error)) *asked {
		return &asked{scene: new(scene), of: queryField, find: func(s *scene, name string) (ref.Val, error) { looked++; return found(s, name) }}
	}
	for name, a := range map[string]*asked{
		"there":     of(func(*scene, string) (ref.Val, error) { return types.String("x"), nil }),
		"not there": of(func(*scene, string) (ref.Val, error) { return nil, nil }),
		"a fault":   of(func(*scene, string) (ref.Val, error) { return nil, errQuery }),
	} {
		looked = 0
		first := a.Contains(types.String(name))
		for range 100 {
			if again := a.Contains(types.String(name)); again.Type() != first.Type() || !types.IsError(first) && again != first {
				t.Errorf("%s: %v, and then %v", name, first, again)
			}
		}
		a.Contains(types.String("other"))
		if looked != 2 {
			t.Errorf("%s: looked for %d times", name, looked)
		}
	}
}

// Attack: a rule keeps out tokens that carry a claim, and the claim comes as something
// that is not kept: an object, or too large. It is there all the same.
func TestAttackClaimThatCannotBeRead(t *testing.T) {
	for _, policy := range []string{`!has(principal.claims.act)`, `principal.claims.act != "agent"`, `!("act" in principal.claims)`} {
		p := authority.Principal{
			Source: "corp", Issuer: upstreamIssuer, Subject: "ada", Kind: authority.KindAccess, Expires: time.Now().Add(time.Hour).Unix(),
			Claims: authority.ListOf("act", authority.ClaimUnreadable),
		}
		g := mustGuard(t, config.Guard{Policy: policy}, []Accepted{{Name: "corp", Issuer: upstreamIssuer, Verifier: knows(p), Judged: true}})
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		st := new(Request)
		NewNames().Strip(r, st)
		if refusal := g.Check(r, st); refusal == nil || refusal.Status != http.StatusForbidden {
			t.Errorf("%s lets it pass: %+v", policy, refusal)
		}
	}
}

// Attack: an id of twenty digits is taken for its neighbour's, which is one double with it.
func TestAttackIDBeyondADouble(t *testing.T) {
	for policy, want := range map[string]int{
		`principal.claims.id == 18446744073709551614u`: http.StatusForbidden, `principal.claims.id == 18446744073709551615u`: http.StatusOK,
		`18446744073709551614u in principal.claims.ids`: http.StatusForbidden, `principal.claims.ids[1] == 18446744073709551615u`: http.StatusOK,
		`principal.claims.id > 9007199254740993`: http.StatusOK, `principal.claims.ids[0] == 1`: http.StatusOK,
	} {
		refusal := meets(t, policy, asks(), func(p *authority.Principal) {
			p.Claims = authority.ListOf("id", "18446744073709551615", "ids", "[1,18446744073709551615]")
		})
		if got := refusal == nil; got != (want == http.StatusOK) {
			t.Errorf("%s: %+v, want %d", policy, refusal, want)
		}
	}
	for _, beyond := range []string{"18446744073709551616", "18446744073709552000", "-9223372036854775809", "18446744073709551615.0", "1.8446744073709551615e19", "-9223372036854775808.0"} {
		if refusal := meets(t, `18446744073709551615u in principal.claims.ids || -9223372036854775807 - 1 in principal.claims.ids || principal.claims.ids[1] > 1`, asks(), func(p *authority.Principal) {
			p.Claims = authority.ListOf("ids", "[1,"+beyond+"]")
		}); refusal == nil || refusal.Status != http.StatusForbidden {
			t.Errorf("%s in a list: %+v", beyond, refusal)
		}
		for _, policy := range []string{`principal.claims.id == 18446744073709551615u`, `principal.claims.id == -9223372036854775807 - 1`} {
			if refusal := meets(t, policy, asks(), func(p *authority.Principal) { p.Claims = authority.ListOf("id", beyond) }); refusal == nil || refusal.Status != http.StatusForbidden {
				t.Errorf("%s is true of %s", policy, beyond)
			}
		}
	}
	for claim, want := range map[string]int{"9007199254740991.0": http.StatusForbidden, "9007199254740992.0": http.StatusForbidden, "9007199254740993.0": http.StatusForbidden, "9007199254740993": http.StatusOK} {
		refusal := meets(t, `principal.claims.id == 9007199254740993`, asks(), func(p *authority.Principal) { p.Claims = authority.ListOf("id", claim) })
		if got := refusal == nil; got != (want == http.StatusOK) {
			t.Errorf("%s is taken for 9007199254740993: %+v", claim, refusal)
		}
	}
	p := grace()
	p.Claims = authority.ListOf("ids", "[1,18446744073709551615,340282366920938463463374607431768211455,1e2,-0]")
	if got := foreignHeader(&p, "ids"); got != "1,18446744073709551615,340282366920938463463374607431768211455,1e2,-0" {
		t.Errorf("in a header: %q", got)
	}
}

// Attack: somebody chooses to be called at another issuer as a user is called here,
// and the guard accepts both.
func TestAttackNameOfALocalUser(t *testing.T) {
	p := authority.Principal{
		Source: "corp", Issuer: upstreamIssuer, Subject: "alice", Username: "alice", Kind: authority.KindAccess, Expires: time.Now().Add(time.Hour).Unix(),
	}
	for name, tc := range map[string]struct {
		accepted []Accepted
		want     string
	}{
		"beside a realm": {[]Accepted{{Name: "main", Issuer: issuer, Verifier: new(issuerOf)}, {Name: "corp", Issuer: upstreamIssuer, Verifier: knows(p), Judged: true}}, "corp:alice"},
		"alone":          {[]Accepted{{Name: "corp", Issuer: upstreamIssuer, Verifier: knows(p), Judged: true}}, "alice"},
	} {
		g := mustGuard(t, config.Guard{}, tc.accepted)
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		st := new(Request)
		NewNames().Strip(r, st)
		if refusal := g.Check(r, st); refusal != nil {
			t.Fatalf("%s: %v", name, refusal.Err)
		}
		if got := r.Header.Get("Remote-User"); got != tc.want || st.ID(&p) != tc.want {
			t.Errorf("%s: %q and %q, want %q", name, got, st.ID(&p), tc.want)
		}
	}
}

// Attack: the rule sees a field that the upstream will not see, since Connection names it,
// or not the one that the upstream sees, since that has another spelling.
func TestAttackFieldThatTheUpstreamSeesOtherwise(t *testing.T) {
	for _, c := range []struct {
		policy string
		header []string
		passes bool
	}{
		{`request.headers["x-tenant"] == "mine"`, []string{"X-Tenant", "mine"}, true},
		{`request.headers["x-tenant"] == "mine"`, []string{"X-Tenant", "mine", "Connection", "close, X-Other"}, true},
		{`request.headers["x-tenant"] == "mine"`, []string{"X-Tenant", "mine", "Connection", "close, x-tenant"}, false},
		{`request.headers["x-tenant"] == "mine"`, []string{"X-Tenant", "mine", "Connection", "close", "Connection", "\tX-TENANT ,"}, false},
		{`request.headers["x-tenant"] == "mine"`, []string{"X-Tenant", "mine", "X_tenant", "other"}, false},
		{`request.headers["x-tenant"] == "mine"`, []string{"X-Tenant", "mine", "X.tenant", "mine"}, false},
		{`!("x-debug" in request.headers)`, nil, true},
		{`!("x-debug" in request.headers)`, []string{"X-Debug", "1"}, false},
		{`!("x-debug" in request.headers)`, []string{"X~debug", "1"}, false},
		{`!("x-debug" in request.headers)`, []string{"X_debug", "1"}, false},
		{`!("x-debug" in request.headers)`, []string{"X-Debug", "1", "Connection", "X-Debug"}, true}, // nor does the upstream get it
		{`!("x-debug" in request.headers)`, []string{"X_debug", "1", "Connection", "X-Debug"}, false},
		{`!("x-debug" in request.headers)`, []string{"X-Debugs", "1", "Xdebug", "1"}, true},
		{`!("x_debug" in request.headers)`, []string{"X-Debug", "1"}, false},
		{`request.headers["upgrade"] == "websocket"`, []string{"Connection", "Upgrade", "Upgrade", "websocket"}, true},
	} {
		g := mustGuard(t, config.Guard{Policy: c.policy}, mainRealm(knows(ada())))
		_, refusal := meet(bearer(c.header...), g)
		if passes := refusal == nil; passes != c.passes || !passes && refusal.Reason != ReasonPolicy {
			t.Errorf("%s with %q passes: %v, %+v", c.policy, c.header, passes, refusal)
		}
	}
}

// Attack: a parameter by a name that the rule does not ask for, and that the upstream
// takes for the one it does.
func TestAttackParameterByAnotherName(t *testing.T) {
	g := mustGuard(t, config.Guard{Policy: `!("tenant_id" in request.query) || request.query.tenant_id == ["mine"]`}, mainRealm(knows(ada())))
	for query, passes := range map[string]bool{
		"": true, "tenant_id=mine": true, "tenant_id=mine&tenants=x&tenant=y&tenant-id=z&TENANT=u": true, "a[b]=1&a[c]=2": true,
		"tenant_id=other": false, "tenant_id=mine&tenant_id=other": false,
		"tenant_id[]=other": false, "tenant_id%5B0%5D=other": false, "tenant_id=mine&tenant_id[x]=other": false, "tenant.id=other": false, "tenant%20id=other": false,
		"tenant+id=other": false, "tenant[id=other": false, "%20tenant_id=other": false, "tenant_id%00x=other": false, "tenant.id[]=other": false,
		"[tenant_id]=other": false, "tenant_id=mine&%5Btenant_id%5D=other": false, "[[tenant_id]]=other": false, "tenant_id]=other": false, "[tenant_id][x]=other": false,
		"[]tenant_id=other": false, "?tenant_id=other": false, "!tenant_id=other": false, "[tenants]=x&?tenant=y&[]=z&]=u": true,
		"Tenant_ID=other": false, "tenant_id=mine&tenant_Id=other": false, "tenant_%C4%B1d=other": false,
	} {
		r := bearer()
		r.URL.RawQuery = query
		if _, refusal := meet(r, g); (refusal == nil) != passes {
			t.Errorf("?%s passes: %v, %+v", query, refusal == nil, refusal)
		}
	}
}

// Attack: a rule keeps out by what a claim says, and the issuer says it in another type:
// to CEL, values of two types differ.
func TestAttackClaimOfAnotherType(t *testing.T) {
	const passes, refuses = true, false
	for _, c := range []struct {
		policy, claim string
		passes        bool
	}{
		{`principal.claims.x != 3`, `4`, passes},
		{`principal.claims.x != 3`, `4.5`, passes},
		{`principal.claims.x != 3`, `3`, refuses},
		{`principal.claims.x != 3`, `3.0`, refuses},
		{`principal.claims.x != 3`, `"3"`, refuses},
		{`principal.claims.x != 3`, `[3]`, refuses},
		{`principal.claims.x != 3`, `{"y":3}`, refuses},
		{`3 != principal.claims.x`, `"3"`, refuses},
		{`!(principal.claims.x == "high")`, `"low"`, passes},
		{`!(principal.claims.x == "high")`, `["high"]`, refuses},
		{`principal.claims.x == "high" ? false : true`, `["high"]`, refuses},
		{`principal.claims.x != true`, `"true"`, refuses},
		{`principal.claims.x != true`, `1`, refuses},
		{`principal.claims.x != ["a"]`, `["b"]`, passes},
		{`principal.claims.x != ["1"]`, `[1]`, refuses},
		{`principal.claims.x != null`, `"a"`, passes},
		{`!(3 in principal.claims.x)`, `[1,2.5]`, passes},
		{`!(3 in principal.claims.x)`, `["3"]`, refuses},
		{`!(3 in principal.claims.x)`, `[1,[3]]`, refuses},
		{`3 in principal.claims.x`, `["3",3]`, passes},
		{`!(principal.claims.x in [1, 3])`, `2`, passes},
		{`!(principal.claims.x in [1, 3])`, `3`, refuses},
		{`!(principal.claims.x in [1, 3])`, `"3"`, refuses},
		{`!(principal.claims.x in ["a", "b"])`, `["a"]`, refuses},
		{`!(principal.claims.x in {"3": true})`, `"4"`, passes},
		{`!(principal.claims.x in {"3": true})`, `3`, refuses},
		{`!(principal.claims.x in principal.roles)`, `"dev2"`, passes},
		{`!(principal.claims.x in principal.roles)`, `["dev"]`, refuses},
		{`!principal.claims.x.exists(y, y == 3)`, `["3"]`, refuses},
		{`principal.claims.x.all(y, y != 3)`, `[1,2]`, passes},
		{`principal.claims.x.all(y, y != 3)`, `[1,"3"]`, refuses},
		{`{"k": principal.claims.x} != {"k": 3}`, `"3"`, refuses},
		{`{"k": principal.claims.x} != {"k": 3}`, `4`, passes},
		{`{"k": principal.claims.x, "l": principal.claims.x} != {"k": 3}`, `3`, passes},
		{`principal.claims.x.map(y, {"k": y}) != [{"k": 3}]`, `["3"]`, refuses},
		{`!({"k": principal.claims.x} in [{"k": 3}])`, `"3"`, refuses},
		{`!({"k": principal.claims.x} in [{"k": 3}])`, `4`, passes},
		{`!(3 in {principal.claims.x: true})`, `"3"`, refuses},
		{`!(3 in {principal.claims.x: true})`, `4`, passes},
		{`!(3 in {principal.claims.x: true})`, `3.0`, refuses},
		{`{principal.claims.x: true} != {3: true}`, `"3"`, refuses},
		{`{principal.claims.x: true} != {3: true}`, `4`, passes},
		// What is true in any case stays true.
		{`principal.claims.x == "a" || "a" in principal.claims.x`, `"a"`, passes},
		{`principal.claims.x == "a" || "a" in principal.claims.x`, `["b","a"]`, passes},
		{`principal.claims.x == "a" || "a" in principal.claims.x`, `["b"]`, refuses},
		{`type(principal.claims.x) == string`, `"a"`, passes},
	} {
		refusal := meets(t, c.policy, asks(), func(p *authority.Principal) { p.Claims = authority.ListOf("x", c.claim) })
		if (refusal == nil) != c.passes || refusal != nil && refusal.Reason != ReasonPolicy {
			t.Errorf("%s of %s: %+v, want %v", c.policy, c.claim, refusal, c.passes)
		}
	}
	refusal := meets(t, `principal.claims.level != "3"`, asks(), nil)
	if want := "at line 1, column 24: values of two types are compared"; refusal == nil || !strings.Contains(refusal.Err.Error(), want) {
		t.Errorf("the log says %+v, want %q in it", refusal, want)
	}
}
