package provider

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// Object is a JSON object (RFC 8259 §4) of which nothing can be read in two ways: its
// members' names are compared exactly, none stands there twice, and all of it is
// UTF-8. A member that is null counts as one that is not there. The errors of its
// methods repeat nothing of what was read.
type Object map[string]json.RawMessage

// The faults of a text that should have been JSON.
var (
	errEmpty     = errors.New("an empty body")
	errNotUTF8   = errors.New("not UTF-8 text")
	errNotJSON   = errors.New("not JSON")
	errNotObject = errors.New("JSON, but not an object")
	errNotList   = errors.New("JSON, but not a list of objects")
	errTwice     = errors.New("JSON with a member that stands there twice")
	errMembers   = errors.New("JSON with more than 1000 members in one object")
)

// maxMembers bounds one object. No upstream says so many things of anybody, and each takes
// a hundred times the memory that it took to say.
const maxMembers = 1000

// ParseObject reads one JSON object and nothing after it.
func ParseObject(raw []byte) (Object, error) {
	if err := check(raw); err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil, errNotObject
	}
	o := Object{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, errNotJSON
		}
		name, _ := token.(string) // in an object, nothing else stands here
		if _, twice := o[name]; twice {
			return nil, errTwice
		}
		if len(o) == maxMembers {
			return nil, errMembers
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, errNotJSON
		}
		o[name] = value
	}
	return o, nil
}

// ParseList reads one JSON array of objects and nothing after it.
func ParseList(raw []byte) ([]Object, error) {
	if err := check(raw); err != nil {
		return nil, err
	}
	var parts []json.RawMessage
	if raw = bytes.TrimLeft(raw, " \t\r\n"); raw[0] != '[' || json.Unmarshal(raw, &parts) != nil {
		return nil, errNotList
	}
	list := make([]Object, 0, len(parts))
	for _, part := range parts {
		o, err := ParseObject(part)
		if err != nil {
			return nil, err
		}
		list = append(list, o)
	}
	return list, nil
}

// check refuses what is not one whole JSON text.
func check(raw []byte) error {
	switch {
	case len(bytes.TrimSpace(raw)) == 0:
		return errEmpty
	case !utf8.Valid(raw):
		return errNotUTF8
	case !json.Valid(raw):
		return errNotJSON
	}
	return nil
}

// Has reports whether the member is there and not null.
func (o Object) Has(name string) bool {
	raw, ok := o[name]
	return ok && !bytes.Equal(raw, []byte("null"))
}

// Text returns a member that is a string; empty if it is not there.
func (o Object) Text(name string) (string, error) {
	if !o.Has(name) {
		return "", nil
	}
	var s string
	if o[name][0] != '"' || json.Unmarshal(o[name], &s) != nil {
		return "", fmt.Errorf("the member %s is not text", name)
	}
	return s, nil
}

// Integer returns a member that is a whole number, written as one or as a string of
// digits, as some upstreams do; zero if it is not there.
func (o Object) Integer(name string) (int64, error) {
	if !o.Has(name) {
		return 0, nil
	}
	digits := string(o[name])
	if digits[0] == '"' {
		digits, _ = o.Text(name)
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("the member %s is not a whole number", name)
	}
	return n, nil
}

// Bool returns a member that is true or false; false if it is not there.
func (o Object) Bool(name string) (bool, error) {
	if !o.Has(name) {
		return false, nil
	}
	switch string(o[name]) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, fmt.Errorf("the member %s is neither true nor false", name)
}

// Object returns a member that is an object; it must be there.
func (o Object) Object(name string) (Object, error) {
	if !o.Has(name) {
		return nil, fmt.Errorf("the member %s is missing", name)
	}
	inner, err := ParseObject(o[name])
	if err != nil {
		return nil, fmt.Errorf("the member %s: %w", name, err)
	}
	return inner, nil
}

// objectOf turns a form into an object of texts; a field that stands there twice is
// refused as a member would be.
func objectOf(form map[string][]string) (Object, error) {
	o := make(Object, len(form))
	for name, values := range form {
		if len(values) != 1 {
			return nil, errTwice
		}
		raw, err := json.Marshal(values[0])
		if err != nil || !utf8.ValidString(values[0]) {
			return nil, errNotUTF8
		}
		o[name] = raw
	}
	return o, nil
}
