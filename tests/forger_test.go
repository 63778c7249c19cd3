package tests

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// forger is an issuer that signs whatever a test wants, and answers introspection with
// whatever a test says.
type forger struct {
	*httptest.Server
	t   *testing.T
	key *ecdsa.PrivateKey

	mu         sync.Mutex
	answer     string
	twice      bool          // it goes out twice
	gate       chan struct{} // closed: answers go out
	questions  int
	requests   int
	id, secret string
}

func newForger(t *testing.T) *forger {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f := &forger{t: t, key: key, gate: make(chan struct{})}
	close(f.gate)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		f.write(w, fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q,"introspection_endpoint":%q,"token_endpoint":%q,"authorization_endpoint":%q,`+
			`"response_types_supported":["code"],"subject_types_supported":["public"],"id_token_signing_alg_values_supported":["ES256"]}`,
			f.URL, f.URL+"/jwks", f.URL+"/introspect", f.URL+"/token", f.URL+"/authorize"))
	})
	mux.HandleFunc("GET /jwks", func(w http.ResponseWriter, _ *http.Request) {
		public, err := f.key.PublicKey.Bytes()
		if err != nil {
			t.Error(err)
			return
		}
		f.write(w, fmt.Sprintf(`{"keys":[{"kty":"EC","use":"sig","alg":"ES256","crv":"P-256","kid":"one","x":%q,"y":%q}]}`, b64(public[1:33]), b64(public[33:])))
	})
	mux.HandleFunc("POST /introspect", f.introspection)
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.requests++
		f.mu.Unlock()
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (*forger) write(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(body))
}

func (f *forger) introspection(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.questions++
	f.id, f.secret, _ = r.BasicAuth()
	answer, gate, twice := f.answer, f.gate, f.twice
	f.mu.Unlock()
	if twice {
		f.stutter(w, answer)
		return
	}
	select {
	case <-gate:
	case <-r.Context().Done():
		return
	}
	if before, rest, ok := strings.Cut(answer, " "); ok {
		if status, err := strconv.Atoi(before); err == nil {
			w.WriteHeader(status)
			answer = rest
		}
	}
	f.write(w, answer)
}

// says sets the answer to introspection; a status and a space may stand before it.
func (f *forger) says(answer string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

// stutters sets the answer to introspection, which goes out twice.
func (f *forger) stutters(answer string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer, f.twice = answer, true
}

func (f *forger) stutter(w http.ResponseWriter, answer string) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		f.t.Error(err)
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	once := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: no-store\r\nPragma: no-cache\r\n"+
		"Date: Sun, 22 Nov 2026 10:00:00 GMT\r\nContent-Length: %d\r\n\r\n%s", len(answer), answer)
	_, _ = conn.Write([]byte(once + once))
	_, _ = io.Copy(io.Discard, conn) // until the gateway closes
}

// hold keeps answers back until release is called.
func (f *forger) hold() (release func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	gate := make(chan struct{})
	f.gate = gate
	return func() { close(gate) }
}

// asked counts the introspections so far, calls all requests.
func (f *forger) asked() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.questions
}

func (f *forger) calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.requests
}

// client is how the last question said who asks, as it came.
func (f *forger) client() (id, secret string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.id, f.secret
}

// active is an introspection answer about a live token of ada, one member replaced.
func (f *forger) active(member string) string {
	f.t.Helper()
	facts := map[string]any{"active": true, "iss": f.URL, "sub": "ada", "aud": "app", "client_id": "portal", "token_type": "Bearer", "exp": time.Now().Add(time.Hour).Unix()}
	if member != "" {
		var other map[string]any
		if err := json.Unmarshal([]byte("{"+member+"}"), &other); err != nil {
			f.t.Fatal(err)
		}
		maps.Copy(facts, other)
	}
	raw, err := json.Marshal(facts)
	if err != nil {
		f.t.Fatal(err)
	}
	return string(raw)
}

// claims are those of a good access token, some replaced; a nil value takes one out.
func (f *forger) claims(replaced jwt.MapClaims) jwt.MapClaims {
	now := time.Now()
	c := jwt.MapClaims{
		"iss": f.URL, "sub": "ada", "aud": "app", "client_id": "portal", "jti": "t1", "scope": "read",
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	maps.Copy(c, replaced)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// sign signs claims with the issuer's key under a header with some members replaced.
func (f *forger) sign(header map[string]any, claims jwt.MapClaims) string {
	return f.signWith(jwt.SigningMethodES256, f.key, header, claims)
}

func (f *forger) signWith(method jwt.SigningMethod, key any, header map[string]any, claims jwt.MapClaims) string {
	f.t.Helper()
	token := jwt.NewWithClaims(method, claims)
	token.Header["typ"], token.Header["kid"] = "at+jwt", "one"
	maps.Copy(token.Header, header)
	maps.DeleteFunc(token.Header, func(_ string, v any) bool { return v == nil })
	signed, err := token.SignedString(key)
	if err != nil {
		f.t.Fatal(err)
	}
	return signed
}

type forgery struct {
	token  string
	status int
}

// cases are tokens at a guard that takes the forger's access tokens for the audience app.
func (f *forger) cases() map[string]forgery {
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.t.Fatal(err)
	}
	public, err := f.key.PublicKey.Bytes()
	if err != nil {
		f.t.Fatal(err)
	}
	cases := map[string]forgery{
		"a good one":                       {f.sign(nil, f.claims(nil)), 200},
		"a good one of another key":        {f.signWith(jwt.SigningMethodES256, other, nil, f.claims(nil)), 401},
		"a good one under an unknown kid":  {f.sign(map[string]any{"kid": "two"}, f.claims(nil)), 401},
		"alg none":                         {f.signWith(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil, f.claims(nil)), 401},
		"HMAC with the public key":         {f.signWith(jwt.SigningMethodHS256, public, nil, f.claims(nil)), 401},
		"a key of its own in the header":   {f.signWith(jwt.SigningMethodES256, other, map[string]any{"jwk": map[string]string{"kty": "EC"}, "jku": f.URL + "/jwks"}, f.claims(nil)), 401},
		"an unknown critical header":       {f.sign(map[string]any{"crit": []string{"b64"}, "b64": true}, f.claims(nil)), 401},
		"the signature cut off":            {strings.Join(strings.Split(f.sign(nil, f.claims(nil)), ".")[:2], ".") + ".", 401},
		"typ JWT, as most issuers have it": {f.sign(map[string]any{"typ": "JWT"}, f.claims(nil)), 200},
		"typ in other letters":             {f.sign(map[string]any{"typ": "application/AT+JWT"}, f.claims(nil)), 200},
		"typ of a logout token":            {f.sign(map[string]any{"typ": "logout+jwt"}, f.claims(nil)), 401},
		"typ of a DPoP proof":              {f.sign(map[string]any{"typ": "dpop+jwt"}, f.claims(nil)), 401},
	}
	for name, c := range map[string]struct {
		claims jwt.MapClaims
		status int
	}{
		"an ID token, by its nonce":       {jwt.MapClaims{"nonce": "n-0S6_WzA2Mj"}, 401},
		"an ID token, by at_hash":         {jwt.MapClaims{"at_hash": "77QmUPtjPfzWtF2AnpK9RQ"}, 401},
		"an ID token, by c_hash":          {jwt.MapClaims{"c_hash": "LDktKdoQak3Pk0cnXxCltA"}, 401},
		"an ID token, as Keycloak says":   {jwt.MapClaims{"typ": "ID"}, 401},
		"an ID token, as Cognito says":    {jwt.MapClaims{"token_use": "id"}, 401},
		"a refresh token of Keycloak":     {jwt.MapClaims{"typ": "Refresh"}, 401},
		"a refresh token of PingAM":       {jwt.MapClaims{"tokenName": "refresh_token", "token_type": "Bearer"}, 401},
		"groups that are elsewhere":       {jwt.MapClaims{"_claim_names": map[string]string{"groups": "src1"}}, 200},
		"a logout token":                  {jwt.MapClaims{"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}}, 401},
		"an access token of Keycloak":     {jwt.MapClaims{"typ": "Bearer"}, 200},
		"another issuer, the same keys":   {jwt.MapClaims{"iss": "https://evil.example.com"}, 401},
		"the issuer with a slash":         {jwt.MapClaims{"iss": f.URL + "/"}, 401},
		"no issuer":                       {jwt.MapClaims{"iss": nil}, 401},
		"for another audience":            {jwt.MapClaims{"aud": "other"}, 401},
		"for us among others":             {jwt.MapClaims{"aud": []string{"other", "app"}}, 200},
		"for others only":                 {jwt.MapClaims{"aud": []string{"other", "apps"}}, 401},
		"for nobody":                      {jwt.MapClaims{"aud": nil}, 401},
		"expired":                         {jwt.MapClaims{"exp": time.Now().Add(-time.Minute).Unix()}, 401},
		"without an end":                  {jwt.MapClaims{"exp": nil}, 401},
		"whose end is a text":             {jwt.MapClaims{"exp": "never"}, 401},
		"not yet valid":                   {jwt.MapClaims{"nbf": time.Now().Add(time.Hour).Unix()}, 401},
		"of tomorrow":                     {jwt.MapClaims{"iat": time.Now().Add(24 * time.Hour).Unix()}, 401},
		"without a subject":               {jwt.MapClaims{"sub": nil}, 401},
		"with an empty subject":           {jwt.MapClaims{"sub": ""}, 401},
		"bound to a key (RFC 7800)":       {jwt.MapClaims{"cnf": map[string]string{"jkt": "x"}}, 401},
		"with authorization_details":      {jwt.MapClaims{"authorization_details": []any{map[string]string{"type": "payment"}}}, 401},
		"with a NUL in it":                {jwt.MapClaims{"sub": "ada\x00"}, 401},
		"with claims that nobody asks of": {jwt.MapClaims{"tenant": "acme", "level": 3, "deep": map[string]any{"a": []int{1}}}, 200},
	} {
		cases[name] = forgery{f.sign(nil, f.claims(c.claims)), c.status}
	}
	return cases
}
