package token

import (
	"bytes"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// accessType is the `typ` of an access token (RFC 9068 §2.1), as we write it and
// as alone we read it.
const accessType = "at+jwt"

// p256Order is the order n of the curve P-256; p256Half is half of it, rounded down.
var (
	p256Order = elliptic.P256().Params().N
	p256Half  = new(big.Int).Rsh(p256Order, 1).FillBytes(make([]byte, 32))
)

// accessJWT is the claims set in the order in which it is written.
type accessJWT struct {
	Issuer   string `json:"iss"`
	Expires  int64  `json:"exp"`
	Audience any    `json:"aud"` // a string when there is one, else a list (RFC 7519 §4.1.3)
	Subject  string `json:"sub"`
	Client   string `json:"client_id"`
	IssuedAt int64  `json:"iat"`
	TokenID  string `json:"jti"`
	Scope    string `json:"scope,omitempty"`
	Session  string `json:"sid,omitempty"`
	AuthTime int64  `json:"auth_time,omitempty"`
	UserID   string `json:"userId,omitempty"`
}

// Sign writes an access token of RFC 9068 with the key. It refuses to issue what
// Read would not take back: claims that lack a required one, or a token over
// 16 KiB. Errors: Internal.
func (f *Forms) Sign(k authority.Key, c authority.AccessClaims) (string, error) {
	raw, err := f.sign(&k, &c)
	if err != nil {
		return "", internal("sign access token", err)
	}
	return raw, nil
}

func (f *Forms) sign(k *authority.Key, c *authority.AccessClaims) (string, error) {
	if !signs(k) {
		return "", errors.New("the key is revoked or of another purpose")
	}
	if len(k.ID) == 0 || len(k.ID) > maxKeyID || !isBase64URL(k.ID) {
		return "", errors.New("the key's id is not base64url")
	}
	if err := complete(c); err != nil {
		return "", err
	}
	pair, err := f.pair(k)
	if err != nil {
		return "", err
	}
	claims := accessJWT{
		c.Issuer, c.Expires, c.Audience, c.Subject, c.Client,
		c.IssuedAt, c.TokenID, c.Scope, c.Session, c.AuthTime, c.UserID,
	}
	if len(c.Audience) == 1 {
		claims.Audience = c.Audience[0]
	}
	body, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	// Both are of the base64url alphabet and need no escaping.
	header := `{"alg":"` + k.Alg + `","typ":"` + accessType + `","kid":"` + k.ID + `"}`
	buf := make([]byte, 0, 2*(len(header)+len(body)))
	buf = base64.RawURLEncoding.AppendEncode(buf, []byte(header))
	buf = append(buf, '.')
	buf = base64.RawURLEncoding.AppendEncode(buf, body)
	input := string(buf)
	signature, err := pair.method.Sign(input, pair.private)
	if err != nil {
		return "", err
	}
	if k.Alg == algES256 {
		lowerS(signature)
	}
	raw := input + "." + encode(signature)
	if len(raw) > maxToken {
		return "", errors.New("the token would be longer than 16 KiB")
	}
	return raw, nil
}

// complete reports what RFC 9068 §2.2 requires and the claims lack.
func complete(c *authority.AccessClaims) error {
	if c.Issuer == "" || c.Subject == "" || c.Client == "" || c.TokenID == "" ||
		len(c.Audience) == 0 || slices.Contains(c.Audience, "") {
		return errors.New("a required claim is empty")
	}
	texts := [...]string{c.Issuer, c.Subject, c.Client, c.TokenID, c.Scope, c.Session, c.UserID}
	if slices.ContainsFunc(texts[:], unfit) || slices.ContainsFunc(c.Audience, unfit) {
		return errors.New("a claim is not UTF-8 without NUL")
	}
	return nil
}

func unfit(text string) bool { return !utf8.ValidString(text) || strings.IndexByte(text, 0) >= 0 }

// lowerS turns an ES256 signature (r, s) into the one of its two spellings whose s
// is at most n/2: (r, n-s) verifies just as well, and whoever holds the token could
// otherwise write it in two ways.
func lowerS(signature []byte) {
	if !highS(signature) {
		return
	}
	s := new(big.Int).SetBytes(signature[32:])
	s.Sub(p256Order, s).FillBytes(signature[32:])
}

func highS(signature []byte) bool {
	return len(signature) != 64 || bytes.Compare(signature[32:], p256Half) > 0
}
