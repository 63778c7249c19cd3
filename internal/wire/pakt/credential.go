package pakt

import (
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// maxCredential is the longest token or tenant key that is looked at, in bytes.
const maxCredential = 16 << 10

// authorization returns what follows the scheme Bearer, in any case, in the one
// Authorization field; "" if there is no such field, or one of another scheme. Errors: Invalid.
func authorization(r *http.Request) (string, error) {
	fields := r.Header["Authorization"]
	switch len(fields) {
	case 0:
		return "", nil
	case 1:
	default:
		return "", invalid("the request has more than one Authorization field")
	}
	scheme, rest, _ := strings.Cut(fields[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", nil
	}
	rest = strings.Trim(rest, " ")
	if rest == "" {
		return "", invalid("the Authorization field has no token after the scheme Bearer")
	}
	return rest, nil
}

// bearer reads the token of a call (RFC 6750 §2.1). Errors: TokenInvalid, Invalid.
func bearer(r *http.Request) (string, error) {
	token, err := authorization(r)
	switch {
	case err != nil:
		return "", err
	case token == "":
		return "", &authority.Error{Kind: authority.TokenInvalid, Op: opRead, Public: "this call needs a token: send it as Authorization: Bearer <token>"}
	case len(token) > maxCredential:
		return "", &authority.Error{Kind: authority.TokenInvalid, Op: opRead}
	case !isToken(token):
		return "", invalid("the Authorization field is not one token after the scheme Bearer")
	}
	return token, nil
}

// isToken reports whether s is a b64token: what has a comma or a space is two.
func isToken(s string) bool {
	s = strings.TrimRight(s, "=")
	return s != "" && strings.IndexFunc(s, func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && !strings.ContainsRune("-._~+/", c)
	}) < 0
}

// checkTenant judges the tenant key where the operator asks for one. Errors:
// ClientUnauthenticated, Invalid.
func (d *Dialect) checkTenant(r *http.Request) error {
	if d.options.TenantKey == nil {
		return nil
	}
	key, err := tenantKey(r)
	if err != nil {
		return err
	}
	if key == "" || len(key) > maxCredential || !d.options.TenantKey(key) {
		return &authority.Error{
			Kind: authority.ClientUnauthenticated, Op: "check the tenant key",
			Public: "the tenant key is missing or wrong: send it as x-api-key, or as Authorization: Bearer <key>",
		}
	}
	return nil
}

// tenantKey is the key that the caller shows: x-api-key if it is there, since the
// original's clients send the token of the account beside it. Errors: Invalid.
func tenantKey(r *http.Request) (string, error) {
	fields := r.Header["X-Api-Key"]
	switch {
	case len(fields) > 1:
		return "", invalid("the request has more than one x-api-key field")
	case len(fields) == 1 && fields[0] != "":
		return fields[0], nil
	}
	return authorization(r)
}
