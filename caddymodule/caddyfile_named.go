package caddymodule

import (
	"reflect"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
)

// keptWhole refuses a guard in a block of a named route of which Caddy would keep the first
// handler only. It does so where no directive of the named route has a matcher (see strip,
// which a guard that stands there itself brings): the block would be gone, and the sites
// that invoke the route open, and nobody told.
func keptWhole(h httpcaddyfile.Helper, p places) error {
	if !h.IsNamedRoute() {
		return nil
	}
	directives := 0
	for _, segment := range segmentsOf(h) {
		name := segment.Directive()
		switch {
		case strings.HasPrefix(name, "@"):
			continue
		case name == "guard", name == "try_files", name == "handle_path", hasMatcher(segment):
			return nil // another route than its neighbours'
		}
		directives++
	}
	if directives < 2 {
		return nil
	}
	return errf(p[""], "a guard in a block of a named route that has other directives beside the block, none with a matcher: "+
		"Caddy would keep the first of them only. Put all of them into one `route` block, or the guard beside them")
}

// hasMatcher reports whether a directive is written with a matcher. A path that is all there
// is, as in `root /srv`, may be none.
func hasMatcher(segment caddyfile.Segment) bool {
	if len(segment) < 2 || segment[1].File != segment[0].File || segment[1].Line != segment[0].Line {
		return false
	}
	return strings.HasPrefix(segment[1].Text, "@") ||
		strings.HasPrefix(segment[1].Text, "/") && len(segment) > 2 && segment[2].File == segment[0].File && segment[2].Line == segment[0].Line
}

// segmentsOf returns the directives at the top of the named route that is being read, from
// its words; should these be gone, there are none.
func segmentsOf(h httpcaddyfile.Helper) (segments []caddyfile.Segment) {
	whole := ofParent(h, "Segments")
	if whole.Kind() != reflect.Slice {
		return nil
	}
	var tokens []caddyfile.Token
	for i := range whole.Len() {
		of := whole.Index(i)
		for j := range of.Len() {
			file, line, text := of.Index(j).FieldByName("File"), of.Index(j).FieldByName("Line"), of.Index(j).FieldByName("Text")
			tokens = append(tokens, caddyfile.Token{File: file.String(), Line: int(line.Int()), Text: text.String()})
		}
	}
	d := caddyfile.NewDispenser(tokens)
	for d.Next() {
		for nesting := d.Nesting(); d.NextBlock(nesting); {
			segments = append(segments, d.NextSegment())
		}
	}
	return segments
}
