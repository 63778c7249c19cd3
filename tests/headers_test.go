package tests

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/provider/providertest"
)

// headerCorpus reads testdata/headers.txt: the fields of each request, as pairs.
func headerCorpus(t testing.TB) (all [][]string) {
	t.Helper()
	text, err := os.ReadFile("testdata/headers.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		if line == "" || strings.HasPrefix(line, "# ") {
			continue
		}
		var fields []string
		for field := range strings.SplitSeq(line, " | ") {
			if trailer, ok := strings.CutPrefix(field, ":trailer "); ok {
				fields = append(fields, ":trailer", trailer)
				continue
			}
			name, value, ok := strings.Cut(field, ":")
			if !ok {
				t.Fatalf("testdata/headers.txt: %q", line)
			}
			fields = append(fields, name, strings.TrimPrefix(value, " "))
		}
		if strings.Contains(line, ":trailer") {
			fields = append(fields, ":body", "x")
		}
		all = append(all, fields)
	}
	if len(all) < 150 {
		t.Fatalf("the corpus has %d requests", len(all))
	}
	return all
}

// identityNames are the headers of all presets and of the map in identitySite.
var identityNames = []string{"Remote-User", "Remote-Name", "Remote-Email", "Remote-Groups", "X-Forwarded-User", "X-Forwarded-Preferred-Username", "X-Forwarded-Email",
	"X-Forwarded-Groups", "X-Auth-Request-User", "X-Auth-Request-Preferred-Username", "X-Auth-Request-Email", "X-Auth-Request-Groups", "X-Team"}

// identity returns the identity that arrived, in any spelling, sorted.
func (a arrival) identity() (found []string) {
	for _, name := range identityNames {
		for _, value := range a.field(name) {
			found = append(found, name+": "+value)
		}
	}
	slices.Sort(found)
	return found
}

var identitySite = []pathLayout{{name: "identity", site: "guard /admin/*\n\tguard /team/* {\n\t\tidentity {\n\t\t\tX-Team client_id\n\t\t}\n\t}\n\treverse_proxy $BACKEND"}}

// Attacks 1 to 10: whatever a client adds to a request to speak in the gateway's name,
// in whatever spelling, number and place, on guarded paths and open ones, by HTTP/1.1,
// HTTP/2 and on the way to a WebSocket: the upstream sees what the token says, once, and
// nothing where there is none.
func TestNoForgedIdentityArrives(t *testing.T) {
	upstreams := pathUpstreams(t)
	corpus := headerCorpus(t)
	s, sites := pathSites(t, identitySite, upstreams, "")
	bearer := []string{"Authorization", "Bearer " + s.token(appCredentials)}
	upgrade := []string{"Upgrade", "websocket", "Connection", "Upgrade", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="}
	for _, way := range []struct {
		name, path string
		extra      []string
		want       []string
		h2, socket bool
	}{
		{name: "open", path: "/public/x"},
		{name: "guarded", path: "/admin/x", extra: bearer, want: []string{"Remote-Groups: reader", "Remote-User: service-account-app"}},
		{name: "a map", path: "/team/x", extra: bearer, want: []string{"X-Team: app"}},
		{name: "open, HTTP/2", path: "/public/x", h2: true},
		{name: "guarded, HTTP/2", path: "/admin/x", extra: bearer, h2: true, want: []string{"Remote-Groups: reader", "Remote-User: service-account-app"}},
		{name: "a map, HTTP/2", path: "/team/x", extra: bearer, h2: true, want: []string{"X-Team: app"}},
		{name: "open, WebSocket", path: "/public/x", extra: upgrade, socket: true},
		{name: "guarded, WebSocket", path: "/admin/x", extra: slices.Concat(bearer, upgrade), socket: true, want: []string{"Remote-Groups: reader", "Remote-User: service-account-app"}},
	} {
		for _, u := range upstreams {
			if way.socket && u.name != "go" && u.name != "node" {
				continue // these two take WebSockets without a library
			}
			t.Run(way.name+"/"+u.name, func(t *testing.T) {
				c := &rawClient{addr: sites["identity/"+u.name], h2: way.h2}
				defer c.close()
				passed := 0
				for i, fields := range corpus {
					if way.socket && slices.Contains(fields, ":body") {
						continue
					}
					id := fmt.Sprintf("%s/%d", way.name, i)
					status, header := c.send("GET", way.path, "app.example", slices.Concat([]string{"X-Case", id}, way.extra, fields)...)
					if status != 200 && status != 101 {
						if a, ok := u.arrived(id); ok {
							t.Errorf("%q: %d, and it reached the upstream: %+v", fields, status, a)
						}
						continue // refused is as good, if it is not the rule
					}
					passed++
					a, ok := u.wait(id)
					if got := a.identity(); !ok || !slices.Equal(got, way.want) {
						t.Errorf("%q: the upstream sees %q, want %q", fields, got, way.want)
					}
					judgeAnswer(t, header)
				}
				if passed < len(corpus)/2 {
					t.Errorf("only %d of %d passed", passed, len(corpus))
				}
			})
		}
	}
}

// judgeAnswer: attack 16, an app that answers in the gateway's name, on a 101 too.
func judgeAnswer(t *testing.T, header map[string][]string) {
	t.Helper()
	for name, values := range header {
		if strings.EqualFold(name, "Remote-User") || strings.EqualFold(name, "Set-Cookie") && !slices.Equal(values, []string{"app=1"}) {
			t.Errorf("the client gets %s: %q from the app", name, values)
		}
	}
}

// Attack 16, at the end of an answer: an app that says who the caller is in its trailers,
// announced or not, on a guarded path and an open one, is not heard either. Its other
// trailers arrive.
func TestNoIdentityInTrailers(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("announced") {
			w.Header()["Trailer"] = []string{"Remote-User, X-Digest, Set-Cookie"}
		}
		_, _ = io.WriteString(w, strings.Repeat("x", 4096))
		_ = http.NewResponseController(w).Flush()
		for name, value := range map[string]string{"Remote-User": "admin", "remote_groups": "admin", "Set-Cookie": "gatehouse-login-x=s", "X-Digest": "1"} {
			w.Header()[http.TrailerPrefix+name] = []string{value}
			if r.URL.Query().Has("announced") {
				w.Header()[name] = []string{value}
			}
		}
	}))
	t.Cleanup(backend.Close)
	u := &pathUpstream{name: "trailers", addr: strings.TrimPrefix(backend.URL, "http://")}
	s, sites := pathSites(t, identitySite, []*pathUpstream{u}, "")
	token := s.token(appCredentials)
	for _, path := range []string{"/admin/x", "/admin/x?announced", "/public/x", "/public/x?announced"} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+sites["identity/trailers"]+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		a, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(a.Body)
		_ = a.Body.Close()
		if a.StatusCode != 200 || err != nil || len(body) != 4096 || a.Trailer.Get("X-Digest") != "1" {
			t.Errorf("%s: %d, %d bytes, %v, the trailers %v", path, a.StatusCode, len(body), err, a.Trailer)
		}
		for name, values := range a.Trailer {
			if len(values) > 0 && name != "X-Digest" {
				t.Errorf("%s: the client gets the trailer %s: %q", path, name, values)
			}
		}
	}
}

// Attack 16, the other side: what the operator says of the caller in an answer stays,
// and so do the cookies of the gateway's own endpoints on the same site.
func TestTheOperatorMayAnswerIdentity(t *testing.T) {
	upstreams := pathUpstreams(t)[:1]
	s, sites := pathSites(t, []pathLayout{
		{name: "deferred", site: "header >Remote-User {http.auth.user.id}\n\tguard /admin/*\n\treverse_proxy $BACKEND"},
		{name: "before", site: "header Remote-User operator\n\tguard /admin/*\n\trespond ok"},
	}, upstreams, "")
	token := s.token(appCredentials)
	for name, path := range map[string]string{"deferred": "/admin/x", "before": "/admin/x"} {
		a := send(t, "GET", "http://"+sites[name+"/go"]+path, "", "Authorization", "Bearer "+token)
		if got := a.header.Get("Remote-User"); a.status != 200 || got == "" || strings.Contains(got, "upstream") {
			t.Errorf("%s: %d, Remote-User %q", name, a.status, got)
		}
	}
}

// Attack 13: the gateway's own cookies are no app's business, an app's own stay as they
// came.
func TestOwnCookiesDoNotReachApps(t *testing.T) {
	upstreams := pathUpstreams(t)[:1]
	u := upstreams[0]
	_, sites := pathSites(t, pathLayouts[:1], upstreams, "")
	c := &rawClient{addr: sites["matchers/go"]}
	defer c.close()
	for cookie, want := range map[string]string{
		"app=1; gatehouse-login-x=s; b=2":       "app=1; b=2",
		"__Host-gatehouse-login-x=s":            "",
		"a=1;; b=\"x y\";":                      "a=1;; b=\"x y\";",
		"A=1; __host-Gatehouse-login-x=s;; b=2": "A=1;; b=2",
	} {
		id := "cookies/" + cookie
		status, _ := c.send("GET", "/public/x", "app.example", "X-Case", id, "Cookie", cookie)
		a, ok := u.wait(id)
		if got := strings.Join(a.field("Cookie"), " and "); !ok || status != 200 || got != want {
			t.Errorf("%q: %d, the upstream sees %q, want %q", cookie, status, got, want)
		}
	}
}

// Attacks 11 and 12 on the real binary: somebody gives himself a name, at the provider
// where he logs in, that would split the request, that has placeholders of Caddy's, and
// letters beyond ASCII. It arrives as text, and stays text where an operator uses it.
func TestHostileNameArrivesAsText(t *testing.T) {
	u := pathUpstreams(t)[0]
	s := newServer(t)
	github := providertest.NewGitHub()
	const evil = "{env.HOME} {http.request.header.X-Evil}\r\nX-Admin: 1\r\n\r\n\x00 Zo\u00eb 100%"
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to := httptest.NewRecorder()
		github.ServeHTTP(to, r)
		maps.Copy(w.Header(), to.Header())
		w.WriteHeader(to.Code)
		text, _ := json.Marshal(evil)
		_, _ = io.WriteString(w, strings.ReplaceAll(to.Body.String(), strconv.Quote(github.User("ada").Name), string(text)))
	}))
	t.Cleanup(front.Close)
	s.vars["GITHUB"], s.vars["GOOGLE"], s.vars["BACKEND"] = strings.TrimPrefix(front.URL, "http://"), "127.0.0.1:1", u.addr
	before, _, _ := strings.Cut(upstreamLogins, "http://$APP {")
	s.start(before + "http://$APP {\n\tbind 127.0.0.1\n\tguard\n\trequest_header X-Copy prefix-{http.request.header.Remote-Name}\n\theader >X-Shown {http.request.header.Remote-Name}\n\treverse_proxy $BACKEND\n}\n")
	status, secret := s.golemLogin(t, github, "ada")
	if status != 200 {
		t.Fatal(status)
	}
	a := send(t, "GET", "http://"+s.vars["APP"]+"/", "", "Authorization", "Bearer "+secret, "X-Case", "ada", "X-Evil", "pwned")
	at, _ := u.wait("ada")
	got := strings.Join(at.field("Remote-Name"), " and ")
	if a.status != 200 || !strings.HasPrefix(got, "{env.HOME} {http.request.header.X-Evil}") || !strings.HasSuffix(got, "Zo%C3%AB 100%25") || at.field("X-Admin") != nil {
		t.Errorf("%d, the upstream sees the name %q; all of it: %q", a.status, got, at.Fields)
	}
	if copied := strings.Join(at.field("X-Copy"), " and "); copied != "prefix-"+got || a.header.Get("X-Shown") != got {
		t.Errorf("%q became %q for the app and %q for the caller", got, copied, a.header.Get("X-Shown"))
	}
}

// Attacks 12 and 15: roles with commas and percent signs stay apart, and more of them
// than fit end after a whole one.
func TestRolesArriveWhole(t *testing.T) {
	u := pathUpstreams(t)[0]
	roles := make([]string, 100)
	for i := range roles {
		roles[i] = fmt.Sprintf("role-%03d-%s", i, strings.Repeat("x", 40+i%20))
	}
	s := newServer(t)
	before, _, _ := strings.Cut(withLogins, "http://$APP {")
	before = strings.NewReplacer(
		"password_hash "+adaHash, "password_hash "+adaHash+"\n\t\t\t\troles \"a,admin\" dev \"x%2Cadmin\" Zo\u00eb",
		"roles reader", "roles "+strings.Join(roles, " ")).Replace(before)
	s.vars["BACKEND"] = u.addr
	s.start(before + "http://$APP {\n\tbind 127.0.0.1\n\tguard\n\trequest_header X-Copy {http.auth.user.roles}\n\treverse_proxy $BACKEND\n}\n")
	access, _, err := s.login(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a := send(t, "GET", "http://"+s.vars["APP"]+"/", "", "Authorization", "Bearer "+access, "X-Case", "ada")
	at, _ := u.wait("ada")
	want := []string{"a%2Cadmin,dev,x%252Cadmin,Zo%C3%AB"}
	if a.status != 200 || !slices.Equal(at.field("Remote-Groups"), want) || !slices.Equal(at.field("X-Copy"), want) {
		t.Errorf("%d, Remote-Groups %q, {http.auth.user.roles} %q", a.status, at.field("Remote-Groups"), at.field("X-Copy"))
	}
	a = send(t, "GET", "http://"+s.vars["APP"]+"/", "", "Authorization", "Bearer "+s.token(appCredentials), "X-Case", "robot")
	at, _ = u.wait("robot")
	groups := at.field("Remote-Groups")
	if a.status != 200 || len(groups) != 1 || len(groups[0]) > 4096 || len(groups[0]) < 4000 || !strings.HasPrefix(strings.Join(roles, ",")+",", groups[0]+",") {
		t.Errorf("more roles than fit: %d, %d bytes in %d headers", a.status, len(strings.Join(groups, "")), len(groups))
	}
}
