package providertest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// googleScopes are the other names that Google has for the scopes of OpenID Connect.
var googleScopes = map[string]string{
	"https://www.googleapis.com/auth/userinfo.profile": "profile",
	"https://www.googleapis.com/auth/userinfo.email":   "email",
}

// NewGoogle makes a fake of Google: OpenID Connect, tokeninfo whose values are all
// strings, and device logins that say verification_url and answer 428 while they wait.
func NewGoogle() *Fake {
	o := &openID{
		keys:     "/oauth2/v3/certs",
		claims:   googleClaims,
		idClaims: func(g Grant) map[string]any { return map[string]any{"azp": g.Client} },
		metadata: map[string]any{
			"revocation_endpoint":                   "/revoke",
			"token_endpoint_auth_methods_supported": []string{"client_secret_post", "client_secret_basic"},
		},
	}
	f := newFake(kind{
		Client: Client{ID: "gatehouse-google", Secret: "google-secret-0123456789"},
		Users: []User{
			{Key: "ada", Subject: "108900000000000000001", Name: "Ada Lovelace", Email: "ada@example.com", EmailVerified: true},
			{Key: "grace", Subject: "108900000000000000002", Name: "Grace Hopper", Email: "grace@example.net", EmailVerified: true},
			{Key: "mallory", Subject: "108900000000000000666", Name: "Mallory", Email: "mallory@example.com"},
		},
		Paths: Paths{
			Authorize: "/o/oauth2/v2/auth", Token: "/token", Device: "/device/code", Profile: "/v1/userinfo", Proof: "/tokeninfo",
		},
		TokenAnswer:  o.answer,
		Fault:        googleFault,
		DeviceSecret: true,
		DeviceAnswer: func(answer map[string]any) {
			answer["verification_url"] = answer["verification_uri"]
			delete(answer, "verification_uri")
			answer["expires_in"] = 1800
		},
	})
	o.serve(f)
	f.handle("/tokeninfo", o.tokeninfo)
	return f
}

// googleScopesOf returns the scopes under the names of OpenID Connect.
func googleScopesOf(scopes []string) []string {
	plain := slices.Clone(scopes)
	for i, s := range plain {
		if other, ok := googleScopes[s]; ok {
			plain[i] = other
		}
	}
	return plain
}

// googleClaims: nobody has a login name at Google, until a test renames him.
func googleClaims(u User, scopes []string) map[string]any {
	return profileClaims(u, googleScopesOf(scopes))
}

func googleFault(code string, device bool) (string, int) {
	switch {
	case device && code == "authorization_pending":
		return code, http.StatusPreconditionRequired
	case device && (code == "slow_down" || code == "access_denied"):
		return code, http.StatusForbidden
	case code == "invalid_client":
		return code, http.StatusUnauthorized
	}
	return code, http.StatusBadRequest
}

// tokeninfo says of an access token whose it is and for which client: every value is a
// string, and there is no sub without the scopes openid or profile.
func (o *openID) tokeninfo(w http.ResponseWriter, r *http.Request) {
	g, u, ok := o.fake.grantOf(r.FormValue("access_token"))
	if !ok {
		writeJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_token", "error_description": "Invalid Value"})
		return
	}
	scopes := googleScopesOf(strings.Fields(g.Scope))
	info := map[string]any{
		"azp": g.Client, "aud": g.Client, "scope": g.Scope, "access_type": "online", "expires_in": "3599",
		"exp": strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10),
	}
	if slices.Contains(scopes, "openid") || slices.Contains(scopes, "profile") {
		info["sub"] = u.Subject
	}
	if slices.Contains(scopes, "email") {
		info["email"], info["email_verified"] = u.Email, strconv.FormatBool(u.EmailVerified)
	}
	writeJSON(w, http.StatusOK, info)
}
