package gatehouse

import (
	"log/slog"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/wire/oauth"
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
	for _, name := range e.Realms {
		for i := range c.Realms {
			if in := &c.Realms[i]; in.Name == name {
				out = append(out, oauthRealm(in))
			}
		}
	}
	return out
}

func oauthRealm(in *config.Realm) oauth.Realm {
	r := oauth.Realm{
		Name: in.Name, ID: realmID(in), Issuer: in.Issuer, SigningAlg: in.SigningAlg,
		Grants: []string{authority.GrantClientCredentials},
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
