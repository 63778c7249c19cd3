package secret

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// The bounds of a password hash. The upper ones keep one login from taking the
// machine; 256 MiB is more than five times what `caddy hash-password` asks for.
const (
	maxEncoded = 512       // characters of the whole hash
	maxMemory  = 256 << 10 // KiB
	maxTime    = 16
	maxThreads = 16
	minSalt    = 8 // bytes; RFC 9106 §3.1
	maxSalt    = 64
	minKey     = 16
	maxKey     = 64
	minCost    = 4 // bcrypt: 2^cost rounds
	maxCost    = 16

	bcryptSize     = 60 // characters
	bcryptPassword = 72 // bytes that bcrypt looks at

	// MaxPassword is the longest password that is looked at, in bytes.
	MaxPassword = 4 << 10
)

// decoy costs what `caddy hash-password --algorithm argon2id` makes a login cost.
// Salt and key are zero bytes: it is the hash of no known password.
const decoy = "$argon2id$v=19$m=47104,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

var (
	errHashForm = errors.New("a password hash is an argon2id string ($argon2id$v=19$m=...,t=...,p=...$salt$key) " +
		"or a bcrypt one ($2a$, $2b$ or $2y$), as hash-password prints it")
	errPadding = errors.New("password hash: salt and key are base64 without padding")
)

// argon2idHash is the PHC string of an argon2id hash, taken apart.
type argon2idHash struct {
	memory, time uint32 // KiB, passes
	threads      uint8
	salt, key    []byte
}

// ParsePasswordHash reports what is wrong with a password hash, without hashing:
// its form, or parameters out of bounds (argon2id: 8 KiB a thread to 256 MiB,
// 1 to 16 passes, 1 to 16 threads, salt of 8 to 64 bytes, key of 16 to 64;
// bcrypt: cost 4 to 16). The error does not repeat the hash.
func ParsePasswordHash(encoded string) error {
	if isBcrypt(encoded) {
		return checkBcrypt(encoded)
	}
	_, err := parseArgon2id(encoded)
	return err
}

// VerifyPassword reports whether encoded is the hash of password. The error means
// that the hash cannot be used (what ParsePasswordHash says) and says nothing
// about the password.
//
// A password over MaxPassword is wrong. Of a password, bcrypt sees 72 bytes and
// hash-password refuses to hash a longer one; so against a bcrypt hash a longer
// one is wrong, and so is one with a NUL, which bcrypt cannot tell from a
// repetition. Both cost as much time as any other.
func VerifyPassword(encoded, password string) (bool, error) {
	if isBcrypt(encoded) {
		return verifyBcrypt(encoded, password)
	}
	h, err := parseArgon2id(encoded)
	if err != nil || len(password) > MaxPassword {
		return false, err
	}
	key := argon2.IDKey([]byte(password), h.salt, h.time, h.memory, h.threads, uint32(len(h.key)))
	return subtle.ConstantTimeCompare(key, h.key) == 1, nil
}

// DummyVerify spends the time that VerifyPassword would, and answers nothing: an
// unknown user must cost as much as a known one. like is the hash of any user of
// the same realm, whose parameters it takes; without a usable one it takes those
// of hash-password.
func DummyVerify(like, password string) {
	if _, err := VerifyPassword(like, password); err != nil {
		_, _ = VerifyPassword(decoy, password)
	}
}

func verifyBcrypt(encoded, password string) (bool, error) {
	if err := checkBcrypt(encoded); err != nil || len(password) > MaxPassword {
		return false, err
	}
	seen := []byte(password[:min(len(password), bcryptPassword)])
	whole := len(password) <= bcryptPassword && strings.IndexByte(password, 0) < 0
	err := bcrypt.CompareHashAndPassword([]byte(encoded), seen)
	if err != nil && !errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
		return false, errHashForm
	}
	return err == nil && whole, nil
}

func isBcrypt(encoded string) bool { return strings.HasPrefix(encoded, "$2") }

// checkBcrypt takes $2a$, $2b$ and $2y$, which name one algorithm, and not $2x$,
// which marks hashes of a broken one.
func checkBcrypt(encoded string) error {
	if len(encoded) != bcryptSize || strings.IndexByte("aby", encoded[2]) < 0 || encoded[3] != '$' || encoded[6] != '$' {
		return errHashForm
	}
	tens, ones := encoded[4]-'0', encoded[5]-'0'
	if tens > 9 || ones > 9 {
		return errHashForm
	}
	for _, c := range []byte(encoded[7:]) {
		if c != '.' && c != '/' && !isAlphanumeric(c) {
			return errHashForm
		}
	}
	return inBounds("bcrypt cost", uint64(tens)*10+uint64(ones), minCost, maxCost)
}

func parseArgon2id(encoded string) (argon2idHash, error) {
	var h argon2idHash
	if len(encoded) > maxEncoded {
		return h, errHashForm
	}
	parts := strings.Split(encoded, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return h, errHashForm
	}
	if parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return h, fmt.Errorf("password hash: argon2id version v=%d is accepted, no other", argon2.Version)
	}
	err := h.parseCosts(parts[3])
	if err != nil {
		return h, err
	}
	if h.salt, err = decodePHC(parts[4]); err != nil {
		return h, err
	}
	if h.key, err = decodePHC(parts[5]); err != nil {
		return h, err
	}
	return h, errors.Join(
		inBounds("salt bytes", uint64(len(h.salt)), minSalt, maxSalt),
		inBounds("key bytes", uint64(len(h.key)), minKey, maxKey))
}

// parseCosts reads m, t and p in the one order and spelling that is printed.
func (h *argon2idHash) parseCosts(s string) error {
	params := strings.Split(s, ",")
	if len(params) != 3 {
		return errHashForm
	}
	var costs [3]uint64
	for i, name := range []string{"m=", "t=", "p="} {
		digits, ok := strings.CutPrefix(params[i], name)
		n, err := strconv.ParseUint(digits, 10, 32)
		if !ok || err != nil || strconv.FormatUint(n, 10) != digits {
			return errHashForm
		}
		costs[i] = n
	}
	threads := costs[2]
	if err := errors.Join(
		inBounds("argon2id t (passes)", costs[1], 1, maxTime),
		inBounds("argon2id p (threads)", threads, 1, maxThreads)); err != nil {
		return err
	}
	// RFC 9106 §3.1: memory is at least 8 KiB a thread.
	if err := inBounds("argon2id m (KiB)", costs[0], 8*threads, maxMemory); err != nil {
		return err
	}
	h.memory, h.time, h.threads = uint32(costs[0]), uint32(costs[1]), uint8(threads)
	return nil
}

// decodePHC reads base64 without padding. The standard library skips line ends,
// so they are looked for first.
func decodePHC(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, errPadding
	}
	b, err := base64.RawStdEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, errPadding
	}
	return b, nil
}

func inBounds(what string, n, least, most uint64) error {
	if n < least || n > most {
		return fmt.Errorf("password hash: %s is %d, accepted are %d to %d", what, n, least, most)
	}
	return nil
}

func isAlphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}
