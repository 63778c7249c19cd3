package gatehouse

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/introspect"
	"github.com/gatehouse-auth/gatehouse/internal/store/sqlite"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

const (
	sweepEvery = time.Minute
	sweepBatch = 500 // rows; small, so that a sweep never holds the writer for long
	leaveWait  = 3 * time.Second
	leavePoll  = 50 * time.Millisecond
)

// State is what outlives a configuration: the open store, the keys, the verdicts
// and the counters. It is made by OpenState and ended by Destruct.
type State struct {
	store   *sqlite.Store
	keys    *authority.Keyring
	guesses *authority.Throttle
	forms   *token.Forms
	cache   *introspect.Cache
	metrics *audit.Metrics
	logger  *slog.Logger

	stop    context.CancelFunc
	workers sync.WaitGroup
}

// OpenState opens the store of the configuration, which must be complete (see
// config.Config.SetDefaults) and valid. The error names what to mend.
func OpenState(ctx context.Context, c *config.Config, logger *slog.Logger) (*State, error) {
	store, err := openStore(ctx, c.Store.SQLite)
	if err != nil {
		return nil, err
	}
	cache, err := introspect.New(introspect.Options{
		MaxSize: int64(c.Cache.MaxSize), MaxTTL: c.Cache.MaxTTL.D(), NegativeTTL: c.Cache.NegativeTTL.D(), Logger: logger,
	})
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	forms := token.New()
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	s := &State{
		store: store, keys: authority.NewKeyring(store, forms, time.Now), guesses: authority.NewThrottle(time.Now),
		forms: forms, cache: cache, metrics: audit.NewMetrics(), logger: logger, stop: stop,
	}
	s.workers.Go(func() { s.sweep(work) })
	return s, nil
}

// openStore waits a little for whoever is about to leave the file: the process that
// is being replaced, or the last request of a configuration that used it.
func openStore(ctx context.Context, path string) (*sqlite.Store, error) {
	ctx, cancel := context.WithTimeout(ctx, leaveWait)
	defer cancel()
	for {
		store, err := sqlite.Open(context.WithoutCancel(ctx), path, sqlite.Options{})
		if !errors.Is(err, sqlite.ErrInUse) {
			return store, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(leavePoll):
		}
	}
}

// Destruct ends the workers and closes the store. Nobody may use the State after it.
func (s *State) Destruct() error {
	s.stop()
	s.workers.Wait()
	s.cache.Close()
	return s.store.Close()
}

// sweep deletes expired rows until the State ends.
func (s *State) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for {
			n, err := s.store.Sweep(ctx, sweepBatch)
			if err != nil && ctx.Err() == nil {
				s.logger.Warn("sweeping expired rows", slog.Any("error", err))
			}
			if err != nil || n < sweepBatch {
				break
			}
		}
	}
}
