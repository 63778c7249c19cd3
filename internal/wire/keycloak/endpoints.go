package keycloak

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/wire"
)

// The paths. Whatever stands under connectPath may carry secrets in its query.
const (
	healthPath     = "/auth/api/v1/healthz"
	connectPath    = "/auth/api/v1/oauth/connect/"
	tokenPath      = connectPath + "token"
	loginPath      = connectPath + "user/login"
	logoutPath     = connectPath + "logout"
	introspectPath = connectPath + "introspect"
)

// healthDeadline bounds how long a health probe waits for the store.
const healthDeadline = 2 * time.Second

func (d *Dialect) endpoints() []wire.Route {
	post, get := []string{http.MethodPost}, []string{http.MethodGet}
	return []wire.Route{
		{Path: healthPath, Methods: get, Handle: wire.Call(decodeNothing, d.ping, encodeHealth, d.unhealthy)},
		{Path: tokenPath, Methods: post, Handle: wire.Call(d.decodeToken, d.auth.Token, encodeGrant, d.fail)},
		{Path: loginPath, Methods: post, Handle: wire.Call(d.decodeLogin, d.auth.Login, encodeGrant, d.fail)},
		{Path: logoutPath, Methods: post, Handle: wire.Call(d.decodeLogout, d.logout, encodeDone, d.fail)},
		{Path: introspectPath, Methods: post, Handle: wire.Call(d.decodeIntrospect, d.auth.Introspect, d.encodeIntrospect, d.fail)},
	}
}

// done is the answer of a verb that has nothing to say but that it is done.
type done struct{}

func decodeNothing(*http.Request) (done, error) { return done{}, nil }

func (d *Dialect) ping(ctx context.Context, _ done) (done, error) {
	ctx, cancel := context.WithTimeout(ctx, healthDeadline)
	defer cancel()
	return done{}, d.auth.Ping(ctx)
}

// healthAnswer is the original's Msg.
type healthAnswer struct {
	Msg string `json:"msg"`
}

func encodeHealth(w http.ResponseWriter, _ done) error {
	wire.NoStore(w.Header())
	return wire.WriteJSON(w, http.StatusOK, healthAnswer{"ok"})
}

// unhealthy answers a failed probe: whatever the reason, do not send anybody here.
func (d *Dialect) unhealthy(w http.ResponseWriter, r *http.Request, err error) {
	d.fail(w, r, &authority.Error{Kind: authority.Unavailable, Op: "check health", Err: err})
}

// decodeToken reads a request for a client's own token, or for a refresh.
func (d *Dialect) decodeToken(r *http.Request) (authority.TokenRequest, error) {
	none := authority.TokenRequest{}
	p, err := readParams(r)
	if err != nil {
		return none, err
	}
	q := authority.TokenRequest{GrantType: p.get("grant_type"), Scope: p.get("scopes"), WithRefresh: true}
	if q.GrantType == authority.GrantRefreshToken {
		// The client of a user login is public unless the operator chose another one.
		q.Client, q.RefreshToken = p.client(r, "client_id"), p.need("refresh_token")
	} else {
		q.Client = p.client(r, "client_id", "client_secret")
	}
	if q.GrantType == "" {
		q.GrantType = authority.GrantClientCredentials
	}
	if err := p.err(); err != nil {
		return none, err
	}
	realm, err := d.realm(p.get("realm"))
	if err != nil {
		return none, err
	}
	q.Realm, q.RefreshLife = realm.Name, realm.RefreshLife
	return q, nil
}

// decodeLogin reads a user's login.
func (d *Dialect) decodeLogin(r *http.Request) (authority.LoginRequest, error) {
	none := authority.LoginRequest{}
	p, err := readParams(r)
	if err != nil {
		return none, err
	}
	q := authority.LoginRequest{Username: p.need("username"), Password: p.need("password"), Scope: p.get("scopes")}
	if err := p.err(); err != nil {
		return none, err
	}
	realm, err := d.realm(p.get("realm"))
	if err != nil {
		return none, err
	}
	if grant := p.get("grant_type"); grant != "" && grant != authority.GrantPassword {
		return none, &authority.Error{Kind: authority.GrantUnsupported, Op: opRead}
	}
	q.Realm, q.Client, q.Life = realm.Name, realm.LoginClient, realm.RefreshLife
	return q, nil
}

// grantAnswer is the original's, member for member. not-before-policy is 0: there is no
// time before which tokens are void.
type grantAnswer struct {
	AccessToken      string `json:"access_token"`
	ExpiresIn        int64  `json:"expires_in"`
	RefreshExpiresIn int64  `json:"refresh_expires_in"`
	RefreshToken     string `json:"refresh_token"`
	TokenType        string `json:"token_type"`
	NotBeforePolicy  int64  `json:"not-before-policy"`
	SessionState     string `json:"session_state"`
	Scope            string `json:"scope"`
}

func encodeGrant(w http.ResponseWriter, g authority.TokenGrant) error {
	wire.NoStore(w.Header())
	return wire.WriteJSON(w, http.StatusOK, grantAnswer{
		AccessToken: g.AccessToken, ExpiresIn: seconds(g.ExpiresIn),
		RefreshToken: g.RefreshToken, RefreshExpiresIn: seconds(g.RefreshExpiresIn),
		TokenType: "Bearer", SessionState: g.Session, Scope: g.Scope,
	})
}

// seconds rounds down: nothing is said to live longer than it does.
func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// decodeLogout reads whose session is to end.
func (d *Dialect) decodeLogout(r *http.Request) (authority.LogoutRequest, error) {
	none := authority.LogoutRequest{}
	p, err := readParams(r)
	if err != nil {
		return none, err
	}
	q := authority.LogoutRequest{Client: p.client(r), RefreshToken: p.need("refresh_token")}
	if err := p.err(); err != nil {
		return none, err
	}
	realm, err := d.realm(p.get("realm"))
	if err != nil {
		return none, err
	}
	q.Realm, q.LoginClient = realm.Name, realm.LoginClient
	return q, nil
}

func (d *Dialect) logout(ctx context.Context, q authority.LogoutRequest) (done, error) {
	return done{}, d.auth.Logout(ctx, q)
}

func encodeDone(w http.ResponseWriter, _ done) error {
	wire.NoStore(w.Header())
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// decodeIntrospect reads a question about a token.
func (d *Dialect) decodeIntrospect(r *http.Request) (authority.TokenQuery, error) {
	none := authority.TokenQuery{}
	p, err := readParams(r)
	if err != nil {
		return none, err
	}
	q := authority.TokenQuery{Token: p.need("token"), Client: p.client(r), Anonymous: d.options.Anonymous}
	if err := p.err(); err != nil {
		return none, err
	}
	realm, err := d.realm(p.get("realm"))
	if err != nil {
		return none, err
	}
	q.Realm = realm.Name
	return q, nil
}

// activeAnswer is the original's, member for member. A user's token has no clientId,
// clientHost and clientAddress, a token without a session no sid, session_state,
// clientHost and clientAddress.
type activeAnswer struct {
	Expires       int64       `json:"exp"`
	IssuedAt      int64       `json:"iat"`
	TokenID       string      `json:"jti"`
	Issuer        string      `json:"iss"`
	Subject       string      `json:"sub"`
	Type          string      `json:"typ"`
	Party         string      `json:"azp"`
	SessionState  string      `json:"session_state,omitempty"`
	Preferred     string      `json:"preferred_username"`
	EmailVerified any         `json:"email_verified"`
	RealmAccess   realmAccess `json:"realm_access"`
	Scope         string      `json:"scope"`
	Session       string      `json:"sid,omitempty"`
	OldClientID   string      `json:"clientId,omitempty"`
	ClientHost    string      `json:"clientHost,omitempty"`
	ClientAddress string      `json:"clientAddress,omitempty"`
	ClientID      string      `json:"client_id"`
	Username      string      `json:"username"`
	Active        any         `json:"active"`
}

type realmAccess struct {
	Roles []string `json:"roles"`
}

// inactiveAnswer is all that is said of a token that is not active, whatever it is.
type inactiveAnswer struct {
	Active any `json:"active"`
}

func (d *Dialect) encodeIntrospect(w http.ResponseWriter, in authority.Introspection) error {
	wire.NoStore(w.Header())
	if !in.Active {
		return wire.WriteJSON(w, http.StatusOK, inactiveAnswer{d.flag(false)})
	}
	p := &in.Principal
	answer := activeAnswer{
		Expires: p.Expires, IssuedAt: p.IssuedAt, TokenID: p.TokenID, Issuer: p.Issuer, Subject: p.Subject,
		Type: "Bearer", Party: p.Client, SessionState: p.Session, Preferred: p.Username,
		EmailVerified: d.flag(p.EmailVerified), RealmAccess: realmAccess{p.Roles.Slice()}, Scope: p.Scopes.Join(" "),
		Session: p.Session, ClientID: p.Client, Username: p.Username, Active: d.flag(true),
	}
	if p.Account == "" { // a client's own token
		answer.OldClientID, answer.ClientHost, answer.ClientAddress = p.Client, in.Address, in.Address
	}
	return wire.WriteJSON(w, http.StatusOK, answer)
}

// flag is a truth as the operator wants it told.
func (d *Dialect) flag(b bool) any {
	if d.options.Booleans {
		return b
	}
	return strconv.FormatBool(b)
}
