package golem

import (
	"errors"
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/wire"
)

// invalidSession is how the original's text about a bad session begins.
const invalidSession = "Invalid Session"

// errorTable is how this dialect says what went wrong: the original's 400, 401, 403
// and 500, and beside them 404, 413 and 429. A kind that no call here can have
// stands with those it is most like.
func errorTable() wire.Table {
	return wire.Table{
		authority.Invalid:          {Status: http.StatusBadRequest, Text: "the request is malformed"},
		authority.GrantUnsupported: {Status: http.StatusBadRequest, Text: "this way to log in is not supported here"},
		authority.GrantInvalid:     {Status: http.StatusBadRequest, Text: "the login is spent or too old: start again"},
		authority.ScopeInvalid:     {Status: http.StatusBadRequest, Text: "the scope is not to be had"},
		authority.TargetInvalid:    {Status: http.StatusBadRequest, Text: "the resource is not to be had"},
		authority.ProviderUnknown:  {Status: http.StatusBadRequest, Text: "provider: there is no login of that name here"},
		authority.StateInvalid:     {Status: http.StatusBadRequest, Text: "the login was not begun here, is spent or too old: start again"},
		authority.DeviceInvalid:    {Status: http.StatusBadRequest, Text: invalidSession + ": it is altered, spent, too old or not of this realm: start again"},

		authority.ClientUnauthenticated: {Status: http.StatusUnauthorized, Text: "client authentication failed"},
		authority.TokenInvalid:          {Status: http.StatusUnauthorized, Text: "the token is not active: log in again"},
		authority.LoginFailed:           {Status: http.StatusUnauthorized, Text: "the login failed"},
		authority.UpstreamTokenInvalid:  {Status: http.StatusUnauthorized, Text: "the provider's access token is not good, or was not issued for this service"},
		authority.UpstreamCodeInvalid:   {Status: http.StatusUnauthorized, Text: "the provider's code is not good"},
		authority.AccountDisabled:       {Status: http.StatusUnauthorized, Text: "the account may not log in"},
		authority.StepInvalid:           {Status: http.StatusUnauthorized, Text: "the login is spent or too old: start again"},
		authority.SecondFactorInvalid:   {Status: http.StatusUnauthorized, Text: "the login failed"},
		authority.BindingInvalid:        {Status: http.StatusUnauthorized, Text: "the login belongs to another program"},
		authority.DeviceRefused:         {Status: http.StatusUnauthorized, Text: "the login was denied, or its code expired: start again"},

		authority.ClientForbidden: {Status: http.StatusForbidden, Text: "this token may not do that: log in here and use that token"},
		authority.AccountUnknown:  {Status: http.StatusForbidden, Text: "there is no account for this login, and new ones are not created"},
		authority.SignUpRefused:   {Status: http.StatusForbidden, Text: "the creation of new accounts is restricted"},

		authority.NotFound:     {Status: http.StatusNotFound, Text: "there is no such thing"},
		authority.RealmUnknown: {Status: http.StatusNotFound, Text: "the realm is not served here"},
		authority.TooLarge:     {Status: http.StatusRequestEntityTooLarge, Text: "the request is too large"},
		authority.Throttled:    {Status: http.StatusTooManyRequests, Text: "too many tries: try again later"},

		authority.Internal:       {Status: http.StatusInternalServerError, Text: "internal error"},
		authority.Unavailable:    {Status: http.StatusInternalServerError, Text: "the service cannot answer now: try again later"},
		authority.ProviderFailed: {Status: http.StatusInternalServerError, Text: "the provider cannot be reached or gave no good answer: try again later"},
	}
}

// The original's forms of an error, by status: 400, 401 and 403, all others.
type (
	errorsAnswer struct {
		Errors []string `json:"errors"`
	}
	messageAnswer struct {
		Message string `json:"message"`
	}
	errorAnswer struct {
		Error string `json:"error"`
	}
)

// fail writes an error.
func (d *Dialect) fail(w http.ResponseWriter, r *http.Request, err error) {
	wire.Log(d.log, r, err)
	f := d.table.Failure(err)
	f.SetHeader(w.Header())
	var answer any = errorAnswer{f.Text}
	switch f.Status {
	case http.StatusBadRequest:
		answer = errorsAnswer{d.listed(err, f)}
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", d.challenge(r, f.Kind))
		answer = messageAnswer{f.Text}
	case http.StatusForbidden:
		answer = messageAnswer{f.Text}
	}
	_ = write(w, f.Status, answer) // texts always encode
}

// challenge is what RFC 9110 §15.5.2 asks of a 401. Only a token that was sent and
// is not good is called so (RFC 6750 §3.1).
func (d *Dialect) challenge(r *http.Request, kind authority.Kind) string {
	challenge := `Bearer realm="` + d.realm.Name + `"`
	if kind == authority.TokenInvalid && r.Header.Get("Authorization") != "" {
		challenge += `, error="invalid_token"`
	}
	return challenge
}

// listed is everything that is wrong with a request, one text each.
func (d *Dialect) listed(err error, f wire.Failure) []string {
	var all []string
	e, ok := errors.AsType[*authority.Error](err)
	if ok && e.Public != "" {
		all = append(all, e.Public)
	}
	for _, field := range f.Fields {
		if field.Name == "" {
			all = append(all, field.Reason)
			continue
		}
		all = append(all, field.Name+": "+field.Reason)
	}
	if len(all) == 0 {
		all = append(all, d.table[f.Kind].Text)
	}
	if f.Kind == authority.DeviceInvalid && !strings.HasPrefix(all[0], invalidSession) {
		all[0] = invalidSession + ": " + all[0]
	}
	return all
}

// wrongMethod answers 405; the frame has set Allow.
func (d *Dialect) wrongMethod(w http.ResponseWriter, _ *http.Request) {
	_ = write(w, http.StatusMethodNotAllowed, errorAnswer{http.StatusText(http.StatusMethodNotAllowed)})
}

// faulty is the error Invalid about one parameter.
func faulty(name, reason string) error {
	return &authority.Error{Kind: authority.Invalid, Op: opRead, Fields: []authority.Field{{Name: name, Reason: reason}}}
}

func invalid(public string) error {
	return &authority.Error{Kind: authority.Invalid, Op: opRead, Public: public}
}

func badSession() error { return &authority.Error{Kind: authority.DeviceInvalid, Op: opRead} }

// publicOf is the text of an error of the frame.
func publicOf(err error) string {
	if e, ok := errors.AsType[*authority.Error](err); ok && e.Public != "" {
		return e.Public
	}
	return "the request cannot be read"
}
