package storetest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// texts are all different; a database that folds case, trims spaces or
// normalizes Unicode would take some of them for the same.
func texts() []string {
	return []string{
		"a", "A", "a ", " a", "á", "a\u0301", "ﬀ", "ff", "ß", "ss", "İ", "i",
		`'`, `''`, `"`, "`", `\`, `\\`, `\n`, "\n", "\r\n", "\t", "\x01", "\x7f",
		"'; DROP TABLE tokens; --", "$1", "?", ":name", "%", "_", "NULL", "null", "0", "0.0", "1e3", "0x10", "true",
		"\u2028", "\ufeff", "\ufffd", "\U0001F511", "עברית", "e\u200dx", "e\u200ex",
		strings.Repeat("x", 64<<10), strings.Repeat("🔑", 16<<10),
	}
}

func oddTexts(t *testing.T, open Open) {
	s := opened(t, open)
	update(t, s, func(tx authority.Tx) error {
		for i, text := range texts() {
			err := errors.Join(
				tx.PutSession(authority.Session{Realm: "r", ID: fmt.Sprint(i), Account: text, Client: text}),
				tx.PutKey(authority.Key{Realm: "r", ID: fmt.Sprint(i), Alg: text}),
				tx.PutAccount(authority.Account{Realm: "r", ID: fmt.Sprint(i), Username: text, Name: text, Email: text}),
			)
			if err != nil {
				return fmt.Errorf("%.20q: %w", text, err)
			}
		}
		return nil
	})
	view(t, s, func(tx authority.Tx) error {
		for i, text := range texts() {
			one, err := tx.Session("r", fmt.Sprint(i))
			if err != nil {
				return err
			}
			account, err := tx.Account("r", fmt.Sprint(i))
			if err != nil {
				return err
			}
			for _, got := range []string{one.Client, account.Username, account.Name, account.Email} {
				if got != text {
					t.Errorf("%.20q came back as %.20q", text, got)
				}
			}
			found, err := tx.Sessions("r", text, 10)
			if err != nil {
				return err
			}
			if len(found) != 1 || found[0].ID != fmt.Sprint(i) {
				t.Errorf("account %.20q has %d sessions, want its own one", text, len(found))
			}
		}
		return nil
	})
	// As keys, bounded by what an index of any database takes.
	for _, text := range texts() {
		if len(text) <= 1<<10 {
			oddKey(t, s, text)
		}
	}
}

func oddKey(t *testing.T, s Store, text string) {
	t.Helper()
	update(t, s, func(tx authority.Tx) error {
		return errors.Join(
			tx.PutRevocation(authority.Revocation{Realm: "r", TokenID: text}),
			tx.PutIdentity(authority.Identity{Realm: "r", Provider: "p", Subject: text, Account: text}),
			tx.PutAccount(authority.Account{Realm: "q", ID: text, EmailKey: text}))
	})
	view(t, s, func(tx authority.Tx) error {
		if revoked, err := tx.Revoked("r", text+"."); err != nil || revoked {
			t.Errorf("%q followed by a dot: revoked %v, error %v", text, revoked, err)
		}
		if _, err := tx.Identity("r", "p", text+"."); !errors.Is(err, authority.ErrNotFound) {
			t.Errorf("identity %q followed by a dot: error %v", text, err)
		}
		identity, err := tx.Identity("r", "p", text)
		if identity.Account != text {
			t.Errorf("identity %q opens account %q", text, identity.Account)
		}
		accounts, err2 := tx.AccountsByEmail("q", text, 10)
		identities, err3 := tx.Identities("r", text, 10)
		if len(accounts) != 1 || accounts[0].ID != text || len(identities) != 1 {
			t.Errorf("the key %q finds %d accounts and %d identities, want its own ones", text, len(accounts), len(identities))
		}
		return errors.Join(err, err2, err3)
	})
}

// A NUL ends a text early in one database and is refused by another; bytes that
// are not UTF-8 likewise. A token id "x\x00y" must never pass for "x".
func unsoundTexts(t *testing.T, open Open) {
	s := opened(t, open)
	update(t, s, func(tx authority.Tx) error {
		return errors.Join(
			tx.PutRevocation(authority.Revocation{Realm: "r", TokenID: "x"}),
			tx.PutSession(authority.Session{Realm: "r", ID: "x", Account: "x"}),
		)
	})
	for _, text := range []string{"x\x00", "\x00x", "x\x00y", "\xff", "x\xc0\x80", "\xed\xa0\x80"} {
		for name, put := range map[string]func(authority.Tx) error{
			"session id": func(tx authority.Tx) error { return tx.PutSession(authority.Session{Realm: "r", ID: text}) },
			"client": func(tx authority.Tx) error {
				return tx.PutSession(authority.Session{Realm: "r", ID: "y", Client: text})
			},
			"revocation": func(tx authority.Tx) error { return tx.PutRevocation(authority.Revocation{Realm: "r", TokenID: text}) },
			"token kind": func(tx authority.Tx) error { return tx.PutToken(authority.Token{Kind: authority.TokenKind(text)}) },
			"key":        func(tx authority.Tx) error { return tx.PutKey(authority.Key{Realm: text}) },
			"step": func(tx authority.Tx) error {
				_, err := tx.SpendStep("r", text, 1, tx.Now())
				return err
			},
			"account": func(tx authority.Tx) error { return tx.PutAccount(authority.Account{Realm: "r", ID: text}) },
			"e-mail": func(tx authority.Tx) error {
				return tx.PutAccount(authority.Account{Realm: "r", ID: "y", EmailKey: text})
			},
			"subject": func(tx authority.Tx) error {
				return tx.PutIdentity(authority.Identity{Realm: "r", Provider: "p", Subject: text})
			},
			"mark": func(tx authority.Tx) error { return tx.PutMark(authority.Mark{Realm: text}) },
		} {
			err := s.Update(t.Context(), put)
			if err == nil {
				t.Errorf("%s %q was taken", name, text)
				continue
			}
			wantKind(t, err, authority.Internal)
		}
		update(t, s, func(tx authority.Tx) error {
			if _, err := tx.Session("r", text); !errors.Is(err, authority.ErrNotFound) {
				t.Errorf("session %q: error %v, want ErrNotFound", text, err)
			}
			unsoundLookups(t, tx, text)
			return errors.Join(tx.DeleteSession("r", text), tx.DeleteSessions("r", text), tx.DeleteTokens("r", text),
				tx.DeleteAccount("r", text), tx.DeleteIdentity("r", "p", text))
		})
	}
	wantRevoked(t, s, "r", "x", true)
	view(t, s, func(tx authority.Tx) error {
		_, err := tx.Session("r", "x")
		return err
	})
}

// unsoundLookups asks for what cannot have been put: there is none of it, and
// asking is no fault.
func unsoundLookups(t *testing.T, tx authority.Tx, text string) {
	t.Helper()
	if revoked, err := tx.Revoked("r", text); err != nil || revoked {
		t.Errorf("revoked(%q) = %v, %v", text, revoked, err)
	}
	if found, err := tx.Sessions("r", text, 10); err != nil || len(found) != 0 {
		t.Errorf("sessions of %q: %v, %v", text, found, err)
	}
	if keys, err := tx.Keys(text); err != nil || len(keys) != 0 {
		t.Errorf("keys of %q: %v, %v", text, keys, err)
	}
	_, token := tx.TokenByID("r", text)
	_, account := tx.Account("r", text)
	_, identity := tx.Identity("r", "p", text)
	_, mark := tx.Mark(text, authority.Digest{})
	for name, err := range map[string]error{"token": token, "account": account, "identity": identity, "mark": mark} {
		if !errors.Is(err, authority.ErrNotFound) {
			t.Errorf("%s %q: error %v, want ErrNotFound", name, text, err)
		}
	}
	tokens, err := tx.Tokens("r", text, authority.KindAccess, 10)
	kinds, err2 := tx.Tokens("r", "x", authority.TokenKind(text), 10)
	accounts, err3 := tx.Accounts("r", tx.Now(), text, 10)
	named, err4 := tx.AccountsByEmail("r", text, 10)
	identities, err5 := tx.Identities("r", text, 10)
	if err := errors.Join(err, err2, err3, err4, err5); err != nil {
		t.Errorf("lists of %q: %v", text, err)
	}
	if n := len(tokens) + len(kinds) + len(accounts) + len(named) + len(identities); n != 0 {
		t.Errorf("lists of %q hold %d rows", text, n)
	}
}

func oddLists(t *testing.T, open Open) {
	s := opened(t, open)
	lists := []authority.List{
		"",
		authority.ListOf(""),
		authority.ListOf("", ""),
		authority.ListOf("a"),
		authority.ListOf("a", "b"),
		authority.ListOf("a b", "a,b", `["a","b"]`),
		authority.ListOf("a\nb"),
		authority.ListOf("a", "\n", "b"),
		authority.ListOf(`a\nb`, `\`, `\\`, "\\\n", `n`),
		authority.ListOf(texts()...),
		"not closed",
	}
	for i, list := range lists {
		digest := sha256.Sum256(fmt.Append(nil, i))
		update(t, s, func(tx authority.Tx) error {
			return errors.Join(
				tx.PutToken(authority.Token{Digest: digest, Scopes: list}),
				tx.PutRefresh(authority.Refresh{Digest: digest, Audience: list}),
			)
		})
		view(t, s, func(tx authority.Tx) error {
			token, err := tx.Token(digest)
			refresh, err2 := tx.Refresh(digest)
			if token.Scopes != list || refresh.Audience != list {
				t.Errorf("list %.40q came back as %.40q and %.40q", list, token.Scopes, refresh.Audience)
			}
			return errors.Join(err, err2)
		})
	}
	err := s.Update(t.Context(), func(tx authority.Tx) error {
		return tx.PutToken(authority.Token{Scopes: authority.ListOf("\xff")})
	})
	wantKind(t, err, authority.Internal)
}
