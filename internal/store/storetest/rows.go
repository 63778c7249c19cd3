package storetest

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// kindOfRow is how one row type is put and got back.
type kindOfRow struct {
	name string
	new  func() any // a pointer to an empty row
	put  func(tx authority.Tx, row any) error
	get  func(tx authority.Tx, row any) (any, error) // the stored row with row's key
}

func kindsOfRow() []kindOfRow {
	return []kindOfRow{
		{
			"key", func() any { return new(authority.Key) },
			func(tx authority.Tx, row any) error { return tx.PutKey(*row.(*authority.Key)) },
			func(tx authority.Tx, row any) (any, error) {
				want := row.(*authority.Key)
				keys, err := tx.Keys(want.Realm)
				for _, k := range keys {
					if k.ID == want.ID {
						return &k, err
					}
				}
				return nil, errors.Join(err, authority.ErrNotFound)
			},
		},
		{
			"token", func() any { return new(authority.Token) },
			func(tx authority.Tx, row any) error { return tx.PutToken(*row.(*authority.Token)) },
			func(tx authority.Tx, row any) (any, error) {
				got, err := tx.Token(row.(*authority.Token).Digest)
				return &got, err
			},
		},
		{
			"session", func() any { return new(authority.Session) },
			func(tx authority.Tx, row any) error { return tx.PutSession(*row.(*authority.Session)) },
			func(tx authority.Tx, row any) (any, error) {
				want := row.(*authority.Session)
				got, err := tx.Session(want.Realm, want.ID)
				return &got, err
			},
		},
		{
			"refresh", func() any { return new(authority.Refresh) },
			func(tx authority.Tx, row any) error { return tx.PutRefresh(*row.(*authority.Refresh)) },
			func(tx authority.Tx, row any) (any, error) {
				got, err := tx.Refresh(row.(*authority.Refresh).Digest)
				return &got, err
			},
		},
		{
			"known address", func() any { return new(authority.KnownAddress) },
			func(tx authority.Tx, row any) error { return tx.PutKnownAddress(*row.(*authority.KnownAddress)) },
			func(tx authority.Tx, row any) (any, error) {
				want := row.(*authority.KnownAddress)
				got, err := tx.KnownAddress(want.Realm, want.Account, want.Network)
				return &got, err
			},
		},
	}
}

// fill gives every field of the row a value of its own, so that a field that is
// not stored, or stored in another's place, shows. seed tells rows apart.
func fill(t *testing.T, row any, seed int) {
	t.Helper()
	v := reflect.ValueOf(row).Elem()
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		at := time.Date(2030, 1, 2, 3, 4, 5, 678901000, time.UTC).Add(time.Duration(seed*100+i) * time.Hour)
		sum := sha256.Sum256(binary.AppendVarint([]byte(name), int64(seed)))
		switch f := v.Field(i); f.Interface().(type) {
		case authority.List:
			f.Set(reflect.ValueOf(authority.ListOf(name, string(rune('a'+seed)))))
		case time.Time:
			f.Set(reflect.ValueOf(at))
		case []byte:
			f.SetBytes(sum[:])
		default:
			switch f.Kind() {
			case reflect.String:
				f.SetString(name + string(rune('a'+seed)))
			case reflect.Array:
				reflect.Copy(f, reflect.ValueOf(sum))
			default:
				t.Fatalf("%s.%s: the suite has no value for a %s yet", v.Type(), name, f.Type())
			}
		}
	}
}

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
		if revoked || len(sessions) != 0 || len(keys) != 0 {
			t.Errorf("an empty store has revocation %v, sessions %v, keys %v", revoked, sessions, keys)
		}
		return errors.Join(err, err2, err3)
	})
	update(t, s, func(tx authority.Tx) error {
		return errors.Join(tx.DeleteToken(sha256.Sum256([]byte("nobody"))),
			tx.DeleteSession("r", "nobody"), tx.EraseSuccessors(tx.Now()))
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
		for _, key := range []string{"Digest", "Realm", "ID", "Account", "Network"} {
			from, to := reflect.ValueOf(row).Elem(), reflect.ValueOf(other).Elem()
			byDigest, isKey := from.FieldByName("Digest").IsValid(), from.FieldByName(key).IsValid()
			if key == "Account" { // part of a key only beside a network
				isKey = from.FieldByName("Network").IsValid()
			}
			if isKey && byDigest == (key == "Digest") {
				to.FieldByName(key).Set(from.FieldByName(key))
			}
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
