package caddymodule

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/gatehouse-auth/gatehouse/internal/config"
)

// The goldens in tests/adapt hold every word and message that a whole Caddyfile
// reaches. Here stands what Caddy's own parser keeps from us, or what is not
// available yet.

const demoApp = `gatehouse {
	realm demo {
		issuer https://auth.example.com
		client app {
			secret {env.APP_SECRET}
			grants client_credentials
		}
	}
}`

func TestBrokenBlocks(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "unexpected EOF",
		"gatehouse {\n realm demo {\n x": "the block of realm is not closed",
		"gatehouse {\n":                  `unexpected "{"`,
		"gatehouse {\n}\nrealm":          `unexpected "realm" after the end of gatehouse`,
		"gatehouse {\n {\n }\n}":         `unexpected "{"`,
		"gatehouse {\n cache }\n}":       `unexpected "}"`,
		"}":                              `unexpected "}"`,
		strings.Repeat("a {\n", 20):      "too deep",
		strings.Repeat("a {\n", 100000):  "too deep",
	} {
		err := new(App).UnmarshalCaddyfile(caddyfile.NewTestDispenser(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q in it", text, err, want)
		}
	}
}

func TestUnmarshalers(t *testing.T) {
	for _, c := range []struct {
		into interface {
			UnmarshalCaddyfile(*caddyfile.Dispenser) error
		}
		text, json string
	}{
		{new(App), demoApp, `{"realms":[{"name":"demo","issuer":"https://auth.example.com","clients":[{"id":"app","secrets":["{env.APP_SECRET}"],"grants":["client_credentials"]}]}]}`},
		{new(Endpoints), "gatehouse {\nrealm demo\n}", `{"realms":["demo"]}`},
		{new(Endpoints), "gatehouse {\nkeycloak {\n}\n}", `{"keycloak":{}}`},
		{new(Endpoints), "gatehouse {\nkeycloak {\nbooleans\ndefault_client app\n}\n}", `{"keycloak":{"booleans":true,"default_client":"app"}}`},
		{new(Endpoints), "gatehouse {\ngmi {\n}\npakt {\nredirect_uri https://app.example.com/cb\ntenant_key {env.KEY}\n}\n}", `{"gmi":{},"pakt":{"redirect_uri":"https://app.example.com/cb","tenant_keys":["{env.KEY}"]}}`},
		{new(Guard), "guard", `{}`},
		{new(Guard), "guard {\nidentity {\nX-User sub\n}\n}", `{"identity":{"headers":[{"name":"X-User","claim":"sub"}]}}`},
		{new(Guard), "guard {\naccept sso\npolicy `principal.subject == \"ada\"`\nlenient_paths\n}", `{"accept":["sso"],"policy":"principal.subject == \"ada\"","lenient_paths":true}`},
		{new(App), "gatehouse {\ngc_floor off\nrealm demo {\nissuer https://auth.example.com\n}\ntrust sso {\nissuer https://sso.example.com\naudience any\nverify introspection {\nclient_id a\nclient_secret b\n}\n}\n}", `{"gc_floor":"off","realms":[{"name":"demo","issuer":"https://auth.example.com"}],"trusts":[{"name":"sso","issuer":"https://sso.example.com","audience":["any"],"verify":{"method":"introspection","client_id":"a","client_secret":"b"}}]}`},
		{new(Strip), "gatehouse_strip", `{}`},
	} {
		if err := c.into.UnmarshalCaddyfile(caddyfile.NewTestDispenser(c.text)); err != nil {
			t.Error(err)
			continue
		}
		got, err := json.Marshal(c.into)
		if err != nil || string(got) != c.json {
			t.Errorf("%q gives %s, %v; want %s", c.text, got, err, c.json)
		}
		back := reflect.New(reflect.TypeOf(c.into).Elem()).Interface()
		if err := caddyStrict(got, back); err != nil || !reflect.DeepEqual(back, c.into) {
			t.Errorf("%s reads back as %+v, %v", got, back, err)
		}
	}
	if err := new(Strip).UnmarshalCaddyfile(caddyfile.NewTestDispenser("gatehouse_strip {\nx\n}")); err == nil {
		t.Error("gatehouse_strip takes a block")
	}
}

// caddyStrict reads JSON as Caddy does for modules.
func caddyStrict(raw []byte, into any) error {
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

func readLines(t *testing.T, text string) line {
	t.Helper()
	l, err := readSegment(caddyfile.NewTestDispenser(text))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestUser(t *testing.T) {
	var r config.Realm
	p := places{}
	err := p.user(readLines(t, `user ada {
	password_hash {file./run/secrets/ada}
	totp_secret JBSWY3DPEHPK3PXP
	email ada@example.com verified
	name "Ada Lovelace"
	roles admin ops
	disabled
}`), "realms[0]", &r)
	want := []config.User{{
		Username: "ada", PasswordHash: "{file./run/secrets/ada}", TOTPSecret: "JBSWY3DPEHPK3PXP",
		Email: "ada@example.com", EmailVerified: true, Name: "Ada Lovelace", Roles: []string{"admin", "ops"}, Disabled: true,
	}}
	if err != nil || !reflect.DeepEqual(r.Users, want) {
		t.Errorf("%+v, %v", r.Users, err)
	}
	if at := p["realms[0].users[0].email"]; at.Line != 4 {
		t.Errorf("email is remembered at line %d", at.Line)
	}
	for text, wrong := range map[string]string{
		"user ada":  "needs a block",
		"user {\n}": "needs a value",
		"user ada {\nemail a@b.example proven\n}":  "only the word verified",
		"user ada {\nemail\n}":                     "needs a value",
		"user ada {\npassword hunter2\n}":          `has no word "password"`,
		"user ada {\npassword_hash one two\n}":     "takes one value, not 2",
		"user ada {\nname Ada Lovelace\n}":         "quote a value that has spaces",
		"user ada {\nroles a\nroles b\n}":          "given twice; the first is at Testfile:2",
		"user ada {\ndisabled {\n}\n}":             "takes no block",
		"user ada {\npassword_hash \"\"\n}":        "value 1 of password_hash is empty",
		"user ada {\ntotp_secret {\nx y\n}\n}":     "takes no block",
		"user ada {\nemial a@b.example\nnmae x\n}": `did you mean "email"`,
	} {
		err := p.user(readLines(t, text), "realms[0]", &r)
		if err == nil || !strings.Contains(err.Error(), wrong) {
			t.Errorf("%q: %v, want %q in it", text, err, wrong)
		}
	}
}

func TestLives(t *testing.T) {
	p := places{}
	for text, want := range map[string]config.RefreshToken{
		"refresh_token 7d":           {Lifetime: 7 * 24 * 3600e9},
		"refresh_token 1h grace 30s": {Lifetime: 3600e9, Grace: 30e9},
	} {
		var r config.Realm
		if err := p.refreshToken(readLines(t, text), "r", &r); err != nil || r.RefreshToken != want {
			t.Errorf("%q: %+v, %v", text, r.RefreshToken, err)
		}
	}
	for _, text := range []string{
		"refresh_token", "refresh_token x", "refresh_token 1h grace", "refresh_token 1h 30s", "refresh_token 1h mercy 3s",
		"refresh_token 1h grace 0s", "refresh_token 1h grace 3s 4s", "refresh_token 1h {\n}",
	} {
		if err := p.refreshToken(readLines(t, text), "r", new(config.Realm)); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
	var r config.Realm
	if err := p.session(readLines(t, "session 30d"), "r", &r); err != nil || r.Session.Absolute.String() != "30d" {
		t.Errorf("session: %v, %v", r.Session, err)
	}
	for text, want := range map[string]string{
		"session 12h 30d": "an idle one is not available in this version", "session": "needs a value", "session x": "not a duration",
	} {
		if err := p.session(readLines(t, text), "r", &r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q in it", text, err, want)
		}
	}
}

// A misplaced value is often a secret, and error messages end up in logs and chats.
func TestErrorsQuoteNoSecret(t *testing.T) {
	const secret = "correct-horse-battery"
	for _, text := range []string{
		"client app " + secret + " {\n}",
		"client app {\nsecret " + secret + " " + secret + "\n}",
		"client app {\nsecret " + secret + " {\n}\n}",
		"client app {\ndisabled " + secret + "\n}",
		"client app {\nsecret_hash " + secret + "\n}",
		"client app {\nsecret_hash sha256:" + secret + "\n}",
		"provider github " + secret + " " + secret + " {\n}",
		"provider oidc " + secret + " {\n}\nprovider github {\nclient_secret " + secret + " " + secret + "\n}",
		"provider github {\nclient_secret " + secret + " {\n}\n}",
		"provider oidc corp {\nclient_id x\nclient_secret y\nissuer https://ada:" + secret + "@id.example.com\n}",
		"}\ntrust sso {\nverify introspection {\nclient_secret " + secret + " " + secret + "\n}\n}\nrealm x {",
		"}\ntrust sso {\nverify introspection https://ada:" + secret + "@sso.example.com {\nclient_secret " + secret + "\n}\n}\nrealm x {",
		"}\ntrust sso {\nverify jwks {\nclient_secret " + secret + "\n}\n}\nrealm x {",
		"}\ntrust sso {\nissuer https://ada:" + secret + "@sso.example.com\naudience any\n}\nrealm x {",
	} {
		err := new(App).UnmarshalCaddyfile(caddyfile.NewTestDispenser(
			"gatehouse {\nrealm demo {\nissuer https://auth.example.com\n" + text + "\n}\n}"))
		if err == nil {
			t.Errorf("%q is accepted", text)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("%q: the error quotes it: %v", text, err)
		}
	}
}

// Whatever stands in our blocks, reading them neither panics nor yields JSON that
// cannot be read back.
func FuzzCaddyfile(f *testing.F) {
	for _, seed := range []string{
		demoApp,
		"gatehouse {\ngc_floor off\ntrust a {\nissuer b\naudience any\ntyp c\nverify introspection d {\nclient_id e\nclient_secret f\n}\n}\nrealm a {\n}\n}",
		"guard {\npolicy `a in b`\nlenient_paths\naccept demo x\n}",
		"guard {\naccept demo\nidentity {\nX-User sub\n}\noptional\n}",
		"gatehouse {\nrealm a b\ndialects oauth\n}",
		"gatehouse {\nkeycloak {\nbooleans\nanonymous_introspection\ndefault_client app\n}\n}",
		"gatehouse {\nrealm demo {\nissuer https://a.example\nsign_up allow @b.example github:1\nprovider github {\nclient_id a\nclient_secret b\nissuer c\n}\n}\n}",
		"gatehouse {\ngolem {\n}\ngmi {\n}\npakt {\nredirect_uri a\ntenant_key b\ncors_origins c\n}\n}",
		"gatehouse {\ncache {\nmax_ttl 5s\n} realm x {\n}\n}",
		"guard {\n identity { }\n}", "gatehouse {\n{\n{\n", "a {\n}\n}", "x `}` \"{\"", "gatehouse <<E\n}\nE\n",
		"gatehouse {\nstore sqlite \"\"\nrealm demo {\nsession 1d\n}\n}",
	} {
		f.Add(seed)
	}
	adapter := caddyconfig.GetAdapter("caddyfile")
	f.Fuzz(func(t *testing.T, text string) {
		tokens, err := caddyfile.Tokenize([]byte(text), "Caddyfile")
		if err != nil {
			return
		}
		app := new(App)
		for _, module := range []caddyfile.Unmarshaler{app, new(Endpoints), new(Guard), new(Strip)} {
			if module.UnmarshalCaddyfile(caddyfile.NewDispenser(tokens)) != nil {
				continue
			}
			raw, err := json.Marshal(module)
			if err != nil {
				t.Fatal(err)
			}
			back := reflect.New(reflect.TypeOf(module).Elem()).Interface()
			if err := caddyStrict(raw, back); err != nil {
				t.Errorf("%s cannot be read back: %v", raw, err)
			}
		}
		if strings.Contains(text, "import") {
			return // it would read files of this machine
		}
		for _, whole := range []string{
			"{\n" + text + "\n}\n",
			"{\n" + demoApp + "\n}\n:8080 {\n" + text + "\n}\n",
			"{\n" + demoApp + "\n}\n:8080 {\nguard {\n" + text + "\n}\n}\n",
		} {
			_, _, _ = adapter.Adapt([]byte(whole), nil)
		}
	})
}
