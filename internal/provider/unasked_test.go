package provider

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// written is what is logged, by whomever.
type written struct {
	mu   sync.Mutex
	text strings.Builder
}

func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

// Attack: an upstream answers once more than it is asked. net/http writes into the log of the
// process what it finds on a connection that nobody uses, and in the answer to a code stand tokens.
func TestAttackTokensThatComeUnasked(t *testing.T) {
	const answer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 36\r\n\r\n{\"access_token\":\"a-token-of-ada-s\" }"
	ended := make(chan struct{})
	c, address := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		fmt.Fprint(conn, answer+answer)
		_, _ = io.Copy(io.Discard, conn) // until the client has read what there is, and closes
		_ = conn.Close()
		ended <- struct{}{}
	})
	logged := new(written)
	before := log.Writer()
	log.SetOutput(logged)
	t.Cleanup(func() { log.SetOutput(before) })
	for _, call := range []Call{
		{Op: "exchange", URL: address, Form: url.Values{"code": {"a-code"}}},
		{Op: "ask about a token", URL: address, Method: http.MethodPost, JSON: map[string]string{"access_token": "a-token-of-ada-s"}},
	} {
		if a, err := c.Do(t.Context(), call); err != nil || a.Status != http.StatusOK {
			t.Errorf("%s: %+v %v", call.Op, a, err)
		}
		<-ended
	}
	logged.mu.Lock()
	defer logged.mu.Unlock()
	if strings.Contains(logged.text.String(), "a-token-of-ada-s") {
		t.Errorf("the log has a token: %s", logged.text.String())
	}
}
