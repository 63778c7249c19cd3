package caddymodule

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/internal/gatehouse"
)

const (
	adminBase = "/gatehouse/"
	// commandHeader is a header that no page can send without asking first (a CORS
	// preflight), which Caddy's admin endpoint never allows for it.
	commandHeader = "X-Gatehouse-Command"
	maxCommand    = 64 << 10 // bytes of a command's body
)

// Admin is the part of Caddy's admin endpoint that `caddy gatehouse` talks to. Its
// answers hold no secret, no key and no token.
type Admin struct{}

// CaddyModule returns the module's id.
func (Admin) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.gatehouse", New: func() caddy.Module { return new(Admin) }}
}

// Routes returns the routes.
func (Admin) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{{Pattern: adminBase, Handler: caddy.AdminHandlerFunc(serveAdmin)}}
}

// command is what a command says; each reads its own part of it.
type command struct {
	Realm   string `json:"realm,omitempty"`
	Key     string `json:"kid,omitempty"`
	Token   string `json:"token,omitempty"`
	TokenID string `json:"jti,omitempty"`
	User    string `json:"user,omitempty"`
	Session string `json:"sid,omitempty"`

	Account  string   `json:"account,omitempty"` // UUID, username of a user of the configuration, or provider:subject
	After    string   `json:"after,omitempty"`   // what the page before answered as next
	Provider string   `json:"provider,omitempty"`
	Subject  string   `json:"subject,omitempty"`
	Username string   `json:"username,omitempty"`
	Name     string   `json:"name,omitempty"`
	Email    string   `json:"email,omitempty"`
	Verified bool     `json:"email_verified,omitempty"`
	Roles    []string `json:"roles,omitempty"`
}

// verb does one command over the running configuration and returns what is answered.
type verb func(g *gatehouse.Gatehouse, r *http.Request, c command) (any, error)

// verbOf returns the verb at a path, or nil.
func verbOf(path string) verb {
	name := strings.TrimPrefix(path, adminBase)
	if of, ok := strings.CutPrefix(name, "account/"); ok {
		return accountVerb(of)
	}
	switch name {
	case "keys/list":
		return listKeys
	case "keys/rotate":
		return rotateKeys
	case "keys/revoke":
		return revokeKey
	case "token/revoke":
		return revokeToken
	case "session/list":
		return listSessions
	case "session/end":
		return endSession
	default:
		return nil
	}
}

// noNameOfAPage reports whether a host is an address or localhost: a name that
// somebody else's DNS leads here (rebinding) is neither.
func noNameOfAPage(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	return host == "localhost" || net.ParseIP(strings.Trim(host, "[]")) != nil
}

// serveAdmin answers one command. The configuration is the running one, whichever
// this endpoint came up with: Caddy replaces the endpoint before it knows whether a
// configuration is any good.
func serveAdmin(w http.ResponseWriter, r *http.Request) error {
	do := verbOf(r.URL.Path)
	if do == nil {
		return refusal(http.StatusNotFound, "there is no such command")
	}
	if err := onlyCommands(r); err != nil {
		return err
	}
	c, err := readCommand(w, r)
	if err != nil {
		return err
	}
	app, err := caddy.ActiveContext().AppIfConfigured("gatehouse")
	if errors.Is(err, caddy.ErrNotConfigured) {
		return refusal(http.StatusNotFound, "the running configuration has no realms: gatehouse is not configured")
	}
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusServiceUnavailable, Err: err, Message: "gatehouse is not running"}
	}
	run, err := app.(*App).lease.enter()
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusServiceUnavailable, Err: err, Message: "the database cannot be opened; Caddy's log says more"}
	}
	defer run.leave()
	answer, err := do(run.Gatehouse, r, c)
	if err != nil {
		if fault, ok := errors.AsType[caddy.APIError](err); ok {
			return fault
		}
		status, text := gatehouse.Fault(err)
		return caddy.APIError{HTTPStatus: status, Err: err, Message: text}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		app.(*App).logger.Warn("answering a command", slog.Any("error", err))
	}
	return nil
}

// refusal is an error whose text is the answer.
func refusal(status int, text string) error {
	return caddy.APIError{HTTPStatus: status, Err: errors.New(text), Message: text}
}

// onlyCommands refuses what a browser may have sent: Caddy's admin endpoint knows no
// password, so a page that makes its reader's browser call it must get nothing. The
// endpoint's own origin is what Caddy's commands send.
func onlyCommands(r *http.Request) error {
	for name, values := range r.Header {
		ownOrigin := name == "Origin" && len(values) == 1 && strings.EqualFold(values[0], "http://"+r.Host) && noNameOfAPage(r.Host)
		if (name == "Origin" && !ownOrigin) || name == "Referer" || strings.HasPrefix(name, "Sec-Fetch-") {
			return refusal(http.StatusForbidden, "commands are not for browsers: use caddy gatehouse")
		}
	}
	if r.Method != http.MethodPost {
		return refusal(http.StatusMethodNotAllowed, "commands are sent by POST")
	}
	if r.Header.Get(commandHeader) == "" {
		return refusal(http.StatusForbidden, "the header "+commandHeader+" is missing")
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return refusal(http.StatusUnsupportedMediaType, "commands are sent as application/json")
	}
	return nil
}

func readCommand(w http.ResponseWriter, r *http.Request) (command, error) {
	var c command
	in := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxCommand))
	in.DisallowUnknownFields()
	err := in.Decode(&c)
	if err == nil {
		_, err = in.Token()
		if errors.Is(err, io.EOF) {
			return c, nil
		}
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return command{}, refusal(http.StatusRequestEntityTooLarge, "the command is over 64 KiB")
	}
	// The reason is left out: it may quote what was sent.
	return command{}, refusal(http.StatusBadRequest, "the command is not one JSON object with the members that this version knows")
}

// operator is who sent the command, for the audit log.
func operator(r *http.Request) gatehouse.Caller {
	var c gatehouse.Caller
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		c.Address = host
	}
	return c
}

// keyAnswer is a key as commands show it.
type keyAnswer struct {
	ID      string    `json:"kid"`
	Alg     string    `json:"alg"`
	State   string    `json:"state"`
	Created time.Time `json:"created"`
	Signs   time.Time `json:"signs"`
	Retires time.Time `json:"retires,omitzero"`
	Expires time.Time `json:"expires,omitzero"`
}

type keysAnswer struct {
	Keys []keyAnswer `json:"keys"`
}

// doneAnswer says whether a command changed anything.
type doneAnswer struct {
	Done bool `json:"done"`
}

// sessionAnswer is a session as commands show it.
type sessionAnswer struct {
	ID       string    `json:"sid"`
	Account  string    `json:"account,omitempty"`
	User     string    `json:"user,omitempty"`
	Client   string    `json:"client"`
	Address  string    `json:"address,omitempty"`
	Created  time.Time `json:"created"`
	LastUsed time.Time `json:"last_used"`
	Expires  time.Time `json:"expires"`
}

type sessionsAnswer struct {
	Sessions []sessionAnswer `json:"sessions"`
	More     bool            `json:"more"` // there may be more than are listed
}

func listKeys(g *gatehouse.Gatehouse, r *http.Request, c command) (any, error) {
	keys, err := g.Keys(r.Context(), operator(r), c.Realm)
	if err != nil {
		return nil, err
	}
	answer := keysAnswer{Keys: make([]keyAnswer, 0, len(keys))}
	for _, k := range keys {
		answer.Keys = append(answer.Keys, keyAnswer{
			ID: k.ID, Alg: k.Alg, State: k.State, Created: whole(k.Created), Signs: whole(k.Signs), Retires: whole(k.Retires), Expires: whole(k.Expires),
		})
	}
	return answer, nil
}

func rotateKeys(g *gatehouse.Gatehouse, r *http.Request, c command) (any, error) {
	made, err := g.RotateKeys(r.Context(), operator(r), c.Realm)
	return doneAnswer{made}, err
}

func revokeKey(g *gatehouse.Gatehouse, r *http.Request, c command) (any, error) {
	if c.Key == "" {
		return nil, refusal(http.StatusBadRequest, "the kid is missing")
	}
	return doneAnswer{true}, g.RevokeKey(r.Context(), operator(r), c.Realm, c.Key)
}

func revokeToken(g *gatehouse.Gatehouse, r *http.Request, c command) (any, error) {
	switch {
	case (c.Token == "") == (c.TokenID == ""):
		return nil, refusal(http.StatusBadRequest, "either a token or its jti is needed")
	case c.Token != "":
		return doneAnswer{true}, g.EndToken(r.Context(), operator(r), c.Realm, c.Token)
	case len(c.TokenID) > maxTokenID || strings.ContainsRune(c.TokenID, 0):
		return nil, refusal(http.StatusBadRequest, "this is not the jti of a token of ours")
	default:
		return doneAnswer{true}, g.EndTokenID(r.Context(), operator(r), c.Realm, c.TokenID)
	}
}

// maxTokenID bounds a `jti`, in bytes; ours are UUIDs.
const maxTokenID = 128

func listSessions(g *gatehouse.Gatehouse, r *http.Request, c command) (any, error) {
	sessions, err := g.Sessions(r.Context(), operator(r), c.Realm, c.User)
	if err != nil {
		return nil, err
	}
	answer := sessionsAnswer{Sessions: make([]sessionAnswer, 0, len(sessions)), More: len(sessions) >= gatehouse.MaxListed}
	for _, s := range sessions {
		answer.Sessions = append(answer.Sessions, sessionAnswer{
			ID: s.ID, Account: s.Account, User: s.Username, Client: s.Client, Address: s.Address,
			Created: whole(s.Created), LastUsed: whole(s.LastUsed), Expires: whole(s.Expires),
		})
	}
	return answer, nil
}

func endSession(g *gatehouse.Gatehouse, r *http.Request, c command) (any, error) {
	if c.Session == "" {
		return nil, refusal(http.StatusBadRequest, "the sid is missing")
	}
	return doneAnswer{true}, g.EndSession(r.Context(), operator(r), c.Realm, c.Session)
}

// whole is the time in UTC, to the second; zero stays zero.
func whole(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

var _ caddy.AdminRouter = (*Admin)(nil)
