package gatehouse

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/config"
)

func openTestState(t *testing.T) *State {
	t.Helper()
	c := &config.Config{Store: config.Store{SQLite: filepath.Join(t.TempDir(), "gatehouse.db")}}
	c.SetDefaults()
	s, err := OpenState(t.Context(), c, slog.New(slog.DiscardHandler), func() bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Destruct(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func counting(err *error) (*upkeep, chan struct{}) {
	done := make(chan struct{}, 100)
	return &upkeep{grace: time.Minute, maintain: func(context.Context) error { done <- struct{}{}; return *err }}, done
}

// Keys are looked after when a configuration comes up, and the one that serves is
// the one that is looked after.
func TestUpkeepBeginsAtOnce(t *testing.T) {
	s := openTestState(t)
	var none error
	first, firstDone := counting(&none)
	second, secondDone := counting(&none)
	s.adoptFirst(first)
	<-firstDone
	s.adoptFirst(second) // provisioned, not serving: perhaps it is refused in the end
	if s.upkeep.Load() != first {
		t.Fatal("a configuration that does not serve took over")
	}
	s.adopt(second)
	<-secondDone
}

func TestUpkeepIsHourlyAndTriedAgainWhenItFails(t *testing.T) {
	s := openTestState(t)
	var failing error
	u, done := counting(&failing)
	s.upkeep.Store(u)
	now := time.Now()
	at := s.round(t.Context(), now, time.Time{})
	if len(done) != 1 || !at.Equal(now) {
		t.Fatal("the first round does not look after the keys")
	}
	at = s.round(t.Context(), now.Add(59*time.Minute), at)
	if len(done) != 1 {
		t.Error("again within the hour")
	}
	failing = errors.New("the disk is full")
	later := now.Add(time.Hour)
	if at = s.round(t.Context(), later, at); len(done) != 2 || at.Equal(later) {
		t.Error("not after an hour, or a failure counts as done")
	}
	failing = nil
	if s.round(t.Context(), later.Add(time.Minute), at); len(done) != 3 {
		t.Error("what failed is not tried again")
	}
}

// A sealed successor is forgotten once the longest grace has ended, not before.
func TestUpkeepErasesSuccessors(t *testing.T) {
	s := openTestState(t)
	row := authority.Refresh{ID: "1", Realm: "r", Session: "s", Client: "c", Issued: time.Now(), Expires: time.Now().Add(time.Hour), Until: time.Now().Add(time.Hour), Successor: []byte("sealed")}
	put := func(digest byte, used time.Time) (d authority.Digest) {
		d[0] = digest
		row.Digest, row.ID, row.Used = d, string('a'+rune(digest)), used
		err := s.store.Update(t.Context(), func(tx authority.Tx) error {
			session := authority.Session{ID: "s", Realm: "r", Client: "c", Created: row.Issued, LastUsed: row.Issued, Expires: row.Expires}
			if err := tx.PutSession(session); err != nil {
				return err
			}
			return tx.PutRefresh(row)
		})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	fresh, old := put(1, time.Now().Add(-30*time.Second)), put(2, time.Now().Add(-90*time.Second))
	var none error
	u, _ := counting(&none)
	s.upkeep.Store(u)
	s.round(t.Context(), time.Now(), time.Now())
	err := s.store.View(t.Context(), func(tx authority.Tx) error {
		kept, err := tx.Refresh(fresh)
		if err != nil {
			return err
		}
		erased, err := tx.Refresh(old)
		if string(kept.Successor) != "sealed" || len(erased.Successor) != 0 {
			t.Errorf("within the grace %q, after it %q", kept.Successor, erased.Successor)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// What an operator is told holds nothing of a fault of ours.
func TestFault(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		text   string
	}{
		{&authority.Error{Kind: authority.NotFound, Public: "no such key"}, 404, "no such key"},
		{&authority.Error{Kind: authority.RealmUnknown, Public: "no such realm"}, 404, "no such realm"},
		{&authority.Error{Kind: authority.ProviderUnknown, Public: "no such provider"}, 404, "no such provider"},
		{&authority.Error{Kind: authority.AccountUnknown, Public: "no such account"}, 404, "no such account"},
		{&authority.Error{Kind: authority.Invalid, Public: "a bad address"}, 400, "a bad address"},
		{&authority.Error{Kind: authority.Unavailable, Err: errors.New("/secret/path")}, 503, "the database cannot be reached; Caddy's log says more"},
		{&authority.Error{Kind: authority.Internal, Public: "x", Err: errors.New("y")}, 500, "an internal error; Caddy's log says more"},
		{errors.New("z"), 500, "an internal error; Caddy's log says more"},
	} {
		if status, text := Fault(c.err); status != c.status || text != c.text {
			t.Errorf("%v: %d %q", c.err, status, text)
		}
	}
}
