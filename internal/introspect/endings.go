package introspect

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

const (
	sieveSize = 1 << 16 // places; a place is named by two bytes
	maxMarks  = 1 << 16 // watermarks kept apart; more are merged into their realm's
)

// endings keeps the watermarks. Each ending raises the counter and writes the new
// value on its tags; a verdict carries the counter's value from before its lookup
// and is dead when that is below the mark of one of its tags.
//
// The marks are read in three steps, each of which only ever errs towards "dead":
// the counter alone clears every verdict younger than the last ending; the sieve,
// a table of the highest mark for each hash, clears nearly all others without a
// lock; the map decides about the rest.
type endings struct {
	number atomic.Uint64
	sieve  []atomic.Uint64 // never lowered: no hit means no mark, whatever was merged or dropped
	seed   maphash.Seed
	retain atomic.Int64 // nanoseconds a mark is kept
	limit  int          // marks kept apart
	now    func() time.Duration

	mu    sync.RWMutex
	marks map[uint64]mark // by hash of the tag
	queue []dated         // the marks by age; those written again are there twice
	// floor is the highest mark that was dropped. A verdict below it is older than
	// marks are kept for, so it has outlived max_ttl; should max_ttl be raised,
	// the floor still keeps it dead.
	floor uint64
}

type mark struct {
	number uint64
	realm  uint64 // hash of the realm's tag
}

type dated struct {
	tag    uint64
	number uint64
	at     time.Duration
}

func newEndings(now func() time.Duration) *endings {
	return &endings{
		sieve: make([]atomic.Uint64, sieveSize),
		limit: maxMarks,
		seed:  maphash.MakeSeed(),
		now:   now,
		marks: make(map[uint64]mark),
	}
}

// hash is keyed, so that nobody can choose tags that meet; two that meet by
// chance end each other's verdicts, no more.
func (e *endings) hash(t authority.Tag) uint64 {
	var h maphash.Hash
	h.SetSeed(e.seed)
	_ = h.WriteByte(byte(t.Kind))
	_, _ = h.WriteString(t.Realm)
	_ = h.WriteByte(0)
	_, _ = h.WriteString(t.ID)
	return h.Sum64()
}

func sievePlace(hash uint64) uint16 { return uint16(hash >> 48) }

// end writes the next number on the tags.
func (e *endings) end(tags []authority.Tag) {
	if len(tags) == 0 {
		return
	}
	now := e.now()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.expire(now)
	// First the number: a lookup that reads it began after the commit and must not
	// be ended by the marks that follow.
	n := e.number.Add(1)
	for _, t := range tags {
		e.write(e.hash(t), e.hash(authority.Tag{Kind: authority.TagRealm, Realm: t.Realm, ID: t.Realm}), n, now)
	}
	if len(e.queue) > e.limit {
		e.merge(now)
	}
}

func (e *endings) write(tag, realm, n uint64, now time.Duration) {
	e.marks[tag] = mark{n, realm}
	e.queue = append(e.queue, dated{tag, n, now})
	if place := &e.sieve[sievePlace(tag)]; place.Load() < n { // a merged mark may be the lower one
		place.Store(n)
	}
}

// expire drops the marks that every verdict they concern has been outlived by.
func (e *endings) expire(now time.Duration) {
	retain := time.Duration(e.retain.Load())
	for len(e.queue) > 0 && now-e.queue[0].at > retain {
		head := e.queue[0]
		e.queue = e.queue[1:]
		if m, ok := e.marks[head.tag]; ok && m.number == head.number {
			delete(e.marks, head.tag)
			e.floor = max(e.floor, head.number)
		}
	}
}

// merge makes room: it forgets what was written again since, then turns the
// oldest marks into marks of their realms, and if there are that many realms,
// into the floor.
func (e *endings) merge(now time.Duration) {
	var live []dated
	for _, q := range e.queue {
		if e.marks[q.tag].number == q.number {
			live = append(live, q)
		}
	}
	if len(live) <= e.limit/2 {
		e.queue = live
		return
	}
	old := live[:len(live)-e.limit/2]
	e.queue = append([]dated(nil), live[len(old):]...)
	realms := make(map[uint64]uint64)
	for _, q := range old {
		m := e.marks[q.tag]
		delete(e.marks, q.tag)
		realms[m.realm] = max(realms[m.realm], m.number)
	}
	if len(realms) > e.limit/4 {
		for _, n := range realms {
			e.floor = max(e.floor, n)
		}
		return
	}
	for realm, n := range realms {
		if e.marks[realm].number < n {
			e.write(realm, realm, n, now)
		}
	}
}

// touches reports whether one of the block's tags may have ended since number.
func (e *endings) touches(block string, number uint64) bool {
	at := len(block) - 2*int(block[atTags])
	if at < headSize {
		return true
	}
	for ; at < len(block); at += 2 {
		if e.sieve[uint16(block[at])|uint16(block[at+1])<<8].Load() > number {
			return true
		}
	}
	return false
}

// dead reports whether something the principal hangs on has ended since number.
func (e *endings) dead(number uint64, p *authority.Principal) bool {
	if number >= e.number.Load() {
		return false
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	if number < e.floor {
		return true
	}
	for _, t := range p.Tags() {
		if e.marks[e.hash(t)].number > number {
			return true
		}
	}
	return false
}

// live counts the watermarks.
func (e *endings) live() int {
	now := e.now()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.expire(now)
	return len(e.marks)
}
