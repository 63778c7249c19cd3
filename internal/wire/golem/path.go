package golem

import "strings"

// The paths with ids, as the table of routes calls them.
const (
	accountsPath = "/v1/accounts/"
	accountRoute = accountsPath + "{accountId}"
	tokensRoute  = accountRoute + "/tokens"
	tokenRoute   = tokensRoute + "/{tokenId}"
)

// place is a path under the accounts, taken apart. The ids are as they were sent.
type place struct {
	route   string // which of the paths with ids it is; empty: none
	account string
	token   string // empty unless the route has one
}

// underAccounts takes a path apart, and says whether it stands under the accounts
// at all. An id is any one segment here: whether it can be one is judged after the
// caller was asked who he is.
func underAccounts(path string) (p place, is bool) {
	rest, is := strings.CutPrefix(path, accountsPath)
	if !is {
		return place{}, false
	}
	account, rest, deeper := strings.Cut(rest, "/")
	if account == "" {
		return place{}, true
	}
	if !deeper {
		return place{route: accountRoute, account: account}, true
	}
	if rest == "tokens" {
		return place{route: tokensRoute, account: account}, true
	}
	token, is := strings.CutPrefix(rest, "tokens/")
	if !is || token == "" || strings.Contains(token, "/") {
		return place{}, true
	}
	return place{route: tokenRoute, account: account, token: token}, true
}

// isUUID reports whether s is a UUID in its canonical spelling (RFC 9562 §4), in
// lower case: the only one that ids have here.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case (c < '0' || c > '9') && (c < 'a' || c > 'f'):
			return false
		}
	}
	return true
}
