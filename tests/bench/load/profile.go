package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// profile drives a guarded Gatehouse with all workloads and writes its CPU profile,
// which the Go compiler takes as default.pgo.
func profile(ctx context.Context, dir, file string, w *world, length time.Duration, connections int) error {
	p := &peer{name: "guarded, as shipped", profiled: true}
	var err error
	if p.server, err = w.start(ctx, dir, p); err != nil {
		return err
	}
	defer p.server.stop()
	workloads := []string{"W1", "W2", "W4"}
	type run struct {
		path   string
		tokens []string
	}
	var runs []run
	for _, name := range workloads {
		path, tokens, err := w.tokens(name)
		if err != nil {
			return err
		}
		if err := p.server.once(ctx, path, tokens); err != nil {
			return err
		}
		runs = append(runs, run{path, tokens})
	}
	done := make(chan error, 1)
	go func() { done <- p.server.writeProfile(ctx, file, time.Duration(len(runs))*length) }()
	for i, r := range runs {
		note("profiling %s", workloads[i])
		if _, err := p.server.load(ctx, r.path, r.tokens, length, connections); err != nil {
			return err
		}
	}
	return <-done
}

// writeProfile asks Caddy's admin endpoint for a CPU profile.
func (p *process) writeProfile(ctx context.Context, file string, length time.Duration) error {
	url := fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", p.admin, int(length.Seconds()))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("the profile: %s", resp.Status)
	}
	if err != nil {
		return err
	}
	return os.WriteFile(file, raw, 0o644) //nolint:gosec // G306: part of the sources
}
