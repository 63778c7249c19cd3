package caddymodule

import (
	"net/http"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/gatehouse"
)

// identityAnswer is an identity as commands show it.
type identityAnswer struct {
	Provider string    `json:"provider"`
	Subject  string    `json:"subject"`
	Linked   time.Time `json:"linked"`
	LastUsed time.Time `json:"last_used,omitzero"`
}

// accountAnswer is an account as commands show it.
type accountAnswer struct {
	ID            string           `json:"id"`
	Username      string           `json:"username,omitempty"`
	Name          string           `json:"name,omitempty"`
	Email         string           `json:"email,omitempty"`
	EmailVerified bool             `json:"email_verified"`
	Roles         []string         `json:"roles"`
	Created       time.Time        `json:"created,omitzero"`
	LastLogin     time.Time        `json:"last_login,omitzero"`
	Provider      string           `json:"last_provider,omitempty"`
	Identities    []identityAnswer `json:"identities"`
	Declared      bool             `json:"declared"` // it is a user of the configuration
	Disabled      bool             `json:"disabled"`
	DisabledAt    time.Time        `json:"disabled_at,omitzero"` // nobody knows it of a user of the configuration
}

// accountsAnswer is a page of a realm's accounts.
type accountsAnswer struct {
	Accounts []accountAnswer `json:"accounts"`
	Next     string          `json:"next,omitempty"` // ask for it by after
}

// deletedAnswer is an account as it was before it was deleted.
type deletedAnswer struct {
	Done    bool          `json:"done"`
	Account accountAnswer `json:"account"`
}

// accountVerb returns the verb over accounts of a name, or nil.
func accountVerb(name string) verb {
	switch name {
	case "list":
		return listAccounts
	case "show":
		return named(showAccount)
	case "add":
		return addAccount
	case "link":
		return named(identified(linkAccount))
	case "unlink":
		return identified(unlinkAccount)
	case "disable":
		return named(disableAccount)
	case "enable":
		return named(enableAccount)
	case "delete":
		return named(deleteAccount)
	default:
		return nil
	}
}

// named demands that the command says which account it is about.
func named(do verb) verb {
	return func(g *gatehouse.Gatehouse, r *http.Request, c command) (any, error) {
		if c.Account == "" {
			return nil, refusal(http.StatusBadRequest, "the account is missing")
		}
		return do(g, r, c)
	}
}

// identified demands that the command names an identity.
func identified(do verb) verb {
	return func(g *gatehouse.Gatehouse, r *http.Request, c command) (any, error) {
		if c.Provider == "" || c.Subject == "" || strings.Contains(c.Provider, ":") {
			return nil, refusal(http.StatusBadRequest, "an identity has a provider and a subject")
		}
		return do(g, r, c)
	}
}

func listAccounts(g *gatehouse.Gatehouse, r *http.Request, c command) (any, error) {
	page, next, err := g.Accounts(r.Context(), operator(r), c.Realm, c.After)
	if err != nil {
		return nil, err
	}
	answer := accountsAnswer{Accounts: make([]accountAnswer, 0, len(page)), Next: next}
	for i := range page {
		answer.Accounts = append(answer.Accounts, accountOf(&page[i]))
	}
	return answer, nil
}

func showAccount(g *gatehouse.Gatehouse, r *http.Request, c command) (any, error) {
	d, err := g.Account(r.Context(), operator(r), c.Realm, c.Account)
	if err != nil {
		return nil, err
	}
	return accountOf(&d), nil
}

func addAccount(g *gatehouse.Gatehouse, r *http.Request, c command) (any, error) {
	if (c.Provider == "") != (c.Subject == "") {
		return nil, refusal(http.StatusBadRequest, "an identity has a provider and a subject")
	}
	d, err := g.AddAccount(r.Context(), operator(r), c.Realm, gatehouse.NewAccount{
		Username: c.Username, Name: c.Name, Email: c.Email, EmailVerified: c.Verified, Roles: c.Roles, Provider: c.Provider, Subject: c.Subject,
	})
	if err != nil {
		return nil, err
	}
	return accountOf(&d), nil
}

func linkAccount(g *gatehouse.Gatehouse, r *http.Request, c command) (any, error) {
	return doneAnswer{true}, g.LinkAccount(r.Context(), operator(r), c.Realm, c.Account, c.Provider, c.Subject)
}

func unlinkAccount(g *gatehouse.Gatehouse, r *http.Request, c command) (any, error) {
	return doneAnswer{true}, g.UnlinkAccount(r.Context(), operator(r), c.Realm, c.Provider, c.Subject)
}

func disableAccount(g *gatehouse.Gatehouse, r *http.Request, c command) (any, error) {
	return doneAnswer{true}, g.DisableAccount(r.Context(), operator(r), c.Realm, c.Account)
}

func enableAccount(g *gatehouse.Gatehouse, r *http.Request, c command) (any, error) {
	return doneAnswer{true}, g.EnableAccount(r.Context(), operator(r), c.Realm, c.Account)
}

// deleteAccount tells what went with the account, which afterwards nobody could say.
// It deletes by the UUID of the account that it tells about.
func deleteAccount(g *gatehouse.Gatehouse, r *http.Request, c command) (any, error) {
	d, err := g.Account(r.Context(), operator(r), c.Realm, c.Account)
	if err != nil {
		return nil, err
	}
	return deletedAnswer{true, accountOf(&d)}, g.DeleteAccount(r.Context(), operator(r), c.Realm, d.ID)
}

func accountOf(d *gatehouse.AccountDetails) accountAnswer {
	a := accountAnswer{
		ID: d.ID, Username: d.Username, Name: d.Name, Email: d.Email, EmailVerified: d.EmailVerified, Roles: []string{},
		Created: whole(d.Created), LastLogin: whole(d.LastLogin), Provider: d.Provider,
		Identities: make([]identityAnswer, 0, len(d.Identities)), Declared: d.Declared, Disabled: !d.Disabled.IsZero(),
	}
	for role := range d.Roles.All() {
		a.Roles = append(a.Roles, role)
	}
	if a.Disabled && !a.Declared {
		a.DisabledAt = whole(d.Disabled)
	}
	for _, id := range d.Identities {
		a.Identities = append(a.Identities, identityAnswer{Provider: id.Provider, Subject: id.Subject, Linked: whole(id.Created), LastUsed: whole(id.LastUsed)})
	}
	return a
}
