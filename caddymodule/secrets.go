package caddymodule

import (
	"encoding/json"
	"fmt"
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
		r := &out.Realms[i]
		for j := range r.Clients {
			c := &r.Clients[j]
			where := fmt.Sprintf("realm %s: client %s: ", r.Name, c.ID)
			for k := range c.Secrets {
				if err := expand(repl, where+"secret", &c.Secrets[k]); err != nil {
					return nil, err
				}
			}
			for k := range c.SecretHashes {
				if err := expand(repl, where+"secret_hash", &c.SecretHashes[k]); err != nil {
					return nil, err
				}
			}
		}
		for j := range r.Users {
			u := &r.Users[j]
			where := fmt.Sprintf("realm %s: user %s: ", r.Name, u.Username)
			if err := expand(repl, where+"password_hash", &u.PasswordHash); err != nil {
				return nil, err
			}
			if err := expand(repl, where+"totp_secret", &u.TOTPSecret); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
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
