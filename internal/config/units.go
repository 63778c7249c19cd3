package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// Duration is a time span. In JSON it is a string such as "5m", "12h" or "30d"
// (a day is 24 hours), or a number of nanoseconds.
type Duration time.Duration

// ParseDuration reads Go's duration syntax plus the unit d of 24 hours.
func ParseDuration(s string) (Duration, error) {
	orig, days := s, time.Duration(0)
	if head, rest, ok := strings.Cut(s, "d"); ok {
		n, err := strconv.ParseUint(head, 10, 15)
		if err != nil {
			return 0, fmt.Errorf("%q is not a duration: write it like 30s, 5m, 12h or 30d", orig)
		}
		days, s = time.Duration(n)*24*time.Hour, rest
		if s == "" {
			return Duration(days), nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil || days > 0 && (d < 0 || d > math.MaxInt64-days) {
		return 0, fmt.Errorf("%q is not a duration: write it like 30s, 5m, 12h or 30d", orig)
	}
	return Duration(d + days), nil
}

// D returns the span as the standard library's type.
func (d Duration) D() time.Duration { return time.Duration(d) }

// String prints whole days as days, everything else as Go does, without the zero
// units at its end.
func (d Duration) String() string {
	if d > 0 && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalJSON writes the string form.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(d.String()) }

// UnmarshalJSON reads the string form or nanoseconds.
func (d *Duration) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] != '"' {
		return json.Unmarshal(b, (*int64)(d))
	}
	var s string
	err := json.Unmarshal(b, &s)
	if err == nil {
		*d, err = ParseDuration(s)
	}
	return err
}

// Size is a number of bytes. In JSON it is a string such as "64MiB", or a number.
type Size int64

// ParseSize reads a number of bytes with an optional unit (KiB, MB, ...).
func ParseSize(s string) (Size, error) {
	n, err := humanize.ParseBytes(s)
	if err != nil || n > math.MaxInt64 {
		return 0, fmt.Errorf("%q is not a size: write it like 64MiB", s)
	}
	return Size(n), nil
}

// String prints binary units where they are whole.
func (s Size) String() string {
	for i, unit := range []string{"GiB", "MiB", "KiB"} {
		if n := Size(1) << (30 - 10*i); s >= n && s%n == 0 {
			return strconv.FormatInt(int64(s/n), 10) + unit
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// MarshalJSON writes the string form.
func (s Size) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// UnmarshalJSON reads the string form or a number of bytes.
func (s *Size) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] != '"' {
		if err := json.Unmarshal(b, (*int64)(s)); err != nil || *s < 0 {
			return errors.New("a size is a string such as \"64MiB\" or a number of bytes")
		}
		return nil
	}
	var str string
	err := json.Unmarshal(b, &str)
	if err == nil {
		*s, err = ParseSize(str)
	}
	return err
}
