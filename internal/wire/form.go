package wire

import (
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// Bounds of a list of parameters.
const (
	MaxParams  = 64 // parameters in one place
	MaxRepeats = 16 // values of one repeatable parameter
	maxShown   = 64 // bytes of a parameter's name that an error repeats
)

// The reasons the frame gives for a faulty parameter, so that a dialect can tell
// them apart.
const (
	ReasonMissing  = "missing"
	ReasonRepeated = "given more than once"
	ReasonTooMany  = "given too many times"
	ReasonEncoding = "badly percent-encoded"
	ReasonText     = "not UTF-8 text without NUL"
)

// Param is one parameter as it was sent, decoded.
type Param struct{ Name, Value string }

// Params are the parameters of one place (query or body), in order.
type Params []Param

// ParseForm decodes application/x-www-form-urlencoded text (RFC 6749 Appendix B).
// It takes no text that two readers could read differently: a name that stands
// there twice and is not repeatable, a percent sign without two hex digits, bytes
// that are not UTF-8, and NUL are all refused. The fault names its parameter, the
// first one that has one. Errors: Invalid.
func ParseForm(raw string, repeatable ...string) (Params, error) {
	params, faulty, err := ReadForm(raw, repeatable...)
	switch {
	case err != nil:
		return nil, err
	case len(faulty) > 0:
		return nil, Faulty(faulty[0].Name, faulty[0].Reason)
	}
	return params, nil
}

// ReadForm is ParseForm for a dialect that reports every faulty parameter at once:
// these are answered beside those that are good. Errors: Invalid, where the fault
// is not one parameter's.
func ReadForm(raw string, repeatable ...string) (params Params, faulty []authority.Field, err error) {
	params = make(Params, 0, min(MaxParams, strings.Count(raw, "&")+1))
	seen := 0
	for rest, more := raw, raw != ""; more; {
		var pair string
		pair, rest, more = strings.Cut(rest, "&")
		if pair == "" {
			continue
		}
		if seen++; seen > MaxParams {
			return nil, nil, tooMany()
		}
		name, value, reason := parsePair(pair)
		if name == "" {
			return nil, nil, badName()
		}
		if times := params.count(name); times > 0 {
			switch {
			case !slices.Contains(repeatable, name):
				reason = ReasonRepeated
			case times == MaxRepeats:
				reason = ReasonTooMany
			}
		}
		if reason != "" {
			faulty = addFault(faulty, name, reason)
			continue
		}
		params = append(params, Param{name, value})
	}
	return params, faulty, nil
}

// addFault keeps the first fault of each parameter.
func addFault(faulty []authority.Field, name, reason string) []authority.Field {
	if name = shown(name); slices.ContainsFunc(faulty, func(f authority.Field) bool { return f.Name == name }) {
		return faulty
	}
	return append(faulty, authority.Field{Name: name, Reason: reason})
}

// parsePair decodes one parameter. It answers no name if that cannot be read, and a
// reason if the value cannot.
func parsePair(pair string) (name, value, reason string) {
	rawName, rawValue, _ := strings.Cut(pair, "=")
	name, err := url.QueryUnescape(rawName)
	if err != nil || !ValidText(name) {
		return "", "", ""
	}
	value, err = url.QueryUnescape(rawValue)
	switch {
	case err != nil:
		return name, "", ReasonEncoding
	case !ValidText(value):
		return name, "", ReasonText
	}
	return name, value, ""
}

func tooMany() error { return invalid("the request has too many parameters") }

func badName() error {
	return invalid("a parameter's name is empty, badly percent-encoded or not UTF-8 text without NUL")
}

func (p Params) count(name string) int {
	n := 0
	for i := range p {
		if p[i].Name == name {
			n++
		}
	}
	return n
}

// Get returns the first value of the name. A parameter without a value counts as
// omitted (RFC 6749 §3.2), so "" says both.
func (p Params) Get(name string) string {
	for i := range p {
		if p[i].Name == name {
			return p[i].Value
		}
	}
	return ""
}

// All returns the values of the name that are not empty, in order.
func (p Params) All(name string) []string {
	var all []string
	for i := range p {
		if p[i].Name == name && p[i].Value != "" {
			all = append(all, p[i].Value)
		}
	}
	return all
}

// Need is Get for a parameter that must be there. Errors: Invalid.
func (p Params) Need(name string) (string, error) {
	if v := p.Get(name); v != "" {
		return v, nil
	}
	return "", Faulty(name, ReasonMissing)
}

// ValidText reports whether s is UTF-8 without NUL, the only text the store takes.
func ValidText(s string) bool {
	return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0
}

// Faulty is the error Invalid about one parameter. A name is the caller's own
// text, so only the beginning of a long one is repeated.
func Faulty(name, reason string) error {
	return &authority.Error{
		Kind: authority.Invalid, Op: opRead,
		Fields: []authority.Field{{Name: shown(name), Reason: reason}},
	}
}

// shown is the beginning of a name; cutting a name that was cut changes nothing.
func shown(name string) string {
	if rest, cut := strings.CutSuffix(name, "..."); len(name) <= maxShown || cut && len(rest) <= maxShown {
		return name
	}
	return strings.ToValidUTF8(name[:maxShown], "") + "..."
}
