package token_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// private parses the private half of a stored key.
func private(tb testing.TB, k authority.Key) crypto.Signer {
	tb.Helper()
	key, err := x509.ParsePKCS8PrivateKey(k.Private)
	if err != nil {
		tb.Fatal(err)
	}
	return key.(crypto.Signer)
}

func TestOtherLibrariesReadOurTokens(t *testing.T) {
	f := token.New()
	for _, alg := range algs {
		t.Run(alg, func(t *testing.T) {
			k := newKey(t, f, alg)
			raw := sign(t, f, k, claims())
			set, err := f.PublicSet([]authority.Key{newKey(t, f, "ES256"), k, newKey(t, f, "RS256")})
			if err != nil {
				t.Fatal(err)
			}
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write(set)
			}))
			defer server.Close()
			payload, err := oidc.NewRemoteKeySet(t.Context(), server.URL).VerifySignature(t.Context(), raw)
			if err != nil || string(payload) != segment(t, raw, 1) {
				t.Errorf("go-oidc with our JWK set: %q, %v", payload, err)
			}

			var got jwt.RegisteredClaims
			parser := jwt.NewParser(jwt.WithValidMethods([]string{alg}), jwt.WithStrictDecoding(), jwt.WithoutClaimsValidation())
			parsed, err := parser.ParseWithClaims(raw, &got, func(*jwt.Token) (any, error) { return private(t, k).Public(), nil })
			if err != nil || !parsed.Valid || got.Issuer != issuer || got.ID != "jti-1" || got.Audience[0] != issuer {
				t.Errorf("golang-jwt: %+v, %v", got, err)
			}
			if parsed.Header["kid"] != k.ID || parsed.Header["typ"] != "at+jwt" || len(parsed.Header) != 3 {
				t.Errorf("header %v", parsed.Header)
			}
		})
	}
}

// A coordinate with a leading zero byte is written with it (RFC 7518 §6.2.1.2):
// one key in 128 has one, and a shorter coordinate is refused by strict verifiers.
func TestCoordinatesAreOfFixedWidth(t *testing.T) {
	f := token.New()
	for i := 0; ; i++ {
		if i == 20_000 {
			t.Fatal("20 000 keys without a leading zero: the key generation is broken")
		}
		k := newKey(t, f, "ES256")
		point, err := private(t, k).Public().(*ecdsa.PublicKey).Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if point[1] != 0 && point[33] != 0 {
			continue
		}
		set, err := f.PublicSet([]authority.Key{k})
		if err != nil {
			t.Fatal(err)
		}
		var got struct{ Keys []struct{ X, Y string } }
		if err := json.Unmarshal(set, &got); err != nil {
			t.Fatal(err)
		}
		x, errX := base64.RawURLEncoding.DecodeString(got.Keys[0].X)
		y, errY := base64.RawURLEncoding.DecodeString(got.Keys[0].Y)
		if errX != nil || errY != nil || len(x) != 32 || len(y) != 32 {
			t.Errorf("x of %d bytes, y of %d: %v, %v", len(x), len(y), errX, errY)
		}
		public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append([]byte{4}, append(x, y...)...))
		if err != nil || !public.Equal(private(t, k).Public()) {
			t.Errorf("another key: %v", err)
		}
		return
	}
}

// The id is recomputed from the published set as RFC 7638 §3 says, through a map,
// whose members encoding/json sorts by name.
func TestKeyIDIsTheThumbprint(t *testing.T) {
	f := token.New()
	required := map[string][]string{"EC": {"crv", "kty", "x", "y"}, "RSA": {"e", "kty", "n"}, "OKP": {"crv", "kty", "x"}}
	for _, alg := range algs {
		k := newKey(t, f, alg)
		set, err := f.PublicSet([]authority.Key{k})
		if err != nil {
			t.Fatal(err)
		}
		var got struct{ Keys []map[string]string }
		if err := json.Unmarshal(set, &got); err != nil {
			t.Fatal(err)
		}
		members := map[string]string{}
		for _, name := range required[got.Keys[0]["kty"]] {
			members[name] = got.Keys[0][name]
		}
		text, err := json.Marshal(members)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(text)
		if want := base64.RawURLEncoding.EncodeToString(sum[:]); k.ID != want || got.Keys[0]["kid"] != want {
			t.Errorf("%s: id %s, published as %s, want %s", alg, k.ID, got.Keys[0]["kid"], want)
		}
	}
}
