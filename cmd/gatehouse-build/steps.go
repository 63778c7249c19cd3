package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// step is one run of the go command.
type step struct {
	say   string // to the user, before it runs
	args  []string
	fetch bool // counts against timeout_get
}

// steps lists what the go command has to do, in a folder that has the sources, to
// build what the file says. Versions are pinned one by one and always together with
// Caddy's, so that a plugin that needs another Caddy is an error and not an upgrade.
func steps(b *build, output string) ([]step, error) {
	buildFlags, err := words(b.buildFlags)
	if err != nil {
		return nil, fmt.Errorf("build_flags: %w", err)
	}
	modFlags, err := words(b.modFlags)
	if err != nil {
		return nil, fmt.Errorf("mod_flags: %w", err)
	}
	mod := func(args ...string) []string {
		return append(append([]string{"mod", args[0]}, modFlags...), args[1:]...)
	}
	get := func(what ...string) []string {
		return append(append([]string{"get"}, buildFlags...), what...)
	}
	caddy := at(caddyPath(b.caddyVersion), b.caddyVersion)

	list := []step{{say: "making a module to build in", args: mod("init", "caddy")}}
	if len(b.replacements) > 0 {
		args := mod("edit")
		var names []string
		for _, r := range b.replacements {
			args = append(args, "-replace", r.old+"="+r.new)
			names = append(names, r.old+" by "+r.new)
			// A plugin in it is required here: go get would ask the network first
			// for a module that has the package's whole path.
			if slices.ContainsFunc(b.plugins, r.has) {
				args = append(args, "-require", at(r.old, unreleased(r.old)))
			}
		}
		list = append(list, step{say: "replacing " + strings.Join(names, ", "), args: args})
	}
	list = append(list, step{say: "fetching " + caddy, args: get(caddy), fetch: true})
	for _, p := range b.plugins {
		if replaced := slices.ContainsFunc(b.replacements, func(r replacement) bool { return r.has(p) }); !replaced {
			list = append(list, step{say: "fetching " + at(p.path, p.version), args: get(at(p.path, p.version), caddy), fetch: true})
		}
	}
	list = append(list, step{say: "fetching what they need", args: get(".", caddy), fetch: true})
	if b.skipBuild {
		return list, nil
	}
	args := append(append([]string{"build"}, buildFlags...), "-o", output)
	return append(list, step{
		say:  "compiling; with nothing compiled before, this takes minutes",
		args: append(args, compileFlags(b)...),
	}), nil
}

// has reports whether a plugin comes from the replacement, whatever its version, so
// that nothing of it is to be fetched.
func (r replacement) has(p plugin) bool {
	return p.path == r.old || strings.HasPrefix(p.path, r.old+"/")
}

// unreleased is the version that the go command itself gives to a module that is
// replaced and has no other; it names no release.
func unreleased(module string) string {
	major := "v0"
	if m := regexp.MustCompile(`/(v[2-9]|v[1-9][0-9]+)$`).FindStringSubmatch(module); m != nil {
		major = m[1]
	}
	return major + ".0.0-00010101000000-000000000000"
}

// compileFlags are those that xcaddy gives to go build: for a release without
// symbols and paths, unless the file has flags of its own; for a debugger without
// optimization.
func compileFlags(b *build) []string {
	var flags []string
	if b.pgoProfile != "" {
		flags = append(flags, "-pgo="+b.pgoProfile)
	}
	switch {
	case b.debug:
		flags = append(flags, "-gcflags", "all=-N -l")
	case strings.TrimSpace(b.buildFlags) == "":
		flags = append(flags, "-ldflags", "-w -s", "-trimpath", "-tags", "nobadger,nomysql,nopgx")
	}
	if b.race {
		flags = append(flags, "-race")
	}
	return flags
}

// keepsFolder reports whether the temporary folder stays: what was not compiled is to
// be looked at, as with xcaddy.
func (b *build) keepsFolder() bool { return b.skipCleanup || b.skipBuild }

// script writes the steps as a shell script, for -print.
func script(b *build, list []step) string {
	var s strings.Builder
	s.WriteString("set -e\nfolder=$(mktemp -d)\n")
	if !b.keepsFolder() {
		s.WriteString("trap 'rm -rf \"$folder\"' EXIT\n")
	}
	s.WriteString("cd \"$folder\"\n")
	here := func(name, text string) { s.WriteString("cat >" + name + " <<'EOF'\n" + text + "EOF\n") }
	here("main.go", mainSource(b))
	for _, e := range b.embeds {
		to := "files"
		if e.name != "" {
			to += "/" + e.name
		}
		s.WriteString(line("mkdir", "-p", to) + "\n" + line("cp", "-R", e.dir+"/.", to) + "\n")
	}
	if len(b.embeds) > 0 {
		here("embed.go", embedSource(b))
	}
	s.WriteString("export " + assignments(b.environment()) + "\n")
	for _, st := range list {
		s.WriteString(line(append([]string{"go"}, st.args...)...) + "\n")
	}
	return s.String()
}

// assignments writes variables as a shell takes them.
func assignments(vars []variable) string {
	list := make([]string, len(vars))
	for i, v := range vars {
		list[i] = v.name + "=" + quoted(v.value)
	}
	return strings.Join(list, " ")
}
