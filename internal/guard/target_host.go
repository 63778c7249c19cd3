package guard

import (
	"net/http"
	"strings"
)

const (
	whyHost  = "the host must be a plain name or address, with a port at most"
	whyHosts = "the Host field must agree with the authority of the request"
)

// ambiguousHost judges the host of a request, wherever the protocol says it: one
// that some upstream or matcher would read as another one's. A name with a dot at its
// end is the same host to a browser and to many upstreams, but another one to a rule.
func ambiguousHost(r *http.Request) string {
	host := r.Host
	if r.ProtoMajor > 1 {
		// Beside :authority, HTTP/2 and HTTP/3 let a Host field through (RFC 9113 §8.3.1).
		if fields := r.Header["Host"]; len(fields) > 1 || len(fields) == 1 && !strings.EqualFold(fields[0], host) {
			return whyHosts
		}
	}
	rest := ""
	if strings.HasPrefix(host, "[") {
		end := strings.IndexByte(host, ']')
		if end < 2 || !every(host[1:end], isAddressByte) {
			return whyHost
		}
		rest = host[end+1:]
	} else {
		last := byte('.') // a dot may not come first, nor last, nor twice
		i := 0
		for ; i < len(host) && host[i] != ':'; i++ {
			c := host[i]
			if foldTable[c] == '-' && c != '-' && c != '_' && (c != '.' || last == '.') {
				return whyHost
			}
			last = c
		}
		if last == '.' {
			return whyHost
		}
		rest = host[i:]
	}
	if rest != "" && (rest[0] != ':' || len(rest) < 2 || len(rest) > 6 || !every(rest[1:], isDigit)) {
		return whyHost
	}
	return ""
}

func every(s string, is func(byte) bool) bool {
	for i := range len(s) {
		if !is(s[i]) {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isAddressByte(c byte) bool { return isHex(c) || c == ':' || c == '.' }

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// unhex returns the value of a hexadecimal digit.
func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}
