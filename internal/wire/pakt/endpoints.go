package pakt

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/wire"
)

// The paths. Between authPath and the two steps stands the name of a provider.
const (
	authPath     = "/v1/auth/"
	startStep    = "/oauth/generate-state"
	validateStep = "/oauth/validate-state"
	accountPath  = "/v1/account"
	logoutPath   = "/v1/account/logout"
)

func (d *Dialect) endpoints(providers []Provider) []wire.Route {
	routes := []wire.Route{
		d.route(accountPath, http.MethodGet, wire.Call(d.decodeAccount, d.auth.AccountOf, encodeAccount, d.fail)),
		d.route(logoutPath, http.MethodPost, wire.Call(d.decodeAccount, d.logout, encodeDone, d.fail)),
	}
	for _, p := range providers {
		routes = append(routes,
			d.route(authPath+p.Name+startStep, http.MethodGet, wire.Call(d.decodeStart(p), d.auth.StartLogin, d.encodeStart(p), d.fail)),
			d.route(authPath+p.Name+validateStep, http.MethodPost, wire.Call(d.decodeFinish(p), d.auth.FinishLogin, encodeLogin, d.fail)),
		)
	}
	return routes
}

// success is the original's envelope.
type success struct {
	Status  string `json:"status"`
	Message string `json:"message"`
	Data    any    `json:"data"`
}

func writeData(w http.ResponseWriter, data any) error {
	wire.NoStore(w.Header())
	return wire.WriteJSON(w, http.StatusOK, success{"success", "OK", data})
}

// decodeStart reads a request for a login at the provider. It needs nothing but the
// tenant key, where one is asked for.
func (d *Dialect) decodeStart(p Provider) func(*http.Request) (authority.StartRequest, error) {
	return func(r *http.Request) (authority.StartRequest, error) {
		none := authority.StartRequest{}
		if err := d.checkTenant(r); err != nil {
			return none, err
		}
		browsers, err := d.browsers(r)
		if err != nil {
			return none, err
		}
		return authority.StartRequest{
			Realm: d.realm, Provider: p.Name, RedirectURI: d.options.RedirectURI, Browsers: browsers,
		}, nil
	}
}

// startAnswer is the original's; authUrl is ours, the one member that every provider has.
type startAnswer struct {
	State         string `json:"state"`
	GoogleAuthURL string `json:"googleAuthUrl,omitempty"`
	AuthURL       string `json:"authUrl"`
}

func (d *Dialect) encodeStart(p Provider) func(http.ResponseWriter, authority.LoginStart) error {
	return func(w http.ResponseWriter, s authority.LoginStart) error {
		if err := d.setBrowser(w, s.Browser); err != nil {
			return err
		}
		answer := startAnswer{State: s.State, AuthURL: s.URL}
		if p.Type == typeGoogle {
			answer.GoogleAuthURL = s.URL
		}
		return writeData(w, answer)
	}
}

// decodeFinish reads what the provider sent the browser back with, as the front end
// hands it on.
func (d *Dialect) decodeFinish(p Provider) func(*http.Request) (authority.FinishRequest, error) {
	return func(r *http.Request) (authority.FinishRequest, error) {
		none := authority.FinishRequest{}
		back, err := readCallback(r)
		if err != nil {
			return none, err
		}
		browsers, err := d.browsers(r)
		if err != nil {
			return none, err
		}
		return authority.FinishRequest{
			Realm: d.realm, Provider: p.Name, State: back.state, Code: back.code, Issuer: back.issuer,
			RedirectURI: d.options.RedirectURI, Browsers: browsers, Strict: d.options.StrictState,
		}, nil
	}
}

// loginAnswer is the original's, but for timeZone, which it may leave out as well: no
// provider tells it.
type loginAnswer struct {
	Token      string `json:"token"`
	TokenType  string `json:"token_type"`
	ExpiresIn  int64  `json:"expiresIn"` // seconds
	IsVerified bool   `json:"isVerified"`
	Type       string `json:"type"` // sign_in or sign_up
}

func encodeLogin(w http.ResponseWriter, l authority.UpstreamLogin) error {
	answer := loginAnswer{
		Token: l.AccessToken, TokenType: "Bearer", IsVerified: l.EmailVerified, Type: "sign_in",
		ExpiresIn: int64(l.ExpiresIn / time.Second), // rounded down: nothing is said to live longer than it does
	}
	if l.SignedUp {
		answer.Type = "sign_up"
	}
	return writeData(w, answer)
}

// decodeAccount reads a call of an account about itself.
func (d *Dialect) decodeAccount(r *http.Request) (authority.AccountCall, error) {
	token, err := bearer(r)
	if err != nil {
		return authority.AccountCall{}, err
	}
	// Nothing in it is asked for, but a large one is refused here like everywhere.
	if _, err := wire.Body(r); err != nil {
		return authority.AccountCall{}, err
	}
	return authority.AccountCall{Realm: d.realm, Bearer: token}, nil
}

// accountAnswer has those members of the original's account that we know, and some of
// our own (doc.go).
type accountAnswer struct {
	ID         string   `json:"_id"`
	Email      string   `json:"email"`
	FirstName  string   `json:"firstName"`
	LastName   string   `json:"lastName"`
	Name       string   `json:"name"`
	Username   string   `json:"username"`
	IsVerified bool     `json:"isVerified"`
	Roles      []string `json:"roles"`
	Provider   string   `json:"provider,omitempty"`
	CreatedAt  string   `json:"createdAt,omitempty"`
	LastLogin  string   `json:"lastLogin,omitempty"`
}

func encodeAccount(w http.ResponseWriter, f authority.AccountFacts) error {
	first, last := splitName(f.Name)
	return writeData(w, accountAnswer{
		ID: f.ID, Email: f.Email, FirstName: first, LastName: last, Name: f.Name, Username: f.Username,
		IsVerified: f.EmailVerified, Roles: append([]string{}, f.Roles.Slice()...), // [], never null
		Provider: f.Provider, CreatedAt: instant(f.Created), LastLogin: instant(f.LastLogin),
	})
}

// splitName gives a name the two halves that the original's clients show. Names do not
// come in halves; the last word is the family's more often than not.
func splitName(name string) (first, last string) {
	words := strings.Fields(name)
	if len(words) < 2 {
		return strings.Join(words, ""), ""
	}
	return strings.Join(words[:len(words)-1], " "), words[len(words)-1]
}

// instant is a time as JavaScript writes it, in UTC; empty for none.
func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// done is the answer of a verb that has nothing to say but that it is done.
type done struct{}

func (d *Dialect) logout(ctx context.Context, q authority.AccountCall) (done, error) {
	return done{}, d.auth.CloseSession(ctx, q)
}

func encodeDone(w http.ResponseWriter, _ done) error { return writeData(w, nil) }
