package trust_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/trust"
)

const opaque = "opaque-token-0123456789+/=" // characters that a form must encode

// facts are an introspection's answer about a good token, changed as claims are.
func (i *issuer) facts(t *testing.T, changes map[string]any) string {
	t.Helper()
	c := i.claims(changes)
	if _, there := changes["active"]; !there {
		c["active"] = true
	}
	if _, there := changes["token_type"]; !there {
		c["token_type"] = "Bearer"
	}
	raw, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestAnActiveTokenBecomesAPrincipal(t *testing.T) {
	i := newIssuer(t)
	now := i.now().Unix()
	answer := i.facts(t, map[string]any{
		"scope": "read write", "username": "ada-l", "sid": "s1", "jti": "j1", "tenant": "acme", "roles": []string{"admin"},
	})
	var sent url.Values
	var method, id, password, accept string
	i.on("/introspect", func(w http.ResponseWriter, r *http.Request) {
		id, password, _ = r.BasicAuth()
		method, accept = r.Method, r.Header.Get("Accept")
		if r.ParseForm() == nil {
			sent = r.PostForm
		}
		fmt.Fprint(w, answer)
	})
	p, err := open(t, i.asking()).Verify(t.Context(), opaque)
	want := authority.Principal{
		Source: "acme", Realm: "0b6cf4ac-5c1b-5d9c-8a25-2f8a3a0a5d11", Issuer: i.base, Subject: "ada", Client: "app",
		Username: "ada-l", Session: "s1", TokenID: "j1", Kind: authority.KindAccess, Scopes: authority.ListOf("read", "write"),
		Roles: authority.ListOf("admin"), Audience: authority.ListOf(audience), Claims: "tenant\x00\"acme\"\x00",
		IssuedAt: now, Expires: now + 300,
	}
	if err != nil || p != want {
		t.Errorf("%+v\nwant %+v\n%v", p, want, err)
	}
	// RFC 7662 §2.1; RFC 6749 §2.3.1: both parts form-encoded first.
	if method != http.MethodPost || accept != "application/json" || sent.Encode() != (url.Values{"token": {opaque}, "token_type_hint": {"access_token"}}).Encode() {
		t.Errorf("%s %q %v", method, accept, sent)
	}
	if id != url.QueryEscape(client) || password != url.QueryEscape(secret) {
		t.Errorf("%q %q", id, password)
	}
}

func TestWhereAndHowTheIssuerIsAsked(t *testing.T) {
	i := newIssuer(t)
	good := i.facts(t, nil)
	var inForm, inHeader int
	i.on("/introspect", func(w http.ResponseWriter, r *http.Request) {
		if _, _, ok := r.BasicAuth(); ok {
			inHeader++
		}
		if r.PostFormValue("client_id") == client && r.PostFormValue("client_secret") == secret {
			inForm++
		}
		fmt.Fprint(w, good)
	})
	metadata := func(more string) string {
		return fmt.Sprintf(`{"issuer":%q,"introspection_endpoint":%q%s}`, i.base, i.base+"/introspect", more)
	}
	for story, tc := range map[string]struct {
		more         string
		form, header int
		ok           bool
	}{
		"nothing said":             {"", 0, 1, true},
		"both":                     {`,"introspection_endpoint_auth_methods_supported":["client_secret_post","client_secret_basic"]`, 0, 1, true},
		"the form only":            {`,"introspection_endpoint_auth_methods_supported":["client_secret_post"]`, 1, 0, true},
		"as at the token endpoint": {`,"token_endpoint_auth_methods_supported":["client_secret_post"]`, 1, 0, true},
		"neither":                  {`,"introspection_endpoint_auth_methods_supported":["private_key_jwt"]`, 0, 0, false},
		"no list":                  {`,"introspection_endpoint_auth_methods_supported":"all"`, 0, 0, false},
	} {
		inForm, inHeader = 0, 0
		i.answer("/.well-known/openid-configuration", http.StatusOK, metadata(tc.more))
		_, err := open(t, i.asking()).Verify(t.Context(), opaque)
		if err == nil != tc.ok || inForm != tc.form || inHeader != tc.header {
			t.Errorf("%s: %d in the form, %d in the header, %v", story, inForm, inHeader, err)
		}
	}
	o := i.asking()
	o.Issuer, o.Introspection.URL = "https://issuer.invalid", i.base+"/introspect"
	good = i.facts(t, map[string]any{"iss": nil})
	if p, err := open(t, o).Verify(t.Context(), opaque); err != nil || p.Issuer != o.Issuer {
		t.Errorf("written down: %+v %v", p, err)
	}
	i.answer("/.well-known/openid-configuration", http.StatusOK, fmt.Sprintf(`{"issuer":%q}`, i.base))
	_, err := open(t, i.asking()).Verify(t.Context(), opaque)
	refused(t, "no endpoint", err, authority.Unavailable, "try again later", opaque)
}

func TestAnswersThatIssuersGive(t *testing.T) {
	i := newIssuer(t)
	tr := open(t, i.asking())
	i.later(time.Hour) // the clock that counts is the trust's
	for story, tc := range map[string]struct {
		facts map[string]any
		holds func(p authority.Principal) bool
	}{
		"no exp":              {map[string]any{"exp": nil}, func(p authority.Principal) bool { return p.Expires == authority.NoExpiry }},
		"no iss":              {map[string]any{"iss": nil}, func(p authority.Principal) bool { return p.Issuer == i.base }},
		"a client's own":      {map[string]any{"sub": nil}, func(p authority.Principal) bool { return p.Subject == "app" && p.Client == "app" }},
		"bearer":              {map[string]any{"token_type": "bearer"}, func(p authority.Principal) bool { return p.Subject == "ada" }},
		"Hydra and Dex":       {map[string]any{"token_use": "access_token", "ext": map[string]any{}}, func(p authority.Principal) bool { return p.Subject == "ada" }},
		"Keycloak":            {map[string]any{"typ": "Bearer", "realm_access": map[string]any{"roles": []string{"r"}}}, func(p authority.Principal) bool { return p.Roles == authority.ListOf("r") }},
		"many audiences":      {map[string]any{"aud": []string{"account", audience}}, func(p authority.Principal) bool { return p.Audience == authority.ListOf("account", audience) }},
		"a type that differs": {map[string]any{"username": 7}, func(p authority.Principal) bool { return p.Username == "" }},
	} {
		i.answer("/introspect", http.StatusOK, i.facts(t, tc.facts))
		p, err := tr.Verify(t.Context(), opaque)
		if err != nil || !tc.holds(p) {
			t.Errorf("%s: %+v %v", story, p, err)
		}
	}
}

// What an answer may leave out is filled in for us, and for no rule that asks what it said.
func TestWhatAnAnswerLeftOutIsNoClaim(t *testing.T) {
	i := newIssuer(t)
	o := i.asking()
	o.Claims = []string{"exp", "iss", "sub", "client_id"}
	i.answer("/introspect", http.StatusOK, i.facts(t, map[string]any{"exp": nil, "iss": nil, "sub": nil}))
	p, err := open(t, o).Verify(t.Context(), opaque)
	if err != nil || p.Claims != authority.ListOf("client_id", `"app"`) || p.Subject != "app" || p.Issuer != i.base {
		t.Errorf("%+v %v", p, err)
	}
}

func TestTokensThatTheIssuerDoesNotVouchFor(t *testing.T) {
	i := newIssuer(t)
	tr := open(t, i.asking())
	now := i.now().Unix()
	for story, tc := range map[string]struct {
		answer any // facts, or the text of an answer
		words  string
	}{
		"not active":               {`{"active":false}`, "not active"},
		"not active, and more":     {i.facts(t, map[string]any{"active": false}), "not active"},
		"active, a text":           {i.facts(t, map[string]any{"active": "true"}), "no boolean"},
		"active, a number":         {i.facts(t, map[string]any{"active": 1}), "no boolean"},
		"active, a list":           {i.facts(t, map[string]any{"active": []any{true}}), "no boolean"},
		"active, null":             {i.facts(t, map[string]any{"active": null}), "no boolean"},
		"another issuer":           {map[string]any{"iss": "https://other.example"}, "another issuer"},
		"iss, a number":            {map[string]any{"iss": 1}, "iss"},
		"another audience":         {map[string]any{"aud": "other.example"}, "(aud)"},
		"no audience":              {map[string]any{"aud": nil}, "(aud)"},
		"expired":                  {map[string]any{"exp": now - 60}, "expired"},
		"exp, a text":              {map[string]any{"exp": "never"}, "exp"},
		"not yet":                  {map[string]any{"nbf": now + 60}, "(nbf)"},
		"a refresh token's, a JWT": {map[string]any{"token_type": null, "typ": "JWT"}, "not known to be an access token"},
		"a user of a client":       {map[string]any{"sub": nil, "preferred_username": "ada"}, "(sub)"},
		"an address of a client's": {map[string]any{"sub": nil, "email": "ada@example.com"}, "(sub)"},
		"a refresh token's":        {map[string]any{"token_type": null}, "not known to be an access token"},
		"DPoP":                     {map[string]any{"token_type": "DPoP"}, "token_type"},
		"bound to a certificate":   {map[string]any{"cnf": map[string]any{"x5t#S256": "x"}}, "(cnf)"},
		"authorization details":    {map[string]any{"authorization_details": []any{map[string]any{"type": "x"}}}, "authorization_details"},
		"a refresh token":          {map[string]any{"token_use": "refresh_token"}, "(token_use)"},
		"Keycloak's refresh":       {map[string]any{"typ": "Refresh"}, "(typ)"},
		"nobody's":                 {map[string]any{"sub": nil, "client_id": nil}, "(sub)"},
		"a user without subject":   {map[string]any{"sub": nil, "username": "ada"}, "(sub)"},
		"a user by another name":   {map[string]any{"sub": nil, "user_name": "ada"}, "(sub)"},
		"a user of a directory":    {map[string]any{"sub": nil, "upn": "ada@corp.example"}, "(sub)"},
		"a user's number":          {map[string]any{"sub": nil, "user_id": 7}, "(sub)"},
		"a person's name":          {map[string]any{"sub": nil, "name": "Ada"}, "(sub)"},
		"somebody's session":       {map[string]any{"sub": nil, "sid": "s1"}, "(sub)"},
		"somebody's login":         {map[string]any{"sub": nil, "auth_time": now}, "(sub)"},
		"an empty subject":         {map[string]any{"sub": ""}, "(sub)"},
		"half a pair":              {strings.Replace(i.facts(t, nil), `"ada"`, `"\ud800"`, 1), "sub"},
		"a NUL":                    {map[string]any{"sub": "a\x00"}, "sub"},
		"a role twice":             {strings.Replace(i.facts(t, nil), `{`, `{"realm_access":{"roles":[],"roles":["admin"]},`, 1), "realm_access"},
		"501 roles":                {map[string]any{"roles": strings.Split(strings.Repeat("a ", 500)+"a", " ")}, "more than 500"},
	} {
		text, ok := tc.answer.(string)
		if !ok {
			changes, _ := tc.answer.(map[string]any)
			text = i.facts(t, changes)
		}
		i.answer("/introspect", http.StatusOK, text)
		_, err := tr.Verify(t.Context(), opaque)
		refused(t, story, err, authority.TokenInvalid, tc.words, opaque)
	}
	i.answer("/introspect", http.StatusBadRequest, `{"error":"unsupported_token_type"}`)
	_, err := tr.Verify(t.Context(), opaque)
	refused(t, "a JWT at an issuer that introspects none", err, authority.TokenInvalid, "does not introspect", opaque)
}

// A JWT that says of itself that it is bound to a key, or good for some things only, is so,
// also where its issuer's answer does not repeat it.
func TestWhatAJWTSaysOfItselfWhenIntrospected(t *testing.T) {
	i := newIssuer(t)
	tr := open(t, i.asking())
	i.answer("/introspect", http.StatusOK, i.facts(t, nil))
	for story, tc := range map[string]struct {
		claims any
		words  string
	}{
		"DPoP":                {i.claims(map[string]any{"cnf": map[string]any{"jkt": "x"}}), "(cnf)"},
		"a certificate":       {i.claims(map[string]any{"cnf": map[string]any{"x5t#S256": "x"}}), "(cnf)"},
		"no issuer, and DPoP": {i.claims(map[string]any{"iss": nil, "cnf": map[string]any{"jkt": "x"}}), "(cnf)"},
		"details":             {i.claims(map[string]any{"authorization_details": []any{}}), "authorization_details"},
	} {
		raw := i.sign(t, "k1", nil, tc.claims)
		_, err := tr.Verify(t.Context(), raw)
		refused(t, story, err, authority.TokenInvalid, tc.words, raw)
	}
	if n := i.called("/introspect"); n != 0 {
		t.Errorf("%d questions", n)
	}
	for story, claims := range map[string]any{
		"marks of an ID token": i.claims(map[string]any{"at_hash": "x", "nonce": "n"}), "null": i.claims(map[string]any{"cnf": null}),
	} {
		if _, err := tr.Verify(t.Context(), i.sign(t, "k1", nil, claims)); err != nil {
			t.Errorf("%s: %v", story, err)
		}
	}
}

// With any audience, an answer must say of what sort the token is, or for whom.
func TestAnyAudienceIsNotAnyToken(t *testing.T) {
	i := newIssuer(t)
	o := i.asking()
	o.Audience = nil
	tr := open(t, o)
	i.answer("/introspect", http.StatusOK, i.facts(t, map[string]any{"aud": nil}))
	if p, err := tr.Verify(t.Context(), opaque); err != nil || p.Audience != "" {
		t.Errorf("%+v %v", p, err)
	}
	i.answer("/introspect", http.StatusOK, i.facts(t, map[string]any{"aud": nil, "token_type": null}))
	_, err := tr.Verify(t.Context(), opaque)
	refused(t, "a refresh token", err, authority.TokenInvalid, "not known to be an access token", opaque)
}

// What is neither yes nor no is no answer.
func TestAnswersThatAreNone(t *testing.T) {
	i := newIssuer(t)
	tr := open(t, i.asking())
	good := i.facts(t, nil)
	for story, tc := range map[string]struct {
		status int
		answer string
	}{
		"active, missing": {http.StatusOK, `{"sub":"ada"}`},
		"Active":          {http.StatusOK, strings.Replace(good, `"active"`, `"Active"`, 1)},
		"active twice":    {http.StatusOK, `{"active":false,` + good[1:]},
		"sub twice":       {http.StatusOK, `{"sub":"root",` + good[1:]},
		"a list":          {http.StatusOK, "[" + good + "]"},
		"empty":           {http.StatusOK, ""},
		"null":            {http.StatusOK, "null"},
		"something after": {http.StatusOK, good + good},
		"bad UTF-8":       {http.StatusOK, strings.Replace(good, "ada", "\xff", 1)},
		"201":             {http.StatusCreated, good},
		"204":             {http.StatusNoContent, ""},
		"400":             {http.StatusBadRequest, good},
		"400, an error":   {http.StatusBadRequest, `{"error":"invalid_request"}`},
		"401":             {http.StatusUnauthorized, `{"error":"invalid_client"}`},
		"403":             {http.StatusForbidden, good},
		"404":             {http.StatusNotFound, good},
		"429":             {http.StatusTooManyRequests, good},
		"500":             {http.StatusInternalServerError, good},
		"503":             {http.StatusServiceUnavailable, `{"active":false}`},
	} {
		i.answer("/introspect", tc.status, tc.answer)
		_, err := tr.Verify(t.Context(), opaque)
		refused(t, story, err, authority.Unavailable, "try again later", opaque)
	}
	for story, way := range map[string]http.HandlerFunc{
		"dropped": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"HTML": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, good)
		},
		"5 MB": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"x":%q,%s`, strings.Repeat("x", 5<<20), good[1:])
		},
		"elsewhere": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, i.base+"/again", http.StatusTemporaryRedirect)
		},
		"cut": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			fmt.Fprint(w, good)
		},
	} {
		i.on("/introspect", way)
		_, err := tr.Verify(t.Context(), opaque)
		refused(t, story, err, authority.Unavailable, "try again later", opaque)
	}
	if i.called("/again") != 0 {
		t.Error("a token was sent on")
	}
}

func TestAnIssuerThatSaysNothing(t *testing.T) {
	i := newIssuer(t)
	o := i.asking()
	o.Deadline = 100 * time.Millisecond
	i.on("/introspect", func(_ http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm() // only then is it seen that the caller leaves
		<-r.Context().Done()
	})
	began := time.Now()
	_, err := open(t, o).Verify(t.Context(), opaque)
	refused(t, "silence", err, authority.Unavailable, "try again later", opaque)
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}

// Nothing is sent that cannot be this issuer's.
func TestWhatIsNeverSent(t *testing.T) {
	i, other := newIssuer(t), newIssuer(t)
	tr := open(t, i.asking())
	i.answer("/introspect", http.StatusOK, i.facts(t, nil))
	many := map[string]int{}
	for n := range 600 {
		many[fmt.Sprint("c", n)] = n
	}
	deep := `{"iss":"ISSUER","sub":"ada","x":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`
	for story, raw := range map[string]string{
		"empty": "", "17 KiB": strings.Repeat("a", 17<<10), "a space": "a b", "a line end": "a\r\nX: y", "a NUL": "a\x00", "not ASCII": "é",
		"another issuer's": other.sign(t, "k1", nil, other.claims(nil)),
		"another issuer's, with more claims than are read": other.sign(t, "k1", nil, other.claims(map[string]any{"clients": many})),
		"another issuer's, nested deeper than is read":     other.sign(t, "k1", nil, strings.Replace(deep, "ISSUER", other.base, 1)),
	} {
		_, err := tr.Verify(t.Context(), raw)
		refused(t, story, err, authority.TokenInvalid, "the token", raw)
	}
	if n := i.called("/introspect") + i.called("/.well-known/openid-configuration"); n != 0 {
		t.Errorf("%d calls", n)
	}
	for story, raw := range map[string]string{
		"16 KiB": strings.Repeat("a", 16<<10), "its own JWT": i.sign(t, "k1", nil, i.claims(nil)),
		"a JWT without issuer":          i.sign(t, "k1", nil, i.claims(map[string]any{"iss": nil})),
		"its own JWT, with many claims": i.sign(t, "k1", nil, i.claims(map[string]any{"clients": many})),
	} {
		if _, err := tr.Verify(t.Context(), raw); err != nil {
			t.Errorf("%s: %v", story, err)
		}
	}
}

func TestManyAsk(t *testing.T) {
	i := newIssuer(t)
	tr := open(t, i.asking())
	good := i.facts(t, nil)
	i.on("/introspect", func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.PostFormValue("token"), "good-") {
			fmt.Fprint(w, good)
			return
		}
		fmt.Fprint(w, `{"active":false}`)
	})
	var all sync.WaitGroup
	for n := range 60 {
		all.Go(func() {
			p, err := tr.Verify(t.Context(), fmt.Sprintf("%s-%d", []string{"good", "bad"}[n%2], n))
			if (n%2 == 0) != (err == nil && p.Subject == "ada") {
				t.Errorf("%d: %+v %v", n, p, err)
			}
		})
	}
	all.Wait()
	if n := i.called("/.well-known/openid-configuration"); n != 1 {
		t.Errorf("%d discoveries", n)
	}
}

var _ authority.Verifier = (*trust.Trust)(nil)
