package guard

import (
	"context"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/config"
)

// freeVerifier costs nothing: what is left is the guard's own part.
type freeVerifier struct{ p authority.Principal }

func (v *freeVerifier) Verify(context.Context, string) (authority.Principal, error) { return v.p, nil }

func (v *freeVerifier) VerifyRecorded(context.Context, string, time.Time) (authority.Principal, string, error) {
	return v.p, "record", nil
}

func (v *freeVerifier) Recall(string) (authority.Principal, bool) { return v.p, true }

var _ authority.Verifier = (*freeVerifier)(nil)

// ordinary are the headers of an ordinary browser request through a proxy.
func ordinary() http.Header {
	return http.Header{
		"Accept": {"text/html"}, "Accept-Encoding": {"gzip, br"}, "Accept-Language": {"en"}, "User-Agent": {"Mozilla/5.0"},
		"Referer": {"https://app.example.com/"}, "Content-Type": {"application/json"}, "X-Forwarded-For": {"192.0.2.1"},
		"X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"app.example.com"}, "Connection": {"keep-alive"},
	}
}

func BenchmarkStrip(b *testing.B) {
	n, r := NewNames("X-Team"), get()
	r.Header = ordinary()
	st := new(Request)
	b.ReportAllocs()
	for b.Loop() {
		st.stripped = false
		n.Strip(r, st)
	}
}

func BenchmarkCheck(b *testing.B) {
	for _, bb := range []struct {
		name   string
		token  string
		header []config.IdentityHeader
	}{
		{"opaque token, one header", token[:36], []config.IdentityHeader{{Name: "X-User", Claim: "sub"}}},
		{"opaque token, preset remote", token[:36], nil},
		{"jwt of 900 bytes, one header", strings.Repeat("eyJhbGci-", 100), []config.IdentityHeader{{Name: "X-User", Claim: "sub"}}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			g := mustGuard(b, config.Guard{Scopes: []string{"read"}, Identity: config.Identity{Headers: bb.header}},
				mainRealm(&freeVerifier{ada()}))
			r, authorization := get(), []string{"Bearer " + bb.token}
			r.Header = ordinary()
			b.ReportAllocs()
			for b.Loop() {
				r.Header["Authorization"] = authorization
				st := new(Request)
				st.stripped = true
				if refusal := g.Check(r, st); refusal != nil {
					b.Fatal(refusal.Err)
				}
			}
		})
	}
}

func BenchmarkRefuse(b *testing.B) {
	g := mustGuard(b, config.Guard{}, mainRealm(new(issuerOf)))
	r, st := get(), &Request{stripped: true}
	b.ReportAllocs()
	for b.Loop() {
		g.Check(r, st)
	}
}

func BenchmarkB64Token900(b *testing.B) {
	s := strings.Repeat("eyJhbGci-", 100)
	for b.Loop() {
		if !isB64Token(s) {
			b.Fatal()
		}
	}
}

// The guard stands on every request's path: its allocations are counted exactly.
func TestAllocations(t *testing.T) {
	one := config.Identity{Headers: []config.IdentityHeader{{Name: "X-User", Claim: "sub"}}}
	tests := []struct {
		name     string
		identity config.Identity
		want     float64
	}{
		{"one header", one, 1},                  // the Request
		{"preset remote", config.Identity{}, 2}, // and the joined roles
		{"no headers", config.Identity{Preset: PresetNone}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := mustGuard(t, config.Guard{Scopes: []string{"read"}, Roles: []string{"dev"}, Identity: tt.identity},
				mainRealm(&freeVerifier{ada()}))
			n := NewNames(headersOf(g)...)
			r, plain, authorization := get(), ordinary(), []string{"Bearer " + token}
			r.Header = make(http.Header, 32)
			got := testing.AllocsPerRun(100, func() {
				clear(r.Header)
				maps.Copy(r.Header, plain)
				r.Header["Authorization"] = authorization
				st := new(Request)
				n.Strip(r, st)
				if refusal := g.Check(r, st); refusal != nil {
					t.Fatal(refusal.Err)
				}
			})
			if got != tt.want {
				t.Errorf("%v allocations, want %v", got, tt.want)
			}
		})
	}
	t.Run("strip", func(t *testing.T) {
		n, r, st := NewNames("X-Team"), get(), new(Request)
		r.Header = ordinary()
		got := testing.AllocsPerRun(100, func() {
			st.stripped = false
			n.Strip(r, st)
		})
		if got != 0 {
			t.Errorf("%v allocations", got)
		}
	})
}
