package introspect

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/introspect/slab"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// The defaults of Options.
const (
	DefaultMaxSize       = 64 << 20 // bytes
	DefaultMaxTTL        = 30 * time.Second
	DefaultNegativeTTL   = 2 * time.Second
	DefaultMaxLookups    = 256
	DefaultLookupTimeout = 10 * time.Second
)

// Options bound a Cache. A field that is zero has its default.
type Options struct {
	MaxSize       int64           // bytes that the verdicts may take, with all that is kept beside them
	MaxTTL        time.Duration   // longest life of a verdict, from the start of its lookup
	NegativeTTL   time.Duration   // life of the verdict "not active"
	MaxLookups    int             // lookups in flight at a time, per verifier
	LookupTimeout time.Duration   // longest time of a lookup, waiting for its turn included
	Clock         authority.Clock // wall clock that token expiry is judged by
	Logger        *slog.Logger    // hears of verifiers that panic

	elapsed func() time.Duration // time since the cache was made; tests hand in their own
}

// Cache remembers verdicts for any number of verifiers. It is safe for
// concurrent use.
type Cache struct {
	good *slab.Table // verdicts "active"
	bad  *slab.Table // verdicts "not active", apart: a flood of them evicts only them

	salt    secret.Digest // goes into every key, so that nobody can choose which keys meet
	words   words
	endings *endings
	flights flights
	counts  counts

	active  life // of verdicts "active", by max_ttl
	refused life // of verdicts "not active", by negative_ttl

	maxLookups    int
	lookupTimeout time.Duration
	logger        *slog.Logger
	start         time.Time
	clock         authority.Clock      // nil: time.Now, read once for both clocks
	elapsed       func() time.Duration // used with clock
	buffers       sync.Pool            // of what is hashed

	life context.Context // ends with Close; lookups in flight end with it
	end  context.CancelFunc
}

var _ authority.Endings = (*Cache)(nil)

// New makes an empty cache. The caller closes it. Errors: limits that are negative.
func New(o Options) (*Cache, error) {
	if o.MaxSize < 0 || o.MaxTTL < 0 || o.NegativeTTL < 0 || o.MaxLookups < 0 || o.LookupTimeout < 0 {
		return nil, errors.New("verdict cache: a limit is negative")
	}
	c := &Cache{
		salt:          secret.DigestOf(secret.Token()),
		maxLookups:    orDefault(o.MaxLookups, DefaultMaxLookups),
		lookupTimeout: orDefault(o.LookupTimeout, DefaultLookupTimeout),
		logger:        o.Logger,
		start:         time.Now(),
		clock:         o.Clock,
		elapsed:       o.elapsed,
	}
	if c.logger == nil {
		c.logger = slog.New(slog.DiscardHandler)
	}
	if c.elapsed == nil {
		c.elapsed = func() time.Duration { return time.Since(c.start) }
	} else if c.clock == nil {
		c.clock = time.Now
	}
	c.buffers.New = func() any { return new([prefixSize + maxCredential]byte) }
	c.words.init()
	c.flights.table = make(map[secret.Digest]*flight)
	c.life, c.end = context.WithCancel(context.Background())
	c.endings = newEndings(func() time.Duration { return c.now().age })

	good, bad := split(orDefault(o.MaxSize, DefaultMaxSize))
	c.good, c.bad = slab.New(good, maxBlock, min(good/heapShare, maxOnHeap)), slab.New(bad, negativeHead+maxPublic, 0)
	c.SetLimits(o.MaxSize, o.MaxTTL, o.NegativeTTL)
	return c, nil
}

func orDefault[T int | int64 | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

const negativeShare = 16 // one part in so many of max_size: verdicts "not active"

// The first verdicts "active" stand on the collector's heap, in memory without pointers, which it
// has not to look at: one part in so many of all, at most maxOnHeap. It begins whenever the heap has
// doubled, and a gateway's is so small that this is dozens of times a second; with so little
// more it is half as often. What is more costs twice its size in memory.
const (
	heapShare = 8
	maxOnHeap = 6 << 20
)

// split divides max_size between the verdicts "active" and "not active".
func split(maxSize int64) (good, bad int64) {
	bad = max(maxSize/negativeShare, slab.MinLimit)
	return maxSize - bad, bad
}

// SetLimits applies the limits of a new configuration without emptying the cache;
// zero means the default. A shorter max_ttl holds at once for what is cached, a
// longer one for what comes.
func (c *Cache) SetLimits(maxSize int64, maxTTL, negativeTTL time.Duration) {
	good, bad := split(orDefault(maxSize, DefaultMaxSize))
	c.good.SetLimit(good)
	c.bad.SetLimit(bad)
	maxTTL = orDefault(maxTTL, DefaultMaxTTL)
	now := c.now().age
	c.active.set(maxTTL, now)
	c.refused.set(orDefault(negativeTTL, DefaultNegativeTTL), now)
	// A lookup may take its whole time and its verdict lives from its start.
	c.endings.retain.Store(int64(maxTTL + c.lookupTimeout))
}

// End makes every verdict worthless that hangs on one of the tags and whose
// lookup began before End returned.
func (c *Cache) End(tags ...authority.Tag) { c.endings.end(tags) }

// Close ends the lookups in flight, waits for them no longer than a lookup may
// take, and frees the memory. Call it after the last Verify returned; a later one
// answers Unavailable.
func (c *Cache) Close() {
	if !c.flights.close() {
		return
	}
	c.end()
	landed := make(chan struct{})
	go func() {
		c.flights.landing.Wait()
		close(landed)
	}()
	patience := time.NewTimer(c.lookupTimeout)
	defer patience.Stop()
	select {
	case <-landed:
	case <-patience.C: // a verifier ignores its context; its answer will be dropped
	}
	c.good.Close()
	c.bad.Close()
}

// instant is a moment on both clocks.
type instant struct {
	unix int64         // wall clock, seconds; judges token expiry
	age  time.Duration // monotonic, since the cache was made; judges the life of verdicts
}

func (c *Cache) now() instant { return c.instantOf(time.Now()) }

// instantOf is the instant of a time that was read just now; a cache with a clock of its
// own goes by that.
func (c *Cache) instantOf(t time.Time) instant {
	if c.clock == nil {
		return instant{t.Unix(), t.Sub(c.start)}
	}
	return instant{c.clock().Unix(), c.elapsed()}
}
