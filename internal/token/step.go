package token

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// algHS256 signs tokens that only their own verb takes back (RFC 7518 §3.2).
const algHS256 = "HS256"

// maxType bounds the `typ` of a step, in characters.
const maxType = 64

// stepJWT is the claims set in the order in which it is written.
type stepJWT struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	TokenID  string `json:"jti"`
	IssuedAt int64  `json:"iat"`
	Expires  int64  `json:"exp"`
	Detail   string `json:"dtl,omitempty"`
}

// SignStep writes a JWT of the step's type with the step's key (HS256). It refuses
// to issue what ReadStep would not take back: a key that is none, claims that lack
// a required one, or a token over 16 KiB. Errors: Internal.
func (f *Forms) SignStep(k authority.StepKey, c authority.StepClaims) (string, error) {
	raw, err := signStep(&k, &c)
	if err != nil {
		return "", internal("sign step token", err)
	}
	return raw, nil
}

func signStep(k *authority.StepKey, c *authority.StepClaims) (string, error) {
	header, err := stepHeader(k)
	if err != nil {
		return "", err
	}
	if err := completeStep(c); err != nil {
		return "", err
	}
	body, err := json.Marshal(stepJWT{c.Issuer, c.Subject, c.TokenID, c.IssuedAt, c.Expires, c.Detail})
	if err != nil {
		return "", err
	}
	input := header + "." + encode(body)
	mac, err := jwt.SigningMethodHS256.Sign(input, k.Secret[:])
	if err != nil {
		return "", err
	}
	raw := input + "." + encode(mac)
	if len(raw) > maxToken {
		return "", errors.New("the token would be longer than 16 KiB")
	}
	return raw, nil
}

// ReadStep verifies a JWT of the step's type with the step's key and returns its
// claims. It judges no time. The header must be the very one that SignStep writes
// for this key: nobody else writes such tokens, and so neither an access token, nor
// one of another step or key, nor another algorithm gets as far as the key.
// Errors: TokenInvalid.
func (f *Forms) ReadStep(k authority.StepKey, issuer, raw string) (authority.StepClaims, error) {
	if len(raw) > maxToken {
		return refuseStep("the token is longer than 16 KiB", nil)
	}
	header, claims, signature, ok := split(raw)
	if !ok {
		return refuseStep("the token is not a JWT of three parts", nil)
	}
	want, err := stepHeader(&k)
	if err != nil {
		return refuseStep("the token cannot be verified here", err)
	}
	if header != want {
		return refuseStep("the token is not one for this step", nil)
	}
	if !isBase64URL(signature) {
		return refuseStep("the token is not strict base64url", nil)
	}
	mac, err := strictBase64.DecodeString(signature)
	if err != nil {
		return refuseStep("the token is not strict base64url", nil)
	}
	// Compares in constant time.
	if err := jwt.SigningMethodHS256.Verify(raw[:len(header)+1+len(claims)], mac, k.Secret[:]); err != nil {
		return refuseStep("the signature of the token does not verify", err)
	}
	body, err := decode(claims)
	if err != nil {
		return refuseStep("the token is not strict base64url", err)
	}
	c, err := readStepClaims(body)
	if err != nil {
		return refuseStep("the token has claims that are not accepted", err)
	}
	if c.Issuer != issuer {
		return refuseStep("the token is of another issuer", nil)
	}
	return c, nil
}

// stepHeader is the first part of every token of the key, encoded. It refuses what
// is no key: one without a secret would let anybody sign.
func stepHeader(k *authority.StepKey) (string, error) {
	if k.Secret == [secret.KeySize]byte{} {
		return "", errors.New("the step's key has no secret")
	}
	if k.ID == "" || len(k.ID) > maxKeyID || !isBase64URL(k.ID) {
		return "", errors.New("the id of the step's key is not base64url")
	}
	if !isStepType(k.Type) {
		return "", errors.New("the step's type is none, or that of another sort of token")
	}
	// None of the three needs escaping.
	header := `{"alg":"` + algHS256 + `","typ":"` + k.Type + `","kid":"` + k.ID + `"}`
	return base64.RawURLEncoding.EncodeToString([]byte(header)), nil
}

// isStepType reports whether s may be the `typ` of a step: small letters, digits
// and the marks between them, and neither the type of access tokens nor the general
// one (RFC 8725 §3.11).
func isStepType(s string) bool {
	if s == "" || len(s) > maxType || s == accessType || s == "jwt" {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' || c == '+') {
			return false
		}
	}
	return true
}

// refuseStep makes the error of ReadStep, with the same care as refuse.
func refuseStep(public string, cause error) (authority.StepClaims, error) {
	return authority.StepClaims{}, &authority.Error{
		Kind: authority.TokenInvalid, Op: "read step token", Public: public, Err: cause,
	}
}

// readStepClaims reads the claims, of their exact types. As with access tokens, one
// that is not known is ignored unless it restricts the token's use.
func readStepClaims(text string) (authority.StepClaims, error) {
	var c authority.StepClaims
	var space [8]member
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
		case "jti":
			c.TokenID, err = readText(m.value)
		case "dtl":
			c.Detail, err = readText(m.value)
		case "iat":
			c.IssuedAt, err = readInteger(m.value)
			hasIssued = true
		case "exp":
			c.Expires, err = readInteger(m.value)
			hasExpiry = true
		case "aud", "cnf", "authorization_details", "nbf":
			err = errors.New("a claim that restricts the token in a way not kept here")
		}
		if err != nil {
			return authority.StepClaims{}, err
		}
	}
	if !hasExpiry || !hasIssued {
		return authority.StepClaims{}, errors.New("exp or iat is missing")
	}
	if err := completeStep(&c); err != nil {
		return authority.StepClaims{}, err
	}
	return c, nil
}

// completeStep reports what every step needs and the claims lack.
func completeStep(c *authority.StepClaims) error {
	if c.Issuer == "" || c.Subject == "" || c.TokenID == "" {
		return errors.New("a required claim is empty")
	}
	if slices.ContainsFunc([]string{c.Issuer, c.Subject, c.TokenID, c.Detail}, unfit) {
		return errors.New("a claim is not UTF-8 without NUL")
	}
	return nil
}
