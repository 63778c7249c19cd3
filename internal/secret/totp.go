package secret

import (
	"crypto/subtle"
	"errors"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
)

const (
	totpPeriod = 30 // seconds; RFC 6238 §4.1
	totpSkew   = 1  // steps to either side that are accepted; RFC 6238 §5.2
)

// TOTPStep reports whether code is the second factor (RFC 6238, SHA-1, six digits)
// of the base32 secret at about now, and for which time step: the caller spends it.
func TOTPStep(secret, code string, now time.Time) (step int64, ok bool) {
	if len(code) != otp.DigitsSix.Length() {
		return 0, false
	}
	present := now.Unix() / totpPeriod
	for at := present - totpSkew; at <= present+totpSkew; at++ {
		want, err := hotp.GenerateCodeCustom(secret, uint64(max(at, 0)), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err == nil && subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			step, ok = at, true // no early way out: the time tells nothing of the step
		}
	}
	return step, ok
}

// CheckTOTPSecret reports what is wrong with a TOTP secret: it is base32 of at
// least 80 bits. The error does not repeat it.
func CheckTOTPSecret(secret string) error {
	if len(secret) < 16 {
		return errTOTPSecret
	}
	if _, err := hotp.GenerateCode(secret, 1); err != nil {
		return errTOTPSecret
	}
	return nil
}

var errTOTPSecret = errors.New("a TOTP secret is base32 of at least 16 characters, as authenticator apps take it")
