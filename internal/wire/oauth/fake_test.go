package oauth

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
	keys   []byte
	ping   func(context.Context) error

	calls     []string
	token     authority.TokenRequest
	query     authority.TokenQuery
	keysRealm string
}

func (f *fake) Token(_ context.Context, r authority.TokenRequest) (authority.TokenGrant, error) {
	f.calls, f.token = append(f.calls, "token"), r
	return f.grant, f.err
}

func (f *fake) Introspect(_ context.Context, q authority.TokenQuery) (authority.Introspection, error) {
	f.calls, f.query = append(f.calls, "introspect"), q
	return f.answer, f.err
}

func (f *fake) Revoke(_ context.Context, q authority.TokenQuery) error {
	f.calls, f.query = append(f.calls, "revoke"), q
	return f.err
}

func (f *fake) PublicKeys(_ context.Context, realm string) ([]byte, error) {
	f.calls, f.keysRealm = append(f.calls, "keys"), realm
	return f.keys, f.err
}

func (f *fake) Ping(ctx context.Context) error {
	f.calls = append(f.calls, "ping")
	if f.ping != nil {
		return f.ping(ctx)
	}
	return f.err
}

var testRealms = []Realm{
	{
		Name: "main", ID: "0b9a3f0e-1111-5222-8333-444455556666", Issuer: "https://auth.example.com",
		SigningAlg: "ES256", Scopes: []string{"read", "write"}, Grants: []string{"client_credentials"},
		Resources: []Resource{
			{URL: "https://auth.example.com/mcp", Scopes: []string{"read"}},
			{URL: "https://app.example.com/api/?v=2"},
			{URL: "https://App.example.com:443/"},
			{URL: "urn:example:printer"},
		},
	},
	{
		Name: "staff", Issuer: "https://auth.example.com/tenants/staff", SigningAlg: "RS256",
		Resources: []Resource{{URL: "https://auth.example.com/mcp", Scopes: []string{"read", "admin"}}},
	},
}

// site is a dialect over a fake, and its log.
type site struct {
	*Dialect
	auth *fake
	log  *bytes.Buffer
}

func newTestSite(t testing.TB, realms ...Realm) site {
	t.Helper()
	if realms == nil {
		realms = testRealms
	}
	s := site{auth: &fake{keys: []byte(`{"keys":[]}`)}, log: new(bytes.Buffer)}
	var err error
	s.Dialect, err = New(s.auth, realms, slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// form is a POST of a form to a target on the first realm's host.
func form(target, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(body))
	r.Host = "auth.example.com"
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// withBasic adds the Basic field of an id and secret that need no encoding.
func withBasic(r *http.Request) *http.Request {
	r.SetBasicAuth("app", "s3cret")
	return r
}

func (s site) do(t testing.TB, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	if !s.Serves(r) {
		t.Fatalf("%s %s is not served", r.Method, r.URL)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// wantError checks an answer of RFC 6749 §5.2 and returns its description.
func wantError(t testing.TB, w *httptest.ResponseRecorder, status int, code string) string {
	t.Helper()
	var answer map[string]string
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("%d %q: %v", w.Code, w.Body, err)
	}
	if w.Code != status || answer["error"] != code || answer["error_description"] == "" || len(answer) != 2 {
		t.Errorf("%d %s, want %d %s", w.Code, w.Body, status, code)
	}
	h := w.Header()
	if h.Get("Content-Type") != "application/json" || h.Get("Cache-Control") != "no-store" || h.Get("Pragma") != "no-cache" {
		t.Errorf("header %v", h)
	}
	if h.Get("Access-Control-Allow-Origin") != "" {
		t.Error("an error is open to every origin")
	}
	return answer["error_description"]
}
