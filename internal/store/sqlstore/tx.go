package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// SweepAfter is how long an expired row is kept. A token may be accepted some
// seconds after its expiry (clock leeway), and a clock may be set back: a
// revocation swept at its very end would then revive what it ended.
const SweepAfter = 5 * time.Minute

// retryAfter is what Unavailable errors tell the caller to wait.
const retryAfter = time.Second

// Causes that a Tx itself gives.
var (
	errReadOnly = errors.New("a View must not write")
	errEnded    = errors.New("the transaction has ended")
)

// Querier is what a Tx needs of a connection or transaction. *sql.Tx and
// *sql.Conn are Queriers.
type Querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Access is what a Tx may do.
type Access bool

// The kinds of access.
const (
	ReadOnly  Access = false
	ReadWrite Access = true
)

// Tx is authority.Tx over a transaction that somebody else begins and ends. One
// goroutine uses it at a time.
//
// The first statement that fails ends its use: later ones answer the same error,
// and the transaction must be undone even if its user swallowed the error, since
// some of its writes are missing.
type Tx struct {
	ctx    context.Context
	q      Querier
	now    time.Time
	access Access
	failed error
}

var _ authority.Tx = (*Tx)(nil)

// NewTx returns a Tx over q whose clock shows now.
func NewTx(ctx context.Context, q Querier, now time.Time, access Access) *Tx {
	return &Tx{ctx: ctx, q: q, now: now, access: access}
}

// Failed returns the error of the first statement that failed, or nil.
func (t *Tx) Failed() error { return t.failed }

// End refuses all further use, so that a Tx kept beyond its transaction cannot
// write into somebody else's.
func (t *Tx) End() {
	if t.failed == nil {
		t.failed = &authority.Error{Kind: authority.Internal, Op: "store", Err: errEnded}
	}
}

// Unavailable is the error of a database that could not do what it was asked.
// One that already is an authority.Error stays as it is.
func Unavailable(op string, err error) error {
	if _, ok := errors.AsType[*authority.Error](err); ok {
		return err
	}
	return &authority.Error{Kind: authority.Unavailable, Op: op, RetryAfter: retryAfter, Err: err}
}

// Now returns the transaction's time, in whole microseconds.
func (t *Tx) Now() time.Time { return t.now }

// Keys implements authority.Tx.
func (t *Tx) Keys(realm string) ([]authority.Key, error) {
	if !sound(realm) {
		return nil, t.failed
	}
	return rowsOf(t, &keyTable, keyTable.all+" WHERE realm = $1 ORDER BY created, id", realm)
}

// PutKey implements authority.Tx.
func (t *Tx) PutKey(k authority.Key) error { return putRow(t, &keyTable, &k) }

// Token implements authority.Tx.
func (t *Tx) Token(d authority.Digest) (authority.Token, error) {
	return rowOf(t, &tokenTable, d[:])
}

// PutToken implements authority.Tx.
func (t *Tx) PutToken(row authority.Token) error { return putRow(t, &tokenTable, &row) }

// DeleteToken implements authority.Tx.
func (t *Tx) DeleteToken(d authority.Digest) error {
	_, err := t.exec("delete tokens", tokenTable.remove, d[:])
	return err
}

// TokenByID implements authority.Tx.
func (t *Tx) TokenByID(realm, id string) (authority.Token, error) {
	if !sound(realm, id) {
		return authority.Token{}, authority.ErrNotFound
	}
	found, err := rowsOf(t, &tokenTable, tokenTable.all+tokenByIDText, realm, id)
	if err != nil {
		return authority.Token{}, err
	}
	if len(found) == 0 {
		return authority.Token{}, authority.ErrNotFound
	}
	return found[0], nil
}

// Tokens implements authority.Tx. An empty account has none: clients' own tokens
// are nobody's.
func (t *Tx) Tokens(realm, account string, kind authority.TokenKind, limit int) ([]authority.Token, error) {
	if account == "" || limit <= 0 || !sound(realm, account, string(kind)) {
		return nil, t.failed
	}
	return rowsOf(t, &tokenTable, tokenTable.all+tokensText, realm, account, string(kind), limit)
}

// DeleteTokens implements authority.Tx. An empty account has none.
func (t *Tx) DeleteTokens(realm, account string) error {
	if account == "" {
		return t.failed
	}
	return t.deleteBy("delete tokens", deleteTokensText, realm, account)
}

// Revoked implements authority.Tx.
func (t *Tx) Revoked(realm, tokenID string) (bool, error) {
	if !sound(realm, tokenID) {
		return false, t.failed // such a row cannot have been put
	}
	found := false
	err := t.query("get revocations", revokedText, []any{realm, tokenID}, func(*sql.Rows) error {
		found = true
		return nil
	})
	return found, err
}

// PutRevocation implements authority.Tx.
func (t *Tx) PutRevocation(r authority.Revocation) error { return putRow(t, &revocationTable, &r) }

// Session implements authority.Tx.
func (t *Tx) Session(realm, id string) (authority.Session, error) {
	return rowOf(t, &sessionTable, realm, id)
}

// PutSession implements authority.Tx.
func (t *Tx) PutSession(s authority.Session) error { return putRow(t, &sessionTable, &s) }

// DeleteSession implements authority.Tx.
func (t *Tx) DeleteSession(realm, id string) error {
	return t.deleteBy("delete sessions", sessionTable.remove, realm, id)
}

// DeleteSessions implements authority.Tx. An empty account has none.
func (t *Tx) DeleteSessions(realm, account string) error {
	if account == "" {
		return t.failed
	}
	return t.deleteBy("delete sessions", deleteSessionsText, realm, account)
}

// Sessions implements authority.Tx.
func (t *Tx) Sessions(realm, account string, limit int) ([]authority.Session, error) {
	if limit <= 0 || !sound(realm, account) {
		return nil, t.failed
	}
	if account == "" {
		return rowsOf(t, &sessionTable,
			sessionTable.all+" WHERE realm = $1 ORDER BY created, id LIMIT $2", realm, limit)
	}
	return rowsOf(t, &sessionTable,
		sessionTable.all+" WHERE realm = $1 AND account = $2 ORDER BY created, id LIMIT $3", realm, account, limit)
}

// Refresh implements authority.Tx.
func (t *Tx) Refresh(d authority.Digest) (authority.Refresh, error) {
	return rowOf(t, &refreshTable, d[:])
}

// PutRefresh implements authority.Tx.
func (t *Tx) PutRefresh(r authority.Refresh) error { return putRow(t, &refreshTable, &r) }

// EraseSuccessors implements authority.Tx: it forgets the sealed successors of
// refresh tokens first used before the time. The store knows no grace, so the
// caller has taken it off.
func (t *Tx) EraseSuccessors(before time.Time) error {
	_, err := t.exec("erase successors", eraseSuccessorsText, micros(before))
	return err
}

// KnownAddress implements authority.Tx.
func (t *Tx) KnownAddress(realm string, account authority.Digest, network string) (authority.KnownAddress, error) {
	return rowOf(t, &knownTable, realm, account[:], network)
}

// PutKnownAddress implements authority.Tx.
func (t *Tx) PutKnownAddress(k authority.KnownAddress) error { return putRow(t, &knownTable, &k) }

// SpendStep implements authority.Tx.
func (t *Tx) SpendStep(realm, account string, step int64, expires time.Time) (bool, error) {
	if !sound(realm, account) {
		return false, t.refuse("put totp_steps", errText)
	}
	n, err := t.exec("put totp_steps", spendStepText, realm, account, step, micros(expires))
	return n == 1, err
}

// Ping reads something real. Errors: Unavailable.
func (t *Tx) Ping() error {
	return t.query("ping", readVersionText, nil, func(*sql.Rows) error { return nil })
}

// Sweep deletes at most limit rows that expired longer than SweepAfter ago, and
// tells how many. Errors: Unavailable.
func (t *Tx) Sweep(limit int) (int, error) {
	swept := 0
	for _, text := range sweeps {
		if swept >= limit {
			break
		}
		n, err := t.exec("sweep", text, micros(t.now.Add(-SweepAfter)), limit-swept)
		if err != nil {
			return 0, err
		}
		swept += int(n)
	}
	return swept, t.failed
}
