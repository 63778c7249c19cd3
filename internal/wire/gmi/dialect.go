package gmi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/wire"
)

// Authority is what the dialect needs of the domain. authority.Authority says what
// each verb does and which kinds of errors it returns.
type Authority interface {
	ExchangeCode(ctx context.Context, q authority.UpstreamCodeRequest) (string, error)
	StepByUpstreamToken(ctx context.Context, q authority.UpstreamTokenRequest) (authority.StepToken, error)
	StepByPassword(ctx context.Context, q authority.LoginRequest) (authority.StepToken, error)
	OpenSession(ctx context.Context, q authority.SessionRequest) (authority.TokenGrant, error)
	RefreshSession(ctx context.Context, q authority.SessionRefresh) (authority.TokenGrant, error)
	CloseSession(ctx context.Context, q authority.AccountCall) error
	AccountOf(ctx context.Context, q authority.AccountCall) (authority.AccountFacts, error)
}

var _ Authority = (*authority.Authority)(nil)

// Realm is what the dialect knows of the realm that it serves.
type Realm struct {
	Name      string   // as the authority names it
	Providers []string // names of its upstream logins
}

// Options are what an operator may choose.
type Options struct {
	RedirectURI string // of codes that come without one; empty: they go upstream without
}

// Dialect answers on the paths of the service. It never changes once made.
type Dialect struct {
	auth    Authority
	log     *slog.Logger
	realm   Realm
	options Options
	routes  *wire.Mux
}

// New makes the dialect for a realm. It is an error if the realm has no name.
func New(auth Authority, realm Realm, options Options, logger *slog.Logger) (*Dialect, error) {
	if realm.Name == "" {
		return nil, errors.New("no realm to serve")
	}
	realm.Providers = slices.Clone(realm.Providers) // the caller's stays his
	d := &Dialect{auth: auth, log: logger, realm: realm, options: options}
	var err error
	d.routes, err = wire.NewMux(d.endpoints(), d.wrongMethod)
	return d, err
}

// Serves reports whether the request is the dialect's to answer. It leaves the
// request untouched.
func (d *Dialect) Serves(r *http.Request) bool { return d.routes.Find(r) != nil }

// ServeHTTP answers a request that the dialect serves; any other is 404.
func (d *Dialect) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer := d.routes.Find(r)
	if answer == nil {
		d.fail(errorTable())(w, r, &authority.Error{Kind: authority.NotFound, Op: "find the endpoint"})
		return
	}
	answer(w, r)
}

// provider checks that the realm has the upstream login. Errors: ProviderUnknown.
func (d *Dialect) provider(name string) error {
	if slices.Contains(d.realm.Providers, name) {
		return nil
	}
	return &authority.Error{Kind: authority.ProviderUnknown, Op: opRead}
}
