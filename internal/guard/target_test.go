package guard

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"testing"
	"unicode/utf8"
)

// arrived is a request as the server makes it of a target, nil if the server itself
// refuses it.
func arrived(method, target, host string) *http.Request {
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil
	}
	r := &http.Request{Method: method, RequestURI: target, URL: u, Host: host, Header: http.Header{}, ProtoMajor: 1, ProtoMinor: 1}
	if u.Host != "" {
		r.Host = u.Host
	}
	return r
}

var plainTargets = []string{
	"/", "/admin", "/admin/", "/a/b/c.html", "/.well-known/openid-configuration", "/.env", "/a..b", "/..a", "/a..", "/...", "/a/.../b",
	"/a%20b", "/a+b", "/a,b=c&d", "/~ada/", "/@ada", "/a:b", "/a!$'()*b", "/caf%C3%A9", "/caf\u00e9", "/%e6%97%a5%e6%9c%ac", "/100%25",
	"/100%25/x", "/100%25sure", "/5%25g1", "/%25u", "/%25used", "/%41dmin", "/a%3Ab", "/a%26b", "/%7Bid%7D", "/a%7cb", "/x?next=/a/../b", "/x?a=%2f%2e%2e",
	"/x?q=100%", "/x?a;b", "/x?a=b?c", "/x?//", "/a/?", "/%f0%9f%98%80", "/a\"b<c>", "/a|b^c`{d}", "/-._~", "/a/b-1_2/v1.2.3/file.tar.gz",
	"/.%20.x", "/a%20", "/%20a",
	"/..+x", "/a%c2%a0b", "/%c2%a0", "/%e2%80%a6", "/v1%ef%bc%8e2", "/x/%ef%bc%8e%e3%80%80b", "/%ef%bc%9f", "/a%e3%80%80", "/50%ef%bc%85", "/5%ef%bc%85ok",
}

var ambiguousTargets = map[string]string{
	"/public/../admin": whyDots, "/..": whyDots, "/.": whyDots, "/./admin": whyDots, "/admin/.": whyDots, "/a/..": whyDots, "/../../etc": whyDots,
	"/..%20/x": whyDots, "/a/%20..": whyDots, "/.%20": whyDots,
	"/..+/x": whyDots, "/a/+.": whyDots, "/..%c2%a0/x": whyDots, "/%e3%80%80../x": whyDots, "/a/.%ef%bb%bf": whyDots, "/.%e2%80%a8./x": whyDots, "/..\u00a0/x": whyDots,
	"/%ef%bc%8e%ef%bc%8e/x": whyDots, "/a/.%e2%80%a4": whyDots, "/%e2%80%a5/x": whyDots, "/a/%ef%b9%92": whyDots, "/\uff0e./x": whyDots,
	"/a%ef%bc%8fb": whySlash, "/a\uff0fb": whySlash, "/a%ef%bc%bcb": whyBackslash, "/a%ef%b9%a8b": whyBackslash, "/..%cd%be/x": whySemicolon,
	"/%ef%bc%852e./x": whyTwice, "/a\uff052fb": whyTwice, "/a%ef%b9%aau002f": whyTwice,
	"//": whyEmpty, "//admin": whyEmpty, "///admin": whyEmpty, "/a//b": whyEmpty, "/a//": whyEmpty, "//evil.example/admin": whyEmpty,
	"/public/%2e%2e/admin": whyDot, "/%2E/admin": whyDot, "/.%2e/admin": whyDot, "/a%2ehtml": whyDot,
	"/public%2fadmin": whySlash, "/public%2F..%2Fadmin": whySlash, "/%2fadmin": whySlash, "/a/%2f": whySlash,
	"/public%5cadmin": whyBackslash, "/public%5C..": whyBackslash, "/public\\admin": whyBackslash, "\\admin": "server",
	"/admin;x": whySemicolon, "/;/admin": whySemicolon, "/public/..;/admin": whySemicolon, "/admin;": whySemicolon, "/admin%3bx": whySemicolon, "/a%3B": whySemicolon,
	"/admin%23/public": whyFragment, "/admin#/public": whyFragment, "/x?y#/admin": whyFragment, "/#": whyFragment,
	"/admin%3fx": whyQuery, "/public%3F/../admin": whyQuery,
	"/admin%00": whyControl, "/admin%0a": whyControl, "/%0d%0aX:%201": whyControl, "/%09": whyControl, "/%7f": whyControl, "/%1F": whyControl,
	"/%c2%85": whyControl, "/%C2%80x": whyControl,
	"/%c0%af": whyUTF8, "/%c0%ae%c0%ae/admin": whyUTF8, "/%ff": whyUTF8, "/%e0%80%af": whyUTF8, "/%f0%80%80%af": whyUTF8, "/%80": whyUTF8, "/%c3": whyUTF8,
	"/%c3/": whyUTF8, "/%c3a": whyUTF8, "/%ed%a0%80": whyUTF8, "/%f4%90%80%80": whyUTF8, "/caf\xe9": whyUTF8, "/%c1%9c": whyUTF8, "/%e2%82": whyUTF8,
	"/%252e%252e/admin": whyTwice, "/%252f": whyTwice, "/a%255cb": whyTwice, "/%25%32%65": whyTwice, "/%25252e": whyTwice, "/%2541": whyTwice, "/%25u002e": whyTwice,
	"/%25U002f": whyTwice, "/100%2500": whyTwice, "/%%": "server", "/%": "server", "/%2": "server", "/%zz": "server", "/%u002e": "server",
	"/ x": whySpace, "/a b/": whySpace,
	"http://app.example/admin": "the target must be a path", "https://app.example/": "the target must be a path", "http://user@app.example/": "the target must be a path",
	"mailto:x": "the target must be a path", "*": "the target *",
}

func TestTargets(t *testing.T) {
	for _, target := range plainTargets {
		r := arrived("GET", target, "app.example")
		if r == nil {
			t.Errorf("the server itself refuses %q", target)
		} else if why := ambiguous(r); why != "" {
			t.Errorf("%q: %s", target, why)
		}
	}
	for target, want := range ambiguousTargets {
		r := arrived("GET", target, "app.example")
		switch {
		case want == "server":
			if r != nil {
				t.Errorf("the server does not refuse %q", target)
			}
		case r == nil:
			t.Errorf("the server itself refuses %q", target)
		default:
			if why := ambiguous(r); !strings.HasPrefix(why, want) {
				t.Errorf("%q: %q, want %q", target, why, want)
			}
		}
	}
	if why := ambiguous(arrived("OPTIONS", "*", "app.example")); why != "" {
		t.Errorf("OPTIONS *: %s", why)
	}
	if why := ambiguousPath("/%zz", true); why != whyPercent {
		t.Errorf("a bad percent sequence: %q", why)
	}
}

// The two servers of Go that speak HTTP/2 and HTTP/3 fill a request in otherwise.
func TestTargetOfCONNECT(t *testing.T) {
	tunnel := &http.Request{Method: "CONNECT", RequestURI: "internal:22", URL: &url.URL{Host: "internal:22"}, Host: "internal:22", ProtoMajor: 2}
	if ambiguous(tunnel) == "" {
		t.Error("the authority form passes")
	}
	socket := arrived("CONNECT", "/chat", "app.example")
	socket.ProtoMajor = 2
	if why := ambiguous(socket); why != "" {
		t.Errorf("a WebSocket: %s", why)
	}
}

// What came plain may be ambiguous after a rewrite, and the other way round.
func TestTargetAfterRewrite(t *testing.T) {
	for name, c := range map[string]struct {
		uri, path, raw string
		ambiguous      bool
	}{
		"prefix taken off":                {"/app/x", "/x", "", false},
		"all of it taken off":             {"/app", "", "", false},
		"no slash left":                   {"/apple", "le", "", true},
		"two slashes left":                {"/app/x", "//x", "", true},
		"dots put in":                     {"/x", "/public/../admin", "", true},
		"a decoded slash is a slash":      {"/x", "/a/b", "/a%2fb", true},
		"a stale raw path":                {"/x", "/a", "/%2e%2e", true},
		"a question mark that is a name":  {"/x", "/a?b", "", true},
		"a percent sign that reads twice": {"/x", "/%2e%2e/admin", "", true},
		"a percent sign":                  {"/x", "/100%", "", false},
		"bytes":                           {"/x", "/\xff", "", true},
		"a space":                         {"/x", "/a b", "", false},
		"OPTIONS only":                    {"/x", "*", "", true},
		"came ambiguous":                  {"/a/../b", "/b", "", true},
	} {
		r := arrived("GET", c.uri, "app.example")
		r.URL.Path, r.URL.RawPath = c.path, c.raw
		if why := ambiguous(r); (why != "") != c.ambiguous {
			t.Errorf("%s: %q", name, why)
		}
	}
	r := arrived("GET", "/x", "app.example")
	r.URL.RawQuery = "a#b"
	if ambiguous(r) != whyFragment {
		t.Error("a query with a fragment passes")
	}
}

// A rewrite that makes an ambiguous target plain does not wash it clean: it was judged
// when the request was stripped.
func TestTargetIsRememberedAsItCame(t *testing.T) {
	r, st := arrived("GET", "/public/%2e%2e/admin", "app.example"), new(Request)
	NewNames().Strip(r, st)
	r.URL, r.RequestURI = &url.URL{Path: "/public"}, "/public"
	if ambiguous(r) != "" || st.came != whyDot || st.Ambiguous(r) != whyDot {
		t.Errorf("%q, came %q", st.Ambiguous(r), st.came)
	}
	r, st = arrived("GET", "/x", "app.example"), new(Request)
	NewNames().Strip(r, st)
	r.URL.Path = "/a//b"
	if st.came != "" || st.Ambiguous(r) != whyEmpty {
		t.Errorf("%q, came %q", st.Ambiguous(r), st.came)
	}
	for _, c := range []struct{ path, raw string }{{"/x?y", ""}, {"/x/../y", ""}, {"/", "/%2e"}, {"", "/%2f"}} {
		r, st = arrived("GET", "/x?y", "app.example"), new(Request)
		NewNames().Strip(r, st)
		if st.Ambiguous(r) != "" {
			t.Errorf("%q", st.Ambiguous(r))
		}
		if r.URL.Path, r.URL.RawPath = c.path, c.raw; st.Ambiguous(r) == "" {
			t.Errorf("%+v passes", c)
		}
	}
	if refusal := RefuseTarget(whyDot); refusal.Status != 400 || refusal.Reason != ReasonTarget || refusal.Header.Get("Cache-Control") != "no-store" || refusal.Err.Public != whyDot {
		t.Errorf("%+v", refusal)
	}
}

func TestHosts(t *testing.T) {
	for _, host := range []string{"app.example", "APP.example:8443", "localhost", "127.0.0.1:80", "[::1]", "[::1]:443", "[::ffff:192.0.2.1]", "a_b.example", "xn--bcher-kva.example", "a"} {
		if why := ambiguous(arrived("GET", "/", host)); why != "" {
			t.Errorf("%q: %s", host, why)
		}
	}
	for _, host := range []string{
		"", ":80", "user@app.example", "app.example@evil", "app.example.", "app.example.:80", ".app.example", "app..example", "app.example:", "app.example:80:80", "app.example:-1",
		"app.example:8080808", "app.example,evil", "app.example evil", "app.example/x", "app.example#", "app%2eexample", "b\u00fccher.example", "[::1", "::1", "[]", "[::1]x", "[fe80::1%25eth0]",
		"app.example\\", "app.example?x", "*", "{env.X}", "app.example\t",
	} {
		if ambiguous(arrived("GET", "/", host)) == "" {
			t.Errorf("%q passes", host)
		}
	}
	r := arrived("GET", "/", "app.example")
	r.ProtoMajor = 2
	for _, c := range []struct {
		hosts []string
		why   string
	}{{[]string{"app.example"}, ""}, {[]string{"APP.example"}, ""}, {[]string{"evil.example"}, whyHosts}, {[]string{"app.example", "app.example"}, whyHosts}, {[]string{""}, whyHosts}} {
		r.Header["Host"] = c.hosts
		if why := ambiguous(r); why != c.why {
			t.Errorf(":authority app.example beside Host %q: %q", c.hosts, why)
		}
	}
}

// FuzzTarget asks of whatever passes that all readings of it agree: decoding it once
// more changes nothing, cleaning it changes nothing, nothing in it ends a path.
func FuzzTarget(f *testing.F) {
	for _, target := range plainTargets {
		f.Add(target, "app.example")
	}
	for target := range ambiguousTargets {
		f.Add(target, "app.example:80")
	}
	f.Fuzz(func(t *testing.T, target, host string) {
		r := arrived("GET", target, host)
		if r == nil || ambiguous(r) != "" {
			return
		}
		p := r.URL.Path
		if clean := path.Clean(p); p != clean && p != clean+"/" {
			t.Errorf("%q is cleaned to %q", p, clean)
		}
		if strings.ContainsAny(p, ";\\?#\x00\r\n\t") || !utf8.ValidString(p) {
			t.Errorf("%q passes", p)
		}
		if again, err := url.PathUnescape(p); err == nil && again != p {
			t.Errorf("%q decodes once more to %q", p, again)
		}
		for _, encoded := range []string{"%2f", "%2e", "%5c", "%3b", "%23", "%3f", "%00"} {
			if raw, _, _ := strings.Cut(target, "?"); strings.Contains(strings.ToLower(raw), encoded) {
				t.Errorf("%q passes", target)
			}
		}
		if sent := (&url.URL{Path: r.URL.Path, RawPath: r.URL.RawPath}).EscapedPath(); sent != "" {
			back, err := url.PathUnescape(sent)
			if err != nil || back != p {
				t.Errorf("%q is sent as %q, which reads %q", p, sent, back)
			}
		}
		if u, err := url.Parse("http://" + host + "/"); err != nil || u.Host != host || u.User != nil {
			t.Errorf("host %q reads %v, %v", host, u, err)
		}
	})
}

func BenchmarkTarget(b *testing.B) {
	for name, target := range map[string]string{
		"plain": "/api/v1/projects/42/items", "query": "/api/v1/projects/42/items?page=2&sort=name", "encoded": "/wiki/%E6%97%A5%E6%9C%AC/caf%C3%A9%20noir", "root": "/",
	} {
		b.Run(name, func(b *testing.B) {
			r := arrived("GET", target, "app.example.com")
			b.ReportAllocs()
			for b.Loop() {
				if ambiguous(r) != "" {
					b.Fatal(ambiguous(r))
				}
			}
		})
	}
}

func TestTargetAllocatesNothing(t *testing.T) {
	for _, target := range append(plainTargets, "/public/../admin", "/%252e", "//") {
		r := arrived("GET", target, "app.example.com")
		if got := testing.AllocsPerRun(10, func() { ambiguous(r) }); got != 0 {
			t.Errorf("%q: %v allocations", target, got)
		}
	}
	if httptest.NewRequest(http.MethodGet, "/", nil).Host == "" {
		t.Error("the tests' requests have no host")
	}
}
