package secret

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"
)

func testKey() []byte {
	key := Derive([]byte("a root of the tests"), "tests")
	return key[:]
}

func TestSealAndOpen(t *testing.T) {
	key := testKey()
	for _, plain := range [][]byte{nil, []byte("x"), bytes.Repeat([]byte("k"), MaxPlaintext)} {
		for _, additional := range [][]byte{nil, []byte("signing key 1"), bytes.Repeat([]byte("a"), maxAdditional)} {
			sealed, err := Seal(key, plain, additional)
			if err != nil {
				t.Fatal(err)
			}
			if len(sealed) != len(plain)+SealOverhead || sealed[0] != sealVersion {
				t.Errorf("%d bytes sealed in %d, version %d", len(plain), len(sealed), sealed[0])
			}
			got, err := Open(key, sealed, additional)
			if err != nil || !bytes.Equal(got, plain) {
				t.Errorf("%d bytes: %v", len(plain), err)
			}
			again, err := Seal(key, plain, additional)
			if err != nil || bytes.Equal(sealed, again) {
				t.Errorf("the same blob twice: the nonce is not random (%v)", err)
			}
		}
	}
}

// A blob opens under its key, in its place, unchanged; else not, and the error does
// not tell which of the three was wrong.
func TestOpenRefuses(t *testing.T) {
	key, place := testKey(), []byte("row 1")
	sealed, err := Seal(key, []byte("the next token"), place)
	if err != nil {
		t.Fatal(err)
	}
	other := Derive([]byte("a root of the tests"), "another purpose")
	try := func(story string, key, sealed, additional []byte) {
		t.Helper()
		if got, err := Open(key, sealed, additional); !errors.Is(err, ErrOpen) || got != nil {
			t.Errorf("%s: %q, %v", story, got, err)
		}
	}
	try("another purpose's key", other[:], sealed, place)
	try("short key", key[:16], sealed, place)
	try("long key", append(bytes.Clone(key), 0), sealed, place)
	try("no key", nil, sealed, place)
	try("another row", key, sealed, []byte("row 2"))
	try("no row", key, sealed, nil)
	try("too long a context", key, sealed, make([]byte, maxAdditional+1))
	try("nothing", key, nil, place)
	try("longer", key, append(bytes.Clone(sealed), 0), place)
	try("too long", key, append([]byte{sealVersion}, make([]byte, MaxPlaintext+SealOverhead)...), place)
	for i := range sealed {
		try("cut off", key, sealed[:i], place)
		for bit := range 8 {
			spoilt := bytes.Clone(sealed)
			spoilt[i] ^= 1 << bit
			try("a bit changed", key, spoilt, place)
		}
	}
}

func TestSealRefuses(t *testing.T) {
	key := testKey()
	for story, err := range map[string]error{
		"short key":        second(Seal(key[:31], nil, nil)),
		"no key":           second(Seal(nil, nil, nil)),
		"too much":         second(Seal(key, make([]byte, MaxPlaintext+1), nil)),
		"too much context": second(Seal(key, nil, make([]byte, maxAdditional+1))),
		"short token":      second(SealUnder("0123456789abcdef0123456789abcde", nil)),
		"no token":         second(SealUnder("", nil)),
	} {
		if !errors.Is(err, ErrSeal) {
			t.Errorf("%s: %v", story, err)
		}
	}
}

func second(_ []byte, err error) error { return err }

// Whoever has the database has the digest of a refresh token and the successor
// sealed under it: the one must not open the other.
func TestSealUnderNeedsTheTokenItself(t *testing.T) {
	token, next := "gatert_"+Token(), "gatert_"+Token()
	sealed, err := SealUnder(token, []byte(next))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := OpenUnder(token, sealed); err != nil || string(got) != next {
		t.Errorf("%q, %v", got, err)
	}
	digest := DigestOf(token)
	for story, err := range map[string]error{
		"another token":        second(OpenUnder("gatert_"+Token(), sealed)),
		"the successor itself": second(OpenUnder(next, sealed)),
		"the digest":           second(OpenUnder(string(digest[:]), sealed)),
		"the written digest":   second(OpenUnder(digest.SecretHash(), sealed)),
		"the digest as key":    second(Open(digest[:], sealed, nil)),
		"a short text":         second(OpenUnder("short", sealed)),
		"nothing":              second(OpenUnder("", sealed)),
	} {
		if !errors.Is(err, ErrOpen) {
			t.Errorf("%s: %v", story, err)
		}
	}
}

// The value is what another implementation of RFC 5869 gives: a change of label or
// salt would make every sealed row unreadable.
func TestDeriveIsPinned(t *testing.T) {
	key := Derive([]byte("0123456789abcdef"), "example")
	const want = "b4bd4904695ced39ef2bfe7d2f055a484ffa4792ac06dec35b00caf6b90bd032"
	if got := hex.EncodeToString(key[:]); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if key == Derive([]byte("0123456789abcdef"), "example2") || key == Derive([]byte("0123456789abcdeF"), "example") {
		t.Error("two purposes or two roots share a key")
	}
}

func TestDeriveRefusesARootThatIsNone(t *testing.T) {
	for name, derive := range map[string]func(){
		"no root":    func() { Derive(nil, "example") },
		"short root": func() { Derive([]byte("0123456789abcde"), "example") },
		"no purpose": func() { Derive([]byte("0123456789abcdef"), "") },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("a key from nothing")
				}
			}()
			derive()
		})
	}
}

// pinned was sealed once, by this code: a later release must still open it.
const pinned = "0152ba1de7058dd8ed48ff098a02d2ac2c5f1954e421baee50c6f300" +
	"7cf0440339cb72080dadfca600fc1f4a12aed0614019942e113ce8"

func TestOpenReadsOldBlobs(t *testing.T) {
	blob, err := hex.DecodeString(pinned)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Open(testKey(), blob, []byte("row 1")); err != nil || string(got) != "the next token" {
		t.Errorf("%q, %v", got, err)
	}
}

// The seed is pinned because the fuzzer's processes must agree on it.
func FuzzOpen(f *testing.F) {
	key, place := testKey(), []byte("row 1")
	good, err := hex.DecodeString(pinned)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:SealOverhead])
	f.Add([]byte{})
	f.Add([]byte{sealVersion})
	f.Add(append([]byte{sealVersion + 1}, good[1:]...))
	f.Fuzz(func(t *testing.T, sealed []byte) {
		got, err := Open(key, sealed, place)
		if (err == nil) != bytes.Equal(sealed, good) {
			t.Errorf("%x: %q, %v", sealed, got, err)
		}
	})
}
