package storetest

import (
	"crypto/sha256"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

func everyField(t *testing.T, open Open) {
	s := opened(t, open)
	for _, k := range kindsOfRow() {
		for seed := range 2 {
			row := k.new()
			fill(t, row, seed)
			update(t, s, func(tx authority.Tx) error {
				if err := k.put(tx, row); err != nil {
					return err
				}
				got, err := k.get(tx, row)
				if err == nil && !reflect.DeepEqual(got, row) {
					t.Errorf("%s inside its own Update:\n got %+v\nwant %+v", k.name, got, row)
				}
				return err
			})
		}
		for seed := range 2 {
			row := k.new()
			fill(t, row, seed)
			view(t, s, func(tx authority.Tx) error {
				got, err := k.get(tx, row)
				if err == nil && !reflect.DeepEqual(got, row) {
					t.Errorf("%s:\n got %+v\nwant %+v", k.name, got, row)
				}
				return err
			})
		}
	}
}

func emptyFields(t *testing.T, open Open) {
	s := opened(t, open)
	for _, k := range kindsOfRow() {
		row := k.new()
		update(t, s, func(tx authority.Tx) error { return k.put(tx, row) })
		view(t, s, func(tx authority.Tx) error {
			got, err := k.get(tx, row)
			if err == nil && !reflect.DeepEqual(got, row) {
				t.Errorf("%s: got %+v, want it empty", k.name, got)
			}
			return err
		})
	}
}

func notThere(t *testing.T, open Open) {
	s := opened(t, open)
	for _, k := range kindsOfRow() {
		row := k.new()
		fill(t, row, 0)
		view(t, s, func(tx authority.Tx) error {
			if _, err := k.get(tx, row); !errors.Is(err, authority.ErrNotFound) {
				t.Errorf("%s that is not there: error %v, want ErrNotFound", k.name, err)
			}
			return nil
		})
	}
	view(t, s, func(tx authority.Tx) error {
		revoked, err := tx.Revoked("r", "nobody")
		sessions, err2 := tx.Sessions("r", "", 10)
		keys, err3 := tx.Keys("r")
		tokens, err4 := tx.Tokens("r", "nobody", authority.KindPersonal, 10)
		accounts, err5 := tx.Accounts("r", time.Time{}, "", 10)
		named, err6 := tx.AccountsByEmail("r", "nobody@example.com", 10)
		identities, err7 := tx.Identities("r", "nobody", 10)
		if revoked || len(sessions)+len(keys)+len(tokens)+len(accounts)+len(named)+len(identities) != 0 {
			t.Errorf("an empty store has revocation %v, sessions %v, keys %v, tokens %v, accounts %v and %v, identities %v",
				revoked, sessions, keys, tokens, accounts, named, identities)
		}
		return errors.Join(err, err2, err3, err4, err5, err6, err7)
	})
	update(t, s, func(tx authority.Tx) error {
		return errors.Join(tx.DeleteToken(sha256.Sum256([]byte("nobody"))),
			tx.DeleteSession("r", "nobody"), tx.EraseSuccessors(tx.Now()),
			tx.DeleteTokens("r", "nobody"), tx.DeleteSessions("r", "nobody"),
			tx.DeleteAccount("r", "nobody"), tx.DeleteIdentity("r", "p", "nobody"))
	})
	// ErrNotFound is an answer, not a failure: the Update goes on and is kept.
	update(t, s, func(tx authority.Tx) error {
		if _, err := tx.Session("r", "nobody"); !errors.Is(err, authority.ErrNotFound) {
			t.Errorf("error %v, want ErrNotFound", err)
		}
		return tx.PutToken(token("kept", tx.Now().Add(time.Hour)))
	})
	if !hasToken(t, s, "kept") {
		t.Error("an Update that met ErrNotFound was not kept")
	}
}

func putOverwrites(t *testing.T, open Open) {
	s := opened(t, open)
	for _, k := range kindsOfRow() {
		row, other := k.new(), k.new()
		fill(t, row, 0)
		fill(t, other, 1)
		// The second row has the first one's key and nothing else of it.
		for _, key := range k.keys {
			from, to := reflect.ValueOf(row).Elem(), reflect.ValueOf(other).Elem()
			to.FieldByName(key).Set(from.FieldByName(key))
		}
		update(t, s, func(tx authority.Tx) error { return k.put(tx, row) })
		update(t, s, func(tx authority.Tx) error { return k.put(tx, other) })
		view(t, s, func(tx authority.Tx) error {
			got, err := k.get(tx, row)
			if err == nil && !reflect.DeepEqual(got, other) {
				t.Errorf("%s put twice:\n got %+v\nwant %+v", k.name, got, other)
			}
			return err
		})
	}
	update(t, s, func(tx authority.Tx) error {
		return errors.Join(
			tx.PutRevocation(authority.Revocation{Realm: "r", TokenID: "j", Expires: tx.Now()}),
			tx.PutRevocation(authority.Revocation{Realm: "r", TokenID: "j", Expires: tx.Now().Add(time.Hour)}))
	})
	wantRevoked(t, s, "r", "j", true)
}

func wantRevoked(t *testing.T, s Store, realm, id string, want bool) {
	t.Helper()
	view(t, s, func(tx authority.Tx) error {
		got, err := tx.Revoked(realm, id)
		if got != want {
			t.Errorf("revoked(%q, %q) = %v, want %v", realm, id, got, want)
		}
		return err
	})
}

func realmsApart(t *testing.T, open Open) {
	s := opened(t, open)
	update(t, s, func(tx authority.Tx) error {
		return errors.Join(
			tx.PutRevocation(authority.Revocation{Realm: "a", TokenID: "x"}),
			tx.PutSession(authority.Session{Realm: "a", ID: "x", Client: "of a"}),
			tx.PutSession(authority.Session{Realm: "b", ID: "x", Client: "of b"}),
			tx.PutKey(authority.Key{Realm: "a", ID: "x", Alg: "of a"}),
			tx.PutKey(authority.Key{Realm: "b", ID: "x", Alg: "of b"}),
		)
	})
	wantRevoked(t, s, "a", "x", true)
	wantRevoked(t, s, "b", "x", false)
	update(t, s, func(tx authority.Tx) error {
		if ok, err := tx.SpendStep("a", "x", 1, tx.Now()); err != nil || !ok {
			t.Errorf("step in realm a: %v %v", ok, err)
		}
		if ok, err := tx.SpendStep("b", "x", 1, tx.Now()); err != nil || !ok {
			t.Errorf("the same step in realm b: %v %v", ok, err)
		}
		return tx.DeleteSession("a", "x")
	})
	view(t, s, func(tx authority.Tx) error {
		if _, err := tx.Session("a", "x"); !errors.Is(err, authority.ErrNotFound) {
			t.Errorf("the deleted session: %v, want ErrNotFound", err)
		}
		kept, err := tx.Session("b", "x")
		keys, err2 := tx.Keys("b")
		if kept.Client != "of b" || len(keys) != 1 || keys[0].Alg != "of b" {
			t.Errorf("realm b has session %+v and keys %+v", kept, keys)
		}
		return errors.Join(err, err2)
	})
}

func reopening(t *testing.T, open Open) {
	first := open(t)
	for _, k := range kindsOfRow() {
		row := k.new()
		fill(t, row, 0)
		update(t, first, func(tx authority.Tx) error { return k.put(tx, row) })
	}
	update(t, first, func(tx authority.Tx) error {
		_, err := tx.SpendStep("r", "a", 7, tx.Now().Add(time.Hour))
		return errors.Join(err, tx.PutRevocation(authority.Revocation{Realm: "r", TokenID: "j", Expires: tx.Now().Add(time.Hour)}))
	})
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := opened(t, open)
	for _, k := range kindsOfRow() {
		row := k.new()
		fill(t, row, 0)
		view(t, second, func(tx authority.Tx) error {
			got, err := k.get(tx, row)
			if err == nil && !reflect.DeepEqual(got, row) {
				t.Errorf("%s after reopening:\n got %+v\nwant %+v", k.name, got, row)
			}
			return err
		})
	}
	wantRevoked(t, second, "r", "j", true)
	update(t, second, func(tx authority.Tx) error {
		if ok, err := tx.SpendStep("r", "a", 7, tx.Now().Add(time.Hour)); ok || err != nil {
			t.Errorf("a step spent before reopening: %v %v, want it spent", ok, err)
		}
		return nil
	})
}
