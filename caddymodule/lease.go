package caddymodule

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap/exp/zapslog"

	"github.com/gatehouse-auth/gatehouse/internal/gatehouse"
)

// states holds the open states of this process, by the address of their store, so
// that the old and the new configuration of a reload share one. It is the only
// package-level state.
var states = caddy.NewUsagePool()

// openTimeout bounds opening a store and making the first keys.
const openTimeout = 30 * time.Second

func openContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), openTimeout)
}

// running is one configuration over an open state, counted: one for the app from
// Start to Cleanup, one for each request in it. The last one out gives the state back.
type running struct {
	*gatehouse.Gatehouse
	giveBack func()
	refs     atomic.Int64
	late     bool // opened for a request that outlived its configuration
}

// Serving says that a request has come, unless it came late: the limits of a
// configuration that has gone must not come back.
func (r *running) Serving() {
	if !r.late {
		r.Gatehouse.Serving()
	}
}

func newRunning(g *gatehouse.Gatehouse, giveBack func()) *running {
	r := &running{Gatehouse: g, giveBack: giveBack}
	r.refs.Store(1)
	return r
}

// take adds a holder, unless the last one has left already.
func (r *running) take() bool {
	for {
		n := r.refs.Load()
		if n == 0 {
			return false
		}
		if r.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// leave takes a holder away.
func (r *running) leave() {
	if r.refs.Add(-1) == 0 {
		r.giveBack()
	}
}

// lease is how an app holds its running configuration. Caddy starts apps in no
// fixed order and cleans the old ones up while their last requests run, so a
// request may be the first to open and may be the last to leave.
type lease struct {
	open func() (*running, error)

	current atomic.Pointer[running]
	mu      sync.Mutex // serializes opening and ending
	held    bool       // the app's own hold, taken by start and given back by end once
	ended   bool
}

var errNotProvisioned = errors.New("gatehouse: the app was not provisioned")

// start takes the app's own hold.
func (l *lease) start() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	r, err := l.entered()
	if err != nil {
		return err
	}
	if l.held {
		r.leave()
	}
	l.held = true
	return nil
}

// enter takes a hold for a request; the caller must leave it. After end, each
// request opens for itself again and the last one closes.
func (l *lease) enter() (*running, error) {
	if r := l.current.Load(); r != nil && r.take() {
		return r, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.entered()
}

// entered is enter under l.mu.
func (l *lease) entered() (*running, error) {
	if r := l.current.Load(); r != nil && r.take() {
		return r, nil
	}
	if l.open == nil {
		return nil, errNotProvisioned
	}
	r, err := l.open()
	if err != nil {
		return nil, err
	}
	r.late = l.ended
	l.current.Store(r)
	return r, nil
}

// end gives back the app's own hold, if it was ever taken.
func (l *lease) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	if l.held {
		l.held = false
		l.current.Load().leave()
	}
}

// processHandler is a slog.Handler over Caddy's logger of the moment: what logs
// from the shared state must not write to a configuration that has gone.
type processHandler struct{ attrs []slog.Attr }

func (h processHandler) inner() slog.Handler {
	return zapslog.NewHandler(caddy.Log().Named("gatehouse").Core(), zapslog.WithName("gatehouse"))
}

// Enabled says whether the process's logger takes the level.
func (h processHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.inner().Enabled(ctx, level)
}

// Handle writes the record.
func (h processHandler) Handle(ctx context.Context, r slog.Record) error {
	r.AddAttrs(h.attrs...)
	return h.inner().Handle(ctx, r)
}

// WithAttrs returns a handler that adds the attributes to each record.
func (h processHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return processHandler{append(slices.Clip(h.attrs), attrs...)}
}

// WithGroup returns the handler as it is: nothing here logs in groups.
func (h processHandler) WithGroup(string) slog.Handler { return h }
