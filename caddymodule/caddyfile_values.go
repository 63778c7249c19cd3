package caddymodule

import (
	"errors"
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/gatehouse-auth/gatehouse/internal/config"
)

// places remembers which token gave the configuration field at a path, so that a
// fault can be reported with file and line.
type places map[string]caddyfile.Token

// report turns faults into errors at the places they concern, one per line. A
// fault of something that was not written is reported at the block it is missing
// from.
func (p places) report(faults config.Faults) error {
	errs := make([]error, len(faults))
	for i, f := range faults {
		path := f.Path
		at, ok := p[path]
		for !ok && path != "" {
			path = path[:max(0, strings.LastIndexAny(path, ".["))]
			at, ok = p[path]
		}
		errs[i] = errf(at, "%s", f.Message)
	}
	return errors.Join(errs...)
}

// text reads one value.
func (p places) text(path string, into *string) func(line) error {
	return func(l line) error {
		if err := l.plain(1, 1); err != nil {
			return err
		}
		p[path], *into = l.values[0], l.values[0].Text
		return nil
	}
}

// list reads one value or more.
func (p places) list(path string, into *[]string) func(line) error {
	return func(l line) error {
		if err := l.plain(1, len(l.values)); err != nil {
			return err
		}
		p[path] = l.word
		for i, v := range l.values {
			p[fmt.Sprintf("%s[%d]", path, i)] = v
			*into = append(*into, v.Text)
		}
		return nil
	}
}

// flag reads a word that stands alone.
func (p places) flag(path string, into *bool) func(line) error {
	return func(l line) error {
		p[path], *into = l.word, true
		return l.plain(0, 0)
	}
}

// span reads a duration.
func (p places) span(path string, into *config.Duration) func(line) error {
	return func(l line) error {
		if err := l.plain(1, 1); err != nil {
			return err
		}
		return p.duration(path, l.values[0], into)
	}
}

// duration reads a duration from a token. 0 is refused here, because in the
// configuration it means "not said".
func (p places) duration(path string, v caddyfile.Token, into *config.Duration) error {
	d, err := config.ParseDuration(v.Text)
	if err != nil {
		return errf(v, "%w", err)
	}
	if d <= 0 {
		return errf(v, "a duration must be more than 0, not %s", v.Text)
	}
	p[path], *into = v, d
	return nil
}

// size reads a number of bytes.
func (p places) size(path string, into *config.Size) func(line) error {
	return func(l line) error {
		if err := l.plain(1, 1); err != nil {
			return err
		}
		n, err := config.ParseSize(l.values[0].Text)
		if err != nil {
			return l.errf("%w", err)
		}
		if n == 0 {
			return l.errf("a size must be more than 0")
		}
		p[path], *into = l.values[0], n
		return nil
	}
}
