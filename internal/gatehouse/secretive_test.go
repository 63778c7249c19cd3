package gatehouse

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/config"
)

func TestSecretiveGoesByThePathInEverySpelling(t *testing.T) {
	d := NewDiscretion(&config.Endpoints{Dialects: []string{"oauth", "keycloak"}})
	for _, path := range []string{
		"/auth/api/v1/oauth/connect/token",
		"/auth/api/v1/oauth/connect/user/login",
		"/auth/api/v1/oauth/connect",
		"/auth/api/v1/oauth/connect/nothing/here",
		"/AUTH/api/V1/OAuth/Connect/Token",
		"//auth//api/v1/oauth/connect//token",
		"/auth/api/v1/./oauth/connect/token",
		"/x/../auth/api/v1/oauth/connect/token",
		"/auth/api/v1/oauth/connect/../../../x",
		"/auth/api/v1/oauth%2fconnect%2ftoken",
		"/auth/api/v1/oauth%252fconnect/token",
		"/auth/%61pi/v1/oauth/connect/token",
		`\auth\api\v1\oauth\connect\token`,
		"/auth;v=1/api/v1/oauth/connect/token",
		"/auth/api/v1/oauth/connect?client_secret=x",
		"/auth/api/v1/oauth/connect /token",
		"/auth/api/v1/oauth/connect\x00/token",
	} {
		if !d.Secretive(path) || !d.Secretive("/rewritten", path) {
			t.Errorf("%q is not seen", path)
		}
	}
	for _, path := range []string{"", "/", "*", "/auth/api/v1/healthz", "/oauth2/token", "/auth/api/v1/oauth/connected", "/auth/api/v1/oauth/connect-app/x", "/app?/auth/api/v1/oauth/connect/token"} {
		if d.Secretive(path) {
			t.Errorf("%q is not the dialect's", path)
		}
	}
	if NewDiscretion(&config.Endpoints{Dialects: []string{"oauth"}}).Secretive("/auth/api/v1/oauth/connect/token") {
		t.Error("without the dialect the path is an app's own")
	}
	if !NewDiscretion(&config.Endpoints{Keycloak: new(config.Keycloak)}).Secretive("/auth/api/v1/oauth/connect/token") {
		t.Error("the dialect's block mounts it")
	}
}

// What nobody serves is answered in the form of the dialect whose path it looks like.
func TestRefusalsTakeTheDialectsForm(t *testing.T) {
	d := NewDiscretion(&config.Endpoints{Dialects: []string{"keycloak", "golem"}, Pakt: new(config.Pakt)})
	for path, want := range map[string]string{
		"/auth/api/v1/oauth/connect/nothing":   `404 {"detail":"Not Found"}`,
		"/v1/auth/nope/oauth/validate-state":   `404 {"status":"error","message":"Not Found","statusCode":404,"data":null}`,
		"/v1/account/":                         `404 {"status":"error","message":"Not Found","statusCode":404,"data":null}`,
		"/v1/oauth2/":                          `404 {"error":"Not Found"}`,
		"/v1/login/oauth2/web/callback/github": `404 {"error":"Not Found"}`,
	} {
		if !d.Secretive(path) {
			t.Errorf("%s is not seen", path)
		}
		w := httptest.NewRecorder()
		d.Refuse(w, http.StatusNotFound, path)
		if got := strconv.Itoa(w.Code) + " " + w.Body.String(); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	w := httptest.NewRecorder()
	if d.Refuse(w, http.StatusServiceUnavailable, "/v1/oauth2"); w.Code != 500 || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	for _, path := range []string{"/v1/account/update", "/v1/auth/login", "/v1/accounts/x/tokens", "/v1/oauth", "/v1/login/token"} {
		if d.Secretive(path) {
			t.Errorf("%s is an app's own", path)
		}
	}
}

func TestTargetShowsOnlyWhatIsHarmless(t *testing.T) {
	d := new(Discretion)
	const at = "/auth/api/v1/oauth/connect/token"
	for in, want := range map[string]string{
		at:       at,
		at + "?": at + "?REDACTED",
		at + "?realm=demo&client_id=app&client_secret=S&grant_type=client_credentials&scopes=read+write": at +
			"?realm=demo&client_id=app&client_secret=REDACTED&grant_type=client_credentials&scopes=read+write",
		at + "?username=alice&password=S":                   at + "?username=REDACTED&password=REDACTED",
		at + "?client%5Fsecret=S&clientsecret=S":            at + "?client_secret=REDACTED&clientsecret=REDACTED",
		at + "?realm=demo;client_secret=S":                  at + "?realm=REDACTED",
		at + "?realm=demo%26client_secret%3DS":              at + "?realm=REDACTED",
		at + "?realm=demo?client_secret=S":                  at + "?realm=REDACTED",
		at + "?realm=%zzS":                                  at + "?realm=REDACTED",
		at + "?SECRETSECRET":                                at + "?REDACTED",
		at + "?Secret-without-a-name=x":                     at + "?REDACTED",
		at + "?REALM=S":                                     at + "?REDACTED",
		at + "%3Fclient_secret=S":                           at + "REDACTED",
		at + "&client_secret=S":                             at + "REDACTED",
		at + "/eyJhbGciOiJFUzI1NiJ9.e30.c2ln":               at + "/REDACTED",
		"http://auth.example/auth/api/v1/oauth/connect/x?S": "http://auth.example/auth/api/v1/oauth/connect/x?REDACTED",
	} {
		if got := d.Target(in); got != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
	}
}

func TestHeaderMasksKeysTokensAndAddresses(t *testing.T) {
	in := http.Header{
		"X-Api-Key": {"S"}, "Referer": {"S", "S"}, "X-Forwarded-Uri": {"S"}, "X-Original-Url": {"S"}, "X-Auth-Token": {"S"},
		"Authorization": {"Basic S"}, "Cookie": {"S"}, "User-Agent": {"curl"}, "Accept": {"*/*"},
	}
	got := new(Discretion).Header(in)
	for _, name := range []string{"X-Api-Key", "Referer", "X-Forwarded-Uri", "X-Original-Url", "X-Auth-Token"} {
		if len(got[name]) != 1 || got[name][0] != masked {
			t.Errorf("%s: %q", name, got[name])
		}
	}
	for _, name := range []string{"Authorization", "Cookie", "User-Agent", "Accept"} { // the first two Caddy masks itself
		if got.Get(name) != in.Get(name) {
			t.Errorf("%s: %q", name, got[name])
		}
	}
	if in.Get("X-Api-Key") != "S" {
		t.Error("the request itself was changed")
	}
}
