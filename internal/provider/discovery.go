package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// OpDiscover is what is being done, for the log.
const OpDiscover = "discover"

// OpenIDAddress is where an issuer publishes its metadata by OpenID Connect Discovery §4:
// behind its path.
func OpenIDAddress(issuer string) string {
	return strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration"
}

// OAuthAddress is where an issuer publishes its metadata by RFC 8414 §3.1: before its
// path. Empty if the issuer is no address.
func OAuthAddress(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host + "/.well-known/oauth-authorization-server" + strings.TrimSuffix(u.EscapedPath(), "/")
}

// Discover fetches an issuer's metadata from the first of the addresses that has some.
// Its issuer must be the one that was asked for (OpenID Connect Discovery §4.3, RFC 8414
// §3.3): whoever could answer with another's document could have tokens of one issuer
// taken for those of another. Errors: ProviderFailed.
func (c *Client) Discover(ctx context.Context, issuer string, addresses ...string) (Object, error) {
	err := c.Failed(OpDiscover, errors.New("no address to ask"))
	for _, address := range addresses {
		a, fault := c.Do(ctx, Call{Op: OpDiscover, URL: address})
		if errors.Is(fault, errElsewhere) { // to a login page, say: this one has none
			err = fault
			continue
		}
		if fault != nil {
			return nil, fault
		}
		if a.Status != http.StatusOK {
			err = a.Failed("no discovery document: is the issuer's address right?")
			continue
		}
		o, fault := a.Object()
		if fault != nil {
			err = fault
			continue
		}
		if said, fault := o.Text("issuer"); fault != nil || said != issuer {
			return nil, a.Failed("the discovery document is of another issuer: the configured one must be written exactly as the issuer writes it")
		}
		return o, nil
	}
	return nil, err
}

// CheckEndpoint refuses an endpoint's address that is neither https nor, where the issuer
// is so itself, http on a loopback address. A query is allowed (RFC 6749 §3.1).
func CheckEndpoint(address, issuer string) error {
	u, err := url.Parse(address)
	if err != nil {
		return errors.New("not an address")
	}
	if u.Scheme == "http" && !strings.HasPrefix(issuer, "http:") {
		return errors.New("must begin with https://, as the issuer does")
	}
	u.RawQuery, u.ForceQuery = "", false
	return CheckURL(u.String())
}

// PlaceOf tells by a list of authentication methods in an issuer's metadata how we say
// our secret: Basic unless only the form is offered. Without the list it is Basic (OpenID
// Connect Discovery §3, RFC 8414 §2). It fails where neither is offered.
func PlaceOf(o Object, name string) (SecretIn, error) {
	if !o.Has(name) {
		return SecretInHeader, nil
	}
	var methods []string
	if json.Unmarshal(o[name], &methods) != nil {
		return 0, fmt.Errorf("%s is not a list of texts", name)
	}
	switch {
	case slices.Contains(methods, "client_secret_basic"):
		return SecretInHeader, nil
	case slices.Contains(methods, "client_secret_post"):
		return SecretInForm, nil
	}
	return 0, fmt.Errorf("%s has neither client_secret_basic nor client_secret_post", name)
}
