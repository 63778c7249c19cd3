package keycloak

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/wire"
)

// Authority is what the dialect needs of the domain. authority.Authority says what
// each verb does and which kinds of errors it returns.
type Authority interface {
	Token(ctx context.Context, q authority.TokenRequest) (authority.TokenGrant, error)
	Login(ctx context.Context, q authority.LoginRequest) (authority.TokenGrant, error)
	Logout(ctx context.Context, q authority.LogoutRequest) error
	Introspect(ctx context.Context, q authority.TokenQuery) (authority.Introspection, error)
	Ping(ctx context.Context) error
}

var _ Authority = (*authority.Authority)(nil)

// Realm is what the dialect knows of a realm.
type Realm struct {
	Name        string        // as requests and the authority name it
	ID          string        // its UUID, which may stand for the name
	LoginClient string        // client id that user logins are for; empty: the built-in first-party client
	RefreshLife time.Duration // of refresh tokens as the operator set it; zero: the dialect's own
}

// Options are what an operator may choose.
type Options struct {
	Booleans  bool // introspection answers JSON booleans instead of "true" and "false"
	Anonymous bool // introspection asks for no client authentication
}

// refreshLife is how long a refresh token lives after its last use where the realm
// sets nothing, as the original shows it (refresh_expires_in).
const refreshLife = 1800 * time.Second

// Dialect answers on the paths of the facade. It never changes once made.
type Dialect struct {
	auth    Authority
	log     *slog.Logger
	options Options
	table   wire.Table
	routes  *wire.Mux
	first   *Realm            // answers where a request names no realm
	byName  map[string]*Realm // by name
	byID    map[string]*Realm // by UUID in lower case
}

// New makes the dialect for the realms of one handler, of which the first is the
// default realm. It is an error if there is none, or if two have one name or UUID.
func New(auth Authority, realms []Realm, options Options, logger *slog.Logger) (*Dialect, error) {
	if len(realms) == 0 {
		return nil, errors.New("no realm to serve")
	}
	d := &Dialect{
		auth: auth, log: logger, options: options, table: errorTable(),
		byName: make(map[string]*Realm, len(realms)), byID: make(map[string]*Realm, len(realms)),
	}
	for i := range realms {
		r := realms[i] // a copy: the caller's stays as it was
		if r.RefreshLife == 0 {
			r.RefreshLife = refreshLife
		}
		id := strings.ToLower(r.ID)
		if d.byName[r.Name] != nil || d.byID[id] != nil {
			return nil, fmt.Errorf("two realms are called %q or have its UUID", r.Name)
		}
		d.byName[r.Name], d.byID[id] = &r, &r
		if i == 0 {
			d.first = &r
		}
	}
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
		d.fail(w, r, &authority.Error{Kind: authority.NotFound, Op: "find the endpoint"})
		return
	}
	answer(w, r)
}

// realm finds the realm that a request names, by name or UUID. One that exists and
// is not served here is as unknown as any other. Errors: RealmUnknown.
func (d *Dialect) realm(named string) (*Realm, error) {
	if named == "" {
		return d.first, nil
	}
	if r := d.byName[named]; r != nil {
		return r, nil
	}
	if r := d.byID[strings.ToLower(named)]; r != nil {
		return r, nil
	}
	return nil, &authority.Error{Kind: authority.RealmUnknown, Op: "find the realm"}
}
