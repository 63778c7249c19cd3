package trust_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/trust"
)

const (
	audience = "https://api.example"
	client   = "gate & keeper" // a client id that must be form-encoded
	secret   = "s3cret: +%/&="
)

// issuer is somebody else's, with a clock and keys of its own.
type issuer struct {
	base string

	mu    sync.Mutex
	paths map[string]http.HandlerFunc // what answers instead
	calls map[string]int
	keys  map[string]ed25519.PrivateKey
	ahead time.Duration
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{paths: map[string]http.HandlerFunc{}, calls: map[string]int{}, keys: map[string]ed25519.PrivateKey{}}
	server := httptest.NewServer(i)
	t.Cleanup(server.Close)
	i.base = server.URL
	i.addKey("k1")
	i.answer("/.well-known/openid-configuration", http.StatusOK, fmt.Sprintf(
		`{"issuer":%q,"jwks_uri":%q,"introspection_endpoint":%q}`, i.base, i.base+"/keys", i.base+"/introspect"))
	i.on("/keys", i.keySet)
	return i
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	i.calls[r.URL.Path]++
	answer := i.paths[r.URL.Path]
	i.mu.Unlock()
	if answer == nil {
		http.NotFound(w, r)
		return
	}
	answer(w, r)
}

func (i *issuer) on(path string, answer http.HandlerFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.paths[path] = answer
}

func (i *issuer) answer(path string, status int, body string) {
	i.on(path, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	})
}

func (i *issuer) called(path string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.calls[path]
}

// private makes the key that has this id, always the same one.
func private(kid string) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, kid)
	return ed25519.NewKeyFromSeed(seed)
}

// addKey publishes a key.
func (i *issuer) addKey(kid string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys[kid] = private(kid)
}

func (i *issuer) dropKey(kid string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.keys, kid)
}

func (i *issuer) keySet(w http.ResponseWriter, _ *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	list := []any{}
	for kid, k := range i.keys {
		list = append(list, map[string]any{"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": b64(k[ed25519.SeedSize:])})
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"keys": list})
}

func (i *issuer) later(d time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.ahead += d
}

func (i *issuer) now() time.Time {
	i.mu.Lock()
	defer i.mu.Unlock()
	return time.Now().Add(i.ahead)
}

// options are those of a trust by key set, found by discovery.
func (i *issuer) options() trust.Options {
	return trust.Options{
		Name: "acme", ID: "0b6cf4ac-5c1b-5d9c-8a25-2f8a3a0a5d11", Issuer: i.base, Audience: []string{"other", audience},
		Claims: []string{"tenant", "level"}, HTTP: &http.Client{Transport: &http.Transport{}}, Now: i.now, Deadline: 2 * time.Second,
	}
}

// asking are the options of a trust by introspection.
func (i *issuer) asking() trust.Options {
	o := i.options()
	o.Introspection = &trust.Introspection{ClientID: client, ClientSecret: secret}
	return o
}

func open(t *testing.T, o trust.Options) agreeing {
	t.Helper()
	tr, err := trust.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return agreeing{tr, t}
}

// agreeing is a trust of which each test sees that what it answers at once is what it
// answers otherwise.
type agreeing struct {
	*trust.Trust
	t *testing.T
}

func (a agreeing) Verify(ctx context.Context, raw string) (authority.Principal, error) {
	early, answered, why := a.VerifyAtOnce(raw)
	p, err := a.Trust.Verify(ctx, raw)
	if answered && (early != p || fmt.Sprint(why) != fmt.Sprint(err)) {
		a.t.Errorf("at once: %+v, %v; otherwise: %+v, %v", early, why, p, err)
	}
	if !answered && (early != (authority.Principal{}) || why != nil) {
		a.t.Errorf("no answer, and yet %+v, %v", early, why)
	}
	return p, err
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// claims are those of a good access token, changed: a nil value removes a claim.
func (i *issuer) claims(changes map[string]any) map[string]any {
	now := i.now().Unix()
	c := map[string]any{"iss": i.base, "sub": "ada", "aud": audience, "exp": now + 300, "iat": now, "client_id": "app"}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// sign writes a JWT. What is text is taken as JSON.
func (i *issuer) sign(t *testing.T, kid string, header map[string]any, claims any) string {
	t.Helper()
	h := map[string]any{"alg": "EdDSA", "typ": "at+jwt", "kid": kid}
	maps.Copy(h, header)
	maps.DeleteFunc(h, func(_ string, v any) bool { return v == nil })
	head, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	body, ok := claims.(string)
	if !ok {
		raw, err := json.Marshal(claims)
		if err != nil {
			t.Fatal(err)
		}
		body = string(raw)
	}
	input := b64(head) + "." + b64([]byte(body))
	return input + "." + b64(ed25519.Sign(private(kid), []byte(input)))
}

// refused demands an error of the kind whose public text has the words, and which holds
// nothing of the token.
func refused(t *testing.T, story string, err error, kind authority.Kind, words, token string) {
	t.Helper()
	e, ok := errors.AsType[*authority.Error](err)
	if !ok || e.Kind != kind || !strings.Contains(e.Public, words) || e.Public == "" || len(e.Public) > 256 {
		t.Errorf("%s: %v, want %v %q", story, err, kind, words)
		return
	}
	if kind == authority.Unavailable && e.RetryAfter <= 0 {
		t.Errorf("%s: it does not say when to try again", story)
	}
	for part := range strings.SplitSeq(token, ".") {
		if len(part) > 8 && strings.Contains(err.Error(), part) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error has a secret: %v", story, err)
		}
	}
}
