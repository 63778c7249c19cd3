package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"sync"
	"time"
)

// record is one line of output. The upstreams in other languages write the same.
type record struct {
	Case    string      `json:"case"`
	Method  string      `json:"method"`
	Target  string      `json:"target"`
	Reached []string    `json:"reached"` // readings that lead to a guarded handler
	Fields  [][2]string `json:"fields"`  // header, then trailer fields
}

func guarded(p string) bool {
	return strings.HasPrefix(p, "/admin/") || strings.HasPrefix(p, "/private")
}

// readings are ways in which programs in Go find the path of a request.
func readings(r *http.Request) map[string]string {
	raw, _, _ := strings.Cut(r.RequestURI, "?")
	decoded, err := url.PathUnescape(raw)
	if err != nil {
		decoded = raw
	}
	return map[string]string{
		"Path":      r.URL.Path,
		"clean":     path.Clean(r.URL.Path),
		"escaped":   r.URL.EscapedPath(),
		"raw":       raw,
		"raw clean": path.Clean(decoded),
		"join":      path.Join("/", r.URL.Path),
		"sloppy":    sloppy(raw),
	}
}

// sloppy reads a path as the most obliging of programs would.
func sloppy(p string) string {
	for range 4 {
		decoded, err := url.PathUnescape(p)
		if err != nil || decoded == p {
			break
		}
		p = decoded
	}
	p, _, _ = strings.Cut(p, "\x00")
	p, _, _ = strings.Cut(p, "#")
	p, _, _ = strings.Cut(p, "?")
	segments := strings.Split(strings.ReplaceAll(p, `\`, "/"), "/")
	for i, s := range segments {
		segments[i], _, _ = strings.Cut(s, ";")
	}
	return strings.ToLower(path.Clean("/" + strings.Join(segments, "/")))
}

// discard is an answer of which only the header is kept.
type discard http.Header

func (d discard) Header() http.Header       { return http.Header(d) }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}

func main() {
	var mu sync.Mutex
	out := json.NewEncoder(os.Stdout)
	answer := func(w http.ResponseWriter, r *http.Request, handler string) {
		_, _ = io.Copy(io.Discard, r.Body)
		seen := record{Case: r.Header.Get("X-Case"), Method: r.Method, Target: r.RequestURI, Reached: []string{}}
		if guarded(handler) {
			seen.Reached = append(seen.Reached, "mux")
		}
		for name, p := range readings(r) {
			if guarded(p) {
				seen.Reached = append(seen.Reached, name)
			}
		}
		for _, fields := range []http.Header{r.Header, r.Trailer} {
			for name, values := range fields {
				for _, v := range values {
					seen.Fields = append(seen.Fields, [2]string{name, v})
				}
			}
		}
		mu.Lock()
		_ = out.Encode(seen)
		mu.Unlock()
		if r.Header.Get("Upgrade") != "" {
			w.Header().Set("Connection", "Upgrade")
			w.Header().Set("Upgrade", "websocket")
			w.Header().Set("Remote-User", "of the upstream")
			w.WriteHeader(http.StatusSwitchingProtocols)
			if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
				_ = conn.Close()
			}
			return
		}
		w.Header().Set("Remote-User", "of the upstream")
		w.Header().Add("Set-Cookie", "gatehouse-login-a=of the upstream")
		w.Header().Add("Set-Cookie", "app=1")
		_, _ = fmt.Fprintln(w, "reached")
	}
	mux := http.NewServeMux()
	for _, pattern := range []string{"/admin/", "/private", "/private/", "/"} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Handler", pattern) })
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Where the mux redirects, there is no handler, but there are the other readings.
		found := discard{}
		mux.ServeHTTP(found, r)
		answer(w, r, http.Header(found).Get("Handler"))
	})
	server := &http.Server{Addr: os.Args[1], Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	fmt.Fprintln(os.Stderr, server.ListenAndServe())
}
