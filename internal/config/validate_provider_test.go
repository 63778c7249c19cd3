package config

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// withProviders is a valid configuration with a provider of each type.
func withProviders() *Config {
	c := valid()
	c.Realms[0].Providers = []Provider{
		{Type: "github", ClientID: "gatehouse", ClientSecret: "x"},
		{Type: "google", ClientID: "{env.GOOGLE_ID}", ClientSecret: "{file.google}"},
		{Type: "hugging_face", ClientID: "https://auth.example.com/client.json", ClientSecret: "x", AcceptUndocumentedTokenCheck: true},
		{Type: "oidc", Name: "corp", ClientID: "gatehouse", ClientSecret: "x", Issuer: "https://id.example.com/", Link: "verified_email"},
	}
	return c
}

func TestDefaultsOfProviders(t *testing.T) {
	c := withProviders()
	before, _ := json.Marshal(c)
	expect(t, c.Validate(), nil)
	if after, _ := json.Marshal(c); string(after) != string(before) {
		t.Errorf("Validate changed the configuration to %s", after)
	}
	c.SetDefaults()
	p := c.Realms[0].Providers
	for i, want := range []Provider{
		{Name: "github", WebURL: "https://github.com", APIURL: "https://api.github.com"},
		{Name: "google", Issuer: "https://accounts.google.com", TokeninfoURL: "https://oauth2.googleapis.com/tokeninfo"},
		{Name: "hugging_face", Issuer: "https://huggingface.co"},
		{Name: "corp", Issuer: "https://id.example.com/", Scopes: []string{"openid", "email", "profile"}},
	} {
		got := p[i]
		if got.Name != want.Name || got.Issuer != want.Issuer || got.WebURL != want.WebURL || got.APIURL != want.APIURL ||
			got.TokeninfoURL != want.TokeninfoURL || !slices.Equal(got.Scopes, want.Scopes) {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	expect(t, c.Validate(), nil)

	enterprise := Provider{Type: "github", WebURL: "https://ghe.example"}
	enterprise.setDefaults()
	if enterprise.APIURL != "https://ghe.example/api/v3" {
		t.Errorf("GitHub Enterprise Server has its API at %s", enterprise.APIURL)
	}
}

func TestFaultsOfProviders(t *testing.T) {
	const github, google, face, oidc = 0, 1, 2, 3
	for want, one := range map[string]struct {
		provider int
		change   func(*Provider)
	}{
		"type: must be github, google, hugging_face or oidc": {github, func(p *Provider) { p.Type = "" }},
		"type: provider oidc <name>":                         {github, func(p *Provider) { p.Type = "gitlab" }},
		"type: did you mean \"hugging_face\"?":               {face, func(p *Provider) { p.Type = "huggingface" }},
		"name: an oidc provider needs a name":                {oidc, func(p *Provider) { p.Name = "" }},
		"name: lower-case letters":                           {oidc, func(p *Provider) { p.Name = "Corp" }},
		"name: at most 32":                                   {oidc, func(p *Provider) { p.Name = strings.Repeat("a", 33) }},
		"name: is declared twice":                            {oidc, func(p *Provider) { p.Name = "google" }},
		"client_id: is missing":                              {github, func(p *Provider) { p.ClientID = "" }},
		"client_id: without spaces":                          {github, func(p *Provider) { p.ClientID = "a b" }},
		"client_id: without its closing brace":               {github, func(p *Provider) { p.ClientID = "{env.ID" }},
		"client_secret: is missing":                          {github, func(p *Provider) { p.ClientSecret = "" }},
		"client_secret: longer than":                         {github, func(p *Provider) { p.ClientSecret = strings.Repeat("x", 1025) }},
		"client_secret: control character":                   {github, func(p *Provider) { p.ClientSecret = "x\n" }},
		"client_secret: without its closing brace":           {github, func(p *Provider) { p.ClientSecret = "{file.x" }},
		"link: must be verified_email":                       {github, func(p *Provider) { p.Link = "email" }},
		"issuer: is a word of google, hugging_face and oidc": {github, func(p *Provider) { p.Issuer = "https://github.com" }},
		"scopes: is a word of oidc":                          {google, func(p *Provider) { p.Scopes = []string{"openid"} }},
		"web_url: is a word of github":                       {oidc, func(p *Provider) { p.WebURL = "https://id.example.com" }},
		"api_url: is a word of github":                       {face, func(p *Provider) { p.APIURL = "https://id.example.com" }},
		"tokeninfo_url: is a word of google":                 {oidc, func(p *Provider) { p.TokeninfoURL = "https://id.example.com" }},
		"accept_undocumented_token_check: of hugging_face":   {google, func(p *Provider) { p.AcceptUndocumentedTokenCheck = true }},
		"api_url: web_url and api_url":                       {github, func(p *Provider) { p.WebURL, p.APIURL = "https://ghe.example", "https://api.github.com" }},
		"web_url: needs the web_url":                         {github, func(p *Provider) { p.APIURL = "https://ghe.example/api/v3" }},
		"api_url: are not of one server":                     {github, func(p *Provider) { p.WebURL, p.APIURL = "https://github.com", "https://ghe.example/api/v3" }},
		"tokeninfo_url: needs the tokeninfo_url":             {google, func(p *Provider) { p.Issuer = "http://localhost:9000" }},
		"tokeninfo_url: neither query nor fragment":          {google, func(p *Provider) { p.TokeninfoURL = "https://oauth2.googleapis.com/tokeninfo?v=1" }},
		"issuer: absolute URL":                               {face, func(p *Provider) { p.Issuer = "huggingface.co" }},
		"issuer: must be https":                              {face, func(p *Provider) { p.Issuer = "http://huggingface.co" }},
		"issuer: takes no placeholder":                       {oidc, func(p *Provider) { p.Issuer = "{env.ISSUER}" }},
		"issuer: user name or password":                      {oidc, func(p *Provider) { p.Issuer = "https://a:b@id.example.com" }},
		"issuer: is missing":                                 {oidc, func(p *Provider) { p.Issuer = "" }},
		"scopes: must hold openid":                           {oidc, func(p *Provider) { p.Scopes = []string{"email"} }},
		"scopes[1]: without spaces":                          {oidc, func(p *Provider) { p.Scopes = []string{"openid", "a b"} }},
	} {
		t.Run(want, func(t *testing.T) {
			c := withProviders()
			p := c.Realms[0].Providers
			one.change(&p[one.provider])
			expect(t, c.Validate(), []string{"realms[0].providers[" + string(rune('0'+one.provider)) + "]." + want})
		})
	}
	c := withProviders()
	c.Realms[0].Providers = slices.Repeat(c.Realms[0].Providers, 26)
	expect(t, c.Validate(), []string{"realms[0].providers: more than 100"})
}

// After expansion a value that still looks like a placeholder is a guessable secret,
// and a client id that nobody has.
func TestExpandedProvidersHoldNoPlaceholder(t *testing.T) {
	c := withProviders()
	c.Realms[0].Clients = nil
	c.Realms[0].Resources = nil
	expect(t, c.ValidateExpanded(), []string{
		"realms[0].providers[1].client_id: not replaced",
		"realms[0].providers[1].client_secret: not replaced",
	})
}

func TestSignUp(t *testing.T) {
	for _, tc := range []struct {
		signUp SignUp
		want   []string
	}{
		{SignUp{}, nil},
		{SignUp{Policy: "open"}, nil},
		{SignUp{Policy: "allow", Allow: []string{"Ada@Example.com", "@example.org", "@sub.Example.org", "github:583231", "corp:auth0|x@y", "corp:a:b"}}, nil},
		{SignUp{Policy: "alow"}, []string{"policy: did you mean \"allow\"?"}},
		{SignUp{Policy: "@example.com"}, []string{"policy: write sign_up allow"}},
		{SignUp{Policy: "everybody"}, []string{"policy: must be closed, open or allow"}},
		{SignUp{Policy: "allow"}, []string{"allow: needs whom"}},
		{SignUp{Policy: "open", Allow: []string{"@example.com"}}, []string{"allow: open takes no list"}},
		{SignUp{Allow: []string{"@example.com"}}, []string{"allow: closed takes no list"}},
		{SignUp{Policy: "allow", Allow: many(1001)}, []string{"allow: more than 1000"}},
		{SignUp{Policy: "allow", Allow: []string{
			"", "ada", "a@b@c", "@", "@b@c", "@.example.com", "@*", "@example.com/x", "example.com", "corp:", ":1", "crop:1", "github:ada-l", "a\nb", "a@b.example", "a@b.example", "corp:1,",
		}}, []string{
			"allow[0]: is missing", "allow[1]: neither an e-mail", "allow[2]: not an e-mail", "allow[3]: whole domain", "allow[4]: whole domain",
			"allow[5]: whole domain", "allow[6]: whole domain", "allow[7]: whole domain", "allow[8]: did you mean \"@example.com\"?",
			"allow[9]: its subject is missing", "allow[10]: no provider \"\"", "allow[11]: did you mean \"corp\"?", "allow[12]: number of an account",
			"allow[13]: control character", "allow[15]: given twice", "allow[16]: ends with a comma",
		}},
	} {
		c := withProviders()
		c.Realms[0].SignUp = tc.signUp
		want := slices.Clone(tc.want)
		for i := range want {
			want[i] = "realms[0].sign_up." + want[i]
		}
		expect(t, c.Validate(), want)
	}
}

func TestNoUserIsCalledLikeAnIdentity(t *testing.T) {
	c := withProviders()
	c.Realms[0].Users = []User{
		{Username: "corp:1", PasswordHash: goodHash}, {Username: "corps:1", PasswordHash: goodHash}, {Username: "corp", PasswordHash: goodHash},
	}
	expect(t, c.Validate(), []string{"realms[0].users[0].username: looks like an account"})
}

// An app that gets Remote-User could not tell them apart.
func TestNoUserIsCalledLikeSomebodyElse(t *testing.T) {
	c := withTrusts()
	trust, client := c.Trusts[0].Name, c.Realms[0].Clients[0].ID
	c.Realms[0].Users = nil
	for _, name := range []string{
		trust + ":alice", strings.ToUpper(trust) + ":Bob", "service-account-" + client, // like somebody else
		trust, trust + "-alice", "alice:" + trust, "nobody:alice", "service-account-x-" + client, client,
	} {
		c.Realms[0].Users = append(c.Realms[0].Users, User{Username: name, PasswordHash: goodHash})
	}
	expect(t, c.Validate(), []string{
		"realms[0].users[2].username: is what apps are told of a client",
		"realms[0].users[0].username: is what apps are told of somebody of the trust",
		"realms[0].users[1].username: is what apps are told of somebody of the trust",
	})
}

func TestLifeOfPersonalTokens(t *testing.T) {
	for life, want := range map[Duration][]string{
		day: nil, 3650 * day: nil,
		-1:                {"realms[0].personal_token: between 1s and 3650d"},
		3650*day + second: {"realms[0].personal_token: between 1s and 3650d"},
	} {
		c := valid()
		c.Realms[0].PersonalToken = life
		expect(t, c.Validate(), want)
	}
}

// A password pasted into an address ends up in logs if a message quotes it.
func TestFaultsQuoteNoPassword(t *testing.T) {
	for _, address := range []string{"https://ada:hunter2@id.example.com", "https://ada:hunter2@id.example.com/", "https://ada:hunter2@id.example.com:x"} {
		c := withProviders()
		c.Realms[0].Issuer = address
		c.Realms[0].Providers[3].Issuer = address
		c.Realms[0].Providers[0].WebURL, c.Realms[0].Providers[0].APIURL = address, address
		e := Endpoints{Pakt: &Pakt{RedirectURI: address, CORSOrigins: []string{address}, TenantKeys: []string{"hunter2"}}}
		faults := append(c.Validate(), e.Validate(c)...)
		if len(faults) != 7 || strings.Contains(faults.Error(), "hunter2") {
			t.Errorf("%d faults: %v", len(faults), faults)
		}
	}
}
