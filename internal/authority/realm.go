package authority

import (
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// Realm is a tenant as the configuration declares it. It is never changed once
// an Authority was made with it.
type Realm struct {
	ID           string // UUID
	Name         string
	Issuer       string        // `iss`; also the audience of tokens asked for without a resource
	SigningAlg   string        // ES256, RS256 or EdDSA
	Opaque       bool          // access tokens are opaque instead of JWTs
	AccessLife   time.Duration // of access tokens
	RefreshLife  time.Duration // of refresh tokens, after their last use
	RefreshGrace time.Duration // while a repeated use gets the same successor
	SessionLife  time.Duration // absolute end of every login
	PersonalLife time.Duration // longest life of personal tokens
	SignUp       SignUp
	Clients      []Client
	Users        []User
	Resources    []Resource
	Upstreams    []Upstream

	clients   map[string]*Client   // by id, the built-in one among them
	users     map[string]*User     // by username
	accounts  map[string]*User     // by UUID
	emails    map[string]*User     // by folded address
	upstreams map[string]*Upstream // by name
}

// Upstream is one of the realm's providers by its name.
type Upstream struct {
	Name string
	Provider
	// LinkVerified lets an address that the provider marks verified lead to the account
	// that has it. The operator's word; without it no address ever does.
	LinkVerified bool
}

// index makes the realm's tables and adds the built-in client.
func (r *Realm) index() {
	r.clients = make(map[string]*Client, len(r.Clients)+1)
	for i := range r.Clients {
		r.clients[r.Clients[i].ID] = &r.Clients[i]
	}
	r.clients[FirstParty] = &Client{ID: FirstParty, Grants: []string{GrantRefreshToken}, Scopes: firstPartyScopes.Slice()}
	r.users = make(map[string]*User, len(r.Users))
	r.accounts = make(map[string]*User, len(r.Users))
	r.emails = make(map[string]*User, len(r.Users))
	for i := range r.Users {
		u := &r.Users[i]
		r.users[u.Username], r.accounts[u.Subject] = u, u
		if u.Email != "" {
			r.emails[foldEmail(u.Email)] = u
		}
	}
	r.upstreams = make(map[string]*Upstream, len(r.Upstreams))
	for i := range r.Upstreams {
		r.upstreams[r.Upstreams[i].Name] = &r.Upstreams[i]
	}
}

// decoy is the password hash whose cost the login of an unknown name has: that of
// one of the realm's users, always the same one for a name, and which one cannot be
// foreseen. So a name that costs like a bcrypt hash need not be anybody's.
func (r *Realm) decoy(salt, username string) string {
	if len(r.Users) == 0 {
		return ""
	}
	d := secret.DigestOf(salt + "\x00" + r.ID + "\x00" + username)
	return r.Users[binary.BigEndian.Uint64(d[:])%uint64(len(r.Users))].PasswordHash
}

// origin is what a login by this upstream leaves behind: its name and its issuer.
func (u *Upstream) origin() List { return ListOf(u.Name, u.Issuer()) }

// providerOf is the provider's name in an origin.
func providerOf(origin List) string {
	for name := range origin.All() {
		return name
	}
	return ""
}

// trusts reports whether the upstream that something began with is still one of the
// realm's, and the same one. What began with a password needs none.
func (r *Realm) trusts(origin List) bool {
	if origin == "" {
		return true
	}
	up := r.upstreams[providerOf(origin)]
	return up != nil && up.origin() == origin
}

// Client is an OAuth client (RFC 6749 §2) as the configuration declares it.
type Client struct {
	ID            string
	Subject       string // `sub` of its own tokens
	Secrets       []secret.Digest
	Grants        []string
	Scopes        []string
	Audience      []string
	Roles         List
	IntrospectAny bool
	Disabled      bool
}

// Resource is a protected resource and the client it introspects as.
type Resource struct {
	URL    string
	Client string
}

// Public reports whether the client has no credential (RFC 6749 §2.1).
func (c *Client) Public() bool { return len(c.Secrets) == 0 }

func (c *Client) may(grant string) bool { return slices.Contains(c.Grants, grant) }

// narrowed returns those of the list's texts that are still allowed.
func narrowed(l List, allowed func(string) bool) List {
	kept := slices.DeleteFunc(l.Slice(), func(s string) bool { return !allowed(s) })
	return ListOf(kept...)
}

// live takes away what the client may no longer have, so that a narrowed
// configuration narrows the tokens that are out already.
func (r *Realm) live(c *Client, scopes, audience List) (List, List) {
	return narrowed(scopes, func(s string) bool { return slices.Contains(c.Scopes, s) }),
		narrowed(audience, func(s string) bool { return s == r.Issuer || slices.Contains(c.Audience, s) })
}

// knows reports whether the client may be told about a token with these facts:
// its own, one that is for it, or any of the realm where the operator says so.
func (r *Realm) knows(c *Client, p *Principal) bool {
	if c.IntrospectAny || p.Client == c.ID || p.Audience.Has(c.ID) {
		return true
	}
	return slices.ContainsFunc(r.Resources, func(res Resource) bool {
		return res.Client == c.ID && p.Audience.Has(res.URL)
	})
}

// issuerOf is the issuer in an origin.
func issuerOf(origin List) string {
	_, issuer, _ := strings.Cut(strings.TrimSuffix(string(origin), "\x00"), "\x00")
	return issuer
}
