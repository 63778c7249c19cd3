package token

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// This file reads the JSON of a token more strictly than encoding/json does, which
// takes a member twice (the last one counts), in any case, and mends bad UTF-8:
// each a way for two readers to see two tokens. What it takes is RFC 8259 within
// the bounds of I-JSON (RFC 7493): unique names at every level, valid UTF-8,
// no lone surrogate; nothing after the object; and bounded in depth and members.

const (
	maxDepth   = 16
	maxMembers = 512 // of one object; an issuer may say much of a person
	// maxCompared is up to how many members all names are compared with all; beyond,
	// a map is quicker.
	maxCompared = 32
)

var (
	errSyntax    = errors.New("not strict JSON")
	errDuplicate = errors.New("a member is there twice")
	errTooDeep   = errors.New("nested too deeply")
	errMembers   = errors.New("too many members")
	errType      = errors.New("a member is of the wrong type")
)

// member is one member of an object: its name decoded, its value as it stands.
type member struct{ name, value string }

// readObject appends the members of the one object that text is.
func readObject(text string, to []member) ([]member, error) {
	if !utf8.ValidString(text) {
		return nil, errSyntax
	}
	s := scanner{text: text}
	s.space()
	if s.peek() != '{' {
		return nil, errSyntax
	}
	members, err := s.object(to)
	if err != nil {
		return nil, err
	}
	if s.space(); s.at != len(text) {
		return nil, errSyntax
	}
	return members, nil
}

// scanner walks over JSON. Each of its methods starts at the first byte of what it
// is named after and ends behind it.
type scanner struct {
	text  string
	at    int
	depth int
}

// peek returns the next byte, or 0 at the end: JSON has no NUL outside of faults.
func (s *scanner) peek() byte {
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

func (s *scanner) take(c byte) bool {
	if s.at < len(s.text) && s.text[s.at] == c {
		s.at++
		return true
	}
	return false
}

func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

func (s *scanner) value() error {
	switch c := s.peek(); c {
	case '"':
		return s.str()
	case '{':
		_, err := s.object(nil)
		return err
	case '[':
		return s.array(nil)
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	default:
		return s.number()
	}
}

func (s *scanner) object(members []member) ([]member, error) {
	if s.depth++; s.depth > maxDepth {
		return nil, errTooDeep
	}
	s.at++
	if s.space(); s.take('}') {
		s.depth--
		return members, nil
	}
	var names map[string]struct{}
	for {
		if len(members) == maxMembers {
			return nil, errMembers
		}
		m, err := s.member()
		if err != nil {
			return nil, err
		}
		var twice bool
		if names, twice = known(names, members, m.name); twice {
			return nil, errDuplicate
		}
		members = append(members, m)
		if s.space(); s.take('}') {
			s.depth--
			return members, nil
		}
		if !s.take(',') {
			return nil, errSyntax
		}
	}
}

// known reports whether one of the members has the name. Where there are many it keeps
// their names, and hands them back for the next call.
func known(names map[string]struct{}, members []member, name string) (map[string]struct{}, bool) {
	if len(members) < maxCompared {
		return nil, slices.ContainsFunc(members, func(m member) bool { return m.name == name })
	}
	if names == nil {
		names = make(map[string]struct{}, 2*len(members))
		for i := range members {
			names[members[i].name] = struct{}{}
		}
	}
	_, twice := names[name]
	names[name] = struct{}{}
	return names, twice
}

func (s *scanner) member() (member, error) {
	s.space()
	start := s.at
	if s.peek() != '"' {
		return member{}, errSyntax
	}
	if err := s.str(); err != nil {
		return member{}, err
	}
	name, err := unquote(s.text[start:s.at])
	if err != nil {
		return member{}, err
	}
	if s.space(); !s.take(':') {
		return member{}, errSyntax
	}
	s.space()
	start = s.at
	if err := s.value(); err != nil {
		return member{}, err
	}
	return member{name, s.text[start:s.at]}, nil
}

// array tells each, unless it is nil, the elements as they stand.
func (s *scanner) array(each func(value string) error) error {
	if s.depth++; s.depth > maxDepth {
		return errTooDeep
	}
	s.at++
	if s.space(); s.take(']') {
		s.depth--
		return nil
	}
	for {
		s.space()
		start := s.at
		if err := s.value(); err != nil {
			return err
		}
		if each != nil {
			if err := each(s.text[start:s.at]); err != nil {
				return err
			}
		}
		if s.space(); s.take(']') {
			s.depth--
			return nil
		}
		if !s.take(',') {
			return errSyntax
		}
	}
}

func (s *scanner) word(w string) error {
	if !strings.HasPrefix(s.text[s.at:], w) {
		return errSyntax
	}
	s.at += len(w)
	return nil
}

// str walks over a string (RFC 8259 §7).
func (s *scanner) str() error {
	for s.at++; s.at < len(s.text); {
		switch c := s.text[s.at]; {
		case c == '"':
			s.at++
			return nil
		case c < ' ':
			return errSyntax
		case c == '\\':
			if err := s.escape(); err != nil {
				return err
			}
		default:
			s.at++
		}
	}
	return errSyntax
}

// escape walks over one escape; a surrogate pair is one. Half a pair is no
// character, and readers differ in what they make of it.
func (s *scanner) escape() error {
	s.at++
	c := s.peek()
	s.at++
	if c != 'u' {
		if c == 0 || strings.IndexByte(`"\/bfnrt`, c) < 0 {
			return errSyntax
		}
		return nil
	}
	unit, err := s.hex4()
	if err != nil || unit < 0xD800 || unit > 0xDFFF {
		return err
	}
	if unit > 0xDBFF || !s.take('\\') || !s.take('u') {
		return errSyntax
	}
	if unit, err = s.hex4(); err != nil || unit < 0xDC00 || unit > 0xDFFF {
		return errSyntax
	}
	return nil
}

func (s *scanner) hex4() (unit uint16, err error) {
	if len(s.text)-s.at < 4 {
		return 0, errSyntax
	}
	for range 4 {
		c := s.text[s.at]
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, errSyntax
		}
		unit = unit<<4 | uint16(c)
		s.at++
	}
	return unit, nil
}

// number walks over a number (RFC 8259 §6).
func (s *scanner) number() error {
	s.take('-')
	if !s.take('0') && !s.digits() {
		return errSyntax
	}
	if s.take('.') && !s.digits() {
		return errSyntax
	}
	if s.take('e') || s.take('E') {
		if !s.take('+') {
			s.take('-')
		}
		if !s.digits() {
			return errSyntax
		}
	}
	return nil
}

func (s *scanner) digits() bool {
	start := s.at
	for s.at < len(s.text) && s.text[s.at] >= '0' && s.text[s.at] <= '9' {
		s.at++
	}
	return s.at > start
}

// unquote decodes a string that the scanner has walked over.
func unquote(quoted string) (string, error) {
	inner := quoted[1 : len(quoted)-1]
	if strings.IndexByte(inner, '\\') < 0 {
		return inner, nil
	}
	var text string
	if err := json.Unmarshal([]byte(quoted), &text); err != nil {
		return "", errSyntax
	}
	return text, nil
}

// readText reads a value that must be a string.
func readText(value string) (string, error) {
	if value[0] != '"' {
		return "", errType
	}
	return unquote(value)
}

// readTexts reads a value that must be a string or an array of strings.
func readTexts(value string) ([]string, error) {
	if value[0] != '[' {
		text, err := readText(value)
		return []string{text}, err
	}
	var texts []string
	s := scanner{text: value}
	err := s.array(func(element string) error {
		text, err := readText(element)
		texts = append(texts, text)
		return err
	})
	return texts, err
}

// readInteger reads a value that must be an integer of 64 bits, written without
// fraction and exponent.
func readInteger(value string) (int64, error) {
	if c := value[0]; c != '-' && (c < '0' || c > '9') {
		return 0, errType
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return 0, errType
	}
	return n, nil
}
