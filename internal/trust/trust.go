package trust

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/provider"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

const (
	// Leeway is how far the issuer's clock may be from ours.
	Leeway = 5 * time.Second
	// retryAfter is said when an issuer cannot be asked.
	retryAfter = 5 * time.Second
)

// What is being done, for the log.
const (
	opVerify     = "verify a token"
	opKeys       = "fetch the key set"
	opIntrospect = "introspect a token"
)

// publicUnavailable is what callers read when nobody can say.
const publicUnavailable = "the issuer of this token cannot be reached, or does not answer as it must; try again later"

// Options make a Trust.
type Options struct {
	Name     string          // in the configuration
	ID       string          // a UUID of its own
	Issuer   string          // exactly as its tokens carry it
	Audience []string        // a token must be for one of them; nil: for anybody
	Types    []string        // header types; nil: at+jwt and JWT. Introspection has none
	Claims   []string        // names of claims to keep in Principal.Claims
	HTTP     *http.Client    // only its Transport is used; required
	Deadline time.Duration   // of one call; zero: provider.DefaultDeadline
	Now      authority.Clock // nil: the system's

	KeySetURL     string         // empty: by discovery
	Introspection *Introspection // nil: by key set
}

// Introspection is how an issuer is asked (RFC 7662 §2).
type Introspection struct {
	URL          string // empty: by discovery
	ClientID     string
	ClientSecret string
}

// Trust is one issuer of tokens that is not ours. Any number of goroutines may use it.
type Trust struct {
	o      Options
	client *provider.Client
	// One of these, as the tokens are verified.
	keys     *provider.Document[token.KeySet]
	endpoint *provider.Document[provider.Endpoint]
	// keysAt is where the key set is; fetched only if KeySetURL is empty.
	keysAt *provider.Document[string]
}

var _ authority.Verifier = (*Trust)(nil)

// New makes a Trust. It calls nobody: discovery happens when it is first needed. The
// error names every option that is wrong.
func New(o Options) (*Trust, error) {
	client, err := provider.NewClient(provider.Options{Name: o.Name, HTTP: o.HTTP, Deadline: o.Deadline})
	if err := errors.Join(err, o.fault()); err != nil {
		return nil, err
	}
	if o.Types == nil {
		o.Types = []string{"at+jwt", "JWT"}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Audience, o.Claims = slices.Clone(o.Audience), slices.Clone(o.Claims)
	t := &Trust{o: o, client: client}
	if o.Introspection != nil {
		own := *o.Introspection
		t.o.Introspection = &own
		t.endpoint = provider.NewDocument(client, provider.OpDiscover, o.Now, provider.DiscoveryLife, t.findEndpoint)
		return t, nil
	}
	t.keysAt = provider.NewDocument(client, provider.OpDiscover, o.Now, provider.DiscoveryLife, t.findKeys)
	t.keys = provider.NewDocument(client, opKeys, o.Now, provider.KeysLife, t.fetchKeys)
	return t, nil
}

// Keeping returns the same trust, with all that is known of its issuer, for tokens of which
// other further claims are kept.
func (t *Trust) Keeping(claims []string) *Trust {
	other := *t
	other.o.Claims = slices.Clone(claims)
	return &other
}

// fault says all that is wrong with the options.
func (o *Options) fault() error {
	var faults []error
	fault := func(wrong bool, text string) {
		if wrong {
			faults = append(faults, errors.New(text))
		}
	}
	fault(o.Name == "" || o.ID == "", "a trust needs a name and an id")
	fault(o.Issuer == "", "issuer is missing")
	fault(o.Audience != nil && len(o.Audience) == 0 || slices.Contains(o.Audience, ""), "audience is empty")
	fault(o.Types != nil && len(o.Types) == 0, "typ is empty: no token would be accepted")
	fault(slices.ContainsFunc(o.Claims, func(name string) bool { return name == "" || strings.ContainsRune(name, 0) }),
		"a claim to keep has no name, or one with a NUL")
	address, what := o.KeySetURL, "the address of the key set"
	if i := o.Introspection; i != nil {
		fault(o.KeySetURL != "", "a key set and introspection exclude each other")
		fault(i.ClientID == "" || i.ClientSecret == "", "client_id or client_secret is missing")
		address, what = i.URL, "the address of introspection"
	}
	if address == "" { // the issuer is asked
		address, what = o.Issuer, "issuer"
		if err := provider.CheckURL(address); err != nil && o.Issuer != "" {
			faults = append(faults, fmt.Errorf("%s %w", what, err))
		}
	} else if err := provider.CheckEndpoint(address, address); err != nil {
		faults = append(faults, fmt.Errorf("%s %w", what, err))
	}
	return errors.Join(faults...)
}

// disown refuses a token that by its own words cannot be the issuer's.
func (t *Trust) disown(credential string) error {
	if t.o.Introspection != nil {
		return t.disownOther(credential)
	}
	return t.disownJWT(credential)
}

// VerifyAtOnce answers as Verify does, if it can without asking the issuer: by the key set
// that is there, or because the token cannot be the issuer's. Errors: TokenInvalid.
func (t *Trust) VerifyAtOnce(credential string) (p authority.Principal, answered bool, err error) {
	if t.keys != nil {
		if set := t.keys.AtHand(); set != nil {
			if p, err = t.verifyBy(set, credential); err == nil {
				return p, true, nil
			}
		}
	}
	// A token of another issuer is not one with a bad signature, or of an unknown key.
	if other := t.disown(credential); other != nil {
		return authority.Principal{}, true, other
	}
	if err == nil || errors.Is(err, token.ErrUnknownKey) {
		return authority.Principal{}, false, nil
	}
	return authority.Principal{}, true, err
}

// Verify returns the facts of a token that the issuer vouches for. Errors: TokenInvalid,
// Unavailable.
func (t *Trust) Verify(ctx context.Context, credential string) (authority.Principal, error) {
	if err := t.disown(credential); err != nil {
		return authority.Principal{}, err
	}
	if t.o.Introspection != nil {
		return t.introspect(ctx, credential)
	}
	return t.verifyJWT(ctx, credential)
}

// discover fetches the issuer's metadata and returns what it says of an endpoint.
func (t *Trust) discover(ctx context.Context, name string) (provider.Object, string, error) {
	o, err := t.client.Discover(ctx, t.o.Issuer, provider.OpenIDAddress(t.o.Issuer), provider.OAuthAddress(t.o.Issuer))
	if err != nil {
		return nil, "", err
	}
	address, err := o.Text(name)
	if err == nil && address == "" {
		err = errors.New("the issuer's metadata has no such address: write it into the configuration")
	}
	if err == nil {
		err = provider.CheckEndpoint(address, t.o.Issuer)
	}
	if err != nil {
		return nil, "", t.client.Failed(provider.OpDiscover, fmt.Errorf("%s: %w", name, err))
	}
	return o, address, nil
}

// refuse is the error for a token that is not good. The text, which goes on "the token",
// is the caller's to read: it says what is wrong and holds nothing of the token.
func (t *Trust) refuse(why string) error {
	return &authority.Error{Kind: authority.TokenInvalid, Op: t.op(opVerify), Public: "the token " + why}
}

// unavailable is the error where nobody can say whether a token is good.
func (t *Trust) unavailable(op string, err error) error {
	// Of the frame's error only the cause is wanted: its words are about logins.
	if e, ok := errors.AsType[*authority.Error](err); ok && e.Err != nil {
		err = e.Err
	}
	return &authority.Error{
		Kind: authority.Unavailable, Op: t.op(op), Public: publicUnavailable, RetryAfter: retryAfter, Err: err,
	}
}

func (t *Trust) op(op string) string { return "trust " + t.o.Name + ": " + op }
