package authority

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// Account is a person or robot of a realm as the store keeps it. The configuration's
// users are accounts without a row.
type Account struct {
	Realm         string
	ID            string // UUID
	Username      string // what he is called; not unique, may change at any login
	Name          string
	Email         string
	EmailVerified bool // the provider, or the operator, says that the address is his
	// EmailKey is the folded address if somebody verified it whom the operator trusts to
	// link accounts by it; empty otherwise.
	EmailKey  string
	Roles     List
	Created   time.Time
	LastLogin time.Time // zero until the first one
	Origin    List      // of the last login: the provider's name and its issuer; empty until then
	Disabled  time.Time // zero while it may log in
	Ended     time.Time // what was begun until then is over; zero for never
}

// Identity is what an upstream calls a person, and whose account it opens.
type Identity struct {
	Realm    string
	Provider string // the provider's name in the configuration
	Subject  string // immutable; never an e-mail address, a login name or empty
	Issuer   string // the upstream that the name stood for; another one's subjects are strangers. Empty: not seen yet
	Account  string // UUID
	Created  time.Time
	LastUsed time.Time // zero until the first login
}

// Mark is what is remembered of a thing that is no row itself: a sealed state, a
// device session, the token of a step.
type Mark struct {
	Realm    string
	ID       secret.Digest // of the purpose and the thing's id
	Failures int64
	Spent    time.Time // zero until it was spent
	Expires  time.Time // when the thing is dead anyway
}

// AccountDetails are what an operator may see of an account.
type AccountDetails struct {
	AccountFacts
	Identities []Identity
	Disabled   time.Time // zero while it may log in
	Declared   bool      // it is a user of the configuration
}

// NewAccount is an account that an operator makes.
type NewAccount struct {
	Username      string
	Name          string
	Email         string
	EmailVerified bool // the operator vouches for the address
	Roles         []string
	Provider      string // an identity to begin with; empty: none
	Subject       string
}
