package golem

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/wire"
)

const opRead = "read request"

// The parameters of a login. The original's documents and its later clients spell
// the token differently.
const (
	providerName = "provider"
	tokenName    = "access_token"
	tokenNameToo = "access-token"
)

// decodeLogin reads a login by an upstream's token. Errors: TooLarge, Invalid (all
// that is wrong at once).
func (d *Dialect) decodeLogin(r *http.Request) (authority.UpstreamTokenRequest, error) {
	none := authority.UpstreamTokenRequest{}
	p, err := readParams(r)
	if err != nil {
		return none, err
	}
	q := authority.UpstreamTokenRequest{
		Realm: d.realm.Name, Provider: p.need(providerName), AccessToken: p.need(tokenName, tokenNameToo),
	}
	if q.Provider != "" && !slices.Contains(d.realm.Providers, q.Provider) {
		p.fault(providerName, d.notOurs())
	}
	if len(q.AccessToken) > maxCredential {
		p.fault(tokenName, "longer than "+strconv.Itoa(maxCredential)+" bytes")
	}
	if err := p.err(); err != nil {
		return none, err
	}
	return q, nil
}

// notOurs says of a provider what the caller can choose from.
func (d *Dialect) notOurs() string {
	if len(d.realm.Providers) == 0 {
		return "there are no logins here"
	}
	return "must be one of " + strings.Join(d.realm.Providers, ", ")
}

// params are what a login was given, and what is wrong with it. Who reads them asks
// for all that he needs first and for err then, so that every fault is told at once.
type params struct {
	given  wire.Params // of the query, then of the body
	faults []authority.Field
	broken bool // a place could not be read at all: nobody knows what is missing
}

// readParams reads the parameters of the query and of the body, which is a form or
// empty. Errors: TooLarge.
func readParams(r *http.Request) (*params, error) {
	p := new(params)
	raw, err := wire.RawQuery(r)
	if err != nil {
		return nil, err
	}
	p.read(raw)
	body, err := wire.Body(r)
	switch {
	case authority.KindOf(err) == authority.TooLarge:
		return nil, err
	case err != nil:
		p.unread(err)
	case len(body) > 0:
		if _, err := wire.MediaType(r, wire.FormType); err != nil {
			p.unread(err)
		} else {
			p.read(string(body))
		}
	}
	return p, nil
}

// read adds the parameters of one place.
func (p *params) read(raw string) {
	given, faulty, err := wire.ReadForm(raw)
	if err != nil {
		p.unread(err)
		return
	}
	p.given = append(p.given, given...)
	for _, f := range faulty {
		p.fault(f.Name, f.Reason)
	}
}

func (p *params) unread(err error) {
	p.broken = true
	p.fault("", publicOf(err))
}

// fault keeps a fault; the first one of each name. Faults of no name are all kept.
func (p *params) fault(name, reason string) {
	if name == "" || !p.isFaulty(name) {
		p.faults = append(p.faults, authority.Field{Name: name, Reason: reason})
	}
}

func (p *params) isFaulty(name string) bool {
	return slices.ContainsFunc(p.faults, func(f authority.Field) bool { return f.Name == name })
}

// need is the value of a parameter that must be there once: in one place, under one
// of its names. One without a value counts as omitted (RFC 6749 §3.2). The value is
// empty if there is a fault.
func (p *params) need(names ...string) string {
	var values []string
	for _, name := range names {
		values = append(values, p.given.All(name)...)
	}
	switch {
	case slices.ContainsFunc(names, p.isFaulty):
		return ""
	case len(values) == 1:
		return values[0]
	case len(values) > 1:
		p.fault(names[0], wire.ReasonRepeated)
	case !p.broken:
		p.fault(names[0], wire.ReasonMissing)
	}
	return ""
}

// err is all that is wrong. Errors: Invalid.
func (p *params) err() error {
	if len(p.faults) == 0 {
		return nil
	}
	return &authority.Error{Kind: authority.Invalid, Op: opRead, Fields: p.faults}
}

// decodeStart reads the start of a device login. The original's has no body.
// Errors: TooLarge, Invalid.
func (d *Dialect) decodeStart(r *http.Request) (authority.DeviceRequest, error) {
	none := authority.DeviceRequest{}
	body, err := optionalObject(r, providerName)
	if err != nil {
		return none, err
	}
	q := authority.DeviceRequest{Realm: d.realm.Name, Provider: body.Get(providerName)}
	if q.Provider == "" {
		q.Provider = d.defaultProvider()
	}
	if !slices.Contains(d.realm.Providers, q.Provider) {
		return none, faulty(providerName, d.notOurs())
	}
	return q, nil
}

// optionalObject reads a flat JSON object of which the named members are texts. No
// body is an empty one. Errors: TooLarge, Invalid (all that is wrong at once).
func optionalObject(r *http.Request, texts ...string) (wire.Params, error) {
	raw, err := wire.Body(r)
	if err != nil || len(raw) == 0 {
		return nil, err
	}
	if _, err := wire.MediaType(r, wire.JSONType); err != nil {
		return nil, err
	}
	body, faults, err := wire.ReadObject(raw, texts...)
	if err == nil && len(faults) > 0 {
		err = &authority.Error{Kind: authority.Invalid, Op: opRead, Fields: faults}
	}
	return body, err
}

// decodeComplete reads which device login to wait for. Errors: TooLarge, Invalid,
// DeviceInvalid.
func (d *Dialect) decodeComplete(r *http.Request) (authority.DeviceCompletion, error) {
	none := authority.DeviceCompletion{}
	raw, err := wire.Body(r)
	if err != nil {
		return none, err
	}
	if _, err := wire.MediaType(r, wire.JSONType); err != nil {
		return none, err
	}
	session, err := readSession(raw)
	if err != nil {
		return none, err
	}
	return authority.DeviceCompletion{Realm: d.realm.Name, Session: session}, nil
}

// readSession reads a body that is one JSON string (RFC 8259 §7) and nothing more.
// A session is base64url, so what two readers could read differently (half a
// surrogate pair, bytes that are not UTF-8) is none. Errors: Invalid, DeviceInvalid.
func readSession(raw []byte) (string, error) {
	var whole any // checks all of it, and that nothing comes after it
	if err := json.Unmarshal(raw, &whole); err != nil {
		return "", invalid("the request body is not JSON: it must be the encodedSession as a JSON string")
	}
	session, is := whole.(string)
	if !is {
		return "", invalid("the request body must be the encodedSession as a JSON string")
	}
	if session == "" || len(session) > maxCredential {
		return "", badSession()
	}
	for i := range len(session) {
		if !isBase64URL(session[i]) {
			return "", badSession()
		}
	}
	return session, nil
}

// decodeOwn reads a call about the bearer's own token. Errors: Invalid, TokenInvalid.
func (d *Dialect) decodeOwn(r *http.Request) (authority.AccountCall, error) {
	token, err := bearer(r)
	if err != nil {
		return authority.AccountCall{}, err
	}
	return authority.AccountCall{Realm: d.realm.Name, Bearer: token}, nil
}

// decodeAccount reads a call about an account or one of its tokens. Errors: Invalid,
// TokenInvalid, NotFound (no account and no token has such an id).
func (d *Dialect) decodeAccount(r *http.Request) (authority.AccountCall, error) {
	q, err := d.decodeOwn(r)
	if err != nil {
		return q, err
	}
	at, _ := underAccounts(r.URL.Path)
	if !isUUID(at.account) || at.token != "" && !isUUID(at.token) {
		return authority.AccountCall{}, &authority.Error{Kind: authority.NotFound, Op: opRead}
	}
	q.Account, q.TokenID = at.account, at.token
	return q, nil
}

// decodeMint reads a wish for a further token. Errors: TooLarge, Invalid,
// TokenInvalid, NotFound.
func (d *Dialect) decodeMint(r *http.Request) (authority.AccountCall, error) {
	none := authority.AccountCall{}
	q, err := d.decodeAccount(r)
	if err != nil {
		return none, err
	}
	body, err := optionalObject(r, expiresName)
	if err != nil {
		return none, err
	}
	given := body.Get(expiresName)
	if given == "" {
		return q, nil
	}
	if q.Expires, err = readStamp(given); err != nil {
		return none, faulty(expiresName, err.Error())
	}
	if q.Expires.IsZero() { // which would say: as late as may be
		return none, faulty(expiresName, "must be in the future")
	}
	return q, nil
}
