package config

import (
	"fmt"
	"slices"
	"strings"
)

// Bounds of the issuers that are not ours, and of the text of a policy in bytes,
// which is compiled at load.
const (
	maxTrusts = 100
	maxPolicy = 4096
)

func (t *Trust) setDefaults() {
	setDefault(&t.Verify.Method, verifyJWKS)
	if len(t.Types) == 0 && t.Verify.Method == verifyJWKS {
		t.Types = []string{"at+jwt", "JWT"}
	}
}

// trusts judges the issuers that are not ours, beside the realms.
func (ck *checker) trusts(c *Config) {
	if len(c.Trusts) > maxTrusts {
		ck.fault("trusts", "more than %d trusts", maxTrusts)
		return
	}
	seen := once{}
	for i := range c.Trusts {
		t, at := &c.Trusts[i], index("trusts", i)
		ck.blockName(at+".name", "trust", t.Name)
		switch {
		case t.Name == "":
		case slices.ContainsFunc(c.Realms, func(r Realm) bool { return r.Name == t.Name }):
			ck.fault(at+".name", "%q is the name of a realm and of a trust: accept could not tell them apart", t.Name)
		case seen.again(t.Name):
			ck.fault(at+".name", "trust %q is declared twice", t.Name)
		}
		ck.nobodyOf(c.Realms, t.Name)
		ck.otherIssuer(at+".issuer", t.Issuer)
		if ours := slices.IndexFunc(c.Realms, func(r Realm) bool { return r.Issuer == t.Issuer }); ours >= 0 && t.Issuer != "" {
			// By its key set alone nobody learns that a token was revoked.
			ck.fault(at+".issuer", "issuer of trust %q is that of our own realm %q: name the realm in accept", t.Name, c.Realms[ours].Name)
		}
		ck.trustAudience(at+".audience", t)
		ck.tokenTypes(at+".typ", t)
		ck.verify(at+".verify", t)
	}
}

// nobodyOf refuses users who are called what a guard that accepts their realm and the trust
// calls somebody of the trust.
func (ck *checker) nobodyOf(realms []Realm, trust string) {
	for i := range realms {
		for j, u := range realms[i].Users {
			if source, _, ok := strings.Cut(u.Username, ":"); ok && fold(source) == fold(trust) {
				ck.fault(index(index("realms", i)+".users", j)+".username",
					"username %q is what apps are told of somebody of the trust %q: they could not tell the two apart", u.Username, trust)
			}
		}
	}
}

// trustAudience demands that the operator says for whom the tokens are: an issuer's
// tokens for everybody else would open the door too.
func (ck *checker) trustAudience(at string, t *Trust) {
	switch {
	case len(t.Audience) == 0:
		ck.fault(at, "trust %q needs an audience: what aud holds in tokens that are for you, or any", t.Name)
	case len(t.Audience) > 1 && slices.Contains(t.Audience, anyAudience):
		ck.fault(index(at, slices.Index(t.Audience, anyAudience)), "audience is any, or a list without it")
	default:
		ck.list(at, "audience", t.Audience, maxList, ck.audience)
	}
}

// tokenTypes judges values of the header typ (RFC 7515 §4.1.9: media types, whose
// prefix application/ may be left out).
func (ck *checker) tokenTypes(at string, t *Trust) {
	if len(t.Types) > 0 && t.Verify.Method == verifyIntrospection {
		ck.fault(at, "typ is a word of verify jwks: by introspection the issuer itself says what a token is")
		return
	}
	ck.list(at, "typ", t.Types, maxList, func(at, s string) {
		if ck.ascii(at, "typ", s, 64) && !isToken(strings.TrimPrefix(strings.ToLower(s), "application/")) {
			ck.fault(at, "typ %q must be a type such as at+jwt", s)
		}
	})
}

// verify judges how tokens are verified. No message quotes a secret.
func (ck *checker) verify(at string, t *Trust) {
	v := &t.Verify
	methods := []string{verifyJWKS, verifyIntrospection}
	if !slices.Contains(methods, v.Method) {
		ck.fault(at+".method", "verify must be %s, not %q%s", enumerate(methods, "or"), v.Method, suggestion(v.Method, methods...))
		return // what its other words mean hangs on it
	}
	if v.URL != "" {
		ck.address(at+".url", "address of verify "+v.Method, v.URL, true)
	}
	if v.Method == verifyJWKS {
		if v.ClientID != "" || v.ClientSecret != "" {
			ck.fault(at, "verify jwks asks nobody who the caller is: client_id and client_secret are words of verify introspection")
		}
		return
	}
	if !ck.pending(at+".client_id", "client_id", v.ClientID) {
		ck.ascii(at+".client_id", fmt.Sprintf("client_id of trust %q", t.Name), v.ClientID, maxURL)
	}
	ck.shownSecret(at+".client_secret", fmt.Sprintf("client_secret of trust %q", t.Name), v.ClientSecret)
}

// shownSecret judges a secret that we show somebody else, who chose it. No message
// quotes it.
func (ck *checker) shownSecret(at, what, s string) {
	switch {
	case s == "":
		ck.fault(at, "%s is missing", what)
	case len(s) > maxSecret:
		ck.fault(at, "%s is longer than %d bytes", what, maxSecret)
	case !clean(s):
		ck.fault(at, "%s has a control character or is not UTF-8", what)
	default:
		ck.pending(at, what, s)
	}
}

// accepted checks that the realms and trusts a guard names are there. A token of
// somebody else is shown to one introspection endpoint at most, or each would learn
// the tokens of the others.
func (ck *checker) accepted(names []string, c *Config) {
	trusts := make(map[string]*Trust, len(c.Trusts))
	known := make([]string, 0, len(c.Realms)+len(c.Trusts))
	for i := range c.Realms {
		known = append(known, c.Realms[i].Name)
	}
	for i := range c.Trusts {
		known = append(known, c.Trusts[i].Name)
		trusts[c.Trusts[i].Name] = &c.Trusts[i]
	}
	asks := ""
	ck.list("accept", "accept", names, maxRealms, func(at, name string) {
		t := trusts[name]
		switch {
		case !ck.text(at, "accept", name, maxName):
		case !slices.Contains(known, name):
			ck.fault(at, "there is no realm or trust %q%s", name, suggestion(name, known...))
		case t == nil || t.Verify.Method != verifyIntrospection:
		case asks != "":
			ck.fault(at, "trusts %q and %q both ask by introspection, and a token of one would be shown to the other: accept one of them", asks, name)
		default:
			asks = name
		}
	})
}

// policy judges the text of a policy as far as one can who knows no CEL: whether it
// compiles is said by who runs it.
func (ck *checker) policy(s string) {
	switch {
	case s == "":
	case len(s) > maxPolicy:
		ck.fault("policy", "policy is longer than %d bytes", maxPolicy)
	case strings.TrimSpace(s) == "":
		ck.fault("policy", "policy is empty")
	case !clean(strings.NewReplacer("\n", "", "\r", "", "\t", "").Replace(s)):
		ck.fault("policy", "policy has a control character or is not UTF-8")
	case hasPlaceholder(s):
		ck.fault("policy", "policy takes no placeholder; in a Caddyfile {$NAME} works everywhere")
	}
}

// gcFloor judges the heap that the collector leaves alone.
func (ck *checker) gcFloor(s string) {
	if s == "" || s == "off" {
		return
	}
	switch n, err := ParseSize(s); {
	case err != nil:
		ck.fault("gc_floor", "gc_floor must be a size such as 128MiB, or off, not %.40q%s", s, suggestion(s, "off"))
	case n < mebibyte || n > 1<<20*mebibyte:
		ck.fault("gc_floor", "gc_floor must be off or between 1MiB and 1TiB, not %s", n)
	}
}
