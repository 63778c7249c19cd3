package sqlstore

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// ErrNewerSchema means the database was written by a newer release.
var ErrNewerSchema = errors.New("the database has a newer schema")

const (
	createVersionText = `CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL PRIMARY KEY, applied BIGINT NOT NULL)`
	readVersionText   = `SELECT COALESCE(MAX(version), 0) FROM schema_version`
	addVersionText    = `INSERT INTO schema_version (version, applied) VALUES ($1, $2)`
)

// Migrate brings the schema to the newest version that we know. The caller has
// begun a transaction that writes, holds the lock that keeps other processes from
// doing the same, and commits if the answer is nil. blob is the database's name
// for a column of bytes. Errors: ErrNewerSchema, the database's own.
func Migrate(ctx context.Context, q Querier, blob string, now time.Time) error {
	texts, err := migrations(migrationFiles)
	if err != nil {
		return err
	}
	return migrate(ctx, q, blob, now, texts)
}

// Version reads the schema's version: 0 before the first migration. It is also
// the cheapest read of something real.
func Version(ctx context.Context, q Querier) (int, error) {
	rows, err := q.QueryContext(ctx, readVersionText)
	if err != nil {
		return 0, err
	}
	version := 0
	for err == nil && rows.Next() {
		err = rows.Scan(&version)
	}
	return version, errors.Join(err, rows.Close(), rows.Err())
}

// migrations reads the texts in order. They are numbered from 1 without a gap.
func migrations(files fs.FS) ([]string, error) {
	names, err := fs.Glob(files, "migrations/*.sql") // sorted by name
	if err != nil {
		return nil, err
	}
	texts := make([]string, 0, len(names))
	for i, name := range names {
		number, _, _ := strings.Cut(strings.TrimPrefix(name, "migrations/"), "_")
		if n, err := strconv.Atoi(number); err != nil || n != i+1 || len(number) != 4 {
			return nil, fmt.Errorf("migration %s is not number %04d", name, i+1)
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		texts = append(texts, string(text))
	}
	return texts, nil
}

func migrate(ctx context.Context, q Querier, blob string, now time.Time, texts []string) error {
	if _, err := q.ExecContext(ctx, createVersionText); err != nil {
		return fmt.Errorf("schema version: %w", err)
	}
	version, err := Version(ctx, q)
	if err != nil {
		return fmt.Errorf("schema version: %w", err)
	}
	if version > len(texts) {
		return fmt.Errorf("%w: version %d, and this release knows up to %d", ErrNewerSchema, version, len(texts))
	}
	for n := version + 1; n <= len(texts); n++ {
		if _, err := q.ExecContext(ctx, strings.ReplaceAll(texts[n-1], "{blob}", blob)); err != nil {
			return fmt.Errorf("migration %04d: %w", n, err)
		}
		if _, err := q.ExecContext(ctx, addVersionText, n, micros(now)); err != nil {
			return fmt.Errorf("migration %04d: %w", n, err)
		}
	}
	return nil
}
