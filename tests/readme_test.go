package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The README's own commands, run as they stand there against Caddyfile.example as
// it stands here, answer as printed.
func TestReadmeCommands(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("../Caddyfile.example")
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(readme), "```console\n$ curl")
	block, _, closed := strings.Cut("$ curl"+block, "```")
	if !found || !closed {
		t.Fatal("the README has no console block that begins with a curl")
	}
	newServer(t).start(string(example))

	script, want := "", ""
	for line := range strings.Lines(block) {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			script += command
		} else if command, ok := strings.CutPrefix(line, "> "); ok {
			script += command
		} else {
			want += line
		}
	}
	if strings.Count(script, "curl") < 4 {
		t.Errorf("only these commands: %s", script)
	}
	out, err := exec.CommandContext(t.Context(), "bash", "-eu", "-c", script).CombinedOutput()
	if err != nil || normal(string(out)) != normal(want) {
		t.Errorf("%v\ngot:\n%s\nwant:\n%s", err, normal(string(out)), normal(want))
	}
}

// normal takes away line ends of HTTP and blank lines.
func normal(s string) string {
	var kept []string
	for line := range strings.Lines(s) {
		if line = strings.TrimRight(line, " \r\n"); line != "" {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

// Every Caddyfile of the documentation is a valid configuration.
func TestDocumentedCaddyfiles(t *testing.T) {
	files, err := filepath.Glob("../docs/*.md")
	if err != nil || len(files) == 0 {
		t.Fatal("no documentation", err)
	}
	tried := 0
	for _, file := range append(files, "../README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, rest := range strings.Split(string(text), "```caddyfile\n")[1:] {
			block, _, _ := strings.Cut(rest, "```")
			if !strings.Contains(block, "gatehouse {") || !strings.HasPrefix(strings.TrimSpace(block), "{") {
				continue // a fragment
			}
			tried++
			s := newServer(t)
			for _, name := range regexp.MustCompile(`\{file\./run/secrets/(\w+)\}`).FindAllStringSubmatch(block, -1) {
				if err := os.WriteFile(filepath.Join(s.dir, name[1]), []byte("documented-secret-0123\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			block = strings.ReplaceAll(block, "{file./run/secrets/", "{file."+s.dir+"/")
			cmd := s.command(t.Context(), "validate", "--config", s.write(block), "--adapter", "caddyfile")
			for _, name := range regexp.MustCompile(`\{env\.(\w+)\}`).FindAllStringSubmatch(block, -1) {
				cmd.Env = append(cmd.Env, name[1]+"=documented-"+name[1]+"-0123")
			}
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s, block %d: %v\n%s\n%s", file, i+1, err, block, out)
			}
		}
	}
	if tried == 0 {
		t.Error("no complete Caddyfile was found")
	}
}
