package caddymodule

import (
	"cmp"
	"encoding/json"
	"errors"
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
	x := &expander{repl: caddy.NewReplacer()}
	x.expand("store sqlite", &out.Store.SQLite)
	for i := range out.Realms {
		x.realm(&out.Realms[i])
	}
	for i := range out.Trusts {
		t := &out.Trusts[i]
		x.client(fmt.Sprintf("trust %s: ", t.Name), &t.Verify.ClientID, &t.Verify.ClientSecret)
	}
	return out, errors.Join(x.faults...)
}

// expander replaces placeholders and gathers what is wrong with them: a fault at a
// time would mean a start for each variable that somebody forgot.
type expander struct {
	repl   *caddy.Replacer
	faults []error
}

func (x *expander) realm(r *config.Realm) {
	of := fmt.Sprintf("realm %s: ", r.Name)
	for i := range r.Providers {
		u := &r.Providers[i]
		x.client(fmt.Sprintf("%sprovider %s: ", of, cmp.Or(u.Name, u.Type)), &u.ClientID, &u.ClientSecret)
	}
	for i := range r.Clients {
		c := &r.Clients[i]
		where := fmt.Sprintf("%sclient %s: ", of, c.ID)
		x.all(where+"secret", c.Secrets)
		x.all(where+"secret_hash", c.SecretHashes)
	}
	for i := range r.Users {
		u := &r.Users[i]
		where := fmt.Sprintf("%suser %s: ", of, u.Username)
		x.expand(where+"password_hash", &u.PasswordHash)
		x.expand(where+"totp_secret", &u.TOTPSecret)
	}
}

// client expands what Gatehouse itself is called elsewhere, and its secret.
func (x *expander) client(where string, id, secret *string) {
	x.expand(where+"client_id", id)
	x.expand(where+"client_secret", secret)
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
	x := &expander{repl: caddy.NewReplacer()}
	x.all("dialect pakt: tenant_key", pakt.TenantKeys)
	return e, errors.Join(x.faults...)
}

func (x *expander) all(what string, values []string) {
	for i := range values {
		x.expand(what, &values[i])
	}
}

// expand replaces {env.*} and {file.*} in *value, once: what comes out is never
// read again. A placeholder that yields nothing is an error, for an unset variable
// must not turn a confidential client into a public one.
func (x *expander) expand(what string, value *string) {
	if *value == "" {
		return
	}
	got, err := x.repl.ReplaceFunc(*value, func(name string, val any) (any, error) {
		file := strings.HasPrefix(name, "file.")
		switch {
		case !file && !strings.HasPrefix(name, "env."):
			return nil, fmt.Errorf("{%s} is not expanded here: use {env.NAME} or {file./path}, or write \\{ for a brace", name)
		case caddy.ToString(val) != "":
			return val, nil
		case file:
			return nil, fmt.Errorf("{%s} is empty or cannot be read", name)
		}
		return nil, fmt.Errorf("{%s} is empty or not set", name)
	})
	if err != nil {
		x.faults = append(x.faults, fmt.Errorf("%s: %w", what, err))
		return
	}
	*value = got
}
