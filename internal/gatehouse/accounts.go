package gatehouse

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// AccountDetails are what an operator may see of an account.
type AccountDetails = authority.AccountDetails

// NewAccount is an account that an operator makes.
type NewAccount = authority.NewAccount

// Accounts lists a page of the realm's accounts. next is empty at the end, and what to
// ask for after this page otherwise.
func (g *Gatehouse) Accounts(ctx context.Context, by Caller, realm, after string) (page []AccountDetails, next string, err error) {
	return g.auth.Accounts(authority.WithCaller(ctx, by), realm, after)
}

// Account tells all about an account: by its UUID, the username of a user of the
// configuration, or provider:subject; here and below.
func (g *Gatehouse) Account(ctx context.Context, by Caller, realm, which string) (AccountDetails, error) {
	return g.auth.Account(authority.WithCaller(ctx, by), realm, which)
}

// AddAccount makes an account.
func (g *Gatehouse) AddAccount(ctx context.Context, by Caller, realm string, n NewAccount) (AccountDetails, error) {
	return g.auth.AddAccount(authority.WithCaller(ctx, by), realm, n)
}

// LinkAccount gives an identity to an account.
func (g *Gatehouse) LinkAccount(ctx context.Context, by Caller, realm, which, provider, subject string) error {
	return g.auth.LinkAccount(authority.WithCaller(ctx, by), realm, which, provider, subject)
}

// UnlinkAccount takes an identity from its account and ends every login of it.
func (g *Gatehouse) UnlinkAccount(ctx context.Context, by Caller, realm, provider, subject string) error {
	return g.auth.UnlinkAccount(authority.WithCaller(ctx, by), realm, provider, subject)
}

// DisableAccount refuses the account on every path and ends every login of it.
func (g *Gatehouse) DisableAccount(ctx context.Context, by Caller, realm, which string) error {
	return g.auth.DisableAccount(authority.WithCaller(ctx, by), realm, which)
}

// EnableAccount lets a disabled account log in again.
func (g *Gatehouse) EnableAccount(ctx context.Context, by Caller, realm, which string) error {
	return g.auth.EnableAccount(authority.WithCaller(ctx, by), realm, which)
}

// DeleteAccount deletes the account and all that hangs on it.
func (g *Gatehouse) DeleteAccount(ctx context.Context, by Caller, realm, which string) error {
	return g.auth.DeleteAccount(authority.WithCaller(ctx, by), realm, which)
}
