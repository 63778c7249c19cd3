package oauth

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

func TestToken(t *testing.T) {
	s := newTestSite(t)
	s.auth.grant = authority.TokenGrant{AccessToken: "at", ExpiresIn: 299900 * time.Millisecond, Scope: "read write"}
	w := s.do(t, withBasic(form("/oauth2/token", "grant_type=client_credentials&scope=read+write&resource=https://a&resource=https://b&unknown=1")))
	if w.Code != 200 || w.Body.String() != `{"access_token":"at","token_type":"Bearer","expires_in":299,"scope":"read write"}` {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	h := w.Header()
	if h.Get("Content-Type") != "application/json" || h.Get("Cache-Control") != "no-store" || h.Get("Pragma") != "no-cache" {
		t.Errorf("header %v", h)
	}
	want := authority.TokenRequest{
		Realm: "main", Client: authority.ClientAuth{Method: authority.AuthBasic, ID: "app", Secret: "s3cret"},
		GrantType: "client_credentials", Scope: "read write", Resources: []string{"https://a", "https://b"},
	}
	if !reflect.DeepEqual(s.auth.token, want) {
		t.Errorf("asked %+v, want %+v", s.auth.token, want)
	}

	// Without a scope the member is left out; empty parameters count as omitted.
	s.auth.grant = authority.TokenGrant{AccessToken: "at", ExpiresIn: time.Minute}
	w = s.do(t, form("/realms/staff/oauth2/token", "grant_type=x&scope=&resource=&client_id=app&client_secret=pw"))
	if w.Body.String() != `{"access_token":"at","token_type":"Bearer","expires_in":60}` {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	want = authority.TokenRequest{
		Realm: "staff", Client: authority.ClientAuth{Method: authority.AuthPost, ID: "app", Secret: "pw"}, GrantType: "x",
	}
	if !reflect.DeepEqual(s.auth.token, want) {
		t.Errorf("asked %+v, want %+v", s.auth.token, want)
	}
}

func TestTokenRefuses(t *testing.T) {
	good := "grant_type=client_credentials"
	for _, tc := range []struct {
		name   string
		make   func() *http.Request
		status int
		code   string
		says   string
	}{
		{"no grant type", func() *http.Request { return withBasic(form("/oauth2/token", "scope=a")) }, 400, "invalid_request", "grant_type: missing"},
		{"an empty grant type", func() *http.Request { return withBasic(form("/oauth2/token", "grant_type=")) }, 400, "invalid_request", "grant_type: missing"},
		{"no body", func() *http.Request { return withBasic(form("/oauth2/token", "")) }, 400, "invalid_request", "grant_type: missing"},
		{"no client", func() *http.Request { return form("/oauth2/token", good) }, 401, "invalid_client", "did not say who"},
		{"malformed Basic", func() *http.Request {
			r := form("/oauth2/token", good)
			r.Header.Set("Authorization", "Basic !")
			return r
		}, 401, "invalid_client", "form-urlencoded"},
		{"JSON", func() *http.Request {
			r := withBasic(form("/oauth2/token", `{"grant_type":"client_credentials"}`))
			r.Header.Set("Content-Type", "application/json")
			return r
		}, 400, "invalid_request", "application/x-www-form-urlencoded"},
		{"badly encoded", func() *http.Request { return withBasic(form("/oauth2/token", good+"&scope=%")) }, 400, "invalid_request", "scope: badly percent-encoded"},
		{"too many resources", func() *http.Request {
			return withBasic(form("/oauth2/token", good+strings.Repeat("&resource=https://a", 17)))
		}, 400, "invalid_request", "resource: given too many times"},
		{"a query that cannot be read", func() *http.Request { return withBasic(form("/oauth2/token?a=%zz", good)) }, 400, "invalid_request", "a: badly"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newTestSite(t)
			w := s.do(t, tc.make())
			if says := wantError(t, w, tc.status, tc.code); !strings.Contains(says, tc.says) {
				t.Errorf("says %q, want %q in it", says, tc.says)
			}
			if challenged := w.Header().Get("WWW-Authenticate") == `Basic realm="main"`; challenged != (tc.status == 401) {
				t.Errorf("challenge %q", w.Header().Get("WWW-Authenticate"))
			}
			if len(s.auth.calls) != 0 {
				t.Errorf("the authority was asked: %v", s.auth.calls)
			}
		})
	}
}

func TestIntrospect(t *testing.T) {
	full := authority.Principal{
		Source: "main", Realm: "uuid", Issuer: "https://auth.example.com", Subject: "sub-1", Account: "acc", Client: "app",
		Username: "alice", Name: "Alice", Email: "a@example.com", Session: "sid-1", TokenID: "jti-1", KeyID: "kid",
		Kind: authority.KindAccess, Scopes: authority.ListOf("read", "write"), Roles: authority.ListOf("admin"),
		Audience: authority.ListOf("https://a", "https://b"), IssuedAt: 100, Expires: 400, AuthTime: 50, EmailVerified: true,
	}
	bare := authority.Principal{
		Issuer: "https://auth.example.com", Subject: "sub-2", Client: "app", TokenID: "jti-2", Kind: authority.KindPersonal,
		Audience: authority.ListOf("https://auth.example.com"), IssuedAt: 100, Expires: 400,
	}
	refresh := bare
	refresh.Kind, refresh.Audience = authority.KindRefresh, ""
	for _, tc := range []struct {
		name string
		in   authority.Introspection
		want string
	}{
		{"everything", authority.Introspection{Active: true, Principal: full},
			`{"active":true,"scope":"read write","client_id":"app","username":"alice","token_type":"Bearer","exp":400,"iat":100,"sub":"sub-1",` +
				`"aud":["https://a","https://b"],"iss":"https://auth.example.com","jti":"jti-1","sid":"sid-1","auth_time":50,"roles":["admin"]}`},
		{"a client's own token", authority.Introspection{Active: true, Principal: bare},
			`{"active":true,"client_id":"app","token_type":"Bearer","exp":400,"iat":100,"sub":"sub-2",` +
				`"aud":"https://auth.example.com","iss":"https://auth.example.com","jti":"jti-2"}`},
		// Attack: a refresh token shown to an API. Whoever reads token_type does not take it.
		{"a refresh token is no bearer token", authority.Introspection{Active: true, Principal: refresh},
			`{"active":true,"client_id":"app","exp":400,"iat":100,"sub":"sub-2","iss":"https://auth.example.com","jti":"jti-2"}`},
		{"inactive", authority.Introspection{}, `{"active":false}`},
		// Attack: the answer about a dead or foreign token tells whose it was.
		{"inactive says nothing else", authority.Introspection{Principal: full}, `{"active":false}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newTestSite(t)
			s.auth.answer = tc.in
			w := s.do(t, withBasic(form("/oauth2/introspect", "token=tok&token_type_hint=anything")))
			if w.Code != 200 || w.Body.String() != tc.want {
				t.Errorf("%d\n%s\nwant\n%s", w.Code, w.Body, tc.want)
			}
			if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Content-Type") != "application/json" {
				t.Errorf("header %v", w.Header())
			}
			want := authority.TokenQuery{Realm: "main", Token: "tok",
				Client: authority.ClientAuth{Method: authority.AuthBasic, ID: "app", Secret: "s3cret"}}
			if s.auth.query != want {
				t.Errorf("asked %+v", s.auth.query)
			}
		})
	}
}

func TestRevoke(t *testing.T) {
	for _, body := range []string{"token=tok", "token=tok&token_type_hint=refresh_token", "token=tok&token_type_hint=no_such_type", "token=tok&token_type_hint="} {
		s := newTestSite(t)
		w := s.do(t, withBasic(form("/oauth2/revoke", body)))
		if w.Code != 200 || w.Body.Len() != 0 || w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Content-Length") != "0" {
			t.Errorf("%s: %d %q %v", body, w.Code, w.Body, w.Header())
		}
		if s.auth.query.Token != "tok" || s.auth.query.Realm != "main" {
			t.Errorf("%s: asked %+v", body, s.auth.query)
		}
	}

	// RFC 7009 §2.1: a public client ends its own tokens by saying who it is.
	s := newTestSite(t)
	if w := s.do(t, form("/oauth2/revoke", "token=tok&client_id=spa")); w.Code != 200 || s.auth.query.Client.Method != authority.AuthNone {
		t.Errorf("public client: %d %s, asked %+v", w.Code, w.Body, s.auth.query)
	}

	for _, target := range []string{"/oauth2/revoke", "/oauth2/introspect"} {
		s := newTestSite(t)
		if says := wantError(t, s.do(t, withBasic(form(target, "token="))), 400, "invalid_request"); says != "token: missing" {
			t.Errorf("%s: %q", target, says)
		}
	}
}

func TestKeys(t *testing.T) {
	s := newTestSite(t)
	s.auth.keys = []byte(`{"keys":[{"kty":"EC"}]}`)
	for target, realm := range map[string]string{"/oauth2/jwks": "main", "/realms/staff/oauth2/jwks": "staff"} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			w := s.do(t, httptest.NewRequest(method, target, nil))
			if w.Code != 200 || w.Body.String() != string(s.auth.keys) || s.auth.keysRealm != realm {
				t.Errorf("%s: %d %s of realm %s", target, w.Code, w.Body, s.auth.keysRealm)
			}
			h := w.Header()
			if h.Get("Content-Type") != "application/json" || h.Get("Cache-Control") != "public, max-age=300" || h.Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("%s: %v", target, h)
			}
		}
	}
	// A failure must not be kept by a cache for the life of a good answer.
	s.auth.err = &authority.Error{Kind: authority.Unavailable}
	wantError(t, s.do(t, httptest.NewRequest(http.MethodGet, "/oauth2/jwks", nil)), 503, "temporarily_unavailable")
}

func TestHealth(t *testing.T) {
	s := newTestSite(t)
	w := s.do(t, httptest.NewRequest(http.MethodGet, "/healthz", nil))
	if w.Code != 200 || w.Body.String() != `{"status":"ok"}` || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d %s %v", w.Code, w.Body, w.Header())
	}
	for _, err := range []error{&authority.Error{Kind: authority.Unavailable, Public: "no disk"}, errors.New("no disk")} {
		s.auth.err = err
		w = s.do(t, httptest.NewRequest(http.MethodGet, "/healthz", nil))
		if w.Code != 503 || w.Body.String() != `{"status":"unavailable"}` || w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Retry-After") == "" {
			t.Errorf("%v: %d %s %v", err, w.Code, w.Body, w.Header())
		}
	}
}

// A store that hangs makes the probe fail, not hang.
func TestHealthDoesNotWaitForAStoreThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTestSite(t)
		s.auth.ping = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		began := time.Now()
		w := s.do(t, httptest.NewRequest(http.MethodGet, "/healthz", nil))
		if took := time.Since(began); w.Code != 503 || took != healthDeadline {
			t.Errorf("%d after %v", w.Code, took)
		}
	})
}
