package pakt

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/wire"
)

const opRead = "read request"

// Bounds of what a provider sends a browser back with, in bytes.
const (
	maxState  = 512
	maxCode   = 4 << 10
	maxIssuer = 2 << 10
)

// callbackNames are the parameters of a provider's answer (RFC 6749 §4.1.2, RFC 9207)
// that are looked at. Front ends hand on what they got and more; the rest is ignored.
var callbackNames = [...]string{"state", "code", "iss", "error"}

// callback is a provider's answer, of one value each.
type callback struct {
	state, code string
	issuer      string // `iss` (RFC 9207), or empty
}

// readCallback reads a provider's answer from the query, or from a body that is a form
// or a flat JSON object. Errors: Invalid with every faulty parameter, TooLarge,
// UpstreamCodeInvalid (the provider answered with an error).
func readCallback(r *http.Request) (callback, error) {
	none := callback{}
	given, err := readPlaces(r)
	if err != nil {
		return none, err
	}
	if refused := given.get("error"); refused != "" && len(given.faults) == 0 {
		return none, refusal(refused)
	}
	back := callback{state: given.need("state"), code: given.need("code"), issuer: given.get("iss")}
	given.check("state", back.state == "" || isState(back.state), "not one of ours, which are letters and digits")
	given.check("code", len(back.code) <= maxCode && isVisible(back.code), "not a code: printable ASCII, at most 4 KiB")
	given.check("iss", len(back.issuer) <= maxIssuer && isVisible(back.issuer), "not an issuer: printable ASCII, at most 2 KiB")
	if len(given.faults) > 0 {
		return none, &authority.Error{Kind: authority.Invalid, Op: opRead, Fields: given.faults}
	}
	return back, nil
}

// refusal is the error of a login that the provider ended with one. Only the code for
// the user's own "no" is repeated: the rest is text of whoever made the link.
func refusal(code string) error {
	public := "the provider ended the login with an error instead of a code: begin a new login"
	if code == "access_denied" { // RFC 6749 §4.1.2.1
		public = "the login was refused at the provider (access_denied)"
	}
	return &authority.Error{Kind: authority.UpstreamCodeInvalid, Op: opRead, Public: public}
}

// places are the parameters that a request brought, and what is wrong with them.
type places struct {
	query, body wire.Params
	faults      []authority.Field
}

func readPlaces(r *http.Request) (*places, error) {
	raw, err := wire.RawQuery(r)
	if err != nil {
		return nil, err
	}
	p := new(places)
	query, faulty, err := wire.ReadForm(literalPlus(raw))
	if err != nil {
		return nil, err
	}
	p.query = query
	p.note(faulty)
	body, err := wire.Body(r)
	if err != nil {
		return nil, err
	}
	// Clients say application/json of a body that is not there.
	if len(body) > 0 {
		if err := p.readBody(r, body); err != nil {
			return nil, err
		}
	}
	for _, name := range callbackNames {
		if has(p.query, name) && has(p.body, name) {
			p.fault(name, "given in the query and in the body: send it once")
		}
	}
	return p, nil
}

func (p *places) readBody(r *http.Request, body []byte) error {
	mediaType, err := wire.MediaType(r, wire.JSONType, wire.FormType)
	if err != nil {
		return err
	}
	var faulty []authority.Field
	if mediaType == wire.JSONType {
		p.body, faulty, err = wire.ReadObject(body, callbackNames[:]...)
	} else {
		p.body, faulty, err = wire.ReadForm(literalPlus(string(body)))
	}
	p.note(faulty)
	return err
}

// literalPlus makes every + of form-encoded text stand for itself. Clients put the code
// into the address as it is; a form's reader would take a + in it for a space, and the
// provider would refuse the code. No provider's code has a space, and one could still
// be sent as %20.
func literalPlus(form string) string { return strings.ReplaceAll(form, "+", "%2B") }

// note keeps the faults of parameters that are looked at.
func (p *places) note(faulty []authority.Field) {
	for _, f := range faulty {
		if slices.Contains(callbackNames[:], f.Name) {
			p.fault(f.Name, f.Reason)
		}
	}
}

// fault keeps the first fault of each parameter.
func (p *places) fault(name, reason string) {
	if !slices.ContainsFunc(p.faults, func(f authority.Field) bool { return f.Name == name }) {
		p.faults = append(p.faults, authority.Field{Name: name, Reason: reason})
	}
}

func (p *places) check(name string, good bool, reason string) {
	if !good {
		p.fault(name, reason)
	}
}

// get is the parameter's value. One without a value counts as omitted (RFC 6749 §3.1),
// so "" says both.
func (p *places) get(name string) string {
	if v := p.query.Get(name); v != "" {
		return v
	}
	return p.body.Get(name)
}

// need is get for a parameter that must be there.
func (p *places) need(name string) string {
	v := p.get(name)
	p.check(name, v != "", wire.ReasonMissing)
	return v
}

// has reports whether a parameter stands there, with a value or without.
func has(in wire.Params, name string) bool {
	return slices.ContainsFunc(in, func(p wire.Param) bool { return p.Name == name })
}

// isState reports whether s has the form of a state: what has not was not begun here.
func isState(s string) bool {
	return s != "" && len(s) <= maxState && strings.IndexFunc(s, func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
	}) < 0
}

// isVisible reports whether s is VSCHAR text (RFC 6749 Appendix A.11).
func isVisible(s string) bool {
	return strings.IndexFunc(s, func(c rune) bool { return c < ' ' || c > '~' }) < 0
}
