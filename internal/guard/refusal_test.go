package guard

import (
	"errors"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/config"
)

// An operator learns from a refusal why it is one and whose token it was; the caller
// learns nothing more than before.
func TestRefusalsSayWhyToTheLog(t *testing.T) {
	refuses := func(kind authority.Kind, why string) *issuerOf {
		return &issuerOf{err: &authority.Error{
			Kind: kind, Op: "verify a token", Public: "for the caller",
			Err: &authority.Error{Kind: kind, Op: "inner", Public: "for the caller too", Err: errors.New(why)},
		}}
	}
	trust := func(v authority.Verifier) Accepted { return Accepted{Name: "sso", Verifier: v, Judged: true} }
	for name, c := range map[string]struct {
		rule                                    config.Guard
		accepted                                []Accepted
		detail, source, client, account, header string
	}{
		"scope": {config.Guard{Scopes: []string{"read", "pay"}}, mainRealm(knows(ada())),
			"the token lacks a scope that this resource demands: all of read pay", "main", "web", "1f0c2c3e-ada", "read pay"},
		"role": {config.Guard{Roles: []string{"boss", "night shift"}}, mainRealm(knows(ada())),
			"the caller has no role that this resource demands: one of boss, night shift", "main", "web", "1f0c2c3e-ada", ""},
		"audience": {config.Guard{Audience: []string{"https://api.example.com/"}}, mainRealm(knows(ada())),
			"the token is for another audience: the guard takes https://api.example.com/", "main", "web", "1f0c2c3e-ada", ""},
		"policy": {config.Guard{Policy: `principal.subject == "bob"`}, mainRealm(knows(ada())),
			"the policy is not true", "main", "web", "1f0c2c3e-ada", ""},
		"a policy of a trust": {config.Guard{Policy: `principal.claims.tenant == "acme"`}, []Accepted{trust(knows(ada()))},
			"the policy could not be evaluated at line 1, column 17: a name that is not there", "sso", "web", "", ""},
		"each of two issuers": {config.Guard{}, append(mainRealm(refuses(authority.TokenInvalid, "unknown or ended")), trust(refuses(authority.TokenInvalid, "has expired"))),
			"main: unknown or ended; sso: has expired", "", "", "", ""},
		"one that is away": {config.Guard{}, append(mainRealm(refuses(authority.TokenInvalid, "unknown or ended")), trust(refuses(authority.Unavailable, "status 500"))),
			"main: unknown or ended; sso: status 500", "", "", "", ""},
		"too little said": {config.Guard{}, mainRealm(&issuerOf{}), "main: token_invalid", "", "", "", ""},
	} {
		_, refusal := meet(bearer(), mustGuard(t, c.rule, c.accepted))
		if refusal == nil {
			t.Fatalf("%s: it passes", name)
		}
		got := [...]string{refusal.Detail, refusal.Source, refusal.Client, refusal.Account}
		if want := [...]string{c.detail, c.source, c.client, c.account}; got != want {
			t.Errorf("%s:\ngot  %q\nwant %q", name, got, want)
		}
		if c.account == "" && refusal.Session+refusal.TokenID != "" {
			t.Errorf("%s: what another issuer calls the token is in the log", name)
		}
		if said := refusal.Header.Get("WWW-Authenticate"); !strings.Contains(said, c.header) || strings.Contains(said, "night shift") || strings.Contains(said, "ended") {
			t.Errorf("%s: the caller is told %s", name, said)
		}
	}
}

// What one issuer says of another's token would mislead whoever holds it: a token of
// the second that has expired is no "not an access token" because the first says so.
func TestDifferentFaultsAreNotToldApartToTheCaller(t *testing.T) {
	says := func(public string) Accepted {
		return Accepted{Name: public, Verifier: &issuerOf{err: &authority.Error{Kind: authority.TokenInvalid, Public: public}}}
	}
	for want, accepted := range map[string][]Accepted{
		`error_description="expired"`: {says("expired")},
		`error_description="no issuer that is accepted here vouches for the token"`: {says("not an access token"), says("expired")},
		`error_description="the token is not active"`:                               {{Name: "a", Verifier: &issuerOf{}}, {Name: "b", Verifier: &issuerOf{}}},
	} {
		_, refusal := meet(bearer(), mustGuard(t, config.Guard{}, accepted))
		wantStatus(t, refusal, 401)
		if said := refusal.Header.Get("WWW-Authenticate"); !strings.Contains(said, want) {
			t.Errorf("%s, want %s", said, want)
		}
	}
}

// A client that is refused learns where it may learn who issues tokens for this resource, if
// that is published (RFC 9728 §5.1).
func TestChallengeNamesTheMetadata(t *testing.T) {
	const api, at = "https://api.example.com/v1/", "https://api.example.com/.well-known/oauth-protected-resource/v1/"
	known := Accepted{Name: "main", Issuer: issuer, Verifier: &issuerOf{}, Metadata: map[string]string{api: at}}
	other := Accepted{Name: "staff", Verifier: &issuerOf{}}
	for story, c := range map[string]struct {
		audience []string
		accepted []Accepted
		want     string // empty: nothing of it
	}{
		"a resource":          {[]string{api}, []Accepted{known}, at},
		"the second audience": {[]string{"urn:api", api}, []Accepted{known}, at},
		"of the second realm": {[]string{api}, []Accepted{other, known}, at},
		"no resource":         {[]string{"https://api.example.com/v2/"}, []Accepted{known}, ""},
		"another realm's":     {[]string{api}, []Accepted{other}, ""},
		"no audience":         {nil, []Accepted{known}, ""},
	} {
		for _, field := range [][]string{nil, {"Bearer some-token"}, {"Bearer"}} {
			r := bearer()
			r.Header["Authorization"] = field
			_, refusal := meet(r, mustGuard(t, config.Guard{Audience: c.audience}, c.accepted))
			if refusal == nil {
				t.Fatal(story, "it passes")
			}
			_, said, _ := strings.Cut(refusal.Header.Get("WWW-Authenticate"), ", resource_metadata=")
			if want := quoted(c.want); said != want && (c.want != "" || said != "") {
				t.Errorf("%s: %s, want %s", story, said, want)
			}
		}
	}
}
