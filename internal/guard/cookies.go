package guard

import (
	"net/http"
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

// StripCookies takes the gateway's own cookies off a request that goes on to an app,
// and leaves every other byte of the Cookie fields as it came.
func StripCookies(h http.Header) { rewriteField(h, "Cookie", withoutOwnCookies) }

// StripSetCookies takes the gateway's own cookies out of an app's answer.
func StripSetCookies(h http.Header) {
	rewriteField(h, "Set-Cookie", func(field string) string {
		if name, _, _ := strings.Cut(field, "="); OwnCookie(name) {
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

// withoutOwnCookies returns the field itself where it has none of ours.
func withoutOwnCookies(field string) string {
	var kept []string
	at, found := 0, false
	for pair := range strings.SplitSeq(field, ";") {
		name, _, _ := strings.Cut(pair, "=")
		if OwnCookie(name) {
			if !found {
				found = true
				kept = strings.Split(field, ";")[:at]
			}
		} else if found {
			kept = append(kept, pair)
		}
		at++
	}
	if !found {
		return field
	}
	return strings.TrimLeft(strings.Join(kept, ";"), " ")
}
