package gatehouse

import (
	"log/slog"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/wire/gmi"
	"github.com/gatehouse-auth/gatehouse/internal/wire/golem"
	"github.com/gatehouse-auth/gatehouse/internal/wire/keycloak"
	"github.com/gatehouse-auth/gatehouse/internal/wire/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/wire/pakt"
)

// Caller is who sent a request, as the door knows it.
type Caller = authority.Caller

// Registry is where the counters become visible.
type Registry = audit.Registry

// dialect is one wire form of the verbs.
type dialect interface {
	// Serves reports whether the request is the dialect's to answer.
	Serves(r *http.Request) bool
	// ServeHTTP answers a request that it serves.
	ServeHTTP(w http.ResponseWriter, r *http.Request)
}

// Site is the dialects that one endpoint handler serves.
type Site struct {
	dialects []dialect
}

// newSite is the one mount list: every dialect there is, by its word.
func newSite(c *config.Config, e config.Endpoints, auth *authority.Authority, logger *slog.Logger) (*Site, error) {
	mounts := map[string]func() (dialect, error){
		"oauth": func() (dialect, error) { return oauth.New(auth, oauthRealms(c, e), logger) },
		"keycloak": func() (dialect, error) {
			realms, options := keycloakRealms(c, e)
			return keycloak.New(auth, realms, options, logger)
		},
		"gmi": func() (dialect, error) {
			r := served(c, e)[0] // a dialect without a realm parameter serves the first
			return gmi.New(auth, gmi.Realm{Name: r.Name, Providers: providerNames(r)}, gmiOptions(e), logger)
		},
		"pakt": func() (dialect, error) {
			r := served(c, e)[0]
			return pakt.New(auth, paktRealm(r), paktOptions(r, e), logger)
		},
		"golem": func() (dialect, error) {
			r := served(c, e)[0]
			return golem.New(auth, golem.Realm{Name: r.Name, Providers: providerNames(r)}, logger)
		},
	}
	s := new(Site)
	for _, name := range e.Dialects {
		d, err := mounts[name]()
		if err != nil {
			return nil, err
		}
		s.dialects = append(s.dialects, d)
	}
	return s, nil
}

// ServeHTTP answers the request if a dialect serves it, and says whether it did.
// caller is asked for only then.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request, caller func() Caller) bool {
	for _, d := range s.dialects {
		if d.Serves(r) {
			d.ServeHTTP(w, r.WithContext(authority.WithCaller(r.Context(), caller())))
			return true
		}
	}
	return false
}

// oauthRealms describes the handler's realms to the oauth dialect; the first one
// stands at the root of the site.
func oauthRealms(c *config.Config, e config.Endpoints) []oauth.Realm {
	var out []oauth.Realm
	for _, in := range served(c, e) {
		out = append(out, oauthRealm(in))
	}
	return out
}

// served are the realms of the handler, in its order.
func served(c *config.Config, e config.Endpoints) []*config.Realm {
	var out []*config.Realm
	for _, name := range e.Realms {
		for i := range c.Realms {
			if in := &c.Realms[i]; in.Name == name {
				out = append(out, in)
			}
		}
	}
	return out
}

// keycloakRealms describes the handler's realms to the keycloak dialect, and what
// the operator chose for it. A realm that does not have the client of user logins
// keeps its built-in one.
func keycloakRealms(c *config.Config, e config.Endpoints) ([]keycloak.Realm, keycloak.Options) {
	chosen := e.Keycloak
	if chosen == nil {
		chosen = new(config.Keycloak)
	}
	var realms []keycloak.Realm
	for _, in := range served(c, e) {
		r := keycloak.Realm{Name: in.Name, ID: realmID(in), RefreshLife: in.RefreshToken.Lifetime.D()}
		for i := range in.Clients {
			if in.Clients[i].ID == chosen.DefaultClient {
				r.LoginClient = chosen.DefaultClient
			}
		}
		realms = append(realms, r)
	}
	return realms, keycloak.Options{Booleans: chosen.Booleans, Anonymous: chosen.AnonymousIntrospection}
}

func oauthRealm(in *config.Realm) oauth.Realm {
	grants, public := grantsOf(in)
	r := oauth.Realm{
		Name: in.Name, ID: realmID(in), Issuer: in.Issuer, SigningAlg: in.SigningAlg,
		Grants: grants, PublicClients: public,
	}
	seen := map[string]bool{}
	for i := range in.Clients {
		if in.Clients[i].Disabled {
			continue
		}
		for _, s := range in.Clients[i].Scopes {
			if !seen[s] {
				seen[s] = true
				r.Scopes = append(r.Scopes, s)
			}
		}
	}
	for _, res := range in.Resources {
		r.Resources = append(r.Resources, oauth.Resource{URL: res.URL, Scopes: res.Scopes})
	}
	return r
}
