package introspect

import (
	"strings"
	"sync"
	"sync/atomic"
)

// Bounds of the dictionary: 2.3 MB when every place is taken by the longest word.
const (
	wordsPerField = 512 // so that one field with many texts leaves room for the others
	minWord       = 3   // bytes; a shorter text is as short itself
	maxWord       = 512 // bytes
)

// words is the dictionary of texts that many verdicts have alike: issuer, client,
// key, scopes. A verdict holds their number instead. It only grows, up to its
// bounds; what finds no room stands in the verdict itself.
type words struct {
	list    atomic.Pointer[[]string]
	mu      sync.Mutex
	numbers map[string]int
	taken   [fieldCount]int
}

func (w *words) init() {
	w.numbers = make(map[string]int)
	w.list.Store(new([]string))
}

// all returns the words by number.
func (w *words) all() []string { return *w.list.Load() }

// number returns the number of the text, which it adds if the field may and has room.
func (w *words) number(field int, text string) (int, bool) {
	if !shared(field) || len(text) < minWord || len(text) > maxWord {
		return 0, false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if n, ok := w.numbers[text]; ok {
		return n, true
	}
	if w.taken[field] >= wordsPerField {
		return 0, false
	}
	w.taken[field]++
	text = strings.Clone(text) // the text may be a small part of a big answer
	// Readers of the old list see none of what append writes: it is past their end.
	list := append(w.all(), text)
	w.list.Store(&list)
	w.numbers[text] = len(list) - 1
	return len(list) - 1, true
}
