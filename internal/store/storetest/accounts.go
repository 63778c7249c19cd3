package storetest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// base is a time that the rows of the lists count from.
func base() time.Time { return time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC) }

// ids joins what id gives for each row.
func ids[R any](rows []R, id func(R) string) string {
	all := make([]string, 0, len(rows))
	for _, row := range rows {
		all = append(all, id(row))
	}
	return strings.Join(all, " ")
}

func tokensInOrder(t *testing.T, open Open) {
	s := opened(t, open)
	put := func(tx authority.Tx, id, realm, account string, kind authority.TokenKind, after time.Duration) error {
		row := token(id, tx.Now().Add(time.Hour))
		row.Realm, row.Account, row.Kind, row.Issued = realm, account, kind, base().Add(after)
		return tx.PutToken(row)
	}
	update(t, s, func(tx authority.Tx) error {
		return errors.Join(
			put(tx, "t3", "r", "a", authority.KindPersonal, 2*time.Microsecond),
			put(tx, "t9", "r", "a", authority.KindPersonal, time.Microsecond),
			put(tx, "t2", "r", "a", authority.KindPersonal, 3*time.Microsecond),
			put(tx, "t1", "r", "a", authority.KindPersonal, 3*time.Microsecond),
			put(tx, "access", "r", "a", authority.KindAccess, 0),
			put(tx, "of b", "r", "b", authority.KindPersonal, 0),
			put(tx, "of q", "q", "a", authority.KindPersonal, 0),
			put(tx, "nobody's", "r", "", authority.KindPersonal, 0))
	})
	for _, c := range []struct {
		account string
		kind    authority.TokenKind
		limit   int
		want    string
	}{
		{"a", authority.KindPersonal, 10, "t9 t3 t1 t2"},
		{"a", authority.KindPersonal, 4, "t9 t3 t1 t2"},
		{"a", authority.KindPersonal, 3, "t9 t3 t1"},
		{"a", authority.KindPersonal, 0, ""},
		{"a", authority.KindPersonal, -1, ""},
		{"a", authority.KindAccess, 10, "access"},
		{"a", "", 10, ""},
		{"b", authority.KindPersonal, 10, "of b"},
		{"A", authority.KindPersonal, 10, ""},
		{"a ", authority.KindPersonal, 10, ""},
		{"", authority.KindPersonal, 10, ""}, // a client's own tokens are nobody's
	} {
		view(t, s, func(tx authority.Tx) error {
			tokens, err := tx.Tokens("r", c.account, c.kind, c.limit)
			if got := ids(tokens, func(t authority.Token) string { return t.ID }); got != c.want {
				t.Errorf("tokens %q of %q, at most %d: %q, want %q", c.kind, c.account, c.limit, got, c.want)
			}
			return err
		})
	}
	view(t, s, func(tx authority.Tx) error {
		for _, c := range []struct {
			realm, id string
			found     bool
		}{{"r", "t9", true}, {"q", "of q", true}, {"r", "of q", false}, {"q", "t9", false}, {"r", "T9", false}, {"r", "", false}} {
			got, err := tx.TokenByID(c.realm, c.id)
			if (err == nil) != c.found || (!c.found && !errors.Is(err, authority.ErrNotFound)) || c.found && got.ID != c.id {
				t.Errorf("token %q of realm %s: %+v, %v, want it found: %v", c.id, c.realm, got, err, c.found)
			}
		}
		return nil
	})
}

// The end of an account takes all of its own with it, and nothing of anybody else,
// least of all what belongs to no account.
func deletedTogether(t *testing.T, open Open) {
	s := opened(t, open)
	update(t, s, func(tx authority.Tx) error {
		var errs []error
		for _, realm := range []string{"r", "q"} {
			for _, account := range []string{"a", "A", "b", ""} {
				for i, kind := range []authority.TokenKind{authority.KindAccess, authority.KindPersonal} {
					name := fmt.Sprintf("%s/%s/%d", realm, account, i)
					row := token(name, tx.Now().Add(time.Hour))
					row.Realm, row.Account, row.Kind = realm, account, kind
					errs = append(errs, tx.PutToken(row),
						tx.PutSession(authority.Session{Realm: realm, ID: name, Account: account, Expires: tx.Now().Add(time.Hour)}))
				}
			}
		}
		return errors.Join(errs...)
	})
	check := func(when string, gone func(name string) bool) {
		t.Helper()
		for _, realm := range []string{"r", "q"} {
			for _, account := range []string{"a", "A", "b", ""} {
				for i := range 2 {
					name := fmt.Sprintf("%s/%s/%d", realm, account, i)
					session := false
					view(t, s, func(tx authority.Tx) error {
						_, err := tx.Session(realm, name)
						session = err == nil
						return nil
					})
					if token := hasToken(t, s, name); session == gone(name) || token == gone(name) {
						t.Errorf("%s: %s has its session: %v, its token: %v", when, name, session, token)
					}
				}
			}
		}
	}
	for _, account := range []string{"", "nobody"} {
		update(t, s, func(tx authority.Tx) error {
			return errors.Join(tx.DeleteTokens("r", account), tx.DeleteSessions("r", account))
		})
		check(fmt.Sprintf("after deleting those of %q", account), func(string) bool { return false })
	}
	update(t, s, func(tx authority.Tx) error {
		return errors.Join(tx.DeleteTokens("r", "a"), tx.DeleteSessions("r", "a"))
	})
	check("after deleting those of a", func(name string) bool { return strings.HasPrefix(name, "r/a/") })
}

// A page begins after the last row of the one before, whatever was put or deleted
// meanwhile, and however many accounts were made in one moment.
func accountsInPages(t *testing.T, open Open) {
	s := opened(t, open)
	update(t, s, func(tx authority.Tx) error {
		errs := []error{
			tx.PutAccount(authority.Account{Realm: "q", ID: "other", Created: base()}),
			tx.PutAccount(authority.Account{Realm: "r", ID: "undated"}),
			tx.PutAccount(authority.Account{Realm: "r", ID: "ancient", Created: time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)}),
		}
		for _, n := range []int{3, 1, 4, 0, 5, 2} { // two in each moment
			errs = append(errs, tx.PutAccount(authority.Account{
				Realm: "r", ID: fmt.Sprintf("a%d", n), Created: base().Add(time.Duration(n/2) * time.Microsecond),
			}))
		}
		return errors.Join(errs...)
	})
	const all = "ancient undated a0 a1 a2 a3 a4 a5"
	page := func(after authority.Account, limit int) (rows []authority.Account) {
		view(t, s, func(tx authority.Tx) (err error) {
			rows, err = tx.Accounts("r", after.Created, after.ID, limit)
			return err
		})
		return rows
	}
	name := func(a authority.Account) string { return a.ID }
	for size := 1; size <= 9; size++ {
		var seen []authority.Account
		var last authority.Account
		for {
			rows := page(last, size)
			if len(rows) == 0 {
				break
			}
			if len(rows) > size || len(seen) > 8 {
				t.Fatalf("a page of at most %d has %d rows, after %d", size, len(rows), len(seen))
			}
			seen, last = append(seen, rows...), rows[len(rows)-1]
		}
		if got := ids(seen, name); got != all {
			t.Errorf("in pages of %d: %q, want %q", size, got, all)
		}
	}
	for _, limit := range []int{0, -1} {
		if rows := page(authority.Account{}, limit); len(rows) != 0 {
			t.Errorf("at most %d: %d rows", limit, len(rows))
		}
	}
	after := authority.Account{ID: "a2", Created: base().Add(time.Microsecond)}
	update(t, s, func(tx authority.Tx) error {
		return errors.Join(tx.DeleteAccount("r", "a2"), tx.PutAccount(authority.Account{Realm: "r", ID: "a25", Created: after.Created}))
	})
	if got := ids(page(after, 10), name); got != "a25 a3 a4 a5" {
		t.Errorf("after a row that is gone: %q", got)
	}
	// A place between two rows need not be a row's.
	if got := ids(page(authority.Account{Created: base().Add(time.Microsecond)}, 2), name); got != "a25 a3" {
		t.Errorf("from a time: %q", got)
	}
}

// The e-mail key links accounts: what has none is never found, and no two keys
// that differ are one.
func accountsByEmail(t *testing.T, open Open) {
	s := opened(t, open)
	put := func(tx authority.Tx, realm, id, key string, after time.Duration) error {
		return tx.PutAccount(authority.Account{
			Realm: realm, ID: id, Email: "ada@example.com", EmailVerified: true, EmailKey: key, Created: base().Add(after),
		})
	}
	update(t, s, func(tx authority.Tx) error {
		return errors.Join(
			put(tx, "r", "second", "ada@example.com", time.Microsecond),
			put(tx, "r", "third", "ada@example.com", 2*time.Microsecond),
			put(tx, "r", "first", "ada@example.com", 0),
			put(tx, "r", "unproven", "", 0),
			put(tx, "r", "other", "grace@example.com", 0),
			put(tx, "q", "elsewhere", "ada@example.com", 0),
			put(tx, "s", "there", "ada@example.com", 0))
	})
	want := func(key string, limit int, want string) {
		t.Helper()
		view(t, s, func(tx authority.Tx) error {
			rows, err := tx.AccountsByEmail("r", key, limit)
			if got := ids(rows, func(a authority.Account) string { return a.ID }); got != want {
				t.Errorf("accounts of %q, at most %d: %q, want %q", key, limit, got, want)
			}
			return err
		})
	}
	want("ada@example.com", 10, "first second third")
	want("ada@example.com", 2, "first second")
	want("ada@example.com", 0, "")
	want("ada@example.com", -1, "")
	want("grace@example.com", 10, "other")
	for _, key := range []string{"", "ADA@example.com", "ada@example.com ", "ada@example.co%", "%", "nobody@example.com"} {
		want(key, 10, "")
	}
	// Whoever loses the key is found no more.
	update(t, s, func(tx authority.Tx) error {
		return errors.Join(put(tx, "r", "first", "", 0), put(tx, "r", "second", "grace@example.com", time.Microsecond), tx.DeleteAccount("r", "third"))
	})
	want("ada@example.com", 10, "")
	want("grace@example.com", 10, "other second")
}

func identitiesInOrder(t *testing.T, open Open) {
	s := opened(t, open)
	put := func(tx authority.Tx, provider, subject, account string) error {
		return tx.PutIdentity(authority.Identity{Realm: "r", Provider: provider, Subject: subject, Account: account, Created: base()})
	}
	update(t, s, func(tx authority.Tx) error {
		return errors.Join(
			put(tx, "google", "2", "a"), put(tx, "github", "583231", "a"), put(tx, "google", "10", "a"),
			put(tx, "github", "1906", "b"), put(tx, "hf", "x", ""),
			tx.PutIdentity(authority.Identity{Realm: "q", Provider: "github", Subject: "1", Account: "a"}))
	})
	want := func(account string, limit int, want string) {
		t.Helper()
		view(t, s, func(tx authority.Tx) error {
			rows, err := tx.Identities("r", account, limit)
			if got := ids(rows, func(i authority.Identity) string { return i.Provider + "/" + i.Subject }); got != want {
				t.Errorf("identities of %q, at most %d: %q, want %q", account, limit, got, want)
			}
			return err
		})
	}
	want("a", 10, "github/583231 google/10 google/2")
	want("a", 2, "github/583231 google/10")
	want("a", 0, "")
	want("a", -1, "")
	want("b", 10, "github/1906")
	want("A", 10, "")
	want("", 10, "")
	update(t, s, func(tx authority.Tx) error {
		// One subject opens one account: the second put moves it.
		return errors.Join(put(tx, "github", "583231", "b"), tx.DeleteIdentity("r", "google", "10"), tx.DeleteIdentity("r", "google", "583231"))
	})
	want("a", 10, "google/2")
	want("b", 10, "github/1906 github/583231")
}

func accountsApart(t *testing.T, open Open) {
	s := opened(t, open)
	id := sha256.Sum256([]byte("m"))
	update(t, s, func(tx authority.Tx) error {
		var errs []error
		for _, realm := range []string{"a", "b"} {
			errs = append(errs,
				tx.PutAccount(authority.Account{Realm: realm, ID: "x", Name: "of " + realm}),
				tx.PutIdentity(authority.Identity{Realm: realm, Provider: "p", Subject: "s", Account: "of " + realm}),
				tx.PutIdentity(authority.Identity{Realm: realm, Provider: "p2", Subject: "s", Account: "of the other provider"}))
		}
		errs = append(errs, tx.PutMark(authority.Mark{Realm: "a", ID: id, Failures: 3, Spent: tx.Now()}),
			tx.DeleteAccount("a", "x"), tx.DeleteIdentity("a", "p", "s"))
		return errors.Join(errs...)
	})
	view(t, s, func(tx authority.Tx) error {
		_, noAccount := tx.Account("a", "x")
		_, noIdentity := tx.Identity("a", "p", "s")
		_, noMark := tx.Mark("b", id)
		for name, err := range map[string]error{"account": noAccount, "identity": noIdentity, "mark of realm b": noMark} {
			if !errors.Is(err, authority.ErrNotFound) {
				t.Errorf("the %s: %v, want ErrNotFound", name, err)
			}
		}
		account, err := tx.Account("b", "x")
		identity, err2 := tx.Identity("b", "p", "s")
		other, err3 := tx.Identity("a", "p2", "s")
		mark, err4 := tx.Mark("a", id)
		if account.Name != "of b" || identity.Account != "of b" || other.Account != "of the other provider" || mark.Failures != 3 {
			t.Errorf("realm b has account %+v and identity %+v; realm a identity %+v and mark %+v", account, identity, other, mark)
		}
		return errors.Join(err, err2, err3, err4)
	})
}
