package authority

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// Verifier returns the realm as the one who vouches for its own tokens. Errors: RealmUnknown.
func (a *Authority) Verifier(realm string) (Verifier, error) {
	r, err := a.realm("find a verifier", realm)
	if err != nil {
		return nil, err
	}
	return &realmVerifier{a, r}, nil
}

type realmVerifier struct {
	authority *Authority
	realm     *Realm
}

var _ Verifier = (*realmVerifier)(nil)

// Verify returns the facts of an active access or personal token of the realm.
func (v *realmVerifier) Verify(ctx context.Context, credential string) (Principal, error) {
	return v.authority.verify(ctx, "verify a token", v.realm, credential)
}

// Owns reports whether a credential is one that a realm of this configuration issued,
// as far as that can be told: by its `iss`, by its row, or by its form where a realm here
// issues such. Such a one is nobody else's business, live or dead: it is never sent to
// another issuer to be asked about, in no spelling from which it could be made again.
// Errors: Unavailable.
func (a *Authority) Owns(ctx context.Context, credential string) (owns bool, err error) {
	owns, sure := a.OwnsByForm(credential)
	if sure {
		return owns, nil
	}
	credential = a.respelt(credential)
	if uuid := a.uuid(credential); uuid != "" {
		credential = uuid
	}
	err = a.store.View(ctx, func(tx Tx) error {
		_, err := tx.Token(secret.DigestOf(credential))
		owns = err == nil
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		return err
	})
	return owns, err
}

// OwnsByForm is what Owns can tell without the store. It is not sure where only a row
// could tell: no realm here issues tokens of that form, but one may have done so.
func (a *Authority) OwnsByForm(credential string) (owns, sure bool) {
	if issuer := a.forms.IssuerOf(credential); issuer != "" {
		return slices.ContainsFunc(a.realms, func(r *Realm) bool { return r.Issuer == issuer }), true
	}
	credential = a.respelt(credential)
	kind, jwt := a.forms.KindOf(credential)
	switch {
	case jwt:
		return false, true
	case kind == KindRefresh:
		return true, true
	case kind == "":
		return false, a.uuid(credential) == "" // another issuer may write its own so
	case slices.ContainsFunc(a.realms, func(r *Realm) bool { return r.Opaque && kind == KindAccess || len(r.Upstreams) > 0 }):
		return true, true // also those that are dead and have no row any more
	}
	return false, false
}

// alphabet turns base64 into base64url without padding (RFC 4648 §5).
var alphabet = strings.NewReplacer("+", "-", "/", "_", "=", "")

// respelt is a credential as we would have written it, if in another alphabet, padded, or
// with other bits behind its own, or anything else around it, it is of a form of ours.
func (a *Authority) respelt(credential string) string {
	plain := credential
	if kind, _ := a.forms.KindOf(plain); kind == "" {
		plain = alphabet.Replace(plain)
	}
	if kind, jwt := a.forms.KindOf(plain); kind == "" || jwt {
		if plain = a.forms.OpaqueIn(plain); plain == "" {
			return credential
		}
	}
	// The last character of an opaque token has bits to spare; a UUID has no prefix.
	if prefix, body, ok := strings.Cut(plain, "_"); ok {
		if bits, err := base64.RawURLEncoding.DecodeString(body); err == nil {
			return prefix + "_" + base64.RawURLEncoding.EncodeToString(bits)
		}
	}
	return plain
}

// hyphens are what may stand in a bearer token (RFC 6750 §2.1) beside letters and digits.
var hyphens = strings.NewReplacer("-", "", ".", "", "_", "", "~", "", "+", "", "/", "", "=", "")

// uuid is a credential as we write a personal token, if it is a UUID that is written in
// any way: in capitals, which mean the same (RFC 9562 §4), without hyphens, or with others.
// Empty if it is none.
func (a *Authority) uuid(credential string) string {
	d := hyphens.Replace(strings.ToLower(credential))
	if len(d) != 32 {
		return ""
	}
	plain := d[:8] + "-" + d[8:12] + "-" + d[12:16] + "-" + d[16:20] + "-" + d[20:]
	if kind, _ := a.forms.KindOf(plain); kind != KindPersonal {
		return ""
	}
	return plain
}

// inactive is the answer for every token that is not good now. The reason goes to
// the log only: to the outside, one dead token is like the other.
func inactive(op, why string) error {
	return &Error{Kind: TokenInvalid, Op: op, Public: "the token is not active", Err: errors.New(why)}
}

// verify judges a presented token: its form, its time, whether it was ended, and
// whether whom it was issued to still stands.
func (a *Authority) verify(ctx context.Context, op string, r *Realm, raw string) (Principal, error) {
	kind, jwt := a.forms.KindOf(raw)
	if kind != KindAccess && kind != KindPersonal {
		return Principal{}, inactive(op, "not an access or personal token of ours")
	}
	if jwt {
		return a.verifyJWT(ctx, op, r, raw)
	}
	var p Principal
	digest := secret.DigestOf(raw)
	err := a.store.View(ctx, func(tx Tx) error {
		t, err := tx.Token(digest)
		switch {
		case errors.Is(err, ErrNotFound):
			return inactive(op, "unknown or ended")
		case err != nil:
			return err
		case t.Realm != r.ID || t.Kind != kind:
			return inactive(op, "of another realm or kind")
		case !tx.Now().Before(t.Expires):
			return inactive(op, "expired")
		}
		p = Principal{
			Client: t.Client, TokenID: t.ID, Kind: t.Kind, Session: t.Session, Scopes: t.Scopes, Audience: t.Audience,
			IssuedAt: t.Issued.Unix(), Expires: t.Expires.Unix(),
		}
		return a.complete(tx, op, r, &p, bond{client: t.Client, session: t.Session, account: t.Account, credential: t.Credential, origin: t.Origin})
	})
	if err != nil {
		return Principal{}, err
	}
	return p, nil
}

func (a *Authority) verifyJWT(ctx context.Context, op string, r *Realm, raw string) (Principal, error) {
	c, kid, err := a.readJWT(ctx, r, raw)
	if err != nil {
		return Principal{}, err
	}
	if !a.clock().Before(unix(c.Expires)) {
		return Principal{}, inactive(op, "expired")
	}
	scopes, err := scopeList(op, c.Scope)
	if err != nil {
		return Principal{}, err
	}
	p := Principal{
		Client: c.Client, TokenID: c.TokenID, KeyID: kid, Kind: KindAccess, Session: c.Session,
		Scopes: scopes, Audience: ListOf(c.Audience...), IssuedAt: c.IssuedAt, Expires: c.Expires, AuthTime: c.AuthTime,
	}
	err = a.store.View(ctx, func(tx Tx) error {
		return a.complete(tx, op, r, &p, bond{client: c.Client, session: c.Session})
	})
	if err == nil && p.Subject != c.Subject {
		err = inactive(op, "its subject is not the holder's any more")
	}
	if err != nil {
		return Principal{}, err
	}
	return p, nil
}

// readJWT verifies the form and signature of one of the realm's JWTs, not its time.
func (a *Authority) readJWT(ctx context.Context, r *Realm, raw string) (AccessClaims, string, error) {
	keys, err := a.keys.verifying(ctx, r.ID, r.SigningAlg)
	if err != nil {
		return AccessClaims{}, "", err
	}
	return a.forms.Read(keys, r.Issuer, raw)
}

// complete puts in what the realm knows of the token's holder now, or says that
// the token was revoked or its holder is gone.
func (a *Authority) complete(tx Tx, op string, r *Realm, p *Principal, b bond) error {
	revoked, err := tx.Revoked(r.ID, p.TokenID)
	if err != nil {
		return err
	}
	if revoked {
		return inactive(op, "revoked")
	}
	h, err := a.standing(tx, op, r, b)
	if err != nil {
		return err
	}
	p.Source, p.Realm, p.Issuer, p.Subject = r.Name, r.ID, r.Issuer, h.subject()
	if u := h.person; u != nil {
		p.Account, p.Username, p.Name, p.Roles = u.ID, u.known(), u.Name, u.Roles
		p.Email, p.EmailVerified = u.Email, u.EmailVerified
		if p.Session != "" {
			p.AuthTime = h.session.Created.Unix()
		} else {
			p.AuthTime = p.IssuedAt
		}
	} else {
		p.Username, p.Roles = "service-account-"+h.client.ID, h.client.Roles
	}
	p.Scopes, p.Audience = r.live(h.client, p.Scopes, p.Audience)
	if p.Audience == "" {
		return inactive(op, "its client may no longer have any of its audience")
	}
	return nil
}
