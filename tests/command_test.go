package tests

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// run runs `caddy gatehouse` with the arguments against the server's admin endpoint.
func (s *server) run(stdin string, args ...string) (stdout, stderr string, err error) {
	s.t.Helper()
	args = append([]string{"gatehouse"}, args...)
	if s.vars["ADMIN"] != "" && args[1] != "client" {
		args = append(args[:3:3], append([]string{"--address", s.vars["ADMIN"]}, args[3:]...)...)
	}
	return s.runPlain(stdin, args...)
}

func (s *server) runPlain(stdin string, args ...string) (stdout, stderr string, err error) {
	s.t.Helper()
	var out, errs bytes.Buffer
	cmd := s.command(s.t.Context(), args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err = cmd.Run()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, secret := range s.secrets {
		if strings.Contains(out.String()+errs.String(), secret) {
			s.t.Errorf("%v prints the secret %q", args, secret)
		}
	}
	return out.String(), errs.String(), err
}

// must is run for what has to succeed.
func (s *server) must(stdin string, args ...string) string {
	s.t.Helper()
	out, errs, err := s.run(stdin, args...)
	if err != nil {
		s.t.Fatalf("%v: %v\n%s%s", args, err, out, errs)
	}
	return out
}

type keyList struct {
	Keys []struct {
		ID      string    `json:"kid"`
		Alg     string    `json:"alg"`
		State   string    `json:"state"`
		Created time.Time `json:"created"`
		Signs   time.Time `json:"signs"`
		Retires time.Time `json:"retires"`
		Expires time.Time `json:"expires"`
	} `json:"keys"`
}

func decodeInto[T any](t *testing.T, text string) (v T) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

func (s *server) published() string {
	s.t.Helper()
	return send(s.t, "GET", "http://"+s.vars["AUTH"]+"/oauth2/jwks", "").body
}

func TestCommandKeys(t *testing.T) {
	s := newServer(t).start(mainJob)
	token := s.token(appCredentials)
	if a := s.app(token); a.status != 200 { // now its verdict is cached
		t.Fatal(a.status)
	}
	before := decodeInto[keyList](t, s.must("", "keys", "list", "--json")).Keys
	if len(before) != 1 || before[0].State != "signing" || before[0].Alg != "ES256" || before[0].Created.IsZero() {
		t.Fatalf("at the start: %+v", before)
	}
	first := before[0].ID

	if out := s.must("", "keys", "rotate"); !strings.Contains(out, "The next key of the default realm is published now") {
		t.Error(out)
	}
	if out := s.must("", "keys", "rotate", "--json", "--realm", "demo"); strings.TrimSpace(out) != "{\n  \"done\": false\n}" {
		t.Error("a second rotation at once:", out)
	}
	after := decodeInto[keyList](t, s.must("", "keys", "list", "--json")).Keys
	if len(after) != 2 || after[1].State != "next" || after[0].Retires != after[1].Signs || time.Until(after[1].Signs) > 10*time.Minute {
		t.Fatalf("after the rotation: %+v", after)
	}
	next := after[1].ID
	if set := s.published(); !strings.Contains(set, first) || !strings.Contains(set, next) {
		t.Error("a rotated key is published before it signs:", set)
	}
	if a := s.app(token); a.status != 200 {
		t.Error("a rotation ended a token:", a.status)
	}

	if out := s.must("", "keys", "revoke", "--", first); out != "Key "+first+" of the default realm is revoked, and every token it signed with it.\n" {
		t.Error(out)
	}
	if a := s.app(token); a.status != 401 {
		t.Error("a token of a revoked key passes:", a.status)
	}
	if set := s.published(); strings.Contains(set, first) {
		t.Error("a revoked key is still published:", set)
	}
	if a := s.app(s.token(appCredentials)); a.status != 200 {
		t.Error("a new token after the revocation:", a.status)
	}

	table := s.must("", "keys", "list")
	lines := strings.Split(strings.TrimSpace(table), "\n")
	if !regexp.MustCompile(`^KID +ALG +STATE +CREATED +SIGNS FROM +RETIRES +EXPIRES$`).MatchString(lines[0]) {
		t.Error(table)
	}
	row := regexp.MustCompile(`^` + regexp.QuoteMeta(first) + ` +ES256 +revoked +\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ `)
	if !row.MatchString(lines[1]) || strings.Index(lines[0], "STATE") != strings.Index(lines[1], "revoked") {
		t.Error(table)
	}
}

func TestCommandTokenRevoke(t *testing.T) {
	s := newServer(t).start(mainJob)
	alive := func(token string) bool { return s.app(token).status == 200 }

	one, two, three := s.token(appCredentials), s.token(appCredentials), s.token(appCredentials)
	if !alive(one) || !alive(two) || !alive(three) {
		t.Fatal("not all are good to begin with")
	}
	if out := s.must(one+"\n", "token", "revoke"); out != "The token of the default realm is revoked.\n" || alive(one) {
		t.Error("from standard input:", out)
	}
	file := filepath.Join(s.dir, "token.txt")
	if err := os.WriteFile(file, []byte(two), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := s.must("", "token", "revoke", "--file", file, "--realm", "demo"); out != "The token of realm demo is revoked.\n" || alive(two) {
		t.Error("from a file:", out)
	}
	id := send(t, "POST", "http://"+s.vars["AUTH"]+"/oauth2/introspect", appCredentials+"&token="+three, "Content-Type", form).json(t)["jti"].(string)
	if out := s.must("", "token", "revoke", "--id", id, "--json"); strings.TrimSpace(out) != "{\n  \"done\": true\n}" || alive(three) {
		t.Error("by its id:", out)
	}
	for name, c := range map[string]struct {
		stdin string
		args  []string
		want  string
	}{
		"nothing":           {"\n", nil, "standard input holds no token"},
		"two words":         {"a b", nil, "more than one word"},
		"too much":          {strings.Repeat("x", 17<<10), nil, "16 KiB"},
		"junk":              {"junk", nil, "this is not a live token of the realm"},
		"no such file":      {"", []string{"--file", "nothing.txt"}, "nothing.txt"},
		"as an argument":    {"", []string{"ey-token"}, "unknown command"},
		"file and id":       {"", []string{"--file", "x", "--id", "y"}, "file id"},
		"impossible id":     {"", []string{"--id", strings.Repeat("x", 200)}, "not the jti"},
		"no such realm":     {"junk", []string{"--realm", "nowhere"}, "no such realm"},
		"unknown flag":      {"", []string{"--tokn"}, "unknown flag"},
		"two sources of it": {"junk", []string{"--config", "nothing/Caddyfile", "--address", ""}, "nothing/Caddyfile"},
	} {
		out, errs, err := s.run(c.stdin, append([]string{"token", "revoke"}, c.args...)...)
		if err == nil || out != "" || !strings.Contains(errs, c.want) {
			t.Errorf("%s: %v, %q, %q; want an error with %q", name, err, out, errs, c.want)
		}
	}
}

const commandUsers = `
{
	admin $ADMIN
	auto_https off
	persist_config off
	` + logRealm + `
}
http://$AUTH {
	bind 127.0.0.1
	gatehouse {
		dialects oauth keycloak
	}
}
http://$APP {
	bind 127.0.0.1
	guard
	respond {http.auth.user.id}
}
`

type sessionList struct {
	Sessions []struct {
		ID       string    `json:"sid"`
		Account  string    `json:"account"`
		User     string    `json:"user"`
		Client   string    `json:"client"`
		Address  string    `json:"address"`
		Created  time.Time `json:"created"`
		LastUsed time.Time `json:"last_used"`
		Expires  time.Time `json:"expires"`
	} `json:"sessions"`
	More bool `json:"more"`
}

func (s *server) aliceLogin(t *testing.T) (access, refresh string) {
	t.Helper()
	a := s.at("127.0.0.1", "POST", connect+"user/login", "username=alice&password="+alicePassword, "Content-Type", form)
	if a.status != 200 {
		t.Fatal(a.status, a.body)
	}
	return a.json(t)["access_token"].(string), a.json(t)["refresh_token"].(string)
}

func TestCommandSession(t *testing.T) {
	s := newLogServer(t).start(commandUsers)
	one, refresh := s.aliceLogin(t)
	two, _ := s.aliceLogin(t)
	s.at("127.0.0.1", "POST", connect+"token", "client_id=app&client_secret=app-secret-0123456789", "Content-Type", form)
	if a := s.app(one); a.status != 200 { // now its verdict is cached
		t.Fatal(a.status, a.body)
	}

	all := decodeInto[sessionList](t, s.must("", "session", "list", "--json"))
	of := decodeInto[sessionList](t, s.must("", "session", "list", "--user", "alice", "--json"))
	if len(all.Sessions) != 3 || len(of.Sessions) != 2 || all.More || of.More {
		t.Fatalf("%+v\n%+v", all, of)
	}
	first := of.Sessions[0]
	if first.User != "alice" || first.Client != "gatehouse" || first.Address != "127.0.0.1" || first.Account != s.app(one).body || !first.Expires.After(first.Created) {
		t.Errorf("%+v", first)
	}
	if own := all.Sessions[2]; own.User != "" || own.Account != "" || own.Client != "app" {
		t.Errorf("the session of a client: %+v", own)
	}
	lines := strings.Split(strings.TrimSpace(s.must("", "session", "list")), "\n")
	if len(lines) != 4 || !regexp.MustCompile(`^SID +USER +CLIENT +ADDRESS +CREATED +LAST USED +EXPIRES$`).MatchString(lines[0]) ||
		!strings.HasPrefix(lines[1], first.ID+"  alice  gatehouse  127.0.0.1  "+first.Created.Format(time.RFC3339)) || !strings.Contains(lines[3], "  -      app        ") {
		t.Error(strings.Join(lines, "\n"))
	}

	if out := s.must("", "session", "end", first.ID); out != "Session "+first.ID+" of the default realm is ended, and every token it gave.\n" {
		t.Error(out)
	}
	if a := s.app(one); a.status != 401 {
		t.Error("an access token of the ended session:", a.status)
	}
	if a := s.at("127.0.0.1", "POST", connect+"token", "grant_type=refresh_token&client_id=gatehouse&refresh_token="+refresh, "Content-Type", form); a.status == 200 {
		t.Error("the refresh token of the ended session is good")
	}
	if a := s.app(two); a.status != 200 {
		t.Error("the other session ended too:", a.status)
	}

	three, refresh := s.aliceLogin(t)
	if a := s.app(three); a.status != 200 {
		t.Fatal(a.status)
	}
	s.must(refresh, "token", "revoke")
	if a := s.app(three); a.status != 401 {
		t.Error("revoking a refresh token leaves the access token of its session:", a.status)
	}
}

func TestCommandSessionOfNobody(t *testing.T) {
	s := newServer(t).start(commandUsers)
	if out := s.must("", "session", "list", "--user", "alice"); out != "There are no such sessions in the default realm.\n" {
		t.Error(out)
	}
	if out := s.must("", "session", "list", "--realm", "demo", "--json"); strings.Join(strings.Fields(out), "") != `{"sessions":[],"more":false}` {
		t.Error(out)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"unknown user":    {[]string{"session", "list", "--user", "bob"}, "the realm has no such account"},
		"unknown session": {[]string{"session", "end", "0f1c1a52"}, "the realm has no such session"},
		"no session":      {[]string{"session", "end"}, "takes one sid"},
		"unknown key":     {[]string{"keys", "revoke", "nothing"}, "the realm has no such key"},
		"other realm":     {[]string{"keys", "list", "--realm", "nowhere"}, "there is no such realm here"},
		"misspelt":        {[]string{"keys", "rotat"}, "did you mean rotate?"},
		"a dash first":    {[]string{"keys", "revoke", "-abc"}, "write --"},
	} {
		out, errs, err := s.run("", c.args...)
		if err == nil || out != "" || !strings.Contains(errs, c.want) || strings.Count(errs, "\n") > 1 {
			t.Errorf("%s: %v, %q, %q; want one sentence with %q", name, err, out, errs, c.want)
		}
	}
}

// The address comes from the configuration as with Caddy's own commands, and a
// server that is not there, or has no Gatehouse, is told apart.
func TestCommandFindsTheServer(t *testing.T) {
	s := newServer(t)
	if _, errs, err := s.run("", "keys", "list"); err == nil || !strings.Contains(errs, "no Caddy answers at "+s.vars["ADMIN"]) || !strings.Contains(errs, "--address") {
		t.Errorf("without a server: %v %s", err, errs)
	}
	s.start(mainJob)
	path := filepath.Join(s.dir, "Caddyfile")
	if out, errs, err := s.runPlain("", "gatehouse", "keys", "list", "--config", path); err != nil || !strings.Contains(out, "signing") {
		t.Errorf("by --config: %v\n%s%s", err, out, errs)
	}
	if err := s.reload("{\n\tadmin $ADMIN\n\tpersist_config off\n}\n"); err != nil {
		t.Fatal(err)
	}
	if _, errs, err := s.run("", "keys", "list"); err == nil || !strings.Contains(errs, "gatehouse is not configured") {
		t.Errorf("without the app: %v %s", err, errs)
	}
	if err := s.reload(mainJob); err != nil {
		t.Fatal(err)
	}
	// A configuration that was refused leaves the commands with the one that runs.
	if err := s.reload(strings.Replace(mainJob, "bind 127.0.0.1", "bind 203.0.113.77", 1)); err == nil {
		t.Fatal("an address of somebody else was bound")
	}
	if out := s.must("", "keys", "list"); !strings.Contains(out, "signing") {
		t.Error(out)
	}
}

// A secret is made without a server and works in a configuration by its hash.
func TestCommandClientSecret(t *testing.T) {
	s := newServer(t)
	made := decodeInto[map[string]string](t, s.must("", "client", "secret", "--json"))
	plain, hash := made["secret"], made["secret_hash"]
	if len(plain) < 43 || !strings.HasPrefix(hash, "sha256:") || len(made) != 2 {
		t.Fatalf("%v", made)
	}
	s.secret(plain)
	s.start(strings.Replace(mainJob, "secret app-secret-0123456789", "secret_hash "+hash, 1))
	if a := s.app(s.token("client_id=app&client_secret=" + plain)); a.status != 200 {
		t.Error("the client with the secret:", a.status)
	}
	human := s.must("", "client", "secret")
	if !regexp.MustCompile(`(?m)^secret {7}\S{43}\nsecret_hash {2}sha256:[0-9a-f]{64}$`).MatchString(human) || strings.Contains(human, plain) {
		t.Error(human)
	}
}

// Every command explains itself.
func TestCommandHelp(t *testing.T) {
	s := newServer(t)
	for args, want := range map[string][]string{
		"":              {"keys", "token", "session", "client", "admin endpoint"},
		"keys":          {"list", "rotate", "revoke", "verifying"},
		"keys revoke":   {"<kid>", "Examples:"},
		"token revoke":  {"standard input", "--file", "--id", "Examples:"},
		"session list":  {"--user", "Examples:"},
		"client secret": {"secret_hash", "Examples:"},
	} {
		out, errs, err := s.runPlain("", append(append([]string{"gatehouse"}, strings.Fields(args)...), "--help")...)
		if err != nil {
			t.Errorf("%s: %v %s", args, err, errs)
		}
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("the help of %q does not say %q:\n%s", args, w, out)
			}
		}
	}
}

// Attack: a page that the operator looks at makes his browser call the admin
// endpoint, which knows no password; by rebinding its own name to 127.0.0.1 it
// even passes for the same origin. No such request gets through, none of them
// learns anything, and no answer holds a secret.
func TestAttackAdminFromAWebPage(t *testing.T) {
	s := newServer(t).start(mainJob)
	token := s.token(appCredentials)
	url := "http://" + s.vars["ADMIN"] + "/gatehouse/"
	kid := decodeInto[keyList](t, s.must("", "keys", "list", "--json")).Keys[0].ID
	good := []string{"Content-Type", "application/json", "X-Gatehouse-Command", "1"}
	with := func(more ...string) []string { return append(append([]string{}, good...), more...) }
	for name, c := range map[string]struct {
		method, path, body string
		headers            []string
		status             int
	}{
		"cross-site":          {"POST", "keys/revoke", `{"kid":"` + kid + `"}`, with("Origin", "https://evil.example"), 403},
		"opaque origin":       {"POST", "keys/revoke", `{"kid":"` + kid + `"}`, with("Origin", "null"), 400},
		"own origin, https":   {"POST", "keys/revoke", `{"kid":"` + kid + `"}`, with("Origin", "https://"+s.vars["ADMIN"]), 403},
		"referer":             {"POST", "keys/revoke", `{"kid":"` + kid + `"}`, with("Referer", "http://"+s.vars["ADMIN"]+"/"), 403},
		"browser, same site":  {"POST", "keys/revoke", `{"kid":"` + kid + `"}`, with("Sec-Fetch-Site", "same-origin", "Origin", "http://"+s.vars["ADMIN"]), 403},
		"browser, navigation": {"POST", "keys/list", `{}`, with("Sec-Fetch-Dest", "document"), 403},
		"a form":              {"POST", "keys/list", `{}`, []string{"Content-Type", form, "X-Gatehouse-Command", "1"}, 415},
		"plain text":          {"POST", "keys/list", `{}`, []string{"Content-Type", "text/plain", "X-Gatehouse-Command", "1"}, 415},
		"without the header":  {"POST", "keys/list", `{}`, good[:2], 403},
		"an image":            {"GET", "keys/list", "", good, 405},
		"a preflight":         {"OPTIONS", "keys/list", "", []string{"Origin", "https://evil.example", "Access-Control-Request-Headers", "x-gatehouse-command"}, 403},
		"an unknown command":  {"POST", "keys/export", `{}`, good, 404},
		"no command":          {"POST", "", `{}`, good, 404},
		"a large body":        {"POST", "token/revoke", `{"token":"` + strings.Repeat("x", 70_000) + `"}`, good, 413},
		"not JSON":            {"POST", "token/revoke", token, good, 400},
		"unknown member":      {"POST", "token/revoke", `{"tokens":"` + token + `"}`, good, 400},
		"two objects":         {"POST", "token/revoke", `{"token":"a"}{"token":"` + token + `"}`, good, 400},
		"token and id":        {"POST", "token/revoke", `{"token":"a","jti":"b"}`, good, 400},
		"neither":             {"POST", "token/revoke", `{}`, good, 400},
		"no kid":              {"POST", "keys/revoke", `{}`, good, 400},
		"no sid":              {"POST", "session/end", `{}`, good, 400},
	} {
		a := send(t, c.method, url+c.path, c.body, c.headers...)
		if a.status != c.status {
			t.Errorf("%s: %d %s, want %d", name, a.status, a.body, c.status)
		}
		said, ok := a.json(t)["error"].(string)
		if !ok || said == "" || strings.Contains(a.body, kid) || strings.Contains(a.body, token) {
			t.Errorf("%s: %s", name, a.body)
		}
	}
	rebound, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"keys/list", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := strings.Cut(s.vars["ADMIN"], ":")
	rebound.Host = "evil.example:" + port
	rebound.Header = http.Header{"Content-Type": {"application/json"}, "X-Gatehouse-Command": {"1"}, "Origin": {"http://" + rebound.Host}}
	resp, err := client.Do(rebound)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Error("a rebound name:", resp.StatusCode)
	}
	if a := s.app(token); a.status != 200 {
		t.Error("one of them had an effect:", a.status)
	}
	a := send(t, "POST", url+"keys/list", "{}", good...)
	if a.status != 200 || !strings.Contains(a.body, kid) || a.header.Get("Cache-Control") != "no-store" {
		t.Error("a command as it should be:", a.status, a.body)
	}
	for _, private := range []string{"PRIVATE", `"d"`, "secret", `"x"`} {
		if strings.Contains(a.body, private) {
			t.Errorf("the answer has %s: %s", private, a.body)
		}
	}
}
