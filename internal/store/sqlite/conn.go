package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"path/filepath"

	"modernc.org/sqlite"
)

// conn is one connection with its prepared statements. One goroutine uses it at a
// time.
//
// A statement, once begun, runs to its end: all of them are short, and the driver
// would need a goroutine for each to interrupt it. A context is judged before.
type conn struct {
	db    *sql.DB
	c     *sql.Conn
	ready map[string]*sql.Stmt // by text; our texts are few and fixed
}

// settings are the same for every connection. The schema is not trusted to call
// functions, names in double quotes are never texts, and SQL cannot damage the
// file; what is deleted is overwritten where that costs no further write.
func settings() url.Values {
	return url.Values{
		"_busy_timeout": {"5000"}, // milliseconds; only a foreign process, such as a backup, can make us wait
		"_defensive":    {"1"},
		"_dqs":          {"0"},
		"_error_rc":     {"1"},
		"_synchronous":  {"FULL"},
		"_pragma": {
			"trusted_schema(OFF)",
			"cell_size_check(ON)",
			"secure_delete(FAST)",
			"temp_store(MEMORY)",
			"journal_size_limit(67108864)", // bytes the -wal file may keep when it is empty
		},
	}
}

// address is the URI of the file, in which any path can stand: SQLite undoes
// the escapes (https://www.sqlite.org/uri.html §3.1). mode is rw or ro.
func address(path, mode string) string {
	path = filepath.ToSlash(path)
	if path[0] != '/' {
		path = "/" + path // C:/... on Windows
	}
	return (&url.URL{Scheme: "file", Path: path}).String() + "?mode=" + mode + "&" + settings().Encode()
}

func dial(ctx context.Context, path, mode string) (*conn, error) {
	connector, err := sqlite.NewConnector(address(path, mode))
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	c, err := db.Conn(ctx)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &conn{db: db, c: c, ready: make(map[string]*sql.Stmt)}, nil
}

// close ends the connection and its statements.
func (c *conn) close() error {
	errs := make([]error, 0, len(c.ready)+2)
	for _, stmt := range c.ready {
		errs = append(errs, stmt.Close())
	}
	return errors.Join(append(errs, c.c.Close(), c.db.Close())...)
}

func (c *conn) prepared(text string) (*sql.Stmt, error) {
	if stmt, ok := c.ready[text]; ok {
		return stmt, nil
	}
	stmt, err := c.c.PrepareContext(context.Background(), text)
	if err == nil {
		c.ready[text] = stmt
	}
	return stmt, err
}

// ExecContext implements sqlstore.Querier.
func (c *conn) ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	stmt, err := c.prepared(text)
	if err != nil {
		return nil, err
	}
	return stmt.ExecContext(context.Background(), args...)
}

// QueryContext implements sqlstore.Querier.
func (c *conn) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	stmt, err := c.prepared(text)
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(context.Background(), args...)
}

// exec runs a statement of our own that has no arguments, whatever the context.
func (c *conn) exec(text string) error {
	_, err := c.ExecContext(context.Background(), text)
	return err
}

// begin starts a transaction. One left open by a failed ROLLBACK is ended first.
func (c *conn) begin(text string) error {
	err := c.exec(text)
	if err != nil && c.exec("ROLLBACK") == nil {
		err = c.exec(text)
	}
	return err
}

// rollback ends the transaction. That there is none any more is no error: SQLite
// itself undoes it on some failures.
func (c *conn) rollback() { _ = c.exec("ROLLBACK") }

// keep makes what was written since the savepoint part of the transaction.
func (c *conn) keep() error { return c.exec("RELEASE one") }

// undo goes back to the savepoint and takes it away.
func (c *conn) undo() error {
	if err := c.exec("ROLLBACK TO one"); err != nil {
		return err
	}
	return c.keep()
}

// read returns the single value that a statement answers.
func read[V any](ctx context.Context, c *conn, text string) (V, error) {
	var v V
	err := c.c.QueryRowContext(ctx, text).Scan(&v)
	return v, err
}
