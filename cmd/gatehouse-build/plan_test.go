package main

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The command line of xcaddy for a file, and the variables that go with it.
func TestXcaddyCommand(t *testing.T) {
	none := "CGO_ENABLED=0 GOWORK=off XCADDY_RACE_DETECTOR='' XCADDY_DEBUG='' XCADDY_GO_BUILD_FLAGS='' XCADDY_GO_MOD_FLAGS='' XCADDY_SKIP_BUILD='' XCADDY_SKIP_CLEANUP=''"
	for _, tc := range []struct {
		name      string
		b         *build
		args, env string
	}{
		{"nothing", &build{caddyVersion: "latest"}, "build latest --output /out", none},
		{
			"a checkout",
			&build{
				caddyVersion: "v2.11.9",
				plugins:      []plugin{{"github.com/gatehouse-auth/gatehouse/caddymodule", ""}},
				replacements: []replacement{{"github.com/gatehouse-auth/gatehouse", "/src/gate house", true}},
			},
			"build v2.11.9 --with github.com/gatehouse-auth/gatehouse/caddymodule --replace 'github.com/gatehouse-auth/gatehouse=/src/gate house' --output /out",
			none,
		},
		{
			"everything", everythingRead(),
			"build v2.11.9 --with example.com/a@v1.2.3 --with example.com/b/v3@v3.0.0 --with example.com/c/caddy " +
				"--replace example.com/c=./c --replace example.com/d@v1.0.0=example.com/fork@v1.0.1 " +
				"--embed www:site --embed :other --pgo cpu.pgo --output /out",
			"CGO_ENABLED=1 GOWORK=off GOOS=linux GOARCH=arm GOARM=7 XCADDY_RACE_DETECTOR=1 XCADDY_DEBUG=1 " +
				`XCADDY_GO_BUILD_FLAGS='-tags '\''a b'\'' -v' XCADDY_GO_MOD_FLAGS=-x XCADDY_SKIP_BUILD=1 XCADDY_SKIP_CLEANUP=1`,
		},
		{"the race detector needs cgo", &build{caddyVersion: "latest", race: true}, "build latest --output /out", strings.NewReplacer("CGO_ENABLED=0", "CGO_ENABLED=1", "DETECTOR=''", "DETECTOR=1").Replace(none)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := line(xcaddyArgs(tc.b, "/out")...); got != tc.args {
				t.Errorf("got  %s\nwant %s", got, tc.args)
			}
			if got := assignments(xcaddyEnvironment(tc.b)); got != tc.env {
				t.Errorf("got  %s\nwant %s", got, tc.env)
			}
		})
	}
}

// What xcaddy's command line cannot say is done by the go command.
func TestXcaddyCannot(t *testing.T) {
	t.Chdir(t.TempDir())
	plain := &build{caddyVersion: "v2.11.9", timeoutBuild: time.Minute}
	if reason := xcaddyCannot(plain); reason != "" {
		t.Error(reason)
	}
	if reason := xcaddyCannot(&build{timeoutGet: time.Minute}); !strings.Contains(reason, "timeout_get") {
		t.Errorf("timeout_get: %q", reason)
	}
	writeFile(t, "default.pgo", "")
	if reason := xcaddyCannot(plain); !strings.Contains(reason, "default.pgo") {
		t.Errorf("default.pgo: %q", reason)
	}
	if reason := xcaddyCannot(&build{pgoProfile: "/cpu.pgo"}); reason != "" {
		t.Error(reason)
	}
}

// The runs of the go command for a file.
func TestSteps(t *testing.T) {
	const compile = "build -o /out -ldflags '-w -s' -trimpath -tags nobadger,nomysql,nopgx"
	for _, tc := range []struct {
		name string
		b    *build
		want []string
	}{
		{"nothing", &build{caddyVersion: "latest"}, []string{
			"mod init caddy",
			"get github.com/caddyserver/caddy/v2@latest",
			"get . github.com/caddyserver/caddy/v2@latest",
			compile,
		}},
		{
			"a checkout",
			&build{
				caddyVersion: "v2.11.9",
				plugins:      []plugin{{"github.com/gatehouse-auth/gatehouse/caddymodule", ""}, {"github.com/gatehouse-auth/gatehouse-more", "v0.1.0"}},
				replacements: []replacement{{"github.com/gatehouse-auth/gatehouse", "/src", true}},
			},
			[]string{
				"mod init caddy",
				"mod edit -replace github.com/gatehouse-auth/gatehouse=/src -require github.com/gatehouse-auth/gatehouse@v0.0.0-00010101000000-000000000000",
				"get github.com/caddyserver/caddy/v2@v2.11.9",
				"get github.com/gatehouse-auth/gatehouse-more@v0.1.0 github.com/caddyserver/caddy/v2@v2.11.9",
				"get . github.com/caddyserver/caddy/v2@v2.11.9",
				compile,
			},
		},
		{"everything but skip_build", func() *build { b := everythingRead(); b.skipBuild = false; return b }(), []string{
			"mod init -x caddy",
			"mod edit -x -replace example.com/c=./c -require example.com/c@v0.0.0-00010101000000-000000000000 -replace example.com/d@v1.0.0=example.com/fork@v1.0.1",
			"get -tags 'a b' -v github.com/caddyserver/caddy/v2@v2.11.9",
			"get -tags 'a b' -v example.com/a@v1.2.3 github.com/caddyserver/caddy/v2@v2.11.9",
			"get -tags 'a b' -v example.com/b/v3@v3.0.0 github.com/caddyserver/caddy/v2@v2.11.9",
			"get -tags 'a b' -v . github.com/caddyserver/caddy/v2@v2.11.9",
			"build -tags 'a b' -v -o /out -pgo=cpu.pgo -gcflags 'all=-N -l' -race",
		}},
		{"Caddy 3, flags of one's own", &build{caddyVersion: "v3.0.0", buildFlags: "-v"}, []string{
			"mod init caddy",
			"get -v github.com/caddyserver/caddy/v3@v3.0.0",
			"get -v . github.com/caddyserver/caddy/v3@v3.0.0",
			"build -v -o /out",
		}},
		{"skip_build", &build{caddyVersion: "master", skipBuild: true}, []string{
			"mod init caddy",
			"get github.com/caddyserver/caddy/v2@master",
			"get . github.com/caddyserver/caddy/v2@master",
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			list, err := steps(tc.b, "/out")
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, st := range list {
				got = append(got, line(st.args...))
				if st.fetch != (st.args[0] == "get") {
					t.Errorf("%q counts against the wrong limit", st.args)
				}
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tc.want, "\n"))
			}
		})
	}
}

func TestUnreleased(t *testing.T) {
	for module, want := range map[string]string{"example.com/a": "v0.0.0-", "example.com/a/v2": "v2.0.0-", "example.com/av3": "v0.0.0-", "example.com/v10": "v10.0.0-"} {
		if got := unreleased(module); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s", module, got)
		}
	}
}

func TestWithMajor(t *testing.T) {
	for _, tc := range []struct{ path, version, want string }{
		{"example.com/a", "", "example.com/a"},
		{"example.com/a", "v0.1.0", "example.com/a"},
		{"example.com/a", "v1.9.0", "example.com/a"},
		{"example.com/a", "v2.0.0", "example.com/a/v2"},
		{"example.com/a", "v2.0.0+incompatible", "example.com/a"},
		{"example.com/a", "main", "example.com/a"},
		{"example.com/a/v2", "v2.0.0-rc.1", "example.com/a/v2"},
		{"example.com/a/v2/sub", "v2.0.0", "example.com/a/v2/sub"},
		{"example.com/a/v3/sub", "v1.0.0", "example.com/a/v3/sub"},
		{"example.com/a/v12", "v2.0.0", ""},
		{"example.com/a/v2", "v1.0.0", ""},
	} {
		if got, err := withMajor(tc.path, tc.version); got != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("%s at %s: got %q, %v; want %q", tc.path, tc.version, got, err, tc.want)
		}
	}
}

func TestSources(t *testing.T) {
	dir, folder := t.TempDir(), t.TempDir()
	writeFile(t, filepath.Join(dir, "site/deep/index.html"), "hello")
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "site/passwd")); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "other/x"), "x")
	b := everythingRead()
	b.embeds = []embedDir{{filepath.Join(dir, "site"), "www"}, {filepath.Join(dir, "other"), ""}}
	if err := writeSources(b, folder); err != nil {
		t.Fatal(err)
	}
	var imports []string
	for _, name := range []string{"main.go", "embed.go"} {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(folder, name), nil, parser.AllErrors)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range f.Imports {
			imports = append(imports, strings.Trim(spec.Path.Value, `"`))
		}
	}
	for _, want := range []string{
		"github.com/caddyserver/caddy/v2/cmd", "github.com/caddyserver/caddy/v2/modules/standard",
		"example.com/a", "example.com/b/v3", "example.com/c/caddy", "github.com/caddyserver/caddy/v2",
	} {
		if !slices.Contains(imports, want) {
			t.Errorf("%s is not imported", want)
		}
	}
	for name, want := range map[string]string{"files/www/deep/index.html": "hello", "files/x": "x"} {
		if got, err := os.ReadFile(filepath.Join(folder, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := os.Lstat(filepath.Join(folder, "files/www/passwd")); err == nil {
		t.Error("a link out of the folder was followed into the binary")
	}
}

// Two folders that want the same file are an error, not a question of order.
func TestSourcesDoNotOverwrite(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "a/x"), "a")
	writeFile(t, filepath.Join(dir, "b/n/x"), "b")
	b := &build{caddyVersion: "latest", embeds: []embedDir{{filepath.Join(dir, "a"), "n"}, {filepath.Join(dir, "b"), ""}}}
	if err := writeSources(b, t.TempDir()); err == nil {
		t.Error("one file replaced the other")
	}
}
