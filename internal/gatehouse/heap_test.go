package gatehouse

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestPercentFor(t *testing.T) {
	const mib = 1 << 20
	for _, tc := range []struct {
		name                string
		floor, live, others uint64
		want                int
	}{
		{"a small heap", 128 * mib, 8 * mib, 0, 1500},
		{"stacks and globals grow with it", 128 * mib, 8 * mib, 2 * mib, 1200},
		{"nearly at the floor", 128 * mib, 100 * mib, 0, 100},
		{"beyond it", 128 * mib, 300 * mib, 0, 100},
		{"nothing live", 128 * mib, 0, 0, 12800},
		{"a huge floor", 1 << 40, 1 * mib, 0, 100_000},
	} {
		if got := percentFor(tc.floor, tc.live, tc.others); got != tc.want {
			t.Errorf("%s: %d, want %d", tc.name, got, tc.want)
		}
	}
}

func TestFloorOf(t *testing.T) {
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	if got := floorOf("64MiB"); got != 64<<20 {
		t.Errorf("said: %d", got)
	}
	if got := floorOf("off"); got != 0 {
		t.Errorf("off: %d", got)
	}
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
		t.Setenv(name, "200")
		if got := floorOf("64MiB"); got != 0 {
			t.Errorf("%s loses against the word: %d", name, got)
		}
		t.Setenv(name, "")
	}
}

// The floor holds over collections, and the collector comes back as it was.
func TestHeapFloor(t *testing.T) {
	was := debug.SetGCPercent(100)
	t.Cleanup(func() { debug.SetGCPercent(was) })
	present := func() int {
		p := debug.SetGCPercent(-1)
		debug.SetGCPercent(p)
		return p
	}
	h := new(heapFloor)
	h.set(1 << 30)
	if p := present(); p < 200 {
		t.Errorf("GOGC is %d over a small heap", p)
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	before := stats.NumGC
	var keep [][]byte
	for range 64 {
		keep = append(keep, make([]byte, 1<<20))
	}
	runtime.ReadMemStats(&stats)
	if stats.NumGC != before {
		t.Errorf("%d collections below the floor", stats.NumGC-before)
	}
	runtime.KeepAlive(keep)
	h.set(0)
	if p := present(); p != 100 {
		t.Errorf("GOGC came back as %d", p)
	}
	h.set(0)
}
