package trust

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// BenchmarkVerifyES256 is the first sight of a token of 900 bytes: what a miss costs
// beside the signature, which is most of it.
func BenchmarkVerifyES256(b *testing.B) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	point, err := private.PublicKey.Bytes()
	if err != nil {
		b.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	set, _ := json.Marshal(map[string]any{"keys": []any{map[string]any{
		"kty": "EC", "crv": "P-256", "kid": "k", "x": b64(point[1:33]), "y": b64(point[33:]),
	}}})
	tr, err := New(Options{
		Name: "bench", ID: "id", Issuer: "https://i.example", Audience: []string{"us"}, KeySetURL: "https://i.example/keys",
		HTTP: &http.Client{Transport: answers{http.StatusOK, "application/json", string(set)}},
	})
	if err != nil {
		b.Fatal(err)
	}
	input := b64([]byte(`{"alg":"ES256","typ":"JWT","kid":"k"}`)) + "." + b64(fmt.Appendf(nil,
		`{"iss":"https://i.example","sub":"user-000001","aud":["us"],"exp":%d,"iat":1,"scope":"read write","roles":["a","b"],"x":%q}`,
		time.Now().Add(time.Hour).Unix(), strings.Repeat("x", 400)))
	digest := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, private, digest[:])
	if err != nil {
		b.Fatal(err)
	}
	raw := input + "." + b64(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
	if _, err := tr.Verify(b.Context(), raw); err != nil { // fetches the keys
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, answered, err := tr.VerifyAtOnce(raw); !answered || err != nil {
			b.Fatal(answered, err)
		}
	}
}
