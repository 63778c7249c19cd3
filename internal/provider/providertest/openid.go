package providertest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// openID is what the fakes of OpenID providers have in common: discovery, a key set, ID
// tokens and userinfo. The issuer is the address under which the caller knows the fake.
//
// Beside the frame's control endpoints it has
//
//	POST /control/rotate   from now on another key signs; the set has only that one
type openID struct {
	fake *Fake
	keys string // path of the key set
	// metadata is added to the discovery document; values that begin with a slash are paths
	// of the fake and get its address in front.
	metadata map[string]any
	// claims are what the upstream says of a user besides sub, given the scopes.
	claims func(u User, scopes []string) map[string]any
	// idClaims are added to those in ID tokens.
	idClaims func(g Grant) map[string]any

	mu  sync.Mutex
	key idKey
}

// idKey is what signs ID tokens, with RS256 as all these upstreams do.
type idKey struct {
	id      string
	private *rsa.PrivateKey
}

// firstKey is the key of every fake until it is rotated: making one is slow.
var firstKey = sync.OnceValue(func() idKey { return newIDKey() })

func newIDKey() idKey {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err) // no randomness: nothing can be tested
	}
	return idKey{rand.Text()[:8], private}
}

// serve adds the endpoints of OpenID Connect to the fake.
func (o *openID) serve(f *Fake) {
	o.fake, o.key = f, firstKey()
	f.handle("GET /.well-known/openid-configuration", o.discovery)
	f.handle("GET "+o.keys, o.keySet)
	f.handle(f.kind.Paths.Profile, o.userinfo) // GET and POST: OpenID Connect Core §5.3.1
	f.mux.HandleFunc("POST /control/rotate", func(w http.ResponseWriter, _ *http.Request) {
		next := newIDKey()
		o.mu.Lock()
		o.key = next
		o.mu.Unlock()
		writeJSON(w, http.StatusOK, map[string]any{"kid": next.id})
	})
}

// discovery is OpenID Connect Discovery 1.0 §4.2.
func (o *openID) discovery(w http.ResponseWriter, r *http.Request) {
	base, paths := baseOf(r), o.fake.kind.Paths
	doc := map[string]any{
		"issuer":                                base,
		"authorization_endpoint":                paths.Authorize,
		"token_endpoint":                        paths.Token,
		"userinfo_endpoint":                     paths.Profile,
		"jwks_uri":                              o.keys,
		"response_types_supported":              []string{"code"},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"code_challenge_methods_supported":      []string{"S256"},
	}
	if paths.Device != "" {
		doc["device_authorization_endpoint"] = paths.Device
	}
	maps.Copy(doc, o.metadata)
	for name, value := range doc {
		if path, ok := value.(string); ok && strings.HasPrefix(path, "/") {
			doc[name] = base + path
		}
	}
	writeJSON(w, http.StatusOK, doc)
}

func (o *openID) signing() idKey {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.key
}

func (o *openID) keySet(w http.ResponseWriter, _ *http.Request) {
	k := o.signing()
	writeJSON(w, http.StatusOK, map[string]any{"keys": []any{map[string]any{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": k.id,
		"n": base64URL(k.private.N.Bytes()), "e": base64URL(big.NewInt(int64(k.private.E)).Bytes()),
	}}})
}

// userinfo is OpenID Connect Core §5.3; errors as RFC 6750 §3.1.
func (o *openID) userinfo(w http.ResponseWriter, r *http.Request) {
	g, u, ok := o.fake.grantOf(bearer(r))
	if !ok {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		writeJSON(w, http.StatusUnauthorized, map[string]any{"error": "invalid_token"})
		return
	}
	claims := o.claims(u, strings.Fields(g.Scope))
	claims["sub"] = u.Subject
	writeJSON(w, http.StatusOK, claims)
}

func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return token
}

// answer adds the ID token to an answer that carries an access token, if the scope has
// openid (OpenID Connect Core §3.1.3.3). The mode of the request spoils its claims.
func (o *openID) answer(r *http.Request, g Grant, answer map[string]any) {
	answer["token_type"] = "Bearer"
	answer["expires_in"] = 3599
	if !slices.Contains(strings.Fields(g.Scope), "openid") {
		return
	}
	u := o.fake.User(g.User)
	claims := o.claims(u, strings.Fields(g.Scope))
	maps.Copy(claims, map[string]any{
		"iss": baseOf(r), "sub": u.Subject, "aud": g.Client,
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	})
	if g.Nonce != "" {
		claims["nonce"] = g.Nonce
	}
	if o.idClaims != nil {
		maps.Copy(claims, o.idClaims(g))
	}
	rewrite(claims, modeOf(r))
	answer["id_token"] = o.sign(claims)
}

// sign writes a JWT with RS256.
func (o *openID) sign(claims map[string]any) string {
	k := o.signing()
	input := jwtInput(map[string]any{"alg": "RS256", "typ": "JWT", "kid": k.id}, claims)
	digest := sha256.Sum256([]byte(input))
	signature, err := rsa.SignPKCS1v15(rand.Reader, k.private, crypto.SHA256, digest[:])
	if err != nil {
		panic(err)
	}
	return input + "." + base64URL(signature)
}

// jwtInput is what a JWS signs (RFC 7515 §5.1).
func jwtInput(header, claims map[string]any) string {
	head, _ := json.Marshal(header)
	body, _ := json.Marshal(claims)
	return base64URL(head) + "." + base64URL(body)
}

func base64URL(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// profileClaims are the standard claims that a scope asks for (OpenID Connect Core §5.4).
func profileClaims(u User, scopes []string) map[string]any {
	claims := map[string]any{}
	if slices.Contains(scopes, "profile") {
		claims["name"] = u.Name
		claims["picture"] = "https://pictures.invalid/" + u.Key
		if u.Login != "" {
			claims["preferred_username"] = u.Login
		}
	}
	if slices.Contains(scopes, "email") {
		claims["email"], claims["email_verified"] = u.Email, u.EmailVerified
	}
	return claims
}

// NewOpenID makes a fake of an OpenID provider as the standards describe one, with
// introspection (RFC 7662) and device logins (RFC 8628).
func NewOpenID() *Fake {
	o := &openID{
		keys:   "/jwks",
		claims: profileClaims,
		metadata: map[string]any{
			"introspection_endpoint":                "/introspect",
			"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post"},
		},
	}
	f := newFake(kind{
		Client: Client{ID: "gatehouse-oidc", Secret: "oidc-secret-0123456789"},
		Users: []User{
			{Key: "ada", Subject: "sub-ada", Login: "ada-l", Name: "Ada Lovelace", Email: "ada@example.com", EmailVerified: true},
			{Key: "grace", Subject: "sub-grace", Login: "ghopper", Name: "Grace Hopper", Email: "grace@example.net", EmailVerified: true},
			{Key: "mallory", Subject: "sub-mallory", Login: "mallory", Name: "Mallory", Email: "mallory@example.com"},
		},
		Paths: Paths{
			Authorize: "/authorize", Token: "/token", Device: "/device_authorization", Profile: "/userinfo", Proof: "/introspect",
		},
		TokenAnswer:  o.answer,
		DeviceSecret: true,
	})
	o.serve(f)
	f.handle("POST /introspect", o.introspect)
	return f
}

// introspect is RFC 7662 §2: any client may ask, and hears whose token it is.
func (o *openID) introspect(w http.ResponseWriter, r *http.Request) {
	if !o.fake.authenticates(presented(r)) {
		o.fake.writeFault(w, "invalid_client", false, nil)
		return
	}
	g, u, ok := o.fake.grantOf(r.PostForm.Get("token"))
	if !ok {
		writeJSON(w, http.StatusOK, map[string]any{"active": false})
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"active": true, "sub": u.Subject, "client_id": g.Client, "scope": g.Scope, "iss": baseOf(r),
		"token_type": "Bearer", "exp": time.Now().Add(time.Hour).Unix(),
	})
}
