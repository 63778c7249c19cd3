package config

import (
	"slices"
	"strings"
)

// Validate returns every fault of the endpoints beside the app's configuration. A
// tenant key is not judged while it holds a placeholder.
func (e *Endpoints) Validate(c *Config) Faults { return e.validate(c, new(checker)) }

// ValidateExpanded is Validate for endpoints whose placeholders have been replaced.
func (e *Endpoints) ValidateExpanded(c *Config) Faults {
	return e.validate(c, &checker{expanded: true})
}

func (e *Endpoints) validate(c *Config, ck *checker) Faults {
	ck.realmRefs("realms", e.Realms, c)
	ck.list("dialects", "dialect", e.Dialects, maxList, func(at, dialect string) {
		ck.oneOf(at, "dialect", "dialects", dialect, "oauth", "gmi", "pakt", "golem", "keycloak")
	})
	full := *e
	full.SetDefaults(c)
	if k := full.Keycloak; k != nil && k.DefaultClient != "" && k.DefaultClient != firstPartyClient {
		ck.loginClient("keycloak.default_client", k.DefaultClient, full.Realms, c)
	}
	if g := e.GMI; g != nil && g.RedirectURI != "" {
		ck.address("gmi.redirect_uri", "redirect_uri", g.RedirectURI, true)
	}
	ck.pakt(e.Pakt)
	ck.answerable(&full, e, c)
	return ck.faults
}

// loginClient checks the client that user logins are for: the first of the realms
// has it, and wherever it is it has the grant password. A further realm without it
// keeps its built-in client.
func (ck *checker) loginClient(at, id string, realms []string, c *Config) {
	if !ck.ascii(at, "client id", id, maxName) {
		return
	}
	for i, name := range realms {
		r := slices.IndexFunc(c.Realms, func(r Realm) bool { return r.Name == name })
		if r < 0 {
			continue // reported with the realms
		}
		clients := c.Realms[r].Clients
		switch n := slices.IndexFunc(clients, func(c Client) bool { return c.ID == id }); {
		case n >= 0 && !slices.Contains(clients[n].Grants, "password"):
			ck.fault(at, "client %q of realm %q needs the grant password to be the client of user logins", id, name)
		case n < 0 && i == 0:
			ids := make([]string, len(clients))
			for i := range clients {
				ids[i] = clients[i].ID
			}
			ck.fault(at, "realm %q has no client %q%s", name, id, suggestion(id, ids...))
		}
	}
}

// Validate returns every fault of the guard beside the app's configuration.
func (g *Guard) Validate(c *Config) Faults {
	full, ck := *g, new(checker)
	full.SetDefaults(c)
	ck.accepted(g.Accept, c)
	ck.list("audience", "audience", g.Audience, maxList, func(at, s string) {
		if s == anyAudience {
			ck.fault(at, "audience any is for trusts: a guard that names no audience takes what is for its realms and trusts")
			return
		}
		ck.audience(at, s)
	})
	ck.list("scopes", "scope", g.Scopes, maxList, ck.scope)
	ck.list("roles", "role", g.Roles, maxList, ck.role)
	ck.policy(g.Policy)
	ck.oneOf("login", "login", "login", full.Login, "auto", "always", "never")
	ck.oneOf("credential", "credential", "credential", full.Credential, "strip", "keep")
	ck.identity(full.Identity)
	return ck.faults
}

// realmRefs checks that the realms named are there.
func (ck *checker) realmRefs(path string, names []string, c *Config) {
	known := make([]string, len(c.Realms))
	for i, r := range c.Realms {
		known[i] = r.Name
	}
	ck.list(path, "realm", names, maxRealms, func(at, name string) {
		if !ck.text(at, "realm", name, maxName) || slices.Contains(known, name) {
			return
		}
		if slices.ContainsFunc(c.Trusts, func(t Trust) bool { return t.Name == name }) {
			ck.fault(at, "%q is a trust: its own issuer serves it, we serve realms", name)
			return
		}
		ck.fault(at, "there is no realm %q%s", name, suggestion(name, known...))
	})
}

func (ck *checker) identity(id Identity) {
	if len(id.Headers) == 0 {
		ck.oneOf("identity.preset", "identity", "identity", id.Preset, "remote", "x_forwarded", "x_auth_request", "none")
		return
	}
	if id.Preset != "" {
		ck.fault("identity.preset", "identity is a preset or a map of headers, not both")
	}
	if len(id.Headers) > maxHeaders {
		ck.fault("identity.headers", "more than %d headers", maxHeaders)
		return
	}
	seen := once{}
	for i, h := range id.Headers {
		at := index("identity.headers", i)
		if ck.ascii(at+".claim", "claim", h.Claim, maxName) && strings.HasPrefix(h.Claim, "{") {
			ck.fault(at+".claim", "claim %q is a placeholder: write the name of a claim, such as sub", h.Claim)
		}
		if !ck.ascii(at+".name", "header", h.Name, maxName) {
			continue
		}
		folded := foldHeader(h.Name)
		switch {
		case !isToken(h.Name):
			ck.fault(at+".name", "header %q is not a field name (RFC 9110 §5.1)", h.Name)
		case reservedHeader(folded):
			ck.fault(at+".name", "header %q has a meaning of its own and cannot carry identity", h.Name)
		case seen.again(folded):
			ck.fault(at+".name", "header %q is given twice (only letters and digits count, in any case)", h.Name)
		}
	}
}

// foldHeader maps the spellings of a field name that some upstream may take for
// one another to one: case does not count, and whatever is neither letter nor
// digit is a hyphen, as the guard's stripping has it.
func foldHeader(name string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(name))
}

// isToken reports whether s is a token (RFC 9110 §5.6.2).
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

// reservedHeader names the fields that frame a message, carry credentials or tell
// where a request came from: setting them by a claim would let an account rewrite
// the request.
func reservedHeader(folded string) bool {
	switch folded {
	case "host", "connection", "content-length", "transfer-encoding", "trailer", "te", "upgrade", "keep-alive",
		"authorization", "cookie",
		"forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto":
		return true
	}
	return strings.HasPrefix(folded, "proxy-")
}
