package token_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"hash"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// stepKey is a key whose secret follows from its id, so that the processes of a
// fuzzer have the same.
func stepKey(id, typ string) authority.StepKey {
	return authority.StepKey{ID: id, Type: typ, Secret: secret.Derive([]byte("a root of the tests, of 32 bytes"), id)}
}

func authStep() authority.StepKey { return stepKey("kid-1", "auth+jwt") }

func stepClaims() authority.StepClaims {
	return authority.StepClaims{
		Issuer: issuer, Subject: "5e0f7c1c-0000-5000-8000-000000000001", TokenID: "jti-1", Detail: "github",
		IssuedAt: 1_700_000_000, Expires: 1_700_000_300,
	}
}

func signStep(tb testing.TB, k authority.StepKey, c authority.StepClaims) string {
	tb.Helper()
	raw, err := token.New().SignStep(k, c)
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

const stepBody = `{"iss":"` + issuer + `","sub":"s","jti":"j","iat":1700000000,"exp":1700000300}`

func stepHead(k authority.StepKey) string {
	return `{"alg":"HS256","typ":"` + k.Type + `","kid":"` + k.ID + `"}`
}

// sealStep signs the first two parts as they stand.
func sealStep(k authority.StepKey, input string) string {
	return macStep(sha256.New, k.Secret[:], input)
}

func macStep(h func() hash.Hash, key []byte, input string) string {
	mac := hmac.New(h, key)
	mac.Write([]byte(input))
	return input + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func forgeStep(k authority.StepKey, header, claims string) string {
	return sealStep(k, enc(header)+"."+enc(claims))
}

func refusedStep(t *testing.T, k authority.StepKey, story, raw string) {
	t.Helper()
	c, err := token.New().ReadStep(k, issuer, raw)
	var e *authority.Error
	if !errors.As(err, &e) || e.Kind != authority.TokenInvalid || e.Public == "" || e.Op != "read step token" {
		t.Errorf("%s: %v", story, err)
		return
	}
	if c != (authority.StepClaims{}) {
		t.Errorf("%s: refused, and facts given away: %+v", story, c)
	}
	if strings.ContainsFunc(e.Public, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
		t.Errorf("%s: %q cannot stand in a challenge", story, e.Public)
	}
	for part := range strings.SplitSeq(raw, ".") {
		if len(part) > 8 && strings.Contains(err.Error(), part) {
			t.Errorf("%s: the error repeats the token: %.200s", story, err)
		}
	}
}

func TestReadStepReturnsWhatSignStepWrote(t *testing.T) {
	plain, odd := stepClaims(), stepClaims()
	plain.Detail = ""
	odd.Subject, odd.Detail = "ünï \"quoted\" \\ \t\u2028 \U0001F510", "a<b>&c"
	for _, want := range []authority.StepClaims{stepClaims(), plain, odd} {
		got, err := token.New().ReadStep(authStep(), issuer, signStep(t, authStep(), want))
		if err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
}

func TestSignStepWritesOneSpelling(t *testing.T) {
	k, c := authStep(), stepClaims()
	raw := signStep(t, k, c)
	if got, want := segment(t, raw, 0), `{"alg":"HS256","typ":"auth+jwt","kid":"kid-1"}`; got != want {
		t.Errorf("header %s, want %s", got, want)
	}
	want := `{"iss":"https://auth.example.com","sub":"5e0f7c1c-0000-5000-8000-000000000001","jti":"jti-1",` +
		`"iat":1700000000,"exp":1700000300,"dtl":"github"}`
	if got := segment(t, raw, 1); got != want {
		t.Errorf("claims %s, want %s", got, want)
	}
	if again := signStep(t, k, c); again != raw {
		t.Errorf("%s and %s", raw, again)
	}
	c.Detail = ""
	if got := segment(t, signStep(t, k, c), 1); got != strings.Replace(want, `,"dtl":"github"`, "", 1) {
		t.Errorf("claims %s", got)
	}
	// RFC 7515: somebody else's library verifies it with the same secret.
	parsed, err := jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithoutClaimsValidation()).
		Parse(raw, func(*jwt.Token) (any, error) { return k.Secret[:], nil })
	if err != nil || !parsed.Valid {
		t.Errorf("golang-jwt: %v", err)
	}
}

func TestSignStepRefusesWhatReadStepWouldNotTake(t *testing.T) {
	for name, spoil := range map[string]func(*authority.StepKey, *authority.StepClaims){
		"no issuer":       func(_ *authority.StepKey, c *authority.StepClaims) { c.Issuer = "" },
		"no subject":      func(_ *authority.StepKey, c *authority.StepClaims) { c.Subject = "" },
		"no id":           func(_ *authority.StepKey, c *authority.StepClaims) { c.TokenID = "" },
		"NUL":             func(_ *authority.StepKey, c *authority.StepClaims) { c.Detail = "a\x00b" },
		"bad UTF-8":       func(_ *authority.StepKey, c *authority.StepClaims) { c.Detail = "\xff" },
		"too long":        func(_ *authority.StepKey, c *authority.StepClaims) { c.Detail = strings.Repeat("d", 16<<10) },
		"no secret":       func(k *authority.StepKey, _ *authority.StepClaims) { k.Secret = [secret.KeySize]byte{} },
		"no kid":          func(k *authority.StepKey, _ *authority.StepClaims) { k.ID = "" },
		"kid with quote":  func(k *authority.StepKey, _ *authority.StepClaims) { k.ID = `x","jku":"https://evil` },
		"kid too long":    func(k *authority.StepKey, _ *authority.StepClaims) { k.ID = strings.Repeat("k", 129) },
		"no type":         func(k *authority.StepKey, _ *authority.StepClaims) { k.Type = "" },
		"type too long":   func(k *authority.StepKey, _ *authority.StepClaims) { k.Type = strings.Repeat("t", 65) },
		"type with quote": func(k *authority.StepKey, _ *authority.StepClaims) { k.Type = `auth","crit":"x` },
		"capitals":        func(k *authority.StepKey, _ *authority.StepClaims) { k.Type = "AUTH+jwt" },
		"access tokens'":  func(k *authority.StepKey, _ *authority.StepClaims) { k.Type = "at+jwt" },
		"anybody's type":  func(k *authority.StepKey, _ *authority.StepClaims) { k.Type = "jwt" },
	} {
		k, c := authStep(), stepClaims()
		spoil(&k, &c)
		raw, err := token.New().SignStep(k, c)
		if raw != "" || err == nil || authority.KindOf(err) != authority.Internal {
			t.Errorf("%s: %q, %v", name, raw, err)
		}
		// Who has such a key by mistake also reads nothing with it.
		if k != authStep() {
			refusedStep(t, k, name, forgeStep(k, stepHead(k), stepBody))
		}
	}
}

// Each purpose has a key, a `kid` and a `typ` of its own, and none of the three may
// be somebody else's.
func TestStepsAreNotOneAnother(t *testing.T) {
	k := authStep()
	raw := signStep(t, k, stepClaims())
	for name, other := range map[string]authority.StepKey{
		"another purpose":               stepKey("kid-2", "refresh+jwt"),
		"another type, same key":        {ID: k.ID, Type: "refresh+jwt", Secret: k.Secret},
		"another kid, same key":         {ID: "kid-2", Type: k.Type, Secret: k.Secret},
		"another secret, same kid":      {ID: k.ID, Type: k.Type, Secret: stepKey("kid-2", "").Secret},
		"type that begins alike":        {ID: k.ID, Type: k.Type + "2", Secret: k.Secret},
		"kid of another case, same key": {ID: "KID-1", Type: k.Type, Secret: k.Secret},
	} {
		refusedStep(t, other, name, raw)
		if _, err := token.New().ReadStep(other, issuer, signStep(t, other, stepClaims())); err != nil {
			t.Errorf("%s does not read its own: %v", name, err)
		}
		refusedStep(t, k, "one of "+name, signStep(t, other, stepClaims()))
	}
	if _, err := token.New().ReadStep(k, issuer+"/", raw); authority.KindOf(err) != authority.TokenInvalid || err == nil {
		t.Errorf("for another issuer: %v", err)
	}
}

// An access token opens no step, and a step no resource: whoever signed it, whatever
// it calls itself.
func TestStepsAndAccessTokensAreApart(t *testing.T) {
	f, k := token.New(), authStep()
	access := newKey(t, f, "ES256")
	refusedStep(t, k, "an access token", sign(t, f, access, claims()))
	refusedStep(t, k, "a step's claims under the access key", forge(t, access, head(access), stepBody))
	refusedStep(t, k, "a step's header and claims under the access key", forge(t, access, stepHead(k), stepBody))
	step := signStep(t, k, stepClaims())
	same := k
	same.ID = access.ID
	keys := []authority.Key{access, {ID: k.ID, Purpose: authority.PurposeAccess, Alg: "HS256", Private: k.Secret[:]}}
	refused(t, f, keys, "a step", step)
	refused(t, f, keys, "a step under the id of an access key", signStep(t, same, stepClaims()))
	refused(t, f, keys, "an access token's claims under the step's key", forgeStep(k, stepHead(k), body))
	refused(t, f, keys, "an access token's type under the step's key", forgeStep(k, `{"alg":"HS256","typ":"at+jwt","kid":"`+k.ID+`"}`, body))
	if kind, isJWT := f.KindOf(step); kind != authority.KindAccess || !isJWT {
		t.Errorf("a step looks like %q, jwt %t; the verifier is asked about every JWT", kind, isJWT)
	}
}

// The header is exactly ours: no other algorithm, order, space, member or escape.
func TestStepHeaderIsExact(t *testing.T) {
	k := authStep()
	if _, err := token.New().ReadStep(k, issuer, forgeStep(k, stepHead(k), stepBody)); err != nil {
		t.Fatalf("the forger's tools do not work: %v", err)
	}
	for _, h := range []string{
		`{"alg":"none","typ":"auth+jwt","kid":"kid-1"}`, `{"alg":"HS512","typ":"auth+jwt","kid":"kid-1"}`, `{"alg":"hs256","typ":"auth+jwt","kid":"kid-1"}`,
		`{"typ":"auth+jwt","alg":"HS256","kid":"kid-1"}`, `{"alg":"HS256", "typ":"auth+jwt","kid":"kid-1"}`, ` ` + stepHead(k), stepHead(k) + "\n",
		`{"alg":"HS256","typ":"auth+jwt","kid":"kid-\u0031"}`, `{"alg":"HS256","typ":"auth+jwt"}`, `{"alg":"HS256","kid":"kid-1"}`, `{"alg":"HS256"}`, `{}`, ``,
		`{"alg":"HS256","typ":"AUTH+jwt","kid":"kid-1"}`, `{"alg":"HS256","typ":"application/auth+jwt","kid":"kid-1"}`, `{"alg":"HS256","typ":"JWT","kid":"kid-1"}`,
		with(stepHead(k), `"crit":["exp"]`), with(stepHead(k), `"b64":false`), with(stepHead(k), `"zip":"DEF"`), with(stepHead(k), `"kid":"kid-1"`),
		with(stepHead(k), `"jwk":{"kty":"oct","k":"AA"}`), with(stepHead(k), `"x":1`),
	} {
		refusedStep(t, k, h, forgeStep(k, h, stepBody))
	}
	input := enc(stepHead(k)) + "." + enc(stepBody)
	refusedStep(t, k, "HS512 under our header", macStep(sha512.New, k.Secret[:], input))
	refusedStep(t, k, "an empty secret", macStep(sha256.New, nil, input))
	refusedStep(t, k, "no signature", input+".")
	refusedStep(t, k, "two parts", input)
	refusedStep(t, k, "four parts", sealStep(k, input)+".AA")
	refusedStep(t, k, "half a signature", sealStep(k, input)[:len(input)+22])
	refusedStep(t, k, "nothing", "")
	refusedStep(t, k, "17 KiB", strings.Repeat("A", 17<<10))
}

// A spent step stays spent in every spelling.
func TestStepHasOneSpelling(t *testing.T) {
	k := authStep()
	raw := signStep(t, k, stepClaims())
	parts := strings.Split(raw, ".")
	for i, name := range []string{"header", "claims", "signature"} {
		p := parts[i]
		spellings := append(otherTrailingBits(p), p+"=", p+"==", p+"\n", p+"\r\n", "\n"+p, " "+p, p+" ", p[:5]+"\n"+p[5:], p+"A", p+"AAAA", p+"\x00")
		if std := strings.NewReplacer("-", "+", "_", "/").Replace(p); std != p {
			spellings = append(spellings, std)
		}
		for _, s := range spellings {
			other := append([]string(nil), parts...)
			other[i] = s
			refusedStep(t, k, name, strings.Join(other, "."))
		}
	}
	// Under a signature that covers them, too.
	for n := range 3 {
		claims := enc(strings.Replace(stepBody, `"s"`, `"s`+strings.Repeat("s", n)+`"`, 1))
		for _, c := range append(otherTrailingBits(claims), claims+"=", claims+"\n") {
			if c != claims && len(claims)%4 != 0 {
				refusedStep(t, k, "signed claims "+c[len(c)-2:], sealStep(k, enc(stepHead(k))+"."+c))
			}
		}
	}
}

func TestStepClaimsThatAreNotOurs(t *testing.T) {
	k := authStep()
	change := func(from, to string) string { return strings.Replace(stepBody, from, to, 1) }
	if _, err := token.New().ReadStep(k, issuer, forgeStep(k, stepHead(k), with(stepBody, `"future":{"a":[1]}`))); err != nil {
		t.Errorf("a claim of a newer release: %v", err)
	}
	for name, claims := range map[string]string{
		"another issuer":    change(issuer, "https://evil.example.com"),
		"no issuer":         change(`"iss":"`+issuer+`",`, ``),
		"no subject":        change(`"sub":"s",`, ``),
		"empty subject":     change(`"sub":"s"`, `"sub":""`),
		"subject a number":  change(`"sub":"s"`, `"sub":1`),
		"subject null":      change(`"sub":"s"`, `"sub":null`),
		"no id":             change(`"jti":"j",`, ``),
		"id in a list":      change(`"jti":"j"`, `"jti":["j"]`),
		"NUL in the id":     change(`"jti":"j"`, `"jti":"j\u0000"`),
		"no issue time":     change(`"iat":1700000000,`, ``),
		"no expiry":         change(`,"exp":1700000300`, ``),
		"expiry a string":   change(`1700000300`, `"1700000300"`),
		"expiry a fraction": change(`1700000300`, `1700000300.5`),
		"expiry too large":  change(`1700000300`, `9223372036854775808`),
		"detail a list":     with(stepBody, `"dtl":["x"]`),
		"detail with NUL":   with(stepBody, `"dtl":"\u0000"`),
		"audience":          with(stepBody, `"aud":"app"`),
		"not before":        with(stepBody, `"nbf":1700000000`),
		"bound":             with(stepBody, `"cnf":{"jkt":"AA"}`),
		"subject twice":     with(stepBody, `"sub":"admin"`),
		"subject escaped":   with(stepBody, `"s\u0075b":"admin"`),
		"half a pair":       with(stepBody, `"x":"\ud800"`),
		"bad UTF-8":         with(stepBody, "\"x\":\"\xff\""),
		"two objects":       stepBody + stepBody,
		"an array":          "[" + stepBody + "]",
		"nothing":           "null",
	} {
		refusedStep(t, k, name, forgeStep(k, stepHead(k), claims))
	}
}

// Nothing but what was signed is read: what is varied is an edit, as in FuzzRead.
func FuzzReadStep(f *testing.F) {
	k := authStep()
	good := signStep(f, k, stepClaims())
	f.Add(0, 0, "")
	f.Add(len(good), 0, "=")
	f.Add(len(good)-1, 1, "B")
	f.Add(20, 0, "\n")
	f.Add(0, 1<<20, enc(`{"alg":"none","typ":"auth+jwt","kid":"kid-1"}`)+"."+enc(stepBody)+".AA")
	f.Add(0, strings.IndexByte(good, '.'), enc(`{"alg":"HS256","typ":"refresh+jwt","kid":"kid-1"}`))
	f.Add(0, 1<<20, signStep(f, stepKey("kid-2", "auth+jwt"), stepClaims()))
	f.Add(0, 10, "...")
	f.Fuzz(func(t *testing.T, at, cut int, insert string) {
		at = min(max(at, 0), len(good))
		cut = min(max(cut, 0), len(good)-at)
		raw := good[:at] + insert + good[at+cut:]
		_, err := token.New().ReadStep(k, issuer, raw)
		if (err == nil) != (raw == good) {
			t.Errorf("%q: %v", raw, err)
		}
		if err != nil && authority.KindOf(err) != authority.TokenInvalid {
			t.Errorf("%q: %v", raw, err)
		}
	})
}

// Whatever claims are signed come back, and what is not signed was faulty.
func FuzzStepRoundTrip(f *testing.F) {
	f.Add("s", "j", "", int64(0), int64(0))
	f.Add("a<b>&\u2028", "\"\\", "d\x00", int64(-1), int64(1)<<62)
	f.Add("", "j", "\xff", int64(1), int64(2))
	f.Fuzz(func(t *testing.T, subject, id, detail string, issued, expires int64) {
		k := authStep()
		want := authority.StepClaims{Issuer: issuer, Subject: subject, TokenID: id, Detail: detail, IssuedAt: issued, Expires: expires}
		raw, err := token.New().SignStep(k, want)
		if err != nil {
			return
		}
		if got, err := token.New().ReadStep(k, issuer, raw); err != nil || got != want {
			t.Errorf("%+v came back as %+v, %v", want, got, err)
		}
	})
}

func BenchmarkReadStep(b *testing.B) {
	f, k := token.New(), authStep()
	raw := signStep(b, k, stepClaims())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.ReadStep(k, issuer, raw); err != nil {
			b.Fatal(err)
		}
	}
}
