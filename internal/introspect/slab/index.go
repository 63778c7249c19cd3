package slab

import (
	"encoding/binary"
	"sync/atomic"
)

// A slot of the index is one word: whether its block was asked for, a mark of the key
// and the place of the block, one more than it is, so that an empty slot is zero.
const (
	slotUsed  = 1 << 63
	markBits  = 26
	placeBits = 37
	markMask  = 1<<markBits - 1
	placeMask = 1<<placeBits - 1

	minKeys    = 256           // places of an index
	largeIndex = 8 << 10       // places of one whose memory is not the collector's
	maxKeys    = 1 << markBits // a mark tells no more apart
	maxWords   = placeMask     // words that a place can name: a tebibyte
)

// markOf is the part of a key that the index knows, by which it is found.
func markOf(key *Key) uint64 { return binary.LittleEndian.Uint64(key[:]) & markMask }

func slotFor(mark, place uint64) uint64 { return mark<<placeBits | (place + 1) }

func markIn(slot uint64) uint64 { return slot >> placeBits & markMask }

func placeIn(slot uint64) uint64 { return slot&placeMask - 1 }

// index is a hash table with linear probing. Readers need no lock; they may overlook a
// key while another is taken out. One at a time may change it. The memory of a large one is not the
// collector's, and is released when the index is garbage: who reads without the lock has to
// keep it alive until he is done with the last slot.
type index struct {
	slots []atomic.Uint64
	mask  uint64
	live  int // keys; known to whoever changes the index
}

func newIndex(places int) *index {
	x := &index{mask: uint64(places - 1)}
	if places < largeIndex {
		x.slots = make([]atomic.Uint64, places)
		return x
	}
	memory, release := reserve(places)
	x.slots = memory
	releaseWith(x, release)
	return x
}

// find returns the slot with the mark whose place is the one looked for, -1 if there is
// none.
func (x *index) find(mark uint64, is func(place uint64) bool) int {
	for i := mark & x.mask; ; i = (i + 1) & x.mask {
		s := x.slots[i].Load()
		if s == 0 {
			return -1
		}
		if markIn(s) == mark && is(placeIn(s)) {
			return int(i)
		}
	}
}

// insert adds a slot for a key that has none. There must be room.
func (x *index) insert(slot uint64) {
	i := markIn(slot) & x.mask
	for x.slots[i].Load() != 0 {
		i = (i + 1) & x.mask
	}
	x.slots[i].Store(slot)
	x.live++
}

// remove empties a slot, and moves those behind it that would not be found any more.
func (x *index) remove(at int) {
	gap := uint64(at)
	for i := (gap + 1) & x.mask; ; i = (i + 1) & x.mask {
		s := x.slots[i].Load()
		if s == 0 {
			break
		}
		if home := markIn(s) & x.mask; (i-home)&x.mask >= (i-gap)&x.mask {
			x.slots[gap].Store(s)
			gap = i
		}
	}
	x.slots[gap].Store(0)
	x.live--
}

// resized is a copy with so many places.
func (x *index) resized(places int) *index {
	to := newIndex(places)
	for i := range x.slots {
		if s := x.slots[i].Load(); s != 0 {
			to.insert(s)
		}
	}
	return to
}
