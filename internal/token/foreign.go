package token

import (
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/golang-jwt/jwt/v5"
)

// Errors of KeySet.Verify.
var (
	// ErrUnknownKey means that no key of the set is the one that signed, as far as can be
	// told: whoever holds an old copy of the set may fetch it anew and try once more.
	ErrUnknownKey = errors.New("signed with a key that is not in the key set")
	// ErrForeign is every other fault of a token; a newer set would not mend it.
	ErrForeign = errors.New("not a token that the key set vouches for")
)

const (
	// maxTries bounds the signatures that are computed for one token: the keys that share
	// its `kid`, or, where it names none, all of the set.
	maxTries = 8
	// maxForeignID bounds a `kid`, in bytes.
	maxForeignID = 1024
)

// ForeignHeader is what the header of somebody else's JWT says of the token. It is
// covered by the signature.
type ForeignHeader struct {
	Type  string // `typ` as it was written, or empty
	KeyID string // `kid`, or empty
	Alg   string // `alg`, one that the key allows
}

// KeySet is somebody else's JWK set, made ready for verifying. It never changes, and its
// methods may be called at the same time.
type KeySet struct {
	keys []foreignKey
}

type foreignKey struct {
	id      string // `kid`, or empty
	methods []jwt.SigningMethod
	public  crypto.PublicKey
}

// Len returns the number of keys that can verify something.
func (s *KeySet) Len() int { return len(s.keys) }

// Verify reports whether raw is a JWS in compact form (RFC 7515 §7.1), of at most 16 KiB,
// that a key of the set signed, and returns its header and its claims: one JSON object in
// valid UTF-8, no name twice at any level. What the claims say is the caller's to judge:
// issuer, audience, times and `typ` as well.
//
// The keys decide which algorithms there are (RFC 8725 §3.1), and none of theirs is `none`
// or an HMAC. Keys and addresses of keys in the header (jwk, jku, x5c, x5u) are not looked
// at. Errors: ErrUnknownKey, ErrForeign.
func (s *KeySet) Verify(raw string) (ForeignHeader, []byte, error) {
	h, body, _, err := s.read(raw)
	if err != nil {
		return ForeignHeader{}, nil, err
	}
	return h, []byte(body), nil
}

// VerifyClaims is Verify for those who want the members of the claims: each value as it
// stands there, which is strict JSON.
func (s *KeySet) VerifyClaims(raw string) (ForeignHeader, map[string]json.RawMessage, error) {
	h, _, members, err := s.read(raw)
	if err != nil {
		return ForeignHeader{}, nil, err
	}
	claims := make(map[string]json.RawMessage, len(members))
	for _, m := range members {
		claims[m.name] = json.RawMessage(m.value)
	}
	return h, claims, nil
}

func (s *KeySet) read(raw string) (ForeignHeader, string, []member, error) {
	if len(raw) > maxToken {
		return foreign("it is longer than 16 KiB", nil)
	}
	head, claims, signature, ok := split(raw)
	if !ok {
		return foreign("it is not a JWS of three parts", nil)
	}
	text, err := decode(head)
	if err != nil {
		return foreign("its header is not strict base64url", err)
	}
	h, err := readForeignHeader(text)
	if err != nil {
		return foreign("its header is not accepted", err)
	}
	sig, err := decode(signature)
	if err != nil {
		return foreign("its signature is not strict base64url", err)
	}
	if err := s.verify(h, raw[:len(head)+1+len(claims)], []byte(sig)); err != nil {
		return ForeignHeader{}, "", nil, err
	}
	body, err := decode(claims)
	if err != nil {
		return foreign("its claims are not strict base64url", err)
	}
	members, err := readObject(body, make([]member, 0, maxCompared))
	if err != nil {
		return foreign("its claims are not one strict JSON object", err)
	}
	return h, body, members, nil
}

// ClaimedIssuer returns what a JWT, of at most 16 KiB, says of its issuer (`iss`); empty if
// it says nothing, or not by a text. ok is false for what is no JWT at all. Nothing is
// verified: the answer is good for sparing those a call who cannot know the token, and
// for nothing else.
func ClaimedIssuer(raw string) (issuer string, ok bool) {
	if len(raw) > maxToken {
		return "", false
	}
	head, claims, _, ok := split(raw)
	if !ok {
		return "", false
	}
	text, err := decode(head)
	if err != nil {
		return "", false
	}
	if _, err := readObject(text, nil); err != nil {
		return "", false
	}
	if text, err = decode(claims); err != nil {
		return "", false
	}
	members, err := readObject(text, nil)
	if err != nil {
		return "", false
	}
	for _, m := range members {
		if m.name == "iss" {
			issuer, _ = readText(m.value) // empty where it is none
		}
	}
	return issuer, true
}

// foreign makes an error that holds nothing of the token.
func foreign(why string, cause error) (ForeignHeader, string, []member, error) {
	if cause != nil {
		return ForeignHeader{}, "", nil, fmt.Errorf("%w: %s: %w", ErrForeign, why, cause)
	}
	return ForeignHeader{}, "", nil, fmt.Errorf("%w: %s", ErrForeign, why)
}

// verify finds the key. A `kid` need not be unique (RFC 7517 §4.5), and a token need not
// have one: then its signature alone tells whose it is.
func (s *KeySet) verify(h ForeignHeader, input string, signature []byte) error {
	if h.KeyID == "" && len(s.keys) > maxTries {
		return fmt.Errorf("%w: it names no key, and the set has too many to try", ErrForeign)
	}
	named, tries := false, 0
	for i := range s.keys {
		k := &s.keys[i]
		if h.KeyID != "" && k.id != h.KeyID {
			continue
		}
		named = true
		m := k.method(h.Alg)
		if m == nil {
			continue
		}
		if tries++; tries > maxTries {
			break
		}
		if m.Verify(input, signature, k.public) == nil {
			return nil
		}
	}
	switch {
	case !named, h.KeyID == "" && (tries > 0 || slices.Contains(foreignAlgs, h.Alg)):
		return ErrUnknownKey // a newer set may have a key, if need be of another type
	case tries == 0:
		return fmt.Errorf("%w: it names an algorithm that no such key has", ErrForeign)
	}
	return fmt.Errorf("%w: its signature does not verify", ErrForeign)
}

// method returns the algorithm if the key allows it, else nil.
func (k *foreignKey) method(alg string) jwt.SigningMethod {
	if alg == algEd25519 { // RFC 9864 §2.2: another name for the only EdDSA that we know
		alg = algEdDSA
	}
	i := slices.IndexFunc(k.methods, func(m jwt.SigningMethod) bool { return m.Alg() == alg })
	if i < 0 {
		return nil
	}
	return k.methods[i]
}

// readForeignHeader reads the members that matter. Others are ignored, as RFC 7515 §4
// demands, but for `crit`, which names what must not be ignored and what we do not know.
func readForeignHeader(text string) (ForeignHeader, error) {
	var h ForeignHeader
	members, err := readObject(text, nil)
	if err != nil {
		return h, err
	}
	for _, m := range members {
		var to *string
		switch m.name {
		case "alg":
			to = &h.Alg
		case "typ":
			to = &h.Type
		case "kid":
			to = &h.KeyID
		case "crit":
			return ForeignHeader{}, errors.New("it has a critical member (crit)")
		default:
			continue
		}
		if *to, err = readText(m.value); err != nil {
			return ForeignHeader{}, err
		}
	}
	if h.Alg == "" {
		return ForeignHeader{}, errors.New("alg is missing")
	}
	if len(h.KeyID) > maxForeignID {
		return ForeignHeader{}, errors.New("kid is too long")
	}
	return h, nil
}
