package storetest

import (
	"context"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// Store is what a database offers: the port, and what the assembly needs besides.
type Store interface {
	authority.Store
	// Sweep deletes at most limit rows that expired some minutes ago and tells how
	// many. Errors: Unavailable.
	Sweep(ctx context.Context, limit int) (int, error)
	// Close waits for the work that runs. Afterwards everything is Unavailable.
	Close() error
}

// Open opens the one database it stands for. It is called again only after the
// store it gave before was closed, and finds what that one kept.
type Open func(t *testing.T) Store

// Run runs the whole suite. fresh makes a new, empty database for each test and
// removes it when the test ends.
func Run(t *testing.T, fresh func(t *testing.T) Open) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Open)
	}{
		{"every field comes back", everyField},
		{"empty fields come back empty", emptyFields},
		{"what is not there", notThere},
		{"a put writes the whole row", putOverwrites},
		{"rows of one realm are not those of another", realmsApart},
		{"keys, oldest first", keysInOrder},
		{"sessions, oldest first, limited", sessionsInOrder},
		{"an account's tokens, oldest first, limited", tokensInOrder},
		{"an account's tokens and sessions are deleted together", deletedTogether},
		{"accounts, page by page", accountsInPages},
		{"accounts by e-mail", accountsByEmail},
		{"an account's identities, in order, limited", identitiesInOrder},
		{"accounts, identities and marks of realms apart", accountsApart},
		{"a step is spent once", stepOnce},
		{"successors are erased", successorsErased},
		{"texts come back as they were", oddTexts},
		{"texts that no database keeps alike are refused", unsoundTexts},
		{"lists come back as they were", oddLists},
		{"reopening keeps everything", reopening},
		{"a failed Update leaves nothing", failedUpdate},
		{"a failed statement fails the Update", failedStatement},
		{"a panic leaves nothing and nothing open", panicking},
		{"a function that ends its goroutine leaves nothing open", goexit},
		{"a View does not write", viewWrites},
		{"a Tx ends with its function", txEnds},
		{"one time in a Tx", oneTime},
		{"an ended context", endedContext},
		{"a closed store", closedStore},
		{"a View sees one state", oneState},
		{"nobody sees what is not committed", uncommitted},
		{"parallel increments lose nothing", parallelIncrements},
		{"parallel spending has one winner", parallelSpending},
		{"a mark has one first spender", parallelMarks},
		{"failures among parallel Updates stay alone", parallelFailures},
		{"the sweep takes only what expired long ago", sweepExpired},
		{"the sweep takes no more than its limit", sweepLimit},
		{"the store answers Ping", ping},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, fresh(t)) })
	}
}

// opened opens the database for one test.
func opened(t *testing.T, open Open) Store {
	t.Helper()
	s := open(t)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// update runs fn and fails the test if it was not committed.
func update(t *testing.T, s Store, fn func(authority.Tx) error) {
	t.Helper()
	if err := s.Update(t.Context(), fn); err != nil {
		t.Fatalf("update: %v", err)
	}
}

// view runs fn and marks the test as failed if it failed; any goroutine may call it.
func view(t *testing.T, s Store, fn func(authority.Tx) error) {
	t.Helper()
	if err := s.View(t.Context(), fn); err != nil {
		t.Errorf("view: %v", err)
	}
}

// clock reads the database's time.
func clock(t *testing.T, s Store) (now time.Time) {
	t.Helper()
	view(t, s, func(tx authority.Tx) error {
		now = tx.Now()
		return nil
	})
	return now
}

// wantKind fails the test if err is not of the kind.
func wantKind(t *testing.T, err error, kind authority.Kind) {
	t.Helper()
	if e, ok := errors.AsType[*authority.Error](err); !ok || e.Kind != kind {
		t.Errorf("error is %v, want one of kind %v", err, kind)
	}
}

// hasToken reports whether the token is there.
func hasToken(t *testing.T, s Store, secret string) bool {
	t.Helper()
	there := false
	view(t, s, func(tx authority.Tx) error {
		_, err := tx.Token(sha256.Sum256([]byte(secret)))
		if there = err == nil; errors.Is(err, authority.ErrNotFound) {
			return nil
		}
		return err
	})
	return there
}

// token is a plain token row.
func token(secret string, expires time.Time) authority.Token {
	return authority.Token{
		Digest:  sha256.Sum256([]byte(secret)),
		ID:      secret,
		Realm:   "r",
		Kind:    authority.KindAccess,
		Expires: expires,
	}
}
