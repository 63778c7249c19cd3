package gmi

import (
	"bytes"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/wire"
)

const opRead = "read request"

// Bounds of the fields, in bytes.
const (
	maxName     = 64       // of a provider
	maxToken    = 16 << 10 // of a token, a code, a state, a password
	maxURI      = 2 << 10
	maxEmail    = 254 // RFC 5321 §4.5.3.1.3, less the angle brackets
	maxOTP      = 10
	maxVerifier = 128 // RFC 7636 §4.1
	minVerifier = 43
	maxClientID = 32 // of CE-ClientId
	otpDigits   = 6
)

// clientIDHeader names the user's device or browser. It authenticates nothing.
const clientIDHeader = "CE-ClientId"

// texts are the fields of all calls that must be strings. otpCode may be a number.
var texts = [...]string{
	"provider", "code", "redirectUri", "codeVerifier", "state", "accessToken", "email", "password", "authToken", "refreshToken",
}

// secret reports whether a field's value must never be sent back.
func secret(name string) bool {
	switch name {
	case "provider", "redirectUri", "email":
		return false
	}
	return true
}

// body is what a call was given, and what is wrong with it. Who reads it asks for
// all that he needs first and for err then, so that every fault is told at once.
// What nobody asks for is not looked at.
type body struct {
	params  wire.Params
	faulty  []authority.Field // what the frame found
	details []detail
}

// readBody reads the request's JSON object. Errors: TooLarge, Invalid.
func readBody(r *http.Request) (*body, error) {
	raw, err := wire.Body(r)
	if err != nil {
		return nil, unreadable(err)
	}
	if text := bytes.TrimSpace(raw); len(text) == 0 || string(text) == "null" {
		return nil, &authority.Error{Kind: authority.Invalid, Op: opRead, Err: errNoBody}
	}
	if _, err := wire.MediaType(r, wire.JSONType); err != nil {
		return nil, &badFields{[]detail{{
			Field: "Content-Type", Expression: "oneof", Argument: wire.JSONType, Reason: "The Content-Type must be application/json, in UTF-8.",
		}}}
	}
	b := new(body)
	b.params, b.faulty, err = wire.ReadObject(raw, texts[:]...)
	if err != nil {
		return nil, unreadable(err)
	}
	return b, nil
}

// unreadable is the error of a body that is no JSON object at all.
func unreadable(err error) error {
	e, ok := errors.AsType[*authority.Error](err)
	if !ok || e.Kind != authority.Invalid {
		return err
	}
	reason := e.Public
	if at, ok := errors.AsType[*wire.SyntaxError](err); ok {
		reason += ", from byte " + strconv.FormatInt(at.Offset, 10) + " on"
	}
	return &badFields{[]detail{{Field: "body", Expression: "json", Reason: sentence(reason)}}}
}

// rule judges a value that is there; a fault has an expression and a reason.
type rule func(value string) (expression, argument, reason string)

// get is the field's value. One without a value counts as absent, so "" says both.
func (b *body) get(name string, limit int, rules ...rule) string {
	for _, f := range b.faulty {
		if f.Name == name {
			b.details = append(b.details, frameDetail(f))
			return ""
		}
	}
	value := b.params.Get(name)
	if value == "" {
		return ""
	}
	if len(value) > limit { // too long to be sent back
		n := strconv.Itoa(limit)
		b.details = append(b.details, detail{Field: name, Expression: "max", Argument: n, Reason: "This field must be at most " + n + " bytes long."})
		return ""
	}
	for _, judge := range rules {
		if expression, argument, reason := judge(value); expression != "" {
			d := detail{Field: name, Expression: expression, Argument: argument, Reason: reason}
			if !secret(name) {
				d.OriginalValue = &value
			}
			b.details = append(b.details, d)
			return ""
		}
	}
	return value
}

// need is get for a field that must be there.
func (b *body) need(name string, limit int, rules ...rule) string {
	before := len(b.details)
	value := b.get(name, limit, rules...)
	if value == "" && len(b.details) == before {
		b.details = append(b.details, detail{Field: name, Expression: "required", OriginalValue: new(string), Reason: "This field is required."})
	}
	return value
}

// err is all that is wrong. Errors: Invalid.
func (b *body) err() error {
	if len(b.details) > 0 {
		return &badFields{b.details}
	}
	return nil
}

// frameDetail says one of the frame's reasons.
func frameDetail(f authority.Field) detail {
	d := detail{Field: f.Name, Expression: "string", Reason: "This field must be a string."}
	switch f.Reason {
	case wire.ReasonRepeated:
		d.Expression, d.Reason = "unique", "This field is given more than once."
	case wire.ReasonText:
		d.Expression, d.Reason = "utf8", "This field must be Unicode text without NUL."
	case wire.ReasonNotScalar:
		d.Reason = "This field must be a string or a number."
	}
	return d
}

// emailRule asks for the form of an address, no more: whether somebody has it is the
// authority's to say.
func emailRule(value string) (expression, argument, reason string) {
	local, domain, at := strings.Cut(value, "@")
	bad := func(c rune) bool { return c <= ' ' || c == 0x7f || c == '@' }
	if !at || local == "" || domain == "" || strings.ContainsFunc(local, bad) || strings.ContainsFunc(domain, bad) {
		return "email", "", "This field must be an email address."
	}
	return "", "", ""
}

// uriRule asks for an absolute URI without a fragment (RFC 6749 §3.1.2).
func uriRule(value string) (expression, argument, reason string) {
	u, err := url.Parse(value)
	if err != nil || !u.IsAbs() || strings.Contains(value, "#") {
		return "uri", "", "This field must be an absolute URI without a fragment."
	}
	return "", "", ""
}

// verifierRule asks for a code_verifier (RFC 7636 §4.1).
func verifierRule(value string) (expression, argument, reason string) {
	if len(value) < minVerifier {
		n := strconv.Itoa(minVerifier)
		return "min", n, "This field must be at least " + n + " bytes long."
	}
	if strings.ContainsFunc(value, func(c rune) bool { return !alphanumeric(c) && !strings.ContainsRune("-._~", c) }) {
		return "code_verifier", "", "This field must consist of letters, digits and - . _ ~ (RFC 7636)."
	}
	return "", "", ""
}

// digitsRule asks for a decimal number. What is none can never be the right code, so
// it is not counted as a wrong one.
func digitsRule(value string) (expression, argument, reason string) {
	if strings.ContainsFunc(value, func(c rune) bool { return c < '0' || c > '9' }) {
		return "numeric", "", "This field must consist of digits."
	}
	return "", "", ""
}

// otpCode gives a code back the zeroes in front that a JSON number cannot have.
func otpCode(digits string) string {
	if digits == "" || len(digits) >= otpDigits {
		return digits
	}
	return strings.Repeat("0", otpDigits-len(digits)) + digits
}

func alphanumeric(c rune) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// clientID reads the field that a session is bound by. Errors: BindingInvalid.
func clientID(r *http.Request) (string, error) {
	fields := r.Header.Values(clientIDHeader)
	if len(fields) == 1 && fields[0] != "" && len(fields[0]) <= maxClientID &&
		!strings.ContainsFunc(fields[0], func(c rune) bool { return !alphanumeric(c) }) {
		return fields[0], nil
	}
	return "", &authority.Error{
		Kind: authority.BindingInvalid, Op: opRead,
		Public: "Invalid CE-ClientId: the header must be there once, 1 to 32 letters and digits.",
	}
}

// bearer reads the access token (RFC 6750 §2.1). Errors: Invalid (more than one
// credential), TokenInvalid.
func bearer(r *http.Request) (string, error) {
	fields := r.Header.Values("Authorization")
	switch len(fields) {
	case 0:
		return "", &authority.Error{Kind: authority.TokenInvalid, Op: opRead, Err: errNoBearer}
	case 1:
	default:
		return "", &badFields{[]detail{{Field: "Authorization", Expression: "unique", Reason: "This header is given more than once."}}}
	}
	scheme, token, _ := strings.Cut(fields[0], " ")
	if !strings.EqualFold(scheme, "Bearer") { // a credential for somebody else
		return "", &authority.Error{Kind: authority.TokenInvalid, Op: opRead, Err: errNoBearer}
	}
	token = strings.TrimLeft(token, " ")
	if strings.Contains(token, ",") { // two in one field
		return "", &badFields{[]detail{{Field: "Authorization", Expression: "unique", Reason: "This header must hold one token."}}}
	}
	if token == "" || len(token) > maxToken || strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return "", &authority.Error{Kind: authority.TokenInvalid, Op: opRead}
	}
	return token, nil
}
