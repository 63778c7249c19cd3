package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"time"

	"modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"

	"github.com/gatehouse-auth/gatehouse/internal/store/sqlstore"
)

// applicationID marks the file as ours: "GTHS" in the file's header.
const applicationID = 0x47544853

// checkLimit is the size in bytes up to which a file is searched for damage
// when it is opened: that reads all of it.
const checkLimit = 32 << 20

// errForeign is the cause when the file is a database of some other program.
var errForeign = errors.New("it is the database of another program; name another file")

// Open opens the store at path, and makes it if it is not there, its directory
// too. Errors name the path and what to mend; they wrap ErrInUse,
// sqlstore.ErrNewerSchema and those of the file system.
func Open(ctx context.Context, path string, opts Options) (*Store, error) {
	s := &Store{path: path, clock: opts.Clock, line: newLine(), closing: make(chan struct{})}
	if s.clock == nil {
		s.clock = time.Now
	}
	if err := s.open(ctx, readerCount(opts.Readers)); err != nil {
		s.giveUp()
		return nil, fmt.Errorf("store %q: %w", path, explain(err))
	}
	return s, nil
}

func readerCount(asked int) int {
	if asked > 0 {
		return min(asked, 64)
	}
	return min(max(runtime.GOMAXPROCS(0), 4), 8)
}

func (s *Store) open(ctx context.Context, readers int) (err error) {
	if s.path, err = place(s.path); err != nil {
		return err
	}
	// From here on nobody else opens or closes the file: closing any descriptor of
	// it would silently drop the locks that SQLite holds.
	if s.lock, err = lockFile(s.path + ".lock"); err != nil {
		return err
	}
	if s.file, err = prepareFile(s.path); err != nil {
		return err
	}
	if s.writer, err = dial(ctx, s.path, "rw"); err != nil {
		return err
	}
	if err := s.prepareDatabase(ctx); err != nil {
		return err
	}
	s.readers = make(chan *conn, readers)
	for range readers {
		c, err := dial(ctx, s.path, "ro")
		if err != nil {
			return err
		}
		s.readers <- c
	}
	return nil
}

// giveUp closes what a failed open had opened. Its errors would only hide the
// reason.
func (s *Store) giveUp() {
	for range len(s.readers) {
		_ = (<-s.readers).close()
	}
	if s.writer != nil {
		_ = s.writer.close()
	}
	if s.lock != nil {
		_ = s.lock.release()
	}
}

// prepareDatabase changes nothing before it knows the database for ours.
func (s *Store) prepareDatabase(ctx context.Context) error {
	id, err := read[int64](ctx, s.writer, "PRAGMA application_id")
	if err != nil {
		return err
	}
	things, err := read[int64](ctx, s.writer, "SELECT count(*) FROM sqlite_schema")
	if err != nil {
		return err
	}
	if things > 0 && id != applicationID {
		return errForeign
	}
	if s.file.Size() <= checkLimit {
		verdict, err := read[string](ctx, s.writer, "PRAGMA quick_check(1)")
		if err != nil {
			return err
		}
		if verdict != "ok" {
			return fmt.Errorf("the file is damaged (%s); restore it from a backup", verdict)
		}
	}
	mode, err := read[string](ctx, s.writer, "PRAGMA journal_mode = WAL")
	if err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("the file system cannot keep a write-ahead log (journal mode %s); put the file on a local disk", mode)
	}
	return s.migrate(ctx)
}

func (s *Store) migrate(ctx context.Context) error {
	if err := s.writer.begin("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer s.writer.rollback() // of no effect after the commit
	// Straight to the connection: a migration is several statements in one text.
	if _, err := s.writer.c.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d", applicationID)); err != nil {
		return err
	}
	if err := sqlstore.Migrate(ctx, s.writer.c, "BLOB", s.now()); err != nil {
		return err
	}
	return s.writer.exec("COMMIT")
}

// explain adds what to mend to an error of the file system or the driver.
func explain(err error) error {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		switch e.Code() & 0xff {
		case codes.SQLITE_NOTADB, codes.SQLITE_CORRUPT:
			return fmt.Errorf("the file is damaged or no SQLite database; restore it from a backup or name another file: %w", err)
		case codes.SQLITE_READONLY, codes.SQLITE_PERM:
			return fmt.Errorf("the file cannot be written; make it and its directory writable for this user: %w", err)
		case codes.SQLITE_CANTOPEN:
			return fmt.Errorf("the file cannot be opened; make it and its directory readable and writable for this user: %w", err)
		case codes.SQLITE_FULL:
			return fmt.Errorf("the disk is full: %w", err)
		case codes.SQLITE_BUSY, codes.SQLITE_LOCKED:
			return fmt.Errorf("another program has the file locked; end it (a backup, a database shell): %w", err)
		case codes.SQLITE_IOERR:
			return fmt.Errorf("the disk fails: %w", err)
		}
	}
	switch {
	case errors.Is(err, sqlstore.ErrNewerSchema):
		return fmt.Errorf("%w; run the newer release, or restore the backup made before the upgrade", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("no permission; make the file and its directory writable for user id %d: %w", os.Getuid(), err)
	}
	return err
}
