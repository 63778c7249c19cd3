package authority

import "strings"

// SignUp says who gets an account at the first login. The zero SignUp lets nobody in.
type SignUp struct {
	Open  bool     // everybody
	Allow []string // e-mail addresses, @domains and provider:subject
}

// lets reports whether the realm's policy makes an account for the profile. An
// address or domain counts only if the provider marks the address verified.
func (s *SignUp) lets(provider string, p Profile) bool {
	if s.Open {
		return true
	}
	email := ""
	if p.EmailVerified && isEmail(p.Email) {
		email = foldEmail(p.Email)
	}
	for _, entry := range s.Allow {
		switch {
		case entry == provider+":"+p.Subject:
			return true
		case email == "" || entry == "":
		case entry[0] == '@':
			if _, domain, _ := strings.Cut(email, "@"); domain == foldEmail(entry[1:]) && domain != "" {
				return true
			}
		case foldEmail(entry) == email:
			return true
		}
	}
	return false
}
