package github

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/provider"
)

// GitHub's own addresses. GitHub Enterprise has others.
const (
	DefaultWebURL = "https://github.com"
	DefaultAPIURL = "https://api.github.com"
)

// scope lets us read the addresses; the profile needs none.
const scope = "user:email"

// Options make a Provider.
type Options struct {
	Name         string // the provider's name in the configuration, for the log
	ClientID     string
	ClientSecret string
	WebURL       string        // empty: DefaultWebURL
	APIURL       string        // empty: DefaultAPIURL, or WebURL + "/api/v3" of GitHub Enterprise
	HTTP         *http.Client  // only its Transport is used; required
	Deadline     time.Duration // of one call; zero: provider.DefaultDeadline
}

// Provider is the login at one GitHub. It implements authority.Provider, whose comments
// say what the methods do; any number of goroutines may use it.
type Provider struct {
	client *provider.Client
	id     string
	secret string
	web    string
	api    string
}

var _ authority.Provider = (*Provider)(nil)

// New makes a Provider and calls nobody. It fails where something is missing, an
// address is not one, or only one of the two addresses is GitHub's own: tokens would be
// sent to a host that has not issued them.
func New(o Options) (*Provider, error) {
	web := strings.TrimRight(cmp.Or(o.WebURL, DefaultWebURL), "/")
	enterprise := web != DefaultWebURL
	api := o.APIURL
	if api == "" {
		api = DefaultAPIURL
		if enterprise {
			api = web + "/api/v3"
		}
	}
	api = strings.TrimRight(api, "/")
	switch {
	case o.ClientID == "":
		return nil, errors.New("client_id is missing")
	case o.ClientSecret == "":
		return nil, errors.New("client_secret is missing")
	case enterprise != (api != DefaultAPIURL):
		return nil, errors.New("web_url and api_url must both be GitHub's own, or both those of one GitHub Enterprise")
	}
	if err := provider.CheckURL(web); err != nil {
		return nil, fmt.Errorf("web_url: %w", err)
	}
	if err := provider.CheckURL(api); err != nil {
		return nil, fmt.Errorf("api_url: %w", err)
	}
	client, err := provider.NewClient(provider.Options{Name: o.Name, HTTP: o.HTTP, Deadline: o.Deadline})
	if err != nil {
		return nil, err
	}
	return &Provider{client: client, id: o.ClientID, secret: o.ClientSecret, web: web, api: api}, nil
}

// Issuer implements authority.Provider: GitHub has no `iss`, so it is its address.
func (p *Provider) Issuer() string { return p.web }

// AuthURL implements authority.Provider. GitHub knows no nonce.
func (p *Provider) AuthURL(_ context.Context, q authority.UpstreamAuth) (string, error) {
	return p.client.AuthURL(p.web+"/login/oauth/authorize", p.id, []string{scope}, q)
}

// Exchange implements authority.Provider.
func (p *Provider) Exchange(ctx context.Context, q authority.UpstreamCode) (authority.UpstreamGrant, error) {
	return p.client.Exchange(ctx, p.tokens(provider.SecretInForm), q)
}

func (p *Provider) tokens(place provider.SecretIn) provider.Endpoint {
	return provider.Endpoint{URL: p.web + "/login/oauth/access_token", Client: p.id, Secret: p.secret, Place: place}
}

// StartDevice implements authority.Provider.
func (p *Provider) StartDevice(ctx context.Context) (authority.UpstreamDevice, error) {
	e := provider.Endpoint{URL: p.web + "/login/device/code", Client: p.id, Place: provider.SecretNowhere}
	return p.client.StartDevice(ctx, e, scope)
}

// PollDevice implements authority.Provider. GitHub takes no secret here.
func (p *Provider) PollDevice(ctx context.Context, deviceCode string) (authority.DevicePoll, error) {
	return p.client.PollDevice(ctx, p.tokens(provider.SecretNowhere), deviceCode)
}

// Forget implements authority.Provider: it ends this one token, neither the user's
// consent nor his other tokens. One that is dead already is forgotten.
func (p *Provider) Forget(ctx context.Context, accessToken string) error {
	if !provider.CheckToken(accessToken) {
		return p.client.TokenInvalid(provider.OpForget, nil)
	}
	a, err := p.client.Do(ctx, p.aboutToken(provider.OpForget, http.MethodDelete, accessToken))
	if err != nil {
		return err
	}
	switch a.Status {
	case http.StatusNoContent, http.StatusNotFound, http.StatusUnprocessableEntity:
		return nil
	}
	return a.Failed("the token is not forgotten")
}

// aboutToken is a call to the endpoint where only we, as the app, may ask about tokens,
// and learn only of our own.
func (p *Provider) aboutToken(op, method, accessToken string) provider.Call {
	return provider.Call{
		Op: op, Method: method,
		URL:    p.api + "/applications/" + url.PathEscape(p.id) + "/token",
		Header: apiHeader(),
		JSON:   map[string]string{"access_token": accessToken},
		Basic:  url.UserPassword(p.id, p.secret),
	}
}

// apiHeader names the version of the API that this room was written for.
func apiHeader() http.Header {
	return http.Header{
		"Accept":               {"application/vnd.github+json"},
		"X-Github-Api-Version": {"2022-11-28"},
	}
}
