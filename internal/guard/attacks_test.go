package guard

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/config"
)

// aliases are spellings that some upstream reads as Remote-User, as their names
// stand in a request's header map.
var aliases = []string{"Remote-User", "remote-user", "Remote_User", "REMOTE_USER", "Remote.User", "remote~user", "Remote'User"}

// A caller with a lowly but valid token adds the identity header of somebody
// greater. The upstream sees only what the token says, once.
func TestForgedIdentityBesideAValidToken(t *testing.T) {
	for _, alias := range aliases {
		for _, values := range [][]string{{"root"}, {"root", "root"}, {"root, admin"}, {""}} {
			r := bearer()
			r.Header[alias] = values
			_, refusal := meet(r, mustGuard(t, config.Guard{}, mainRealm(knows(ada()))))
			wantStatus(t, refusal, 200)
			if ids := identityIn(r.Header); len(ids) != 4 || ids[3] != `Remote-User: ["ada"]` {
				t.Errorf("%s %q: upstream sees %v", alias, values, ids)
			}
		}
	}
}

// The same where the token says nothing that the header could be set to. A header
// that is set only when there is a value leaves the forged one in place.
func TestForgedIdentityWhereTheClaimIsEmpty(t *testing.T) {
	robot := ada()
	robot.Username, robot.Name, robot.Email, robot.Roles = "", "", "", ""
	r := bearer("Remote-Name", "Root", "Remote-Email", "root@example.com", "Remote-Groups", "admin", "Remote_groups", "admin")
	_, refusal := meet(r, mustGuard(t, config.Guard{}, mainRealm(knows(robot))))
	wantStatus(t, refusal, 200)
	if ids := identityIn(r.Header); len(ids) != 1 || ids[0] != `Remote-User: ["1f0c2c3e-ada"]` {
		t.Errorf("upstream sees %v", ids)
	}
}

// Another preset's names, and other guards' maps, are as good as one's own to an
// upstream that listens to them: all are stripped, whoever may pass.
func TestForgedIdentityOfAnotherPreset(t *testing.T) {
	for name, cfg := range map[string]config.Guard{
		"anonymous": {Optional: true}, "none": {Identity: config.Identity{Preset: PresetNone}, Optional: true}, "keep": {Credential: "keep", Optional: true},
	} {
		r := get("X-Forwarded-User", "root", "X_auth_request.email", "root@example.com", "X-Team", "ops", "X-Auth-Request-Preferred-Username", "root", "Remote-Email", "r@e")
		st := new(Request)
		NewNames("X-Team").Strip(r, st)
		wantStatus(t, mustGuard(t, cfg, mainRealm(knows(ada()))).Check(r, st), 200)
		if len(r.Header) != 0 {
			t.Errorf("%s: upstream sees %v", name, r.Header)
		}
	}
}

// The stripping set was made without this guard's map, by mistake or by hand-made
// JSON. An anonymous caller still cannot speak in the guard's name.
func TestForgedIdentityOutsideTheSet(t *testing.T) {
	cfg := config.Guard{Optional: true, Identity: config.Identity{Headers: []config.IdentityHeader{{Name: "X-Caller", Claim: "sub"}}}}
	r, st := get("X-Caller", "root"), new(Request)
	NewNames().Strip(r, st)
	wantStatus(t, mustGuard(t, cfg, mainRealm(knows(ada()))).Check(r, st), 200)
	if r.Header.Get("X-Caller") != "" {
		t.Error("upstream sees root")
	}
}

// Somebody names a group `a,admin` and joins it. In a comma list it must not read
// as two.
func TestGroupWithAComma(t *testing.T) {
	p := ada()
	p.Roles = authority.ListOf("a,admin", "dev", "x%2Cadmin", " admin")
	r := bearer()
	_, refusal := meet(r, mustGuard(t, config.Guard{}, mainRealm(knows(p))))
	wantStatus(t, refusal, 200)
	if got := r.Header.Get("Remote-Groups"); got != "a%2Cadmin,dev,x%252Cadmin,%20admin" {
		t.Errorf("Remote-Groups: %s", got)
	}
	_, refusal = meet(bearer(), mustGuard(t, config.Guard{Roles: []string{"admin"}}, mainRealm(knows(p))))
	wantStatus(t, refusal, 403)
}

// A user in five hundred groups must still be served: upstreams answer 431 to
// headers over their limit.
func TestFiveHundredGroups(t *testing.T) {
	p := ada()
	roles := make([]string, 500)
	for i := range roles {
		roles[i] = "group-" + strings.Repeat("x", i%30)
	}
	p.Roles = authority.ListOf(roles...)
	r := bearer()
	_, refusal := meet(r, mustGuard(t, config.Guard{Roles: []string{roles[499]}}, mainRealm(knows(p))))
	wantStatus(t, refusal, 200)
	got := r.Header.Get("Remote-Groups")
	if len(got) > MaxHeaderValue || len(got) < MaxHeaderValue-64 {
		t.Errorf("%d bytes", len(got))
	}
	if all := strings.Join(roles, ","); !strings.HasPrefix(all, got+",") {
		t.Error("the list does not end with a whole group")
	}
}

// A display name that looks like a placeholder, or like HTML, stays what it is.
func TestClaimThatLooksLikeAPlaceholder(t *testing.T) {
	p := ada()
	p.Name = "{env.GATEHOUSE_KEY} {http.request.header.Authorization}"
	r := bearer()
	_, refusal := meet(r, mustGuard(t, config.Guard{}, mainRealm(knows(p))))
	wantStatus(t, refusal, 200)
	if r.Header.Get("Remote-Name") != p.Name {
		t.Errorf("Remote-Name: %s", r.Header.Get("Remote-Name"))
	}
}

// A token proven on a route that asks for little is used on one that asks for
// more. The verifier's answer is the same (it may well be cached); the demand is
// judged each time.
func TestTokenOfAnotherRoute(t *testing.T) {
	v := knows(ada())
	low := mustGuard(t, config.Guard{Scopes: []string{"read"}}, mainRealm(v))
	high := mustGuard(t, config.Guard{Scopes: []string{"delete"}}, mainRealm(v))
	other := mustGuard(t, config.Guard{Audience: []string{"https://other.example"}}, mainRealm(v))
	for range 3 {
		_, refusal := meet(bearer(), low)
		wantStatus(t, refusal, 200)
		_, refusal = meet(bearer(), high)
		wantStatus(t, refusal, 403)
		_, refusal = meet(bearer(), other)
		wantStatus(t, refusal, 401)
	}
}

// Junk is refused however the route treats those who send nothing.
func TestJunkBearer(t *testing.T) {
	for _, cfg := range []config.Guard{{}, {Optional: true}, {Login: "never"}, {Credential: "keep", Optional: true}} {
		for _, junk := range []string{"x", "null", "undefined", "a.b.c", "eyJhbGciOiJub25lIn0.e30."} {
			_, refusal := meet(get("Authorization", "Bearer "+junk), mustGuard(t, cfg, mainRealm(knows(ada()))))
			wantStatus(t, refusal, 401)
		}
	}
}

// Identity on refused requests matters too: an error route may ask an upstream
// for its page.
func TestRefusedRequestHasNoIdentity(t *testing.T) {
	for _, r := range []*http.Request{get("Remote-User", "root"), bearer("Remote-User", "root"), request("TRACE", "Remote-User", "root"),
		get("Remote-User", "root", "Authorization", "Bearer a,b")} {
		_, refusal := meet(r, mustGuard(t, config.Guard{Scopes: []string{"delete"}}, mainRealm(knows(ada()))))
		if refusal == nil || identityIn(r.Header) != nil {
			t.Errorf("%v, upstream sees %v", refusal, identityIn(r.Header))
		}
		if refusal != nil && strings.Contains(refusal.Err.Error(), token) {
			t.Error("the error holds the token")
		}
	}
}

// A health probe's name, a forwarded address or an original URL is no credential.
func TestNoBypassByHeader(t *testing.T) {
	for name, value := range map[string]string{
		"User-Agent": "kube-probe/1.31", "X-Forwarded-For": "127.0.0.1", "X-Original-Url": "/public", "X-Rewrite-Url": "/public",
		"X-Forwarded-Uri": "/public", "X-Http-Method-Override": "OPTIONS", "Upgrade": "websocket", "X-Envoy-Original-Path": "/public",
	} {
		_, refusal := meet(get(name, value), mustGuard(t, config.Guard{}, mainRealm(knows(ada()))))
		wantStatus(t, refusal, 401)
	}
}

// A header that came up between the stripping and the guard is not taken for the
// guard's word when the token has nothing to say there.
func TestHeaderSetBetweenStripAndCheck(t *testing.T) {
	robot := ada()
	robot.Email = ""
	r, st := bearer(), new(Request)
	NewNames().Strip(r, st)
	r.Header.Set("Remote-Email", "root@example.com")
	wantStatus(t, mustGuard(t, config.Guard{}, mainRealm(knows(robot))).Check(r, st), 200)
	if r.Header.Get("Remote-Email") != "" {
		t.Error("upstream sees root@example.com")
	}
}

// A handler between two guards keeps the first one's header under a name of its
// own. The second guard's values must not show up in it.
func TestSecondGuardLeavesTheFirstsValuesAlone(t *testing.T) {
	v := mainRealm(knows(ada()))
	r, st := bearer(), new(Request)
	NewNames().Strip(r, st)
	wantStatus(t, mustGuard(t, config.Guard{}, v).Check(r, st), 200)
	r.Header["X-Audit"] = r.Header["Remote-User"]
	wantStatus(t, mustGuard(t, config.Guard{Identity: config.Identity{Preset: PresetXForwarded}}, v).Check(r, st), 200)
	if got := r.Header.Get("X-Audit"); got != "ada" {
		t.Errorf("X-Audit became %s", got)
	}
}

// Declared trailers are gone before the body is read: a handler may look early.
func TestDeclaredTrailerGoesAtOnce(t *testing.T) {
	r := get()
	r.Trailer = http.Header{"Remote-User": nil, "remote_user": nil, "X-Checksum": nil}
	NewNames().Strip(r, new(Request))
	if _, ok := r.Trailer["X-Checksum"]; !ok || len(r.Trailer) != 1 {
		t.Errorf("declared: %v", r.Trailer)
	}
}

// Whom one guard knows to be an issuer's is nobody else's business: a second guard that
// accepts another issuer does not show him the token. One with the same issuer is another
// trust in it, with demands of its own.
func TestAttackTokenOfOneIssuerShownToAnother(t *testing.T) {
	p := ada()
	p.Issuer = upstreamIssuer
	corp := func(name string, v authority.Verifier) Accepted {
		return Accepted{Name: name, Issuer: upstreamIssuer, Verifier: v, Judged: true}
	}
	first := mustGuard(t, config.Guard{}, []Accepted{{Name: "main", Issuer: issuer, Verifier: new(issuerOf)}, corp("corp", knows(p))})
	for story, c := range map[string]struct {
		second []Accepted
		status int
	}{
		"another issuer":      {[]Accepted{{Name: "rival", Issuer: "https://rival.example", Verifier: knows(p), Judged: true}}, 401},
		"a realm, and him":    {[]Accepted{{Name: "main", Issuer: issuer, Verifier: new(issuerOf)}, {Name: "rival", Issuer: "https://rival.example", Verifier: new(issuerOf), Judged: true}}, 401},
		"the same, once more": {[]Accepted{corp("corp-too", knows(p))}, 200},
	} {
		r := bearer()
		st, refusal := meet(r, first, mustGuard(t, config.Guard{}, c.second))
		wantStatus(t, refusal, c.status)
		for _, a := range c.second {
			v, _ := a.Verifier.(*issuerOf)
			if asked := v.asked.Load() != 0; asked != (a.Issuer == upstreamIssuer) {
				t.Errorf("%s: %s was asked: %v", story, a.Name, asked)
			}
		}
		if _, known := st.Principal(); known != (c.status == 200) || !known && r.Header.Get("Remote-User") != "" {
			t.Errorf("%s: identity after %d", story, c.status)
		}
	}
}
