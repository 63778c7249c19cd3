package introspect

import (
	"context"
	"crypto/sha256"
	"encoding"
	"hash"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// maxCredential is the longest credential anybody looks at, in bytes.
const maxCredential = 16 << 10

// Verifier is a verifier with the cache in front of it.
type Verifier struct {
	cache   *Cache
	covered authority.Verifier
	prefix  [sha256.BlockSize]byte // the id, filled up to a whole block
	fed     []byte                 // state of a SHA-256 that has read prefix
	slots   chan struct{}          // one for each lookup in flight
}

var _ authority.Verifier = (*Verifier)(nil)

// Verifier puts the cache in front of covered. The id is a digest of the covered
// verifier's name and whole configuration block: with the same id, verdicts of an
// earlier Verifier are found again; with another id, none.
func (c *Cache) Verifier(id secret.Digest, covered authority.Verifier) *Verifier {
	v := &Verifier{cache: c, covered: covered, slots: make(chan struct{}, c.maxLookups)}
	copy(v.prefix[:], id[:])
	h := newHasher()
	_, _ = h.sha.Write(v.prefix[:])
	if m, ok := h.sha.(encoding.BinaryMarshaler); ok {
		v.fed, _ = m.MarshalBinary() // without it digest reads the prefix each time
	}
	return v
}

// Verify returns the facts of an active credential, from the cache or by a lookup
// that all who ask at the time share. Errors: TokenInvalid, Unavailable, Internal.
//
// The result has a name so that a hit is unpacked straight into the caller's.
func (v *Verifier) Verify(ctx context.Context, credential string) (p authority.Principal, _ error) {
	c := v.cache
	if len(credential) > maxCredential {
		return authority.Principal{}, &authority.Error{
			Kind: authority.TokenInvalid, Op: opVerify, Public: "the token is too long",
		}
	}
	d := v.digest(credential)
	found := absent
	if block, ok := c.good.Get(c.key(d)); ok {
		found = c.open(block, &d, c.now(), &p)
		if found == alive {
			c.counts.hit(&d)
			return p, nil
		}
	}
	return v.miss(ctx, credential, d, found == dead)
}

// miss answers when no verdict "active" can be used. died: there was one, and
// something it hangs on has ended.
func (v *Verifier) miss(ctx context.Context, credential string, d secret.Digest, died bool) (authority.Principal, error) {
	c := v.cache
	if err := c.refusal(&d, c.now()); err != nil {
		c.counts.negativeHits.Add(1)
		return authority.Principal{}, err
	}
	c.counts.misses.Add(1)
	arrived := c.flights.latest()
	for {
		f, late, p, err := v.board(ctx, credential, d)
		if f == nil {
			return p, err
		}
		if err := c.flights.wait(ctx, f); err != nil {
			return authority.Principal{}, err
		}
		switch {
		case late && !c.lives(f, c.now()):
			// It landed before this call and its answer has run out since.
		case f.err != nil:
			return authority.Principal{}, f.err
		case !c.endings.dead(f.number, &f.principal):
			return f.principal, nil
		case died && f.serial > arrived:
			// Two in a row, the last begun within this call: endings come faster
			// than lookups. Nothing true can be said now.
			return authority.Principal{}, &authority.Error{
				Kind: authority.Unavailable, Op: opVerify, RetryAfter: time.Second,
				Public: "the token's state is changing",
			}
		default:
			died = true
		}
		c.flights.retire(f)
	}
}

// hasher is a SHA-256 with room for what goes in and what comes out, so that
// nothing is allocated for each request.
type hasher struct {
	sha    hash.Hash
	state  encoding.BinaryUnmarshaler // the same, or nil
	sum    secret.Digest
	buffer [1024]byte
}

func newHasher() *hasher {
	h := &hasher{sha: sha256.New()}
	h.state, _ = h.sha.(encoding.BinaryUnmarshaler)
	return h
}

// digest is SHA-256 over the id's block and the credential. The id fills a whole
// block, so its part of the work is done once and a short token costs one block.
func (v *Verifier) digest(credential string) secret.Digest {
	h, _ := v.cache.hashers.Get().(*hasher)
	if h.state == nil || h.state.UnmarshalBinary(v.fed) != nil {
		h.sha.Reset()
		_, _ = h.sha.Write(v.prefix[:])
	}
	// A hash reads bytes. Converting the string would be garbage as long as the token
	// on every request; the copy through the buffer does not show beside the hashing,
	// so there is no need for an unsafe view either.
	for rest := credential; rest != ""; {
		n := copy(h.buffer[:], rest)
		_, _ = h.sha.Write(h.buffer[:n])
		rest = rest[n:]
	}
	h.sha.Sum(h.sum[:0])
	d := h.sum
	v.cache.hashers.Put(h)
	return d
}
