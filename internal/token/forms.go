package token

import (
	"strings"
	"sync"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// maxToken is the longest credential that is looked at, in bytes.
const maxToken = 16 << 10

// opaqueBody is the length of secret.Token in characters.
const opaqueBody = 43

// prefixes tell opaque tokens apart, for us and for those who search leaked files
// for secrets.
var prefixes = [...]struct {
	kind   authority.TokenKind
	prefix string
}{
	{authority.KindAccess, "gateat_"},
	{authority.KindRefresh, "gatert_"},
	{authority.KindPersonal, "gatept_"},
}

// Forms makes and reads tokens. It remembers the keys that it has parsed; all
// methods may be called at the same time.
type Forms struct {
	mu     sync.RWMutex
	parsed map[secret.Digest]*keyPair // by digest of the private key's DER
}

var _ authority.TokenForms = (*Forms)(nil)

// New returns Forms that remember no key yet.
func New() *Forms {
	return &Forms{parsed: make(map[secret.Digest]*keyPair)}
}

// NewOpaque returns a new opaque token: the prefix of its kind and 256 random bits
// as 43 characters of base64url. It panics for a kind that has no opaque form.
func (f *Forms) NewOpaque(kind authority.TokenKind) string {
	for _, p := range prefixes {
		if p.kind == kind {
			return p.prefix + secret.Token()
		}
	}
	panic("token: no opaque form for the kind " + string(kind))
}

// KindOf tells what raw could be by its looks alone: an opaque token by its
// prefix, length and characters, or by being a UUID of version 4 in its canonical
// spelling, which is a personal token; a JWT by being three non-empty parts with a
// dot between them. The kind of anything else is empty.
func (f *Forms) KindOf(raw string) (kind authority.TokenKind, jwt bool) {
	if len(raw) > maxToken {
		return "", false
	}
	for _, p := range prefixes {
		body, ok := strings.CutPrefix(raw, p.prefix)
		if ok && len(body) == opaqueBody && isBase64URL(body) {
			return p.kind, false
		}
	}
	if isUUID4(raw) {
		return authority.KindPersonal, false
	}
	if _, _, _, ok := split(raw); ok {
		return authority.KindAccess, true
	}
	return "", false
}

// OpaqueIn returns the first opaque token that stands anywhere in raw, whatever is before
// and behind it: whoever gets to see the whole has the token, too. It is empty if there is
// none.
func (f *Forms) OpaqueIn(raw string) string {
	for _, p := range prefixes {
		for rest := raw; ; {
			_, body, ok := strings.Cut(rest, p.prefix)
			if !ok {
				break
			}
			if len(body) >= opaqueBody && isBase64URL(body[:opaqueBody]) {
				return p.prefix + body[:opaqueBody]
			}
			rest = body
		}
	}
	return ""
}

// isUUID4 reports whether s is a UUID of version 4 (RFC 9562 §5.4) in lower case:
// the one spelling that is issued, so that a token has no second digest.
func isUUID4(s string) bool {
	if len(s) != 36 || s[14] != '4' || strings.IndexByte("89ab", s[19]) < 0 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f') {
				return false
			}
		}
	}
	return true
}

// split takes a compact JWS apart (RFC 7515 §3.1): exactly three parts, none empty.
func split(raw string) (header, claims, signature string, ok bool) {
	first, last := strings.IndexByte(raw, '.'), strings.LastIndexByte(raw, '.')
	if first < 1 || last <= first+1 || last == len(raw)-1 {
		return "", "", "", false
	}
	header, claims, signature = raw[:first], raw[first+1:last], raw[last+1:]
	return header, claims, signature, strings.IndexByte(claims, '.') < 0
}

// isBase64URL reports whether s has no character outside the base64url alphabet
// (RFC 4648 §5).
func isBase64URL(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}
