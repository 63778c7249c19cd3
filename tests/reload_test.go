package tests

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// A reload loses no token and no warm verdict of a realm that did not change; a
// refused one changes nothing at all.
func TestReloadKeepsWhatItCan(t *testing.T) {
	s := newServer(t).start(withMetrics)
	token := s.token(appCredentials)
	if a := s.app(token); a.status != 200 {
		t.Fatal(a)
	}
	lookups := s.metric("gatehouse_cache_lookups_total")
	for _, c := range []struct {
		name, config string
		refused      bool
	}{
		{"the same with another comment", "# again\n" + withMetrics, false},
		{"a misspelt word", strings.Replace(withMetrics, "scopes read\n	}", "scoops read\n	}", 1), true},
		{"an unset secret", strings.Replace(withMetrics, "secret other-secret-0123456789", "secret {env.GATEHOUSE_TEST_UNSET}", 1), true},
		{"another database that cannot be", strings.Replace(withMetrics, "$DIR/gatehouse.db", "/proc/gatehouse.db", 1), true},
	} {
		err := s.reload(c.config)
		if (err != nil) != c.refused {
			t.Fatalf("%s: %v", c.name, err)
		}
		if a := s.app(token); a.status != 200 {
			t.Errorf("%s: afterwards the token gets %d", c.name, a.status)
		}
		if n := s.metric("gatehouse_cache_lookups_total"); n != lookups {
			t.Errorf("%s: the verdict was looked up again", c.name)
		}
		if a := send(t, "GET", "http://"+s.vars["AUTH"]+"/healthz", ""); a.status != 200 {
			t.Errorf("%s: healthz %d", c.name, a.status)
		}
	}
}

// Attack 65 and 70: what a new configuration takes away is gone from its first
// request, cached or not, and comes back when it is put back.
func TestReloadWithChangedClient(t *testing.T) {
	s := newServer(t).start(mainJob)
	token := s.token(appCredentials)
	if a := s.app(token); a.status != 200 {
		t.Fatal(a)
	}
	for _, c := range []struct {
		name, replace, with string
		status              int
	}{
		{"disabled", "roles reader\n", "roles reader\n\t\t\t\tdisabled\n", 401},
		{"as it was", "", "", 200},
		{"without the scope", "scopes read write", "scopes write", 403},
		{"with a guard that wants more", "scopes read\n	}", "scopes read write admin\n	}", 403},
		{"with a guard for another role", "scopes read\n	}", "roles owner\n	}", 403},
		{"with a guard for another audience", "scopes read\n	}", "audience https://api.example.com/\n	}", 401},
		{"client removed", "client app {", "client renamed {", 401},
		{"as it was again", "", "", 200},
	} {
		if err := s.reload(strings.Replace(mainJob, c.replace, c.with, 1)); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if a := s.app(token); a.status != c.status {
			t.Errorf("%s: %d, want %d", c.name, a.status, c.status)
		}
	}
}

// Under load, no request of a client that did nothing wrong fails because of reloads,
// good ones and refused ones.
func TestReloadUnderLoad(t *testing.T) {
	s := newServer(t).start(mainJob)
	token := s.token(appCredentials)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var sent atomic.Int64
	for range 8 {
		wg.Go(func() {
			for ctx.Err() == nil {
				a, err := trySend(t.Context(), "GET", "http://"+s.vars["APP"]+"/", "", "Authorization", "Bearer "+token)
				if err != nil || a.status != 200 {
					t.Errorf("%v %d %s", err, a.status, a.header)
					return
				}
				sent.Add(1)
			}
		})
	}
	for i := range 20 {
		config := mainJob + strings.Repeat("# different\n", i)
		if i%4 == 3 {
			config = strings.Replace(config, "/gatehouse.db", "/no/such\x00.db", 1)
		}
		if err := s.reload(config); (err != nil) != (i%4 == 3) {
			t.Errorf("reload %d: %v", i, err)
		}
	}
	cancel()
	wg.Wait()
	if sent.Load() < 20 {
		t.Errorf("only %d requests were sent", sent.Load())
	}
}
