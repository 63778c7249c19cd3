package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// The signature algorithms (RFC 7518 §3.1, RFC 8037 §3.1).
const (
	algES256 = "ES256"
	algRS256 = "RS256"
	algEdDSA = "EdDSA"
)

const (
	// rsaBits is what RFC 7518 §3.3 asks for at the least. More makes every token
	// longer and every signature slower, and the keys are rotated anyway.
	rsaBits = 2048
	// maxParsed bounds the keys remembered: three live keys each of some 300 realms.
	maxParsed = 1024
	// maxKeyID bounds a `kid` that we sign with, in characters; ours have 43.
	maxKeyID = 128
)

// keyPair is a stored key made ready for use.
type keyPair struct {
	method  jwt.SigningMethod // its name is the key's algorithm
	private crypto.Signer
	public  crypto.PublicKey
	jwk     jwk // of the public half; without `kid`, which is the store's to say
}

// NewKey makes a key pair for ES256, RS256 or EdDSA. Its id is the thumbprint of
// its public half (RFC 7638), its private half is PKCS #8. Errors: Internal.
func (f *Forms) NewKey(alg string) (authority.Key, error) {
	var private crypto.Signer
	var err error
	switch alg {
	case algES256:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case algRS256:
		private, err = rsa.GenerateKey(rand.Reader, rsaBits)
	case algEdDSA:
		_, private, err = ed25519.GenerateKey(rand.Reader)
	default:
		err = fmt.Errorf("algorithm %q is none of ES256, RS256, EdDSA", alg)
	}
	if err != nil {
		return authority.Key{}, internal("make signing key", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return authority.Key{}, internal("make signing key", err)
	}
	pair, err := newKeyPair(private)
	if err != nil {
		return authority.Key{}, internal("make signing key", err)
	}
	return authority.Key{ID: pair.jwk.thumbprint(), Alg: alg, Private: der}, nil
}

// signs reports whether k belongs to access tokens at all: keys of other purposes
// and revoked ones neither sign, nor verify, nor are published.
func signs(k *authority.Key) bool {
	return k.Purpose == authority.PurposeAccess && k.Revoked.IsZero()
}

// pair returns the key ready for use, from memory if it was seen before. The
// errors hold nothing of the key.
func (f *Forms) pair(k *authority.Key) (*keyPair, error) {
	digest := secret.Digest(sha256.Sum256(k.Private))
	f.mu.RLock()
	pair := f.parsed[digest]
	f.mu.RUnlock()
	if pair == nil {
		var err error
		if pair, err = parse(k.Private); err != nil {
			return nil, fmt.Errorf("key %q: %w", k.ID, err)
		}
		f.remember(digest, pair)
	}
	if pair.method.Alg() != k.Alg {
		return nil, fmt.Errorf("key %q: stored as %q, but it is one for %s", k.ID, k.Alg, pair.method.Alg())
	}
	return pair, nil
}

// remember keeps the pair; when all places are taken, any other one goes.
func (f *Forms) remember(digest secret.Digest, pair *keyPair) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.parsed) >= maxParsed {
		for other := range f.parsed {
			delete(f.parsed, other)
			break
		}
	}
	f.parsed[digest] = pair
}

func parse(der []byte) (*keyPair, error) {
	private, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errors.New("not a PKCS #8 private key")
	}
	signer, ok := private.(crypto.Signer)
	if !ok {
		return nil, errors.New("not a key that signs")
	}
	return newKeyPair(signer)
}

// newKeyPair takes the three sorts of key that we make, and no weaker ones.
func newKeyPair(private crypto.Signer) (*keyPair, error) {
	pair := &keyPair{private: private, public: private.Public()}
	switch public := pair.public.(type) {
	case *ecdsa.PublicKey:
		if public.Curve != elliptic.P256() {
			return nil, errors.New("an EC key of a curve other than P-256")
		}
		point, err := public.Bytes()
		if err != nil {
			return nil, err
		}
		pair.method, pair.jwk = jwt.SigningMethodES256, ecJWK(point)
	case *rsa.PublicKey:
		if public.N.BitLen() < rsaBits {
			return nil, errors.New("an RSA key of fewer than 2048 bits")
		}
		pair.method, pair.jwk = jwt.SigningMethodRS256, rsaJWK(public)
	case ed25519.PublicKey:
		pair.method, pair.jwk = jwt.SigningMethodEdDSA, okpJWK(public)
	default:
		return nil, errors.New("a key that is neither EC, nor RSA, nor Ed25519")
	}
	return pair, nil
}

func internal(op string, err error) error {
	return &authority.Error{Kind: authority.Internal, Op: op, Err: err}
}
