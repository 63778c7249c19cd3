package introspect

import (
	"sync/atomic"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// Stats tells how the cache fares, for metrics. The counts only grow.
type Stats struct {
	Hits         uint64 // answered "active" from the cache
	NegativeHits uint64 // answered "not active" from the cache
	Misses       uint64 // callers for whom the cache had no answer
	Lookups      uint64 // lookups made, for misses that could not be answered at once
	Endings      uint64 // calls of End with a tag
	Marks        int    // watermarks kept now
	Flights      int    // lookups in flight now
	Bytes        int64  // taken by cached verdicts now, with all that is kept beside them
}

// Stats returns the counts of now. It takes locks: call it per scrape, not per request.
func (c *Cache) Stats() Stats {
	s := Stats{
		NegativeHits: c.counts.negativeHits.Load(),
		Misses:       c.counts.misses.Load(),
		Lookups:      c.counts.lookups.Load(),
		Endings:      c.endings.number.Load(),
		Marks:        c.endings.live(),
		Bytes:        c.good.Size() + c.bad.Size(),
	}
	for i := range c.counts.hits {
		s.Hits += c.counts.hits[i].Load()
	}
	c.flights.mu.Lock()
	defer c.flights.mu.Unlock()
	s.Flights = len(c.flights.table)
	return s
}

// counts are the counters behind Stats.
type counts struct {
	hits         [64]stripe
	negativeHits atomic.Uint64
	misses       atomic.Uint64
	lookups      atomic.Uint64
}

// stripe is a counter on a cache line of its own: hits of different tokens, on
// different processors, do not fight over one line.
type stripe struct {
	atomic.Uint64
	_ [56]byte
}

func (n *counts) hit(d *secret.Digest) { n.hits[d[len(d)-1]%64].Add(1) }
