package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Bounds on what a file may hold; no honest one comes near them.
const (
	maxFile   = 64 << 10 // bytes
	maxList   = 256      // entries of a list
	maxText   = 4 << 10  // bytes of a text
	maxFaults = 20       // reported; the rest is counted
)

// readFile reads and checks a file. The error names every fault with its line.
func readFile(name string) (*build, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no %s here; run this in a checkout of Gatehouse, or name a file with -config", name)
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	return parse(name, text)
}

// parse is readFile for text that is already there; name is for errors.
func parse(name string, text []byte) (*build, error) {
	if len(text) > maxFile {
		return nil, fmt.Errorf("%s is longer than %d bytes", name, maxFile)
	}
	r := &reader{name: name, text: text, dec: json.NewDecoder(bytes.NewReader(text))}
	if !utf8.Valid(text) {
		return nil, fmt.Errorf("%s is not UTF-8", name)
	}
	// The syntax is checked first, as a whole, so that the walk below meets no
	// syntax error half way and nothing stands after the object.
	var whole any
	if err := json.Unmarshal(text, &whole); err != nil {
		at := int64(len(text))
		if bad, ok := errors.AsType[*json.SyntaxError](err); ok {
			at = bad.Offset
		}
		return nil, fmt.Errorf("%s:%d: not JSON: %w", name, r.lineAt(at), err)
	}
	r.dec.UseNumber()
	b := r.build()
	if len(r.faults) > 0 {
		more := len(r.faults) - maxFaults
		if more > 0 {
			r.faults = append(r.faults[:maxFaults], fmt.Errorf("and %d more", more))
		}
		return nil, errors.Join(r.faults...)
	}
	return b, nil
}

// reader walks the file's tokens and collects what is wrong with them.
type reader struct {
	name   string
	text   []byte
	dec    *json.Decoder
	faults []error
}

// field reads the value of the field that stands at path.
type field func(path string)

func (r *reader) lineAt(offset int64) int {
	return 1 + bytes.Count(r.text[:min(max(offset, 0), int64(len(r.text)))], []byte("\n"))
}

func (r *reader) line() int { return r.lineAt(r.dec.InputOffset()) }

func (r *reader) fault(line int, format string, args ...any) {
	r.faults = append(r.faults, fmt.Errorf("%s:%d: %w", r.name, line, fmt.Errorf(format, args...)))
}

// token returns the next token. The syntax is known to be right, so that an error
// cannot occur; were there one, nil is of no type that anybody expects.
func (r *reader) token() json.Token {
	t, err := r.dec.Token()
	if err != nil {
		return nil
	}
	return t
}

// skip passes over the rest of a value whose first token is t.
func (r *reader) skip(t json.Token) {
	for depth := 0; ; t = r.token() {
		switch t {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth <= 0 {
			return
		}
	}
}

// wrong reports a value of another type than asked for.
func (r *reader) wrong(path, want string, t json.Token) {
	r.fault(r.line(), "%s must be %s", path, want)
	r.skip(t)
}

// object reads an object that may have the given fields, each once and in this very
// spelling: encoding/json would take CADDY_VERSION for caddy_version and the last of
// two, where another reader takes the first.
func (r *reader) object(path string, fields map[string]field) bool {
	if t := r.token(); t != json.Delim('{') {
		r.wrong(orFile(path), "an object", t)
		return false
	}
	before, seen := len(r.faults), map[string]bool{}
	for r.dec.More() {
		key, ok := r.token().(string)
		if !ok {
			return false
		}
		read := fields[key]
		switch {
		case read == nil:
			r.fault(r.line(), "%s", unknownField(path, key, slices.Sorted(maps.Keys(fields))))
			r.skip(r.token())
		case seen[key]:
			r.fault(r.line(), "%s is there twice", join(path, key))
			r.skip(r.token())
		default:
			seen[key] = true
			read(join(path, key))
		}
	}
	r.token()
	return len(r.faults) == before
}

func orFile(path string) string {
	if path == "" {
		return "the file"
	}
	return path
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// list reads a list and calls element for each entry.
func (r *reader) list(element field) field {
	return func(path string) {
		if t := r.token(); t != json.Delim('[') {
			r.wrong(path, "a list", t)
			return
		}
		for i := 0; r.dec.More(); i++ {
			if i == maxList {
				r.fault(r.line(), "%s has more than %d entries", path, maxList)
			}
			if i >= maxList {
				r.skip(r.token())
				continue
			}
			element(path + "[" + strconv.Itoa(i) + "]")
		}
		r.token()
	}
}

// string reads a text into a place. check may be nil; an empty text is as none.
func (r *reader) string(into *string, check func(string) error) field {
	return func(path string) {
		t := r.token()
		s, ok := t.(string)
		if !ok {
			r.wrong(path, "a text", t)
			return
		}
		switch {
		case s == "":
		case len(s) > maxText:
			r.fault(r.line(), "%s is longer than %d bytes", path, maxText)
		case strings.ContainsFunc(s, unicode.IsControl):
			r.fault(r.line(), "%s has a control character", path)
		case check != nil:
			if err := check(s); err != nil {
				r.fault(r.line(), "%s: %w", path, err)
			}
		}
		*into = s
	}
}

func (r *reader) bool(into *bool) field {
	return func(path string) {
		t := r.token()
		yes, ok := t.(bool)
		if !ok {
			r.wrong(path, "true or false", t)
			return
		}
		*into = yes
	}
}

// nanoseconds reads a time.Duration as Builder's JSON has it: a whole number.
func (r *reader) nanoseconds(into *time.Duration) field {
	return func(path string) {
		t := r.token()
		if s, ok := t.(string); ok {
			if d, err := time.ParseDuration(s); err == nil && d > 0 {
				r.fault(r.line(), "%s must be a whole number of nanoseconds: write %d for %s", path, d.Nanoseconds(), s)
				return
			}
		}
		n, ok := t.(json.Number)
		if !ok {
			r.wrong(path, "a whole number of nanoseconds", t)
			return
		}
		ns, err := strconv.ParseInt(n.String(), 10, 64)
		switch {
		case err != nil || ns < 0:
			r.fault(r.line(), "%s must be a whole number of nanoseconds, at least 0", path)
		case ns > 0 && ns < int64(time.Millisecond):
			// Nobody means to give up after 600 ns; he counted in seconds.
			r.fault(r.line(), "%s counts in nanoseconds: %d is less than a millisecond; %d s would be %d", path, ns, ns, time.Duration(ns)*time.Second)
		default:
			*into = time.Duration(ns)
		}
	}
}
