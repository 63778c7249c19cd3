package keycloak

import (
	"errors"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/wire"
)

const opRead = "read request"

// The places of a parameter, as `loc` calls them.
const (
	inQuery  = "query"
	inBody   = "body"
	inHeader = "header"
)

// texts are the parameters of all calls. In JSON each is a string.
var texts = [...]string{
	"realm", "client_id", "client_secret", "grant_type", "scopes", "refresh_token", "username", "password", "token",
}

// params are what a call was given, from all places, and what is wrong with it. Who
// reads them asks for all that he needs first and for err then, so that every fault
// is told at once.
type params struct {
	query, body wire.Params
	faults      []fault
	faulty      map[string]bool // names that have a fault already
	broken      bool            // a place could not be read at all: nobody knows what is missing
	refused     error           // why the client is not believed
}

// readParams reads the parameters of the query and of the body, which is a form or
// a flat JSON object, or empty. Errors: TooLarge.
func readParams(r *http.Request) (*params, error) {
	p := &params{faulty: make(map[string]bool)}
	raw, err := wire.RawQuery(r)
	if err != nil {
		return nil, err
	}
	query, faulty, err := wire.ReadForm(raw)
	p.query = query
	p.note(inQuery, faulty, err)

	body, err := wire.Body(r)
	switch {
	case authority.KindOf(err) == authority.TooLarge:
		return nil, err
	case err != nil:
		p.note(inBody, nil, err)
	case len(body) > 0:
		p.readBody(r, body)
	}
	for _, b := range p.body {
		if i := index(p.query, b.Name); i >= 0 && p.query[i].Value != b.Value {
			p.fault(b.Name, valueFault("not the value that stands in the query", inBody, b.Name))
		}
	}
	return p, nil
}

func (p *params) readBody(r *http.Request, body []byte) {
	mediaType, err := wire.MediaType(r, wire.FormType, wire.JSONType)
	if err != nil {
		p.broken = true
		p.fault("", valueFault(publicOf(err), inHeader, "content-type"))
		return
	}
	var faulty []authority.Field
	if mediaType == wire.JSONType {
		p.body, faulty, err = wire.ReadObject(body, texts[:]...)
	} else {
		p.body, faulty, err = wire.ReadForm(string(body))
	}
	p.note(inBody, faulty, err)
}

// note keeps what is wrong with one place.
func (p *params) note(place string, faulty []authority.Field, err error) {
	for _, f := range faulty {
		p.fault(f.Name, reasonFault(f.Reason, place, f.Name))
	}
	if err == nil {
		return
	}
	p.broken = true
	if at, ok := errors.AsType[*wire.SyntaxError](err); ok {
		p.fault("", fault{Type: "json_invalid", Loc: []any{place, at.Offset}, Msg: "JSON decode error"})
		return
	}
	p.fault("", valueFault(publicOf(err), place))
}

// fault keeps a fault; the first one of each name. Faults of no name are all kept.
func (p *params) fault(name string, f fault) {
	if name != "" && p.faulty[name] {
		return
	}
	p.faulty[name] = true
	p.faults = append(p.faults, f)
}

// get is the parameter's value. One without a value counts as omitted (RFC 6749
// §3.2), so "" says both.
func (p *params) get(name string) string {
	if v := p.query.Get(name); v != "" {
		return v
	}
	return p.body.Get(name)
}

// need is get for a parameter that must be there.
func (p *params) need(name string) string {
	v := p.get(name)
	if v == "" && !p.broken {
		p.fault(name, reasonFault(wire.ReasonMissing, p.place(name), name))
	}
	return v
}

// place is where a parameter was looked for: the query, unless it stands in the body.
func (p *params) place(name string) string {
	if index(p.body, name) >= 0 {
		return inBody
	}
	return inQuery
}

// client reads who the client says it is: by the Basic scheme, or by client_id and
// client_secret. Without an Authorization field the named parameters must be there.
// It believes nothing: the authority checks it.
func (p *params) client(r *http.Request, needed ...string) authority.ClientAuth {
	auth := authority.ClientAuth{ID: p.get("client_id"), Secret: p.get("client_secret")}
	fields := r.Header.Values("Authorization")
	if len(fields) == 0 {
		if auth.Secret != "" {
			auth.Method = authority.AuthPost
			needed = append(needed, "client_id")
		}
		for _, name := range needed {
			p.need(name)
		}
		return auth
	}
	if len(fields) > 1 {
		p.fault("", valueFault(wire.ReasonRepeated, inHeader, "authorization"))
		return authority.ClientAuth{}
	}
	// RFC 6749 §2.3: never more than one method.
	if auth.Secret != "" {
		p.fault("client_secret", valueFault("the Authorization header says who the client is", p.place("client_secret"), "client_secret"))
	}
	basic, err := wire.Basic(fields[0])
	switch {
	case err != nil:
		p.refused = err
	case auth.ID != "" && auth.ID != basic.ID:
		p.fault("client_id", valueFault("not the client of the Authorization header", p.place("client_id"), "client_id"))
	}
	return basic
}

// err is all that is wrong, faulty parameters first. Errors: Invalid,
// ClientUnauthenticated.
func (p *params) err() error {
	if len(p.faults) > 0 {
		return &badParams{p.faults}
	}
	return p.refused
}

// index finds a parameter, with a value or without; -1 if it is not there.
func index(in wire.Params, name string) int {
	for i := range in {
		if in[i].Name == name {
			return i
		}
	}
	return -1
}
