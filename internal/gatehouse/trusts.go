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
	asked *trust.Trust
	ours  *authority.Authority
}

var (
	_ introspect.Prompt = (*foreign)(nil)
	_ introspect.Prompt = (*trust.Trust)(nil)
)

// Verify never sends out what a realm of ours knows, live or dead.
func (f *foreign) Verify(ctx context.Context, credential string) (authority.Principal, error) {
	switch owns, err := f.ours.Owns(ctx, credential); {
	case err != nil:
		return authority.Principal{}, err
	case owns:
		return authority.Principal{}, refuseOurs()
	}
	return f.asked.Verify(ctx, credential)
}

// VerifyAtOnce refuses what by its form is ours or cannot be the issuer's.
func (f *foreign) VerifyAtOnce(credential string) (authority.Principal, bool, error) {
	if owns, _ := f.ours.OwnsByForm(credential); owns {
		return authority.Principal{}, true, refuseOurs()
	}
	return f.asked.VerifyAtOnce(credential)
}

func refuseOurs() error {
	return &authority.Error{
		Kind: authority.TokenInvalid, Op: "verify a token", Public: "the token is not one of this issuer's",
	}
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
		asked := t.Keeping(claims)
		var v authority.Verifier = asked
		if in.Verify.Method == "introspection" { // the only way that sends tokens out
			v = &foreign{asked, auth}
		}
		accepted[in.Name] = guard.Accepted{
			Name: in.Name, Issuer: in.Issuer, Judged: true, Verifier: s.cache.Verifier(verdictsOf(block, claims), v),
		}
	}
	return used, nil
}
