package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// peer is one way to serve the upstream.
type peer struct {
	name     string
	bare     bool // Caddy alone: no guard
	profiled bool // with Caddy's admin endpoint
	stock    bool // GOGC=100, as Go has it, instead of the shipped settings
	server   *process
}

func peers() []*peer {
	return []*peer{
		{name: "bare Caddy", bare: true, stock: true},
		{name: "guarded, same collector settings", stock: true},
		{name: "guarded, as shipped"},
	}
}

func main() {
	workloads := flag.String("w", "W1,W2,W3,W4,W5", "workloads: W1 one hot opaque token, W2 1,000 RS256 JWTs, W3 100,000 ES256 JWTs, W4 1,000 opaque tokens, W5 500 requests at once with one unseen token")
	rounds := flag.Int("rounds", 100, "rounds of each workload")
	secs := flag.Float64("secs", 0.1, "seconds of each measurement: many short ones, since a machine's speed drifts")
	connections := flag.Int("c", 32, "connections at once")
	profileTo := flag.String("profile", "", "instead of measuring, write a CPU profile of the guarded path to this file")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, strings.Split(*workloads, ","), *rounds, time.Duration(*secs*float64(time.Second)), *connections, *profileTo); err != nil {
		note("%v", err)
		os.Exit(1) //nolint:forbidigo // this is the main that ends the process
	}
}

func run(ctx context.Context, workloads []string, rounds int, length time.Duration, connections int, profileTo string) error {
	dir, err := os.MkdirTemp("", "gatehouse-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	note("building the binaries")
	for name, pkg := range map[string]string{"bare": "./tests/bench/bare", "gatehouse": "./cmd/gatehouse"} {
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", filepath.Join(dir, name), pkg) //nolint:gosec // G204: one of the two above
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			return fmt.Errorf("building %s (run this from the project's folder): %w", pkg, err)
		}
	}
	world, err := newWorld(ctx)
	if err != nil {
		return err
	}
	if profileTo != "" {
		return profile(ctx, dir, profileTo, world, length, connections)
	}
	steady := slices.DeleteFunc(slices.Clone(workloads), func(w string) bool { return w == "W5" })
	if len(steady) > 0 {
		show("| workload | peer | CPU µs/request | lower quartile | ratio to bare (quartiles) | peak MiB | requests/s |")
		show("|---|---|---|---|---|---|---|")
	}
	for _, w := range steady {
		if err := measure(ctx, dir, world, w, rounds, length, connections); err != nil {
			return fmt.Errorf("%s: %w", w, err)
		}
	}
	if len(steady) == len(workloads) {
		return nil
	}
	return stampede(ctx, dir, world)
}

// measured is what one peer did in one round.
type measured struct {
	cpu  float64 // seconds a request
	rate float64 // requests a second
}

func measure(ctx context.Context, dir string, world *world, workload string, rounds int, length time.Duration, connections int) error {
	path, tokens, err := world.tokens(workload)
	if err != nil {
		return err
	}
	all := peers()
	defer func() {
		for _, p := range all {
			p.server.stop()
		}
	}()
	for _, p := range all {
		if p.server, err = world.start(ctx, dir, p); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		note("%s: every token once through: %s", workload, p.name)
		if err := p.server.once(ctx, path, tokens); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	results := make([][]measured, len(all))
	for round := range rounds {
		if round%10 == 0 {
			note("%s: round %d of %d", workload, round+1, rounds)
		}
		for n := range all {
			i := (n + round) % len(all) // none has always the same one before it
			p := all[i]
			m, err := p.server.load(ctx, path, tokens, length, connections)
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			results[i] = append(results[i], m)
		}
	}
	for i, p := range all {
		var cpu, rate, ratio []float64
		for round, m := range results[i] {
			cpu, rate, ratio = append(cpu, m.cpu*1e6), append(rate, m.rate), append(ratio, m.cpu/results[0][round].cpu)
		}
		show("| %s | %s | %.1f | %.1f | %.3f (%.3f-%.3f) | %d | %.0f |", workload, p.name,
			quantile(cpu, 2), quantile(cpu, 1), quantile(ratio, 2), quantile(ratio, 1), quantile(ratio, 3), p.server.peak()>>20, quantile(rate, 2))
	}
	return nil
}

// quantile returns the value that n quarters of the values are below.
func quantile(values []float64, n int) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[n*(len(sorted)-1)/4]
}

// show prints a line of the table.
func show(format string, args ...any) { _, _ = fmt.Fprintf(os.Stdout, format+"\n", args...) }

func note(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
