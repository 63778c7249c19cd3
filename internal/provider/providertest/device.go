package providertest

import (
	"crypto/rand"
	"fmt"
	"html"
	"maps"
	"net/http"
)

// Decision is what becomes of a device login.
type Decision string

// The decisions.
const (
	Approve Decision = "approve"
	Deny    Decision = "deny"
	Expire  Decision = "expire"
)

// device is a device login.
type device struct {
	code     string
	grant    Grant
	decision Decision // empty: not yet
	spent    bool
}

// deviceLife is how long a device login waits, in seconds, and deviceInterval the
// least time between its polls. The fakes count neither: a test decides both.
const (
	deviceLife     = 900
	deviceInterval = 5
)

// devicePage is where people type the user code.
const devicePage = "/login/device"

// startDevice begins a device login (RFC 8628 §3.1).
func (f *Fake) startDevice(w http.ResponseWriter, r *http.Request) {
	client, secret := presented(r)
	if !f.hasClient(client) || secret != "" && !f.authenticates(client, secret) {
		f.writeFault(w, "invalid_client", true, nil)
		return
	}
	letters := rand.Text()
	userCode := letters[:4] + "-" + letters[4:8]
	d := &device{code: rand.Text() + letters[8:22], grant: Grant{Client: client, Scope: r.PostForm.Get("scope")}}
	f.mu.Lock()
	f.devices[userCode] = d
	f.mu.Unlock()
	answer := map[string]any{
		"device_code": d.code, "user_code": userCode, "verification_uri": baseOf(r) + devicePage,
		"expires_in": deviceLife, "interval": deviceInterval,
	}
	if f.kind.DeviceAnswer != nil {
		f.kind.DeviceAnswer(answer)
	}
	writeJSON(w, http.StatusOK, answer)
}

// baseOf is the address under which the caller knows the fake.
func baseOf(r *http.Request) string { return "http://" + r.Host }

// Decide ends the wait of a device login. It answers false if there is no such one.
func (f *Fake) Decide(userCode, user string, d Decision) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	login := f.devices[userCode]
	if login == nil || d == Approve && f.users[user] == nil {
		return false
	}
	login.decision, login.grant.User = d, user
	return true
}

// askDevice is the page for people: the code, and one button for each user.
func (f *Fake) askDevice(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, "<!DOCTYPE html><title>Device login</title><form method=\"post\">\n"+
		"<p>Code <input name=\"user_code\" value=\"%s\">\n", html.EscapeString(r.URL.Query().Get("user_code")))
	for _, key := range f.Users() {
		fmt.Fprintf(w, "<p><button name=\"as\" value=\"%s\">%s</button>\n", html.EscapeString(key), html.EscapeString(f.User(key).Name))
	}
	fmt.Fprint(w, "<p><button>Deny</button></form>\n")
}

// decideDevice takes what was said there.
func (f *Fake) decideDevice(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
	decision := Approve
	if r.PostFormValue("as") == "" {
		decision = Deny
	}
	if !f.Decide(r.PostFormValue("user_code"), r.PostFormValue("as"), decision) {
		http.Error(w, "no such code", http.StatusNotFound)
		return
	}
	fmt.Fprintln(w, "Done. The device goes on by itself.")
}

// pollDevice answers whether the user has decided (RFC 8628 §3.4).
func (f *Fake) pollDevice(w http.ResponseWriter, r *http.Request) {
	client, secret := presented(r)
	if !f.hasClient(client) || (secret != "" || f.kind.DeviceSecret) && !f.authenticates(client, secret) {
		f.writeFault(w, "invalid_client", true, nil)
		return
	}
	g, fault := f.redeemDevice(client, r.PostForm.Get("device_code"))
	if fault != "" {
		f.writeFault(w, fault, true, nil)
		return
	}
	f.writeToken(w, r, g)
}

func (f *Fake) redeemDevice(client, code string) (g Grant, fault string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var login *device
	for d := range maps.Values(f.devices) {
		if d.code == code {
			login = d
		}
	}
	switch {
	case login == nil || login.spent || login.grant.Client != client:
		return Grant{}, "invalid_grant"
	case login.decision == "":
		return Grant{}, "authorization_pending"
	case login.decision == Deny:
		return Grant{}, "access_denied"
	case login.decision == Expire:
		return Grant{}, "expired_token"
	}
	login.spent = true
	return login.grant, ""
}
