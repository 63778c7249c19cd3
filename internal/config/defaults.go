package config

import (
	"cmp"
	"slices"
	"time"
)

const (
	second = Duration(time.Second)
	minute = Duration(time.Minute)
	hour   = Duration(time.Hour)
	day    = 24 * hour

	mebibyte Size = 1 << 20
)

// RefreshLifetime is the life of the realm's refresh tokens after their last use,
// 30d where the configuration sets none. A dialect with a life of its own uses that
// one then, so SetDefaults leaves the field as it is.
func (r *Realm) RefreshLifetime() Duration { return cmp.Or(r.RefreshToken.Lifetime, 30*day) }

// SetDefaults fills in what was not said. Four things stay empty, because who
// knows them stands elsewhere: the path of the SQLite file, the ids of realms, the
// life of refresh tokens and the heap that the collector leaves alone.
func (c *Config) SetDefaults() {
	setDefault(&c.Cache.MaxSize, 64*mebibyte)
	setDefault(&c.Cache.MaxTTL, 30*second)
	setDefault(&c.Cache.NegativeTTL, min(2*second, c.Cache.MaxTTL))
	for i := range c.Realms {
		c.Realms[i].setDefaults()
	}
	for i := range c.Trusts {
		c.Trusts[i].setDefaults()
	}
}

func (r *Realm) setDefaults() {
	setDefault(&r.SigningAlg, "ES256")
	setDefault(&r.AccessToken.Format, "jwt")
	setDefault(&r.AccessToken.Lifetime, 5*minute)
	setDefault(&r.RefreshToken.Grace, min(10*second, r.RefreshLifetime()/2))
	setDefault(&r.Session.Absolute, 30*day)
	setDefault(&r.PersonalToken, 365*day)
	setDefault(&r.SignUp.Policy, "closed")
	for i := range r.Providers {
		r.Providers[i].setDefaults()
	}
	for i := range r.Clients {
		setDefault(&r.Clients[i].Introspect, "own")
	}
}

// SetDefaults fills in what was not said; c names the default realm.
func (e *Endpoints) SetDefaults(c *Config) {
	e.Realms = orDefaultRealm(e.Realms, c)
	if len(e.Dialects) == 0 {
		e.Dialects = []string{"oauth"}
	}
	for _, block := range []struct {
		dialect string
		there   bool
	}{{"gmi", e.GMI != nil}, {"pakt", e.Pakt != nil}, {"keycloak", e.Keycloak != nil}} {
		if block.there && !slices.Contains(e.Dialects, block.dialect) { // a dialect's block mounts it
			e.Dialects = append(slices.Clip(e.Dialects), block.dialect)
		}
	}
}

// SetDefaults fills in what was not said; c names the default realm. Audience stays
// empty: it means the issuer of each token's own realm.
func (g *Guard) SetDefaults(c *Config) {
	g.Accept = orDefaultRealm(g.Accept, c)
	setDefault(&g.Login, "auto")
	setDefault(&g.Credential, "strip")
	if len(g.Identity.Headers) == 0 {
		setDefault(&g.Identity.Preset, "remote")
	}
}

func setDefault[T comparable](field *T, value T) {
	var unsaid T
	if *field == unsaid {
		*field = value
	}
}

func orDefaultRealm(names []string, c *Config) []string {
	if len(names) == 0 && len(c.Realms) > 0 {
		return []string{c.Realms[0].Name}
	}
	return names
}

// withDefaults is a copy in which everything is said. It shares what SetDefaults
// does not write to.
func (c *Config) withDefaults() *Config {
	full := *c
	full.Realms = slices.Clone(c.Realms)
	for i := range full.Realms {
		full.Realms[i].Clients = slices.Clone(c.Realms[i].Clients)
		full.Realms[i].Providers = slices.Clone(c.Realms[i].Providers)
	}
	full.Trusts = slices.Clone(c.Trusts)
	full.SetDefaults()
	return &full
}
