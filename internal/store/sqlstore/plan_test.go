package sqlstore

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// planner asks the database how it would run each statement before it runs it.
type planner struct {
	t    *testing.T
	db   *sql.DB
	seen int
}

func (p *planner) plan(ctx context.Context, text string, args []any) {
	if strings.Contains(text, "schema_version") {
		return // a row for each release
	}
	p.seen++
	rows, err := p.db.QueryContext(ctx, "EXPLAIN QUERY PLAN "+text, args...)
	if err != nil {
		p.t.Fatalf("%s: %v", text, err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			p.t.Fatal(err)
		}
		// A realm has few keys: these are found by index and sorted.
		sorts := strings.Contains(step, "TEMP B-TREE") && !strings.Contains(text, "realm_keys")
		if strings.HasPrefix(step, "SCAN") || sorts {
			p.t.Errorf("%s\nhas no index: %s", text, step)
		}
	}
	if err := rows.Err(); err != nil {
		p.t.Fatal(err)
	}
}

func (p *planner) ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error) {
	p.plan(ctx, text, args)
	return p.db.ExecContext(ctx, text, args...)
}

func (p *planner) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	p.plan(ctx, text, args)
	return p.db.QueryContext(ctx, text, args...)
}

// No statement reads a whole table or sorts what it found: each stays as quick when
// the realm has a million accounts.
func TestEveryStatementHasAnIndex(t *testing.T) {
	db, ctx, now := memory(t), t.Context(), time.Now()
	if err := Migrate(ctx, db, "BLOB", now); err != nil {
		t.Fatal(err)
	}
	p := &planner{t: t, db: db}
	tx := NewTx(ctx, p, now, ReadWrite)
	var d authority.Digest
	for _, run := range []func(){
		func() { _, _ = tx.Keys("r") },
		func() { _ = tx.PutKey(authority.Key{}) },
		func() { _, _ = tx.Token(d) },
		func() { _ = tx.PutToken(authority.Token{}) },
		func() { _ = tx.DeleteToken(d) },
		func() { _, _ = tx.TokenByID("r", "id") },
		func() { _, _ = tx.Tokens("r", "a", authority.KindPersonal, 10) },
		func() { _ = tx.DeleteTokens("r", "a") },
		func() { _, _ = tx.Revoked("r", "id") },
		func() { _ = tx.PutRevocation(authority.Revocation{}) },
		func() { _, _ = tx.Session("r", "id") },
		func() { _ = tx.PutSession(authority.Session{}) },
		func() { _ = tx.DeleteSession("r", "id") },
		func() { _, _ = tx.Sessions("r", "", 10) },
		func() { _, _ = tx.Sessions("r", "a", 10) },
		func() { _ = tx.DeleteSessions("r", "a") },
		func() { _, _ = tx.Refresh(d) },
		func() { _ = tx.PutRefresh(authority.Refresh{}) },
		func() { _ = tx.EraseSuccessors(now) },
		func() { _, _ = tx.KnownAddress("r", d, "n") },
		func() { _ = tx.PutKnownAddress(authority.KnownAddress{}) },
		func() { _, _ = tx.SpendStep("r", "a", 1, now) },
		func() { _, _ = tx.Account("r", "id") },
		func() { _ = tx.PutAccount(authority.Account{}) },
		func() { _ = tx.DeleteAccount("r", "id") },
		func() { _, _ = tx.Accounts("r", time.Time{}, "", 10) },
		func() { _, _ = tx.Accounts("r", now, "id", 10) },
		func() { _, _ = tx.AccountsByEmail("r", "ada@example.com", 10) },
		func() { _, _ = tx.Identity("r", "p", "s") },
		func() { _ = tx.PutIdentity(authority.Identity{}) },
		func() { _ = tx.DeleteIdentity("r", "p", "s") },
		func() { _, _ = tx.Identities("r", "a", 10) },
		func() { _, _ = tx.Mark("r", d) },
		func() { _ = tx.PutMark(authority.Mark{}) },
	} {
		before := p.seen
		run()
		if p.seen != before+1 {
			t.Fatalf("statement %d was not planned once: %v", before+1, tx.Failed())
		}
	}
	if _, err := tx.Sweep(1000); err != nil {
		t.Fatal(err)
	}
	if err := tx.Failed(); err != nil {
		t.Fatal(err)
	}
}
