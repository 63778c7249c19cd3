package introspect

import (
	"math/bits"
	"sync/atomic"
)

// The front stands before ristretto: a small table of the verdicts used last, read
// without a lock. What it holds is judged like what ristretto holds (see open), so
// nothing lives longer for standing here. It spares the tokens that are used most
// ristretto's lock, map, clock and bookkeeping.
const (
	frontShare = 32  // one part in so many of max_size, at most
	frontBlock = 512 // bytes of the biggest block it takes
	frontPlace = 16 + 16 + frontBlock
	frontMost  = 4096 // places
	frontWays  = 4    // places that a key may take, all in one line of the processor's cache

	// Of so many hits here one is told to ristretto, so that it knows what is used; of so
	// many hits there one is put here, so that a walk over more tokens than there are
	// places does not churn. Both are prime: tokens that come in turn all get theirs.
	frontTell  = 31
	frontAdmit = 5
)

type front struct{ lines []line }

type line [frontWays]place

// place is written without a lock: a reader that meets the key of one verdict and the
// block of another finds by the digest that it is another's.
type place struct {
	key   atomic.Uint64
	block atomic.Pointer[string]
}

// frontLines is how many lines the front of a cache of so many bytes has: a power of
// two, or none.
func frontLines(maxSize int64) int64 {
	n := min(maxSize/frontShare/frontPlace, frontMost) / frontWays
	if n < 1 {
		return 0
	}
	return 1 << (bits.Len64(uint64(n)) - 1)
}

// frontSize is how many bytes the front of a cache of so many bytes takes at most.
func frontSize(maxSize int64) int64 { return frontLines(maxSize) * frontWays * frontPlace }

func newFront(lines int64) *front { return &front{lines: make([]line, lines)} }

// line is where a key may stand, nil in a front without places.
func (f *front) line(key uint64) *line {
	if len(f.lines) == 0 {
		return nil
	}
	return &f.lines[key&uint64(len(f.lines)-1)]
}

// get returns the block of a key, "" if it is not here.
func (f *front) get(key uint64) string {
	if l := f.line(key); l != nil {
		for i := range l {
			if l[i].key.Load() == key {
				if block := l[i].block.Load(); block != nil {
					return *block
				}
			}
		}
	}
	return ""
}

// offer puts a block that ristretto had here, in the place of an older one of the same
// key, or of another key. hits is how many hits there were, a number that grows.
func (f *front) offer(key, hits uint64, block string) {
	l := f.line(key)
	if l == nil || len(block) > frontBlock {
		return
	}
	at := -1
	for i := range l {
		if l[i].key.Load() == key {
			at = i
		}
	}
	if at < 0 {
		if hits%frontAdmit != 0 {
			return
		}
		at = int(hits / frontAdmit % frontWays) // each place of a line in turn
	}
	l[at].block.Store(&block)
	l[at].key.Store(key)
}
