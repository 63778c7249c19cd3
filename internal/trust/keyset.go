package trust

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/provider"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// disownJWT refuses what can be no JWT of the issuer's.
func (t *Trust) disownJWT(raw string) error {
	issuer, ok := token.ClaimedIssuer(raw)
	switch {
	case !ok:
		return t.refuse("is not a JWT of at most 16 KiB that can be read in one way only")
	case issuer != t.o.Issuer:
		return t.refuse("is of another issuer, or names none (iss)")
	}
	return nil
}

// verifyJWT judges a token by the issuer's key set, by a newer one where the key is not in
// ours.
func (t *Trust) verifyJWT(ctx context.Context, raw string) (authority.Principal, error) {
	var none authority.Principal
	set, err := t.keys.Get(ctx)
	if err != nil {
		return none, t.unavailable(opKeys, err)
	}
	p, err := t.verifyBy(set, raw)
	if !errors.Is(err, token.ErrUnknownKey) {
		return p, err
	}
	newer, failed := t.keys.Newer(ctx, set) // failed: the last fetch
	if newer == nil {
		return none, t.unavailable(opKeys, failed)
	}
	if newer != set {
		p, err = t.verifyBy(newer, raw)
	}
	switch {
	case !errors.Is(err, token.ErrUnknownKey):
		return p, err
	case failed != nil:
		// The key may be a new one: a client must not throw its token away.
		return none, t.unavailable(opKeys, failed)
	}
	return none, t.refuse("is signed with a key that its issuer does not publish")
}

// verifyBy judges a token by a key set. Errors: token.ErrUnknownKey, TokenInvalid.
func (t *Trust) verifyBy(set *token.KeySet, raw string) (authority.Principal, error) {
	header, claims, err := set.VerifyClaims(raw)
	switch {
	case errors.Is(err, token.ErrUnknownKey):
		return authority.Principal{}, err
	case err != nil:
		// token's errors hold nothing of the token.
		return authority.Principal{}, t.refuse("is not accepted: " + strings.TrimPrefix(err.Error(), token.ErrForeign.Error()+": "))
	case !t.typed(header.Type):
		return authority.Principal{}, t.refuse("has a typ in its header that is not accepted here: an access token's is asked for")
	}
	r := &reader{o: claims}
	p := t.judge(r, raw)
	p.KeyID = r.checked("kid", header.KeyID)
	if r.fault != "" {
		return authority.Principal{}, t.refuse(r.fault)
	}
	return p, nil
}

// typed judges `typ` of the header (RFC 8725 §3.11). It is a media type, whose case and
// whose "application/" do not count (RFC 7515 §4.1.9). A token without is a JWT.
func (t *Trust) typed(typ string) bool {
	if typ == "" {
		typ = "JWT"
	}
	return slices.ContainsFunc(t.o.Types, func(accepted string) bool {
		return strings.EqualFold(shortType(accepted), shortType(typ))
	})
}

func shortType(typ string) string {
	const prefix = "application/"
	if len(typ) > len(prefix) && strings.EqualFold(typ[:len(prefix)], prefix) {
		return typ[len(prefix):]
	}
	return typ
}

// findKeys asks the issuer where its key set is.
func (t *Trust) findKeys(ctx context.Context) (*string, error) {
	_, address, err := t.discover(ctx, "jwks_uri")
	if err != nil {
		return nil, err
	}
	return &address, nil
}

// fetchKeys fetches the key set (RFC 7517 §5).
func (t *Trust) fetchKeys(ctx context.Context) (*token.KeySet, error) {
	address := t.o.KeySetURL
	if address == "" {
		found, err := t.keysAt.Get(ctx)
		if err != nil {
			return nil, err
		}
		address = *found
	}
	a, err := t.client.Do(ctx, provider.Call{
		Op: opKeys, URL: address, Header: http.Header{"Accept": {"application/jwk-set+json, application/json"}},
	})
	if err != nil {
		return nil, err
	}
	if a.Status != http.StatusOK {
		return nil, a.Failed("no key set")
	}
	set, err := token.ParseKeySet(a.Body)
	if errors.Is(err, token.ErrNoKeys) {
		return nil, t.client.Failed(opKeys, fmt.Errorf("%w: %w", provider.ErrWithdrawn, err))
	}
	if err != nil {
		return nil, a.Failed(err.Error())
	}
	return set, nil
}
