//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package slab

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

// reserve takes memory that the collector neither sees nor counts; pages of it are real
// once they are written. If the system refuses, the memory comes from the heap.
func reserve(words int) (memory []atomic.Uint64, release func()) {
	b, err := syscall.Mmap(-1, 0, words*wordSize, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return make([]atomic.Uint64, words), nil
	}
	// Mapped memory begins at a page, so its words are aligned.
	memory = unsafe.Slice((*atomic.Uint64)(unsafe.Pointer(&b[0])), words) //nolint:gosec // G103: so many words were mapped
	return memory, func() { _ = syscall.Munmap(b) }
}
