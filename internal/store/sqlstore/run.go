package sqlstore

import (
	"database/sql"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// refuse fails the Tx for a fault of its user.
func (t *Tx) refuse(op string, err error) error {
	if t.failed == nil {
		t.failed = &authority.Error{Kind: authority.Internal, Op: "store: " + op, Err: err}
	}
	return t.failed
}

// fail fails the Tx for a fault of the database.
func (t *Tx) fail(op string, err error) error {
	if t.failed == nil {
		t.failed = Unavailable("store: "+op, err)
	}
	return t.failed
}

// exec runs a statement that writes and tells how many rows it touched.
func (t *Tx) exec(op, text string, args ...any) (int64, error) {
	if t.failed != nil {
		return 0, t.failed
	}
	if t.access == ReadOnly {
		return 0, t.refuse(op, errReadOnly)
	}
	result, err := t.q.ExecContext(t.ctx, text, args...)
	if err != nil {
		return 0, t.fail(op, err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return 0, t.fail(op, err)
	}
	return n, nil
}

// query runs a statement that reads, and scan for each of its rows.
func (t *Tx) query(op, text string, args []any, scan func(*sql.Rows) error) error {
	if t.failed != nil {
		return t.failed
	}
	rows, err := t.q.QueryContext(t.ctx, text, args...)
	if err != nil {
		return t.fail(op, err)
	}
	for err == nil && rows.Next() {
		err = scan(rows)
	}
	// Closed before its error is asked for: some failures show only then.
	if closed := rows.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = rows.Err()
	}
	if err != nil {
		return t.fail(op, err)
	}
	return nil
}

// rowOf gets the row with the primary key. A key with a text that cannot have
// been put has no row.
func rowOf[R any](t *Tx, tb *table[R], key ...any) (R, error) {
	var row R
	for _, k := range key {
		if s, ok := k.(string); ok && !sound(s) {
			return row, authority.ErrNotFound
		}
	}
	found := false
	err := t.query("get "+tb.name, tb.get, key, func(rows *sql.Rows) error {
		found = true
		return scanRow(rows, tb, &row)
	})
	if err == nil && !found {
		err = authority.ErrNotFound
	}
	if err != nil {
		return *new(R), err
	}
	return row, nil
}

// rowsOf lists the rows that the text selects.
func rowsOf[R any](t *Tx, tb *table[R], text string, args ...any) ([]R, error) {
	var all []R
	err := t.query("list "+tb.name, text, args, func(rows *sql.Rows) error {
		var row R
		err := scanRow(rows, tb, &row)
		all = append(all, row)
		return err
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

func scanRow[R any](rows *sql.Rows, tb *table[R], row *R) error {
	fields := tb.fields(row)
	places := make([]any, len(fields))
	for i, f := range fields {
		places[i] = f.cell
	}
	return rows.Scan(places...)
}

// putRow writes the whole row, new or not.
func putRow[R any](t *Tx, tb *table[R], row *R) error {
	fields := tb.fields(row)
	args := make([]any, len(fields))
	for i, f := range fields {
		v, err := f.cell.Value()
		if err != nil {
			return t.refuse("put "+tb.name+"."+f.column, err)
		}
		args[i] = v
	}
	_, err := t.exec("put "+tb.name, tb.put, args...)
	return err
}

// deleteBy runs a statement that deletes what has the texts. There is nothing to
// delete by a text that cannot have been put.
func (t *Tx) deleteBy(op, text string, key ...string) error {
	if !sound(key...) {
		return t.failed
	}
	args := make([]any, len(key))
	for i, k := range key {
		args[i] = k
	}
	_, err := t.exec(op, text, args...)
	return err
}
