package authority

import (
	"errors"
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
