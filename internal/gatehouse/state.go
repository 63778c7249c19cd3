package gatehouse

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/introspect"
	"github.com/gatehouse-auth/gatehouse/internal/store/sqlite"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

const (
	sweepEvery    = time.Minute
	sweepBatch    = 500 // rows; small, so that a sweep never holds the writer for long
	maintainEvery = time.Hour
	leaveWait     = 3 * time.Second
	leavePoll     = 50 * time.Millisecond
)

// State is what outlives a configuration: the open store, the keys, the verdicts
// and the counters. It is made by OpenState and ended by Destruct.
type State struct {
	store    *sqlite.Store
	keys     *authority.Keyring
	guesses  *authority.Throttle
	devices  *authority.Devices
	outbound *http.Client // to upstreams
	heap     heapFloor
	trusts   trusts
	forms    *token.Forms
	cache    *introspect.Cache
	metrics  *audit.Metrics
	logger   *slog.Logger

	turns   turns
	upkeep  atomic.Pointer[upkeep] // of the configuration that serves
	adopted chan struct{}          // one is waiting in upkeep for its first turn
	stop    context.CancelFunc
	workers sync.WaitGroup
}

// upkeep is what a configuration wants done from time to time. Realms belong to a
// configuration, while the worker outlives it.
type upkeep struct {
	maintain func(context.Context) error // publishes the next key of a realm whose key grows old
	grace    time.Duration               // the longest of its realms
}

// OpenState opens the store of the configuration, which must be complete (see
// config.Config.SetDefaults) and valid. exiting tells that the process is about to
// end. The error names what to mend.
func OpenState(ctx context.Context, c *config.Config, logger *slog.Logger, exiting func() bool) (*State, error) {
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
		devices: authority.NewDevices(time.Now, exiting), outbound: outbound(),
		forms: forms, cache: cache, metrics: audit.NewMetrics(), logger: logger, stop: stop,
		adopted: make(chan struct{}, 1),
	}
	s.workers.Go(func() { s.work(work) })
	return s, nil
}

// turns are the configurations in the order in which they came. The first request of one may
// come when the next one serves, on a connection that was opened before: its limits must
// not come back.
type turns struct {
	came atomic.Uint64

	mu     sync.Mutex
	serves uint64 // the last that had a request
}

// take has the configuration of that number take over, unless a later one has done so.
func (t *turns) take(number uint64, over func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if number > t.serves {
		t.serves = number
		over()
	}
}

// adopt makes the upkeep the one that is done from now on, beginning at once.
func (s *State) adopt(u *upkeep) {
	s.upkeep.Store(u)
	s.nudge()
}

// adoptFirst is adopt for a configuration that does not serve yet: it takes turns
// only while there is no other.
func (s *State) adoptFirst(u *upkeep) {
	if s.upkeep.CompareAndSwap(nil, u) {
		s.nudge()
	}
}

func (s *State) nudge() {
	select {
	case s.adopted <- struct{}{}:
	default: // the worker has not taken the last one up yet and will find this
	}
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
	s.outbound.CloseIdleConnections()
	s.heap.set(0)
	return s.store.Close()
}

// work does what is due until the State ends.
func (s *State) work(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	var maintained time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.adopted:
			maintained = time.Time{}
		case <-tick.C:
		}
		maintained = s.round(ctx, time.Now(), maintained)
	}
}

// round does what is due now and answers when the keys were last looked after.
// What fails is tried again at the next round.
func (s *State) round(ctx context.Context, now, maintained time.Time) time.Time {
	s.sweep(ctx)
	u := s.upkeep.Load()
	if u == nil {
		return maintained
	}
	err := s.store.Update(ctx, func(tx authority.Tx) error { return tx.EraseSuccessors(tx.Now().Add(-u.grace)) })
	s.warn(ctx, "erasing the successors of refresh tokens", err)
	if now.Sub(maintained) < maintainEvery {
		return maintained
	}
	if err := u.maintain(ctx); err != nil {
		s.warn(ctx, "rotating keys by age", err)
		return maintained
	}
	return now
}

// sweep deletes expired rows.
func (s *State) sweep(ctx context.Context) {
	for {
		n, err := s.store.Sweep(ctx, sweepBatch)
		s.warn(ctx, "sweeping expired rows", err)
		if err != nil || n < sweepBatch {
			return
		}
	}
}

func (s *State) warn(ctx context.Context, doing string, err error) {
	if err != nil && ctx.Err() == nil {
		s.logger.Warn(doing, slog.Any("error", err))
	}
}
