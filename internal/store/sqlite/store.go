package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/store/sqlstore"
)

// Causes of errors that the store itself gives.
var (
	errClosed   = errors.New("the store is closed")
	errMoved    = errors.New("the database file was moved, deleted or replaced while it was in use")
	errWentAway = errors.New("the function ended its goroutine")
)

// Options are what a Store may be told; the zero value is right.
type Options struct {
	Clock   authority.Clock // default: time.Now
	Readers int             // connections that read, 1 to 64; default: 4 to 8, by the number of processors
}

// Stats counts what a Store did since it was opened.
type Stats struct {
	Updates uint64 // Updates that were committed
	Commits uint64 // commits they shared
}

// Store is authority.Store in one SQLite file.
type Store struct {
	path    string
	file    os.FileInfo // what stood at path when it was opened
	clock   authority.Clock
	lock    *fileLock
	writer  *conn
	readers chan *conn
	line    line

	closing  chan struct{}
	close    sync.Once
	closeErr error

	updates, commits atomic.Uint64
}

var _ authority.Store = (*Store)(nil)

// View implements authority.Store. fn runs in the caller's goroutine; if it
// panics, View answers Internal.
func (s *Store) View(ctx context.Context, fn func(authority.Tx) error) error {
	return s.view(ctx, func(tx *sqlstore.Tx) error { return fn(tx) })
}

func (s *Store) view(ctx context.Context, fn func(*sqlstore.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return sqlstore.Unavailable("store: view", err)
	}
	var c *conn
	select {
	case c = <-s.readers:
	case <-ctx.Done():
		return sqlstore.Unavailable("store: view", ctx.Err())
	case <-s.closing:
		return sqlstore.Unavailable("store: view", errClosed)
	}
	defer func() { s.readers <- c }()
	if err := c.begin("BEGIN"); err != nil {
		return sqlstore.Unavailable("store: view", err)
	}
	defer c.rollback()
	return run(sqlstore.NewTx(ctx, c, s.now(), sqlstore.ReadOnly), fn)
}

// Update implements authority.Store. fn runs once, in the caller's goroutine,
// possibly in one transaction with the Updates before it; it must not call the
// store, which would wait for itself. If it panics, its writes are undone and
// Update answers Internal. An Update whose context ends before its turn does not
// run; one whose context ends later is undone at its next statement or else
// waits for its commit, so that nil and the disk always agree.
func (s *Store) Update(ctx context.Context, fn func(authority.Tx) error) error {
	return s.update(ctx, func(tx *sqlstore.Tx) error { return fn(tx) })
}

// Ping implements authority.Store: it reads from the database and looks whether
// its file is still where it was opened. Errors: Unavailable.
func (s *Store) Ping(ctx context.Context) error {
	now, err := os.Stat(s.path)
	if err == nil && !os.SameFile(s.file, now) {
		err = errMoved
	}
	if err != nil {
		return sqlstore.Unavailable("store: ping", err)
	}
	return s.view(ctx, (*sqlstore.Tx).Ping)
}

// Sweep deletes at most limit rows that expired some minutes ago, in one Update,
// and tells how many: who gets limit calls again. Errors: Unavailable.
func (s *Store) Sweep(ctx context.Context, limit int) (int, error) {
	swept := 0
	err := s.update(ctx, func(tx *sqlstore.Tx) (err error) {
		swept, err = tx.Sweep(limit)
		return err
	})
	if err != nil {
		return 0, err
	}
	return swept, nil
}

// Stats returns the counts so far.
func (s *Store) Stats() Stats {
	return Stats{Updates: s.updates.Load(), Commits: s.commits.Load()}
}

// Close waits for the work that runs, refuses what comes, writes the log back
// into the database file and gives the lock back. The second Close answers as the
// first did.
func (s *Store) Close() error {
	s.close.Do(func() {
		close(s.closing)
		s.line.enter() // and never leave
		if s.line.open != nil {
			s.commit(s.line.open)
		}
		errs := make([]error, 0, 2*cap(s.readers)+3)
		for range cap(s.readers) {
			errs = append(errs, (<-s.readers).close())
		}
		// Readers first: the last connection to leave empties and removes the log.
		errs = append(errs, s.writer.exec("PRAGMA wal_checkpoint(TRUNCATE)"), s.writer.close(), s.lock.release())
		if err := errors.Join(errs...); err != nil {
			s.closeErr = fmt.Errorf("store %s: close: %w", s.path, err)
		}
	})
	return s.closeErr
}

// now is the time of a Tx, as precise as a row is.
func (s *Store) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }

// run calls fn and ends its Tx. A Tx of which a statement failed counts as failed
// whatever fn says, and so does a panic.
func run(tx *sqlstore.Tx, fn func(*sqlstore.Tx) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &authority.Error{
				Kind: authority.Internal,
				Op:   "store",
				Err:  fmt.Errorf("panic: %v\n%s", p, debug.Stack()),
			}
		}
		if err == nil {
			err = tx.Failed()
		}
		tx.End()
	}()
	return fn(tx)
}
