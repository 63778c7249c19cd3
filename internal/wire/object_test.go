package wire

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

func TestReadObject(t *testing.T) {
	for _, tc := range []struct {
		raw    string
		want   Params
		faulty []authority.Field
	}{
		{"{}", nil, nil},
		{` { "a" : "b" } `, Params{{"a", "b"}}, nil},
		{`{"b":"1","a":"2"}`, Params{{"b", "1"}, {"a", "2"}}, nil},
		{`{"n":1.50e1,"t":true,"f":false,"z":null}`, Params{{"n", "1.50e1"}, {"t", "true"}, {"f", "false"}}, nil},
		{`{"a":"\u00e4 \ud83d\ude00 \ufffd \\ud800 \n"}`, Params{{"a", "ä 😀 \ufffd \\ud800 \n"}}, nil},
		{`{"":"b"}`, nil, nil},
		{`{"a":"1","a":"1"}`, Params{{"a", "1"}}, []authority.Field{{Name: "a", Reason: ReasonRepeated}}},
		{`{"a":null,"\u0061":"1"}`, nil, []authority.Field{{Name: "a", Reason: ReasonRepeated}}},
		{`{"a":"1","A":"2"}`, Params{{"a", "1"}, {"A", "2"}}, nil},
		{`{"a":[],"b":{"a":"1"},"text":{},"c":"1"}`, Params{{"c", "1"}}, []authority.Field{
			{Name: "a", Reason: ReasonNotScalar}, {Name: "b", Reason: ReasonNotScalar}, {Name: "text", Reason: ReasonNotText}}},
		{`{"text":1}`, nil, []authority.Field{{Name: "text", Reason: ReasonNotText}}},
		{`{"text":null}`, nil, nil},
		{`{"a":"\u0000"}`, nil, []authority.Field{{Name: "a", Reason: ReasonText}}},
		{`{"a":"\ud800"}`, nil, []authority.Field{{Name: "a", Reason: ReasonText}}},
		{`{"a":"\ude00\ud83d"}`, nil, []authority.Field{{Name: "a", Reason: ReasonText}}},
		{`{"a":"\ud83dx\ude00"}`, nil, []authority.Field{{Name: "a", Reason: ReasonText}}},
		{`{"a":"\ud83d\ud83d\ude00"}`, nil, []authority.Field{{Name: "a", Reason: ReasonText}}},
	} {
		got, faulty, err := ReadObject([]byte(tc.raw), "text")
		if tc.raw == `{"":"b"}` {
			if authority.KindOf(err) != authority.Invalid {
				t.Errorf("%s: %v", tc.raw, err)
			}
			continue
		}
		if err != nil || !slices.Equal(got, tc.want) || !slices.Equal(faulty, tc.faulty) {
			t.Errorf("%s gives %q, %q, %v", tc.raw, got, faulty, err)
		}
	}
}

func TestReadObjectRefuses(t *testing.T) {
	for raw, at := range map[string]int64{
		"": 0, "x": 0, `{"a":1`: 5, `{"a":1}x`: 7, `{"a":1}{}`: 7, `{"a":01}`: 6, `{'a':1}`: 1, "\ufeff{}": 0, "{\"a\":\"s3cret\nx\"}": 12,
		strings.Repeat("[", 20000): 10000,
		`[]`:                       -1, `"a"`: -1, `1`: -1, `null`: -1, "{\"a\":\"\xff\"}": -1,
		`{"a\u0000":1}`: -1, "{" + strings.TrimSuffix(manyMembers(MaxParams+1), ",") + "}": -1,
	} {
		got, faulty, err := ReadObject([]byte(raw))
		e, ok := errors.AsType[*authority.Error](err)
		if !ok || e.Kind != authority.Invalid || e.Public == "" || got != nil || faulty != nil {
			t.Errorf("%.40q gives %q, %q, %v", raw, got, faulty, err)
			continue
		}
		syntax, ok := errors.AsType[*SyntaxError](err)
		if ok != (at >= 0) || ok && syntax.Offset != at {
			t.Errorf("%.40q: %v, want byte %d", raw, err, at)
		}
		if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("the error quotes the body: %v", err)
		}
	}
}

func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(`"p` + strings.Repeat("x", i) + `":1,`)
	}
	return b.String()
}

// FuzzReadObject holds the decoder against the standard library's: what it takes,
// it reads alike, and it takes nothing twice and nothing that is not text.
func FuzzReadObject(f *testing.F) {
	for _, seed := range []string{
		"{}", `{"a":"b"}`, `{"a":1,"a":2}`, `{"a":null,"text":"\ud800"}`, `{"a":[1],"b":{}}`, `{"\u0061":"x","a":true}`, `[`, `{"a":"\\ud800"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, faulty, err := ReadObject(raw, "text")
		if err != nil {
			if got != nil || faulty != nil || authority.KindOf(err) != authority.Invalid {
				t.Fatalf("%q gives %q, %q, %v", raw, got, faulty, err)
			}
			return
		}
		var std map[string]any
		if err := json.Unmarshal(raw, &std); err != nil {
			t.Fatalf("taken, but the standard library refuses %q: %v", raw, err)
		}
		seen := map[string]string{}
		for _, p := range got {
			if _, twice := seen[p.Name]; twice || p.Name == "" || !ValidText(p.Name) || !ValidText(p.Value) {
				t.Fatalf("%q: %q = %q", raw, p.Name, p.Value)
			}
			seen[p.Name] = p.Value
			if s, ok := std[p.Name].(string); ok && s != p.Value && len(faulty) == 0 {
				t.Fatalf("%q: %q = %q, the standard library reads %q", raw, p.Name, p.Value, s)
			}
		}
		if len(faulty) > 0 {
			return
		}
		maps.DeleteFunc(std, func(_ string, v any) bool { return v == nil })
		if len(std) != len(seen) {
			t.Fatalf("%q: %v, the standard library reads %v", raw, seen, std)
		}
	})
}
