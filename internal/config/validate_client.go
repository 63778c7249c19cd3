package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// firstPartyClient is the id of the client built into every realm.
const firstPartyClient = "gatehouse"

const (
	minSecret = 16
	maxSecret = 1024
)

func (ck *checker) clients(at string, clients []Client) {
	seen := once{}
	for i := range clients {
		c, at := &clients[i], index(at, i)
		if ck.ascii(at+".id", "client id", c.ID, maxName) && seen.again(c.ID) {
			ck.fault(at+".id", "client %q is declared twice", c.ID)
		}
		if c.ID == firstPartyClient {
			ck.fault(at+".id", "client id %q is reserved for the built-in client", c.ID)
		}
		ck.secrets(at, c)
		ck.list(at+".grants", "grant", c.Grants, maxList, func(at, grant string) {
			ck.oneOf(at, "grant", "grants", grant, "client_credentials", "refresh_token", "password")
		})
		ck.list(at+".scopes", "scope", c.Scopes, maxList, ck.scope)
		ck.list(at+".audience", "audience", c.Audience, maxList, func(at, uri string) { ck.resource(at, "audience", uri) })
		ck.list(at+".roles", "role", c.Roles, maxList, ck.role)
		ck.oneOf(at+".introspect", "introspect", "introspect", c.Introspect, "own", "any")
		if c.Public() {
			ck.public(at, c)
		}
	}
}

// public refuses what needs a client that can prove who it is (RFC 6749 §4.4: "The
// client credentials grant type MUST only be used by confidential clients").
func (ck *checker) public(at string, c *Client) {
	if i := slices.Index(c.Grants, "client_credentials"); i >= 0 {
		ck.fault(index(at+".grants", i), "client %q has no secret: the grant client_credentials needs one", c.ID)
	}
	if c.Introspect == "any" {
		ck.fault(at+".introspect", "client %q has no secret: introspect any needs one", c.ID)
	}
}

// secrets judges what a client proves itself with. No message quotes a value.
func (ck *checker) secrets(at string, c *Client) {
	if len(c.Secrets)+len(c.SecretHashes) > maxProofs {
		ck.fault(at+".secrets", "client %q has more than %d secrets and hashes", c.ID, maxProofs)
		return
	}
	for i, s := range c.Secrets {
		ck.proof(index(at+".secrets", i), fmt.Sprintf("secret %d of client %q", i+1, c.ID), s, c.Secrets[:i])
	}
	for i, h := range c.SecretHashes {
		at := index(at+".secret_hashes", i)
		sum, ok := strings.CutPrefix(h, "sha256:")
		raw, err := hex.DecodeString(sum)
		switch {
		case slices.Contains(c.SecretHashes[:i], h):
			ck.fault(at, "secret_hash %d of client %q is given twice", i+1, c.ID)
		case ck.pending(at, fmt.Sprintf("secret_hash %d of client %q", i+1, c.ID), h):
		case !ok || err != nil || len(raw) != sha256.Size:
			ck.fault(at, "secret_hash %d of client %q must be sha256: and 64 hexadecimal digits", i+1, c.ID)
		case ofNothing(raw):
			ck.fault(at, "secret_hash %d of client %q is the digest of nothing: was a variable unset when it was made?", i+1, c.ID)
		}
	}
}

// proof judges a secret that a caller shows us. No message quotes it.
func (ck *checker) proof(at, what, s string, before []string) {
	switch {
	case s == "":
		ck.fault(at, "%s is empty", what)
	case slices.Contains(before, s):
		ck.fault(at, "%s is given twice", what)
	case len(s) > maxSecret:
		ck.fault(at, "%s is longer than %d bytes", what, maxSecret)
	case !clean(s):
		ck.fault(at, "%s has a control character or is not UTF-8", what)
	case ck.pending(at, what, s):
	case len([]rune(s)) < minSecret:
		ck.fault(at, "%s has fewer than %d characters", what, minSecret)
	}
}

// ofNothing reports whether a digest is that of no text or of a bare line end.
func ofNothing(digest []byte) bool {
	return slices.ContainsFunc([]string{"", "\n", "\r\n"}, func(s string) bool {
		sum := sha256.Sum256([]byte(s))
		return bytes.Equal(sum[:], digest)
	})
}

func (ck *checker) users(at string, users []User) {
	names, emails := once{}, once{}
	for i := range users {
		u, at := &users[i], index(at, i)
		if ck.text(at+".username", "username", u.Username, maxName) {
			if strings.TrimSpace(u.Username) != u.Username {
				ck.fault(at+".username", "username %q begins or ends with a space", u.Username)
			}
			if names.again(fold(u.Username)) {
				ck.fault(at+".username", "user %q is declared twice (case does not count)", u.Username)
			}
		}
		if u.Email != "" && ck.email(at+".email", u.Email) && emails.again(fold(u.Email)) {
			ck.fault(at+".email", "another user has the e-mail address %q (case does not count)", u.Email)
		}
		if u.Email == "" && u.EmailVerified {
			ck.fault(at+".email_verified", "user %q has no e-mail address to be verified", u.Username)
		}
		if u.Name != "" {
			ck.text(at+".name", "name", u.Name, maxName)
		}
		ck.password(at, u)
		ck.list(at+".roles", "role", u.Roles, maxList, ck.role)
	}
}

func (ck *checker) email(at, s string) bool {
	if !ck.text(at, "e-mail address", s, 254) {
		return false
	}
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || domain == "" || strings.ContainsAny(domain, "@") || strings.ContainsAny(s, " <>,;") {
		ck.fault(at, "%q is not an e-mail address", s)
		return false
	}
	return true
}

// password judges the form of the hash; its parameters are judged by who reads it.
func (ck *checker) password(at string, u *User) {
	hash := u.PasswordHash
	known := func(prefix string) bool { return strings.HasPrefix(hash, prefix) }
	switch {
	case hash == "":
		ck.fault(at+".password_hash", "user %q has no password_hash", u.Username)
	case ck.pending(at+".password_hash", fmt.Sprintf("password_hash of user %q", u.Username), hash):
	case len(hash) > maxSecret || !clean(hash) || !slices.ContainsFunc([]string{"$argon2id$", "$2a$", "$2b$", "$2y$"}, known):
		ck.fault(at+".password_hash", "password_hash of user %q must be as `caddy hash-password` prints it: argon2id or bcrypt", u.Username)
	}
	if u.TOTPSecret == "" || ck.pending(at+".totp_secret", fmt.Sprintf("totp_secret of user %q", u.Username), u.TOTPSecret) {
		return
	}
	// RFC 4226 §4 asks for 128 bits at least; 80 are what most makers hand out.
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.TrimRight(u.TOTPSecret, "="))
	if err != nil || len(raw) < 10 || len(raw) > 128 {
		ck.fault(at+".totp_secret", "totp_secret of user %q must be base32 in upper case, 16 characters or more", u.Username)
	}
}
