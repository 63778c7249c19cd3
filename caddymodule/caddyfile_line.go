package caddymodule

import (
	"errors"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/gatehouse-auth/gatehouse/internal/config"
)

// maxNesting bounds how deep blocks may stand in one another; the grammar needs four.
const maxNesting = 16

// line is one line of a Caddyfile: a word, its values, and the block it opens.
type line struct {
	word   caddyfile.Token
	values []caddyfile.Token
	open   bool // it has a block, be it empty
	lines  []line
}

// readSegment reads the whole of d, which is one line with all it opens.
func readSegment(d *caddyfile.Dispenser) (line, error) {
	if !d.Next() {
		return line{}, d.EOFErr()
	}
	l, err := readLine(d, maxNesting)
	if err == nil && d.Next() {
		err = d.Errf("unexpected %q after the end of %s", d.Val(), l.word.Text)
	}
	return l, err
}

// readLine reads the line whose word d stands on.
func readLine(d *caddyfile.Dispenser, depth int) (line, error) {
	l := line{word: d.Token()}
	if isBrace(l.word) {
		return l, d.Errf("unexpected %q: a block opens at the end of its word's line and closes on a line of its own", d.Val())
	}
	for d.NextArg() {
		if isBrace(d.Token()) {
			return l, d.Errf("unexpected %q: a block closes on a line of its own", d.Val())
		}
		l.values = append(l.values, d.Token())
	}
	if depth == 0 {
		return l, d.Errf("blocks stand too deep in one another")
	}
	before := d.Token()
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		l.open = true
		inner, err := readLine(d, depth-1)
		if err != nil {
			return l, err
		}
		l.lines = append(l.lines, inner)
	}
	// NextBlock says nothing of an empty block, but has gone past it.
	closed := isBrace(d.Token()) && d.Val() == "}"
	if l.open && !closed {
		return l, d.Errf("the block of %s is not closed", l.word.Text)
	}
	l.open = l.open || closed && !isBrace(before)
	return l, nil
}

func isBrace(t caddyfile.Token) bool {
	return !t.Quoted() && (t.Text == "{" || t.Text == "}")
}

// errf is an error at a token, with its file and line.
func errf(at caddyfile.Token, format string, args ...any) error {
	d := caddyfile.NewDispenser([]caddyfile.Token{at})
	d.Next()
	return d.Errf(format, args...)
}

func (l line) errf(format string, args ...any) error { return errf(l.word, format, args...) }

// takes checks how many values the line has, and that none is empty: an empty one
// is nearly always a variable that is not set. Messages quote no value; it may be
// a secret.
func (l line) takes(least, most int) error {
	name, n := l.word.Text, len(l.values)
	switch {
	case n < least && n == 0:
		return l.errf("%s needs a value", name)
	case n < least:
		return l.errf("%s needs %d values, not %d", name, least, n)
	case n > most && most == 0:
		return l.errf("%s takes no value", name)
	case n > most && most == 1:
		return l.errf("%s takes one value, not %d; quote a value that has spaces", name, n)
	case n > most:
		return l.errf("%s takes at most %d values, not %d", name, most, n)
	}
	for i, v := range l.values {
		if v.Text == "" {
			return errf(v, "value %d of %s is empty", i+1, name)
		}
	}
	return nil
}

// plain checks a line without block.
func (l line) plain(least, most int) error {
	if l.open {
		return l.errf("%s takes no block", l.word.Text)
	}
	return l.takes(least, most)
}

// block checks a line that must have a block.
func (l line) block(values int) error {
	if err := l.takes(values, values); err != nil {
		return err
	}
	if !l.open {
		return l.errf("%s needs a block", l.word.Text)
	}
	return nil
}

// words maps the words of a block to what reads their lines.
type words map[string]func(line) error

// read reads the lines of the block. Words of single may stand in it once, those
// of many repeatedly. name is what config.Available calls the block. All errors
// are returned, one per line.
func (l line) read(name string, single, many words) error {
	var errs []error
	first := make(map[string]line, len(l.lines))
	for _, in := range l.lines {
		word := in.word.Text
		parse, repeats := many[word]
		if !repeats {
			parse = single[word]
		}
		before, again := first[word]
		switch {
		case !config.Available(name, word):
			errs = append(errs, in.errf("%s", config.Unavailable(word)))
		case parse == nil:
			errs = append(errs, in.unknown(l.word.Text, name, single, many))
		case again && !repeats:
			errs = append(errs, in.errf("%s is given twice; the first is at %s:%d", word, before.word.File, before.word.Line))
		default:
			first[word] = in
			errs = append(errs, parse(in))
		}
	}
	return errors.Join(errs...)
}

// apart is the line twice: without the inner lines that begin with one of the words,
// and with these alone.
func (l line) apart(set words) (without, only line) {
	without, only = l, l
	without.lines, only.lines = nil, nil
	for _, in := range l.lines {
		if set[in.word.Text] != nil {
			only.lines = append(only.lines, in)
		} else {
			without.lines = append(without.lines, in)
		}
	}
	return without, only
}

// unknown is the error of a word that the block does not have.
func (l line) unknown(block, name string, sets ...words) error {
	var known []string
	for _, set := range sets {
		for word := range set {
			if config.Available(name, word) {
				known = append(known, word)
			}
		}
	}
	if meant := config.Nearest(l.word.Text, known); meant != "" {
		return l.errf("%s has no word %q; did you mean %q?", block, l.word.Text, meant)
	}
	if slices.Contains(behind[name], l.word.Text) {
		return l.errf("%s has no word %q: is a } missing before it?", block, l.word.Text)
	}
	slices.Sort(known)
	return l.errf("%s has no word %q; it has %s", block, l.word.Text, strings.Join(known, ", "))
}

// behind are words that are seen in a block where its closing brace, or that of a block in
// it, is missing: those of what comes behind it.
var behind = map[string][]string{
	"guard": directives, "endpoints": directives,
	"realm": {"realm", "trust", "cache", "store"}, "trust": {"realm", "trust", "cache", "store"}, "cache": {"realm", "trust", "store"},
	"client": realmBlocks, "user": realmBlocks, "provider": realmBlocks, "resource": realmBlocks,
}

var (
	realmBlocks = []string{"client", "user", "provider", "resource", "realm", "trust"}
	directives  = []string{"reverse_proxy", "php_fastcgi", "file_server", "respond", "handle", "handle_path", "handle_errors", "route", "guard", "gatehouse", "encode", "header", "root", "redir", "rewrite", "log", "tls"}
)
