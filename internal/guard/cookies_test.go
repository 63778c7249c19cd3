package guard

import (
	"net/http"
	"slices"
	"testing"
)

// The gateway's own cookies are no app's business; an app's cookies stay as they came,
// byte by byte, empty segments and all.
func TestOwnCookiesStayHere(t *testing.T) {
	for _, c := range []struct{ in, want []string }{
		{nil, nil},
		{[]string{"a=1; b=2"}, []string{"a=1; b=2"}},
		{[]string{""}, []string{""}},
		{[]string{"a=1;; b=2; ;"}, []string{"a=1;; b=2; ;"}},
		{[]string{"gatehouse-login-x=s"}, nil},
		{[]string{"a=1; gatehouse-login-x=s; b=2"}, []string{"a=1; b=2"}},
		{[]string{"__Host-gatehouse-login-x=s;b=2"}, []string{"b=2"}},
		{[]string{"__secure-Gatehouse-x=s; a"}, []string{"a"}},
		{[]string{"a=1;; gatehouse-s=t;;b=\"x y\""}, []string{"a=1;;;b=\"x y\""}},
		{[]string{"gatehouse-a=1; gatehouse-a=2", "b=2"}, []string{"b=2"}},
		{[]string{"b=2", "c=3; gatehouse-a"}, []string{"b=2", "c=3"}},
		{[]string{"x=gatehouse-a; my-gatehouse-a=1; gatehouse=1"}, []string{"x=gatehouse-a; my-gatehouse-a=1; gatehouse=1"}},
	} {
		h := http.Header{}
		if c.in != nil {
			h["Cookie"] = slices.Clone(c.in)
		}
		StripCookies(h)
		if !slices.Equal(h["Cookie"], c.want) {
			t.Errorf("%q became %q, want %q", c.in, h["Cookie"], c.want)
		}
	}
	h := http.Header{"Cookie": {"session=0123456789abcdef; theme=dark; lang=en"}}
	if got := testing.AllocsPerRun(10, func() { StripCookies(h) }); got != 0 {
		t.Errorf("%v allocations", got)
	}
}
