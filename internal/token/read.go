package token

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// strictBase64 refuses trailing bits that are not zero. It skips line ends all the
// same, so the alphabet is checked before it is asked.
var strictBase64 = base64.RawURLEncoding.Strict()

// Read verifies an access token with one of the keys and returns its claims and
// the key's id. It judges no time: an expired token reads like any other. Errors:
// TokenInvalid.
func (f *Forms) Read(keys []authority.Key, issuer, raw string) (authority.AccessClaims, string, error) {
	if len(raw) > maxToken {
		return refuse("the access token is longer than 16 KiB", nil)
	}
	header, claims, signature, ok := split(raw)
	if !ok {
		return refuse("the access token is not a JWT of three parts", nil)
	}
	head, err := decode(header)
	if err != nil {
		return refuse("the access token is not strict base64url", err)
	}
	h, err := readHeader(head)
	if err != nil {
		return refuse("the access token has a header that is not accepted", err)
	}
	if h.typ != accessType {
		return refuse("the token is not an access token", errors.New("typ is another"))
	}
	k := find(keys, h.kid)
	if k == nil {
		return refuse("the access token is signed with a key that is not known here", nil)
	}
	// RFC 8725 §3.1: the algorithm is the key's. The header may only agree.
	if h.alg != k.Alg {
		return refuse("the access token names an algorithm that is not its key's", nil)
	}
	if err := f.verify(k, raw[:len(header)+1+len(claims)], signature); err != nil {
		return refuse("the signature of the access token does not verify", err)
	}
	body, err := decode(claims)
	if err != nil {
		return refuse("the access token is not strict base64url", err)
	}
	c, err := readClaims(body)
	if err != nil {
		return refuse("the access token has claims that are not accepted", err)
	}
	if c.Issuer != issuer {
		return refuse("the access token is of another issuer", nil)
	}
	return c, k.ID, nil
}

// refuse makes the error of Read. public holds nothing of the token, and no
// character that a challenge (RFC 6750 §3) may not carry.
func refuse(public string, cause error) (authority.AccessClaims, string, error) {
	return authority.AccessClaims{}, "", &authority.Error{
		Kind: authority.TokenInvalid, Op: "read access token", Public: public, Err: cause,
	}
}

// find returns the key of access tokens with that id.
func find(keys []authority.Key, id string) *authority.Key {
	for i := range keys {
		if keys[i].ID == id && signs(&keys[i]) {
			return &keys[i]
		}
	}
	return nil
}

func (f *Forms) verify(k *authority.Key, input, signature string) error {
	pair, err := f.pair(k)
	if err != nil {
		return err
	}
	if !isBase64URL(signature) {
		return errors.New("not base64url")
	}
	sig, err := strictBase64.DecodeString(signature)
	if err != nil {
		return errors.New("not strict base64url")
	}
	if k.Alg == algES256 && highS(sig) {
		return errors.New("an ES256 signature that is not 64 bytes with the lower s")
	}
	return pair.method.Verify(input, sig, pair.public)
}

func decode(segment string) (string, error) {
	if !isBase64URL(segment) {
		return "", errors.New("a character outside the alphabet")
	}
	b, err := strictBase64.DecodeString(segment)
	if err != nil {
		return "", errors.New("a length or trailing bits that no encoder writes")
	}
	return string(b), nil
}

type header struct{ alg, typ, kid string }

// readHeader takes the three members that we write, each once, and no other:
// whatever else stands there (crit, jwk, jku, x5c, x5u, zip, b64) asks the verifier
// to do something that none of our tokens ever needs.
func readHeader(text string) (header, error) {
	var space [3]member
	members, err := readObject(text, space[:0])
	if err != nil {
		return header{}, err
	}
	var h header
	for _, m := range members {
		var to *string
		switch m.name {
		case "alg":
			to = &h.alg
		case "typ":
			to = &h.typ
		case "kid":
			to = &h.kid
		default:
			return header{}, errors.New("a member other than alg, typ and kid")
		}
		if *to, err = readText(m.value); err != nil {
			return header{}, err
		}
	}
	if h.alg == "" || h.typ == "" || h.kid == "" {
		return header{}, errors.New("alg, typ or kid is missing")
	}
	return h, nil
}

// readClaims reads the claims of RFC 9068 §2.2, of their exact types. A claim that
// is not known is ignored, so that a token of a newer release still reads, unless
// it restricts the token's use: a restriction that is not understood is not kept.
func readClaims(text string) (authority.AccessClaims, error) {
	var c authority.AccessClaims
	var space [16]member
	members, err := readObject(text, space[:0])
	if err != nil {
		return c, err
	}
	var hasExpiry, hasIssued bool
	for _, m := range members {
		switch m.name {
		case "iss":
			c.Issuer, err = readText(m.value)
		case "sub":
			c.Subject, err = readText(m.value)
		case "aud":
			c.Audience, err = readTexts(m.value)
		case "client_id":
			c.Client, err = readText(m.value)
		case "jti":
			c.TokenID, err = readText(m.value)
		case "scope":
			c.Scope, err = readText(m.value)
		case "sid":
			c.Session, err = readText(m.value)
		case "exp":
			c.Expires, err = readInteger(m.value)
			hasExpiry = true
		case "iat":
			c.IssuedAt, err = readInteger(m.value)
			hasIssued = true
		case "auth_time":
			c.AuthTime, err = readInteger(m.value)
		case "userId":
			c.UserID, err = readText(m.value)
		case "cnf", "authorization_details", "nbf":
			err = errors.New("a claim that restricts the token in a way not kept here")
		}
		if err != nil {
			return authority.AccessClaims{}, err
		}
	}
	if !hasExpiry || !hasIssued {
		return authority.AccessClaims{}, errors.New("exp or iat is missing")
	}
	if err := complete(&c); err != nil {
		return authority.AccessClaims{}, err
	}
	return c, nil
}

// IssuerOf is AnyIssuer: ours must be known in any spelling.
func (*Forms) IssuerOf(raw string) string { return AnyIssuer(raw) }

// AnyIssuer is the `iss` that a JWT claims, unverified: whose it says it is, in no way
// whose it is. It is empty where the claims cannot be read as one object. ClaimedIssuer
// asks the same of a token in its one good spelling; this one is for who keeps a token from
// others, and must not miss one from which somebody could make the good one again: in
// another alphabet, padded, with dots or parts too many, or without its signature.
func AnyIssuer(raw string) string {
	if issuer := issuerIn(AnyClaims(raw)); issuer != "" {
		return issuer
	}
	if len(raw) > maxToken || !strings.Contains(raw, ".") {
		return ""
	}
	parts := 0
	for part := range strings.SplitSeq(raw, ".") {
		if issuer := issuerIn(objectIn(part)); issuer != "" {
			return issuer
		}
		if len(part) >= shortestObject {
			parts++
		}
		if parts == maxParts {
			break
		}
	}
	return ""
}

// AnyClaims are what a JWT, in any spelling, says in the place of its claims, unverified;
// nil where that is no object. Where a name stands there twice, the last one counts.
func AnyClaims(raw string) map[string]json.RawMessage {
	if len(raw) > maxToken {
		return nil
	}
	_, rest, _ := strings.Cut(strings.TrimLeft(raw, "."), ".")
	claims, _, _ := strings.Cut(strings.TrimLeft(rest, "."), ".")
	return objectIn(claims)
}

const (
	shortestObject = 10 // least length of a part that names anything: {"a":0}
	maxParts       = 8  // how many of those are read; there is room for a thousand
)

func objectIn(part string) (object map[string]json.RawMessage) {
	if len(part) < shortestObject {
		return nil
	}
	text, err := base64.RawURLEncoding.DecodeString(urlAlphabet.Replace(part))
	if err != nil || json.Unmarshal(text, &object) != nil {
		return nil
	}
	return object
}

func issuerIn(claims map[string]json.RawMessage) (issuer string) {
	if json.Unmarshal(claims["iss"], &issuer) != nil {
		return ""
	}
	return issuer
}

// urlAlphabet turns base64 into base64url without padding (RFC 4648 §5).
var urlAlphabet = strings.NewReplacer("+", "-", "/", "_", "=", "")
