package caddymodule

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/gatehouse"
	"github.com/gatehouse-auth/gatehouse/internal/guard"
)

// App is the Caddy app `gatehouse`: the realms, the store and the verdict cache
// that all handlers of a configuration share.
//
// Provision only reads; the state is opened by Start or by the first request,
// whichever comes first, so that `caddy validate` opens and creates nothing.
type App struct {
	config.Config

	ready    *config.Config // expanded, complete, valid: what Provision made of Config
	logger   *slog.Logger
	registry gatehouse.Registry

	mu        sync.Mutex // guards what follows until Start
	guards    []config.Guard
	endpoints []config.Endpoints
	strips    map[*caddyhttp.Server]*serverStrips

	namesOnce sync.Once
	names     *guard.Names

	lease lease
}

// CaddyModule returns the module's id.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "gatehouse", New: func() caddy.Module { return new(App) }}
}

// Provision expands the placeholders of secrets, fills in the defaults and reports
// every fault of the configuration at once.
func (a *App) Provision(ctx caddy.Context) error {
	a.logger = ctx.Slogger()
	a.registry = ctx.GetMetricsRegistry()
	ready, err := expanded(&a.Config)
	if err != nil {
		return err
	}
	ready.SetDefaults()
	if ready.Store.SQLite == "" {
		ready.Store.SQLite = filepath.Join(caddy.AppDataDir(), "gatehouse.db")
	}
	if ready.Store.SQLite, err = filepath.Abs(ready.Store.SQLite); err != nil {
		return fmt.Errorf("store sqlite: %w", err)
	}
	if err := ready.ValidateExpanded().Err(); err != nil {
		return err
	}
	if err := gatehouse.Check(ready); err != nil {
		return err
	}
	a.ready = ready
	a.lease.open = a.open
	return nil
}

// identityNames returns the identity headers that no client may send: those of all
// presets and of every map in this configuration. All handlers are provisioned
// before the first request, so the first one to ask finds them complete.
func (a *App) identityNames() *guard.Names {
	a.namesOnce.Do(func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		var names []string
		for _, g := range a.guards {
			for _, h := range g.Identity.Headers {
				names = append(names, h.Name)
			}
		}
		a.names = guard.NewNames(names...)
	})
	return a.names
}

// addGuard registers the rule of a guard handler and returns its place in Parts.
func (a *App) addGuard(g config.Guard) (int, error) {
	g.SetDefaults(a.ready)
	if err := g.Validate(a.ready).Err(); err != nil {
		return 0, err
	}
	if err := guard.Valid(g, trustNames(a.ready)...); err != nil {
		return 0, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.guards = append(a.guards, g)
	return len(a.guards) - 1, nil
}

// trustNames are the names of the configuration's trusts.
func trustNames(c *config.Config) []string {
	names := make([]string, len(c.Trusts))
	for i := range c.Trusts {
		names[i] = c.Trusts[i].Name
	}
	return names
}

// addEndpoints registers an endpoint handler and returns its place in Parts.
func (a *App) addEndpoints(e config.Endpoints) (int, error) {
	e, err := expandedEndpoints(e)
	if err != nil {
		return 0, err
	}
	e.SetDefaults(a.ready)
	if err := e.ValidateExpanded(a.ready).Err(); err != nil {
		return 0, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.endpoints = append(a.endpoints, e)
	return len(a.endpoints) - 1, nil
}

// Start opens the state. A store that cannot be opened fails the configuration.
func (a *App) Start() error { return a.lease.start() }

// Stop does nothing: requests may still run. Cleanup gives the state back.
func (a *App) Stop() error { return nil }

// Cleanup gives back what this instance took, once its last request has left.
func (a *App) Cleanup() error {
	a.lease.end()
	return nil
}

// open takes the shared state from the pool and puts this configuration over it.
func (a *App) open() (*running, error) {
	ctx, cancel := openContext()
	defer cancel()
	key := "sqlite:" + canonical(a.ready.Store.SQLite)
	value, _, err := states.LoadOrNew(key, func() (caddy.Destructor, error) {
		return gatehouse.OpenState(ctx, a.ready, slog.New(processHandler{}), caddy.Exiting)
	})
	if err == nil && value == nil {
		// Another opener's attempt, which this one had joined, failed just now.
		err = errors.New("the store could not be opened")
	}
	if err != nil {
		return nil, err
	}
	giveBack := func() {
		if _, err := states.Delete(key); err != nil {
			a.logger.Error("closing the store", slog.Any("error", err))
		}
	}
	a.mu.Lock()
	parts := gatehouse.Parts{Config: a.ready, Endpoints: a.endpoints, Guards: a.guards, Logger: a.logger, Registry: a.registry}
	a.mu.Unlock()
	g, err := gatehouse.New(ctx, value.(*gatehouse.State), parts)
	if err != nil {
		giveBack()
		return nil, err
	}
	return newRunning(g, giveBack), nil
}

// canonical resolves links, so that two spellings of one file share one state.
func canonical(path string) string {
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(dir, filepath.Base(path))
	}
	if file, err := filepath.EvalSymlinks(path); err == nil {
		path = file
	}
	return path
}

var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
