package introspect

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/introspect/slab"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// A verdict "active" is kept as one block: a head, the codes, times and texts of the
// principal (pack.go), and at the end the sieve places of its tags. A verdict "not
// active" is its birth and the public text. The table that keeps them knows their digest
// and until when they may be used at most.
const (
	atNumber  = 0  // counter of endings before the lookup
	atBirth   = 8  // the cache's age before the lookup, nanoseconds
	atExpires = 16 // Unix seconds
	atFlags   = 24
	atCodes   = 25 // how many bytes of codes and times
	atTags    = 26 // how many tags, of two bytes each
	headSize  = 27

	negativeHead = 8   // birth
	maxPublic    = 256 // bytes of the public text of a verdict "not active"
)

// finding is what the cache knows.
type finding uint8

const (
	absent finding = iota // nothing, or nothing that may be used any more
	alive                 // a verdict that may be used
	dead                  // a verdict, but something it hangs on has ended
)

// open reads the verdict in block into p if it may be used now. Otherwise p may
// be half filled.
func (c *Cache) open(block string, now instant, p *authority.Principal) finding {
	if len(block) < headSize {
		return absent
	}
	birth := time.Duration(load64(block[atBirth:]))
	if c.active.over(birth, now.age) || now.unix >= int64(load64(block[atExpires:])) {
		return absent
	}
	number := load64(block[atNumber:])
	suspect := c.endings.number.Load() > number && c.endings.touches(block, number)
	if !unpackPrincipal(block, &c.words, p) {
		return absent
	}
	if suspect && c.endings.dead(number, p) {
		return dead
	}
	return alive
}

// find is what is known of a credential. It overlooks nothing that was kept before the
// call, and takes a lock; a hit does without (see VerifyRecorded).
func (c *Cache) find(d *secret.Digest, now instant, p *authority.Principal) finding {
	block, ok := c.good.Find((*slab.Key)(d), now.age)
	if !ok {
		return absent
	}
	return c.open(block, now, p)
}

// refusal is the remembered answer "not active", or nil.
func (c *Cache) refusal(d *secret.Digest, now instant) error {
	block, ok := c.bad.Find((*slab.Key)(d), now.age)
	if !ok || len(block) < negativeHead || c.refused.over(time.Duration(load64(block)), now.age) {
		return nil
	}
	return &authority.Error{Kind: authority.TokenInvalid, Op: opVerify, Public: block[negativeHead:]}
}

// keep keeps the answer of f for those who come, unless it has outlasted its life, is
// dead, too big or no verdict.
func (c *Cache) keep(f *flight) {
	now, key := c.now(), (*slab.Key)(&f.digest)
	if f.err != nil {
		e, ok := errors.AsType[*authority.Error](f.err)
		if !ok || e.Kind != authority.TokenInvalid || len(e.Public) > maxPublic || len(e.Fields) > 0 {
			return
		}
		block := binary.LittleEndian.AppendUint64(make([]byte, 0, negativeHead+maxPublic), uint64(f.birth))
		c.bad.Put(key, append(block, e.Public...), now.age, c.refused.end(f.birth))
		return
	}
	if now.unix >= f.principal.Expires || c.endings.dead(f.number, &f.principal) {
		return
	}
	if block, ok := c.pack(f); ok {
		c.good.Put(key, block, now.age, c.active.end(f.birth))
	}
}

// pack writes the verdict of f as one block. It answers false for a principal
// that is too big to be kept.
func (c *Cache) pack(f *flight) ([]byte, bool) {
	b := make([]byte, headSize, 512)
	binary.LittleEndian.PutUint64(b[atNumber:], f.number)
	binary.LittleEndian.PutUint64(b[atBirth:], uint64(f.birth))
	b, ok := appendPrincipal(b, &c.words, &f.principal)
	tags := f.principal.Tags()
	if !ok || len(tags) > maxTags {
		return nil, false
	}
	b[atTags] = byte(len(tags))
	for _, t := range tags {
		b = binary.LittleEndian.AppendUint16(b, sievePlace(c.endings.hash(t)))
	}
	return b, true
}

// load64 is binary.LittleEndian.Uint64 for a string; the compiler makes one load of it.
func load64(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}
