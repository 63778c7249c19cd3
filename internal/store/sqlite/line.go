package sqlite

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/store/sqlstore"
)

// maxBatch bounds the Updates of one commit, and with it how long the first of
// them waits.
const maxBatch = 64

// line is where Updates wait for the writing connection. Each stands in it twice:
// first to run its function, then to commit. Turns are given strictly in the
// order of coming (Go's channels are fair), so whoever comes to its second turn
// has let all those run who were waiting when it came to its first, and commits
// for them all. An Update that is alone gets its second turn at once.
type line struct {
	turn chan struct{} // holds one value while somebody has the turn
	open *batch        // the transaction that is open, nil if none; read and written in turn
}

// batch is the Updates of one transaction.
type batch struct {
	size int           // Updates that ran
	kept uint64        // of these, the ones not undone
	done chan struct{} // closed when the transaction has ended
	err  error         // why it was not committed; set before done is closed
}

func newLine() line { return line{turn: make(chan struct{}, 1)} }

func (l *line) enter() { l.turn <- struct{}{} }
func (l *line) leave() { <-l.turn }

func (s *Store) update(ctx context.Context, fn func(*sqlstore.Tx) error) error {
	const op = "store: update"
	if err := ctx.Err(); err != nil {
		return sqlstore.Unavailable(op, err)
	}
	select {
	case s.line.turn <- struct{}{}:
	case <-ctx.Done():
		return sqlstore.Unavailable(op, ctx.Err())
	case <-s.closing:
		return sqlstore.Unavailable(op, errClosed)
	}
	b, err := s.take(ctx, fn)
	if b == nil {
		return err
	}
	select {
	case <-b.done:
	case s.line.turn <- struct{}{}:
		if s.line.open == b {
			s.commit(b)
		}
		s.line.leave()
	}
	// An error of fn's own may rest on what others of the batch had written, so it
	// too holds only if they were committed.
	if b.err != nil {
		return b.err
	}
	return err
}

// take runs fn in turn and ends the turn. It answers the batch whose end is to be
// awaited, nil if there is none, and what became of fn.
func (s *Store) take(ctx context.Context, fn func(*sqlstore.Tx) error) (b *batch, err error) {
	returned := false
	defer func() {
		// fn ended its goroutine (runtime.Goexit, as a failing test does), so it will
		// not come to its second turn, and may have been the only one who would.
		if !returned {
			_ = s.settle(b, errWentAway)
			if s.line.open == b {
				s.commit(b)
			}
			s.line.leave()
		}
	}()
	b, err = s.join(ctx)
	if err == nil {
		err = s.settle(b, run(sqlstore.NewTx(ctx, s.writer, s.now(), sqlstore.ReadWrite), fn))
		if s.line.open == b && b.size >= maxBatch {
			s.commit(b)
		}
	}
	returned = true
	s.line.leave()
	return b, err
}

// join begins a transaction or joins the one that is open, and sets a savepoint.
func (s *Store) join(ctx context.Context) (*batch, error) {
	const op = "store: update"
	if err := ctx.Err(); err != nil { // the line and the end of ctx may both have been ready
		return nil, sqlstore.Unavailable(op, err)
	}
	if s.line.open == nil {
		if err := s.writer.begin("BEGIN IMMEDIATE"); err != nil {
			return nil, sqlstore.Unavailable(op, err)
		}
		s.line.open = &batch{done: make(chan struct{})}
	}
	b := s.line.open
	if err := s.writer.exec("SAVEPOINT one"); err != nil {
		s.abandon(b, err)
		return nil, sqlstore.Unavailable(op, err)
	}
	return b, nil
}

// settle keeps or undoes what one Update wrote. Some failures (a full disk, an
// I/O error) make SQLite undo the whole transaction; then the savepoint is gone,
// and so are the writes of the others.
func (s *Store) settle(b *batch, err error) error {
	b.size++
	end := s.writer.keep
	if err != nil {
		end = s.writer.undo
	}
	if end := end(); end != nil {
		s.abandon(b, end)
		return sqlstore.Unavailable("store: update", end)
	}
	if err == nil {
		b.kept++
	}
	return err
}

// commit ends the open batch. When the database does not say that it is done, it
// may be or not: Unavailable.
func (s *Store) commit(b *batch) {
	if err := s.writer.exec("COMMIT"); err != nil {
		s.abandon(b, err)
		return
	}
	s.line.open = nil
	if b.kept > 0 {
		s.updates.Add(b.kept)
		s.commits.Add(1)
	}
	close(b.done)
}

// abandon ends the open batch for a fault of the database.
func (s *Store) abandon(b *batch, cause error) {
	s.writer.rollback()
	s.line.open = nil
	b.err = sqlstore.Unavailable("store: commit", cause)
	close(b.done)
}
