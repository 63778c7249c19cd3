package oauth

import (
	"context"
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/wire"
)

// The paths of the endpoints, after the place of the realm.
const (
	tokenPath      = "/oauth2/token"
	introspectPath = "/oauth2/introspect"
	revokePath     = "/oauth2/revoke"
	jwksPath       = "/oauth2/jwks"
	healthPath     = "/healthz"
	realmsPath     = "/realms/"
)

// healthDeadline bounds how long a health probe waits for the store.
const healthDeadline = 2 * time.Second

// realmRoutes lists what a realm answers at one place.
func (d *Dialect) realmRoutes(p place) ([]wire.Route, error) {
	name := p.realm.Name
	fail := d.fail(name)
	post, get := []string{http.MethodPost}, []string{http.MethodGet}
	routes := []wire.Route{
		{Path: p.base + tokenPath, Methods: post, Handle: wire.Call(decodeToken(name), d.auth.Token, encodeToken, fail)},
		{Path: p.base + introspectPath, Methods: post, Handle: wire.Call(decodeIntrospect(name), d.auth.Introspect, encodeIntrospect, fail)},
		{Path: p.base + revokePath, Methods: post, Handle: wire.Call(decodeQuery(name), d.revoke, encodeRevoke, fail)},
		{Path: p.base + jwksPath, Methods: get, Handle: wire.Call(decodeRealm(name), d.auth.PublicKeys, encodePublic, fail)},
		{Path: p.base + healthPath, Methods: get, Handle: wire.Call(decodeRealm(name), d.ping, encodeHealth, d.unhealthy)},
	}
	documents, err := metadataRoutes(p)
	return append(routes, documents...), err
}

// decodeToken reads a token request (RFC 6749 §3.2).
func decodeToken(realm string) func(*http.Request) (authority.TokenRequest, error) {
	return func(r *http.Request) (authority.TokenRequest, error) {
		none := authority.TokenRequest{}
		body, err := readForm(r, "resource") // RFC 8707 §2: may be repeated
		if err != nil {
			return none, err
		}
		grantType, err := body.Need("grant_type")
		if err != nil {
			return none, err
		}
		client, err := clientAuth(r, body)
		if err != nil {
			return none, err
		}
		q := authority.TokenRequest{
			Realm:     realm,
			Client:    client,
			GrantType: grantType,
			Scope:     body.Get("scope"),
			Resources: body.All("resource"),
		}
		if grantType == authority.GrantRefreshToken { // RFC 6749 §6
			if q.RefreshToken, err = body.Need("refresh_token"); err != nil {
				return none, err
			}
		}
		return q, nil
	}
}

// tokenAnswer is RFC 6749 §5.1.
type tokenAnswer struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope,omitempty"`
}

func encodeToken(w http.ResponseWriter, g authority.TokenGrant) error {
	wire.NoStore(w.Header())
	return wire.WriteJSON(w, http.StatusOK, tokenAnswer{
		AccessToken:  g.AccessToken,
		TokenType:    "Bearer",
		ExpiresIn:    int64(g.ExpiresIn / time.Second), // rounded down: never longer than it lives
		RefreshToken: g.RefreshToken,
		Scope:        g.Scope,
	})
}

// readForm reads the body's parameters; the query must hold none.
func readForm(r *http.Request, repeatable ...string) (wire.Params, error) {
	if err := noneInQuery(r); err != nil {
		return nil, err
	}
	return wire.Form(r, repeatable...)
}

// decodeQuery reads a question about a token (RFC 7009 §2.1, RFC 7662 §2.1).
func decodeQuery(realm string) func(*http.Request) (authority.TokenQuery, error) {
	return func(r *http.Request) (authority.TokenQuery, error) {
		none := authority.TokenQuery{}
		body, err := readForm(r)
		if err != nil {
			return none, err
		}
		token, err := body.Need("token")
		if err != nil {
			return none, err
		}
		client, err := clientAuth(r, body)
		if err != nil {
			return none, err
		}
		return authority.TokenQuery{Realm: realm, Client: client, Token: token}, nil
	}
}

// decodeIntrospect is decodeQuery for those who bring a secret: RFC 7662 §2.1
// keeps everybody else from trying tokens here.
func decodeIntrospect(realm string) func(*http.Request) (authority.TokenQuery, error) {
	decode := decodeQuery(realm)
	return func(r *http.Request) (authority.TokenQuery, error) {
		q, err := decode(r)
		if err == nil && q.Client.Secret == "" {
			err = unauthenticated("introspection needs a client with a secret")
		}
		return q, err
	}
}

// introspectAnswer is RFC 7662 §2.2, with `sid` and `auth_time` of OpenID Connect
// and `roles` of RFC 9068 §2.2.3.1. We issue no `nbf`.
type introspectAnswer struct {
	Active    bool     `json:"active"`
	Scope     string   `json:"scope,omitempty"`
	ClientID  string   `json:"client_id,omitempty"`
	Username  string   `json:"username,omitempty"`
	TokenType string   `json:"token_type,omitempty"`
	Expires   int64    `json:"exp,omitempty"`
	IssuedAt  int64    `json:"iat,omitempty"`
	Subject   string   `json:"sub,omitempty"`
	Audience  any      `json:"aud,omitempty"`
	Issuer    string   `json:"iss,omitempty"`
	TokenID   string   `json:"jti,omitempty"`
	Session   string   `json:"sid,omitempty"`
	AuthTime  int64    `json:"auth_time,omitempty"`
	Roles     []string `json:"roles,omitempty"`
}

func encodeIntrospect(w http.ResponseWriter, in authority.Introspection) error {
	answer := introspectAnswer{}
	if in.Active {
		p := &in.Principal
		answer = introspectAnswer{
			Active: true, Scope: p.Scopes.Join(" "), ClientID: p.Client, Username: p.Username,
			TokenType: tokenType(p.Kind), Expires: p.Expires, IssuedAt: p.IssuedAt,
			Subject: p.Subject, Audience: audience(p.Audience), Issuer: p.Issuer,
			TokenID: p.TokenID, Session: p.Session, AuthTime: p.AuthTime, Roles: p.Roles.Slice(),
		}
	}
	wire.NoStore(w.Header())
	return wire.WriteJSON(w, http.StatusOK, answer)
}

// tokenType says Bearer only of what a guard takes.
func tokenType(kind authority.TokenKind) string {
	if kind == authority.KindAccess || kind == authority.KindPersonal {
		return "Bearer"
	}
	return ""
}

// audience is a string while it has one member (RFC 7519 §4.1.3).
func audience(l authority.List) any {
	switch all := l.Slice(); len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	default:
		return all
	}
}

// done is the answer of a verb that has nothing to say but that it is done.
type done struct{}

func (d *Dialect) revoke(ctx context.Context, q authority.TokenQuery) (done, error) {
	return done{}, d.auth.Revoke(ctx, q)
}

// encodeRevoke is RFC 7009 §2.2: the status is the answer.
func encodeRevoke(w http.ResponseWriter, _ done) error {
	wire.NoStore(w.Header())
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
	return nil
}

func decodeRealm(realm string) func(*http.Request) (string, error) {
	return func(*http.Request) (string, error) { return realm, nil }
}

// encodePublic writes a document that holds nothing about anybody: any origin may
// read it, any cache keep it.
func encodePublic(w http.ResponseWriter, document []byte) error {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cache-Control", "public, max-age=300")
	wire.WriteBytes(w, http.StatusOK, wire.JSONType, document)
	return nil
}

func (d *Dialect) ping(ctx context.Context, _ string) (done, error) {
	ctx, cancel := context.WithTimeout(ctx, healthDeadline)
	defer cancel()
	return done{}, d.auth.Ping(ctx)
}

type healthAnswer struct {
	Status string `json:"status"`
}

func encodeHealth(w http.ResponseWriter, _ done) error {
	wire.NoStore(w.Header())
	return wire.WriteJSON(w, http.StatusOK, healthAnswer{"ok"})
}

// unhealthy answers a failed probe: whatever the reason, do not send anybody here.
func (d *Dialect) unhealthy(w http.ResponseWriter, r *http.Request, err error) {
	wire.Log(d.log, r, err)
	f := d.table.Failure(&authority.Error{Kind: authority.Unavailable})
	f.SetHeader(w.Header())
	_ = wire.WriteJSON(w, f.Status, healthAnswer{"unavailable"}) // one string always encodes
}
