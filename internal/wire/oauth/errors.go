package oauth

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/wire"
)

// errorTable is how this dialect says what went wrong: the codes of RFC 6749 §5.2
// and §4.1.2.1, RFC 6750 §3.1 and RFC 8707 §2.
func errorTable() wire.Table {
	return wire.Table{
		authority.Internal:              {Status: http.StatusInternalServerError, Code: "server_error", Text: "the server failed; the fault is in its log"},
		authority.Unavailable:           {Status: http.StatusServiceUnavailable, Code: "temporarily_unavailable", Text: "the server cannot answer now; try again"},
		authority.Throttled:             {Status: http.StatusTooManyRequests, Code: "temporarily_unavailable", Text: "too many tries; wait before the next"},
		authority.Invalid:               {Status: http.StatusBadRequest, Code: "invalid_request", Text: "the request is malformed"},
		authority.TooLarge:              {Status: http.StatusRequestEntityTooLarge, Code: "invalid_request", Text: "the request is too large"},
		authority.RealmUnknown:          {Status: http.StatusNotFound, Code: "invalid_request", Text: "there is no such realm here"},
		authority.ClientUnauthenticated: {Status: http.StatusUnauthorized, Code: "invalid_client", Text: "client authentication failed"},
		authority.ClientForbidden:       {Status: http.StatusBadRequest, Code: "unauthorized_client", Text: "the client may not do this"},
		authority.GrantUnsupported:      {Status: http.StatusBadRequest, Code: "unsupported_grant_type", Text: "this grant type is not offered here"},
		authority.GrantInvalid:          {Status: http.StatusBadRequest, Code: "invalid_grant", Text: "the grant is wrong, used up, expired or not this client's"},
		authority.ScopeInvalid:          {Status: http.StatusBadRequest, Code: "invalid_scope", Text: "the client may not have this scope"},
		authority.TargetInvalid:         {Status: http.StatusBadRequest, Code: "invalid_target", Text: "the client may not have a token for this resource"},
		authority.TokenInvalid:          {Status: http.StatusUnauthorized, Code: "invalid_token", Text: "the token is not active"},
		authority.LoginFailed:           {Status: http.StatusBadRequest, Code: "invalid_grant", Text: "the login failed"},
		authority.NotFound:              {Status: http.StatusNotFound, Code: "invalid_request", Text: "there is no such thing here"},
		// The rest belongs to logins that this dialect does not offer. Should one ever come
		// this way, it is said in the nearest words.
		authority.ProviderUnknown:      {Status: http.StatusNotFound, Code: "invalid_request", Text: "there is no such login here"},
		authority.ProviderFailed:       {Status: http.StatusServiceUnavailable, Code: "temporarily_unavailable", Text: "the login provider cannot answer now; try again"},
		authority.UpstreamTokenInvalid: {Status: http.StatusBadRequest, Code: "invalid_grant", Text: "the login provider's token is not good here"},
		authority.UpstreamCodeInvalid:  {Status: http.StatusBadRequest, Code: "invalid_grant", Text: "the login provider's code is wrong, used up or expired"},
		authority.StateInvalid:         {Status: http.StatusBadRequest, Code: "invalid_request", Text: "the login was not begun here, or is used up or too old"},
		authority.AccountUnknown:       {Status: http.StatusBadRequest, Code: "invalid_grant", Text: "nobody here has this login"},
		authority.SignUpRefused:        {Status: http.StatusBadRequest, Code: "access_denied", Text: "new accounts are not let in here"},
		authority.AccountDisabled:      {Status: http.StatusBadRequest, Code: "invalid_grant", Text: "the account may not log in"},
		authority.StepInvalid:          {Status: http.StatusBadRequest, Code: "invalid_grant", Text: "the login has to be begun again"},
		authority.SecondFactorInvalid:  {Status: http.StatusBadRequest, Code: "invalid_grant", Text: "the second factor is missing, wrong or used up"},
		authority.BindingInvalid:       {Status: http.StatusBadRequest, Code: "invalid_grant", Text: "the session was opened by another client"},
		authority.DeviceInvalid:        {Status: http.StatusBadRequest, Code: "invalid_grant", Text: "the device login is wrong, used up or too old"},
		authority.DeviceRefused:        {Status: http.StatusBadRequest, Code: "access_denied", Text: "the device login was refused or ran out"},
	}
}

// errorAnswer is an error of RFC 6749 §5.2.
type errorAnswer struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

// fail writes an error on an endpoint of the realm.
func (d *Dialect) fail(realm string) func(http.ResponseWriter, *http.Request, error) {
	return func(w http.ResponseWriter, r *http.Request, err error) {
		wire.Log(d.log, r, err)
		f := d.table.Failure(err)
		f.SetHeader(w.Header())
		switch f.Kind {
		case authority.ClientUnauthenticated: // RFC 6749 §5.2
			w.Header().Set("WWW-Authenticate", `Basic realm="`+realm+`"`)
		case authority.TokenInvalid: // RFC 6750 §3
			w.Header().Set("WWW-Authenticate", `Bearer realm="`+realm+`", error="`+f.Code+`"`)
		}
		writeError(w, f.Status, f.Code, f.Text)
	}
}

// wrongMethod answers 405; the frame has set Allow.
func (d *Dialect) wrongMethod(w http.ResponseWriter, _ *http.Request) {
	wire.NoStore(w.Header())
	writeError(w, http.StatusMethodNotAllowed, d.table[authority.Invalid].Code,
		"this address takes "+w.Header().Get("Allow"))
}

func writeError(w http.ResponseWriter, status int, code, text string) {
	// Two strings always encode.
	_ = wire.WriteJSON(w, status, errorAnswer{code, description(text)})
}

// maxDescription bounds what an error says, in bytes.
const maxDescription = 512

// description fits text into what error_description may hold (RFC 6749 §5.2):
// %x20-21, %x23-5B and %x5D-7E. The text may repeat words of the caller's.
func description(text string) string {
	out := make([]byte, 0, min(len(text), maxDescription))
	for _, c := range text {
		if len(out) == maxDescription {
			break
		}
		switch {
		case c == '"':
			c = '\''
		case c < 0x20 || c == '\\' || c > 0x7E:
			c = '?'
		}
		out = append(out, byte(c))
	}
	return string(out)
}
