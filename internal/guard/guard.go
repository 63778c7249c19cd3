package guard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/config"
)

// Accepted is one issuer whose tokens a guard takes.
type Accepted struct {
	Name     string             // of the realm or trust, as `accept` names it
	Issuer   string             // its `iss`: what it vouches for must carry it; empty: not compared
	Verifier authority.Verifier // who says what a credential is
	// Judged says that the verifier judges the audience by its own configuration, as a
	// trust does: a guard that names no audience takes what it vouches for. Only such
	// principals have further claims.
	Judged bool
	// Metadata are the addresses of what is published of the issuer's protected resources
	// (RFC 9728), by resource: the challenge of a guard with such an audience names it.
	Metadata map[string]string

	recorder recorder // the Verifier, if it is one
}

// recorder is a verifier that can say again what it said: of the verdict cache, a record
// is a copy of the block. A request keeps it instead of the principal, which is ten
// times as large and of which little is asked for again.
type recorder interface {
	// VerifyRecorded is Verify, at a time that was read just now. The record is empty
	// where there is none to recall.
	VerifyRecorded(ctx context.Context, credential string, now time.Time) (authority.Principal, string, error)
	// Recall returns the principal of a record, false if it is none.
	Recall(record string) (authority.Principal, bool)
}

// verify asks the verifier.
func (a *Accepted) verify(ctx context.Context, credential string, now time.Time) (authority.Principal, string, error) {
	if a.recorder != nil {
		return a.recorder.VerifyRecorded(ctx, credential, now)
	}
	p, err := a.Verifier.Verify(ctx, credential)
	return p, "", err
}

// leeway is how far past its expiry a principal is let through. The verifier
// judges expiry exactly; this is the most that any of them may grant.
const leeway = 5 * time.Second

// Guard is the compiled rule of one route. It is safe for concurrent use.
type Guard struct {
	accepted  []Accepted
	audience  []string
	scopes    []string
	roles     []string
	fields    []field
	policy    *policy // nil: none
	optional  bool
	lenient   bool
	strip     bool   // of `credential`
	challenge string // without an error code
	metadata  string // the part of every challenge that names the resource's metadata; empty: there is none
	now       authority.Clock
}

// Valid reports what New would refuse of a rule, given the names of all trusts that
// the configuration has.
func Valid(cfg config.Guard, trusts ...string) error {
	_, _, err := compile(cfg, slices.ContainsFunc(cfg.Accept, func(name string) bool { return slices.Contains(trusts, name) }))
	return err
}

// compile makes what a rule says of identity and policy ready, and reports whatever
// else is wrong with it. foreign says whether a trust is accepted.
func compile(cfg config.Guard, foreign bool) ([]field, *policy, error) {
	switch cfg.Login {
	case "", "auto", "never":
	default:
		return nil, nil, fmt.Errorf("guard: login %q is not served", cfg.Login)
	}
	switch cfg.Credential {
	case "", "strip", "keep":
	default:
		return nil, nil, fmt.Errorf("guard: credential is strip or keep, not %q", cfg.Credential)
	}
	for _, list := range [][]string{cfg.Audience, cfg.Scopes, cfg.Roles} {
		// An empty word would be a demand that anybody or nobody meets.
		if slices.Contains(list, "") {
			return nil, nil, errors.New("guard: an empty audience, scope or role")
		}
	}
	fields, err := fieldsOf(cfg.Identity, foreign)
	if err != nil {
		return nil, nil, fmt.Errorf("guard: %w", err)
	}
	if cfg.Policy == "" {
		return fields, nil, nil
	}
	p, err := compilePolicy(cfg.Policy, foreign, fields)
	if err != nil {
		return nil, nil, fmt.Errorf("guard: %w", err)
	}
	return fields, p, nil
}

// ClaimsOf returns the further claims of a foreign token that the rule's identity map
// and policy name, sorted: what its trusts must keep of a token. Placeholders of other
// claims stay empty.
func ClaimsOf(cfg config.Guard) []string {
	fields, p, err := compile(cfg, true)
	if err != nil {
		return nil // New says why
	}
	var names []string
	for _, f := range fields {
		if f.foreign != "" {
			names = append(names, f.foreign)
		}
	}
	if p != nil {
		names = append(names, p.claims...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// New compiles a guard that asks the accepted issuers in this order. The
// configuration was validated before; an error means one that cannot be served.
// Without a clock it uses the system's.
func New(cfg config.Guard, accepted []Accepted, now authority.Clock) (*Guard, error) {
	if len(accepted) == 0 {
		return nil, errors.New("guard: accepts nobody")
	}
	for i, a := range accepted {
		if a.Name == "" || a.Verifier == nil {
			return nil, errors.New("guard: an accepted issuer without a name or a verifier")
		}
		if slices.ContainsFunc(accepted[:i], func(b Accepted) bool { return a.Name == b.Name }) {
			return nil, fmt.Errorf("guard: accepts %q twice", a.Name)
		}
	}
	fields, p, err := compile(cfg, slices.ContainsFunc(accepted, func(a Accepted) bool { return a.Judged }))
	if err != nil {
		return nil, err
	}
	if now == nil {
		now = time.Now
	}
	accepted = slices.Clone(accepted)
	for i := range accepted {
		accepted[i].recorder, _ = accepted[i].Verifier.(recorder)
	}
	return &Guard{
		accepted: accepted,
		audience: slices.Clone(cfg.Audience),
		scopes:   slices.Clone(cfg.Scopes),
		roles:    slices.Clone(cfg.Roles),
		fields:   fields,
		policy:   p,
		optional: cfg.Optional,
		lenient:  cfg.LenientPaths,
		strip:    cfg.Credential != "keep",
		// One challenge, for the first of the accepted: a client reads no second.
		challenge: "Bearer realm=" + quoted(accepted[0].Name),
		metadata:  metadataOf(cfg.Audience, accepted),
		now:       now,
	}, nil
}

// Check judges a stripped request. It returns nil if the request passes, its
// identity headers set and its credential removed as the configuration says;
// else how to answer. A refused request carries no identity.
func (g *Guard) Check(r *http.Request, st *Request) *Refusal {
	refusal := g.check(r, st)
	if refusal != nil {
		st.withdraw(r.Header)
	}
	return refusal
}

func (g *Guard) check(r *http.Request, st *Request) *Refusal {
	if !st.stripped {
		return refuseMisuse()
	}
	// First of all: what answers a refused request has no use for the credential either.
	fresh := st.seek(r.Header)
	if g.strip {
		st.dropCredential(r.Header, fresh)
	}
	if methodRefused(r) {
		return RefuseMethod(r.Method)
	}
	why := st.garbled(r)
	if why == "" && !g.lenient {
		why = st.Ambiguous(r)
	}
	if why != "" {
		return RefuseTarget(why)
	}
	switch st.found {
	case foundMalformed:
		return g.refuseMalformed()
	case foundOversized:
		return g.refuseToken(ReasonToken, "the token is too long", nil)
	case foundNone:
		return g.anonymous(r, st)
	}
	// The principal stays on the stack: on the heap, the collector would pay for each of
	// its texts on every request.
	var p authority.Principal
	by, refusal := g.recognise(r.Context(), st, &p)
	if refusal != nil {
		return refusal
	}
	if refusal := g.judge(&p, by.Judged); refusal != nil {
		return refusal.of(&p, by)
	}
	if g.policy != nil {
		if refusal := g.judgePolicy(r, st, p, false); refusal != nil {
			return refusal.of(&p, by)
		}
	}
	g.identify(r.Header, st, &p, by)
	return nil
}

// judgePolicy holds the policy against a principal of its own, which it keeps.
func (g *Guard) judgePolicy(r *http.Request, st *Request, p authority.Principal, anonymous bool) *Refusal {
	err := g.policy.judge(&scene{r: r, st: st, principal: &p, guard: g})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errEarly):
		return refuseEarly(err)
	}
	return g.refusePolicy(err, anonymous)
}

// anonymous judges a caller without a credential. A policy judges one too, by a
// principal without anything; a true preflight tells nothing to judge by.
func (g *Guard) anonymous(r *http.Request, st *Request) *Refusal {
	preflight := st.cookies == "" && isPreflight(r)
	if !g.optional && !preflight {
		return g.refuseAnonymous()
	}
	g.removeHeaders(r.Header)
	if preflight {
		removeBody(r)
		st.unjudged = st.unjudged || !g.optional || g.policy != nil
		return nil
	}
	if g.policy != nil {
		return g.judgePolicy(r, st, authority.Principal{}, true)
	}
	return nil
}

// recognise finds out whose the credential is, unless an earlier guard knows it
// from an issuer that this one accepts too. It returns who vouched.
func (g *Guard) recognise(ctx context.Context, st *Request, p *authority.Principal) (*Accepted, *Refusal) {
	of := "" // whose it is, if an earlier guard knows
	if known, ok := st.Principal(); ok {
		for i := range g.accepted {
			if g.accepted[i].Name == st.by.Name {
				*p = *known
				return &g.accepted[i], nil
			}
		}
		of = known.Issuer
	}
	st.forget()
	faults := make([]error, 0, 4) // of each that was asked; few, so that they stay on the stack
	for i := range g.accepted {
		a := &g.accepted[i]
		if of != "" && a.Issuer != "" && a.Issuer != of {
			// It cannot be his, and he might be one who is asked by showing it to him.
			faults = append(faults, errOther)
			continue
		}
		var record string
		var err error
		now := g.now()
		*p, record, err = a.verify(ctx, st.credential, now)
		if record == "" {
			now = g.now() // it was no hit: looking up took time
		}
		if err == nil {
			err = a.fault(p, now)
		}
		if err == nil {
			st.know(a, p, record)
			return a, nil
		}
		faults = append(faults, err)
	}
	return nil, g.refuseUnknown(ctx, faults)
}

// fault reports why a guard cannot take what a verifier vouched for. A verifier
// that keeps its contract never gets here with an expired token or another's.
func (a *Accepted) fault(p *authority.Principal, now time.Time) error {
	public := ""
	switch {
	case p.Kind != authority.KindAccess && p.Kind != authority.KindPersonal:
		public = "the token is not for use at a resource"
	case a.Issuer != "" && p.Issuer != a.Issuer:
		return errOther
	case p.Expires <= 0 || now.Unix() > p.Expires+int64(leeway/time.Second):
		public = "the token has expired"
	default:
		return nil
	}
	return &authority.Error{Kind: authority.TokenInvalid, Op: operation, Public: public}
}

// errOther is what a guard finds wrong with a token that is not the issuer's.
var errOther = &authority.Error{Kind: authority.TokenInvalid, Op: operation, Public: "the token is another issuer's"}

// judge holds the route's demands against the facts, on every request: facts are
// cached, demands never.
func (g *Guard) judge(p *authority.Principal, judged bool) *Refusal {
	if !g.meant(p, judged) {
		return g.refuseAudience()
	}
	if !p.Scopes.HasAll(g.scopes) {
		return g.refuseScope()
	}
	if len(g.roles) > 0 && !p.Roles.HasAny(g.roles) {
		return g.refuseRole(p)
	}
	return nil
}

// meant reports whether the token is for this route; a route that names no
// audience takes only tokens whose audience is their own issuer, or was judged.
func (g *Guard) meant(p *authority.Principal, judged bool) bool {
	if len(g.audience) == 0 {
		return judged || p.Issuer != "" && p.Audience.Has(p.Issuer)
	}
	return p.Audience.HasAny(g.audience)
}
