package provider

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// What callers read. None of it is the upstream's.
const (
	publicFailed  = "the login provider cannot be reached, or does not answer as it must; try again later"
	publicToken   = "the login provider does not confirm that this access token is valid and was issued to us"
	publicCode    = "the login provider does not accept this code; begin the login again"
	publicDevices = "this login provider offers no device logins"
)

// Failed is the error for an upstream that cannot be reached or answers what it must
// not. The cause goes to the log: it must hold neither a secret nor an address.
func (c *Client) Failed(op string, cause error) error {
	return c.fault(authority.ProviderFailed, op, publicFailed, cause)
}

// TokenInvalid is the error for an access token that is dead, malformed or not proven
// to be ours. The cause, which may be nil, goes to the log.
func (c *Client) TokenInvalid(op string, cause error) error {
	return c.fault(authority.UpstreamTokenInvalid, op, publicToken, cause)
}

// CodeInvalid is the error for a code that the upstream does not take. The cause, which
// may be nil, goes to the log.
func (c *Client) CodeInvalid(op string, cause error) error {
	return c.fault(authority.UpstreamCodeInvalid, op, publicCode, cause)
}

// NoDevices is the error for a device login at an upstream that offers none. The cause,
// which may be nil, goes to the log.
func (c *Client) NoDevices(cause error) error {
	return c.fault(authority.Invalid, OpStartDevice, publicDevices, cause)
}

func (c *Client) fault(kind authority.Kind, op, public string, cause error) error {
	return &authority.Error{Kind: kind, Op: "provider " + c.name + ": " + op, Public: public, Err: cause}
}

// Failed is the error for an answer that is not what it must be: its status and our
// own words about it go to the log, nothing of its text.
func (a Answer) Failed(why string) error {
	return a.client.Failed(a.op, fmt.Errorf("status %d: %s", a.Status, why))
}

// maxErrorCode bounds an upstream's error code in the log.
const maxErrorCode = 64

// Refusal is the short error code of an upstream (RFC 6749 §5.2), for the log.
type Refusal struct{ Code string }

// Error is the text for the log.
func (r *Refusal) Error() string { return "the upstream says " + r.Code }

// refusal keeps an error code only where it looks like one: anything else may be a
// secret that was sent back, or a text that would be misread in the log.
func refusal(code string) *Refusal {
	if len(code) > maxErrorCode {
		return &Refusal{"something too long to be an error code"}
	}
	for _, c := range []byte(code) {
		if (c < 'a' || c > 'z') && c != '_' {
			return &Refusal{"something that is not an error code"}
		}
	}
	return &Refusal{code}
}

// networkFault says in our own words why there was no answer. The errors of net/http
// quote the address, which may hold a token, and what the upstream sent.
func networkFault(ctx context.Context, err error) error {
	if ended := ctx.Err(); ended != nil { // the caller's own, not the call's
		return ended
	}
	if errors.Is(err, errElsewhere) {
		return errElsewhere
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("no whole answer within the deadline")
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return dns
	}
	if cert, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return cert
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the connection was dropped")
	}
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return fmt.Errorf("the call failed (%T)", err)
}
