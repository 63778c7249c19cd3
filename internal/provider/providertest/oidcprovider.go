package providertest

import (
	"bufio"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The clients of the real provider, all confidential and with one secret. The first one's
// ID tokens are signed with RS256, the second one's with ES256; the third one gets tokens
// of its own (client_credentials). OtherClient is there too.
const (
	RealClient       = "gatehouse-oidc"
	RealClientES256  = "gatehouse-oidc-es256"
	RealRobot        = "gatehouse-robot"
	RealClientSecret = "oidc-secret-0123456789"
)

// The resources of the real provider (RFC 8707), with the scopes read and write. Access
// tokens for the first are JWTs, signed with ES256; those for the second are opaque.
const (
	RealJWTResource    = "https://jwt.example"
	RealOpaqueResource = "https://opaque.example"
)

// StartReal starts a real OpenID provider, the npm package oidc-provider as
// tests/oidcprovider has it, for the length of the test, and returns its issuer. It needs
// node and npm, and, the first time, the npm registry.
func StartReal(t *testing.T, redirectURIs ...string) (issuer string) {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%s is missing: install Node.js 20 or later with npm, for the real OpenID provider of tests/oidcprovider", tool)
		}
	}
	dir := filepath.Join(moduleRoot(t), "tests", "oidcprovider")
	install(t, dir)
	cmd := exec.CommandContext(t.Context(), "node", append([]string{"server.mjs", "0"}, redirectURIs...)...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	// The process ends with its standard input, also where this one is killed.
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		_ = cmd.Wait() // killed with the test's context
		if t.Failed() {
			t.Logf("oidc-provider said:\n%s", stderr.Bytes())
		}
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	issuer, ready := strings.CutPrefix(strings.TrimSpace(line), "ready ")
	if err != nil || !ready {
		t.Fatalf("oidc-provider does not start: %q %v", line, err)
	}
	return issuer
}

func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = up
	}
}

// install makes node_modules what the lock file says. It is made beside and renamed, so
// that tests of several packages may do so at once, and remembers which lock file it is
// of.
func install(t *testing.T, dir string) {
	t.Helper()
	lock, err := os.ReadFile(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	modules := filepath.Join(dir, "node_modules")
	const mark = ".installed-lock.json"
	if have, err := os.ReadFile(filepath.Join(modules, mark)); err == nil && bytes.Equal(have, lock) {
		return
	}
	fresh, err := os.MkdirTemp(dir, "node_modules.new-") //nolint:usetesting // a rename must not cross file systems
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(fresh)
	for _, name := range []string{"package.json", "package-lock.json"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(fresh, name), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = fresh
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm ci for tests/oidcprovider (it needs the npm registry once): %v\n%s", err, out)
	}
	made := filepath.Join(fresh, "node_modules")
	if err := os.WriteFile(filepath.Join(made, mark), lock, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(modules, filepath.Join(fresh, "old")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	// Another test may have been quicker: its folder is as good.
	if err := os.Rename(made, modules); err != nil && !errors.Is(err, fs.ErrExist) {
		t.Fatal(err)
	}
}
