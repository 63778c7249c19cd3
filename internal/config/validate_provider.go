package config

import (
	"fmt"
	"slices"
	"strings"
)

// The upstreams that a provider stands for where its block names no other.
const (
	githubWeb       = "https://github.com"
	githubAPI       = "https://api.github.com"
	googleIssuer    = "https://accounts.google.com"
	googleTokeninfo = "https://oauth2.googleapis.com/tokeninfo"
	huggingFace     = "https://huggingface.co"

	linkVerifiedEmail = "verified_email"
)

func providerTypes() []string { return []string{"github", "google", "hugging_face", "oidc"} }

// ProviderHas reports whether the block of a provider of this type has the word. An
// unknown type has them all: what is wrong is the type.
func ProviderHas(kind, word string) bool {
	types := typesWith(word)
	return len(types) == 0 || !slices.Contains(providerTypes(), kind) || slices.Contains(types, kind)
}

// typesWith are the types of providers that have a word; none for one that all have.
func typesWith(word string) []string {
	switch word {
	case "web_url", "api_url":
		return []string{"github"}
	case "issuer":
		return []string{"google", "hugging_face", "oidc"}
	case "tokeninfo_url":
		return []string{"google"}
	case "accept_undocumented_token_check":
		return []string{"hugging_face"}
	case "scopes":
		return []string{"oidc"}
	}
	return nil
}

func (p *Provider) setDefaults() {
	if p.Type != "oidc" {
		setDefault(&p.Name, p.Type)
	}
	switch p.Type {
	case "github":
		// The address of a server's API follows from that of its pages, not the other way
		// round. One server's tokens shown to another would be given away.
		if own(p.WebURL, githubWeb) && own(p.APIURL, githubAPI) {
			p.WebURL, p.APIURL = githubWeb, githubAPI
		} else if p.WebURL != "" {
			setDefault(&p.APIURL, strings.TrimSuffix(p.WebURL, "/")+"/api/v3")
		}
	case "google":
		setDefault(&p.Issuer, googleIssuer)
		if p.Issuer == googleIssuer {
			setDefault(&p.TokeninfoURL, googleTokeninfo)
		}
	case "hugging_face":
		setDefault(&p.Issuer, huggingFace)
	case "oidc":
		if len(p.Scopes) == 0 {
			p.Scopes = []string{"openid", "email", "profile"}
		}
	}
}

// own reports whether an address is the default one, said or not.
func own(address, byDefault string) bool { return address == "" || address == byDefault }

func (ck *checker) providers(at string, providers []Provider) {
	if len(providers) > maxProviders {
		ck.fault(at, "more than %d providers", maxProviders)
		return
	}
	seen := once{}
	for i := range providers {
		p, at := &providers[i], index(at, i)
		if !ck.providerType(at+".type", p.Type) {
			continue // what its other words mean hangs on it
		}
		switch {
		case p.Name == "":
			ck.fault(at+".name", "an oidc provider needs a name: provider oidc <name>")
		case len(p.Name) > 32 || strings.Trim(p.Name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "":
			ck.fault(at+".name", "name of a provider %.40q must be at most 32 lower-case letters, digits, - and _", p.Name)
		case seen.again(p.Name):
			ck.fault(at+".name", "provider %q is declared twice; a second one of a type needs a name of its own: provider %s <name>", p.Name, p.Type)
		}
		ck.upstreamClient(at, p)
		ck.foreignWords(at, p)
		ck.upstream(at, p)
		if p.Link != "" && p.Link != linkVerifiedEmail {
			ck.fault(at+".link", "link must be %s, or left out, not %q%s", linkVerifiedEmail, p.Link, suggestion(p.Link, linkVerifiedEmail))
		}
	}
}

// usernames refuses users who are called what commands call an identity, or apps a client.
func (ck *checker) usernames(at string, r *Realm) {
	clients := make(map[string]bool, len(r.Clients))
	for i := range r.Clients {
		clients[fold("service-account-"+r.Clients[i].ID)] = true
	}
	for i, u := range r.Users {
		if clients[fold(u.Username)] {
			ck.fault(index(at, i)+".username", "username %q is what apps are told of a client: they could not tell the two apart", u.Username)
		}
		provider, _, ok := strings.Cut(u.Username, ":")
		if ok && slices.ContainsFunc(r.Providers, func(p Provider) bool { return p.Name == provider }) {
			ck.fault(index(at, i)+".username", "username %q looks like an account at the provider %q: commands could not tell the two apart", u.Username, provider)
		}
	}
}

func (ck *checker) providerType(at, kind string) bool {
	types := providerTypes()
	if slices.Contains(types, kind) {
		return true
	}
	ck.fault(at, "type of a provider must be %s, not %.40q%s; any other provider of OpenID Connect is written provider oidc <name>", enumerate(types, "or"), kind, suggestion(kind, types...))
	return false
}

// upstreamClient judges what Gatehouse proves itself with at the upstream. No
// message quotes a secret.
func (ck *checker) upstreamClient(at string, p *Provider) {
	if !ck.pending(at+".client_id", "client_id", p.ClientID) {
		ck.ascii(at+".client_id", "client_id", p.ClientID, maxURL)
	}
	ck.shownSecret(at+".client_secret", fmt.Sprintf("client_secret of provider %q", p.Name), p.ClientSecret)
}

// foreignWords refuses what another type of provider has.
func (ck *checker) foreignWords(at string, p *Provider) {
	for _, w := range []struct {
		word string
		said bool
	}{
		{"web_url", p.WebURL != ""},
		{"api_url", p.APIURL != ""},
		{"issuer", p.Issuer != ""},
		{"tokeninfo_url", p.TokeninfoURL != ""},
		{"scopes", len(p.Scopes) > 0},
		{"accept_undocumented_token_check", p.AcceptUndocumentedTokenCheck},
	} {
		if w.said && !ProviderHas(p.Type, w.word) {
			ck.fault(at+"."+w.word, "a provider of the type %s has no word %s; it is a word of %s", p.Type, w.word, enumerate(typesWith(w.word), "and"))
		}
	}
}

// upstream judges where the upstream is, as far as its type has a say in it.
func (ck *checker) upstream(at string, p *Provider) {
	switch p.Type {
	case "github":
		switch {
		case p.WebURL == "":
			ck.fault(at+".web_url", "provider %q has an api_url of its own and needs the web_url of the same server", p.Name)
		case (p.WebURL == githubWeb) != (p.APIURL == githubAPI):
			ck.fault(at+".api_url", "web_url and api_url of provider %q are not of one server", p.Name)
		}
		ck.base(at+".web_url", "web_url", p.WebURL)
		ck.base(at+".api_url", "api_url", p.APIURL)
	case "google":
		ck.otherIssuer(at+".issuer", p.Issuer)
		if p.TokeninfoURL == "" {
			ck.fault(at+".tokeninfo_url", "provider %q has an issuer of its own and needs the tokeninfo_url of the same server", p.Name)
			return
		}
		ck.address(at+".tokeninfo_url", "tokeninfo_url", p.TokeninfoURL, false)
	case "hugging_face":
		ck.otherIssuer(at+".issuer", p.Issuer)
	case "oidc":
		ck.otherIssuer(at+".issuer", p.Issuer)
		ck.list(at+".scopes", "scope", p.Scopes, maxList, ck.scope)
		if !slices.Contains(p.Scopes, "openid") {
			ck.fault(at+".scopes", "scopes of provider %q must hold openid, or the provider says nobody's name", p.Name)
		}
	}
}

// address judges the address of somebody else, which is asked or compared exactly as
// it is written.
func (ck *checker) address(at, what, s string, query bool) {
	if !ck.ascii(at, what, s, maxURL) {
		return
	}
	if wrong := addressFault(s, query); wrong != "" {
		ck.fault(at, "%s %q %s", what, shown(s), wrong)
	}
}

// otherIssuer judges the issuer of somebody else's tokens. Its metadata stand below it,
// and their address is easily taken for it.
func (ck *checker) otherIssuer(at, s string) {
	if of, _, below := strings.Cut(s, "/.well-known/"); below {
		ck.fault(at, "issuer %q is the address of the issuer's metadata: write what stands there as issuer, such as %q", shown(s), shown(of))
		return
	}
	ck.address(at, "issuer", s, false)
}

// base judges an address that paths are appended to; what is missing was reported.
func (ck *checker) base(at, what, s string) {
	switch {
	case s == "":
	case strings.HasSuffix(s, "/"):
		ck.fault(at, "%s %q must not end with a slash", what, shown(s))
	default:
		ck.address(at, what, s, false)
	}
}

// signUp judges who may get an account.
func (ck *checker) signUp(at string, r *Realm) {
	policies := []string{"closed", "open", "allow"}
	s := r.SignUp
	switch {
	case !slices.Contains(policies, s.Policy):
		meant := suggestion(s.Policy, policies...)
		if meant == "" && strings.ContainsAny(s.Policy, "@:") {
			meant = "; to list who may sign up write sign_up allow"
		}
		ck.fault(at+".policy", "sign_up must be closed, open or allow, not %q%s", s.Policy, meant)
		return
	case s.Policy == "allow" && len(s.Allow) == 0:
		ck.fault(at+".allow", "sign_up allow needs whom it allows: e-mail addresses, @domains or provider:subject")
		return
	case s.Policy != "allow" && len(s.Allow) > 0:
		ck.fault(at+".allow", "sign_up %s takes no list; to list who may sign up write sign_up allow", s.Policy)
		return
	}
	ck.list(at+".allow", "entry", s.Allow, maxAllowed, func(at, entry string) { ck.allowed(at, entry, r) })
}

// allowed judges one entry of an allow list.
func (ck *checker) allowed(at, entry string, r *Realm) {
	if !ck.text(at, "entry of sign_up allow", entry, maxName+64) || !ck.apart(at, "entry", entry) {
		return
	}
	domain, isDomain := strings.CutPrefix(entry, "@")
	provider, subject, isSubject := strings.Cut(entry, ":")
	switch {
	case isDomain && !isMailDomain(domain):
		ck.fault(at, "%q is not @ and a whole domain, such as @example.com; one with letters beyond ASCII is written in its xn-- form", entry)
	case isDomain:
	case isSubject:
		ck.allowedSubject(at, provider, subject, r)
	case strings.Contains(entry, "@"):
		ck.email(at, entry)
	case strings.Contains(entry, ".") && isMailDomain(entry):
		ck.fault(at, "%q is neither an e-mail address nor @domain nor provider:subject; did you mean %q?", entry, "@"+entry)
	default:
		ck.fault(at, "%q is neither an e-mail address nor @domain nor provider:subject", entry)
	}
}

func (ck *checker) allowedSubject(at, provider, subject string, r *Realm) {
	names := make([]string, len(r.Providers))
	for i := range r.Providers {
		names[i] = r.Providers[i].Name
	}
	n := slices.Index(names, provider)
	switch {
	case n < 0:
		ck.fault(at, "realm %q has no provider %q%s", r.Name, provider, suggestion(provider, names...))
	case subject == "":
		ck.fault(at, "after the colon of \"%s:\" its subject is missing: the immutable id of an account there", provider)
	case r.Providers[n].Type == "github" && strings.Trim(subject, "0123456789") != "":
		ck.fault(at, "%q is no subject of GitHub: that is the number of an account (the id at api.github.com/users/<login>), for a login name can change hands", subject)
	}
}

// isMailDomain reports whether s can stand after the @ of an e-mail address.
func isMailDomain(s string) bool {
	for label := range strings.SplitSeq(strings.ToLower(s), ".") {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return len(s) <= 253
}
