package tests

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A configuration or a machine that cannot work is refused at the start, with what
// to mend, and nothing is lost by it.
func TestStartsThatFailSayWhy(t *testing.T) {
	corrupt := func(t *testing.T, s *server) {
		if err := os.WriteFile(filepath.Join(s.dir, "gatehouse.db"), []byte(strings.Repeat("this is not a database ", 500)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name          string
		before        func(t *testing.T, s *server)
		replace, with string
		want          []string
	}{
		{name: "corrupt database", before: corrupt, want: []string{"gatehouse.db", "not a database"}},
		{name: "database is a directory", before: func(t *testing.T, s *server) {
			if err := os.Mkdir(filepath.Join(s.dir, "gatehouse.db"), 0o700); err != nil {
				t.Fatal(err)
			}
		}, want: []string{"gatehouse.db", "directory"}},
		{name: "database in a place that cannot be", before: corrupt, replace: "$DIR/gatehouse.db", with: "$DIR/gatehouse.db/inside.db", want: []string{"gatehouse.db/inside.db"}},
		{name: "disk that cannot be written", replace: "$DIR/gatehouse.db", with: "/proc/gatehouse.db", want: []string{"/proc/gatehouse.db"}},
		{name: "unset secret variable", replace: "secret app-secret-0123456789", with: "secret {env.GATEHOUSE_TEST_UNSET}", want: []string{"client app", "secret", "{env.GATEHOUSE_TEST_UNSET} is empty or not set"}},
		{name: "secret file that is not there", replace: "secret app-secret-0123456789", with: "secret {file.$DIR/nothing}", want: []string{"client app", "is empty or cannot be read"}},
		{name: "secret from a request", replace: "secret app-secret-0123456789", with: "secret {http.request.header.X}", want: []string{"client app", "is not expanded here"}},
		{name: "secret too short after expansion", before: func(t *testing.T, s *server) {
			if err := os.WriteFile(filepath.Join(s.dir, "short"), []byte("short\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, replace: "secret app-secret-0123456789", with: "secret {file.$DIR/short}", want: []string{"app", "16 characters"}},
		{name: "secret whose variable holds a placeholder", before: func(t *testing.T, s *server) {
			if err := os.WriteFile(filepath.Join(s.dir, "nested"), []byte("{env.SOMETHING_THAT_IS_LONG}\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, replace: "secret app-secret-0123456789", with: "secret {file.$DIR/nested}", want: []string{"app", "was not replaced"}},
		{name: "placeholder without its brace", replace: "secret app-secret-0123456789", with: `secret "{env.GATEHOUSE_TEST_SECRET"`, want: []string{"Caddyfile:", "closing brace"}},
		{name: "hash of an unset variable", replace: "secret app-secret-0123456789", with: "secret_hash sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", want: []string{"Caddyfile:", "digest of nothing"}},
		{name: "claim that nobody has", replace: "scopes read\n	}", with: "identity {\n			X-User colour\n		}\n	}", want: []string{"colour"}},
		{name: "guard in a named route that cannot protect the site", replace: "http://$APP {\n	bind 127.0.0.1\n	guard {\n		scopes read\n	}\n", with: "&(protected) {\n	guard\n}\nhttp://:$PORT {\n	bind 127.0.0.1\n	handle /api/* {\n		invoke protected\n	}\n", want: []string{"a guard in a named route cannot keep forged identity headers"}},
		{name: "order that puts the guard last", replace: "persist_config off\n", with: "persist_config off\n	order guard last\n", want: []string{"no request gets to this guard: reverse_proxy ", "Leave out `order guard`"}},
		{name: "guard written last in a route", replace: "guard {\n		scopes read\n	}\n	reverse_proxy $UP\n", with: "route {\n		reverse_proxy $UP\n		guard\n	}\n", want: []string{"no request gets to this guard: reverse_proxy "}},
		{name: "guard of an unknown realm", replace: "scopes read\n	}", with: "accept dmeo\n	}", want: []string{"Caddyfile:", "dmeo", "demo"}},
		{name: "misspelt word", replace: "scopes read\n	}", with: "scope read\n	}", want: []string{"Caddyfile:", "scope", "did you mean", "scopes"}},
		{name: "port taken", before: func(t *testing.T, s *server) {
			l, err := net.Listen("tcp", s.vars["APP"])
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
		}, want: []string{"address already in use"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newServer(t)
			_, s.vars["PORT"], _ = net.SplitHostPort(s.vars["APP"])
			config := mainJob
			if c.replace != "" {
				if !strings.Contains(config, c.replace) {
					t.Fatal("the test's own replacement does not fit")
				}
				config = strings.Replace(config, c.replace, c.with, 1)
			}
			if c.before != nil {
				c.before(t, s)
			}
			err := s.tryStart(config)
			if err == nil {
				t.Fatal("it started")
			}
			for _, want := range c.want {
				if !strings.Contains(s.output.String(), want) {
					t.Errorf("its output does not say %q:\n%s", want, s.output)
				}
			}
		})
	}
}

// A second process on the same file is refused; the first one goes on.
func TestOneProcessPerFile(t *testing.T) {
	s := newServer(t).start(mainJob)
	second := newServer(t)
	second.vars["DIR"] = s.dir
	if err := second.tryStart(mainJob); err == nil || !strings.Contains(second.output.String(), "another process") {
		t.Errorf("the second process: %v\n%s", err, second.output)
	}
	if a := s.app(s.token(appCredentials)); a.status != 200 {
		t.Errorf("the first process answers %d", a.status)
	}
}

// `caddy validate` opens and creates nothing, on a machine where nothing is there yet.
func TestValidateCreatesNothing(t *testing.T) {
	s := newServer(t)
	path := s.write(strings.Replace(mainJob, "$DIR/gatehouse.db", "$DIR/new/gatehouse.db", 1))
	out, err := s.command(t.Context(), "validate", "--config", path, "--adapter", "caddyfile").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Valid configuration") {
		t.Fatalf("%v\n%s", err, out)
	}
	err = filepath.WalkDir(s.dir, func(p string, _ os.DirEntry, err error) error {
		if strings.Contains(filepath.Base(p), "gatehouse.db") || filepath.Base(p) == "new" {
			t.Errorf("%s was created", p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	bad := s.write(strings.Replace(mainJob, "secret app-secret-0123456789", "secret {env.GATEHOUSE_TEST_UNSET}", 1))
	if out, err := s.command(t.Context(), "validate", "--config", bad, "--adapter", "caddyfile").CombinedOutput(); err == nil {
		t.Errorf("an unset secret passes validation:\n%s", out)
	}
}

// The database and what SQLite puts beside it are the owner's alone.
func TestDatabaseFilesArePrivate(t *testing.T) {
	s := newServer(t).start(mainJob)
	s.token(appCredentials)
	files, _ := filepath.Glob(filepath.Join(s.dir, "gatehouse.db*"))
	if len(files) < 3 {
		t.Errorf("only %v", files)
	}
	for _, f := range files {
		if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", f, info.Mode(), err)
		}
	}
}

// Requests of the wrong size, form and kind get a clear answer and harm nothing.
func TestBadRequests(t *testing.T) {
	s := newServer(t).start(mainJob)
	auth, app := "http://"+s.vars["AUTH"], "http://"+s.vars["APP"]+"/"
	for _, c := range []struct {
		name, method, url, body string
		headers                 []string
		status                  int
		want                    string
	}{
		{"body over the limit", "POST", auth + "/oauth2/token", "grant_type=client_credentials&x=" + strings.Repeat("x", 70_000), []string{"Content-Type", form}, 413, `"error":`},
		{"body over the limit to introspect", "POST", auth + "/oauth2/introspect", "token=" + strings.Repeat("x", 70_000), []string{"Content-Type", form}, 413, `"error":`},
		{"body over the limit to revoke", "POST", auth + "/oauth2/revoke", "token=" + strings.Repeat("x", 70_000), []string{"Content-Type", form}, 413, `"error":`},
		{"no content type", "POST", auth + "/oauth2/token", "grant_type=client_credentials", nil, 400, "invalid_request"},
		{"bytes that are not text", "POST", auth + "/oauth2/token", appCredentials + "&grant_type=%ff%fe", []string{"Content-Type", form}, 400, "invalid_request"},
		{"a NUL", "POST", auth + "/oauth2/token", appCredentials + "&grant_type=client_credentials%00", []string{"Content-Type", form}, 400, "invalid_request"},
		{"a thousand resources", "POST", auth + "/oauth2/token", appCredentials + "&grant_type=client_credentials" + strings.Repeat("&resource=https://a.example/", 1000), []string{"Content-Type", form}, 400, "invalid_"},
		{"two Authorization fields", "POST", auth + "/oauth2/token", "grant_type=client_credentials", []string{"Content-Type", form, "Authorization", "Basic YTpi", "Authorization", "Basic YTpi"}, 400, "invalid_request"},
		{"guard: a token of 20 KB", "GET", app, "", []string{"Authorization", "Bearer " + strings.Repeat("x", 20_000)}, 401, ""},
		{"guard: fifteen thousand dots", "GET", app, "", []string{"Authorization", "Bearer " + strings.Repeat(".", 15_000)}, 401, ""},
		{"guard: two credentials", "GET", app, "", []string{"Authorization", "Bearer a", "Authorization", "Bearer b"}, 400, ""},
		{"guard: joined credentials", "GET", app, "", []string{"Authorization", "Bearer a, Bearer b"}, 400, ""},
		{"guard: no token after the scheme", "GET", app, "", []string{"Authorization", "Bearer "}, 400, ""},
		{"guard: junk", "GET", app, "", []string{"Authorization", "Bearer junk"}, 401, ""},
		{"guard: a token in the query is not looked at", "GET", app + "?access_token=x", "", nil, 401, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := send(t, c.method, c.url, c.body, c.headers...)
			if a.status != c.status || !strings.Contains(a.body, c.want) {
				t.Errorf("%d %.200q, want %d with %q", a.status, a.body, c.status, c.want)
			}
		})
	}
	if a := s.app(s.token(appCredentials)); a.status != 200 {
		t.Errorf("afterwards a good request gets %d", a.status)
	}
}

// Trace and connect never pass a guard.
func TestMethodsThatNeverPass(t *testing.T) {
	s := newServer(t).start(mainJob)
	token := s.token(appCredentials)
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodTrace, "http://"+s.vars["APP"]+"/", nil)
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("TRACE: %d", resp.StatusCode)
	}
}
