package tests

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The sizes that the codebases we learn from keep: a reader sees a function on one
// screen and a file in one sitting.
const (
	maxFileLines     = 400
	maxTestFileLines = 800
	maxFuncLines     = 60
)

// oversize lists what may be longer, "file" or "file:function", with the reason.
var oversize = map[string]string{}

// topLevel lists the folders the project has; a new one needs a dated line in
// internal/README.md (rule 15). Hidden folders and bin/, which git ignores, are
// not the project's.
var topLevel = []string{"bin", "caddymodule", "cmd", "docs", "examples", "internal", "tests"}

func TestSizes(t *testing.T) {
	root := filepath.Dir(strings.TrimSpace(string(goCommand(t, "env", "GOMOD"))))
	excused := map[string]bool{}
	tooLong := func(what string, lines, limit int) {
		if lines <= limit {
			return
		}
		if _, ok := oversize[what]; ok {
			excused[what] = true
			return
		}
		t.Errorf("%s has %d lines, the limit is %d", what, lines, limit)
	}
	for _, file := range sources(t, root) {
		name, err := filepath.Rel(root, file)
		if err != nil {
			t.Fatal(err)
		}
		name = filepath.ToSlash(name)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines := bytes.Count(text, []byte("\n"))
		if strings.HasSuffix(name, "_test.go") {
			tooLong(name, lines, maxTestFileLines)
			continue
		}
		tooLong(name, lines, maxFileLines)
		for fn, n := range functions(t, file, text) {
			tooLong(name+":"+fn, n, maxFuncLines)
		}
	}
	for what := range oversize {
		if !excused[what] {
			t.Errorf("%s is listed as oversize and is not", what)
		}
	}
}

// sources lists every Go file of the project, whatever its build tags.
func sources(t *testing.T, root string) []string {
	t.Helper()
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, entry := range entries {
		if !entry.IsDir() || strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		if !slices.Contains(topLevel, entry.Name()) {
			t.Errorf("unexpected top-level folder %s", entry.Name())
		}
		err := filepath.WalkDir(filepath.Join(root, entry.Name()), func(name string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && strings.HasSuffix(name, ".go") {
				files = append(files, name)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(files) == 0 {
		t.Fatal("no Go file found in " + root)
	}
	return files
}

// functions maps the file's functions to their lengths, from the line of `func`
// to the closing brace.
func functions(t *testing.T, file string, text []byte) map[string]int {
	t.Helper()
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	lengths := map[string]int{}
	for _, decl := range parsed.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok {
			lengths[fn.Name.Name] = max(lengths[fn.Name.Name],
				set.Position(fn.End()).Line-set.Position(fn.Pos()).Line+1)
		}
	}
	return lengths
}
