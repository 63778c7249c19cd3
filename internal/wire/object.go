package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// The reasons beside those of a form for a faulty member of a JSON object.
const (
	ReasonNotScalar = "neither text nor a number nor true or false"
	ReasonNotText   = "not a text"
)

// SyntaxError says where a text stops being JSON; it is the cause of the error of
// ReadObject then. It repeats nothing of the text.
type SyntaxError struct {
	Offset int64 // bytes before the fault
}

// Error is the text for the log.
func (e *SyntaxError) Error() string { return fmt.Sprintf("not JSON from byte %d on", e.Offset) }

// ReadObject decodes the JSON text (RFC 8259) of one flat object as parameters. It
// takes no text that two readers could read differently: a member that stands there
// twice, bytes that are not UTF-8, half a surrogate pair and NUL are all refused,
// and so are arrays and objects within. A number, true and false are taken as they
// are written, null as omitted. The members named by texts must be strings. Faulty
// members are answered beside those that are good. Errors: Invalid, where the fault
// is not one member's.
func ReadObject(raw []byte, texts ...string) (params Params, faulty []authority.Field, err error) {
	if !utf8.Valid(raw) {
		return nil, nil, invalid("the request body is not UTF-8 text")
	}
	var whole json.RawMessage // checks all of it, and that nothing comes after it
	if err := json.Unmarshal(raw, &whole); err != nil {
		return nil, nil, notJSON(err)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil, nil, invalid("the request body is JSON, but not an object")
	}
	seen := make(map[string]struct{})
	for dec.More() {
		name, value, err := member(dec)
		switch {
		case err != nil:
			return nil, nil, notJSON(err)
		case name == "" || !ValidText(name):
			return nil, nil, badName()
		}
		if _, twice := seen[name]; twice {
			faulty = addFault(faulty, name, ReasonRepeated)
			continue
		}
		seen[name] = struct{}{}
		if len(seen) > MaxParams {
			return nil, nil, tooMany()
		}
		text, given, reason := scalar(value, slices.Contains(texts, name))
		switch {
		case reason != "":
			faulty = addFault(faulty, name, reason)
		case given:
			params = append(params, Param{name, text})
		}
	}
	return params, faulty, nil
}

// member reads the next member of the object.
func member(dec *json.Decoder) (name string, value json.RawMessage, err error) {
	token, err := dec.Token()
	if err != nil {
		return "", nil, err
	}
	name, _ = token.(string) // in an object, nothing else stands here
	err = dec.Decode(&value)
	return name, value, err
}

// scalar decodes a member's value. given is false for null.
func scalar(value json.RawMessage, mustBeText bool) (text string, given bool, reason string) {
	switch value[0] {
	case 'n':
		return "", false, ""
	case '"':
		if err := json.Unmarshal(value, &text); err != nil || !ValidText(text) || halfPair(value) {
			return "", false, ReasonText
		}
		return text, true, ""
	case '{', '[':
		if mustBeText {
			return "", false, ReasonNotText
		}
		return "", false, ReasonNotScalar
	}
	if mustBeText {
		return "", false, ReasonNotText
	}
	return string(value), true, ""
}

// halfPair reports whether a JSON string holds half a surrogate pair, which some
// readers take for U+FFFD and others keep (RFC 8259 §8.2).
func halfPair(literal []byte) bool {
	var before rune // the high half that stands right before
	for i := 0; i < len(literal); {
		var code rune
		size := 1
		if literal[i] == '\\' && i+1 < len(literal) {
			size = 2
			if literal[i+1] == 'u' && i+6 <= len(literal) {
				size = 6
				n, _ := strconv.ParseUint(string(literal[i+2:i+6]), 16, 16)
				code = rune(n)
			}
		}
		i += size
		switch isLow := utf16.IsSurrogate(code) && code >= 0xDC00; {
		case isLow != (before != 0):
			return true
		case utf16.IsSurrogate(code) && !isLow:
			before = code
		default:
			before = 0
		}
	}
	return before != 0
}

// notJSON keeps of the decoder's error only the place: its text quotes the body.
func notJSON(err error) error {
	cause := new(SyntaxError)
	if at, ok := errors.AsType[*json.SyntaxError](err); ok {
		cause.Offset = max(0, at.Offset-1) // the decoder counts the byte it stumbled over
	}
	return &authority.Error{Kind: authority.Invalid, Op: opRead, Public: "the request body is not JSON", Err: cause}
}
