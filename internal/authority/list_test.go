package authority

import (
	"slices"
	"testing"
)

func TestList(t *testing.T) {
	for _, c := range []struct{ in, want []string }{
		{nil, []string{}},
		{[]string{"a"}, []string{"a"}},
		{[]string{"a", "b c", "", "ü"}, []string{"a", "b c", "", "ü"}},
		{[]string{"a\x00admin", "b"}, []string{"b"}}, // would be two
	} {
		l := ListOf(c.in...)
		if got := l.Slice(); !slices.Equal(got, c.want) || l.Len() != len(c.want) {
			t.Errorf("%q: %q", c.in, got)
		}
		for _, s := range c.want {
			if !l.Has(s) {
				t.Errorf("%q has not %q", c.in, s)
			}
		}
		if l.Has("admin") || l.HasAny([]string{"x", "admin"}) || l.HasAll([]string{"b", "nothing"}) || !l.HasAll(c.want) {
			t.Errorf("%q has what it has not", c.in)
		}
	}
	if got := ListOf("a", "b").Join(" "); got != "a b" {
		t.Errorf("%q", got)
	}
}

func FuzzList(f *testing.F) {
	f.Add("a", "b\x00c")
	f.Fuzz(func(t *testing.T, a, b string) {
		l := ListOf(a, b)
		for s := range l.All() {
			if s != a && s != b {
				t.Errorf("%q came out of %q and %q", s, a, b)
			}
		}
		_ = List(a).Slice() // any bytes are read without harm
	})
}

func TestEveryKindHasAName(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range Kinds() {
		if k.String() == "" || seen[k.String()] {
			t.Errorf("kind %d is called %q", k, k)
		}
		seen[k.String()] = true
	}
}
