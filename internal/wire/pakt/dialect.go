package pakt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/wire"
)

// Authority is what the dialect needs of the domain. authority.Authority says what
// each verb does and which kinds of errors it returns.
type Authority interface {
	StartLogin(ctx context.Context, q authority.StartRequest) (authority.LoginStart, error)
	FinishLogin(ctx context.Context, q authority.FinishRequest) (authority.UpstreamLogin, error)
	AccountOf(ctx context.Context, q authority.AccountCall) (authority.AccountFacts, error)
	CloseSession(ctx context.Context, q authority.AccountCall) error
}

var _ Authority = (*authority.Authority)(nil)

// Provider is an upstream login of the realm.
type Provider struct {
	Name string // as the paths and the authority name it
	Type string // google has a member of its own in the answer to generate-state
}

// Realm is what the dialect knows of the realm that it serves.
type Realm struct {
	Name      string // as the authority names it
	Providers []Provider
	Issuer    string // its public address
}

// Options are what an operator may choose.
type Options struct {
	RedirectURI string                // where providers send the browser back to: the front end. Required
	StrictState bool                  // a login must end in the browser that began it
	TenantKey   func(key string) bool // whether a caller of generate-state shows a right key, in constant time; nil: none is asked for
	CORSOrigins []string              // origins whose pages may call, with credentials
	Secure      bool                  // the site is https: the cookie never travels otherwise
}

// typeGoogle is the type of providers that the original has.
const typeGoogle = "google"

// Dialect answers on the paths of the original. It never changes once made.
type Dialect struct {
	auth    Authority
	log     *slog.Logger
	realm   string
	options Options
	table   wire.Table
	origins map[string]bool
	routes  *wire.Mux
}

// New makes the dialect for one realm. It is an error if the redirect URI is missing,
// if two providers have one name, if the realm is https and the cookie is not to be
// Secure, or if an origin could mean everybody.
func New(auth Authority, realm Realm, options Options, logger *slog.Logger) (*Dialect, error) {
	if options.RedirectURI == "" {
		return nil, errors.New("pakt: there is no redirect_uri")
	}
	if strings.HasPrefix(realm.Issuer, "https:") && !options.Secure {
		return nil, errors.New("pakt: the issuer is https, so the cookie must be Secure")
	}
	d := &Dialect{
		auth: auth, log: logger, realm: realm.Name, options: options, table: errorTable(),
		origins: make(map[string]bool, len(options.CORSOrigins)),
	}
	for _, origin := range options.CORSOrigins {
		// A browser says null for many pages that have nothing to do with each other.
		if origin == "" || origin == "null" || strings.Contains(origin, "*") {
			return nil, fmt.Errorf("pakt: %q is not one origin", origin)
		}
		d.origins[origin] = true
	}
	var err error
	d.routes, err = wire.NewMux(d.endpoints(realm.Providers), d.wrongMethod)
	return d, err
}

// Serves reports whether the request is the dialect's to answer. It leaves the
// request untouched.
func (d *Dialect) Serves(r *http.Request) bool { return d.routes.Find(r) != nil }

// ServeHTTP answers a request that the dialect serves; any other is 404.
func (d *Dialect) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.allowOrigin(w.Header(), r) // errors too: a page that may call may know why it failed
	answer := d.routes.Find(r)
	if answer == nil {
		d.fail(w, r, &authority.Error{Kind: authority.NotFound, Op: "find the endpoint"})
		return
	}
	answer(w, r)
}
