package golem

import (
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// sessionCookie is where browsers carry the secret to the original.
const sessionCookie = "GOLEM_SESSION"

// maxCredential bounds a token that is sent to us, in bytes.
const maxCredential = 16 << 10

// bearer reads the caller's token (RFC 6750 §2.1), the scheme in any case. Two
// credentials are never weighed against each other. Errors: Invalid, TokenInvalid.
func bearer(r *http.Request) (string, error) {
	fields := r.Header.Values("Authorization")
	cookie := len(r.CookiesNamed(sessionCookie)) > 0
	switch {
	case len(fields) > 1:
		return "", faulty("Authorization", "given more than once")
	case len(fields) == 1 && cookie:
		return "", faulty(sessionCookie, "the request has a bearer token too: send no cookie")
	case cookie:
		return "", unbelieved("a cookie is no credential here: send the secret as a bearer token")
	case len(fields) == 0:
		return "", unbelieved("the request has no bearer token")
	}
	scheme, token, _ := strings.Cut(fields[0], " ")
	token = strings.TrimLeft(token, " ")
	if strings.EqualFold(scheme, "Bearer") && strings.Contains(token, ",") {
		return "", faulty("Authorization", "holds more than one token")
	}
	if !strings.EqualFold(scheme, "Bearer") || len(token) > maxCredential || !isToken(token) {
		return "", unbelieved("the Authorization field is not a bearer token")
	}
	return token, nil
}

// isToken reports whether s is a b64token (RFC 6750 §2.1).
func isToken(s string) bool {
	s = strings.TrimRight(s, "=")
	for i := range len(s) {
		if c := s[i]; !isBase64URL(c) && c != '.' && c != '~' && c != '+' && c != '/' {
			return false
		}
	}
	return s != ""
}

// isBase64URL reports whether c is of the alphabet of RFC 4648 §5, without padding.
func isBase64URL(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}

func unbelieved(public string) error {
	return &authority.Error{Kind: authority.TokenInvalid, Op: opRead, Public: public}
}
