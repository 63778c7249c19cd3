package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// everything has each field of xcaddy.Builder's JSON.
const everything = `{
	"os": "linux", "arch": "arm", "arm": "7", "cgo": true,
	"caddy_version": "v2.11.9",
	"plugins": [
		{"module_path": "example.com/a", "version": "v1.2.3"},
		{"module_path": "example.com/b", "version": "v3.0.0"},
		{"module_path": "example.com/c/caddy"}
	],
	"replacements": [
		{"old": "example.com/c", "new": "./c"},
		{"old": "example.com/d@v1.0.0", "new": "example.com/fork@v1.0.1"}
	],
	"timeout_get": 60000000000,
	"timeout_build": 600000000000,
	"race_detector": true,
	"skip_cleanup": true,
	"skip_build": true,
	"debug": true,
	"build_flags": "-tags 'a b' -v",
	"mod_flags": "-x",
	"pgo_profile": "cpu.pgo",
	"embed_dir": [{"dir": "site", "name": "www"}, {"dir": "other"}]
}`

func everythingRead() *build {
	return &build{
		os: "linux", arch: "arm", arm: "7", cgo: true,
		caddyVersion: "v2.11.9",
		plugins:      []plugin{{"example.com/a", "v1.2.3"}, {"example.com/b/v3", "v3.0.0"}, {"example.com/c/caddy", ""}},
		replacements: []replacement{{"example.com/c", "./c", true}, {"example.com/d@v1.0.0", "example.com/fork@v1.0.1", false}},
		timeoutGet:   time.Minute, timeoutBuild: 10 * time.Minute,
		race: true, skipCleanup: true, skipBuild: true, debug: true,
		buildFlags: "-tags 'a b' -v", modFlags: "-x", pgoProfile: "cpu.pgo",
		embeds: []embedDir{{"site", "www"}, {"other", ""}},
	}
}

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       *build
	}{
		{"everything", everything, everythingRead()},
		{"nothing", `{}`, &build{caddyVersion: "latest"}},
		{"empty texts are as none", `{"os": "", "caddy_version": "", "build_flags": ""}`, &build{caddyVersion: "latest"}},
		{"a branch", `{"caddy_version": "master"}`, &build{caddyVersion: "master"}},
		{"a commit", `{"caddy_version": "a58f240d3ecbb59285303746406cab50217f8d24"}`, &build{caddyVersion: "a58f240d3ecbb59285303746406cab50217f8d24"}},
		{"a candidate", `{"caddy_version": "v2.12.0-beta.1"}`, &build{caddyVersion: "v2.12.0-beta.1"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := parse("x.json", []byte(tc.text))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got  %+v\nwant %+v", got, tc.want)
			}
		})
	}
}

// What is refused, and in which words: one error per line of want.
func TestParseRefuses(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"empty", ``, `x.json:1: not JSON: unexpected end of JSON input`},
		{"not JSON", "{\n\"os\" \"linux\"}", `x.json:2: not JSON: invalid character '"' after object key`},
		{"two objects", "{}\n{}", `x.json:2: not JSON: invalid character '{' after top-level value`},
		{"a list", `[]`, `x.json:1: the file must be an object`},
		{"null", `null`, `x.json:1: the file must be an object`},
		{"not UTF-8", "{\"os\": \"\xff\"}", `x.json is not UTF-8`},

		{"a near word", "{\n\t\"plugin\": []\n}", `x.json:2: unknown field "plugin"; did you mean "plugins"?`},
		{"another case", `{"Caddy_Version": "v2.11.9"}`, `x.json:1: unknown field "Caddy_Version"; did you mean "caddy_version"?`},
		{"without underscore", `{"caddyversion": "v2.11.9"}`, `x.json:1: unknown field "caddyversion"; did you mean "caddy_version"?`},
		{"a word of other pages", `{"dependencies": [{"module": "example.com/a"}]}`, `x.json:1: unknown field "dependencies"; did you mean "plugins"?`},
		{"the Go name of a field", `{"plugins": [{"PackagePath": "example.com/a"}]}`, `x.json:1: unknown field "PackagePath" in plugins[0]; did you mean "module_path"?`},
		{"the README's name of a field", `{"plugins": [{"ModulePath": "example.com/a"}]}`, `x.json:1: unknown field "ModulePath" in plugins[0]; did you mean "module_path"?`},
		{"a strange word", `{"replacements": [{"colour": 1}]}`, `x.json:1: unknown field "colour" in replacements[0]; there are new, old`},
		{"a field for programs", `{"env": ["A=b"]}`, `x.json:1: "env" is for programs that call xcaddy.Builder themselves; a file cannot say it`},
		{"the output", `{"output": "caddy"}`, `x.json:1: unknown field "output"; the flag -output names the binary`},
		{"twice", "{\"os\": \"linux\",\n\"os\": \"darwin\"}", `x.json:2: os is there twice`},
		{"several", "{\"oss\": {\"a\": [1, {}]},\n\"debug\": 1,\n\"cgo\": \"yes\"}", `x.json:1: unknown field "oss"; did you mean "os"?
x.json:2: debug must be true or false
x.json:3: cgo must be true or false`},

		{"a number for a text", `{"os": 1}`, `x.json:1: os must be a text`},
		{"null for a text", `{"os": null}`, `x.json:1: os must be a text`},
		{"an object for a list", `{"plugins": {"module_path": "example.com/a"}}`, `x.json:1: plugins must be a list`},
		{"a text for an object", `{"plugins": ["example.com/a"]}`, `x.json:1: plugins[0] must be an object`},
		{"a control character", `{"build_flags": "-v\n-x"}`, `x.json:1: build_flags has a control character`},
		{"a long text", `{"build_flags": "` + strings.Repeat("x", maxText+1) + `"}`, `x.json:1: build_flags is longer than 4096 bytes`},

		{"a duration in words", `{"timeout_get": "10m"}`, `x.json:1: timeout_get must be a whole number of nanoseconds: write 600000000000 for 10m`},
		{"a duration in seconds", `{"timeout_build": 600}`, `x.json:1: timeout_build counts in nanoseconds: 600 is less than a millisecond; 600 s would be 600000000000`},
		{"a negative duration", `{"timeout_build": -1}`, `x.json:1: timeout_build must be a whole number of nanoseconds, at least 0`},
		{"a broken duration", `{"timeout_build": 1.5e12}`, `x.json:1: timeout_build must be a whole number of nanoseconds, at least 0`},
		{"a nonsense duration", `{"timeout_build": true}`, `x.json:1: timeout_build must be a whole number of nanoseconds`},

		{"half a version", `{"caddy_version": "v2.11"}`, `x.json:1: caddy_version: "v2.11" is not a whole version such as v1.2.3`},
		{"Caddy 1", `{"caddy_version": "v1.0.5"}`, `x.json:1: caddy_version: v1.0.5 has no modules; Caddy 2 or newer has`},
		{"a version query", `{"caddy_version": "<v2.11.9"}`, `x.json:1: caddy_version: "<v2.11.9" is not a version, branch or commit`},
		{"a system", `{"os": "Linux x"}`, "x.json:1: os: \"Linux x\" is not a name that `go tool dist list` knows"},
		{"an ARM version", `{"arm": "8"}`, `x.json:1: arm: "8" is not an ARM version: 5, 6 or 7`},
		{"ARM elsewhere", `{"arch": "amd64", "arm": "7"}`, `x.json:1: arm is a version of the architecture arm, and arch is amd64`},

		{"a plugin without path", `{"plugins": [{"version": "v1.0.0"}]}`, `x.json:1: plugins[0] has no module_path`},
		{"a plugin twice", `{"plugins": [{"module_path": "example.com/a"}, {"module_path": "example.com/a", "version": "v1.0.0"}]}`, `x.json:1: plugins[1]: example.com/a is there twice`},
		{"another major version", `{"plugins": [{"module_path": "example.com/a/v2", "version": "v3.0.0"}]}`, `x.json:1: plugins[0]: example.com/a/v2 is not of the version v3.0.0`},
		{"an address", `{"plugins": [{"module_path": "https://example.com/a"}]}`, `x.json:1: plugins[0].module_path: "https://example.com/a" is not the import path of a Go package`},

		{"half a replacement", `{"replacements": [{"old": "example.com/a"}]}`, `x.json:1: replacements[0] needs both old and new`},
		{"a replacement without version", `{"replacements": [{"old": "example.com/a", "new": "example.com/b"}]}`, `x.json:1: replacements[0].new: "example.com/b" has no version: write example.com/b@v1.2.3; a folder begins with ./ or ../ or is absolute`},
		{"a replacement twice", `{"replacements": [{"old": "example.com/a", "new": "."}, {"old": "example.com/a", "new": ".."}]}`, `x.json:1: replacements[1]: example.com/a is replaced twice`},

		{"an open quotation", `{"build_flags": "-tags 'a"}`, `x.json:1: build_flags: a quotation that begins with ' does not end`},
		{"an embedded name outside", `{"embed_dir": [{"dir": "a", "name": "../b"}]}`, `x.json:1: embed_dir[0].name: "../b" must be a name or relative path inside the binary`},
		{"an embedded name with a colon", `{"embed_dir": [{"dir": "a", "name": "b:c"}]}`, `x.json:1: embed_dir[0].name: "b:c" is not a plain name of letters, digits and ._~-/`},
		{"an embedded folder without path", `{"embed_dir": [{"name": "b"}]}`, `x.json:1: embed_dir[0] has no dir`},
		{"an embedded name twice", `{"embed_dir": [{"dir": "a"}, {"dir": "b"}]}`, `x.json:1: embed_dir[1]: two folders cannot have the same name ""`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := parse("x.json", []byte(tc.text))
			if err == nil {
				t.Fatal("accepted")
			}
			if err.Error() != tc.want {
				t.Errorf("got\n%v\nwant\n%s", err, tc.want)
			}
		})
	}
}

// A file that somebody else wrote must not become a flag of the go command or a line
// of the program that is compiled.
func TestParseKeepsOutInjection(t *testing.T) {
	const (
		path        = `{"plugins": [{"module_path": %s}]}`
		version     = `{"plugins": [{"module_path": "example.com/a", "version": %s}]}`
		old         = `{"replacements": [{"old": %s, "new": "."}]}`
		replacing   = `{"replacements": [{"old": "example.com/a", "new": %s}]}`
		caddy       = `{"caddy_version": %s}`
		system      = `{"os": %s}`
		innerFolder = `{"embed_dir": [{"dir": "a", "name": %s}]}`
	)
	for _, tc := range []struct {
		bad string
		in  []string
	}{
		{"-modfile=/etc/passwd", []string{path, version, old, replacing, caddy, system, innerFolder}},
		{"--output=/etc/passwd", []string{path, version, old, replacing, caddy, system, innerFolder}},
		{"-x", []string{path, version, old, replacing, caddy, system, innerFolder}},
		{`a"; import "os`, []string{path, version, old, replacing, caddy, system, innerFolder}},
		{"a`", []string{path, version, old, replacing, caddy, system, innerFolder}},
		{"a$(id)", []string{path, version, old, replacing, caddy, system, innerFolder}},
		{"a;id", []string{path, version, old, replacing, caddy, system, innerFolder}},
		{"a=b", []string{path, version, old, replacing, caddy, system, innerFolder}},
		{"a\u2028b", []string{path, version, old, replacing, caddy, system, innerFolder}},
		{"п", []string{path, version, old, replacing, caddy, system, innerFolder}},
		{"a b", []string{path, version, old, replacing, caddy, system}},
		{"../../a", []string{path, version, old, caddy, system, innerFolder}},
		{"/a", []string{path, version, old, caddy, system, innerFolder}},
		{"example.com//a", []string{path, old, replacing}},
		{"example.com/a/", []string{path, version, old, replacing, caddy}},
		{"example.com/a/../b", []string{path, old, replacing}},
		{"example.com/a@v1.0.0", []string{path, version, caddy}},
		{"example.com/a@-x", []string{path, version, old, replacing, caddy}},
		{"example.com/a@v1.0.0@v2.0.0", []string{path, version, old, replacing, caddy}},
		{"example.com/a@", []string{path, version, old, replacing, caddy}},
	} {
		for _, form := range tc.in {
			text := fmt.Sprintf(form, strconv.QuoteToGraphic(tc.bad))
			if _, err := parse("x.json", []byte(text)); err == nil {
				t.Errorf("%s was accepted", text)
			} else if strings.Contains(err.Error(), "not JSON") {
				t.Errorf("%s proves nothing: %v", text, err)
			}
		}
	}
}

// harmless reports whether nothing in a build can be taken for a flag or end a
// quotation in Go.
func harmless(b *build) bool {
	texts := []string{b.os, b.arch, b.arm, b.caddyVersion}
	for _, p := range b.plugins {
		texts = append(texts, p.path, p.version)
	}
	for _, r := range b.replacements {
		texts = append(texts, r.old)
		if !r.local {
			texts = append(texts, r.new)
		}
	}
	return !slices.ContainsFunc(texts, func(s string) bool {
		return strings.HasPrefix(s, "-") || strings.ContainsFunc(s, func(c rune) bool {
			return c <= ' ' || c > '~' || strings.ContainsRune("\"'`\\$=;<>|&*?(){}[]", c)
		})
	})
}

func TestParseBounds(t *testing.T) {
	if _, err := parse("x.json", []byte(`{"os": "linux"}`+strings.Repeat(" ", maxFile))); err == nil || err.Error() != "x.json is longer than 65536 bytes" {
		t.Errorf("a long file: %v", err)
	}
	many := strings.TrimSuffix(strings.Repeat(`{"dir": "a"},`, maxList+50), ",")
	_, err := parse("x.json", []byte(`{"embed_dir": [`+many+`]}`))
	if err == nil {
		t.Fatal("a long list was accepted")
	}
	if lines := strings.Count(err.Error(), "\n") + 1; lines != maxFaults+1 || !strings.HasSuffix(err.Error(), "more") {
		t.Errorf("%d lines of errors:\n%v", lines, err)
	}
	if _, err := parse("x.json", []byte(`{"a": `+strings.Repeat("[", 20000)+strings.Repeat("]", 20000)+`}`)); err == nil {
		t.Error("a deep file was accepted")
	}
}

// The project's own file is one of those that the program takes.
func TestOwnFile(t *testing.T) {
	root := filepath.Join("..", "..")
	b, err := readFile(filepath.Join(root, "xcaddy.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.resolve(root); err != nil {
		t.Fatal(err)
	}
	checkout, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	if want := []replacement{{"github.com/gatehouse-auth/gatehouse", checkout, true}}; !slices.Equal(b.replacements, want) {
		t.Errorf("the checkout is not what is built: %+v", b.replacements)
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	if line := "github.com/caddyserver/caddy/v2 " + b.caddyVersion + "\n"; !strings.Contains(string(mod), line) {
		t.Errorf("xcaddy.json builds on Caddy %s, and go.mod on another", b.caddyVersion)
	}
}

func TestReadFileThatIsNotThere(t *testing.T) {
	name := filepath.Join(t.TempDir(), "xcaddy.json")
	if _, err := readFile(name); err == nil || !strings.Contains(err.Error(), "-config") {
		t.Errorf("got %v", err)
	}
}

func TestResolve(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"c/go.mod", "site/index.html", "other/x", "cpu.pgo"} {
		writeFile(t, filepath.Join(dir, name), "")
	}
	b := everythingRead()
	if err := b.resolve(dir); err != nil {
		t.Fatal(err)
	}
	want := everythingRead()
	want.replacements[0].new = filepath.Join(dir, "c")
	want.embeds = []embedDir{{filepath.Join(dir, "site"), "www"}, {filepath.Join(dir, "other"), ""}}
	want.pgoProfile = filepath.Join(dir, "cpu.pgo")
	if !reflect.DeepEqual(b, want) {
		t.Errorf("got  %+v\nwant %+v", b, want)
	}

	empty := t.TempDir()
	err := everythingRead().resolve(empty)
	if err == nil {
		t.Fatal("nothing was missed")
	}
	for _, want := range []string{
		"replacements: example.com/c is to come from " + filepath.Join(empty, "c") + ", which has no go.mod",
		"embed_dir: there is no folder " + filepath.Join(empty, "site"),
		"embed_dir: there is no folder " + filepath.Join(empty, "other"),
		"pgo_profile: there is no file " + filepath.Join(empty, "cpu.pgo"),
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in\n%v", want, err)
		}
	}
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		everything, `{}`, `{"plugins": [{"module_path": "-x"}]}`, `{"replacements": [{"old": "a.b/c@v1", "new": "../x"}]}`,
		`{"a": [{}, [[]], {"b": {}}], "os": null}`, `{"timeout_get": 1e400}`, `{"embed_dir": [{"dir": ".", "name": "a/../.."}]}`, "\ufeff{}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := parse("x.json", text)
		if (b == nil) == (err == nil) {
			t.Fatalf("both or none: %v, %v", b, err)
		}
		if err != nil {
			return
		}
		if !harmless(b) {
			t.Fatalf("%q became %+v", text, b)
		}
		for _, e := range b.embeds {
			if e.name != "" && !filepath.IsLocal(e.name) {
				t.Fatalf("%q leads out of the folder", e.name)
			}
		}
		if _, err := steps(b, "/out"); err != nil {
			t.Fatalf("what was read cannot be built: %v", err)
		}
	})
}
