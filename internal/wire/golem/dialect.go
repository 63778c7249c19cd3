package golem

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
	LoginByUpstreamToken(ctx context.Context, q authority.UpstreamTokenRequest) (authority.PersonalGrant, error)
	OwnToken(ctx context.Context, q authority.AccountCall) (authority.PersonalToken, error)
	StartDevice(ctx context.Context, q authority.DeviceRequest) (authority.DeviceStart, error)
	CompleteDevice(ctx context.Context, q authority.DeviceCompletion) (authority.PersonalGrant, error)
	AccountOf(ctx context.Context, q authority.AccountCall) (authority.AccountFacts, error)
	PersonalTokens(ctx context.Context, q authority.AccountCall) ([]authority.PersonalToken, error)
	PersonalTokenOf(ctx context.Context, q authority.AccountCall) (authority.PersonalToken, error)
	MintPersonalToken(ctx context.Context, q authority.AccountCall) (authority.PersonalGrant, error)
	EndPersonalToken(ctx context.Context, q authority.AccountCall) error
}

var _ Authority = (*authority.Authority)(nil)

// Realm is what the dialect knows of its realm.
type Realm struct {
	Name      string   // as the authority names it
	Providers []string // names of its upstream logins, in the order of the configuration
}

// preferred is the provider that a device login without one is for: the original
// knew no other.
const preferred = "github"

// Dialect answers on the original's paths, for one realm. It never changes once made.
type Dialect struct {
	auth   Authority
	log    *slog.Logger
	realm  Realm
	table  wire.Table
	routes *wire.Mux
}

// New makes the dialect for a realm. It is an error if the realm has no name. One
// without providers has no logins here, but its accounts and their tokens.
func New(auth Authority, realm Realm, logger *slog.Logger) (*Dialect, error) {
	if realm.Name == "" {
		return nil, errors.New("no realm to serve")
	}
	realm.Providers = slices.Clone(realm.Providers) // the caller's may change
	d := &Dialect{auth: auth, log: logger, realm: realm, table: errorTable()}
	var err error
	d.routes, err = wire.NewMux(d.endpoints(), d.wrongMethod)
	return d, err
}

// Serves reports whether the request is the dialect's to answer. It leaves the
// request untouched.
func (d *Dialect) Serves(r *http.Request) bool { return d.find(r) != nil }

// ServeHTTP answers a request that the dialect serves; any other is 404.
func (d *Dialect) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer := d.find(r)
	if answer == nil {
		d.fail(w, r, &authority.Error{Kind: authority.NotFound, Op: "find the endpoint"})
		return
	}
	answer(w, r)
}

// find returns what answers the request, or nil.
func (d *Dialect) find(r *http.Request) http.HandlerFunc {
	if !wire.Plain(r) {
		return nil
	}
	if under, is := underAccounts(r.URL.Path); is {
		return d.routes.FindKey(under.route, r.Method)
	}
	return d.routes.Find(r)
}

// defaultProvider is whom a device login without a provider is for; empty if that
// cannot be said.
func (d *Dialect) defaultProvider() string {
	switch {
	case slices.Contains(d.realm.Providers, preferred):
		return preferred
	case len(d.realm.Providers) == 1:
		return d.realm.Providers[0]
	}
	return ""
}
