package huggingface

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/provider/providertest"
)

func open(t *testing.T, s providertest.Setup, check bool) *Provider {
	t.Helper()
	p, err := New(Options{
		Name: "hf", ClientID: s.Client.ID, ClientSecret: s.Client.Secret, Issuer: s.Base, HTTP: s.HTTP,
		Deadline: s.Deadline, AcceptUndocumentedTokenCheck: check,
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestProvider(t *testing.T) {
	for name, check := range map[string]bool{"as it comes": false, "accept_undocumented_token_check": true} {
		t.Run(name, func(t *testing.T) {
			providertest.Run(t, providertest.Subject{
				Fake:    providertest.NewHuggingFace,
				Open:    func(t *testing.T, s providertest.Setup) authority.Provider { return open(t, s, check) },
				NoProof: !check,
				IDToken: true,
			})
		})
	}
}

func TestTheDefaultIsHuggingFace(t *testing.T) {
	p, err := New(Options{Name: "hf", ClientID: "c", ClientSecret: "s", HTTP: &http.Client{}})
	if err != nil || p.Issuer() != "https://huggingface.co" || p.proves {
		t.Errorf("%+v %v", p, err)
	}
}

// hub is an upstream whose userinfo takes any token and says that it is ada's: what is
// still refused, our own check refuses.
type hub struct {
	private  ed25519.PrivateKey
	provider *Provider
	asked    int
}

func newHub(t *testing.T) *hub {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	h := &hub{private: private}
	fake := providertest.NewHuggingFace()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/oauth/userinfo":
			h.asked++
			_, _ = w.Write([]byte(`{"sub":"ada","name":"Ada Lovelace"}`))
		case "/oauth/jwks":
			_ = json.NewEncoder(w).Encode(map[string]any{"keys": []any{map[string]any{
				"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": "published",
				"x": base64.RawURLEncoding.EncodeToString(private.Public().(ed25519.PublicKey)),
			}}})
		default:
			fake.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	h.provider = open(t, providertest.Setup{
		Base: server.URL, Client: fake.Client(), HTTP: &http.Client{Transport: &http.Transport{}},
	}, true)
	return h
}

func (h *hub) token(kid string, claims map[string]any) string {
	head, _ := json.Marshal(map[string]any{"alg": "EdDSA", "kid": kid})
	body, _ := json.Marshal(claims)
	input := base64.RawURLEncoding.EncodeToString(head) + "." + base64.RawURLEncoding.EncodeToString(body)
	return "hf_oauth_" + input + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(h.private, []byte(input)))
}

func TestTheUndocumentedCheck(t *testing.T) {
	h := newHub(t)
	now := time.Now().Unix()
	good := map[string]any{"sub": "ada", "client_id": "gatehouse-hf", "exp": now + 60, "scope": []string{"openid"}}
	with := func(more map[string]any) map[string]any {
		claims := maps.Clone(good)
		maps.Copy(claims, more)
		return claims
	}
	token := h.token("published", good)
	for story, token := range map[string]string{
		"a published key":     token,
		"an unpublished key":  h.token("unpublished", good),
		"an older token":      h.token("unpublished", with(map[string]any{"client_id": nil, "oauthApp": "gatehouse-hf"})),
		"both names, both us": h.token("unpublished", with(map[string]any{"oauthApp": "gatehouse-hf"})),
	} {
		if profile, err := h.provider.Prove(t.Context(), token); err != nil || profile.Subject != "ada" {
			t.Errorf("%s: %+v %v", story, profile, err)
		}
	}
	body := strings.TrimPrefix(token, "hf_oauth_")
	before := h.asked
	for story, token := range map[string]string{
		"a personal token":            "hf_abcdefghijklmnopqrstuvwxyz",
		"an exchanged token":          "hf_jwt_" + body,
		"a bare JWT":                  body,
		"no JWT":                      "hf_oauth_abcdefgh",
		"two parts":                   "hf_oauth_a.b",
		"a payload that is no object": "hf_oauth_e30.W10.AA",
		"the name twice":              "hf_oauth_e30." + base64.RawURLEncoding.EncodeToString([]byte(`{"client_id":"other-app","client_id":"gatehouse-hf","sub":"ada","exp":9999999999}`)) + ".AA",
		"another client":              h.token("unpublished", with(map[string]any{"client_id": "other-app"})),
		"another client, older":       h.token("unpublished", with(map[string]any{"client_id": nil, "oauthApp": "other-app"})),
		"two clients":                 h.token("unpublished", with(map[string]any{"oauthApp": "other-app"})),
		"a list of clients":           h.token("unpublished", with(map[string]any{"client_id": []string{"gatehouse-hf"}})),
		"no client":                   h.token("unpublished", with(map[string]any{"client_id": nil})),
		"only an audience":            h.token("unpublished", with(map[string]any{"client_id": nil, "aud": "gatehouse-hf"})),
		"expired":                     h.token("unpublished", with(map[string]any{"exp": now - 60})),
		"without end":                 h.token("unpublished", with(map[string]any{"exp": nil})),
		// The key set has its key: a wrong signature is not a matter for userinfo.
		"altered under a published key": token[:len(token)-4] + "AAAA",
	} {
		if profile, err := h.provider.Prove(t.Context(), token); authority.KindOf(err) != authority.UpstreamTokenInvalid {
			t.Errorf("%s: %+v %v", story, profile, err)
		} else if strings.Contains(err.Error(), token) {
			t.Errorf("%s: the error holds the token", story)
		}
	}
	if h.asked != before {
		t.Errorf("userinfo was asked %d times about tokens that prove nothing", h.asked-before)
	}
	if _, err := h.provider.Prove(t.Context(), h.token("unpublished", with(map[string]any{"sub": "grace"}))); authority.KindOf(err) != authority.UpstreamTokenInvalid {
		t.Errorf("a payload about somebody else than userinfo: %v", err)
	}
}

func FuzzPayload(f *testing.F) {
	f.Add("e30.e30.AA")
	f.Add("..")
	f.Fuzz(func(t *testing.T, jwt string) {
		claims, err := payload(jwt)
		if err == nil && judge(claims, "gatehouse-hf", time.Unix(1700000000, 0)) == nil && !claims.Has("client_id") && !claims.Has("oauthApp") {
			t.Errorf("%q proves a client that it does not name", jwt)
		}
	})
}
