package guard

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/config"
)

// The presets of `identity`.
const (
	PresetRemote       = "remote"
	PresetXForwarded   = "x_forwarded"
	PresetXAuthRequest = "x_auth_request"
	PresetNone         = "none"
)

// Presets returns the names of the presets, the default first.
func Presets() []string {
	return []string{PresetRemote, PresetXForwarded, PresetXAuthRequest, PresetNone}
}

// PresetHeaders returns the headers of a preset and the claims they carry, false
// if there is no such preset.
func PresetHeaders(preset string) ([]config.IdentityHeader, bool) {
	switch preset {
	case PresetRemote:
		return []config.IdentityHeader{
			{Name: "Remote-User", Claim: "user"},
			{Name: "Remote-Name", Claim: "name"},
			{Name: "Remote-Email", Claim: "email"},
			{Name: "Remote-Groups", Claim: "roles"},
		}, true
	case PresetXForwarded:
		return prefixed("X-Forwarded-"), true
	case PresetXAuthRequest:
		return prefixed("X-Auth-Request-"), true
	case PresetNone:
		return nil, true
	}
	return nil, false
}

func prefixed(prefix string) []config.IdentityHeader {
	return []config.IdentityHeader{
		{Name: prefix + "User", Claim: "sub"},
		{Name: prefix + "Preferred-Username", Claim: "preferred_username"},
		{Name: prefix + "Email", Claim: "email"},
		{Name: prefix + "Groups", Claim: "roles"},
	}
}

// field is one identity header of a guard.
type field struct {
	name    string // canonical
	claim   claim
	foreign string // name of the further claim of a foreign token, if claim is none of ours
}

// value returns the header's value, empty if the principal has none.
func (f *field) value(p *authority.Principal, source string) string {
	switch f.claim {
	case claimNone:
		return foreignHeader(p, f.foreign)
	case claimSubject, claimUser, claimUsername:
		if text := f.claim.text(p); source != "" && text != "" {
			return encodeText(source + text)
		}
	}
	return f.claim.header(p)
}

// fieldsOf compiles what `identity` says. Where foreign tokens are accepted, a name
// that is no claim of ours is one of theirs.
func fieldsOf(id config.Identity, foreign bool) ([]field, error) {
	headers := id.Headers
	if len(headers) == 0 {
		preset := id.Preset
		if preset == "" {
			preset = PresetRemote
		}
		var ok bool
		if headers, ok = PresetHeaders(preset); !ok {
			return nil, fmt.Errorf("identity: %q is no preset; there are %s", preset, strings.Join(Presets(), ", "))
		}
	} else if id.Preset != "" {
		return nil, fmt.Errorf("identity: a preset or a map, not both")
	}
	fields := make([]field, 0, len(headers))
	seen := make(map[string]string, len(headers))
	for _, h := range headers {
		if err := ValidHeaderName(h.Name); err != nil {
			return nil, fmt.Errorf("identity: %w", err)
		}
		if other, ok := seen[fold(h.Name)]; ok {
			return nil, fmt.Errorf("identity: some upstreams cannot tell the headers %s and %s apart", other, h.Name)
		}
		if swapped(h) {
			return nil, fmt.Errorf("identity: %s looks like a header, and %s like a claim: the header stands first", h.Claim, h.Name)
		}
		seen[fold(h.Name)] = h.Name
		f := field{name: http.CanonicalHeaderKey(h.Name), claim: claimOf(h.Claim)}
		switch {
		case f.claim != claimNone:
		case foreign:
			if err := validForeign(h.Claim); err != nil {
				return nil, fmt.Errorf("identity: the header %s: %w", h.Name, err)
			}
			f.foreign = h.Claim
		default:
			return nil, fmt.Errorf("identity: there is no claim %q for the header %s; there are %s",
				h.Claim, h.Name, strings.Join(ClaimNames(), ", "))
		}
		fields = append(fields, f)
	}
	return fields, nil
}

// swapped reports whether the claim looks like a header and the header like a claim. Where
// further claims are accepted any text may be one: the header that was meant would
// neither be set nor be taken off what clients send.
func swapped(h config.IdentityHeader) bool {
	return strings.Contains(h.Claim, "-") && h.Claim == http.CanonicalHeaderKey(h.Claim) &&
		!strings.Contains(h.Name, "-") && h.Name == strings.ToLower(h.Name)
}

// maxHeaderName is the longest identity header name, in bytes.
const maxHeaderName = 128

// ValidHeaderName reports why a name cannot be that of an identity header, nil if
// it can. Such a header is taken off every request of a guarded site, so it must
// not be one that HTTP, the proxy or the browser's protections live by.
func ValidHeaderName(name string) error {
	if name == "" || len(name) > maxHeaderName {
		return fmt.Errorf("a header name has 1 to %d characters", maxHeaderName)
	}
	for i := range len(name) {
		if !isToken(name[i]) {
			return fmt.Errorf("%q is not a header name (RFC 9110 §5.1)", name)
		}
	}
	switch folded := fold(name); folded {
	case "host", "connection", "te", "trailer", "upgrade", "keep-alive", "transfer-encoding",
		"authorization", "cookie", "set-cookie", "www-authenticate", "expect", "http2-settings",
		"forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto",
		"x-forwarded-port", "x-forwarded-prefix", "x-forwarded-uri", "x-forwarded-method",
		"x-real-ip", "accept", "accept-encoding", "accept-language", "cache-control", "date",
		"range", "origin", "referer", "user-agent", "priority", "early-data",
		"x-http-method-override", "x-http-method", "x-method-override":
		return fmt.Errorf("the header %s has a meaning of its own and cannot carry identity", name)
	default:
		for _, prefix := range []string{"content-", "proxy-", "sec-", "if-", "access-control-"} {
			if strings.HasPrefix(folded, prefix) {
				return fmt.Errorf("headers that start with %s have a meaning of their own and cannot carry identity", prefix)
			}
		}
	}
	return nil
}

// removeHeaders takes the guard's own identity headers off an anonymous request.
// Strip has done so already unless its set was made of another configuration.
func (g *Guard) removeHeaders(h http.Header) {
	for i := range g.fields {
		delete(h, g.fields[i].name)
	}
}

// identify sets the guard's identity headers in place of an earlier guard's. A
// header whose claim has no value is removed, whoever put it there.
func (g *Guard) identify(h http.Header, st *Request, p *authority.Principal, by *Accepted) {
	values := st.values[:]
	if st.setBy != nil || len(g.fields) > len(values) {
		// The earlier headers may still be referred to: their backing is not reused.
		values = make([]string, len(g.fields))
	}
	st.unset(h)
	source := g.sourceOf(by)
	for i := range g.fields {
		name := g.fields[i].name
		value := g.fields[i].value(p, source)
		if value == "" {
			delete(h, name)
			continue
		}
		values[i] = value
		h[name] = values[i : i+1 : i+1]
	}
	st.setBy = g
}

// sourceOf is what stands before the names of those whom an issuer vouches for. Beside
// others, a trust speaks for its own people only: whom it calls alice is not the alice of
// a realm.
func (g *Guard) sourceOf(by *Accepted) string {
	if by.Judged && len(g.accepted) > 1 {
		return by.Name + ":"
	}
	return ""
}
