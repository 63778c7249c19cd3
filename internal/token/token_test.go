package token_test

import (
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

const issuer = "https://auth.example.com"

var algs = []string{"ES256", "RS256", "EdDSA"}

// newKey makes a key as the authority stores it.
func newKey(tb testing.TB, f *token.Forms, alg string) authority.Key {
	tb.Helper()
	k, err := f.NewKey(alg)
	if err != nil {
		tb.Fatal(err)
	}
	k.Purpose = authority.PurposeAccess
	k.Created = time.Unix(1_700_000_000, 0)
	return k
}

func claims() authority.AccessClaims {
	return authority.AccessClaims{
		Issuer: issuer, Subject: "5e0f7c1c-0000-5000-8000-000000000001", Audience: []string{issuer},
		Client: "app", Scope: "read write", TokenID: "jti-1", Session: "sid-1",
		IssuedAt: 1_700_000_000, Expires: 1_700_000_300, AuthTime: 1_699_999_000,
	}
}

func sign(tb testing.TB, f *token.Forms, k authority.Key, c authority.AccessClaims) string {
	tb.Helper()
	raw, err := f.Sign(k, c)
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

// segment decodes one part of a token.
func segment(tb testing.TB, raw string, n int) string {
	tb.Helper()
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[n])
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

func TestReadReturnsWhatSignWrote(t *testing.T) {
	f := token.New()
	machine := claims()
	machine.Session, machine.AuthTime, machine.Scope = "", 0, ""
	many := claims()
	many.Audience = []string{"https://a.example.com", "https://b.example.com?x=1&y=<2>"}
	odd := claims()
	odd.Subject, odd.Client = "ünï \"quoted\" \\ \t\u2028 \U0001F510", "a<b>&c"
	known := claims()
	known.UserID = known.Subject
	for _, alg := range algs {
		k := newKey(t, f, alg)
		for _, want := range []authority.AccessClaims{claims(), machine, many, odd, known} {
			raw := sign(t, f, k, want)
			got, kid, err := f.Read([]authority.Key{newKey(t, f, "EdDSA"), k}, issuer, raw)
			if err != nil {
				t.Fatalf("%s: %v", alg, err)
			}
			if kid != k.ID || !reflect.DeepEqual(got, want) {
				t.Errorf("%s: got %+v with %s, want %+v with %s", alg, got, kid, want, k.ID)
			}
		}
	}
}

func TestSignWritesOneSpelling(t *testing.T) {
	f := token.New()
	k := newKey(t, f, "ES256")
	c := claims()
	raw := sign(t, f, k, c)
	if got, want := segment(t, raw, 0), `{"alg":"ES256","typ":"at+jwt","kid":"`+k.ID+`"}`; got != want {
		t.Errorf("header %s, want %s", got, want)
	}
	want := `{"iss":"https://auth.example.com","exp":1700000300,"aud":"https://auth.example.com",` +
		`"sub":"5e0f7c1c-0000-5000-8000-000000000001","client_id":"app","iat":1700000000,"jti":"jti-1",` +
		`"scope":"read write","sid":"sid-1","auth_time":1699999000}`
	if got := segment(t, raw, 1); got != want {
		t.Errorf("claims %s, want %s", got, want)
	}
	c.UserID = "the user"
	want = strings.TrimSuffix(want, "}") + `,"userId":"the user"}`
	if got := segment(t, sign(t, f, k, c), 1); got != want {
		t.Errorf("claims %s, want %s", got, want)
	}
	c.Scope, c.Session, c.AuthTime, c.UserID, c.Audience = "", "", 0, "", []string{"a:1", "b:2"}
	want = `{"iss":"https://auth.example.com","exp":1700000300,"aud":["a:1","b:2"],` +
		`"sub":"5e0f7c1c-0000-5000-8000-000000000001","client_id":"app","iat":1700000000,"jti":"jti-1"}`
	if got := segment(t, sign(t, f, k, c), 1); got != want {
		t.Errorf("claims %s, want %s", got, want)
	}
}

func TestSignRefusesWhatReadWouldNotTake(t *testing.T) {
	f := token.New()
	good := newKey(t, f, "ES256")
	for name, spoil := range map[string]func(*authority.Key, *authority.AccessClaims){
		"no issuer":        func(_ *authority.Key, c *authority.AccessClaims) { c.Issuer = "" },
		"no subject":       func(_ *authority.Key, c *authority.AccessClaims) { c.Subject = "" },
		"no client":        func(_ *authority.Key, c *authority.AccessClaims) { c.Client = "" },
		"no id":            func(_ *authority.Key, c *authority.AccessClaims) { c.TokenID = "" },
		"no audience":      func(_ *authority.Key, c *authority.AccessClaims) { c.Audience = nil },
		"an empty one":     func(_ *authority.Key, c *authority.AccessClaims) { c.Audience = []string{"a:1", ""} },
		"NUL":              func(_ *authority.Key, c *authority.AccessClaims) { c.Subject = "a\x00b" },
		"NUL in userId":    func(_ *authority.Key, c *authority.AccessClaims) { c.UserID = "a\x00b" },
		"bad UTF-8":        func(_ *authority.Key, c *authority.AccessClaims) { c.Scope = "\xff" },
		"too long":         func(_ *authority.Key, c *authority.AccessClaims) { c.Scope = strings.Repeat("s", 16<<10) },
		"purpose":          func(k *authority.Key, _ *authority.AccessClaims) { k.Purpose = authority.PurposeRealm },
		"revoked":          func(k *authority.Key, _ *authority.AccessClaims) { k.Revoked = time.Unix(1, 0) },
		"alg of another":   func(k *authority.Key, _ *authority.AccessClaims) { k.Alg = "RS256" },
		"alg none":         func(k *authority.Key, _ *authority.AccessClaims) { k.Alg = "none" },
		"id with a quote":  func(k *authority.Key, _ *authority.AccessClaims) { k.ID = `x","jku":"https://evil` },
		"no id of the key": func(k *authority.Key, _ *authority.AccessClaims) { k.ID = "" },
		"broken key":       func(k *authority.Key, _ *authority.AccessClaims) { k.Private = k.Private[:40] },
		"no key":           func(k *authority.Key, _ *authority.AccessClaims) { k.Private = nil },
	} {
		k, c := good, claims()
		spoil(&k, &c)
		raw, err := f.Sign(k, c)
		if raw != "" || authority.KindOf(err) != authority.Internal || err == nil {
			t.Errorf("%s: %q, %v", name, raw, err)
		}
	}
}

func TestNewKey(t *testing.T) {
	f := token.New()
	for _, alg := range algs {
		a, b := newKey(t, f, alg), newKey(t, f, alg)
		if a.ID == b.ID || len(a.ID) != 43 || a.Alg != alg {
			t.Errorf("%s: %q and %q", alg, a.ID, b.ID)
		}
	}
	for _, alg := range []string{"", "none", "HS256", "es256", "ES384"} {
		if _, err := f.NewKey(alg); err == nil || authority.KindOf(err) != authority.Internal {
			t.Errorf("%q: %v", alg, err)
		}
	}
}

func TestOpaqueTokens(t *testing.T) {
	f := token.New()
	for kind, prefix := range map[authority.TokenKind]string{
		authority.KindAccess: "gateat_", authority.KindRefresh: "gatert_", authority.KindPersonal: "gatept_",
	} {
		raw := f.NewOpaque(kind)
		if !strings.HasPrefix(raw, prefix) || len(raw) != len(prefix)+43 || raw == f.NewOpaque(kind) {
			t.Errorf("%s: %q", kind, raw)
		}
		if got, jwt := f.KindOf(raw); got != kind || jwt {
			t.Errorf("%s is taken for %q, jwt %t", raw, got, jwt)
		}
		body := raw[len(prefix):]
		for _, bad := range []string{
			prefix, raw[:len(raw)-1], raw + "A", raw[:len(raw)-1] + "=", raw[:len(raw)-1] + "+",
			" " + raw, raw + "\n", strings.ToUpper(prefix) + body, body, "gatexx_" + body, raw[:20] + "." + raw[21:],
		} {
			if got, jwt := f.KindOf(bad); got != "" || jwt {
				t.Errorf("%q is taken for %q, jwt %t", bad, got, jwt)
			}
		}
	}
}

// A personal token of the golem dialect is a UUID and nothing else; of a spelling
// that others would take for the same there must not be a second one.
func TestUUIDsArePersonalTokens(t *testing.T) {
	f := token.New()
	const good = "0d9f3a52-7c1e-4b6d-8a4f-2e5b90c1d7e3"
	for _, variant := range "89ab" {
		raw := good[:19] + string(variant) + good[20:]
		if kind, jwt := f.KindOf(raw); kind != authority.KindPersonal || jwt {
			t.Errorf("%s is taken for %q, jwt %t", raw, kind, jwt)
		}
	}
	for range 100 {
		if raw := secret.UUID(); !personal(f, raw) {
			t.Errorf("%s, which we issue, is not taken", raw)
		}
	}
	for _, bad := range []string{
		strings.ToUpper(good), good[:35] + "E", "{" + good + "}", "urn:uuid:" + good, strings.ReplaceAll(good, "-", ""),
		" " + good, good + " ", good + "\n", good[:35], good + "0", good[:35] + "g", good[:35] + "é"[:1], good[:34] + "é",
		good[:8] + "_" + good[9:], good[:8] + "0" + good[9:], good[:9] + "-" + good[10:], good[:7] + "-" + good[7:8] + good[9:],
		good[:14] + "1" + good[15:], good[:14] + "5" + good[15:], good[:14] + "7" + good[15:], good[:19] + "7" + good[20:], good[:19] + "c" + good[20:],
		good[:19] + "A" + good[20:], "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff", good[:35] + "\x00",
	} {
		if kind, jwt := f.KindOf(bad); kind != "" || jwt {
			t.Errorf("%q is taken for %q, jwt %t", bad, kind, jwt)
		}
	}
}

func personal(f *token.Forms, raw string) bool {
	kind, jwt := f.KindOf(raw)
	return kind == authority.KindPersonal && !jwt
}

func TestNewOpaqueOfNoKindPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a token of no kind")
		}
	}()
	token.New().NewOpaque("session")
}

func TestKindOfJWT(t *testing.T) {
	f := token.New()
	if kind, jwt := f.KindOf(sign(t, f, newKey(t, f, "ES256"), claims())); kind != authority.KindAccess || !jwt {
		t.Errorf("%q, %t", kind, jwt)
	}
	for _, bad := range []string{
		"", ".", "..", "a.b", "a..c", ".b.c", "a.b.", "a.b.c.d", "a.b.c.d.e",
		strings.Repeat(".", 100_000), "a.b." + strings.Repeat("c", 16<<10),
	} {
		if kind, jwt := f.KindOf(bad); kind != "" || jwt {
			t.Errorf("%.20q: %q, %t", bad, kind, jwt)
		}
	}
}

func TestPublicSetNeverHoldsAPrivateMember(t *testing.T) {
	f := token.New()
	var keys []authority.Key
	for _, alg := range algs {
		keys = append(keys, newKey(t, f, alg))
	}
	realm := authority.Key{ID: "r", Purpose: authority.PurposeRealm, Alg: "HKDF-SHA256", Private: []byte("the realm's root secret, 32 bytes")}
	revoked := newKey(t, f, "ES256")
	revoked.Revoked = time.Unix(1_700_000_001, 0)
	out, err := f.PublicSet(append([]authority.Key{realm, revoked}, keys...))
	if err != nil {
		t.Fatal(err)
	}
	var set struct{ Keys []map[string]string }
	if err := json.Unmarshal(out, &set); err != nil {
		t.Fatal(err)
	}
	if len(set.Keys) != len(keys) {
		t.Fatalf("%d keys, want %d: %s", len(set.Keys), len(keys), out)
	}
	// RFC 7517 §4, RFC 7518 §6 and RFC 8037 §2 name the public members; d, p, q, dp,
	// dq, qi, oth and k are the private ones.
	public := map[string][]string{
		"EC": {"kty", "use", "alg", "kid", "crv", "x", "y"}, "RSA": {"kty", "use", "alg", "kid", "n", "e"},
		"OKP": {"kty", "use", "alg", "kid", "crv", "x"},
	}
	for _, k := range set.Keys {
		want := public[k["kty"]]
		if len(k) != len(want) || k["use"] != "sig" {
			t.Errorf("%v, want the members %v", k, want)
		}
		for _, name := range want {
			if k[name] == "" {
				t.Errorf("%s is missing in %v", name, k)
			}
		}
	}
}

func TestPublicSetIsTheSameForTheSameKeys(t *testing.T) {
	f := token.New()
	oldest, a, b := newKey(t, f, "EdDSA"), newKey(t, f, "ES256"), newKey(t, f, "RS256")
	oldest.Created = oldest.Created.Add(-time.Hour)
	first, err := f.PublicSet([]authority.Key{oldest, a, b})
	if err != nil {
		t.Fatal(err)
	}
	second, err := token.New().PublicSet([]authority.Key{b, a, oldest})
	if err != nil || string(first) != string(second) {
		t.Errorf("%s\n%s\n%v", first, second, err)
	}
	if !strings.HasPrefix(string(first), `{"keys":[{"kty":"OKP"`) {
		t.Errorf("the oldest key is not the first: %s", first)
	}
	if empty, err := f.PublicSet(nil); err != nil || string(empty) != `{"keys":[]}` {
		t.Errorf("%s, %v", empty, err)
	}
	broken := newKey(t, f, "ES256")
	broken.Private = []byte("broken")
	if out, err := f.PublicSet([]authority.Key{a, broken}); out != nil || authority.KindOf(err) != authority.Internal || err == nil {
		t.Errorf("%s, %v", out, err)
	}
}

func BenchmarkSign(b *testing.B) {
	for _, alg := range algs {
		b.Run(alg, func(b *testing.B) {
			f := token.New()
			k, c := newKey(b, f, alg), claims()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := f.Sign(k, c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	for _, alg := range algs {
		b.Run(alg, func(b *testing.B) {
			f := token.New()
			keys := []authority.Key{newKey(b, f, alg)}
			raw := sign(b, f, keys[0], claims())
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := f.Read(keys, issuer, raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
