package golem

import (
	"errors"
	"regexp"
	"time"
)

// maxStamp bounds a point in time that is sent to us, in bytes.
const maxStamp = 64

var errStamp = errors.New("not a point in time as in 2030-01-31T12:00:00Z (RFC 3339)")

// stampForm is RFC 3339 §5.6. time.Parse takes more: hours of one digit, a comma
// before the fraction, offsets of a hundred minutes.
var stampForm = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

// stamp writes a point in time as the original does: RFC 3339 in UTC with Z, and a
// fraction of exactly 0, 3, 6 or 9 digits, as few as tell the whole. Zeros at the
// end of these are kept, which no layout of package time does.
func stamp(t time.Time) string {
	t = t.UTC()
	layout := "2006-01-02T15:04:05.000000000Z"
	switch n := t.Nanosecond(); {
	case n == 0:
		layout = "2006-01-02T15:04:05Z"
	case n%int(time.Millisecond) == 0:
		layout = "2006-01-02T15:04:05.000Z"
	case n%int(time.Microsecond) == 0:
		layout = "2006-01-02T15:04:05.000000Z"
	}
	return t.Format(layout)
}

// readStamp reads a point in time (RFC 3339 §5.6, T and Z in upper case). No error
// repeats what was sent.
func readStamp(s string) (time.Time, error) {
	if len(s) > maxStamp || !stampForm.MatchString(s) {
		return time.Time{}, errStamp
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, errStamp
	}
	return t.UTC(), nil
}
