package providertest

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

func authorizationAddress(t *testing.T, b *bench) {
	if b.provider.Issuer() == "" {
		t.Error("the issuer has no name")
	}
	auth := authority.UpstreamAuth{State: "the-state", Nonce: "the-nonce", Verifier: strings.Repeat("v", 43), RedirectURI: callback}
	address, err := b.provider.AuthURL(t.Context(), auth)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	for name, want := range map[string]string{
		"response_type": "code", "client_id": b.fake.Client().ID, "state": "the-state", "redirect_uri": callback,
		"code_challenge_method": "S256", "code_challenge": "7w_YNF9DSfIdPf_pRjSq646_kPr-2-o9NAl16JGghdM",
	} {
		if len(q[name]) != 1 || q.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, q[name], want)
		}
	}
	if b.subject.IDToken != (q.Get("nonce") == "the-nonce") {
		t.Errorf("nonce is %q", q.Get("nonce"))
	}
	for _, secret := range []string{auth.Verifier, b.fake.Client().Secret} {
		if strings.Contains(address, secret) {
			t.Errorf("the address %s tells %q", address, secret)
		}
	}
}

func login(t *testing.T, b *bench) {
	for _, user := range []string{"ada", "grace"} {
		g := b.granted(t, user)
		if (g.IDToken != "") != b.subject.IDToken {
			t.Errorf("ID token: %q", g.IDToken)
		}
		p, err := b.provider.Identify(t.Context(), g)
		if err != nil {
			t.Fatal(err)
		}
		b.is(t, p, user)
	}
}

func unverifiedLogin(t *testing.T, b *bench) {
	p, err := b.provider.Identify(t.Context(), b.granted(t, "mallory"))
	if err != nil {
		t.Fatal(err)
	}
	b.is(t, p, "mallory")
	// An address that was verified yesterday need not be so today.
	b.fake.SetEmail("ada", "ada@example.com", false)
	if p, err = b.provider.Identify(t.Context(), b.granted(t, "ada")); err != nil {
		t.Fatal(err)
	}
	b.is(t, p, "ada")
	// Whichever answer it stands in, "not verified" is believed.
	for _, path := range []string{b.fake.Paths().Profile, b.fake.Paths().Emails} {
		if path == "" {
			continue
		}
		g := b.granted(t, "grace")
		b.fake.Misbehave(path, Misbehaviour{Mode: UnverifiedEmail, Times: 1})
		p, err := b.provider.Identify(t.Context(), g)
		said := path == b.fake.Paths().Emails || b.fake.Paths().Emails == ""
		if err != nil || p.EmailVerified == said {
			t.Errorf("%s: profile is %+v, error %v", path, p, err)
		}
	}
}

func renamed(t *testing.T, b *bench) {
	before, err := b.provider.Identify(t.Context(), b.granted(t, "ada"))
	if err != nil {
		t.Fatal(err)
	}
	b.fake.Rename("ada", "countess")
	b.fake.SetEmail("ada", "countess@example.com", true)
	b.fake.Rename("mallory", "ada-l") // the name is free, and somebody takes it
	b.fake.SetEmail("mallory", "ada@example.com", true)
	after, err := b.provider.Identify(t.Context(), b.granted(t, "ada"))
	if err != nil {
		t.Fatal(err)
	}
	thief, err := b.provider.Identify(t.Context(), b.granted(t, "mallory"))
	if err != nil {
		t.Fatal(err)
	}
	if before.Subject != after.Subject || thief.Subject == before.Subject {
		t.Errorf("subjects are %q, %q after the change, and %q of who took the name", before.Subject, after.Subject, thief.Subject)
	}
	b.is(t, after, "ada")
}

func wrongVerifier(t *testing.T, b *bench) {
	for _, verifier := range []string{"", strings.Repeat("x", 43)} {
		code := b.begin(t, "ada").code
		code.Verifier = verifier
		_, err := b.provider.Exchange(t.Context(), code)
		b.refused(t, err, authority.UpstreamCodeInvalid)
	}
}

func codeTwice(t *testing.T, b *bench) {
	code := b.begin(t, "ada").code
	if _, err := b.provider.Exchange(t.Context(), code); err != nil {
		t.Fatal(err)
	}
	_, err := b.provider.Exchange(t.Context(), code)
	b.refused(t, err, authority.UpstreamCodeInvalid)
}

func wrongRedirect(t *testing.T, b *bench) {
	code := b.begin(t, "ada").code
	code.RedirectURI = callback + "/other"
	_, err := b.provider.Exchange(t.Context(), code)
	b.refused(t, err, authority.UpstreamCodeInvalid)
}

func codeUnknown(t *testing.T, b *bench) {
	for _, bad := range []string{"nobody-knows-this-code", "", "two words", "line\nbreak", strings.Repeat("c", 1<<20)} {
		code := b.begin(t, "ada").code
		code.Code = bad
		_, err := b.provider.Exchange(t.Context(), code)
		b.refused(t, err, authority.UpstreamCodeInvalid)
	}
	if n := b.fake.Calls(b.fake.Paths().Token); n > 1 {
		t.Errorf("%d calls were made, although only one of the texts can be a code", n)
	}
}

func codeOfAnother(t *testing.T, b *bench) {
	code := b.begin(t, "ada").code
	b.fake.mu.Lock()
	g := b.fake.codes[code.Code]
	g.Client = OtherClient
	b.fake.codes[code.Code] = g
	b.fake.mu.Unlock()
	_, err := b.provider.Exchange(t.Context(), code)
	b.refused(t, err, authority.UpstreamCodeInvalid)
}

func exchangeFails(t *testing.T, b *bench) {
	code := b.begin(t, "ada").code
	path := b.fake.Paths().Token
	exchange := func(p authority.Provider) error {
		_, err := p.Exchange(t.Context(), code)
		return err
	}
	b.failing(t, path, exchange)
	b.fake.Misbehave(path, Misbehaviour{Mode: Twice, Times: 1})
	b.refused(t, exchange(b.provider), authority.ProviderFailed)
	if _, err := b.provider.Exchange(t.Context(), b.begin(t, "ada").code); err != nil {
		t.Errorf("the upstream is well again, and the provider is not: %v", err)
	}
}

func exchangeErrors(t *testing.T, b *bench) {
	for code, kind := range map[string]authority.Kind{
		"invalid_grant": authority.UpstreamCodeInvalid, "bad_verification_code": authority.UpstreamCodeInvalid,
		"redirect_uri_mismatch": authority.UpstreamCodeInvalid, "invalid_client": authority.ProviderFailed,
		"incorrect_client_credentials": authority.ProviderFailed, "temporarily_unavailable": authority.ProviderFailed,
		"With Blanks\nand lines? " + strings.Repeat("x", 1000): authority.ProviderFailed,
	} {
		b.fake.Misbehave(b.fake.Paths().Token, Misbehaviour{Mode: Error200, Error: code})
		_, err := b.provider.Exchange(t.Context(), b.begin(t, "ada").code)
		b.refused(t, err, kind)
		if err != nil && len(err.Error()) > 500 {
			t.Errorf("the error has %d bytes", len(err.Error()))
		}
	}
}

// A form-encoded answer is understood, or it is refused; it is never half understood.
func exchangeForm(t *testing.T, b *bench) {
	b.fake.Misbehave(b.fake.Paths().Token, Misbehaviour{Mode: Form})
	g, err := b.provider.Exchange(t.Context(), b.begin(t, "ada").code)
	if err != nil {
		b.refused(t, err, authority.ProviderFailed)
		return
	}
	p, err := b.provider.Identify(t.Context(), g)
	if err != nil {
		t.Fatal(err)
	}
	b.is(t, p, "ada")
	_, err = b.provider.Exchange(t.Context(), authority.UpstreamCode{Code: "unknown", RedirectURI: callback})
	b.refused(t, err, authority.UpstreamCodeInvalid)
}

func callerLeaves(t *testing.T, b *bench) {
	code := b.begin(t, "ada").code
	b.fake.Misbehave(b.fake.Paths().Token, Misbehaviour{Mode: Hang})
	ctx, cancel := context.WithTimeout(t.Context(), haste)
	defer cancel()
	begin := time.Now()
	_, err := b.provider.Exchange(ctx, code)
	b.refused(t, err, authority.ProviderFailed)
	if took := time.Since(begin); took > patience/2 {
		t.Errorf("the caller left after %v, and the call went on for %v", haste, took)
	}
}

func manyAtOnce(t *testing.T, b *bench) {
	users := b.fake.Users()
	codes := make([]authority.UpstreamCode, 24)
	for i := range codes {
		codes[i] = b.begin(t, users[i%len(users)]).code
	}
	var all sync.WaitGroup
	for i, code := range codes {
		all.Go(func() {
			g, err := b.provider.Exchange(t.Context(), code)
			if err != nil {
				t.Error(err)
				return
			}
			p, err := b.provider.Identify(t.Context(), g)
			if err != nil {
				t.Error(err)
				return
			}
			b.is(t, p, users[i%len(users)])
		})
	}
	all.Wait()
}

func idTokenOfAnother(t *testing.T, b *bench) {
	ada, grace := b.granted(t, "ada"), b.granted(t, "grace")
	for story, g := range map[string]authority.UpstreamGrant{
		"another login's nonce":         {AccessToken: ada.AccessToken, IDToken: ada.IDToken, Nonce: grace.Nonce},
		"another user's access token":   {AccessToken: grace.AccessToken, IDToken: ada.IDToken, Nonce: ada.Nonce},
		"a token that is no token":      {AccessToken: ada.AccessToken, IDToken: "not.a.token", Nonce: ada.Nonce},
		"no ID token where one must be": {AccessToken: ada.AccessToken, Nonce: ada.Nonce},
	} {
		if _, err := b.provider.Identify(t.Context(), g); err == nil {
			t.Errorf("%s identified somebody", story)
		} else {
			b.nobody(t, err)
		}
	}
}
