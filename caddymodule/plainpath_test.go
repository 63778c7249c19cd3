package caddymodule

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// asking is a request for a path, as Caddy hands it to matchers.
func asking(tb testing.TB, path string) *http.Request {
	tb.Helper()
	ctx := context.WithValue(tb.Context(), caddy.ReplacerCtxKey, caddy.NewReplacer())
	r := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: path}}
	return r.WithContext(ctx)
}

// sameAsCaddys holds a plainPath against the matcher that it stands for.
func sameAsCaddys(t *testing.T, patterns []string, path string) {
	t.Helper()
	caddys := caddyhttp.MatchPath(patterns)
	if err := caddys.Provision(caddy.Context{}); err != nil {
		t.Fatal(err)
	}
	m := plainPathOf(new(Strip), &caddys)
	if m == nil {
		return
	}
	want, wantErr := caddys.MatchWithError(asking(t, path))
	got, err := m.MatchWithError(asking(t, path))
	if got != want || (err == nil) != (wantErr == nil) {
		t.Errorf("%q on %q: %v %v, Caddy says %v %v", patterns, path, got, err, want, wantErr)
	}
}

var (
	somePatterns = []string{
		"/", "/*", "*", "/a", "/a/", "/a/*", "/a*", "/A/B*", "/a.b*", "/a./*", "/.a*", "/a/b/c", "/a/../b*", "/a/./b", "/a/.*", "/a-_0*",
		"//a*", "/a//b", "*.php", "/*/x", "/a?", "/[ab]", "/%61*", "/{x}*", "/\u00e4*", "/a\\b*", "a*", "", "/a/..",
	}
	somePaths = []string{
		"/", "", "*", "a", "/a", "/A", "/a/", "/a//", "//a", "/a/b", "/a/B", "/a/b/", "/a/b/c", "/a.b", "/a.b.c", "/a..b", "/a.", "/a./b", "/.a", "/a/.b",
		"/a/./b", "/a/../b", "/a/..", "/..", "/.", "/a/b/..", "/a-_0", "/a%2fb", "/a;b", "/a b", "/a\\b", "/\u00e4", "/\u0130", "/a\x00", "/a.php", "/b/x",
	}
)

// What a plain path is compared with gives what Caddy's matcher gives, and any other path
// goes to that.
func TestPlainPathIsCaddys(t *testing.T) {
	quick := 0
	for _, pattern := range somePatterns {
		for _, path := range somePaths {
			sameAsCaddys(t, []string{pattern}, path)
			sameAsCaddys(t, []string{"/zz", pattern, "/b/*"}, path)
			if isPlainPath(path) {
				quick++
			}
		}
	}
	if quick < 5*len(somePatterns) {
		t.Error("hardly any of the paths is plain")
	}
	for path, want := range map[string]bool{"/": true, "/api/v1/things.json": true, "/a/": true, "/a.": false, "/A": false, "/a//b": false, "/a/.b": false, "/a..b": false} {
		if isPlainPath(path) != want {
			t.Errorf("%s: plain %v", path, !want)
		}
	}
}

func FuzzPlainPath(f *testing.F) {
	for i, path := range somePaths {
		f.Add(somePatterns[i%len(somePatterns)]+"\n"+somePatterns[(i+7)%len(somePatterns)], path)
	}
	f.Fuzz(func(t *testing.T, patterns, path string) {
		if len(patterns)+len(path) > 1<<10 {
			return
		}
		sameAsCaddys(t, strings.Split(patterns, "\n"), path)
	})
}

// BenchmarkPlainPath is the matcher of a guard beside Caddy's.
func BenchmarkPlainPath(b *testing.B) {
	caddys := &caddyhttp.MatchPath{"/rs/*", "/es/*"}
	r := asking(b, "/opaque/x")
	for name, m := range map[string]caddyhttp.RequestMatcherWithError{"caddy": caddys, "plain": plainPathOf(new(Strip), caddys)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if ok, _ := m.MatchWithError(r); ok {
					b.Fatal("it matches")
				}
			}
		})
	}
}
