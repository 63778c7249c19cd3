package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	_ "modernc.org/sqlite"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// memory is an empty database of one connection.
func memory(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestMigrationsAreNumbered(t *testing.T) {
	if texts, err := migrations(migrationFiles); err != nil || len(texts) == 0 {
		t.Fatalf("our own: %d texts, %v", len(texts), err)
	}
	for _, c := range []struct {
		names string
		ok    bool
	}{
		{"0001_a.sql 0002_b.sql", true},
		{"0002_b.sql", false},
		{"0001_a.sql 0003_b.sql", false},
		{"0001_a.sql 0001_b.sql", false},
		{"0001_a.sql 2_b.sql", false},
		{"a.sql", false},
	} {
		files := fstest.MapFS{}
		for name := range strings.FieldsSeq(c.names) {
			files["migrations/"+name] = &fstest.MapFile{Data: []byte(name)}
		}
		texts, err := migrations(files)
		if (err == nil) != c.ok {
			t.Errorf("%s: %q, %v", c.names, texts, err)
		}
	}
}

func TestMigrate(t *testing.T) {
	db, ctx, now := memory(t), t.Context(), time.Now()
	one := []string{"CREATE TABLE a (x {blob}); CREATE TABLE b (x {blob});"}
	two := append(one, "ALTER TABLE a ADD COLUMN y TEXT NOT NULL DEFAULT 'old';")
	for _, step := range []struct {
		texts   []string
		version int
	}{
		{nil, 0}, {one, 1}, {one, 1}, {two, 2}, {two, 2},
	} {
		if err := migrate(ctx, db, "BLOB", now, step.texts); err != nil {
			t.Fatal(err)
		}
		if got, err := Version(ctx, db); got != step.version || err != nil {
			t.Fatalf("version %d, %v, want %d", got, err, step.version)
		}
		if step.version == 1 {
			if _, err := db.ExecContext(ctx, "INSERT INTO a (x) VALUES (x'01')"); err != nil {
				t.Fatal(err)
			}
		}
	}
	var rows int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM a WHERE y = 'old'").Scan(&rows); rows != 2 || err != nil {
		t.Errorf("%d rows came through the migration, %v, want 2", rows, err)
	}
	if err := migrate(ctx, db, "BLOB", now, one); !errors.Is(err, ErrNewerSchema) {
		t.Errorf("an older release: %v, want ErrNewerSchema", err)
	}
	if err := migrate(ctx, db, "BLOB", now, append(two, "CREATE NONSENSE;")); err == nil || !strings.Contains(err.Error(), "0003") {
		t.Errorf("a broken migration: %v, want its number", err)
	}
}

// All three kinds of failure end in an authority.Error that a dialect can
// translate, and the first one sticks.
func TestFailures(t *testing.T) {
	db, ctx := memory(t), t.Context()
	if err := Migrate(ctx, db, "BLOB", time.Now()); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		run  func(*Tx) error
		kind authority.Kind
	}{
		"no such table": {func(tx *Tx) error {
			if _, err := db.ExecContext(ctx, "ALTER TABLE tokens RENAME TO gone"); err != nil {
				return err
			}
			_, err := tx.Token(secret.Digest{})
			_, undo := db.ExecContext(ctx, "ALTER TABLE gone RENAME TO tokens")
			return errors.Join(err, undo)
		}, authority.Unavailable},
		"a damaged row": {func(tx *Tx) error {
			if _, err := db.ExecContext(ctx, "INSERT INTO sessions VALUES ('r', 's', '', '', x'00', 0, 0, 0, '', 0, '', '')"); err != nil {
				return err
			}
			session, err := tx.Session("r", "s")
			if session != (authority.Session{}) {
				t.Errorf("half a row came back: %+v", session)
			}
			return err
		}, authority.Unavailable},
		"an unsound text": {func(tx *Tx) error { return tx.PutKey(authority.Key{ID: "\x00"}) }, authority.Internal},
		"a closed database": {func(tx *Tx) error {
			tx.q = closedQuerier{}
			return tx.PutKey(authority.Key{})
		}, authority.Unavailable},
	} {
		tx := NewTx(ctx, db, time.Now(), ReadWrite)
		err := c.run(tx)
		e, ok := errors.AsType[*authority.Error](err)
		if !ok || e.Kind != c.kind || e.Public != "" || (e.Kind == authority.Unavailable && e.RetryAfter <= 0) {
			t.Errorf("%s: error %v, want kind %v", name, err, c.kind)
		}
		if _, again := tx.Keys("r"); !errors.Is(again, tx.Failed()) || tx.Failed() == nil {
			t.Errorf("%s: the next statement answers %v, want the first error", name, again)
		}
	}
}

type closedQuerier struct{}

func (closedQuerier) ExecContext(context.Context, string, ...any) (sql.Result, error) {
	return nil, sql.ErrConnDone
}

func (closedQuerier) QueryContext(context.Context, string, ...any) (*sql.Rows, error) {
	return nil, sql.ErrConnDone
}
