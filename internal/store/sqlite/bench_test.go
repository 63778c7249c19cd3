package sqlite

import (
	"crypto/sha256"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

func BenchmarkUpdate(b *testing.B) {
	s := fresh(b)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		if err := s.Update(b.Context(), put(fmt.Sprint(n))); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkUpdateParallel shows what sharing a commit gives.
func BenchmarkUpdateParallel(b *testing.B) {
	s := fresh(b)
	b.ReportAllocs()
	b.SetParallelism(32)
	var n atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := s.Update(b.Context(), put(fmt.Sprint(n.Add(1)))); err != nil {
				b.Error(err)
			}
		}
	})
	stats := s.Stats()
	b.ReportMetric(float64(stats.Updates)/float64(max(stats.Commits, 1)), "updates/commit")
}

// lookup is what a miss of the verdict cache reads: a token and its session.
func lookup(s *Store, b *testing.B) error {
	return s.View(b.Context(), func(tx authority.Tx) error {
		if _, err := tx.Token(sha256.Sum256([]byte("t"))); err != nil {
			return err
		}
		_, err := tx.Session("r", "s")
		return err
	})
}

func stocked(b *testing.B) *Store {
	s := fresh(b)
	err := s.Update(b.Context(), func(tx authority.Tx) error {
		if err := put("t")(tx); err != nil {
			return err
		}
		return tx.PutSession(authority.Session{Realm: "r", ID: "s"})
	})
	if err != nil {
		b.Fatal(err)
	}
	return s
}

func BenchmarkView(b *testing.B) {
	s := stocked(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := lookup(s, b); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkViewParallel(b *testing.B) {
	s := stocked(b)
	b.ReportAllocs()
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := lookup(s, b); err != nil {
				b.Error(err)
			}
		}
	})
}
