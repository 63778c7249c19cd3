package authority

import (
	"errors"
	"strings"
	"time"
)

// Kind says what went wrong, in words every dialect can translate. The list is
// append-only; each dialect has a row for every kind, held by a test.
type Kind uint8

// The kinds.
const (
	// Internal is a fault of ours; its text stays in the log.
	Internal Kind = iota
	// Unavailable means the store or a provider cannot be reached: try again.
	Unavailable
	// Throttled means too many tries; RetryAfter says when to come again.
	Throttled
	// Invalid is a request that is malformed, lacks something or says it twice.
	Invalid
	// TooLarge is a request over a size limit.
	TooLarge
	// RealmUnknown means the named realm is not served.
	RealmUnknown
	// ClientUnauthenticated means the client is unknown, disabled, or did not
	// prove who it is. The three are not told apart.
	ClientUnauthenticated
	// ClientForbidden means the client may not use this grant or act on this token.
	ClientForbidden
	// GrantUnsupported is a grant type nobody may use here.
	GrantUnsupported
	// GrantInvalid is a code or refresh token that is wrong, spent, expired or
	// somebody else's, or whose account or session has ended.
	GrantInvalid
	// ScopeInvalid is a scope the client may not have.
	ScopeInvalid
	// TargetInvalid is a resource the client may not have (RFC 8707).
	TargetInvalid
	// TokenInvalid is a presented token that is not active.
	TokenInvalid
	// LoginFailed is a wrong username, password or second factor, or a user who
	// may not log in. They are not told apart.
	LoginFailed
	// NotFound is a thing asked for by its id that is not there.
	NotFound
	// ProviderUnknown is an upstream login the realm does not have.
	ProviderUnknown
	// ProviderFailed means an upstream login cannot be reached, or answered what it must not.
	ProviderFailed
	// UpstreamTokenInvalid is an upstream's token that is dead, malformed, or not
	// proven to be issued to our own client there. The three are not told apart.
	UpstreamTokenInvalid
	// UpstreamCodeInvalid is an upstream's code that is wrong, spent, expired or
	// was issued for something else.
	UpstreamCodeInvalid
	// StateInvalid is the state of a login that was not begun here, in this browser,
	// with this provider, or is spent or too old.
	StateInvalid
	// AccountUnknown is a proven identity that no account has, where nobody is signed up.
	AccountUnknown
	// SignUpRefused is a proven identity without an account that the realm's sign_up
	// does not let in.
	SignUpRefused
	// AccountDisabled is a proven identity of an account that may not log in.
	AccountDisabled
	// StepInvalid is the token between the steps of a login, wrong, spent or too old.
	StepInvalid
	// SecondFactorInvalid is a missing, wrong or spent second factor at a step of its own.
	SecondFactorInvalid
	// BindingInvalid is a session used by another client of the user than it was opened by.
	BindingInvalid
	// DeviceInvalid is the session of a device login that is altered, spent or of
	// another realm.
	DeviceInvalid
	// DeviceRefused is a device login that the user denied or let expire.
	DeviceRefused

	kinds // the number of kinds
)

// Kinds returns every kind, for the tests that hold the dialects' error tables complete.
func Kinds() []Kind {
	all := make([]Kind, kinds)
	for i := range all {
		all[i] = Kind(i)
	}
	return all
}

var kindNames = [kinds]string{
	"internal", "unavailable", "throttled", "invalid", "too_large", "realm_unknown",
	"client_unauthenticated", "client_forbidden", "grant_unsupported", "grant_invalid",
	"scope_invalid", "target_invalid", "token_invalid", "login_failed", "not_found",
	"provider_unknown", "provider_failed", "upstream_token_invalid", "upstream_code_invalid", "state_invalid",
	"account_unknown", "sign_up_refused", "account_disabled", "step_invalid", "second_factor_invalid",
	"binding_invalid", "device_invalid", "device_refused",
}

// String names the kind as logs and metrics show it.
func (k Kind) String() string {
	if k >= kinds {
		return "internal"
	}
	return kindNames[k]
}

// Field is one faulty parameter.
type Field struct {
	Name   string // the parameter's name
	Reason string // what is wrong with it, fit for the caller
}

// Error is the one error that crosses rooms.
type Error struct {
	Kind       Kind
	Op         string        // what was being done, for the log
	Public     string        // the only text that may reach the caller
	Fields     []Field       // the faulty parameters, if the fault lies in some
	RetryAfter time.Duration // for Unavailable and Throttled
	Err        error         // the cause, for the log
}

// Error is the text for the log; it holds no secret.
func (e *Error) Error() string {
	s := e.Op
	if s == "" {
		s = e.Kind.String()
	} else {
		s += ": " + e.Kind.String()
	}
	if e.Public != "" {
		s += ": " + e.Public
	}
	for _, f := range e.Fields {
		s += "; " + f.Name + ": " + f.Reason
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Said is all of the error that may reach the caller: the public text and the faulty
// parameters.
func (e *Error) Said() string {
	var parts []string
	if e.Public != "" {
		parts = append(parts, e.Public)
	}
	for _, f := range e.Fields {
		parts = append(parts, f.Name+": "+f.Reason)
	}
	return strings.Join(parts, "; ")
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of err: Internal for what is not an *Error.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// ErrNotFound is what a Tx answers when there is no such row.
var ErrNotFound = errors.New("no such row")
