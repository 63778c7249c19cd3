package tests

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Each folder of examples does what its README says: the fakes as they are started
// there, its Caddyfile as it stands, and its walk.
func TestExamples(t *testing.T) {
	walks, err := filepath.Glob("../examples/*/try.sh")
	if err != nil || len(walks) < 5 {
		t.Fatal("too few examples", walks, err)
	}
	fakes := filepath.Join(t.TempDir(), "upstreams")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", fakes, "./upstreams").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, walk := range walks {
		t.Run(filepath.Base(filepath.Dir(walk)), func(t *testing.T) {
			caddyfile, err := os.ReadFile(filepath.Join(filepath.Dir(walk), "Caddyfile"))
			if err != nil {
				t.Fatal(err)
			}
			up := exec.CommandContext(t.Context(), fakes)
			if err := up.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				_ = up.Process.Kill()
				_ = up.Wait()
			})
			s := newServer(t).start(string(caddyfile))
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if out, err := exec.CommandContext(ctx, "bash", walk).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s\n%s", err, out, s.output)
			}
		})
	}
}
