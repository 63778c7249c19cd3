package bench

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/guard"
	"github.com/gatehouse-auth/gatehouse/internal/introspect"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

const issuer = "https://auth.example.com"

// everybody vouches for every credential, as a realm would for its own.
type everybody struct{ expires int64 }

func (e everybody) Verify(_ context.Context, credential string) (authority.Principal, error) {
	id := fmt.Sprintf("%x", secret.DigestOf(credential))
	return authority.Principal{
		Source: "demo", Realm: "0d8a9f0e-8a53-4d8e-9a5e-5e4a3c2b1a00", Issuer: issuer, Subject: id[:32], Account: id[:32],
		Client: "app", Username: "user-" + id[:6], Name: "Some Body", Email: id[:6] + "@example.com", EmailVerified: true,
		Session: id[32:], TokenID: id[8:40], KeyID: "key", Kind: authority.KindAccess,
		Scopes: authority.ListOf("openid", "read"), Roles: authority.ListOf("staff", "reader"), Audience: authority.ListOf(issuer),
		IssuedAt: e.expires - 300, Expires: e.expires,
	}, nil
}

// decision is a guard over a warm cache.
type decision struct {
	guard  *guard.Guard
	names  *guard.Names
	tokens []string
	r      *http.Request
}

func newDecision(tb testing.TB, tokenLength, entries int, rule config.Guard) *decision {
	tb.Helper()
	cache, err := introspect.New(introspect.Options{MaxSize: 256 << 20, MaxTTL: time.Hour})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(cache.Close)
	v := cache.Verifier(secret.DigestOf("demo"), everybody{time.Now().Add(time.Hour).Unix()})
	rule.Accept = []string{"demo"}
	g, err := guard.New(rule, []guard.Accepted{{Name: "demo", Issuer: issuer, Verifier: v}}, time.Now)
	if err != nil {
		tb.Fatal(err)
	}
	d := &decision{guard: g, names: guard.NewNames(), tokens: make([]string, entries)}
	d.r, err = http.NewRequestWithContext(tb.Context(), http.MethodGet, "/api/things?page=2", nil)
	if err != nil {
		tb.Fatal(err)
	}
	d.r.RequestURI, d.r.Host = "/api/things?page=2", "app.example.com"
	for i := range d.tokens {
		n := fmt.Sprintf("%08d", i)
		d.tokens[i] = "Bearer " + n + strings.Repeat("x", tokenLength-len(n))
		if refusal := d.decide(i); refusal != nil {
			tb.Fatal(refusal.Err)
		}
	}
	return d
}

// decide is what a guard does with a request: strip, find, recognise, judge, identify.
func (d *decision) decide(i int) *guard.Refusal {
	clear(d.r.Header)
	d.r.Header["Authorization"] = []string{d.tokens[i%len(d.tokens)]}
	d.r.Header["Accept"] = accept
	st := new(guard.Request)
	d.names.Strip(d.r, st)
	return d.guard.Check(d.r, st)
}

var accept = []string{"*/*"}

// oneHeader is an identity map with one header.
var oneHeader = config.Guard{Identity: config.Identity{Headers: []config.IdentityHeader{{Name: "X-Auth-Subject", Claim: "sub"}}}}

// BenchmarkDecision is a whole decision on a hit, by number of identity headers, length
// of token and number of cached verdicts.
func BenchmarkDecision(b *testing.B) {
	for name, rule := range map[string]config.Guard{"one": oneHeader, "preset": {}} {
		for _, length := range []int{36, 900} {
			for _, entries := range []int{1, 1000, 100_000} {
				b.Run(fmt.Sprintf("headers=%s/token=%dB/cached=%d", name, length, entries), func(b *testing.B) {
					d := newDecision(b, length, entries, rule)
					b.ReportAllocs()
					i := 0
					for b.Loop() {
						if d.decide(i) != nil {
							b.Fatal("refused")
						}
						i += 7919 // a prime: not in the order in which they were put there
					}
				})
			}
		}
	}
}

// A hit costs at most so many allocations, whatever the token: two of them are the
// test's own request (the state of the guards, the header field).
func TestAllocationsOfADecision(t *testing.T) {
	for _, length := range []int{36, 900} {
		d := newDecision(t, length, 100, oneHeader)
		i := 0
		got := testing.AllocsPerRun(1000, func() {
			if d.decide(i) != nil {
				t.Fatal("refused")
			}
			i++
		})
		if got > 5 {
			t.Errorf("token of %d bytes: %v allocations, want at most 5", length, got)
		}
	}
}
