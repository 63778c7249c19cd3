package providertest

import (
	"crypto/ed25519"
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
	"time"
)

// huggingFaceIssuer is what its access tokens name, whatever the fake's address is.
const huggingFaceIssuer = "https://huggingface.co"

// NewHuggingFace makes a fake of Hugging Face: OpenID Connect, device logins, and access
// tokens that are hf_oauth_ and a JWT (EdDSA) whose key is not in the key set. Nothing of
// its surface says which client a token is for but that JWT.
func NewHuggingFace() *Fake {
	o := &openID{
		keys:   "/oauth/jwks",
		claims: huggingFaceClaims,
		metadata: map[string]any{
			"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "none"},
		},
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	var f *Fake
	f = newFake(kind{
		Client: Client{ID: "gatehouse-hf", Secret: "hf-secret-0123456789"},
		Users: []User{
			{Key: "ada", Subject: "5f0000000000000000000ada", Login: "ada-l", Name: "Ada Lovelace", Email: "ada@example.com", EmailVerified: true},
			{Key: "grace", Subject: "5f00000000000000000grace", Login: "ghopper", Name: "Grace Hopper", Email: "grace@example.net", EmailVerified: true},
			{Key: "mallory", Subject: "5f000000000000000mallory", Login: "mallory", Name: "Mallory", Email: "mallory@example.com"},
		},
		Paths: Paths{
			Authorize: "/oauth/authorize", Token: "/oauth/token", Device: "/oauth/device",
			Profile: "/oauth/userinfo", Proof: "/oauth/userinfo",
		},
		TokenAnswer:  o.answer,
		DeviceSecret: true,
		NewToken:     func(g Grant) string { return huggingFaceToken(private, f.User(g.User), g) },
	})
	o.serve(f)
	f.handle("GET /api/whoami-v2", o.whoami)
	return f
}

// huggingFaceToken is an access token of the form seen in 2026.
func huggingFaceToken(private ed25519.PrivateKey, u User, g Grant) string {
	input := jwtInput(map[string]any{"alg": "EdDSA", "kid": "access"}, map[string]any{
		"iss": huggingFaceIssuer, "aud": huggingFaceIssuer, "sub": u.Subject, "client_id": g.Client,
		"scope": strings.Fields(g.Scope), "jti": rand.Text(),
		"iat": time.Now().Unix(), "exp": time.Now().Add(8 * time.Hour).Unix(),
	})
	return "hf_oauth_" + input + "." + base64URL(ed25519.Sign(private, []byte(input)))
}

func huggingFaceClaims(u User, scopes []string) map[string]any {
	claims := profileClaims(u, scopes)
	if slices.Contains(scopes, "profile") {
		claims["profile"] = huggingFaceIssuer + "/" + u.Login
		claims["isPro"] = false
		claims["orgs"] = []any{map[string]any{"sub": "6a0000000000000000000001", "name": "Engines", "preferred_username": "engines"}}
	}
	return claims
}

// whoami is the older way to ask whose token it is. It names no client.
func (o *openID) whoami(w http.ResponseWriter, r *http.Request) {
	_, u, ok := o.fake.grantOf(bearer(r))
	if !ok {
		writeJSON(w, http.StatusUnauthorized, map[string]any{"error": "Invalid username or password."})
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"type": "user", "id": u.Subject, "name": u.Login, "fullname": u.Name, "isPro": false,
		"email": u.Email, "emailVerified": u.EmailVerified, "orgs": []any{},
		"auth": map[string]any{"type": "app_token_as_user"},
	})
}
