package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// process is a running peer.
type process struct {
	cmd     *exec.Cmd
	address string
	admin   string // of Caddy; empty where it is off

	client *http.Client // keeps its connections from one measurement to the next
	next   atomic.Int64 // the token whose turn it is, also from one to the next
}

func (p *process) stop() {
	if p == nil {
		return
	}
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// ready waits until the peer takes connections.
func (p *process) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", p.address)
		if err == nil {
			return c.Close()
		}
		select {
		case <-ctx.Done():
			p.stop()
			return fmt.Errorf("it does not serve: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func newClient(connections int) *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}, Timeout: 30 * time.Second}
}

func (p *process) get(ctx context.Context, client *http.Client, path, token string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.address+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	return finish(resp)
}

// finish reads an answer to its end, and fails if it is not 200.
func finish(resp *http.Response) error {
	_, err := io.Copy(io.Discard, resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("it answers %s", resp.Status)
	}
	return err
}

// once sends every token once, and a bad one that must be refused by who guards.
func (p *process) once(ctx context.Context, path string, tokens []string) error {
	var sent atomic.Int64
	_, err := p.drive(ctx, path, tokens, 32, func() bool { return sent.Add(1) <= int64(len(tokens)) })
	return err
}

// load sends tokens in turn for a while and says what that cost.
func (p *process) load(ctx context.Context, path string, tokens []string, length time.Duration, connections int) (measured, error) {
	end := time.Now().Add(length)
	before, err := p.cpu()
	if err != nil {
		return measured{}, err
	}
	n, err := p.drive(ctx, path, tokens, connections, func() bool { return time.Now().Before(end) })
	if err != nil {
		return measured{}, err
	}
	after, err := p.cpu()
	return measured{cpu: (after - before).Seconds() / float64(n), rate: float64(n) / length.Seconds()}, err
}

func (p *process) drive(ctx context.Context, path string, tokens []string, connections int, more func() bool) (int64, error) {
	if p.client == nil {
		p.client = newClient(connections)
	}
	var done atomic.Int64
	failed := make(chan error, connections)
	var group sync.WaitGroup
	for range connections {
		group.Go(func() {
			for more() {
				if err := p.get(ctx, p.client, path, tokens[p.next.Add(1)%int64(len(tokens))]); err != nil {
					failed <- err
					return
				}
				done.Add(1)
			}
		})
	}
	group.Wait()
	close(failed)
	return done.Load(), <-failed
}

// cpu is the processor time that the process has used: run time of its threads in
// nanoseconds, as the scheduler counts it.
func (p *process) cpu() (time.Duration, error) {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	var total int64
	for _, task := range tasks {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/schedstat", p.cmd.Process.Pid, task.Name()))
		if err != nil {
			continue // the thread has ended
		}
		run, _, _ := strings.Cut(string(text), " ")
		ns, err := strconv.ParseInt(run, 10, 64)
		if err != nil {
			return 0, err
		}
		total += ns
	}
	return time.Duration(total), nil
}

// peak is the most memory that the process had at a time, in bytes.
func (p *process) peak() int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib << 10
		}
	}
	return 0
}
