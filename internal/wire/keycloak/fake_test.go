package keycloak

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
	err    error
	grant  authority.TokenGrant
	answer authority.Introspection
	ping   func(context.Context) error

	calls  []string
	token  authority.TokenRequest
	login  authority.LoginRequest
	logout authority.LogoutRequest
	query  authority.TokenQuery
}

func (f *fake) Token(_ context.Context, q authority.TokenRequest) (authority.TokenGrant, error) {
	f.calls, f.token = append(f.calls, "token"), q
	return f.grant, f.err
}

func (f *fake) Login(_ context.Context, q authority.LoginRequest) (authority.TokenGrant, error) {
	f.calls, f.login = append(f.calls, "login"), q
	return f.grant, f.err
}

func (f *fake) Logout(_ context.Context, q authority.LogoutRequest) error {
	f.calls, f.logout = append(f.calls, "logout"), q
	return f.err
}

func (f *fake) Introspect(_ context.Context, q authority.TokenQuery) (authority.Introspection, error) {
	f.calls, f.query = append(f.calls, "introspect"), q
	return f.answer, f.err
}

func (f *fake) Ping(ctx context.Context) error {
	f.calls = append(f.calls, "ping")
	if f.ping != nil {
		return f.ping(ctx)
	}
	return f.err
}

const (
	mainID  = "0b9a3f0e-1111-5222-8333-444455556666"
	staffID = "0b9a3f0e-aaaa-5222-8333-444455556666"
)

var testRealms = []Realm{
	{Name: "main", ID: mainID, LoginClient: "portal"},
	{Name: "staff", ID: staffID, RefreshLife: 7200e9},
}

// site is a dialect over a fake, and its log.
type site struct {
	*Dialect
	auth *fake
	log  *bytes.Buffer
}

func newTestSite(t testing.TB, options Options) site {
	t.Helper()
	s := site{auth: new(fake), log: new(bytes.Buffer)}
	var err error
	s.Dialect, err = New(s.auth, testRealms, options, slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// post is a POST with a body; its type is a form's unless it begins with a brace.
func post(target, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(body))
	switch {
	case strings.HasPrefix(body, "{"):
		r.Header.Set("Content-Type", "application/json")
	case body != "":
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
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

// wantDetail checks an answer of the form {"detail": "<text>"} and returns the text.
func wantDetail(t testing.TB, w *httptest.ResponseRecorder, status int) string {
	t.Helper()
	var answer map[string]string
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("%d %q: %v", w.Code, w.Body, err)
	}
	if w.Code != status || answer["detail"] == "" || len(answer) != 1 {
		t.Errorf("%d %s, want %d and a detail", w.Code, w.Body, status)
	}
	return answer["detail"]
}
