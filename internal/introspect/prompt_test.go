package introspect

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// choosy is an issuer whose lookups wait until they are released, who refuses at once what
// others issued and knows some of its own at once.
type choosy struct {
	*held
	looked atomic.Int64 // times that it was asked without a lookup
	before func()       // what happens while it answers at once; nil: nothing
}

func chooses() *choosy { return &choosy{held: holds(knows().answer)} }

func (c *choosy) VerifyAtOnce(credential string) (p authority.Principal, answered bool, _ error) {
	c.looked.Add(1)
	if c.before != nil {
		c.before()
	}
	switch {
	case strings.HasPrefix(credential, "other"):
		return p, true, notActive("the token is of another issuer")
	case strings.HasPrefix(credential, "known"):
		return principalOf(credential), true, nil
	case strings.HasPrefix(credential, "broken"):
		panic("cannot read " + credential)
	}
	return p, false, nil
}

func (c *choosy) looks(t *testing.T, want int64, when string) {
	t.Helper()
	if n := c.looked.Load(); n != want {
		t.Errorf("%s: looked %d times, want %d", when, n, want)
	}
}

// occupied is a verifier in front of an issuer that says nothing while all its slots are
// taken.
func occupied(t *testing.T, o Options) (*Verifier, *choosy) {
	t.Helper()
	o.MaxLookups = 3
	issuer := chooses()
	v := newCache(t, o).Verifier(idOf("main"), issuer)
	for i := range o.MaxLookups {
		go func() { _, _ = v.Verify(t.Context(), fmt.Sprint("own", i)) }()
	}
	synctest.Wait()
	issuer.times(t, 3, "as many as there are slots")
	issuer.looked.Store(0)
	return v, issuer
}

// Behind an issuer that says nothing, what needs no lookup waits for nothing, and the rest
// for their turn.
func TestWhatIsAnsweredAtOnceDoesNotQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, issuer := occupied(t, Options{})
		own := make(chan error, 1)
		go func() {
			_, err := v.Verify(t.Context(), "own, late")
			own <- err
		}()
		synctest.Wait()
		start := time.Now()
		for _, credential := range []string{"other1", "other2"} {
			if e := mustFail(t, v, credential, authority.TokenInvalid); e.Public != "the token is of another issuer" {
				t.Errorf("%s: %q", credential, e.Public)
			}
		}
		mustPass(t, v, "known")
		if d := time.Since(start); d != 0 {
			t.Errorf("they waited for %v", d)
		}
		issuer.times(t, 3, "after three that needed none")
		if s := v.cache.Stats(); s.Lookups != 3 || s.Flights != 4 {
			t.Errorf("%+v", s)
		}
		close(issuer.release)
		if err := <-own; err != nil {
			t.Errorf("one of its own, late: %v", err)
		}
		issuer.times(t, 4, "in the end")
	})
}

// Who comes again with what was answered at once, or with others at the same time, has the
// answer of the first.
func TestAnAnswerAtOnceIsKeptLikeALookups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, issuer := occupied(t, Options{NegativeTTL: 2 * time.Second, MaxTTL: 5 * time.Second})
		issuer.before = runtime.Gosched // so that the others come meanwhile
		for _, credential := range []string{"other", "known"} {
			want := authority.TokenInvalid
			if credential == "known" {
				want = 0
			}
			var callers sync.WaitGroup
			for range 100 {
				callers.Go(func() {
					if _, err := v.Verify(t.Context(), credential); err != nil && authority.KindOf(err) != want || err == nil && want != 0 {
						t.Errorf("one of a hundred with %q: %v", credential, err)
					}
				})
			}
			callers.Wait()
		}
		issuer.looks(t, 2, "two hundred callers")
		time.Sleep(2*time.Second - 1)
		mustFail(t, v, "other", authority.TokenInvalid)
		issuer.looks(t, 2, "within negative_ttl")
		time.Sleep(time.Nanosecond)
		mustFail(t, v, "other", authority.TokenInvalid)
		mustPass(t, v, "known")
		issuer.looks(t, 3, "after negative_ttl")
		time.Sleep(3 * time.Second)
		mustPass(t, v, "known")
		issuer.looks(t, 4, "after max_ttl")
		close(issuer.release)
	})
}

// What ends while an answer is given at once ends that answer, too: it is looked up again,
// and nothing of it is kept.
func TestAttackEndWhileAnsweredAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := chooses()
		v := newCache(t, Options{}).Verifier(idOf("main"), issuer)
		ends := authority.Tag{Kind: authority.TagToken, Realm: testRealm, ID: "token-of-known"}
		issuer.before = func() { v.cache.End(ends) }
		if e := mustFail(t, v, "known", authority.Unavailable); e.RetryAfter <= 0 {
			t.Errorf("%+v", e)
		}
		issuer.looks(t, 2, "it ended each time")
		issuer.before = nil
		mustPass(t, v, "known")
		issuer.looks(t, 3, "nothing was kept")
	})
}

// A verdict that is known costs no look, however many wait.
func TestWarmVerdictIsNotLookedAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := chooses()
		v := newCache(t, Options{MaxLookups: 1}).Verifier(idOf("main"), issuer)
		warm := &counter{answer: knows().answer}
		mustPass(t, v.cache.Verifier(idOf("main"), warm), "other, warm")
		go func() { _, _ = v.Verify(t.Context(), "own") }()
		synctest.Wait()
		issuer.looked.Store(0)
		mustPass(t, v, "other, warm")
		issuer.looks(t, 0, "a warm one")
		close(issuer.release)
	})
}

// A flood of what is refused at once takes no more memory than one of what a lookup
// refuses, and neither the issuer nor a slot is asked for it.
func TestAttackFloodOfOthersTokens(t *testing.T) {
	const size = 1 << 20
	synctest.Test(t, func(t *testing.T) {
		v, issuer := occupied(t, Options{MaxSize: size, NegativeTTL: time.Hour, LookupTimeout: time.Minute})
		for i := range 20_000 {
			mustFail(t, v, fmt.Sprint("other", i), authority.TokenInvalid)
		}
		if s := v.cache.Stats(); s.Bytes > size || s.Flights != 3 {
			t.Errorf("%+v", s)
		}
		issuer.times(t, 3, "only of its own")
		close(issuer.release)
	})
}

// A caller who has left already gets no less: an answer at once is there before anybody
// could stop waiting for it.
func TestAnAnswerAtOnceNeedsNoPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := chooses()
		v := newCache(t, Options{}).Verifier(idOf("main"), issuer)
		ctx, leave := context.WithCancel(t.Context())
		leave()
		if _, err := v.Verify(ctx, "known"); err != nil {
			t.Error(err)
		}
		close(issuer.release)
	})
}

// A fault in the look is like one in a lookup: an Internal error, a line without the
// credential, no slot lost.
func TestPromptPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		v, issuer := occupied(t, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		mustFail(t, v, "broken s3cr3t", authority.Internal)
		if !strings.Contains(log.String(), "panicked") || strings.Contains(log.String(), "s3cr3t") {
			t.Errorf("log: %s", &log)
		}
		close(issuer.release)
		synctest.Wait()
		mustPass(t, v, "own, late")
		if n := len(v.slots); n != 0 || v.cache.Stats().Flights != 0 {
			t.Errorf("%d slots are taken: %+v", n, v.cache.Stats())
		}
	})
}
