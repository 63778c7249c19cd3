package golem

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

func TestAccountCalls(t *testing.T) {
	const account = `{"id":"ae9b9f24-cfba-4dc6-92c6-c6fecdee88b5","name":"Ada Lovelace","email":"ada@example.com","planId":"00000000-0000-0000-0000-000000000000"}`
	asked := authority.AccountCall{Realm: "main", Bearer: theSecret, Account: accountID}
	ofToken := asked
	ofToken.TokenID = tokenID
	for _, tc := range []struct {
		call, body string
		asked      authority.AccountCall
	}{
		{"own", tokenJSON, authority.AccountCall{Realm: "main", Bearer: theSecret}},
		{"account", account, asked},
		{"list", "[" + tokenJSON + "," + tokenJSON + "]", asked},
		{"mint", grantJSON, asked},
		{"show", tokenJSON, ofToken},
		{"end", "{}", ofToken},
	} {
		s := newTestSite(t)
		s.auth.facts = authority.AccountFacts{ID: accountID, Username: "ada-l", Name: "Ada Lovelace", Email: "ada@example.com", EmailVerified: true}
		s.auth.list = []authority.PersonalToken{s.auth.grant.PersonalToken, s.auth.grant.PersonalToken}
		w := s.do(t, good(tc.call))
		if w.Code != 200 || w.Body.String() != tc.body {
			t.Errorf("%s: %d %s", tc.call, w.Code, w.Body)
		}
		if s.auth.call != tc.asked || !slices.Equal(s.auth.calls, []string{tc.call}) {
			t.Errorf("%v %+v", s.auth.calls, s.auth.call)
		}
	}
	s := newTestSite(t)
	if w := s.do(t, good("list")); w.Body.String() != "[]" {
		t.Errorf("no tokens: %s", w.Body)
	}
	for _, target := range []string{ownPath, accountPath, tokensPath, tokenPath} {
		if w := s.do(t, asAda("HEAD", target, "")); w.Code != 200 {
			t.Errorf("HEAD %s: %d", target, w.Code)
		}
	}
	if slices.Contains(s.auth.calls, "mint") || slices.Contains(s.auth.calls, "end") {
		t.Errorf("HEAD did %v", s.auth.calls)
	}
}

// An address that nobody verified is not told, for there is no member to say so.
func TestUnverifiedAddressIsNotTold(t *testing.T) {
	s := newTestSite(t)
	s.auth.facts = authority.AccountFacts{ID: accountID, Username: "mallory", Email: "ada@example.com"}
	w := s.do(t, good("account"))
	if want := `{"id":"` + accountID + `","name":"mallory","email":"","planId":"` + noPlan + `"}`; w.Body.String() != want {
		t.Errorf("%s", w.Body)
	}
}

func TestMintBody(t *testing.T) {
	for body, want := range map[string]time.Time{
		`{}`:                                   {},
		`{"expiresAt":null,"name":"x"}`:        {},
		`{"expiresAt":"2030-01-31T12:00:00Z"}`: time.Date(2030, 1, 31, 12, 0, 0, 0, time.UTC),
		`{"expiresAt":"2030-01-31T12:00:00.5+01:30"}`: time.Date(2030, 1, 31, 10, 30, 0, 5e8, time.UTC),
	} {
		s := newTestSite(t)
		w := s.do(t, asAda("POST", tokensPath, body))
		if w.Code != 200 || !s.auth.call.Expires.Equal(want) || s.auth.call.Expires.IsZero() != want.IsZero() {
			t.Errorf("%s: %d %s %v", body, w.Code, w.Body, s.auth.call.Expires)
		}
	}
	stamped := "expiresAt: " + errStamp.Error()
	for body, want := range map[string]string{
		`{"expiresAt":"tomorrow"}`:                                             stamped,
		`{"expiresAt":"2030-1-31T12:00:00Z"}`:                                  stamped,
		`{"expiresAt":"2030-01-31 12:00:00Z"}`:                                 stamped,
		`{"expiresAt":"2030-01-31T12:00:00"}`:                                  stamped,
		`{"expiresAt":"2030-01-31T12:00:00,5Z"}`:                               stamped,
		`{"expiresAt":"2030-01-31T1:00:00Z"}`:                                  stamped,
		`{"expiresAt":"2030-01-31T12:00:00+24:00"}`:                            stamped,
		`{"expiresAt":"2030-01-31T12:00:00Z "}`:                                stamped,
		`{"expiresAt":"2030-02-30T12:00:00Z"}`:                                 stamped,
		`{"expiresAt":"2030-01-31T12:00:00.` + strings.Repeat("0", 60) + `Z"}`: stamped,
		`{"expiresAt":"0001-01-01T00:00:00Z"}`:                                 "expiresAt: must be in the future",
		`{"expiresAt":1900000000}`:                                             "expiresAt: not a text",
		`{"expiresAt":"2030-01-31T12:00:00Z","expiresAt":null}`:                "expiresAt: given more than once",
		`[]`: "the request body is JSON, but not an object",
	} {
		s := newTestSite(t)
		w := s.do(t, asAda("POST", tokensPath, body))
		if w.Code != 400 {
			t.Errorf("%s: %d", body, w.Code)
			continue
		}
		if got := wantError(t, w, 400); !slices.Equal(got, []string{want}) || len(s.auth.calls) > 0 {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
}

// An id in any other spelling than its own is nobody's.
func TestIDs(t *testing.T) {
	for _, id := range []string{
		"x", strings.ToUpper(accountID), accountID[:35], accountID + "0", strings.ReplaceAll(accountID, "-", ""),
		"ae9b9f24-cfba-4dc6-92c6_c6fecdee88b5", "ge9b9f24-cfba-4dc6-92c6-c6fecdee88b5", "me", "-", ".",
	} {
		for _, r := range []*http.Request{
			asAda("GET", accountsPath+id, ""), asAda("GET", accountsPath+id+"/tokens", ""), asAda("POST", accountsPath+id+"/tokens", "{"),
			asAda("GET", accountsPath+id+"/tokens/"+tokenID, ""), asAda("DELETE", tokensPath+"/"+id, ""),
		} {
			s := newTestSite(t)
			wantError(t, s.do(t, r), 404)
			if len(s.auth.calls) > 0 {
				t.Errorf("%s %s: the authority was asked", r.Method, r.URL)
			}
			r.Header.Del("Authorization") // who the caller is comes first
			wantError(t, s.do(t, r), 401)
		}
	}
}

func TestBearer(t *testing.T) {
	const plain, refused = `Bearer realm="main"`, `Bearer realm="main", error="invalid_token"`
	for _, tc := range []struct {
		name      string
		header    []string
		status    int
		challenge string
	}{
		{"lower case", []string{"Authorization", "bearer " + theSecret}, 200, ""},
		{"upper case", []string{"Authorization", "BEARER   " + theSecret}, 200, ""},
		{"another cookie", []string{"Authorization", "Bearer " + theSecret, "Cookie", "golem_session=x; a=b"}, 200, ""},
		{"none", nil, 401, plain},
		{"only the cookie", []string{"Cookie", "GOLEM_SESSION=" + theSecret}, 401, plain},
		{"empty", []string{"Authorization", ""}, 401, plain},
		{"no token", []string{"Authorization", "Bearer"}, 401, refused},
		{"no scheme", []string{"Authorization", theSecret}, 401, refused},
		{"Basic", []string{"Authorization", "Basic YTpi"}, 401, refused},
		{"a list", []string{"Authorization", "Bearer a, Bearer b"}, 400, ""},
		{"a tab", []string{"Authorization", "Bearer\t" + theSecret}, 401, refused},
		{"padding only", []string{"Authorization", "Bearer =="}, 401, refused},
		{"long", []string{"Authorization", "Bearer " + strings.Repeat("a", maxCredential+1)}, 401, refused},
		{"two fields", []string{"Authorization", "Bearer " + theSecret, "Authorization", "Bearer " + theSecret}, 400, ""},
		{"beside the cookie", []string{"Authorization", "Bearer " + theSecret, "Cookie", "GOLEM_SESSION="}, 400, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, call := range allCalls()[3:] {
				s := newTestSite(t)
				r := good(call)
				r.Header.Del("Authorization")
				for i := 0; i < len(tc.header); i += 2 {
					r.Header.Add(tc.header[i], tc.header[i+1])
				}
				w := s.do(t, r)
				if w.Code != tc.status || w.Header().Get("WWW-Authenticate") != tc.challenge {
					t.Errorf("%s: %d %s %q", call, w.Code, w.Body, w.Header().Get("WWW-Authenticate"))
				}
				if tc.status == 200 {
					if s.auth.call.Bearer != theSecret {
						t.Errorf("%+v", s.auth.call)
					}
					continue
				}
				wantError(t, w, tc.status)
				if len(s.auth.calls) > 0 || strings.Contains(w.Body.String(), theSecret) {
					t.Errorf("%v %s", s.auth.calls, w.Body)
				}
			}
		})
	}
}
