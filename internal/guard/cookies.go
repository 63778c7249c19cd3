package guard

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

const ownCookies = "gatehouse-"

// OwnCookie reports whether a cookie of that name is the gateway's own: no app behind
// it has a use for it, and none may set it. Some upstreams decode names before they
// compare them, none of ours needs that.
func OwnCookie(name string) bool {
	name = trim(name)
	for _, prefix := range [...]string{"__Host-", "__Secure-"} {
		if len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) {
			name = name[len(prefix):]
			break
		}
	}
	return len(name) >= len(ownCookies) && strings.EqualFold(name[:len(ownCookies)], ownCookies)
}

// stripCookies takes the gateway's own cookies off a request, and leaves every other
// byte of the Cookie fields as it came. It returns those it took, as one field.
func stripCookies(h http.Header) (own string) {
	rewriteField(h, "Cookie", func(field string) string {
		rest, taken := withoutOwnCookies(field)
		if taken != "" && own != "" {
			own += "; "
		}
		own += taken
		return rest
	})
	return own
}

// ShowCookies returns the request with the gateway's own cookies, which stripping took off
// it: for its own endpoints. The request itself stays without, since a handler in front of
// them may ask an app for another answer than theirs.
func (st *Request) ShowCookies(r *http.Request) *http.Request {
	if st.cookies == "" {
		return r
	}
	shown := r.WithContext(r.Context())
	shown.Header = maps.Clone(r.Header)
	shown.Header["Cookie"] = append(slices.Clip(r.Header["Cookie"]), st.cookies)
	return shown
}

// StripSetCookies takes the gateway's own cookies out of an app's answer, but for those that
// an answer of the gateway's own set, if there was one. A cookie without a name comes back
// as its value alone, which then looks like a name and a value.
func StripSetCookies(h http.Header, own *OwnAnswer) {
	rewriteField(h, "Set-Cookie", func(field string) string {
		name, _, _ := strings.Cut(strings.TrimLeft(field, "= \t"), "=")
		if OwnCookie(name) && (own == nil || !slices.Contains(own.SetCookies, field)) {
			return ""
		}
		return field
	})
}

// rewriteField changes the values of a field, and drops those of which nothing is left.
// A field that need not change is not touched, nor is anything allocated for it.
func rewriteField(h http.Header, name string, rewrite func(string) string) {
	fields, ok := h[name]
	if !ok {
		return
	}
	var kept []string
	for i, field := range fields {
		cleaned := rewrite(field)
		if cleaned != field && kept == nil {
			kept = append(make([]string, 0, len(fields)), fields[:i]...)
		}
		if kept != nil && cleaned != "" {
			kept = append(kept, cleaned)
		}
	}
	switch {
	case kept == nil:
	case len(kept) == 0:
		delete(h, name)
	default:
		h[name] = kept
	}
}

// withoutOwnCookies returns the field itself where it has none of ours, and ours.
func withoutOwnCookies(field string) (rest, own string) {
	var kept, taken []string
	at, found := 0, false
	for pair := range strings.SplitSeq(field, ";") {
		name, _, _ := strings.Cut(pair, "=")
		if OwnCookie(name) {
			if !found {
				found = true
				kept = strings.Split(field, ";")[:at]
			}
			taken = append(taken, trim(pair))
		} else if found {
			kept = append(kept, pair)
		}
		at++
	}
	if !found {
		return field, ""
	}
	return strings.TrimLeft(strings.Join(kept, ";"), " "), strings.Join(taken, "; ")
}
