// Package slab is the memory of the verdict cache: a bounded table of small blocks
// of bytes under digests, most of it outside the heap of the collector.
//
// It owns the memory, the index and the choice of what is forgotten. It knows
// nothing of what a block says, asks nobody, and decides nothing but what is there
// and until when.
//
// Why it is not a map: a hundred thousand verdicts on the heap, with what a map and
// a list of expiries take beside them, are 36 MiB that the collector doubles. Here
// they are 20 MiB that it has not to look at, and a hit takes no lock. So many of the
// first bytes as New is told stand on the heap all the same, without pointers: the
// collector begins when the heap has doubled, and to a small one it comes too often.
//
// How it works. Blocks stand one behind the other in chunks of memory; the chunks
// are a queue. The index is a table of words, each a part of a key and a place. What
// is read is copied out, and counts only if the whole key is right and the chunk's
// generation is the same before and after: a chunk gets a new one before it is used
// again, and a block carries that of its writing. A chunk has an end, too, that moves
// when the block before it is whole, and nobody reads beyond it: what is left there of an
// earlier use may look like anything. All words are read and written atomically. When the
// limit is reached, be it that of the memory or that of the index, the oldest chunk is
// used again; what was asked for since it was written moves to its beginning and stays,
// unless that is so for a few chunks in a row: then half of one is forgotten, or all of
// it for a full index. A chunk in which everything has run out is used again before
// another is taken, so that memory follows what is alive.
//
// Only introspect imports it; it imports nothing of ours.
//
// Files: table.go is the table as its users see it, index.go finds a place by key,
// chunk.go is the memory, memory_*.go where it comes from.
package slab
