package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/provider"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// What is being done, for the log.
const (
	opDiscover = "discover"
	opKeys     = "fetch the key set"
)

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
	a, err := p.client.Do(ctx, provider.Call{
		Op: opDiscover, URL: strings.TrimSuffix(p.o.Issuer, "/") + "/.well-known/openid-configuration",
	})
	if err != nil {
		return nil, err
	}
	if a.Status != http.StatusOK {
		return nil, a.Failed("no discovery document: is the issuer's address right?")
	}
	o, err := a.Object()
	if err != nil {
		return nil, err
	}
	m, err := readMetadata(o, p.o.Issuer)
	if err != nil {
		return nil, a.Failed(err.Error())
	}
	if p.o.SecretInForm {
		m.secretIn = provider.SecretInForm
	}
	return m, nil
}

// readMetadata reads a discovery document. Its issuer must be the one that was asked for
// (OpenID Connect Discovery §4.3): whoever could answer with another's document could
// have tokens of one provider taken for those of another.
func readMetadata(o provider.Object, issuer string) (*metadata, error) {
	if said, err := o.Text("issuer"); err != nil || said != issuer {
		return nil, errors.New("the discovery document is of another issuer: the configured one must be written exactly as the provider writes it")
	}
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
		if err := checkEndpoint(address, issuer); err != nil {
			return nil, fmt.Errorf("%s: %w", e.name, err)
		}
		*e.to = address
	}
	var err error
	if m.secretIn, err = place(o, "token_endpoint_auth_methods_supported"); err != nil {
		return nil, err
	}
	m.introspectionIn = m.secretIn
	if o.Has("introspection_endpoint_auth_methods_supported") {
		if m.introspectionIn, err = place(o, "introspection_endpoint_auth_methods_supported"); err != nil {
			m.introspection = "" // as good as none: we have only our secret
		}
	}
	return m, nil
}

// checkEndpoint refuses an address that is neither https nor, where the issuer is so
// itself, http on a loopback address. A query is allowed (RFC 6749 §3.1).
func checkEndpoint(address, issuer string) error {
	u, err := url.Parse(address)
	if err != nil {
		return errors.New("not an address")
	}
	if u.Scheme == "http" && !strings.HasPrefix(issuer, "http:") {
		return errors.New("must begin with https://, as the issuer does")
	}
	u.RawQuery, u.ForceQuery = "", false
	return provider.CheckURL(u.String())
}

// place tells how we say our secret: Basic unless only the form is offered. Without the
// member it is Basic (OpenID Connect Discovery §3).
func place(o provider.Object, name string) (provider.SecretIn, error) {
	if !o.Has(name) {
		return provider.SecretInHeader, nil
	}
	var methods []string
	if json.Unmarshal(o[name], &methods) != nil {
		return 0, fmt.Errorf("%s is not a list of texts", name)
	}
	switch {
	case slices.Contains(methods, "client_secret_basic"):
		return provider.SecretInHeader, nil
	case slices.Contains(methods, "client_secret_post"):
		return provider.SecretInForm, nil
	}
	return 0, fmt.Errorf("%s has neither client_secret_basic nor client_secret_post", name)
}

// fetchKeys fetches the key set (OpenID Connect Discovery §3, jwks_uri).
func (p *Provider) fetchKeys(ctx context.Context) (*token.KeySet, error) {
	m, err := p.discovery.get(ctx)
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
	if err != nil {
		return nil, a.Failed(err.Error())
	}
	return set, nil
}
