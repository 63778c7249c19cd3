package guard

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// scene is what one evaluation of a policy looks at. Nothing is computed before the
// expression asks for it.
type scene struct {
	r         *http.Request
	st        *Request
	principal *authority.Principal // zero for an anonymous caller
	guard     *Guard
	at        time.Time // once asked for
	known     []lookup  // of the names asked for so far
}

// ResolveName answers for the two variables with the scene itself; their fields know
// what to take from it.
func (s *scene) ResolveName(name string) (any, bool) {
	return s, name == principalVar || name == requestVar
}

// Parent returns nil: there is nothing else to ask.
func (*scene) Parent() cel.Activation { return nil }

var _ cel.Activation = (*scene)(nil)

// The two variables and the names of their types.
const (
	principalVar  = "principal"
	requestVar    = "request"
	principalType = "gatehouse.Principal"
	requestType   = "gatehouse.Request"
)

// The fields that are maps: an expression names what it wants of them.
const (
	claimsField  = "claims"
	headersField = "headers"
	queryField   = "query"
)

// maxPolicyInput is how much of a header, path or query a policy looks at, in bytes.
// A request with more of it is refused by a policy that asks for it.
const maxPolicyInput = 8 << 10

var (
	errNoValue   = errors.New("it has no value")
	errElsewhere = errors.New("the token says that they are elsewhere (_claim_names)")
	errTooLong   = errors.New("it is too long to be judged")
	errQuery     = errors.New("the query cannot be parsed")
	errAlias     = errors.New("it is there in another spelling")
	errEarly     = errors.New("nobody has proven it yet: the request came in early data")
)

// factError is an error of a fact, by the name that the expression has for it. It
// never holds what a request or a token said.
type factError struct {
	name string
	err  error
}

func (e *factError) Error() string { return e.name + ": " + e.err.Error() }
func (e *factError) Unwrap() error { return e.err }

// fact is a field of one of the variables.
type fact struct {
	kind *cel.Type
	get  func(*scene) (ref.Val, error)
}

// factsOf returns the fields of both variables, by type and name.
func factsOf() map[string]map[string]fact {
	return map[string]map[string]fact{principalType: principalFacts(), requestType: requestFacts()}
}

func principalFacts() map[string]fact {
	return map[string]fact{
		"source":         textFact(func(p *authority.Principal) string { return p.Source }),
		"issuer":         textFact(func(p *authority.Principal) string { return p.Issuer }),
		"subject":        textFact(func(p *authority.Principal) string { return p.Subject }),
		"account":        textFact(func(p *authority.Principal) string { return p.Account }),
		"client":         textFact(func(p *authority.Principal) string { return p.Client }),
		"username":       textFact(func(p *authority.Principal) string { return p.Username }),
		"name":           textFact(func(p *authority.Principal) string { return p.Name }),
		"email":          textFact(func(p *authority.Principal) string { return p.Email }),
		"session":        textFact(func(p *authority.Principal) string { return p.Session }),
		"token_id":       textFact(func(p *authority.Principal) string { return p.TokenID }),
		"kind":           textFact(func(p *authority.Principal) string { return string(p.Kind) }),
		"scopes":         listFact(func(p *authority.Principal) *authority.List { return &p.Scopes }),
		"roles":          {cel.ListType(cel.StringType), rolesOf},
		"audience":       listFact(func(p *authority.Principal) *authority.List { return &p.Audience }),
		"issued_at":      timeFact("principal.issued_at", func(p *authority.Principal) int64 { return p.IssuedAt }),
		"expires":        timeFact("principal.expires", expires),
		"auth_time":      timeFact("principal.auth_time", func(p *authority.Principal) int64 { return p.AuthTime }),
		"email_verified": {cel.BoolType, func(s *scene) (ref.Val, error) { return types.Bool(s.principal.EmailVerified), nil }},
		claimsField: {cel.MapType(cel.StringType, cel.DynType), func(s *scene) (ref.Val, error) {
			return &asked{scene: s, of: claimsField, find: (*scene).claim}, nil
		}},
	}
}

func textFact(of func(*authority.Principal) string) fact {
	return fact{cel.StringType, func(s *scene) (ref.Val, error) { return types.String(of(s.principal)), nil }}
}

func listFact(of func(*authority.Principal) *authority.List) fact {
	return fact{cel.ListType(cel.StringType), func(s *scene) (ref.Val, error) { return (*packed)(of(s.principal)), nil }}
}

// rolesOf are the roles, which have no value where others would have to be asked for them: a
// rule may keep out a role that is not told.
func rolesOf(s *scene) (ref.Val, error) {
	if s.principal.RolesElsewhere {
		return nil, &factError{"principal.roles", errElsewhere}
	}
	return (*packed)(&s.principal.Roles), nil
}

// timeFact is a time; one that is not known has no value, rather than being 1970.
func timeFact(name string, of func(*authority.Principal) int64) fact {
	return fact{cel.TimestampType, func(s *scene) (ref.Val, error) {
		seconds := of(s.principal)
		if seconds == 0 {
			return nil, &factError{name, errNoValue}
		}
		return types.Timestamp{Time: time.Unix(seconds, 0).UTC()}, nil
	}}
}

func requestFacts() map[string]fact {
	text := func(name string, of func(*scene) string) fact {
		return fact{cel.StringType, func(s *scene) (ref.Val, error) {
			value := of(s)
			if len(value) > maxPolicyInput {
				return nil, &factError{"request." + name, errTooLong}
			}
			return types.String(value), nil
		}}
	}
	return map[string]fact{
		"method": text("method", func(s *scene) string { return s.r.Method }),
		"host":   text("host", func(s *scene) string { return hostname(s.r.Host) }),
		"path":   text("path", func(s *scene) string { return s.r.URL.Path }),
		"remote_ip": {cel.StringType, func(s *scene) (ref.Val, error) {
			if Early(s.r) {
				return nil, &factError{"request.remote_ip", errEarly}
			}
			return types.String(s.st.remoteIP(s.r)), nil
		}},
		"scheme": text("scheme", func(s *scene) string {
			if s.r.TLS != nil {
				return "https"
			}
			return "http"
		}),
		"time": {cel.TimestampType, func(s *scene) (ref.Val, error) {
			if s.at.IsZero() {
				s.at = s.guard.now().UTC()
			}
			return types.Timestamp{Time: s.at}, nil
		}},
		headersField: {cel.MapType(cel.StringType, cel.StringType), func(s *scene) (ref.Val, error) {
			return &asked{scene: s, of: headersField, find: (*scene).header}, nil
		}},
		queryField: {cel.MapType(cel.StringType, cel.ListType(cel.StringType)), func(s *scene) (ref.Val, error) {
			return &asked{scene: s, of: queryField, find: (*scene).parameter}, nil
		}},
	}
}

// claim returns a further claim of a foreign token, nil if it has none. A claim that
// is null has no value.
func (s *scene) claim(name string) (ref.Val, error) {
	text, ok := foreignClaim(s.principal.Claims, name)
	if !ok || text == "null" {
		return nil, nil
	}
	value, err := celOfJSON(text)
	if err != nil {
		return nil, &factError{"principal.claims." + name, err}
	}
	return value, nil
}

// header returns a field of the request by its name in lower case, nil if there is
// none: repeated ones joined as RFC 9110 §5.3 joins them. The credential and what a
// guard set are no part of what the client asks.
func (s *scene) header(name string) (ref.Val, error) {
	if s.guard.sets(name) || s.st.setBy != nil && s.st.setBy.sets(name) {
		return nil, nil
	}
	canonical := http.CanonicalHeaderKey(name)
	if err := s.doubtful(canonical); err != nil {
		return nil, &factError{"request.headers." + name, err}
	}
	values := s.r.Header[canonical]
	if len(values) == 0 {
		return nil, nil
	}
	size := 2 * (len(values) - 1)
	for _, v := range values {
		size += len(v)
	}
	if size > maxPolicyInput {
		return nil, &factError{"request.headers." + name, errTooLong}
	}
	if len(values) == 1 {
		return types.String(values[0]), nil
	}
	return types.String(strings.Join(values, ", ")), nil
}

// doubtful reports why an upstream could see another field of that name than we do: a
// CGI-like one takes X~Env for X-Env. What Connection names was taken off before.
func (s *scene) doubtful(canonical string) error {
	for name := range s.r.Header {
		if name != canonical && alike(name, canonical) {
			return errAlias
		}
	}
	return nil
}

// parameter returns all values that the query gives a name, in order, nil if there is
// none. Upstreams differ in which of them they take, so none is left out; and in which
// names are one, so a name that some of them takes for this one is an error.
func (s *scene) parameter(name string) (ref.Val, error) {
	if len(s.r.URL.RawQuery) > maxPolicyInput {
		return nil, &factError{"request.query", errTooLong}
	}
	values, err := url.ParseQuery(s.r.URL.RawQuery)
	if err != nil {
		return nil, &factError{"request.query", errQuery}
	}
	for other := range values {
		if other != name && sameParameter(other, name) {
			return nil, &factError{"request.query." + name, errAlias}
		}
	}
	if found := values[name]; len(found) > 0 {
		return types.NewStringList(types.DefaultTypeAdapter, found), nil
	}
	return nil, nil
}

// sameParameter reports whether some upstream takes two names of a query for one.
func sameParameter(a, b string) bool {
	return parameterName(a, false) == parameterName(b, false) || parameterName(a, true) == parameterName(b, true)
}

// parameterName is the name of a parameter as frameworks have it. PHP: nothing behind a NUL,
// no spaces in front, "a.b" as "a_b"; and "a[b]" as a part of a, or where the bracket stays
// open as "a_b". To those of Node and Ruby "[a]" and "a]" are a as well; "?a" is to who
// thinks that the query still has its question mark, and "!a" to Spring, as its default.
// ASP.NET takes no notice of case.
func parameterName(name string, open bool) string {
	name, _, _ = strings.Cut(name, "\x00")
	name = strings.TrimLeft(name, " ?!")
	if !open {
		name = strings.TrimLeft(name, "[]")
		if i := strings.IndexAny(name, "[]"); i > 0 {
			name = name[:i]
		}
	}
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '.' || r == '[' {
			return '_'
		}
		return unicode.ToLower(unicode.ToUpper(r))
	}, name)
}

// sets reports whether an upstream could read name as an identity header of the guard.
func (g *Guard) sets(name string) bool {
	return slices.ContainsFunc(g.fields, func(f field) bool { return alike(f.name, name) })
}

// hostname is the host of a Host field: without its port, in lower case, without the
// dot that may end a name.
func hostname(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	} else {
		host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	return strings.TrimSuffix(strings.ToLower(host), ".")
}

// remoteIP returns the client's address in its one plain form, empty if there is none:
// who the door says it is, else the peer.
func (st *Request) remoteIP(r *http.Request) string {
	text := ""
	if st.ClientIP != nil {
		text = st.ClientIP(r)
	} else if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		text = host
	}
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return ""
	}
	return ip.Unmap().WithZone("").String()
}
