package caddymodule

import (
	"crypto/rand"
	"encoding/base64"
	"io"
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/internal/guard"
)

// tunnelVar is Caddy's variable in which reverse_proxy finds what a client sends into a
// WebSocket that it opened by extended CONNECT.
const tunnelVar = "extended_connect_websocket_body"

// lookFirst has a route's matchers see a request as upgrade leaves it.
func (s *Strip) lookFirst(route *caddyhttp.Route) {
	for i, set := range route.MatcherSets {
		if !slices.Contains(set, any(s)) {
			route.MatcherSets[i] = slices.Insert(set, 0, any(s))
		}
	}
}

// MatchWithError is for the matchers behind it: it matches whatever comes.
func (s *Strip) MatchWithError(r *http.Request) (bool, error) {
	if guard.ConnectsWebSocket(r) && s.siteOf(r) != nil {
		upgrade(r)
	}
	return true, nil
}

// upgrade makes a WebSocket that is opened by extended CONNECT (RFC 8441, RFC 9220) the
// GET that opens one in HTTP/1.1. reverse_proxy would do so, after all rules: what tells
// requests apart by their method, a matcher in front of a guard or a policy, would judge
// another method than the app sees.
func upgrade(r *http.Request) {
	if r.Method != http.MethodConnect {
		return
	}
	if _, is := caddyhttp.GetVar(r.Context(), tunnelVar).(io.ReadCloser); is {
		r.Method = http.MethodGet // Caddy gives error routes the method that came
		return
	}
	if !guard.ConnectsWebSocket(r) {
		return
	}
	caddyhttp.SetVar(r.Context(), tunnelVar, r.Body)
	r.Method, r.Body, r.ContentLength = http.MethodGet, http.NoBody, 0
	var key [16]byte
	_, _ = rand.Read(key[:]) // it does not fail
	delete(r.Header, ":protocol")
	r.Header["Connection"], r.Header["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}
	r.Header["Sec-Websocket-Key"] = []string{base64.StdEncoding.EncodeToString(key[:])}
}

var _ caddyhttp.RequestMatcherWithError = (*Strip)(nil)
