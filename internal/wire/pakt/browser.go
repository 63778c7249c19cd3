package pakt

import (
	"errors"
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// The name of the cookie that a browser proves by that it began a login. Browsers take
// one with the prefix only from the host itself, over TLS, for all paths (RFC 6265bis
// §4.1.3.2), so that a neighbouring site cannot plant one.
//
// The first character of the value follows the name: tabs that begin a login at the
// same time, before the browser has any cookie, get one each, and few of them take
// another one's place. There can be 64 of them at the most, and once there is one, no
// further one is made.
const (
	cookieName       = "gatehouse-login-"
	cookieNameSecure = "__Host-gatehouse-login-"
)

const (
	cookieSeconds = 90 * 24 * 60 * 60
	maxBrowser    = 128 // bytes of a cookie's value
	maxBrowsers   = 64
)

func (d *Dialect) cookieName() string {
	if d.options.Secure {
		return cookieNameSecure
	}
	return cookieName
}

// browsers is what the browser was given at earlier starts, as far as it brings it.
// What cannot be ours is left out. Errors: Invalid.
func (d *Dialect) browsers(r *http.Request) ([]string, error) {
	var brought []string
	seen := map[string]bool{}
	for _, c := range r.Cookies() {
		at, ours := strings.CutPrefix(c.Name, d.cookieName())
		if !ours || len(at) != 1 {
			continue
		}
		if seen[at] || len(brought) == maxBrowsers { // which one would be the browser's own?
			return nil, invalid("the cookie " + d.cookieName() + at + " is there more than once: delete this site's cookies")
		}
		seen[at] = true
		if strings.HasPrefix(c.Value, at) && len(c.Value) <= maxBrowser {
			brought = append(brought, c.Value)
		}
	}
	return brought, nil
}

// setBrowser gives the browser what it should bring at the finish.
func (d *Dialect) setBrowser(w http.ResponseWriter, value string) error {
	unfit := &authority.Error{Kind: authority.Internal, Op: "set the cookie", Err: errors.New("what the browser should keep is no value for a cookie")}
	if value == "" || len(value) > maxBrowser {
		return unfit
	}
	cookie := &http.Cookie{ //nolint:gosec // G124: on http, which is for loopback, browsers drop a Secure cookie
		Name: d.cookieName() + value[:1], Value: value, Path: "/", MaxAge: cookieSeconds,
		HttpOnly: true, Secure: d.options.Secure, SameSite: d.sameSite(),
	}
	if cookie.Valid() != nil {
		return unfit
	}
	http.SetCookie(w, cookie)
	return nil
}

// sameSite lets pages of other sites bring the cookie only where some may call. Browsers
// take None only over TLS; without it, on loopback, all ports are one site anyway.
func (d *Dialect) sameSite() http.SameSite {
	if len(d.origins) > 0 && d.options.Secure {
		return http.SameSiteNoneMode
	}
	return http.SameSiteLaxMode
}

func invalid(public string) error {
	return &authority.Error{Kind: authority.Invalid, Op: opRead, Public: public}
}
