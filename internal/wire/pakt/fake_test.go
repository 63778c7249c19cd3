package pakt

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// fake is an Authority that answers what it is told to and keeps what it was asked.
type fake struct {
	err   error
	begun authority.LoginStart
	ended authority.UpstreamLogin
	facts authority.AccountFacts

	calls  []string
	start  authority.StartRequest
	finish authority.FinishRequest
	call   authority.AccountCall
}

func (f *fake) StartLogin(_ context.Context, q authority.StartRequest) (authority.LoginStart, error) {
	f.calls, f.start = append(f.calls, "start"), q
	return f.begun, f.err
}

func (f *fake) FinishLogin(_ context.Context, q authority.FinishRequest) (authority.UpstreamLogin, error) {
	f.calls, f.finish = append(f.calls, "finish"), q
	return f.ended, f.err
}

func (f *fake) AccountOf(_ context.Context, q authority.AccountCall) (authority.AccountFacts, error) {
	f.calls, f.call = append(f.calls, "account"), q
	return f.facts, f.err
}

func (f *fake) CloseSession(_ context.Context, q authority.AccountCall) error {
	f.calls, f.call = append(f.calls, "close"), q
	return f.err
}

const (
	startPath    = "/v1/auth/google/oauth/generate-state"
	validatePath = "/v1/auth/google/oauth/validate-state"
	frontEnd     = "https://app.example.com/callback"
)

var testRealm = Realm{
	Name: "main", Issuer: "http://127.0.0.1:8080",
	Providers: []Provider{{Name: "google", Type: "google"}, {Name: "github", Type: "github"}, {Name: "workspace", Type: "google"}},
}

// site is a dialect over a fake, and its log.
type site struct {
	*Dialect
	auth *fake
	log  *bytes.Buffer
}

func newTestSite(t testing.TB, options Options) site {
	t.Helper()
	s := site{log: new(bytes.Buffer), auth: &fake{
		begun: authority.LoginStart{
			URL: "https://accounts.example/auth?scope=openid%20email&state=0uf8QFFI6eFu", State: "0uf8QFFI6eFu",
			Browser: "Zm9vYmFyYmF6", Life: 10 * time.Minute,
		},
		ended: authority.UpstreamLogin{AccessToken: "t0ken", ExpiresIn: 24*time.Hour + time.Millisecond},
	}}
	if options.RedirectURI == "" {
		options.RedirectURI = frontEnd
	}
	var err error
	s.Dialect, err = New(s.auth, testRealm, options, slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func get(target string) *http.Request { return httptest.NewRequest(http.MethodGet, target, nil) }

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

// with adds header fields, name and value in turn.
func with(r *http.Request, fields ...string) *http.Request {
	for i := 0; i < len(fields); i += 2 {
		r.Header.Add(fields[i], fields[i+1])
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

// wantMessage checks an answer of the form of an error and returns its message.
func wantMessage(t testing.TB, w *httptest.ResponseRecorder, status int) string {
	t.Helper()
	var answer struct {
		Status     string
		Message    string
		StatusCode int
		Data       *struct{}
	}
	dec := json.NewDecoder(w.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&answer); err != nil {
		t.Fatalf("%d: %v", w.Code, err)
	}
	if w.Code != status || answer.StatusCode != status || answer.Status != "error" || answer.Message == "" || answer.Data != nil {
		t.Errorf("%d %+v, want %d", w.Code, answer, status)
	}
	return answer.Message
}
