package introspect

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// choosy is an issuer whose lookups wait until they are released, and who disowns what
// others issued.
type choosy struct {
	*held
	disowned atomic.Int64 // times that it was asked
}

func chooses() *choosy { return &choosy{held: holds(knows().answer)} }

func (c *choosy) Disown(credential string) error {
	c.disowned.Add(1)
	switch {
	case strings.HasPrefix(credential, "other"):
		return notActive("the token is of another issuer")
	case strings.HasPrefix(credential, "broken"):
		panic("cannot read " + credential)
	}
	return nil
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
	if n := issuer.disowned.Load(); n != 0 {
		t.Fatalf("looked at %d credentials that had no need to wait", n)
	}
	return v, issuer
}

// Behind an issuer that says nothing, what is not its own waits for nothing, and its own
// for their turn.
func TestWhatIsDisownedDoesNotQueue(t *testing.T) {
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
		if d := time.Since(start); d != 0 {
			t.Errorf("they waited for %v", d)
		}
		issuer.times(t, 3, "after two of another's")
		if n := v.cache.Stats().Lookups; n != 3 {
			t.Errorf("%d lookups counted", n)
		}
		close(issuer.release)
		if err := <-own; err != nil {
			t.Errorf("one of its own, late: %v", err)
		}
		issuer.times(t, 4, "in the end")
	})
}

// Who comes again with what was disowned, or with others at the same time, has the answer
// of the first; a slot that is free again means a lookup again.
func TestDisownedIsRememberedLikeARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, issuer := occupied(t, Options{NegativeTTL: 2 * time.Second})
		var callers sync.WaitGroup
		for range 100 {
			callers.Go(func() {
				if _, err := v.Verify(t.Context(), "other"); authority.KindOf(err) != authority.TokenInvalid {
					t.Errorf("one of a hundred: %v", err)
				}
			})
		}
		callers.Wait()
		time.Sleep(2*time.Second - 1)
		mustFail(t, v, "other", authority.TokenInvalid)
		if n := issuer.disowned.Load(); n != 1 {
			t.Errorf("looked at %d times", n)
		}
		time.Sleep(time.Nanosecond)
		mustFail(t, v, "other", authority.TokenInvalid)
		if n := issuer.disowned.Load(); n != 2 {
			t.Errorf("looked at %d times after negative_ttl", n)
		}
		time.Sleep(2 * time.Second)
		close(issuer.release)
		synctest.Wait()
		mustPass(t, v, "other") // the lookup decides, and this one knows everybody
		if n := issuer.disowned.Load(); n != 2 {
			t.Errorf("looked at %d times with a slot to spare", n)
		}
	})
}

// A verdict that is known costs no look, however many wait.
func TestWarmVerdictIsNotDisowned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := chooses()
		v := newCache(t, Options{MaxLookups: 1}).Verifier(idOf("main"), issuer)
		warm := &counter{answer: knows().answer}
		mustPass(t, v.cache.Verifier(idOf("main"), warm), "other, warm")
		go func() { _, _ = v.Verify(t.Context(), "own") }()
		synctest.Wait()
		mustPass(t, v, "other, warm")
		if n := issuer.disowned.Load(); n != 0 {
			t.Errorf("looked at %d times", n)
		}
		close(issuer.release)
	})
}

// A flood of what is disowned takes no more memory than one of what is refused, and
// neither the issuer nor a slot is asked for it.
func TestAttackFloodOfDisowned(t *testing.T) {
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

// A fault in the look is like one in a lookup: an Internal error, a line without the
// credential, no slot lost.
func TestDisownerPanics(t *testing.T) {
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
