package guard

import (
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// MaxHeaderValue is the longest identity header value, in bytes. Servers commonly
// take 8 KiB for all headers or for one line; half of it leaves room for the rest.
const MaxHeaderValue = 4 << 10

const upperHex = "0123456789ABCDEF"

// encodeText returns s in the form of a header value: s itself when every byte
// stands for itself, empty when it would be too long. A text is never cut: the
// rest of it could be another one's name.
func encodeText(s string) string {
	if len(s) > MaxHeaderValue {
		return ""
	}
	if isPlain(s, 0) {
		return s
	}
	b := appendEncoded(make([]byte, 0, 3*len(s)), s, 0)
	if len(b) > MaxHeaderValue {
		return ""
	}
	return string(b)
}

// encodeList joins the list's texts with sep, which is encoded inside them.
func encodeList(l authority.List, sep byte) string {
	s := string(l)
	if s == "" {
		return ""
	}
	if len(s) <= MaxHeaderValue && isPlainList(s, sep) {
		if i := strings.IndexByte(s, 0); i == len(s)-1 {
			return s[:i]
		}
		return l.Join(string(rune(sep)))
	}
	b := make([]byte, 0, min(3*len(s), MaxHeaderValue))
	for text := range l.All() {
		if text == "" {
			continue
		}
		end := len(b)
		if end > 0 {
			b = append(b, sep)
		}
		if len(text) <= MaxHeaderValue {
			b = appendEncoded(b, text, sep)
		}
		if len(text) > MaxHeaderValue || len(b) > MaxHeaderValue {
			b = b[:end]
			break
		}
	}
	return string(b)
}

// isPlain reports whether every byte of s stands for itself, sep (if not 0) does
// not occur, and no space stands at an end, where a receiver would drop it.
func isPlain(s string, sep byte) bool {
	if s == "" {
		return true
	}
	for i := range len(s) {
		if byteClasses[s[i]]&byteText == 0 || s[i] == sep {
			return false
		}
	}
	return s[0] != ' ' && s[len(s)-1] != ' '
}

// isPlainList is isPlain for each text of a packed list, none of which is empty.
func isPlainList(s string, sep byte) bool {
	start := byte(0) // the byte before: NUL at the start of a text
	for i := range len(s) {
		c := s[i]
		switch {
		case c == 0:
			if start == 0 || start == ' ' {
				return false
			}
		case byteClasses[c]&byteText == 0, c == sep, c == ' ' && start == 0:
			return false
		}
		start = c
	}
	return start == 0
}

func appendEncoded(b []byte, s string, sep byte) []byte {
	for i := range len(s) {
		c := s[i]
		edge := c == ' ' && (i == 0 || i == len(s)-1)
		if byteClasses[c]&byteText != 0 && c != sep && !edge {
			b = append(b, c)
			continue
		}
		b = append(b, '%', upperHex[c>>4], upperHex[c&15])
	}
	return b
}
