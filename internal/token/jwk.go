package token

import (
	"cmp"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"slices"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// jwk is a public key (RFC 7517 §4, RFC 7518 §6.2.1 and §6.3.1, RFC 8037 §2). It
// has no field that a private member could be put in.
type jwk struct {
	Type     string `json:"kty"`
	Use      string `json:"use"`
	Alg      string `json:"alg"`
	ID       string `json:"kid"`
	Curve    string `json:"crv,omitempty"`
	X        string `json:"x,omitempty"`
	Y        string `json:"y,omitempty"`
	Modulus  string `json:"n,omitempty"`
	Exponent string `json:"e,omitempty"`
}

// ecJWK takes an uncompressed point (SEC 1 §2.3.3): its coordinates are 32 bytes
// each, leading zeros included, as RFC 7518 §6.2.1.2 demands.
func ecJWK(point []byte) jwk {
	return jwk{Type: "EC", Use: "sig", Alg: algES256, Curve: "P-256", X: encode(point[1:33]), Y: encode(point[33:65])}
}

func rsaJWK(k *rsa.PublicKey) jwk {
	exponent := big.NewInt(int64(k.E)).Bytes()
	return jwk{Type: "RSA", Use: "sig", Alg: algRS256, Modulus: encode(k.N.Bytes()), Exponent: encode(exponent)}
}

func okpJWK(k ed25519.PublicKey) jwk {
	return jwk{Type: "OKP", Use: "sig", Alg: algEdDSA, Curve: "Ed25519", X: encode(k)}
}

// thumbprint is RFC 7638 §3: the digest of the required members in the order of
// their names, without white space. Every value is base64url or a fixed word, so
// nothing needs escaping.
func (k *jwk) thumbprint() string {
	var members string
	switch k.Type {
	case "EC":
		members = `{"crv":"` + k.Curve + `","kty":"EC","x":"` + k.X + `","y":"` + k.Y + `"}`
	case "RSA":
		members = `{"e":"` + k.Exponent + `","kty":"RSA","n":"` + k.Modulus + `"}`
	case "OKP": // RFC 8037 §2
		members = `{"crv":"` + k.Curve + `","kty":"OKP","x":"` + k.X + `"}`
	}
	sum := sha256.Sum256([]byte(members))
	return encode(sum[:])
}

// PublicSet is the JWK set of the keys of access tokens that are not revoked: the
// same bytes for the same keys, the oldest key first. Errors: Internal.
func (f *Forms) PublicSet(keys []authority.Key) ([]byte, error) {
	published := make([]*authority.Key, 0, len(keys))
	for i := range keys {
		if signs(&keys[i]) {
			published = append(published, &keys[i])
		}
	}
	slices.SortFunc(published, func(a, b *authority.Key) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	set := struct {
		Keys []jwk `json:"keys"`
	}{make([]jwk, 0, len(published))}
	for _, k := range published {
		pair, err := f.pair(k)
		if err != nil {
			return nil, internal("publish signing keys", err)
		}
		public := pair.jwk
		public.ID = k.ID
		set.Keys = append(set.Keys, public)
	}
	out, err := json.Marshal(set)
	if err != nil {
		return nil, internal("publish signing keys", err)
	}
	return out, nil
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
