package authority

import (
	"context"
	"errors"
)

// LogoutRequest asks for the end of a session by one of its refresh tokens.
type LogoutRequest struct {
	Realm        string // name or UUID; empty: the default realm
	Client       ClientAuth
	LoginClient  string // where Client says nothing: whom logins are for; empty: the built-in first-party client
	RefreshToken string
}

// Logout ends the session of a refresh token and all that it gave. A client that
// names itself proves who it is. Without one the token is a user's, who logged in
// through the dialect's client and knows no secret of it: his refresh token is
// proof enough of what is his to end.
//
// A refresh token that is unknown, expired or of an ended session is no error, as
// with RFC 7009 §2.2: what was asked for is so. Errors: RealmUnknown,
// ClientUnauthenticated, ClientForbidden (another client's token, or logins are
// switched off), GrantInvalid (not a refresh token at all), Unavailable, Internal.
func (a *Authority) Logout(ctx context.Context, q LogoutRequest) error {
	const op = "log out"
	r, err := a.realm(op, q.Realm)
	if err != nil {
		return a.refuse(ctx, nil, q.Client.ID, err)
	}
	var c *Client
	if q.Client == (ClientAuth{}) {
		c, err = a.loginClient(op, r, q.LoginClient)
	} else {
		c, err = a.authenticate(op, r, q.Client)
	}
	if err != nil {
		return a.refuse(ctx, r, q.Client.ID, err)
	}
	// An access token here is a mistake, and its owner must not believe that the
	// session has ended.
	if kind, _ := a.forms.KindOf(q.RefreshToken); kind != KindRefresh {
		return a.refuse(ctx, r, c.ID, &Error{Kind: GrantInvalid, Op: op, Public: "this is not a refresh token",
			Err: errors.New("not a refresh token of ours")})
	}
	ended, err := a.endFamily(ctx, op, r, c, q.RefreshToken)
	if err != nil {
		return a.refuse(ctx, r, c.ID, err)
	}
	if ended != (Event{}) {
		ended.Detail = "logout"
		a.audit.Record(ctx, ended)
	}
	return nil
}
