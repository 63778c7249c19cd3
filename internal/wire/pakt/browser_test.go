package pakt

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestCookie(t *testing.T) {
	origins := []string{"https://app.example.com"}
	for name, tc := range map[string]struct {
		options Options
		want    string
	}{
		"http":             {Options{}, "gatehouse-login-Z=Zm9vYmFyYmF6; Path=/; Max-Age=7776000; HttpOnly; SameSite=Lax"},
		"http and origins": {Options{CORSOrigins: origins}, "gatehouse-login-Z=Zm9vYmFyYmF6; Path=/; Max-Age=7776000; HttpOnly; SameSite=Lax"},
		"https":            {Options{Secure: true}, "__Host-gatehouse-login-Z=Zm9vYmFyYmF6; Path=/; Max-Age=7776000; HttpOnly; Secure; SameSite=Lax"},
		"both":             {Options{Secure: true, CORSOrigins: origins}, "__Host-gatehouse-login-Z=Zm9vYmFyYmF6; Path=/; Max-Age=7776000; HttpOnly; Secure; SameSite=None"},
	} {
		s := newTestSite(t, tc.options)
		w := s.do(t, get(startPath))
		if got := w.Header().Values("Set-Cookie"); w.Code != 200 || len(got) != 1 || got[0] != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
		// Nothing but a start gives it.
		for _, r := range []*http.Request{post(validatePath+"?state=a&code=b", ""), with(get(accountPath), "Authorization", "Bearer t")} {
			if w := s.do(t, r); w.Header().Get("Set-Cookie") != "" {
				t.Errorf("%s: %s sets a cookie", name, r.URL.Path)
			}
		}
	}
}

func TestNoCookieWithAnError(t *testing.T) {
	s := newTestSite(t, Options{})
	s.auth.err = http.ErrBodyNotAllowed
	if w := s.do(t, get(startPath)); w.Code != 500 || w.Header().Get("Set-Cookie") != "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

// What cannot be a cookie is never half of one.
func TestUnfitCookie(t *testing.T) {
	for _, value := range []string{"", "a;b", "a\tb", "a\r\nSet-Cookie: x=y", strings.Repeat("x", maxBrowser+1)} {
		s := newTestSite(t, Options{})
		s.auth.begun.Browser = value
		w := s.do(t, get(startPath))
		wantMessage(t, w, 500)
		if w.Header().Get("Set-Cookie") != "" {
			t.Errorf("%q: %v", value, w.Header())
		}
	}
}

// Attack: a neighbouring site plants a cookie beside the browser's own, so that a
// login begun elsewhere seems to end where it began.
func TestCookiesThatComeBack(t *testing.T) {
	for name, tc := range map[string]struct {
		secure  bool
		cookies []string
		status  int
		browser string
	}{
		"none":                                {false, nil, 200, ""},
		"one":                                 {false, []string{"gatehouse-login-Z=Zm9v"}, 200, "Zm9v"},
		"among others":                        {false, []string{"a=b; gatehouse-login-Z=Zm9v", "c=d"}, 200, "Zm9v"},
		"empty":                               {false, []string{"gatehouse-login-Z="}, 200, ""},
		"of tabs that began at the same time": {false, []string{"gatehouse-login-Z=Zm9v; gatehouse-login-Y=YmFy"}, 200, "Zm9v YmFy"},
		"under another's name":                {false, []string{"gatehouse-login-Z=YmFy"}, 200, ""},
		"two":                                 {false, []string{"gatehouse-login-Z=Zm9v; gatehouse-login-Z=YmFy"}, 400, ""},
		"two of one value":                    {false, []string{"gatehouse-login-Z=Zm9v; gatehouse-login-Z=Zm9v"}, 400, ""},
		"two fields":                          {false, []string{"gatehouse-login-Z=Zm9v", "gatehouse-login-Z=YmFy"}, 400, ""},
		"too long":                            {false, []string{"gatehouse-login-x=" + strings.Repeat("x", maxBrowser+1)}, 200, ""},
		"prefixed on http":                    {false, []string{"__Host-gatehouse-login-Z=Zm9v"}, 200, ""},
		"https":                               {true, []string{"__Host-gatehouse-login-Z=Zm9v"}, 200, "Zm9v"},
		"https without prefix":                {true, []string{"gatehouse-login-Z=Zm9v"}, 200, ""},
		"https, one without":                  {true, []string{"gatehouse-login-Y=YmFy; __Host-gatehouse-login-Z=Zm9v"}, 200, "Zm9v"},
		"https, in another case":              {true, []string{"__host-gatehouse-login-Z=Zm9v"}, 200, ""},
		"https, two":                          {true, []string{"__Host-gatehouse-login-Z=Zm9v; __Host-gatehouse-login-Z=YmFy"}, 400, ""},
		"https, empty and a real":             {true, []string{"__Host-gatehouse-login-Z=; __Host-gatehouse-login-Z=YmFy"}, 400, ""},
	} {
		for _, r := range []*http.Request{get(startPath), post(validatePath+"?state=abc&code=x", "")} {
			s := newTestSite(t, Options{Secure: tc.secure})
			r.Header["Cookie"] = tc.cookies
			w := s.do(t, r)
			if w.Code != tc.status || strings.Join(append(s.auth.start.Browsers, s.auth.finish.Browsers...), " ") != tc.browser {
				t.Errorf("%s at %s: %d %s, asks %+v %+v", name, r.URL.Path, w.Code, w.Body, s.auth.start, s.auth.finish)
			}
			if tc.status == 400 && (len(s.auth.calls) > 0 || !strings.Contains(wantMessage(t, w, 400), "cookie")) {
				t.Errorf("%s: %v", name, s.auth.calls)
			}
		}
	}
}

func TestPreflight(t *testing.T) {
	s := newTestSite(t, Options{CORSOrigins: []string{"https://app.example.com", "http://localhost:3000"}})
	for path, method := range map[string]string{startPath: "GET", validatePath: "POST", "/v1/account": "GET", "/v1/account/logout": "POST"} {
		r := with(httptest.NewRequest("OPTIONS", path, nil), "Origin", "http://localhost:3000",
			"Access-Control-Request-Method", method, "Access-Control-Request-Headers", "authorization,x-pkt-sdk-version")
		w := s.do(t, r)
		for name, want := range map[string]string{
			"Access-Control-Allow-Origin": "http://localhost:3000", "Access-Control-Allow-Credentials": "true",
			"Access-Control-Allow-Methods": method, "Access-Control-Max-Age": "600", "Vary": "Origin",
			"Access-Control-Allow-Headers": "Authorization, Content-Type, X-Api-Key, X-Pkt-Sdk-Version, X-Pkt-Sdk-Product, X-Pkt-Testnet, X-Pkt-Sdk-Retry",
			"Allow":                        method + ", OPTIONS", "Content-Type": "",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		if w.Code != 204 || w.Body.Len() != 0 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	if len(s.auth.calls) > 0 {
		t.Errorf("the authority was asked: %v", s.auth.calls)
	}
}

// Attack: a page that nobody listed reads answers with the visitor's cookies.
func TestOriginsThatMayNotCall(t *testing.T) {
	s := newTestSite(t, Options{CORSOrigins: []string{"https://app.example.com"}})
	for _, origins := range [][]string{
		nil, {"https://evil.example"}, {"null"}, {""}, {"*"}, {"https://app.example.com.evil.example"}, {"https://app.example.com/"},
		{"HTTPS://APP.EXAMPLE.COM"}, {"https://app.example.com:443"}, {"http://app.example.com"},
		{"https://app.example.com", "https://evil.example"}, {"https://app.example.com, https://evil.example"},
	} {
		for _, method := range []string{"OPTIONS", "GET", "DELETE"} {
			r := with(httptest.NewRequest(method, startPath, nil), "Access-Control-Request-Method", "GET")
			r.Header["Origin"] = origins
			w := s.do(t, r)
			for name := range w.Header() {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s from %q: %s: %s", method, origins, name, w.Header().Get(name))
				}
			}
			if w.Header().Get("Vary") != "Origin" {
				t.Errorf("%s from %q: a cache could mix up origins", method, origins)
			}
		}
	}
}

func TestAnswersToOtherOrigins(t *testing.T) {
	s := newTestSite(t, Options{CORSOrigins: []string{"https://app.example.com"}})
	for _, r := range []*http.Request{
		get(startPath), post(validatePath, ""), get("/v1/account"), httptest.NewRequest("PUT", "/v1/account", nil),
	} {
		w := s.do(t, with(r, "Origin", "https://app.example.com"))
		h := w.Header()
		if h.Get("Access-Control-Allow-Origin") != "https://app.example.com" || h.Get("Access-Control-Allow-Credentials") != "true" || h.Get("Access-Control-Expose-Headers") != "Retry-After" {
			t.Errorf("%s %s, %d: %v", r.Method, r.URL.Path, w.Code, h)
		}
	}
}

func TestNoOriginsNoCORS(t *testing.T) {
	s := newTestSite(t, Options{})
	w := s.do(t, with(httptest.NewRequest("OPTIONS", startPath, nil), "Origin", "https://app.example.com", "Access-Control-Request-Method", "GET"))
	wantMessage(t, w, 405)
	if h := w.Header(); h.Get("Allow") != "GET, HEAD" || h.Get("Access-Control-Allow-Origin") != "" || h.Get("Vary") != "" {
		t.Errorf("%v", h)
	}
}
