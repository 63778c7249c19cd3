package gatehouse

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// silencer passes connections on, until it lets those that there are fall silent, as a
// load balancer does that forgot them: nothing comes back, and no end either.
type silencer struct {
	net.Listener
	to string

	mu     sync.Mutex
	silent chan struct{} // closed: connections made before say nothing
}

func newSilencer(t *testing.T, to string) *silencer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &silencer{Listener: l, to: to, silent: make(chan struct{})}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				_ = near.Close()
				continue
			}
			t.Cleanup(func() { _ = near.Close(); _ = far.Close() })
			s.mu.Lock()
			silent := s.silent
			s.mu.Unlock()
			go pass(far, near, silent)
			go pass(near, far, silent)
		}
	}()
	return s
}

func pass(to io.Writer, from io.Reader, silent chan struct{}) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if err != nil {
			return
		}
		select {
		case <-silent:
			continue
		default:
		}
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
	}
}

func (s *silencer) silence() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.silent)
	s.silent = make(chan struct{})
}

// A connection to an upstream that has fallen silent is given up, and the next call makes
// another: one of HTTP/2, which all calls share, would hold them up for a quarter of an hour.
func TestASilentConnectionIsGivenUp(t *testing.T) {
	t.Parallel()
	upstream := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto)
	}))
	upstream.EnableHTTP2 = true
	upstream.StartTLS()
	t.Cleanup(upstream.Close)
	between := newSilencer(t, upstream.Listener.Addr().String())
	client := outbound()
	transport, _ := client.Transport.(*http.Transport)
	transport.TLSClientConfig.InsecureSkipVerify = true
	call := func(patience time.Duration) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+between.Addr().String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(req)
		if err != nil {
			return "", err
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		return string(body), err
	}
	if proto, err := call(10 * time.Second); err != nil || proto != "HTTP/2.0" {
		t.Fatalf("%q %v", proto, err)
	}
	between.silence()
	began := time.Now()
	for {
		_, err := call(2 * time.Second)
		if err == nil {
			return
		}
		if time.Since(began) > 4*silence {
			t.Fatalf("after %s: %v", time.Since(began), err)
		}
	}
}
