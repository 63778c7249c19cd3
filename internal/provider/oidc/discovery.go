package oidc

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/provider"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// opKeys is what is being done, for the log.
const opKeys = "fetch the key set"

// metadata is what matters of a discovery document (OpenID Connect Discovery §3, RFC
// 8414 §2, RFC 8628 §4). The last group may be empty.
type metadata struct {
	authorization string
	token         string
	keys          string
	secretIn      provider.SecretIn // at the token endpoint

	userinfo        string
	device          string
	introspection   string
	introspectionIn provider.SecretIn
}

// discover fetches the discovery document (OpenID Connect Discovery §4).
func (p *Provider) discover(ctx context.Context) (*metadata, error) {
	o, err := p.client.Discover(ctx, p.o.Issuer, provider.OpenIDAddress(p.o.Issuer))
	if err != nil {
		return nil, err
	}
	m, err := readMetadata(o, p.o.Issuer)
	if err != nil {
		return nil, p.client.Failed(provider.OpDiscover, err)
	}
	if p.o.SecretInForm {
		m.secretIn = provider.SecretInForm
	}
	return m, nil
}

// readMetadata reads a discovery document of the issuer.
func readMetadata(o provider.Object, issuer string) (*metadata, error) {
	m := &metadata{}
	for _, e := range []struct {
		name     string
		to       *string
		required bool
	}{
		{"authorization_endpoint", &m.authorization, true},
		{"token_endpoint", &m.token, true},
		{"jwks_uri", &m.keys, true},
		{"userinfo_endpoint", &m.userinfo, false},
		{"device_authorization_endpoint", &m.device, false},
		{"introspection_endpoint", &m.introspection, false},
	} {
		address, err := o.Text(e.name)
		if err != nil {
			return nil, err
		}
		if address == "" && !e.required {
			continue
		}
		if err := provider.CheckEndpoint(address, issuer); err != nil {
			return nil, fmt.Errorf("%s: %w", e.name, err)
		}
		*e.to = address
	}
	var err error
	if m.secretIn, err = provider.PlaceOf(o, "token_endpoint_auth_methods_supported"); err != nil {
		return nil, err
	}
	m.introspectionIn = m.secretIn
	if o.Has("introspection_endpoint_auth_methods_supported") {
		if m.introspectionIn, err = provider.PlaceOf(o, "introspection_endpoint_auth_methods_supported"); err != nil {
			m.introspection = "" // as good as none: we have only our secret
		}
	}
	return m, nil
}

// fetchKeys fetches the key set (OpenID Connect Discovery §3, jwks_uri).
func (p *Provider) fetchKeys(ctx context.Context) (*token.KeySet, error) {
	m, err := p.discovery.Get(ctx)
	if err != nil {
		return nil, err
	}
	a, err := p.client.Do(ctx, provider.Call{Op: opKeys, URL: m.keys})
	if err != nil {
		return nil, err
	}
	if a.Status != http.StatusOK {
		return nil, a.Failed("no key set")
	}
	set, err := token.ParseKeySet(a.Body)
	if errors.Is(err, token.ErrNoKeys) {
		return nil, p.client.Failed(opKeys, fmt.Errorf("%w: %w", provider.ErrWithdrawn, err))
	}
	if err != nil {
		return nil, a.Failed(err.Error())
	}
	return set, nil
}
