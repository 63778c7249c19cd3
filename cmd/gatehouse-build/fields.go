package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// build reads the whole file. The names are the JSON tags of xcaddy.Builder and of
// the structs it embeds.
func (r *reader) build() *build {
	b := &build{}
	r.object("", map[string]field{
		"os":            r.string(&b.os, checkPlatform),
		"arch":          r.string(&b.arch, checkPlatform),
		"arm":           r.string(&b.arm, checkARM),
		"cgo":           r.bool(&b.cgo),
		"caddy_version": r.string(&b.caddyVersion, checkCaddyVersion),
		"plugins":       r.list(func(path string) { r.plugin(b, path) }),
		"replacements":  r.list(func(path string) { r.replacement(b, path) }),
		"timeout_get":   r.nanoseconds(&b.timeoutGet),
		"timeout_build": r.nanoseconds(&b.timeoutBuild),
		"race_detector": r.bool(&b.race),
		"skip_cleanup":  r.bool(&b.skipCleanup),
		"skip_build":    r.bool(&b.skipBuild),
		"debug":         r.bool(&b.debug),
		"build_flags":   r.string(&b.buildFlags, checkFlags),
		"mod_flags":     r.string(&b.modFlags, checkFlags),
		"pgo_profile":   r.string(&b.pgoProfile, nil),
		"embed_dir":     r.list(func(path string) { r.embed(b, path) }),
	})
	if b.arm != "" && b.arch != "" && b.arch != "arm" {
		r.fault(r.line(), "arm is a version of the architecture arm, and arch is %s", b.arch)
	}
	if b.caddyVersion == "" {
		b.caddyVersion = "latest"
	}
	return b
}

func (r *reader) plugin(b *build, path string) {
	var p plugin
	ok := r.object(path, map[string]field{
		"module_path": r.string(&p.path, checkPath),
		"version":     r.string(&p.version, checkVersion),
	})
	if !ok {
		return
	}
	if p.path == "" {
		r.fault(r.line(), "%s has no module_path", path)
		return
	}
	versioned, err := withMajor(p.path, p.version)
	if err != nil {
		r.fault(r.line(), "%s: %w", path, err)
		return
	}
	p.path = versioned
	for _, other := range b.plugins {
		if other.path == p.path {
			r.fault(r.line(), "%s: %s is there twice", path, p.path)
		}
	}
	b.plugins = append(b.plugins, p)
}

func (r *reader) replacement(b *build, path string) {
	var p replacement
	ok := r.object(path, map[string]field{
		"old": r.string(&p.old, checkModuleAt(false)),
		"new": r.string(&p.new, nil),
	})
	switch {
	case !ok:
		return
	case p.old == "" || p.new == "":
		r.fault(r.line(), "%s needs both old and new", path)
		return
	}
	p.local = isFolder(p.new)
	if !p.local {
		if err := checkModuleAt(true)(p.new); err != nil {
			r.fault(r.line(), "%s.new: %w; a folder begins with ./ or ../ or is absolute", path, err)
		}
	}
	for _, other := range b.replacements {
		if other.old == p.old {
			r.fault(r.line(), "%s: %s is replaced twice", path, p.old)
		}
	}
	b.replacements = append(b.replacements, p)
}

func (r *reader) embed(b *build, path string) {
	var e embedDir
	ok := r.object(path, map[string]field{
		"dir":  r.string(&e.dir, nil),
		"name": r.string(&e.name, checkEmbedName),
	})
	switch {
	case !ok:
		return
	case e.dir == "":
		r.fault(r.line(), "%s has no dir", path)
		return
	}
	for _, other := range b.embeds {
		if other.name == e.name {
			r.fault(r.line(), "%s: two folders cannot have the same name %q", path, e.name)
		}
	}
	b.embeds = append(b.embeds, e)
}

// isFolder tells a folder from a module as go.mod does.
func isFolder(s string) bool {
	slashed := filepath.ToSlash(s)
	return filepath.IsAbs(s) || s == "." || s == ".." ||
		strings.HasPrefix(slashed, "/") || strings.HasPrefix(slashed, "./") || strings.HasPrefix(slashed, "../")
}

// matches returns a check by a pattern, which must match as a whole. What passes
// becomes an argument of a command and, for import paths, a line of Go: so nothing
// passes that begins with a dash or could end a quotation.
func matches(pattern, otherwise string) func(string) error {
	compiled := regexp.MustCompile(`^(?:` + pattern + `)$`)
	return func(s string) error {
		if !compiled.MatchString(s) {
			return fmt.Errorf("%q is not %s", s, otherwise)
		}
		return nil
	}
}

const (
	// Import paths of modules: ASCII letters, digits and -._~ in elements that do
	// not begin or end with a dot (The Go Modules Reference, "go.mod file, Lexical
	// elements" and golang.org/x/mod/module.CheckPath).
	element     = `[A-Za-z0-9_~](?:[A-Za-z0-9_~.-]*[A-Za-z0-9_~-])?`
	pathPattern = element + `(?:/` + element + `)*`
	// Versions and the queries that go get takes for one: a tag, branch or commit.
	versionPattern = `[A-Za-z0-9_](?:[A-Za-z0-9_.+~/-]*[A-Za-z0-9_+~-])?`
	// semver is a whole semantic version with the v that Go wants.
	semver = `v(0|[1-9][0-9]*)\.[0-9]+\.[0-9]+(?:-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?`
)

func checkPlatform(s string) error {
	return matches(`[a-z0-9]{1,32}`, "a name that `go tool dist list` knows")(s)
}

func checkARM(s string) error {
	return matches(`[567](?:,softfloat|,hardfloat)?`, "an ARM version: 5, 6 or 7")(s)
}

func checkPath(s string) error {
	return matches(pathPattern, "the import path of a Go package")(s)
}

func checkVersion(s string) error {
	if err := matches(versionPattern, "a version, branch or commit")(s); err != nil {
		return err
	}
	if strings.HasPrefix(s, "v") && majorOf(s) == "" {
		return fmt.Errorf("%q is not a whole version such as v1.2.3", s)
	}
	return nil
}

func checkCaddyVersion(s string) error {
	if err := checkVersion(s); err != nil {
		return err
	}
	if major := majorOf(s); major == "0" || major == "1" {
		return fmt.Errorf("%s has no modules; Caddy 2 or newer has", s)
	}
	return nil
}

// checkModuleAt checks module@version; the version may be left out if it need not
// be there.
func checkModuleAt(versionNeeded bool) func(string) error {
	return func(s string) error {
		module, version, found := strings.Cut(s, "@")
		if err := checkPath(module); err != nil {
			return err
		}
		if !found && versionNeeded {
			return fmt.Errorf("%q has no version: write %s@v1.2.3", s, module)
		}
		if !found {
			return nil
		}
		return checkVersion(version)
	}
}

func checkFlags(s string) error {
	_, err := words(s)
	return err
}

// checkEmbedName checks a folder's name inside the binary: go:embed takes none that
// is not also good in a module, and a colon separates it from the folder's path on
// the command line of xcaddy.
func checkEmbedName(s string) error {
	if !filepath.IsLocal(s) {
		return fmt.Errorf("%q must be a name or relative path inside the binary", s)
	}
	return matches(`[A-Za-z0-9][A-Za-z0-9._ ~/-]*[A-Za-z0-9]|[A-Za-z0-9]`, "a plain name of letters, digits and ._~-/")(s)
}

// majorOf returns the major number of a whole semantic version, else "".
func majorOf(version string) string {
	if m := regexp.MustCompile(`^` + semver + `$`).FindStringSubmatch(version); m != nil {
		return m[1]
	}
	return ""
}

// withMajor returns the import path at a version. From v2 on a module has its major
// version in its path (Go Modules Reference, "Major version suffixes"), which is
// easily forgotten and is added, as xcaddy does.
func withMajor(path, version string) (string, error) {
	major := majorOf(version)
	if major == "" || strings.HasSuffix(version, "+incompatible") {
		return path, nil
	}
	elements := strings.Split(path, "/")
	if said := regexp.MustCompile(`^v([2-9]|[1-9][0-9]+)$`).FindStringSubmatch(elements[len(elements)-1]); said != nil && said[1] != major {
		return "", fmt.Errorf("%s is not of the version %s", path, version)
	}
	if major == "0" || major == "1" || slices.Contains(elements, "v"+major) {
		return path, nil
	}
	return path + "/v" + major, nil
}

// caddyPath returns the import path of Caddy at a version.
func caddyPath(version string) string {
	major := majorOf(version)
	if major == "" {
		major = "2" // branches, commits and "latest"
	}
	return "github.com/caddyserver/caddy/v" + major
}
