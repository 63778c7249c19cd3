package gmi

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// fake is an Authority that answers what it is told to and keeps what it was asked.
type fake struct {
	err   error
	raw   string
	step  authority.StepToken
	grant authority.TokenGrant
	facts authority.AccountFacts

	calls    []string
	code     authority.UpstreamCodeRequest
	token    authority.UpstreamTokenRequest
	login    authority.LoginRequest
	session  authority.SessionRequest
	refresh  authority.SessionRefresh
	asked    authority.AccountCall
	finished authority.AccountCall
}

func (f *fake) ExchangeCode(_ context.Context, q authority.UpstreamCodeRequest) (string, error) {
	f.calls, f.code = append(f.calls, "exchange"), q
	return f.raw, f.err
}

func (f *fake) StepByUpstreamToken(_ context.Context, q authority.UpstreamTokenRequest) (authority.StepToken, error) {
	f.calls, f.token = append(f.calls, "token"), q
	return f.step, f.err
}

func (f *fake) StepByPassword(_ context.Context, q authority.LoginRequest) (authority.StepToken, error) {
	f.calls, f.login = append(f.calls, "password"), q
	return f.step, f.err
}

func (f *fake) OpenSession(_ context.Context, q authority.SessionRequest) (authority.TokenGrant, error) {
	f.calls, f.session = append(f.calls, "open"), q
	return f.grant, f.err
}

func (f *fake) RefreshSession(_ context.Context, q authority.SessionRefresh) (authority.TokenGrant, error) {
	f.calls, f.refresh = append(f.calls, "refresh"), q
	return f.grant, f.err
}

func (f *fake) CloseSession(_ context.Context, q authority.AccountCall) error {
	f.calls, f.finished = append(f.calls, "close"), q
	return f.err
}

func (f *fake) AccountOf(_ context.Context, q authority.AccountCall) (authority.AccountFacts, error) {
	f.calls, f.asked = append(f.calls, "profile"), q
	return f.facts, f.err
}

// site is a dialect over a fake, and its log.
type site struct {
	*Dialect
	auth *fake
	log  *bytes.Buffer
}

func newTestSite(t testing.TB) site {
	t.Helper()
	s := site{auth: new(fake), log: new(bytes.Buffer)}
	var err error
	s.Dialect, err = New(s.auth, Realm{Name: "main", Providers: []string{"github", "google", "acme"}},
		Options{RedirectURI: "https://console.example.com/callback"},
		slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// call is one of the dialect's, with a request that it takes. Secrets are all hush.
type call struct{ method, path, body string }

var calls = []call{
	{"POST", exchangePath, `{"provider":"github","code":"hush-code"}`},
	{"POST", oauthTokenPath, `{"provider":"github","accessToken":"hush-token"}`},
	{"POST", authTokenPath, `{"email":"ann@example.com","password":"hush-password"}`},
	{"POST", sessionsPath, `{"authToken":"hush-step","otpCode":"123456"}`},
	{"PATCH", sessionsPath, `{"refreshToken":"hush-refresh"}`},
	{"DELETE", sessionsPath, ""},
	{"GET", profilePath, ""},
}

// request is the call with all that it needs; body replaces its own unless it is "good".
func (c call) request(body string) *http.Request {
	if body == "good" {
		body = c.body
	}
	r := httptest.NewRequest(c.method, c.path, strings.NewReader(body))
	if c.body == "" {
		r.Header.Set("Authorization", "Bearer hush-access")
		return r
	}
	r.Header.Set("Content-Type", "application/json")
	if c.path == sessionsPath {
		r.Header.Set("CE-ClientId", "portal")
	}
	return r
}

func callTo(t testing.TB, method, path string) call {
	t.Helper()
	for _, c := range calls {
		if c.method == method && c.path == path {
			return c
		}
	}
	t.Fatalf("no call %s %s", method, path)
	return call{}
}

func (s site) do(t testing.TB, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	if !s.Serves(r) {
		t.Fatalf("%s %s is not served", r.Method, r.URL)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	h := w.Header()
	if h.Get("Cache-Control") != "no-store" || h.Get("Pragma") != "no-cache" {
		t.Errorf("an answer may be kept: %v", h)
	}
	if w.Code != http.StatusNoContent && h.Get("Content-Type") != "application/json" {
		t.Errorf("header %v", h)
	}
	return w
}

// status is an error answer as a client reads it.
type status struct {
	Group   *string          `json:"group"`
	Code    *int             `json:"code"`
	Message string           `json:"message"`
	Traces  any              `json:"traces"`
	Details []map[string]any `json:"validationDetail"`
}

// wantError checks an answer of the form ErrStatusMsg.
func wantError(t testing.TB, w *httptest.ResponseRecorder, code int, group string, sub int) status {
	t.Helper()
	var answer status
	dec := json.NewDecoder(bytes.NewReader(w.Body.Bytes()))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&answer); err != nil {
		t.Fatalf("%d %q: %v", w.Code, w.Body, err)
	}
	if answer.Group == nil || answer.Code == nil {
		t.Fatalf("no group or code: %s", w.Body)
	}
	if w.Code != code || *answer.Group != group || *answer.Code != sub || answer.Traces != nil ||
		answer.Message == "" && len(answer.Details) == 0 {
		t.Errorf("%d %s, want %d %s/%d", w.Code, w.Body, code, group, sub)
	}
	return answer
}
