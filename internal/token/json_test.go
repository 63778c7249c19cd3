package token

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

func TestReadObject(t *testing.T) {
	got, err := readObject(" {\"a\" : \"x\\n\" ,\n\"\\u0062\":[1, {\"c\":null}],\t\"d\":-0.5E-3,\"e\":{},\"f\":[],\"\\ud83d\\udd10\":true}\r\n", nil)
	want := []member{
		{"a", `"x\n"`}, {"b", `[1, {"c":null}]`}, {"d", "-0.5E-3"}, {"e", "{}"}, {"f", "[]"}, {"\U0001F510", "true"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestReadObjectSaysWhy(t *testing.T) {
	deep := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	wide := func(n int) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(`,"` + strconv.Itoa(i) + `":1`)
		}
		return "{" + b.String()[1:] + "}"
	}
	again := func(n, at int) string { return strings.TrimSuffix(wide(n), "}") + `,"` + strconv.Itoa(at) + `":2}` }
	for text, want := range map[string]error{
		`{"a":1,"a":1}`: errDuplicate, `{"a":{"b":1,"\u0062":2}}`: errDuplicate, `{"\ud83d\udd10":1,"` + "\U0001F510" + `":1}`: errDuplicate,
		deep(maxDepth): nil, deep(maxDepth + 1): errTooDeep, wide(maxMembers): nil, wide(maxMembers + 1): errMembers,
		again(maxCompared-1, 0): errDuplicate, again(maxCompared, 0): errDuplicate, again(maxCompared+1, maxCompared): errDuplicate,
		again(maxMembers-1, 300): errDuplicate, again(maxMembers-1, maxMembers): nil,
		`{"a":` + strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth) + `}`: errTooDeep,
		`{"a":[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[]]}`:               nil,
		`{"a":"\ud800"}`: errSyntax, `{"a":1}{}`: errSyntax, ``: errSyntax, `[]`: errSyntax, `{"a"`: errSyntax, `{"a":"\`: errSyntax,
	} {
		if _, err := readObject(text, nil); !errors.Is(err, want) {
			t.Errorf("%.60s: %v, want %v", text, err, want)
		}
	}
}

// The scanner takes nothing that encoding/json does not, sees the same values, and
// refuses nothing but what it says it refuses.
func FuzzReadObject(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"a":1}`, `{"a":"\u0062\ud83d\udd10","c":[1,-2.5e+7,{"d":null}],"e":true}`, `{"a":1,"\u0061":2}`, `{"a":"\ud800"}`,
		`{"a":01}`, `{"a":[1,]}`, "{\"a\":\"\xff\"}", ` { "x" : false } `, `{"a":-}`, `{"a":1e}`, `[]`, `{"a":"\x"}`, "{\"a\":\"\x00\"}",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		members, err := readObject(text, nil)
		var want map[string]json.RawMessage
		reference := json.Unmarshal([]byte(text), &want)
		if err != nil {
			// Plain ASCII without escapes leaves syntax as the only ground for errSyntax.
			plain := !strings.ContainsFunc(text, func(r rune) bool { return r > '~' || r == '\\' })
			if errors.Is(err, errSyntax) && reference == nil && plain && strings.TrimSpace(text) != "null" {
				t.Errorf("%q: refused, and it is JSON", text)
			}
			return
		}
		if reference != nil || len(want) != len(members) {
			t.Fatalf("%q: taken, reference %v, %d members and not %d", text, reference, len(members), len(want))
		}
		for _, m := range members {
			if string(want[m.name]) != m.value {
				t.Errorf("%q: %q is %q, want %q", text, m.name, m.value, want[m.name])
			}
		}
	})
}

// What readClaims takes, Sign would write again with the same meaning.
func FuzzReadClaims(f *testing.F) {
	const good = `{"iss":"i","exp":2,"aud":"a","sub":"s","client_id":"c","iat":1,"jti":"j"}`
	f.Add(good)
	f.Add(strings.Replace(good, `"a"`, `["a","b"]`, 1))
	f.Add(strings.Replace(good, `}`, `,"scope":"x y","sid":"1","auth_time":-7,"other":{"a":[]}}`, 1))
	f.Add(strings.Replace(good, `}`, `,"cnf":{}}`, 1))
	f.Add(strings.Replace(good, `2`, `2.0`, 1))
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		f.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		f.Fatal(err)
	}
	forms, k := New(), authority.Key{ID: "k", Purpose: authority.PurposeAccess, Alg: algEdDSA, Private: der}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := readClaims(text)
		if err != nil || len(text) > maxToken/16 {
			return
		}
		raw, err := forms.Sign(k, c)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		again, _, err := forms.Read([]authority.Key{k}, c.Issuer, raw)
		if err != nil || !reflect.DeepEqual(c, again) {
			t.Errorf("%q: %+v became %+v, %v", text, c, again, err)
		}
	})
}

// The examples of RFC 7638 §3.1 and RFC 8037 A.3.
func TestThumbprintVectors(t *testing.T) {
	for want, k := range map[string]jwk{
		"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs": {
			Type: "RSA", Exponent: "AQAB",
			Modulus: "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn6" +
				"4tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbIS" +
				"D08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
		},
		"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k": {Type: "OKP", Curve: "Ed25519", X: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
	} {
		if got := k.thumbprint(); got != want {
			t.Errorf("%s: %s, want %s", k.Type, got, want)
		}
	}
}

// However many realms a process has served, it remembers a bounded number of keys.
func TestRememberedKeysAreBounded(t *testing.T) {
	f := New()
	for i := range 3 * maxParsed {
		f.remember(secret.Digest{byte(i), byte(i >> 8)}, &keyPair{})
	}
	if len(f.parsed) != maxParsed {
		t.Errorf("%d keys, want %d", len(f.parsed), maxParsed)
	}
}
