package caddymodule

import (
	"fmt"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/gatehouse-auth/gatehouse/internal/config"
)

// parseApp reads the global option `gatehouse`.
func parseApp(d *caddyfile.Dispenser, earlier any) (any, error) {
	if earlier != nil {
		d.Next()
		return nil, d.Errf("the global options have two gatehouse blocks; one holds the store, the cache and all realms")
	}
	app := new(App)
	if err := app.UnmarshalCaddyfile(d); err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: appName, Value: caddyconfig.JSON(app.Config, nil)}, nil
}

// UnmarshalCaddyfile reads the app's block and reports all its faults. Syntax:
//
//	gatehouse {
//		store sqlite <path>
//		gc_floor <size>|off
//		cache {
//			max_size     <size>
//			max_ttl      <duration>
//			negative_ttl <duration>
//		}
//		realm <name> {
//			id           <uuid>
//			issuer       <url>
//			signing_alg  ES256|RS256|EdDSA
//			access_token jwt|opaque [<lifetime>]
//			refresh_token  <lifetime> [grace <duration>]
//			session        <absolute>
//			personal_token <lifetime>
//			sign_up        closed|open|allow <email|@domain|provider:subject>...
//			provider <type> [<name>] {
//				client_id     <id>
//				client_secret <value>
//				link          verified_email
//				(the words of its type)
//			}
//			client <client_id> {
//				secret       <value>...
//				secret_hash  sha256:<hex>...
//				grants       <grant>...
//				scopes       <scope>...
//				audience     <url>...
//				roles        <role>...
//				introspect   own|any
//				disabled
//			}
//			user <username> {
//				password_hash <hash>
//				totp_secret   <base32>
//				email         <address> [verified]
//				name          <display name>
//				roles         <role>...
//				disabled
//			}
//			resource <url> {
//				client <client_id>
//				scopes <scope>...
//			}
//		}
//		trust <name> {
//			issuer   <url>
//			audience <value>...|any
//			typ      <type>...
//			verify   jwks [<url>]
//			verify   introspection [<url>] {
//				client_id     <id>
//				client_secret <value>
//			}
//		}
//	}
//
// verify is given once. realm, trust, provider, client, user and resource may be repeated with other names; every other word
// stands at most once in its block.
func (a *App) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	l, err := readSegment(d)
	if err != nil {
		return err
	}
	if err := l.block(0); err != nil {
		return err
	}
	c, p := &a.Config, places{"": l.word}
	err = l.read("gatehouse", words{
		"store":    func(l line) error { return p.store(l, c) },
		"gc_floor": p.text("gc_floor", &c.GCFloor),
		"cache":    func(l line) error { return p.cache(l, &c.Cache) },
	}, words{
		"realm": func(l line) error { return p.realm(l, c) },
		"trust": func(l line) error { return p.trust(l, c) },
	})
	if err != nil {
		return err
	}
	return p.report(c.Validate())
}

func (p places) store(l line, c *config.Config) error {
	if err := l.plain(1, len(l.values)); err != nil {
		return err
	}
	kind := l.values[0].Text
	switch {
	case !config.Available("store", kind):
		return l.errf("%s", config.Unavailable("store "+kind))
	case kind != "sqlite":
		return l.errf("store must be sqlite, not %q", kind)
	case len(l.values) != 2:
		return l.errf("store sqlite needs one path")
	}
	p["store.sqlite"], c.Store.SQLite = l.values[1], l.values[1].Text
	return nil
}

func (p places) cache(l line, c *config.Cache) error {
	if err := l.block(0); err != nil {
		return err
	}
	p["cache"] = l.word
	return l.read("cache", words{
		"max_size":     p.size("cache.max_size", &c.MaxSize),
		"max_ttl":      p.span("cache.max_ttl", &c.MaxTTL),
		"negative_ttl": p.span("cache.negative_ttl", &c.NegativeTTL),
	}, nil)
}

func (p places) realm(l line, c *config.Config) error {
	if err := l.block(1); err != nil {
		return err
	}
	at := fmt.Sprintf("realms[%d]", len(c.Realms))
	p[at] = l.word
	c.Realms = append(c.Realms, config.Realm{Name: l.values[0].Text})
	r := &c.Realms[len(c.Realms)-1]
	return l.read("realm", words{
		"id":             p.text(at+".id", &r.ID),
		"issuer":         p.text(at+".issuer", &r.Issuer),
		"signing_alg":    p.text(at+".signing_alg", &r.SigningAlg),
		"access_token":   func(l line) error { return p.accessToken(l, at, r) },
		"refresh_token":  func(l line) error { return p.refreshToken(l, at, r) },
		"session":        func(l line) error { return p.session(l, at, r) },
		"personal_token": p.span(at+".personal_token", &r.PersonalToken),
		"sign_up":        func(l line) error { return p.signUp(l, at, r) },
	}, words{
		"provider": func(l line) error { return p.provider(l, at, r) },
		"client":   func(l line) error { return p.client(l, at, r) },
		"user":     func(l line) error { return p.user(l, at, r) },
		"resource": func(l line) error { return p.resource(l, at, r) },
	})
}

func (p places) accessToken(l line, at string, r *config.Realm) error {
	if err := l.plain(1, 2); err != nil {
		return err
	}
	p[at+".access_token"], p[at+".access_token.format"] = l.word, l.values[0]
	r.AccessToken.Format = l.values[0].Text
	if len(l.values) == 1 {
		return nil
	}
	return p.duration(at+".access_token.lifetime", l.values[1], &r.AccessToken.Lifetime)
}

// refreshToken reads `refresh_token <lifetime> [grace <duration>]`.
func (p places) refreshToken(l line, at string, r *config.Realm) error {
	if err := l.plain(1, 3); err != nil {
		return err
	}
	at += ".refresh_token"
	p[at] = l.word
	err := p.duration(at+".lifetime", l.values[0], &r.RefreshToken.Lifetime)
	if err != nil || len(l.values) == 1 {
		return err
	}
	if len(l.values) != 3 || l.values[1].Text != "grace" {
		return l.errf("refresh_token is written <lifetime> grace <duration>")
	}
	return p.duration(at+".grace", l.values[2], &r.RefreshToken.Grace)
}

// session reads `session [<idle>] <absolute>`.
func (p places) session(l line, at string, r *config.Realm) error {
	if err := l.plain(1, 2); err != nil {
		return err
	}
	if len(l.values) == 2 && !config.Available("session", "idle") {
		return l.errf("session takes its absolute end only: %s", config.Unavailable("an idle one"))
	}
	p[at+".session"] = l.word
	return p.duration(at+".session.absolute", l.values[len(l.values)-1], &r.Session.Absolute)
}

func (p places) client(l line, at string, r *config.Realm) error {
	if err := l.block(1); err != nil {
		return err
	}
	at = fmt.Sprintf("%s.clients[%d]", at, len(r.Clients))
	p[at] = l.word
	r.Clients = append(r.Clients, config.Client{ID: l.values[0].Text})
	c := &r.Clients[len(r.Clients)-1]
	return l.read("client", words{
		"secret":      p.list(at+".secrets", &c.Secrets),
		"secret_hash": p.list(at+".secret_hashes", &c.SecretHashes),
		"grants":      p.list(at+".grants", &c.Grants),
		"scopes":      p.list(at+".scopes", &c.Scopes),
		"audience":    p.list(at+".audience", &c.Audience),
		"roles":       p.list(at+".roles", &c.Roles),
		"introspect":  p.text(at+".introspect", &c.Introspect),
		"disabled":    p.flag(at+".disabled", &c.Disabled),
	}, nil)
}

// user reads
//
//	user <username> {
//		password_hash <hash>
//		totp_secret   <base32>
//		email         <address> [verified]
//		name          <display name>
//		roles         <role>...
//		disabled
//	}
func (p places) user(l line, at string, r *config.Realm) error {
	if err := l.block(1); err != nil {
		return err
	}
	at = fmt.Sprintf("%s.users[%d]", at, len(r.Users))
	p[at] = l.word
	r.Users = append(r.Users, config.User{Username: l.values[0].Text})
	u := &r.Users[len(r.Users)-1]
	return l.read("user", words{
		"password_hash": p.text(at+".password_hash", &u.PasswordHash),
		"totp_secret":   p.text(at+".totp_secret", &u.TOTPSecret),
		"email":         func(l line) error { return p.email(l, at, u) },
		"name":          p.text(at+".name", &u.Name),
		"roles":         p.list(at+".roles", &u.Roles),
		"disabled":      p.flag(at+".disabled", &u.Disabled),
	}, nil)
}

func (p places) email(l line, at string, u *config.User) error {
	if err := l.plain(1, 2); err != nil {
		return err
	}
	p[at+".email"], u.Email = l.values[0], l.values[0].Text
	u.EmailVerified = len(l.values) == 2
	if u.EmailVerified && l.values[1].Text != "verified" {
		return l.errf("after the address email takes only the word verified")
	}
	return nil
}

func (p places) resource(l line, at string, r *config.Realm) error {
	if err := l.block(1); err != nil {
		return err
	}
	at = fmt.Sprintf("%s.resources[%d]", at, len(r.Resources))
	p[at] = l.word
	r.Resources = append(r.Resources, config.Resource{URL: l.values[0].Text})
	res := &r.Resources[len(r.Resources)-1]
	return l.read("resource", words{
		"client": p.text(at+".client", &res.Client),
		"scopes": p.list(at+".scopes", &res.Scopes),
	}, nil)
}
