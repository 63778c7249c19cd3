package sqlstore

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// This file is the part of Tx about who is who. An empty account id, and an empty
// e-mail key, is nobody's: it lists and deletes nothing, so that a name that was
// left out by mistake never stands for all that have none.

// The statements of this part that are not a get, put or delete by primary key.
// The empty key is excluded in words, so that the partial index serves the listing.
const (
	accountsText        = " WHERE realm = $1 ORDER BY created, id LIMIT $2"
	accountsAfterText   = " WHERE realm = $1 AND (created, id) > ($2, $3) ORDER BY created, id LIMIT $4"
	accountsByEmailText = " WHERE realm = $1 AND email_key = $2 AND email_key <> '' ORDER BY created, id LIMIT $3"
	identitiesText      = " WHERE realm = $1 AND account = $2 ORDER BY provider, subject LIMIT $3"
)

// Account implements authority.Tx.
func (t *Tx) Account(realm, id string) (authority.Account, error) {
	return rowOf(t, &accountTable, realm, id)
}

// PutAccount implements authority.Tx.
func (t *Tx) PutAccount(a authority.Account) error { return putRow(t, &accountTable, &a) }

// DeleteAccount implements authority.Tx.
func (t *Tx) DeleteAccount(realm, id string) error {
	return t.deleteBy("delete accounts", accountTable.remove, realm, id)
}

// Accounts implements authority.Tx.
func (t *Tx) Accounts(realm string, created time.Time, id string, limit int) ([]authority.Account, error) {
	if limit <= 0 || !sound(realm, id) {
		return nil, t.failed
	}
	if created.IsZero() && id == "" { // also before a creation that a clock put before 1970
		return rowsOf(t, &accountTable, accountTable.all+accountsText, realm, limit)
	}
	return rowsOf(t, &accountTable, accountTable.all+accountsAfterText, realm, micros(created), id, limit)
}

// AccountsByEmail implements authority.Tx.
func (t *Tx) AccountsByEmail(realm, emailKey string, limit int) ([]authority.Account, error) {
	if emailKey == "" || limit <= 0 || !sound(realm, emailKey) {
		return nil, t.failed
	}
	return rowsOf(t, &accountTable, accountTable.all+accountsByEmailText, realm, emailKey, limit)
}

// Identity implements authority.Tx.
func (t *Tx) Identity(realm, provider, subject string) (authority.Identity, error) {
	return rowOf(t, &identityTable, realm, provider, subject)
}

// PutIdentity implements authority.Tx.
func (t *Tx) PutIdentity(i authority.Identity) error { return putRow(t, &identityTable, &i) }

// DeleteIdentity implements authority.Tx.
func (t *Tx) DeleteIdentity(realm, provider, subject string) error {
	return t.deleteBy("delete identities", identityTable.remove, realm, provider, subject)
}

// Identities implements authority.Tx.
func (t *Tx) Identities(realm, account string, limit int) ([]authority.Identity, error) {
	if account == "" || limit <= 0 || !sound(realm, account) {
		return nil, t.failed
	}
	return rowsOf(t, &identityTable, identityTable.all+identitiesText, realm, account, limit)
}

// Mark implements authority.Tx.
func (t *Tx) Mark(realm string, id authority.Digest) (authority.Mark, error) {
	return rowOf(t, &markTable, realm, id[:])
}

// PutMark implements authority.Tx.
func (t *Tx) PutMark(m authority.Mark) error { return putRow(t, &markTable, &m) }
