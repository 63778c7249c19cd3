package config

import (
	"encoding/json"
	"testing"
	"time"
)

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"5m": 5 * time.Minute, "30d": 720 * time.Hour, "1d12h": 36 * time.Hour, "500ms": 500 * time.Millisecond,
		"-1s": -time.Second, "0s": 0,
	} {
		if got, err := ParseDuration(text); err != nil || got.D() != want {
			t.Errorf("ParseDuration(%q) = %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "5", "d", "1.5d", "-1d", "2d-1h", "40000d", "soon", "1d1d"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("ParseDuration(%q) = %v, want an error", text, got)
		}
	}
	for d, want := range map[Duration]string{
		5 * minute: "5m", 90 * minute: "1h30m", hour: "1h", 30 * day: "30d", 36 * hour: "36h", 10 * second: "10s",
		hour + second: "1h0m1s", 0: "0s", -minute: "-1m", 500 * Duration(time.Millisecond): "500ms",
	} {
		if d.String() != want {
			t.Errorf("%d prints %q, want %q", d, d, want)
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]Size{"64MiB": 64 * mebibyte, "1024": 1024, "1KB": 1000, "2GiB": 2048 * mebibyte} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("ParseSize(%q) = %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "plenty", "-1MiB", "99999999EiB"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("ParseSize(%q) = %v, want an error", text, got)
		}
	}
	for s, want := range map[Size]string{64 * mebibyte: "64MiB", 1 << 31: "2GiB", 1000: "1000", 2048: "2KiB", 0: "0"} {
		if s.String() != want {
			t.Errorf("%d prints %q, want %q", s, s, want)
		}
	}
}

func TestUnitsInJSON(t *testing.T) {
	var c Cache
	if err := json.Unmarshal([]byte(`{"max_size":1048576,"max_ttl":1000000000,"negative_ttl":"1d"}`), &c); err != nil {
		t.Fatal(err)
	}
	if c != (Cache{mebibyte, second, day}) {
		t.Errorf("got %v", c)
	}
	for _, bad := range []string{`{"max_size":-1}`, `{"max_size":"x"}`, `{"max_ttl":"x"}`, `{"max_ttl":1.5}`, `{"max_size":true}`} {
		if err := json.Unmarshal([]byte(bad), &c); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}

// What is read is written so that it is read the same.
func FuzzUnits(f *testing.F) {
	for _, seed := range []string{"5m", "30d", "1d12h", "64MiB", "1.5KB", "9223372036854775807ns", "106751d24h"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := ParseDuration(s); err == nil {
			if again, err := ParseDuration(d.String()); err != nil || again != d {
				t.Errorf("duration %q prints %q, which reads %v, %v", s, d, again, err)
			}
		}
		if n, err := ParseSize(s); err == nil {
			if again, err := ParseSize(n.String()); n < 1<<53 && (err != nil || again != n) {
				t.Errorf("size %q prints %q, which reads %v, %v", s, n, again, err)
			}
		}
	})
}
