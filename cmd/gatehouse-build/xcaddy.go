package main

import (
	"os"
	"path/filepath"
)

// xcaddyArgs is the command line for xcaddy that says the same as the file. What has
// no flag there is in xcaddyEnvironment.
func xcaddyArgs(b *build, output string) []string {
	args := []string{"build", b.caddyVersion}
	for _, p := range b.plugins {
		args = append(args, "--with", at(p.path, p.version))
	}
	for _, r := range b.replacements {
		args = append(args, "--replace", r.old+"="+r.new)
	}
	for _, e := range b.embeds {
		// With the colon even if there is no name: the path may have one too.
		args = append(args, "--embed", e.name+":"+e.dir)
	}
	if b.pgoProfile != "" {
		args = append(args, "--pgo", b.pgoProfile)
	}
	return append(args, "--output", output)
}

// xcaddyEnvironment lists the variables by which xcaddy takes the rest. All that
// change what is built are set, the empty ones too: otherwise one left over in the
// caller's shell would change what the file says.
func xcaddyEnvironment(b *build) []variable {
	yes := func(b bool) string {
		if b {
			return "1"
		}
		return ""
	}
	return append(b.environment(),
		variable{"XCADDY_RACE_DETECTOR", yes(b.race)},
		variable{"XCADDY_DEBUG", yes(b.debug)},
		variable{"XCADDY_GO_BUILD_FLAGS", b.buildFlags},
		variable{"XCADDY_GO_MOD_FLAGS", b.modFlags},
		variable{"XCADDY_SKIP_BUILD", yes(b.skipBuild)},
		variable{"XCADDY_SKIP_CLEANUP", yes(b.skipCleanup)},
	)
}

// xcaddyCannot says what of the file the command line of xcaddy cannot express, or
// "". The file is then built with the go command, which can do all of it.
func xcaddyCannot(b *build) string {
	if b.timeoutGet > 0 {
		return "xcaddy's command line has no timeout_get"
	}
	if _, err := os.Stat("default.pgo"); err == nil && b.pgoProfile == "" {
		folder, err := filepath.Abs(".")
		if err != nil {
			folder = "this folder"
		}
		return "xcaddy would use default.pgo of " + folder + ", which the file does not name"
	}
	return ""
}

// at joins a path and a version, which may be empty.
func at(path, version string) string {
	if version == "" {
		return path
	}
	return path + "@" + version
}
