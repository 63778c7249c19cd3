package tests

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// mainJob is a realm, its endpoints, and a guarded site before an upstream that
// shows the identity headers it got.
const mainJob = `
{
	admin $ADMIN
	auto_https off
	persist_config off
	gatehouse {
		store sqlite $DIR/gatehouse.db
		realm demo {
			issuer http://$AUTH
			client app {
				secret app-secret-0123456789
				grants client_credentials
				scopes read write
				audience https://api.example.com/
				roles reader
			}
			client other {
				secret other-secret-0123456789
				grants client_credentials
				scopes read
			}
		}
	}
}
http://$AUTH {
	bind 127.0.0.1
	gatehouse
}
http://$APP {
	bind 127.0.0.1
	guard {
		scopes read
	}
	reverse_proxy $UP
}
http://$UP {
	bind 127.0.0.1
	respond "user={http.request.header.Remote-User} groups={http.request.header.Remote-Groups} auth={http.request.header.Authorization}"
}
`

const appCredentials = "client_id=app&client_secret=app-secret-0123456789"

func TestMainJob(t *testing.T) {
	s := newServer(t).start(mainJob)
	url := "http://" + s.vars["APP"] + "/"

	a := send(t, "GET", url, "")
	if a.status != 401 || a.header.Get("WWW-Authenticate") != `Bearer realm="demo"` {
		t.Errorf("without a token: %d %q; RFC 6750 §3.1 wants a challenge without an error", a.status, a.header.Get("WWW-Authenticate"))
	}
	token := s.token(appCredentials)
	a = s.app(token)
	if a.status != 200 || a.body != "user=service-account-app groups=reader auth=" {
		t.Errorf("with a token: %d %q", a.status, a.body)
	}
	a = s.app(s.token(appCredentials + "&scope=write"))
	if a.status != 403 || !strings.Contains(a.header.Get("WWW-Authenticate"), `error="insufficient_scope"`) || !strings.Contains(a.header.Get("WWW-Authenticate"), `scope="read"`) {
		t.Errorf("without the scope: %d %q", a.status, a.header.Get("WWW-Authenticate"))
	}
	a = s.app(s.token(appCredentials + "&resource=https://api.example.com/"))
	if a.status != 401 || !strings.Contains(a.header.Get("WWW-Authenticate"), `error="invalid_token"`) {
		t.Errorf("with a token for somebody else: %d %q", a.status, a.header.Get("WWW-Authenticate"))
	}
	s.revoke(token, appCredentials)
	a = s.app(token)
	if a.status != 401 || !strings.Contains(a.header.Get("WWW-Authenticate"), `error="invalid_token"`) {
		t.Errorf("after the revocation: %d %q", a.status, a.header.Get("WWW-Authenticate"))
	}
}

// Client libraries that know nothing of Gatehouse work as they are.
func TestStandardClientLibraries(t *testing.T) {
	s := newServer(t).start(mainJob)
	issuer := "http://" + s.vars["AUTH"]
	ctx := t.Context()

	provider, err := oidc.NewProvider(ctx, issuer)
	if err != nil {
		t.Fatal("go-oidc discovery:", err)
	}
	for _, style := range []oauth2.AuthStyle{oauth2.AuthStyleInHeader, oauth2.AuthStyleInParams, oauth2.AuthStyleAutoDetect} {
		cc := clientcredentials.Config{ClientID: "app", ClientSecret: "app-secret-0123456789", TokenURL: provider.Endpoint().TokenURL, Scopes: []string{"read"}, AuthStyle: style}
		tok, err := cc.Token(ctx)
		if err != nil {
			t.Fatal("x/oauth2:", style, err)
		}
		resp, err := cc.Client(ctx).Get("http://" + s.vars["APP"] + "/")
		if err != nil || resp.StatusCode != 200 {
			t.Fatal("x/oauth2 at the guard:", style, resp, err)
		}
		resp.Body.Close()
		verifier := provider.VerifierContext(ctx, &oidc.Config{ClientID: issuer})
		if id, err := verifier.Verify(ctx, tok.AccessToken); err != nil || id.Issuer != issuer {
			t.Error("go-oidc key set:", err)
		}
		if err := strictIntrospection(ctx, issuer+"/oauth2/introspect", tok.AccessToken); err != nil {
			t.Error("strict RFC 7662 client:", err)
		}
	}
}

// strictIntrospection reads an answer as narrowly as RFC 7662 §2.2 allows: known
// members only, `active` a boolean, numbers whole.
func strictIntrospection(ctx context.Context, url, token string) error {
	req, err := http.NewRequestWithContext(ctx, "POST", url, strings.NewReader("token="+token))
	if err != nil {
		return err
	}
	req.SetBasicAuth("app", "app-secret-0123456789")
	req.Header.Set("Content-Type", form)
	req.Header.Set("Accept", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if ct := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || ct != "application/json" {
		return fmt.Errorf("status %d, type %q", resp.StatusCode, ct)
	}
	var answer struct {
		Active    bool     `json:"active"`
		Scope     string   `json:"scope"`
		ClientID  string   `json:"client_id"`
		Username  string   `json:"username"`
		TokenType string   `json:"token_type"`
		Exp       int64    `json:"exp"`
		Iat       int64    `json:"iat"`
		Sub       string   `json:"sub"`
		Aud       string   `json:"aud"`
		Iss       string   `json:"iss"`
		Jti       string   `json:"jti"`
		Roles     []string `json:"roles"` // RFC 9068 §2.2.3.1, registered for introspection
	}
	d := json.NewDecoder(resp.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&answer); err != nil {
		return err
	}
	if !answer.Active || answer.TokenType != "Bearer" || answer.ClientID != "app" || answer.Exp <= answer.Iat || answer.Jti == "" || answer.Sub == "" {
		return fmt.Errorf("%+v", answer)
	}
	return nil
}

// Other directives and the access log see the caller as after any authentication of
// Caddy's; a caller whom `optional` lets pass without one is nobody.
func TestUserPlaceholders(t *testing.T) {
	s := newServer(t).start(strings.Replace(mainJob, "	guard {\n		scopes read\n	}\n	reverse_proxy $UP\n",
		"	guard {\n		optional\n	}\n	respond \"id=[{http.auth.user.id}] client=[{http.auth.user.client_id}] colour=[{http.auth.user.colour}]\"\n", 1))
	if a := send(t, "GET", "http://"+s.vars["APP"]+"/", "", "Remote-User", "admin"); a.status != 200 || a.body != "id=[] client=[] colour=[]" {
		t.Errorf("nobody: %d %q", a.status, a.body)
	}
	a := s.app(s.token(appCredentials))
	if !strings.HasPrefix(a.body, "id=[") || strings.HasPrefix(a.body, "id=[]") || !strings.HasSuffix(a.body, "] client=[app] colour=[]") {
		t.Errorf("somebody: %d %q", a.status, a.body)
	}
	if a := s.app("junk"); a.status != 401 {
		t.Errorf("a bad credential where none is needed: %d", a.status)
	}
}

// 500 callers who bring one new token at once cost one look-up.
func TestStampedeMakesOneLookup(t *testing.T) {
	s := newServer(t).start(withMetrics)
	before := s.metric("gatehouse_cache_lookups_total")
	token := s.token(appCredentials)
	var wg sync.WaitGroup
	var good atomic.Int64
	for range 500 {
		wg.Go(func() {
			a, err := trySend(t.Context(), "GET", "http://"+s.vars["APP"]+"/", "", "Authorization", "Bearer "+token)
			if err == nil && a.status == 200 {
				good.Add(1)
			}
		})
	}
	wg.Wait()
	if good.Load() != 500 {
		t.Errorf("%d of 500 got through", good.Load())
	}
	if n := s.metric("gatehouse_cache_lookups_total") - before; n != 1 {
		t.Errorf("%v look-ups, want 1", n)
	}
}

// withMetrics is the main job with a site that shows the metrics of the
// configuration that serves it.
const withMetrics = mainJob + `
http://$METRICS {
	bind 127.0.0.1
	metrics
}
`

// metric reads one number from the site of withMetrics.
func (s *server) metric(name string) float64 {
	s.t.Helper()
	a := send(s.t, "GET", "http://"+s.vars["METRICS"]+"/metrics", "")
	for line := range strings.Lines(a.body) {
		var v float64
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			if _, err := fmt.Sscan(rest, &v); err == nil {
				return v
			}
		}
	}
	s.t.Fatalf("no metric %s in:\n%.2000s", name, a.body)
	return 0
}

// Attack 68: revoke while look-ups are in flight. No request that is sent after the
// revocation was answered is accepted, a thousand times.
func TestRevokeRacingLookups(t *testing.T) {
	s := newServer(t).start(mainJob)
	url := "http://" + s.vars["APP"] + "/"
	for round := range 1000 {
		token := s.token(appCredentials)
		ctx, cancel := context.WithCancel(t.Context())
		var ended atomic.Bool
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for ctx.Err() == nil {
					sentAfter := ended.Load()
					a, err := trySend(ctx, "GET", url, "", "Authorization", "Bearer "+token)
					if err == nil && a.status == 200 && sentAfter {
						t.Errorf("round %d: accepted after the revocation was answered", round)
						return
					}
					if sentAfter {
						return
					}
				}
			})
		}
		if round%3 > 0 { // sometimes the verdict is cached already, sometimes in flight, sometimes unasked
			time.Sleep(time.Duration(round%7) * 300 * time.Microsecond) //nolint:forbidigo // jitter, not waiting: it moves the point of the race
		}
		s.revoke(token, appCredentials)
		ended.Store(true)
		wg.Wait()
		cancel()
		if t.Failed() {
			return
		}
	}
}

// What a process handed out, a later one on the same database knows: the keys, the
// tokens, and the revocations.
func TestTwoProcessesOneAfterTheOther(t *testing.T) {
	for _, format := range []string{"jwt", "opaque"} {
		t.Run(format, func(t *testing.T) {
			config := strings.Replace(mainJob, "realm demo {", "realm demo {\n\t\t\taccess_token "+format+" 10m", 1)
			s := newServer(t).start(config)
			keys := send(t, "GET", "http://"+s.vars["AUTH"]+"/oauth2/jwks", "").body
			kept, ended := s.token(appCredentials), s.token(appCredentials)
			s.revoke(ended, appCredentials)
			s.kill() // what was answered as done is on disk

			s.start(config)
			if again := send(t, "GET", "http://"+s.vars["AUTH"]+"/oauth2/jwks", "").body; again != keys {
				t.Errorf("the key set was %s and is %s", keys, again)
			}
			if a := s.app(kept); a.status != 200 {
				t.Errorf("a good token is refused: %d %s", a.status, a.header)
			}
			if a := s.app(ended); a.status != 401 {
				t.Errorf("a revoked token is accepted: %d", a.status)
			}
		})
	}
}

// Two guards on one request agree, and the last one's identity headers stand; what a
// client says about itself reaches nobody, on no path of the site.
func TestIdentityAtTheUpstream(t *testing.T) {
	var got atomic.Pointer[http.Request]
	upstream := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		got.Store(r.Clone(context.Background()))
	}))
	defer upstream.Close()
	s := newServer(t)
	s.vars["BACKEND"] = upstream.Listener.Addr().String()
	s.start(strings.Replace(mainJob, "	guard {\n		scopes read\n	}\n	reverse_proxy $UP\n", `
	guard /api/* {
		scopes read
	}
	guard /api/admin/* {
		roles reader
		identity {
			X-Caller sub
		}
	}
	guard /maps/* {
		identity {
			X-Caller sub
			X-Client client_id
		}
	}
	reverse_proxy $BACKEND
`, 1))
	token := s.token(appCredentials)
	forged := []string{
		"Remote-User", "admin", "remote_user", "admin", "Remote.User", "admin", "X-Forwarded-User", "admin",
		"X_Auth_Request_Email", "a@b", "X-Caller", "admin", "x.caller", "admin", "X-Client", "admin", "Remote-Email", "a@b",
		"Connection", "close, Remote-User, X-Caller", "X-Harmless", "stays",
	}
	for _, c := range []struct {
		path, user, caller string
	}{
		{"/public", "", ""},
		{"/api/x", "service-account-app", ""},
		{"/api/admin/x", "service-account-app", ""}, // Caddy runs the longer path first
		{"/maps/x", "", "uuid"},
	} {
		a := send(t, "GET", "http://"+s.vars["APP"]+c.path, "", append([]string{"Authorization", "Bearer " + token}, forged...)...)
		if a.status != 200 {
			t.Fatalf("%s: %d", c.path, a.status)
		}
		h := got.Load().Header
		if h.Get("Remote-User") != c.user || (h.Get("X-Caller") != "") != (c.caller != "") || h.Get("X-Caller") == "admin" {
			t.Errorf("%s: upstream saw %v", c.path, h)
		}
		if h.Get("X-Harmless") != "stays" {
			t.Errorf("%s: a header that is nobody's identity is gone", c.path)
		}
		for name, values := range h {
			for _, v := range values {
				if v == "admin" || v == "a@b" {
					t.Errorf("%s: the client's own %s: %s reached the upstream", c.path, name, v)
				}
			}
		}
		if c.path != "/public" && h.Get("Authorization") != "" {
			t.Errorf("%s: the upstream saw the token", c.path)
		}
	}
}
