//go:build !darwin && !dragonfly && !freebsd && !linux && !netbsd && !openbsd

package slab

import "sync/atomic"

// reserve takes memory from the heap, where there is no other way that the standard
// library knows.
func reserve(words int) (memory []atomic.Uint64, release func()) {
	return make([]atomic.Uint64, words), nil
}
