package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// mainSource is the program to compile: Caddy, its standard modules, the plugins,
// and the time zones, for systems that have none.
func mainSource(b *build) string {
	caddy := caddyPath(b.caddyVersion)
	var s strings.Builder
	s.WriteString("package main\n\nimport (\n\t_ \"time/tzdata\"\n\n")
	s.WriteString("\tcaddycmd " + strconv.Quote(caddy+"/cmd") + "\n")
	s.WriteString("\t_ " + strconv.Quote(caddy+"/modules/standard") + "\n")
	for _, p := range b.plugins {
		s.WriteString("\t_ " + strconv.Quote(p.path) + "\n")
	}
	s.WriteString(")\n\nfunc main() { caddycmd.Main() }\n")
	return s.String()
}

// embedSource is the file system `embedded` (module caddy.fs.embedded) over the
// folders of embed_dir, which lie in files/ beside it.
func embedSource(b *build) string {
	return strings.ReplaceAll(embedTemplate, "CADDY", caddyPath(b.caddyVersion))
}

const embedTemplate = `package main

import (
	"embed"
	"io/fs"
	"path"

	"CADDY"
	"CADDY/caddyconfig/caddyfile"
)

//go:embed files
var embedded embed.FS

func init() { caddy.RegisterModule(embeddedFiles{}) }

// embeddedFiles is a file system of the folders that are inside this binary.
type embeddedFiles struct{}

// CaddyModule says how Caddy knows it.
func (embeddedFiles) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "caddy.fs.embedded",
		New: func() caddy.Module { return new(embeddedFiles) },
	}
}

// Open takes names with and without slashes around them and none that leads out.
func (embeddedFiles) Open(name string) (fs.File, error) {
	return embedded.Open(path.Join("files", path.Clean("/"+name)))
}

// UnmarshalCaddyfile takes no arguments.
func (embeddedFiles) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if d.NextArg() {
		return d.ArgErr()
	}
	return nil
}

var (
	_ fs.FS                 = embeddedFiles{}
	_ caddyfile.Unmarshaler = embeddedFiles{}
)
`

// writeSources puts the program into a folder.
func writeSources(b *build, folder string) error {
	if err := os.WriteFile(filepath.Join(folder, "main.go"), []byte(mainSource(b)), 0o600); err != nil {
		return err
	}
	if len(b.embeds) == 0 {
		return nil
	}
	for _, e := range b.embeds {
		if err := copyFolder(e.dir, filepath.Join(folder, "files", filepath.FromSlash(e.name))); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(folder, "embed.go"), []byte(embedSource(b)), 0o600)
}

// copyFolder copies the folders and regular files of a folder; the rest, symbolic
// links among it, go:embed does not take. Names from several folders may share one.
func copyFolder(from, to string) error {
	source := os.DirFS(from)
	return fs.WalkDir(source, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, filepath.FromSlash(name))
		switch {
		case d.IsDir():
			return os.MkdirAll(target, 0o700)
		case !d.Type().IsRegular():
			return nil
		}
		return copyFile(source, name, target)
	})
}

func copyFile(source fs.FS, name, target string) error {
	text, err := fs.ReadFile(source, name)
	if err != nil {
		return err
	}
	// Never over another: two folders of embed_dir may overlap by their names.
	f, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.Write(text); err != nil {
		_ = f.Close() // the first error says more
		return err
	}
	return f.Close()
}
