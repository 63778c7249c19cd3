package secret

import (
	"testing"
	"time"
)

// The vectors of RFC 6238 appendix B, of which an app shows the last six digits.
func TestTOTPStep(t *testing.T) {
	const key = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" // "12345678901234567890"
	for _, c := range []struct {
		at   int64
		code string
		ok   bool
		step int64
	}{
		{59, "287082", true, 1},
		{1111111109, "081804", true, 37037036},
		{1234567890, "005924", true, 41152263},
		{20000000000, "353130", true, 666666666},
		{59 + 30, "287082", true, 1},  // one step late
		{59 - 30, "287082", true, 1},  // one step early
		{59 + 60, "287082", false, 0}, // two
		{59, "287083", false, 0},
		{59, "", false, 0},
		{59, "94287082", false, 0}, // eight digits
		{59, "287082 ", false, 0},
	} {
		step, ok := TOTPStep(key, c.code, time.Unix(c.at, 0))
		if ok != c.ok || step != c.step {
			t.Errorf("%q at %d: step %d %v, want %d %v", c.code, c.at, step, ok, c.step, c.ok)
		}
	}
	if _, ok := TOTPStep("not base32!", "287082", time.Unix(59, 0)); ok {
		t.Error("a secret that cannot be read takes a code")
	}
}

func TestCheckTOTPSecret(t *testing.T) {
	for s, ok := range map[string]bool{
		"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ": true, "GEZDGNBVGY3TQOJQ": true,
		"": false, "GEZDGNBV": false, "0189!0189!0189!0189!": false,
	} {
		if err := CheckTOTPSecret(s); (err == nil) != ok {
			t.Errorf("%q: %v", s, err)
		}
	}
}
