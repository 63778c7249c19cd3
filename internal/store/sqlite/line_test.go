package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// crowd holds the line with a first Update until the others stand in it, then
// lets them run, and returns what each was answered; the first one's is the last.
func crowd(t *testing.T, s *Store, others ...func(authority.Tx) error) []error {
	t.Helper()
	answers := make([]error, len(others)+1)
	var group sync.WaitGroup
	gate := make(chan struct{})
	group.Go(func() {
		answers[len(others)] = s.Update(context.Background(), func(tx authority.Tx) error {
			<-gate
			return put("first")(tx)
		})
	})
	for i, fn := range others {
		synctest.Wait() // each stands behind the one before
		group.Go(func() { answers[i] = s.Update(context.Background(), fn) })
	}
	synctest.Wait()
	close(gate)
	group.Wait()
	return answers
}

// inBubble runs a test on a store of its own, where the test can know that all
// others are waiting.
func inBubble(t *testing.T, test func(t *testing.T, s *Store)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	synctest.Test(t, func(t *testing.T) {
		s := open(t, path)
		test(t, s)
	})
}

func TestWaitingUpdatesShareCommits(t *testing.T) {
	for _, c := range []struct{ others, commits int }{
		{0, 1}, {1, 1}, {maxBatch - 1, 1}, {maxBatch, 2}, {3 * maxBatch, 4},
	} {
		inBubble(t, func(t *testing.T, s *Store) {
			var fns []func(authority.Tx) error
			for i := range c.others {
				fns = append(fns, put(fmt.Sprint(i)))
			}
			for i, err := range crowd(t, s, fns...) {
				if err != nil {
					t.Errorf("update %d: %v", i, err)
				}
			}
			for i := range c.others {
				if !has(t, s, fmt.Sprint(i)) {
					t.Errorf("update %d of %d was answered and is not there", i, c.others)
				}
			}
			if got := s.Stats(); got != (Stats{Updates: uint64(c.others) + 1, Commits: uint64(c.commits)}) {
				t.Errorf("%d waiting: %+v, want %d commits", c.others, got, c.commits)
			}
		})
	}
}

func TestFailuresInABatchStayAlone(t *testing.T) {
	inBubble(t, func(t *testing.T, s *Store) {
		mine := errors.New("mine")
		answers := crowd(t, s,
			put("a"),
			func(tx authority.Tx) error { return errors.Join(put("b")(tx), mine) },
			func(tx authority.Tx) error { panic(put("c")(tx)) },
			put("d"))
		if answers[0] != nil || !errors.Is(answers[1], mine) || authority.KindOf(answers[2]) != authority.Internal ||
			answers[3] != nil || answers[4] != nil {
			t.Errorf("answers %v", answers)
		}
		for name, want := range map[string]bool{"first": true, "a": true, "b": false, "c": false, "d": true} {
			if has(t, s, name) != want {
				t.Errorf("%s is there: %v, want %v", name, !want, want)
			}
		}
		if got := s.Stats(); got != (Stats{Updates: 3, Commits: 1}) {
			t.Errorf("%+v", got)
		}
	})
}

// A commit that fails was everybody's: also an Update that only found a code
// spent must not say so, for who spent it was in the batch and is undone.
func TestCommitFailsForAll(t *testing.T) {
	inBubble(t, func(t *testing.T, s *Store) {
		// A deferred foreign key is the one thing that SQLite finds wrong only at the end.
		for _, text := range []string{
			"PRAGMA foreign_keys = ON", "CREATE TABLE parent (id INTEGER PRIMARY KEY)",
			"CREATE TABLE child (id INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED)",
		} {
			if err := s.writer.exec(text); err != nil {
				t.Fatal(err)
			}
		}
		spent := errors.New("spent")
		answers := crowd(t, s,
			func(tx authority.Tx) error {
				_, err := tx.SpendStep("r", "a", 1, tx.Now())
				return errors.Join(err, s.writer.exec("INSERT INTO child VALUES (1)"))
			},
			func(tx authority.Tx) error {
				if ok, err := tx.SpendStep("r", "a", 1, tx.Now()); ok || err != nil {
					t.Errorf("the step is free: %v, %v", ok, err)
				}
				return spent
			},
			put("b"))
		for i, err := range answers {
			if authority.KindOf(err) != authority.Unavailable || !strings.Contains(err.Error(), "FOREIGN KEY") {
				t.Errorf("answer %d: %v, want Unavailable", i, err)
			}
		}
		wantWorking(t, s)
		if has(t, s, "first") || has(t, s, "b") {
			t.Error("something of a failed commit is there")
		}
	})
}

// On some failures SQLite undoes the whole transaction by itself. What came
// before in the batch is gone then, and must not be answered as done.
func TestTransactionLost(t *testing.T) {
	inBubble(t, func(t *testing.T, s *Store) {
		for _, own := range []error{nil, errors.New("mine")} {
			answers := crowd(t, s,
				put("a"),
				func(authority.Tx) error { return errors.Join(s.writer.exec("ROLLBACK"), own) },
				put("c"))
			for i, want := range []bool{false, false, true, false} {
				if (answers[i] == nil) != want || (!want && authority.KindOf(answers[i]) != authority.Unavailable) {
					t.Errorf("answer %d: %v", i, answers[i])
				}
			}
			if has(t, s, "first") || has(t, s, "a") || !has(t, s, "c") {
				t.Error("want only what came after the loss")
			}
			wantWorking(t, s)
		}
	})
}

// wantWorking checks that the store takes Updates.
func wantWorking(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Update(context.Background(), put("working")); err != nil || !has(t, s, "working") {
		t.Errorf("the store does not work: %v", err)
	}
}

func TestFullDisk(t *testing.T) {
	inBubble(t, func(t *testing.T, s *Store) {
		if err := s.Update(t.Context(), put("before")); err != nil {
			t.Fatal(err)
		}
		pages, err := read[int](t.Context(), s.writer, "PRAGMA page_count")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := read[int](t.Context(), s.writer, fmt.Sprintf("PRAGMA max_page_count = %d", pages)); err != nil {
			t.Fatal(err)
		}
		large := func(tx authority.Tx) error {
			err := put("small part")(tx)
			return errors.Join(err, tx.PutSession(authority.Session{Realm: "r", ID: "large", Client: strings.Repeat("x", 1<<20)}))
		}
		answers := crowd(t, s, put("a"), large, put("b"))
		if e, ok := errors.AsType[*authority.Error](answers[1]); !ok || e.Kind != authority.Unavailable || e.RetryAfter <= 0 {
			t.Errorf("on a full disk: %v, want Unavailable", answers[1])
		}
		for i, name := range []string{"a", "small part", "b", "first"} {
			if got := has(t, s, name); got != (answers[i] == nil) {
				t.Errorf("%s was answered %v and is there: %v", name, answers[i], got)
			}
		}
		if !has(t, s, "before") {
			t.Error("the full disk took what was there before")
		}
		if _, err := read[int](t.Context(), s.writer, "PRAGMA max_page_count = 1000000"); err != nil {
			t.Fatal(err)
		}
		if err := s.Update(t.Context(), large); err != nil {
			t.Errorf("with space again: %v", err)
		}
	})
}

func TestReadOnlyDisk(t *testing.T) {
	s := fresh(t)
	if err := s.writer.exec("PRAGMA query_only = ON"); err != nil {
		t.Fatal(err)
	}
	if err := s.Update(t.Context(), put("t")); authority.KindOf(err) != authority.Unavailable {
		t.Errorf("on a read-only disk: %v, want Unavailable", err)
	}
	if has(t, s, "t") || s.Ping(t.Context()) != nil {
		t.Error("want the store to read on, and nothing new in it")
	}
	if err := s.writer.exec("PRAGMA query_only = OFF"); err != nil {
		t.Fatal(err)
	}
	wantWorking(t, s)
}

func TestContextEndsInLine(t *testing.T) {
	inBubble(t, func(t *testing.T, s *Store) {
		ctx, cancel := context.WithCancel(context.Background())
		gate, held := make(chan struct{}), make(chan error)
		go func() {
			held <- s.Update(context.Background(), func(tx authority.Tx) error {
				<-gate
				return put("held")(tx)
			})
		}()
		synctest.Wait()
		waiting := make(chan error)
		go func() {
			waiting <- s.Update(ctx, func(authority.Tx) error {
				t.Error("fn ran after its context had ended")
				return nil
			})
		}()
		synctest.Wait()
		cancel()
		if err := <-waiting; authority.KindOf(err) != authority.Unavailable || !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want Unavailable for the context", err)
		}
		close(gate)
		if err := <-held; err != nil {
			t.Error(err)
		}
		wantWorking(t, s)
	})
}

// A context that ends after the last statement cannot stop the commit; nil is
// then the truth.
func TestContextEndsBeforeCommit(t *testing.T) {
	s := fresh(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := s.Update(ctx, func(tx authority.Tx) error {
		defer cancel()
		return put("t")(tx)
	})
	if err != nil || !has(t, s, "t") {
		t.Errorf("answered %v, and there: %v", err, has(t, s, "t"))
	}
}

func TestReadersAreBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	synctest.Test(t, func(t *testing.T) {
		s, err := Open(t.Context(), path, Options{Readers: 2})
		if err != nil {
			t.Fatal(err)
		}
		gate := make(chan struct{})
		var group sync.WaitGroup
		for range 2 {
			group.Go(func() {
				_ = s.View(context.Background(), func(authority.Tx) error {
					<-gate
					return nil
				})
			})
		}
		synctest.Wait()
		ctx, cancel := context.WithCancel(context.Background())
		third := make(chan error)
		go func() { third <- s.View(ctx, func(authority.Tx) error { return nil }) }()
		synctest.Wait()
		cancel()
		if err := <-third; !errors.Is(err, context.Canceled) {
			t.Errorf("the third View of two: %v", err)
		}
		close(gate)
		group.Wait()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestCloseWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	synctest.Test(t, func(t *testing.T) {
		s := open(t, path)
		gate, closed := make(chan struct{}), make(chan struct{})
		var updated, viewed error
		var group sync.WaitGroup
		group.Go(func() {
			updated = s.Update(context.Background(), func(tx authority.Tx) error {
				<-gate
				return put("t")(tx)
			})
		})
		group.Go(func() {
			viewed = s.View(context.Background(), func(tx authority.Tx) error {
				<-gate
				_, err := tx.Keys("r")
				return err
			})
		})
		synctest.Wait()
		go func() {
			_ = s.Close()
			close(closed)
		}()
		synctest.Wait()
		select {
		case <-closed:
			t.Error("Close did not wait")
		default:
		}
		if err := s.Update(context.Background(), put("late")); !errors.Is(err, errClosed) {
			t.Errorf("an Update while closing: %v", err)
		}
		close(gate)
		group.Wait()
		<-closed
		if updated != nil || viewed != nil {
			t.Errorf("what ran when Close came: %v, %v", updated, viewed)
		}
		again := open(t, path)
		if !has(t, again, "t") || has(t, again, "late") {
			t.Error("want the token of before the Close and not the one after")
		}
	})
}
