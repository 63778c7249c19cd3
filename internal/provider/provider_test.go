package provider

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// upstream serves h and returns a client for it.
func upstream(t *testing.T, h http.HandlerFunc) (*Client, string) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	c, err := NewClient(Options{Name: "test", HTTP: server.Client()})
	if err != nil {
		t.Fatal(err)
	}
	return c, server.URL
}

// says answers every call with the same.
func says(status int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

const jsonType = "application/json; charset=utf-8"

func wantKind(t *testing.T, story string, err error, kind authority.Kind) {
	t.Helper()
	if err == nil || authority.KindOf(err) != kind {
		t.Errorf("%s: error is %v, want one of kind %v", story, err, kind)
	}
}

func TestClientNeedsItsHTTPClient(t *testing.T) {
	if _, err := NewClient(Options{Name: "test"}); err == nil {
		t.Error("a client without an HTTP client was made")
	}
}

// On the same host a GET may be led on, a few times; nothing else is.
func TestRedirects(t *testing.T) {
	visited := map[string]int{}
	c, base := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		visited[r.Method+" "+r.URL.Path]++
		switch r.URL.Path {
		case "/old":
			http.Redirect(w, r, "/new", http.StatusMovedPermanently)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusTemporaryRedirect)
		case "/scheme":
			http.Redirect(w, r, "https://"+r.Host+"/new", http.StatusFound)
		case "/name":
			http.Redirect(w, r, strings.Replace("http://"+r.Host+"/new", "127.0.0.1", "localhost", 1), http.StatusFound)
		default:
			says(http.StatusOK, jsonType, `{"here":true}`)(w, r)
		}
	})
	a, err := c.Do(t.Context(), Call{Op: "test", URL: base + "/old", Bearer: "token"})
	if err != nil || a.Status != http.StatusOK {
		t.Errorf("a page that moved on its host: status %d, error %v", a.Status, err)
	}
	for _, call := range []Call{
		{Op: "test", URL: base + "/loop"},
		{Op: "test", URL: base + "/scheme"},
		{Op: "test", URL: base + "/name"},
		{Op: "test", URL: base + "/old", Form: url.Values{"code": {"secret"}}},
		{Op: "test", URL: base + "/loop", JSON: "secret"},
		{Op: "test", URL: base + "/old", Method: http.MethodDelete},
	} {
		_, err := c.Do(t.Context(), call)
		wantKind(t, call.URL, err, authority.ProviderFailed)
	}
	if visited["GET /new"] != 1 || visited["POST /loop"] != 1 || visited["GET /loop"] > maxRedirects+1 {
		t.Errorf("visited were %v", visited)
	}
}

// Cookies of an upstream would make one caller's answers depend on another's.
func TestNoCookiesAreKept(t *testing.T) {
	c, base := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		if len(r.Cookies()) != 0 {
			t.Error("a cookie came back")
		}
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "x", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	})
	for range 2 {
		if _, err := c.Do(t.Context(), Call{Op: "test", URL: base}); err != nil {
			t.Error(err)
		}
	}
}

// The errors of net/http quote addresses, and those of parsers what they read.
func TestErrorsTellNoSecrets(t *testing.T) {
	const secret = "hunter2hunter2"
	c, base := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = conn.Write([]byte("HTTP/1.1 " + secret + " what\r\n\r\n"))
	})
	gone := httptest.NewServer(nil)
	gone.Close()
	for _, address := range []string{
		base + "/?access_token=" + secret, gone.URL + "/?access_token=" + secret,
		"http://" + secret + ".invalid:port/", "\x7f" + secret,
	} {
		_, err := c.Do(t.Context(), Call{Op: "test", URL: address, Bearer: secret})
		wantKind(t, address, err, authority.ProviderFailed)
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("the error is %v", err)
		}
	}
	_, err := c.Do(t.Context(), Call{Op: "test", URL: base, Bearer: "line\nbreak" + secret})
	wantKind(t, "a broken header", err, authority.ProviderFailed)
	if err != nil && strings.Contains(err.Error(), secret) {
		t.Errorf("the error is %v", err)
	}
	for _, code := range []string{"gho_" + secret, "UPPER", strings.Repeat("a", 65), "", "line\nbreak"} {
		if text := refusal(code).Error(); len(code) > 0 && strings.Contains(text, code) {
			t.Errorf("an error code is told as %q", text)
		}
	}
}

// A slow answer ends with the deadline, however steadily it drips.
func TestDeadlineCoversTheBody(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", jsonType)
		drip := time.NewTicker(10 * time.Millisecond)
		defer drip.Stop()
		for r.Context().Err() == nil {
			if _, err := w.Write([]byte(" ")); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
			<-drip.C
		}
	}))
	t.Cleanup(server.Close)
	c, err := NewClient(Options{Name: "test", HTTP: server.Client(), Deadline: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Do(t.Context(), Call{Op: "test", URL: server.URL})
	wantKind(t, "a dripping answer", err, authority.ProviderFailed)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = c.Do(ended, Call{Op: "test", URL: server.URL})
	wantKind(t, "a caller who has left", err, authority.ProviderFailed)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the error does not say that the caller left: %v", err)
	}
}

// Exactly the limit is read, and no byte more.
func TestAnswerLimit(t *testing.T) {
	size := MaxAnswer
	c, base := upstream(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(strings.Repeat(" ", size)))
	})
	if a, err := c.Do(t.Context(), Call{Op: "test", URL: base}); err != nil || len(a.Body) != MaxAnswer {
		t.Errorf("%d bytes, error %v", len(a.Body), err)
	}
	size++
	_, err := c.Do(t.Context(), Call{Op: "test", URL: base})
	wantKind(t, "one byte more", err, authority.ProviderFailed)
}

func TestTokenAnswers(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	for _, tc := range []struct {
		story, kind, body string
		status            int
		want              authority.Kind // zero: a grant
	}{
		{"JSON", jsonType, `{"access_token":"t","token_type":"bearer"}`, 200, 0},
		{"no token type", jsonType, `{"access_token":"t"}`, 200, 0},
		{"a form", form, `access_token=t&token_type=bearer&scope=user%3Aemail`, 200, 0},
		{"an empty token", jsonType, `{"access_token":"","token_type":"bearer"}`, 200, authority.ProviderFailed},
		{"a null token", jsonType, `{"access_token":null}`, 200, authority.ProviderFailed},
		{"no token", jsonType, `{"token_type":"bearer"}`, 200, authority.ProviderFailed},
		{"a token that is no text", jsonType, `{"access_token":7}`, 200, authority.ProviderFailed},
		{"a token that breaks a header", jsonType, `{"access_token":"a\r\nb"}`, 200, authority.ProviderFailed},
		{"another type of token", jsonType, `{"access_token":"t","token_type":"DPoP"}`, 200, authority.ProviderFailed},
		{"a token with a bad status", jsonType, `{"access_token":"t"}`, 400, authority.ProviderFailed},
		{"a token beside an error", jsonType, `{"access_token":"t","error":"invalid_grant"}`, 200, authority.UpstreamCodeInvalid},
		{"an error that is no text", jsonType, `{"access_token":"t","error":{"code":1}}`, 200, authority.ProviderFailed},
		{"an empty error", jsonType, `{"access_token":"t","error":""}`, 200, authority.ProviderFailed},
		{"a form with an error", form, `error=bad_verification_code&error_description=x`, 200, authority.UpstreamCodeInvalid},
		{"a form with a token twice", form, `access_token=a&access_token=b`, 200, authority.ProviderFailed},
		{"a broken form", form, `access_token=%zz`, 200, authority.ProviderFailed},
		{"an empty form", form, ``, 200, authority.ProviderFailed},
		{"a form that says it is JSON", jsonType, `access_token=t`, 200, authority.ProviderFailed},
		{"JSON that says it is a page", "text/html", `{"access_token":"t"}`, 200, authority.ProviderFailed},
		{"the code is wrong", jsonType, `{"error":"invalid_grant"}`, 400, authority.UpstreamCodeInvalid},
		{"our secret is wrong", jsonType, `{"error":"invalid_client"}`, 401, authority.ProviderFailed},
		{"the upstream is ill", jsonType, `{"error":"invalid_grant"}`, 503, authority.ProviderFailed},
	} {
		c, base := upstream(t, says(tc.status, tc.kind, tc.body))
		g, err := c.Exchange(t.Context(), Endpoint{URL: base, Client: "id", Secret: "s"}, authority.UpstreamCode{Code: "c", Nonce: "n"})
		if tc.want != 0 {
			wantKind(t, tc.story, err, tc.want)
			continue
		}
		if err != nil || g.AccessToken != "t" || g.Nonce != "n" {
			t.Errorf("%s: grant is %+v, error %v", tc.story, g, err)
		}
	}
}

func TestWhereTheSecretGoes(t *testing.T) {
	var sent *http.Request
	c, base := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		sent = r
		says(http.StatusOK, jsonType, `{"access_token":"t"}`)(w, r)
	})
	for _, tc := range []struct {
		place            SecretIn
		id, secret, head string
	}{
		{SecretInForm, "i:d", "s/1", ""},
		{SecretInHeader, "", "", "i%3Ad:s%2F1"},
		{SecretNowhere, "i:d", "", ""},
	} {
		e := Endpoint{URL: base, Client: "i:d", Secret: "s/1", Place: tc.place}
		if _, err := c.Exchange(t.Context(), e, authority.UpstreamCode{Code: "c"}); err != nil {
			t.Fatal(err)
		}
		user, password, basic := sent.BasicAuth()
		head := ""
		if basic {
			head = user + ":" + password
		}
		if sent.PostForm.Get("client_id") != tc.id || sent.PostForm.Get("client_secret") != tc.secret || head != tc.head {
			t.Errorf("place %d: form %v, header %q", tc.place, sent.PostForm, head)
		}
		if sent.PostForm.Has("redirect_uri") || sent.PostForm.Has("code_verifier") {
			t.Errorf("what the login did not have was sent: %v", sent.PostForm)
		}
	}
}

func TestAuthURLNeedsAState(t *testing.T) {
	c, base := upstream(t, says(http.StatusOK, jsonType, `{}`))
	_, err := c.AuthURL(base, "id", nil, authority.UpstreamAuth{Verifier: "v"})
	wantKind(t, "no state", err, authority.Internal)
	if address, err := c.AuthURL(base, "id", nil, authority.UpstreamAuth{State: "s"}); err != nil || strings.Contains(address, "challenge") {
		t.Errorf("the address is %s, error %v", address, err)
	}
}
