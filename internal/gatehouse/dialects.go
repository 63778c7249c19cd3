package gatehouse

import (
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/wire/gmi"
	"github.com/gatehouse-auth/gatehouse/internal/wire/pakt"
)

// providerNames are the names of the realm's upstream logins, in its order.
func providerNames(r *config.Realm) []string {
	names := make([]string, len(r.Providers))
	for i := range r.Providers {
		names[i] = r.Providers[i].Name
	}
	return names
}

func gmiOptions(e config.Endpoints) gmi.Options {
	if e.GMI == nil {
		return gmi.Options{}
	}
	return gmi.Options{RedirectURI: e.GMI.RedirectURI}
}

func paktRealm(r *config.Realm) pakt.Realm {
	out := pakt.Realm{Name: r.Name, Issuer: r.Issuer}
	for i := range r.Providers {
		out.Providers = append(out.Providers, pakt.Provider{Name: r.Providers[i].Name, Type: r.Providers[i].Type})
	}
	return out
}

// paktOptions is what the operator chose for the dialect pakt; its block is always
// there, since redirect_uri is required. Of the tenant keys only digests are kept.
func paktOptions(r *config.Realm, e config.Endpoints) pakt.Options {
	o := pakt.Options{
		RedirectURI: e.Pakt.RedirectURI, StrictState: e.Pakt.StrictState, CORSOrigins: slices.Clone(e.Pakt.CORSOrigins),
		Secure: strings.HasPrefix(r.Issuer, "https:"),
	}
	if len(e.Pakt.TenantKeys) > 0 {
		keys := make([]secret.Digest, len(e.Pakt.TenantKeys))
		for i, key := range e.Pakt.TenantKeys {
			keys[i] = secret.DigestOf(key)
		}
		o.TenantKey = func(key string) bool { return secret.DigestOf(key).AnyEqual(keys) }
	}
	return o
}
