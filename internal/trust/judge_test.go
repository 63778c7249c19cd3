package trust

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/provider"
)

var noon = time.Unix(1_700_000_000, 0)

// answers is an issuer that says one thing to whoever asks.
type answers struct {
	status int
	kind   string
	body   string
}

func (a answers) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: a.status, Header: http.Header{"Content-Type": {a.kind}}, Body: io.NopCloser(strings.NewReader(a.body)),
	}, nil
}

func fuzzed(t *testing.T, a answers, audience []string, i *Introspection) *Trust {
	t.Helper()
	tr, err := New(Options{
		Name: "fuzzed", ID: "an id", Issuer: "https://i.example", Audience: audience, Claims: []string{"a", "b", "sub"},
		HTTP: &http.Client{Transport: a}, Now: func() time.Time { return noon }, KeySetURL: "", Introspection: i,
	})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// sound demands what every principal must be, whatever it was made from.
func sound(t *testing.T, p authority.Principal) {
	t.Helper()
	if p.Issuer != "https://i.example" || p.Source != "fuzzed" || p.Realm != "an id" || p.Kind != authority.KindAccess || p.Subject == "" || p.TokenID == "" {
		t.Errorf("not a principal: %+v", p)
	}
	if p.Expires <= noon.Unix()-5 || p.IssuedAt > noon.Unix()+5 || p.IssuedAt < 0 || p.AuthTime < 0 || p.Expires > maxTime {
		t.Errorf("times: %+v", p)
	}
	if p.Scopes.Len() > maxScopes || p.Roles.Len() > maxRoles || p.Audience.Len() > maxAudience || len(p.Claims) > maxClaims {
		t.Errorf("too much: %+v", p)
	}
	for _, text := range []string{p.Subject, p.Client, p.Username, p.Name, p.Email, p.Session, p.TokenID, p.KeyID} {
		if strings.ContainsAny(text, "\x00\uFFFD") || len(text) > maxText {
			t.Errorf("a text: %q", text)
		}
	}
	if p.EmailVerified && p.Email == "" || strings.ContainsAny(string(p.Scopes), " \"\\\t") {
		t.Errorf("email or scopes: %+v", p)
	}
	further := p.Claims.Slice()
	for n := 0; n < len(further); n += 2 {
		if n+1 == len(further) || !slices.Contains([]string{"a", "b", "sub"}, further[n]) || !json.Valid([]byte(further[n+1])) || further[n+1][0] == '{' {
			t.Errorf("further claims: %q", further)
		}
	}
}

var fuzzSeeds = []string{
	`{"iss":"https://i.example","sub":"s","aud":"us","exp":1700000300}`,
	`{"active":true,"iss":"https://i.example","sub":"s","aud":["x","us"],"exp":1.7e9,"iat":1699999999.5,"nbf":1,"scope":"r w","token_type":"Bearer"}`,
	`{"active":true,"sub":"s","aud":"us","client_id":"c","roles":["a","b"],"a":[1,"x",true,null],"b":-0.5,"email":"a@b","email_verified":true}`,
	`{"active":true,"aud":"us","client_id":"c","realm_access":{"roles":["r"]},"scp":["x"],"jti":"j","sid":"s","auth_time":1}`,
	`{"active":true,"sub":"s","aud":"us","groups":["g"],"typ":"Bearer","nonce":"n","name":"N","username":"u","azp":"z"}`,
	`{"active":"true","sub":"s","aud":"us"}`, `{"active":true,"active":false}`, `{"active":true,"sub":"\ud800","aud":"us"}`, `[]`, ``,
	`{"active":true,"sub":"s","aud":"us","cnf":{},"nonce":"n","events":{},"at_hash":""}`,
}

// Whatever the claims are, they are accepted only if they say all that they must.
func FuzzClaims(f *testing.F) {
	for _, s := range fuzzSeeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o, err := provider.ParseObject([]byte(text))
		if err != nil {
			return
		}
		has := o.Has
		tr := fuzzed(t, answers{}, []string{"us"}, nil)
		r := &reader{o: o}
		p := tr.judge(r, "raw")
		if r.fault != "" {
			if len(r.fault) > 200 {
				t.Errorf("a long fault: %q", r.fault)
			}
			return
		}
		sound(t, p)
		if !has("iss") || !has("exp") || !has("sub") || !p.Audience.Has("us") || has("cnf") || has("at_hash") || has("events") || has("authorization_details") {
			t.Errorf("accepted %s", text)
		}
	})
}

// Whatever an issuer answers, only a true in a strict answer is a yes, and only a false a no.
func FuzzIntrospectionAnswer(f *testing.F) {
	for _, s := range fuzzSeeds {
		f.Add(200, "application/json", s)
	}
	f.Add(200, "text/html", fuzzSeeds[1])
	f.Add(401, "application/json", `{"error":"invalid_client"}`)
	f.Add(400, "application/json", `{"error":"unsupported_token_type"}`)
	f.Fuzz(func(t *testing.T, status int, kind, body string) {
		how := &Introspection{URL: "https://i.example/introspect", ClientID: "c", ClientSecret: "s"}
		p, err := fuzzed(t, answers{status, kind, body}, []string{"us"}, how).Verify(t.Context(), "token")
		o, broken := provider.ParseObject([]byte(body))
		switch authority.KindOf(err) {
		case authority.Internal:
			if err != nil {
				t.Errorf("%v", err)
				return
			}
			if status != http.StatusOK || broken != nil || string(o["active"]) != "true" || !p.Audience.Has("us") || o.Has("cnf") {
				t.Errorf("accepted: %d %q", status, body)
			}
			sound(t, p)
		case authority.TokenInvalid:
			refusal, _ := o.Text("error")
			if broken != nil || status != http.StatusOK && refusal != "unsupported_token_type" {
				t.Errorf("a no: %d %q: %v", status, body, err)
			}
		case authority.Unavailable:
			if status == http.StatusOK && broken == nil && string(o["active"]) == "false" && !strings.Contains(kind, "html") {
				t.Errorf("no answer: %d %q: %v", status, body, err)
			}
		default:
			t.Errorf("%v", err)
		}
	})
}
