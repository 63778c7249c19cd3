package gatehouse

import (
	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/introspect"
)

// numbers are what the cache counts, for the registry.
func (s *State) numbers() []audit.Number {
	read := func(of func(introspect.Stats) float64) func() float64 {
		return func() float64 { return of(s.cache.Stats()) }
	}
	return []audit.Number{
		{Name: "cache_hits_total", Help: "Credentials answered as active from the cache.",
			Read: read(func(st introspect.Stats) float64 { return float64(st.Hits) })},
		{Name: "cache_negative_hits_total", Help: "Credentials answered as not active from the cache.",
			Read: read(func(st introspect.Stats) float64 { return float64(st.NegativeHits) })},
		{Name: "cache_misses_total", Help: "Credentials that the cache had no answer for.",
			Read: read(func(st introspect.Stats) float64 { return float64(st.Misses) })},
		{Name: "cache_lookups_total", Help: "Lookups made, for misses that could not be answered at once.",
			Read: read(func(st introspect.Stats) float64 { return float64(st.Lookups) })},
		{Name: "cache_endings_total", Help: "Endings of tokens, sessions, accounts, clients and keys.",
			Read: read(func(st introspect.Stats) float64 { return float64(st.Endings) })},
		{Name: "cache_watermarks", Help: "Endings that cached verdicts are still compared with.", Level: true,
			Read: read(func(st introspect.Stats) float64 { return float64(st.Marks) })},
		{Name: "cache_bytes", Help: "Memory that cached verdicts take.", Level: true,
			Read: read(func(st introspect.Stats) float64 { return float64(st.Bytes) })},
	}
}
