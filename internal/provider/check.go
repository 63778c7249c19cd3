package provider

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// The bounds of what goes to an upstream and comes from it, in bytes.
const (
	MaxToken   = 16 << 10 // an access token or an ID token
	MaxCode    = 4 << 10  // a code or a device code
	maxSubject = 255
	maxName    = 255
	maxEmail   = 254 // RFC 5321 §4.5.3.1.3, less the brackets
	maxAddress = 2048
)

// CheckURL refuses an address that no upstream may have: it must be absolute, https (or
// http on a loopback address), without user, query and fragment.
func CheckURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || len(raw) > maxAddress:
		return errors.New("not an address") // url.Parse would quote it
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
		return errors.New("must begin with https:// (http:// only on a loopback address)")
	case u.Hostname() == "" || u.Opaque != "":
		return errors.New("names no host")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(raw, "#"):
		return errors.New("must have no user, query or fragment")
	}
	return nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// CheckToken reports whether a text can be an access token: visible ASCII (RFC 6749
// §A.12), at most MaxToken. Anything else is not worth a call, or would break out of
// the header it is sent in.
func CheckToken(s string) bool { return visible(s, MaxToken) }

func visible(s string, most int) bool {
	if s == "" || len(s) > most {
		return false
	}
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}

// CheckProfile returns the profile as authority wants it: a subject that cannot be
// mistaken for another, names without control characters and of bounded length, and an
// e-mail address that is one or none. It fails where the subject is empty, longer than
// 255 bytes, or holds what two readers could read in two ways.
func CheckProfile(p authority.Profile) (authority.Profile, error) {
	switch {
	case p.Subject == "":
		return authority.Profile{}, errors.New("the subject is empty")
	case len(p.Subject) > maxSubject:
		return authority.Profile{}, errors.New("the subject is too long")
	}
	for _, c := range p.Subject {
		if c == utf8.RuneError || unicode.IsControl(c) {
			return authority.Profile{}, errors.New("the subject has characters that it must not have")
		}
	}
	p.Username, p.Name = clean(p.Username), clean(p.Name)
	if !CheckEmail(p.Email) {
		p.Email = ""
	}
	p.EmailVerified = p.EmailVerified && p.Email != ""
	return p, nil
}

// clean removes control characters and cuts a name, at the end of a character.
func clean(s string) string {
	s = strings.TrimSpace(strings.Map(func(c rune) rune {
		if unicode.IsControl(c) || c == utf8.RuneError {
			return -1
		}
		return c
	}, s))
	if len(s) > maxName {
		s = strings.ToValidUTF8(s[:maxName], "")
	}
	return s
}

// CheckEmail reports whether a text is an e-mail address with exactly one @ and nothing
// that is invisible. Quoted local parts, which may hold another @, are not taken.
func CheckEmail(s string) bool {
	local, domain, _ := strings.Cut(s, "@")
	if len(s) > maxEmail || local == "" || domain == "" || strings.Contains(domain, "@") {
		return false
	}
	return !strings.ContainsFunc(s, func(c rune) bool {
		return c == utf8.RuneError || unicode.IsControl(c) || unicode.IsSpace(c)
	})
}
