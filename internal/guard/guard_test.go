package guard

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/config"
)

func TestJudgement(t *testing.T) {
	const api = "https://api.example.com"
	with := func(change func(*authority.Principal)) authority.Principal {
		p := ada()
		change(&p)
		return p
	}
	tests := []struct {
		name      string
		cfg       config.Guard
		principal authority.Principal
		status    int
		challenge string // a part of it
	}{
		{"a token for the issuer itself", config.Guard{}, ada(), 200, ""},
		{"a personal token", config.Guard{}, with(func(p *authority.Principal) { p.Kind = authority.KindPersonal }), 200, ""},
		{"a refresh token", config.Guard{}, with(func(p *authority.Principal) { p.Kind = authority.KindRefresh }), 401, `error="invalid_token"`},
		{"a token of no kind", config.Guard{}, with(func(p *authority.Principal) { p.Kind = "" }), 401, `error="invalid_token"`},
		{"expired", config.Guard{}, with(func(p *authority.Principal) { p.Expires = noon.Unix() - 6 }), 401, `error="invalid_token"`},
		{"inside the leeway", config.Guard{}, with(func(p *authority.Principal) { p.Expires = noon.Unix() - 5 }), 200, ""},
		{"without expiry", config.Guard{}, with(func(p *authority.Principal) { p.Expires = 0 }), 401, `error="invalid_token"`},
		{"another issuer's", config.Guard{}, with(func(p *authority.Principal) { p.Issuer = "https://evil.example" }), 401, `error="invalid_token"`},
		{"another audience", config.Guard{}, with(func(p *authority.Principal) { p.Audience = authority.ListOf(api) }), 401, `error="invalid_token"`},
		{"no audience", config.Guard{}, with(func(p *authority.Principal) { p.Audience = "" }), 401, `error="invalid_token"`},
		{"the issuer where a resource is asked", config.Guard{Audience: []string{api}}, ada(), 401, `error="invalid_token"`},
		{"one of the audiences", config.Guard{Audience: []string{"x", api}},
			with(func(p *authority.Principal) { p.Audience = authority.ListOf("y", api) }), 200, ""},
		{"an audience that only begins alike", config.Guard{Audience: []string{api}},
			with(func(p *authority.Principal) { p.Audience = authority.ListOf(api + "/") }), 401, `error="invalid_token"`},
		{"all scopes", config.Guard{Scopes: []string{"write", "read"}}, ada(), 200, ""},
		{"one scope short", config.Guard{Scopes: []string{"read", "delete"}}, ada(), 403,
			`error="insufficient_scope", error_description="the token lacks a scope that this resource demands", scope="read delete"`},
		{"any role", config.Guard{Roles: []string{"ops", "dev"}}, ada(), 200, ""},
		{"no role", config.Guard{Roles: []string{"ops", "root"}}, ada(), 403, `error="insufficient_scope"`},
		{"no roles at all", config.Guard{Roles: []string{"ops"}}, with(func(p *authority.Principal) { p.Roles = "" }), 403, `error="insufficient_scope"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := bearer()
			st, refusal := meet(r, mustGuard(t, tt.cfg, mainRealm(knows(tt.principal))))
			wantStatus(t, refusal, tt.status)
			_, known := st.Principal()
			if known != (tt.status == 200) {
				t.Errorf("principal known: %v", known)
			}
			if refusal == nil {
				return
			}
			challenge := refusal.Header.Get("WWW-Authenticate")
			if !strings.HasPrefix(challenge, `Bearer realm="main", error=`) || !strings.Contains(challenge, tt.challenge) {
				t.Errorf("challenge %s, want %s in it", challenge, tt.challenge)
			}
			if strings.Contains(challenge, "ops") {
				t.Errorf("the challenge names a role: %s", challenge)
			}
			if user := r.Header.Get("Remote-User"); user != "" {
				t.Errorf("a refused request carries identity: %s", user)
			}
		})
	}
}

func TestNoCredential(t *testing.T) {
	v := knows(ada())
	st, refusal := meet(get(), mustGuard(t, config.Guard{}, mainRealm(v)))
	wantStatus(t, refusal, 401)
	if got := refusal.Header.Get("WWW-Authenticate"); got != `Bearer realm="main"` {
		t.Errorf("challenge %s: RFC 6750 §3.1 wants no error code", got)
	}
	if _, ok := st.Principal(); ok || v.asked.Load() != 0 {
		t.Error("somebody was asked about nothing")
	}
	r := get("Remote-User", "root")
	st, refusal = meet(r, mustGuard(t, config.Guard{Optional: true}, mainRealm(v)))
	wantStatus(t, refusal, 200)
	if _, ok := st.Principal(); ok || r.Header.Get("Remote-User") != "" {
		t.Error("an anonymous request has an identity")
	}
	_, refusal = meet(get("Authorization", "Bearer nobody"), mustGuard(t, config.Guard{Optional: true}, mainRealm(v)))
	wantStatus(t, refusal, 401)
}

func TestSeveralIssuers(t *testing.T) {
	other := ada()
	other.Issuer, other.Source, other.Audience = "https://other.example", "other", authority.ListOf("https://other.example")
	down := &issuerOf{err: &authority.Error{Kind: authority.Unavailable, RetryAfter: 1500 * time.Millisecond}}
	broken := &issuerOf{err: errors.New("a fault of ours")}
	nobody := new(issuerOf)
	tests := []struct {
		name       string
		first      *issuerOf
		second     *issuerOf
		status     int
		source     string
		retryAfter string
		asked      int32 // of the second
	}{
		{"the first vouches", knows(ada()), knows(other), 200, "main", "", 0},
		{"the second vouches", nobody, knows(other), 200, "other", "", 1},
		{"the first is down, the second vouches", down, knows(other), 200, "other", "", 1},
		{"the first is down, the second does not know", down, nobody, 503, "", "2", 1},
		{"the first does not know, the second is down", nobody, down, 503, "", "2", 1},
		{"a fault of ours is no verdict", broken, nobody, 503, "", "5", 1},
		{"nobody knows", nobody, nobody, 401, "", "", 1},
		{"the first vouches for what is not its own", knows(other), nobody, 401, "", "", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := tt.second.asked.Load()
			st, refusal := meet(bearer(), mustGuard(t, config.Guard{}, []Accepted{
				{Name: "main", Issuer: issuer, Verifier: tt.first},
				{Name: "other", Issuer: other.Issuer, Verifier: tt.second},
			}))
			wantStatus(t, refusal, tt.status)
			if tt.first != tt.second && tt.second.asked.Load()-before != tt.asked {
				t.Errorf("the second was asked %d times", tt.second.asked.Load()-before)
			}
			if refusal == nil {
				if p, _ := st.Principal(); p.Source != tt.source {
					t.Errorf("source %s", p.Source)
				}
				return
			}
			if got := refusal.Header.Get("Retry-After"); got != tt.retryAfter {
				t.Errorf("Retry-After %q, want %q", got, tt.retryAfter)
			}
			if challenged := refusal.Header.Get("WWW-Authenticate") != ""; challenged != (tt.status == 401) {
				t.Errorf("challenged: %v", challenged)
			}
		})
	}
}

func TestClientGone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	v := &issuerOf{err: context.Canceled}
	_, refusal := meet(bearer().WithContext(ctx), mustGuard(t, config.Guard{}, mainRealm(v)))
	wantStatus(t, refusal, 503)
	if !refusal.Canceled() || !errors.Is(refusal.Err, context.Canceled) {
		t.Errorf("refused for %s: %v", refusal.Reason, refusal.Err)
	}
}

func TestTwoGuards(t *testing.T) {
	v := knows(ada())
	strict := mustGuard(t, config.Guard{Scopes: []string{"read"}}, mainRealm(v))
	forwarded := mustGuard(t, config.Guard{Identity: config.Identity{Preset: PresetXForwarded}}, mainRealm(v))
	r := bearer()
	_, refusal := meet(r, strict, forwarded)
	wantStatus(t, refusal, 200)
	if v.asked.Load() != 1 {
		t.Errorf("asked %d times for one credential", v.asked.Load())
	}
	if r.Header.Get("X-Forwarded-User") != "1f0c2c3e-ada" || r.Header.Get("Remote-User") != "" || r.Header.Get("Remote-Groups") != "" {
		t.Errorf("not the last guard's headers alone: %v", r.Header)
	}

	deny := mustGuard(t, config.Guard{Scopes: []string{"delete"}}, mainRealm(v))
	for _, order := range [][]*Guard{{strict, deny}, {deny, strict}} {
		r := bearer()
		st, refusal := meet(r, order...)
		wantStatus(t, refusal, 403)
		if _, ok := st.Principal(); ok || r.Header.Get("Remote-User") != "" {
			t.Error("one guard refused, and the other's identity stands")
		}
	}
	elsewhere := mustGuard(t, config.Guard{}, []Accepted{{Name: "other", Verifier: new(issuerOf)}})
	_, refusal = meet(bearer(), strict, elsewhere)
	wantStatus(t, refusal, 401)
	_, refusal = meet(get(), mustGuard(t, config.Guard{Optional: true}, mainRealm(v)), strict)
	wantStatus(t, refusal, 401)
	r = bearer()
	_, refusal = meet(r, strict, mustGuard(t, config.Guard{Identity: config.Identity{Preset: PresetNone}}, mainRealm(v)))
	wantStatus(t, refusal, 200)
	if len(r.Header) != 0 {
		t.Errorf("headers left: %v", r.Header)
	}
}

func TestCredentialField(t *testing.T) {
	v := mainRealm(knows(ada()))
	strip := mustGuard(t, config.Guard{}, v)
	keep := mustGuard(t, config.Guard{Credential: "keep"}, v)
	optional := mustGuard(t, config.Guard{Optional: true}, v)
	tests := []struct {
		name   string
		field  string
		guards []*Guard
		want   string
	}{
		{"strip", "Bearer " + token, []*Guard{strip}, ""},
		{"strip, refused", "Bearer wrong", []*Guard{strip}, ""},
		{"keep", "Bearer " + token, []*Guard{keep}, "Bearer " + token},
		{"strip then keep", "Bearer " + token, []*Guard{strip, keep}, ""},
		{"keep then strip", "Bearer " + token, []*Guard{keep, strip}, ""},
		{"another scheme is not ours", "Basic YTpi", []*Guard{optional}, "Basic YTpi"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := get("Authorization", tt.field)
			meet(r, tt.guards...)
			if got := r.Header.Get("Authorization"); got != tt.want {
				t.Errorf("upstream sees %q, want %q", got, tt.want)
			}
		})
	}
	t.Run("what the operator put there meanwhile stays", func(t *testing.T) {
		r, st := bearer(), new(Request)
		NewNames().Strip(r, st)
		wantStatus(t, strip.Check(r, st), 200)
		r.Header.Set("Authorization", "Basic c2VydmljZQ==")
		wantStatus(t, strip.Check(r, st), 200)
		if r.Header.Get("Authorization") != "Basic c2VydmljZQ==" {
			t.Error("the second guard removed the upstream's own credential")
		}
	})
}

func TestMethods(t *testing.T) {
	g := mustGuard(t, config.Guard{Optional: true}, mainRealm(knows(ada())))
	for _, method := range []string{http.MethodTrace, http.MethodConnect, "trace", "Connect", "get", "Post", "patch"} {
		_, refusal := meet(request(method, "Authorization", "Bearer "+token), g)
		wantStatus(t, refusal, 405)
		if refusal.Header.Get("Allow") == "" {
			t.Error("405 without Allow")
		}
	}
	h2 := request(http.MethodConnect, ":protocol", "websocket", "Authorization", "Bearer "+token)
	h2.ProtoMajor = 2
	h3 := request(http.MethodConnect, "Authorization", "Bearer "+token)
	h3.ProtoMajor, h3.Proto = 3, "websocket"
	h1 := request(http.MethodConnect, ":protocol", "websocket", "Authorization", "Bearer "+token)
	for r, want := range map[*http.Request]int{h2: 200, h3: 200, h1: 405} {
		_, refusal := meet(r, g)
		wantStatus(t, refusal, want)
	}
}

func TestPreflight(t *testing.T) {
	real := []string{"Origin", "https://spa.example", "Access-Control-Request-Method", "PUT", "Access-Control-Request-Headers", "authorization"}
	plus := func(more ...string) []string { return append(more, real...) }
	g := mustGuard(t, config.Guard{}, mainRealm(knows(ada())))
	tests := []struct {
		name   string
		method string
		header []string
		status int
	}{
		{"what a browser sends", "OPTIONS", real, 200},
		{"with a forged identity", "OPTIONS", plus("Remote-User", "root"), 200},
		{"without Origin", "OPTIONS", real[2:], 401},
		{"without the method", "OPTIONS", append(real[:2:2], real[4:]...), 401},
		{"with a cookie", "OPTIONS", plus("Cookie", "a=b"), 401},
		{"with a cookie of ours", "OPTIONS", plus("Cookie", "gatehouse-login-x=s"), 401},
		{"with a bad credential", "OPTIONS", plus("Authorization", "Bearer wrong"), 401},
		{"with another scheme's credential", "OPTIONS", plus("Authorization", "Basic YTpi"), 401},
		{"two origins", "OPTIONS", plus("Origin", "https://evil.example"), 401},
		{"in disguise", "OPTIONS", plus("X-Http-Method-Override", "DELETE"), 401},
		{"in an underscored disguise", "OPTIONS", plus("X_http_method_override", "DELETE"), 401},
		{"not OPTIONS", "GET", real, 401},
		{"options", "options", real, 405},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := request(tt.method, tt.header...)
			st, refusal := meet(r, g)
			wantStatus(t, refusal, tt.status)
			if _, ok := st.Principal(); ok || r.Header.Get("Remote-User") != "" {
				t.Error("a preflight has an identity")
			}
		})
	}
	withBody := request("OPTIONS", real...)
	withBody.ContentLength = -1
	_, refusal := meet(withBody, g)
	wantStatus(t, refusal, 401)

	// Over HTTP/3 no length is said where there is no body. If there is one, it stays here.
	h3 := request("OPTIONS", real...)
	h3.ProtoMajor, h3.ContentLength, h3.Body = 3, -1, io.NopCloser(strings.NewReader("x"))
	_, refusal = meet(h3, g)
	wantStatus(t, refusal, 200)
	if body, _ := io.ReadAll(h3.Body); len(body) != 0 || h3.ContentLength != 0 {
		t.Errorf("a preflight brings %q", body)
	}
	h3 = request("OPTIONS", real...)
	h3.ProtoMajor, h3.ContentLength = 3, 1
	_, refusal = meet(h3, g)
	wantStatus(t, refusal, 401)
}

// Whatever is refused keeps no credential for what answers it, unless the rule says keep.
func TestRefusedRequestsLoseTheCredential(t *testing.T) {
	for name, change := range map[string]func(*http.Request){
		"a method":  func(r *http.Request) { r.Method = "TRACE" },
		"a target":  func(r *http.Request) { r.URL.Path, r.RequestURI = "/a//b", "/a//b" },
		"a host":    func(r *http.Request) { r.Host = "a@b" },
		"a token":   func(r *http.Request) { r.Header["Authorization"] = []string{"Bearer wrong"} },
		"two":       func(r *http.Request) { r.Header.Add("Authorization", "Basic YTpi") },
		"no bearer": func(r *http.Request) { r.Header["Authorization"] = []string{"Basic YTpi, Bearer " + token} },
	} {
		for _, keep := range []string{"", "keep"} {
			r := bearer()
			change(r)
			if _, refusal := meet(r, mustGuard(t, config.Guard{Credential: keep}, mainRealm(knows(ada())))); refusal == nil {
				t.Fatalf("%s passes", name)
			}
			if kept := r.Header["Authorization"] != nil; kept != (keep == "keep") {
				t.Errorf("%s, credential %q: it is there: %v", name, keep, kept)
			}
		}
	}
	r, st := bearer(), new(Request)
	NewNames().Strip(r, st)
	st.DropCredential(r.Header)
	if r.Header["Authorization"] != nil {
		t.Error("it is there before any guard")
	}
	r, st = get("Authorization", "Basic YTpi"), new(Request)
	NewNames().Strip(r, st)
	if st.DropCredential(r.Header); r.Header["Authorization"] == nil {
		t.Error("what is none of ours is gone")
	}
}

func TestNewRefuses(t *testing.T) {
	v := new(issuerOf)
	header := func(name, claim string) config.Guard {
		return config.Guard{Identity: config.Identity{Headers: []config.IdentityHeader{{Name: name, Claim: claim}}}}
	}
	tests := []struct {
		name     string
		cfg      config.Guard
		accepted []Accepted
		want     string
	}{
		{"nobody accepted", config.Guard{}, nil, "nobody"},
		{"no verifier", config.Guard{}, []Accepted{{Name: "a"}}, "verifier"},
		{"twice", config.Guard{}, []Accepted{{Name: "a", Verifier: v}, {Name: "a", Verifier: v}}, "twice"},
		{"login always", config.Guard{Login: "always"}, mainRealm(v), "login"},
		{"credential", config.Guard{Credential: "hide"}, mainRealm(v), "credential"},
		{"empty scope", config.Guard{Scopes: []string{""}}, mainRealm(v), "empty"},
		{"preset", config.Guard{Identity: config.Identity{Preset: "remot"}}, mainRealm(v), "remote, x_forwarded"},
		{"unknown claim", header("X-User", "nickname"), mainRealm(v), "nickname"},
		{"not a name", header("X User", "sub"), mainRealm(v), "RFC 9110"},
		{"Host", header("host", "sub"), mainRealm(v), "meaning of its own"},
		{"an alias of Host's kin", header("X_Forwarded.For", "sub"), mainRealm(v), "meaning of its own"},
		{"Sec-*", header("Sec-WebSocket-Key", "sub"), mainRealm(v), "sec-"},
		{"Content-Length", header("Content-Length", "sub"), mainRealm(v), "content-"},
		{"two names, one header", config.Guard{Identity: config.Identity{Headers: []config.IdentityHeader{
			{Name: "X-User", Claim: "sub"}, {Name: "x_user", Claim: "name"}}}}, mainRealm(v), "apart"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := New(tt.cfg, tt.accepted, nil)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q in it", err, tt.want)
			}
		})
	}
}

func TestChallengeIsQuoted(t *testing.T) {
	v := &issuerOf{err: &authority.Error{Kind: authority.TokenInvalid, Public: "a \"b\" \\ c\r\nd\u00e9 " + strings.Repeat("x", 300)}}
	g := mustGuard(t, config.Guard{}, []Accepted{{Name: "a\"b\\c\r\nd", Verifier: v}})
	_, refusal := meet(bearer(), g)
	wantStatus(t, refusal, 401)
	want := `Bearer realm="a\"b\\c??d", error="invalid_token", error_description="a 'b' ' c??d?? ` + strings.Repeat("x", 185) + `"`
	if got := refusal.Header.Get("WWW-Authenticate"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestUnstrippedIsRefused(t *testing.T) {
	r := bearer()
	refusal := mustGuard(t, config.Guard{}, mainRealm(knows(ada()))).Check(r, new(Request))
	wantStatus(t, refusal, 503)
	if refusal.Reason != ReasonMisuse {
		t.Errorf("reason %s", refusal.Reason)
	}
}
