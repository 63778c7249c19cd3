package oidc

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/provider"
)

// Whatever the claims are, they are accepted only if they say all that they must.
func FuzzIDTokenClaims(f *testing.F) {
	f.Add(`{"iss":"i","sub":"s","aud":"c","exp":1700000300,"iat":1700000000,"nonce":"n"}`)
	f.Add(`{"iss":"i","sub":"s","aud":["c","d"],"azp":"c","exp":"1700000300","iat":1700000000,"nonce":"n"}`)
	f.Add(`{"iss":"i","aud":[null],"exp":1e9,"iat":-1,"nonce":null}`)
	f.Fuzz(func(t *testing.T, text string) {
		claims, err := provider.ParseObject([]byte(text))
		if err != nil {
			return
		}
		now := time.Unix(1700000100, 0)
		if judge(claims, []string{"i"}, "c", "n", now) != nil {
			return
		}
		if !claims.Has("iss") || !claims.Has("aud") || !claims.Has("exp") || !claims.Has("iat") || !claims.Has("nonce") {
			t.Errorf("accepted %s", text)
		}
		if judge(claims, []string{"i"}, "other", "n", now) == nil && !claims.Has("azp") {
			if audience, _ := Texts(claims, "aud"); len(audience) != 1 {
				t.Errorf("accepted for two clients: %s", text)
			}
		}
		if judge(claims, []string{"i"}, "c", "m", now) == nil || judge(claims, []string{"j"}, "c", "n", now) == nil {
			t.Errorf("accepted for another login or issuer: %s", text)
		}
	})
}

// FuzzDiscovery holds that no endpoint is taken that a secret must not be sent to.
func FuzzDiscovery(f *testing.F) {
	f.Add(`{"issuer":"https://i","authorization_endpoint":"https://i/a","token_endpoint":"https://i/t?p=1","jwks_uri":"https://i/k"}`)
	f.Add(`{"issuer":"https://i","authorization_endpoint":"http://127.0.0.1/a","token_endpoint":"https://u@i/t","jwks_uri":"//i"}`)
	f.Fuzz(func(t *testing.T, text string) {
		o, err := provider.ParseObject([]byte(text))
		if err != nil {
			return
		}
		m, err := readMetadata(o, "https://i")
		if err != nil {
			return
		}
		for _, address := range []string{m.authorization, m.token, m.keys, m.userinfo, m.device, m.introspection} {
			if address != "" && (len(address) < 9 || address[:8] != "https://" && address[:8] != "HTTPS://") && provider.CheckEndpoint(address, "https://i") == nil {
				t.Errorf("accepted %q", address)
			}
		}
	})
}
