package tests

import (
	"path/filepath"
	"strings"
	"testing"
)

// The database cannot be written: each dialect says so in its own form, hands out
// nothing, and is well again when the disk is.
func TestDialectsOnAFullDisk(t *testing.T) {
	s := newServer(t)
	u := s.withUpstreams()
	disk := filepath.Join(s.dir, "disk")
	inside := s.onSmallDisk(disk, upstreamLogins)
	calls := map[string]struct {
		call   func() answer
		status int
		form   string
	}{
		"golem": {func() answer {
			return send(t, "POST", s.auth("/v1/oauth2?provider=github&access_token="+u.github.Token("ada", "gatehouse-github")), "")
		}, 500, `{"error":"`},
		"gmi": {func() answer {
			return send(t, "POST", s.auth("/api/v1/me/auth-tokens"), `{"email":"ada@corp.example","password":"ada's password 1"}`, "Content-Type", "application/json")
		}, 500, `{"group":"user","code":1200,`},
		"keycloak": {func() answer {
			return send(t, "POST", s.auth("/auth/api/v1/oauth/connect/user/login"), "username=ada&password=ada%27s+password+1", "Content-Type", form)
		}, 503, `{"detail":"`},
		"pakt": {func() answer {
			data := send(t, "GET", s.auth("/v1/auth/google/oauth/generate-state"), "").json(t)["data"].(map[string]any)
			_, query, _ := strings.Cut(send(t, "GET", data["googleAuthUrl"].(string)+"&as=ada", "").header.Get("Location"), "?")
			return send(t, "POST", s.auth("/v1/auth/google/oauth/validate-state?"+query), "")
		}, 503, `{"status":"error","message":"`},
	}
	for dialect, c := range calls {
		if a := c.call(); a.status >= 400 {
			t.Fatalf("%s before: %d %s", dialect, a.status, a.body)
		}
	}
	inside("cat /dev/zero > " + disk + "/fill 2>/dev/null")
	for dialect, c := range calls {
		var a answer
		for range 400 { // SQLite has some room of its own before it meets the end
			if a = c.call(); a.status >= 400 {
				break
			}
		}
		if a.status != c.status || !strings.HasPrefix(a.body, c.form) || a.header.Get("Retry-After") == "" || strings.Contains(a.body, "disk") {
			t.Errorf("%s: %d %v %s", dialect, a.status, a.header, a.body)
		}
	}
	inside("rm " + disk + "/fill")
	for dialect, c := range calls {
		if a := c.call(); a.status >= 400 {
			t.Errorf("%s with room again: %d %s", dialect, a.status, a.body)
		}
	}
}
