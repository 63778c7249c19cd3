package google

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/provider"
	"github.com/gatehouse-auth/gatehouse/internal/provider/providertest"
)

func open(t *testing.T, s providertest.Setup) *Provider {
	t.Helper()
	p, err := New(Options{
		Name: "google", ClientID: s.Client.ID, ClientSecret: s.Client.Secret, Issuer: s.Base,
		TokeninfoURL: s.Base + "/tokeninfo", HTTP: s.HTTP, Deadline: s.Deadline,
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestProvider(t *testing.T) {
	providertest.Run(t, providertest.Subject{
		Fake:    providertest.NewGoogle,
		Open:    func(t *testing.T, s providertest.Setup) authority.Provider { return open(t, s) },
		IDToken: true,
	})
}

// serve puts a fake on a port; edit, if there is one, changes what tokeninfo answers.
func serve(t *testing.T, edit func(info map[string]any)) (*providertest.Fake, *Provider) {
	t.Helper()
	fake := providertest.NewGoogle()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if edit == nil || r.URL.Path != "/tokeninfo" {
			fake.ServeHTTP(w, r)
			return
		}
		answer := httptest.NewRecorder()
		fake.ServeHTTP(answer, r)
		var info map[string]any
		_ = json.Unmarshal(answer.Body.Bytes(), &info)
		edit(info)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(answer.Code)
		_ = json.NewEncoder(w).Encode(info)
	}))
	t.Cleanup(server.Close)
	return fake, open(t, providertest.Setup{
		Base: server.URL, Client: fake.Client(), HTTP: &http.Client{Transport: &http.Transport{}},
	})
}

func TestTheAuthorizationAddressIsGoogles(t *testing.T) {
	_, p := serve(t, nil)
	address, err := p.AuthURL(t.Context(), authority.UpstreamAuth{State: "s", Nonce: "n"})
	if err != nil {
		t.Fatal(err)
	}
	u, _ := url.Parse(address)
	want := "https://www.googleapis.com/auth/userinfo.profile https://www.googleapis.com/auth/userinfo.email openid"
	if q := u.Query(); q.Get("scope") != want || q.Get("access_type") != "offline" || u.Path != "/o/oauth2/v2/auth" {
		t.Error(address)
	}
}

func TestTheDefaultsAreGoogles(t *testing.T) {
	p, err := New(Options{Name: "google", ClientID: "c", ClientSecret: "s", HTTP: &http.Client{}})
	if err != nil || p.Issuer() != "https://accounts.google.com" || p.tokeninfo != "https://oauth2.googleapis.com/tokeninfo" {
		t.Errorf("%+v %v", p, err)
	}
	_, err = New(Options{Name: "google", TokeninfoURL: "http://tokeninfo.example"})
	if err == nil || !strings.Contains(err.Error(), "tokeninfo_url") || !strings.Contains(err.Error(), "client_id") {
		t.Error(err)
	}
}

func TestDeviceLoginsSayTheSecretOnlyWhenPolled(t *testing.T) {
	fake, p := serve(t, nil)
	d, err := p.StartDevice(t.Context())
	if err != nil || !strings.HasSuffix(d.VerificationURI, "/login/device") || d.ExpiresIn != 30*time.Minute {
		t.Fatalf("%+v %v", d, err)
	}
	if _, err := p.PollDevice(t.Context(), d.DeviceCode); err != nil {
		t.Fatal(err)
	}
	start, poll := fake.LastCall("/device/code"), fake.LastCall("/token")
	if start.PostForm.Has("client_secret") || start.Header.Get("Authorization") != "" || start.PostForm.Get("scope") != "openid email profile" {
		t.Errorf("%v", start.PostForm)
	}
	if !poll.PostForm.Has("client_secret") {
		t.Error("the poll has no secret")
	}
}

// Each answer of tokeninfo is one that proves nothing, or less than it seems.
func TestProofByTokeninfo(t *testing.T) {
	for story, c := range map[string]struct {
		edit func(map[string]any)
		kind authority.Kind
	}{
		"another client":             {func(i map[string]any) { i["aud"] = "other-app" }, authority.UpstreamTokenInvalid},
		"ours only as azp":           {func(i map[string]any) { i["aud"], i["azp"] = "other-app", "gatehouse-google" }, authority.UpstreamTokenInvalid},
		"ours among others":          {func(i map[string]any) { i["aud"] = []string{"gatehouse-google", "other-app"} }, authority.ProviderFailed},
		"an old version's audience":  {func(i map[string]any) { i["audience"] = i["aud"]; delete(i, "aud") }, authority.ProviderFailed},
		"expired":                    {func(i map[string]any) { i["exp"] = "1700000000" }, authority.UpstreamTokenInvalid},
		"no expiry":                  {func(i map[string]any) { delete(i, "exp") }, authority.UpstreamTokenInvalid},
		"an expiry in words":         {func(i map[string]any) { i["exp"] = "soon" }, authority.ProviderFailed},
		"somebody else":              {func(i map[string]any) { i["sub"] = "108900000000000000666" }, authority.UpstreamTokenInvalid},
		"an empty subject":           {func(i map[string]any) { i["sub"] = "" }, authority.ProviderFailed},
		"a subject that is null":     {func(i map[string]any) { i["sub"] = nil }, authority.ProviderFailed},
		"a subject that is a number": {func(i map[string]any) { i["sub"] = 1 }, authority.ProviderFailed},
	} {
		fake, p := serve(t, c.edit)
		token := fake.Token("ada", fake.Client().ID)
		profile, err := p.Prove(t.Context(), token)
		if authority.KindOf(err) != c.kind || strings.Contains(err.Error(), token) {
			t.Errorf("%s: %+v %v", story, profile, err)
		}
	}
}

func TestASubjectThatTokeninfoLeavesOutComesFromUserinfo(t *testing.T) {
	fake, p := serve(t, func(i map[string]any) { delete(i, "sub") })
	profile, err := p.Prove(t.Context(), fake.Token("ada", fake.Client().ID))
	want := authority.Profile{Subject: "108900000000000000001", Name: "Ada Lovelace", Email: "ada@example.com", EmailVerified: true}
	if err != nil || profile != want {
		t.Errorf("%+v %v", profile, err)
	}
	// Where the two disagree about the address, it is not verified.
	fake, p = serve(t, func(i map[string]any) { i["email_verified"] = "false" })
	if profile, err = p.Prove(t.Context(), fake.Token("ada", fake.Client().ID)); err != nil || profile.EmailVerified {
		t.Errorf("%+v %v", profile, err)
	}
	fake.Misbehave("/v1/userinfo", providertest.Misbehaviour{Mode: providertest.NullSubject})
	if profile, err = p.Prove(t.Context(), fake.Token("ada", fake.Client().ID)); authority.KindOf(err) != authority.ProviderFailed {
		t.Errorf("%+v %v", profile, err)
	}
}

// A token in the query of a call that fails must not reach the log with the address.
func TestAFailedProofDoesNotTellTheToken(t *testing.T) {
	fake, p := serve(t, nil)
	token := fake.Token("ada", fake.Client().ID)
	for _, mode := range []providertest.Mode{providertest.Down, providertest.Redirect, providertest.Error500, providertest.HTML} {
		fake.Misbehave("/tokeninfo", providertest.Misbehaviour{Mode: mode})
		_, err := p.Prove(t.Context(), token)
		for e := err; e != nil; e = errors.Unwrap(e) {
			if strings.Contains(e.Error(), token) {
				t.Errorf("%s: %v", mode, e)
			}
		}
	}
}

// schemeless answers the token endpoint with an ID token whose issuer lacks its scheme,
// signed by a key of the test.
func schemeless(t *testing.T, cut string) *Provider {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	fake := providertest.NewGoogle()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/oauth2/v3/certs":
			_, _ = fmt.Fprintf(w, `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","x":"%s"}]}`, b64(private.Public().(ed25519.PublicKey)))
		case "/token":
			claims := fmt.Sprintf(`{"iss":"%s","sub":"108900000000000000001","aud":"gatehouse-google","iat":%d,"exp":%d}`,
				strings.TrimPrefix("http://"+r.Host, cut), time.Now().Unix(), time.Now().Unix()+60)
			input := b64([]byte(`{"alg":"EdDSA","kid":"k"}`)) + "." + b64([]byte(claims))
			_, _ = fmt.Fprintf(w, `{"access_token":"%s","id_token":"%s"}`, fake.Token("ada", "gatehouse-google"),
				input+"."+b64(ed25519.Sign(private, []byte(input))))
		default:
			fake.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return open(t, providertest.Setup{
		Base: server.URL, Client: fake.Client(), HTTP: &http.Client{Transport: &http.Transport{}},
	})
}

func TestTheIssuerMayLackItsScheme(t *testing.T) {
	for cut, kind := range map[string]authority.Kind{"http://": 0, "": 0, "http://127.": authority.UpstreamTokenInvalid} {
		p := schemeless(t, cut)
		g, err := p.Exchange(t.Context(), authority.UpstreamCode{Code: "any"})
		if err != nil {
			t.Fatal(err)
		}
		profile, err := p.Identify(t.Context(), g)
		if kind == 0 && (err != nil || profile.Subject != "108900000000000000001") || kind != 0 && authority.KindOf(err) != kind {
			t.Errorf("without %q: %+v %v", cut, profile, err)
		}
	}
}

func FuzzTokeninfo(f *testing.F) {
	f.Add(`{"azp":"a","aud":"c","sub":"1","exp":"1700000300","email":"a@b.example","email_verified":"true"}`)
	f.Add(`{"aud":["c"],"sub":null,"exp":1,"email_verified":true}`)
	f.Fuzz(func(t *testing.T, text string) {
		o, err := provider.ParseObject([]byte(text))
		if err != nil {
			return
		}
		info, err := readTokeninfo(o)
		if err != nil || info.judge("c", time.Unix(1700000000, 0)) != nil {
			return
		}
		if _, there := o["sub"]; there && info.subject == "" || info.audience != "c" || info.expires <= 1700000000 {
			t.Errorf("%s: %+v", text, info)
		}
	})
}
