package guard

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/config"
)

const (
	issuer = "https://auth.example.com"
	token  = "gha_0123456789abcdefghijklmnopqrstuvwxyz"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func atNoon() time.Time { return noon }

// issuerOf answers from a table and counts how often it was asked.
type issuerOf struct {
	tokens map[string]authority.Principal
	err    error // for every other token; nil: TokenInvalid
	asked  atomic.Int32
}

func (v *issuerOf) Verify(_ context.Context, credential string) (authority.Principal, error) {
	v.asked.Add(1)
	if p, ok := v.tokens[credential]; ok {
		return p, nil
	}
	if v.err != nil {
		return authority.Principal{}, v.err
	}
	return authority.Principal{}, &authority.Error{Kind: authority.TokenInvalid, Op: "verify"}
}

var _ authority.Verifier = (*issuerOf)(nil)

// ada is a user with everything a user can have.
func ada() authority.Principal {
	return authority.Principal{
		Source: "main", Realm: "6ba7b811-9dad-11d1-80b4-00c04fd430c8", Issuer: issuer,
		Subject: "1f0c2c3e-ada", Account: "1f0c2c3e-ada", Client: "web", Username: "ada",
		Name: "Ada Lovelace", Email: "ada@example.com", EmailVerified: true,
		Session: "sid-1", TokenID: "jti-1", Kind: authority.KindAccess,
		Scopes: authority.ListOf("read", "write"), Roles: authority.ListOf("admin", "dev"),
		Audience: authority.ListOf(issuer),
		IssuedAt: noon.Add(-time.Minute).Unix(), Expires: noon.Add(5 * time.Minute).Unix(),
		AuthTime: noon.Add(-time.Hour).Unix(),
	}
}

func knows(p authority.Principal) *issuerOf {
	return &issuerOf{tokens: map[string]authority.Principal{token: p}}
}

func mainRealm(v authority.Verifier) []Accepted {
	return []Accepted{{Name: "main", Issuer: issuer, Verifier: v}}
}

func mustGuard(t testing.TB, cfg config.Guard, accepted []Accepted) *Guard {
	t.Helper()
	g, err := New(cfg, accepted, atNoon)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// get is a request with header lines given as name, value, name, value.
func get(header ...string) *http.Request { return request(http.MethodGet, header...) }

func request(method string, header ...string) *http.Request {
	r := httptest.NewRequest(method, "/", nil)
	for i := 0; i < len(header); i += 2 {
		r.Header[header[i]] = append(r.Header[header[i]], header[i+1])
	}
	return r
}

func bearer(header ...string) *http.Request {
	return get(append(header, "Authorization", "Bearer "+token)...)
}

// meet sends r through the guards as the door does.
func meet(r *http.Request, guards ...*Guard) (*Request, *Refusal) {
	st := new(Request)
	for _, g := range guards {
		NewNames(headersOf(g)...).Strip(r, st)
		if refusal := g.Check(r, st); refusal != nil {
			return st, refusal
		}
	}
	return st, nil
}

func wantStatus(t *testing.T, refusal *Refusal, want int) {
	t.Helper()
	got := http.StatusOK
	if refusal != nil {
		got = refusal.Status
		if refusal.Err == nil || refusal.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("a refusal without its error or without no-store: %+v", refusal)
		}
	}
	if got != want {
		t.Fatalf("status %d, want %d (%+v)", got, want, refusal)
	}
}

// headersOf are the names of the identity headers that a guard sets.
func headersOf(g *Guard) []string {
	names := make([]string, len(g.fields))
	for i, f := range g.fields {
		names[i] = f.name
	}
	return names
}
