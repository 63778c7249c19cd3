package authority

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// Options are the neighbours an Authority works with. All are required.
type Options struct {
	Store    Store
	Keys     *Keyring
	Throttle *Throttle
	Devices  *Devices
	Forms    TokenForms
	Endings  Endings
	Audit    Audit
	Clock    Clock
	Realms   []Realm // the first one is the default realm
}

// Authority is the domain over one configuration. It is safe for concurrent use.
type Authority struct {
	store    Store
	keys     *Keyring
	throttle *Throttle
	devices  *Devices
	forms    TokenForms
	endings  Endings
	audit    Audit
	clock    Clock
	realms   []*Realm
	byName   map[string]*Realm // by name and by UUID
}

var _ Verbs = (*Authority)(nil)

// New returns the Authority of a configuration that was validated. It touches no store.
func New(o Options) (*Authority, error) {
	if o.Store == nil || o.Keys == nil || o.Throttle == nil || o.Devices == nil || o.Forms == nil || o.Endings == nil || o.Audit == nil || o.Clock == nil || len(o.Realms) == 0 {
		return nil, errors.New("authority: an option is missing")
	}
	a := &Authority{
		store: o.Store, keys: o.Keys, throttle: o.Throttle, devices: o.Devices, forms: o.Forms, endings: o.Endings, audit: o.Audit, clock: o.Clock,
		byName: make(map[string]*Realm, 2*len(o.Realms)),
	}
	for i := range o.Realms {
		r := o.Realms[i] // a copy: the caller's stays as it was
		r.index()
		for _, key := range []string{r.Name, r.ID} {
			if a.byName[key] != nil {
				return nil, fmt.Errorf("authority: two realms are called %q", key)
			}
			a.byName[key] = &r
		}
		a.realms = append(a.realms, &r)
	}
	return a, nil
}

// Start makes the keys that a realm does not have yet. Errors: Unavailable, Internal.
func (a *Authority) Start(ctx context.Context) error {
	for _, r := range a.realms {
		if _, err := a.keys.known(ctx, r.ID, r.SigningAlg); err != nil {
			return err
		}
	}
	return nil
}

// Serve says that this Authority's configuration is the one that serves: what calls of
// earlier ones still wait for is decided by it.
func (a *Authority) Serve() { a.devices.serving.Store(a) }

// Ping reports whether the store can be read. Errors: Unavailable.
func (a *Authority) Ping(ctx context.Context) error { return a.store.Ping(ctx) }

// PublicKeys is the realm's JWK set (RFC 7517 §5). Errors: RealmUnknown, Unavailable, Internal.
func (a *Authority) PublicKeys(ctx context.Context, realm string) ([]byte, error) {
	r, err := a.realm("keys", realm)
	if err != nil {
		return nil, err
	}
	keys, err := a.keys.verifying(ctx, r.ID, r.SigningAlg)
	if err != nil {
		return nil, err
	}
	return a.forms.PublicSet(keys)
}

// realm finds a realm by its name or UUID; empty means the default realm.
func (a *Authority) realm(op, name string) (*Realm, error) {
	if name == "" {
		return a.realms[0], nil
	}
	if r := a.byName[name]; r != nil {
		return r, nil
	}
	return nil, &Error{Kind: RealmUnknown, Op: op, Public: "there is no such realm here"}
}

// authenticate believes a client or not (RFC 6749 §2.3). Unknown, disabled and
// wrongly proven clients get one answer, in like time. A public client has nothing
// to prove; whether that is enough is the verb's decision.
func (a *Authority) authenticate(op string, r *Realm, auth ClientAuth) (*Client, error) {
	refused := &Error{Kind: ClientUnauthenticated, Op: op,
		Public: "the client is unknown, disabled, or its credentials are wrong"}
	if auth.ID == "" {
		refused.Public = "client authentication is required"
		return nil, refused
	}
	presented, known := secret.DigestOf(auth.Secret), []secret.Digest{{}}
	c := r.clients[auth.ID]
	if c != nil && !c.Public() {
		known = c.Secrets
	}
	proven := presented.AnyEqual(known)
	if auth.Secret == "" { // not even where a digest of nothing was configured
		proven = false
	}
	if c != nil && c.Public() {
		// A public client that sends a secret believes itself confidential: a
		// configuration gone wrong must not turn into a login without proof.
		proven = auth.Secret == "" && auth.Method == AuthNone
	}
	if c == nil || !proven || c.Disabled {
		return nil, refused
	}
	return c, nil
}

// refuse records a refusal and returns it.
func (a *Authority) refuse(ctx context.Context, r *Realm, client string, err error) error {
	e := Event{Name: "refuse", Client: client, Kind: KindOf(err), Detail: err.Error()}
	if r != nil {
		e.Realm = r.Name
	}
	a.audit.Record(ctx, e)
	return err
}

func unix(s int64) time.Time { return time.Unix(s, 0) }
