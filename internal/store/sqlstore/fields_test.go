package sqlstore

import (
	"bytes"
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

func TestListText(t *testing.T) {
	for _, c := range []struct {
		list authority.List
		text string
	}{
		{"", ""},
		{authority.ListOf(""), "\n"},
		{authority.ListOf("a"), "a\n"},
		{authority.ListOf("a", "", "b c"), "a\n\nb c\n"},
		{authority.ListOf("a\nb"), `a\nb` + "\n"},
		{authority.ListOf(`a\nb`), `a\\nb` + "\n"},
		{authority.ListOf(`\`, "\n"), `\\` + "\n" + `\n` + "\n"},
		{"open", "open"},
	} {
		if got := encodeList(c.list); got != c.text {
			t.Errorf("%q is written as %q, want %q", c.list, got, c.text)
		}
		if got, err := decodeList(c.text); got != c.list || err != nil {
			t.Errorf("%q is read as %q, %v, want %q", c.text, got, err, c.list)
		}
	}
	for _, text := range []string{`\`, `a\`, `\x`, "\\\n", "a\x00", `\\\`} {
		if got, err := decodeList(text); err == nil {
			t.Errorf("%q is read as %q, want an error", text, got)
		}
	}
}

func FuzzListText(f *testing.F) {
	for _, seed := range []string{"", "\n", "a\nb\n", `\n`, `\\` + "\n", `\`, "\x00", "a\x00\x00", "\xff\n", `\q`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		written := encodeList(authority.List(s))
		if strings.IndexByte(written, 0) >= 0 {
			t.Errorf("%q is written with a NUL: %q", s, written)
		}
		if back, err := decodeList(written); string(back) != s || err != nil {
			t.Errorf("%q came back as %q, %v", s, back, err)
		}
		if list, err := decodeList(s); err == nil && encodeList(list) != s {
			t.Errorf("%q is read as %q, which is written as %q", s, list, encodeList(list))
		}
	})
}

func TestTimes(t *testing.T) {
	for _, c := range []struct {
		written time.Time
		micros  int64
		read    time.Time
	}{
		{time.Time{}, 0, time.Time{}},
		{time.UnixMicro(1), 1, time.UnixMicro(1).UTC()},
		{time.UnixMicro(-1), -1, time.UnixMicro(-1).UTC()},
		{time.Unix(0, 1999), 1, time.UnixMicro(1).UTC()},
		{time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC), 253402300799999999, time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)},
	} {
		v, err := instant(&c.written).Value()
		if v != c.micros || err != nil {
			t.Errorf("%v is written as %v, %v, want %d", c.written, v, err, c.micros)
		}
		var got time.Time
		if err := instant(&got).Scan(v); got != c.read || err != nil {
			t.Errorf("%v is read as %v, %v, want %v", v, got, err, c.read)
		}
	}
}

// A damaged row is an error, never half a row.
func TestScanRefuses(t *testing.T) {
	var (
		s  string
		l  authority.List
		at time.Time
		d  secret.Digest
		b  []byte
		n  int64
		ok bool
	)
	for name, c := range map[string]struct {
		cell sql.Scanner
		src  any
	}{
		"text from a number":   {text(&s), int64(1)},
		"text from nothing":    {text(&s), nil},
		"list from a number":   {list(&l), int64(1)},
		"list, broken":         {list(&l), `\`},
		"time from a text":     {instant(&at), "2030-01-01"},
		"time from nothing":    {instant(&at), nil},
		"digest, short":        {digest(&d), make([]byte, 31)},
		"digest, long":         {digest(&d), make([]byte, 33)},
		"digest from nothing":  {digest(&d), nil},
		"digest from a text":   {digest(&d), strings.Repeat("x", 32)},
		"bytes from a text":    {blob(&b), "x"},
		"bytes from a number":  {blob(&b), int64(1)},
		"text from true":       {text(&s), true},
		"time from a fraction": {instant(&at), 1.5},
		"maybe a digest":       {digestOrNone(&d), make([]byte, 31)},
		"no digest, empty":     {digestOrNone(&d), []byte{}},
		"number from a text":   {number(&n), "1"},
		"number from nothing":  {number(&n), nil},
		"truth from two":       {truth(&ok), int64(2)},
		"truth from a text":    {truth(&ok), "true"},
		"truth from nothing":   {truth(&ok), nil},
	} {
		if err := c.cell.Scan(c.src); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// No digest is NULL, and NULL is no digest; one that is there is itself.
func TestDigestOrNone(t *testing.T) {
	var none, some, got secret.Digest
	some[31] = 1
	for _, d := range []secret.Digest{none, some} {
		v, err := digestOrNone(&d).Value()
		if err != nil || (v == nil) != (d == none) {
			t.Errorf("%x is written as %v, %v", d, v, err)
		}
		got = secret.DigestOf("what stood there before")
		if err := digestOrNone(&got).Scan(v); got != d || err != nil {
			t.Errorf("%v is read as %x, %v, want %x", v, got, err, d)
		}
	}
}

// The driver takes its memory back when the next row is read.
func TestScanKeepsNothingOfTheDriver(t *testing.T) {
	var (
		b []byte
		d secret.Digest
		s string
	)
	lent := bytes.Repeat([]byte{1}, 32)
	for _, cell := range []sql.Scanner{blob(&b), digest(&d), text(&s)} {
		if err := cell.Scan(lent); err != nil {
			t.Fatal(err)
		}
	}
	clear(lent)
	if b[0] != 1 || d[0] != 1 || s[0] != 1 {
		t.Error("a value changed with the driver's memory")
	}
}
