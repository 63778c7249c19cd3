package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// The test binary is also the fake of xcaddy and of go: under one of these names it
// records how it was called. GATEHOUSE_FAKE_LOG is where; GATEHOUSE_FAKE_HANG and
// GATEHOUSE_FAKE_FAIL name the first argument at which it hangs or fails.
func TestMain(m *testing.M) {
	if log := os.Getenv("GATEHOUSE_FAKE_LOG"); log != "" {
		if name := filepath.Base(os.Args[0]); name == "xcaddy" || name == "go" {
			os.Exit(fake(name, log))
		}
	}
	os.Exit(m.Run())
}

// call is one call of a fake.
type call struct {
	Name, Dir string
	Args, Env []string
	Files     []string // in Dir
}

func fake(name, log string) int {
	dir, err := os.Getwd()
	if err != nil {
		return 3
	}
	c := call{Name: name, Dir: dir, Args: os.Args[1:], Env: os.Environ()}
	if entries, err := os.ReadDir(dir); err == nil && name == "go" {
		for _, e := range entries {
			c.Files = append(c.Files, e.Name())
		}
	}
	record(log, c)
	verb := os.Args[1]
	if verb == os.Getenv("GATEHOUSE_FAKE_FAIL") {
		fmt.Fprintln(os.Stderr, "the fake fails")
		return 4
	}
	if verb == os.Getenv("GATEHOUSE_FAKE_HANG") {
		return hang(name, log)
	}
	for i, arg := range os.Args[:len(os.Args)-1] {
		if arg == "-o" || arg == "--output" {
			if err := os.WriteFile(os.Args[i+1], []byte("binary"), 0o700); err != nil {
				return 3
			}
		}
	}
	return 0
}

func record(log string, c call) {
	text, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	f, err := os.OpenFile(log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	if _, err := f.Write(append(text, '\n')); err != nil {
		panic(err)
	}
}

// hang waits for an interrupt. As xcaddy does, that one starts a go command and
// takes no notice of the interrupt itself, only of the end of its child.
func hang(name, log string) int {
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt)
	if name == "xcaddy" {
		child := exec.Command(filepath.Join(filepath.Dir(os.Args[0]), "go"), "build")
		child.Stdout = os.Stdout
		_ = child.Run()
		return 5
	}
	fmt.Println("ready")
	<-interrupted
	record(log, call{Name: "interrupted"})
	return 6
}

// workshop is a folder with an xcaddy.json and fakes on the PATH.
type workshop struct {
	dir, log, tmp string
}

func newWorkshop(t *testing.T, file string, tools ...string) workshop {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w := workshop{dir: t.TempDir(), tmp: t.TempDir()}
	w.log = filepath.Join(w.tmp, "..", "calls-"+filepath.Base(w.dir))
	t.Cleanup(func() { os.Remove(w.log) })
	bin := t.TempDir()
	for _, tool := range slices.Compact(tools) {
		if err := os.Symlink(self, filepath.Join(bin, tool)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin)
	t.Setenv("TMPDIR", w.tmp)
	t.Setenv("GATEHOUSE_FAKE_LOG", w.log)
	t.Setenv("GORACE", "atexit_sleep_ms=0") // else each fake takes a second more under the race detector
	t.Setenv("XCADDY_DEBUG", "1")           // of an earlier hour; must not reach the build
	t.Setenv("CGO_ENABLED", "1")            // likewise
	t.Setenv("GOWORK", "/no/such/go.work")  // likewise
	writeFile(t, filepath.Join(w.dir, "xcaddy.json"), file)
	writeFile(t, filepath.Join(w.dir, "go.mod"), "module github.com/gatehouse-auth/gatehouse\n")
	t.Chdir(w.dir)
	return w
}

func (w workshop) calls(t *testing.T) []call {
	t.Helper()
	text, err := os.ReadFile(w.log)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	var list []call
	for dec := json.NewDecoder(bytes.NewReader(text)); ; {
		var c call
		if err := dec.Decode(&c); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, c)
	}
}

// left lists what a build left in the temporary folder.
func (w workshop) left(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(w.tmp)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

const checkoutFile = `{
	"caddy_version": "v2.11.9",
	"plugins": [{"module_path": "github.com/gatehouse-auth/gatehouse/caddymodule"}],
	"replacements": [{"old": "github.com/gatehouse-auth/gatehouse", "new": "."}]
}`

func gatehouseBuild(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(ctx, args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestUsesXcaddyWhenItIsThere(t *testing.T) {
	w := newWorkshop(t, checkoutFile, "xcaddy", "go")
	code, _, stderr := gatehouseBuild(t.Context())
	if code != exitBuilt {
		t.Fatalf("%d: %s", code, stderr)
	}
	calls := w.calls(t)
	if len(calls) != 1 || calls[0].Name != "xcaddy" {
		t.Fatalf("calls: %+v", calls)
	}
	cwd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"build", "v2.11.9", "--with", "github.com/gatehouse-auth/gatehouse/caddymodule", "--replace", "github.com/gatehouse-auth/gatehouse=" + cwd, "--output", filepath.Join(cwd, "gatehouse")}
	if !slices.Equal(calls[0].Args, want) {
		t.Errorf("got  %q\nwant %q", calls[0].Args, want)
	}
	for _, a := range calls[0].Env {
		if strings.HasPrefix(a, "XCADDY_DEBUG=") || a == "CGO_ENABLED=1" {
			t.Errorf("%s of the caller reached the build", a)
		}
	}
	if !strings.Contains(stderr, "built "+filepath.Join(cwd, "gatehouse")) {
		t.Errorf("it does not say what it built: %s", stderr)
	}
}

func TestDoesTheStepsWithoutXcaddy(t *testing.T) {
	for _, tc := range []struct {
		name  string
		tools []string
		args  []string
	}{
		{"it is not there", []string{"go"}, nil},
		{"it is not wanted", []string{"go", "xcaddy"}, []string{"-no-xcaddy"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorkshop(t, checkoutFile, tc.tools...)
			output := filepath.Join(w.dir, "sub", "my gate")
			if err := os.Mkdir(filepath.Dir(output), 0o700); err != nil {
				t.Fatal(err)
			}
			code, _, stderr := gatehouseBuild(t.Context(), append(tc.args, "-output", "sub/my gate")...)
			if code != exitBuilt {
				t.Fatalf("%d: %s", code, stderr)
			}
			var verbs []string
			for _, c := range w.calls(t) {
				verbs = append(verbs, c.Name+" "+c.Args[0])
				if !slices.Contains(c.Files, "main.go") || !slices.Contains(c.Env, "CGO_ENABLED=0") || !slices.Contains(c.Env, "GOWORK=off") {
					t.Errorf("%q ran in %s with %q, %q", c.Args, c.Dir, c.Files, c.Env)
				}
			}
			if want := []string{"go mod", "go mod", "go get", "go get", "go build"}; !slices.Equal(verbs, want) {
				t.Errorf("calls: %q", verbs)
			}
			if text, err := os.ReadFile(output); err != nil || string(text) != "binary" {
				t.Errorf("%q, %v", text, err)
			}
			if left := w.left(t); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
			if !strings.Contains(stderr, "gatehouse-build: 5/5 compiling") {
				t.Errorf("no progress: %s", stderr)
			}
		})
	}
}

func TestKeepsTheFolderWhenAsked(t *testing.T) {
	for field, compiled := range map[string]bool{"skip_cleanup": true, "skip_build": false} {
		t.Run(field, func(t *testing.T) {
			w := newWorkshop(t, `{"`+field+`": true}`, "go")
			code, _, stderr := gatehouseBuild(t.Context())
			if code != exitBuilt {
				t.Fatalf("%d: %s", code, stderr)
			}
			left := w.left(t)
			if len(left) != 1 || !strings.Contains(stderr, filepath.Join(w.tmp, left[0])+" stays") {
				t.Errorf("left %q and said %s", left, stderr)
			}
			if _, err := os.Stat("gatehouse"); (err == nil) != compiled {
				t.Errorf("the binary: %v", err)
			}
		})
	}
}

// A failed step ends the build with the step's own words and leaves nothing.
func TestFailingStep(t *testing.T) {
	w := newWorkshop(t, checkoutFile, "go")
	t.Setenv("GATEHOUSE_FAKE_FAIL", "get")
	code, _, stderr := gatehouseBuild(t.Context())
	if code != exitFailed || !strings.Contains(stderr, "the fake fails") || !strings.Contains(stderr, "go get github.com/caddyserver/caddy/v2@v2.11.9: exit status 4") {
		t.Errorf("%d: %s", code, stderr)
	}
	if n, left := len(w.calls(t)), w.left(t); n != 3 || len(left) > 0 {
		t.Errorf("%d calls, left %q", n, left)
	}
}

func TestFailingXcaddyNamesTheOtherWay(t *testing.T) {
	newWorkshop(t, checkoutFile, "xcaddy")
	t.Setenv("GATEHOUSE_FAKE_FAIL", "build")
	if code, _, stderr := gatehouseBuild(t.Context()); code != exitFailed || !strings.Contains(stderr, "-no-xcaddy") {
		t.Errorf("%d: %s", code, stderr)
	}
}

func TestDeadlines(t *testing.T) {
	for _, tc := range []struct{ field, hangs, tool string }{
		{"timeout_get", "get", "go"},
		{"timeout_build", "get", "go"},
		{"timeout_build", "build", "go"},
		{"timeout_build", "build", "xcaddy"},
	} {
		t.Run(tc.field+" while "+tc.tool+" "+tc.hangs, func(t *testing.T) {
			w := newWorkshop(t, `{"`+tc.field+`": 300000000}`, tc.tool, "go")
			t.Setenv("GATEHOUSE_FAKE_HANG", tc.hangs)
			code, _, stderr := gatehouseBuild(t.Context())
			if code != exitFailed || !strings.Contains(stderr, "stopped: "+tc.field+", 300ms, is over") {
				t.Errorf("%d: %s", code, stderr)
			}
			if left := w.left(t); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

// tripwire calls a function at the first write.
type tripwire struct {
	once sync.Once
	f    func()
}

func (w *tripwire) Write(p []byte) (int, error) {
	w.once.Do(w.f)
	return len(p), nil
}

// xcaddy does not hand an interrupt on to the go command that it waits for. Whoever
// presses Ctrl-C must not be left with a compiler running unseen.
func TestInterruptReachesGrandchildren(t *testing.T) {
	w := newWorkshop(t, checkoutFile, "xcaddy", "go")
	t.Setenv("GATEHOUSE_FAKE_HANG", "build")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stderr bytes.Buffer
	code := run(ctx, nil, &tripwire{f: cancel}, &stderr) // its go command said that it is ready
	if code != exitFailed || !strings.Contains(stderr.String(), "stopped: context canceled") {
		t.Errorf("%d: %s", code, stderr.String())
	}
	calls := w.calls(t)
	if calls[len(calls)-1].Name != "interrupted" {
		t.Errorf("the go command was not interrupted: %+v", calls)
	}
}

// -print does nothing.
func TestPrint(t *testing.T) {
	w := newWorkshop(t, checkoutFile, "xcaddy", "go")
	code, stdout, stderr := gatehouseBuild(t.Context(), "-print")
	if want := " build v2.11.9 --with github.com/gatehouse-auth/gatehouse/caddymodule --replace "; code != exitBuilt || !strings.HasPrefix(stdout, "CGO_ENABLED=0 GOWORK=off XCADDY_DEBUG='' ") || !strings.Contains(stdout, want) {
		t.Errorf("%d: %s%s", code, stdout, stderr)
	}
	code, stdout, stderr = gatehouseBuild(t.Context(), "-print", "-no-xcaddy")
	for _, want := range []string{"set -e\nfolder=$(mktemp -d)\ntrap 'rm -rf \"$folder\"' EXIT\ncd \"$folder\"\n", "\t_ \"github.com/gatehouse-auth/gatehouse/caddymodule\"\n", "\nexport CGO_ENABLED=0 GOWORK=off\ngo mod init caddy\n", "\ngo build -o "} {
		if code != exitBuilt || !strings.Contains(stdout, want) {
			t.Errorf("%d: no %q in %s%s", code, want, stdout, stderr)
		}
	}
	if calls, left := w.calls(t), w.left(t); len(calls) > 0 || len(left) > 0 {
		t.Errorf("it did something: %+v, %q", calls, left)
	}
	if _, err := os.Stat("gatehouse"); err == nil {
		t.Error("it built something")
	}
}

func TestCommandLine(t *testing.T) {
	for _, tc := range []struct {
		name string
		args []string
		code int
		say  string
	}{
		{"help", []string{"-h"}, exitBuilt, "Usage: gatehouse-build"},
		{"an unknown flag", []string{"-with", "x"}, exitUsage, "flag provided but not defined: -with"},
		{"an argument", []string{"v2.11.9"}, exitUsage, `takes no argument "v2.11.9"`},
		{"no file", []string{"-config", "nowhere.json"}, exitFailed, "there is no nowhere.json here"},
		{"a folder to make", []string{"-output", "."}, exitFailed, "is a folder; -output names a file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			newWorkshop(t, checkoutFile, "go")
			if code, _, stderr := gatehouseBuild(t.Context(), tc.args...); code != tc.code || !strings.Contains(stderr, tc.say) {
				t.Errorf("%d: %s", code, stderr)
			}
		})
	}
}

// The file system of embed_dir, as it is written into a build, fits Caddy.
func TestEmbedSourceCompiles(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}",
		"github.com/caddyserver/caddy/v2", "github.com/caddyserver/caddy/v2/caddyconfig/caddyfile", "embed").Output()
	if err != nil {
		t.Fatal(err)
	}
	exports := map[string]string{}
	for l := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(l), " ")
		exports[path] = file
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, "embed.go", embedSource(&build{caddyVersion: "v2.11.9"}), parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	conf := types.Config{Importer: importer.ForCompiler(set, "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(exports[path])
	})}
	if _, err := conf.Check("main", set, []*ast.File{file}, nil); err != nil {
		t.Error(err)
	}
}
