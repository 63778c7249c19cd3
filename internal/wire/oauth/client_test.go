package oauth

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/wire"
)

func basicField(plain string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(plain))
}

func TestClientAuth(t *testing.T) {
	for _, tc := range []struct {
		name   string
		fields []string // Authorization
		body   string
		want   authority.ClientAuth
	}{
		{"basic", []string{basicField("app:s3cret")}, "", authority.ClientAuth{Method: authority.AuthBasic, ID: "app", Secret: "s3cret"}},
		{"scheme in any case", []string{"bASIC  " + basicField("app:s3cret")[6:]}, "", authority.ClientAuth{Method: authority.AuthBasic, ID: "app", Secret: "s3cret"}},
		{"percent and plus", []string{basicField("my+app%3A1:a%2Bb%25+%C3%A4")}, "", authority.ClientAuth{Method: authority.AuthBasic, ID: "my app:1", Secret: "a+b% ä"}},
		{"a colon in an unencoded secret", []string{basicField("app:a:b")}, "", authority.ClientAuth{Method: authority.AuthBasic, ID: "app", Secret: "a:b"}},
		{"no secret", []string{basicField("app:")}, "", authority.ClientAuth{Method: authority.AuthBasic, ID: "app"}},
		{"the same id in the body", []string{basicField("app:s3cret")}, "client_id=app", authority.ClientAuth{Method: authority.AuthBasic, ID: "app", Secret: "s3cret"}},
		{"an empty secret in the body counts as none", []string{basicField("app:s3cret")}, "client_secret=", authority.ClientAuth{Method: authority.AuthBasic, ID: "app", Secret: "s3cret"}},
		{"body", nil, "client_id=my+app&client_secret=a%2Bb", authority.ClientAuth{Method: authority.AuthPost, ID: "my app", Secret: "a+b"}},
		{"public", nil, "client_id=app", authority.ClientAuth{Method: authority.AuthNone, ID: "app"}},
		{"public with an empty secret", nil, "client_id=app&client_secret=", authority.ClientAuth{Method: authority.AuthNone, ID: "app"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := readClient(t, tc.fields, tc.body)
			if err != nil || got != tc.want {
				t.Errorf("%+v, %v; want %+v", got, err, tc.want)
			}
		})
	}
}

func readClient(t *testing.T, fields []string, body string) (authority.ClientAuth, error) {
	t.Helper()
	params, err := wire.ParseForm(body)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	r.Header["Authorization"] = fields
	return clientAuth(r, params)
}

// Attack: what is not well-formed client authentication is read as something
// weaker, so that a confidential client passes as a public one. Each must be a
// refusal, never a client without a secret.
func TestClientAuthRefuses(t *testing.T) {
	for _, tc := range []struct {
		name   string
		fields []string
		body   string
		want   authority.Kind
	}{
		{"nothing", nil, "", authority.ClientUnauthenticated},
		{"a secret without an id", nil, "client_secret=s3cret", authority.ClientUnauthenticated},
		{"an assertion", nil, "client_id=app&client_assertion=x.y.z", authority.ClientUnauthenticated},
		{"an assertion's type", nil, "client_id=app&client_assertion_type=urn:x", authority.ClientUnauthenticated},
		{"an empty field", []string{""}, "client_id=app", authority.ClientUnauthenticated},
		{"only the scheme", []string{"Basic"}, "client_id=app", authority.ClientUnauthenticated},
		{"scheme and space", []string{"Basic "}, "client_id=app", authority.ClientUnauthenticated},
		{"bearer", []string{"Bearer abc"}, "client_id=app", authority.ClientUnauthenticated},
		{"digest", []string{"Digest username=app"}, "", authority.ClientUnauthenticated},
		{"a tab for the space", []string{"Basic\t" + basicField("app:s3cret")[6:]}, "", authority.ClientUnauthenticated},
		{"not base64", []string{"Basic !!!"}, "", authority.ClientUnauthenticated},
		{"base64url", []string{"Basic " + base64.URLEncoding.EncodeToString([]byte("app:\xc3\xbf\xc3\xbf?>"))}, "", authority.ClientUnauthenticated},
		{"no padding", []string{strings.TrimRight(basicField("app:s3cret"), "=")}, "", authority.ClientUnauthenticated},
		{"stray bits", []string{"Basic YXBwOnMzY3JldB=="}, "", authority.ClientUnauthenticated},
		{"line ends inside", []string{"Basic YXBw\r\nOnMzY3JldA=="}, "", authority.ClientUnauthenticated},
		{"trailing space", []string{basicField("app:s3cret") + " "}, "", authority.ClientUnauthenticated},
		{"two in one field", []string{basicField("app:s3cret") + ", " + basicField("app:s3cret")}, "", authority.ClientUnauthenticated},
		{"no colon", []string{basicField("app")}, "", authority.ClientUnauthenticated},
		{"no id", []string{basicField(":s3cret")}, "", authority.ClientUnauthenticated},
		{"no id, but one in the body", []string{basicField(":s3cret")}, "client_id=app", authority.ClientUnauthenticated},
		{"half an escape", []string{basicField("app:100%")}, "", authority.ClientUnauthenticated},
		{"wrong escape in the id", []string{basicField("a%zz:s3cret")}, "", authority.ClientUnauthenticated},
		{"NUL", []string{basicField("app%00:s3cret")}, "", authority.ClientUnauthenticated},
		{"raw NUL", []string{basicField("app:s3\x00cret")}, "", authority.ClientUnauthenticated},
		{"not UTF-8", []string{basicField("app:%ff")}, "", authority.ClientUnauthenticated},
		{"raw bytes", []string{basicField("app:\xff")}, "", authority.ClientUnauthenticated},
		{"too long", []string{basicField("app:" + strings.Repeat("s", 8<<10))}, "", authority.ClientUnauthenticated},
		{"two fields", []string{basicField("app:s3cret"), basicField("app:s3cret")}, "", authority.Invalid},
		{"basic and bearer", []string{basicField("app:s3cret"), "Bearer x"}, "", authority.Invalid},
		{"basic and a secret in the body", []string{basicField("app:s3cret")}, "client_id=app&client_secret=s3cret", authority.Invalid},
		{"basic and another id in the body", []string{basicField("app:s3cret")}, "client_id=other", authority.Invalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := readClient(t, tc.fields, tc.body)
			if got != (authority.ClientAuth{}) || err == nil || authority.KindOf(err) != tc.want {
				t.Fatalf("%+v, %v; want %v", got, err, tc.want)
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error quotes the secret: %v", err)
			}
		})
	}
}
