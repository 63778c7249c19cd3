package provider

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"
)

// published is a document that an issuer publishes, with a clock of its own.
type published struct {
	mu      sync.Mutex
	now     time.Time
	fetches int
	fetch   func(n int) (*int, error)
}

func (p *published) clock() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

func (p *published) later(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = p.now.Add(d)
}

func (p *published) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fetches
}

func (p *published) document(t *testing.T, deadline time.Duration) *Document[int] {
	t.Helper()
	c, err := NewClient(Options{Name: "test", HTTP: &http.Client{}, Deadline: deadline})
	if err != nil {
		t.Fatal(err)
	}
	p.now = time.Unix(1_700_000_000, 0)
	return NewDocument(c, "fetch", p.clock, time.Minute, func(context.Context) (*int, error) {
		p.mu.Lock()
		p.fetches++
		n, fetch := p.fetches, p.fetch
		p.mu.Unlock()
		if fetch != nil {
			return fetch(n)
		}
		return &n, nil
	})
}

func TestADocumentIsKept(t *testing.T) {
	p := &published{}
	d := p.document(t, 0)
	get := func(want int) *int {
		t.Helper()
		v, err := d.Get(t.Context())
		if err != nil || *v != want {
			t.Fatalf("%v %v, want %d", v, err, want)
		}
		return v
	}
	one := get(1)
	get(1)
	p.later(2 * time.Minute)
	two := get(2)
	if v, err := d.Newer(t.Context(), one); err != nil || v != two {
		t.Errorf("a newer one that is there: %v %v", v, err)
	}
	if v, err := d.Newer(t.Context(), two); err != nil || v != two || p.count() != 2 {
		t.Errorf("within the pause: %v %v", v, err)
	}
	p.later(pauseBetween)
	if v, err := d.Newer(t.Context(), two); err != nil || *v != 3 {
		t.Errorf("after the pause: %v %v", v, err)
	}
}

// An issuer begins to sign with a new key soon after its keys were fetched: the first token
// of that key has them fetched again, and those who make up key ids at most every ten seconds.
func TestADocumentThatChangesSoon(t *testing.T) {
	p := &published{}
	d := p.document(t, 0)
	v, err := d.Get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		after   time.Duration
		fetches int
	}{
		{0, 1}, // it was fetched just now
		{pauseAfterAny, 2},
		{pauseAfterAny, 2},
		{pauseBetween - pauseAfterAny - 1, 2},
		{1, 3},
		{pauseBetween - 1, 3},
	} {
		p.later(step.after)
		if v, err = d.Newer(t.Context(), v); err != nil || p.count() != step.fetches {
			t.Errorf("after %s: %d fetches, not %d; %v", step.after, p.count(), step.fetches, err)
		}
	}
}

// A failed fetch is told by Newer, beside the copy that is still good.
func TestADocumentThatCannotBeHad(t *testing.T) {
	p := &published{}
	d := p.document(t, 0)
	good, err := d.Get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	down := errors.New("down")
	p.mu.Lock()
	p.fetch = func(int) (*int, error) { return nil, down }
	p.mu.Unlock()
	p.later(pauseBetween)
	for range 2 {
		if v, err := d.Newer(t.Context(), good); v != good || !errors.Is(err, down) {
			t.Errorf("%v %v", v, err)
		}
	}
	p.later(2 * time.Minute)
	if v, err := d.Get(t.Context()); err != nil || v != good {
		t.Errorf("the last good copy: %v %v", v, err)
	}
	p.later(maxStale)
	if v, err := d.Get(t.Context()); v != nil || !errors.Is(err, down) {
		t.Errorf("a copy too old: %v %v", v, err)
	}
	if v, err := d.Newer(t.Context(), good); v != nil || !errors.Is(err, down) {
		t.Errorf("newer than a copy too old: %v %v", v, err)
	}
}

// An issuer that says nothing delays those who have a good copy by no more than our
// patience, and those who have none by no more than their own.
func TestADocumentThatIsSlow(t *testing.T) {
	p := &published{}
	d := p.document(t, 40*time.Millisecond)
	good, err := d.Get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	hang, end := make(chan struct{}), 100
	p.mu.Lock()
	p.fetch = func(int) (*int, error) { <-hang; return &end, nil }
	p.mu.Unlock()
	p.later(2 * time.Minute)
	for range 3 {
		if v, err := d.Get(t.Context()); err != nil || v != good {
			t.Errorf("%v %v", v, err)
		}
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if v, err := d.Get(gone); v != nil || err == nil {
		t.Errorf("gone: %v %v", v, err)
	}
	if v, err := d.Newer(gone, good); v != nil || err == nil {
		t.Errorf("gone: %v %v", v, err)
	}
	if n := p.count(); n != 2 {
		t.Errorf("%d fetches", n)
	}
	p.later(maxStale)
	close(hang)
	if v, err := d.Newer(t.Context(), good); err != nil || *v != end {
		t.Errorf("at last: %v %v", v, err)
	}
}

// The patience is that of the fetch, not of each caller: those who come later do not wait
// as long again for an issuer that says nothing.
func TestPatienceWithASlowDocumentIsSpentOnce(t *testing.T) {
	p := &published{}
	d := p.document(t, 2*time.Second)
	good, err := d.Get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	hang := make(chan struct{})
	defer close(hang)
	p.mu.Lock()
	p.fetch = func(int) (*int, error) { <-hang; return nil, errors.New("too late") }
	p.mu.Unlock()
	p.later(2 * time.Minute)
	if v, err := d.Get(t.Context()); err != nil || v != good {
		t.Errorf("the first: %v %v", v, err)
	}
	p.later(d.patience)
	began := time.Now()
	for range 20 {
		if v, err := d.Get(t.Context()); err != nil || v != good {
			t.Errorf("later: %v %v", v, err)
		}
		if v, err := d.Newer(t.Context(), good); v != good || err == nil {
			t.Errorf("newer, later: %v %v", v, err)
		}
	}
	if took := time.Since(began); took > 4*d.patience {
		t.Errorf("20 callers who came later waited %v", took)
	}
	if n := p.count(); n != 2 {
		t.Errorf("%d fetches", n)
	}
}

func TestAddressesOfMetadata(t *testing.T) {
	for issuer, want := range map[string][2]string{
		"https://i.example":      {"https://i.example/.well-known/openid-configuration", "https://i.example/.well-known/oauth-authorization-server"},
		"https://i.example/":     {"https://i.example/.well-known/openid-configuration", "https://i.example/.well-known/oauth-authorization-server"},
		"https://i.example/a/b/": {"https://i.example/a/b/.well-known/openid-configuration", "https://i.example/.well-known/oauth-authorization-server/a/b"},
		"https://i.example/a%2Fb": {"https://i.example/a%2Fb/.well-known/openid-configuration",
			"https://i.example/.well-known/oauth-authorization-server/a%2Fb"},
	} {
		if got := [2]string{OpenIDAddress(issuer), OAuthAddress(issuer)}; got != want {
			t.Errorf("%s: %q", issuer, got)
		}
	}
	if got := OAuthAddress("acme"); got != "" {
		t.Errorf("%q", got)
	}
}
