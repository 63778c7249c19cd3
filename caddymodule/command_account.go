package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
)

func accountCommand() *cobra.Command {
	accounts := &cobra.Command{Use: "account", Short: "Lists, adds, links, disables and deletes accounts", Long: helpAccount}
	group(accounts)
	accounts.AddCommand(
		leaf("list", "Lists the accounts of a realm", helpAccountList, exampleAccountList, cobra.NoArgs, func(c *call, _ []string) error {
			a, err := c.allAccounts()
			if err != nil {
				return err
			}
			return c.show(a, func() string { return showAccounts(c, a) })
		}),
		leaf("show <account>", "Shows an account", helpAccountShow, exampleAccountShow, one("account"), func(c *call, args []string) error {
			var a accountAnswer
			return c.ask("account/show", command{Account: args[0]}, &a, func() string { return showOneAccount(a) })
		}),
		accountAddCommand(),
		leaf("link <account> <provider:subject>", "Lets an upstream login open an account", helpAccountLink, exampleAccountLink, accountAndLogin, func(c *call, args []string) error {
			in := command{Account: args[0]}
			if err := in.identify(args[1]); err != nil {
				return err
			}
			var a doneAnswer
			return c.ask("account/link", in, &a, func() string {
				return fmt.Sprintf("A login as %s opens account %s of %s from now on.\n", printable(args[1]), printable(args[0]), c.realmName())
			})
		}),
		leaf("unlink <provider:subject>", "Takes an upstream login from its account", helpAccountUnlink, exampleAccountUnlink, one("provider:subject"), func(c *call, args []string) error {
			var in command
			if err := in.identify(args[0]); err != nil {
				return err
			}
			var a doneAnswer
			return c.ask("account/unlink", in, &a, func() string {
				return fmt.Sprintf("A login as %s opens no account of %s any more. Every login and token of the account that it opened is ended.\n", printable(args[0]), c.realmName())
			})
		}),
		leaf("disable <account>", "Refuses an account and ends all its logins", helpAccountDisable, exampleAccountDisable, one("account"), func(c *call, args []string) error {
			var a doneAnswer
			return c.ask("account/disable", command{Account: args[0]}, &a, func() string {
				return fmt.Sprintf("Account %s of %s is disabled. Every login and token of it is ended.\n", printable(args[0]), c.realmName())
			})
		}),
		leaf("enable <account>", "Lets a disabled account log in again", helpAccountEnable, exampleAccountEnable, one("account"), func(c *call, args []string) error {
			var a doneAnswer
			return c.ask("account/enable", command{Account: args[0]}, &a, func() string {
				return fmt.Sprintf("Account %s of %s may log in again.\n", printable(args[0]), c.realmName())
			})
		}),
		leaf("delete <account>", "Deletes an account and all that hangs on it", helpAccountDelete, exampleAccountDelete, one("account"), func(c *call, args []string) error {
			var a deletedAnswer
			return c.ask("account/delete", command{Account: args[0]}, &a, func() string { return showDeleted(c, a) })
		}),
	)
	return accounts
}

func accountAddCommand() *cobra.Command {
	var in command
	var identity string
	add := leaf("add", "Adds an account", helpAccountAdd, exampleAccountAdd, cobra.NoArgs, func(c *call, _ []string) error {
		if identity != "" {
			if err := in.identify(identity); err != nil {
				return err
			}
		}
		var a accountAnswer
		return c.ask("account/add", in, &a, func() string {
			said := fmt.Sprintf("Account %s of %s is added.\n", a.ID, c.realmName())
			if len(a.Identities) == 0 {
				said += "Nobody can log in to it until an upstream login is linked to it: account link.\n"
			}
			return said
		})
	})
	flags := add.Flags()
	flags.StringVar(&in.Username, "username", "", "What the account is called; its next login may change it")
	flags.StringVar(&in.Name, "name", "", "Display name")
	flags.StringVar(&in.Email, "email", "", "E-mail address")
	flags.BoolVar(&in.Verified, "verified", false, "You vouch that the e-mail address is theirs")
	flags.StringArrayVar(&in.Roles, "role", nil, "A role; may be repeated")
	flags.StringVar(&identity, "link", "", "Upstream login that opens it, as provider:subject")
	return add
}

// accountAndLogin demands the two arguments of link.
func accountAndLogin(cmd *cobra.Command, args []string) error {
	if len(args) != 2 || args[0] == "" {
		return fmt.Errorf("%s takes an account and a provider:subject (write -- before one that begins with a dash); see its --help", cmd.CommandPath())
	}
	return nil
}

// identify reads provider:subject. A subject may hold colons of its own.
func (c *command) identify(identity string) error {
	provider, subject, ok := strings.Cut(identity, ":")
	if !ok || provider == "" || subject == "" {
		return errors.New("an upstream login is written provider:subject, such as github:583231")
	}
	c.Provider, c.Subject = provider, subject
	return nil
}

// allAccounts fetches page after page.
func (c *call) allAccounts() (accountsAnswer, error) {
	all := accountsAnswer{Accounts: []accountAnswer{}}
	for after := ""; ; {
		var page accountsAnswer
		if err := c.fetch("account/list", command{After: after}, &page); err != nil {
			return all, err
		}
		all.Accounts = append(all.Accounts, page.Accounts...)
		if page.Next == "" {
			return all, nil
		}
		if page.Next == after || len(page.Accounts) == 0 {
			return all, errors.New("the server's list of accounts does not end")
		}
		after = page.Next
	}
}

func showAccounts(c *call, a accountsAnswer) string {
	if len(a.Accounts) == 0 {
		return fmt.Sprintf("There are no accounts in %s.\n", c.realmName())
	}
	rows := [][]string{{"ID", "USERNAME", "NAME", "E-MAIL", "LOGINS", "LAST LOGIN", "STATE"}}
	for _, one := range a.Accounts {
		logins := make([]string, 0, len(one.Identities)+1)
		if one.Declared {
			logins = append(logins, "password")
		}
		for _, id := range one.Identities {
			logins = append(logins, id.Provider)
		}
		state := "enabled"
		if one.Disabled {
			state = "disabled"
		}
		rows = append(rows, []string{
			one.ID, orDash(one.Username), orDash(one.Name), orDash(one.Email), orDash(strings.Join(logins, ",")), moment(one.LastLogin), state,
		})
	}
	return table(rows)
}

func showOneAccount(a accountAnswer) string {
	email := orDash(a.Email)
	if a.EmailVerified {
		email += " (verified)"
	}
	login := moment(a.LastLogin)
	if a.Provider != "" {
		login += " by " + printable(a.Provider)
	}
	state := "enabled"
	switch {
	case a.Disabled && a.Declared:
		state = "disabled by the configuration"
	case a.Disabled:
		state = "disabled since " + moment(a.DisabledAt)
	}
	rows := [][]string{
		{"id", a.ID},
		{"username", orDash(a.Username)},
		{"name", orDash(a.Name)},
		{"e-mail", email},
		{"roles", orDash(strings.Join(a.Roles, ", "))},
		{"created", moment(a.Created)},
		{"last login", login},
		{"state", state},
	}
	if a.Declared {
		rows = append(rows, []string{"kept in", "the configuration"})
	}
	for _, id := range a.Identities {
		rows = append(rows, []string{"login", printable(id.Provider+":"+id.Subject) + ", linked " + moment(id.Linked) + ", last used " + moment(id.LastUsed)})
	}
	return table(rows)
}

func showDeleted(c *call, a deletedAnswer) string {
	said := fmt.Sprintf("Account %s of %s is deleted. Every login and token of it is ended", a.Account.ID, c.realmName())
	if len(a.Account.Identities) == 0 {
		return said + ".\n"
	}
	ids := make([]string, len(a.Account.Identities))
	for i, id := range a.Account.Identities {
		ids[i] = printable(id.Provider + ":" + id.Subject)
	}
	return said + ", and these open no account any more: " + strings.Join(ids, ", ") + ".\n"
}

func orDash(s string) string { return cmp.Or(printable(s), "-") }

// printable is a text without what a terminal would obey: names come from upstreams,
// where anybody may call himself anything.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}
