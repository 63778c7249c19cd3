package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// patience is how long a command may take to clean up after it was told to stop.
const patience = 15 * time.Second

// builder does what a build asks for.
type builder struct {
	*build
	output   string // absolute
	progress io.Writer
	stdout   io.Writer
	environ  []string
}

func (b *builder) say(format string, args ...any) {
	_, _ = fmt.Fprintf(b.progress, "gatehouse-build: "+format+"\n", args...)
}

// limited gives a context a deadline that says which field set it.
func limited(ctx context.Context, field string, limit time.Duration) (context.Context, context.CancelFunc) {
	if limit <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, limit, fmt.Errorf("%s, %s, is over", field, limit))
}

// withXcaddy lets xcaddy do all of it.
func (b *builder) withXcaddy(ctx context.Context, xcaddy string) error {
	ctx, cancel := limited(ctx, "timeout_build", b.timeoutBuild)
	defer cancel()
	b.say("building with %s; with nothing compiled before, this takes minutes", xcaddy)
	if err := b.command(ctx, "", xcaddyEnvironment(b.build), xcaddy, xcaddyArgs(b.build, b.output)...); err != nil {
		return fmt.Errorf("%w (with -no-xcaddy the go command is used alone)", err)
	}
	return b.finished()
}

// withGo does the same with the go command in a temporary folder.
func (b *builder) withGo(ctx context.Context) (err error) {
	list, err := steps(b.build, b.output)
	if err != nil {
		return err
	}
	ctx, cancel := limited(ctx, "timeout_build", b.timeoutBuild)
	defer cancel()
	folder, err := os.MkdirTemp("", "gatehouse-build-")
	if err != nil {
		return err
	}
	if b.keepsFolder() {
		b.say("the folder %s stays", folder)
	} else {
		defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	}
	if err := writeSources(b.build, folder); err != nil {
		return err
	}
	if b.race && !b.cgo {
		b.say("cgo is on, because the race detector needs it")
	}
	// The steps before fetching take no time worth counting.
	fetching, cancelFetching := limited(ctx, "timeout_get", b.timeoutGet)
	defer cancelFetching()
	for i, st := range list {
		b.say("%d/%d %s", i+1, len(list), st.say)
		stepCtx := ctx
		if st.fetch {
			stepCtx = fetching
		}
		if err := b.command(stepCtx, folder, b.environment(), "go", st.args...); err != nil {
			return err
		}
	}
	return b.finished()
}

// finished says what there is now.
func (b *builder) finished() error {
	if b.skipBuild {
		b.say("nothing was compiled, as skip_build says")
		return nil
	}
	if _, err := os.Stat(b.output); err != nil {
		return fmt.Errorf("every step went well, and yet: %w", err)
	}
	b.say("built %s", b.output)
	return nil
}

// command runs a command in a folder, "" for the current one. When ctx ends, the
// command and all it started are interrupted, and killed if that does not help.
func (b *builder) command(ctx context.Context, folder string, vars []variable, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // this program's job; arguments are checked, and no shell reads them
	cmd.Dir = folder
	cmd.Env = overlay(b.environ, vars)
	cmd.Stdout, cmd.Stderr = b.stdout, b.progress
	cmd.WaitDelay = patience
	ownGroup(cmd)
	err := cmd.Run()
	if ctx.Err() != nil {
		killGroup(cmd)
		return fmt.Errorf("stopped: %w", context.Cause(ctx))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", line(append([]string{name}, args...)...), err)
	}
	return nil
}

// overlay sets variables in an environment. An empty value removes one.
func overlay(environ []string, vars []variable) []string {
	set := map[string]bool{}
	for _, v := range vars {
		set[v.name] = true
	}
	var result []string
	for _, assignment := range environ {
		if name, _, _ := strings.Cut(assignment, "="); !set[name] {
			result = append(result, assignment)
		}
	}
	for _, v := range vars {
		if v.value != "" {
			result = append(result, v.name+"="+v.value)
		}
	}
	return result
}
