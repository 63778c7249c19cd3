package providertest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html"
	"net/http"
	"net/url"
)

// authorize is the authorization endpoint (RFC 6749 §4.1.1). Who the user is says the
// parameter `as`; without it, a page has one link for each user.
func (f *Fake) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	redirect, err := url.Parse(q.Get("redirect_uri"))
	switch {
	case !f.hasClient(q.Get("client_id")):
		http.Error(w, "no such client", http.StatusNotFound)
		return
	case err != nil || !redirect.IsAbs() || redirect.Fragment != "":
		http.Error(w, "redirect_uri is not an absolute address", http.StatusBadRequest)
		return
	case q.Get("code_challenge") != "" && q.Get("code_challenge_method") != "S256":
		http.Error(w, "code_challenge_method must be S256", http.StatusBadRequest)
		return
	}
	as := q.Get("as")
	if as == "" {
		f.chooser(w, r)
		return
	}
	if f.User(as).Key == "" {
		http.Error(w, "no such user", http.StatusNotFound)
		return
	}
	code := rand.Text()
	f.mu.Lock()
	f.codes[code] = Grant{
		Client: q.Get("client_id"), User: as, Scope: q.Get("scope"), RedirectURI: q.Get("redirect_uri"),
		Challenge: q.Get("code_challenge"), Nonce: q.Get("nonce"),
	}
	f.mu.Unlock()
	back := redirect.Query()
	back.Set("code", code)
	if state := q.Get("state"); state != "" {
		back.Set("state", state)
	}
	redirect.RawQuery = back.Encode()
	http.Redirect(w, r, redirect.String(), http.StatusFound)
}

// chooser is the page for people: one link for each user.
func (f *Fake) chooser(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, "<!DOCTYPE html><title>Log in</title><p>Log in to %s as\n", html.EscapeString(r.URL.Query().Get("client_id")))
	for _, key := range f.Users() {
		link := *r.URL
		q := link.Query()
		q.Set("as", key)
		link.RawQuery = q.Encode()
		fmt.Fprintf(w, "<p><a href=\"%s\">%s</a>\n", html.EscapeString(link.RequestURI()), html.EscapeString(f.User(key).Name))
	}
}

// deviceGrant is the grant type of RFC 8628 §3.4.
const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// token is the token endpoint (RFC 6749 §4.1.3, RFC 8628 §3.4).
func (f *Fake) token(w http.ResponseWriter, r *http.Request) {
	if r.PostForm.Get("grant_type") == deviceGrant {
		f.pollDevice(w, r)
		return
	}
	client, secret := presented(r)
	if !f.authenticates(client, secret) {
		f.writeFault(w, "invalid_client", false, nil)
		return
	}
	// GitHub asks for no grant_type; who asks for another one is refused everywhere.
	if grant := r.PostForm.Get("grant_type"); grant != "" && grant != "authorization_code" {
		f.writeFault(w, "unsupported_grant_type", false, nil)
		return
	}
	g, fault := f.redeem(client, r.PostForm)
	if fault != "" {
		f.writeFault(w, fault, false, nil)
		return
	}
	f.writeToken(w, r, g)
}

// presented returns the client's credentials, from the header or the form (RFC 6749 §2.3.1).
func presented(r *http.Request) (id, secret string) {
	id, secret, ok := r.BasicAuth()
	if !ok {
		return r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	if plain, err := url.QueryUnescape(id); err == nil {
		id = plain
	}
	if plain, err := url.QueryUnescape(secret); err == nil {
		secret = plain
	}
	return id, secret
}

// redeem spends a code. A wrong use spends it as well.
func (f *Fake) redeem(client string, form url.Values) (g Grant, fault string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	g, ok := f.codes[form.Get("code")]
	if !ok || g.Client != client {
		return Grant{}, "invalid_grant"
	}
	delete(f.codes, form.Get("code"))
	if redirect := form.Get("redirect_uri"); redirect != g.RedirectURI {
		return Grant{}, "redirect_uri_mismatch"
	}
	verifier := form.Get("code_verifier")
	digest := sha256.Sum256([]byte(verifier))
	if g.Challenge != "" && base64.RawURLEncoding.EncodeToString(digest[:]) != g.Challenge ||
		g.Challenge == "" && verifier != "" {
		return Grant{}, "invalid_grant"
	}
	return g, ""
}

// writeToken answers a redeemed code or a granted device login.
func (f *Fake) writeToken(w http.ResponseWriter, r *http.Request, g Grant) {
	answer := map[string]any{"access_token": f.mint(g), "token_type": "bearer", "scope": g.Scope}
	if f.kind.TokenAnswer != nil {
		f.kind.TokenAnswer(r, g, answer)
	}
	writeJSON(w, http.StatusOK, answer)
}
