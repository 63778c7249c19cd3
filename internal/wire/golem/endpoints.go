package golem

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/wire"
)

const ownPath = "/v1/login/token"

// The paths of a call: that of the original first, then those of later clients.
var (
	loginPaths    = [...]string{"/v1/oauth2", "/v1/login/oauth2"}
	startPaths    = [...]string{"/oauth2/device/start", "/login/oauth2/device/start", "/v1/login/oauth2/device/start"}
	completePaths = [...]string{"/oauth2/device/complete", "/login/oauth2/device/complete", "/v1/login/oauth2/device/complete"}
)

// jsonType is the media type of every answer, as the original writes it.
const jsonType = wire.JSONType + "; charset=utf-8"

// expiresName is the member that says until when a token shall live.
const expiresName = "expiresAt"

func (d *Dialect) endpoints() []wire.Route {
	get, post := []string{http.MethodGet}, []string{http.MethodPost}
	routes := []wire.Route{
		{Path: ownPath, Methods: get, Handle: wire.Call(d.decodeOwn, d.auth.OwnToken, encodeToken, d.fail)},
		{Path: accountRoute, Methods: get, Handle: wire.Call(d.decodeAccount, d.auth.AccountOf, encodeAccount, d.fail)},
		{Path: tokensRoute, Methods: []string{http.MethodGet, http.MethodHead, http.MethodPost}, Handle: d.tokens()},
		{Path: tokenRoute, Methods: []string{http.MethodGet, http.MethodHead, http.MethodDelete}, Handle: d.token()},
	}
	login := wire.Call(d.decodeLogin, d.auth.LoginByUpstreamToken, encodeGrant, d.fail)
	start := wire.Call(d.decodeStart, d.auth.StartDevice, encodeStart, d.fail)
	for _, path := range loginPaths {
		routes = append(routes, wire.Route{Path: path, Methods: post, Handle: login})
	}
	for _, path := range startPaths {
		routes = append(routes, wire.Route{Path: path, Methods: post, Handle: start})
	}
	for _, path := range completePaths {
		routes = append(routes, wire.Route{Path: path, Methods: post, Handle: d.complete})
	}
	return routes
}

// tokens answers for the list of an account's tokens.
func (d *Dialect) tokens() http.HandlerFunc {
	list := wire.Call(d.decodeAccount, d.auth.PersonalTokens, encodeTokens, d.fail)
	mint := wire.Call(d.decodeMint, d.auth.MintPersonalToken, encodeGrant, d.fail)
	return byMethod(http.MethodPost, mint, list)
}

// token answers for one token of an account.
func (d *Dialect) token() http.HandlerFunc {
	show := wire.Call(d.decodeAccount, d.auth.PersonalTokenOf, encodeToken, d.fail)
	end := wire.Call(d.decodeAccount, d.end, encodeDone, d.fail)
	return byMethod(http.MethodDelete, end, show)
}

func byMethod(method string, itself, others http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method == method {
			itself(w, r)
			return
		}
		others(w, r)
	}
}

// complete waits for the end of a device login. The wait ends with the request's
// context, which ends when the caller goes away.
func (d *Dialect) complete(w http.ResponseWriter, r *http.Request) {
	wait := func(ctx context.Context, q authority.DeviceCompletion) (authority.PersonalGrant, error) {
		unhurried(w)
		return d.auth.CompleteDevice(ctx, q)
	}
	wire.Call(d.decodeComplete, wait, encodeGrant, d.fail)(w, r)
}

// unhurried lifts the server's deadlines from a request that has arrived whole: they
// count from its beginning, and one that passed while the user decides would lose
// the answer of a session that is spent then. The next request on the connection has
// its own. A writer that cannot do so has no deadlines that we know of.
func unhurried(w http.ResponseWriter) {
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Time{})
	_ = c.SetWriteDeadline(time.Time{})
}

// done is the answer of a verb that has nothing to say but that it is done.
type done struct{}

func (d *Dialect) end(ctx context.Context, q authority.AccountCall) (done, error) {
	return done{}, d.auth.EndPersonalToken(ctx, q)
}

// tokenAnswer is the original's Token, member for member.
type tokenAnswer struct {
	ID        string `json:"id"`
	AccountID string `json:"accountId"`
	CreatedAt string `json:"createdAt"`
	ExpiresAt string `json:"expiresAt"`
}

// grantAnswer is the original's UnsafeToken.
type grantAnswer struct {
	Data   tokenAnswer `json:"data"`
	Secret string      `json:"secret"`
}

// startAnswer is the original's OAuth2Data.
type startAnswer struct {
	URL            string `json:"url"`
	UserCode       string `json:"userCode"`
	Expires        string `json:"expires"`
	EncodedSession string `json:"encodedSession"`
}

// accountAnswer is the original's Account.
type accountAnswer struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Email  string `json:"email"`
	PlanID string `json:"planId"`
}

// noPlan is the nil UUID (RFC 9562 §5.9): there are no plans here, and the
// original's clients read no account without one.
const noPlan = "00000000-0000-0000-0000-000000000000"

func answerOf(t authority.PersonalToken) tokenAnswer {
	return tokenAnswer{ID: t.ID, AccountID: t.Account, CreatedAt: stamp(t.Created), ExpiresAt: stamp(t.Expires)}
}

func encodeToken(w http.ResponseWriter, t authority.PersonalToken) error {
	return write(w, http.StatusOK, answerOf(t))
}

func encodeTokens(w http.ResponseWriter, all []authority.PersonalToken) error {
	list := make([]tokenAnswer, 0, len(all)) // never null: none is an empty list
	for t := range slices.Values(all) {
		list = append(list, answerOf(t))
	}
	return write(w, http.StatusOK, list)
}

func encodeGrant(w http.ResponseWriter, g authority.PersonalGrant) error {
	return write(w, http.StatusOK, grantAnswer{Data: answerOf(g.PersonalToken), Secret: g.Secret})
}

func encodeStart(w http.ResponseWriter, s authority.DeviceStart) error {
	return write(w, http.StatusOK, startAnswer{
		URL: s.VerificationURI, UserCode: s.UserCode, Expires: stamp(s.Expires), EncodedSession: s.Session,
	})
}

// encodeAccount writes what an account may know of itself. There is no member that
// says whether an address is verified, so one that is not is not told: who reads
// email takes it for his whose account it is.
func encodeAccount(w http.ResponseWriter, a authority.AccountFacts) error {
	answer := accountAnswer{ID: a.ID, Name: a.Name, PlanID: noPlan}
	if answer.Name == "" {
		answer.Name = a.Username
	}
	if a.EmailVerified {
		answer.Email = a.Email
	}
	return write(w, http.StatusOK, answer)
}

func encodeDone(w http.ResponseWriter, answer done) error { return write(w, http.StatusOK, answer) }

// write writes an answer that nobody may keep. On an error nothing was written.
func write(w http.ResponseWriter, status int, answer any) error {
	raw, err := wire.JSON(answer)
	if err != nil {
		return err
	}
	wire.NoStore(w.Header())
	wire.WriteBytes(w, status, jsonType, raw)
	return nil
}
