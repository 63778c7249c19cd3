package tests

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"os/exec"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The three tables below are the architecture (internal/README.md, rules 1 to 7).
// DO NOT CHANGE THIS DATA TO FIX A BUILD: move the code to the room it belongs
// to, or let the rooms meet through a port of authority. A change here is a
// change of the design and needs a dated line in internal/README.md.

const module = "github.com/gatehouse-auth/gatehouse"

// mayImport lists, for every package there is or will be, what of ours its
// non-test files may import (rules 1 and 3 to 7). A package without a row fails.
var mayImport = map[string][]string{
	"cmd/gatehouse":       {"caddymodule"},
	"cmd/gatehouse-build": {},
	"caddymodule":         {"internal/gatehouse", "internal/config", "internal/guard"},

	"internal/gatehouse": {
		"internal/audit", "internal/authority", "internal/config", "internal/guard", "internal/introspect",
		"internal/pages", "internal/provider/github", "internal/provider/google",
		"internal/provider/huggingface", "internal/provider/oidc", "internal/secret",
		"internal/store/postgres", "internal/store/sqlite", "internal/token", "internal/trust",
		"internal/wire", "internal/wire/gmi", "internal/wire/golem", "internal/wire/keycloak",
		"internal/wire/oauth", "internal/wire/pakt",
	},

	"internal/audit":                {"internal/authority", "internal/config"},
	"internal/guard":                {"internal/authority", "internal/config"},
	"internal/introspect":           {"internal/authority", "internal/config", "internal/introspect/slab", "internal/secret"},
	"internal/introspect/slab":      {},
	"internal/provider":             {"internal/authority"},
	"internal/provider/github":      {"internal/authority", "internal/config", "internal/provider"},
	"internal/provider/google":      {"internal/authority", "internal/config", "internal/provider", "internal/provider/oidc"},
	"internal/provider/huggingface": {"internal/authority", "internal/config", "internal/provider", "internal/provider/oidc"},
	"internal/provider/oidc":        {"internal/authority", "internal/config", "internal/provider", "internal/token"},
	"internal/store/postgres":       {"internal/authority", "internal/config", "internal/store/sqlstore"},
	"internal/store/sqlite":         {"internal/authority", "internal/config", "internal/store/sqlstore"},
	"internal/store/sqlstore":       {"internal/authority", "internal/config"},
	"internal/token":                {"internal/authority", "internal/config", "internal/secret"},
	"internal/trust":                {"internal/authority", "internal/config", "internal/provider", "internal/token"},
	"internal/wire":                 {"internal/authority", "internal/config"},
	"internal/wire/gmi":             {"internal/authority", "internal/config", "internal/wire"},
	"internal/wire/golem":           {"internal/authority", "internal/config", "internal/wire"},
	"internal/wire/keycloak":        {"internal/authority", "internal/config", "internal/wire"},
	"internal/wire/oauth":           {"internal/authority", "internal/config", "internal/pages", "internal/wire"},
	"internal/wire/pakt":            {"internal/authority", "internal/config", "internal/wire"},

	"internal/authority": {"internal/secret"},
	"internal/config":    {},
	"internal/pages":     {},
	"internal/secret":    {},
}

// testSupport lists the packages that hold tests for others to run. They stand in
// nobody's row above, so only test files can import them; what they import is
// excepted like the imports of test files. Everything under tests/ is one too.
var testSupport = []string{"internal/provider/providertest", "internal/store/storetest", "tests"}

// keyPackages lists the packages that only one room may know, by prefix of the
// import path, with the folders that may import them (rules 1 and 2). No folder:
// another package was chosen for that job, and this one is not used at all.
var keyPackages = map[string][]string{
	"github.com/caddyserver":         {"caddymodule", "cmd"},
	"github.com/golang-jwt/jwt":      {"internal/token"},
	"golang.org/x/oauth2":            {"internal/provider"},
	"github.com/dgraph-io/ristretto": {},
	"modernc.org/sqlite":             {"internal/store/sqlite"},
	"github.com/jackc/pgx":           {"internal/store/postgres"},
	"github.com/prometheus":          {"internal/audit"},
	"cel.dev/cel-go":                 {"internal/guard"},
	"github.com/google/cel-go":       {},
	"github.com/coreos/go-oidc":      {},
	"github.com/go-jose/go-jose":     {},
	"github.com/lestrrat-go":         {},
	"github.com/lib/pq":              {},
	"github.com/mattn/go-sqlite3":    {},
	"github.com/ncruces/go-sqlite3":  {},
	"github.com/go-sql-driver/mysql": {},
	"github.com/dgrijalva/jwt-go":    {},
}

// authorityNever lists what the domain must not know beside everything outside
// the standard library (rule 4).
var authorityNever = []string{"net/http", "database/sql", "html"}

// badNames lists package names that say nothing of the package's job.
var badNames = []string{
	"common", "controller", "core", "dto", "helper", "helpers", "manager", "misc", "model", "models",
	"service", "services", "shared", "types", "util", "utils",
}

// goPackage is one package as the go command lists it, with its production files parsed.
type goPackage struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	CgoFiles   []string
	// Files of other systems and build tags obey the same rules.
	IgnoredGoFiles []string

	files   map[string]*ast.File
	imports []string // of all production files, sorted, once each
}

// name is the package's folder as the tables above write it.
func (p *goPackage) name() string {
	return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
}

func (p *goPackage) parse() error {
	p.files = map[string]*ast.File{}
	seen := map[string]bool{}
	for _, name := range slices.Concat(p.GoFiles, p.CgoFiles, p.IgnoredGoFiles) {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.ParseComments)
		if err != nil {
			return err
		}
		p.files[name] = f
		for _, spec := range f.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			seen[imported] = true
		}
	}
	p.imports = slices.Sorted(maps.Keys(seen))
	return nil
}

// packages lists every package of the module.
func packages(t *testing.T) []*goPackage {
	t.Helper()
	out := goCommand(t, "list", "-e", "-json=ImportPath,Dir,GoFiles,CgoFiles,IgnoredGoFiles", module+"/...")
	var all []*goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		p := new(goPackage)
		err := dec.Decode(p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := p.parse(); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) == 0 {
		t.Fatal("go list found no package")
	}
	return all
}

func goCommand(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return out
}

// within reports whether pkg is folder or lies in it.
func within(pkg, folder string) bool { return pkg == folder || strings.HasPrefix(pkg, folder+"/") }

func withinAny(pkg string, folders []string) bool {
	return slices.ContainsFunc(folders, func(f string) bool { return within(pkg, f) })
}

// standard reports whether an import path is of the standard library: only there
// does the first element have no dot.
func standard(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".")
}

// judge returns what is wrong with a package's imports.
func judge(pkg string, imports []string) (faults []string) {
	if withinAny(pkg, testSupport) {
		return nil
	}
	allowed, known := mayImport[pkg]
	if !known {
		return []string{"no such room: a new one needs a row here and a dated line in internal/README.md"}
	}
	for _, imported := range imports {
		if ours, ok := strings.CutPrefix(imported, module+"/"); ok && !slices.Contains(allowed, ours) {
			faults = append(faults, "must not import "+ours)
		}
		for key, rooms := range keyPackages {
			if within(imported, key) && !withinAny(pkg, rooms) {
				faults = append(faults, fmt.Sprintf("must not import %s, which belongs to %v", imported, rooms))
			}
		}
		if pkg == "internal/authority" {
			if !standard(imported) && !strings.HasPrefix(imported, module+"/") {
				faults = append(faults, "must not import "+imported+": the domain knows the standard library only")
			}
			if withinAny(imported, authorityNever) {
				faults = append(faults, "must not import "+imported+": the domain knows no HTTP, SQL or HTML")
			}
		}
	}
	return faults
}

// Rules 1 to 7: who may import whom.
func TestImports(t *testing.T) {
	for _, p := range packages(t) {
		for _, fault := range judge(p.name(), p.imports) {
			t.Errorf("%s %s", p.name(), fault)
		}
	}
}

// A rule that nothing can break is no rule: each kind of break is noticed.
func TestImportRulesBite(t *testing.T) {
	ours := func(pkg string) string { return module + "/" + pkg }
	for _, tc := range []struct{ rule, pkg, imported string }{
		{"1", "internal/guard", "github.com/caddyserver/caddy/v2/modules/caddyhttp"},
		{"1", "internal/gatehouse", "github.com/caddyserver/certmagic"},
		{"1", "caddymodule", ours("internal/authority")},
		{"2", "internal/authority", "github.com/golang-jwt/jwt/v5"},
		{"2", "internal/store/sqlite", "github.com/jackc/pgx/v5"},
		{"2", "internal/gatehouse", "github.com/prometheus/client_golang/prometheus"},
		{"2", "internal/guard", "github.com/google/cel-go/cel"},
		{"3", "internal/secret", ours("internal/config")},
		{"3", "internal/config", ours("internal/authority")},
		{"3", "internal/pages", ours("internal/secret")},
		{"4", "internal/authority", "net/http/httptest"},
		{"4", "internal/authority", "html/template"},
		{"4", "internal/authority", "golang.org/x/sync/singleflight"},
		{"4", "internal/authority", ours("internal/config")},
		{"5", "internal/guard", ours("internal/introspect")},
		{"5", "internal/introspect", ours("internal/trust")},
		{"6", "internal/guard", ours("internal/introspect/slab")},
		{"6", "internal/wire/gmi", ours("internal/pages")},
		{"6", "internal/wire/gmi", ours("internal/wire/oauth")},
		{"6", "internal/provider/github", ours("internal/provider/oidc")},
		{"7", "cmd/gatehouse", ours("internal/gatehouse")},
		{"7", "internal/wire/oauth", ours("internal/gatehouse")},
		{"-", "internal/gatehouse", ours("internal/store/storetest")},
		{"-", "internal/cupboard", "fmt"},
	} {
		if judge(tc.pkg, []string{tc.imported}) == nil {
			t.Errorf("rule %s: %s may import %s", tc.rule, tc.pkg, tc.imported)
		}
	}
	for _, tc := range []struct{ pkg, imported string }{
		{"internal/authority", "time"},
		{"internal/token", "github.com/golang-jwt/jwt/v5"},
		{"internal/wire/oauth", ours("internal/pages")},
		{"internal/gatehouse", ours("internal/wire/gmi")},
		{"tests/bench", ours("internal/gatehouse")},
	} {
		if faults := judge(tc.pkg, []string{tc.imported}); faults != nil {
			t.Errorf("%s: %v", tc.pkg, faults)
		}
	}
}

// Rule 4: the domain's types carry no JSON tags; what goes over the wire is the dialects' own.
func TestAuthorityHasNoJSONTags(t *testing.T) {
	for _, p := range packages(t) {
		if p.name() != "internal/authority" {
			continue
		}
		for name, f := range p.files {
			for n := range ast.Preorder(f) {
				field, ok := n.(*ast.Field)
				if !ok || field.Tag == nil {
					continue
				}
				tag, err := strconv.Unquote(field.Tag.Value)
				if _, has := reflect.StructTag(tag).Lookup("json"); has || err != nil {
					t.Errorf("%s/%s: field tag %s", p.name(), name, field.Tag.Value)
				}
			}
		}
	}
}

// Every package says in its doc.go what it owns, and has a name that says its job.
func TestPackagesHaveDocAndName(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.files) == 0 {
			continue // tests only: nobody can import it
		}
		doc := p.files["doc.go"]
		switch {
		case doc == nil:
			t.Errorf("%s has no doc.go", p.name())
		case doc.Doc == nil:
			t.Errorf("%s: doc.go has no package comment", p.name())
		case doc.Name.Name != "main" && !strings.HasPrefix(doc.Doc.Text(), "Package "+doc.Name.Name+" "):
			t.Errorf("%s: the package comment does not begin with \"Package %s\"", p.name(), doc.Name.Name)
		}
		for name, f := range p.files {
			if name != "doc.go" && f.Doc != nil {
				t.Errorf("%s/%s: the package comment belongs into doc.go", p.name(), name)
			}
		}
		if base := path.Base(p.name()); slices.Contains(badNames, base) {
			t.Errorf("%s: %q does not say what the package is for", p.name(), base)
		}
	}
}

// Rule 14: modules register themselves in caddymodule; nothing else runs by being imported.
func TestInitOnlyInCaddymodule(t *testing.T) {
	for _, p := range packages(t) {
		if p.name() == "caddymodule" {
			continue
		}
		for name, f := range p.files {
			for _, decl := range f.Decls {
				if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
					t.Errorf("%s/%s has an init function", p.name(), name)
				}
			}
		}
	}
}

// Who builds a Caddy with this plugin must not need a newer Go than for Caddy itself.
func TestGoLineIsNoNewerThanCaddys(t *testing.T) {
	version := func(args ...string) []int {
		var parts []int
		for text := range strings.SplitSeq(strings.TrimSpace(string(goCommand(t, args...))), ".") {
			n, err := strconv.Atoi(text)
			if err != nil {
				t.Fatalf("go %v: %v", args, err)
			}
			parts = append(parts, n)
		}
		return parts
	}
	ours := version("list", "-m", "-f", "{{.GoVersion}}", module)
	caddys := version("list", "-m", "-f", "{{.GoVersion}}", "github.com/caddyserver/caddy/v2")
	if slices.Compare(ours, caddys) > 0 {
		t.Errorf("go.mod says go %v, Caddy's says %v", ours, caddys)
	}
}
