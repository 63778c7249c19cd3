package gmi

import (
	"crypto/sha256"
	"encoding/hex"
)

// organizationID is the id of an account's personal organization: always the same
// for one account and never an account's own id. It is a UUID of version 8 (RFC 9562
// §5.8) made of a SHA-256; nobody proves anything by it.
func organizationID(account string) string {
	sum := sha256.Sum256([]byte("personal organization\x00" + account))
	id := sum[:16]
	id[6] = id[6]&0x0f | 0x80 // version
	id[8] = id[8]&0x3f | 0x80 // variant
	text := hex.EncodeToString(id)
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}
