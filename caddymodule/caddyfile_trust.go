package caddymodule

import (
	"fmt"

	"github.com/gatehouse-auth/gatehouse/internal/config"
)

// trust reads
//
//	trust <name> {
//		issuer   <url>
//		audience <value>...|any
//		typ      <type>...
//		verify   jwks [<url>]
//		verify   introspection [<url>] {
//			client_id     <id>
//			client_secret <value>
//		}
//	}
//
// verify is given once.
func (p places) trust(l line, c *config.Config) error {
	if err := l.block(1); err != nil {
		return err
	}
	at := fmt.Sprintf("trusts[%d]", len(c.Trusts))
	p[at], p[at+".name"] = l.word, l.values[0]
	c.Trusts = append(c.Trusts, config.Trust{Name: l.values[0].Text})
	t := &c.Trusts[len(c.Trusts)-1]
	return l.read("trust", words{
		"issuer":   p.text(at+".issuer", &t.Issuer),
		"audience": p.list(at+".audience", &t.Audience),
		"typ":      p.list(at+".typ", &t.Types),
		"verify":   func(l line) error { return p.verify(l, at+".verify", &t.Verify) },
	}, nil)
}

// verify reads `jwks [<url>]` or `introspection [<url>] { ... }`.
func (p places) verify(l line, at string, v *config.Verify) error {
	if err := l.takes(1, 2); err != nil {
		return err
	}
	p[at], p[at+".method"] = l.word, l.values[0]
	v.Method = l.values[0].Text
	if len(l.values) == 2 {
		p[at+".url"], v.URL = l.values[1], l.values[1].Text
	}
	switch {
	case v.Method == "introspection" && !l.open:
		return l.errf("verify introspection needs a block with client_id and client_secret: the client that Gatehouse is at the issuer")
	case v.Method == "jwks" && l.open:
		return l.errf("verify jwks takes no block: public keys are fetched without a client_id")
	case !l.open:
		return nil // an unknown method, which the configuration reports
	}
	return l.read("verify", words{
		"client_id":     p.text(at+".client_id", &v.ClientID),
		"client_secret": p.text(at+".client_secret", &v.ClientSecret),
	}, nil)
}
