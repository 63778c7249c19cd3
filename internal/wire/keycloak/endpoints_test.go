package keycloak

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

func postAuth(id, secret string) authority.ClientAuth {
	return authority.ClientAuth{Method: authority.AuthPost, ID: id, Secret: secret}
}

func TestTokenRequests(t *testing.T) {
	const life = 1800 * time.Second
	for _, tc := range []struct {
		query string
		want  authority.TokenRequest
	}{
		{"client_id=app&client_secret=x", authority.TokenRequest{
			Realm: "main", Client: postAuth("app", "x"), GrantType: "client_credentials", WithRefresh: true, RefreshLife: life}},
		{"client_id=app&client_secret=x&realm=staff&grant_type=client_credentials&scopes=a+b", authority.TokenRequest{
			Realm: "staff", Client: postAuth("app", "x"), GrantType: "client_credentials", Scope: "a b", WithRefresh: true, RefreshLife: 2 * time.Hour}},
		{"client_id=app&client_secret=x&realm=" + staffID, authority.TokenRequest{
			Realm: "staff", Client: postAuth("app", "x"), GrantType: "client_credentials", WithRefresh: true, RefreshLife: 2 * time.Hour}},
		{"client_id=app&client_secret=x&realm=" + strings.ToUpper(mainID), authority.TokenRequest{
			Realm: "main", Client: postAuth("app", "x"), GrantType: "client_credentials", WithRefresh: true, RefreshLife: life}},
		{"client_id=gatehouse&grant_type=refresh_token&refresh_token=r", authority.TokenRequest{
			Realm: "main", Client: authority.ClientAuth{ID: "gatehouse"}, GrantType: "refresh_token", RefreshToken: "r", WithRefresh: true, RefreshLife: life}},
		{"client_id=app&client_secret=x&grant_type=refresh_token&refresh_token=r", authority.TokenRequest{
			Realm: "main", Client: postAuth("app", "x"), GrantType: "refresh_token", RefreshToken: "r", WithRefresh: true, RefreshLife: life}},
		{"client_id=app&client_secret=x&grant_type=password&username=a", authority.TokenRequest{ // the authority refuses it
			Realm: "main", Client: postAuth("app", "x"), GrantType: "password", WithRefresh: true, RefreshLife: life}},
	} {
		for _, place := range []string{"query", "form"} {
			s := newTestSite(t, Options{})
			r := post(tokenPath+"?"+tc.query, "")
			if place == "form" {
				r = post(tokenPath, tc.query)
			}
			if w := s.do(t, r); w.Code != 200 {
				t.Errorf("%s %s: %d %s", place, tc.query, w.Code, w.Body)
			}
			if got := s.auth.token; got.Resources != nil || got.Realm != tc.want.Realm || got.Client != tc.want.Client || got.GrantType != tc.want.GrantType ||
				got.Scope != tc.want.Scope || got.RefreshToken != tc.want.RefreshToken || got.WithRefresh != tc.want.WithRefresh || got.RefreshLife != tc.want.RefreshLife {
				t.Errorf("%s %s asks %+v", place, tc.query, got)
			}
			if len(s.auth.calls) != 1 {
				t.Errorf("calls %v", s.auth.calls)
			}
		}
	}
}

func TestLoginRequests(t *testing.T) {
	for query, want := range map[string]authority.LoginRequest{
		"username=ann&password=p":                                  {Realm: "main", Client: "portal", Username: "ann", Password: "p", Life: 1800 * time.Second},
		"username=ann&password=p&grant_type=password&scopes=email": {Realm: "main", Client: "portal", Username: "ann", Password: "p", Scope: "email", Life: 1800 * time.Second},
		"username=ann&password=p&realm=staff":                      {Realm: "staff", Username: "ann", Password: "p", Life: 2 * time.Hour},
	} {
		s := newTestSite(t, Options{})
		if w := s.do(t, post(loginPath+"?"+query, "")); w.Code != 200 || s.auth.login != want {
			t.Errorf("%s: %d, asks %+v", query, w.Code, s.auth.login)
		}
	}
	s := newTestSite(t, Options{})
	wantDetail(t, s.do(t, post(loginPath+"?username=ann&password=p&grant_type=client_credentials", "")), 400)
	if len(s.auth.calls) > 0 {
		t.Error("a wrong grant reached the authority")
	}
}

func TestGrantAnswer(t *testing.T) {
	s := newTestSite(t, Options{})
	s.auth.grant = authority.TokenGrant{
		AccessToken: "at", ExpiresIn: 300*time.Second + 900*time.Millisecond, Scope: "email profile",
		RefreshToken: "rt", RefreshExpiresIn: 1800 * time.Second, Session: "5225b959-0507-4b32-98fb-76aec1110ad8",
	}
	want := `{"access_token":"at","expires_in":300,"refresh_expires_in":1800,"refresh_token":"rt","token_type":"Bearer",` +
		`"not-before-policy":0,"session_state":"5225b959-0507-4b32-98fb-76aec1110ad8","scope":"email profile"}`
	for _, target := range []string{tokenPath, loginPath} {
		if w := s.do(t, post(target, good[target])); w.Code != 200 || w.Body.String() != want {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
}

func TestLogoutRequests(t *testing.T) {
	for query, want := range map[string]authority.LogoutRequest{
		"refresh_token=r":                               {Realm: "main", LoginClient: "portal", RefreshToken: "r"},
		"refresh_token=r&realm=staff":                   {Realm: "staff", RefreshToken: "r"},
		"refresh_token=r&client_id=app&client_secret=x": {Realm: "main", Client: postAuth("app", "x"), LoginClient: "portal", RefreshToken: "r"},
		"refresh_token=r&client_id=gatehouse":           {Realm: "main", Client: authority.ClientAuth{ID: "gatehouse"}, LoginClient: "portal", RefreshToken: "r"},
	} {
		s := newTestSite(t, Options{})
		w := s.do(t, post(logoutPath+"?"+query, ""))
		if w.Code != 204 || w.Body.Len() != 0 || s.auth.logout != want {
			t.Errorf("%s: %d %s, asks %+v", query, w.Code, w.Body, s.auth.logout)
		}
	}
}

func TestIntrospectRequests(t *testing.T) {
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("app:x"))
	for _, tc := range []struct {
		query, authorization string
		anonymous            bool
		want                 authority.TokenQuery
	}{
		{"token=t&client_id=app&client_secret=x", "", false, authority.TokenQuery{Realm: "main", Token: "t", Client: postAuth("app", "x")}},
		{"token=t&realm=staff", basic, false, authority.TokenQuery{Realm: "staff", Token: "t", Client: authority.ClientAuth{Method: authority.AuthBasic, ID: "app", Secret: "x"}}},
		{"token=t", "", false, authority.TokenQuery{Realm: "main", Token: "t"}}, // the authority refuses it
		{"token=t", "", true, authority.TokenQuery{Realm: "main", Token: "t", Anonymous: true}},
		{"token=t&client_id=app&client_secret=x", "", true, authority.TokenQuery{Realm: "main", Token: "t", Client: postAuth("app", "x"), Anonymous: true}},
	} {
		s := newTestSite(t, Options{Anonymous: tc.anonymous})
		r := post(introspectPath+"?"+tc.query, "")
		if tc.authorization != "" {
			r.Header.Set("Authorization", tc.authorization)
		}
		if w := s.do(t, r); w.Code != 200 || s.auth.query != tc.want {
			t.Errorf("%s: %d, asks %+v", tc.query, w.Code, s.auth.query)
		}
	}
}

func TestIntrospectAnswers(t *testing.T) {
	service := authority.Introspection{Active: true, Address: "172.22.160.1", Principal: authority.Principal{
		Realm: "r", Issuer: "http://localhost:8180/realms/lm-lor-ng", Subject: "cafde8af-6715-4870-b0e4-c3a3b46b35c6",
		Client: "ai-workbench-service", Username: "service-account-ai-workbench-service", Session: "08e24cea-79ff-4c0d-9d4b-858405523191",
		TokenID: "397a8f0b-377c-45d2-bb96-7ef77a1b9395", Kind: authority.KindAccess, Scopes: authority.ListOf("email", "profile"),
		Roles: authority.ListOf("default-roles-lm-lor-ng"), Audience: authority.ListOf("x"), IssuedAt: 1700739396, Expires: 1700739696,
	}}
	// The original's own example, to the byte.
	const original = `{"exp":1700739696,"iat":1700739396,"jti":"397a8f0b-377c-45d2-bb96-7ef77a1b9395","iss":"http://localhost:8180/realms/lm-lor-ng",` +
		`"sub":"cafde8af-6715-4870-b0e4-c3a3b46b35c6","typ":"Bearer","azp":"ai-workbench-service","session_state":"08e24cea-79ff-4c0d-9d4b-858405523191",` +
		`"preferred_username":"service-account-ai-workbench-service","email_verified":"false","realm_access":{"roles":["default-roles-lm-lor-ng"]},` +
		`"scope":"email profile","sid":"08e24cea-79ff-4c0d-9d4b-858405523191","clientId":"ai-workbench-service","clientHost":"172.22.160.1",` +
		`"clientAddress":"172.22.160.1","client_id":"ai-workbench-service","username":"service-account-ai-workbench-service","active":"true"}`
	user := service
	user.Principal.Account, user.Principal.Username, user.Principal.EmailVerified = "a", "ann", true
	user.Principal.Email, user.Principal.Name, user.Principal.Roles = "ann@example.com", "Ann", ""
	bare := service
	bare.Principal.Session, bare.Address = "", ""

	for _, tc := range []struct {
		name     string
		booleans bool
		answer   authority.Introspection
		want     string
	}{
		{"the original's", false, service, original},
		{"booleans", true, service, strings.NewReplacer(`"false"`, "false", `"true"`, "true").Replace(original)},
		{"a user's", false, user, `{"exp":1700739696,"iat":1700739396,"jti":"397a8f0b-377c-45d2-bb96-7ef77a1b9395","iss":"http://localhost:8180/realms/lm-lor-ng",` +
			`"sub":"cafde8af-6715-4870-b0e4-c3a3b46b35c6","typ":"Bearer","azp":"ai-workbench-service","session_state":"08e24cea-79ff-4c0d-9d4b-858405523191",` +
			`"preferred_username":"ann","email_verified":"true","realm_access":{"roles":[]},"scope":"email profile","sid":"08e24cea-79ff-4c0d-9d4b-858405523191",` +
			`"client_id":"ai-workbench-service","username":"ann","active":"true"}`},
		{"without a session", false, bare, `{"exp":1700739696,"iat":1700739396,"jti":"397a8f0b-377c-45d2-bb96-7ef77a1b9395","iss":"http://localhost:8180/realms/lm-lor-ng",` +
			`"sub":"cafde8af-6715-4870-b0e4-c3a3b46b35c6","typ":"Bearer","azp":"ai-workbench-service",` +
			`"preferred_username":"service-account-ai-workbench-service","email_verified":"false","realm_access":{"roles":["default-roles-lm-lor-ng"]},` +
			`"scope":"email profile","clientId":"ai-workbench-service","client_id":"ai-workbench-service","username":"service-account-ai-workbench-service","active":"true"}`},
		{"inactive", false, authority.Introspection{}, `{"active":"false"}`},
		{"inactive, boolean", true, authority.Introspection{}, `{"active":false}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newTestSite(t, Options{Booleans: tc.booleans})
			s.auth.answer = tc.answer
			if w := s.do(t, post(introspectPath, good[introspectPath])); w.Code != 200 || w.Body.String() != tc.want {
				t.Errorf("%d %s\nwant %s", w.Code, w.Body, tc.want)
			}
		})
	}
}

// A realm that is not this handler's, known to the authority or not, is not found.
func TestUnknownRealm(t *testing.T) {
	for target, query := range good {
		for _, realm := range []string{"other", "MAIN", "0b9a3f0e-ffff-5222-8333-444455556666"} {
			s := newTestSite(t, Options{})
			if got := wantDetail(t, s.do(t, post(target+"?realm="+realm, query)), 404); got != "Realm not found" || len(s.auth.calls) > 0 {
				t.Errorf("%s in %s: %q, calls %v", target, realm, got, s.auth.calls)
			}
		}
	}
}
