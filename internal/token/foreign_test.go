package token_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// stranger is a key pair of somebody else.
type stranger struct {
	private crypto.Signer
	jwk     map[string]any
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func newStranger(tb testing.TB, kid string, private crypto.Signer) stranger {
	tb.Helper()
	s := stranger{private, map[string]any{"kid": kid, "use": "sig"}}
	switch public := private.Public().(type) {
	case *rsa.PublicKey:
		s.jwk["kty"], s.jwk["n"], s.jwk["e"] = "RSA", b64(public.N.Bytes()), b64(big.NewInt(int64(public.E)).Bytes())
	case *ecdsa.PublicKey:
		point, err := public.Bytes()
		if err != nil {
			tb.Fatal(err)
		}
		half := len(point) / 2
		s.jwk["kty"], s.jwk["crv"] = "EC", public.Curve.Params().Name
		s.jwk["x"], s.jwk["y"] = b64(point[1:1+half]), b64(point[1+half:])
	case ed25519.PublicKey:
		s.jwk["kty"], s.jwk["crv"], s.jwk["x"] = "OKP", "Ed25519", b64(public)
	}
	return s
}

// with returns the same key described otherwise; a nil value removes the member.
func (s stranger) with(name string, value any) stranger {
	changed := maps.Clone(s.jwk)
	if changed[name] = value; value == nil {
		delete(changed, name)
	}
	return stranger{s.private, changed}
}

func (s stranger) sign(tb testing.TB, header, claims string) string {
	tb.Helper()
	var h struct{ Alg string }
	if err := json.Unmarshal([]byte(header), &h); err != nil {
		tb.Fatal(err)
	}
	return s.signAs(tb, h.Alg, header, claims)
}

func (s stranger) signAs(tb testing.TB, alg, header, claims string) string {
	tb.Helper()
	input := enc(header) + "." + enc(claims)
	sig, err := jwt.GetSigningMethod(alg).Sign(input, s.private)
	if err != nil {
		tb.Fatal(err)
	}
	return input + "." + b64(sig)
}

func setText(tb testing.TB, keys ...stranger) []byte {
	tb.Helper()
	list := []any{}
	for _, k := range keys {
		list = append(list, k.jwk)
	}
	raw, err := json.Marshal(map[string]any{"keys": list})
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

func keySet(tb testing.TB, keys ...stranger) *token.KeySet {
	tb.Helper()
	set, err := token.ParseKeySet(setText(tb, keys...))
	if err != nil {
		tb.Fatal(err)
	}
	return set
}

// strangers makes one key of each sort, once for all tests: RSA keys are slow to make.
var strangers = sync.OnceValue(func() map[string]crypto.Signer {
	made := map[string]crypto.Signer{}
	for name, bits := range map[string]int{"RSA": 2048, "other RSA": 2048} {
		made[name], _ = rsa.GenerateKey(rand.Reader, bits)
	}
	for _, curve := range []elliptic.Curve{elliptic.P224(), elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		made[curve.Params().Name], _ = ecdsa.GenerateKey(curve, rand.Reader)
	}
	_, made["Ed25519"], _ = ed25519.GenerateKey(rand.Reader)
	return made
})

func strangerOf(tb testing.TB, sort, kid string) stranger {
	tb.Helper()
	return newStranger(tb, kid, strangers()[sort])
}

const foreignClaims = `{"iss":"https://idp.example","sub":"s","n":{"deep":[1,2]}}`

func TestForeignTokensOfEveryAlgorithmVerify(t *testing.T) {
	for alg, sort := range map[string]string{
		"RS256": "RSA", "RS384": "RSA", "RS512": "RSA", "PS256": "RSA", "PS384": "RSA", "PS512": "RSA",
		"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "EdDSA": "Ed25519",
	} {
		k := strangerOf(t, sort, "k1")
		raw := k.sign(t, `{"typ":"JWT","alg":"`+alg+`","kid":"k1","jku":"https://evil.example","x5t":"abc"}`, foreignClaims)
		for _, set := range []*token.KeySet{keySet(t, k), keySet(t, k.with("alg", alg))} {
			h, claims, err := set.Verify(raw)
			if err != nil || h != (token.ForeignHeader{Type: "JWT", KeyID: "k1", Alg: alg}) || string(claims) != foreignClaims {
				t.Errorf("%s: %+v %s %v", alg, h, claims, err)
			}
		}
	}
	// RFC 9864 gives EdDSA with Ed25519 a name of its own.
	k := strangerOf(t, "Ed25519", "k1").with("alg", "EdDSA")
	raw := k.signAs(t, "EdDSA", `{"alg":"Ed25519","kid":"k1"}`, foreignClaims)
	if _, _, err := keySet(t, k).Verify(raw); err != nil {
		t.Error(err)
	}
}

func TestForgedForeignTokensAreRefused(t *testing.T) {
	k, other := strangerOf(t, "RSA", "k1"), strangerOf(t, "other RSA", "k1")
	ec := strangerOf(t, "P-256", "ec").with("alg", "ES256")
	set := keySet(t, k.with("alg", "RS256"), ec)
	good := k.sign(t, `{"alg":"RS256","kid":"k1"}`, foreignClaims)
	parts := strings.Split(good, ".")
	mac := hmac.New(sha256.New, []byte(k.jwk["n"].(string)))
	input := enc(`{"alg":"HS256","kid":"k1"}`) + "." + enc(foreignClaims)
	mac.Write([]byte(input))

	for story, raw := range map[string]string{
		"no signature":                    enc(`{"alg":"none","kid":"k1"}`) + "." + enc(foreignClaims) + ".",
		"none with a signature":           enc(`{"alg":"none","kid":"k1"}`) + "." + enc(foreignClaims) + ".AA",
		"None":                            enc(`{"alg":"None","kid":"k1"}`) + "." + parts[1] + "." + parts[2],
		"HMAC with the public key":        input + "." + b64(mac.Sum(nil)),
		"another key's signature":         other.sign(t, `{"alg":"RS256","kid":"k1"}`, foreignClaims),
		"its own key in the header":       other.sign(t, `{"alg":"RS256","kid":"k1","jwk":`+string(mustJSON(t, other.jwk))+`}`, foreignClaims),
		"an algorithm the key forbids":    k.sign(t, `{"alg":"PS256","kid":"k1"}`, foreignClaims),
		"an algorithm of another type":    ec.sign(t, `{"alg":"ES256","kid":"k1"}`, foreignClaims),
		"crit":                            k.sign(t, `{"alg":"RS256","kid":"k1","crit":["exp"]}`, foreignClaims),
		"empty crit":                      k.sign(t, `{"alg":"RS256","kid":"k1","crit":[]}`, foreignClaims),
		"alg twice":                       k.signAs(t, "RS256", `{"alg":"RS256","kid":"k1","alg":"RS256"}`, foreignClaims),
		"no alg":                          k.signAs(t, "RS256", `{"kid":"k1"}`, foreignClaims),
		"kid a number":                    k.sign(t, `{"alg":"RS256","kid":1}`, foreignClaims),
		"a kid of 2000 bytes":             k.sign(t, `{"alg":"RS256","kid":"`+strings.Repeat("k", 2000)+`"}`, foreignClaims),
		"altered claims":                  parts[0] + "." + enc(`{"sub":"other"}`) + "." + parts[2],
		"padding":                         good + "==",
		"four parts":                      good + ".AA",
		"five parts, encrypted":           good + ".AA.AA",
		"two parts":                       parts[0] + "." + parts[1],
		"a line end":                      parts[0] + "." + parts[1] + "\n." + parts[2],
		"claims twice":                    k.sign(t, `{"alg":"RS256","kid":"k1"}`, `{"sub":"a","sub":"b"}`),
		"claims twice, deep":              k.sign(t, `{"alg":"RS256","kid":"k1"}`, `{"a":{"sub":"a","s\u0075b":"b"}}`),
		"claims no object":                k.sign(t, `{"alg":"RS256","kid":"k1"}`, `["sub"]`),
		"claims with something after":     k.sign(t, `{"alg":"RS256","kid":"k1"}`, `{}{}`),
		"claims that are no UTF-8":        k.sign(t, `{"alg":"RS256","kid":"k1"}`, "{\"sub\":\"\xff\"}"),
		"17 KiB":                          k.sign(t, `{"alg":"RS256","kid":"k1"}`, `{"sub":"`+strings.Repeat("a", 17<<10)+`"}`),
		"dots":                            strings.Repeat(".", 100000),
		"nothing":                         "",
		"an ES256 signature in ASN.1":     asn1Signed(t, ec),
		"header not base64url":            "e+==." + parts[1] + "." + parts[2],
		"header nested a thousand levels": enc(strings.Repeat("[", 1000)) + "." + parts[1] + "." + parts[2],
	} {
		h, claims, err := set.Verify(raw)
		if !errors.Is(err, token.ErrForeign) || errors.Is(err, token.ErrUnknownKey) {
			t.Errorf("%s: %v", story, err)
			continue
		}
		if claims != nil || h != (token.ForeignHeader{}) || len(err.Error()) > 300 {
			t.Errorf("%s: %+v %s %v", story, h, claims, err)
		}
	}
}

func mustJSON(tb testing.TB, v any) []byte {
	tb.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

func asn1Signed(tb testing.TB, k stranger) string {
	tb.Helper()
	input := enc(`{"alg":"ES256","kid":"ec"}`) + "." + enc(foreignClaims)
	sum := sha256.Sum256([]byte(input))
	sig, err := k.private.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		tb.Fatal(err)
	}
	return input + "." + b64(sig)
}

func TestTheKeyIDChooses(t *testing.T) {
	old, next := strangerOf(t, "RSA", "old"), strangerOf(t, "other RSA", "next")
	set := keySet(t, old)
	if _, _, err := set.Verify(next.sign(t, `{"alg":"RS256","kid":"next"}`, foreignClaims)); !errors.Is(err, token.ErrUnknownKey) {
		t.Errorf("a kid that is not there: %v", err)
	}
	if _, _, err := set.Verify(next.sign(t, `{"alg":"RS256"}`, foreignClaims)); !errors.Is(err, token.ErrUnknownKey) {
		t.Errorf("no kid, and no key fits: a newer set may have it: %v", err)
	}
	ec := strangerOf(t, "P-256", "next")
	if _, _, err := set.Verify(ec.sign(t, `{"alg":"ES256"}`, foreignClaims)); !errors.Is(err, token.ErrUnknownKey) {
		t.Errorf("no kid, and no key is of its type: a newer set may have one: %v", err)
	}
	for _, alg := range []string{"none", "HS256", "RSA-OAEP", "rs256"} {
		raw := ec.signAs(t, "ES256", `{"alg":"`+alg+`"}`, foreignClaims)
		if _, _, err := set.Verify(raw); !errors.Is(err, token.ErrForeign) {
			t.Errorf("no kid, and an algorithm that no key ever has: %v", err)
		}
	}
	if _, _, err := keySet(t, old, next).Verify(next.sign(t, `{"alg":"RS256"}`, foreignClaims)); err != nil {
		t.Errorf("no kid, and one key fits: %v", err)
	}
	// RFC 7517 §4.5: two keys may share a kid.
	if _, _, err := keySet(t, old, next.with("kid", "old")).Verify(next.sign(t, `{"alg":"RS256","kid":"old"}`, foreignClaims)); err != nil {
		t.Errorf("the second of two keys with one kid: %v", err)
	}
	many := []stranger{}
	for i := range 9 {
		many = append(many, next.with("kid", strconv.Itoa(i)))
	}
	if _, _, err := keySet(t, many...).Verify(next.sign(t, `{"alg":"RS256"}`, foreignClaims)); !errors.Is(err, token.ErrForeign) {
		t.Errorf("no kid, and nine keys: %v", err)
	}
	// Nine keys of one kid, the right one last: it is not worth nine signatures.
	for i := range many {
		many[i] = old.with("kid", "same")
	}
	many[8] = next.with("kid", "same")
	if _, _, err := keySet(t, many...).Verify(next.sign(t, `{"alg":"RS256","kid":"same"}`, foreignClaims)); !errors.Is(err, token.ErrForeign) {
		t.Errorf("one kid, and nine keys: %v", err)
	}
}

func TestUnfitKeysAreLeftOut(t *testing.T) {
	rsaKey, ec, ed := strangerOf(t, "RSA", "r"), strangerOf(t, "P-256", "e"), strangerOf(t, "Ed25519", "o")
	short := new(big.Int).SetBit(big.NewInt(1), 1023, 1)
	for story, k := range map[string]stranger{
		"symmetric":                  {jwk: map[string]any{"kty": "oct", "k": "c2VjcmV0", "kid": "s"}},
		"symmetric without its half": {jwk: map[string]any{"kty": "oct", "kid": "s"}},
		"no type":                    rsaKey.with("kty", nil),
		"for encryption":             rsaKey.with("use", "enc"),
		"operations without verify":  rsaKey.with("key_ops", []string{"sign"}),
		"operations as text":         rsaKey.with("key_ops", "verify"),
		"a private member":           rsaKey.with("d", "AQAB"),
		"a private EC key":           ec.with("d", "AQAB"),
		"an HMAC algorithm":          rsaKey.with("alg", "HS256"),
		"the algorithm none":         rsaKey.with("alg", "none"),
		"an algorithm to encrypt":    rsaKey.with("alg", "RSA-OAEP"),
		"another type's algorithm":   rsaKey.with("alg", "ES256"),
		"another curve's algorithm":  ec.with("alg", "ES384"),
		"RSA of 1024 bits":           rsaKey.with("n", b64(short.Bytes())),
		"RSA of 16384 bits":          rsaKey.with("n", b64(append(bytes.Repeat([]byte{0xff}, 2048), 1))),
		"an even modulus":            rsaKey.with("n", b64(bytes.Repeat([]byte{0xfe}, 256))),
		"an exponent of 1":           rsaKey.with("e", "AQ"),
		"an exponent of 2":           rsaKey.with("e", "Ag"),
		"an exponent of 40 bits":     rsaKey.with("e", "AQAAAAE"),
		"no exponent":                rsaKey.with("e", nil),
		"padded base64":              rsaKey.with("e", "AQAB="),
		"P-224":                      strangerOf(t, "P-224", "e"),
		"secp256k1":                  ec.with("crv", "secp256k1"),
		"a point off the curve":      ec.with("y", ec.jwk["x"]),
		"a short coordinate":         ec.with("x", "AQAB"),
		"X25519":                     ed.with("crv", "X25519"),
		"Ed25519 too short":          ed.with("x", "AQAB"),
		"Ed25519, all zeros":         ed.with("x", b64(make([]byte, 32))), // anybody can sign with one of these
		"Ed25519, the neutral point": ed.with("x", b64(append([]byte{1}, make([]byte, 31)...))),
		"Ed25519, of order 2":        ed.with("x", b64(append(append([]byte{0xec}, bytes.Repeat([]byte{0xff}, 30)...), 0x7f))),
		"Ed25519, zero once more":    ed.with("x", b64(append(append([]byte{0xed}, bytes.Repeat([]byte{0xff}, 30)...), 0xff))),
		"Ed25519, one once more":     ed.with("x", b64(append(append([]byte{0xee}, bytes.Repeat([]byte{0xff}, 30)...), 0x7f))),
		"Ed25519, of order 8":        ed.with("x", "JuiVj8KyJ7BFw_SJ8u-Y8NXfrAXTxjM5sTgCiG1T_AU"),
		"Ed25519, another of 8":      ed.with("x", "xxdqcD1N2E-6PAt2DRBnDyogU_osOczGTsf9d5KsA_o"),
		"kid a number":               rsaKey.with("kid", 7),
		"kid of 2000 bytes":          rsaKey.with("kid", strings.Repeat("k", 2000)),
	} {
		if set, err := token.ParseKeySet(setText(t, k)); err == nil {
			t.Errorf("%s: accepted, %d keys", story, set.Len())
		}
		if set := keySet(t, k, ed.with("kid", "good")); set.Len() != 1 {
			t.Errorf("%s: %d keys beside the good one", story, set.Len()-1)
		}
	}
	// A key whose private half stands beside another entry of it is no better there.
	for story, published := range map[string]stranger{
		"as it is": rsaKey.with("d", "AQAB"), "for encryption": rsaKey.with("d", "AQAB").with("use", "enc"),
		"to sign": rsaKey.with("d", "AQAB").with("key_ops", []string{"sign"}), "a prime": rsaKey.with("p", "AQAB").with("kid", "other").with("alg", "PS256"),
	} {
		if set := keySet(t, rsaKey, published, ec, ed); set.Len() != 2 {
			t.Errorf("published, %s: %d keys, want the 2 others", story, set.Len())
		}
		if set := keySet(t, published, rsaKey, ed); set.Len() != 1 {
			t.Errorf("published first, %s: %d keys, want the other", story, set.Len())
		}
	}
	if set := keySet(t, ec.with("d", "AQAB"), ec.with("kid", "again"), ed.with("d", "AQAB"), ed, rsaKey); set.Len() != 1 {
		t.Errorf("published, of other types: %d keys, want 1", set.Len())
	}
	// A serializer that writes what is not there as null, which is as good as leaving it out.
	nulls := rsaKey
	for _, name := range []string{"use", "alg", "key_ops", "crv", "x", "y", "d", "k", "x5c"} {
		nulls = nulls.with(name, json.RawMessage("null"))
	}
	if set := keySet(t, nulls); set.Len() != 1 {
		t.Error("a key with members that are null was left out")
	}
	if set := keySet(t, rsaKey.with("use", nil).with("key_ops", []string{"verify"}).with("x5c", []string{"MII"}), ec, ed); set.Len() != 3 {
		t.Errorf("%d of 3 keys", set.Len())
	}
}

func TestKeySetsThatAreNoneAreRefused(t *testing.T) {
	one := string(setText(t, strangerOf(t, "Ed25519", "k")))
	many := strings.Repeat("{},", 100) + "{}"
	for story, raw := range map[string]string{
		"empty": "", "HTML": "<html>", "null": "null", "a list": "[]", "no keys": "{}", "keys no list": `{"keys":{}}`,
		"an empty list": `{"keys":[]}`, "keys twice": `{"keys":[],` + one[1:], "something after": one + "x",
		"a list of texts": `{"keys":["a"]}`, "101 keys": `{"keys":[` + many + `]}`,
		"300 KiB": `{"keys":[],"a":"` + strings.Repeat("a", 300<<10) + `"}`,
	} {
		if _, err := token.ParseKeySet([]byte(raw)); err == nil || len(err.Error()) > 200 {
			t.Errorf("%s: %v", story, err)
		}
	}
}

// A token of Keycloak says much: a role in many clients, and a claim of each mapper.
func TestTokensWithManyClaimsVerify(t *testing.T) {
	k := strangerOf(t, "Ed25519", "k")
	set := keySet(t, k)
	token := func(n int) string {
		claims := map[string]any{}
		for i := range n {
			claims["c"+strconv.Itoa(i)] = i
		}
		raw, err := json.Marshal(map[string]any{"iss": "i", "resource_access": claims})
		if err != nil {
			t.Fatal(err)
		}
		return k.sign(t, `{"alg":"EdDSA","kid":"k"}`, string(raw))
	}
	if _, _, err := set.Verify(token(512)); err != nil {
		t.Error(err)
	}
	if _, _, err := set.Verify(token(513)); err == nil {
		t.Error("513 members were accepted")
	}
}

func TestClaimedIssuer(t *testing.T) {
	for raw, want := range map[string]struct {
		issuer string
		ok     bool
	}{
		enc(`{"alg":"none"}`) + "." + enc(`{"iss":"https://i.example"}`) + ".AAAA": {"https://i.example", true},
		enc(`{}`) + "." + enc(`{"iss":"\u0069"}`) + ".AAAA":                        {"i", true},
		enc(`{}`) + "." + enc(`{}`) + ".AAAA":                                      {"", true},
		enc(`{}`) + "." + enc(`{"iss":["i"]}`) + ".AAAA":                           {"", true},
		enc(`{}`) + "." + enc(`{"iss":"i","iss":"j"}`) + ".AAAA":                   {"", false},
		enc(`[]`) + "." + enc(`{"iss":"i"}`) + ".AAAA":                             {"", false},
		enc(`{}`) + "." + enc(`"i"`) + ".AAAA":                                     {"", false},
		enc(`{}`) + "." + enc(`{"iss":"i"}`) + "=.AAAA":                            {"", false},
		enc(`{}`) + "." + enc(`{"iss":"i"}`):                                       {"", false},
		enc(`{}`) + "." + enc(`{"iss":"i"}`) + ".A.A":                              {"", false},
		enc(`{}`) + "." + enc(`{"iss":"i"}`) + "." + strings.Repeat("A", 16<<10):   {"", false},
		"opaque": {"", false}, "": {"", false}, strings.Repeat(".", 1<<16): {"", false},
	} {
		if issuer, ok := token.ClaimedIssuer(raw); issuer != want.issuer || ok != want.ok {
			t.Errorf("%.60s: %q %v", raw, issuer, ok)
		}
	}
}

// Who keeps a token from others must know it in every spelling that somebody could read.
func TestAnyIssuer(t *testing.T) {
	claims := `{"iss":"https://i.example/?>~","x":"???>>>"}`
	std, padded := base64.RawStdEncoding.EncodeToString([]byte(claims)), base64.URLEncoding.EncodeToString([]byte(claims))
	if !strings.ContainsAny(std, "+/") || !strings.HasSuffix(padded, "=") {
		t.Fatal("not what they are for")
	}
	good := enc(`{}`) + "." + enc(claims)
	for _, raw := range []string{
		good + ".AAAA", good, good + ".", good + ".A.A", "." + good + ".AAAA", enc(`{}`) + ".." + enc(claims) + ".AAAA",
		enc(`{}`) + "." + std + ".AAAA", enc(`{}`) + "." + padded + ".AAAA", "x." + enc(claims) + ".AAAA",
		"x." + good + ".AAAA", "v1.local." + good + ".AAAA", "x..." + good + ".AAAA", "x.=." + good + ".AAAA",
	} {
		if got := token.AnyIssuer(raw); got != "https://i.example/?>~" {
			t.Errorf("%s: %q", raw, got)
		}
	}
	for _, raw := range []string{"", "opaque", "a.b.c", "..", enc(claims), enc(`{}`) + "." + enc(`{"iss":["i"]}`) + ".AAAA", strings.Repeat(".", 1<<20), strings.Repeat("e30.", 4<<10)} {
		if got := token.AnyIssuer(raw); got != "" {
			t.Errorf("%.40s: %q", raw, got)
		}
	}
}

func FuzzKeySet(f *testing.F) {
	for _, sort := range []string{"RSA", "P-256", "P-521", "Ed25519"} {
		k := strangerOf(f, sort, "k")
		f.Add(string(setText(f, k)), `{"alg":"RS256","kid":"k"}`, foreignClaims, "AAAA")
		f.Add(string(setText(f, k.with("alg", "HS256"))), `{"alg":"none"}`, "{}", "")
	}
	f.Fuzz(func(t *testing.T, keys, header, claims, signature string) {
		set, err := token.ParseKeySet([]byte(keys))
		if err != nil {
			if set != nil {
				t.Error("a set and an error")
			}
			return
		}
		if set.Len() == 0 || set.Len() > 100 {
			t.Errorf("%d keys", set.Len())
		}
		for _, raw := range []string{enc(header) + "." + enc(claims) + "." + signature, header + "." + claims + "." + signature} {
			_, got, err := set.Verify(raw)
			if err != nil {
				continue
			}
			if _, ok := token.ClaimedIssuer(raw); !ok || !json.Valid(got) {
				t.Errorf("claims %q", got)
			}
			members := map[string]json.RawMessage{}
			if _, claims, err := set.VerifyClaims(raw); err != nil || json.Unmarshal(got, &members) != nil || !reflect.DeepEqual(claims, members) {
				t.Errorf("claims %q became %q, %v", got, claims, err)
			}
		}
	})
}
