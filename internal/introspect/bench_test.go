package introspect

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// caller writes one credential after another into the same bytes, as a server
// reads requests: the credential is in the processor's cache, what is known of it
// is not.
type caller struct{ buffer []byte }

func newCaller(length int) *caller {
	return &caller{[]byte(strings.Repeat("x", length))}
}

const callerDigits = 16

func (c *caller) credential(i int) string {
	n := uint64(i) * 0x9e3779b97f4a7c15 // an odd factor: another i, another credential
	for at := range callerDigits {
		c.buffer[at] = "0123456789abcdef"[n>>(4*at)&15]
	}
	return unsafe.String(&c.buffer[0], len(c.buffer)) // good until the next call
}

// warm makes a cache that knows the first n credentials of callers of the length.
func warm(tb testing.TB, length, n int) *Verifier {
	tb.Helper()
	c := newCache(tb, Options{MaxTTL: time.Hour})
	v := c.Verifier(idOf("bench"), verifierFunc(func(_ context.Context, credential string) (authority.Principal, error) {
		return principalOf(credential[:callerDigits]), nil
	}))
	for i := range n {
		if _, err := v.Verify(tb.Context(), strings.Clone(newCaller(length).credential(i))); err != nil {
			tb.Fatal(err)
		}
	}
	return v
}

func BenchmarkHit(b *testing.B) {
	for _, length := range []int{36, 900} {
		for _, n := range []int{1, 100_000} {
			b.Run(fmt.Sprintf("token=%d/entries=%d", length, n), func(b *testing.B) {
				v, from := warm(b, length, n), newCaller(length)
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					if _, err := v.Verify(b.Context(), from.credential(i*7919%n)); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run(fmt.Sprintf("token=%d/entries=%d/parallel", length, n), func(b *testing.B) {
				v := warm(b, length, n)
				b.ReportAllocs()
				var lane atomic.Int64
				b.RunParallel(func(pb *testing.PB) {
					from := newCaller(length)
					for i := int(lane.Add(1)) * 104729; pb.Next(); i++ {
						if _, err := v.Verify(b.Context(), from.credential(i*7919%n)); err != nil {
							b.Error(err)
						}
					}
				})
			})
		}
	}
}

// BenchmarkHitAfterEnding is a hit on a verdict older than the last of many
// endings, none of which concerns it.
func BenchmarkHitAfterEnding(b *testing.B) {
	v, from := warm(b, 36, 1), newCaller(36)
	for i := range 100 {
		v.cache.End(authority.Tag{Kind: authority.TagSession, Realm: "other", ID: fmt.Sprint(i)})
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(b.Context(), from.credential(0)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMiss(b *testing.B) {
	c := newCache(b, Options{})
	v := c.Verifier(idOf("bench"), verifierFunc(func(context.Context, string) (authority.Principal, error) {
		return principalOf("somebody"), nil
	}))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := v.Verify(b.Context(), fmt.Sprint(i)); err != nil {
			b.Fatal(err)
		}
	}
}
