package authority

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// rootAlg is the Alg of a realm's symmetric root: what keys are derived with.
const rootAlg = "HKDF-SHA256"

// The purposes of the keys derived from a realm's root. Each is a key of its own, and
// nothing made for one means anything to another.
const (
	purposeStep    = "token between the steps of a login"
	purposeRefresh = "readable refresh token"
	purposeState   = "state of a login"
	purposeDevice  = "session of a device login"
)

// The `typ` of the tokens that are not access tokens.
const (
	typeStep    = "gatehouse-step+jwt"
	typeRefresh = "gatehouse-refresh+jwt"
)

// root returns the realm's symmetric root and makes it at its first use. Errors:
// Unavailable.
func (k *Keyring) root(ctx context.Context, realm string) (Key, error) {
	k.mu.Lock()
	key, ok := k.roots[realm]
	k.mu.Unlock()
	if ok {
		return key, nil
	}
	return k.setRoot(ctx, realm, "")
}

// knownRoot returns the realm's root if there is one yet. Errors: Unavailable.
func (k *Keyring) knownRoot(ctx context.Context, realm string) (root Key, err error) {
	err = k.store.View(ctx, func(tx Tx) error {
		keys, err := tx.Keys(realm)
		for _, key := range keys {
			if key.Purpose == PurposeRealm && key.Revoked.IsZero() {
				root = key
			}
		}
		return err
	})
	return root, err
}

// setRoot returns the realm's root, and makes one where there is none or where the one
// with the id is to be revoked. Errors: NotFound, Unavailable.
func (k *Keyring) setRoot(ctx context.Context, realm, revoked string) (Key, error) {
	if err := k.lock(ctx); err != nil {
		return Key{}, err
	}
	defer k.unlock()
	var key Key
	made := Key{ID: secret.UUID(), Realm: realm, Purpose: PurposeRealm, Alg: rootAlg, Private: []byte(secret.Token())}
	err := k.store.Update(ctx, func(tx Tx) error {
		keys, err := tx.Keys(realm)
		if err != nil {
			return err
		}
		for _, known := range keys {
			switch {
			case known.Purpose != PurposeRealm || !known.Revoked.IsZero():
			case known.ID == revoked:
				known.Revoked, known.Private = tx.Now(), []byte{0} // nobody needs what it was
				if err := tx.PutKey(known); err != nil {
					return err
				}
				revoked = ""
			case revoked == "":
				key = known
				return nil
			}
		}
		if revoked != "" {
			return &Error{Kind: NotFound, Op: "revoke a key", Public: "the realm has no such key"}
		}
		key = made
		key.Created, key.Signs = tx.Now(), tx.Now()
		return tx.PutKey(key)
	})
	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil {
		delete(k.roots, realm) // nobody knows what is on disk: the next use reads it
		return Key{}, err
	}
	k.roots[realm] = key
	return key, nil
}

// sealing is the key of a purpose of the realm.
func (a *Authority) sealing(ctx context.Context, r *Realm, purpose string) ([]byte, error) {
	root, err := a.keys.root(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	key := secret.Derive(root.Private, purpose)
	return key[:], nil
}

// stepKey is the key of a purpose whose tokens are JWTs.
func (a *Authority) stepKey(ctx context.Context, r *Realm, purpose, typ string) (StepKey, error) {
	root, err := a.keys.root(ctx, r.ID)
	if err != nil {
		return StepKey{}, err
	}
	return StepKey{ID: secret.NamedUUID(root.ID, purpose), Type: typ, Secret: secret.Derive(root.Private, purpose)}, nil
}

// newRefresh makes the first refresh token of a session.
func (a *Authority) newRefresh(ctx context.Context, i *issue) (string, error) {
	switch i.form {
	case formLong:
		return "", nil
	case formReadable:
		return a.readableRefresh(ctx, i.realm, i.unused())
	}
	return a.forms.NewOpaque(KindRefresh), nil
}

// nextRefresh makes the successor of a refresh token.
func (a *Authority) nextRefresh(ctx context.Context, r *Realm, q TokenRequest) (string, error) {
	if q.readable {
		return a.readableRefresh(ctx, r, r.RefreshLife)
	}
	return a.forms.NewOpaque(KindRefresh), nil
}

// readableRefresh makes a refresh token that says when it is dead at the latest. It
// is looked up like any other: the signature only keeps junk from the store.
func (a *Authority) readableRefresh(ctx context.Context, r *Realm, life time.Duration) (string, error) {
	key, err := a.stepKey(ctx, r, purposeRefresh, typeRefresh)
	if err != nil {
		return "", err
	}
	now := a.clock()
	return a.forms.SignStep(key, StepClaims{
		Issuer: r.Issuer, TokenID: secret.Token(), Subject: r.ID, IssuedAt: now.Unix(), Expires: now.Add(life).Unix(),
	})
}

// mark is the digest under which a thing of a purpose is remembered.
func mark(purpose, id string) secret.Digest { return secret.DigestOf(purpose + "\x00" + id) }

// spendMark marks the thing as spent until expires. It answers false if it was before.
func spendMark(tx Tx, realm string, id secret.Digest, expires time.Time) (bool, error) {
	m, err := findMark(tx, realm, id)
	if err != nil || !m.Spent.IsZero() {
		return false, err
	}
	m.Spent, m.Expires = tx.Now(), expires
	return true, tx.PutMark(m)
}
