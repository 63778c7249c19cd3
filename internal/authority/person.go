package authority

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// person is an account as the realm knows it now: a user of the configuration, or a
// row of the store.
type person struct {
	Account
	declared *User // nil for a row of the store
}

// person finds an account by its UUID. Errors: ErrNotFound, those of the store.
func (r *Realm) person(tx Tx, id string) (person, error) {
	if u := r.accounts[id]; u != nil {
		return r.declared(u), nil
	}
	row, err := tx.Account(r.ID, id)
	return person{Account: row}, err
}

// declared is a user of the configuration as a person.
func (r *Realm) declared(u *User) person {
	return person{declared: u, Account: Account{
		Realm: r.ID, ID: u.Subject, Username: u.Username, Name: u.Name, Email: u.Email, EmailVerified: u.EmailVerified, Roles: u.Roles,
	}}
}

// known is the name by which the realm vouches for the account: that of a user of the
// configuration. What an upstream calls somebody is nobody's name here: he may choose
// it, and an app that believes it would take him for whoever else is called so.
func (p *person) known() string {
	if p.declared != nil {
		return p.Username
	}
	return ""
}

// disabled reports whether the account may not log in.
func (p *person) disabled() bool {
	if p.declared != nil {
		return p.declared.Disabled
	}
	return !p.Disabled.IsZero()
}

// credential is the digest of what the account proves to know; zero where that is
// nothing but an upstream's word.
func (p *person) credential() secret.Digest {
	if p.declared != nil {
		return p.declared.credential()
	}
	return secret.Digest{}
}

// totp is the secret of the second factor, or empty.
func (p *person) totp() string {
	if p.declared != nil {
		return p.declared.TOTPSecret
	}
	return ""
}

// facts are what the account may know of itself.
func (p *person) facts() AccountFacts {
	return AccountFacts{
		ID: p.ID, Username: p.Username, Name: p.Name, Email: p.Email, EmailVerified: p.EmailVerified, Roles: p.Roles,
		Created: p.Created, LastLogin: p.LastLogin, Provider: providerOf(p.Origin),
	}
}

// The bounds of a profile, in bytes.
const (
	maxSubject = 255 // OpenID Connect Core §2
	maxShown   = 256
	maxEmail   = 254
)

var errProfile = errors.New("the upstream's subject is empty, too long or not text")

// kept is the profile as it may be stored: texts are cut, and an address that is none
// is left out. Errors: ProviderFailed.
func (p Profile) kept(op string) (Profile, error) {
	if p.Subject == "" || len(p.Subject) > maxSubject || plain(p.Subject) != p.Subject {
		return Profile{}, &Error{Kind: ProviderFailed, Op: op, Public: "the login provider answered something unexpected", Err: errProfile}
	}
	p.Username, p.Name = cut(plain(p.Username)), cut(plain(p.Name))
	if !isEmail(p.Email) {
		p.Email, p.EmailVerified = "", false
	}
	return p, nil
}

// plain takes control characters and what is not UTF-8 out of a text.
func plain(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c == utf8.RuneError {
			return -1
		}
		return c
	}, s)
}

func cut(s string) string {
	if len(s) <= maxShown {
		return s
	}
	return strings.ToValidUTF8(s[:maxShown], "")
}

// isEmail reports whether s can be an address: one @ with something on both sides,
// and nothing that another reader could take for more than one address.
func isEmail(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	return ok && local != "" && domain != "" && len(s) <= maxEmail && plain(s) == s &&
		!strings.ContainsAny(domain, "@") && !strings.ContainsAny(s, " <>,;\"\\()[]:")
}

// foldEmail brings the spellings of an address together. Only ASCII letters are
// folded: Unicode has others whose lower case is an ASCII letter.
func foldEmail(s string) string {
	return strings.Map(func(c rune) rune {
		if 'A' <= c && c <= 'Z' {
			return c + 'a' - 'A'
		}
		return c
	}, s)
}
