package caddymodule

import (
	"errors"
	"fmt"

	"github.com/gatehouse-auth/gatehouse/internal/config"
)

// signUp reads `sign_up closed|open|allow <email|@domain|provider:subject>...`.
func (p places) signUp(l line, at string, r *config.Realm) error {
	if err := l.plain(1, len(l.values)); err != nil {
		return err
	}
	at += ".sign_up"
	p[at], p[at+".policy"] = l.word, l.values[0]
	r.SignUp.Policy = l.values[0].Text
	for i, v := range l.values[1:] {
		p[fmt.Sprintf("%s.allow[%d]", at, i)] = v
		r.SignUp.Allow = append(r.SignUp.Allow, v.Text)
	}
	return nil
}

// provider reads
//
//	provider github [<name>] {
//		client_id     <id>
//		client_secret <value>
//		web_url       <url>
//		api_url       <url>
//		link          verified_email
//	}
//	provider google [<name>] {
//		client_id     <id>
//		client_secret <value>
//		issuer        <url>
//		tokeninfo_url <url>
//		link          verified_email
//	}
//	provider hugging_face [<name>] {
//		client_id     <id>
//		client_secret <value>
//		issuer        <url>
//		accept_undocumented_token_check
//		link          verified_email
//	}
//	provider oidc <name> {
//		client_id     <id>
//		client_secret <value>
//		issuer        <url>
//		scopes        <scope>...
//		link          verified_email
//	}
func (p places) provider(l line, at string, r *config.Realm) error {
	if err := l.takes(1, 2); err != nil {
		return err
	}
	if !l.open {
		return l.errf("%s needs a block", l.word.Text)
	}
	at = fmt.Sprintf("%s.providers[%d]", at, len(r.Providers))
	p[at], p[at+".type"] = l.word, l.values[0]
	kind := l.values[0].Text
	r.Providers = append(r.Providers, config.Provider{Type: kind})
	u := &r.Providers[len(r.Providers)-1]
	if len(l.values) == 2 {
		p[at+".name"], u.Name = l.values[1], l.values[1].Text
	}
	// The words of other types are read as well, so that one can be told whose they
	// are; but nobody is told that the block has them.
	own, foreign := words{}, words{}
	for word, parse := range (words{
		"client_id":                       p.text(at+".client_id", &u.ClientID),
		"client_secret":                   p.text(at+".client_secret", &u.ClientSecret),
		"issuer":                          p.text(at+".issuer", &u.Issuer),
		"web_url":                         p.text(at+".web_url", &u.WebURL),
		"api_url":                         p.text(at+".api_url", &u.APIURL),
		"tokeninfo_url":                   p.text(at+".tokeninfo_url", &u.TokeninfoURL),
		"scopes":                          p.list(at+".scopes", &u.Scopes),
		"link":                            p.text(at+".link", &u.Link),
		"accept_undocumented_token_check": p.flag(at+".accept_undocumented_token_check", &u.AcceptUndocumentedTokenCheck),
	}) {
		if config.ProviderHas(kind, word) {
			own[word] = parse
		} else {
			foreign[word] = parse
		}
	}
	ours, theirs := l.apart(foreign)
	return errors.Join(ours.read("provider", own, nil), theirs.read("provider", foreign, nil))
}
