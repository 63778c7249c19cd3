package oauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/wire"
)

// Authority is what the dialect needs of the domain. authority.Verbs says what
// each verb does and which kinds of errors it returns.
type Authority interface {
	Token(ctx context.Context, r authority.TokenRequest) (authority.TokenGrant, error)
	Introspect(ctx context.Context, q authority.TokenQuery) (authority.Introspection, error)
	Revoke(ctx context.Context, q authority.TokenQuery) error
	PublicKeys(ctx context.Context, realm string) ([]byte, error)
	Ping(ctx context.Context) error
}

var _ Authority = authority.Verbs(nil)

// Realm is what the dialect tells of a realm.
type Realm struct {
	Name       string     // as requests and the authority name it
	ID         string     // its UUID, which may stand for the name in a path; may be empty
	Issuer     string     // public base address
	SigningAlg string     // of its access tokens
	Scopes     []string   // every scope some client may have
	Grants     []string   // every grant type some client may use at /oauth2/token
	Resources  []Resource // its protected resources

	PublicClients bool // some client without a secret may use a grant
}

// Resource is a protected resource of a realm (RFC 9728).
type Resource struct {
	URL    string   // its identifier
	Scopes []string // that its metadata names
}

// Dialect answers on the paths of the standards. It never changes once made.
type Dialect struct {
	auth      Authority
	log       *slog.Logger
	table     wire.Table
	routes    *wire.Mux // by path
	resources *wire.Mux // by host, path and query: see resourceKey
}

// New makes the dialect for the realms of one site, of which the first stands at
// its root. It is an error if there is none, or if two claim one place.
func New(auth Authority, realms []Realm, logger *slog.Logger) (*Dialect, error) {
	d := &Dialect{auth: auth, log: logger, table: errorTable()}
	if err := check(realms); err != nil {
		return nil, err
	}
	var routes []wire.Route
	for _, p := range places(realms) {
		more, err := d.realmRoutes(p)
		if err != nil {
			return nil, err
		}
		routes = append(routes, more...)
	}
	var err error
	if d.routes, err = wire.NewMux(routes, d.wrongMethod); err != nil {
		return nil, err
	}
	resources, err := resourceRoutes(realms)
	if err != nil {
		return nil, err
	}
	d.resources, err = wire.NewMux(resources, d.wrongMethod)
	return d, err
}

// Serves reports whether the request is the dialect's to answer. It leaves the
// request untouched.
func (d *Dialect) Serves(r *http.Request) bool { return d.find(r) != nil }

// ServeHTTP answers a request that the dialect serves; any other is 404.
func (d *Dialect) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer := d.find(r)
	if answer == nil {
		d.fail("")(w, r, &authority.Error{Kind: authority.NotFound, Op: opRoute})
		return
	}
	answer(w, r)
}

const opRoute = "find the endpoint"

// find returns what answers the request, or nil if it is not the dialect's.
func (d *Dialect) find(r *http.Request) http.HandlerFunc {
	if found := d.routes.Find(r); found != nil {
		return found
	}
	if strings.HasPrefix(r.URL.Path, protectedResource) {
		return d.resources.FindKey(resourceKey(r.Host, r.URL.EscapedPath(), r.URL.RawQuery), r.Method)
	}
	if wire.Plain(r) && unknownRealm(r.URL.Path) {
		return func(w http.ResponseWriter, r *http.Request) {
			d.fail("")(w, r, &authority.Error{Kind: authority.RealmUnknown, Op: opRoute})
		}
	}
	return nil
}

// unknownRealm reports whether path is an endpoint of some realm. The table has
// been asked before, so it is one nobody serves.
func unknownRealm(path string) bool {
	rest, ok := strings.CutPrefix(path, realmsPath)
	if !ok {
		return false
	}
	_, endpoint, _ := strings.Cut(rest, "/")
	switch "/" + endpoint {
	case tokenPath, introspectPath, revokePath, jwksPath:
		return true
	}
	return false
}

// place is where a realm stands: every endpoint's path begins with base.
type place struct {
	base  string
	realm *Realm
}

// places lists them. Names are taken first, then the root, then the paths of the
// issuers in the order of the realms.
func places(realms []Realm) []place {
	var all []place
	taken := make(map[string]bool)
	add := func(base string, realm *Realm) {
		if !taken[base] {
			taken[base] = true
			all = append(all, place{base, realm})
		}
	}
	for i := range realms {
		add(realmsPath+realms[i].Name, &realms[i])
		if realms[i].ID != "" {
			add(realmsPath+realms[i].ID, &realms[i])
		}
	}
	add("", &realms[0])
	for i := range realms {
		add(issuerPath(&realms[i]), &realms[i])
	}
	return all
}

// issuerPath is the path of a checked realm's issuer without its last slash.
func issuerPath(realm *Realm) string {
	u, _ := url.Parse(realm.Issuer)
	return strings.TrimSuffix(u.Path, "/")
}

// check reports every fault of the realms at once.
func check(realms []Realm) error {
	var faults []error
	if len(realms) == 0 {
		faults = append(faults, errors.New("no realm to serve"))
	}
	owner := make(map[string]string) // of each place that a name gives
	for i := range realms {
		for _, name := range []string{realms[i].Name, realms[i].ID} {
			base := realmsPath + name
			switch other, taken := owner[base]; {
			case name == "" && realms[i].Name != "":
				continue // a realm may have no UUID
			case name == "" || name == "." || name == ".." || url.PathEscape(name) != name:
				faults = append(faults, fmt.Errorf("realm %q: %q cannot stand in a path", realms[i].Name, name))
			case taken:
				faults = append(faults, fmt.Errorf("realm %q: %q names realm %q too", realms[i].Name, name, other))
			}
			owner[base] = realms[i].Name
		}
	}
	for i := range realms {
		if err := checkIssuer(&realms[i], owner); err != nil {
			faults = append(faults, fmt.Errorf("realm %q: the issuer %q %w", realms[i].Name, realms[i].Issuer, err))
		}
	}
	return errors.Join(faults...)
}

// checkIssuer reports what is wrong with the realm's issuer. owner says whose the
// places under /realms are.
func checkIssuer(realm *Realm, owner map[string]string) error {
	u, err := url.Parse(realm.Issuer)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("is not an absolute URL without user, query and fragment")
	}
	if u.EscapedPath() != u.Path {
		return errors.New("has a path that needs percent-encoding")
	}
	if other, taken := owner[strings.TrimSuffix(u.Path, "/")]; taken && other != realm.Name {
		return fmt.Errorf("stands where realm %q does", other)
	}
	return nil
}
