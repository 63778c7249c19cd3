// Package storetest is what a store must do: one suite that every database of
// ours runs, all of it, without a way to leave a test out.
//
// It owns the meaning of authority.Store and authority.Tx where their comments
// could be read in two ways. It knows no database: times are placed around the
// database's own clock, functions may run twice, Updates may run one after the
// other or side by side, and nothing waits by sleeping.
//
// Only the tests of the databases may import it.
package storetest
