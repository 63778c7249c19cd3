package tests

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
)

const factorSecret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

// A login in two steps with a second factor: a wrong code does not spend the token of
// the first step, a right one does, and a code is good once whoever sends it.
func TestSecondFactorInTwoSteps(t *testing.T) {
	s := newServer(t)
	s.withUpstreams()
	s.start(strings.Replace(upstreamLogins, "email ada@corp.example verified", "email ada@corp.example verified\n\t\t\t\ttotp_secret "+factorSecret, 1))
	step := func() string {
		t.Helper()
		a := send(t, "POST", s.auth("/api/v1/me/auth-tokens"), `{"email":"ada@corp.example","password":"ada's password 1"}`, "Content-Type", "application/json").json(t)
		if a["is2FARequired"] != true {
			t.Fatal(a)
		}
		return a["authToken"].(string)
	}
	open := func(token, code string) answer {
		t.Helper()
		return send(t, "POST", s.auth("/api/v1/me/sessions"), fmt.Sprintf(`{"authToken":%q,"otpCode":%q}`, token, code),
			"Content-Type", "application/json", "CE-ClientId", "portal")
	}
	first, second := step(), step()
	if a := open(first, "000000"); a.status != 400 || !strings.Contains(a.body, `"group":"auth","code":3`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	code, err := totp.GenerateCode(factorSecret, time.Now())
	must(t, err)
	a := open(first, code)
	if a.status != 201 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	access := a.json(t)["accessToken"].(string)
	if got := s.app(access); got.status != 200 || got.body != "user=ada" {
		t.Errorf("%d %s", got.status, got.body)
	}
	if a := open(first, code); a.status != 400 || !strings.Contains(a.body, `"group":"auth","code":2`) {
		t.Errorf("the first step's token was good twice: %d %s", a.status, a.body)
	}
	if a := open(second, code); a.status != 400 || !strings.Contains(a.body, `"group":"auth","code":3`) {
		t.Errorf("a code was good twice: %d %s", a.status, a.body)
	}
	// A dialect without a place for the factor does not let her in.
	if a := send(t, "POST", s.auth("/auth/api/v1/oauth/connect/user/login"), "username=ada&password=ada%27s+password+1", "Content-Type", form); a.status != 401 {
		t.Errorf("%d %s", a.status, a.body)
	}
}
