package sqlstore

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// A database of the release without accounts is taken over as it is: its tokens and
// sessions live on, and what they could not know is empty.
func TestUpgradeToAccounts(t *testing.T) {
	db, ctx := memory(t), t.Context()
	texts, err := migrations(migrationFiles)
	if err != nil {
		t.Fatal(err)
	}
	if err := migrate(ctx, db, "BLOB", time.Now(), texts[:3]); err != nil {
		t.Fatal(err)
	}
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	opaque, credential, refresh := secret.DigestOf("opaque"), secret.DigestOf("password"), secret.DigestOf("refresh")
	for _, row := range []struct {
		text string
		args []any
	}{
		{`INSERT INTO tokens (digest, id, realm, kind, client, account, session, scopes, audience, issued, expires)
VALUES ($1, 'jti', 'r', 'access', 'app', 'ann', 'sid', '', '', $2, $3)`, []any{opaque[:], micros(now), micros(now.Add(time.Hour))}},
		{`INSERT INTO sessions (realm, id, account, client, address, credential, created, last_used, expires, ends)
VALUES ('r', 'sid', 'ann', 'app', '192.0.2.1', $1, $2, $2, $3, $3)`, []any{credential[:], micros(now), micros(now.Add(time.Hour))}},
		{`INSERT INTO refresh_tokens (digest, id, realm, session, client, account, scopes, audience, issued, expires, until, used)
VALUES ($1, 'rt', 'r', 'sid', 'app', 'ann', '', '', $2, $3, $3, 0)`, []any{refresh[:], micros(now), micros(now.Add(time.Hour))}},
		{`INSERT INTO realm_keys VALUES ('r', 'kid', 'access', 'ES256', x'01', $1, $1, 0, 0, 0)`, []any{micros(now)}},
		{`INSERT INTO revocations VALUES ('r', 'ended', $1)`, []any{micros(now.Add(time.Hour))}},
		{`INSERT INTO totp_steps VALUES ('r', 'ann', 7, $1)`, []any{micros(now.Add(time.Hour))}},
		{`INSERT INTO known_addresses VALUES ('r', $1, '192.0.2.1', $2)`, []any{credential[:], micros(now.Add(time.Hour))}},
	} {
		if _, err := db.ExecContext(ctx, row.text, row.args...); err != nil {
			t.Fatalf("%s: %v", row.text, err)
		}
	}
	if err := Migrate(ctx, db, "BLOB", time.Now()); err != nil {
		t.Fatal(err)
	}
	tx := NewTx(ctx, db, now, ReadWrite)
	token, err := tx.TokenByID("r", "jti")
	if err != nil || token != (authority.Token{
		Digest: opaque, ID: "jti", Realm: "r", Kind: authority.KindAccess, Client: "app", Account: "ann", Session: "sid",
		Issued: now, Expires: now.Add(time.Hour),
	}) {
		t.Errorf("token %+v, %v", token, err)
	}
	session, err := tx.Session("r", "sid")
	if err != nil || session != (authority.Session{
		Realm: "r", ID: "sid", Account: "ann", Client: "app", Address: "192.0.2.1", Credential: credential,
		Created: now, LastUsed: now, Expires: now.Add(time.Hour), Ends: now.Add(time.Hour),
	}) {
		t.Errorf("session %+v, %v", session, err)
	}
	kept, err := tx.Refresh(refresh)
	if err != nil || kept.Session != "sid" || !kept.Until.Equal(now.Add(time.Hour)) {
		t.Errorf("refresh token %+v, %v", kept, err)
	}
	if keys, err := tx.Keys("r"); err != nil || len(keys) != 1 || keys[0].ID != "kid" {
		t.Errorf("keys %+v, %v", keys, err)
	}
	if revoked, err := tx.Revoked("r", "ended"); err != nil || !revoked {
		t.Errorf("revoked: %v, %v", revoked, err)
	}
	if free, err := tx.SpendStep("r", "ann", 7, now); err != nil || free {
		t.Errorf("the spent step is free: %v, %v", free, err)
	}
	if _, err := tx.KnownAddress("r", credential, "192.0.2.1"); err != nil {
		t.Errorf("known address: %v", err)
	}
	// Its rows take the new columns as any other's do.
	token.Credential, session.Origin, session.Binding = credential, authority.ListOf("github", "https://github.com"), "device"
	if err := tx.PutToken(token); err != nil {
		t.Fatal(err)
	}
	if err := tx.PutSession(session); err != nil {
		t.Fatal(err)
	}
	if got, err := tx.Token(opaque); err != nil || got != token {
		t.Errorf("token %+v, %v, want %+v", got, err, token)
	}
	if got, err := tx.Session("r", "sid"); err != nil || got != session {
		t.Errorf("session %+v, %v, want %+v", got, err, session)
	}
}
