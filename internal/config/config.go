package config

// Config is the app `gatehouse`: one store, one cache, and the realms.
type Config struct {
	// Where state is kept. Default: SQLite in gatehouse.db in Caddy's data directory.
	Store Store `json:"store,omitzero"`
	// The verdict cache in front of every guard.
	Cache Cache `json:"cache,omitzero"`
	// The garbage collector leaves a heap below this size alone: a size, or off.
	// GOGC and GOMEMLIMIT of the environment win. Default: 128MiB in the project's own
	// binary, off in others.
	GCFloor string `json:"gc_floor,omitempty"`
	// The realms. The first one is the default realm. At least one is required.
	Realms []Realm `json:"realms,omitempty"`
	// Issuers that are not ours, whose tokens a guard may accept.
	Trusts []Trust `json:"trusts,omitempty"`
}

// Store says where state is kept.
type Store struct {
	// An SQLite file, used by one process at a time. Default: gatehouse.db in
	// Caddy's data directory.
	SQLite string `json:"sqlite,omitempty"`
}

// Cache bounds the verdict cache.
type Cache struct {
	// Memory the cached verdicts may take. Default: 64MiB.
	MaxSize Size `json:"max_size,omitempty"`
	// Longest life of a verdict; it never outlives its token's own expiry. Default: 30s.
	MaxTTL Duration `json:"max_ttl,omitempty"`
	// Life of the verdict "not active". Default: 2s.
	NegativeTTL Duration `json:"negative_ttl,omitempty"`
}

// Realm is a tenant: its issuer address, keys, clients, users and lifetimes.
type Realm struct {
	// Name of the realm, unique among realms. Required.
	Name string `json:"name"`
	// UUID of the realm. Default: UUIDv5 of the name.
	ID string `json:"id,omitempty"`
	// Public base address of the realm's endpoints, the `iss` of its tokens.
	// http is accepted only for loopback hosts. Required.
	Issuer string `json:"issuer"`
	// Signature algorithm of access tokens: ES256, RS256 or EdDSA. Default: ES256.
	SigningAlg string `json:"signing_alg,omitempty"`
	// Form and lifetime of access tokens. Default: jwt 5m.
	AccessToken AccessToken `json:"access_token,omitzero"`
	// Life of a refresh token after its last use. Default: 30d grace 10s.
	RefreshToken RefreshToken `json:"refresh_token,omitzero"`
	// Ends of a login. Default: absolute 30d.
	Session Session `json:"session,omitzero"`
	// Longest life of a personal token. Default: 365d.
	PersonalToken Duration `json:"personal_token,omitempty"`
	// Who gets an account at his first login through a provider. Default: closed.
	SignUp SignUp `json:"sign_up,omitzero"`
	// Upstream logins.
	Providers []Provider `json:"providers,omitempty"`
	// OAuth clients.
	Clients []Client `json:"clients,omitempty"`
	// Local users.
	Users []User `json:"users,omitempty"`
	// Protected resources and the clients they introspect as.
	Resources []Resource `json:"resources,omitempty"`
}

// AccessToken is the form and lifetime of access tokens.
type AccessToken struct {
	// jwt (RFC 9068) or opaque. Default: jwt.
	Format string `json:"format,omitempty"`
	// Default: 5m.
	Lifetime Duration `json:"lifetime,omitempty"`
}

// RefreshToken is the life of refresh tokens.
type RefreshToken struct {
	// Life after the last use. Default: 30d.
	Lifetime Duration `json:"lifetime,omitempty"`
	// While a repeated use gets the same successor. Default: 10s.
	Grace Duration `json:"grace,omitempty"`
}

// Session bounds a login.
type Session struct {
	// Absolute end of every login. Default: 30d.
	Absolute Duration `json:"absolute,omitempty"`
}

// Client is an OAuth client (RFC 6749 §2).
type Client struct {
	// The client identifier (RFC 6749 §2.2). Required.
	ID string `json:"id"`
	// Secrets, at least 16 characters each; two while one is being replaced.
	// Placeholders {env.*} and {file.*} are expanded once at load.
	Secrets []string `json:"secrets,omitempty"`
	// Digests of generated secrets, `sha256:<hex>` each. With neither secrets nor
	// hashes the client is public.
	SecretHashes []string `json:"secret_hashes,omitempty"`
	// Grants it may use: client_credentials, refresh_token, password. Default: none.
	Grants []string `json:"grants,omitempty"`
	// Scopes it may ask for; asking for none gives all. Default: none.
	Scopes []string `json:"scopes,omitempty"`
	// Resources it may ask for (RFC 8707), absolute URIs. Default: none.
	Audience []string `json:"audience,omitempty"`
	// Roles of the client's own tokens. Default: none.
	Roles []string `json:"roles,omitempty"`
	// What it may introspect: own (tokens it got or that are for it) or any (all
	// of this realm). Default: own.
	Introspect string `json:"introspect,omitempty"`
	// Refuses the client and everything it was given. Default: false.
	Disabled bool `json:"disabled,omitempty"`
}

// Public reports whether the client has no credential (RFC 6749 §2.1).
func (c *Client) Public() bool { return len(c.Secrets) == 0 && len(c.SecretHashes) == 0 }

// User is a local user of a realm.
type User struct {
	// The login name, unique in its realm. Required.
	Username string `json:"username"`
	// As printed by `caddy hash-password` (argon2id or bcrypt). Required.
	PasswordHash string `json:"password_hash"`
	// Base32 secret of the second factor (RFC 6238). Default: none.
	TOTPSecret string `json:"totp_secret,omitempty"`
	// E-mail address. Default: none.
	Email string `json:"email,omitempty"`
	// Whether the operator vouches for the address. Default: false.
	EmailVerified bool `json:"email_verified,omitempty"`
	// Display name. Default: none.
	Name string `json:"name,omitempty"`
	// Roles. Default: none.
	Roles []string `json:"roles,omitempty"`
	// Refuses the user on every path. Default: false.
	Disabled bool `json:"disabled,omitempty"`
}

// Resource is a protected resource (RFC 9728) of a realm.
type Resource struct {
	// The resource's identifier, an absolute URI. Required.
	URL string `json:"url"`
	// The client it introspects as. Default: none.
	Client string `json:"client,omitempty"`
	// Scopes its metadata names. Default: none.
	Scopes []string `json:"scopes,omitempty"`
}

// Endpoints is the handler `gatehouse`: which realms it serves, and in which dialects.
type Endpoints struct {
	// Realms served. The first one stands at the root of the site, further ones
	// under /realms/<name>/. Default: the default realm.
	Realms []string `json:"realms,omitempty"`
	// Dialects served; one whose block is there is served too. Default: oauth.
	Dialects []string `json:"dialects,omitempty"`
	// The dialect keycloak; the block mounts it. Default: none.
	Keycloak *Keycloak `json:"keycloak,omitempty"`
	// The dialect gmi; the block mounts it. Default: none.
	GMI *GMI `json:"gmi,omitempty"`
	// The dialect pakt; the block mounts it. Default: none.
	Pakt *Pakt `json:"pakt,omitempty"`
}

// Keycloak is what the dialect keycloak lets an operator choose.
type Keycloak struct {
	// Introspection answers JSON booleans instead of the strings "true" and "false".
	// Default: false.
	Booleans bool `json:"booleans,omitempty"`
	// Introspection asks for no client authentication; callers without one are limited
	// per address. Default: false.
	AnonymousIntrospection bool `json:"anonymous_introspection,omitempty"`
	// The client that user logins are for. The first realm served must have it, and it
	// needs the grant password. Default: the built-in public client gatehouse.
	DefaultClient string `json:"default_client,omitempty"`
}

// Guard is the rule of one route: the handler `gatehouse_guard`.
type Guard struct {
	// Realms and trusts whose tokens are accepted; at most one of the trusts asks by
	// introspection. Default: the default realm.
	Accept []string `json:"accept,omitempty"`
	// Audiences of which a token must carry one. Default: the issuer of the token's
	// realm; a token of a trust was judged by the audience of its trust.
	Audience []string `json:"audience,omitempty"`
	// Scopes a token must carry, all of them. Default: none.
	Scopes []string `json:"scopes,omitempty"`
	// Roles of which the caller must have one. Default: none.
	Roles []string `json:"roles,omitempty"`
	// An expression of CEL over principal and request that must be true. Default: none.
	Policy string `json:"policy,omitempty"`
	// What a caller without a credential meets: auto or never. Until login pages
	// exist both answer 401. Default: auto.
	Login string `json:"login,omitempty"`
	// Identity headers the upstream gets. Default: the preset remote.
	Identity Identity `json:"identity,omitzero"`
	// Whether the upstream sees the bearer token: strip or keep. Default: strip.
	Credential string `json:"credential,omitempty"`
	// Callers without a credential pass, stripped; a bad one is still 401. Default: false.
	Optional bool `json:"optional,omitempty"`
	// Targets that some upstream may read as another path pass: the rule then no longer
	// holds for what the upstream sees. Default: false, they get 400.
	LenientPaths bool `json:"lenient_paths,omitempty"`
}

// Identity says which headers tell the upstream who calls.
type Identity struct {
	// remote, x_forwarded, x_auth_request or none. Default: remote, unless Headers are given.
	Preset string `json:"preset,omitempty"`
	// A map of our own instead of a preset.
	Headers []IdentityHeader `json:"headers,omitempty"`
}

// IdentityHeader is one header and the claim it carries.
type IdentityHeader struct {
	// Header field name. Required.
	Name string `json:"name"`
	// Claim name. Required.
	Claim string `json:"claim"`
}
