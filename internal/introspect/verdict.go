package introspect

import (
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"github.com/dgraph-io/ristretto/v2"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// A verdict "active" is kept as one block without pointers: a head, the codes and
// texts of the principal (pack.go), and at the end the sieve places of its tags.
// Head and codes stand at fixed places, so that the processor fetches both at once.
// A verdict "not active" is digest, birth and the public text.
const (
	atNumber   = 32 // counter of endings before the lookup
	atBirth    = 40 // the cache's age before the lookup, nanoseconds
	atExpires  = 48 // Unix seconds, like the next two
	atIssued   = 56
	atAuthTime = 64
	atDeadline = 72 // birth and the max_ttl of then: a longer one is for what comes
	atFlags    = 80
	atCodes    = 81 // how many bytes of codes
	atTags     = 82 // how many tags, of two bytes each
	headSize   = 83

	atNegativeBirth = 32
	negativeHead    = 40
	maxPublic       = 256 // bytes of the public text of a verdict "not active"
)

// entryOverhead is what an entry takes beside its block, in bytes: a slot of 64
// in the map, one of 16 among the costs, one of 16 among the expiries, each in a
// table that is well under full, and the rounding of small blocks. A test weighs it.
const entryOverhead = 176

// costOf is what keeping the block costs, in bytes; allocation sizes are up to an
// eighth larger than what they hold.
func costOf(block string) int64 { return int64(len(block)+len(block)/8) + entryOverhead }

// finding is what the cache knows.
type finding uint8

const (
	absent finding = iota // nothing, or nothing that may be used any more
	alive                 // a verdict that may be used
	dead                  // a verdict, but something it hangs on has ended
)

// open reads the verdict in block into p if it may be used now. Otherwise p may
// be half filled.
func (c *Cache) open(block string, d *secret.Digest, now instant, p *authority.Principal) finding {
	if len(block) < headSize || !sameDigest(block, d) {
		return absent // another credential with the same 64 bits
	}
	age := now.age - time.Duration(load64(block[atBirth:]))
	if age >= time.Duration(c.maxTTL.Load()) || now.age >= time.Duration(load64(block[atDeadline:])) || now.unix >= int64(load64(block[atExpires:])) {
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

// refusal is the remembered answer "not active", or nil.
func (c *Cache) refusal(d *secret.Digest, now instant) error {
	block, ok := c.bad.Get(c.key(*d))
	if !ok || len(block) < negativeHead || !sameDigest(block, d) {
		return nil
	}
	if now.age-time.Duration(load64(block[atNegativeBirth:])) >= time.Duration(c.negativeTTL.Load()) {
		return nil
	}
	return &authority.Error{Kind: authority.TokenInvalid, Op: opVerify, Public: block[negativeHead:]}
}

// lives reports whether the answer of a landed flight would still be taken from
// the cache, endings aside.
func (c *Cache) lives(f *flight, now instant) bool {
	age := now.age - f.birth
	if f.err != nil {
		return age < time.Duration(c.negativeTTL.Load())
	}
	return age < time.Duration(c.maxTTL.Load()) && now.unix < f.principal.Expires
}

// keepable says where the answer of f is to be kept, as what and how long; nowhere
// when it has outlasted its life, is dead, too big or no verdict.
func (c *Cache) keepable(f *flight, now instant) (*ristretto.Cache[uint64, string], string, time.Duration) {
	if !c.lives(f, now) {
		return nil, "", 0
	}
	age := now.age - f.birth
	if f.err != nil {
		e, ok := errors.AsType[*authority.Error](f.err)
		if !ok || e.Kind != authority.TokenInvalid || len(e.Public) > maxPublic || len(e.Fields) > 0 {
			return nil, "", 0
		}
		return c.bad, packRefusal(&f.digest, f.birth, e.Public), time.Duration(c.negativeTTL.Load()) - age
	}
	if c.endings.dead(f.number, &f.principal) {
		return nil, "", 0
	}
	block, ok := c.pack(f)
	if !ok {
		return nil, "", 0
	}
	ttl := time.Duration(c.maxTTL.Load()) - age
	if left := f.principal.Expires - now.unix; left < int64(ttl/time.Second)+1 {
		ttl = min(ttl, time.Duration(left)*time.Second)
	}
	return c.good, block, ttl
}

// store puts the block into its part and reports whether Get sees it.
func (c *Cache) store(part *ristretto.Cache[uint64, string], f *flight, block string, ttl time.Duration) bool {
	c.gate.RLock()
	defer c.gate.RUnlock()
	if c.life.Err() != nil || ttl <= 0 {
		return false
	}
	key := c.key(f.digest)
	if !part.SetWithTTL(key, block, costOf(block), ttl) {
		return false
	}
	part.Wait() // until ristretto has worked off what came before and this
	kept, ok := part.Get(key)
	return ok && len(kept) >= negativeHead && sameDigest(kept, &f.digest)
}

// pack writes the verdict of f as one block. It answers false for a principal
// that is too big to be kept.
func (c *Cache) pack(f *flight) (string, bool) {
	b := make([]byte, headSize, 512)
	copy(b, f.digest[:])
	binary.LittleEndian.PutUint64(b[atNumber:], f.number)
	binary.LittleEndian.PutUint64(b[atBirth:], uint64(f.birth))
	binary.LittleEndian.PutUint64(b[atDeadline:], uint64(f.birth)+uint64(c.maxTTL.Load()))
	b, ok := appendPrincipal(b, &c.words, &f.principal)
	tags := f.principal.Tags()
	if !ok || len(tags) > maxTags {
		return "", false
	}
	b[atTags] = byte(len(tags))
	for _, t := range tags {
		b = binary.LittleEndian.AppendUint16(b, sievePlace(c.endings.hash(t)))
	}
	return string(b), true
}

func packRefusal(d *secret.Digest, birth time.Duration, public string) string {
	var b strings.Builder
	b.Grow(negativeHead + len(public))
	b.Write(d[:])
	var n [8]byte
	binary.LittleEndian.PutUint64(n[:], uint64(birth))
	b.Write(n[:])
	b.WriteString(public)
	return b.String()
}

// sameDigest reports whether the block is about d, in constant time: all four
// words are folded before the one branch.
func sameDigest(block string, d *secret.Digest) bool {
	return load64(block)^binary.LittleEndian.Uint64(d[0:])|
		load64(block[8:])^binary.LittleEndian.Uint64(d[8:])|
		load64(block[16:])^binary.LittleEndian.Uint64(d[16:])|
		load64(block[24:])^binary.LittleEndian.Uint64(d[24:]) == 0
}

// load64 is binary.LittleEndian.Uint64 for a string; the compiler makes one load of it.
func load64(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}
