package config

// Trust is an issuer that is not ours, whose tokens a guard may accept.
type Trust struct {
	// Name of the trust, unique among trusts and realms. Required.
	Name string `json:"name"`
	// The issuer, exactly as its tokens carry it in `iss` and its metadata says it
	// (RFC 8414 §2). http is accepted only for loopback hosts. Required.
	Issuer string `json:"issuer"`
	// Audiences of which a token must carry one, or the single word any. Required.
	Audience []string `json:"audience"`
	// Values of the header typ that a token may have; case and the prefix application/
	// do not count (RFC 7515 §4.1.9). Default: at+jwt and JWT.
	Types []string `json:"typ,omitempty"`
	// How its tokens are verified. Default: by its key set, found by discovery.
	Verify Verify `json:"verify,omitzero"`
}

// Verify is how the tokens of a trust are verified.
type Verify struct {
	// jwks (signatures, by the issuer's key set) or introspection (RFC 7662: the issuer
	// is asked). Default: jwks.
	Method string `json:"method,omitempty"`
	// Address of the key set or of the introspection endpoint. Default: as the issuer's
	// metadata says (OpenID Connect Discovery, RFC 8414).
	URL string `json:"url,omitempty"`
	// introspection: the client that Gatehouse is at the issuer. Placeholders {env.*} and
	// {file.*} are expanded once at load. Required.
	ClientID string `json:"client_id,omitempty"`
	// introspection: the secret of that client. Placeholders {env.*} and {file.*} are
	// expanded once at load. Required.
	ClientSecret string `json:"client_secret,omitempty"`
}

// AnyAudience reports whether the trust vouches for tokens of every audience.
func (t *Trust) AnyAudience() bool { return len(t.Audience) == 1 && t.Audience[0] == anyAudience }

// anyAudience is the single word that stands for every audience.
const anyAudience = "any"

// The methods by which tokens of a trust are verified.
const (
	verifyJWKS          = "jwks"
	verifyIntrospection = "introspection"
)
