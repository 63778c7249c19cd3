package slab

import (
	"encoding/binary"
	"runtime"
	"sync/atomic"
	"time"
)

const wordSize = 8 // bytes

// A block stands behind a head: what it is, its key, and its end.
const (
	atWhat    = 0 // generation of the chunk at its writing, and length of the block
	atKey     = 1
	atUntil   = 5
	headWords = 6

	lengthBits = 16
	lengthMask = 1<<lengthBits - 1

	shortBlock = 512 // bytes; nearly all blocks are shorter
)

func wordsOf(length int) int { return (length + wordSize - 1) / wordSize }

// chunk is a piece of memory and the blocks in it, from its beginning up to an end.
type chunk struct {
	words []atomic.Uint64
	// state is the generation, and in its lowest bits how many words are in use. Words in
	// use do not change as long as the generation is the same; it is raised, and nothing is
	// in use, before anything is written over. What lies behind the end is left over: it
	// may look like anything, so nobody reads there.
	state atomic.Uint64

	latest time.Duration // the last end of its blocks; known to whoever changes the table
}

const (
	endBits = 16 // the biggest chunk has 1<<15 words
	endMask = 1<<endBits - 1
)

// newChunk makes a chunk of memory. That is released when the chunk is garbage: not while
// somebody reads in it.
func newChunk(memory []atomic.Uint64, release func()) *chunk {
	c := &chunk{words: memory}
	c.state.Store(1 << endBits)
	releaseWith(c, release)
	return c
}

// releaseWith releases memory, if it is to be, when what stands in it is garbage.
func releaseWith[T any](owner *T, release func()) {
	if release != nil {
		runtime.AddCleanup(owner, func(release func()) { release() }, release)
	}
}

func (c *chunk) generation() uint64 { return c.state.Load() >> endBits }

func (c *chunk) end() uint64 { return c.state.Load() & endMask }

func (c *chunk) free() uint64 { return uint64(len(c.words)) - c.end() }

// read copies the block at a place out, if it is the key's and not past its end.
func (c *chunk) read(at uint64, key *Key, now time.Duration) (string, bool) {
	state := c.state.Load()
	generation, end := state>>endBits, state&endMask
	if at+headWords > end {
		return "", false
	}
	head := c.words[at:end]
	what := head[atWhat].Load()
	if what>>lengthBits != generation || !sameKey(head, key) || now >= time.Duration(head[atUntil].Load()) {
		return "", false
	}
	length := int(what & lengthMask)
	from := head[headWords:]
	n := wordsOf(length)
	if n > len(from) || n == 0 {
		return "", false
	}
	var short [shortBlock]byte
	block := short[:]
	if n > shortBlock/wordSize {
		block = make([]byte, n*wordSize)
	}
	for i := range from[:n] {
		binary.LittleEndian.PutUint64(block[i*wordSize:], from[i].Load())
	}
	if c.generation() != generation { // it was written over meanwhile
		return "", false
	}
	return string(block[:length]), true
}

// sameKey compares in constant time: all words are folded before the one branch, each by
// itself, since ^ and | bind alike.
func sameKey(head []atomic.Uint64, key *Key) bool {
	head = head[:headWords]
	differ := head[atKey].Load() ^ binary.LittleEndian.Uint64(key[0:])
	differ |= head[atKey+1].Load() ^ binary.LittleEndian.Uint64(key[8:])
	differ |= head[atKey+2].Load() ^ binary.LittleEndian.Uint64(key[16:])
	differ |= head[atKey+3].Load() ^ binary.LittleEndian.Uint64(key[24:])
	return differ == 0
}

// has tells whether the block at a place is the key's.
func (c *chunk) has(at uint64, key *Key) bool {
	return c.words[at+atWhat].Load()>>lengthBits == c.generation() && sameKey(c.words[at:], key)
}

// append writes a block behind the others and returns its place. The end comes last:
// whoever sees that sees the block.
func (c *chunk) append(key *Key, block []byte, until time.Duration) uint64 {
	at := c.end()
	head := c.words[at:]
	for i := range 4 {
		head[atKey+i].Store(binary.LittleEndian.Uint64(key[i*8:]))
	}
	head[atUntil].Store(uint64(until))
	to := head[headWords : headWords+wordsOf(len(block))]
	for i := range to {
		var word [wordSize]byte
		copy(word[:], block[i*wordSize:])
		to[i].Store(binary.LittleEndian.Uint64(word[:]))
	}
	head[atWhat].Store(c.generation()<<lengthBits | uint64(len(block)))
	c.state.Add(headWords + uint64(len(to)))
	c.latest = max(c.latest, until)
	return at
}

// renew makes room: what was asked for since it was written and is not past its end
// moves to the beginning, up to so many words; the index forgets the rest. first is the
// place of the chunk's first word.
func (c *chunk) renew(x *index, first uint64, now time.Duration, most uint64) {
	generation, end := c.generation()+1, c.end()
	c.state.Store(generation << endBits)
	c.latest = 0
	for at := uint64(0); at < end; {
		length := c.words[at+atWhat].Load() & lengthMask
		words := headWords + uint64(wordsOf(int(length)))
		slot := x.find(c.words[at+atKey].Load()&markMask, func(place uint64) bool { return place == first+at })
		if slot >= 0 { // otherwise a newer block has its key
			s, until := x.slots[slot].Load(), time.Duration(c.words[at+atUntil].Load())
			if s&slotUsed == 0 || until <= now || c.end()+words > most {
				x.remove(slot)
			} else {
				to := c.end()
				for i := uint64(1); i < words; i++ {
					c.words[to+i].Store(c.words[at+i].Load())
				}
				c.words[to+atWhat].Store(generation<<lengthBits | length)
				c.state.Add(words)
				x.slots[slot].Store(slotFor(markIn(s), first+to))
				c.latest = max(c.latest, until)
			}
		}
		at += words
	}
}
