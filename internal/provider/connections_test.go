package provider

import (
	"net/http"
	"net/url"
	"sync"
	"testing"
)

// An upstream may close a connection that it kept at any moment (RFC 9112 §9.5), also while
// a request is on its way, and the exchange of a code cannot be repeated. So no login
// depends on a connection that was kept from what was asked before.
func TestAConnectionThatDiesUnderAnExchange(t *testing.T) {
	var used sync.Map
	c, address := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		if _, kept := used.LoadOrStore(r.RemoteAddr, true); kept {
			panic(http.ErrAbortHandler)
		}
		says(http.StatusOK, jsonType, `{}`)(w, r)
	})
	for _, call := range []Call{
		{Op: "discover", URL: address},
		{Op: "exchange", URL: address, Form: url.Values{"code": {"a-code"}}},
		{Op: "exchange", URL: address, Form: url.Values{"code": {"another"}}},
	} {
		if a, err := c.Do(t.Context(), call); err != nil || a.Status != http.StatusOK {
			t.Errorf("%s: %+v %v", call.Op, a, err)
		}
	}
}
