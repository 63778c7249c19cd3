package gatehouse

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/guard"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/wire/oauth"
)

// Parts are what a Gatehouse is made of. All configuration in it must be complete
// and valid.
type Parts struct {
	Config    *config.Config
	Endpoints []config.Endpoints
	Guards    []config.Guard
	Logger    *slog.Logger
	Registry  audit.Registry
}

// Gatehouse is one configuration over a State. It is safe for concurrent use.
type Gatehouse struct {
	auth   *authority.Authority
	log    *audit.Log
	sites  []*Site
	guards []*guard.Guard
	apply  func() // see Serving
}

// New puts the rooms together over the State and makes the keys that a realm does
// not have yet.
func New(ctx context.Context, s *State, p Parts) (*Gatehouse, error) {
	if err := s.register(p.Registry); err != nil {
		return nil, err
	}
	realms, err := realmsOf(p.Config, s.outbound)
	if err != nil {
		return nil, err
	}
	log := audit.New(p.Logger, s.metrics)
	auth, err := authority.New(authority.Options{
		Store: s.store, Keys: s.keys, Throttle: s.guesses, Devices: s.devices, Forms: s.forms, Endings: s.cache, Clock: time.Now,
		Audit: log, Realms: realms,
	})
	if err != nil {
		return nil, err
	}
	if err := auth.Start(ctx); err != nil {
		return nil, err
	}
	accepted, err := verifiers(s, p.Config, auth)
	if err != nil {
		return nil, err
	}
	used, err := s.accept(accepted, p.Config, p.Guards, auth)
	if err != nil {
		return nil, err
	}
	turn := s.turns.came.Add(1)
	care := &upkeep{maintain: auth.Maintain, grace: longestGrace(realms)}
	s.adoptFirst(care)
	g := &Gatehouse{auth: auth, log: log, apply: sync.OnceFunc(func() {
		s.turns.take(turn, func() {
			s.cache.SetLimits(int64(p.Config.Cache.MaxSize), p.Config.Cache.MaxTTL.D(), p.Config.Cache.NegativeTTL.D())
			s.heap.set(floorOf(p.Config.GCFloor))
			s.adopt(care)
			s.trusts.keep(used)
			auth.Serve()
		})
	})}
	for _, c := range p.Guards {
		in := make([]guard.Accepted, 0, len(c.Accept))
		for _, name := range c.Accept {
			in = append(in, accepted[name])
		}
		built, err := guard.New(c, in, time.Now)
		if err != nil {
			return nil, err
		}
		g.guards = append(g.guards, built)
	}
	for _, c := range p.Endpoints {
		site, err := newSite(p.Config, c, auth, p.Logger)
		if err != nil {
			return nil, err
		}
		g.sites = append(g.sites, site)
	}
	return g, nil
}

// Serving says that a request has come for this configuration. Its cache limits
// act from then on, and its realms are looked after: a configuration that was
// refused in the end never changes either, nor does one after a later one has served.
func (g *Gatehouse) Serving() { g.apply() }

// Guard returns the i-th of Parts.Guards.
func (g *Gatehouse) Guard(i int) *guard.Guard { return g.guards[i] }

// Refused records that a guard refused a request. A client that went away first is
// no news.
func (g *Gatehouse) Refused(r *guard.Refusal, caller func() Caller) {
	if !r.Canceled() {
		g.log.Refused(string(r.Reason), r.Reason != guard.ReasonNoCredential, authority.Event{
			Realm: r.Source, Client: r.Client, Account: r.Account, Session: r.Session, TokenID: r.TokenID, Detail: r.Detail,
		}, caller())
	}
}

// Site returns the i-th of Parts.Endpoints.
func (g *Gatehouse) Site(i int) *Site { return g.sites[i] }

// verifiers returns the cached verifier of each realm, by name. The digest of its
// whole block is part of each cached key: a changed block makes its realm cold and
// leaves the others warm.
func verifiers(s *State, c *config.Config, auth *authority.Authority) (map[string]guard.Accepted, error) {
	found := make(map[string]guard.Accepted, len(c.Realms))
	for i := range c.Realms {
		r := &c.Realms[i]
		v, err := auth.Verifier(r.Name)
		if err != nil {
			return nil, err
		}
		block, err := json.Marshal(r)
		if err != nil {
			return nil, err
		}
		id := secret.Digest(sha256.Sum256(append([]byte("realm\x00"+r.Name+"\x00"), block...)))
		metadata := make(map[string]string, len(r.Resources))
		for _, resource := range r.Resources {
			if at, err := oauth.MetadataURL(resource.URL); err == nil && at != nil {
				metadata[resource.URL] = at.String()
			}
		}
		found[r.Name] = guard.Accepted{Name: r.Name, Issuer: r.Issuer, Verifier: s.cache.Verifier(id, v), Metadata: metadata}
	}
	return found, nil
}

// register puts the counters into the registry of this configuration.
func (s *State) register(reg audit.Registry) error {
	if err := s.metrics.Register(reg, s.numbers()...); err != nil {
		return fmt.Errorf("registering the metrics: %w", err)
	}
	return nil
}
