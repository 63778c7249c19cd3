package storetest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// swept is how many kinds of row are swept.
const swept = 7

// putAll puts one row of each swept kind that expires then.
func putAll(tx authority.Tx, name string, expires time.Time) error {
	_, err := tx.SpendStep("r", name, 1, expires)
	return errors.Join(err,
		tx.PutToken(token(name, expires)),
		tx.PutRevocation(authority.Revocation{Realm: "r", TokenID: name, Expires: expires}),
		tx.PutSession(authority.Session{Realm: "r", ID: name, Expires: expires}),
		tx.PutRefresh(authority.Refresh{Digest: sha256.Sum256([]byte(name)), Realm: "r", Until: expires}),
		tx.PutKnownAddress(authority.KnownAddress{Realm: "r", Network: name, Expires: expires}),
		tx.PutMark(authority.Mark{Realm: "r", ID: sha256.Sum256([]byte(name)), Expires: expires}),
	)
}

// wantAll checks which of the rows of putAll are there.
func wantAll(t *testing.T, s Store, name string, want bool) {
	t.Helper()
	spent := errors.New("undo")
	err := s.Update(t.Context(), func(tx authority.Tx) error {
		free, err := tx.SpendStep("r", name, 1, tx.Now())
		revoked, err2 := tx.Revoked("r", name)
		if err := errors.Join(err, err2); err != nil {
			return err
		}
		_, noToken := tx.Token(sha256.Sum256([]byte(name)))
		_, noSession := tx.Session("r", name)
		_, noRefresh := tx.Refresh(sha256.Sum256([]byte(name)))
		_, noKnown := tx.KnownAddress("r", authority.Digest{}, name)
		_, noMark := tx.Mark("r", sha256.Sum256([]byte(name)))
		for kind, there := range map[string]bool{
			"step": !free, "revocation": revoked, "token": noToken == nil,
			"session": noSession == nil, "refresh token": noRefresh == nil,
			"known address": noKnown == nil, "mark": noMark == nil,
		} {
			if there != want {
				t.Errorf("%s %q is there: %v, want %v", kind, name, there, want)
			}
		}
		return spent
	})
	if !errors.Is(err, spent) {
		t.Fatal(err)
	}
}

// A token may be taken for some seconds after its expiry (clock leeway). Were its
// revocation swept at once, it would live again in these.
func sweepExpired(t *testing.T, open Open) {
	s := opened(t, open)
	rows := []struct {
		name string
		ends time.Duration // from now
		kept bool
	}{
		{"long ago", -24 * time.Hour, false},
		{"an hour ago", -time.Hour, false},
		{"just expired", -5 * time.Second, true},
		{"soon", time.Minute, true},
		{"later", 24 * time.Hour, true},
	}
	update(t, s, func(tx authority.Tx) error {
		for _, r := range rows {
			if err := putAll(tx, r.name, tx.Now().Add(r.ends)); err != nil {
				return err
			}
		}
		// A key's times are for authority to judge; an account and an identity have no end.
		return errors.Join(
			tx.PutKey(authority.Key{Realm: "r", ID: "k", Expires: tx.Now().Add(-time.Hour)}),
			tx.PutAccount(authority.Account{Realm: "r", ID: "a", Disabled: tx.Now().Add(-time.Hour)}),
			tx.PutIdentity(authority.Identity{Realm: "r", Provider: "p", Subject: "s"}))
	})
	if n, err := s.Sweep(t.Context(), 1000); n != 2*swept || err != nil {
		t.Errorf("sweep: %d rows, error %v, want %d", n, err, 2*swept)
	}
	if n, err := s.Sweep(t.Context(), 1000); n != 0 || err != nil {
		t.Errorf("second sweep: %d rows, error %v, want none", n, err)
	}
	for _, r := range rows {
		wantAll(t, s, r.name, r.kept)
	}
	view(t, s, func(tx authority.Tx) error {
		keys, err := tx.Keys("r")
		if len(keys) != 1 {
			t.Errorf("%d keys after the sweep, want 1", len(keys))
		}
		_, err2 := tx.Account("r", "a")
		_, err3 := tx.Identity("r", "p", "s")
		return errors.Join(err, err2, err3)
	})
}

func sweepLimit(t *testing.T, open Open) {
	s := opened(t, open)
	const each = 7
	update(t, s, func(tx authority.Tx) error {
		for i := range each {
			if err := putAll(tx, fmt.Sprint(i), tx.Now().Add(-time.Hour)); err != nil {
				return err
			}
		}
		return nil
	})
	for _, limit := range []int{0, -1} {
		if n, err := s.Sweep(t.Context(), limit); n != 0 || err != nil {
			t.Errorf("sweep of at most %d: %d rows, error %v", limit, n, err)
		}
	}
	left := swept * each
	for left > 0 {
		n, err := s.Sweep(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		if want := min(left, 10); n != want {
			t.Fatalf("sweep of at most 10 of %d: %d rows", left, n)
		}
		left -= n
	}
	for i := range each {
		wantAll(t, s, fmt.Sprint(i), false)
	}
}
