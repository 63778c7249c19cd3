package authority

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// accountsPage is how many accounts one listing shows.
const accountsPage = 200

// Accounts lists the realm's accounts, first the users of the configuration, then the
// rows of the store, oldest first. after is what the page before answered as next;
// next is empty at the end. Errors: RealmUnknown, Invalid (after), Unavailable, Internal.
func (a *Authority) Accounts(ctx context.Context, realm, after string) (page []AccountDetails, next string, err error) {
	const op = "list accounts"
	r, err := a.realm(op, realm)
	if err != nil {
		return nil, "", err
	}
	from, fromID, err := readPlace(op, after)
	if err != nil {
		return nil, "", err
	}
	err = a.store.View(ctx, func(tx Tx) error {
		page, next = nil, ""
		if after == "" {
			for i := range r.Users {
				if page, err = r.detailed(tx, page, r.declared(&r.Users[i])); err != nil {
					return err
				}
			}
		}
		rows, err := tx.Accounts(r.ID, from, fromID, accountsPage+1)
		if err != nil {
			return err
		}
		if len(rows) > accountsPage {
			rows = rows[:accountsPage]
			last := rows[accountsPage-1]
			next = last.Created.UTC().Format(time.RFC3339Nano) + "/" + last.ID
		}
		for _, row := range rows {
			if page, err = r.detailed(tx, page, person{Account: row}); err != nil {
				return err
			}
		}
		return nil
	})
	return page, next, err
}

// readPlace reads what a page answered as next.
func readPlace(op, after string) (time.Time, string, error) {
	if after == "" {
		return time.Time{}, "", nil
	}
	at, id, _ := strings.Cut(after, "/")
	t, err := time.Parse(time.RFC3339Nano, at)
	if err != nil || plain(id) != id {
		return time.Time{}, "", &Error{Kind: Invalid, Op: op, Fields: []Field{{Name: "after", Reason: "is not what a listing answered"}}}
	}
	return t, id, nil
}

// detailed adds an account to a listing.
func (r *Realm) detailed(tx Tx, list []AccountDetails, p person) ([]AccountDetails, error) {
	d := AccountDetails{AccountFacts: p.facts(), Disabled: p.Disabled, Declared: p.declared != nil}
	if d.Declared && p.disabled() {
		d.Disabled = unix(0) // since when, nobody wrote down
	}
	var err error
	d.Identities, err = tx.Identities(r.ID, p.ID, maxIdentities)
	return append(list, d), err
}

// resolve finds an account by what an operator calls it: its UUID, the username of a
// user of the configuration, or provider:subject. Errors: NotFound.
func (r *Realm) resolve(tx Tx, op, which string) (person, error) {
	p, err := r.person(tx, which)
	if errors.Is(err, ErrNotFound) {
		if u := r.users[which]; u != nil {
			return r.declared(u), nil
		}
		if provider, subject, ok := strings.Cut(which, ":"); ok {
			var id Identity
			if id, err = tx.Identity(r.ID, provider, subject); err == nil {
				p, err = r.person(tx, id.Account)
			}
		}
	}
	if errors.Is(err, ErrNotFound) {
		return person{}, &Error{Kind: NotFound, Op: op, Public: "the realm has no such account"}
	}
	return p, err
}

// Account tells all about an account (see resolve for which). Errors: RealmUnknown,
// NotFound, Unavailable, Internal.
func (a *Authority) Account(ctx context.Context, realm, which string) (AccountDetails, error) {
	const op = "show an account"
	r, err := a.realm(op, realm)
	if err != nil {
		return AccountDetails{}, err
	}
	var list []AccountDetails
	err = a.store.View(ctx, func(tx Tx) error {
		p, err := r.resolve(tx, op, which)
		if err != nil {
			return err
		}
		list, err = r.detailed(tx, nil, p)
		return err
	})
	if err != nil {
		return AccountDetails{}, err
	}
	return list[0], nil
}

// AddAccount makes an account. Errors: RealmUnknown, Invalid, Unavailable, Internal.
func (a *Authority) AddAccount(ctx context.Context, realm string, n NewAccount) (AccountDetails, error) {
	const op = "add an account"
	r, err := a.realm(op, realm)
	if err != nil {
		return AccountDetails{}, err
	}
	if faults := n.faults(); len(faults) > 0 {
		return AccountDetails{}, &Error{Kind: Invalid, Op: op, Fields: faults}
	}
	p := person{Account: Account{
		Realm: r.ID, ID: secret.UUID(), Username: n.Username, Name: n.Name, Email: n.Email, EmailVerified: n.EmailVerified, Roles: ListOf(n.Roles...),
	}}
	if p.EmailVerified {
		p.EmailKey = foldEmail(p.Email)
	}
	var list []AccountDetails
	err = a.store.Update(ctx, func(tx Tx) error {
		p.Created = tx.Now()
		if err := tx.PutAccount(p.Account); err != nil {
			return err
		}
		if n.Provider != "" {
			if err := r.link(tx, op, &p, n.Provider, n.Subject); err != nil {
				return err
			}
		}
		var err error
		list, err = r.detailed(tx, nil, p)
		return err
	})
	if err != nil {
		return AccountDetails{}, err
	}
	a.audit.Record(ctx, Event{Name: "account", Realm: r.Name, Account: p.ID, Detail: "added by the operator"})
	return list[0], nil
}

// faults are what is wrong with a new account.
func (n *NewAccount) faults() (faults []Field) {
	fault := func(name, reason string) { faults = append(faults, Field{Name: name, Reason: reason}) }
	for _, text := range [...][2]string{{"username", n.Username}, {"name", n.Name}} {
		if len(text[1]) > maxShown || plain(text[1]) != text[1] {
			fault(text[0], "is too long, or not plain text")
		}
	}
	if n.Email != "" && !isEmail(n.Email) {
		fault("email", "is not an e-mail address")
	}
	if n.Email == "" && n.EmailVerified {
		fault("email", "is missing, so there is nothing to be verified")
	}
	if n.Username == "" && n.Name == "" && n.Email == "" && n.Provider == "" {
		fault("username", "an account needs a username, a name, an e-mail address or an identity")
	}
	if len(n.Roles) > maxIdentities {
		fault("role", "is given too many times")
	}
	for _, role := range n.Roles {
		if role == "" || len(role) > maxShown || plain(role) != role {
			fault("role", "is empty, too long, or not plain text")
			break
		}
	}
	return faults
}

// link gives an identity to an account. Errors: Invalid.
func (r *Realm) link(tx Tx, op string, p *person, provider, subject string) error {
	fault := func(name, reason string) error {
		return &Error{Kind: Invalid, Op: op, Fields: []Field{{Name: name, Reason: reason}}}
	}
	up := r.upstreams[provider]
	switch {
	case up == nil:
		return fault("provider", "the realm has no login provider of that name")
	case subject == "" || len(subject) > maxSubject || plain(subject) != subject:
		return fault("subject", "is empty, too long, or not plain text")
	}
	id, err := tx.Identity(r.ID, provider, subject)
	switch {
	case err == nil && id.Account == p.ID && id.Issuer == up.Issuer():
		return nil
	case err == nil && id.Account != p.ID:
		if _, err := r.person(tx, id.Account); err == nil {
			return fault("subject", "is another account's already: unlink it first")
		} else if !errors.Is(err, ErrNotFound) {
			return err
		}
	case err != nil && !errors.Is(err, ErrNotFound):
		return err
	}
	known, err := tx.Identities(r.ID, p.ID, maxIdentities)
	if err != nil {
		return err
	}
	if len(known) >= maxIdentities {
		return fault("subject", "the account has too many identities")
	}
	return tx.PutIdentity(Identity{Realm: r.ID, Provider: provider, Subject: subject, Issuer: up.Issuer(), Account: p.ID, Created: tx.Now()})
}

// LinkAccount gives an identity to an account. Errors: RealmUnknown, NotFound, Invalid,
// Unavailable, Internal.
func (a *Authority) LinkAccount(ctx context.Context, realm, which, provider, subject string) error {
	const op = "link an account"
	return a.changeAccount(ctx, op, realm, which, provider+":"+subject+" linked by the operator", func(tx Tx, r *Realm, p *person) (bool, error) {
		return false, r.link(tx, op, p, provider, subject)
	})
}

// UnlinkAccount takes an identity from its account and ends every login and token of
// that account: nobody can tell which of them the identity gave. Errors: RealmUnknown,
// NotFound, Unavailable, Internal.
func (a *Authority) UnlinkAccount(ctx context.Context, realm, provider, subject string) error {
	const op = "unlink an account"
	which, detail := provider+":"+subject, provider+":"+subject+" unlinked by the operator"
	err := a.changeAccount(ctx, op, realm, which, detail, func(tx Tx, r *Realm, _ *person) (bool, error) {
		return true, tx.DeleteIdentity(r.ID, provider, subject)
	})
	if KindOf(err) != NotFound {
		return err
	}
	// The account is gone, and whoever comes to be called so must not inherit it.
	r, err := a.realm(op, realm)
	if err != nil {
		return err
	}
	err = a.store.Update(ctx, func(tx Tx) error {
		if _, err := tx.Identity(r.ID, provider, subject); errors.Is(err, ErrNotFound) {
			return &Error{Kind: NotFound, Op: op, Public: "the realm has no such identity"}
		} else if err != nil {
			return err
		}
		return tx.DeleteIdentity(r.ID, provider, subject)
	})
	if err == nil {
		a.audit.Record(ctx, Event{Name: "account", Realm: r.Name, Detail: detail})
	}
	return err
}

// DisableAccount refuses the account on every path, and ends every login and token of
// it for good. Errors: RealmUnknown, NotFound, Invalid (a user of the configuration),
// Unavailable, Internal.
func (a *Authority) DisableAccount(ctx context.Context, realm, which string) error {
	return a.changeAccount(ctx, "disable an account", realm, which, "disabled by the operator", func(tx Tx, _ *Realm, p *person) (bool, error) {
		if p.declared != nil {
			return false, isDeclared("disable an account", "write `disabled` into its block")
		}
		if p.Disabled.IsZero() {
			p.Disabled = tx.Now()
		}
		return true, tx.PutAccount(p.Account)
	})
}

// EnableAccount lets a disabled account log in again. Errors: as DisableAccount.
func (a *Authority) EnableAccount(ctx context.Context, realm, which string) error {
	return a.changeAccount(ctx, "enable an account", realm, which, "enabled by the operator", func(tx Tx, _ *Realm, p *person) (bool, error) {
		if p.declared != nil {
			return false, isDeclared("enable an account", "take `disabled` out of its block")
		}
		p.Disabled = time.Time{}
		return false, tx.PutAccount(p.Account)
	})
}

// DeleteAccount deletes the account, its identities, and every login and token of it.
// Errors: as DisableAccount.
func (a *Authority) DeleteAccount(ctx context.Context, realm, which string) error {
	return a.changeAccount(ctx, "delete an account", realm, which, "deleted by the operator", func(tx Tx, r *Realm, p *person) (bool, error) {
		if p.declared != nil {
			return false, isDeclared("delete an account", "take its block out")
		}
		ids, err := tx.Identities(r.ID, p.ID, 2*maxIdentities)
		if err != nil {
			return false, err
		}
		for _, id := range ids {
			if err := tx.DeleteIdentity(r.ID, id.Provider, id.Subject); err != nil {
				return false, err
			}
		}
		return true, tx.DeleteAccount(r.ID, p.ID)
	})
}

func isDeclared(op, mend string) error {
	return &Error{Kind: Invalid, Op: op, Public: "this is a user of the configuration: " + mend}
}

// end writes down that what was begun until now is over, where the account has a row.
func (p *person) end(tx Tx) error {
	row, err := tx.Account(p.Realm, p.ID)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	row.Ended = tx.Now()
	return tx.PutAccount(row)
}

// changeAccount changes an account in one Update and, where change says so, ends all
// that hangs on it.
func (a *Authority) changeAccount(ctx context.Context, op, realm, which, detail string, change func(Tx, *Realm, *person) (ends bool, err error)) error {
	r, err := a.realm(op, realm)
	if err != nil {
		return err
	}
	var p person
	var ends bool
	err = a.store.Update(ctx, func(tx Tx) (err error) {
		ends = false
		if p, err = r.resolve(tx, op, which); err != nil {
			return err
		}
		if ends, err = change(tx, r, &p); err != nil || !ends {
			return err
		}
		if err := p.end(tx); err != nil {
			return err
		}
		if err := tx.DeleteSessions(r.ID, p.ID); err != nil {
			return err
		}
		return tx.DeleteTokens(r.ID, p.ID)
	})
	if ends { // also when nobody knows whether it was done
		a.endings.End(Tag{TagAccount, r.ID, p.ID})
	}
	if err == nil {
		a.audit.Record(ctx, Event{Name: "account", Realm: r.Name, Account: p.ID, Detail: detail})
	}
	return err
}
