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
		stripCookies(h)
		if !slices.Equal(h["Cookie"], c.want) {
			t.Errorf("%q became %q, want %q", c.in, h["Cookie"], c.want)
		}
	}
	h := http.Header{"Cookie": {"session=0123456789abcdef; theme=dark; lang=en"}}
	if got := testing.AllocsPerRun(10, func() { stripCookies(h) }); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

// They are kept for the gateway's own endpoints, beside whatever has become of the others.
func TestOwnCookiesComeBack(t *testing.T) {
	r := get("Cookie", "a=1; gatehouse-x=s; b=2", "Cookie", "__Host-gatehouse-y=t ;gatehouse-z")
	st := new(Request)
	NewNames().Strip(r, st)
	if want := []string{"a=1; b=2"}; !slices.Equal(r.Header["Cookie"], want) {
		t.Errorf("stripped: %q", r.Header["Cookie"])
	}
	for range 2 {
		shown := st.ShowCookies(r).Header["Cookie"]
		if want := []string{"a=1; b=2", "gatehouse-x=s; __Host-gatehouse-y=t; gatehouse-z"}; !slices.Equal(shown, want) {
			t.Errorf("shown: %q", shown)
		}
		if want := []string{"a=1; b=2"}; !slices.Equal(r.Header["Cookie"], want) {
			t.Errorf("who else has the request sees %q", r.Header["Cookie"])
		}
	}
	r = get()
	st = new(Request)
	NewNames().Strip(r, st)
	if shown := st.ShowCookies(r); shown != r || r.Header["Cookie"] != nil {
		t.Errorf("a request without cookies has %q", shown.Header["Cookie"])
	}
}

// An app sets none of ours, nor one without a name whose value would come back as one.
func TestAppsSetNoCookieOfOurs(t *testing.T) {
	kept := []string{"a=gatehouse-x", "=a=gatehouse-x", "=", "", "my-gatehouse-x=1", "a; gatehouse-x=1"}
	h := http.Header{"Set-Cookie": append([]string{
		"gatehouse-x=1", "Gatehouse-x = 1; Path=/", "gatehouse-x", "gatehouse-x; Path=/", "\tgatehouse-x=1", "__Host-gatehouse-x=1; Secure", "__secure-gatehouse-x",
		"=gatehouse-x=1", " = gatehouse-x=1; Path=/", "=\t__host-gatehouse-x=1", "=gatehouse-x", "==gatehouse-x=1",
	}, kept...)}
	StripSetCookies(h, nil)
	kept = slices.DeleteFunc(kept, func(s string) bool { return s == "" }) // a field that says nothing
	if !slices.Equal(h["Set-Cookie"], kept) {
		t.Errorf("%q is left, want %q", h["Set-Cookie"], kept)
	}
}
