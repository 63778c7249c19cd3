package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// build is what a file asks for, checked. Its fields are those of xcaddy.Builder.
type build struct {
	os, arch, arm string // "": the host's, or what GOOS, GOARCH and GOARM say
	cgo           bool
	caddyVersion  string // never "": a file that names none means "latest"
	plugins       []plugin
	replacements  []replacement

	timeoutGet   time.Duration // of all fetching together; 0: no limit
	timeoutBuild time.Duration // of everything, fetching included; 0: no limit

	race        bool
	skipCleanup bool
	skipBuild   bool
	debug       bool

	buildFlags string // as one would write them in a shell
	modFlags   string
	pgoProfile string
	embeds     []embedDir
}

// plugin is a package that registers Caddy modules when it is imported.
type plugin struct{ path, version string }

// replacement is a line `replace` of the go.mod to build with. new is a folder if
// local, else module@version.
type replacement struct {
	old, new string
	local    bool
}

// embedDir is a folder to put into the binary, under name ("" is the root).
type embedDir struct{ dir, name string }

// resolve makes the paths absolute, relative ones counting from the file's folder,
// and reports every one that is not there.
func (b *build) resolve(folder string) error {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	absolute := func(p string) string {
		if filepath.IsAbs(p) {
			return filepath.Clean(p)
		}
		return filepath.Join(folder, p)
	}
	var faults []error
	for i, r := range b.replacements {
		if !r.local {
			continue
		}
		b.replacements[i].new = absolute(r.new)
		if _, err := os.Stat(filepath.Join(b.replacements[i].new, "go.mod")); err != nil {
			faults = append(faults, fmt.Errorf("replacements: %s is to come from %s, which has no go.mod", r.old, b.replacements[i].new))
		}
	}
	for i, e := range b.embeds {
		b.embeds[i].dir = absolute(e.dir)
		if info, err := os.Stat(b.embeds[i].dir); err != nil || !info.IsDir() {
			faults = append(faults, fmt.Errorf("embed_dir: there is no folder %s", b.embeds[i].dir))
		}
	}
	if b.pgoProfile != "" {
		b.pgoProfile = absolute(b.pgoProfile)
		if info, err := os.Stat(b.pgoProfile); err != nil || !info.Mode().IsRegular() {
			faults = append(faults, fmt.Errorf("pgo_profile: there is no file %s", b.pgoProfile))
		}
	}
	return errors.Join(faults...)
}

// windows reports whether the binary is for Windows.
func (b *build) windows(getenv func(string) string) bool {
	target := b.os
	if target == "" {
		target = getenv("GOOS")
	}
	if target == "" {
		target = runtime.GOOS
	}
	return target == "windows"
}

// cgoEnabled is the value of CGO_ENABLED. The race detector needs cgo.
func (b *build) cgoEnabled() string {
	if b.cgo || b.race {
		return "1"
	}
	return "0"
}

// variable is an environment variable that a command gets in place of ours.
type variable struct{ name, value string }

// environment lists what both ways to build set. What the file leaves open is left
// to the caller's own variables, as xcaddy does. A workspace of the caller's must
// not reach into the build: what is built is what the file names.
func (b *build) environment() []variable {
	vars := []variable{{"CGO_ENABLED", b.cgoEnabled()}, {"GOWORK", "off"}}
	for _, v := range []variable{{"GOOS", b.os}, {"GOARCH", b.arch}, {"GOARM", b.arm}} {
		if v.value != "" {
			vars = append(vars, v)
		}
	}
	return vars
}
