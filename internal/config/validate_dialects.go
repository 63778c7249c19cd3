package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// maxTenantKeys bounds the keys of the dialect pakt: one for each of its front ends,
// and another while one is being replaced.
const maxTenantKeys = 16

func (ck *checker) pakt(p *Pakt) {
	if p == nil {
		return
	}
	ck.address("pakt.redirect_uri", "redirect_uri", p.RedirectURI, true)
	if len(p.TenantKeys) > maxTenantKeys {
		ck.fault("pakt.tenant_keys", "more than %d tenant keys", maxTenantKeys)
	} else {
		for i, key := range p.TenantKeys {
			ck.proof(index("pakt.tenant_keys", i), fmt.Sprintf("tenant_key %d", i+1), key, p.TenantKeys[:i])
		}
	}
	ck.list("pakt.cors_origins", "origin", p.CORSOrigins, maxList, ck.origin)
}

// origin judges an origin as browsers write it (RFC 6454 §6.2), for it is compared
// with what they send by exact string.
func (ck *checker) origin(at, s string) {
	if strings.Contains(s, "*") {
		ck.fault(at, "origin %q: who calls with credentials is named one by one, without *", s)
		return
	}
	if !ck.ascii(at, "origin", s, maxURL) {
		return
	}
	if wrong := addressFault(s, false); wrong != "" {
		ck.fault(at, "origin %q %s", shown(s), wrong)
		return
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || s != u.Scheme+"://"+u.Host:
		ck.fault(at, "origin %q must be scheme://host or scheme://host:port and nothing after it, not even a slash", s)
	case u.Scheme == "https" && u.Port() == "443", u.Scheme == "http" && u.Port() == "80":
		ck.fault(at, "origin %q has the default port of its scheme, which browsers leave out", s)
	}
}

// answerable refuses a dialect that could not log anybody in, and so never answer
// anything but an error. These dialects have no realm parameter: they serve the first
// realm. full is said with its defaults filled in.
func (ck *checker) answerable(full, said *Endpoints, c *Config) {
	if len(full.Realms) == 0 {
		return
	}
	n := slices.IndexFunc(c.Realms, func(r Realm) bool { return r.Name == full.Realms[0] })
	if n < 0 {
		return // reported with the realms
	}
	r := &c.Realms[n]
	at := func(dialect string) string {
		if i := slices.Index(said.Dialects, dialect); i >= 0 {
			return index("dialects", i)
		}
		return dialect
	}
	serves := func(dialect string) bool { return slices.Contains(full.Dialects, dialect) }
	for _, dialect := range []string{"gmi", "pakt", "golem"} {
		switch {
		case !serves(dialect) || len(r.Providers) > 0:
		case dialect == "gmi" && len(r.Users) == 0:
			ck.fault(at(dialect), "dialect gmi has nobody to log in: add a provider or a user to realm %q", r.Name)
		case dialect != "gmi":
			ck.fault(at(dialect), "dialect %s logs in by a provider: add one to realm %q", dialect, r.Name)
		}
	}
	if serves("pakt") && said.Pakt == nil {
		ck.fault(at("pakt"), "dialect pakt needs a block of that name, with its redirect_uri")
	}
}
