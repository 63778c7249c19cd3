package oidc_test

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/provider/oidc"
	"github.com/gatehouse-auth/gatehouse/internal/provider/providertest"
)

// browser is one that follows redirects until it is sent back to us.
type browser struct{ http.Client }

func newBrowser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{http.Client{Jar: jar, CheckRedirect: func(req *http.Request, via []*http.Request) error {
		if len(via) > 20 || strings.HasPrefix(req.URL.String(), back) {
			return http.ErrUseLastResponse
		}
		return nil
	}}}
}

// do returns the page that the browser ends at, and where that would send it.
func (b *browser) do(t *testing.T, method, address string, form url.Values) (page string, location *url.URL) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := b.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 400 {
		t.Fatalf("%s %s: %d %v\n%s", method, address, res.StatusCode, err, raw)
	}
	if location, err = res.Location(); err != nil {
		location = res.Request.URL
	}
	return string(raw), location
}

// code logs in and returns what the redirect brings.
func (b *browser) code(t *testing.T, p *oidc.Provider, as string) url.Values {
	t.Helper()
	address, err := p.AuthURL(t.Context(), authority.UpstreamAuth{State: "state", Nonce: nonce, Verifier: verifier, RedirectURI: back})
	if err != nil {
		t.Fatal(err)
	}
	_, location := b.do(t, http.MethodGet, address+"&login_hint="+as, nil)
	if q := location.Query(); q.Get("code") != "" && q.Get("state") == "state" {
		return q
	}
	t.Fatalf("no code: %s", location)
	return nil
}

func realProvider(t *testing.T, issuer, client, secret string) *oidc.Provider {
	t.Helper()
	return open(t, oidc.Options{
		Name: "real", ClientID: client, ClientSecret: secret, Issuer: issuer, HTTP: &http.Client{Transport: &http.Transport{}},
	})
}

func realGrant(t *testing.T, p *oidc.Provider, as string) authority.UpstreamGrant {
	t.Helper()
	g, err := p.Exchange(t.Context(), authority.UpstreamCode{
		Code: newBrowser(t).code(t, p, as).Get("code"), Verifier: verifier, Nonce: nonce, RedirectURI: back,
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// What the fakes and we may have misread alike, somebody else's provider has not.
func TestARealProvider(t *testing.T) {
	issuer := providertest.StartReal(t, back)
	p := realProvider(t, issuer, providertest.RealClient, providertest.RealClientSecret)
	real := authority.Profile{Subject: "ada", Username: "ada-l", Name: "Ada Lovelace", Email: "ada@example.com", EmailVerified: true}

	t.Run("login and proof", func(t *testing.T) {
		g := realGrant(t, p, "ada")
		if profile, err := p.Identify(t.Context(), g); err != nil || profile != real {
			t.Errorf("identify: %+v %v", profile, err)
		}
		if profile, err := p.Prove(t.Context(), g.AccessToken); err != nil || profile != real {
			t.Errorf("prove: %+v %v", profile, err)
		}
		g.Nonce = "of another login"
		_, err := p.Identify(t.Context(), g)
		failed(t, "another nonce", err, authority.UpstreamTokenInvalid, g)
		_, err = p.Prove(t.Context(), g.IDToken)
		failed(t, "an ID token as an access token", err, authority.UpstreamTokenInvalid, g)
		_, err = p.Prove(t.Context(), "made-up")
		failed(t, "a made-up token", err, authority.UpstreamTokenInvalid, g)
	})
	t.Run("ES256", func(t *testing.T) {
		p := realProvider(t, issuer, providertest.RealClientES256, providertest.RealClientSecret)
		if profile, err := p.Identify(t.Context(), realGrant(t, p, "ada")); err != nil || profile != real {
			t.Errorf("%+v %v", profile, err)
		}
	})
	t.Run("an address that is not verified", func(t *testing.T) {
		profile, err := p.Identify(t.Context(), realGrant(t, p, "mallory"))
		if err != nil || profile.Subject != "mallory" || profile.Email != "mallory@example.com" || profile.EmailVerified {
			t.Errorf("%+v %v", profile, err)
		}
	})
	t.Run("somebody else's client", func(t *testing.T) {
		other := realProvider(t, issuer, providertest.OtherClient, providertest.OtherSecret)
		g := realGrant(t, other, "ada")
		_, err := p.Prove(t.Context(), g.AccessToken)
		failed(t, "its access token", err, authority.UpstreamTokenInvalid, g)
		_, err = p.Identify(t.Context(), g)
		failed(t, "its ID token", err, authority.UpstreamTokenInvalid, g)
	})
	t.Run("codes", func(t *testing.T) {
		q := newBrowser(t).code(t, p, "ada")
		if q.Get("iss") != p.Issuer() { // RFC 9207
			t.Errorf("iss %q", q.Get("iss"))
		}
		good := authority.UpstreamCode{Code: q.Get("code"), Verifier: verifier, Nonce: nonce, RedirectURI: back}
		wrong := good
		wrong.Verifier = strings.Repeat("v", 43)
		_, err := p.Exchange(t.Context(), wrong)
		failed(t, "another verifier", err, authority.UpstreamCodeInvalid, authority.UpstreamGrant{})
		_, err = p.Exchange(t.Context(), authority.UpstreamCode{Code: "made-up", RedirectURI: back})
		failed(t, "made up", err, authority.UpstreamCodeInvalid, authority.UpstreamGrant{})
		good.Code = newBrowser(t).code(t, p, "ada").Get("code")
		if _, err := p.Exchange(t.Context(), good); err != nil {
			t.Fatal(err)
		}
		_, err = p.Exchange(t.Context(), good)
		failed(t, "twice", err, authority.UpstreamCodeInvalid, authority.UpstreamGrant{})
	})
	t.Run("a wrong secret is ours to mend", func(t *testing.T) {
		p := realProvider(t, issuer, providertest.RealClient, "wrong-secret-0123456789")
		_, err := p.Exchange(t.Context(), authority.UpstreamCode{Code: "any", RedirectURI: back})
		failed(t, "exchange", err, authority.ProviderFailed, authority.UpstreamGrant{})
		_, err = p.Prove(t.Context(), "any")
		failed(t, "prove", err, authority.ProviderFailed, authority.UpstreamGrant{})
	})
	t.Run("device login", func(t *testing.T) { realDevice(t, p, real) })
}

func realDevice(t *testing.T, p *oidc.Provider, real authority.Profile) {
	d, err := p.StartDevice(t.Context())
	if err != nil || d.UserCode == "" || d.ExpiresIn <= 0 || d.Interval <= 0 {
		t.Fatalf("%+v %v", d, err)
	}
	if poll, err := p.PollDevice(t.Context(), d.DeviceCode); err != nil || poll.Answer != authority.DevicePending {
		t.Fatalf("before the user decided: %+v %v", poll, err)
	}
	approveDevice(t, d)
	poll, err := p.PollDevice(t.Context(), d.DeviceCode)
	if err != nil || poll.Answer != authority.DeviceGranted {
		t.Fatalf("after the user decided: %+v %v", poll, err)
	}
	if profile, err := p.Identify(t.Context(), poll.Grant); err != nil || profile != real {
		t.Errorf("%+v %v", profile, err)
	}
	if poll, err = p.PollDevice(t.Context(), d.DeviceCode); err != nil || poll.Answer != authority.DeviceExpired {
		t.Errorf("a spent device code: %+v %v", poll, err)
	}
}

var hidden = regexp.MustCompile(`name="xsrf" value="([^"]+)"`)

// approveDevice types the user code, confirms it and logs in as ada.
func approveDevice(t *testing.T, d authority.UpstreamDevice) {
	t.Helper()
	b := newBrowser(t)
	page, _ := b.do(t, http.MethodGet, d.VerificationURI, nil)
	form := url.Values{"user_code": {d.UserCode}}
	for range 2 { // the code's form, and the form that asks whether it is this device
		found := hidden.FindStringSubmatch(page)
		if found == nil {
			t.Fatalf("no form: %s", page)
		}
		form.Set("xsrf", html.UnescapeString(found[1]))
		var at *url.URL
		if page, at = b.do(t, http.MethodPost, d.VerificationURI, form); strings.Contains(at.Path, "/interaction/") {
			b.do(t, http.MethodGet, at.String()+"?as=ada", nil)
			return
		}
		form.Set("confirm", "yes")
	}
	t.Fatalf("no login page: %s", page)
}
