package trust_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/provider"
	"github.com/gatehouse-auth/gatehouse/internal/trust"
)

// null stands for a claim that is not there.
var null = json.RawMessage("null")

func TestAGoodTokenBecomesAPrincipal(t *testing.T) {
	i := newIssuer(t)
	tr := open(t, i.options())
	now := i.now().Unix()
	raw := i.sign(t, "k1", nil, i.claims(map[string]any{
		"aud": []string{"x", audience}, "scope": "read  write", "roles": []string{"admin", "ops"}, "sid": "s1", "jti": "j1",
		"auth_time": now - 60, "preferred_username": "ada-l", "name": "Ada Lovelace", "email": "ada@example.com",
		"email_verified": true, "nbf": float64(now) + 0.5, "tenant": "acme", "level": []any{3, true}, "not asked for": "x",
	}))
	p, err := tr.Verify(t.Context(), raw)
	want := authority.Principal{
		Source: "acme", Realm: "0b6cf4ac-5c1b-5d9c-8a25-2f8a3a0a5d11", Issuer: i.base, Subject: "ada", Client: "app",
		Username: "ada-l", Name: "Ada Lovelace", Email: "ada@example.com", EmailVerified: true, Session: "s1", TokenID: "j1",
		KeyID: "k1", Kind: authority.KindAccess, Scopes: authority.ListOf("read", "write"), Roles: authority.ListOf("admin", "ops"),
		Audience: authority.ListOf("x", audience), Claims: "tenant\x00\"acme\"\x00level\x00[3,true]\x00",
		IssuedAt: now, Expires: now + 300, AuthTime: now - 60,
	}
	if err != nil || p != want {
		t.Errorf("%+v\nwant %+v\n%v", p, want, err)
	}
}

// What issuers write in different ways.
func TestClaimsAsIssuersWriteThem(t *testing.T) {
	i := newIssuer(t)
	tr := open(t, i.options())
	now := i.now().Unix()
	many := map[string]any{}
	for n := range 300 {
		many[fmt.Sprintf("c%d", n)] = n
	}
	elsewhere := func(p authority.Principal) bool { return p.RolesElsewhere }
	for story, tc := range map[string]struct {
		claims map[string]any
		holds  func(p authority.Principal) bool
	}{
		"azp":              {map[string]any{"client_id": nil, "azp": "spa"}, func(p authority.Principal) bool { return p.Client == "spa" }},
		"scp, a list":      {map[string]any{"scp": []string{"a", "b"}}, func(p authority.Principal) bool { return p.Scopes == authority.ListOf("a", "b") }},
		"scp, a text":      {map[string]any{"scp": "a b"}, func(p authority.Principal) bool { return p.Scopes == authority.ListOf("a", "b") }},
		"scope, a list":    {map[string]any{"scope": []string{"a"}}, func(p authority.Principal) bool { return p.Scopes == authority.ListOf("a") }},
		"scope before scp": {map[string]any{"scope": "", "scp": "a"}, func(p authority.Principal) bool { return p.Scopes == "" }},
		"Keycloak's roles": {map[string]any{"realm_access": map[string]any{"roles": []string{"r"}}, "groups": []string{"g"}, "typ": "Bearer"},
			func(p authority.Principal) bool { return p.Roles == authority.ListOf("r") }},
		"groups":                     {map[string]any{"realm_access": map[string]any{}, "groups": []string{"g"}}, func(p authority.Principal) bool { return p.Roles == authority.ListOf("g") }},
		"roles, none":                {map[string]any{"roles": []string{}, "groups": []string{"g"}}, func(p authority.Principal) bool { return p.Roles == "" }},
		"no jti":                     {nil, func(p authority.Principal) bool { return len(p.TokenID) == len("sha256-")+43 }},
		"a fraction":                 {map[string]any{"exp": float64(now) + 100.9}, func(p authority.Principal) bool { return p.Expires == now+100 }},
		"an exponent":                {map[string]any{"exp": 2e9}, func(p authority.Principal) bool { return p.Expires == 2_000_000_000 }},
		"within leeway":              {map[string]any{"exp": now - 2, "nbf": now + 3, "iat": now + 3}, func(p authority.Principal) bool { return p.Expires == now-2 }},
		"Cognito":                    {map[string]any{"token_use": "access", "username": "ada"}, func(p authority.Principal) bool { return p.Username == "ada" }},
		"Keycloak before release 25": {map[string]any{"typ": "Bearer", "nonce": "n"}, func(p authority.Principal) bool { return p.Subject == "ada" }},
		"PingAM":                     {map[string]any{"tokenName": "access_token", "token_type": "Bearer"}, func(p authority.Principal) bool { return p.Subject == "ada" }},
		"Entra, groups elsewhere, and roles here": {map[string]any{"_claim_names": map[string]string{"groups": "src1"}, "roles": []string{"r"}},
			func(p authority.Principal) bool { return p.Roles == authority.ListOf("r") && !p.RolesElsewhere }},
		"Entra, groups elsewhere": {map[string]any{"_claim_names": map[string]string{"groups": "src1"}}, elsewhere},
		"Entra, groups not said":  {map[string]any{"hasgroups": true}, elsewhere},
		"roles elsewhere":         {map[string]any{"_claim_names": map[string]string{"roles": "src1"}, "realm_access": map[string]any{}}, elsewhere},
		"roles beside groups":     {map[string]any{"_claim_names": map[string]string{"roles": "src1"}, "groups": []string{"g"}}, elsewhere},
		"realm_access elsewhere":  {map[string]any{"_claim_names": map[string]string{"realm_access": "src1"}, "groups": []string{"g"}}, elsewhere},
		"groups, said both ways":  {map[string]any{"_claim_names": map[string]string{"groups": "src1"}, "hasgroups": false}, elsewhere},
		"elsewhere, a text":       {map[string]any{"_claim_names": "groups"}, elsewhere},
		"groups, and all of them": {map[string]any{"_claim_names": map[string]string{"x": "src1"}, "hasgroups": false}, func(p authority.Principal) bool { return !p.RolesElsewhere }},
		"a claim elsewhere":       {map[string]any{"_claim_names": map[string]string{"tenant": "src1"}}, func(p authority.Principal) bool { return p.Claims == "tenant\x00!\x00" }},
		"null is nothing":         {map[string]any{"name": null, "cnf": null, "nonce": null, "roles": null, "auth_time": null}, func(p authority.Principal) bool { return p.Name == "" }},
		"not verified":            {map[string]any{"email": "a@b.example", "email_verified": "true"}, func(p authority.Principal) bool { return p.Email == "a@b.example" && !p.EmailVerified }},
		"no address":              {map[string]any{"email": "a@b@c.example", "email_verified": true}, func(p authority.Principal) bool { return p.Email == "" && !p.EmailVerified }},
		"name, an object":         {map[string]any{"name": map[string]any{"first": "Ada"}}, func(p authority.Principal) bool { return p.Name == "" }},
		"CR and LF":               {map[string]any{"name": "Ada\r\nX-Admin: yes"}, func(p authority.Principal) bool { return p.Name == "Ada\r\nX-Admin: yes" }},
		"300 more claims":         {many, func(p authority.Principal) bool { return p.Claims == "" }},
		"a claim too large":       {map[string]any{"tenant": strings.Repeat("x", 1<<10), "level": 3}, func(p authority.Principal) bool { return p.Claims == "tenant\x00!\x00level\x003\x00" }},
		"a claim of objects":      {map[string]any{"tenant": map[string]any{"a": 1}, "level": []any{[]any{1}}}, func(p authority.Principal) bool { return p.Claims == "tenant\x00!\x00level\x00!\x00" }},
		"a claim of nothing":      {map[string]any{"tenant": []any{nil}, "level": false}, func(p authority.Principal) bool { return p.Claims == "tenant\x00!\x00level\x00false\x00" }},
	} {
		p, err := tr.Verify(t.Context(), i.sign(t, "k1", nil, i.claims(tc.claims)))
		if err != nil || !tc.holds(p) {
			t.Errorf("%s: %+v %v", story, p, err)
		}
	}
}

func TestTokensThatAreNotForUs(t *testing.T) {
	i := newIssuer(t)
	tr := open(t, i.options())
	now := i.now().Unix()
	texts := func(n int) []string { return strings.Split(strings.Repeat("a ", n-1)+"a", " ") }
	for story, tc := range map[string]struct {
		claims map[string]any
		words  string
	}{
		"another issuer":            {map[string]any{"iss": i.base + "/"}, "another issuer"},
		"no issuer":                 {map[string]any{"iss": nil}, "another issuer"},
		"issuers":                   {map[string]any{"iss": []string{i.base}}, "another issuer"},
		"another audience":          {map[string]any{"aud": "https://other.example"}, "(aud)"},
		"other audiences":           {map[string]any{"aud": []string{"a", "b"}}, "(aud)"},
		"no audience":               {map[string]any{"aud": nil}, "(aud)"},
		"a part of an audience":     {map[string]any{"aud": audience + "/x"}, "(aud)"},
		"audience of numbers":       {map[string]any{"aud": []any{audience, 1}}, "aud"},
		"101 audiences":             {map[string]any{"aud": append(texts(100), audience)}, "more than 100"},
		"expired":                   {map[string]any{"exp": now - 6}, "expired"},
		"for ever":                  {map[string]any{"exp": nil}, "(exp)"},
		"exp, a text":               {map[string]any{"exp": fmt.Sprint(now + 300)}, "exp"},
		"exp in milliseconds":       {map[string]any{"exp": (now + 300) * 1000}, "exp"},
		"exp below zero":            {map[string]any{"exp": -1}, "exp"},
		"not yet":                   {map[string]any{"nbf": now + 60}, "(nbf)"},
		"nbf, a text":               {map[string]any{"nbf": "soon"}, "nbf"},
		"of the future":             {map[string]any{"iat": now + 60}, "(iat)"},
		"auth_time, a text":         {map[string]any{"auth_time": "once"}, "auth_time"},
		"no subject":                {map[string]any{"sub": nil}, "(sub)"},
		"sub is null":               {map[string]any{"sub": null}, "(sub)"},
		"exp is null":               {map[string]any{"exp": null}, "(exp)"},
		"an empty subject":          {map[string]any{"sub": ""}, "(sub)"},
		"subject 0":                 {map[string]any{"sub": 0}, "sub"},
		"a NUL in the subject":      {map[string]any{"sub": "ada\x00root"}, "sub"},
		"a long subject":            {map[string]any{"sub": strings.Repeat("a", 1025)}, "sub"},
		"U+FFFD in the subject":     {map[string]any{"sub": "\uFFFD"}, "sub"},
		"a NUL in the name":         {map[string]any{"name": "Ada\x00"}, "name"},
		"a NUL in a role":           {map[string]any{"roles": []string{"a\x00admin"}}, "roles"},
		"a NUL in a further claim":  {map[string]any{"tenant": []string{"a\x00"}}, "NUL"},
		"an ID token: nonce":        {map[string]any{"nonce": "n"}, "ID token"},
		"an ID token: at_hash":      {map[string]any{"at_hash": "h", "typ": "Bearer"}, "ID token"},
		"an ID token: c_hash":       {map[string]any{"c_hash": "h"}, "ID token"},
		"an ID token: typ":          {map[string]any{"typ": "ID"}, "(typ)"},
		"an ID token: token_use":    {map[string]any{"token_use": "id"}, "(token_use)"},
		"a refresh token":           {map[string]any{"typ": "Refresh"}, "(typ)"},
		"an offline token":          {map[string]any{"typ": "Offline"}, "(typ)"},
		"a logout token":            {map[string]any{"typ": "Logout"}, "(typ)"},
		"a refresh token, again":    {map[string]any{"token_type": "refresh"}, "(token_type)"},
		"a refresh token of PingAM": {map[string]any{"tokenName": "refresh_token", "token_type": "Bearer"}, "(tokenName)"},
		"an event":                  {map[string]any{"events": map[string]any{}}, "events"},
		"bound to a key":            {map[string]any{"cnf": map[string]any{"jkt": "x"}}, "(cnf)"},
		"authorization details":     {map[string]any{"authorization_details": []any{}}, "authorization_details"},
		"501 roles":                 {map[string]any{"roles": texts(501)}, "more than 500"},
		"roles, a text":             {map[string]any{"roles": "admin"}, "roles"},
		"roles of numbers":          {map[string]any{"groups": []int{1}}, "groups"},
		"realm_access, a text":      {map[string]any{"realm_access": "admin"}, "realm_access"},
		"201 scopes":                {map[string]any{"scope": strings.Join(texts(201), " ")}, "more than 200"},
		"201 scopes, a list":        {map[string]any{"scp": texts(201)}, "more than 200"},
		"a scope with a space":      {map[string]any{"scp": []string{"read admin"}}, "scope"},
		"a scope with a tab":        {map[string]any{"scope": "read\tadmin"}, "scope"},
		"scope, a number":           {map[string]any{"scope": 1}, "scope"},
		"client_id, a list":         {map[string]any{"client_id": []string{"app"}}, "client_id"},
	} {
		raw := i.sign(t, "k1", nil, i.claims(tc.claims))
		_, err := tr.Verify(t.Context(), raw)
		refused(t, story, err, authority.TokenInvalid, tc.words, raw)
	}
}

func TestForgedTokens(t *testing.T) {
	i := newIssuer(t)
	tr := open(t, i.options())
	good := i.claims(nil)
	raw := i.sign(t, "k1", nil, good)
	parts := strings.Split(raw, ".")
	twice := fmt.Sprintf(`{"iss":%q,"sub":"ada","sub":"root","aud":%q,"exp":9999999999}`, i.base, audience)
	for story, forged := range map[string]string{
		"empty": "", "opaque": "secret-token-0123456789", "dots": strings.Repeat(".", 100_000), "a megabyte": strings.Repeat("a", 1<<20),
		"no signature":         parts[0] + "." + parts[1] + ".",
		"alg none":             i.sign(t, "k1", map[string]any{"alg": "none"}, good),
		"HS256":                i.sign(t, "k1", map[string]any{"alg": "HS256"}, good),
		"another key":          i.sign(t, "k2", map[string]any{"kid": "k1"}, good),
		"an unknown key":       i.sign(t, "k2", nil, good),
		"another key, unnamed": i.sign(t, "k2", map[string]any{"kid": nil}, good),
		"jwk": i.sign(t, "k2", map[string]any{"jwk": map[string]any{
			"kty": "OKP", "crv": "Ed25519", "x": b64(private("k2")[32:])}, "jku": i.base + "/evil", "x5u": i.base + "/evil"}, good),
		"crit":           i.sign(t, "k1", map[string]any{"crit": []string{"exp"}}, good),
		"a member twice": i.sign(t, "k1", nil, twice),
		"bad UTF-8":      i.sign(t, "k1", nil, strings.Replace(twice, `"sub":"ada"`, "\"x\":\"\xff\"", 1)),
		"half a pair":    i.sign(t, "k1", nil, strings.Replace(twice, `"sub":"ada"`, `"x":"\ud800"`, 1)),
		"five parts":     raw + ".a.b", "a line end": raw + "\n", "padded": parts[0] + "=." + parts[1] + "." + parts[2],
	} {
		_, err := tr.Verify(t.Context(), forged)
		refused(t, story, err, authority.TokenInvalid, "the token", forged)
	}
	if i.called("/evil") != 0 {
		t.Error("an address of a token was called")
	}
	if n := i.called("/keys"); n > 2 {
		t.Errorf("the key set was fetched %d times", n)
	}
	if _, err := tr.Verify(t.Context(), i.sign(t, "k1", map[string]any{"kid": nil, "jku": "http://x.invalid"}, good)); err != nil {
		t.Error(err)
	}
}

func TestHeaderTypes(t *testing.T) {
	i := newIssuer(t)
	for _, tc := range []struct {
		types []string
		typ   any
		ok    bool
	}{
		{nil, "at+jwt", true}, {nil, "AT+JWT", true}, {nil, "application/at+jwt", true}, {nil, "Application/at+JWT", true},
		{nil, "JWT", true}, {nil, nil, true}, {nil, "dpop+jwt", false}, {nil, "logout+jwt", false}, {nil, "JOSE", false},
		{nil, "application/", false}, {nil, "text/at+jwt", false}, {nil, "at+jwt ", false}, {nil, 1, false},
		{[]string{"at+jwt"}, "at+jwt", true}, {[]string{"at+jwt"}, "JWT", false}, {[]string{"at+jwt"}, nil, false},
		{[]string{"application/at+jwt"}, "at+jwt", true}, {[]string{"JWT"}, nil, true}, {[]string{"jwt"}, "jwt", true},
	} {
		o := i.options()
		o.Types = tc.types
		raw := i.sign(t, "k1", map[string]any{"typ": tc.typ}, i.claims(nil))
		if _, err := open(t, o).Verify(t.Context(), raw); err == nil != tc.ok {
			t.Errorf("%v %v: %v", tc.types, tc.typ, err)
		}
	}
}

func TestAnyAudience(t *testing.T) {
	i := newIssuer(t)
	o := i.options()
	o.Audience = nil
	tr := open(t, o)
	for _, aud := range []any{nil, "somebody", []string{"a", "b"}} {
		if _, err := tr.Verify(t.Context(), i.sign(t, "k1", nil, i.claims(map[string]any{"aud": aud}))); err != nil {
			t.Errorf("%v: %v", aud, err)
		}
	}
}

func TestWhereTheKeysAre(t *testing.T) {
	i := newIssuer(t)
	verify := func(o trust.Options, iss string) error {
		t.Helper()
		_, err := open(t, o).Verify(t.Context(), i.sign(t, "k1", nil, i.claims(map[string]any{"iss": iss})))
		return err
	}
	t.Run("RFC 8414", func(t *testing.T) {
		o := i.options()
		o.Issuer = i.base + "/tenants/a"
		i.answer("/.well-known/oauth-authorization-server/tenants/a", http.StatusOK, fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, o.Issuer, i.base+"/keys"))
		if err := verify(o, o.Issuer); err != nil {
			t.Error(err)
		}
	})
	t.Run("a page where discovery was looked for", func(t *testing.T) {
		o := i.options()
		o.Issuer = i.base + "/spa"
		i.on("/spa/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "<html>")
		})
		i.answer("/.well-known/oauth-authorization-server/spa", http.StatusOK, fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, o.Issuer, i.base+"/keys"))
		if err := verify(o, o.Issuer); err != nil {
			t.Error(err)
		}
	})
	t.Run("led elsewhere where discovery was looked for", func(t *testing.T) {
		o := i.options()
		o.Issuer = i.base + "/portal"
		i.on("/portal/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://login.invalid/", http.StatusFound)
		})
		i.answer("/.well-known/oauth-authorization-server/portal", http.StatusOK, fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, o.Issuer, i.base+"/keys"))
		if err := verify(o, o.Issuer); err != nil {
			t.Error(err)
		}
	})
	t.Run("written down", func(t *testing.T) {
		o := i.options()
		o.Issuer, o.KeySetURL = "https://issuer.invalid", i.base+"/keys?tenant=a"
		if err := verify(o, o.Issuer); err != nil {
			t.Error(err)
		}
	})
	for story, document := range map[string]string{
		"another issuer's": fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, i.base+"/", i.base+"/keys"),
		"no issuer":        fmt.Sprintf(`{"jwks_uri":%q}`, i.base+"/keys"),
		"no keys":          fmt.Sprintf(`{"issuer":%q}`, i.base),
		"keys in clear":    fmt.Sprintf(`{"issuer":%q,"jwks_uri":"http://keys.invalid/"}`, i.base),
		"keys in a file":   fmt.Sprintf(`{"issuer":%q,"jwks_uri":"file:///etc/passwd"}`, i.base),
		"not JSON":         "{", "a list": "[]",
	} {
		i.answer("/.well-known/openid-configuration", http.StatusOK, document)
		refused(t, story, verify(i.options(), i.base), authority.Unavailable, "try again later", "")
	}
}

// A key that comes is found, a key that goes is no good when the copy is old, and whoever
// makes up keys cannot make us call the issuer each time.
func TestKeysChange(t *testing.T) {
	i := newIssuer(t)
	tr := open(t, i.options())
	verify := func(kid string) error {
		_, err := tr.Verify(t.Context(), i.sign(t, kid, nil, i.claims(nil)))
		return err
	}
	if err := verify("k1"); err != nil {
		t.Fatal(err)
	}
	i.addKey("k2")
	refused(t, "within the pause", verify("k2"), authority.TokenInvalid, "does not publish", "")
	i.later(11 * time.Second)
	if err := verify("k2"); err != nil {
		t.Error("a new key:", err)
	}
	before := i.called("/keys")
	i.later(11 * time.Second)
	if err := verify("k2"); err != nil || i.called("/keys") != before {
		t.Error("a known key:", err, i.called("/keys")-before)
	}
	for n := range 50 {
		refused(t, "made up", verify(fmt.Sprint("made-up-", n)), authority.TokenInvalid, "does not publish", "")
	}
	if n := i.called("/keys") - before; n != 1 {
		t.Errorf("50 made-up keys: %d calls", n)
	}
	i.dropKey("k1")
	i.later(11 * time.Minute)
	refused(t, "a key withdrawn", verify("k1"), authority.TokenInvalid, "does not publish", "")
	if err := verify("k2"); err != nil {
		t.Error(err)
	}
}

func TestManyCallersFetchOnce(t *testing.T) {
	i := newIssuer(t)
	tr := open(t, i.options())
	raw := i.sign(t, "k1", nil, i.claims(nil))
	gone, leave := context.WithCancel(t.Context())
	leave()
	var all sync.WaitGroup
	for n := range 100 {
		all.Go(func() {
			ctx := t.Context()
			if n == 0 {
				ctx = gone // who goes away does not take the others along
			}
			if _, err := tr.Verify(ctx, raw); err != nil && n > 0 {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if d, k := i.called("/.well-known/openid-configuration"), i.called("/keys"); d != 1 || k != 1 {
		t.Errorf("%d discoveries, %d key sets", d, k)
	}
}

// Without a key set nobody can say; with an old one those whose keys are known go on.
func TestAnIssuerThatMisbehaves(t *testing.T) {
	t.Parallel()
	ways := map[string]http.HandlerFunc{
		"down": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"500":  func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "{}", http.StatusInternalServerError) },
		"404, with keys": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprintf(w, `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k1","x":%q}]}`, b64(private("k1")[ed25519.SeedSize:]))
		},
		"HTML": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "<html>")
		},
		"5 MB": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"keys":[],"x":%q}`, strings.Repeat("x", 5<<20))
		},
		"no list": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"keys":{}}`) },
		"elsewhere": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://x.invalid/", http.StatusFound)
		},
		"silence": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	}
	for story, way := range ways {
		t.Run(story, func(t *testing.T) {
			t.Parallel()
			i := newIssuer(t)
			o := i.options()
			o.Deadline = 400 * time.Millisecond
			tr := open(t, o)
			i.on("/keys", way)
			verify := func(kid string) error {
				_, err := tr.Verify(t.Context(), i.sign(t, kid, nil, i.claims(nil)))
				return err
			}
			refused(t, "never a key set", verify("k1"), authority.Unavailable, "try again later", "")
			before := i.called("/keys")
			refused(t, "at once", verify("k1"), authority.Unavailable, "try again later", "")
			if i.called("/keys") != before {
				t.Error("an issuer that fails was called again at once")
			}
			i.on("/keys", i.keySet)
			i.later(3 * time.Second)
			if err := verify("k1"); err != nil {
				t.Fatal("well again:", err)
			}
			i.on("/keys", way)
			i.later(11 * time.Minute)
			if err := verify("k1"); err != nil {
				t.Error("an old copy:", err)
			}
			refused(t, "a new key", verify("k2"), authority.Unavailable, "try again later", "")
			i.later(25 * time.Hour)
			refused(t, "a copy too old", verify("k1"), authority.Unavailable, "try again later", "")
		})
	}
}

// An issuer that answers and publishes no key any more has withdrawn them all: the last ones
// are believed for ten minutes at most, as one that is withdrawn among others, also if the
// issuer is away from then on.
func TestAllKeysAreWithdrawn(t *testing.T) {
	for story, published := range map[string]string{
		"no keys": `{"keys":[]}`, "secrets": `{"keys":[{"kty":"oct","kid":"k1","k":"AAAA"}]}`,
	} {
		i := newIssuer(t)
		tr := open(t, i.options())
		verify := func(kid string) error {
			_, err := tr.Verify(t.Context(), i.sign(t, kid, nil, i.claims(nil)))
			return err
		}
		i.answer("/keys", http.StatusOK, published)
		refused(t, story+", never any", verify("k1"), authority.Unavailable, "try again later", "")
		i.on("/keys", i.keySet)
		i.later(3 * time.Second)
		if err := verify("k1"); err != nil {
			t.Fatal(story, err)
		}
		i.answer("/keys", http.StatusOK, published)
		i.later(9 * time.Minute)
		refused(t, story+", a new key", verify("k2"), authority.Unavailable, "try again later", "")
		if err := verify("k1"); err != nil {
			t.Errorf("%s, within ten minutes: %v", story, err)
		}
		i.later(2 * time.Minute)
		refused(t, story+", afterwards", verify("k1"), authority.Unavailable, "try again later", "")
		i.on("/keys", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		i.later(time.Minute)
		refused(t, story+", away since", verify("k1"), authority.Unavailable, "try again later", "")
		i.on("/keys", i.keySet)
		i.later(time.Minute)
		if err := verify("k1"); err != nil {
			t.Errorf("%s, published again: %v", story, err)
		}
	}
}

func TestOptionsThatAreWrong(t *testing.T) {
	i := newIssuer(t)
	for story, change := range map[string]func(o *trust.Options){
		"no name":           func(o *trust.Options) { o.Name = "" },
		"no id":             func(o *trust.Options) { o.ID = "" },
		"no issuer":         func(o *trust.Options) { o.Issuer = "" },
		"issuer in clear":   func(o *trust.Options) { o.Issuer = "http://issuer.invalid" },
		"no HTTP client":    func(o *trust.Options) { o.HTTP = nil },
		"no audience":       func(o *trust.Options) { o.Audience = []string{} },
		"an empty audience": func(o *trust.Options) { o.Audience = []string{""} },
		"no types":          func(o *trust.Options) { o.Types = []string{} },
		"a NUL":             func(o *trust.Options) { o.Claims = []string{"a\x00"} },
		"keys in clear":     func(o *trust.Options) { o.KeySetURL = "http://keys.invalid/" },
		"keys and introspection": func(o *trust.Options) {
			o.KeySetURL = i.base
			o.Introspection = &trust.Introspection{ClientID: "a", ClientSecret: "b"}
		},
		"no client": func(o *trust.Options) { o.Introspection = &trust.Introspection{ClientSecret: "b"} },
		"no secret": func(o *trust.Options) { o.Introspection = &trust.Introspection{ClientID: "a"} },
		"introspection in clear": func(o *trust.Options) {
			o.Introspection = &trust.Introspection{URL: "http://x.invalid/", ClientID: "a", ClientSecret: "b"}
		},
	} {
		o := i.options()
		change(&o)
		if _, err := trust.New(o); err == nil {
			t.Errorf("%s: accepted", story)
		}
	}
	if len(i.calls) != 0 {
		t.Error("New called the issuer")
	}
}

// What the keys that are there can say is said at once, and so is what cannot be the
// issuer's; the rest is left to a lookup.
func TestWhatNeedsNoLookup(t *testing.T) {
	i := newIssuer(t)
	tr, asking := open(t, i.options()).Trust, open(t, i.asking()).Trust
	good, unknown := i.sign(t, "k1", nil, i.claims(nil)), i.sign(t, "k2", nil, i.claims(nil))
	other := i.sign(t, "k1", nil, i.claims(map[string]any{"iss": "https://other.example"}))
	expects := func(story string, tr *trust.Trust, raw string, answered bool, words string) {
		t.Helper()
		p, ok, err := tr.VerifyAtOnce(raw)
		switch {
		case ok != answered:
			t.Errorf("%s: answered %t, %v", story, ok, err)
		case words != "":
			refused(t, story, err, authority.TokenInvalid, words, raw)
		case err != nil || answered != (p.Subject == "ada"):
			t.Errorf("%s: %+v, %v", story, p, err)
		}
	}
	expects("before the keys are known", tr, good, false, "")
	expects("another's, before the keys are known", tr, other, true, "another issuer")
	if _, err := tr.Verify(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	calls := i.called("/keys")
	expects("a good one", tr, good, true, "")
	expects("of an unknown key", tr, unknown, false, "")
	expects("forged", tr, good[:len(good)-8]+"AAAAAAAA", true, "not accepted")
	expects("expired", tr, i.sign(t, "k1", nil, i.claims(map[string]any{"exp": 1})), true, "expired")
	expects("another's", tr, other, true, "another issuer")
	expects("another's, of an unknown key", tr, i.sign(t, "k2", nil, i.claims(map[string]any{"iss": "https://other.example"})), true, "another issuer")
	expects("none at all", tr, "x", true, "not a JWT")
	if n := i.called("/keys") - calls; n != 0 {
		t.Errorf("%d calls", n)
	}
	i.later(provider.KeysLife)
	expects("when the keys are old", tr, good, false, "")

	expects("to be introspected", asking, "opaque", false, "")
	expects("another's, to be introspected", asking, other, true, "another issuer")
}
