package gmi

import (
	"errors"
	"maps"
	"net/http"
	"strconv"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/wire"
)

// errorTable is how this dialect says what went wrong. A row's code is group/code;
// below 200 it is the caller's fault, from 200 on the service's own, from 1000 on
// that of something behind it.
func errorTable() wire.Table {
	const mayNot = "auth/5" // ours
	return wire.Table{
		authority.Internal:              {Status: http.StatusInternalServerError, Code: "request/200", Text: "Internal error."},
		authority.Unavailable:           {Status: http.StatusInternalServerError, Code: "user/1200", Text: "Get user encountered DB error."},
		authority.Throttled:             {Status: http.StatusTooManyRequests, Code: "request/2", Text: "Too many requests. Try again later."},
		authority.Invalid:               {Status: http.StatusBadRequest, Code: "request/0", Text: "This request is not valid."},
		authority.TooLarge:              {Status: http.StatusRequestEntityTooLarge, Code: "request/3", Text: "The request body is too large."},
		authority.RealmUnknown:          {Status: http.StatusNotFound, Code: "request/4", Text: "Not found."},
		authority.ClientUnauthenticated: {Status: http.StatusUnauthorized, Code: "auth/4", Text: "A valid bearer token is required."},
		authority.ClientForbidden:       {Status: http.StatusForbidden, Code: mayNot, Text: "This token may not be used here."},
		authority.GrantUnsupported:      {Status: http.StatusForbidden, Code: mayNot, Text: "This is not to be had here."},
		authority.GrantInvalid:          {Status: http.StatusBadRequest, Code: "auth/1", Text: "Invalid refresh token."},
		authority.ScopeInvalid:          {Status: http.StatusForbidden, Code: mayNot, Text: "This scope is not to be had here."},
		authority.TargetInvalid:         {Status: http.StatusForbidden, Code: mayNot, Text: "This resource is not to be had here."},
		authority.TokenInvalid:          {Status: http.StatusUnauthorized, Code: "auth/4", Text: "A valid bearer token is required."},
		authority.LoginFailed:           {Status: http.StatusBadRequest, Code: "session/0", Text: "Invalid email or password."},
		authority.NotFound:              {Status: http.StatusNotFound, Code: "request/4", Text: "Not found."},
		authority.ProviderUnknown:       {Status: http.StatusBadRequest, Code: "oauth/0", Text: "Unsupported OAuth provider."},
		authority.ProviderFailed:        {Status: http.StatusInternalServerError, Code: "oauth/1000", Text: "Get user info encountered error."},
		authority.UpstreamTokenInvalid:  {Status: http.StatusBadRequest, Code: "oauth/1", Text: "Invalid access token."},
		authority.UpstreamCodeInvalid:   {Status: http.StatusBadRequest, Code: "oauth/2", Text: "Invalid authorization code."},
		authority.StateInvalid:          {Status: http.StatusBadRequest, Code: "oauth/2", Text: "Invalid authorization code."},
		authority.AccountUnknown:        {Status: http.StatusNotFound, Code: "user/1", Text: "User does not exist."},
		authority.SignUpRefused:         {Status: http.StatusNotFound, Code: "user/1", Text: "User does not exist."},
		authority.AccountDisabled:       {Status: http.StatusForbidden, Code: "user/2", Text: "User is disabled."},
		authority.StepInvalid:           {Status: http.StatusBadRequest, Code: "auth/2", Text: "Invalid auth token."},
		authority.SecondFactorInvalid:   {Status: http.StatusBadRequest, Code: "auth/3", Text: "Invalid OTP code."},
		authority.BindingInvalid:        {Status: http.StatusBadRequest, Code: "auth/0", Text: "Invalid CE-ClientId."},
		authority.DeviceInvalid:         {Status: http.StatusBadRequest, Code: "oauth/2", Text: "Invalid authorization code."},
		authority.DeviceRefused:         {Status: http.StatusBadRequest, Code: "oauth/2", Text: "Invalid authorization code."},
	}
}

// with is the table with other rows for some kinds.
func with(rows wire.Table) wire.Table {
	t := errorTable()
	maps.Copy(t, rows)
	return t
}

// exchangeTable is that of the exchange of codes, which knows one 500.
func exchangeTable() wire.Table {
	failed := wire.Row{Status: http.StatusInternalServerError, Code: "oauth/1200", Text: "Exchange authorization code encountered error."}
	return with(wire.Table{authority.ProviderFailed: failed, authority.Internal: failed})
}

// loginTable is that of the first steps of a login.
func loginTable() wire.Table {
	return with(wire.Table{authority.Internal: {Status: http.StatusInternalServerError, Code: "session/200", Text: "Failed to create auth token."}})
}

// sessionTable is that of sessions; its 202 is ours, next to the original's 200 and 201.
func sessionTable() wire.Table {
	return with(wire.Table{authority.Internal: {Status: http.StatusInternalServerError, Code: "session/202", Text: "Failed to handle session."}})
}

// profileTable is that of the profile: what is not found is the user.
func profileTable() wire.Table {
	return with(wire.Table{
		authority.NotFound: {Status: http.StatusNotFound, Code: "user/1", Text: "User does not exist."},
		authority.Internal: {Status: http.StatusInternalServerError, Code: "user/200", Text: "Failed to get user."},
	})
}

// detail is the original's ValidationDetail.
type detail struct {
	Field         string  `json:"field,omitempty"`
	Expression    string  `json:"expression,omitempty"`
	Argument      string  `json:"argument,omitempty"`
	OriginalValue *string `json:"originalValue,omitempty"` // nil where it is a secret, or no text
	Reason        string  `json:"reason,omitempty"`
}

// errorAnswer is the original's ErrStatusMsg. It has a member `traces` too, for "the
// original error messages": these stay in the log.
type errorAnswer struct {
	Group   string   `json:"group"`
	Code    int      `json:"code"` // always there, 0 too
	Message string   `json:"message,omitempty"`
	Details []detail `json:"validationDetail,omitempty"`
}

// badFields is the error Invalid of a request with faulty fields.
type badFields struct{ details []detail }

// Error names how many faults there are; their values are the caller's own text.
func (b *badFields) Error() string { return "faulty fields: " + strconv.Itoa(len(b.details)) }

// Unwrap is the error as other rooms know it.
func (b *badFields) Unwrap() error { return &authority.Error{Kind: authority.Invalid, Op: opRead} }

// errNoBody is the cause of the error Invalid of a request without a body,
// errNoBearer that of the error TokenInvalid of one without a credential.
var (
	errNoBody   = errors.New("no body")
	errNoBearer = errors.New("no bearer token")
)

// fail writes errors by a call's table.
func (d *Dialect) fail(table wire.Table) func(http.ResponseWriter, *http.Request, error) {
	return func(w http.ResponseWriter, r *http.Request, err error) {
		wire.Log(d.log, r, err)
		f := table.Failure(err)
		f.SetHeader(w.Header())
		answer := errorAnswer{Message: sentence(f.Text)}
		answer.Group, answer.Code = groupAndCode(f.Code)
		switch f.Kind {
		case authority.Invalid:
			answer.Message, answer.Details = "", detailsOf(err, f)
			if errors.Is(err, errNoBody) {
				answer = errorAnswer{Group: "request", Code: 1, Message: "The request body is required."}
			}
		case authority.TokenInvalid, authority.ClientUnauthenticated:
			w.Header().Set("WWW-Authenticate", d.challenge(err))
		}
		if documented(f.Code) {
			answer.Message = table[f.Kind].Text
		}
		writeError(w, f.Status, answer)
	}
}

// documented reports whether the original says an error in words of its own, which
// are kept then whatever the authority calls it.
func documented(code string) bool {
	switch code {
	case "session/0", "session/200", "user/1", "user/1200", "oauth/0", "oauth/1", "oauth/2", "oauth/1000", "oauth/1200":
		return true
	}
	return false
}

// challenge is that of RFC 6750 §3, without an error code for who brought nothing (§3.1).
func (d *Dialect) challenge(err error) string {
	field := `Bearer realm="` + d.realm.Name + `"`
	if errors.Is(err, errNoBearer) {
		return field
	}
	return field + `, error="invalid_token"`
}

// fieldName is the dialect's name for what the authority calls otherwise.
func fieldName(name string) string {
	switch name {
	case "username":
		return "email"
	case "access_token":
		return "accessToken"
	case "redirect_uri":
		return "redirectUri"
	case "code_verifier":
		return "codeVerifier"
	case "refresh_token":
		return "refreshToken"
	}
	return name
}

// detailsOf lists the faults of an error Invalid, whoever found them.
func detailsOf(err error, f wire.Failure) []detail {
	if bad, ok := errors.AsType[*badFields](err); ok {
		return bad.details
	}
	if len(f.Fields) == 0 {
		return []detail{{Expression: "valid", Reason: sentence(f.Text)}}
	}
	details := make([]detail, len(f.Fields))
	for i, field := range f.Fields {
		details[i] = detail{Field: fieldName(field.Name), Expression: "valid", Reason: sentence(field.Reason)}
	}
	return details
}

// sentence writes a text of ours as the original writes its own.
func sentence(text string) string {
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + strings.TrimSuffix(text[1:], ".") + "." // ours are ASCII
}

// groupAndCode takes a row's code apart.
func groupAndCode(code string) (group string, n int) {
	group, digits, _ := strings.Cut(code, "/")
	n, _ = strconv.Atoi(digits) // the tables are ours: a test reads every row
	return group, n
}

// wrongMethod answers 405; the frame has set Allow.
func (d *Dialect) wrongMethod(w http.ResponseWriter, _ *http.Request) {
	wire.NoStore(w.Header())
	writeError(w, http.StatusMethodNotAllowed, errorAnswer{Group: "request", Code: 5, Message: "Method not allowed."})
}

func writeError(w http.ResponseWriter, status int, answer errorAnswer) {
	_ = wire.WriteJSON(w, status, answer) // texts and numbers always encode
}
