package wire

import (
	"encoding/base64"
	"net/url"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// maxBasic bounds the Basic credentials, in bytes before decoding.
const maxBasic = 8 << 10

// Basic reads an Authorization field of the Basic scheme (RFC 7617 §2) whose id and
// secret are form-encoded first (RFC 6749 §2.3.1). It believes nothing: the
// authority checks it. No error quotes or wraps what was sent. Errors:
// ClientUnauthenticated.
func Basic(field string) (authority.ClientAuth, error) {
	none := authority.ClientAuth{}
	scheme, encoded, _ := strings.Cut(field, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return none, badBasic("a client that uses the Authorization field authenticates with the Basic scheme")
	}
	const malformed = "the Basic credentials are malformed: base64 of id:secret, each form-urlencoded"
	encoded = strings.TrimLeft(encoded, " ")
	// The decoder skips line ends, so two spellings would be one credential.
	if len(encoded) > maxBasic || strings.ContainsAny(encoded, "\r\n") {
		return none, badBasic(malformed)
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return none, badBasic(malformed)
	}
	rawID, rawSecret, colon := strings.Cut(string(raw), ":")
	id, errID := url.QueryUnescape(rawID)
	clientSecret, errSecret := url.QueryUnescape(rawSecret)
	if !colon || errID != nil || errSecret != nil || id == "" || !ValidText(id) || !ValidText(clientSecret) {
		return none, badBasic(malformed)
	}
	return authority.ClientAuth{Method: authority.AuthBasic, ID: id, Secret: clientSecret}, nil
}

func badBasic(public string) error {
	return &authority.Error{Kind: authority.ClientUnauthenticated, Op: opRead, Public: public}
}
