package gatehouse

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/guard"
	"github.com/gatehouse-auth/gatehouse/internal/introspect"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/trust"
)

// trustNamespace is the space of the UUIDs made of the names of trusts.
const trustNamespace = "https://gatehouse-auth.github.io/trust"

// trusts are somebody else's issuers with what was learned of them: a reload that leaves
// their blocks alone neither forgets their keys nor asks for them again.
type trusts struct {
	mu    sync.Mutex
	known map[secret.Digest]*trust.Trust // by digest of the block
}

// of returns the trust of a block, and the digest of the block.
func (t *trusts) of(in *config.Trust, client *http.Client) (*trust.Trust, secret.Digest, error) {
	block, err := json.Marshal(in)
	if err != nil {
		return nil, secret.Digest{}, err
	}
	id := secret.Digest(sha256.Sum256(append([]byte("trust\x00"+in.Name+"\x00"), block...)))
	t.mu.Lock()
	defer t.mu.Unlock()
	if known := t.known[id]; known != nil {
		return known, id, nil
	}
	made, err := newTrust(in, client)
	if err != nil {
		return nil, secret.Digest{}, fmt.Errorf("trust %s: %w", in.Name, err)
	}
	if t.known == nil {
		t.known = map[secret.Digest]*trust.Trust{}
	}
	t.known[id] = made
	return made, id, nil
}

// keep forgets all trusts but these.
func (t *trusts) keep(ids []secret.Digest) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id := range t.known {
		if !slices.Contains(ids, id) {
			delete(t.known, id)
		}
	}
}

// verdictsOf is the digest that stands for all that a trust's verdicts depend on: its block,
// and the claims that are kept of a token.
func verdictsOf(block secret.Digest, claims []string) secret.Digest {
	return secret.Digest(sha256.Sum256([]byte(string(block[:]) + strings.Join(claims, "\x00"))))
}

func newTrust(in *config.Trust, client *http.Client) (*trust.Trust, error) {
	o := trust.Options{
		Name: in.Name, ID: secret.NamedUUID(trustNamespace, in.Name), Issuer: in.Issuer, Audience: in.Audience, Types: in.Types,
		HTTP: client,
	}
	if in.AnyAudience() {
		o.Audience = nil
	}
	if in.Verify.Method == "introspection" {
		o.Introspection = &trust.Introspection{URL: in.Verify.URL, ClientID: in.Verify.ClientID, ClientSecret: in.Verify.ClientSecret}
	} else {
		o.KeySetURL = in.Verify.URL
	}
	return trust.New(o)
}

// claimsOf are the claims of the trust's tokens that some guard asks for, sorted.
func claimsOf(name string, guards []config.Guard) []string {
	var claims []string
	for _, g := range guards {
		if slices.Contains(g.Accept, name) {
			claims = append(claims, guard.ClaimsOf(g)...)
		}
	}
	slices.Sort(claims)
	return slices.Compact(claims)
}

// foreign asks another issuer about a credential, unless it is one of ours.
type foreign struct {
	asked  *trust.Trust
	owns   func(ctx context.Context, credential string) (bool, error) // nil: nothing is sent out
	asking atomic.Int64                                               // lookups under way
}

// Verify never sends out what a realm of ours knows, live or dead.
func (f *foreign) Verify(ctx context.Context, credential string) (authority.Principal, error) {
	f.asking.Add(1)
	defer f.asking.Add(-1)
	if err := f.refuseOurs(ctx, credential); err != nil {
		return authority.Principal{}, err
	}
	return f.asked.Verify(ctx, credential)
}

// disown refuses, as Verify would, what cannot be the issuer's, without asking it. Errors:
// TokenInvalid, Unavailable.
func (f *foreign) disown(ctx context.Context, credential string) error {
	if err := f.asked.Disown(credential); err != nil {
		return err
	}
	return f.refuseOurs(ctx, credential)
}

func (f *foreign) refuseOurs(ctx context.Context, credential string) error {
	if f.owns == nil {
		return nil
	}
	switch owns, err := f.owns(ctx, credential); {
	case err != nil:
		return err
	case owns:
		return &authority.Error{
			Kind: authority.TokenInvalid, Op: "verify a token", Public: "the token is not one of this issuer's",
		}
	}
	return nil
}

// crowd is how many lookups under way at an issuer make a token that cannot be its own go
// past them. Lookups queue when there are too many: behind an issuer that says nothing,
// the tokens of those whom a guard asks after it would wait as long as its own.
const crowd = 16

// cached is a trust with the verdict cache in front of it.
type cached struct {
	*introspect.Verifier
	behind *foreign
}

// Verify is that of the cache.
func (c *cached) Verify(ctx context.Context, credential string) (authority.Principal, error) {
	p, _, err := c.VerifyRecorded(ctx, credential, time.Now())
	return p, err
}

// VerifyRecorded is that of the cache, which a token that cannot be the issuer's does not
// enter while there is a crowd.
func (c *cached) VerifyRecorded(ctx context.Context, credential string, now time.Time) (authority.Principal, string, error) {
	if c.behind.asking.Load() >= crowd {
		// Where that cannot be told, the cache may still know the token.
		if err := c.behind.disown(ctx, credential); authority.KindOf(err) == authority.TokenInvalid {
			return authority.Principal{}, "", err
		}
	}
	return c.Verifier.VerifyRecorded(ctx, credential, now)
}

// accept adds the trusts of a configuration to those whom guards may accept. used are
// what to keep once it serves.
func (s *State) accept(accepted map[string]guard.Accepted, c *config.Config, guards []config.Guard, auth *authority.Authority) (used []secret.Digest, err error) {
	for i := range c.Trusts {
		in := &c.Trusts[i]
		t, block, err := s.trusts.of(in, s.outbound)
		if err != nil {
			return nil, err
		}
		used = append(used, block)
		claims := claimsOf(in.Name, guards)
		f := &foreign{asked: t.Keeping(claims)}
		if in.Verify.Method == "introspection" {
			f.owns = auth.Owns
		}
		v := &cached{s.cache.Verifier(verdictsOf(block, claims), f), f}
		accepted[in.Name] = guard.Accepted{Name: in.Name, Issuer: in.Issuer, Judged: true, Verifier: v}
	}
	return used, nil
}
