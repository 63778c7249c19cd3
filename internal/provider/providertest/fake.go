package providertest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

// OtherClient is a client of somebody else that each fake has beside ours: its tokens
// are good tokens, only not for us. Its secret is OtherSecret.
const (
	OtherClient = "other-app"
	OtherSecret = "other-secret-0123456789"
)

// Client is an app that is registered at a fake.
type Client struct{ ID, Secret string }

// User is a person who has an account at a fake.
type User struct {
	Key           string // how tests call him: ada, grace, mallory
	Subject       string // what never changes
	Login         string // what he calls himself there; empty where nobody has such a name
	Name          string
	Email         string
	EmailVerified bool
	// MoreEmails stand before Email where the upstream lists addresses.
	MoreEmails []string
}

// Grant is what a user allowed a client: what a code, a token or a device login is for.
type Grant struct {
	Client      string
	User        string // key
	Scope       string
	RedirectURI string
	Challenge   string // PKCE S256, or empty
	Nonce       string
}

// Paths are where an upstream's endpoints stand. Empty: it has none.
type Paths struct {
	Authorize string
	Token     string // codes and polls of device logins
	Device    string // begins a device login
	Profile   string // answers whose token it is
	Proof     string // what Prove asks about a bare token
	Emails    string // lists the user's addresses
}

// kind is what makes one fake differ from another. Nil functions do nothing.
type kind struct {
	Client Client // ours
	Users  []User
	Paths  Paths

	// NewToken makes an access token; nil: 40 random letters.
	NewToken func(g Grant) string
	// TokenAnswer adds members to the answer that carries an access token.
	TokenAnswer func(r *http.Request, g Grant, answer map[string]any)
	// Fault translates an error code of RFC 6749 or RFC 8628 (and redirect_uri_mismatch)
	// into the upstream's own and gives its status; nil: 400, and 401 for invalid_client.
	Fault func(code string, device bool) (own string, status int)
	// DeviceSecret: polls of device logins need the client's secret.
	DeviceSecret bool
	// DeviceAnswer changes the answer that begins a device login.
	DeviceAnswer func(answer map[string]any)
}

// Fake is an upstream. It is an http.Handler; all methods may be used by many at once.
type Fake struct {
	kind kind
	mux  *http.ServeMux

	mu      sync.Mutex
	clients map[string]Client
	users   map[string]*User
	order   []string
	codes   map[string]Grant
	tokens  map[string]Grant
	devices map[string]*device // by user code
	ways    map[string]*Misbehaviour
	calls   map[string]int
	called  chan struct{} // closed, and made anew, at every request
	sent    map[string]*http.Request
}

// newFake makes a fake with the frame's endpoints: authorization, token, device and
// control. The kind adds the others with handle.
func newFake(k kind) *Fake {
	f := &Fake{
		kind:    k,
		mux:     http.NewServeMux(),
		clients: map[string]Client{k.Client.ID: k.Client, OtherClient: {OtherClient, OtherSecret}},
		users:   map[string]*User{},
		codes:   map[string]Grant{},
		tokens:  map[string]Grant{},
		devices: map[string]*device{},
		ways:    map[string]*Misbehaviour{},
		calls:   map[string]int{},
		called:  make(chan struct{}),
		sent:    map[string]*http.Request{},
	}
	for _, u := range k.Users {
		f.users[u.Key] = &u
		f.order = append(f.order, u.Key)
	}
	f.handle("GET "+k.Paths.Authorize, f.authorize)
	f.handle("POST "+k.Paths.Token, f.token)
	if k.Paths.Device != "" {
		f.handle("POST "+k.Paths.Device, f.startDevice)
		f.mux.HandleFunc("GET "+devicePage, f.askDevice)
		f.mux.HandleFunc("POST "+devicePage, f.decideDevice)
	}
	f.control()
	return f
}

// handle serves a pattern of http.ServeMux; misbehave changes what it answers.
func (f *Fake) handle(pattern string, h http.HandlerFunc) { f.mux.Handle(pattern, f.misbehaving(h)) }

// ServeHTTP serves the upstream.
func (f *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) { f.mux.ServeHTTP(w, r) }

// Paths tells where the endpoints stand.
func (f *Fake) Paths() Paths { return f.kind.Paths }

// Client is ours at this upstream.
func (f *Fake) Client() Client { return f.kind.Client }

// User returns the user as he is now; the zero User if there is none.
func (f *Fake) User(key string) User {
	f.mu.Lock()
	defer f.mu.Unlock()
	if u := f.users[key]; u != nil {
		return *u
	}
	return User{}
}

// Users returns the users' keys in the order they were made.
func (f *Fake) Users() []string { return slices.Clone(f.order) }

// Calls counts the requests to a path, control endpoints excepted.
func (f *Fake) Calls(path string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[path]
}

// WaitForCalls waits until a path was requested n times.
func (f *Fake) WaitForCalls(ctx context.Context, path string, n int) error {
	for {
		f.mu.Lock()
		calls, called := f.calls[path], f.called
		f.mu.Unlock()
		if calls >= n {
			return nil
		}
		select {
		case <-called:
		case <-ctx.Done():
			return fmt.Errorf("%s was requested %d times, not %d: %w", path, calls, n, ctx.Err())
		}
	}
}

// LastCall returns the last request to a path, its form parsed and its body unread; nil
// if there was none.
func (f *Fake) LastCall(path string) *http.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sent[path]
}

// Token makes a bare access token, as if the user had logged in to the client.
func (f *Fake) Token(user, client string) string {
	return f.mint(Grant{Client: client, User: user, Scope: "openid profile email user:email"})
}

// Revoke ends an access token.
func (f *Fake) Revoke(token string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.tokens, token)
}

// Rename gives a user another login name. The subject stays.
func (f *Fake) Rename(user, login string) {
	f.change(user, func(u *User) { u.Login = login })
}

// SetEmail gives a user another address.
func (f *Fake) SetEmail(user, email string, verified bool) {
	f.change(user, func(u *User) { u.Email, u.EmailVerified = email, verified })
}

// AddEmails gives a user further addresses, verified but not primary, which stand
// before the primary one where the upstream lists them.
func (f *Fake) AddEmails(user string, emails ...string) {
	f.change(user, func(u *User) { u.MoreEmails = append(slices.Clone(u.MoreEmails), emails...) })
}

func (f *Fake) change(user string, fn func(*User)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if u := f.users[user]; u != nil {
		fn(u)
	}
}

// mint makes an access token for a grant.
func (f *Fake) mint(g Grant) string {
	token := rand.Text() + rand.Text()
	if f.kind.NewToken != nil {
		token = f.kind.NewToken(g)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tokens[token] = g
	return token
}

// grantOf tells whose token it is; ok is false for one that is unknown or revoked.
func (f *Fake) grantOf(token string) (g Grant, u User, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	g, ok = f.tokens[token]
	if !ok || f.users[g.User] == nil {
		return Grant{}, User{}, false
	}
	return g, *f.users[g.User], true
}

// authenticates reports whether id and secret are a client's.
func (f *Fake) authenticates(id, secret string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, ok := f.clients[id]
	return ok && c.Secret == secret
}

func (f *Fake) hasClient(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := f.clients[id]
	return ok
}

// writeJSON writes an answer.
func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// writeFault writes an error of the token or device endpoint as the upstream does.
func (f *Fake) writeFault(w http.ResponseWriter, code string, device bool, more map[string]any) {
	own, status := code, http.StatusBadRequest
	if code == "invalid_client" {
		status = http.StatusUnauthorized
	}
	if f.kind.Fault != nil {
		own, status = f.kind.Fault(code, device)
	}
	answer := map[string]any{"error": own, "error_description": "The upstream says " + own + "."}
	maps.Copy(answer, more)
	writeJSON(w, status, answer)
}

// silence is how long the mode Hang says nothing to a client that stays.
const silence = 30 * time.Second
