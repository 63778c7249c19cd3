package config

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// withTrusts is a valid configuration with a trust of each method.
func withTrusts() *Config {
	c := valid()
	c.Trusts = []Trust{
		{Name: "keycloak", Issuer: "https://sso.example.com/realms/staff", Audience: []string{"app"}},
		{
			Name: "hydra", Issuer: "https://hydra.example.com/", Audience: []string{"any"},
			Verify: Verify{Method: "introspection", ClientID: "gatehouse", ClientSecret: "short"},
		},
	}
	return c
}

func TestFaultsOfTrusts(t *testing.T) {
	for want, change := range map[string]func(jwks, asks *Trust){
		"": func(*Trust, *Trust) {},
		"trusts[0].name: name of the trust is missing":       func(j, _ *Trust) { j.Name = "" },
		"trusts[0].name: lower-case letters":                 func(j, _ *Trust) { j.Name = "Keycloak" },
		"trusts[0].name: looks like a UUID":                  func(j, _ *Trust) { j.Name = someUUID },
		"trusts[0].name: of a realm and of a trust":          func(j, _ *Trust) { j.Name = "demo" },
		"trusts[1].name: is declared twice":                  func(_, a *Trust) { a.Name = "keycloak" },
		"trusts[0].issuer: is missing":                       func(j, _ *Trust) { j.Issuer = "" },
		"trusts[0].issuer: must be https":                    func(j, _ *Trust) { j.Issuer = "http://sso.example.com" },
		"trusts[0].issuer: absolute URL":                     func(j, _ *Trust) { j.Issuer = "sso.example.com" },
		"trusts[0].issuer: neither query nor fragment":       func(j, _ *Trust) { j.Issuer += "?a=b" },
		"trusts[0].issuer: of the issuer's metadata":         func(j, _ *Trust) { j.Issuer += "/.well-known/openid-configuration" },
		"trusts[0].issuer: takes no placeholder":             func(j, _ *Trust) { j.Issuer = "https://{env.SSO}" },
		"trusts[0].issuer: of our own realm \"demo\"":        func(j, _ *Trust) { j.Issuer = "https://auth.example.com" },
		"trusts[0].audience: needs an audience":              func(j, _ *Trust) { j.Audience = nil },
		"trusts[0].audience[0]: or a list without it":        func(j, _ *Trust) { j.Audience = []string{"any", "app"} },
		"trusts[0].audience[1]: is given twice":              func(j, _ *Trust) { j.Audience = []string{"app", "app"} },
		"trusts[0].audience[0]: begins or ends with a comma": func(j, _ *Trust) { j.Audience = []string{"any,", "app"} },
		"trusts[0].audience[0]: is missing":                  func(j, _ *Trust) { j.Audience = []string{""} },
		"trusts[0].audience: more than 100":                  func(j, _ *Trust) { j.Audience = many(101) },
		"trusts[0].typ[0]: a type such as":                   func(j, _ *Trust) { j.Types = []string{"text/jwt"} },
		"trusts[0].typ[1]: is given twice":                   func(j, _ *Trust) { j.Types = []string{"JWT", "JWT"} },
		"trusts[0].typ[0]: is missing":                       func(j, _ *Trust) { j.Types = []string{""} },
		"trusts[1].typ: a word of verify jwks":               func(_, a *Trust) { a.Types = []string{"JWT"} },
		"trusts[0].verify.method: did you mean":              func(j, _ *Trust) { j.Verify.Method = "jwk" },
		"trusts[0].verify.url: must be https":                func(j, _ *Trust) { j.Verify.URL = "http://sso.example.com/keys" },
		"trusts[1].verify.url: no fragment":                  func(_, a *Trust) { a.Verify.URL = "https://hydra.example.com/#" },
		"trusts[0].verify: words of verify introspec":        func(j, _ *Trust) { j.Verify.ClientSecret = goodSecret },
		"trusts[1].verify.client_id: is missing":             func(_, a *Trust) { a.Verify.ClientID = "" },
		"trusts[1].verify.client_id: closing brace":          func(_, a *Trust) { a.Verify.ClientID = "{env.ID" },
		"trusts[1].verify.client_secret: is missing":         func(_, a *Trust) { a.Verify.ClientSecret = "" },
		"trusts[1].verify.client_secret: longer than":        func(_, a *Trust) { a.Verify.ClientSecret = strings.Repeat("x", 1025) },
		"trusts[1].verify.client_secret: a control":          func(_, a *Trust) { a.Verify.ClientSecret = "a\nb" },
	} {
		t.Run(want, func(t *testing.T) {
			c := withTrusts()
			change(&c.Trusts[0], &c.Trusts[1])
			if want == "" {
				expect(t, c.Validate(), nil)
				return
			}
			expect(t, c.Validate(), []string{want})
			if strings.Contains(c.Validate().Error(), goodSecret) {
				t.Error("a fault quotes a secret")
			}
		})
	}
	c := withTrusts()
	c.Trusts = make([]Trust, 101)
	expect(t, c.Validate(), []string{"trusts: more than 100 trusts"})
}

func TestValidTrusts(t *testing.T) {
	for name, change := range map[string]func(c *Config){
		"defaults":                    func(c *Config) { c.SetDefaults() },
		"discovered, said":            func(c *Config) { c.Trusts[0].Verify.Method = "jwks" },
		"a key set with a query":      func(c *Config) { c.Trusts[0].Verify.URL = "https://sso.example.com/keys?p=b2c" },
		"an endpoint on this machine": func(c *Config) { c.Trusts[1].Verify.URL = "http://127.0.0.1:4445/admin/oauth2/introspect" },
		"an issuer on this machine":   func(c *Config) { c.Trusts[0].Issuer = "http://localhost:8080/realms/x" },
		"two of one issuer":           func(c *Config) { c.Trusts[1].Issuer = c.Trusts[0].Issuer },
		"types as media types":        func(c *Config) { c.Trusts[0].Types = []string{"application/AT+JWT", "at+jwt", "JWT"} },
		"placeholders": func(c *Config) {
			c.Trusts[1].Verify.ClientID, c.Trusts[1].Verify.ClientSecret = "{env.ID}", "{file./run/secrets/x}"
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := withTrusts()
			change(c)
			expect(t, c.Validate(), nil)
		})
	}
	c := withTrusts()
	c.Trusts[1].Verify.ClientSecret = "{env.SECRET}"
	c.Realms[0].Clients[0].Secrets = nil
	expect(t, c.ValidateExpanded(), []string{"trusts[1].verify.client_secret: not replaced"})
}

func TestDefaultsOfTrusts(t *testing.T) {
	c := withTrusts()
	before, _ := json.Marshal(c)
	c.Validate()
	if after, _ := json.Marshal(c); string(after) != string(before) {
		t.Errorf("Validate changed the configuration to %s", after)
	}
	c.SetDefaults()
	got := fmt.Sprint(c.Trusts[0].Types, c.Trusts[0].Verify, c.Trusts[1].Types)
	if want := "[at+jwt JWT] {jwks   } []"; got != want {
		t.Errorf("defaults %q, want %q", got, want)
	}
	if c.Trusts[0].AnyAudience() || !c.Trusts[1].AnyAudience() {
		t.Error("any audience is the single word any")
	}
}

// An issuer's token that another issuer's endpoint gets to see is given away: whoever
// runs the second one can use it at the first one's.
func TestGuardsOfTrusts(t *testing.T) {
	c := withTrusts()
	third := c.Trusts[1]
	third.Name = "third"
	c.Trusts = append(c.Trusts, third)
	for _, tc := range []struct {
		accept []string
		want   []string
	}{
		{[]string{"keycloak"}, nil},
		{[]string{"demo", "hydra", "keycloak", "other"}, nil},
		{[]string{"keyclok"}, []string{"accept[0]: did you mean \"keycloak\"?"}},
		{[]string{"hydra", "demo", "third"}, []string{"accept[2]: both ask by introspection"}},
		{[]string{"third", "hydra", "nobody"}, []string{"accept[1]: accept one of them", "accept[2]: there is no realm or trust"}},
	} {
		g := Guard{Accept: tc.accept}
		expect(t, g.Validate(c), tc.want)
		g.SetDefaults(c)
		if !slices.Equal(g.Accept, tc.accept) {
			t.Errorf("accept %q became %q", tc.accept, g.Accept)
		}
	}
	e := Endpoints{Realms: []string{"keycloak", "keycloack"}}
	expect(t, e.Validate(c), []string{"realms[0]: \"keycloak\" is a trust", "realms[1]: there is no realm"})
}

func TestFaultsOfPolicies(t *testing.T) {
	for policy, want := range map[string][]string{
		"":                                     nil,
		"true":                                 nil,
		"a &&\nb":                              nil,
		"a\r\n\t":                              nil,
		" \n ":                                 {"policy: is empty"},
		"a\x00":                                {"policy: a control character"},
		"a\u0085":                              {"policy: a control character"},
		"\"\xff\"":                             {"policy: not UTF-8"},
		"\"{env.ADMIN}\" == principal.subject": {"policy: takes no placeholder"},
		strings.Repeat("a", 4097):              {"policy: longer than 4096 bytes"},
		strings.Repeat("a", 4096):              nil,
	} {
		g := Guard{Policy: policy}
		expect(t, g.Validate(valid()), want)
	}
}

func TestFaultsOfTheHeapFloor(t *testing.T) {
	for floor, want := range map[string][]string{
		"":          nil,
		"off":       nil,
		"1MiB":      nil,
		"128MiB":    nil,
		"1TiB":      nil,
		"134217728": nil,
		"0":         {"gc_floor: between 1MiB and 1TiB, not 0"},
		"1023KiB":   {"gc_floor: not 1023KiB"},
		"2TiB":      {"gc_floor: between 1MiB and 1TiB"},
		"none":      {"gc_floor: a size such as 128MiB, or off, not \"none\""},
		"-1MiB":     {"gc_floor: a size such as"},
		"{env.GC}":  {"gc_floor: a size such as"},
	} {
		c := valid()
		c.GCFloor = floor
		expect(t, c.Validate(), want)
	}
}
