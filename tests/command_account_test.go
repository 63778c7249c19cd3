package tests

import (
	"fmt"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/provider/providertest"
)

const commandAccounts = `
{
	admin $ADMIN
	auto_https off
	persist_config off
	gatehouse {
		store sqlite $DIR/gatehouse.db
		realm demo {
			issuer http://$AUTH
			provider github {
				client_id gatehouse-github
				client_secret github-secret-0123456789
				web_url http://$OCTOPUS
				api_url http://$OCTOPUS
			}
			user alice {
				password_hash ` + aliceHash + `
				roles staff
			}
		}
	}
}
http://$AUTH {
	bind 127.0.0.1
	gatehouse {
		dialects oauth golem
	}
}
http://$APP {
	bind 127.0.0.1
	guard
	respond {http.auth.user.id}
}
`

type accountFacts struct {
	ID            string    `json:"id"`
	Username      string    `json:"username"`
	Name          string    `json:"name"`
	Email         string    `json:"email"`
	EmailVerified bool      `json:"email_verified"`
	Roles         []string  `json:"roles"`
	Created       time.Time `json:"created"`
	LastLogin     time.Time `json:"last_login"`
	Provider      string    `json:"last_provider"`
	Identities    []struct {
		Provider string    `json:"provider"`
		Subject  string    `json:"subject"`
		Linked   time.Time `json:"linked"`
		LastUsed time.Time `json:"last_used"`
	} `json:"identities"`
	Declared   bool      `json:"declared"`
	Disabled   bool      `json:"disabled"`
	DisabledAt time.Time `json:"disabled_at"`
}

type accountList struct {
	Accounts []accountFacts `json:"accounts"`
}

// accountServer is a Gatehouse with a GitHub behind it, where the test is everybody.
func accountServer(t *testing.T) (*server, *providertest.Fake) {
	t.Helper()
	github := providertest.NewGitHub()
	upstream := httptest.NewServer(github)
	t.Cleanup(upstream.Close)
	s := newServer(t)
	s.vars["OCTOPUS"] = strings.TrimPrefix(upstream.URL, "http://")
	s.secret(github.Client().Secret)
	return s.start(commandAccounts), github
}

// golemLogin logs in by the dialect golem and returns the status and the secret.
func (s *server) golemLogin(t *testing.T, github *providertest.Fake, who string) (status int, secret string) {
	t.Helper()
	token := github.Token(who, github.Client().ID)
	s.secret(token)
	a := send(t, "POST", "http://"+s.vars["AUTH"]+"/v1/oauth2", "provider=github&access_token="+token, "Content-Type", form)
	if a.status == 200 {
		secret = a.json(t)["secret"].(string)
		s.secret(secret)
	}
	return a.status, secret
}

func (s *server) account(t *testing.T, which string) accountFacts {
	t.Helper()
	return decodeInto[accountFacts](t, s.must("", "account", "show", which, "--json"))
}

// Where sign-up is closed the operator lets people in, by what the provider calls
// them for good.
func TestCommandAccountLetsSomebodyIn(t *testing.T) {
	s, github := accountServer(t)
	if status, _ := s.golemLogin(t, github, "ada"); status != 403 {
		t.Fatal("a stranger, sign-up being closed:", status)
	}
	made := decodeInto[accountFacts](t, s.must("", "account", "add", "--link", "github:583231", "--role", "staff", "--role", "night shift", "--json"))
	if len(made.ID) != 36 || made.Declared || made.Disabled || len(made.Roles) != 2 || made.Roles[1] != "night shift" || !made.LastLogin.IsZero() ||
		len(made.Identities) != 1 || made.Identities[0].Provider != "github" || made.Identities[0].Subject != "583231" || !made.Identities[0].LastUsed.IsZero() {
		t.Errorf("%+v", made)
	}
	status, secret := s.golemLogin(t, github, "ada")
	if status != 200 {
		t.Fatal("after account add:", status)
	}
	if a := s.app(secret); a.status != 200 || a.body != made.ID {
		t.Error("whose secret it is:", a.status, a.body)
	}
	after := s.account(t, "github:583231")
	if after.ID != made.ID || after.Username != "ada-l" || after.Name != "Ada Lovelace" || after.Email != "ada@example.com" || !after.EmailVerified ||
		after.Provider != "github" || after.LastLogin.IsZero() || len(after.Roles) != 2 || after.Identities[0].LastUsed.IsZero() {
		t.Errorf("after the login: %+v", after)
	}
	shown := s.must("", "account", "show", made.ID)
	for _, line := range []string{
		`(?m)^id +` + made.ID + `$`, `(?m)^username +ada-l$`, `(?m)^e-mail +ada@example\.com \(verified\)$`, `(?m)^roles +staff, night shift$`,
		`(?m)^last login +\d{4}-\d\d-\d\dT\S+Z by github$`, `(?m)^state +enabled$`, `(?m)^login +github:583231, linked \S+Z, last used \S+Z$`,
	} {
		if !regexp.MustCompile(line).MatchString(shown) {
			t.Errorf("account show has no line %s:\n%s", line, shown)
		}
	}
}

func TestCommandAccountEndsLogins(t *testing.T) {
	s, github := accountServer(t)
	id := decodeInto[accountFacts](t, s.must("", "account", "add", "--link", "github:583231", "--json")).ID
	login := func() string {
		t.Helper()
		status, secret := s.golemLogin(t, github, "ada")
		if a := s.app(secret); status != 200 || a.status != 200 { // now its verdict is cached
			t.Fatal(status, a.status)
		}
		return secret
	}

	secret := login()
	if out := s.must("", "account", "disable", "github:583231"); out != "Account github:583231 of the default realm is disabled. Every login and token of it is ended.\n" {
		t.Error(out)
	}
	if a := s.app(secret); a.status != 401 {
		t.Error("a secret of a disabled account:", a.status)
	}
	if status, _ := s.golemLogin(t, github, "ada"); status == 200 {
		t.Error("a disabled account logs in")
	}
	if a := s.account(t, id); !a.Disabled || a.DisabledAt.IsZero() {
		t.Errorf("%+v", a)
	}
	if out := s.must("", "account", "list"); !strings.Contains(out, "  disabled\n") {
		t.Error(out)
	}
	if out := s.must("", "account", "enable", id); out != "Account "+id+" of the default realm may log in again.\n" {
		t.Error(out)
	}
	if a := s.app(secret); a.status != 401 {
		t.Error("enabling an account revived what was ended:", a.status)
	}

	secret = login()
	if out := s.must("", "account", "unlink", "github:583231"); !strings.HasPrefix(out, "A login as github:583231 opens no account of the default realm any more.") {
		t.Error(out)
	}
	if a := s.app(secret); a.status != 401 {
		t.Error("a secret after its login was unlinked:", a.status)
	}
	if status, _ := s.golemLogin(t, github, "ada"); status != 403 {
		t.Error("an unlinked login, sign-up being closed:", status)
	}
	if a := s.account(t, id); len(a.Identities) != 0 {
		t.Errorf("%+v", a)
	}
	if out := s.must("", "account", "link", id, "github:583231"); out != "A login as github:583231 opens account "+id+" of the default realm from now on.\n" {
		t.Error(out)
	}

	secret = login()
	if out := s.must("", "account", "delete", id); out != "Account "+id+" of the default realm is deleted. Every login and token of it is ended, and these open no account any more: github:583231.\n" {
		t.Error(out)
	}
	if a := s.app(secret); a.status != 401 {
		t.Error("a secret of a deleted account:", a.status)
	}
	if status, _ := s.golemLogin(t, github, "ada"); status != 403 {
		t.Error("a deleted account logs in:", status)
	}
	if _, errs, err := s.run("", "account", "show", id); err == nil || !strings.Contains(errs, "no such account") {
		t.Errorf("a deleted account is shown: %v %s", err, errs)
	}
}

func TestCommandAccountList(t *testing.T) {
	s, github := accountServer(t)
	for n := range 205 { // more than a page
		a := send(t, "POST", "http://"+s.vars["ADMIN"]+"/gatehouse/account/add", fmt.Sprintf(`{"username":"robot-%d"}`, n),
			"Content-Type", "application/json", "X-Gatehouse-Command", "1")
		if a.status != 200 {
			t.Fatal(a.status, a.body)
		}
	}
	s.must("", "account", "add", "--link", "github:1906")
	github.Rename("grace", "rear\u202eadmiral") // it would turn the rest of the line round
	if status, _ := s.golemLogin(t, github, "grace"); status != 200 {
		t.Fatal(status)
	}
	all := decodeInto[accountList](t, s.must("", "account", "list", "--json")).Accounts
	seen := map[string]bool{}
	for _, a := range all {
		seen[a.ID] = true
	}
	if len(all) != 207 || len(seen) != 207 {
		t.Fatalf("%d accounts, %d of them different", len(all), len(seen))
	}
	if first := all[0]; first.Username != "alice" || !first.Declared || !first.Created.IsZero() || len(first.Identities) != 0 {
		t.Errorf("the user of the configuration: %+v", first)
	}
	if last := all[len(all)-1]; last.Username != "rear\u202eadmiral" || last.Declared || last.Identities[0].Subject != "1906" {
		t.Errorf("the youngest account: %+v", last)
	}
	lines := strings.Split(strings.TrimSpace(s.must("", "account", "list")), "\n")
	if !regexp.MustCompile(`^ID +USERNAME +NAME +E-MAIL +LOGINS +LAST LOGIN +STATE$`).MatchString(lines[0]) || len(lines) != len(all)+1 ||
		!regexp.MustCompile(`^`+all[0].ID+` +alice +- +- +password +- +enabled$`).MatchString(lines[1]) {
		t.Error(strings.Join(lines, "\n"))
	}
	if !strings.Contains(lines[len(lines)-1], "  rear?admiral  ") {
		t.Errorf("%q", lines[len(lines)-1])
	}
	// Users of the configuration are changed there.
	for _, verb := range []string{"disable", "enable", "delete"} {
		out, errs, err := s.run("", "account", verb, "alice")
		if err == nil || out != "" || !strings.Contains(errs, "user of the configuration") {
			t.Errorf("%s: %v %q %q", verb, err, out, errs)
		}
	}
	// But a login may be linked to them.
	s.must("", "account", "link", "alice", "github:583231")
	if a := s.account(t, "alice"); len(a.Identities) != 1 || a.ID != all[0].ID {
		t.Errorf("%+v", a)
	}
	if status, secret := s.golemLogin(t, github, "ada"); status != 200 || s.app(secret).body != all[0].ID {
		t.Error("a login that is linked to a user of the configuration:", status)
	}
}

func TestCommandAccountRefusals(t *testing.T) {
	s, _ := accountServer(t)
	s.must("", "account", "add", "--link", "github:583231")
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"nobody":                {[]string{"show", "bob"}, "the realm has no such account"},
		"nobody's login":        {[]string{"show", "github:42"}, "the realm has no such account"},
		"no account":            {[]string{"show"}, "takes one account"},
		"one argument":          {[]string{"link", "alice"}, "takes an account and a provider:subject"},
		"no subject":            {[]string{"link", "alice", "github"}, "written provider:subject"},
		"an empty subject":      {[]string{"link", "alice", "github:"}, "written provider:subject"},
		"no provider":           {[]string{"unlink", ":583231"}, "written provider:subject"},
		"an unknown provider":   {[]string{"link", "alice", "gitlab:1"}, "no login provider of that name"},
		"somebody else's login": {[]string{"link", "alice", "github:583231"}, "another account's already"},
		"added twice":           {[]string{"add", "--link", "github:583231"}, "another account's already"},
		"nothing to add":        {[]string{"add"}, "username"},
		"a bad address":         {[]string{"add", "--email", "ada"}, "e-mail address"},
		"nothing verified":      {[]string{"add", "--username", "x", "--verified"}, "nothing to be verified"},
		"a foreign realm":       {[]string{"list", "--realm", "nowhere"}, "no such realm"},
		"misspelt":              {[]string{"delet", "x"}, "did you mean delete?"},
		"unlinked already":      {[]string{"unlink", "github:42"}, "no such identity"},
		"nobody to delete":      {[]string{"delete", "bob"}, "no such account"},
	} {
		out, errs, err := s.run("", append([]string{"account"}, c.args...)...)
		if err == nil || out != "" || !strings.Contains(errs, c.want) || strings.Count(errs, "\n") > 1 {
			t.Errorf("%s: %v, %q, %q; want one sentence with %q", name, err, out, errs, c.want)
		}
	}
	if got := decodeInto[accountList](t, s.must("", "account", "list", "--json")).Accounts; len(got) != 2 {
		t.Errorf("a refused command left an account: %+v", got)
	}
}

// A page that the operator looks at reaches these commands no more than the others.
func TestAttackAccountsFromAWebPage(t *testing.T) {
	s, _ := accountServer(t)
	url := "http://" + s.vars["ADMIN"] + "/gatehouse/account/"
	good := []string{"Content-Type", "application/json", "X-Gatehouse-Command", "1"}
	for name, c := range map[string]struct {
		path, body string
		headers    []string
		status     int
	}{
		"cross-site":     {"add", `{"username":"eve"}`, append([]string{"Origin", "https://evil.example"}, good...), 403},
		"a form":         {"add", `{"username":"eve"}`, []string{"Content-Type", form, "X-Gatehouse-Command", "1"}, 415},
		"no header":      {"link", `{"account":"alice","provider":"github","subject":"666"}`, good[:2], 403},
		"no account":     {"link", `{"provider":"github","subject":"666"}`, good, 400},
		"no subject":     {"link", `{"account":"alice","provider":"github"}`, good, 400},
		"half a login":   {"add", `{"username":"eve","provider":"github"}`, good, 400},
		"two in one":     {"unlink", `{"provider":"github:583231","subject":"x"}`, good, 400},
		"nobody":         {"disable", `{}`, good, 400},
		"no such verb":   {"export", `{}`, good, 404},
		"a wrong place":  {"list", `{"after":"x"}`, good, 400},
		"unknown member": {"list", `{"all":true}`, good, 400},
	} {
		if a := send(t, "POST", url+c.path, c.body, c.headers...); a.status != c.status || a.json(t)["error"] == "" {
			t.Errorf("%s: %d %s, want %d", name, a.status, a.body, c.status)
		}
	}
	if got := decodeInto[accountList](t, s.must("", "account", "list", "--json")).Accounts; len(got) != 1 {
		t.Errorf("one of them had an effect: %+v", got)
	}
}
