package authority

import (
	"context"
	"slices"
	"sync"
	"time"
)

// MaxAccessLife is the longest life an access token can have: how long a key must
// stay published after it signed last.
const MaxAccessLife = 24 * time.Hour

// Keyring holds the keys of all realms. Keys are made once, kept in the store and
// used again by every later process; a Keyring outlives configurations.
type Keyring struct {
	store Store
	forms TokenForms

	mu     sync.Mutex
	realms map[string][]Key
}

// NewKeyring returns a Keyring over the store.
func NewKeyring(store Store, forms TokenForms) *Keyring {
	return &Keyring{store: store, forms: forms, realms: map[string][]Key{}}
}

// signing returns the key that signs the realm's access tokens now, and makes one
// if there is none. Errors: Unavailable, Internal.
func (k *Keyring) signing(ctx context.Context, realm, alg string) (Key, error) {
	keys, err := k.load(ctx, realm, alg)
	if err != nil {
		return Key{}, err
	}
	if key, ok := newest(keys, alg); ok {
		return key, nil
	}
	return Key{}, &Error{Kind: Internal, Op: "find the signing key of realm " + realm}
}

// verifying returns every key whose tokens may still be good. Errors: as signing.
func (k *Keyring) verifying(ctx context.Context, realm, alg string) ([]Key, error) {
	keys, err := k.load(ctx, realm, alg)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(keys), func(key Key) bool {
		return key.Purpose != PurposeAccess || !key.Revoked.IsZero()
	}), nil
}

// newest is the key that signs for alg: the last made that is neither retired nor revoked.
func newest(keys []Key, alg string) (found Key, ok bool) {
	for _, key := range keys {
		if key.Purpose == PurposeAccess && key.Alg == alg && key.Retires.IsZero() && key.Revoked.IsZero() {
			found, ok = key, true
		}
	}
	return found, ok
}

// load returns the realm's keys, from memory where it can.
func (k *Keyring) load(ctx context.Context, realm, alg string) ([]Key, error) {
	k.mu.Lock()
	keys := k.realms[realm]
	k.mu.Unlock()
	if _, ok := newest(keys, alg); ok {
		return keys, nil
	}
	// Making a key is slow and needs randomness: both stand before the Update,
	// which may run twice. Should another have made one meanwhile, its key stands.
	made, err := k.forms.NewKey(alg)
	if err != nil {
		return nil, err
	}
	err = k.store.Update(ctx, func(tx Tx) error {
		var err error
		keys, err = k.settle(tx, realm, alg, made)
		return err
	})
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.realms[realm] = keys
	return keys, nil
}

// settle returns the realm's keys, among them one that signs for alg: the stored
// one, else the one just made. A key of another algorithm retires then.
func (k *Keyring) settle(tx Tx, realm, alg string, made Key) ([]Key, error) {
	keys, err := tx.Keys(realm)
	if err != nil {
		return nil, err
	}
	now := tx.Now()
	keys = slices.DeleteFunc(keys, func(key Key) bool { return !key.Expires.IsZero() && !now.Before(key.Expires) })
	if _, ok := newest(keys, alg); ok {
		return keys, nil
	}
	for i := range keys {
		if keys[i].Purpose == PurposeAccess && keys[i].Retires.IsZero() {
			keys[i].Retires, keys[i].Expires = now, now.Add(MaxAccessLife)
			if err := tx.PutKey(keys[i]); err != nil {
				return nil, err
			}
		}
	}
	made.Realm, made.Purpose, made.Created, made.Signs = realm, PurposeAccess, now, now
	if err := tx.PutKey(made); err != nil {
		return nil, err
	}
	return append(keys, made), nil
}
