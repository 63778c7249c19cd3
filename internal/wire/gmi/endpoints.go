package gmi

import (
	"context"
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/wire"
)

// The paths.
const (
	basePath       = "/api/v1"
	exchangePath   = basePath + "/oauth/token"
	oauthTokenPath = basePath + "/me/oauth/auth-tokens"
	authTokenPath  = basePath + "/me/auth-tokens"
	sessionsPath   = basePath + "/me/sessions"
	profilePath    = basePath + "/me/profile"
)

func (d *Dialect) endpoints() []wire.Route {
	post, get := []string{http.MethodPost}, []string{http.MethodGet}
	exchange, login := d.fail(exchangeTable()), d.fail(loginTable())
	sessions, profile := d.fail(sessionTable()), d.fail(profileTable())
	return []wire.Route{
		{Path: exchangePath, Methods: post, Handle: wire.Call(d.decodeExchange, d.auth.ExchangeCode, encodeExchange, exchange)},
		{Path: oauthTokenPath, Methods: post, Handle: wire.Call(d.decodeOAuthToken, d.auth.StepByUpstreamToken, encodeOAuthToken, login)},
		{Path: authTokenPath, Methods: post, Handle: wire.Call(d.decodePassword, d.auth.StepByPassword, encodeAuthToken, login)},
		byMethod(sessionsPath, map[string]http.HandlerFunc{
			http.MethodPost:   wire.Call(d.decodeSession, d.auth.OpenSession, encodeGrant(http.StatusCreated), sessions),
			http.MethodPatch:  wire.Call(d.decodeRefresh, d.auth.RefreshSession, encodeGrant(http.StatusOK), sessions),
			http.MethodDelete: wire.Call(d.decodeBearer, d.closeSession, encodeDone, sessions),
		}, http.MethodPost, http.MethodPatch, http.MethodDelete),
		{Path: profilePath, Methods: get, Handle: wire.Call(d.decodeBearer, d.auth.AccountOf, encodeProfile, profile)},
	}
}

// byMethod is the route of a path whose methods are different calls, listed in the
// order that Allow shows.
func byMethod(path string, calls map[string]http.HandlerFunc, methods ...string) wire.Route {
	return wire.Route{Path: path, Methods: methods, Handle: func(w http.ResponseWriter, r *http.Request) {
		calls[r.Method](w, r) // the frame lets no other method through
	}}
}

// decodeExchange reads a code of an upstream. `state` belongs to who began the login:
// there is nothing here to compare it with.
func (d *Dialect) decodeExchange(r *http.Request) (authority.UpstreamCodeRequest, error) {
	none := authority.UpstreamCodeRequest{}
	b, err := readBody(r)
	if err != nil {
		return none, err
	}
	q := authority.UpstreamCodeRequest{
		Realm: d.realm.Name, Provider: b.need("provider", maxName), Code: b.need("code", maxToken),
		RedirectURI: b.get("redirectUri", maxURI, uriRule), Verifier: b.get("codeVerifier", maxVerifier, verifierRule),
	}
	b.get("state", maxToken)
	if err := b.err(); err != nil {
		return none, err
	}
	if q.RedirectURI == "" {
		q.RedirectURI = d.options.RedirectURI
	}
	return q, d.provider(q.Provider)
}

// exchangeAnswer is the original's, member for member; so are those below.
type exchangeAnswer struct {
	AccessToken string `json:"accessToken"`
}

func encodeExchange(w http.ResponseWriter, accessToken string) error {
	wire.NoStore(w.Header())
	return wire.WriteJSON(w, http.StatusOK, exchangeAnswer{accessToken})
}

// decodeOAuthToken reads an upstream's access token.
func (d *Dialect) decodeOAuthToken(r *http.Request) (authority.UpstreamTokenRequest, error) {
	none := authority.UpstreamTokenRequest{}
	b, err := readBody(r)
	if err != nil {
		return none, err
	}
	q := authority.UpstreamTokenRequest{Realm: d.realm.Name, Provider: b.need("provider", maxName), AccessToken: b.need("accessToken", maxToken)}
	if err := b.err(); err != nil {
		return none, err
	}
	return q, d.provider(q.Provider)
}

type oauthTokenAnswer struct {
	AuthToken string `json:"authToken"`
}

func encodeOAuthToken(w http.ResponseWriter, step authority.StepToken) error {
	wire.NoStore(w.Header())
	return wire.WriteJSON(w, http.StatusCreated, oauthTokenAnswer{step.Token})
}

// decodePassword reads an e-mail address and a password.
func (d *Dialect) decodePassword(r *http.Request) (authority.LoginRequest, error) {
	b, err := readBody(r)
	if err != nil {
		return authority.LoginRequest{}, err
	}
	q := authority.LoginRequest{Realm: d.realm.Name, Username: b.need("email", maxEmail, emailRule), Password: b.need("password", maxToken)}
	return q, b.err()
}

type authTokenAnswer struct {
	AuthToken    string `json:"authToken"`
	SecondFactor bool   `json:"is2FARequired"`
}

func encodeAuthToken(w http.ResponseWriter, step authority.StepToken) error {
	wire.NoStore(w.Header())
	return wire.WriteJSON(w, http.StatusCreated, authTokenAnswer{step.Token, step.SecondFactor})
}

// decodeSession reads the second step of a login.
func (d *Dialect) decodeSession(r *http.Request) (authority.SessionRequest, error) {
	none := authority.SessionRequest{}
	clientID, err := clientID(r)
	if err != nil {
		return none, err
	}
	b, err := readBody(r)
	if err != nil {
		return none, err
	}
	q := authority.SessionRequest{
		Realm: d.realm.Name, Token: b.need("authToken", maxToken), Code: otpCode(b.get("otpCode", maxOTP, digitsRule)), Binding: clientID,
	}
	return q, b.err()
}

// decodeRefresh reads a refresh token.
func (d *Dialect) decodeRefresh(r *http.Request) (authority.SessionRefresh, error) {
	none := authority.SessionRefresh{}
	clientID, err := clientID(r)
	if err != nil {
		return none, err
	}
	b, err := readBody(r)
	if err != nil {
		return none, err
	}
	q := authority.SessionRefresh{Realm: d.realm.Name, RefreshToken: b.need("refreshToken", maxToken), Binding: clientID}
	return q, b.err()
}

type grantAnswer struct {
	AccessToken  string `json:"accessToken"`
	RefreshToken string `json:"refreshToken"`
}

func encodeGrant(status int) func(http.ResponseWriter, authority.TokenGrant) error {
	return func(w http.ResponseWriter, g authority.TokenGrant) error {
		wire.NoStore(w.Header())
		return wire.WriteJSON(w, status, grantAnswer{g.AccessToken, g.RefreshToken})
	}
}

// decodeBearer reads a call of an account about itself, which is all in its token.
func (d *Dialect) decodeBearer(r *http.Request) (authority.AccountCall, error) {
	token, err := bearer(r)
	return authority.AccountCall{Realm: d.realm.Name, Bearer: token}, err
}

// done is the answer of a verb that has nothing to say but that it is done.
type done struct{}

func (d *Dialect) closeSession(ctx context.Context, q authority.AccountCall) (done, error) {
	return done{}, d.auth.CloseSession(ctx, q)
}

func encodeDone(w http.ResponseWriter, _ done) error {
	wire.NoStore(w.Header())
	w.WriteHeader(http.StatusNoContent)
	return nil
}

type profileAnswer struct {
	User         userAnswer         `json:"user"`
	Organization organizationAnswer `json:"organization"`
}

type userAnswer struct {
	ID           string `json:"id"`
	Email        string `json:"email"`
	FirstName    string `json:"firstName"`
	LastName     string `json:"lastName"`
	LastLoginAt  int64  `json:"lastLoginAt"` // Unix seconds; 0 before the first one
	LastLoginIDP string `json:"lastLoginIDP"`
}

type organizationAnswer struct {
	ID   string `json:"id"`
	Role string `json:"role"`
}

// ownerRole is what everybody is in his own organization.
const ownerRole = "org_owner"

func encodeProfile(w http.ResponseWriter, a authority.AccountFacts) error {
	user := userAnswer{ID: a.ID, Email: a.Email, LastLoginIDP: a.Provider}
	user.FirstName, user.LastName = splitName(a.Name)
	if !a.LastLogin.IsZero() {
		user.LastLoginAt = a.LastLogin.Unix()
	}
	wire.NoStore(w.Header())
	return wire.WriteJSON(w, http.StatusOK, profileAnswer{user, organizationAnswer{organizationID(a.ID), ownerRole}})
}

// splitName takes the last word of a name for the last name.
func splitName(name string) (first, last string) {
	words := strings.Fields(name)
	if len(words) < 2 {
		return strings.Join(words, " "), ""
	}
	return strings.Join(words[:len(words)-1], " "), words[len(words)-1]
}
