package golem

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
	err     error
	grant   authority.PersonalGrant
	list    []authority.PersonalToken
	facts   authority.AccountFacts
	start   authority.DeviceStart
	waiting func(context.Context) error

	calls  []string
	login  authority.UpstreamTokenRequest
	device authority.DeviceRequest
	finish authority.DeviceCompletion
	call   authority.AccountCall
}

func (f *fake) LoginByUpstreamToken(_ context.Context, q authority.UpstreamTokenRequest) (authority.PersonalGrant, error) {
	f.calls, f.login = append(f.calls, "login"), q
	return f.grant, f.err
}

func (f *fake) StartDevice(_ context.Context, q authority.DeviceRequest) (authority.DeviceStart, error) {
	f.calls, f.device = append(f.calls, "start"), q
	return f.start, f.err
}

func (f *fake) CompleteDevice(ctx context.Context, q authority.DeviceCompletion) (authority.PersonalGrant, error) {
	f.calls, f.finish = append(f.calls, "complete"), q
	if f.waiting != nil {
		return f.grant, f.waiting(ctx)
	}
	return f.grant, f.err
}

func (f *fake) OwnToken(_ context.Context, q authority.AccountCall) (authority.PersonalToken, error) {
	f.calls, f.call = append(f.calls, "own"), q
	return f.grant.PersonalToken, f.err
}

func (f *fake) AccountOf(_ context.Context, q authority.AccountCall) (authority.AccountFacts, error) {
	f.calls, f.call = append(f.calls, "account"), q
	return f.facts, f.err
}

func (f *fake) PersonalTokens(_ context.Context, q authority.AccountCall) ([]authority.PersonalToken, error) {
	f.calls, f.call = append(f.calls, "list"), q
	return f.list, f.err
}

func (f *fake) PersonalTokenOf(_ context.Context, q authority.AccountCall) (authority.PersonalToken, error) {
	f.calls, f.call = append(f.calls, "show"), q
	return f.grant.PersonalToken, f.err
}

func (f *fake) MintPersonalToken(_ context.Context, q authority.AccountCall) (authority.PersonalGrant, error) {
	f.calls, f.call = append(f.calls, "mint"), q
	return f.grant, f.err
}

func (f *fake) EndPersonalToken(_ context.Context, q authority.AccountCall) error {
	f.calls, f.call = append(f.calls, "end"), q
	return f.err
}

const (
	accountID = "ae9b9f24-cfba-4dc6-92c6-c6fecdee88b5"
	tokenID   = "d7746eb5-7a7f-4e40-abfa-a736a3a28ef9"
	theSecret = "03f17466-202f-43ac-86cc-52e6c6a42d2d"

	accountPath = accountsPath + accountID
	tokensPath  = accountPath + "/tokens"
	tokenPath   = tokensPath + "/" + tokenID

	// The original's Token, as the fake's grant is told.
	tokenJSON = `{"id":"d7746eb5-7a7f-4e40-abfa-a736a3a28ef9","accountId":"ae9b9f24-cfba-4dc6-92c6-c6fecdee88b5",` +
		`"createdAt":"2023-09-05T13:40:13.364870Z","expiresAt":"2100-01-01T01:00:00Z"}`
	grantJSON = `{"data":` + tokenJSON + `,"secret":"03f17466-202f-43ac-86cc-52e6c6a42d2d"}`
)

// site is a dialect over a fake, and its log.
type site struct {
	*Dialect
	auth *fake
	log  *bytes.Buffer
}

func newTestSite(t testing.TB, providers ...string) site {
	t.Helper()
	s := site{auth: new(fake), log: new(bytes.Buffer)}
	s.auth.grant = authority.PersonalGrant{
		PersonalToken: authority.PersonalToken{
			ID: tokenID, Account: accountID,
			Created: time.Date(2023, 9, 5, 13, 40, 13, 364870000, time.UTC),
			Expires: time.Date(2100, 1, 1, 1, 0, 0, 0, time.UTC),
		},
		Secret: theSecret,
	}
	var err error
	logger := slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.Dialect, err = New(s.auth, Realm{Name: "main", Providers: providers}, logger)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// request makes a request; header is pairs of names and values.
func request(method, target, body string, header ...string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

// asAda is a request with the bearer token of an account.
func asAda(method, target, body string) *http.Request {
	r := request(method, target, body, "Authorization", "Bearer "+theSecret)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

// good are requests that each call takes, by its name.
func good(call string) *http.Request {
	switch call {
	case "login":
		return request("POST", "/v1/oauth2?provider=github&access_token=gho_s3cret", "")
	case "start":
		return request("POST", "/oauth2/device/start", "")
	case "complete":
		return request("POST", "/oauth2/device/complete", `"c2VhbGVk"`, "Content-Type", "application/json")
	case "own":
		return asAda("GET", ownPath, "")
	case "account":
		return asAda("GET", accountPath, "")
	case "list":
		return asAda("GET", tokensPath, "")
	case "mint":
		return asAda("POST", tokensPath, "")
	case "show":
		return asAda("GET", tokenPath, "")
	}
	return asAda("DELETE", tokenPath, "")
}

// allCalls names every verb that a request can reach.
func allCalls() []string {
	return []string{"login", "start", "complete", "own", "account", "list", "mint", "show", "end"}
}

func (s site) do(t testing.TB, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	if !s.Serves(r) {
		t.Fatalf("%s %s is not served", r.Method, r.URL)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	h := w.Header()
	if h.Get("Cache-Control") != "no-store" || h.Get("Pragma") != "no-cache" || h.Get("Content-Type") != "application/json; charset=utf-8" {
		t.Errorf("header %v", h)
	}
	return w
}

// wantError checks that an answer is an error in the form of its status, and
// returns its texts.
func wantError(t testing.TB, w *httptest.ResponseRecorder, status int) []string {
	t.Helper()
	var answer map[string]json.RawMessage
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || len(answer) != 1 {
		t.Fatalf("%d %q: %v", w.Code, w.Body, err)
	}
	texts := make([]string, 1)
	var err error
	switch status {
	case 400:
		err = json.Unmarshal(answer["errors"], &texts)
	case 401, 403:
		err = json.Unmarshal(answer["message"], &texts[0])
	default:
		err = json.Unmarshal(answer["error"], &texts[0])
	}
	if w.Code != status || err != nil || len(texts) == 0 || texts[0] == "" {
		t.Errorf("%d %s, want %d: %v", w.Code, w.Body, status, err)
	}
	return texts
}
