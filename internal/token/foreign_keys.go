package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"

	"github.com/golang-jwt/jwt/v5"
)

// algEd25519 is the name that RFC 9864 gives to what RFC 8037 calls EdDSA.
const algEd25519 = "Ed25519"

// foreignAlgs are the algorithms that some key could have.
var foreignAlgs = []string{
	algRS256, "RS384", "RS512", "PS256", "PS384", "PS512", algES256, "ES384", "ES512", algEdDSA, algEd25519,
}

const (
	maxKeySet = 256 << 10 // bytes of a JWK set; certificates (x5c) make some of them long
	maxKeys   = 100       // of one set, fit or not
	// maxRSABits bounds the work of one signature. Nobody signs with more.
	maxRSABits = 8192
)

// ErrNoKeys means that a key set is one, and has no key that could verify a token.
var ErrNoKeys = errors.New("the key set has no key that could verify a token")

// ParseKeySet reads a JWK set (RFC 7517 §5) of at most 256 KiB and 100 keys. It keeps the
// keys that can verify a signature: RSA of 2048 to 8192 bits, EC on P-256, P-384 or P-521,
// and Ed25519 (RFC 7518 §6, RFC 8037 §2). Left out, as RFC 7517 §5 advises, is every other
// key, among them symmetric ones, those for encryption, those whose private half stands
// there for all to read, be it in another entry, those that anybody can sign with, and those
// that are malformed.
// A set without any fit key is ErrNoKeys. The errors hold nothing of the set.
func ParseKeySet(raw []byte) (*KeySet, error) {
	if len(raw) > maxKeySet {
		return nil, errors.New("the key set is longer than 256 KiB")
	}
	members, err := readObject(string(raw), nil)
	if err != nil {
		return nil, fmt.Errorf("the key set is not accepted: %w", err)
	}
	i := slices.IndexFunc(members, func(m member) bool { return m.name == "keys" })
	if i < 0 || members[i].value[0] != '[' {
		return nil, errors.New("the key set has no list of keys")
	}
	set, seen, published := &KeySet{}, 0, []crypto.PublicKey(nil)
	s := scanner{text: members[i].value}
	err = s.array(func(element string) error {
		if seen++; seen > maxKeys {
			return errors.New("it has more than 100 keys")
		}
		switch k, private := parseForeignKey(element); {
		case k == nil:
		case private:
			published = append(published, k.public)
		default:
			set.keys = append(set.keys, *k)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("the key set is not accepted: %w", err)
	}
	set.keys = slices.DeleteFunc(set.keys, func(k foreignKey) bool {
		public, _ := k.public.(interface {
			Equal(other crypto.PublicKey) bool
		})
		return slices.ContainsFunc(published, public.Equal)
	})
	if len(set.keys) == 0 {
		return nil, ErrNoKeys
	}
	return set, nil
}

// foreignJWK holds the members of a JWK that matter here (RFC 7517 §4), as text.
type foreignJWK struct {
	kty, use, alg, kid, crv, x, y, n, e string

	private bool // its private half is there, too
	other   bool // it is not for verifying
}

// parseForeignKey returns nil for a key that is to be left out, and whether it is one whose
// private half is there: that one is not to be used, wherever else it stands.
func parseForeignKey(text string) (k *foreignKey, private bool) {
	if text[0] != '{' {
		return nil, false
	}
	members, err := readObject(text, nil)
	if err != nil {
		return nil, false
	}
	var j foreignJWK
	for _, m := range members {
		if !j.take(m) {
			return nil, false
		}
	}
	k = &foreignKey{id: j.kid}
	if k.public, k.methods = j.public(); k.public == nil {
		return nil, false
	}
	if j.private {
		return k, true
	}
	if j.other || j.use != "" && j.use != "sig" || len(j.kid) > maxForeignID {
		return nil, false
	}
	if j.alg != "" {
		m := k.method(j.alg)
		if m == nil { // an algorithm that is another key's, or none that we know
			return nil, false
		}
		k.methods = []jwt.SigningMethod{m}
	}
	return k, false
}

// take reads one member; false if with it the key cannot be read, or is a secret.
func (j *foreignJWK) take(m member) bool {
	if m.value == "null" { // some write so of what is not there
		return true
	}
	to, known := map[string]*string{
		"kty": &j.kty, "use": &j.use, "alg": &j.alg, "kid": &j.kid,
		"crv": &j.crv, "x": &j.x, "y": &j.y, "n": &j.n, "e": &j.e,
	}[m.name]
	if known {
		text, err := readText(m.value)
		*to = text
		return err == nil
	}
	switch m.name {
	case "k":
		return false
	case "d", "p", "q", "dp", "dq", "qi", "oth":
		j.private = true
	case "key_ops": // RFC 7517 §4.3
		operations, err := readTexts(m.value)
		j.other = err != nil || m.value[0] != '[' || !slices.Contains(operations, "verify")
	}
	return true
}

// public makes the key, and the algorithms that keys of its type know; nil if the key is
// not fit.
func (j *foreignJWK) public() (crypto.PublicKey, []jwt.SigningMethod) {
	switch j.kty {
	case "RSA":
		if k := j.rsa(); k != nil {
			return k, []jwt.SigningMethod{
				jwt.SigningMethodRS256, jwt.SigningMethodRS384, jwt.SigningMethodRS512,
				jwt.SigningMethodPS256, jwt.SigningMethodPS384, jwt.SigningMethodPS512,
			}
		}
	case "EC":
		return j.ec()
	case "OKP":
		if k := j.ed25519(); k != nil {
			return k, []jwt.SigningMethod{jwt.SigningMethodEdDSA}
		}
	}
	return nil, nil
}

// ed25519 makes a key of RFC 8037 §2.
func (j *foreignJWK) ed25519() ed25519.PublicKey {
	x, err := decode(j.x)
	if err != nil || j.crv != "Ed25519" || len(x) != ed25519.PublicKeySize {
		return nil
	}
	if isSmallPoint(x) {
		return nil
	}
	return ed25519.PublicKey(x)
}

// isSmallPoint reports whether x encodes a point of edwards25519 whose order divides 8,
// also in the ways that RFC 8032 §5.1.3 forbids and readers take. With such a key anybody
// can sign, as with an RSA exponent of 1; zeros are one that was never set.
func isSmallPoint(x string) bool {
	b := []byte(x)
	b[len(b)-1] &^= 0x80 // the sign: both have the same order
	switch encode(b) {
	case "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", // y = 0
		"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", // y = 1
		"7P_______________________________________38", // y = -1
		"7f_______________________________________38", // y = p
		"7v_______________________________________38", // y = p + 1
		"JuiVj8KyJ7BFw_SJ8u-Y8NXfrAXTxjM5sTgCiG1T_AU", // of order 8
		"xxdqcD1N2E-6PAt2DRBnDyogU_osOczGTsf9d5KsA3o":
		return true
	}
	return false
}

// rsa makes a key of RFC 7518 §6.3.1. With an exponent of 1 anybody could sign.
func (j *foreignJWK) rsa() *rsa.PublicKey {
	n, errN := decode(j.n)
	e, errE := decode(j.e)
	if errN != nil || errE != nil || len(n) > maxRSABits/8+1 || len(e) > 8 {
		return nil
	}
	modulus, exponent := new(big.Int).SetBytes([]byte(n)), new(big.Int).SetBytes([]byte(e))
	if bits := modulus.BitLen(); bits < rsaBits || bits > maxRSABits || modulus.Bit(0) == 0 {
		return nil
	}
	if !exponent.IsInt64() || exponent.Int64() < 3 || exponent.Int64() > math.MaxInt32 || exponent.Bit(0) == 0 {
		return nil
	}
	return &rsa.PublicKey{N: modulus, E: int(exponent.Int64())}
}

// ec makes a key of RFC 7518 §6.2.1, whose ES algorithm follows from its curve (§3.4).
func (j *foreignJWK) ec() (crypto.PublicKey, []jwt.SigningMethod) {
	var curve elliptic.Curve
	var method jwt.SigningMethod
	switch j.crv {
	case "P-256":
		curve, method = elliptic.P256(), jwt.SigningMethodES256
	case "P-384":
		curve, method = elliptic.P384(), jwt.SigningMethodES384
	case "P-521":
		curve, method = elliptic.P521(), jwt.SigningMethodES512
	default:
		return nil, nil
	}
	x, errX := decode(j.x)
	y, errY := decode(j.y)
	size := (curve.Params().BitSize + 7) / 8
	if errX != nil || errY != nil || len(x) != size || len(y) != size {
		return nil, nil
	}
	// SEC 1 §2.3.3: an uncompressed point; one that is not on the curve is an error.
	k, err := ecdsa.ParseUncompressedPublicKey(curve, []byte("\x04"+x+y))
	if err != nil {
		return nil, nil
	}
	return k, []jwt.SigningMethod{method}
}
