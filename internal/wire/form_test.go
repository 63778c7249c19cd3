package wire

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

func TestParseForm(t *testing.T) {
	for _, tc := range []struct {
		name, raw string
		want      Params
	}{
		{"nothing", "", nil},
		{"one", "a=b", Params{{"a", "b"}}},
		{"order is kept", "b=1&a=2", Params{{"b", "1"}, {"a", "2"}}},
		{"plus and percent", "a=x+y%2Bz%20%26", Params{{"a", "x y+z &"}}},
		{"names are decoded too", "cl%69ent+id=1", Params{{"client id", "1"}}},
		{"without a value", "a&b=", Params{{"a", ""}, {"b", ""}}},
		{"an equals sign in the value", "a=b=c", Params{{"a", "b=c"}}},
		{"a semicolon is text", "a=b;c=d", Params{{"a", "b;c=d"}}},
		{"empty pairs", "&&a=b&", Params{{"a", "b"}}},
		{"UTF-8", "a=%C3%A4", Params{{"a", "ä"}}},
		{"repeatable", "resource=1&x=2&resource=3", Params{{"resource", "1"}, {"x", "2"}, {"resource", "3"}}},
		{"case makes another name", "a=1&A=2", Params{{"a", "1"}, {"A", "2"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ParseForm(tc.raw, "resource")
			if err != nil || !slices.Equal(got, tc.want) {
				t.Errorf("ParseForm(%q) = %q, %v; want %q", tc.raw, got, err, tc.want)
			}
		})
	}
}

func TestParseFormRefuses(t *testing.T) {
	for _, tc := range []struct{ name, raw, field, reason string }{
		{"repeated", "scope=a&x=1&scope=b", "scope", ReasonRepeated},
		{"repeated with one value", "scope=a&scope=a", "scope", ReasonRepeated},
		{"repeated without a value", "scope=&scope=a", "scope", ReasonRepeated},
		{"repeated in another spelling", "scope=a&sc%6Fpe=b", "scope", ReasonRepeated},
		{"repeated and unknown to us", "x=1&x=2", "x", ReasonRepeated},
		{"too often", strings.Repeat("resource=a&", MaxRepeats+1), "resource", ReasonTooMany},
		{"half an escape", "a=%", "a", ReasonEncoding},
		{"a wrong escape", "a=%zz", "a", ReasonEncoding},
		{"not UTF-8", "a=%ff", "a", ReasonText},
		{"an overlong dot", "a=%c0%ae", "a", ReasonText},
		{"NUL", "a=b%00", "a", ReasonText},
		{"name not decodable", "%zz=a", "", ""},
		{"name with NUL", "a%00=a", "", ""},
		{"no name", "=a", "", ""},
		{"too many", manyParams(MaxParams + 1), "", ""},
		{"a long name is cut", strings.Repeat("n", 100) + "=%", strings.Repeat("n", 64) + "...", ReasonEncoding},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ParseForm(tc.raw, "resource")
			e, ok := errors.AsType[*authority.Error](err)
			if !ok || e.Kind != authority.Invalid || got != nil {
				t.Fatalf("ParseForm(%q) = %q, %v; want the error invalid", tc.raw, got, err)
			}
			if tc.field == "" {
				if e.Public == "" {
					t.Error("the error says nothing")
				}
				return
			}
			if want := (authority.Field{Name: tc.field, Reason: tc.reason}); len(e.Fields) != 1 || e.Fields[0] != want {
				t.Errorf("faulty fields %q, want %q", e.Fields, want)
			}
		})
	}
	if _, err := ParseForm(manyParams(MaxParams)); err != nil {
		t.Errorf("%d parameters: %v", MaxParams, err)
	}
}

func manyParams(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("p" + strings.Repeat("x", i) + "=1&")
	}
	return b.String()
}

func TestParams(t *testing.T) {
	p := Params{{"a", ""}, {"r", "1"}, {"r", ""}, {"r", "2"}}
	if p.Get("a") != "" || p.Get("none") != "" || p.Get("r") != "1" {
		t.Errorf("Get: %q %q %q", p.Get("a"), p.Get("none"), p.Get("r"))
	}
	if all := p.All("r"); !slices.Equal(all, []string{"1", "2"}) {
		t.Errorf("All(r) = %q", all)
	}
	// RFC 6749 §3.2: a parameter without a value counts as omitted.
	for _, name := range []string{"a", "none"} {
		if _, err := p.Need(name); authority.KindOf(err) != authority.Invalid {
			t.Errorf("Need(%s) = %v, want the error invalid", name, err)
		}
	}
	if v, err := p.Need("r"); v != "1" || err != nil {
		t.Errorf("Need(r) = %q, %v", v, err)
	}
}

// FuzzParseForm holds the decoder against the standard library's: what it takes,
// it reads alike, and it takes nothing twice, nothing that is not text and nothing
// without bound.
func FuzzParseForm(f *testing.F) {
	for _, seed := range []string{
		"", "a=b", "grant_type=client_credentials&scope=a+b", "resource=1&resource=2", "a=1&a=2",
		"a=%00", "%", "a=%c3%28", "a;b=c", "=", "&&", "a=b=c", "%61=1&a=2", manyParams(70),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := ParseForm(raw, "resource")
		if err != nil {
			if got != nil || authority.KindOf(err) != authority.Invalid {
				t.Fatalf("ParseForm(%q) = %q, %v", raw, got, err)
			}
			return
		}
		if len(got) > MaxParams {
			t.Fatalf("%d parameters", len(got))
		}
		seen := map[string]int{}
		for _, p := range got {
			seen[p.Name]++
			if !ValidText(p.Name) || !ValidText(p.Value) || p.Name == "" {
				t.Fatalf("parameter %q = %q", p.Name, p.Value)
			}
		}
		for name, n := range seen {
			if n > 1 && (name != "resource" || n > MaxRepeats) {
				t.Fatalf("%q stands there %d times", name, n)
			}
		}
		if strings.Contains(raw, ";") {
			return // where the standard library gives up
		}
		std, err := url.ParseQuery(raw)
		if err != nil {
			t.Fatalf("taken, but the standard library refuses %q: %v", raw, err)
		}
		if len(std) != len(seen) {
			t.Fatalf("%q: names %v, the standard library reads %v", raw, seen, std)
		}
		for _, p := range got {
			if !slices.Contains(std[p.Name], p.Value) {
				t.Fatalf("%q: %q = %q, the standard library reads %q", raw, p.Name, p.Value, std[p.Name])
			}
		}
	})
}
