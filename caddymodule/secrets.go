package caddymodule

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/internal/config"
)

// expanded returns a copy of the configuration with the placeholders of its
// secrets replaced. The original keeps them, so that Caddy's /config shows the
// placeholder and not the secret.
func expanded(c *config.Config) (*config.Config, error) {
	raw, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	out := new(config.Config)
	if err := json.Unmarshal(raw, out); err != nil {
		return nil, err
	}
	repl := caddy.NewReplacer()
	if err := expand(repl, "store sqlite", &out.Store.SQLite); err != nil {
		return nil, err
	}
	for i := range out.Realms {
		if err := expandRealm(repl, &out.Realms[i]); err != nil {
			return nil, fmt.Errorf("realm %s: %w", out.Realms[i].Name, err)
		}
	}
	for i := range out.Trusts {
		t := &out.Trusts[i]
		if err := expandClient(repl, "", &t.Verify.ClientID, &t.Verify.ClientSecret); err != nil {
			return nil, fmt.Errorf("trust %s: %w", t.Name, err)
		}
	}
	return out, nil
}

func expandRealm(repl *caddy.Replacer, r *config.Realm) error {
	for i := range r.Providers {
		u := &r.Providers[i]
		where := fmt.Sprintf("provider %s: ", cmp.Or(u.Name, u.Type))
		if err := expandClient(repl, where, &u.ClientID, &u.ClientSecret); err != nil {
			return err
		}
	}
	for i := range r.Clients {
		c := &r.Clients[i]
		where := fmt.Sprintf("client %s: ", c.ID)
		if err := expandAll(repl, where+"secret", c.Secrets); err != nil {
			return err
		}
		if err := expandAll(repl, where+"secret_hash", c.SecretHashes); err != nil {
			return err
		}
	}
	for i := range r.Users {
		u := &r.Users[i]
		where := fmt.Sprintf("user %s: ", u.Username)
		if err := expand(repl, where+"password_hash", &u.PasswordHash); err != nil {
			return err
		}
		if err := expand(repl, where+"totp_secret", &u.TOTPSecret); err != nil {
			return err
		}
	}
	return nil
}

// expandClient expands what Gatehouse itself is called elsewhere, and its secret.
func expandClient(repl *caddy.Replacer, where string, id, secret *string) error {
	if err := expand(repl, where+"client_id", id); err != nil {
		return err
	}
	return expand(repl, where+"client_secret", secret)
}

// expandedEndpoints returns a copy of the endpoints with the placeholders of their
// secrets replaced.
func expandedEndpoints(e config.Endpoints) (config.Endpoints, error) {
	if e.Pakt == nil {
		return e, nil
	}
	pakt := *e.Pakt
	pakt.TenantKeys = slices.Clone(pakt.TenantKeys)
	e.Pakt = &pakt
	return e, expandAll(caddy.NewReplacer(), "dialect pakt: tenant_key", pakt.TenantKeys)
}

func expandAll(repl *caddy.Replacer, what string, values []string) error {
	for i := range values {
		if err := expand(repl, what, &values[i]); err != nil {
			return err
		}
	}
	return nil
}

// expand replaces {env.*} and {file.*} in *value, once: what comes out is never
// read again. A placeholder that yields nothing is an error, for an unset variable
// must not turn a confidential client into a public one.
func expand(repl *caddy.Replacer, what string, value *string) error {
	if *value == "" {
		return nil
	}
	got, err := repl.ReplaceFunc(*value, func(name string, val any) (any, error) {
		if !strings.HasPrefix(name, "env.") && !strings.HasPrefix(name, "file.") {
			return nil, fmt.Errorf("{%s} is not expanded here: use {env.NAME} or {file./path}, or write \\{ for a brace", name)
		}
		if caddy.ToString(val) == "" {
			return nil, fmt.Errorf("{%s} is empty or not set", name)
		}
		return val, nil
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	*value = got
	return nil
}
