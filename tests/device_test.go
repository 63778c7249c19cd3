package tests

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/provider/providertest"
)

// upstreamLogins is a site with every dialect and an app behind a guard, over the
// fakes of the login providers.
const upstreamLogins = `
{
	admin $ADMIN
	auto_https off
	persist_config off
	servers {
		trusted_proxies static 127.0.0.1
	}
	gatehouse {
		store sqlite $DIR/gatehouse.db
		realm demo {
			issuer http://$AUTH
			sign_up open
			provider github {
				client_id gatehouse-github
				client_secret github-secret-0123456789
				web_url http://$GITHUB
				api_url http://$GITHUB
			}
			provider google {
				client_id gatehouse-google
				client_secret google-secret-0123456789
				issuer http://$GOOGLE
				tokeninfo_url http://$GOOGLE/tokeninfo
			}
			client auditor {
				secret auditor-secret-0123456789
				introspect any
			}
			user ada {
				password_hash ` + adaHash + `
				email ada@corp.example verified
			}
		}
	}
}
http://$AUTH {
	bind 127.0.0.1
	gatehouse {
		dialects oauth gmi golem keycloak
		pakt {
			redirect_uri http://$AUTH/front
		}
	}
}
http://$APP {
	bind 127.0.0.1
	guard
	reverse_proxy $UP
}
http://$UP {
	bind 127.0.0.1
	respond "user={http.request.header.Remote-User}"
}
`

func withUpstreamLogins(t *testing.T) (*server, *upstreams) {
	t.Helper()
	s := newServer(t)
	u := s.withUpstreams()
	return s.start(upstreamLogins), u
}

func (s *server) auth(path string) string { return "http://" + s.vars["AUTH"] + path }

// device starts a device login and returns its user code and its session as it is sent
// to complete.
func (s *server) device() (userCode, session string) {
	s.t.Helper()
	a := send(s.t, "POST", s.auth("/oauth2/device/start"), "")
	if a.status != 200 {
		s.t.Fatalf("%d %s", a.status, a.body)
	}
	m := a.json(s.t)
	raw, err := json.Marshal(m["encodedSession"])
	if err != nil {
		s.t.Fatal(err)
	}
	s.secret(m["encodedSession"].(string))
	return m["userCode"].(string), string(raw)
}

// waiting is a call of complete under way.
type waiting struct {
	leave  context.CancelFunc
	answer chan answer
	failed chan error
}

func (s *server) complete(session string) *waiting {
	ctx, leave := context.WithCancel(s.t.Context())
	s.t.Cleanup(leave)
	w := &waiting{leave, make(chan answer, 1), make(chan error, 1)}
	go func() {
		a, err := trySend(ctx, "POST", s.auth("/oauth2/device/complete"), session, "Content-Type", "application/json")
		if err != nil {
			w.failed <- err
			return
		}
		w.answer <- a
	}()
	return w
}

// secretOf is the token of a golem login.
func (s *server) secretOf(a answer) string {
	s.t.Helper()
	if a.status != 200 {
		s.t.Fatalf("%d %s", a.status, a.body)
	}
	secret, _ := a.json(s.t)["secret"].(string)
	s.secret(secret)
	return secret
}

// untilPolled waits until the upstream was asked n times.
func untilPolled(t *testing.T, f *providertest.Fake, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := f.WaitForCalls(ctx, f.Paths().Token, n); err != nil {
		t.Fatal(err)
	}
}

// A device login goes on over a restart of Gatehouse between start and complete, and
// over a reload in the middle of the wait.
func TestDeviceLoginOverRestartAndReload(t *testing.T) {
	s, u := withUpstreamLogins(t)
	code, session := s.device()
	s.stop()
	s.start(upstreamLogins)
	w := s.complete(session)
	untilPolled(t, u.github, 1)
	if err := s.reload(strings.Replace(upstreamLogins, "sign_up open", "sign_up open\n\t\t\tpersonal_token 30d", 1)); err != nil {
		t.Fatal(err)
	}
	if !u.github.Decide(code, "ada", providertest.Approve) {
		t.Fatal("no such user code")
	}
	select {
	case a := <-w.answer:
		secret, data := s.secretOf(a), a.json(t)["data"].(map[string]any)
		if got := s.app(secret); got.status != 200 || got.body != "user="+data["accountId"].(string) {
			t.Errorf("%d %s", got.status, got.body)
		}
	case err := <-w.failed:
		t.Fatal(err)
	}
	again := <-s.complete(session).answer
	if again.status != 400 || !strings.Contains(again.body, "Invalid Session") {
		t.Errorf("the session was good twice: %d %s", again.status, again.body)
	}
}

// Attack: many callers of one session, to have the upstream asked many times or to get
// many tokens for one approval.
func TestAttackManyCompletes(t *testing.T) {
	s, u := withUpstreamLogins(t)
	code, session := s.device()
	var calls []*waiting
	for range 20 {
		calls = append(calls, s.complete(session))
	}
	untilPolled(t, u.github, 1)
	u.github.Decide(code, "ada", providertest.Approve)
	good, spent := 0, 0
	for _, w := range calls {
		select {
		case a := <-w.answer:
			switch a.status {
			case 200:
				good++
			case 400:
				spent++
			default:
				t.Errorf("%d %s", a.status, a.body)
			}
		case err := <-w.failed:
			t.Error(err)
		}
	}
	if good != 1 || spent != 19 {
		t.Errorf("%d tokens, %d refusals", good, spent)
	}
	if asked := u.github.Calls(u.github.Paths().Token); asked > 3 {
		t.Errorf("20 callers had the upstream asked %d times", asked)
	}
}

// A wait ends with its caller, and does not hold up the end of the process.
func TestDeviceWaitsEnd(t *testing.T) {
	s, u := withUpstreamLogins(t)
	_, session := s.device()
	w := s.complete(session)
	untilPolled(t, u.github, 1)
	w.leave()
	if err := <-w.failed; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	asked := u.github.Calls(u.github.Paths().Token)
	w = s.complete(session)
	began := time.Now()
	s.stop() // waits for the process
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("a waiting caller held the exit up for %s", took)
	}
	select {
	case a := <-w.answer:
		if a.status != http.StatusInternalServerError {
			t.Errorf("%d %s", a.status, a.body)
		}
	case <-w.failed:
	}
	if more := u.github.Calls(u.github.Paths().Token) - asked; more > 2 {
		t.Errorf("%d polls after the callers left", more)
	}
}

// A golem secret, a gmi access token, a pakt token and a keycloak access token are one
// currency: each passes a guard, can be asked about and ended at the standard endpoints,
// and dies with its session or account at once.
func TestOneCurrency(t *testing.T) {
	s, u := withUpstreamLogins(t)
	mint := map[string]func() string{
		"golem": func() string {
			return s.secretOf(send(t, "POST", s.auth("/v1/oauth2?provider=github&access_token="+u.github.Token("grace", "gatehouse-github")), ""))
		},
		"pakt":     func() string { return s.paktLogin(u.google, "grace") },
		"gmi":      func() string { return s.gmiLogin("ada@corp.example", "ada's password 1") },
		"keycloak": func() string { access, _, err := s.login(t.Context()); must(t, err); return access },
	}
	for dialect, mint := range mint {
		t.Run(dialect, func(t *testing.T) {
			token := mint()
			s.secret(token)
			if a := s.app(token); a.status != 200 || a.body == "user=" {
				t.Fatalf("guard: %d %s", a.status, a.body)
			}
			if m := s.introspect(token); m["active"] != true || m["client_id"] != "gatehouse" {
				t.Errorf("introspection: %v", m)
			}
			if a := send(t, "POST", s.auth("/oauth2/revoke"), "client_id=gatehouse&token="+token, "Content-Type", form); a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
			if a := s.app(token); a.status != 401 {
				t.Errorf("revoked, and the guard answers %d", a.status)
			}
			token = mint()
			if s.app(token).status != 200 {
				t.Fatal("the second one is not good")
			}
			if dialect == "golem" || dialect == "pakt" {
				provider, f := "github", u.github
				if dialect == "pakt" {
					provider, f = "google", u.google
				}
				s.must("", "account", "disable", provider+":"+f.User("grace").Subject)
			} else {
				sid := s.introspect(token)["sid"].(string)
				s.must("", "session", "end", sid)
			}
			if a := s.app(token); a.status != 401 {
				t.Errorf("its account or session ended, and the guard answers %d", a.status)
			}
			if m := s.introspect(token); len(m) != 1 || m["active"] != false {
				t.Errorf("introspection: %v", m)
			}
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *server) introspect(token string) map[string]any {
	s.t.Helper()
	return send(s.t, "POST", s.auth("/oauth2/introspect"),
		"client_id=auditor&client_secret=auditor-secret-0123456789&token="+token, "Content-Type", form).json(s.t)
}

// gmiLogin walks both steps.
func (s *server) gmiLogin(email, password string) string {
	s.t.Helper()
	step := send(s.t, "POST", s.auth("/api/v1/me/auth-tokens"), fmt.Sprintf(`{"email":%q,"password":%q}`, email, password), "Content-Type", "application/json")
	open := send(s.t, "POST", s.auth("/api/v1/me/sessions"), fmt.Sprintf(`{"authToken":%q}`, step.json(s.t)["authToken"]), "Content-Type", "application/json", "CE-ClientId", "portal")
	access, _ := open.json(s.t)["accessToken"].(string)
	if access == "" {
		s.t.Fatalf("%d %s", open.status, open.body)
	}
	return access
}

// paktLogin walks the login of a browser.
func (s *server) paktLogin(google *providertest.Fake, who string) string {
	s.t.Helper()
	data := send(s.t, "GET", s.auth("/v1/auth/google/oauth/generate-state"), "").json(s.t)["data"].(map[string]any)
	back := send(s.t, "GET", data["googleAuthUrl"].(string)+"&as="+who, "").header.Get("Location")
	_, query, _ := strings.Cut(back, "?")
	done := send(s.t, "POST", s.auth("/v1/auth/google/oauth/validate-state?"+query), "")
	token, _ := done.json(s.t)["data"].(map[string]any)
	raw, _ := token["token"].(string)
	if raw == "" {
		s.t.Fatalf("%d %s", done.status, done.body)
	}
	return raw
}

// Knock: a flood of starts from many addresses. Nothing of it is kept.
func TestFloodOfStarts(t *testing.T) {
	s, u := withUpstreamLogins(t)
	send(t, "GET", s.auth("/v1/auth/google/oauth/generate-state"), "")
	before := s.memory()
	n := knocks(4000, 1_000_000)
	var next, throttled, failed atomic.Int64
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				from := fmt.Sprintf("10.%d.%d.%d", i>>16&255, i>>8&255, i&255)
				if i%4 == 0 {
					from = "192.0.2.1"
				}
				a, err := trySend(t.Context(), "GET", s.auth("/v1/auth/google/oauth/generate-state"), "", "X-Forwarded-For", from)
				switch {
				case err != nil:
					failed.Add(1)
				case a.status == 429 && a.header.Get("Retry-After") != "" && strings.Contains(a.body, `"status":"error"`):
					throttled.Add(1)
				case a.status != 200:
					failed.Add(1)
				}
			}
		})
	}
	group.Wait()
	if want := int64(n/4 - 600); failed.Load() != 0 || throttled.Load() < want-1 || throttled.Load() > want+1 {
		t.Errorf("%d of one address were throttled, want %d; %d failed", throttled.Load(), want, failed.Load())
	}
	s.grown(before)
	if s.paktLogin(u.google, "ada") == "" {
		t.Error("nobody gets in after the flood")
	}
}
