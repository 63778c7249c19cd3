package secret

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// As `caddy hash-password` printed them for the phrase: with its own parameters,
// and with small ones.
const (
	printedArgon2id = "$argon2id$v=19$m=47104,t=1,p=1$fyKLiD8XZ5/BF7CRUF98RA$6rp+6YS7qJzIQAApm299V6SHJ1QLJ7MPT5yooKPfKWU"
	smallArgon2id   = "$argon2id$v=19$m=64,t=2,p=2$y145HSJ1pBektKFLqPAUcQ$zrJFeqK6jSrS2gm4S6j/OFNDRyhnRtGHNZaK9zQIPs0"
	printedBcrypt   = "$2a$14$u4ARdXrKYc2eG6n4P2ZC2OP6w7Qrs0LvoRF3AzN7V/Btweb6SGEN6"
	smallBcrypt     = "$2a$04$GBIZn67DYnHKFLejiHdh.ekKVoDH06RSMAfgcNz0gCGmfN69AeNPe"
)

func TestVerifyPassword(t *testing.T) {
	for _, encoded := range []string{
		smallArgon2id, smallBcrypt, "$2b" + smallBcrypt[3:], "$2y" + smallBcrypt[3:],
	} {
		if err := ParsePasswordHash(encoded); err != nil {
			t.Errorf("%s: %v", encoded, err)
		}
		for password, want := range map[string]bool{
			phrase: true, phrase + " ": false, strings.ToUpper(phrase): false, "": false, phrase[1:]: false,
			phrase + "\x00": false, phrase + "\x00" + phrase: false, strings.Repeat("x", MaxPassword+1): false,
		} {
			if got, err := VerifyPassword(encoded, password); got != want || err != nil {
				t.Errorf("%s with %.40q: %t, %v", encoded, password, got, err)
			}
		}
	}
	for _, encoded := range []string{printedArgon2id, printedBcrypt} {
		if err := ParsePasswordHash(encoded); err != nil {
			t.Errorf("%s: %v", encoded, err)
		}
	}
	// At full cost only once.
	if got, err := VerifyPassword(printedArgon2id, phrase); !got || err != nil {
		t.Errorf("%s: %t, %v", printedArgon2id, got, err)
	}
}

// bcrypt looks at 72 bytes. Whoever knows the first 72 of a longer password, or
// adds to one of exactly 72, does not know the password.
func TestBcryptDoesNotCutPasswordsShort(t *testing.T) {
	full := strings.Repeat("p", 72)
	hash, err := bcrypt.GenerateFromPassword([]byte(full), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	for password, want := range map[string]bool{full: true, full + "q": false, full + full: false, full[:71]: false} {
		if got, err := VerifyPassword(string(hash), password); got != want || err != nil {
			t.Errorf("%d bytes: %t, %v", len(password), got, err)
		}
	}
}

// bcrypt repeats a short password with a NUL between the copies, so that "a" and
// "a NUL a" are one to it.
func TestBcryptDoesNotTakeARepetition(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("a"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	if bcrypt.CompareHashAndPassword(hash, []byte("a\x00a")) != nil {
		t.Fatal("the library tells them apart: the story is empty")
	}
	if got, err := VerifyPassword(string(hash), "a\x00a"); got || err != nil {
		t.Errorf("%t, %v", got, err)
	}
}

// argon2idOf makes a hash of any parameters.
func argon2idOf(memory, time, threads uint32, salt, key int) string {
	b := func(n int) string { return base64.RawStdEncoding.EncodeToString(make([]byte, n)) }
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, memory, time, threads, b(salt), b(key))
}

// A hash is input: one that asks for the whole machine is refused before it is used.
func TestPasswordHashBounds(t *testing.T) {
	bcryptOf := func(cost string) string { return "$2a$" + cost + smallBcrypt[6:] }
	for encoded, ok := range map[string]bool{
		argon2idOf(8, 1, 1, 8, 16):       true,
		argon2idOf(128, 16, 16, 64, 64):  true,
		argon2idOf(256<<10, 1, 1, 8, 16): true,
		bcryptOf("04"):                   true,
		bcryptOf("16"):                   true,

		argon2idOf(256<<10+1, 1, 1, 8, 16): false,
		argon2idOf(1<<32-1, 1, 1, 8, 16):   false,
		argon2idOf(7, 1, 1, 8, 16):         false,
		argon2idOf(127, 1, 16, 8, 16):      false,
		argon2idOf(64, 0, 1, 8, 16):        false,
		argon2idOf(64, 17, 1, 8, 16):       false,
		argon2idOf(64, 1, 0, 8, 16):        false,
		argon2idOf(256, 1, 17, 8, 16):      false,
		argon2idOf(4096, 1, 256, 8, 16):    false,
		argon2idOf(64, 1, 1, 7, 16):        false,
		argon2idOf(64, 1, 1, 65, 16):       false,
		argon2idOf(64, 1, 1, 8, 15):        false,
		argon2idOf(64, 1, 1, 8, 65):        false,
		argon2idOf(64, 1, 1, 0, 0):         false,
		bcryptOf("03"):                     false,
		bcryptOf("17"):                     false,
		bcryptOf("31"):                     false,
		bcryptOf("99"):                     false,
		bcryptOf("+5"):                     false,
		bcryptOf(" 5"):                     false,
	} {
		checkHash(t, encoded, ok)
	}
}

func TestPasswordHashForm(t *testing.T) {
	change := func(from, to string) string { return strings.Replace(smallArgon2id, from, to, 1) }
	for _, encoded := range []string{
		"", "$", "$$$$$", phrase, "plain:" + phrase, " " + smallArgon2id, smallArgon2id + "\n", smallArgon2id + "$", smallArgon2id + "=",
		change("argon2id", "argon2i"), change("argon2id", "argon2d"), change("argon2id", "scrypt"), change("$argon2id", "x$argon2id"),
		change("v=19", "v=16"), change("v=19", "v=019"), change("v=19", "19"), change("$v=19", ""),
		change("m=64", "m=064"), change("m=64", "m=+64"), change("m=64", "m=-64"), change("m=64", "m=6_4"), change("m=64", "m="),
		change("m=64", "64"), change("m=64", "m=0x40"), change("m=64", "m=64.0"), change("m=64", "m=99999999999999999999"),
		change("m=64,t=2", "t=2,m=64"), change("p=2", "p=2,p=2"), change(",p=2", ""), change("p=2", "p=2,keyid=AA"), change("m=64", " m=64"),
		change("y145", "y1\n45"), change("y145", "y1-5"), change("AUcQ$", "AUcR$"), change("Ps0", "Ps1"), change("AUcQ$", "AUcQ==$"),
		smallArgon2id + strings.Repeat("A", 600), strings.Repeat("$", 100_000),
		"$2", "$2a$", "$2a$04$", smallBcrypt[:59], smallBcrypt + "A", smallBcrypt + "\n", "$2x" + smallBcrypt[3:], "$2" + smallBcrypt[3:],
		"$3a" + smallBcrypt[3:], "$2A" + smallBcrypt[3:], smallBcrypt[:59] + "=", smallBcrypt[:20] + "\n" + smallBcrypt[21:],
		smallBcrypt[:6] + "." + smallBcrypt[7:], "$2a." + smallBcrypt[4:], smallBcrypt[:30] + "\x00" + smallBcrypt[31:],
	} {
		checkHash(t, encoded, false)
	}
}

// checkHash also sees to it that verifying agrees, and that no error repeats the hash.
func checkHash(t *testing.T, encoded string, ok bool) {
	t.Helper()
	err := ParsePasswordHash(encoded)
	if (err == nil) != ok {
		t.Errorf("%.80q: %v", encoded, err)
	}
	if ok {
		return
	}
	if match, err := VerifyPassword(encoded, phrase); match || err == nil {
		t.Errorf("%.80q is used: %t, %v", encoded, match, err)
	}
	if err != nil && len(encoded) > 10 && strings.Contains(err.Error(), encoded) {
		t.Errorf("the hash is repeated: %.80q", err)
	}
}

func TestDecoyIsAHashOfTheUsualCost(t *testing.T) {
	h, err := parseArgon2id(decoy)
	if err != nil {
		t.Fatal(err)
	}
	usual, err := parseArgon2id(printedArgon2id)
	if err != nil {
		t.Fatal(err)
	}
	if h.memory != usual.memory || h.time != usual.time || h.threads != usual.threads || len(h.key) != len(usual.key) || len(h.salt) != len(usual.salt) {
		t.Errorf("%+v, want the costs of %+v", h, usual)
	}
	for _, like := range []string{smallArgon2id, smallBcrypt, "not a hash"} {
		DummyVerify(like, phrase)
	}
}

// Whatever hash is taken has parameters in bounds. Only small ones are then used, or
// the fuzzer would do nothing but hash.
func FuzzVerifyPassword(f *testing.F) {
	for _, s := range []string{
		printedArgon2id, smallArgon2id, printedBcrypt, smallBcrypt, "$2y" + smallBcrypt[3:], "", "$2", "$argon2id$v=19$m=8,t=1,p=1$$",
		argon2idOf(8, 1, 1, 8, 16), argon2idOf(1<<32-1, 1, 1, 8, 16), argon2idOf(64, 0, 0, 8, 16),
	} {
		f.Add(s, phrase)
	}
	f.Fuzz(func(t *testing.T, encoded, password string) {
		if err := ParsePasswordHash(encoded); err != nil {
			if match, err := VerifyPassword(encoded, password); match || err == nil {
				t.Errorf("%q: %t, %v", encoded, match, err)
			}
			return
		}
		if isBcrypt(encoded) {
			if encoded[4:6] != "04" {
				return
			}
		} else if h, err := parseArgon2id(encoded); err != nil || h.memory > 256 || h.time > 2 {
			return
		}
		match, err := VerifyPassword(encoded, password)
		if err != nil || match && password != phrase {
			t.Errorf("%q, %q: %t, %v", encoded, password, match, err)
		}
	})
}
