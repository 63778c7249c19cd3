package introspect

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

type verifierFunc func(ctx context.Context, credential string) (authority.Principal, error)

func (f verifierFunc) Verify(ctx context.Context, credential string) (authority.Principal, error) {
	return f(ctx, credential)
}

// counter is a verifier that counts its lookups.
type counter struct {
	lookups atomic.Int64
	answer  verifierFunc
}

func (c *counter) Verify(ctx context.Context, credential string) (authority.Principal, error) {
	c.lookups.Add(1)
	return c.answer(ctx, credential)
}

func knows() *counter {
	return &counter{answer: func(_ context.Context, credential string) (authority.Principal, error) {
		return principalOf(credential), nil
	}}
}

func refuses(err error) *counter {
	return &counter{answer: func(context.Context, string) (authority.Principal, error) {
		return authority.Principal{}, err
	}}
}

// times fails the test unless the verifier was asked that often.
func (c *counter) times(t *testing.T, want int64, when string) {
	t.Helper()
	if got := c.lookups.Load(); got != want {
		t.Fatalf("%s: %d lookups, want %d", when, got, want)
	}
}

const testRealm = "8f14e45f-ceea-467f-a8d6-6d1d2a4b0c11"

func principalOf(name string) authority.Principal {
	return authority.Principal{
		Source: "main", Realm: testRealm, Issuer: "https://auth.example.com",
		Subject: "account-of-" + name, Account: "account-of-" + name, Client: "web",
		Username: name, Name: "Somebody called " + name, Email: name + "@example.com",
		Session: "session-of-" + name, TokenID: "token-of-" + name, KeyID: "key-1",
		Kind: authority.KindAccess, Scopes: authority.ListOf("openid", "email"), Roles: authority.ListOf("admin"),
		Audience: authority.ListOf("https://auth.example.com"), IssuedAt: 1_700_000_000,
		Expires: time.Now().Add(24 * time.Hour).Unix(), AuthTime: 1_699_999_000, EmailVerified: true,
	}
}

func idOf(name string) secret.Digest { return secret.DigestOf(name) }

func newCache(tb testing.TB, o Options) *Cache {
	tb.Helper()
	c, err := New(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

func notActive(public string) error {
	return &authority.Error{Kind: authority.TokenInvalid, Op: "look up", Public: public}
}

func mustPass(t *testing.T, v authority.Verifier, credential string) authority.Principal {
	t.Helper()
	p, err := v.Verify(t.Context(), credential)
	if err != nil {
		t.Fatalf("Verify: %v", err)
	}
	if p.Username != credential {
		t.Fatalf("the credential of %q brought the facts of %q", credential, p.Username)
	}
	return p
}

func mustFail(t *testing.T, v authority.Verifier, credential string, want authority.Kind) *authority.Error {
	t.Helper()
	p, err := v.Verify(t.Context(), credential)
	if err == nil || authority.KindOf(err) != want {
		t.Fatalf("Verify: %v, want the kind %v", err, want)
	}
	if p != (authority.Principal{}) {
		t.Fatalf("an error came with the facts of %q", p.Subject)
	}
	e, ok := errors.AsType[*authority.Error](err)
	if !ok {
		t.Fatalf("Verify: %v is not an *authority.Error", err)
	}
	return e
}

// settled waits until no flight is in the table, so that a following call can
// only be answered by the cache or by a lookup of its own.
func settled(t *testing.T, c *Cache) {
	t.Helper()
	for c.Stats().Flights > 0 {
		select {
		case <-t.Context().Done():
			t.Fatal("a flight never landed")
		case <-time.After(time.Millisecond):
		}
	}
}

// clocks are a wall clock and an elapsed time that a test moves, each by itself.
type clocks struct {
	mu      sync.Mutex
	wall    time.Time
	elapsed time.Duration
}

func newClocks() *clocks { return &clocks{wall: time.Now()} }

func (c *clocks) options(o Options) Options {
	o.Clock = func() time.Time {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.wall
	}
	o.elapsed = func() time.Duration {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.elapsed
	}
	return o
}

func (c *clocks) move(wall, elapsed time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wall = c.wall.Add(wall)
	c.elapsed += elapsed
}
