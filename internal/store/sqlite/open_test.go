package sqlite

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/store/sqlstore"
)

// open opens the store at path for one test.
func open(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// fresh opens a new store.
func fresh(t testing.TB) *Store {
	t.Helper()
	return open(t, filepath.Join(t.TempDir(), "gatehouse.db"))
}

// put returns an Update's function that puts the named token.
func put(name string) func(authority.Tx) error {
	return func(tx authority.Tx) error {
		return tx.PutToken(authority.Token{
			Digest: sha256.Sum256([]byte(name)), ID: name, Realm: "r",
			Kind: authority.KindAccess, Expires: tx.Now().Add(time.Hour),
		})
	}
}

// has reports whether the named token is there.
func has(t testing.TB, s *Store, name string) bool {
	t.Helper()
	var there bool
	err := s.View(t.Context(), func(tx authority.Tx) error {
		_, err := tx.Token(sha256.Sum256([]byte(name)))
		if there = err == nil; errors.Is(err, authority.ErrNotFound) {
			return nil
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return there
}

// Every one of these characters means something in a URI or to the driver.
func TestOddNames(t *testing.T) {
	for _, name := range []string{
		"plain.db", "with space.db", "what?.db", "what?mode=memory", "100%.db", "%41.db", "a#b", "a&b=c", "a;b",
		"ünïcode 🔑.db", "'quoted'", `"quoted"`, "plus+plus", ":memory:", "file:x", "-dash", "dir with ?/and %20/x.db",
	} {
		path := filepath.Join(t.TempDir(), filepath.FromSlash(name))
		s := open(t, path)
		if err := s.Update(t.Context(), put("t")); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := s.Close(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if info, err := os.Stat(path); err != nil || info.Size() == 0 {
			t.Errorf("%s: the file is not where it was asked for: %v", name, err)
		}
		if !has(t, open(t, path), "t") {
			t.Errorf("%s: reopened without its token", name)
		}
	}
	t.Chdir(t.TempDir())
	open(t, "relative.db")
	if _, err := os.Stat("relative.db"); err != nil {
		t.Error(err)
	}
}

func TestSettings(t *testing.T) {
	s := fresh(t)
	reader := <-s.readers
	defer func() { s.readers <- reader }()
	for name, c := range map[string]*conn{"writer": s.writer, "reader": reader} {
		for pragma, want := range map[string]string{
			"journal_mode": "wal", "synchronous": "2", "trusted_schema": "0", "busy_timeout": "5000", "secure_delete": "2",
		} {
			if got, err := read[string](t.Context(), c, "PRAGMA "+pragma); got != want || err != nil {
				t.Errorf("%s: %s is %s, %v, want %s", name, pragma, got, err, want)
			}
		}
	}
	if err := reader.exec("DELETE FROM tokens"); err == nil {
		t.Error("a reading connection writes")
	}
	for asked, want := range map[int]int{1: 1, 5: 5, 1000: 64} {
		if got := readerCount(asked); got != want {
			t.Errorf("asked for %d readers: %d, want %d", asked, got, want)
		}
	}
	if n := readerCount(0); n < 4 || n > 8 {
		t.Errorf("%d readers by default", n)
	}
}

// What an operator may have at the path, and what he must be told.
func TestOpenRefuses(t *testing.T) {
	ours := filepath.Join(t.TempDir(), "ours.db")
	s := open(t, ours)
	for i := range 200 {
		if err := s.Update(t.Context(), put(strings.Repeat("x", i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(ours)
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(good)
	for i := 4096; i < len(damaged); i += 4096 {
		copy(damaged[i:], "this is no page of a tree") // all pages but the first
	}
	for name, c := range map[string]struct {
		make func(path string) error
		want string
	}{
		"a text":        {func(p string) error { return os.WriteFile(p, bytes.Repeat([]byte("no database "), 100), 0o600) }, "no SQLite database"},
		"a short text":  {func(p string) error { return os.WriteFile(p, []byte("hello"), 0o600) }, "no SQLite database"},
		"zeros":         {func(p string) error { return os.WriteFile(p, make([]byte, 8192), 0o600) }, "no SQLite database"},
		"damaged pages": {func(p string) error { return os.WriteFile(p, damaged, 0o600) }, "damaged"},
		"half of it":    {func(p string) error { return os.WriteFile(p, good[:len(good)/2], 0o600) }, "damaged"},
		"a directory":   {func(p string) error { return os.Mkdir(p, 0o700) }, "is a directory"},
		"a dangling link": {func(p string) error {
			return os.Symlink(filepath.Join(filepath.Dir(p), "nothing"), p)
		}, "link to a file that is not there"},
		"another program's": {func(p string) error { return alter(p, "CREATE TABLE notes (text)") }, "another program"},
		"a newer schema": {func(p string) error {
			return errors.Join(os.WriteFile(p, good, 0o600), alter(p, "INSERT INTO schema_version VALUES (9999, 0)"))
		}, "run the newer release"},
	} {
		path := filepath.Join(t.TempDir(), "gatehouse.db")
		if err := c.make(path); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		before, _ := os.ReadFile(path)
		for range 2 { // the second time shows that the first gave the lock back
			wantRefusal(t, name, path, c.want)
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
			t.Errorf("%s: what was refused was changed", name)
		}
	}
	wantRefusal(t, "below a file", filepath.Join(ours, "x", "gatehouse.db"), "its directory cannot be made")
	wantRefusal(t, "no name", "", "the path is empty")
	wantRefusal(t, "a NUL", "a\x00b", "NUL")
	if !has(t, open(t, ours), "x") {
		t.Error("the good one does not open any more")
	}
}

func wantRefusal(t *testing.T, name, path, want string) {
	t.Helper()
	s, err := Open(t.Context(), path, Options{})
	if err == nil {
		_ = s.Close()
		t.Errorf("%s: opened", name)
		return
	}
	if text := err.Error(); !strings.Contains(text, want) || (path != "a\x00b" && !strings.Contains(text, path)) {
		t.Errorf("%s: error %q, want the path and %q", name, text, want)
	}
}

// alter runs a statement on a file that no store has open.
func alter(path, text string) error {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	_, err = db.Exec(text)
	return errors.Join(err, db.Close())
}

func TestNewerSchemaIsTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	if err := alter(path, "INSERT INTO schema_version VALUES (9999, 0)"); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), path, Options{}); !errors.Is(err, sqlstore.ErrNewerSchema) {
		t.Errorf("error %v, want ErrNewerSchema", err)
	}
}

// The tests may run as root, whom no mode keeps from writing, so the errors of a
// read-only file are made by a connection that may only read.
func TestExplain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	c, err := dial(t.Context(), path, "ro")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.close() }()
	_, missing := dial(t.Context(), path+".missing", "rw")
	for want, err := range map[string]error{
		"cannot be written":       c.exec("DELETE FROM tokens"),
		"cannot be opened":        missing,
		"writable for user id":    &fs.PathError{Op: "open", Path: path, Err: fs.ErrPermission},
		"read-only file system":   &fs.PathError{Op: "open", Path: path, Err: errors.New("read-only file system")},
		"restore the backup made": sqlstore.ErrNewerSchema,
	} {
		if err == nil {
			t.Errorf("no error for %q", want)
			continue
		}
		if got := explain(err); !strings.Contains(got.Error(), want) || !errors.Is(got, err) {
			t.Errorf("%v is told as %q, want %q", err, got, want)
		}
	}
}

// A backup taken with SQLite's own tools is a whole store.
func TestBackup(t *testing.T) {
	s := fresh(t)
	if err := s.Update(t.Context(), put("t")); err != nil {
		t.Fatal(err)
	}
	backup := filepath.Join(t.TempDir(), "backup.db")
	if err := alter(s.path, "VACUUM INTO '"+backup+"'"); err != nil {
		t.Fatal(err)
	}
	if !has(t, open(t, backup), "t") {
		t.Error("the backup lacks the token")
	}
}

func TestPingMissesItsFile(t *testing.T) {
	s := fresh(t)
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(s.path, s.path+".away"); err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(t.Context()); authority.KindOf(err) != authority.Unavailable {
		t.Errorf("moved: %v", err)
	}
	if err := os.WriteFile(s.path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(t.Context()); !errors.Is(err, errMoved) {
		t.Errorf("replaced: %v", err)
	}
	if err := errors.Join(os.Remove(s.path), os.Rename(s.path+".away", s.path)); err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("back in its place: %v", err)
	}
}

func TestClock(t *testing.T) {
	at := time.Date(2030, 1, 2, 3, 4, 5, 678901234, time.FixedZone("east", 3600))
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "a.db"), Options{Clock: func() time.Time { return at }, Readers: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	want := time.Date(2030, 1, 2, 2, 4, 5, 678901000, time.UTC)
	err = s.Update(t.Context(), func(tx authority.Tx) error {
		if tx.Now() != want {
			t.Errorf("the time is %v, want %v", tx.Now(), want)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
