package guard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// Reason is why a guard refused, for metrics and the audit log.
type Reason string

// The reasons.
const (
	ReasonMethod       Reason = "method"        // CONNECT, TRACE, in lower case, or no token
	ReasonTarget       Reason = "target"        // an upstream could read it as another path or host
	ReasonNoCredential Reason = "no_credential" // nothing presented
	ReasonMalformed    Reason = "malformed"     // not exactly one bearer credential
	ReasonToken        Reason = "token"         // not active, or not for a guard
	ReasonAudience     Reason = "audience"      // meant for another resource
	ReasonScope        Reason = "scope"         // lacks a scope
	ReasonRole         Reason = "role"          // has none of the roles
	ReasonPolicy       Reason = "policy"        // the policy is not true, or could not be evaluated
	ReasonUnavailable  Reason = "unavailable"   // nobody could say
	ReasonCanceled     Reason = "canceled"      // the client went away first
	ReasonMisuse       Reason = "misuse"        // the request was not stripped
)

// Refusal is how a guard answers a request that does not pass.
type Refusal struct {
	Status int         // 400, 401, 403, 405, 425 or 503
	Header http.Header // what the answer carries: Cache-Control, and WWW-Authenticate, Retry-After or Allow
	Reason Reason
	Err    *authority.Error // for the log; holds no credential
	Detail string           // for the log: why, with what the rule demands; never for the caller

	// Who called, for the log, if somebody vouched for the token. Account, session and
	// token id are of our own tokens only: some issuers' `jti` is the token itself.
	Source, Client, Account, Session, TokenID string
}

// of notes whose token it was.
func (r *Refusal) of(p *authority.Principal, by *Accepted) *Refusal {
	r.Source, r.Client = by.Name, p.Client
	if !by.Judged {
		r.Account, r.Session, r.TokenID = p.Account, p.Session, p.TokenID
	}
	return r
}

// Public is what the caller may read of the refusal.
func (r *Refusal) Public() string {
	if r.Err != nil && r.Err.Public != "" {
		return r.Err.Public
	}
	return http.StatusText(r.Status)
}

// Canceled reports whether the client had gone before it could be answered: no
// fault of anybody's, and no news for a log.
func (r *Refusal) Canceled() bool { return r.Reason == ReasonCanceled }

// retryAfter is said when the verifier does not say itself when to come again.
const retryAfter = 5 * time.Second

// allow is what a guarded route lets through to the upstream; which of them the
// upstream answers only it knows (RFC 9110 §10.2.1).
const allow = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

const operation = "guard"

func newRefusal(status int, reason Reason, err *authority.Error) *Refusal {
	err.Op = operation
	return &Refusal{
		Status: status, Reason: reason, Err: err, Detail: cause(err),
		Header: http.Header{"Cache-Control": {"no-store"}},
	}
}

// cause is the innermost thing that an error says: what was being done, and the words
// for the caller, stand elsewhere in the log.
func cause(err error) string {
	e, ok := errors.AsType[*authority.Error](err)
	switch {
	case !ok:
		return err.Error()
	case e.Err != nil:
		return cause(e.Err)
	case e.Public != "":
		return e.Public
	}
	return e.Kind.String()
}

// because adds to the log what the rule demands.
func (r *Refusal) because(format string, args ...any) *Refusal {
	r.Detail += ": " + fmt.Sprintf(format, args...)
	return r
}

func (r *Refusal) with(header, value string) *Refusal {
	r.Header.Set(header, value)
	return r
}

// RefuseMethod answers a method that no guarded site takes.
func RefuseMethod(method string) *Refusal {
	public := "the method is not allowed"
	if AmbiguousMethod(method) {
		public = "the method must be a token in upper case"
	}
	return newRefusal(http.StatusMethodNotAllowed, ReasonMethod,
		&authority.Error{Kind: authority.Invalid, Public: public}).with("Allow", allow)
}

func refuseMisuse() *Refusal {
	return newRefusal(http.StatusServiceUnavailable, ReasonMisuse,
		&authority.Error{Kind: authority.Internal, Err: errors.New("identity was not stripped before the check")}).
		with("Retry-After", seconds(retryAfter))
}

// refuseUnavailable answers what nobody could judge: no challenge, since a client
// would throw a good token away on one.
func refuseUnavailable(ctx context.Context, cause error) *Refusal {
	if err := ctx.Err(); err != nil {
		return newRefusal(http.StatusServiceUnavailable, ReasonCanceled,
			&authority.Error{Kind: authority.Unavailable, Err: err})
	}
	wait := retryAfter
	if e, ok := errors.AsType[*authority.Error](cause); ok && e.RetryAfter > 0 {
		wait = e.RetryAfter
	}
	return newRefusal(http.StatusServiceUnavailable, ReasonUnavailable,
		&authority.Error{Kind: authority.KindOf(cause), RetryAfter: wait, Err: cause}).
		with("Retry-After", seconds(wait))
}

// refuseAnonymous challenges without an error code (RFC 6750 §3.1: "If the request
// lacks any authentication information").
func (g *Guard) refuseAnonymous() *Refusal {
	return newRefusal(http.StatusUnauthorized, ReasonNoCredential,
		&authority.Error{Kind: authority.TokenInvalid, Public: "no credential"}).
		with("WWW-Authenticate", g.challenge+g.metadata)
}

func (g *Guard) refuseMalformed() *Refusal {
	const public = "the request must carry exactly one Authorization field of the form: Bearer <token>"
	return newRefusal(http.StatusBadRequest, ReasonMalformed,
		&authority.Error{Kind: authority.Invalid, Public: public}).
		with("WWW-Authenticate", g.challengeWith("invalid_request", public))
}

// refuseUnknown answers a credential that none of the accepted vouches for; faults is
// what each of them said. If one of them cannot say now, the token may be good. Where
// they say different things nobody but the log is told: what a realm finds wrong with
// another issuer's token would mislead whoever holds it.
func (g *Guard) refuseUnknown(ctx context.Context, faults []error) *Refusal {
	var unavailable error
	public, details := "", make([]string, len(faults))
	for i, err := range faults {
		details[i] = g.accepted[i].Name + ": " + cause(err)
		if authority.KindOf(err) != authority.TokenInvalid {
			unavailable = err
			continue
		}
		said := publicOf(err)
		if public != "" && said != public {
			said = "no issuer that is accepted here vouches for the token"
		}
		public = said
	}
	var r *Refusal
	if unavailable != nil {
		r = refuseUnavailable(ctx, unavailable)
	} else {
		r = g.refuseToken(ReasonToken, public, errors.Join(faults...))
	}
	r.Detail = strings.Join(details, "; ")
	return r
}

// publicOf is what the caller is told of a token that is not good.
func publicOf(err error) string {
	if e, ok := errors.AsType[*authority.Error](err); ok && e.Public != "" {
		return e.Public
	}
	return "the token is not active"
}

// refuseToken answers a credential that is not active or not meant for us
// (RFC 6750 §3.1: invalid_token).
func (g *Guard) refuseToken(reason Reason, public string, cause error) *Refusal {
	return newRefusal(http.StatusUnauthorized, reason,
		&authority.Error{Kind: authority.TokenInvalid, Public: public, Err: cause}).
		with("WWW-Authenticate", g.challengeWith("invalid_token", public))
}

// refuseScope names the scopes the route demands, all of them (RFC 6750 §3).
func (g *Guard) refuseScope() *Refusal {
	const public = "the token lacks a scope that this resource demands"
	return newRefusal(http.StatusForbidden, ReasonScope,
		&authority.Error{Kind: authority.ClientForbidden, Public: public}).
		with("WWW-Authenticate", g.challengeWith("insufficient_scope", public)+
			", scope="+quoted(strings.Join(g.scopes, " "))).
		because("all of %s", strings.Join(g.scopes, " "))
}

// refuseRole does not name the roles: which there are is the operator's affair,
// and unlike a scope no client can ask for one.
func (g *Guard) refuseRole(p *authority.Principal) *Refusal {
	const public = "the caller has no role that this resource demands"
	r := newRefusal(http.StatusForbidden, ReasonRole,
		&authority.Error{Kind: authority.ClientForbidden, Public: public}).
		with("WWW-Authenticate", g.challengeWith("insufficient_scope", public))
	if p.RolesElsewhere {
		return r.because("one of %s, and %v", strings.Join(g.roles, ", "), errElsewhere)
	}
	return r.because("one of %s", strings.Join(g.roles, ", "))
}

// refuseAudience answers a token that is meant for another resource.
func (g *Guard) refuseAudience() *Refusal {
	r := g.refuseToken(ReasonAudience, "the token is for another audience", nil)
	if len(g.audience) == 0 {
		return r.because("the guard names none, so it takes what is for the issuer of the realm")
	}
	return r.because("the guard takes %s", strings.Join(g.audience, ", "))
}

// refusePolicy does not name the rule, and challenges only a caller without a
// credential: whatever another could present, the answer would not be different.
func (g *Guard) refusePolicy(cause error, anonymous bool) *Refusal {
	err := &authority.Error{Kind: authority.ClientForbidden, Public: "the policy of this resource refuses the request", Err: cause}
	if !anonymous {
		return newRefusal(http.StatusForbidden, ReasonPolicy, err)
	}
	err.Kind = authority.TokenInvalid
	return newRefusal(http.StatusUnauthorized, ReasonPolicy, err).with("WWW-Authenticate", g.challenge+g.metadata)
}

// refuseEarly asks for the request once more, after the handshake (RFC 8470 §5.2).
func refuseEarly(cause error) *Refusal {
	return newRefusal(http.StatusTooEarly, ReasonPolicy,
		&authority.Error{Kind: authority.Unavailable, Public: "the request came too early to tell its sender's address", Err: cause})
}

func (g *Guard) challengeWith(code, description string) string {
	return g.challenge + `, error="` + code + `", error_description="` + describe(description) + `"` + g.metadata
}

// metadataOf is the part of a challenge that says where a client learns who issues tokens
// for the first of the audiences of which that is published (RFC 9728 §5.1).
func metadataOf(audience []string, accepted []Accepted) string {
	for _, resource := range audience {
		for i := range accepted {
			if at := accepted[i].Metadata[resource]; at != "" {
				return ", resource_metadata=" + quoted(at)
			}
		}
	}
	return ""
}

// quoted writes s as a quoted-string (RFC 9110 §5.6.4), with '?' for what is not
// printable ASCII.
func quoted(s string) string {
	b := append(make([]byte, 0, len(s)+2), '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ' || c > '~':
			b = append(b, '?')
		default:
			b = append(b, c)
		}
	}
	return string(append(b, '"'))
}

// maxDescription bounds error_description, in bytes.
const maxDescription = 200

// describe brings s into the characters of error_description (RFC 6750 §3:
// %x20-21 / %x23-5B / %x5D-7E).
func describe(s string) string {
	b := make([]byte, 0, min(len(s), maxDescription))
	for i := range min(len(s), maxDescription) {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			c = '\''
		case c < ' ' || c > '~':
			c = '?'
		}
		b = append(b, c)
	}
	return string(b)
}

// seconds writes a delay in whole seconds, rounded up, at least one
// (RFC 9110 §10.2.3).
func seconds(d time.Duration) string {
	return strconv.FormatInt(max(1, int64((d+time.Second-1)/time.Second)), 10)
}
