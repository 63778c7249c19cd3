package trust_test

import (
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/provider/providertest"
	"github.com/gatehouse-auth/gatehouse/internal/trust"
)

const back = "http://127.0.0.1/callback"

// tokens are what a real issuer's token endpoint gives.
type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	ID      string `json:"id_token"`
}

// ask posts a form to the real issuer's token endpoint.
func ask(t *testing.T, issuer, client string, form url.Values) tokens {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, issuer+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(client, providertest.RealClientSecret)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var got tokens
	if err := json.NewDecoder(res.Body).Decode(&got); err != nil || got.Access == "" {
		t.Fatalf("%d %v", res.StatusCode, err)
	}
	return got
}

// own are the tokens of a client's own.
func own(t *testing.T, issuer, resource string) tokens {
	t.Helper()
	return ask(t, issuer, providertest.RealRobot, url.Values{
		"grant_type": {"client_credentials"}, "resource": {resource}, "scope": {"read"},
	})
}

// login logs ada in with a browser.
func login(t *testing.T, issuer, resource string) tokens {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, CheckRedirect: func(req *http.Request, via []*http.Request) error {
		if len(via) > 20 || strings.HasPrefix(req.URL.String(), back) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	const verifier = "verifier-verifier-verifier-verifier-verifier"
	challenge := sha256.Sum256([]byte(verifier))
	form := url.Values{
		"client_id": {providertest.RealClient}, "response_type": {"code"}, "redirect_uri": {back}, "resource": {resource},
		"scope": {"openid offline_access read write"}, "prompt": {"consent"}, "nonce": {"n"}, "login_hint": {"ada"},
		"code_challenge": {b64(challenge[:])}, "code_challenge_method": {"S256"},
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, issuer+"/auth?"+form.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := browser.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	location, err := res.Location()
	if err != nil || location.Query().Get("code") == "" {
		t.Fatalf("no code: %d %s %v", res.StatusCode, location, err)
	}
	return ask(t, issuer, providertest.RealClient, url.Values{
		"grant_type": {"authorization_code"}, "code": {location.Query().Get("code")}, "redirect_uri": {back},
		"code_verifier": {verifier}, "resource": {resource},
	})
}

func realOptions(issuer string, audience ...string) trust.Options {
	return trust.Options{
		Name: "real", ID: "id", Issuer: issuer, Audience: audience, HTTP: &http.Client{Transport: &http.Transport{}},
	}
}

// What our own issuer and we may have misread alike, somebody else's has not.
func TestARealIssuer(t *testing.T) {
	issuer := providertest.StartReal(t, back)
	asking := func(o trust.Options) trust.Options {
		o.Introspection = &trust.Introspection{ClientID: providertest.RealClient, ClientSecret: providertest.RealClientSecret}
		return o
	}
	jwt, opaque := login(t, issuer, providertest.RealJWTResource), login(t, issuer, providertest.RealOpaqueResource)
	if jwt.ID == "" || jwt.Refresh == "" || opaque.ID == "" || opaque.Refresh == "" {
		t.Fatal("a login gives an ID token and a refresh token")
	}
	robotJWT, robotOpaque := own(t, issuer, providertest.RealJWTResource), own(t, issuer, providertest.RealOpaqueResource)

	t.Run("by key set", func(t *testing.T) {
		o := realOptions(issuer, providertest.RealJWTResource)
		o.Types = []string{"at+jwt"}
		tr := open(t, o)
		p, err := tr.Verify(t.Context(), jwt.Access)
		if err != nil || p.Subject != "ada" || p.Client != providertest.RealClient || p.Audience != authority.ListOf(providertest.RealJWTResource) ||
			!p.Scopes.HasAll([]string{"read", "write"}) || p.Issuer != issuer || p.KeyID != "test-ES256" || p.Expires == 0 || p.IssuedAt == 0 {
			t.Errorf("%+v %v", p, err)
		}
		p, err = tr.Verify(t.Context(), robotJWT.Access)
		if err != nil || p.Subject != providertest.RealRobot || p.Scopes != authority.ListOf("read") {
			t.Errorf("a client's own: %+v %v", p, err)
		}
		for story, raw := range map[string]string{"opaque": opaque.Access, "the ID token": jwt.ID, "the refresh token": jwt.Refresh} {
			_, err := tr.Verify(t.Context(), raw)
			refused(t, story, err, authority.TokenInvalid, "the token", raw)
		}
		_, err = open(t, realOptions(issuer, providertest.RealOpaqueResource)).Verify(t.Context(), jwt.Access)
		refused(t, "for another", err, authority.TokenInvalid, "(aud)", jwt.Access)
		// Its typ is JWT or missing, and its audience the client.
		_, err = open(t, realOptions(issuer, providertest.RealClient)).Verify(t.Context(), jwt.ID)
		refused(t, "the ID token by its claims", err, authority.TokenInvalid, "ID token", jwt.ID)
	})
	t.Run("by introspection", func(t *testing.T) {
		tr := open(t, asking(realOptions(issuer, providertest.RealOpaqueResource)))
		p, err := tr.Verify(t.Context(), opaque.Access)
		if err != nil || p.Subject != "ada" || p.Client != providertest.RealClient || p.Audience != authority.ListOf(providertest.RealOpaqueResource) ||
			!p.Scopes.HasAll([]string{"read", "write"}) || p.Issuer != issuer || p.Expires == 0 {
			t.Errorf("%+v %v", p, err)
		}
		p, err = tr.Verify(t.Context(), robotOpaque.Access)
		if err != nil || p.Subject != providertest.RealRobot || p.Client != providertest.RealRobot {
			t.Errorf("a client's own: %+v %v", p, err)
		}
		for story, raw := range map[string]string{"made up": "made-up", "a JWT": jwt.Access, "the ID token": opaque.ID, "the refresh token": opaque.Refresh} {
			_, err := tr.Verify(t.Context(), raw)
			refused(t, story, err, authority.TokenInvalid, "the token", raw)
		}
		// The issuer says of a refresh token that it is active.
		_, err = open(t, asking(realOptions(issuer))).Verify(t.Context(), opaque.Refresh)
		refused(t, "the refresh token, any audience", err, authority.TokenInvalid, "not known to be an access token", opaque.Refresh)
		wrong := asking(realOptions(issuer))
		wrong.Introspection.ClientSecret = "wrong-secret-0123456789"
		_, err = open(t, wrong).Verify(t.Context(), opaque.Access)
		refused(t, "a wrong secret of ours", err, authority.Unavailable, "try again later", opaque.Access)
		if !strings.Contains(err.Error(), "client_secret") {
			t.Errorf("the log does not say what to mend: %v", err)
		}
	})
}
