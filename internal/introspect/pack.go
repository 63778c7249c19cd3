package introspect

import (
	"encoding/binary"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

const (
	maxBlock = 32_000 // bytes; a bigger verdict is answered, not kept
	maxTags  = 255

	flagEmailVerified  = 1
	flagAuthTime       = 2 // there is one
	flagRolesElsewhere = 4
)

// How a text field is written: the lowest bit of its code. The rest of the code of
// a text that stands elsewhere is the number of an earlier field with the same
// text, or fieldCount more than its number in the dictionary. So nearly every
// code is one byte.
const (
	codeInline    = iota // the rest is the text's length; it stands in the text part
	codeElsewhere        // the rest says where
)

// The text fields in the order in which they are packed.
const (
	fieldSource = iota
	fieldRealm
	fieldIssuer
	fieldSubject
	fieldAccount
	fieldClient
	fieldUsername
	fieldName
	fieldEmail
	fieldSession
	fieldTokenID
	fieldKeyID
	fieldKind
	fieldScopes
	fieldRoles
	fieldAudience
	fieldClaims
	fieldCount
)

// places are the text fields of a principal in the order in which they are packed.
func places(p *authority.Principal) [fieldCount]*string {
	return [fieldCount]*string{
		fieldSource:   &p.Source,
		fieldRealm:    &p.Realm,
		fieldIssuer:   &p.Issuer,
		fieldSubject:  &p.Subject,
		fieldAccount:  &p.Account,
		fieldClient:   &p.Client,
		fieldUsername: &p.Username,
		fieldName:     &p.Name,
		fieldEmail:    &p.Email,
		fieldSession:  &p.Session,
		fieldTokenID:  &p.TokenID,
		fieldKeyID:    &p.KeyID,
		fieldKind:     (*string)(&p.Kind),
		fieldScopes:   (*string)(&p.Scopes),
		fieldRoles:    (*string)(&p.Roles),
		fieldAudience: (*string)(&p.Audience),
		fieldClaims:   (*string)(&p.Claims),
	}
}

// shared tells the fields that many tokens have alike and that go through the
// dictionary.
func shared(field int) bool {
	switch field {
	case fieldSource, fieldRealm, fieldIssuer, fieldClient, fieldKeyID, fieldKind, fieldScopes, fieldRoles, fieldAudience:
		return true
	}
	return false
}

// appendPrincipal writes the principal's expiry into the head in b, and behind it a
// code for each text field, the other times and the texts. It answers false if the
// block gets too big.
func appendPrincipal(b []byte, w *words, p *authority.Principal) ([]byte, bool) {
	var fields [fieldCount]string
	for i, place := range places(p) {
		fields[i] = *place
	}
	size := headSize + fieldCount*binary.MaxVarintLen32 + 2*binary.MaxVarintLen64
	for _, f := range fields {
		if size += len(f); len(f) > maxBlock || size > maxBlock {
			return nil, false
		}
	}
	binary.LittleEndian.PutUint64(b[atExpires:], uint64(p.Expires))
	if p.EmailVerified {
		b[atFlags] |= flagEmailVerified
	}
	if p.RolesElsewhere {
		b[atFlags] |= flagRolesElsewhere
	}
	var inline [fieldCount]bool
	for i, f := range fields {
		code := uint64(len(f))<<1 + codeInline
		if same := earlier(fields[:i], f); same >= 0 {
			code = uint64(same)<<1 | codeElsewhere
		} else if n, ok := w.number(i, f); ok {
			code = uint64(fieldCount+n)<<1 | codeElsewhere
		} else {
			inline[i] = true
		}
		b = binary.AppendUvarint(b, code)
	}
	// Times are near one another: what lies between them is short.
	b = binary.AppendUvarint(b, uint64(p.Expires-p.IssuedAt))
	if p.AuthTime != 0 {
		b[atFlags] |= flagAuthTime
		b = binary.AppendUvarint(b, uint64(p.IssuedAt-p.AuthTime))
	}
	b[atCodes] = byte(len(b) - headSize)
	for i, f := range fields {
		if inline[i] {
			b = append(b, f...)
		}
	}
	return b, true
}

// earlier finds the field with the same text; an empty or one-byte text is as
// short itself.
func earlier(fields []string, text string) int {
	if len(text) < 2 {
		return -1
	}
	for i, f := range fields {
		if f == text {
			return i
		}
	}
	return -1
}

// unpackPrincipal reads the principal of a block; its texts are parts of the
// block and of the dictionary, nothing is allocated. It answers false for what
// appendPrincipal did not write.
func unpackPrincipal(block string, w *words, p *authority.Principal) bool {
	if len(block) < headSize {
		return false
	}
	p.Expires = int64(load64(block[atExpires:]))
	p.EmailVerified = block[atFlags]&flagEmailVerified != 0
	p.RolesElsewhere = block[atFlags]&flagRolesElsewhere != 0
	at, end := headSize, headSize+int(block[atCodes])
	text, tail := end, len(block)-2*int(block[atTags]) // where the next inline text begins; where all end
	if text > tail {
		return false
	}
	known := w.all()
	fields := places(p)
	for i := range fields {
		if at >= end {
			return false
		}
		code, size := uint64(block[at]), 1
		if code >= 0x80 {
			if code, size = uvarint(block[at:end]); size == 0 {
				return false
			}
		}
		at += size
		n := code >> 1
		switch {
		case code&1 == codeInline:
			if n > uint64(tail-text) {
				return false
			}
			*fields[i] = block[text : text+int(n)]
			text += int(n)
		case n < uint64(i):
			*fields[i] = *fields[n] //nolint:gosec // G602: n < i, which ranges over fields
		case n >= fieldCount && n-fieldCount < uint64(len(known)):
			*fields[i] = known[n-fieldCount]
		default:
			return false
		}
	}
	return unpackTimes(block[at:end], block[atFlags], p) && text == tail
}

func unpackTimes(times string, flags byte, p *authority.Principal) bool {
	n, size := uvarint(times)
	p.IssuedAt, p.AuthTime = p.Expires-int64(n), 0
	if size > 0 && flags&flagAuthTime != 0 {
		times = times[size:]
		n, size = uvarint(times)
		p.AuthTime = p.IssuedAt - int64(n)
	}
	return size > 0 && size == len(times)
}

// uvarint is binary.Uvarint for a string. It answers the size 0 for what is none.
func uvarint(s string) (uint64, int) {
	var n uint64
	for i := 0; i < len(s) && i < binary.MaxVarintLen64; i++ {
		if s[i] < 0x80 {
			return n | uint64(s[i])<<(7*i), i + 1
		}
		n |= uint64(s[i]&0x7f) << (7 * i)
	}
	return 0, 0
}
