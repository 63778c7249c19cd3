package slab

import (
	"math/bits"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Key is the digest under which a block stands. Callers must not be able to choose
// it: then its first bits are as good as any hash.
type Key = [32]byte

// MinLimit is the least limit of a table, in bytes: a smaller one would hold too little
// to be of use. A table takes one chunk and its index in any case, and a chunk takes two
// of the longest blocks: with blocks of 16 KiB that alone is more.
const MinLimit = 64 << 10

// The sizes of a table, in bytes.
const (
	minChunk   = 16 << 10
	maxBlock   = 1<<lengthBits - 1
	indexShare = 8 // one part in so many is the most that the index takes

	// Before something is forgotten that was asked for, so many chunks are looked through
	// for what was not.
	chances = 4
)

// Table keeps blocks until their time is up or there is no more room. It is safe for
// concurrent use, and Get takes no lock.
type Table struct {
	index  atomic.Pointer[index]
	chunks atomic.Pointer[[]atomic.Pointer[chunk]] // by number; nil where there is none
	shift  uint                                    // words of a chunk, as a power of two
	most   int                                     // longest block, in bytes

	mu        sync.Mutex // held by whoever changes anything
	queue     []int      // numbers of the chunks, the one that is written to last
	spare     []int      // numbers that were given back
	ahead     []*chunk   // on the collector's heap, made before they are needed
	maxChunks int
	maxKeys   int // places of the index
	closed    bool
	taken     atomic.Int64 // bytes
}

// New makes an empty table for blocks of at most longest bytes, which takes at most limit
// bytes in all, or the least that is of use. Its first chunks, of onHeap bytes together, stand
// on the collector's heap from now on; those that come later, outside.
func New(limit int64, longest int, onHeap int64) *Table {
	longest = min(longest, maxBlock)
	// Half of a chunk takes the longest block: see renew.
	words := max(2*(headWords+wordsOf(longest)), minChunk/wordSize)
	t := &Table{most: longest, shift: uint(bits.Len(uint(words - 1)))}
	t.bound(limit)
	t.chunks.Store(new([]atomic.Pointer[chunk]))
	t.setIndex(newIndex(minKeys))
	for range min(int(onHeap/t.chunkBytes()), t.maxChunks) {
		t.ahead = append(t.ahead, newChunk(make([]atomic.Uint64, 1<<t.shift), nil))
	}
	return t
}

// floor2 is the greatest power of two that is no greater than n.
func floor2(n int64) int64 { return 1 << (bits.Len64(uint64(n)) - 1) }

// bound sets what follows from the limit.
func (t *Table) bound(limit int64) {
	limit = max(limit, MinLimit)
	t.maxKeys = int(min(floor2(limit/indexShare/wordSize), maxKeys))
	room := (limit - int64(t.maxKeys)*wordSize) / t.chunkBytes()
	t.maxChunks = int(min(max(room, 1), maxWords>>t.shift))
}

func (t *Table) chunkBytes() int64 { return wordSize << t.shift }

// SetLimit changes how many bytes the table takes at most; when it is less than it has,
// the oldest blocks go at once.
func (t *Table) SetLimit(limit int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bound(limit)
	for len(t.queue) > t.maxChunks || t.index.Load().live > t.maxKeys*3/4 {
		t.drop()
	}
	if len(t.index.Load().slots) > t.maxKeys {
		t.setIndex(t.index.Load().resized(t.maxKeys))
	}
	if room := t.maxChunks - len(t.queue); len(t.ahead) > room {
		t.ahead = slices.Delete(t.ahead, room, len(t.ahead))
	}
}

// Size is how many bytes the table takes now.
func (t *Table) Size() int64 { return t.taken.Load() }

// Close forgets everything; what is put there afterwards is not kept.
func (t *Table) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed, t.ahead = true, nil
	for len(t.queue) > 0 {
		t.drop()
	}
	t.setIndex(newIndex(minKeys))
}

// Get returns a copy of the block under a key if now is before its end. It may
// overlook a block that is just being moved; Find does not.
func (t *Table) Get(key *Key, now time.Duration) (block string, ok bool) {
	x, mark := t.index.Load(), markOf(key)
	defer runtime.KeepAlive(x)
	for i := range x.slots {
		slot := &x.slots[(mark+uint64(i))&x.mask]
		s := slot.Load()
		if s == 0 {
			break
		}
		if markIn(s) != mark {
			continue
		}
		if block, ok = t.read(placeIn(s), key, now); ok {
			if s&slotUsed == 0 {
				slot.CompareAndSwap(s, s|slotUsed) // the slot may be another's by now
			}
			return block, true
		}
	}
	return "", false
}

// Find is Get for those who must know whether a block is there: what was put before the
// call is found.
func (t *Table) Find(key *Key, now time.Duration) (block string, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.Get(key, now)
}

func (t *Table) read(place uint64, key *Key, now time.Duration) (string, bool) {
	chunks := *t.chunks.Load()
	number := place >> t.shift
	if number >= uint64(len(chunks)) {
		return "", false
	}
	c := chunks[number].Load()
	if c == nil {
		return "", false
	}
	return c.read(place&(1<<t.shift-1), key, now)
}

// Put keeps a copy of the block under the key until the age until, in the place of an
// older one. It answers false for a block that is too long, and when the table is closed.
func (t *Table) Put(key *Key, block []byte, now, until time.Duration) bool {
	words := uint64(headWords + wordsOf(len(block)))
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || len(block) == 0 || len(block) > t.most || until <= now {
		return false
	}
	t.room(words, now)
	number := t.queue[len(t.queue)-1]
	c := t.chunk(number)
	place := uint64(number)<<t.shift + c.append(key, block, until)
	x := t.index.Load()
	if i := t.slotOf(key); i >= 0 {
		x.slots[i].Store(slotFor(markOf(key), place))
		return true
	}
	x.insert(slotFor(markOf(key), place))
	return true
}

// slotOf is where the index has the key, -1 if nowhere.
func (t *Table) slotOf(key *Key) int {
	return t.index.Load().find(markOf(key), func(place uint64) bool {
		return t.chunk(int(place>>t.shift)).has(place&(1<<t.shift-1), key)
	})
}

func (t *Table) chunk(number int) *chunk { return (*t.chunks.Load())[number].Load() }

// room sees to it that the last chunk takes so many more words and the index one more key.
func (t *Table) room(words uint64, now time.Duration) {
	for chance := 0; ; {
		x := t.index.Load()
		full := x.live+1 > len(x.slots)*3/4
		if full && len(x.slots) < t.maxKeys {
			t.setIndex(x.resized(2 * len(x.slots)))
			continue
		}
		some := len(t.queue) > 0
		if !full && some && t.chunk(t.queue[len(t.queue)-1]).free() >= words {
			return
		}
		switch {
		case some && t.chunk(t.queue[0]).latest <= now:
			t.renew(now, 0) // nothing in it is alive
		case !full && len(t.queue) < t.maxChunks:
			t.add()
		case chance < chances:
			chance++
			t.renew(now, 1<<t.shift)
		case full:
			t.renew(now, 0) // half of it may have no key that could go
		default:
			t.renew(now, 1<<t.shift/2)
		}
	}
}

// add takes another chunk of memory.
func (t *Table) add() {
	chunks, number := *t.chunks.Load(), len(t.queue)
	if n := len(t.spare) - 1; n >= 0 {
		number, t.spare = t.spare[n], t.spare[:n]
	}
	if number >= len(chunks) {
		more := make([]atomic.Pointer[chunk], max(2*number, 16))
		for i := range chunks {
			more[i].Store(chunks[i].Load())
		}
		chunks = more
		t.chunks.Store(&more)
	}
	chunks[number].Store(t.another())
	t.queue = append(t.queue, number)
	t.taken.Add(t.chunkBytes())
}

// another returns a chunk that nobody uses.
func (t *Table) another() *chunk {
	n := len(t.ahead) - 1
	if n < 0 {
		return newChunk(reserve(1 << t.shift))
	}
	c := t.ahead[n]
	t.ahead = slices.Delete(t.ahead, n, n+1)
	return c
}

// renew makes the oldest chunk the one that is written to. What was asked for since it
// was written stays, up to so many words.
func (t *Table) renew(now time.Duration, most uint64) {
	number := t.queue[0]
	t.queue = append(t.queue[1:], number)
	t.chunk(number).renew(t.index.Load(), uint64(number)<<t.shift, now, most)
}

// drop gives the memory of the oldest chunk back, as soon as nobody reads there.
func (t *Table) drop() {
	number := t.queue[0]
	t.queue = t.queue[1:]
	t.chunk(number).renew(t.index.Load(), uint64(number)<<t.shift, 0, 0)
	(*t.chunks.Load())[number].Store(nil)
	t.spare = append(t.spare, number)
	t.taken.Add(-t.chunkBytes())
}

func (t *Table) setIndex(x *index) {
	if old := t.index.Load(); old != nil {
		t.taken.Add(-int64(len(old.slots)) * wordSize)
	}
	t.taken.Add(int64(len(x.slots)) * wordSize)
	t.index.Store(x)
}
