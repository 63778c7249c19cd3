package storetest

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

func keysInOrder(t *testing.T, open Open) {
	s := opened(t, open)
	base := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	update(t, s, func(tx authority.Tx) error {
		for _, n := range []int{3, 1, 4, 0, 2} { // neither in order of putting nor of id
			k := authority.Key{
				ID: fmt.Sprintf("key %d", 9-n), Realm: "r", Purpose: authority.PurposeAccess,
				Created: base.Add(time.Duration(n) * time.Microsecond),
			}
			if n == 2 {
				k.Purpose = authority.PurposeRealm
			}
			if err := tx.PutKey(k); err != nil {
				return err
			}
		}
		return nil
	})
	view(t, s, func(tx authority.Tx) error {
		keys, err := tx.Keys("r")
		ids := make([]string, 0, len(keys))
		for _, k := range keys {
			ids = append(ids, k.ID)
		}
		if want := []string{"key 9", "key 8", "key 7", "key 6", "key 5"}; !slices.Equal(ids, want) {
			t.Errorf("keys %q, want %q", ids, want)
		}
		return err
	})
}

func sessionsInOrder(t *testing.T, open Open) {
	s := opened(t, open)
	base := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	update(t, s, func(tx authority.Tx) error {
		for _, n := range []int{3, 1, 4, 0, 5, 2} {
			err := tx.PutSession(authority.Session{
				ID: fmt.Sprintf("s%d", 9-n), Realm: "r", Account: []string{"even", "odd"}[n%2],
				Created: base.Add(time.Duration(n) * time.Microsecond),
			})
			if err != nil {
				return err
			}
		}
		return tx.PutSession(authority.Session{ID: "other", Realm: "q", Account: "even"})
	})
	for _, c := range []struct {
		account string
		limit   int
		want    string
	}{
		{"", 10, "s9 s8 s7 s6 s5 s4"},
		{"", 6, "s9 s8 s7 s6 s5 s4"},
		{"", 2, "s9 s8"},
		{"even", 10, "s9 s7 s5"},
		{"odd", 2, "s8 s6"},
		{"Odd", 10, ""},
		{"odd ", 10, ""},
		{"nobody", 10, ""},
		{"", 0, ""},
		{"odd", -1, ""},
	} {
		view(t, s, func(tx authority.Tx) error {
			sessions, err := tx.Sessions("r", c.account, c.limit)
			ids := make([]string, 0, len(sessions))
			for _, one := range sessions {
				ids = append(ids, one.ID)
			}
			if got := strings.Join(ids, " "); got != c.want {
				t.Errorf("sessions of %q, at most %d: %q, want %q", c.account, c.limit, got, c.want)
			}
			return err
		})
	}
}

func stepOnce(t *testing.T, open Open) {
	s := opened(t, open)
	for _, c := range []struct {
		account string
		step    int64
		want    bool
	}{
		{"a", 7, true}, {"a", 7, false}, {"a", 8, true}, {"b", 7, true}, {"a", 8, false}, {"a", 7, false},
		{"a", 0, true}, {"a", -1, true}, {"a", 1 << 62, true}, {"a", 1 << 62, false},
	} {
		var got bool
		update(t, s, func(tx authority.Tx) (err error) {
			got, err = tx.SpendStep("r", c.account, c.step, tx.Now().Add(time.Hour))
			return err
		})
		if got != c.want {
			t.Errorf("spending step %d of %s: %v, want %v", c.step, c.account, got, c.want)
		}
	}
	update(t, s, func(tx authority.Tx) error {
		first, err := tx.SpendStep("r", "twice in one", 1, tx.Now().Add(time.Hour))
		if err != nil {
			return err
		}
		second, err := tx.SpendStep("r", "twice in one", 1, tx.Now().Add(time.Hour))
		if !first || second {
			t.Errorf("twice in one Update: %v, %v, want true, false", first, second)
		}
		return err
	})
}

// The sealed successor is what a stolen database could give away together with a
// stolen token, so it must be gone when its grace is over, and not before.
func successorsErased(t *testing.T, open Open) {
	s := opened(t, open)
	base := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	rows := map[string]struct {
		used time.Time
		kept bool
	}{
		"used before":         {base.Add(-time.Microsecond), false},
		"used long before":    {base.Add(-24 * time.Hour), false},
		"used just then":      {base, true},
		"used later":          {base.Add(time.Hour), true},
		"never used, but set": {time.Time{}, true},
	}
	row := func(name string, used time.Time) authority.Refresh {
		return authority.Refresh{
			Digest: sha256.Sum256([]byte(name)), ID: name, Realm: "r", Used: used,
			Successor: []byte("sealed"), Expires: base.Add(48 * time.Hour),
		}
	}
	update(t, s, func(tx authority.Tx) error {
		for name, r := range rows {
			if err := tx.PutRefresh(row(name, r.used)); err != nil {
				return err
			}
		}
		return nil
	})
	for range 2 { // the second time there is nothing left to do
		update(t, s, func(tx authority.Tx) error { return tx.EraseSuccessors(base) })
	}
	view(t, s, func(tx authority.Tx) error {
		for name, r := range rows {
			got, err := tx.Refresh(sha256.Sum256([]byte(name)))
			if err != nil {
				return err
			}
			if kept := bytes.Equal(got.Successor, []byte("sealed")); kept != r.kept || (!kept && got.Successor != nil) {
				t.Errorf("%s: successor %q, want it kept: %v", name, got.Successor, r.kept)
			}
			if got.ID != name || !got.Used.Equal(r.used) {
				t.Errorf("%s: the rest of the row changed: %+v", name, got)
			}
		}
		return nil
	})
}
