package config

import "strings"

// Bounds of what an operator may write, far above any sane use: they keep a
// generated configuration from eating the memory.
const (
	maxRealms    = 1000
	maxClients   = 100_000
	maxUsers     = 100_000
	maxResources = 10_000
	maxProviders = 100
	maxAllowed   = 1000 // entries of sign_up allow
	maxList      = 100  // scopes, roles, audiences, ...
	maxHeaders   = 64
	maxProofs    = 4 // secrets and hashes of one client

	maxName = 256
	maxURL  = 2048
	maxPath = 4096
)

// Validate returns every fault of the configuration. What was not said is judged
// by its default, so it may be called before or after SetDefaults. Secrets, the
// client_id of a provider or trust and the path of the SQLite file are not judged while they
// hold a placeholder.
func (c *Config) Validate() Faults { return c.validate(new(checker)) }

// ValidateExpanded is Validate for a configuration whose placeholders have been
// replaced: now everything is judged, and text that still looks like a placeholder
// is a fault, for it would be a secret that anybody can guess.
func (c *Config) ValidateExpanded() Faults { return c.validate(&checker{expanded: true}) }

func (c *Config) validate(ck *checker) Faults {
	full := c.withDefaults()
	ck.store(full.Store)
	ck.cache(full.Cache)
	ck.gcFloor(full.GCFloor)
	if len(full.Realms) == 0 {
		ck.fault("realms", "at least one realm is required")
	}
	if len(full.Realms) > maxRealms {
		ck.fault("realms", "more than %d realms", maxRealms)
		return ck.faults
	}
	names, ids, issuers := once{}, once{}, once{}
	for i := range full.Realms {
		r, at := &full.Realms[i], index("realms", i)
		if r.Name != "" && names.again(r.Name) {
			ck.fault(at+".name", "realm %q is declared twice", r.Name)
		}
		if r.ID != "" && ids.again(strings.ToLower(r.ID)) {
			ck.fault(at+".id", "another realm has the id %s", r.ID)
		}
		if r.Issuer != "" && issuers.again(r.Issuer) {
			ck.fault(at+".issuer", "another realm has the issuer %q", r.Issuer)
		}
		ck.realm(at, r)
	}
	ck.trusts(full)
	return ck.faults
}

// store judges the path of the file. It may hold placeholders, as secrets may.
func (ck *checker) store(s Store) {
	path := s.SQLite
	if path == "" || ck.pending("store.sqlite", "path of the SQLite file", path) || !ck.text("store.sqlite", "path of the SQLite file", path, maxPath) {
		return
	}
	if path == ":memory:" || strings.HasPrefix(path, "file:") {
		ck.fault("store.sqlite", "store sqlite takes the path of a file, not %q", path)
	}
}

func (ck *checker) cache(c Cache) {
	if c.MaxSize < mebibyte || c.MaxSize > 1<<20*mebibyte {
		ck.fault("cache.max_size", "max_size must be between 1MiB and 1TiB, not %s", c.MaxSize)
	}
	switch {
	case !ck.between("cache.max_ttl", "max_ttl", c.MaxTTL, hour):
	case c.NegativeTTL > c.MaxTTL:
		ck.fault("cache.negative_ttl", "negative_ttl (%s) must not be longer than max_ttl (%s)", c.NegativeTTL, c.MaxTTL)
	case c.NegativeTTL <= 0:
		ck.fault("cache.negative_ttl", "negative_ttl must be more than 0")
	}
}

func (ck *checker) realm(at string, r *Realm) {
	ck.blockName(at+".name", "realm", r.Name)
	if r.ID != "" && (!isUUID(r.ID) || r.ID != strings.ToLower(r.ID)) {
		ck.fault(at+".id", "id must be a UUID in lower case, not %q", r.ID)
	}
	if ck.text(at+".issuer", "issuer", r.Issuer, maxURL) {
		if wrong := issuerFault(r.Issuer); wrong != "" {
			ck.fault(at+".issuer", "issuer %q %s", shown(r.Issuer), wrong)
		}
	}
	ck.oneOf(at+".signing_alg", "signing_alg", "signing_alg", r.SigningAlg, "ES256", "RS256", "EdDSA")
	ck.oneOf(at+".access_token.format", "access_token", "access_token", r.AccessToken.Format, "jwt", "opaque")
	ck.between(at+".access_token.lifetime", "lifetime of access tokens", r.AccessToken.Lifetime, day)
	ck.lives(at, r)
	ck.signUp(at+".sign_up", r)
	ck.providers(at+".providers", r.Providers)
	if len(r.Clients) > maxClients || len(r.Users) > maxUsers || len(r.Resources) > maxResources {
		ck.fault(at, "more than %d clients, %d users or %d resources", maxClients, maxUsers, maxResources)
		return
	}
	ck.clients(at+".clients", r.Clients)
	ck.users(at+".users", r.Users)
	ck.usernames(at+".users", r)
	ck.resources(at+".resources", r)
}

// blockName judges the name of a realm or trust.
func (ck *checker) blockName(at, what, name string) {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	switch {
	case !ck.text(at, "name of the "+what, name, 64):
	case strings.Trim(name, letters+"_-") != "" || strings.IndexAny(name, letters) != 0:
		ck.fault(at, "%s name %q must be lower-case letters, digits, - and _, and begin with a letter or digit", what, name)
	case isUUID(name):
		ck.fault(at, "%s name %q looks like a UUID: requests could not tell it from an id", what, name)
	}
}

func (ck *checker) lives(at string, r *Realm) {
	const most = 3650 * day
	life, grace := r.RefreshLifetime(), r.RefreshToken.Grace
	if ck.between(at+".refresh_token.lifetime", "lifetime of refresh tokens", life, most) {
		if grace <= 0 || grace > 5*minute || grace >= life {
			ck.fault(at+".refresh_token.grace", "grace must be more than 0, at most 5m and less than the lifetime, not %s", grace)
		}
	}
	ck.between(at+".session.absolute", "absolute end of sessions", r.Session.Absolute, most)
	ck.between(at+".personal_token", "life of personal tokens", r.PersonalToken, most)
}

func (ck *checker) resources(at string, r *Realm) {
	seen := once{}
	byID := make(map[string]*Client, len(r.Clients))
	for i := range r.Clients {
		byID[r.Clients[i].ID] = &r.Clients[i]
	}
	for i, res := range r.Resources {
		at := index(at, i)
		ck.resource(at+".url", "resource", res.URL)
		if res.URL != "" && seen.again(res.URL) {
			ck.fault(at+".url", "resource %q is declared twice", res.URL)
		}
		ck.list(at+".scopes", "scope", res.Scopes, maxList, ck.scope)
		if res.Client == "" {
			continue
		}
		if c := byID[res.Client]; c == nil {
			ck.fault(at+".client", "realm %q has no client %q", r.Name, res.Client)
		} else if c.Public() {
			ck.fault(at+".client", "client %q is public: a resource introspects as a client with a secret", res.Client)
		}
	}
}
