package secret

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
)

// hashPrefix names the digest in a written secret hash.
const hashPrefix = "sha256:"

// errSecretHash does not repeat the text: it may be a secret put in the wrong place.
var errSecretHash = errors.New("a secret hash is written sha256: followed by 64 hexadecimal digits")

// Digest is the SHA-256 of a secret: the only form in which a generated secret
// or a token is stored, cached, compared or logged.
type Digest [sha256.Size]byte

// DigestOf returns the digest of s.
func DigestOf(s string) Digest { return sha256.Sum256([]byte(s)) }

// ParseSecretHash reads `sha256:` and 64 hexadecimal digits, of either case: the
// digest of a generated secret as a configuration carries it. The error does not
// repeat s.
func ParseSecretHash(s string) (Digest, error) {
	var d Digest
	digits, ok := strings.CutPrefix(s, hashPrefix)
	if !ok || len(digits) != hex.EncodedLen(len(d)) {
		return Digest{}, errSecretHash
	}
	if _, err := hex.Decode(d[:], []byte(digits)); err != nil {
		return Digest{}, errSecretHash
	}
	if d.OfNothing() {
		return Digest{}, errors.New("a secret hash is the digest of nothing: was a variable unset when it was made?")
	}
	return d, nil
}

// SecretHash writes the digest as ParseSecretHash reads it, in lower case.
func (d Digest) SecretHash() string { return hashPrefix + hex.EncodeToString(d[:]) }

// OfNothing reports whether d is the digest of no text at all or of a bare line end:
// what a hash made of an unset variable is.
func (d Digest) OfNothing() bool {
	return d == DigestOf("") || d == DigestOf("\n") || d == DigestOf("\r\n")
}

// Equal reports whether both digests are the same, in constant time.
func (d Digest) Equal(other Digest) bool {
	return subtle.ConstantTimeCompare(d[:], other[:]) == 1
}

// AnyEqual reports whether d is among the digests, in time that depends on their
// number only.
func (d Digest) AnyEqual(digests []Digest) bool {
	found := 0
	for _, other := range digests {
		found |= subtle.ConstantTimeCompare(d[:], other[:])
	}
	return found == 1
}

// Token returns 256 bits of randomness as 43 characters of base64url.
func Token() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never fails: it ends the program instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}
