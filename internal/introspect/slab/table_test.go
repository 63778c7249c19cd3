package slab

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const longest = 1000 // bytes of the longest block in these tests

func keyOf(n int) *Key {
	k := sha256.Sum256(fmt.Append(nil, n))
	return &k
}

// blockOf is a block that tells whose it is, in every word.
func blockOf(n, length int) []byte {
	return bytes.Repeat(binary.LittleEndian.AppendUint64(nil, uint64(n)*0x9e3779b97f4a7c15+1), length/8+1)[:length]
}

func put(t *testing.T, tb *Table, n, length int, until time.Duration) {
	t.Helper()
	if !tb.Put(keyOf(n), blockOf(n, length), 0, until) {
		t.Fatalf("block %d of %d bytes was not taken", n, length)
	}
	if block, ok := tb.Get(keyOf(n), 0); !ok || block != string(blockOf(n, length)) {
		t.Fatalf("block %d came back as %q, %v", n, block, ok)
	}
}

func TestBlocksComeBack(t *testing.T) {
	tb := New(1<<20, longest, 0)
	for n, length := range []int{1, 7, 8, 9, 63, 64, 65, longest - 1, longest} {
		put(t, tb, n, length, time.Hour)
	}
	put(t, tb, 3, 500, time.Hour) // in the place of another
	if _, ok := tb.Get(keyOf(99), 0); ok {
		t.Error("something was found under a key that has nothing")
	}
	for name, took := range map[string]bool{
		"too long":   tb.Put(keyOf(20), make([]byte, longest+1), 0, time.Hour),
		"over":       tb.Put(keyOf(21), []byte("x"), time.Hour, time.Hour),
		"no content": tb.Put(keyOf(22), nil, 0, time.Hour),
	} {
		if took {
			t.Errorf("a block that is %s was taken", name)
		}
	}
}

func TestAnEndIsKept(t *testing.T) {
	tb := New(1<<20, longest, 0)
	put(t, tb, 1, 10, time.Minute)
	if _, ok := tb.Get(keyOf(1), time.Minute-1); !ok {
		t.Error("it went before its end")
	}
	if _, ok := tb.Get(keyOf(1), time.Minute); ok {
		t.Error("it was there at its end")
	}
	if _, ok := tb.Find(keyOf(1), time.Minute); ok {
		t.Error("it was found at its end")
	}
}

// Keys that the index cannot tell apart, and keys that begin in the same place.
func TestKeysThatMeet(t *testing.T) {
	tb := New(1<<20, longest, 0)
	alike := func(n int) *Key {
		k := *keyOf(n)
		copy(k[:8], "the same")
		return &k
	}
	for n := range 100 {
		if !tb.Put(alike(n), blockOf(n, 40), 0, time.Hour) {
			t.Fatal("not taken")
		}
	}
	for n := range 100 {
		if block, ok := tb.Get(alike(n), 0); !ok || block != string(blockOf(n, 40)) {
			t.Fatalf("block %d: %q, %v", n, block, ok)
		}
	}
	for bit := range 8 * len(Key{}) {
		other := *alike(0)
		other[bit/8] ^= 1 << (bit % 8)
		if _, ok := tb.Get(&other, 0); ok {
			t.Fatalf("a key that differs in bit %d found the block", bit)
		}
	}
}

func count(tb *Table, from, to int) (n int) {
	for i := from; i < to; i++ {
		if _, ok := tb.Get(keyOf(i), 0); ok {
			n++
		}
	}
	return n
}

// More than fits: the table stays within its limit, nearly full, and what goes is what
// is oldest.
func TestTheOldestGoes(t *testing.T) {
	for _, limit := range []int64{1, 64 << 10, 100_000, 1 << 20, 5 << 20} {
		tb := New(limit, longest, 0)
		const size, total = 200, 60_000
		bytesEach := int64(size + headWords*wordSize)
		for n := range total {
			if !tb.Put(keyOf(n), blockOf(n, size), 0, time.Hour) {
				t.Fatal("not taken")
			}
			if tb.Size() > max(limit, MinLimit) {
				t.Fatalf("limit %d: it takes %d", limit, tb.Size())
			}
		}
		kept := int64(count(tb, 0, total))
		if least := max(limit, MinLimit) / 2 / bytesEach; kept < min(least, total) {
			t.Errorf("limit %d: %d blocks are kept, want %d at least", limit, kept, least)
		}
		if last := int64(count(tb, total-int(kept), total)); last != kept {
			t.Errorf("limit %d: of %d kept blocks %d are the last", limit, kept, last)
		}
	}
}

// What is asked for survives what is not, however much of that comes.
func TestWhatIsUsedStays(t *testing.T) {
	tb := New(1<<20, longest, 0)
	const hot = 300
	for n := range hot {
		put(t, tb, n, 100, time.Hour)
	}
	for n := hot; n < 100_000; n++ {
		if !tb.Put(keyOf(n), blockOf(n, 100), 0, time.Hour) {
			t.Fatal("not taken")
		}
		tb.Get(keyOf(n%hot), 0)
	}
	if kept := count(tb, 0, hot); kept != hot {
		t.Errorf("%d of %d blocks in use are left", kept, hot)
	}
	// When everything is in use there is room for new ones all the same.
	for n := 200_000; n < 250_000; n++ {
		put(t, tb, n, 100, time.Hour)
	}
}

// What has run out gives its memory to what comes: a table takes what is alive, and not
// its limit just because time goes by.
func TestMemoryFollowsWhatLives(t *testing.T) {
	tb := New(64<<20, longest, 0)
	for n := range 200_000 {
		now := time.Duration(n) * time.Millisecond
		if !tb.Put(keyOf(n), blockOf(n, 100), now, now+time.Second) { // a thousand live
			t.Fatal("not taken")
		}
	}
	if size := tb.Size(); size > 1<<20 {
		t.Errorf("a thousand blocks of 100 bytes take %d", size)
	}
}

func TestLimitChanges(t *testing.T) {
	tb := New(4<<20, longest, 3<<20)
	for n := range 40_000 {
		tb.Put(keyOf(n), blockOf(n, 100), 0, time.Hour)
	}
	before := count(tb, 0, 40_000)
	for _, limit := range []int64{1 << 20, 64 << 10} {
		tb.SetLimit(limit)
		if tb.Size() > limit {
			t.Errorf("it takes %d of %d", tb.Size(), limit)
		}
		if _, ok := tb.Get(keyOf(39_999), 0); !ok {
			t.Errorf("at %d the newest went", limit)
		}
	}
	tb.SetLimit(8 << 20)
	for n := range 40_000 {
		put(t, tb, n, 100, time.Hour)
	}
	if after := count(tb, 0, 40_000); after <= before {
		t.Errorf("with more room %d are kept, before %d", after, before)
	}
}

// The first chunks stand on the collector's heap before they are needed, so that the
// collector finds something to wait for. They are used before any other memory, and a table that
// gets a lesser limit, or is closed, lets those go that it does not need.
func TestFirstChunksAreOnTheHeap(t *testing.T) {
	const onHeap, slack = 32 << 20, 8 << 20
	before := heap()
	tb := New(64<<20, longest, onHeap)
	if is := heap() - before; is < onHeap || is > onHeap+slack {
		t.Errorf("an empty table takes %d of the heap, not %d", is, onHeap)
	}
	fill := func(from, to int) {
		for n := range to - from {
			tb.Put(keyOf(from+n), blockOf(from+n, 900), 0, time.Hour)
		}
	}
	fill(0, 30_000)
	if is := heap() - before; is > onHeap+slack || len(tb.ahead) == 0 {
		t.Errorf("30,000 blocks take %d of the heap, %d chunks still to be used", is, len(tb.ahead))
	}
	fill(30_000, 50_000)
	if is := heap() - before; is > onHeap+slack || len(tb.ahead) > 0 || tb.Size() < onHeap+slack {
		t.Errorf("50,000 blocks take %d of the heap and %d in all, %d chunks still to be used", is, tb.Size(), len(tb.ahead))
	}
	if n := count(tb, 0, 50_000); n != 50_000 {
		t.Errorf("%d of 50,000 are there", n)
	}
	tb.SetLimit(MinLimit)
	if is := heap() - before; is > slack {
		t.Errorf("with a lesser limit it takes %d of the heap", is)
	}
	small := New(64<<20, longest, onHeap)
	small.SetLimit(1 << 20)
	if is := heap() - before; is > slack {
		t.Errorf("a table that never needed it takes %d of the heap", is)
	}
	runtime.KeepAlive(tb)
	runtime.KeepAlive(small)
}

// heap is what is alive on the collector's heap, in bytes.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestClosedTable(t *testing.T) {
	tb := New(1<<20, longest, 1<<20)
	put(t, tb, 1, 100, time.Hour)
	tb.Close()
	tb.Close()
	if _, ok := tb.Find(keyOf(1), 0); ok || tb.Put(keyOf(2), []byte("x"), 0, time.Hour) {
		t.Error("it still gives or takes")
	}
	tb.SetLimit(1 << 20)
	if size := tb.Size(); size != minKeys*wordSize {
		t.Errorf("it takes %d bytes", size)
	}
}

// The memory of dropped chunks goes back to the system, and no earlier than the last
// reader: a copy that was handed out stays good.
func TestMemoryGoesBack(t *testing.T) {
	tb := New(8<<20, longest, 0)
	for n := range 20_000 {
		tb.Put(keyOf(n), blockOf(n, 200), 0, time.Hour)
	}
	copied, _ := tb.Get(keyOf(19_999), 0)
	released := make(chan struct{})
	runtime.AddCleanup(tb.chunk(tb.queue[0]), func(struct{}) { close(released) }, struct{}{})
	tb.Close()
	for wait := time.Now(); ; {
		runtime.GC()
		select {
		case <-released:
			if copied != string(blockOf(19_999, 200)) {
				t.Error("the copy changed")
			}
			return
		case <-time.After(time.Millisecond):
		}
		if time.Since(wait) > 20*time.Second {
			t.Fatal("a dropped chunk is still held")
		}
	}
}

// Readers meet writers that move, overwrite, drop and grow: what they get is whole and
// under the right key.
func TestReadersAndWriters(t *testing.T) {
	tb := New(256<<10, longest, 0)
	const keys = 3000
	var stop atomic.Bool
	var readers, writers sync.WaitGroup
	for reader := range 4 {
		readers.Go(func() {
			r := rand.New(rand.NewPCG(uint64(reader), 1))
			for !stop.Load() {
				n := r.IntN(keys)
				if block, ok := tb.Get(keyOf(n), 0); ok && block != string(blockOf(n, len(block))) {
					t.Errorf("block %d is torn: %x", n, block)
					return
				}
			}
		})
	}
	for writer := range 2 {
		writers.Go(func() {
			r := rand.New(rand.NewPCG(uint64(writer), 2))
			for i := range 20_000 {
				n := r.IntN(keys)
				tb.Put(keyOf(n), blockOf(n, 1+r.IntN(longest)), 0, time.Hour)
				if i%3000 == 0 && writer == 0 {
					tb.SetLimit(int64(100+r.IntN(400)) << 10)
				}
			}
		})
	}
	writers.Wait()
	stop.Store(true)
	readers.Wait()
	check(t, tb)
}

// While others write, what was put is found: the index grows, and the chunks of what has
// run out are used again, but nothing that lives has to be forgotten.
func TestFindOverlooksNothing(t *testing.T) {
	tb := New(64<<20, longest, 0)
	var writers sync.WaitGroup
	for writer := range 4 {
		writers.Go(func() {
			for i := range 10_000 {
				// The clocks of the writers differ: what ends at the half is not looked for.
				n, now, until := i*4+writer, time.Duration(i), time.Hour
				if i < 5000 {
					until = 5000
				}
				if !tb.Put(keyOf(n), blockOf(n, 100), now, until) {
					t.Error("not taken")
				}
				if _, ok := tb.Find(keyOf(n), now); !ok && until == time.Hour {
					t.Errorf("block %d was put and is not found", n)
				}
			}
		})
	}
	writers.Wait()
	check(t, tb)
}

// FuzzTable does what the bytes say to a table and to a map, and compares.
func FuzzTable(f *testing.F) {
	f.Add([]byte("put some, get some"), uint8(1))
	f.Add([]byte(strings.Repeat("\x00\x10\x20\x30\x41\x52", 400)), uint8(3))
	f.Fuzz(func(t *testing.T, steps []byte, small uint8) {
		tb := New(int64(small)<<12, longest, 0)
		type entry struct {
			length int
			until  time.Duration
		}
		model := map[int]entry{}
		now := time.Duration(0)
		for i := 0; i+1 < min(len(steps), 4000); i += 2 {
			n, what := int(steps[i]), int(steps[i+1])
			switch what % 8 {
			case 0, 1, 2, 3:
				e := entry{1 + what*longest/256, now + time.Duration(n)}
				if tb.Put(keyOf(n), blockOf(n, e.length), now, e.until) {
					model[n] = e
				}
			case 4:
				now += time.Duration(what)
			case 5:
				tb.SetLimit(int64(what) << 10)
			default:
				block, ok := tb.Get(keyOf(n), now)
				e, known := model[n]
				if ok && (!known || now >= e.until || block != string(blockOf(n, e.length))) {
					t.Fatalf("block %d: %d bytes, want %+v at %v", n, len(block), e, now)
				}
			}
			if tb.Size() > max(int64(small)<<12, 256<<10, MinLimit) {
				t.Fatalf("it takes %d", tb.Size())
			}
			if i%64 == 0 {
				check(t, tb)
			}
		}
		check(t, tb)
	})
}

// check looks whether index and chunks agree.
func check(t *testing.T, tb *Table) {
	t.Helper()
	x, live := tb.index.Load(), 0
	for i := range x.slots {
		s := x.slots[i].Load()
		if s == 0 {
			continue
		}
		live++
		place := placeIn(s)
		c := tb.chunk(int(place >> tb.shift))
		at := place & (1<<tb.shift - 1)
		if what := c.words[at].Load(); what>>lengthBits != c.generation() || c.words[at+atKey].Load()&markMask != markIn(s) {
			t.Fatalf("slot %d points to something else", i)
		}
		if x.find(markIn(s), func(p uint64) bool { return p == place }) != i {
			t.Fatalf("slot %d is not found from its home", i)
		}
	}
	if live != x.live {
		t.Fatalf("%d keys, counted %d", live, x.live)
	}
}

func BenchmarkGet(b *testing.B) {
	for _, n := range []int{1, 1000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			tb := New(64<<20, longest, 0)
			keys := make([]*Key, n)
			for i := range keys {
				keys[i] = keyOf(i)
				tb.Put(keys[i], blockOf(i, 150), 0, time.Hour)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, ok := tb.Get(keys[i*7919%n], 0); !ok {
					b.Fatal("gone")
				}
			}
		})
	}
}

// Blocks so small that the index is full before the memory is: what is asked for survives
// a flood there too, and there is room for new ones when everything is asked for.
func TestWhatIsUsedStaysWhenTheIndexIsFull(t *testing.T) {
	tb := New(1<<20, longest, 0)
	const hot = 300
	for n := range hot {
		put(t, tb, n, 8, time.Hour)
	}
	for n := hot; n < 100_000; n++ {
		if !tb.Put(keyOf(n), blockOf(n, 8), 0, time.Hour) {
			t.Fatal("not taken")
		}
		tb.Get(keyOf(n%hot), 0)
	}
	if kept := count(tb, 0, hot); kept != hot {
		t.Errorf("%d of %d blocks in use are left", kept, hot)
	}
	for n := 200_000; n < 250_000; n++ {
		put(t, tb, n, 8, time.Hour)
	}
	check(t, tb)
}
