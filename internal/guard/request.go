package guard

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// Request is what is kept of one HTTP request between the handlers that it meets:
// whether it was stripped, its credential and its principal. The door keeps one,
// zero at first, for the life of the request; handlers meet it one after another.
// However it is printed, it tells nothing.
type Request struct {
	// ClientIP tells the client's address for a policy that asks for it. Nil: the peer's.
	ClientIP func(*http.Request) string
	// Shown is the door's own mark: placeholders answer from this Request.
	Shown bool
	// Met is another one: a handler has met the request.
	Met bool
	// Own is another one: what the gateway itself answers, nil if it does not.
	Own *OwnAnswer

	stripped   bool
	arrived    bool // the target was judged as it came
	everywhere bool // ambiguous targets are refused on the whole site
	queried    bool // and so are queries that cannot be parsed
	unjudged   bool // it passed as a preflight, where nobody without a credential does
	sought     bool // the Authorization field was read
	known      bool // by is set and no guard has refused since
	found      found

	credential string
	cookies    string // the gateway's own, which no app gets to see
	came       string // why the target was ambiguous as it came, before any rewrite
	judged     string // the RequestURI that was judged as it came

	by     *Accepted            // who vouched
	record string               // what by recalls the principal from; empty: whole is there
	whole  *authority.Principal // the principal, where there is no record

	setBy  *Guard    // whose identity headers stand
	values [4]string // backing of the headers: a preset has four
}

// OwnAnswer is an answer of the gateway's own endpoints. Somebody may put an app's in its
// place, or beside it.
type OwnAnswer struct {
	Now        bool     // it is being written
	SetCookies []string // the cookies that it has set
}

// Principal returns whom the guards that the request met so far recognised, false
// if it is anonymous or was refused. The principal must not be changed.
func (st *Request) Principal() (*authority.Principal, bool) {
	if st == nil || !st.known {
		return nil, false
	}
	if st.whole != nil {
		return st.whole, true
	}
	// Not kept: whoever asks may do so beside others.
	p, ok := st.by.recorder.Recall(st.record)
	if !ok {
		return nil, false
	}
	return &p, true
}

// ID is the subject of a principal of this request in the form in which Caddy hands it on
// by itself, as REMOTE_USER to FastCGI and to its access log: as the identity headers have
// it, whoever vouched.
func (st *Request) ID(p *authority.Principal) string {
	if p.Subject == "" {
		return ""
	}
	if st.setBy == nil {
		return p.Subject
	}
	return st.setBy.sourceOf(st.by) + p.Subject
}

// know keeps whom a guard recognised, by the record if there is one.
func (st *Request) know(by *Accepted, p *authority.Principal, record string) {
	st.known, st.by, st.record = true, by, record
	if record == "" {
		whole := *p
		st.whole = &whole
	}
}

// forget makes the request anonymous again.
func (st *Request) forget() { st.known, st.by, st.record, st.whole = false, nil, "", nil }

// Stripped reports whether the request was stripped, and its target judged, before.
func (st *Request) Stripped() bool { return st.stripped }

// Early reports whether a request came before its handshake was complete, as HTTP/3 lets
// those come who were here before: until then anybody may claim an address, or send again
// what somebody else has sent (RFC 8470). A proxy in front, whose handshake it was, says so
// by a field, which counts whatever its value is (§5.1).
func Early(r *http.Request) bool {
	return r.TLS != nil && !r.TLS.HandshakeComplete || r.Header["Early-Data"] != nil
}

// Unjudged reports whether the request passed for no other reason than being a preflight.
// An app that takes no notice of the method answers one as if it were asked for what the
// guard protects: of the answer a browser needs the header only, and nobody gets more.
func (st *Request) Unjudged() bool { return st.unjudged }

// seek reads the Authorization field the first time it is called, and reports whether
// it did.
func (st *Request) seek(h http.Header) bool {
	if st.sought {
		return false
	}
	st.sought = true
	st.credential, st.found = find(h["Authorization"])
	return true
}

// DropCredential removes the client's credential from a request that is refused before a
// guard has looked at it: whatever answers it has no use for it.
func (st *Request) DropCredential(h http.Header) { st.dropCredential(h, st.seek(h)) }

// dropCredential removes the field that held the client's credential, but not one that
// an operator's handler put in its place after it was read (fresh: just now).
func (st *Request) dropCredential(h http.Header, fresh bool) {
	if st.found == foundNone {
		return
	}
	if !fresh {
		if credential, found := find(h["Authorization"]); credential != st.credential || found != st.found {
			return
		}
	}
	delete(h, "Authorization")
}

// unset removes the identity headers that stand.
func (st *Request) unset(h http.Header) {
	if st.setBy == nil {
		return
	}
	st.setBy.removeHeaders(h)
	st.setBy = nil
}

// withdraw makes the request anonymous again.
func (st *Request) withdraw(h http.Header) {
	st.unset(h)
	st.forget()
}

const redacted = "guard.Request(redacted)"

// String tells nothing: the request holds a credential.
func (Request) String() string { return redacted }

// GoString tells nothing.
func (Request) GoString() string { return redacted }

// Format tells nothing, whatever the verb.
func (Request) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// LogValue tells nothing.
func (Request) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText tells nothing.
func (Request) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON tells nothing.
func (Request) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }
