package authority

import (
	"iter"
	"slices"
	"strings"
)

// List is a small ordered list of texts held in one string, each closed by a NUL
// (which no text of ours contains). It costs one pointer however long it is, so
// that a cached principal is one flat block.
type List string

// ListOf packs the texts. A text with a NUL is left out: it could pass for two.
func ListOf(texts ...string) List {
	n := 0
	for _, t := range texts {
		n += len(t) + 1
	}
	var b strings.Builder
	b.Grow(n)
	for _, t := range texts {
		if strings.IndexByte(t, 0) < 0 {
			b.WriteString(t)
			b.WriteByte(0)
		}
	}
	return List(b.String())
}

// All yields the texts in order.
func (l List) All() iter.Seq[string] {
	return func(yield func(string) bool) {
		for rest := string(l); rest != ""; {
			i := strings.IndexByte(rest, 0)
			if i < 0 || !yield(rest[:i]) {
				return
			}
			rest = rest[i+1:]
		}
	}
}

// Has reports whether text is in the list, exactly.
func (l List) Has(text string) bool {
	for rest := string(l); rest != ""; {
		i := strings.IndexByte(rest, 0)
		if i < 0 {
			return false
		}
		if rest[:i] == text {
			return true
		}
		rest = rest[i+1:]
	}
	return false
}

// HasAny reports whether one of the texts is in the list.
func (l List) HasAny(texts []string) bool {
	return slices.ContainsFunc(texts, l.Has)
}

// HasAll reports whether all of the texts are in the list.
func (l List) HasAll(texts []string) bool {
	for _, t := range texts {
		if !l.Has(t) {
			return false
		}
	}
	return true
}

// Slice unpacks the list.
func (l List) Slice() []string {
	out := make([]string, 0, l.Len())
	for t := range l.All() {
		out = append(out, t)
	}
	return out
}

// Join returns the texts with sep between them.
func (l List) Join(sep string) string {
	if l == "" {
		return ""
	}
	return strings.ReplaceAll(strings.TrimSuffix(string(l), "\x00"), "\x00", sep)
}

// Len counts the texts.
func (l List) Len() int { return strings.Count(string(l), "\x00") }
