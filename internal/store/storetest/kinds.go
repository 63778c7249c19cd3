package storetest

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// kindOfRow is how one row type is put and got back.
type kindOfRow struct {
	name string
	keys []string   // the fields that are its primary key
	new  func() any // a pointer to an empty row
	put  func(tx authority.Tx, row any) error
	get  func(tx authority.Tx, row any) (any, error) // the stored row with row's key
}

func rowKind[R any](name, keys string, put func(authority.Tx, R) error, get func(authority.Tx, R) (R, error)) kindOfRow {
	return kindOfRow{
		name, strings.Fields(keys), func() any { return new(R) },
		func(tx authority.Tx, row any) error { return put(tx, *row.(*R)) },
		func(tx authority.Tx, row any) (any, error) {
			got, err := get(tx, *row.(*R))
			return &got, err
		},
	}
}

func kindsOfRow() []kindOfRow {
	type tx = authority.Tx
	return []kindOfRow{
		rowKind("key", "Realm ID", tx.PutKey, func(tx tx, k authority.Key) (authority.Key, error) {
			keys, err := tx.Keys(k.Realm)
			for _, one := range keys {
				if one.ID == k.ID {
					return one, err
				}
			}
			return authority.Key{}, errors.Join(err, authority.ErrNotFound)
		}),
		rowKind("token", "Digest", tx.PutToken, func(tx tx, r authority.Token) (authority.Token, error) {
			return tx.Token(r.Digest)
		}),
		rowKind("token by its id", "Digest Realm ID", tx.PutToken, func(tx tx, r authority.Token) (authority.Token, error) {
			return tx.TokenByID(r.Realm, r.ID)
		}),
		rowKind("session", "Realm ID", tx.PutSession, func(tx tx, r authority.Session) (authority.Session, error) {
			return tx.Session(r.Realm, r.ID)
		}),
		rowKind("refresh", "Digest", tx.PutRefresh, func(tx tx, r authority.Refresh) (authority.Refresh, error) {
			return tx.Refresh(r.Digest)
		}),
		rowKind("known address", "Realm Account Network", tx.PutKnownAddress,
			func(tx tx, r authority.KnownAddress) (authority.KnownAddress, error) {
				return tx.KnownAddress(r.Realm, r.Account, r.Network)
			}),
		rowKind("account", "Realm ID", tx.PutAccount, func(tx tx, r authority.Account) (authority.Account, error) {
			return tx.Account(r.Realm, r.ID)
		}),
		rowKind("identity", "Realm Provider Subject", tx.PutIdentity, func(tx tx, r authority.Identity) (authority.Identity, error) {
			return tx.Identity(r.Realm, r.Provider, r.Subject)
		}),
		rowKind("mark", "Realm ID", tx.PutMark, func(tx tx, r authority.Mark) (authority.Mark, error) {
			return tx.Mark(r.Realm, r.ID)
		}),
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
			case reflect.Int64:
				f.SetInt(int64(binary.BigEndian.Uint64(sum[:]))) // any of 64 bits, also a negative one
			case reflect.Bool:
				f.SetBool(seed%2 == 0)
			default:
				t.Fatalf("%s.%s: the suite has no value for a %s yet", v.Type(), name, f.Type())
			}
		}
	}
}
