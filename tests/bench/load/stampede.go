package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	stampedeSize   = 500
	stampedeRounds = 24
	slowIntrospect = 50 * time.Millisecond
)

// stampede sends many requests at once, all with one token that nobody has seen, and shows
// how often the issuer was asked and when the last answer came. A bare Caddy, which asks
// nobody, says how long so many answers take by themselves.
func stampede(ctx context.Context, dir string, world *world) error {
	world.delay.Store(int64(slowIntrospect))
	defer world.delay.Store(int64(introspectTime))
	all := peers()
	defer func() {
		for _, p := range all {
			p.server.stop()
		}
	}()
	for _, p := range all {
		var err error
		if p.server, err = world.start(ctx, dir, p); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	took, calls := make([][]float64, len(all)), make([][]float64, len(all))
	for round := range stampedeRounds {
		note("W5: round %d of %d", round+1, stampedeRounds)
		for n := range all {
			i := (n + round) % len(all)
			before := world.asked.Load()
			last, err := all[i].server.rush(ctx, fmt.Sprintf("good-stampede-%d-%d", i, round))
			if err != nil {
				return fmt.Errorf("%s: %w", all[i].name, err)
			}
			took[i] = append(took[i], last.Seconds()*1e3)
			calls[i] = append(calls[i], float64(world.asked.Load()-before))
		}
	}
	show("")
	show("%d requests at once with one token never seen; the issuer takes %v.", stampedeSize, slowIntrospect)
	show("")
	show("| workload | peer | calls of the issuer (most) | last answer, ms (quartiles) |")
	show("|---|---|---|---|")
	for i, p := range all {
		show("| W5 | %s | %.0f (%.0f) | %.0f (%.0f-%.0f) |", p.name, quantile(calls[i], 2), quantile(calls[i], 4),
			quantile(took[i], 2), quantile(took[i], 1), quantile(took[i], 3))
	}
	return nil
}

// rush opens all connections, sends a request on each at the same moment, and returns when
// the last one was answered.
func (p *process) rush(ctx context.Context, token string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var open []net.Conn
	defer func() {
		for _, c := range open {
			_ = c.Close()
		}
	}()
	for range stampedeSize {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", p.address)
		if err != nil {
			return 0, err
		}
		open = append(open, c)
	}
	request := []byte("GET /opaque/x HTTP/1.1\r\nHost: " + p.address + "\r\nAuthorization: Bearer " + token + "\r\n\r\n")
	faults := make([]error, len(open))
	var answered sync.WaitGroup
	begun := time.Now()
	for i, c := range open {
		answered.Go(func() { faults[i] = exchange(ctx, c, request) })
	}
	answered.Wait()
	return time.Since(begun), errors.Join(faults...)
}

func exchange(ctx context.Context, c net.Conn, request []byte) error {
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	if _, err := c.Write(request); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err
	}
	return finish(resp)
}
