package guard

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// foldTable gives each byte of a header name the byte that CGI-like upstreams
// cannot tell it from: letters lose their case, and whatever is neither letter
// nor digit becomes '-', since such upstreams turn all of it into one '_'.
var foldTable = func() (t [256]byte) {
	for i := range t {
		c := byte(i)
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
			t[i] = c
		case 'A' <= c && c <= 'Z':
			t[i] = c + 'a' - 'A'
		default:
			t[i] = '-'
		}
	}
	return t
}()

func fold(name string) string {
	b := make([]byte, len(name))
	for i := range b {
		b[i] = foldTable[name[i]]
	}
	return string(b)
}

// foldsTo reports whether name folds to folded, which has the same length.
func foldsTo(name, folded string) bool {
	// From the end: X-Forwarded-… and X-Auth-Request-… differ there.
	for i := len(name) - 1; i >= 0; i-- {
		if foldTable[name[i]] != folded[i] {
			return false
		}
	}
	return true
}

// alike reports whether two names fold to the same.
func alike(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := len(a) - 1; i >= 0; i-- {
		if foldTable[a[i]] != foldTable[b[i]] {
			return false
		}
	}
	return true
}

// Names is the folded set of identity header names: what no client may send.
type Names struct {
	byLength [][]string
}

// NewNames returns the set of all presets' names and the given ones: the headers
// of every identity map in the configuration.
func NewNames(headers ...string) *Names {
	n := new(Names)
	for _, preset := range Presets() {
		fields, _ := PresetHeaders(preset)
		for _, f := range fields {
			n.add(f.Name)
		}
	}
	for _, name := range headers {
		n.add(name)
	}
	return n
}

func (n *Names) add(name string) {
	if name == "" || n.Has(name) {
		return
	}
	for len(n.byLength) <= len(name) {
		n.byLength = append(n.byLength, nil)
	}
	n.byLength[len(name)] = append(n.byLength[len(name)], fold(name))
}

// Has reports whether an upstream could read name as one of the set.
func (n *Names) Has(name string) bool {
	if len(name) >= len(n.byLength) {
		return false
	}
	for _, folded := range n.byLength[len(name)] {
		if foldsTo(name, folded) {
			return true
		}
	}
	return false
}

// Strip removes inbound identity from the request: header fields, trailer fields
// declared or not, and their names in Trailer; whatever Connection names; and the
// gateway's own cookies, which the Request keeps. It also judges the target, unless
// Arrive did, and brings the host into lower case, in which every rule has it: a host in
// another case is the same one to an app (RFC 9110 §4.2.3), and none that {host} is
// compared with. It acts once per Request, so that it takes nothing that a guard has set.
func (n *Names) Strip(r *http.Request, st *Request) {
	if st.stripped {
		return
	}
	st.stripped = true
	st.Arrive(r, r.Method, r.RequestURI, r.URL)
	r.Host = strings.ToLower(r.Host)
	for name, values := range r.Header {
		switch {
		case n.Has(name):
			delete(r.Header, name)
		case name == "Connection":
			disconnect(r.Header, values)
		case name == "Trailer":
			n.prune(r.Header, name, values)
		case name == "Upgrade" && !opensWebSocket(r, values):
			delete(r.Header, name)
		}
	}
	st.cookies = stripCookies(r.Header)
	n.deleteFrom(r.Trailer)
	if r.Method == http.MethodConnect && !ConnectsWebSocket(r) {
		// A proxy sends what follows a CONNECT on without a frame around it: in that blind
		// tunnel the client would write the next requests to the upstream by itself.
		removeBody(r)
	}
	if r.Body != nil && r.Body != http.NoBody && (r.ContentLength < 0 || r.Trailer != nil) {
		r.Body = &body{ReadCloser: r.Body, names: n, request: r}
	}
}

// opensWebSocket reports whether the upgrade is the one that is let through
// (RFC 6455 §4.1). After any other one, such as h2c, the proxy is a blind tunnel, and
// what the client sends in it reaches every path of the upstream with any header.
func opensWebSocket(r *http.Request, upgrade []string) bool {
	return r.Method == http.MethodGet && len(upgrade) == 1 && strings.EqualFold(upgrade[0], "websocket")
}

func removeBody(r *http.Request) {
	r.Body, r.ContentLength, r.TransferEncoding = http.NoBody, 0, nil
	delete(r.Header, "Content-Length")
}

func (n *Names) deleteFrom(h http.Header) {
	for name := range h {
		if n.Has(name) {
			delete(h, name)
		}
	}
}

// disconnect takes off the fields that Connection names (RFC 9110 §7.6.1), and their names.
// A proxy would do so after us: a client must not aim that at what a guard sets, or another
// handler in its name. What is left of Connection is about the connection alone. Early-Data
// is for everybody on the way, and no sender may name it (RFC 8470 §5.1); and by Expect we know
// who waits for our answer.
func disconnect(h http.Header, values []string) {
	if !slices.ContainsFunc(values, func(v string) bool {
		for element := range strings.SplitSeq(v, ",") {
			if !ofConnection(trim(element)) {
				return true
			}
		}
		return false
	}) {
		return
	}
	var kept []string
	for _, v := range values {
		for element := range strings.SplitSeq(v, ",") {
			switch element = trim(element); {
			case element == "", strings.EqualFold(element, "Connection"), strings.EqualFold(element, "Early-Data"), strings.EqualFold(element, "Expect"):
			case ofConnection(element):
				kept = append(kept, element)
			default:
				h.Del(element)
			}
		}
	}
	if len(kept) == 0 {
		delete(h, "Connection")
		return
	}
	h["Connection"] = []string{strings.Join(kept, ", ")}
}

// ofConnection reports whether an element of Connection names no field that anybody but
// the next hop reads.
func ofConnection(element string) bool {
	for _, option := range [...]string{"keep-alive", "close", "upgrade", "te"} {
		if strings.EqualFold(element, option) {
			return true
		}
	}
	return false
}

// prune takes the names of the set out of a comma-separated list of names.
func (n *Names) prune(h http.Header, field string, values []string) {
	if !n.listed(values) {
		return
	}
	var kept []string
	for _, v := range values {
		for element := range strings.SplitSeq(v, ",") {
			if element = trim(element); element != "" && !n.Has(element) {
				kept = append(kept, element)
			}
		}
	}
	if len(kept) == 0 {
		delete(h, field)
		return
	}
	h[field] = []string{strings.Join(kept, ", ")}
}

func (n *Names) listed(values []string) bool {
	for _, v := range values {
		for element := range strings.SplitSeq(v, ",") {
			if n.Has(trim(element)) {
				return true
			}
		}
	}
	return false
}

// trim removes what proxies trim from the elements of a list: spaces, tabs and
// line ends.
func trim(s string) string { return textproto.TrimString(s) }
