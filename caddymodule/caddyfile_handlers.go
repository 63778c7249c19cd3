package caddymodule

import (
	"errors"
	"fmt"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/gatehouse-auth/gatehouse/internal/config"
)

// UnmarshalCaddyfile reads the directive after its matcher was taken off. Syntax:
//
//	gatehouse [<matcher>] {
//		realm    <name>...
//		dialects <dialect>...
//		gmi {
//			redirect_uri <url>
//		}
//		pakt {
//			redirect_uri <url>
//			strict_state
//			tenant_key   <value>...
//			cors_origins <origin>...
//		}
//		keycloak {
//			booleans
//			anonymous_introspection
//			default_client <client_id>
//		}
//	}
//
// The block of a dialect mounts it beside those that dialects names, or beside oauth
// where that word is missing.
func (e *Endpoints) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	_, err := e.readCaddyfile(d)
	return err
}

func (e *Endpoints) readCaddyfile(d *caddyfile.Dispenser) (places, error) {
	l, p, err := directive(d)
	if err != nil {
		return nil, err
	}
	blockless := func(l line) error {
		return l.errf("dialect %s has no block: name it in dialects", l.word.Text)
	}
	bare := words{"oauth": blockless, "golem": blockless}
	rest, misplaced := l.apart(bare)
	return p, errors.Join(rest.read("endpoints", words{
		"realm":    func(l line) error { return p.served(l, e) },
		"dialects": p.list("dialects", &e.Dialects),
		"gmi":      func(l line) error { return p.gmi(l, e) },
		"pakt":     func(l line) error { return p.pakt(l, e) },
		"keycloak": func(l line) error { return p.keycloak(l, e) },
	}, nil), misplaced.read("endpoints", bare, nil))
}

// served reads the names of realms. Who gives one a block wants to declare it.
func (p places) served(l line, e *Endpoints) error {
	if l.open {
		return l.errf("realm takes the names of realms here, and no block: they are declared in the gatehouse block of the global options")
	}
	return p.list("realms", &e.Realms)(l)
}

func (p places) gmi(l line, e *Endpoints) error {
	if err := l.block(0); err != nil {
		return err
	}
	p["gmi"], e.GMI = l.word, new(config.GMI)
	return l.read("gmi", words{"redirect_uri": p.text("gmi.redirect_uri", &e.GMI.RedirectURI)}, nil)
}

func (p places) pakt(l line, e *Endpoints) error {
	if err := l.block(0); err != nil {
		return err
	}
	p["pakt"], e.Pakt = l.word, new(config.Pakt)
	return l.read("pakt", words{
		"redirect_uri": p.text("pakt.redirect_uri", &e.Pakt.RedirectURI),
		"strict_state": p.flag("pakt.strict_state", &e.Pakt.StrictState),
		"tenant_key":   p.list("pakt.tenant_keys", &e.Pakt.TenantKeys),
		"cors_origins": p.list("pakt.cors_origins", &e.Pakt.CORSOrigins),
	}, nil)
}

func (p places) keycloak(l line, e *Endpoints) error {
	if err := l.block(0); err != nil {
		return err
	}
	p["keycloak"], e.Keycloak = l.word, new(config.Keycloak)
	return l.read("keycloak", words{
		"booleans":                p.flag("keycloak.booleans", &e.Keycloak.Booleans),
		"anonymous_introspection": p.flag("keycloak.anonymous_introspection", &e.Keycloak.AnonymousIntrospection),
		"default_client":          p.text("keycloak.default_client", &e.Keycloak.DefaultClient),
	}, nil)
}

// UnmarshalCaddyfile reads the directive after its matcher was taken off. Syntax:
//
//	guard [<matcher>] {
//		accept     <realm|trust>...
//		audience   <value>...
//		scopes     <scope>...
//		roles      <role>...
//		policy     <expression>
//		login      auto|never
//		identity   remote|x_forwarded|x_auth_request|none
//		identity {
//			<Header> <claim>
//		}
//		credential strip|keep
//		optional
//		lenient_paths
//	}
//
// identity is given once, as a preset or as a block.
func (g *Guard) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	_, err := g.readCaddyfile(d)
	return err
}

func (g *Guard) readCaddyfile(d *caddyfile.Dispenser) (places, error) {
	l, p, err := directive(d)
	if err != nil {
		return nil, err
	}
	return p, l.read("guard", words{
		"accept":        p.list("accept", &g.Accept),
		"audience":      p.list("audience", &g.Audience),
		"scopes":        p.list("scopes", &g.Scopes),
		"roles":         p.list("roles", &g.Roles),
		"policy":        func(l line) error { return p.policy(l, &g.Policy) },
		"login":         p.text("login", &g.Login),
		"identity":      func(l line) error { return p.identity(l, &g.Identity) },
		"credential":    p.text("credential", &g.Credential),
		"optional":      p.flag("optional", &g.Optional),
		"lenient_paths": p.flag("lenient_paths", &g.LenientPaths),
	}, nil)
}

// policy reads an expression, which is one value however many words it has.
func (p places) policy(l line, into *string) error {
	if n := len(l.values); n > 1 && !l.open {
		return l.errf("policy takes one value, not %d: put the expression in backquotes", n)
	}
	if l.open {
		return l.errf("policy takes no block: put the expression in backquotes, or in a heredoc if it is long")
	}
	return p.text("policy", into)(l)
}

func (p places) identity(l line, id *config.Identity) error {
	p["identity"] = l.word
	if !l.open {
		return p.text("identity.preset", &id.Preset)(l)
	}
	if len(l.values) > 0 {
		return l.errf("identity takes a preset or a block, not both")
	}
	if len(l.lines) == 0 {
		return l.errf("the block of identity is empty; to send no identity write identity none")
	}
	var errs []error
	for _, in := range l.lines {
		if err := in.plain(1, 1); err != nil {
			errs = append(errs, err)
			continue
		}
		at := fmt.Sprintf("identity.headers[%d]", len(id.Headers))
		p[at], p[at+".claim"] = in.word, in.values[0]
		id.Headers = append(id.Headers, config.IdentityHeader{Name: in.word.Text, Claim: in.values[0].Text})
	}
	return errors.Join(errs...)
}

// UnmarshalCaddyfile reads the handler's name, which is all there is; the directive
// guard adds the handler by itself.
func (*Strip) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	l, _, err := directive(d)
	if err != nil {
		return err
	}
	return l.plain(0, 0)
}

// directive reads a directive, whose block may be left out.
func directive(d *caddyfile.Dispenser) (line, places, error) {
	l, err := readSegment(d)
	if err != nil {
		return l, nil, err
	}
	if len(l.values) > 0 {
		return l, nil, l.errf("%s takes no value but a matcher (*, a path that begins with /, or @name): its words stand in its block", l.word.Text)
	}
	return l, places{"": l.word}, nil
}
