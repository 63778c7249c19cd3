package slab

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A reader may hold the place that a block had two uses of its chunk ago. What stood
// there last may look like the head of a block, and the block that is written there now
// may be under the very key: it is seen whole or not at all.
func TestABlockIsSeenWhole(t *testing.T) {
	const length = 504
	key, whole := keyOf(1), blockOf(1, length)
	for round := range 2000 {
		tb := New(1<<20, length, 0)
		put := func(key *Key, block []byte) {
			if !tb.Put(key, block, 0, time.Hour) {
				t.Fatal("not taken")
			}
		}
		// What is left of an earlier use: each word is the head of a block of the next one.
		left := binary.LittleEndian.AppendUint64(nil, 2<<lengthBits|length)
		put(keyOf(2), bytes.Repeat(left, length/8))
		tb.mu.Lock()
		tb.renew(0, 0)
		tb.mu.Unlock()
		put(keyOf(3), []byte("x"))
		place := uint64(headWords + 1) // where the next one will stand
		var reader sync.WaitGroup
		var reading atomic.Bool
		reader.Go(func() {
			for {
				block, ok := tb.read(place, key, 0)
				if ok {
					if block != string(whole) {
						t.Errorf("round %d: a block came before it was whole", round)
					}
					return
				}
				reading.Store(true)
			}
		})
		for !reading.Load() {
			runtime.Gosched()
		}
		put(key, whole)
		reader.Wait()
		if t.Failed() {
			return
		}
	}
}

// Each key's blocks are numbered. Whoever asks gets a block of the key, whole, no older
// than the last one that was put before, whatever else happens to the table: growth, an
// index that empties and fills, a limit that changes, chunks that go back and come again.
func TestNothingOldOrStrangeIsRead(t *testing.T) {
	const keys, steps = 4096, 20_000
	tb := New(128<<10, longest, 64<<10)
	var put [keys]atomic.Uint64
	blockFor := func(n int, number uint64) []byte {
		b := binary.LittleEndian.AppendUint64(nil, number)
		return append(b, blockOf(n+int(number)*keys, int(number*37+uint64(n))%300)...)
	}
	names := make([]Key, keys)
	for n := range names {
		names[n] = *keyOf(n)
		if n%4 < 2 { // many keys that the index does not tell apart
			copy(names[n][:8], keyOf(-1 - n%64)[:])
		}
	}
	var stop atomic.Bool
	var readers, writers sync.WaitGroup
	look := func(get func(*Key, time.Duration) (string, bool), r *rand.Rand) error {
		n := r.IntN(keys)
		least := put[n].Load()
		block, ok := get(&names[n], 0)
		if !ok {
			return nil
		}
		number := binary.LittleEndian.Uint64([]byte(block))
		if block != string(blockFor(n, number)) {
			return fmt.Errorf("block %d, number %d: %x", n, number, block)
		}
		if number < least {
			return fmt.Errorf("block %d: number %d after %d was put", n, number, least)
		}
		return nil
	}
	for reader := range 4 {
		get := tb.Get
		if reader == 3 {
			get = tb.Find
		}
		readers.Go(func() {
			for r := rand.New(rand.NewPCG(uint64(reader), 1)); !stop.Load(); {
				if err := look(get, r); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for writer := range 2 {
		writers.Go(func() {
			r := rand.New(rand.NewPCG(uint64(writer), 2))
			for i := range steps {
				n := r.IntN(keys/2)*2 + writer // a key has one writer
				number := put[n].Load() + 1
				if !tb.Put(&names[n], blockFor(n, number), 0, time.Hour) {
					t.Error("not taken")
				}
				put[n].Store(number)
				if i%500 == 0 && writer == 0 {
					tb.SetLimit(int64(64+r.IntN(1200)) << 10)
					runtime.GC() // gives the memory of dropped chunks back
				}
			}
		})
	}
	writers.Wait()
	check(t, tb)
	tb.Close()
	stop.Store(true)
	readers.Wait()
	check(t, tb)
}

// A key whose slot is just being moved is overlooked by Get at most: Find waits.
func TestFindWaitsForAMove(t *testing.T) {
	tb := New(1<<20, longest, 0)
	put(t, tb, 1, 100, time.Hour)
	tb.mu.Lock()
	slot := &tb.index.Load().slots[tb.slotOf(keyOf(1))]
	s := slot.Swap(0)
	if _, ok := tb.Get(keyOf(1), 0); ok {
		t.Error("Get found what the index does not have")
	}
	found := make(chan bool, 1)
	go func() {
		_, ok := tb.Find(keyOf(1), 0)
		found <- ok
	}()
	select {
	case <-found:
		t.Fatal("Find did not wait")
	case <-time.After(20 * time.Millisecond):
	}
	slot.Store(s)
	tb.mu.Unlock()
	if !<-found {
		t.Error("Find overlooked it")
	}
}

// A large index is memory that goes back to the system: not while somebody looks for a key in it.
func TestLargeIndexComesAndGoes(t *testing.T) {
	const keys = 30_000
	tb := New(64<<20, longest, 0)
	names := make([]Key, keys)
	for n := range names {
		names[n] = *keyOf(n)
	}
	var stop atomic.Bool
	var readers sync.WaitGroup
	for reader := range 4 {
		readers.Go(func() {
			for r := rand.New(rand.NewPCG(uint64(reader), 1)); !stop.Load(); {
				n := r.IntN(keys)
				if block, ok := tb.Get(&names[n], 0); ok && block != string(blockOf(n, 50)) {
					t.Errorf("block %d: %x", n, block)
					return
				}
			}
		})
	}
	for range 4 {
		for n := range names {
			tb.Put(&names[n], blockOf(n, 50), 0, time.Hour)
		}
		if slots := len(tb.index.Load().slots); slots < 2*largeIndex {
			t.Errorf("the index has %d places: this tests nothing", slots)
		}
		tb.SetLimit(MinLimit)
		runtime.GC() // the cleanups run
		tb.SetLimit(64 << 20)
	}
	stop.Store(true)
	readers.Wait()
}
