package keycloak

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/wire"
)

// errorTable is how this dialect says what went wrong: the original's statuses, and
// beside them 405, 413, 429 and 503.
func errorTable() wire.Table {
	return wire.Table{
		authority.Internal:              {Status: http.StatusInternalServerError, Text: "Internal Server Error"},
		authority.Unavailable:           {Status: http.StatusServiceUnavailable, Text: "the service cannot answer now: try again later"},
		authority.Throttled:             {Status: http.StatusTooManyRequests, Text: "too many tries: try again later"},
		authority.Invalid:               {Status: http.StatusUnprocessableEntity, Text: "the request is malformed"},
		authority.TooLarge:              {Status: http.StatusRequestEntityTooLarge, Text: "the request is too large"},
		authority.RealmUnknown:          {Status: http.StatusNotFound, Text: "Realm not found"},
		authority.ClientUnauthenticated: {Status: http.StatusUnauthorized, Text: "client authentication failed"},
		authority.ClientForbidden:       {Status: http.StatusBadRequest, Text: "the client may not do this"},
		authority.GrantUnsupported:      {Status: http.StatusBadRequest, Text: "this grant_type is not supported here"},
		authority.GrantInvalid:          {Status: http.StatusBadRequest, Text: "the refresh token is not good"},
		authority.ScopeInvalid:          {Status: http.StatusBadRequest, Text: "scopes names something that is not to be had, or is not a list separated by single spaces"},
		authority.TargetInvalid:         {Status: http.StatusBadRequest, Text: "the client may not have a token for this resource"},
		authority.TokenInvalid:          {Status: http.StatusUnauthorized, Text: "the token is not active"},
		authority.LoginFailed:           {Status: http.StatusUnauthorized, Text: "the username or password is wrong"},
		authority.NotFound:              {Status: http.StatusNotFound, Text: "Not Found"},
		// The rest belongs to logins that this dialect does not offer. Should one ever come
		// this way, it is said in the nearest words.
		authority.ProviderUnknown:      {Status: http.StatusNotFound, Text: "there is no such login here"},
		authority.ProviderFailed:       {Status: http.StatusServiceUnavailable, Text: "the login provider cannot answer now: try again later"},
		authority.UpstreamTokenInvalid: {Status: http.StatusUnauthorized, Text: "the login provider's token is not good here"},
		authority.UpstreamCodeInvalid:  {Status: http.StatusBadRequest, Text: "the login provider's code is not good"},
		authority.StateInvalid:         {Status: http.StatusBadRequest, Text: "the login was not begun here, or is too old"},
		authority.AccountUnknown:       {Status: http.StatusUnauthorized, Text: "nobody here has this login"},
		authority.SignUpRefused:        {Status: http.StatusForbidden, Text: "new accounts are not let in here"},
		authority.AccountDisabled:      {Status: http.StatusUnauthorized, Text: "the account may not log in"},
		authority.StepInvalid:          {Status: http.StatusUnauthorized, Text: "the login has to be begun again"},
		authority.SecondFactorInvalid:  {Status: http.StatusUnauthorized, Text: "the second factor is missing, wrong or used up"},
		authority.BindingInvalid:       {Status: http.StatusBadRequest, Text: "the session was opened by another client"},
		authority.DeviceInvalid:        {Status: http.StatusBadRequest, Text: "the device login is not good"},
		authority.DeviceRefused:        {Status: http.StatusBadRequest, Text: "the device login was refused or ran out"},
	}
}

// fault is one member of a 422 answer, in the form of FastAPI over Pydantic 2. Input
// is always null: a secret is never sent back.
type fault struct {
	Type  string `json:"type"`
	Loc   []any  `json:"loc"`
	Msg   string `json:"msg"`
	Input any    `json:"input"`
}

// reasonFault says one of the frame's reasons as Pydantic does.
func reasonFault(reason string, loc ...any) fault {
	switch reason {
	case wire.ReasonMissing:
		return fault{Type: "missing", Loc: loc, Msg: "Field required"}
	case wire.ReasonNotText, wire.ReasonNotScalar:
		return fault{Type: "string_type", Loc: loc, Msg: "Input should be a valid string"}
	case wire.ReasonText, wire.ReasonEncoding:
		return fault{Type: "string_unicode", Loc: loc, Msg: "Input should be a valid string, unable to parse raw data as a unicode string"}
	}
	return valueFault(reason, loc...)
}

// valueFault is the fault of a value by a rule that Pydantic has no type for.
func valueFault(why string, loc ...any) fault {
	return fault{Type: "value_error", Loc: loc, Msg: "Value error, " + why}
}

// badParams is the error Invalid of a request with faulty parameters.
type badParams struct{ faults []fault }

// Error names how many faults there are; their names are the caller's own text.
func (b *badParams) Error() string {
	return "faulty parameters: " + strconv.Itoa(len(b.faults))
}

// Unwrap is the error as other rooms know it.
func (b *badParams) Unwrap() error { return &authority.Error{Kind: authority.Invalid, Op: opRead} }

// publicOf is the text of an error of the frame.
func publicOf(err error) string {
	if e, ok := errors.AsType[*authority.Error](err); ok && e.Public != "" {
		return e.Public
	}
	return "it cannot be read"
}

// errorAnswer is FastAPI's: a text, or the list of a 422.
type errorAnswer struct {
	Detail any `json:"detail"`
}

// fail writes an error.
func (d *Dialect) fail(w http.ResponseWriter, r *http.Request, err error) {
	wire.Log(d.log, r, err)
	f := d.table.Failure(err)
	f.SetHeader(w.Header())
	// RFC 9110 §15.5.2 asks for a challenge. That of a login is not Basic: a browser
	// would put a dialog of its own over the page.
	switch {
	case f.Kind == authority.ClientUnauthenticated:
		w.Header().Set("WWW-Authenticate", `Basic realm="`+d.first.Name+`"`)
	case f.Status == http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="`+d.first.Name+`"`)
	}
	var detail any = f.Text
	switch f.Kind {
	case authority.Invalid:
		detail = faultsOf(err, f)
	case authority.ScopeInvalid: // the authority calls the parameter by its standard name
		detail = d.table[f.Kind].Text
	}
	writeDetail(w, f.Status, detail)
}

// faultsOf lists the faults of an error Invalid, whoever found them.
func faultsOf(err error, f wire.Failure) []fault {
	if bad, ok := errors.AsType[*badParams](err); ok {
		return bad.faults
	}
	if len(f.Fields) == 0 {
		return []fault{valueFault(f.Text, inQuery)}
	}
	faults := make([]fault, len(f.Fields))
	for i, field := range f.Fields {
		faults[i] = reasonFault(field.Reason, inQuery, field.Name)
	}
	return faults
}

// wrongMethod answers 405; the frame has set Allow.
func (d *Dialect) wrongMethod(w http.ResponseWriter, _ *http.Request) {
	wire.NoStore(w.Header())
	writeDetail(w, http.StatusMethodNotAllowed, http.StatusText(http.StatusMethodNotAllowed))
}

func writeDetail(w http.ResponseWriter, status int, detail any) {
	_ = wire.WriteJSON(w, status, errorAnswer{detail}) // texts and numbers always encode
}
