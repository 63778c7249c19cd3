package guard

import (
	"net/http"
	"strings"
)

// MaxCredential is the longest credential that is looked up, in bytes.
const MaxCredential = 16 << 10

// found says what the Authorization field holds.
type found uint8

const (
	foundNone      found = iota // no field, or another scheme's
	foundBearer                 // one bearer credential
	foundMalformed              // more than one, or not in the form of RFC 6750 §2.1
	foundOversized              // a bearer credential over MaxCredential
)

// find reads the Authorization fields of a request.
func find(fields []string) (credential string, f found) {
	switch len(fields) {
	case 0:
		return "", foundNone
	case 1:
		return parse(fields[0])
	}
	return "", foundMalformed
}

// parse reads one Authorization value: `"Bearer" 1*SP b64token` (RFC 6750 §2.1),
// the scheme in any case (RFC 9110 §11.1).
func parse(value string) (credential string, f found) {
	const scheme = "bearer"
	value = trimOWS(value)
	if value == "" || !isToken(value[0]) {
		return "", foundMalformed
	}
	if !hasScheme(value, scheme) {
		// Repeated fields may come joined; some upstreams take them apart again.
		for element := range strings.SplitSeq(value, ",") {
			if hasScheme(trimOWS(element), scheme) {
				return "", foundMalformed
			}
		}
		return "", foundNone
	}
	rest := value[len(scheme):]
	if rest == "" || rest[0] != ' ' {
		return "", foundMalformed
	}
	rest = strings.TrimLeft(rest, " ")
	if len(rest) > MaxCredential {
		return "", foundOversized
	}
	if !isB64Token(rest) {
		return "", foundMalformed
	}
	return rest, foundBearer
}

// hasScheme reports whether a value begins with the scheme, and not with a longer name.
func hasScheme(value, scheme string) bool {
	return len(value) >= len(scheme) && strings.EqualFold(value[:len(scheme)], scheme) &&
		(len(value) == len(scheme) || !isToken(value[len(scheme)]))
}

// trimOWS removes the white space around a field value, which is no part of it
// (RFC 9110 §5.5).
func trimOWS(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// The classes of bytes that the guard tells apart.
const (
	byteToken  = 1 << iota // tchar of RFC 9110 §5.6.2
	byteBearer             // b64token of RFC 6750 §2.1, but for the closing "="
	byteText               // stands for itself in a header value of ours
)

var byteClasses = func() (t [256]uint8) {
	for c := range t {
		switch {
		case '0' <= c && c <= '9', 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z':
			t[c] = byteToken | byteBearer
		case strings.IndexByte("!#$%&'*+-.^_`|~", byte(c)) >= 0:
			t[c] = byteToken
		}
		if strings.IndexByte("-._~+/", byte(c)) >= 0 {
			t[c] |= byteBearer
		}
		if ' ' <= c && c <= '~' && c != '%' {
			t[c] |= byteText
		}
	}
	return t
}()

func isToken(c byte) bool { return byteClasses[c]&byteToken != 0 }

// isB64Token reports whether s is 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" /
// "+" / "/" ) *"=".
func isB64Token(s string) bool {
	for s != "" && s[len(s)-1] == '=' {
		s = s[:len(s)-1]
	}
	return s != "" && bearerBytes(s[commonPrefix(s):])
}

func bearerBytes(s string) bool {
	for i := range len(s) {
		if byteClasses[s[i]]&byteBearer == 0 {
			return false
		}
	}
	return true
}

// commonPrefix returns how many bytes at the start of s it has seen to be letters,
// digits, "-", ".", "/" or "_": for nearly every token, all but the last few. It
// is the one step of the guard whose cost grows with the token, so it takes eight
// bytes at a time: with the top bit of every byte clear, adding 0x80-c to each
// sets the top bit of those that are at least c, and carries into no neighbour.
func commonPrefix(s string) int {
	const (
		ones = 0x0101010101010101
		tops = 0x80 * ones
	)
	n := 0
	for ; len(s) >= 8; s = s[8:] {
		w := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
		if w&tops != 0 {
			break
		}
		lower := w | 0x20*ones
		letters := (lower + (0x80-'a')*ones) &^ (lower + (0x7f-'z')*ones)
		digits := (w + (0x80-'-')*ones) &^ (w + (0x7f-'9')*ones) // "-", ".", "/" stand before "0"
		underscores := ^((w ^ '_'*ones) + 0x7f*ones)
		if (letters|digits|underscores)&tops != tops {
			break
		}
		n += 8
	}
	return n
}

// isPreflight reports whether the request is a CORS preflight as the Fetch
// standard defines it. A browser sends it without credentials and without a
// body, so it cannot be challenged. Whatever has more is no preflight, also a
// header by which an upstream could take it for another method. Over HTTP/3 nobody
// can say yet whether there is a body: who lets a preflight pass takes it away.
func isPreflight(r *http.Request) bool {
	if r.Method != http.MethodOptions || r.ContentLength > 0 || len(r.TransferEncoding) != 0 {
		return false
	}
	if r.ContentLength < 0 && r.ProtoMajor < 3 {
		return false // HTTP/3 alone cannot tell before it is read that there is no body
	}
	origin, method := r.Header["Origin"], r.Header["Access-Control-Request-Method"]
	if len(origin) != 1 || origin[0] == "" || len(method) != 1 || method[0] == "" {
		return false
	}
	for name := range r.Header {
		switch fold(name) {
		case "authorization", "proxy-authorization", "cookie",
			"x-http-method-override", "x-http-method", "x-method-override":
			return false
		}
	}
	return true
}

// methodRefused reports whether no guarded route answers the method. CONNECT is
// answered only where it opens a WebSocket.
func methodRefused(r *http.Request) bool {
	return r.Method == http.MethodTrace || r.Method == http.MethodConnect && !ConnectsWebSocket(r) || AmbiguousMethod(r.Method)
}

// AmbiguousMethod reports whether an upstream could take a method for another one than a
// rule does. Method names are case-sensitive (RFC 9110 §9.1), but not in every upstream:
// to those that bring them into upper case, post is POST, and to a matcher it is not. Nor
// is "POST ", which HTTP/2 has as it comes, and of which others take off what is no method.
func AmbiguousMethod(method string) bool {
	return !every(method, isMethodByte)
}

func isMethodByte(c byte) bool { return isToken(c) && (c < 'a' || c > 'z') }

// ConnectsWebSocket reports whether the request opens a WebSocket by extended CONNECT
// (RFC 8441 and RFC 9220): the servers of HTTP/2 and HTTP/3 give its :protocol in these
// two places.
func ConnectsWebSocket(r *http.Request) bool {
	if r.Method != http.MethodConnect {
		return false
	}
	h2 := r.ProtoMajor == 2 && len(r.Header[":protocol"]) == 1 && r.Header[":protocol"][0] == "websocket"
	h3 := r.ProtoMajor == 3 && r.Proto == "websocket"
	return h2 || h3
}
