package pakt

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/wire"
)

// errorTable is how this dialect says what went wrong. The original documents no error;
// its clients go by the HTTP status and show the message.
func errorTable() wire.Table {
	return wire.Table{
		authority.Internal:              {Status: http.StatusInternalServerError, Text: "Internal Server Error"},
		authority.Unavailable:           {Status: http.StatusServiceUnavailable, Text: "the service cannot answer now: try again later"},
		authority.Throttled:             {Status: http.StatusTooManyRequests, Text: "too many tries: try again later"},
		authority.Invalid:               {Status: http.StatusBadRequest, Text: "the request is malformed"},
		authority.TooLarge:              {Status: http.StatusRequestEntityTooLarge, Text: "the request is too large"},
		authority.RealmUnknown:          {Status: http.StatusNotFound, Text: "this realm is not served here"},
		authority.ClientUnauthenticated: {Status: http.StatusUnauthorized, Text: "the tenant key is missing or wrong"},
		authority.ClientForbidden:       {Status: http.StatusForbidden, Text: "this token may not be used for account calls"},
		authority.GrantUnsupported:      {Status: http.StatusBadRequest, Text: "this login is not supported here"},
		authority.GrantInvalid:          {Status: http.StatusBadRequest, Text: "the session is over: log in again"},
		authority.ScopeInvalid:          {Status: http.StatusBadRequest, Text: "this scope is not to be had"},
		authority.TargetInvalid:         {Status: http.StatusBadRequest, Text: "there is no token for this resource"},
		authority.TokenInvalid:          {Status: http.StatusUnauthorized, Text: "the token is not active: log in again"},
		authority.LoginFailed:           {Status: http.StatusUnauthorized, Text: "this account cannot log in this way"},
		authority.NotFound:              {Status: http.StatusNotFound, Text: "Not Found"},
		authority.ProviderUnknown:       {Status: http.StatusNotFound, Text: "there is no such login provider"},
		authority.ProviderFailed:        {Status: http.StatusBadGateway, Text: "the login provider did not answer as it should: try again later"},
		authority.UpstreamTokenInvalid:  {Status: http.StatusUnauthorized, Text: "the login provider does not vouch for this login: begin a new one"},
		authority.UpstreamCodeInvalid:   {Status: http.StatusBadRequest, Text: "the code is wrong, spent or too old: begin a new login"},
		authority.StateInvalid:          {Status: http.StatusBadRequest, Text: "the state is spent, too old, or not of a login begun here: begin a new login"},
		authority.AccountUnknown:        {Status: http.StatusForbidden, Text: "there is no account for this login"},
		authority.SignUpRefused:         {Status: http.StatusForbidden, Text: "there is no account for this login, and it may not have one"},
		authority.AccountDisabled:       {Status: http.StatusForbidden, Text: "the account is disabled"},
		authority.StepInvalid:           {Status: http.StatusUnauthorized, Text: "the login took too long: begin a new one"},
		authority.SecondFactorInvalid:   {Status: http.StatusUnauthorized, Text: "the second factor is missing or wrong"},
		authority.BindingInvalid:        {Status: http.StatusUnauthorized, Text: "the session belongs to another client"},
		authority.DeviceInvalid:         {Status: http.StatusBadRequest, Text: "the device login is spent, too old or not of this realm"},
		authority.DeviceRefused:         {Status: http.StatusForbidden, Text: "the device login was refused"},
	}
}

// failure is the original's envelope of an error. Data is always null.
type failure struct {
	Status     string    `json:"status"`
	Message    string    `json:"message"`
	StatusCode int       `json:"statusCode"`
	Data       *struct{} `json:"data"`
}

// fail writes an error.
func (d *Dialect) fail(w http.ResponseWriter, r *http.Request, err error) {
	wire.Log(d.log, r, err)
	f := d.table.Failure(err)
	f.SetHeader(w.Header())
	if f.Status == http.StatusUnauthorized { // RFC 9110 §15.5.2 asks for a challenge
		challenge := `Bearer realm="` + d.realm + `"`
		if f.Kind == authority.TokenInvalid && len(r.Header["Authorization"]) > 0 {
			challenge += `, error="invalid_token"` // RFC 6750 §3.1: only where one was presented
		}
		w.Header().Set("WWW-Authenticate", challenge)
	}
	writeFailure(w, f.Status, f.Text)
}

// wrongMethod answers 405; the frame has set Allow.
func (d *Dialect) wrongMethod(w http.ResponseWriter, _ *http.Request) {
	wire.NoStore(w.Header())
	writeFailure(w, http.StatusMethodNotAllowed, http.StatusText(http.StatusMethodNotAllowed))
}

func writeFailure(w http.ResponseWriter, status int, message string) {
	_ = wire.WriteJSON(w, status, failure{Status: "error", Message: message, StatusCode: status}) // texts and numbers always encode
}
