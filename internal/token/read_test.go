package token_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/big"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

func enc(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// forge signs whatever header and claims it is given, as a thief of the key could,
// or another part of the program that signs with it.
func forge(tb testing.TB, k authority.Key, header, claims string) string {
	tb.Helper()
	return seal(tb, k, enc(header)+"."+enc(claims))
}

// seal signs the first two parts as they stand, ES256 with the lower s.
func seal(tb testing.TB, k authority.Key, input string) string {
	tb.Helper()
	sig, err := jwt.GetSigningMethod(k.Alg).Sign(input, private(tb, k))
	if err != nil {
		tb.Fatal(err)
	}
	if k.Alg == "ES256" {
		if n := elliptic.P256().Params().N; new(big.Int).SetBytes(sig[32:]).Cmp(new(big.Int).Rsh(n, 1)) > 0 {
			sig = twin(sig)
		}
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(sig)
}

// twin is the other spelling of an ES256 signature: (r, n-s).
func twin(sig []byte) []byte {
	out := append([]byte(nil), sig...)
	s := new(big.Int).SetBytes(sig[32:])
	s.Sub(elliptic.P256().Params().N, s).FillBytes(out[32:])
	return out
}

func head(k authority.Key) string {
	return `{"alg":"` + k.Alg + `","typ":"at+jwt","kid":"` + k.ID + `"}`
}

const body = `{"iss":"` + issuer + `","exp":1700000300,"aud":"` + issuer + `","sub":"s","client_id":"app","iat":1700000000,"jti":"j"}`

// with puts members behind those of an object.
func with(object, members string) string {
	return strings.TrimSuffix(object, "}") + "," + members + "}"
}

// refused fails the test if raw is read, or refused in a way that a caller or a log
// must not see.
func refused(t *testing.T, f *token.Forms, keys []authority.Key, story, raw string) {
	t.Helper()
	c, kid, err := f.Read(keys, issuer, raw)
	var e *authority.Error
	if !errors.As(err, &e) || e.Kind != authority.TokenInvalid || e.Public == "" || e.Op != "read access token" {
		t.Errorf("%s: %v", story, err)
		return
	}
	if c.Issuer != "" || c.Subject != "" || kid != "" {
		t.Errorf("%s: refused, and facts given away: %+v, %q", story, c, kid)
	}
	// RFC 6750 §3: error_description holds neither quote, backslash nor control.
	if strings.ContainsFunc(e.Public, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
		t.Errorf("%s: %q cannot stand in a challenge", story, e.Public)
	}
	for part := range strings.SplitSeq(raw, ".") {
		if len(part) > 8 && strings.Contains(err.Error(), part) {
			t.Errorf("%s: the error repeats the token: %.200s", story, err)
		}
	}
}

// The forger's tools work: what all stories below spoil is good before.
func TestForgeIsAccepted(t *testing.T) {
	f := token.New()
	for _, alg := range algs {
		k := newKey(t, f, alg)
		for name, raw := range map[string]string{
			"as we write it":    forge(t, k, head(k), body),
			"other order":       forge(t, k, `{"kid":"`+k.ID+`", "typ":"at+jwt", "alg":"`+alg+`"}`, " "+body+"\n"),
			"unknown claim":     forge(t, k, head(k), with(body, `"future":{"a":[1,{"b":null}],"c":-1.5e+3}`)),
			"audience in array": forge(t, k, head(k), strings.Replace(body, `"aud":"`+issuer+`"`, `"aud":["`+issuer+`","x"]`, 1)),
		} {
			if _, _, err := f.Read([]authority.Key{k}, issuer, raw); err != nil {
				t.Errorf("%s, %s: %v", alg, name, err)
			}
		}
	}
}

// Attack 41: a token that says it needs no signature.
func TestAlgNone(t *testing.T) {
	f := token.New()
	k := newKey(t, f, "ES256")
	sig := strings.Split(forge(t, k, head(k), body), ".")[2]
	for _, alg := range []string{`"none"`, `"None"`, `"NONE"`, `"nOnE"`, `""`, `null`, `[]`, `0`, `"ES256 "`, `"es256"`} {
		input := enc(strings.Replace(head(k), `"ES256"`, alg, 1)) + "." + enc(body)
		refused(t, f, []authority.Key{k}, alg+" without signature", input+".")
		refused(t, f, []authority.Key{k}, alg+" with a signature", input+"."+sig)
		refused(t, f, []authority.Key{k}, alg+" signed", seal(t, k, input))
	}
	missing := forge(t, k, `{"typ":"at+jwt","kid":"`+k.ID+`"}`, body)
	refused(t, f, []authority.Key{k}, "no alg", missing)
}

// Attack 42: the public key, which everybody has, taken for an HMAC secret, and one
// algorithm taken for another.
func TestAlgorithmIsTheKeysOwn(t *testing.T) {
	f := token.New()
	for _, alg := range algs {
		k := newKey(t, f, alg)
		keys := []authority.Key{newKey(t, f, "ES256"), newKey(t, f, "RS256"), newKey(t, f, "EdDSA"), k}
		public, err := x509.MarshalPKIXPublicKey(private(t, k).Public())
		if err != nil {
			t.Fatal(err)
		}
		set, err := f.PublicSet([]authority.Key{k})
		if err != nil {
			t.Fatal(err)
		}
		for _, named := range []string{"HS256", "HS384", "HS512", alg} {
			input := enc(strings.Replace(head(k), alg, named, 1)) + "." + enc(body)
			for _, key := range [][]byte{public, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), set, {}} {
				mac := hmac.New(sha256.New, key)
				mac.Write([]byte(input))
				refused(t, f, keys, named+" with the public key of "+alg, input+"."+enc(string(mac.Sum(nil))))
			}
		}
		for _, other := range []string{"ES256", "RS256", "EdDSA", "PS256", "ES384", "RS512"} {
			if other != alg {
				refused(t, f, keys, alg+" named "+other, forge(t, k, strings.Replace(head(k), alg, other, 1), body))
			}
		}
	}
}

// Attack 43: the token brings its own key, or says where to fetch one. And members
// that change what is verified: crit, b64, zip, enc, cty.
func TestHeaderMembersOfOthers(t *testing.T) {
	f := token.New()
	k, evil := newKey(t, f, "ES256"), newKey(t, f, "ES256")
	for _, m := range []string{
		`"jwk":{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}`, `"jku":"https://evil.example"`, `"x5u":"https://evil.example"`,
		`"x5c":["AA"]`, `"x5t":"AA"`, `"x5t#S256":"AA"`, `"crit":[]`, `"crit":["exp"]`, `"crit":["b64"],"b64":false`, `"b64":false`,
		`"b64":true`, `"zip":"DEF"`, `"enc":"A256GCM"`, `"cty":"JWT"`, `"KID":"x"`, `"":""`,
	} {
		refused(t, f, []authority.Key{k}, m+" by the right key", forge(t, k, with(head(k), m), body))
		refused(t, f, []authority.Key{k}, m+" by the key it brings", forge(t, evil, with(head(k), m), body))
	}
}

// Attacks 45 and 48: another kind of JWT, signed by the same key, used as an access
// token. An ID token, a state or a logout token says so in `typ`, or says nothing.
func TestTypIsExact(t *testing.T) {
	f := token.New()
	k := newKey(t, f, "ES256")
	for _, typ := range []string{
		`"JWT"`, `"jwt"`, `"application/at+jwt"`, `"AT+JWT"`, `"at+JWT"`, `"at+jwt "`, `" at+jwt"`, `"at+jwt;v=1"`, `"at+jwt\u0000"`,
		`"logout+jwt"`, `"dpop+jwt"`, `"oauth-authz-req+jwt"`, `"secevent+jwt"`, `"refresh+jwt"`, `""`, `null`, `["at+jwt"]`, `{}`, `1`,
	} {
		refused(t, f, []authority.Key{k}, "typ "+typ, forge(t, k, strings.Replace(head(k), `"at+jwt"`, typ, 1), body))
	}
	refused(t, f, []authority.Key{k}, "no typ", forge(t, k, `{"alg":"ES256","kid":"`+k.ID+`"}`, body))
}

// Attack 46, as far as this room goes: the audience is told exactly, or not at all.
// Attack 47: the right key and another issuer.
func TestClaimsThatAreNotOurs(t *testing.T) {
	f := token.New()
	k := newKey(t, f, "ES256")
	change := func(from, to string) string { return strings.Replace(body, from, to, 1) }
	aud, iss := `"aud":"`+issuer+`"`, `"iss":"`+issuer+`"`
	for name, claims := range map[string]string{
		"another issuer":      change(iss, `"iss":"https://evil.example.com"`),
		"issuer with a slash": change(iss, `"iss":"`+issuer+`/"`),
		"issuer in capitals":  change(iss, `"iss":"HTTPS://auth.example.com"`),
		"issuer in a list":    change(iss, `"iss":["`+issuer+`"]`),
		"no issuer":           change(iss+",", ``),
		"no audience":         change(aud+",", ``),
		"empty audience":      change(aud, `"aud":""`),
		"no one's audience":   change(aud, `"aud":[]`),
		"audience with empty": change(aud, `"aud":["x",""]`),
		"audience a number":   change(aud, `"aud":1`),
		"audience null":       change(aud, `"aud":null`),
		"audience nested":     change(aud, `"aud":[["x"]]`),
		"audience an object":  change(aud, `"aud":{"x":"y"}`),
		"no subject":          change(`"sub":"s",`, ``),
		"subject a number":    change(`"sub":"s"`, `"sub":1`),
		"no client":           change(`"client_id":"app",`, ``),
		"no id":               change(`,"jti":"j"`, ``),
		"NUL in the id":       change(`"jti":"j"`, `"jti":"j\u0000k"`),
		"no expiry":           change(`"exp":1700000300,`, ``),
		"no issue time":       change(`"iat":1700000000,`, ``),
		"expiry a string":     change(`1700000300`, `"1700000300"`),
		"expiry a fraction":   change(`1700000300`, `1700000300.0`),
		"expiry exponential":  change(`1700000300`, `17e8`),
		"expiry over 64 bits": change(`1700000300`, `9223372036854775808`),
		"expiry null":         change(`1700000300`, `null`),
		"iat a boolean":       change(`1700000000`, `true`),
		"scope a list":        with(body, `"scope":["read"]`),
		"sid a number":        with(body, `"sid":7`),
		"auth_time a string":  with(body, `"auth_time":"1"`),
		"userId a number":     with(body, `"userId":1`),
		"NUL in the userId":   with(body, `"userId":"a\u0000"`),
	} {
		refused(t, f, []authority.Key{k}, name, forge(t, k, head(k), claims))
	}
}

// Attack 54: a token bound to something we do not check is not a bearer token.
func TestRestrictionsNotKept(t *testing.T) {
	f := token.New()
	k := newKey(t, f, "ES256")
	for _, m := range []string{
		`"cnf":{"jkt":"AA"}`, `"cnf":null`, `"cnf":{"x5t#S256":"AA"}`, `"c\u006ef":{}`,
		`"authorization_details":[]`, `"authorization_details":[{"type":"payment"}]`, `"nbf":1700000000`,
	} {
		refused(t, f, []authority.Key{k}, m, forge(t, k, head(k), with(body, m)))
	}
}

// A key of another realm, also under this realm's key id; a key that signs nothing
// here; a revoked key; a stored key that cannot be read.
func TestKeysThatDoNotCount(t *testing.T) {
	f := token.New()
	for _, alg := range algs {
		k, other := newKey(t, f, alg), newKey(t, f, alg)
		raw := forge(t, k, head(k), body)
		refused(t, f, nil, "no keys", raw)
		refused(t, f, []authority.Key{other}, "unknown kid", raw)
		other.ID = k.ID
		refused(t, f, []authority.Key{other}, "another key of the same id", raw)
		refused(t, f, []authority.Key{k}, "signed by another key of the same id", forge(t, other, head(k), body))
		for name, spoil := range map[string]func(*authority.Key){
			"purpose":         func(k *authority.Key) { k.Purpose = authority.PurposeRealm },
			"no purpose":      func(k *authority.Key) { k.Purpose = "" },
			"revoked":         func(k *authority.Key) { k.Revoked = time.Unix(1, 0) },
			"cannot be read":  func(k *authority.Key) { k.Private = k.Private[1:] },
			"other algorithm": func(k *authority.Key) { k.Alg = "HS256" },
		} {
			spoilt := k
			spoil(&spoilt)
			refused(t, f, []authority.Key{spoilt}, name, raw)
			refused(t, token.New(), []authority.Key{spoilt}, name+", first use", raw)
		}
		if _, kid, err := f.Read([]authority.Key{k}, issuer, raw); err != nil || kid != k.ID {
			t.Errorf("the key itself: %q, %v", kid, err)
		}
	}
}

// Attack 49: a token made to be long, or of very many parts.
func TestHugeTokensCostNothing(t *testing.T) {
	f := token.New()
	k := newKey(t, f, "ES256")
	for name, raw := range map[string]string{
		"100 000 dots":          strings.Repeat(".", 100_000),
		"1 MB of one part":      strings.Repeat("A", 1<<20),
		"1 MB of claims":        enc(head(k)) + "." + strings.Repeat("A", 1<<20) + ".AA",
		"16 KiB of dots":        strings.Repeat(".", 16<<10),
		"16 KiB of parts":       strings.Repeat("A.", 8<<10),
		"16 KiB of header":      strings.Repeat("A", 16<<10-4) + ".A.A",
		"10 000 levels":         enc(strings.Repeat(`{"a":`, 2_000)) + ".AA.AA",
		"a header of 2 000":     enc("{"+strings.Repeat(`"a":1,`, 2_000)+`"b":1}`) + ".AA.AA",
		"a header of arrays":    enc(`{"alg":`+strings.Repeat("[", 8_000)) + ".AA.AA",
		"a number of 8 000":     enc(`{"alg":`+strings.Repeat("9", 8_000)+"}") + ".AA.AA",
		"a kid of 8 000":        enc(`{"alg":"ES256","typ":"at+jwt","kid":"`+strings.Repeat("k", 8_000)+`"}`) + ".AA.AA",
		"a signature of 10 000": enc(head(k)) + "." + enc(body) + "." + strings.Repeat("A", 10_000),
	} {
		refused(t, f, []authority.Key{k}, name, raw)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 100 {
			_, _, _ = f.Read([]authority.Key{k}, issuer, raw)
		}
		runtime.ReadMemStats(&after)
		if each := (after.TotalAlloc - before.TotalAlloc) / 100; each > 256<<10 {
			t.Errorf("%s: %d bytes allocated for one refusal", name, each)
		}
	}
}

// Attack 50: encrypted and compressed tokens, and the JSON forms of RFC 7515 §7.2.
func TestOtherSerializations(t *testing.T) {
	f := token.New()
	k := newKey(t, f, "ES256")
	parts := strings.Split(forge(t, k, head(k), body), ".")
	refused(t, f, []authority.Key{k}, "a JWE", enc(`{"alg":"RSA-OAEP","enc":"A256GCM","zip":"DEF"}`)+".AA.AA.AA.AA")
	refused(t, f, []authority.Key{k}, "a JWE of an empty key", enc(`{"alg":"dir","enc":"A256GCM"}`)+"..AA.AA.AA")
	refused(t, f, []authority.Key{k}, "flattened JSON",
		`{"protected":"`+parts[0]+`","payload":"`+parts[1]+`","signature":"`+parts[2]+`"}`)
	refused(t, f, []authority.Key{k}, "detached claims", parts[0]+".."+parts[2])
	refused(t, f, []authority.Key{k}, "no signature", parts[0]+"."+parts[1])
	refused(t, f, []authority.Key{k}, "a fourth part", strings.Join(parts, ".")+".")
	refused(t, f, []authority.Key{k}, "an empty text", "")
}

// A revoked token stays revoked in every spelling: whoever holds one cannot write
// it in another way that still verifies.
func TestOneSpelling(t *testing.T) {
	f := token.New()
	for _, alg := range algs {
		k := newKey(t, f, alg)
		keys := []authority.Key{k}
		raw := sign(t, f, k, claims())
		parts := strings.Split(raw, ".")
		for i, name := range []string{"header", "claims", "signature"} {
			spell := func(part string) string {
				p := append([]string(nil), parts...)
				p[i] = part
				return strings.Join(p, ".")
			}
			p := parts[i]
			for _, s := range []string{p + "=", p + "==", p + "\n", p + "\r\n", "\n" + p, " " + p, p + " ", p + "\t", p[:5] + "\n" + p[5:], p[:5] + "%41" + p[6:], p + "A", p + "AAAA", "AAAA" + p, p + "\x00"} {
				refused(t, f, keys, alg+" "+name, spell(s))
			}
			if n := len(p) % 4; n != 0 {
				for _, s := range otherTrailingBits(p) {
					refused(t, f, keys, alg+" "+name+" with trailing bits", spell(s))
				}
			}
			if std := strings.NewReplacer("-", "+", "_", "/").Replace(p); std != p {
				refused(t, f, keys, alg+" "+name+" in the other alphabet", spell(std))
			}
		}
		sig, err := base64.RawURLEncoding.DecodeString(parts[2])
		if err != nil {
			t.Fatal(err)
		}
		for name, s := range map[string][]byte{
			"longer by a zero in front": append([]byte{0}, sig...), "shorter": sig[:len(sig)-1], "longer": append(append([]byte(nil), sig...), 0),
		} {
			refused(t, f, keys, alg+" signature "+name, parts[0]+"."+parts[1]+"."+enc(string(s)))
		}
	}
}

// otherTrailingBits are the other last characters that decode to the same bytes.
func otherTrailingBits(part string) []string {
	want, _ := base64.RawURLEncoding.DecodeString(part)
	var out []string
	for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
		other := part[:len(part)-1] + string(c)
		if got, err := base64.RawURLEncoding.DecodeString(other); other != part && err == nil && string(got) == string(want) {
			out = append(out, other)
		}
	}
	return out
}

// Trailing bits under a signature that covers them: the encoding is refused, not
// only a broken signature.
func TestSignedButNotCanonical(t *testing.T) {
	f := token.New()
	k := newKey(t, f, "EdDSA")
	claims := enc(strings.Replace(body, `"s"`, `"ss"`, 1))
	if len(claims)%4 == 0 {
		claims = enc(body)
	}
	for _, c := range otherTrailingBits(claims) {
		refused(t, f, []authority.Key{k}, "claims", seal(t, k, enc(head(k))+"."+c))
	}
	refused(t, f, []authority.Key{k}, "padded claims", seal(t, k, enc(head(k))+"."+claims+"="))
	refused(t, f, []authority.Key{k}, "line end in the claims", seal(t, k, enc(head(k))+"."+claims+"\n"))
	refused(t, f, []authority.Key{k}, "line end in the header", seal(t, k, enc(head(k))+"\n."+claims))
}

// Every ES256 signature has a twin that verifies. A holder of a revoked token would
// have a second token for nothing; so ours are low, and high ones are refused.
func TestHighSTwin(t *testing.T) {
	f := token.New()
	k := newKey(t, f, "ES256")
	for i := range 64 {
		c := claims()
		c.TokenID = strconv.Itoa(i)
		raw := sign(t, f, k, c)
		dot := strings.LastIndexByte(raw, '.')
		sig, err := base64.RawURLEncoding.DecodeString(raw[dot+1:])
		if err != nil {
			t.Fatal(err)
		}
		other := twin(sig)
		// It verifies, or the story is empty.
		if err := jwt.SigningMethodES256.Verify(raw[:dot], other, private(t, k).Public().(*ecdsa.PublicKey)); err != nil {
			t.Fatal(err)
		}
		refused(t, f, []authority.Key{k}, "the twin", raw[:dot+1]+enc(string(other)))
		if _, _, err := f.Read([]authority.Key{k}, issuer, raw); err != nil {
			t.Fatalf("our own: %v", err)
		}
	}
}

// Two readers must see one token: no member twice, however its name is written, at
// any level; nothing that one parser mends and another does not.
func TestTwoReadersOneToken(t *testing.T) {
	f := token.New()
	k := newKey(t, f, "ES256")
	keys := []authority.Key{k}
	for _, m := range []string{
		`"sub":"admin"`, `"s\u0075b":"admin"`, `"\u0073\u0075\u0062":"admin"`, `"aud":"x"`, `"exp":9999999999`,
		`"x":{"a":1,"a":2}`, `"x":{"a":1,"\u0061":2}`, `"x":[{"y":{"a":1,"a":1}}]`, `"x":"\ud800"`, `"x":"\udc00\ud800"`, `"x":"\ud800\u0041"`,
		`"x":"` + "\xff" + `"`, `"x":"` + "\xc0\x80" + `"`, `"` + "\xed\xa0\x80" + `":1`, `"x":"` + "\t" + `"`, `"x":01`, `"x":+1`, `"x":.5`,
		`"x":1.`, `"x":NaN`, `"x":'a'`, `"x":1,`, `,"x":1`, `"x"`, `x:1`, `"x":1 /* */`, `"x":"\x41"`, `"x":"\u00"`, `"x":tru`, `"x":[1,]`,
		`"x":` + strings.Repeat("[", 20) + strings.Repeat("]", 20),
	} {
		refused(t, f, keys, m, forge(t, k, head(k), with(body, m)))
	}
	for _, claims := range []string{
		body + body, body + "x", body + "\x00", "\ufeff" + body, "", " ", "null", "[]", `"` + "a" + `"`, "{}", "[" + body + "]", body[:len(body)-1],
	} {
		refused(t, f, keys, claims, forge(t, k, head(k), claims))
	}
	for _, m := range []string{`"alg":"ES256"`, `"typ":"at+jwt"`, `"kid":"x"`, `"k\u0069d":"` + k.ID + `"`, `"\u0061lg":"none"`} {
		refused(t, f, keys, "header "+m, forge(t, k, with(head(k), m), body))
		refused(t, f, keys, "header first "+m, forge(t, k, "{"+m+","+head(k)[1:], body))
	}
	// In another case the name is another one: not `sub`, and not needed.
	c, _, err := f.Read(keys, issuer, forge(t, k, head(k), with(body, `"Sub":"admin","SUB":"admin"`)))
	if err != nil || c.Subject != "s" {
		t.Errorf("%q, %v", c.Subject, err)
	}
}

// A weak key that came into the store somehow is not used.
func TestWeakKeysAreRefused(t *testing.T) {
	f := token.New()
	p384, err := ecdsa.GenerateKey(elliptic.P384(), nil)
	if err != nil {
		t.Fatal(err)
	}
	small, err := rsa.GenerateKey(nil, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for alg, key := range map[string]crypto.Signer{"ES256": p384, "RS256": small} {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		k := authority.Key{ID: "weak", Purpose: authority.PurposeAccess, Alg: alg, Private: der}
		if _, err := f.Sign(k, claims()); authority.KindOf(err) != authority.Internal || err == nil {
			t.Errorf("%s signs: %v", alg, err)
		}
	}
}

func TestManyReadersAtOnce(t *testing.T) {
	f := token.New()
	var keys []authority.Key
	var raws []string
	for _, alg := range algs {
		keys = append(keys, newKey(t, f, alg))
		raws = append(raws, sign(t, f, keys[len(keys)-1], claims()))
	}
	fresh := token.New()
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for _, raw := range raws {
				if _, _, err := fresh.Read(keys, issuer, raw); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// Nothing but what was signed is read: not one changed byte of it. The fuzzer's
// processes each have their own keys, so what it varies is an edit: which token,
// and what stands in place of the bytes from one position on.
func FuzzRead(f *testing.F) {
	forms := token.New()
	var keys []authority.Key
	var raws []string
	for i, alg := range algs {
		keys = append(keys, newKey(f, forms, alg))
		raws = append(raws, sign(f, forms, keys[i], claims()))
		f.Add(i, 0, 0, "")
		f.Add(i, len(raws[i]), 0, "=")
		f.Add(i, len(raws[i])-1, 1, "B")
		f.Add(i, 20, 0, "\n")
		f.Add(i, 0, 1<<20, enc(`{"alg":"none","typ":"at+jwt","kid":"k"}`)+"."+enc(body)+".AA")
		f.Add(i, 0, 1<<20, "a.b.c.d.e")
		f.Add(i, 0, 10, "...")
	}
	f.Fuzz(func(t *testing.T, which, at, cut int, insert string) {
		good := raws[max(which, 0)%len(raws)]
		at = min(max(at, 0), len(good))
		cut = min(max(cut, 0), len(good)-at)
		raw := good[:at] + insert + good[at+cut:]
		_, _, err := forms.Read(keys, issuer, raw)
		if (err == nil) != (raw == good) {
			t.Errorf("%q: %v", raw, err)
		}
		if err != nil && authority.KindOf(err) != authority.TokenInvalid {
			t.Errorf("%q: %v", raw, err)
		}
		forms.KindOf(raw)
	})
}
