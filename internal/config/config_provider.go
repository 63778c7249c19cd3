package config

// SignUp says who gets an account at his first login through a provider. An account
// that an operator adds or links needs no leave of it.
type SignUp struct {
	// closed (nobody), open (everybody) or allow (whom Allow names). Default: closed.
	Policy string `json:"policy"`
	// With the policy allow: an e-mail address, @ and a domain, or the name of a
	// provider, a colon and a subject. Addresses and domains count only where the
	// provider marks the address verified, in any case; a domain only as a whole.
	Allow []string `json:"allow,omitempty"`
}

// Provider is an upstream login of a realm. A word that its type does not have is
// a fault.
type Provider struct {
	// Name of the provider, unique in its realm. Identities are kept under it, so
	// another name makes strangers of everybody who came by the old one. Default: the
	// type; an oidc provider must say one.
	Name string `json:"name,omitempty"`
	// github, google, hugging_face or oidc. Required.
	Type string `json:"type"`
	// The client id of Gatehouse at the upstream. Required.
	ClientID string `json:"client_id"`
	// The client secret of Gatehouse at the upstream. Placeholders {env.*} and
	// {file.*} are expanded once at load. Required.
	ClientSecret string `json:"client_secret"`
	// google, hugging_face, oidc: the issuer (OpenID Connect Discovery). Default:
	// https://accounts.google.com or https://huggingface.co; oidc must say one.
	Issuer string `json:"issuer,omitempty"`
	// github: address of its pages, another one for GitHub Enterprise. Default:
	// https://github.com.
	WebURL string `json:"web_url,omitempty"`
	// github: address of its API. Default: https://api.github.com, or WebURL and
	// /api/v3, as GitHub Enterprise Server has it.
	APIURL string `json:"api_url,omitempty"`
	// google: where an access token is asked whose it is. Default:
	// https://oauth2.googleapis.com/tokeninfo; another issuer must say one.
	TokeninfoURL string `json:"tokeninfo_url,omitempty"`
	// oidc: scopes asked for. Default: openid email profile.
	Scopes []string `json:"scopes,omitempty"`
	// hugging_face: accept a stranger's access token on the word of an answer that
	// Hugging Face does not document. Default: false.
	AcceptUndocumentedTokenCheck bool `json:"accept_undocumented_token_check,omitempty"`
	// verified_email: a first login opens the account that has the same e-mail address,
	// if this provider marks it verified. Default: never.
	Link string `json:"link,omitempty"`
}

// GMI is what the dialect gmi lets an operator choose.
type GMI struct {
	// The redirect URI of codes that come without one. Default: none.
	RedirectURI string `json:"redirect_uri,omitempty"`
}

// Pakt is what the dialect pakt lets an operator choose.
type Pakt struct {
	// Where the upstream sends the browser back to; it must be registered there. Required.
	RedirectURI string `json:"redirect_uri"`
	// A login must end in the browser that began it, which proves so by a cookie.
	// Default: false, a browser that brings nothing may end it.
	StrictState bool `json:"strict_state,omitempty"`
	// Keys of which a caller must show one, at least 16 characters each. Placeholders
	// {env.*} and {file.*} are expanded once at load. Default: none is asked for.
	TenantKeys []string `json:"tenant_keys,omitempty"`
	// Origins whose pages may call with credentials. Default: none.
	CORSOrigins []string `json:"cors_origins,omitempty"`
}
