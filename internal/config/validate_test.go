package config

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

const (
	goodSecret = "0123456789abcdef"
	goodHash   = "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g"
	someUUID   = "3f2b8f0e-6f0d-5a51-9c3e-0f6a2f8f4d11"
)

func valid() *Config {
	return &Config{
		Store: Store{SQLite: "/var/lib/gatehouse/gatehouse.db"},
		Realms: []Realm{{
			Name: "demo", ID: someUUID, Issuer: "https://auth.example.com",
			Clients: []Client{
				{
					ID: "app", Secrets: []string{goodSecret, "{env.NEXT}"},
					SecretHashes: []string{"sha256:" + strings.Repeat("aB", 32)},
					Grants:       []string{"client_credentials"}, Scopes: []string{"read", "write"},
					Audience: []string{"https://api.example.com", "urn:example:api"}, Roles: []string{"admin", "night shift"},
					Introspect: "any",
				},
				{ID: "spa"},
			},
			Resources: []Resource{{URL: "https://api.example.com", Client: "app", Scopes: []string{"read"}}},
		}, {
			Name: "other", Issuer: "http://[::1]:8080/other",
		}},
	}
}

// expect compares faults with wanted "path: text" lines; the text need only be a part.
func expect(t *testing.T, got Faults, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d faults, want %d:\n%v", len(got), len(want), got)
	}
	for i, f := range got {
		path, text, _ := strings.Cut(want[i], ": ")
		if f.Path != path || !strings.Contains(f.Message, text) {
			t.Errorf("fault %q, want %q", f, want[i])
		}
	}
}

func TestValidConfigurations(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"as it is":               func(*Config) {},
		"with defaults":          func(c *Config) { c.SetDefaults() },
		"the benchmark's cache":  func(c *Config) { c.Cache = Cache{MaxSize: 128 * mebibyte, MaxTTL: 10 * minute} },
		"max_ttl below 2s":       func(c *Config) { c.Cache.MaxTTL = second },
		"four proofs":            func(c *Config) { c.Realms[0].Clients[0].Secrets = []string{goodSecret, goodSecret + "1", "{file.x}"} },
		"a path with variables":  func(c *Config) { c.Store.SQLite = "{env.DATA}/gatehouse.db" },
		"issuer with a path":     func(c *Config) { c.Realms[0].Issuer = "https://example.com/realms/demo" },
		"issuer with a port":     func(c *Config) { c.Realms[0].Issuer = "https://example.com:8443" },
		"issuer on 127.x":        func(c *Config) { c.Realms[0].Issuer = "http://127.1.2.3:80" },
		"issuer on localhost":    func(c *Config) { c.Realms[0].Issuer = "http://localhost:9080" },
		"a resource alone":       func(c *Config) { c.Realms[0].Resources = []Resource{{URL: "urn:x"}} },
		"client ids of any sort": func(c *Config) { c.Realms[0].Clients[1].ID = "https://app.example.com/?a=b#c" },
	} {
		t.Run(name, func(t *testing.T) {
			c := valid()
			change(c)
			if faults := c.Validate(); len(faults) > 0 {
				t.Error(faults)
			}
		})
	}
}

func TestFaultsOfTheApp(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"realms: at least one realm":                          func(c *Config) { c.Realms = nil },
		"realms: more than 1000 realms":                       func(c *Config) { c.Realms = make([]Realm, 1001) },
		"store.sqlite: the path of a file":                    func(c *Config) { c.Store.SQLite = "file:x?mode=memory" },
		"store.sqlite: path of the SQLite file has a control": func(c *Config) { c.Store.SQLite = "a\x00b" },
		"cache.max_size: between 1MiB and 1TiB, not 1KiB":     func(c *Config) { c.Cache.MaxSize = 1024 },
		"cache.max_ttl: between 1s and 1h, not 1h1m":          func(c *Config) { c.Cache.MaxTTL = 61 * minute },
		"cache.max_ttl: not -1s":                              func(c *Config) { c.Cache.MaxTTL = -second },
		"cache.negative_ttl: not be longer":                   func(c *Config) { c.Cache.NegativeTTL = minute },
		"cache.negative_ttl: more than 0":                     func(c *Config) { c.Cache.NegativeTTL = -1 },
		"realms[1].name: declared twice":                      func(c *Config) { c.Realms[1].Name = "demo" },
		"realms[1].id: another realm has the id":              func(c *Config) { c.Realms[1].ID = someUUID },
		"realms[1].issuer: another realm has the issuer":      func(c *Config) { c.Realms[1].Issuer = c.Realms[0].Issuer },
		"realms[1].name: name of the realm is missing":        func(c *Config) { c.Realms[1].Name = "" },
		"realms[1].name: longer than 64":                      func(c *Config) { c.Realms[1].Name = strings.Repeat("a", 65) },
		"realms[1].name: must be lower-case":                  func(c *Config) { c.Realms[1].Name = "-x" },
		"realms[1].name: must be lower-case letters":          func(c *Config) { c.Realms[1].Name = "a/b" },
		"realms[1].name: looks like a UUID":                   func(c *Config) { c.Realms[1].Name = someUUID },
		"realms[1].id: UUID in lower case":                    func(c *Config) { c.Realms[1].ID = strings.ToUpper(someUUID)[:35] + "F" },
		"realms[1].id: must be a UUID":                        func(c *Config) { c.Realms[1].ID = "42" },
		"realms[1].issuer: issuer is missing":                 func(c *Config) { c.Realms[1].Issuer = "" },
		"realms[1].issuer: takes no placeholder":              func(c *Config) { c.Realms[1].Issuer = "https://{env.HOST}" },
		"realms[1].signing_alg: ES256, RS256 or EdDSA":        func(c *Config) { c.Realms[1].SigningAlg = "HS256" },
		"realms[1].access_token.format: jwt or opaque":        func(c *Config) { c.Realms[1].AccessToken.Format = "JWT" },
		"realms[1].access_token.lifetime: between 1s and 1d":  func(c *Config) { c.Realms[1].AccessToken.Lifetime = 25 * hour },
		"realms[0].resources[0].client: has no client":        func(c *Config) { c.Realms[0].Resources[0].Client = "ap" },
		"realms[0].resources[0].client: is public":            func(c *Config) { c.Realms[0].Resources[0].Client = "spa" },
		"realms[0].resources[0].url: absolute URI":            func(c *Config) { c.Realms[0].Resources[0].URL = "https://api.example.com#" },
		"realms[0].resources[0].url: is missing":              func(c *Config) { c.Realms[0].Resources[0].URL = "" },
		"realms[0].resources[1].url: declared twice": func(c *Config) {
			c.Realms[0].Resources = append(c.Realms[0].Resources, Resource{URL: "https://api.example.com"})
		},
		"realms[0].resources[0].scopes[0]: may not hold": func(c *Config) { c.Realms[0].Resources[0].Scopes = []string{`a"b`} },
	} {
		t.Run(want, func(t *testing.T) {
			c := valid()
			change(c)
			got := c.Validate()
			if len(c.Realms) > 1000 {
				got = got[:1]
			}
			expect(t, got, []string{want})
		})
	}
}

func TestFaultsOfClients(t *testing.T) {
	for want, change := range map[string]func(*Client){
		"id: client id is missing":                        func(c *Client) { c.ID = "" },
		"id: longer than 256":                             func(c *Client) { c.ID = strings.Repeat("a", 257) },
		"id: without spaces":                              func(c *Client) { c.ID = "my app" },
		"id: client id \"ä\"":                             func(c *Client) { c.ID = "ä" },
		"id: is reserved":                                 func(c *Client) { c.ID = "gatehouse" },
		"id: declared twice":                              func(c *Client) { c.ID = "spa" },
		"secrets: more than 4":                            func(c *Client) { c.Secrets = []string{"1", "2", "3", "4"} },
		"secrets[0]: is empty":                            func(c *Client) { c.Secrets = []string{""} },
		"secrets[0]: fewer than 16":                       func(c *Client) { c.Secrets = []string{"0123456789abcde"} },
		"secrets[0]: client \"app\" has fewer than 16":    func(c *Client) { c.Secrets = []string{strings.Repeat("ä", 15)} },
		"secrets[0]: has a control":                       func(c *Client) { c.Secrets = []string{goodSecret + "\n"} },
		"secrets[0]: longer than":                         func(c *Client) { c.Secrets = []string{strings.Repeat("a", 1025)} },
		"secrets[1]: given twice":                         func(c *Client) { c.Secrets = []string{goodSecret, goodSecret} },
		"secret_hashes[0]: must be sha256:":               func(c *Client) { c.SecretHashes = []string{"sha256:abc"} },
		"secret_hashes[0]: 64 hexadecimal":                func(c *Client) { c.SecretHashes = []string{strings.Repeat("ab", 32)} },
		"secret_hashes[0]: must be":                       func(c *Client) { c.SecretHashes = []string{""} },
		"secret_hashes[1]: given twice":                   func(c *Client) { c.SecretHashes = slices.Repeat(c.SecretHashes, 2) },
		"grants[0]: grant must be client_credentials":     func(c *Client) { c.Grants = []string{"implicit"} },
		"grants[1]: given twice":                          func(c *Client) { c.Grants = slices.Repeat(c.Grants, 2) },
		"grants[0]: device_code is not available":         func(c *Client) { c.Grants = []string{"device_code"} },
		"scopes[0]: scope is missing":                     func(c *Client) { c.Scopes = []string{""} },
		"scopes[0]: without spaces":                       func(c *Client) { c.Scopes = []string{"a b"} },
		"scopes[0]: may not hold":                         func(c *Client) { c.Scopes = []string{`a\b`} },
		"scopes[1]: given twice":                          func(c *Client) { c.Scopes = []string{"a", "a"} },
		"scopes: scope: more than 100":                    func(c *Client) { c.Scopes = many(101) },
		"audience[0]: begins or ends with a comma":        func(c *Client) { c.Audience = []string{"https://api.example.com/,"} },
		"audience[0]: absolute URI":                       func(c *Client) { c.Audience = []string{"api"} },
		"audience[0]: must be an absolute URI without":    func(c *Client) { c.Audience = []string{"https://api/#x"} },
		"audience[0]: audience \"https:\" must":           func(c *Client) { c.Audience = []string{"https:"} },
		"roles[0]: role has a control":                    func(c *Client) { c.Roles = []string{"a\r\nX-Admin: 1"} },
		"roles[0]: control character or is not UTF-8":     func(c *Client) { c.Roles = []string{"\xff"} },
		"introspect: own or any, not \"all\"":             func(c *Client) { c.Introspect = "all" },
		"grants[0]: needs one":                            func(c *Client) { c.Secrets, c.SecretHashes, c.Introspect = nil, nil, "" },
		"introspect: has no secret: introspect any needs": func(c *Client) { c.Secrets, c.SecretHashes, c.Grants = nil, nil, nil },
	} {
		t.Run(want, func(t *testing.T) {
			c := valid()
			c.Realms[0].Resources = nil
			slices.Reverse(c.Realms[0].Clients) // so that another one with its id comes first
			change(&c.Realms[0].Clients[1])
			expect(t, c.Validate(), []string{"realms[0].clients[1]." + want})
		})
	}
}

// The check of users is not reached through Validate until the word is available.
func TestFaultsOfUsers(t *testing.T) {
	for want, change := range map[string]func(*User){
		"":                                func(*User) {},
		"username: is missing":            func(u *User) { u.Username = "" },
		"username: begins or ends":        func(u *User) { u.Username = " bob" },
		"username: declared twice":        func(u *User) { u.Username = "ADA" },
		"username: user \"ſara\"":         func(u *User) { u.Username = "ſara" }, // folds to sara
		"email: another user":             func(u *User) { u.Email = "Ada@Example.com" },
		"email: is not an e-mail address": func(u *User) { u.Email = "a@b@c" },
		"email: \"bob\" is not an e-mail": func(u *User) { u.Email = "bob" },
		"email_verified: has no e-mail":   func(u *User) { u.EmailVerified = true },
		"name: control character":         func(u *User) { u.Name = "a\x1bb" },
		"password_hash: has no password":  func(u *User) { u.PasswordHash = "" },
		"password_hash: as `caddy":        func(u *User) { u.PasswordHash = "plaintext" },
		"totp_secret: base32":             func(u *User) { u.TOTPSecret = "abc" },
		"totp_secret: 16 characters":      func(u *User) { u.TOTPSecret = "JBSWY3DP" },
		"roles[1]: given twice":           func(u *User) { u.Roles = []string{"a", "a"} },
	} {
		t.Run(want, func(t *testing.T) {
			users := []User{
				{Username: "ada", PasswordHash: goodHash, Email: "ada@example.com", EmailVerified: true, Name: "Ada L."},
				{Username: "SARA", PasswordHash: "$2y$10$abc", TOTPSecret: "JBSWY3DPEHPK3PXP"},
				{Username: "bob", PasswordHash: "{env.BOB}", TOTPSecret: "{file.totp}"},
			}
			change(&users[2])
			ck := new(checker)
			ck.users("users", users)
			if want == "" {
				expect(t, ck.faults, nil)
				return
			}
			expect(t, ck.faults, []string{"users[2]." + want})
		})
	}
}

func TestIssuers(t *testing.T) {
	for issuer, want := range map[string]string{
		"auth.example.com":               "absolute URL",
		"https:auth.example.com":         "absolute URL",
		"https:///x":                     "absolute URL",
		"ftp://auth.example.com":         "absolute URL",
		"https://a b":                    "absolute URL",
		"https://u:p@auth.example.com":   "user name",
		"https://auth.example.com?":      "query",
		"https://auth.example.com#":      "fragment",
		"https://auth.example.com/":      "slash",
		"https://auth.example.com/a/":    "slash",
		"https://auth.example.com//a":    "empty",
		"https://auth.example.com/./a":   "dot",
		"https://auth.example.com/a/..":  "dot",
		"https://a.example.com/%2e/a":    "percent",
		"https://Auth.example.com":       "lower case",
		"HTTPS://auth.example.com":       "lower case",
		"https://auth.example.com:":      "host or port",
		"https://auth.example.com:0":     "host or port",
		"https://auth.example.com:0443":  "host or port",
		"https://auth.example.com:65536": "host or port",
		"https://*.example.com":          "host or port",
		"https://[::1%25lo]":             "percent",
		"https://[zz]":                   "",
		"http://auth.example.com":        "loopback",
		"http://10.0.0.1":                "loopback",
		"http://localhost.example.com":   "loopback",
		"http://127.0.0.1.example.com":   "loopback",
	} {
		if got := issuerFault(issuer); got == "" || !strings.Contains(got, want) {
			t.Errorf("issuerFault(%q) = %q, want %q in it", issuer, got, want)
		}
	}
}

func TestFaultsOfGuards(t *testing.T) {
	header := func(names ...string) func(*Guard) {
		return func(g *Guard) {
			for _, n := range names {
				g.Identity.Headers = append(g.Identity.Headers, IdentityHeader{n, "sub"})
			}
		}
	}
	for want, change := range map[string]func(*Guard){
		"":                                  func(*Guard) {},
		"accept[0]: there is no realm":      func(g *Guard) { g.Accept = []string{"nowhere"} },
		"accept[0]: did you mean \"demo\"?": func(g *Guard) { g.Accept = []string{"dmo"} },
		"accept[0]: takes no placeholder":   func(g *Guard) { g.Accept = []string{"{env.REALM}"} },
		"scopes[0]: stand apart by spaces":  func(g *Guard) { g.Scopes = []string{"read,", "write"} },
		"roles[1]: \",editor\" begins or ends with a comma": func(g *Guard) { g.Roles = []string{"CN=a,DC=b", ",editor"} },
		"scopes[0]: values stand behind their word":         func(g *Guard) { g.Scopes = []string{"=", "read"} },
		"audience[0]: begins or ends with a comma":          func(g *Guard) { g.Audience = []string{"https://a.example/,", "https://b.example/"} },
		"accept[1]: given twice":                            func(g *Guard) { g.Accept = []string{"demo", "demo"} },
		"audience[0]: any is for trusts":                    func(g *Guard) { g.Audience = []string{"any"} },
		"audience[0]: without spaces":                       func(g *Guard) { g.Audience = []string{"a b"} },
		"scopes[0]: scope is missing":                       func(g *Guard) { g.Scopes = []string{""} },
		"roles[1]: given twice":                             func(g *Guard) { g.Roles = []string{"a", "a"} },
		"login: login always is not avail":                  func(g *Guard) { g.Login = "always" },
		"login: auto or never":                              func(g *Guard) { g.Login = "maybe" },
		"credential: strip or keep":                         func(g *Guard) { g.Credential = "hide" },
		"identity.preset: must be remote":                   func(g *Guard) { g.Identity.Preset = "x-forwarded" },
		"identity.preset: not both": func(g *Guard) {
			g.Identity = Identity{Preset: "remote", Headers: []IdentityHeader{{"X-User", "sub"}}}
		},
		"identity.headers[0].claim: is missing": func(g *Guard) { g.Identity.Headers = []IdentityHeader{{"X-User", ""}} },
		"identity.headers[0].name: is missing":  header(""),
		"identity.headers[1].name: given twice": header("X-User", "x_USER"),
		"identity.headers[0].name: field name":  header("X:User"),
		"identity.headers: more than 64": func(g *Guard) {
			header(many(65)...)(g)
		},
	} {
		t.Run(want, func(t *testing.T) {
			var g Guard
			change(&g)
			faults := g.Validate(valid())
			if want == "" {
				expect(t, faults, nil)
				return
			}
			expect(t, faults, []string{want})
		})
	}
}

// A claim must not become the message's frame, its credential or its origin: an
// account named after a host would otherwise choose where its request goes.
func TestIdentityCannotTakeOverHeadersWithAMeaning(t *testing.T) {
	for _, name := range []string{
		"Host", "Connection", "Content-Length", "content_length", "Transfer-Encoding", "Authorization", "Cookie",
		"Trailer", "TE", "Upgrade", "Keep-Alive", "Proxy-Authorization", "Proxy_Connection", "Forwarded",
		"X-Forwarded-For", "X.Forwarded.For", "x_forwarded-host", "X-Forwarded-Proto",
	} {
		g := Guard{Identity: Identity{Headers: []IdentityHeader{{name, "sub"}}}}
		expect(t, g.Validate(valid()), []string{"identity.headers[0].name: has a meaning of its own"})
	}
}

func TestFaultsOfEndpoints(t *testing.T) {
	e := Endpoints{Realms: []string{"demo", "nowhere", "demo"}, Dialects: []string{"oauth", "keycloak", "saml", "oauth"}}
	expect(t, e.Validate(valid()), []string{
		"realms[1]: there is no realm",
		"realms[2]: given twice",
		"dialects[2]: dialect must be oauth",
		"dialects[3]: given twice",
	})
}

func TestDefaultClientOfKeycloak(t *testing.T) {
	c := valid()
	c.Realms[0].Clients = append(c.Realms[0].Clients, Client{ID: "portal", Grants: []string{"password"}}, Client{ID: "plain"})
	second := c.Realms[1].Name
	c.Realms[1].Clients = append(c.Realms[1].Clients, Client{ID: "plain", Grants: []string{"password"}})
	for _, tc := range []struct {
		client string
		realms []string
		want   []string
	}{
		{"", nil, nil},
		{"gatehouse", nil, nil},
		{"portal", nil, nil},
		{"portal", []string{"demo", second}, nil},
		{"portal", []string{second, "demo"}, []string{"keycloak.default_client: has no client \"portal\""}},
		{"potral", nil, []string{"keycloak.default_client: did you mean \"portal\"?"}},
		{"plain", nil, []string{"keycloak.default_client: needs the grant password"}},
		{"plain", []string{second}, nil},
		{"plain", []string{second, "demo"}, []string{"keycloak.default_client: of realm \"demo\" needs the grant password"}},
		{"a b", nil, []string{"keycloak.default_client: without spaces"}},
		{"portal", []string{"nowhere"}, []string{"realms[0]: there is no realm"}},
	} {
		e := Endpoints{Realms: tc.realms, Keycloak: &Keycloak{DefaultClient: tc.client}}
		expect(t, e.Validate(c), tc.want)
		if e.Dialects != nil {
			t.Error("Validate changed the endpoints")
		}
	}
}

func TestKeycloakBlockMountsTheDialect(t *testing.T) {
	for _, tc := range []struct {
		said, want []string
	}{
		{nil, []string{"oauth", "keycloak"}},
		{[]string{"oauth"}, []string{"oauth", "keycloak"}},
		{[]string{"keycloak"}, []string{"keycloak"}},
		{[]string{"keycloak", "oauth"}, []string{"keycloak", "oauth"}},
	} {
		e := Endpoints{Dialects: tc.said, Keycloak: new(Keycloak)}
		e.SetDefaults(valid())
		if !slices.Equal(e.Dialects, tc.want) {
			t.Errorf("%q becomes %q, want %q", tc.said, e.Dialects, tc.want)
		}
	}
}

func TestAllFaultsAtOnceOnePerLine(t *testing.T) {
	c := valid()
	c.Cache.MaxSize = 1
	c.Realms[0].Issuer = ""
	c.Realms[0].Clients[0].Secrets[0] = "hunter2"
	err := c.Validate().Err()
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Fatalf("want three lines: %v", err)
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Error("a fault quotes a secret")
	}
	if Faults(nil).Err() != nil {
		t.Error("no faults are an error")
	}
}

func TestDefaults(t *testing.T) {
	c := valid()
	before, _ := json.Marshal(c)
	c.Validate()
	if after, _ := json.Marshal(c); string(after) != string(before) {
		t.Errorf("Validate changed the configuration to %s", after)
	}
	c.SetDefaults()
	r := c.Realms[1]
	got := fmt.Sprintln(c.Cache, r.SigningAlg, r.AccessToken, r.RefreshToken, r.Session, r.PersonalToken, r.SignUp, c.Realms[0].Clients[1].Introspect)
	if want := "{64MiB 30s 2s} ES256 {jwt 5m} {0s 10s} {30d} 365d {closed []} own\n"; got != want {
		t.Errorf("defaults %s, want %s", got, want)
	}
	var g Guard
	g.SetDefaults(c)
	if got, want := fmt.Sprint(g), "{[demo] [] [] []  auto {remote []} strip false false}"; got != want {
		t.Errorf("guard %s, want %s", got, want)
	}
	mapped := Guard{Identity: Identity{Headers: []IdentityHeader{{"X-User", "sub"}}}}
	mapped.SetDefaults(c)
	if mapped.Identity.Preset != "" {
		t.Error("a map got a preset beside it")
	}
	var e Endpoints
	e.SetDefaults(c)
	if got, want := fmt.Sprint(e), "{[demo] [oauth] <nil> <nil> <nil>}"; got != want {
		t.Errorf("endpoints %s, want %s", got, want)
	}
	e.SetDefaults(new(Config)) // without realms there is nothing to choose, and no panic
}

func TestNearest(t *testing.T) {
	known := []string{"issuer", "scopes", "session", "id"}
	for word, want := range map[string]string{
		"isuer": "issuer", "Issuer": "issuer", "scope": "scopes", "sesion": "session", "colour": "", "ix": "", "": "",
		strings.Repeat("issuer", 20): "",
	} {
		if got := Nearest(word, known); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

func many(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("x%d", i)
	}
	return out
}
