package tests

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What README and docs/build.md promise: in a checkout, gatehouse-build makes, from
// xcaddy.json and without xcaddy, a Caddy that has our modules. It is built with the
// flags of a release, so nothing of the other tests' build is used again: with
// nothing compiled before, this takes minutes.
func TestBuildFromXcaddyJSON(t *testing.T) {
	root := ".."
	made := filepath.Join(t.TempDir(), "gatehouse")
	in := func(limit time.Duration, name string, args ...string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Dir = root
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	in(25*time.Minute, "go", "run", "./cmd/gatehouse-build", "-no-xcaddy", "-output", made)

	lines := strings.Split(in(time.Minute, made, "list-modules"), "\n")
	has := map[string]bool{}
	for _, l := range lines {
		has[strings.TrimSpace(l)] = true
	}
	for _, id := range []string{
		"gatehouse", "http.handlers.gatehouse", "http.handlers.gatehouse_guard", "http.handlers.gatehouse_strip",
		"http.handlers.reverse_proxy", // Caddy's own are there too
	} {
		if !has[id] {
			t.Errorf("list-modules has no %s:\n%s", id, strings.Join(lines, "\n"))
		}
	}

	caddy := strings.TrimSpace(string(goCommand(t, "list", "-m", "-f", "{{.Version}}", "github.com/caddyserver/caddy/v2")))
	if version := in(time.Minute, made, "version"); !strings.HasPrefix(version, caddy+" ") {
		t.Errorf("version says %q, go.mod %s", version, caddy)
	}
	info := in(time.Minute, made, "build-info")
	for _, want := range []string{"dep\t" + module + "\t", "build\tCGO_ENABLED=0\n", "build\t-tags=nobadger,nomysql,nopgx\n", "build\t-trimpath=true\n"} {
		if !strings.Contains(info, want) {
			t.Errorf("build-info has no %q:\n%s", want, info)
		}
	}
	in(time.Minute, made, "adapt", "--config", "Caddyfile.example")
}
