package introspect

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/introspect/slab"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// maxCredential is the longest credential anybody looks at, in bytes.
const maxCredential = 16 << 10

// Prompt is a verifier that needs to look up nothing for some of its answers, such as that
// a JWT is signed with a key it knows, or that a token is another issuer's. Such an answer
// takes no goroutine and no slot: lookups queue when there are too many, and behind an
// issuer that says nothing a credential that is none of its own would keep those waiting
// whom a guard asks after it.
type Prompt interface {
	// VerifyAtOnce answers as Verify does, if it can without asking anybody: no network, no
	// store, no wait. Otherwise answered is false. Errors: TokenInvalid.
	VerifyAtOnce(credential string) (p authority.Principal, answered bool, err error)
}

// Verifier is a verifier with the cache in front of it.
type Verifier struct {
	cache   *Cache
	covered authority.Verifier
	prompt  Prompt           // covered, if it is one
	prefix  [prefixSize]byte // of the digest of the cache's salt and the id
	slots   chan struct{}    // one for each lookup in flight
}

var _ authority.Verifier = (*Verifier)(nil)

// prefixSize is how much of the digest of salt and id goes before a credential, in bytes:
// 128 bits keep verifiers apart, and with so short a prefix a UUID still is one block of
// SHA-256.
const prefixSize = 16

// Verifier puts the cache in front of covered. The id is a digest of the covered
// verifier's name and whole configuration block: with the same id, verdicts of an
// earlier Verifier are found again; with another id, none. A Prompt is asked first whether
// there has to be a lookup.
func (c *Cache) Verifier(id secret.Digest, covered authority.Verifier) *Verifier {
	v := &Verifier{cache: c, covered: covered, slots: make(chan struct{}, c.maxLookups)}
	v.prompt, _ = covered.(Prompt)
	salted := sha256.Sum256(append(c.salt[:], id[:]...))
	copy(v.prefix[:], salted[:])
	return v
}

// Verify returns the facts of an active credential, from the cache or by a lookup
// that all who ask at the time share. Errors: TokenInvalid, Unavailable, Internal.
func (v *Verifier) Verify(ctx context.Context, credential string) (authority.Principal, error) {
	p, _, err := v.VerifyRecorded(ctx, credential, time.Now())
	return p, err
}

// VerifyRecorded is Verify at a time that was read just now. What comes from the cache
// has a record, from which Recall makes the same facts; the record stays good when the
// cache has forgotten them.
func (v *Verifier) VerifyRecorded(ctx context.Context, credential string, at time.Time) (p authority.Principal, record string, _ error) {
	c := v.cache
	if len(credential) > maxCredential {
		return authority.Principal{}, "", &authority.Error{
			Kind: authority.TokenInvalid, Op: opVerify, Public: "the token is too long",
		}
	}
	d, now, found := v.digest(credential), c.instantOf(at), absent
	if block, ok := c.good.Get((*slab.Key)(&d), now.age); ok {
		if found = c.open(block, now, &p); found == alive {
			c.counts.hit(&d)
			return p, block, nil
		}
	}
	p, err := v.miss(ctx, credential, d, found == dead)
	return p, "", err
}

// Recall returns the facts of a record, false if it is none.
func (v *Verifier) Recall(record string) (p authority.Principal, ok bool) {
	ok = unpackPrincipal(record, &v.cache.words, &p)
	return p, ok
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
		f, first, p, err := v.board(ctx, d)
		if f == nil {
			return p, err
		}
		if first {
			v.depart(f, credential)
		}
		if err := c.flights.wait(ctx, f); err != nil {
			return authority.Principal{}, err
		}
		switch {
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
	}
}

// digest is SHA-256 over the prefix and the credential.
//
// A hash reads bytes: converting the string would be garbage as long as the token on
// every request. The copy does not show beside the hashing, so there is no need for an
// unsafe view either.
func (v *Verifier) digest(credential string) secret.Digest {
	var short [128]byte
	if len(credential) <= len(short)-prefixSize {
		return sumOf(short[:], v.prefix, credential)
	}
	long, _ := v.cache.buffers.Get().(*[prefixSize + maxCredential]byte)
	d := sumOf(long[:], v.prefix, credential)
	v.cache.buffers.Put(long)
	return d
}

func sumOf(buffer []byte, prefix [prefixSize]byte, credential string) secret.Digest {
	n := copy(buffer, prefix[:])
	n += copy(buffer[n:], credential)
	return sha256.Sum256(buffer[:n])
}
