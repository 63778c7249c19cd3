package sqlstore

import (
	"fmt"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// The tables. Nothing writes to them after they are made.
var (
	keyTable        = newTable("realm_keys", 2, keyFields)
	tokenTable      = newTable("tokens", 1, tokenFields)
	revocationTable = newTable("revocations", 2, revocationFields)
	sessionTable    = newTable("sessions", 2, sessionFields)
	refreshTable    = newTable("refresh_tokens", 1, refreshFields)
	knownTable      = newTable("known_addresses", 3, knownFields)
	accountTable    = newTable("accounts", 2, accountFields)
	identityTable   = newTable("identities", 3, identityFields)
	markTable       = newTable("marks", 2, markFields)
)

// What is swept, by table and primary key. Keys stay: the tokens they signed may
// be read for as long as authority says.
var sweeps = [...]string{
	sweepText("tokens", "digest", "expires"),
	sweepText("revocations", "realm, token_id", "expires"),
	sweepText("sessions", "realm, id", "expires"),
	sweepText("refresh_tokens", "digest", "until"),
	sweepText("totp_steps", "realm, account, step", "expires"),
	sweepText("known_addresses", "realm, account, network", "expires"),
	sweepText("marks", "realm, id", "expires"),
}

// The statements that are not a get, put or delete by primary key.
const (
	eraseSuccessorsText = `UPDATE refresh_tokens SET successor = NULL
WHERE successor IS NOT NULL AND used > 0 AND used < $1`
	spendStepText = `INSERT INTO totp_steps (realm, account, step, expires) VALUES ($1, $2, $3, $4)
ON CONFLICT (realm, account, step) DO NOTHING`
	revokedText = `SELECT 1 FROM revocations WHERE realm = $1 AND token_id = $2`

	tokenByIDText      = " WHERE realm = $1 AND id = $2 LIMIT 1"
	tokensText         = " WHERE realm = $1 AND account = $2 AND kind = $3 ORDER BY issued, id LIMIT $4"
	deleteTokensText   = "DELETE FROM tokens WHERE realm = $1 AND account = $2"
	deleteSessionsText = "DELETE FROM sessions WHERE realm = $1 AND account = $2"
)

// Each function below is the whole mapping of one row: columns, values to write
// and places to read to. The primary key stands first.

func keyFields(k *authority.Key) []field {
	return []field{
		{"realm", text(&k.Realm)},
		{"id", text(&k.ID)},
		{"purpose", text(&k.Purpose)},
		{"alg", text(&k.Alg)},
		{"private", blob(&k.Private)},
		{"created", instant(&k.Created)},
		{"signs", instant(&k.Signs)},
		{"retires", instant(&k.Retires)},
		{"expires", instant(&k.Expires)},
		{"revoked", instant(&k.Revoked)},
	}
}

func tokenFields(t *authority.Token) []field {
	return []field{
		{"digest", digest(&t.Digest)},
		{"id", text(&t.ID)},
		{"realm", text(&t.Realm)},
		{"kind", text(&t.Kind)},
		{"client", text(&t.Client)},
		{"account", text(&t.Account)},
		{"session", text(&t.Session)},
		{"scopes", list(&t.Scopes)},
		{"audience", list(&t.Audience)},
		{"credential", digestOrNone(&t.Credential)},
		{"origin", list(&t.Origin)},
		{"issued", instant(&t.Issued)},
		{"expires", instant(&t.Expires)},
	}
}

func revocationFields(r *authority.Revocation) []field {
	return []field{
		{"realm", text(&r.Realm)},
		{"token_id", text(&r.TokenID)},
		{"expires", instant(&r.Expires)},
	}
}

func sessionFields(s *authority.Session) []field {
	return []field{
		{"realm", text(&s.Realm)},
		{"id", text(&s.ID)},
		{"account", text(&s.Account)},
		{"client", text(&s.Client)},
		{"address", text(&s.Address)},
		{"origin", list(&s.Origin)},
		{"binding", text(&s.Binding)},
		{"credential", digest(&s.Credential)},
		{"created", instant(&s.Created)},
		{"last_used", instant(&s.LastUsed)},
		{"expires", instant(&s.Expires)},
		{"ends", instant(&s.Ends)},
	}
}

func refreshFields(r *authority.Refresh) []field {
	return []field{
		{"digest", digest(&r.Digest)},
		{"id", text(&r.ID)},
		{"realm", text(&r.Realm)},
		{"session", text(&r.Session)},
		{"client", text(&r.Client)},
		{"account", text(&r.Account)},
		{"scopes", list(&r.Scopes)},
		{"audience", list(&r.Audience)},
		{"issued", instant(&r.Issued)},
		{"expires", instant(&r.Expires)},
		{"until", instant(&r.Until)},
		{"used", instant(&r.Used)},
		{"successor", blob(&r.Successor)},
	}
}

func knownFields(k *authority.KnownAddress) []field {
	return []field{
		{"realm", text(&k.Realm)},
		{"account", digest(&k.Account)},
		{"network", text(&k.Network)},
		{"expires", instant(&k.Expires)},
	}
}

func accountFields(a *authority.Account) []field {
	return []field{
		{"realm", text(&a.Realm)},
		{"id", text(&a.ID)},
		{"username", text(&a.Username)},
		{"name", text(&a.Name)},
		{"email", text(&a.Email)},
		{"email_verified", truth(&a.EmailVerified)},
		{"email_key", text(&a.EmailKey)},
		{"roles", list(&a.Roles)},
		{"created", instant(&a.Created)},
		{"last_login", instant(&a.LastLogin)},
		{"origin", list(&a.Origin)},
		{"disabled", instant(&a.Disabled)},
		{"ended", instant(&a.Ended)},
	}
}

func identityFields(i *authority.Identity) []field {
	return []field{
		{"realm", text(&i.Realm)},
		{"provider", text(&i.Provider)},
		{"subject", text(&i.Subject)},
		{"issuer", text(&i.Issuer)},
		{"account", text(&i.Account)},
		{"created", instant(&i.Created)},
		{"last_used", instant(&i.LastUsed)},
	}
}

func markFields(m *authority.Mark) []field {
	return []field{
		{"realm", text(&m.Realm)},
		{"id", digest(&m.ID)},
		{"failures", number(&m.Failures)},
		{"spent", instant(&m.Spent)},
		{"expires", instant(&m.Expires)},
	}
}

// table is the SQL text of one kind of row.
type table[R any] struct {
	name   string
	fields func(*R) []field
	all    string // SELECT of all columns, to be completed with a WHERE
	get    string
	put    string
	remove string
}

// newTable writes the text for a table whose first keys fields are its primary key.
func newTable[R any](name string, keys int, fields func(*R) []field) table[R] {
	var columns, values, updates, where []string
	for i, f := range fields(new(R)) {
		mark := fmt.Sprintf("$%d", i+1)
		columns = append(columns, f.column)
		values = append(values, mark)
		if i < keys {
			where = append(where, f.column+" = "+mark)
		} else {
			updates = append(updates, f.column+" = excluded."+f.column)
		}
	}
	names := strings.Join(columns, ", ")
	match := " WHERE " + strings.Join(where, " AND ")
	all := "SELECT " + names + " FROM " + name
	return table[R]{
		name:   name,
		fields: fields,
		all:    all,
		get:    all + match,
		put: "INSERT INTO " + name + " (" + names + ") VALUES (" + strings.Join(values, ", ") + ")" +
			" ON CONFLICT (" + strings.Join(columns[:keys], ", ") + ")" +
			" DO UPDATE SET " + strings.Join(updates, ", "),
		remove: "DELETE FROM " + name + match,
	}
}

// sweepText deletes at most $2 rows whose end, in the named column, came before $1. DELETE ... LIMIT is
// not in PostgreSQL, hence the inner SELECT.
func sweepText(name, key, end string) string {
	return "DELETE FROM " + name + " WHERE (" + key + ") IN (SELECT " + key +
		" FROM " + name + " WHERE " + end + " < $1 LIMIT $2)"
}
