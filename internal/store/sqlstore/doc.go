// Package sqlstore is the one SQL text that every database of ours runs: the
// schema with its migrations, and authority.Tx over it.
//
// It owns the tables, what a row looks like in them, and the sweep of expired
// rows. It never opens a database, begins or ends a transaction, or decides
// anything about a row but that it has long expired: connections, locks, commits
// and retries are the databases' (store/sqlite, later store/postgres), the rules
// are authority's.
//
// The text keeps to what SQLite and PostgreSQL share: $1 parameters, TEXT, BIGINT
// and a blob type whose name the database fills in. Times are Unix microseconds,
// the zero time is 0. Text is UTF-8 without NUL; other text is refused before it
// reaches a database, so that both behave alike.
//
// To add a column: a migration, and a line in the row's function in rows.go.
//
// Only the databases may import it, and tests. It obeys no RFC of its own.
package sqlstore
