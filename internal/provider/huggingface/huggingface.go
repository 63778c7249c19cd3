package huggingface

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/provider"
	"github.com/gatehouse-auth/gatehouse/internal/provider/oidc"
)

// DefaultIssuer is where Hugging Face stands.
const DefaultIssuer = "https://huggingface.co"

// tokenPrefix is what OAuth access tokens begin with, and no other sort of token.
const tokenPrefix = "hf_oauth_"

// Options make a Provider.
type Options struct {
	Name         string // in the configuration, for the log
	ClientID     string
	ClientSecret string
	Issuer       string // empty: DefaultIssuer
	// AcceptUndocumentedTokenCheck lets bare access tokens be proven by their form.
	AcceptUndocumentedTokenCheck bool
	HTTP                         *http.Client    // only its Transport is used; required
	Deadline                     time.Duration   // of one call; zero: provider.DefaultDeadline
	Now                          authority.Clock // nil: the system's
}

// Provider is Hugging Face. Any number of goroutines may use it.
type Provider struct {
	*oidc.Provider

	client string // our client id
	proves bool
}

var _ authority.Provider = (*Provider)(nil)

// New makes a Provider. It calls nobody. The error names every option that is wrong.
func New(o Options) (*Provider, error) {
	base, err := oidc.New(oidc.Options{
		Name: o.Name, ClientID: o.ClientID, ClientSecret: o.ClientSecret, Issuer: cmp.Or(o.Issuer, DefaultIssuer),
		Scopes: []string{"openid", "email", "profile"}, HTTP: o.HTTP, Deadline: o.Deadline, Now: o.Now,
	})
	if err != nil {
		return nil, err
	}
	return &Provider{Provider: base, client: o.ClientID, proves: o.AcceptUndocumentedTokenCheck}, nil
}

// Prove says whose a bare token is, if the undocumented check is accepted and shows that
// it was issued to our client.
func (p *Provider) Prove(ctx context.Context, accessToken string) (authority.Profile, error) {
	if !p.proves {
		return authority.Profile{}, p.invalid(errors.New("bare tokens of this provider cannot be proven (accept_undocumented_token_check is not set)"))
	}
	body, ours := strings.CutPrefix(accessToken, tokenPrefix)
	if !ours || !provider.CheckToken(accessToken) {
		return authority.Profile{}, p.invalid(errors.New("not an OAuth access token of this provider"))
	}
	claims, err := p.claims(ctx, body)
	if err != nil {
		return authority.Profile{}, err
	}
	if err := judge(claims, p.client, p.Now()); err != nil {
		return authority.Profile{}, p.invalid(err)
	}
	// Only with this answer is an unverified payload authentic, and the token alive.
	user, err := p.UserInfo(ctx, provider.OpProve, accessToken)
	if err != nil {
		return authority.Profile{}, err
	}
	if !oidc.SameSubject(claims, user) {
		return authority.Profile{}, p.invalid(errors.New("the token and userinfo are about different people"))
	}
	profile, err := oidc.ProfileOf(user)
	if err != nil {
		return authority.Profile{}, p.Client().Failed(provider.OpProve, err)
	}
	return profile, nil
}

// claims returns the payload: verified if the key set has the key that it names, else as
// it stands. A signature that is wrong by a key of the set is never overlooked.
func (p *Provider) claims(ctx context.Context, jwt string) (provider.Object, error) {
	unverified, err := payload(jwt)
	if err != nil {
		return nil, p.invalid(err)
	}
	// What is another client's anyway is not worth a fetch of the key set.
	if err := judge(unverified, p.client, p.Now()); err != nil {
		return nil, p.invalid(err)
	}
	claims, known, err := p.VerifyJWT(ctx, provider.OpProve, jwt)
	if !known {
		return unverified, nil
	}
	return claims, err
}

func (p *Provider) invalid(cause error) error {
	return p.Client().TokenInvalid(provider.OpProve, cause)
}

// payload reads the claims of a JWS in compact form and verifies nothing.
func payload(jwt string) (provider.Object, error) {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return nil, errors.New("the token is not a JWT")
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(parts[1])
	if err != nil {
		return nil, errors.New("the token's payload is not base64url")
	}
	return provider.ParseObject(raw)
}

// judge decides whether a payload says that the token is our client's, and alive. Old
// tokens say oauthApp where new ones say client_id; where both are, both must be ours.
func judge(claims provider.Object, client string, now time.Time) error {
	named := false
	for _, name := range []string{"client_id", "oauthApp"} {
		if !claims.Has(name) {
			continue
		}
		if said, err := claims.Text(name); err != nil || said != client {
			return errors.New("the token was issued to another client")
		}
		named = true
	}
	if !named {
		return errors.New("the token names no client")
	}
	return oidc.Current(claims, now)
}
