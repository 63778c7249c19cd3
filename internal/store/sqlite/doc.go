// Package sqlite keeps the store in one SQLite file, by a driver in pure Go.
//
// It owns the file and what lies beside it (-wal, -shm, .lock), who may open it,
// the connections, and when a change is on disk. It never decides what a row
// means (authority) or what it looks like in SQL (store/sqlstore), and runs no
// work of its own in the background: who assembles the program calls Sweep.
//
// A View has a read-only connection of its own and sees the state of its first
// read. Updates stand in line for the one connection that writes; those that wait
// together share one commit, each in a savepoint (see line.go). An Update is
// answered when its commit is on disk: WAL with synchronous=FULL.
//
// The file belongs to one process at a time, by a lock on <path>.lock that is
// held until Close. All files are readable by their owner only.
//
// Only the assembly (internal/gatehouse) and tests may import it. It obeys no RFC.
package sqlite
