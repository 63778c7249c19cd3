package authority

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// MaxAccessLife is the longest life an access token can have: how long a key must
	// stay published after it signed last.
	MaxAccessLife = 24 * time.Hour

	// keyAge is how long a key signs before the next one does.
	keyAge = 90 * 24 * time.Hour
	// keyLead is how long before it signs the next key is published, far longer than
	// anybody may keep a JWK set (five minutes).
	keyLead = 24 * time.Hour
	// keyHurry is the lead of a rotation that the operator asks for.
	keyHurry = 10 * time.Minute
)

// Keyring holds the keys of all realms. Keys are made once, kept in the store and
// used again by every later process; a Keyring outlives configurations.
//
// Which key signs follows from the clock alone: a key signs from Signs until
// Retires and verifies until Expires. Making the next key writes all three, so
// nothing has to happen at the moment of the change.
type Keyring struct {
	store Store
	forms TokenForms
	clock Clock

	changing chan struct{} // held from before an Update until memory says what it did
	mu       sync.Mutex
	realms   map[string][]Key
	roots    map[string]Key // the realms' symmetric roots
}

// NewKeyring returns a Keyring over the store.
func NewKeyring(store Store, forms TokenForms, clock Clock) *Keyring {
	return &Keyring{store: store, forms: forms, clock: clock, changing: make(chan struct{}, 1), realms: map[string][]Key{}, roots: map[string]Key{}}
}

// signing returns the key that signs the realm's access tokens now, and makes one
// if there is none. Errors: Unavailable, Internal.
func (k *Keyring) signing(ctx context.Context, realm, alg string) (Key, error) {
	keys, err := k.load(ctx, realm, alg)
	if err != nil {
		return Key{}, err
	}
	if key, ok := signer(keys, alg, k.clock()); ok {
		return key, nil
	}
	return Key{}, &Error{Kind: Internal, Op: "find the signing key of realm " + realm}
}

// verifying returns every key whose tokens may still be good, and those that will
// sign soon. Errors: as signing.
func (k *Keyring) verifying(ctx context.Context, realm, alg string) ([]Key, error) {
	keys, err := k.known(ctx, realm, alg)
	if err != nil {
		return nil, err
	}
	now := k.clock()
	return slices.DeleteFunc(slices.Clone(keys), func(key Key) bool {
		return !key.Revoked.IsZero() || key.dead(now)
	}), nil
}

// signs reports whether the key may sign now.
func (key *Key) signs(alg string, now time.Time) bool {
	return key.Purpose == PurposeAccess && key.Alg == alg && key.Revoked.IsZero() &&
		!now.Before(key.Signs) && (key.Retires.IsZero() || now.Before(key.Retires))
}

// dead reports whether every token of the key has expired.
func (key *Key) dead(now time.Time) bool { return !key.Expires.IsZero() && !now.Before(key.Expires) }

// signer is the newest of the keys that may sign now. After the clock was set back
// none may yet: then it is the first one that will, rather than one more key.
func signer(keys []Key, alg string, now time.Time) (found Key, ok bool) {
	var coming *Key
	for i := range keys {
		key := &keys[i]
		if key.signs(alg, now) && (!ok || key.Signs.After(found.Signs)) {
			found, ok = *key, true
		}
		if key.signs(alg, key.Signs) && key.Signs.After(now) && (coming == nil || key.Signs.Before(coming.Signs)) {
			coming = key
		}
	}
	if !ok && coming != nil {
		return *coming, true
	}
	return found, ok
}

// known returns the realm's keys of every algorithm. It makes one only for a realm
// that has none at all: a configuration that is refused in the end must leave the
// keys of the one that serves as they are.
func (k *Keyring) known(ctx context.Context, realm, alg string) ([]Key, error) {
	keys, err := k.recall(ctx, realm)
	if err != nil || len(keys) > 0 {
		return keys, err
	}
	return k.change(ctx, realm, alg, func(tx Tx, keys []Key, made Key) ([]Key, error) {
		if len(keys) > 0 {
			return keys, nil
		}
		return succeed(tx, keys, made, tx.Now())
	})
}

// load returns the realm's keys, among them one that signs for alg.
func (k *Keyring) load(ctx context.Context, realm, alg string) ([]Key, error) {
	keys, err := k.recall(ctx, realm)
	if err != nil {
		return nil, err
	}
	if _, ok := signer(keys, alg, k.clock()); ok {
		return keys, nil
	}
	return k.change(ctx, realm, alg, func(tx Tx, keys []Key, made Key) ([]Key, error) {
		if _, ok := signer(keys, alg, tx.Now()); ok {
			return keys, nil
		}
		return succeed(tx, keys, made, tx.Now())
	})
}

// recall returns the realm's keys from memory, else as the store has them. It never
// writes: who verifies needs no disk that can be written.
func (k *Keyring) recall(ctx context.Context, realm string) ([]Key, error) {
	if keys := k.remembered(realm); len(keys) > 0 {
		return keys, nil
	}
	if err := k.lock(ctx); err != nil {
		return nil, err
	}
	defer k.unlock()
	if keys := k.remembered(realm); len(keys) > 0 {
		return keys, nil
	}
	var keys []Key
	err := k.store.View(ctx, func(tx Tx) (err error) {
		keys, err = stored(tx, realm)
		return err
	})
	if err != nil {
		return nil, err
	}
	k.remember(realm, keys)
	return keys, nil
}

// stored reads the realm's keys of access tokens that are not dead yet.
func stored(tx Tx, realm string) ([]Key, error) {
	keys, err := tx.Keys(realm)
	now := tx.Now()
	return slices.DeleteFunc(keys, func(key Key) bool { return key.Purpose != PurposeAccess || key.dead(now) }), err
}

func (k *Keyring) remembered(realm string) []Key {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.realms[realm]
}

// remember keeps the keys; with none, the next use reads the store.
func (k *Keyring) remember(realm string, keys []Key) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.realms[realm] = keys
}

// lock waits for its turn to bring store and memory to the same state. Updates that
// share a commit wake in any order: were two at work, the older list could end up in
// memory, and a revoked key be trusted on.
func (k *Keyring) lock(ctx context.Context) error {
	select {
	case k.changing <- struct{}{}:
		return nil
	case <-ctx.Done():
		return &Error{Kind: Unavailable, Op: "wait for the keys", RetryAfter: time.Second, Err: ctx.Err()}
	}
}

func (k *Keyring) unlock() { <-k.changing }

// change runs decide over the realm's stored keys with a key just made, which it
// may store, and remembers the outcome. Making a key is slow and needs randomness:
// it stands before the Update, which may run twice.
func (k *Keyring) change(ctx context.Context, realm, alg string, decide func(Tx, []Key, Key) ([]Key, error)) ([]Key, error) {
	made, err := k.forms.NewKey(alg)
	if err != nil {
		return nil, err
	}
	made.Realm, made.Purpose = realm, PurposeAccess
	if err := k.lock(ctx); err != nil {
		return nil, err
	}
	defer k.unlock()
	var keys []Key
	err = k.store.Update(ctx, func(tx Tx) error {
		known, err := stored(tx, realm)
		if err != nil {
			return err
		}
		keys, err = decide(tx, known, made)
		return err
	})
	if err != nil {
		k.remember(realm, nil) // nobody knows what is on disk: the next use reads it
		return nil, err
	}
	k.remember(realm, keys)
	return keys, nil
}

// succeed stores the made key to sign from a moment on, and retires the others of
// its algorithm then.
func succeed(tx Tx, keys []Key, made Key, from time.Time) ([]Key, error) {
	for i := range keys {
		if keys[i].Alg == made.Alg {
			if err := keys[i].retire(tx, from); err != nil {
				return nil, err
			}
		}
	}
	made.Created, made.Signs = tx.Now(), from
	return append(keys, made), tx.PutKey(made)
}

// retire ends the key's signing at a moment, unless it ends before.
func (key *Key) retire(tx Tx, at time.Time) error {
	if key.Purpose != PurposeAccess || (!key.Retires.IsZero() && !key.Retires.After(at)) {
		return nil
	}
	key.Retires, key.Expires = at, at.Add(MaxAccessLife)
	return tx.PutKey(*key)
}

// settle retires what a configuration that serves has no use for: keys of another
// algorithm than the realm's.
func (k *Keyring) settle(ctx context.Context, realm, alg string) error {
	keys, err := k.load(ctx, realm, alg)
	idle := func(key Key) bool { return key.Alg != alg && key.Purpose == PurposeAccess && key.Retires.IsZero() }
	if err != nil || !slices.ContainsFunc(keys, idle) {
		return err
	}
	_, err = k.change(ctx, realm, alg, func(tx Tx, keys []Key, _ Key) ([]Key, error) {
		for i := range keys {
			if idle(keys[i]) {
				if err := keys[i].retire(tx, tx.Now()); err != nil {
					return nil, err
				}
			}
		}
		return keys, nil
	})
	return err
}

// rotate makes the realm's next key, published now and signing after lead, unless
// one is on its way already. With age set it does so only once the present one is
// that old, less the lead.
func (k *Keyring) rotate(ctx context.Context, realm, alg string, lead, age time.Duration) (made bool, err error) {
	keys, err := k.load(ctx, realm, alg)
	if err != nil {
		return false, err
	}
	due := func(keys []Key, now time.Time) bool {
		present, ok := signer(keys, alg, now)
		coming := slices.ContainsFunc(keys, func(key Key) bool { return key.Signs.After(now) && key.Revoked.IsZero() })
		return ok && !coming && (age == 0 || !now.Before(present.Signs.Add(age-lead)))
	}
	if !due(keys, k.clock()) {
		return false, nil
	}
	_, err = k.change(ctx, realm, alg, func(tx Tx, keys []Key, next Key) ([]Key, error) {
		made = due(keys, tx.Now())
		if !made {
			return keys, nil
		}
		return succeed(tx, keys, next, tx.Now().Add(lead))
	})
	return made, err
}

// revoke ends a key and, if it was the one that signs, puts a new one in its place
// at once. Errors: NotFound, Unavailable, Internal.
func (k *Keyring) revoke(ctx context.Context, realm, alg, id string) error {
	_, err := k.change(ctx, realm, alg, func(tx Tx, keys []Key, next Key) ([]Key, error) {
		i := slices.IndexFunc(keys, func(key Key) bool { return key.ID == id })
		if i < 0 {
			return nil, &Error{Kind: NotFound, Op: "revoke a key", Public: "the realm has no such key"}
		}
		keys[i].Revoked = tx.Now()
		if err := tx.PutKey(keys[i]); err != nil {
			return nil, err
		}
		if err := reinstate(tx, keys, &keys[i]); err != nil {
			return nil, err
		}
		if _, ok := signer(keys, alg, tx.Now()); ok {
			return keys, nil
		}
		return succeed(tx, keys, next, tx.Now())
	})
	return err
}

// reinstate lets a key sign on whose successor was revoked before it began.
func reinstate(tx Tx, keys []Key, revoked *Key) error {
	if !revoked.Signs.After(tx.Now()) {
		return nil
	}
	for i := range keys {
		key := &keys[i]
		if key.Alg == revoked.Alg && key.Revoked.IsZero() && key.Retires.Equal(revoked.Signs) {
			key.Retires, key.Expires = time.Time{}, time.Time{}
			if err := tx.PutKey(*key); err != nil {
				return err
			}
		}
	}
	return nil
}
