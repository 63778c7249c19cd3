package guard

import (
	"context"
	"crypto/tls"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/config"
)

const upstreamIssuer = "https://login.example.org"

// grace is a caller with a token of a foreign issuer, with every sort of claim.
func grace() authority.Principal {
	p := ada()
	p.Source, p.Issuer, p.Realm = "corp", upstreamIssuer, "5e0f3a5c-0000-5000-8000-000000000001"
	p.Audience = authority.ListOf("some-app")
	p.Claims = authority.List(strings.Join([]string{
		"tenant", `"acme"`, "level", "3", "ratio", "0.5", "id", "9007199254740993", "member", "true", "nothing", "null",
		"groups", `["eng","ops, and more"]`, "realm_access", `{"roles":["editor","viewer"]}`, "mixed", `["a",1,true,{"b":2}]`,
		"escaped", `"a\u0041\n"`, "https://example.com/dept", `"R&D"`, "broken", `{"a":1,"a":2}`, "cut", `"abc`,
		"quoted", `"x\",y"`, "mail", `"Zoë"`, "list_of_numbers", `[1,2.5,false]`, "deep", `[[[[[[[[[1]]]]]]]]]`, "nul", `["a\u0000b"]`,
	}, "\x00") + "\x00")
	return p
}

func corp(v authority.Verifier) []Accepted {
	return []Accepted{{Name: "corp", Issuer: upstreamIssuer, Verifier: v, Judged: true}}
}

// meets judges one request of grace's by a policy, as a whole guard does.
func meets(t *testing.T, policy string, r *http.Request, change func(*authority.Principal)) *Refusal {
	t.Helper()
	p := grace()
	if change != nil {
		change(&p)
	}
	st, refusal := meet(r, mustGuard(t, config.Guard{Policy: policy, LenientPaths: true}, corp(knows(p))))
	if _, known := st.Principal(); known != (refusal == nil) {
		t.Errorf("refused: %v, known: %v", refusal != nil, known)
	}
	return refusal
}

// asks is a request with something in every place that a policy can look at.
func asks() *http.Request {
	r := bearer("Accept", "text/html", "X-Env", "test", "X-Env", "prod", "Remote-User", "root")
	r.Method, r.Host = http.MethodPost, "App.Example.com.:8443"
	r.URL.Path, r.URL.RawPath, r.URL.RawQuery = "/a b/ö", "/a%20b/%C3%B6", "a=1&a=2&b=x%20y&c"
	r.RequestURI = "/a%20b/%C3%B6?" + r.URL.RawQuery
	r.RemoteAddr, r.TLS = "[::ffff:10.1.2.3]:4711", &tls.ConnectionState{HandshakeComplete: true}
	return r
}

func TestPolicyFacts(t *testing.T) {
	for _, policy := range []string{
		`principal.source == "corp"`, `principal.issuer == "https://login.example.org"`, `principal.subject == "1f0c2c3e-ada"`,
		`principal.account == "1f0c2c3e-ada"`, `principal.client == "web"`, `principal.username == "ada"`,
		`principal.name == "Ada Lovelace"`, `principal.email == "ada@example.com"`, `principal.email.endsWith("@example.com")`,
		`principal.email_verified`, `principal.session == "sid-1"`, `principal.token_id == "jti-1"`, `principal.kind == "access"`,
		`"read" in principal.scopes && !("delete" in principal.scopes)`, `principal.scopes == ["read", "write"]`,
		`principal.scopes.size() == 2 && principal.scopes[1] == "write"`, `principal.roles.all(r, r in ["admin", "dev"])`,
		`principal.roles.exists_one(r, r.startsWith("d"))`, `principal.roles.filter(r, r != "dev") == ["admin"]`,
		`(principal.roles + principal.scopes).size() == 4`, `principal.roles.map(r, r.upperAscii()) == ["ADMIN", "DEV"]`,
		`principal.audience == ["some-app"]`, `8 in [dyn(8), dyn("a")]`, `!(7 in [dyn(1), dyn(8.5)])`, `type(principal.roles) == list`,
		`principal.issued_at < request.time`, `principal.expires > request.time`, `principal.expires - request.time == duration("5m")`,
		`request.time - principal.auth_time <= duration("1h")`, `request.time == timestamp("2026-01-02T12:00:00Z")`,
		`request.time.getDayOfWeek() == 5 && request.time.getHours() < 18`,
		`request.time.getHours("Europe/Berlin") == 13 && request.time.getHours("+02:00") == 14 && request.time.getHours("-02:00") == 10 && request.time.getHours("02:00") == 14`,

		`principal.claims.tenant == "acme"`, `principal.claims["tenant"] in ["acme", "other"]`, `principal.claims.level >= 3`,
		`principal.claims.level == 3`, `principal.claims.ratio < 1.0 && principal.claims.ratio * 2.0 == 1.0`,
		`principal.claims.id == 9007199254740993`, `principal.claims.id != 9007199254740992`, `principal.claims.member == true`,
		`"eng" in principal.claims.groups`, `principal.claims.groups.exists(g, g == "ops, and more")`, `principal.claims.groups[0] == "eng"`,
		`"editor" in principal.claims.realm_access.roles`, `principal.claims["realm_access"]["roles"].size() == 2`,
		`principal.claims.mixed[3].b == 2`, `principal.claims.escaped == "aA\n"`, `principal.claims["https://example.com/dept"] == "R&D"`,
		`has(principal.claims.tenant) && !has(principal.claims.absent)`, `"tenant" in principal.claims`, `!("absent" in principal.claims)`,
		`!has(principal.claims.nothing)`, `!has(principal.claims.realm_access.groups)`, `has(principal.email) && has(principal.roles)`,
		`has(principal.claims.absent) ? principal.claims.absent == "x" : principal.claims.tenant == "acme"`,

		`request.method == "POST"`, `request.host == "app.example.com"`, `request.path == "/a b/ö"`, `request.path.matches("^/a b/.$")`, `!request.path.matches("^/v[0-9]{1,3}/")`,
		`request.scheme == "https"`, `request.remote_ip == "10.1.2.3"`, `cidr("10.0.0.0/8").containsIP(request.remote_ip)`,
		`ip(request.remote_ip).family() == 4`, `!cidr("2001:db8::/32").containsIP(request.remote_ip)`,
		`request.headers["accept"] == "text/html"`, `request.headers.accept == "text/html"`, `request.headers["x-env"] == "test, prod"`,
		`!has(request.headers.cookie)`,
		`request.query.a == ["1", "2"]`, `request.query["b"][0] == "x y"`, `"c" in request.query && request.query.c == [""]`,
		`!("d" in request.query)`, `request.path.split("/").size() == 3`, `request.path.substring(1, 4) == "a b"`,
		`principal.claims.groups.exists(g, g.startsWith("o") && !(g in principal.roles))`,
		`!principal.roles.exists(r, principal.claims.groups.exists(g, g == r))`,
		`!principal.claims.groups.exists(g, g.startsWith("x") || g.matches("^team-[a-z]+-x$"))`,
		`request.path.indexOf("b") == 3 && " x ".trim() == "x"`,
	} {
		t.Run(policy, func(t *testing.T) {
			if refusal := meets(t, policy, asks(), nil); refusal != nil {
				t.Error(refusal.Err)
			}
		})
	}
}

func wantFault(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q in it", err, want)
	}
}

// Whatever is not true refuses: what is false, what cannot be evaluated, and what
// costs too much.
func TestPolicyRefuses(t *testing.T) {
	long := func(r *http.Request) { r.Header["X-Long"] = []string{strings.Repeat("x", maxPolicyInput+1)} }
	tests := []struct {
		name, policy, log string
		change            func(*http.Request)
		principal         func(*authority.Principal)
	}{
		{"false", `request.method == "GET"`, "not true", nil, nil},
		{"a claim that is not there", `principal.claims.absent == "x"`, "not there", nil, nil},
		{"a claim that is not there, denied", `!(principal.claims.absent == "x")`, "not there", nil, nil},
		{"a claim that is null", `principal.claims.nothing != "x"`, "not there", nil, nil},
		{"a claim with a member twice", `principal.claims.broken.a == 1`, "principal.claims.broken", nil, nil},
		{"a claim that is no JSON", `principal.claims.cut != "x"`, "principal.claims.cut", nil, nil},
		{"a claim that is too deep", `principal.claims.deep != "x"`, "principal.claims.deep", nil, nil},
		{"a claim of another type", `principal.claims.tenant > 3`, "line 1, column 25: a value is of a type that this is not for", nil, nil},
		{"a number that overflows", `principal.claims.id * 9007199254740993 > 0`, "could not be evaluated at line 1, column 21: a number that is too large", nil, nil},
		{"an index beyond the end", `principal.roles[7] != "x"`, "a place beyond the end of a list", nil, nil},
		{"a division by zero", `1 / size(request.path.split("/")[0]) > 0`, "a division by zero", nil, nil},
		{"a text that is no number", `int(principal.username) != 0`, "could not be evaluated", nil, nil},
		{"no login time", `principal.auth_time < request.time`, "principal.auth_time: it has no value", nil,
			func(p *authority.Principal) { p.AuthTime = 0 }},
		{"roles elsewhere", `!("blocked" in principal.roles)`, "principal.roles: the token says that they are elsewhere", nil,
			func(p *authority.Principal) { p.Roles, p.RolesElsewhere = "", true }},
		{"no end", `principal.expires != request.time`, "principal.expires: it has no value", nil,
			func(p *authority.Principal) { p.Expires = authority.NoExpiry }},
		{"a header that is not there", `request.headers.cookie != "x"`, "not there", nil, nil},
		{"a header that is too long", `request.headers["x-long"] != "x"`, "too long", long, nil},
		{"a query that cannot be parsed", `!("a" in request.query)`, "cannot be parsed", func(r *http.Request) { r.URL.RawQuery = "b;a=1" }, nil},
		{"a query that is too long", `!("a" in request.query)`, "too long", func(r *http.Request) { r.URL.RawQuery = strings.Repeat("b&", 9000) }, nil},
		{"a path that is too long", `request.path != "x"`, "too long", func(r *http.Request) { r.URL.Path = "/" + strings.Repeat("x", maxPolicyInput) }, nil},
		{"nobody's address", `cidr("10.0.0.0/8").containsIP(request.remote_ip)`, "could not", func(r *http.Request) { r.RemoteAddr = "@" }, nil},
		{"too dear", `principal.roles.all(a, principal.roles.all(b, a != "x" || b != "y"))`, "cost more than", nil,
			func(p *authority.Principal) { p.Roles = authority.List(strings.Repeat("role\x00", 3000)) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := asks()
			if tt.change != nil {
				tt.change(r)
			}
			refusal := meets(t, tt.policy, r, tt.principal)
			wantStatus(t, refusal, http.StatusForbidden)
			if refusal.Reason != ReasonPolicy || !strings.Contains(refusal.Err.Error(), tt.log) {
				t.Errorf("%s: %v, want %q in it", refusal.Reason, refusal.Err, tt.log)
			}
			if refusal.Header.Get("WWW-Authenticate") != "" {
				t.Error("a challenge, though no other credential would do")
			}
			for _, secret := range []string{"ada", "acme", "xxxx", token} {
				if strings.Contains(refusal.Err.Error(), secret) {
					t.Errorf("the log has %q: %v", secret, refusal.Err)
				}
			}
		})
	}
}

func TestPolicyFaults(t *testing.T) {
	tests := []struct{ policy, want string }{
		{`principal.emial == "a"`, "line 1, column 10: there is no principal.emial, did you mean email?; there are account,"},
		{"true &&\n  request.pth == \"/\"", "line 2, column 10: there is no request.pth, did you mean path?; there are headers,"},
		{`principle.email == "a"`, "line 1, column 1: there is no principle, did you mean principal?"},
		{`principal.email.startWith("a")`, "there is no function startWith, did you mean startsWith?"},
		{`nobody == "a"`, "there is no nobody"},
		{`principal == request`, "principal is asked for its fields only"},
		{`dyn(principal).email == "a"`, "asked for its fields only"},
		{`[request].size() == 1`, "asked for its fields only"},
		{`.principal == .request`, "asked for its fields only"},
		{`{"a": principal}.size() == 1`, "asked for its fields only"},
		{`principal.roles.exists(principal, principal == "x")`, "give the element another name"},
		{`principal["email"] == "a"`, "asked for its fields only"},
		{`principal.roles.exists(r, principal.claims[r] == 1)`, "written in the expression"},
		{`principal.claims[principal.username] == 1`, "written in the expression"},
		{`principal.username in principal.claims`, "written in the expression"},
		{`principal.claims.size() > 1`, "asked for names only"},
		{`principal.claims.all(k, k != "x")`, "asked for names only"},
		{`has(principal.claims)`, "asked for names only"},
		{`request.headers == request.headers`, "asked for names only"},
		{`request.headers.exists(h, h == "x")`, "asked for names only"},
		{`request.query[request.method] == ["x"]`, "written in the expression"},
		{`request.query[1] == ["x"]`, "written in the expression"},
		{`request.headers["X-Env"] == "x"`, `lower case: "x-env"`},
		{`request.headers["x env"] == "x"`, "RFC 9110"},
		{`request.headers["x-\u00e9"] == "x"`, "RFC 9110"},
		{`request.headers["authorization"] == "x"`, "does not see the credential"},
		{`request.headers.authorization == "x"`, "does not see the credential"},
		{`request.headers.host == "x"`, "request.host"},
		{`request.headers["remote-user"] == "x"`, "identity header of this guard"},
		{`request.headers["remote_user"] == "x"`, "identity header of this guard"},
		{`principal.claims["a\u0000b"] == "x"`, "control character"},
		{`principal.email`, "must be true or false, and this one is of the type string"},
		{`principal.claims.member`, "compare it, as in"},
		{` `, "syntax error"},
		{`request.path.matches("(")`, "the pattern is no regular expression"},
		{`request.path.matches(request.headers["x"])`, "a pattern is a text written in the expression"},
		{`request.path.matches("((a{100}){100}){100}")`, "the pattern"},
		{`duration("5 hours") > duration("1s")`, "invalid duration argument"},
		{`timestamp("yesterday") < request.time`, "invalid timestamp argument"},
		{`cidr("10.0.0.0/33").containsIP(request.remote_ip)`, `"10.0.0.0/33" is not a network`},
		{`ip("10.0.0") == ip(request.remote_ip)`, `"10.0.0" is not an address`},
		{`request.time.getHours("Europe/Berln") < 8`, `"Europe/Berln" is not a time zone`},
		{`request.time.getHours("") < 8`, `"" is not a time zone`},
		{`principal.issued_at.getDayOfWeek("+2500") < 8`, `"+2500" is not a time zone`},
		{`request.time.getHours(request.headers["x-zone"]) < 8`, "a time zone is a text written in the expression"},
		{`request.path.replace("a", "b") == "x"`, "replace is not offered"},
		{`"%s".format([request.path]) == "x"`, "format is not offered"},
		{`strings.quote(request.path) == "x"`, "not offered"},
		{`principal.roles.join(",") == "x"`, "join is not offered"},
		{`google.protobuf.Int32Value{value: 1} == 1`, "makes no objects"},
		{`gatehouse.Principal{} == gatehouse.Principal{}`, "makes no objects"},
		{`principal.roles.all(a, principal.roles.all(b, principal.roles.all(c, a + b != c)))`, "comprehension exceeds nesting limit"},
		{strings.Repeat("(", 60) + "true" + strings.Repeat(")", 60), "recursion"},
		{`request.path == "` + strings.Repeat("x", maxPolicy) + `"`, "longer than 4096 bytes"},
		{strings.Repeat("[", 60) + strings.Repeat("]", 60) + " == []", "recursion"},
		{strings.Repeat("1+", 1500) + "1 > 0", ""},
		{`[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16].all(x, principal.roles.all(a, request.path.matches("` + strings.Repeat("a", 200) + `")))`, "may cost"},
	}
	for _, tt := range tests {
		name := tt.policy
		if len(name) > 60 {
			name = name[:60]
		}
		t.Run(name, func(t *testing.T) {
			err := Valid(config.Guard{Policy: tt.policy, Accept: []string{"corp"}}, "corp")
			wantFault(t, err, "guard: policy: ")
			wantFault(t, err, tt.want)
		})
	}
}

// Claims are of foreign tokens: without a trust there are none, and a rule that names
// one would refuse everybody.
func TestPolicyClaimsNeedATrust(t *testing.T) {
	cfg := config.Guard{Policy: `principal.claims.tenant == "acme"`, Accept: []string{"main"}}
	wantFault(t, Valid(cfg, "corp"), "accepts no trust")
	_, err := New(cfg, mainRealm(new(issuerOf)), nil)
	wantFault(t, err, "accepts no trust")
	cfg.Accept = []string{"main", "corp"}
	if err := Valid(cfg, "corp"); err != nil {
		t.Error(err)
	}
}

func TestClaimsOf(t *testing.T) {
	cfg := config.Guard{
		Identity: config.Identity{Headers: []config.IdentityHeader{{Name: "X-Tenant", Claim: "tenant"}, {Name: "X-User", Claim: "sub"}, {Name: "X-Dept", Claim: "dept"}}},
		Policy: `principal.claims.tenant == "a" && has(principal.claims.level) && "org" in principal.claims && principal.claims["z.y"].a.b == 1 &&
			principal.roles.all(r, r != principal.claims.inner)`,
	}
	if got := ClaimsOf(cfg); !slices.Equal(got, []string{"dept", "inner", "level", "org", "tenant", "z.y"}) {
		t.Error(got)
	}
	if got := ClaimsOf(config.Guard{}); len(got) != 0 {
		t.Error(got)
	}
	if got := ClaimsOf(config.Guard{Policy: "principal.claims["}); len(got) != 0 {
		t.Error(got)
	}
}

// On an optional route the policy judges callers without a credential too.
func TestPolicyAnonymous(t *testing.T) {
	g := mustGuard(t, config.Guard{Optional: true, Policy: `principal.subject != "" || request.method == "GET" && !has(principal.roles) && principal.kind == ""`}, corp(knows(grace())))
	_, refusal := meet(get(), g)
	wantStatus(t, refusal, 200)
	_, refusal = meet(request("POST"), g)
	wantStatus(t, refusal, 401)
	if refusal.Reason != ReasonPolicy || refusal.Header.Get("WWW-Authenticate") != `Bearer realm="corp"` {
		t.Errorf("%s, %v", refusal.Reason, refusal.Header)
	}
	_, refusal = meet(request("POST", "Authorization", "Bearer "+token), g)
	wantStatus(t, refusal, 200)
	_, refusal = meet(request("OPTIONS", "Origin", "https://spa.example", "Access-Control-Request-Method", "PUT"), g)
	wantStatus(t, refusal, 200)
	// A rule over the time of login refuses whoever has not logged in.
	g = mustGuard(t, config.Guard{Optional: true, Policy: `principal.auth_time < request.time`}, corp(knows(grace())))
	_, refusal = meet(get(), g)
	wantStatus(t, refusal, 401)
	// Without `optional` nothing is judged for nobody.
	_, refusal = meet(get(), mustGuard(t, config.Guard{Policy: "true"}, corp(knows(grace()))))
	wantStatus(t, refusal, 401)
	if refusal.Reason != ReasonNoCredential {
		t.Error(refusal.Reason)
	}
}

// The door says who the client is; what it says is brought into one form.
func TestPolicyClientIP(t *testing.T) {
	g := mustGuard(t, config.Guard{Policy: `request.remote_ip == "2001:db8::1"`}, corp(knows(grace())))
	for text, want := range map[string]int{
		"2001:db8::1": 200, "2001:0DB8:0:0::1": 200, "2001:db8::1%eth0": 200, "2001:db8::2": 403, "": 403, "unknown": 403,
	} {
		r, st := bearer(), &Request{ClientIP: func(*http.Request) string { return text }}
		NewNames().Strip(r, st)
		wantStatus(t, g.Check(r, st), want)
	}
}

// An earlier guard's identity headers are no headers of the client's.
func TestPolicyDoesNotSeeIdentity(t *testing.T) {
	v := corp(knows(grace()))
	first := mustGuard(t, config.Guard{}, v)
	second := mustGuard(t, config.Guard{Identity: config.Identity{Preset: PresetNone}, Policy: `!("remote-user" in request.headers) && request.headers["x-team"] == "a"`}, v)
	_, refusal := meet(bearer("X-Team", "a"), first, second)
	wantStatus(t, refusal, 200)
}

// A trust judges the audience itself; a guard that names one judges it too.
func TestJudgedAudience(t *testing.T) {
	own := ada()
	own.Audience = authority.ListOf("elsewhere")
	for _, tt := range []struct {
		name     string
		cfg      config.Guard
		accepted []Accepted
		status   int
	}{
		{"judged by the trust", config.Guard{}, corp(knows(grace())), 200},
		{"and by the guard", config.Guard{Audience: []string{"api"}}, corp(knows(grace())), 401},
		{"and both agree", config.Guard{Audience: []string{"some-app"}}, corp(knows(grace())), 200},
		{"a realm's token beside a trust", config.Guard{}, []Accepted{{Name: "corp", Issuer: upstreamIssuer, Verifier: new(issuerOf), Judged: true},
			{Name: "main", Issuer: issuer, Verifier: knows(own)}}, 401},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, refusal := meet(bearer(), mustGuard(t, tt.cfg, tt.accepted))
			wantStatus(t, refusal, tt.status)
		})
	}
	// What the second guard accepts is judged by the second guard's own words.
	unjudged := corp(knows(grace()))
	unjudged[0].Judged = false
	_, refusal := meet(bearer(), mustGuard(t, config.Guard{}, corp(knows(grace()))), mustGuard(t, config.Guard{}, unjudged))
	wantStatus(t, refusal, 401)
}

func TestForeignHeaders(t *testing.T) {
	for name, want := range map[string]string{
		"tenant": "acme", "level": "3", "ratio": "0.5", "id": "1f0c2c3e-ada", "member": "true", "nothing": "", "absent": "",
		"groups": "admin,dev", "realm_access": "", "mixed": "", "escaped": "aA%0A", "https://example.com/dept": "R&D", "broken": "",
		"cut": "", "quoted": `x",y`, "mail": "Zo%C3%AB", "list_of_numbers": "1,2.5,false", "nul": "", "deep": "",
	} {
		t.Run(name, func(t *testing.T) {
			id := config.Identity{Headers: []config.IdentityHeader{{Name: "X-Claim", Claim: name}}}
			r := bearer("X-Claim", "forged", "X_Claim", "forged")
			st, refusal := meet(r, mustGuard(t, config.Guard{Identity: id}, corp(knows(grace()))))
			wantStatus(t, refusal, 200)
			alias := strings.ReplaceAll("X-Claim", "-", "_")
			if got := r.Header["X-Claim"]; strings.Join(got, "|") != want || r.Header[alias] != nil {
				t.Errorf("%q, want %q", got, want)
			}
			p, _ := st.Principal()
			if text, ok := Claim(p, name); ok != (want != "") || ok && encodeText(text) != want && name != "groups" && name != "list_of_numbers" {
				t.Errorf("the placeholder is %q, %v", text, ok)
			}
		})
	}
	p := grace()
	p.Claims = authority.List("teams\x00[\"a,b\",\"\",\"c\"]\x00half")
	if got := foreignHeader(&p, "teams"); got != "a%2Cb,c" {
		t.Errorf("a list is %q", got)
	}
	if got, ok := Claim(&p, "half"); ok || got != "" {
		t.Errorf("half a pair is %q", got)
	}
	id := config.Identity{Headers: []config.IdentityHeader{{Name: "X-Claim", Claim: "tenant"}}}
	wantFault(t, Valid(config.Guard{Identity: id, Accept: []string{"main"}}, "corp"), `there is no claim "tenant"`)
	id.Headers[0].Claim = "a\x00b"
	wantFault(t, Valid(config.Guard{Identity: id, Accept: []string{"corp"}}, "corp"), "control character")
}

// One guard judges many requests at once, and no evaluation sees another's.
func TestPolicyConcurrently(t *testing.T) {
	g := mustGuard(t, config.Guard{Policy: `principal.username == request.query.user[0] && "dev" in principal.roles && principal.claims.n == int(request.query.n[0])`},
		corp(nameVerifier{}))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			name := string(rune('a' + i))
			for range 200 {
				for asked, want := range map[string]bool{name: true, "z": false} {
					r := get("Authorization", "Bearer "+name)
					r.URL.RawQuery = "n=" + string(rune('0'+i)) + "&user=" + asked
					if _, refusal := meet(r, g); (refusal == nil) != want {
						t.Errorf("%s asks as %s: %v", name, asked, refusal)
					}
				}
			}
		})
	}
	wg.Wait()
}

// nameVerifier takes the credential for the caller's name.
type nameVerifier struct{}

func (nameVerifier) Verify(_ context.Context, credential string) (authority.Principal, error) {
	p := grace()
	p.Username, p.Claims = credential, authority.List("n\x00"+string(credential[0]-'a'+'0')+"\x00")
	return p, nil
}

func TestPolicyTimeIsOne(t *testing.T) {
	ticks := noon
	g, err := New(config.Guard{Policy: `request.time == request.time`}, corp(knows(grace())), func() time.Time {
		ticks = ticks.Add(time.Nanosecond)
		return ticks
	})
	if err != nil {
		t.Fatal(err)
	}
	_, refusal := meet(bearer(), g)
	wantStatus(t, refusal, 200)
}
