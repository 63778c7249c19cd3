package golem

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/wire"
)

func TestLogin(t *testing.T) {
	form := []string{"Content-Type", wire.FormType}
	for name, r := range map[string]*http.Request{
		"the original's":  request("POST", "/v1/oauth2?provider=github&access_token=gho_x", ""),
		"later spelling":  request("POST", "/v1/login/oauth2?provider=github&access-token=gho_x", ""),
		"a form":          request("POST", "/v1/oauth2", "provider=github&access_token=gho_x", form...),
		"half and half":   request("POST", "/v1/oauth2?provider=github", "access-token=gho_x", form...),
		"an empty twin":   request("POST", "/v1/oauth2?provider=github&access_token=&access-token=gho_x", ""),
		"something else":  request("POST", "/v1/oauth2?provider=github&access_token=gho_x&x=y", ""),
		"a bearer beside": asAda("POST", "/v1/oauth2?provider=github&access_token=gho_x", ""),
	} {
		t.Run(name, func(t *testing.T) {
			s := newTestSite(t, "corp", "github")
			w := s.do(t, r)
			if w.Code != 200 || w.Body.String() != grantJSON {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			if want := (authority.UpstreamTokenRequest{Realm: "main", Provider: "github", AccessToken: "gho_x"}); s.auth.login != want {
				t.Errorf("%+v", s.auth.login)
			}
		})
	}
}

func TestLoginRefusals(t *testing.T) {
	form := []string{"Content-Type", wire.FormType}
	for _, tc := range []struct {
		name string
		r    *http.Request
		want []string
	}{
		{"nothing", request("POST", "/v1/oauth2", ""), []string{"provider: missing", "access_token: missing"}},
		{"empty", request("POST", "/v1/oauth2?provider=&access_token=", ""), []string{"provider: missing", "access_token: missing"}},
		{"another provider", request("POST", "/v1/oauth2?provider=GitHub", ""), []string{"access_token: missing", "provider: must be one of github, corp"}},
		{"both spellings", request("POST", "/v1/oauth2?provider=github&access_token=a&access-token=a", ""), []string{"access_token: given more than once"}},
		{"twice", request("POST", "/v1/oauth2?provider=github&provider=github&access_token=a&access_token=b", ""), []string{"provider: given more than once", "access_token: given more than once"}},
		{"two places", request("POST", "/v1/oauth2?provider=github&access_token=a", "access_token=a&provider=github", form...), []string{"provider: given more than once", "access_token: given more than once"}},
		{"text", request("POST", "/v1/oauth2?provider=%ff&access-token=%zz", ""), []string{"provider: not UTF-8 text without NUL", "access-token: badly percent-encoded"}},
		{"a faulty stranger", request("POST", "/v1/oauth2?x=%zz", ""), []string{"x: badly percent-encoded", "provider: missing", "access_token: missing"}},
		{"JSON", request("POST", "/v1/oauth2?provider=nobody", `{"access_token":"a"}`, "Content-Type", "application/json"),
			[]string{"the Content-Type must be application/x-www-form-urlencoded in UTF-8", "provider: must be one of github, corp"}},
		{"compressed", request("POST", "/v1/oauth2?provider=github&access_token=a", "x", "Content-Encoding", "gzip"), []string{"the request body must not be compressed"}},
		{"unreadable query", request("POST", "/v1/oauth2?%zz=1", "=", form...), []string{
			"a parameter's name is empty, badly percent-encoded or not UTF-8 text without NUL",
			"a parameter's name is empty, badly percent-encoded or not UTF-8 text without NUL"}},
		{"long", request("POST", "/v1/oauth2?provider=github&access_token="+strings.Repeat("a", maxCredential+1), ""), []string{"access_token: longer than 16384 bytes"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newTestSite(t, "github", "corp")
			if got := wantError(t, s.do(t, tc.r), 400); !slices.Equal(got, tc.want) {
				t.Errorf("%q, want %q", got, tc.want)
			}
			if len(s.auth.calls) > 0 {
				t.Error("the authority was asked")
			}
		})
	}
	for name, r := range map[string]*http.Request{
		"query": request("POST", "/v1/oauth2?access_token="+strings.Repeat("a", wire.MaxBody), ""),
		"body":  request("POST", "/v1/oauth2", strings.Repeat("a", wire.MaxBody+1), form...),
	} {
		t.Run("too large: "+name, func(t *testing.T) { wantError(t, newTestSite(t, "github").do(t, r), 413) })
	}
	s := newTestSite(t)
	if got := wantError(t, s.do(t, good("login")), 400); !slices.Equal(got, []string{"provider: there are no logins here"}) {
		t.Errorf("%q", got)
	}
}

func TestStart(t *testing.T) {
	json := []string{"Content-Type", "application/json; charset=utf-8"}
	for _, tc := range []struct {
		name      string
		providers []string
		r         *http.Request
		want      string
	}{
		{"the original's", []string{"corp", "github"}, request("POST", "/oauth2/device/start", ""), "github"},
		{"the only one", []string{"corp"}, request("POST", "/login/oauth2/device/start", ""), "corp"},
		{"named", []string{"corp", "github"}, request("POST", "/v1/login/oauth2/device/start", `{"provider":"corp"}`, json...), "corp"},
		{"null", []string{"github"}, request("POST", "/oauth2/device/start", `{"provider":null,"x":1}`, json...), "github"},
		{"an empty object", []string{"github"}, request("POST", "/oauth2/device/start", `{}`, json...), "github"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newTestSite(t, tc.providers...)
			s.auth.start = authority.DeviceStart{
				VerificationURI: "https://github.com/login/device", UserCode: "E643-F4E1", Session: "c2Vh",
				Expires: time.Date(2023, 9, 29, 9, 38, 50, 247009215, time.UTC),
			}
			w := s.do(t, tc.r)
			if want := `{"url":"https://github.com/login/device","userCode":"E643-F4E1","expires":"2023-09-29T09:38:50.247009215Z","encodedSession":"c2Vh"}`; w.Code != 200 || w.Body.String() != want {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			if want := (authority.DeviceRequest{Realm: "main", Provider: tc.want}); s.auth.device != want {
				t.Errorf("%+v", s.auth.device)
			}
		})
	}
	for _, tc := range []struct {
		name, body, contentType, want string
		providers                     []string
	}{
		{"which one", "", "", "provider: must be one of corp, staff", []string{"corp", "staff"}},
		{"none at all", "", "", "provider: there are no logins here", nil},
		{"unknown", `{"provider":"gitlab"}`, "application/json", "provider: must be one of github", []string{"github"}},
		{"a number", `{"provider":1}`, "application/json", "provider: not a text", []string{"github"}},
		{"no object", `"github"`, "application/json", "the request body is JSON, but not an object", []string{"github"}},
		{"no JSON", `{`, "application/json", "the request body is not JSON", []string{"github"}},
		{"a form", `provider=github`, wire.FormType, "the Content-Type must be application/json in UTF-8", []string{"github"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newTestSite(t, tc.providers...)
			got := wantError(t, s.do(t, request("POST", "/oauth2/device/start", tc.body, "Content-Type", tc.contentType)), 400)
			if !slices.Equal(got, []string{tc.want}) || len(s.auth.calls) > 0 {
				t.Errorf("%q, want %q; %v", got, tc.want, s.auth.calls)
			}
		})
	}
}

func TestComplete(t *testing.T) {
	for _, body := range []string{`"c2VhbGVk"`, " \"c2VhbGVk\"\r\n", `"c2Vh\u0062GVk"`} {
		for _, path := range completePaths {
			s := newTestSite(t, "github")
			w := s.do(t, request("POST", path, body, "Content-Type", "application/json"))
			if w.Code != 200 || w.Body.String() != grantJSON {
				t.Errorf("%s: %d %s", body, w.Code, w.Body)
			}
			if want := (authority.DeviceCompletion{Realm: "main", Session: "c2VhbGVk"}); s.auth.finish != want {
				t.Errorf("%s: %+v", body, s.auth.finish)
			}
		}
	}
	const notSession, notJSON = "Invalid Session", "the request body"
	for body, want := range map[string]string{
		"": notJSON, `c2Vh`: notJSON, `"c2Vh`: notJSON, `"a""b"`: notJSON, `"a" x`: notJSON, `"a","session":"b"`: notJSON,
		`{"encodedSession":"a"}`: notJSON, `["a"]`: notJSON, `null`: notJSON, `1`: notJSON, "\xef\xbb\xbf\"a\"": notJSON, "\"a\x00\"": notJSON,
		`""`: notSession, `"a b"`: notSession, `"a.b"`: notSession, `"a="`: notSession, `"\ud800"`: notSession, `"\u0000"`: notSession, "\"\xff\"": notSession,
		`"` + strings.Repeat("a", maxCredential+1) + `"`: notSession,
	} {
		s := newTestSite(t, "github")
		got := wantError(t, s.do(t, request("POST", "/oauth2/device/complete", body, "Content-Type", "application/json")), 400)
		if len(got) != 1 || !strings.HasPrefix(got[0], want) || len(s.auth.calls) > 0 {
			t.Errorf("%.40q: %q, want %q", body, got, want)
		}
	}
	s := newTestSite(t, "github")
	wantError(t, s.do(t, request("POST", "/oauth2/device/complete", `"a"`)), 400) // no Content-Type
	wantError(t, s.do(t, request("POST", "/oauth2/device/complete", `"`+strings.Repeat("a", wire.MaxBody)+`"`, "Content-Type", "application/json")), 413)
}

// The wait for the user ends at once when the caller goes away.
func TestCompleteEndsWithItsCaller(t *testing.T) {
	s := newTestSite(t, "github")
	begun, ended := make(chan struct{}), make(chan error, 1)
	s.auth.waiting = func(ctx context.Context) error {
		close(begun)
		<-ctx.Done()
		ended <- ctx.Err()
		return &authority.Error{Kind: authority.Unavailable, Err: ctx.Err()}
	}
	server := httptest.NewServer(s)
	defer server.Close()
	ctx, leave := context.WithCancel(t.Context())
	go func() {
		<-begun
		leave()
	}()
	r, err := http.NewRequestWithContext(ctx, "POST", server.URL+"/oauth2/device/complete", strings.NewReader(`"a"`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := server.Client().Do(r)
	if !errors.Is(err, context.Canceled) {
		resp.Body.Close()
		t.Error("it was answered", resp.Status, err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A user who takes longer than the server's deadlines gets his answer all the same.
func TestCompleteOutlivesTheServersDeadlines(t *testing.T) {
	s := newTestSite(t, "github")
	const deadline = 50 * time.Millisecond
	s.auth.waiting = func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(6 * deadline): // the user
			return nil
		}
	}
	server := httptest.NewUnstartedServer(s)
	server.Config.ReadTimeout, server.Config.WriteTimeout = deadline, deadline
	server.Start()
	defer server.Close()
	for range 2 { // the second one on the same connection
		resp, err := server.Client().Post(server.URL+"/oauth2/device/complete", "application/json", strings.NewReader(`"a"`))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 200 {
			t.Errorf("%d", resp.StatusCode)
		}
	}
}
