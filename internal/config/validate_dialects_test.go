package config

import (
	"slices"
	"testing"
)

func TestFaultsOfPakt(t *testing.T) {
	good := func() Pakt { return Pakt{RedirectURI: "https://app.example.com/cb?x=1"} }
	for want, change := range map[string]func(*Pakt){
		"":                                     func(*Pakt) {},
		"redirect_uri: is missing":             func(p *Pakt) { p.RedirectURI = "" },
		"redirect_uri: must have no fragment":  func(p *Pakt) { p.RedirectURI += "#" },
		"redirect_uri: absolute URL":           func(p *Pakt) { p.RedirectURI = "com.example.app:/cb" },
		"redirect_uri: must be https":          func(p *Pakt) { p.RedirectURI = "http://app.example.com/cb" },
		"redirect_uri: takes no placeholder":   func(p *Pakt) { p.RedirectURI = "{env.CB}" },
		"redirect_uri: without spaces":         func(p *Pakt) { p.RedirectURI = "https://app.example.com/a b" },
		"tenant_keys: more than 16":            func(p *Pakt) { p.TenantKeys = many(17) },
		"tenant_keys[0]: is empty":             func(p *Pakt) { p.TenantKeys = []string{""} },
		"tenant_keys[0]: fewer than 16":        func(p *Pakt) { p.TenantKeys = []string{"short"} },
		"tenant_keys[1]: given twice":          func(p *Pakt) { p.TenantKeys = []string{goodSecret, goodSecret} },
		"tenant_keys[0]: its closing brace":    func(p *Pakt) { p.TenantKeys = []string{"{env.KEY"} },
		"cors_origins[0]: without *":           func(p *Pakt) { p.CORSOrigins = []string{"*"} },
		"cors_origins[0]: not even a slash":    func(p *Pakt) { p.CORSOrigins = []string{"https://app.example.com/"} },
		"cors_origins[0]: neither query":       func(p *Pakt) { p.CORSOrigins = []string{"https://app.example.com?"} },
		"cors_origins[0]: the default port":    func(p *Pakt) { p.CORSOrigins = []string{"https://app.example.com:443"} },
		"cors_origins[0]: which browsers":      func(p *Pakt) { p.CORSOrigins = []string{"http://localhost:80"} },
		"cors_origins[0]: must be https":       func(p *Pakt) { p.CORSOrigins = []string{"http://app.example.com"} },
		"cors_origins[0]: must be an absolute": func(p *Pakt) { p.CORSOrigins = []string{"null"} },
		"cors_origins[0]: in lower case":       func(p *Pakt) { p.CORSOrigins = []string{"https://App.example.com"} },
		"cors_origins[1]: given twice":         func(p *Pakt) { p.CORSOrigins = []string{"https://a.example", "https://a.example"} },
	} {
		t.Run(want, func(t *testing.T) {
			p := good()
			change(&p)
			e := Endpoints{Pakt: &p}
			if want == "" {
				p.TenantKeys = []string{goodSecret, "{env.KEY}"}
				p.CORSOrigins = []string{"https://app.example.com", "http://localhost:3000", "https://[2001:db8::1]:8443"}
				expect(t, e.Validate(withProviders()), nil)
				expect(t, e.ValidateExpanded(withProviders()), []string{"pakt.tenant_keys[1]: not replaced"})
				return
			}
			expect(t, e.Validate(withProviders()), []string{"pakt." + want})
		})
	}
}

func TestFaultsOfGMI(t *testing.T) {
	for uri, want := range map[string][]string{
		"":                           nil,
		"https://app.example.com/cb": nil,
		"http://127.0.0.1:3000/cb":   nil,
		"/cb":                        {"gmi.redirect_uri: absolute URL"},
		"https://app.example.com/#":  {"gmi.redirect_uri: no fragment"},
	} {
		e := Endpoints{GMI: &GMI{RedirectURI: uri}}
		expect(t, e.Validate(withProviders()), want)
	}
}

// A dialect that can log nobody in is a slip that would show only at the first login.
func TestDialectsThatCouldNeverAnswer(t *testing.T) {
	pakt := &Pakt{RedirectURI: "https://app.example.com/cb"}
	users := []User{{Username: "ada", PasswordHash: goodHash}}
	for name, tc := range map[string]struct {
		e         Endpoints
		users     []User
		providers bool
		want      []string
	}{
		"with providers":  {e: Endpoints{Dialects: []string{"golem"}, GMI: &GMI{}, Pakt: pakt}, providers: true},
		"users for gmi":   {e: Endpoints{GMI: &GMI{}}, users: users},
		"nobody for gmi":  {e: Endpoints{Dialects: []string{"gmi"}}, want: []string{"dialects[0]: nobody to log in"}},
		"by its block":    {e: Endpoints{GMI: &GMI{}}, want: []string{"gmi: nobody to log in"}},
		"users for golem": {e: Endpoints{Dialects: []string{"oauth", "golem"}}, users: users, want: []string{"dialects[1]: logs in by a provider"}},
		"users for pakt":  {e: Endpoints{Pakt: pakt}, users: users, want: []string{"pakt: logs in by a provider"}},
		"pakt, no block":  {e: Endpoints{Dialects: []string{"pakt"}}, providers: true, want: []string{"dialects[0]: its redirect_uri"}},
		"the other realm": {e: Endpoints{Realms: []string{"other", "demo"}, GMI: &GMI{}}, providers: true, want: []string{"gmi: realm \"other\""}},
		"a further realm": {e: Endpoints{Realms: []string{"demo", "other"}, GMI: &GMI{}}, providers: true},
		"no such realm":   {e: Endpoints{Realms: []string{"nowhere"}, GMI: &GMI{}}, want: []string{"realms[0]: there is no realm"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := valid()
			if tc.providers {
				c = withProviders()
			}
			c.Realms[0].Users = tc.users
			expect(t, tc.e.Validate(c), tc.want)
			full := tc.e
			full.SetDefaults(c)
			if got := full.Validate(c); len(got) != len(tc.want) {
				t.Errorf("after the defaults: %v", got)
			}
		})
	}
	e := Endpoints{GMI: new(GMI)}
	expect(t, e.Validate(new(Config)), nil) // without realms there are other faults, and no panic
}

func TestBlocksMountTheirDialects(t *testing.T) {
	e := Endpoints{Dialects: []string{"golem"}, GMI: new(GMI), Pakt: new(Pakt), Keycloak: new(Keycloak)}
	said := slices.Clone(e.Dialects)
	e.SetDefaults(withProviders())
	if want := []string{"golem", "gmi", "pakt", "keycloak"}; !slices.Equal(e.Dialects, want) || !slices.Equal(said, []string{"golem"}) {
		t.Errorf("%q, want %q", e.Dialects, want)
	}
}
