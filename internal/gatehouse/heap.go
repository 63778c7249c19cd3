package gatehouse

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"sync"

	"github.com/gatehouse-auth/gatehouse/internal/config"
)

// heapFloor keeps the collector from working over a heap smaller than a floor: a
// gateway's live heap is a few MiB, and collecting it each time it has doubled is work
// that a larger heap spares.
//
// GOGC says how much the heap may grow beyond what is live, in percent. After each
// collection the percentage is set such that the next one comes when the heap reaches
// the floor, or when it would have come anyway, whichever is later. A memory limit
// (GOMEMLIMIT, or the container's as Caddy reads it) makes the runtime collect before
// that, as always.
//
// It belongs to the process, like the collector itself.
type heapFloor struct {
	mu    sync.Mutex
	floor uint64 // bytes; zero: the collector is as Go has it
	armed bool
}

// usualPercent is GOGC where nobody says anything.
const usualPercent = 100

// sentinel is garbage from the start: when it is collected, a collection has ended.
type sentinel struct {
	_ *sentinel
	_ [64]byte
}

// set applies a floor; zero gives the collector back as Go has it, since a floor is set
// only where the operator said nothing else (see floorOf).
func (h *heapFloor) set(floor uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if floor == h.floor {
		return
	}
	h.floor = floor
	if floor == 0 {
		debug.SetGCPercent(usualPercent)
		return
	}
	h.adjust()
	if !h.armed {
		h.armed = true
		h.arm()
	}
}

// arm has collected called after the next collection.
func (h *heapFloor) arm() { runtime.AddCleanup(new(sentinel), (*heapFloor).collected, h) }

// collected adjusts the percentage to what is live now.
func (h *heapFloor) collected() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.floor == 0 {
		h.armed = false
		return
	}
	h.adjust()
	h.arm()
}

// adjust sets the percentage by which the heap may grow to the floor. It is set anew
// each time, since another holder of a floor may have given the collector back.
func (h *heapFloor) adjust() {
	samples := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"}}
	metrics.Read(samples)
	debug.SetGCPercent(percentFor(h.floor, samples[0].Value.Uint64(), samples[1].Value.Uint64()+samples[2].Value.Uint64()))
}

// percentFor is the GOGC with which the collector begins its next work when the heap
// is as large as the floor: the runtime adds the percentage of what is live, of stacks
// and of globals (others) to what is live. It is never less than usual.
func percentFor(floor, live, others uint64) int {
	const most = 100_000
	if live >= floor {
		return usualPercent
	}
	return max(usualPercent, int(min((floor-live)*100/max(live+others, 1<<20), most)))
}

// ownModule is the module of our own binary, cmd/gatehouse.
const ownModule = "github.com/gatehouse-auth/gatehouse"

// defaultFloor is the floor of our own binary.
const defaultFloor = 128 << 20

// floorOf is the floor in bytes for what a configuration says: its own word, or that
// of our own binary where it says nothing, and none where the operator has told the
// Go runtime himself what to do.
func floorOf(said string) uint64 {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" || said == "off" {
		return 0
	}
	if size, err := config.ParseSize(said); said != "" && err == nil {
		return uint64(size)
	}
	if info, ok := debug.ReadBuildInfo(); ok && strings.HasPrefix(info.Main.Path, ownModule) {
		return defaultFloor
	}
	return 0
}
