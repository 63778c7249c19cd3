package oidc

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/provider"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// Options make a Provider. The second group is for upstreams that differ from the
// standards.
type Options struct {
	Name         string // in the configuration, for the log
	ClientID     string
	ClientSecret string
	Issuer       string          // https, or http on a loopback address
	Scopes       []string        // openid among them; none: openid, email, profile
	HTTP         *http.Client    // only its Transport is used; required
	Deadline     time.Duration   // of one call; zero: provider.DefaultDeadline
	Now          authority.Clock // nil: the system's

	AuthParams   map[string]string // further parameters of the authorization address
	DeviceScopes []string          // of device logins; none: Scopes
	OtherIssuers []string          // what `iss` of ID tokens may be besides Issuer
	// SecretInForm: the secret goes beside client_id even where Basic is offered.
	SecretInForm bool
	// OpenDeviceStart: a device login begins without the secret.
	OpenDeviceStart bool
}

// Provider is one provider of OpenID Connect. Any number of goroutines may use it.
type Provider struct {
	o         Options
	client    *provider.Client
	discovery *provider.Document[metadata]
	keys      *provider.Document[token.KeySet]
}

var _ authority.Provider = (*Provider)(nil)

// New makes a Provider. It calls nobody: discovery happens when it is first needed. The
// error names every option that is wrong.
func New(o Options) (*Provider, error) {
	client, err := provider.NewClient(provider.Options{Name: o.Name, HTTP: o.HTTP, Deadline: o.Deadline})
	faults := []error{err}
	if o.ClientID == "" || o.ClientSecret == "" {
		faults = append(faults, errors.New("client_id or client_secret is missing"))
	}
	if err := provider.CheckURL(o.Issuer); err != nil {
		faults = append(faults, fmt.Errorf("issuer %w", err))
	}
	if len(o.Scopes) == 0 {
		o.Scopes = []string{"openid", "email", "profile"}
	}
	if !slices.Contains(o.Scopes, "openid") {
		faults = append(faults, errors.New("scopes must have openid among them, without which there is no ID token"))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	if len(o.DeviceScopes) == 0 {
		o.DeviceScopes = o.Scopes
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	p := &Provider{o: o, client: client}
	p.discovery = provider.NewDocument(client, provider.OpDiscover, o.Now, provider.DiscoveryLife, p.discover)
	p.keys = provider.NewDocument(client, opKeys, o.Now, provider.KeysLife, p.fetchKeys)
	return p, nil
}

// Client makes calls to the upstream, for the rooms that build on this one.
func (p *Provider) Client() *provider.Client { return p.client }

// Now is the time, for the rooms that build on this one.
func (p *Provider) Now() time.Time { return p.o.Now() }

// Issuer names the upstream for good.
func (p *Provider) Issuer() string { return p.o.Issuer }

// AuthURL is where a browser begins a login (OpenID Connect Core §3.1.2.1), with PKCE
// and the nonce.
func (p *Provider) AuthURL(ctx context.Context, q authority.UpstreamAuth) (string, error) {
	m, err := p.discovery.Get(ctx)
	if err != nil {
		return "", err
	}
	var more []oauth2.AuthCodeOption
	if q.Nonce != "" {
		more = append(more, oauth2.SetAuthURLParam("nonce", q.Nonce))
	}
	for _, name := range slices.Sorted(maps.Keys(p.o.AuthParams)) {
		more = append(more, oauth2.SetAuthURLParam(name, p.o.AuthParams[name]))
	}
	return p.client.AuthURL(m.authorization, p.o.ClientID, p.o.Scopes, q, more...)
}

// Exchange redeems a code. An answer without ID token is ProviderFailed if the login
// began with a nonce.
func (p *Provider) Exchange(ctx context.Context, q authority.UpstreamCode) (authority.UpstreamGrant, error) {
	m, err := p.discovery.Get(ctx)
	if err != nil {
		return authority.UpstreamGrant{}, err
	}
	g, err := p.client.Exchange(ctx, p.endpoint(m.token, m.secretIn), q)
	if err != nil {
		return authority.UpstreamGrant{}, err
	}
	if q.Nonce != "" && g.IDToken == "" {
		return authority.UpstreamGrant{}, p.client.Failed(provider.OpExchange, errNoIDToken)
	}
	return g, nil
}

func (p *Provider) endpoint(url string, place provider.SecretIn) provider.Endpoint {
	return provider.Endpoint{URL: url, Client: p.o.ClientID, Secret: p.o.ClientSecret, Place: place}
}

// StartDevice begins a device login, if the provider's discovery names where.
func (p *Provider) StartDevice(ctx context.Context) (authority.UpstreamDevice, error) {
	m, err := p.discovery.Get(ctx)
	if err != nil {
		return authority.UpstreamDevice{}, err
	}
	if m.device == "" {
		return authority.UpstreamDevice{}, p.client.NoDevices(errors.New("discovery names no device_authorization_endpoint"))
	}
	place := m.secretIn
	if p.o.OpenDeviceStart {
		place = provider.SecretNowhere
	}
	return p.client.StartDevice(ctx, p.endpoint(m.device, place), strings.Join(p.o.DeviceScopes, " "))
}

// PollDevice asks once whether the user has decided.
func (p *Provider) PollDevice(ctx context.Context, deviceCode string) (authority.DevicePoll, error) {
	m, err := p.discovery.Get(ctx)
	if err != nil {
		return authority.DevicePoll{}, err
	}
	return p.client.PollDevice(ctx, p.endpoint(m.token, m.secretIn), deviceCode)
}

// Forget does nothing: revoking a token (RFC 7009 §2.1) may end the user's consent and
// his other logins with it.
func (p *Provider) Forget(context.Context, string) error { return nil }
