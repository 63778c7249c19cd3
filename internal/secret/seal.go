package secret

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"

	"golang.org/x/crypto/chacha20poly1305"
)

const (
	// KeySize is the size of a key of Seal and Open, in bytes.
	KeySize = chacha20poly1305.KeySize
	// MaxPlaintext is the most that Seal takes, in bytes.
	MaxPlaintext = 64 << 10
	// SealOverhead is by how many bytes a sealed blob is longer than what is in it.
	SealOverhead = 1 + chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead

	maxAdditional = 4 << 10
	minRoot       = 16 // bytes; less is a password, not a key
	minUnder      = 32 // characters of a token that can be a key: 192 bits at the least

	// sealVersion is XChaCha20-Poly1305 with a random nonce after the version.
	sealVersion = 1
	nonceEnd    = 1 + chacha20poly1305.NonceSizeX

	purposeUnder = "blob sealed under a token"
)

var (
	// ErrOpen is what Open answers whatever was wrong: a caller who learns whether the
	// key, the blob or its context did not fit is helped to find one that does.
	ErrOpen = errors.New("sealed blob cannot be opened")
	// ErrSeal is what Seal answers to a key of the wrong size or to more than it takes.
	ErrSeal = errors.New("blob cannot be sealed: key, content or context has a size that is not accepted")
)

// Seal encrypts and authenticates plaintext under a key of KeySize bytes.
// additional is authenticated, not contained: Open must be given the same. It
// says where the blob belongs, so that it opens nowhere else. Errors: ErrSeal.
func Seal(key, plaintext, additional []byte) ([]byte, error) {
	if len(key) != KeySize || len(plaintext) > MaxPlaintext || len(additional) > maxAdditional {
		return nil, ErrSeal
	}
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, ErrSeal
	}
	sealed := make([]byte, nonceEnd, len(plaintext)+SealOverhead)
	sealed[0] = sealVersion
	_, _ = rand.Read(sealed[1:nonceEnd]) // never fails: it ends the program instead
	return aead.Seal(sealed, sealed[1:nonceEnd], plaintext, sealContext(additional)), nil
}

// Open returns what Seal was given. Errors: ErrOpen.
func Open(key, sealed, additional []byte) ([]byte, error) {
	if len(key) != KeySize || len(sealed) < SealOverhead || len(sealed) > MaxPlaintext+SealOverhead ||
		len(additional) > maxAdditional || sealed[0] != sealVersion {
		return nil, ErrOpen
	}
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, ErrOpen
	}
	plaintext, err := aead.Open(nil, sealed[1:nonceEnd], sealed[nonceEnd:], sealContext(additional))
	if err != nil {
		return nil, ErrOpen
	}
	return plaintext, nil
}

// sealContext binds the version too: a blob cannot be relabelled as another one's.
func sealContext(additional []byte) []byte {
	context := make([]byte, 0, 1+len(additional))
	return append(append(context, sealVersion), additional...)
}

// SealUnder seals plaintext under a key derived from the token, so that only who
// presents the token again can have it: the database, which knows the token's
// digest alone, cannot. The token has at least 32 characters. Errors: ErrSeal.
func SealUnder(token string, plaintext []byte) ([]byte, error) {
	if len(token) < minUnder {
		return nil, ErrSeal
	}
	key := Derive([]byte(token), purposeUnder)
	return Seal(key[:], plaintext, nil)
}

// OpenUnder returns what SealUnder was given with the same token. Errors: ErrOpen.
func OpenUnder(token string, sealed []byte) ([]byte, error) {
	if len(token) < minUnder {
		return nil, ErrOpen
	}
	key := Derive([]byte(token), purposeUnder)
	return Open(key[:], sealed, nil)
}

// Derive makes the key of one purpose from a root of high entropy (HKDF-SHA256,
// RFC 5869, no salt). It panics for a root of fewer than 16 bytes or without a
// purpose: either is a fault of the program, and a key made from it would be
// known to everybody.
func Derive(root []byte, purpose string) [KeySize]byte {
	if len(root) < minRoot || purpose == "" {
		panic("secret: Derive needs a root of at least 16 bytes and a purpose")
	}
	key, err := hkdf.Key(sha256.New, root, nil, "gatehouse/1/"+purpose, KeySize)
	if err != nil {
		panic("secret: HKDF-SHA256 is not available: " + err.Error())
	}
	return [KeySize]byte(key)
}
