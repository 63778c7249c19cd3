package storetest

import (
	"context"
	"crypto/sha256"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

func failedUpdate(t *testing.T, open Open) {
	s := opened(t, open)
	update(t, s, func(tx authority.Tx) error {
		return errors.Join(tx.PutToken(token("old", tx.Now().Add(time.Hour))),
			tx.PutSession(authority.Session{Realm: "r", ID: "s", Client: "before"}))
	})
	mine := errors.New("mine")
	err := s.Update(t.Context(), func(tx authority.Tx) error {
		spent, err := tx.SpendStep("r", "a", 1, tx.Now().Add(time.Hour))
		err = errors.Join(err,
			tx.PutToken(token("new", tx.Now().Add(time.Hour))),
			tx.DeleteToken(sha256.Sum256([]byte("old"))),
			tx.PutSession(authority.Session{Realm: "r", ID: "s", Client: "after"}),
			tx.PutRevocation(authority.Revocation{Realm: "r", TokenID: "j"}))
		if err != nil {
			return err
		}
		// Its own writes it does see.
		_, missing := tx.Token(sha256.Sum256([]byte("new")))
		_, deleted := tx.Token(sha256.Sum256([]byte("old")))
		session, err := tx.Session("r", "s")
		if !spent || missing != nil || !errors.Is(deleted, authority.ErrNotFound) || session.Client != "after" {
			t.Errorf("inside: spent %v, new %v, old %v, session %+v", spent, missing, deleted, session)
		}
		return errors.Join(err, mine)
	})
	if !errors.Is(err, mine) {
		t.Fatalf("error is %v, want fn's own", err)
	}
	if hasToken(t, s, "new") || !hasToken(t, s, "old") {
		t.Error("a failed Update changed tokens")
	}
	wantRevoked(t, s, "r", "j", false)
	update(t, s, func(tx authority.Tx) error {
		session, err := tx.Session("r", "s")
		spent, err2 := tx.SpendStep("r", "a", 1, tx.Now().Add(time.Hour))
		if session.Client != "before" || !spent {
			t.Errorf("after a failed Update: session %+v, step free %v", session, spent)
		}
		return errors.Join(err, err2)
	})
	own := &authority.Error{Kind: authority.GrantInvalid, Public: "spent"}
	if err := s.Update(t.Context(), func(authority.Tx) error { return own }); err != error(own) {
		t.Errorf("Update answers %v, want fn's error itself", err)
	}
	if err := s.View(t.Context(), func(authority.Tx) error { return own }); err != error(own) {
		t.Errorf("View answers %v, want fn's error itself", err)
	}
}

// Who swallows the error of a put must not get the rest of his writes committed.
func failedStatement(t *testing.T, open Open) {
	s := opened(t, open)
	err := s.Update(t.Context(), func(tx authority.Tx) error {
		first := tx.PutToken(token("first", tx.Now().Add(time.Hour)))
		bad := tx.PutToken(authority.Token{ID: "\x00"})
		second := tx.PutToken(token("second", tx.Now().Add(time.Hour)))
		if first != nil || bad == nil || second == nil {
			t.Errorf("puts answer %v, %v, %v", first, bad, second)
		}
		return nil
	})
	wantKind(t, err, authority.Internal)
	if hasToken(t, s, "first") || hasToken(t, s, "second") {
		t.Error("an Update with a failed statement was committed in part")
	}
}

func panicking(t *testing.T, open Open) {
	s := opened(t, open)
	err := s.Update(t.Context(), func(tx authority.Tx) error {
		if err := tx.PutToken(token("lost", tx.Now().Add(time.Hour))); err != nil {
			return err
		}
		panic("in the middle")
	})
	wantKind(t, err, authority.Internal)
	err = s.View(t.Context(), func(tx authority.Tx) error {
		if _, err := tx.Keys("r"); err != nil {
			return err
		}
		panic(errors.New("in the middle"))
	})
	wantKind(t, err, authority.Internal)
	if hasToken(t, s, "lost") {
		t.Error("what a panicking function wrote is there")
	}
	update(t, s, func(tx authority.Tx) error { return tx.PutToken(token("next", tx.Now().Add(time.Hour))) })
	if !hasToken(t, s, "next") {
		t.Error("the Update after a panic is not there")
	}
}

// A test's t.FailNow inside fn must end that test, not hang all others.
func goexit(t *testing.T, open Open) {
	s := opened(t, open)
	for _, run := range []func(context.Context, func(authority.Tx) error) error{s.Update, s.View} {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = run(t.Context(), func(tx authority.Tx) error {
				_ = tx.PutToken(token("lost", tx.Now().Add(time.Hour)))
				runtime.Goexit()
				return nil
			})
		}()
		<-ended
	}
	update(t, s, func(tx authority.Tx) error { return tx.PutToken(token("next", tx.Now().Add(time.Hour))) })
	if hasToken(t, s, "lost") || !hasToken(t, s, "next") {
		t.Error("want only the token of the Update that returned")
	}
}

func viewWrites(t *testing.T, open Open) {
	s := opened(t, open)
	update(t, s, func(tx authority.Tx) error { return tx.PutToken(token("old", tx.Now().Add(time.Hour))) })
	for name, write := range map[string]func(authority.Tx) error{
		"put":                 func(tx authority.Tx) error { return tx.PutToken(token("new", tx.Now())) },
		"delete":              func(tx authority.Tx) error { return tx.DeleteToken(sha256.Sum256([]byte("old"))) },
		"erase":               func(tx authority.Tx) error { return tx.EraseSuccessors(tx.Now()) },
		"delete an account's": func(tx authority.Tx) error { return tx.DeleteTokens("r", "a") },
		"mark":                func(tx authority.Tx) error { return tx.PutMark(authority.Mark{Realm: "r"}) },
		"spend": func(tx authority.Tx) error {
			_, err := tx.SpendStep("r", "a", 1, tx.Now())
			return err
		},
	} {
		wantKind(t, s.View(t.Context(), write), authority.Internal)
		err := s.View(t.Context(), func(tx authority.Tx) error {
			_ = write(tx)
			return nil
		})
		if err == nil {
			t.Errorf("%s in a View went unnoticed", name)
		}
	}
	if hasToken(t, s, "new") || !hasToken(t, s, "old") {
		t.Error("a View wrote")
	}
}

func txEnds(t *testing.T, open Open) {
	s := opened(t, open)
	var kept authority.Tx
	update(t, s, func(tx authority.Tx) error {
		kept = tx
		return nil
	})
	wantKind(t, kept.PutToken(token("late", kept.Now())), authority.Internal)
	view(t, s, func(tx authority.Tx) error {
		kept = tx
		return nil
	})
	_, err := kept.Keys("r")
	wantKind(t, err, authority.Internal)
	if hasToken(t, s, "late") {
		t.Error("a Tx wrote after its end")
	}
}

func oneTime(t *testing.T, open Open) {
	s := opened(t, open)
	for _, run := range []func(context.Context, func(authority.Tx) error) error{s.Update, s.View} {
		err := run(t.Context(), func(tx authority.Tx) error {
			first := tx.Now()
			_, err := tx.Keys("r")
			if now := tx.Now(); now != first {
				t.Errorf("the time went from %v to %v inside a Tx", first, now)
			}
			if first.Nanosecond()%1000 != 0 || first.Location() != time.UTC {
				t.Errorf("the time is %v, want whole microseconds in UTC", first)
			}
			if off := time.Since(first).Abs(); off > time.Hour {
				t.Errorf("the database's clock is %v away from ours", off)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	// A time put is the time got, however it was written.
	east := time.FixedZone("east", 5*3600+1800)
	now := clock(t, s)
	update(t, s, func(tx authority.Tx) error {
		return tx.PutToken(authority.Token{Issued: now.In(east), Expires: now.Add(1500 * time.Nanosecond)})
	})
	view(t, s, func(tx authority.Tx) error {
		got, err := tx.Token([sha256.Size]byte{})
		if got.Issued != now || got.Expires != now.Add(time.Microsecond) {
			t.Errorf("got %v and %v, want %v and a microsecond later", got.Issued, got.Expires, now)
		}
		return err
	})
}

func endedContext(t *testing.T, open Open) {
	s := opened(t, open)
	ctx, cancel := context.WithCancel(t.Context())
	err := s.Update(ctx, func(tx authority.Tx) error {
		if err := tx.PutToken(token("lost", tx.Now().Add(time.Hour))); err != nil {
			return err
		}
		cancel()
		_, err := tx.Keys("r")
		return err
	})
	wantKind(t, err, authority.Unavailable)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v does not say that the context ended", err)
	}
	for _, run := range []func(context.Context, func(authority.Tx) error) error{s.Update, s.View} {
		err := run(ctx, func(authority.Tx) error {
			t.Error("fn ran after its context had ended")
			return nil
		})
		wantKind(t, err, authority.Unavailable)
	}
	if err := s.Ping(ctx); err == nil {
		t.Error("Ping answers a context that has ended")
	}
	if hasToken(t, s, "lost") {
		t.Error("what was written before the context ended is there")
	}
}

func closedStore(t *testing.T, open Open) {
	s := open(t)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	never := func(authority.Tx) error {
		t.Error("fn ran on a closed store")
		return nil
	}
	wantKind(t, s.View(t.Context(), never), authority.Unavailable)
	wantKind(t, s.Update(t.Context(), never), authority.Unavailable)
	wantKind(t, s.Ping(t.Context()), authority.Unavailable)
	_, err := s.Sweep(t.Context(), 1)
	wantKind(t, err, authority.Unavailable)
}

func ping(t *testing.T, open Open) {
	s := opened(t, open)
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}
