package storetest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// A reader that saw the old session and the new token, or the other way round,
// would judge a state that never was.
func oneState(t *testing.T, open Open) {
	s := opened(t, open)
	put := func(tx authority.Tx, version string) error {
		row := token("t", tx.Now().Add(time.Hour))
		row.Client = version
		return errors.Join(tx.PutToken(row), tx.PutSession(authority.Session{Realm: "r", ID: "s", Client: version}))
	}
	update(t, s, func(tx authority.Tx) error { return put(tx, "old") })
	view(t, s, func(tx authority.Tx) error {
		before, err := tx.Token(sha256.Sum256([]byte("t")))
		if err != nil {
			return err
		}
		done := make(chan error)
		go func() { done <- s.Update(t.Context(), func(tx authority.Tx) error { return put(tx, "new") }) }()
		if err := <-done; err != nil {
			return err
		}
		session, err := tx.Session("r", "s")
		after, err2 := tx.Token(sha256.Sum256([]byte("t")))
		if before.Client != "old" || session.Client != "old" || after.Client != "old" {
			t.Errorf("one View saw %q, %q and %q", before.Client, session.Client, after.Client)
		}
		return errors.Join(err, err2)
	})
	view(t, s, func(tx authority.Tx) error {
		session, err := tx.Session("r", "s")
		if session.Client != "new" {
			t.Errorf("the next View sees %q, want new", session.Client)
		}
		return err
	})
}

func uncommitted(t *testing.T, open Open) {
	s := opened(t, open)
	update(t, s, func(tx authority.Tx) error {
		if err := tx.PutToken(token("t", tx.Now().Add(time.Hour))); err != nil {
			return err
		}
		seen := make(chan bool)
		go func() { seen <- hasToken(t, s, "t") }()
		if <-seen {
			t.Error("a View saw a token before its commit")
		}
		return nil
	})
	if !hasToken(t, s, "t") {
		t.Error("the View after the commit does not see the token")
	}
}

// together runs fn in n goroutines that start at once, and waits for all.
func together(n int, fn func(i int)) {
	var group sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		group.Go(func() {
			<-start
			fn(i)
		})
	}
	close(start)
	group.Wait()
}

// read, think, write: what is lost here would be a refresh token with two
// successors.
func parallelIncrements(t *testing.T, open Open) {
	const workers, rounds = 16, 25
	s := opened(t, open)
	base := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	update(t, s, func(tx authority.Tx) error {
		return tx.PutSession(authority.Session{Realm: "r", ID: "s", LastUsed: base})
	})
	together(workers, func(int) {
		for range rounds {
			err := s.Update(t.Context(), func(tx authority.Tx) error {
				session, err := tx.Session("r", "s")
				if err != nil {
					return err
				}
				session.LastUsed = session.LastUsed.Add(time.Microsecond)
				return tx.PutSession(session)
			})
			if err != nil {
				t.Errorf("increment: %v", err)
			}
			view(t, s, func(tx authority.Tx) error {
				_, err := tx.Session("r", "s")
				return err
			})
		}
	})
	view(t, s, func(tx authority.Tx) error {
		session, err := tx.Session("r", "s")
		if got := session.LastUsed.Sub(base) / time.Microsecond; got != workers*rounds {
			t.Errorf("%d increments left %d", workers*rounds, got)
		}
		return err
	})
}

// One-time codes are worth nothing if two parallel logins can both spend one.
func parallelSpending(t *testing.T, open Open) {
	const workers, steps = 16, 10
	s := opened(t, open)
	var won [steps]atomic.Int32
	together(workers, func(int) {
		for step := range steps {
			var spent bool
			err := s.Update(t.Context(), func(tx authority.Tx) (err error) {
				spent, err = tx.SpendStep("r", "a", int64(step), tx.Now().Add(time.Hour))
				return err
			})
			if err != nil {
				t.Errorf("spend: %v", err)
			}
			if spent {
				won[step].Add(1)
			}
		}
	})
	for step := range won {
		if n := won[step].Load(); n != 1 {
			t.Errorf("step %d was spent %d times", step, n)
		}
	}
}

// Who finds a mark unspent spends it, and nobody else does: a state opens one
// login, a device session gives one token. What others count meanwhile is not lost.
func parallelMarks(t *testing.T, open Open) {
	const workers, marks = 16, 10
	s := opened(t, open)
	var won [marks]atomic.Int32
	together(workers, func(int) {
		for i := range marks {
			first := false
			err := s.Update(t.Context(), func(tx authority.Tx) error {
				first = false // fn may run twice
				mark, err := tx.Mark("r", sha256.Sum256(fmt.Append(nil, i)))
				switch {
				case errors.Is(err, authority.ErrNotFound):
					mark = authority.Mark{Realm: "r", ID: sha256.Sum256(fmt.Append(nil, i)), Expires: tx.Now().Add(time.Hour)}
				case err != nil:
					return err
				}
				if mark.Spent.IsZero() {
					first, mark.Spent = true, tx.Now()
				} else {
					mark.Failures++
				}
				return tx.PutMark(mark)
			})
			if err != nil {
				t.Errorf("spend: %v", err)
			}
			if first {
				won[i].Add(1)
			}
		}
	})
	view(t, s, func(tx authority.Tx) error {
		for i := range won {
			mark, err := tx.Mark("r", sha256.Sum256(fmt.Append(nil, i)))
			if err != nil {
				return err
			}
			if n := won[i].Load(); n != 1 || mark.Failures != workers-1 {
				t.Errorf("mark %d was spent %d times, and failed %d times of %d", i, n, mark.Failures, workers-1)
			}
		}
		return nil
	})
}

func parallelFailures(t *testing.T, open Open) {
	const workers, rounds = 12, 20
	s := opened(t, open)
	mine := errors.New("mine")
	together(workers, func(i int) {
		for round := range rounds {
			name := fmt.Sprintf("%d.%d", i, round)
			err := s.Update(t.Context(), func(tx authority.Tx) error {
				if err := tx.PutToken(token(name, tx.Now().Add(time.Hour))); err != nil {
					return err
				}
				switch i % 4 {
				case 1:
					return mine
				case 2:
					panic("mine")
				case 3:
					_ = tx.PutToken(authority.Token{ID: "\x00"})
				}
				return nil
			})
			if i%4 == 1 && !errors.Is(err, mine) || (i%4 == 0) != (err == nil) {
				t.Errorf("%s: error %v", name, err)
			}
		}
	})
	for i := range workers {
		for round := range rounds {
			name := fmt.Sprintf("%d.%d", i, round)
			if got := hasToken(t, s, name); got != (i%4 == 0) {
				t.Errorf("token %s is there: %v", name, got)
			}
		}
	}
}
