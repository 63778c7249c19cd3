package sqlstore

import (
	"bytes"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// errText is the cause when a text is not UTF-8 without NUL.
var errText = errors.New("text is not UTF-8 without NUL")

// cell is one field of a row, by pointer: it is written from there and read back
// to there.
type cell interface {
	driver.Valuer
	sql.Scanner
}

// field is one column and the place of its value.
type field struct {
	column string
	cell   cell
}

// sound reports whether the texts may stand in a database.
func sound(texts ...string) bool {
	for _, s := range texts {
		if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
			return false
		}
	}
	return true
}

// textCell is a text, or a type made of one.
type textCell[S ~string] struct{ p *S }

func text[S ~string](p *S) textCell[S] { return textCell[S]{p} }

func (c textCell[S]) Value() (driver.Value, error) {
	if s := string(*c.p); sound(s) {
		return s, nil
	}
	return nil, errText
}

func (c textCell[S]) Scan(src any) error {
	s, err := scanText(src)
	*c.p = S(s)
	return err
}

func scanText(src any) (string, error) {
	switch v := src.(type) {
	case string:
		return v, nil
	case []byte:
		return string(v), nil
	}
	return "", fmt.Errorf("a text is stored as %T", src)
}

// A list's NULs cannot stand in TEXT, so each becomes a newline; newlines and
// backslashes inside a text are escaped. This is one to one for every string.
const (
	listMark  = "\n"
	listQuote = `\`
)

// listCell is a list, one line for each of its texts.
type listCell struct{ p *authority.List }

func list(p *authority.List) listCell { return listCell{p} }

func (c listCell) Value() (driver.Value, error) {
	if !utf8.ValidString(string(*c.p)) {
		return nil, errText
	}
	return encodeList(*c.p), nil
}

func (c listCell) Scan(src any) error {
	s, err := scanText(src)
	if err == nil {
		*c.p, err = decodeList(s)
	}
	return err
}

func encodeList(l authority.List) string {
	s := string(l)
	if strings.ContainsAny(s, listMark+listQuote) {
		s = strings.ReplaceAll(s, listQuote, listQuote+listQuote)
		s = strings.ReplaceAll(s, listMark, listQuote+"n")
	}
	return strings.ReplaceAll(s, "\x00", listMark)
}

func decodeList(s string) (authority.List, error) {
	if strings.IndexByte(s, 0) >= 0 {
		return "", errText
	}
	if !strings.Contains(s, listQuote) {
		return authority.List(strings.ReplaceAll(s, listMark, "\x00")), nil
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case listMark[0]:
			b.WriteByte(0)
		case listQuote[0]:
			i++
			switch {
			case i < len(s) && s[i] == listQuote[0]:
				b.WriteByte(listQuote[0])
			case i < len(s) && s[i] == 'n':
				b.WriteByte(listMark[0])
			default:
				return "", errors.New("a list is stored with an unknown escape")
			}
		default:
			b.WriteByte(s[i])
		}
	}
	return authority.List(b.String()), nil
}

// timeCell is a time in Unix microseconds, 0 for the zero time.
type timeCell struct{ p *time.Time }

func instant(p *time.Time) timeCell { return timeCell{p} }

func (c timeCell) Value() (driver.Value, error) { return micros(*c.p), nil }

func (c timeCell) Scan(src any) error {
	n, ok := src.(int64)
	if !ok {
		return fmt.Errorf("a time is stored as %T", src)
	}
	*c.p = time.Time{}
	if n != 0 {
		*c.p = time.UnixMicro(n).UTC()
	}
	return nil
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// digestCell is a digest as a blob of its exact size.
type digestCell struct{ p *authority.Digest }

func digest(p *authority.Digest) digestCell { return digestCell{p} }

func (c digestCell) Value() (driver.Value, error) { return bytes.Clone(c.p[:]), nil }

func (c digestCell) Scan(src any) error {
	b, ok := src.([]byte)
	if !ok || len(b) != len(c.p) {
		return fmt.Errorf("a digest is stored as %T of the wrong size", src)
	}
	copy(c.p[:], b)
	return nil
}

// maybeDigestCell is a digest that may be none: the zero digest is NULL.
type maybeDigestCell struct{ p *authority.Digest }

func digestOrNone(p *authority.Digest) maybeDigestCell { return maybeDigestCell{p} }

func (c maybeDigestCell) Value() (driver.Value, error) {
	if *c.p == (authority.Digest{}) {
		return nil, nil
	}
	return digest(c.p).Value()
}

func (c maybeDigestCell) Scan(src any) error {
	if src == nil {
		*c.p = authority.Digest{}
		return nil
	}
	return digest(c.p).Scan(src)
}

// numberCell is a whole number.
type numberCell struct{ p *int64 }

func number(p *int64) numberCell { return numberCell{p} }

func (c numberCell) Value() (driver.Value, error) { return *c.p, nil }

func (c numberCell) Scan(src any) error {
	n, ok := src.(int64)
	if !ok {
		return fmt.Errorf("a number is stored as %T", src)
	}
	*c.p = n
	return nil
}

// truthCell is yes or no, as 1 or 0: databases differ in their types for it.
type truthCell struct{ p *bool }

func truth(p *bool) truthCell { return truthCell{p} }

func (c truthCell) Value() (driver.Value, error) {
	if *c.p {
		return int64(1), nil
	}
	return int64(0), nil
}

func (c truthCell) Scan(src any) error {
	n, ok := src.(int64)
	if !ok || n != 0 && n != 1 {
		return fmt.Errorf("a truth is stored as the %T %v", src, src)
	}
	*c.p = n == 1
	return nil
}

// blobCell is bytes, NULL when there are none.
type blobCell struct{ p *[]byte }

func blob(p *[]byte) blobCell { return blobCell{p} }

func (c blobCell) Value() (driver.Value, error) {
	if len(*c.p) == 0 {
		return nil, nil
	}
	return *c.p, nil
}

func (c blobCell) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*c.p = nil
	case []byte:
		*c.p = bytes.Clone(v) // the driver's own memory until the next row
	default:
		return fmt.Errorf("bytes are stored as %T", src)
	}
	return nil
}
