package gatehouse

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// realmNamespace is the space of the UUIDs made of realm names. It never changes:
// tokens and rows of running systems hang on it.
const realmNamespace = "https://gatehouse-auth.github.io/realm"

// Check reports what can be said of a complete and valid configuration without
// opening anything: whether its hashes and secrets can be used.
func Check(c *config.Config) error {
	_, err := realmsOf(c, outbound())
	return err
}

// realmsOf turns the configuration's realms into the domain's. Secrets become
// digests here and are not kept, but for what the providers show their upstreams.
// client makes their calls.
func realmsOf(c *config.Config, client *http.Client) ([]authority.Realm, error) {
	realms := make([]authority.Realm, 0, len(c.Realms))
	for i := range c.Realms {
		in := &c.Realms[i]
		r := authority.Realm{
			ID: realmID(in), Name: in.Name, Issuer: in.Issuer, SigningAlg: in.SigningAlg,
			Opaque: in.AccessToken.Format == "opaque", AccessLife: in.AccessToken.Lifetime.D(),
			RefreshLife: in.RefreshLifetime().D(), RefreshGrace: in.RefreshToken.Grace.D(), SessionLife: in.Session.Absolute.D(),
			PersonalLife: in.PersonalToken.D(), SignUp: authority.SignUp{Open: in.SignUp.Policy == "open", Allow: in.SignUp.Allow},
		}
		for j := range in.Providers {
			up, err := upstreamOf(&in.Providers[j], client)
			if err != nil {
				return nil, fmt.Errorf("realm %s: provider %s: %w", in.Name, in.Providers[j].Name, err)
			}
			r.Upstreams = append(r.Upstreams, up)
		}
		for j := range in.Users {
			user, err := userOf(r.ID, &in.Users[j])
			if err != nil {
				return nil, fmt.Errorf("realm %s: user %s: %w", in.Name, in.Users[j].Username, err)
			}
			r.Users = append(r.Users, user)
		}
		for j := range in.Clients {
			client, err := clientOf(r.ID, &in.Clients[j])
			if err != nil {
				return nil, err
			}
			r.Clients = append(r.Clients, client)
		}
		for _, res := range in.Resources {
			r.Resources = append(r.Resources, authority.Resource{URL: res.URL, Client: res.Client})
		}
		realms = append(realms, r)
	}
	return realms, nil
}

// longestGrace is the time in which a sealed successor may be asked for again.
func longestGrace(realms []authority.Realm) (longest time.Duration) {
	for i := range realms {
		longest = max(longest, realms[i].RefreshGrace)
	}
	return longest
}

// realmID is the realm's UUID: the declared one, else one made of its name.
func realmID(in *config.Realm) string {
	if in.ID != "" {
		return in.ID
	}
	return secret.NamedUUID(realmNamespace, in.Name)
}

// userOf judges what config cannot: the parameters of the hash, before a login pays
// for them.
func userOf(realm string, in *config.User) (authority.User, error) {
	if err := secret.ParsePasswordHash(in.PasswordHash); err != nil {
		return authority.User{}, err
	}
	if in.TOTPSecret != "" {
		if err := secret.CheckTOTPSecret(in.TOTPSecret); err != nil {
			return authority.User{}, err
		}
	}
	return authority.User{
		Username: in.Username, Subject: secret.NamedUUID(realm, "user:"+in.Username), PasswordHash: in.PasswordHash,
		TOTPSecret: in.TOTPSecret, Email: in.Email, EmailVerified: in.EmailVerified, Name: in.Name,
		Roles: authority.ListOf(in.Roles...), Disabled: in.Disabled,
	}, nil
}

// grantsOf is every grant type that some client of the realm may use at the token
// endpoint, and whether a client without a secret may use one there.
func grantsOf(in *config.Realm) (grants []string, public bool) {
	has := map[string]bool{}
	for i := range in.Clients {
		c := &in.Clients[i]
		for _, g := range c.Grants {
			if !c.Disabled && g != authority.GrantPassword {
				has[g] = true
				public = public || c.Public()
			}
		}
	}
	if len(in.Users) > 0 || len(in.Providers) > 0 { // the built-in public client refreshes their logins
		has[authority.GrantRefreshToken], public = true, true
	}
	return slices.Sorted(maps.Keys(has)), public
}

func clientOf(realm string, in *config.Client) (authority.Client, error) {
	c := authority.Client{
		ID: in.ID, Subject: secret.NamedUUID(realm, "client:"+in.ID),
		Grants: in.Grants, Scopes: in.Scopes, Audience: in.Audience, Roles: authority.ListOf(in.Roles...),
		IntrospectAny: in.Introspect == "any", Disabled: in.Disabled,
	}
	for _, s := range in.Secrets {
		c.Secrets = append(c.Secrets, secret.DigestOf(s))
	}
	for _, h := range in.SecretHashes {
		d, err := secret.ParseSecretHash(h)
		if err != nil {
			return authority.Client{}, err
		}
		c.Secrets = append(c.Secrets, d)
	}
	return c, nil
}
