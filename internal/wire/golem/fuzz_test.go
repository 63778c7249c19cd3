package golem

import (
	"encoding/json"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/wire"
)

func TestStamp(t *testing.T) {
	for nanosecond, want := range map[int]string{
		0:         "2023-09-05T13:40:13Z",
		364000000: "2023-09-05T13:40:13.364Z",
		300000000: "2023-09-05T13:40:13.300Z",
		364870000: "2023-09-05T13:40:13.364870Z",
		1000:      "2023-09-05T13:40:13.000001Z",
		247009215: "2023-09-05T13:40:13.247009215Z",
		247009210: "2023-09-05T13:40:13.247009210Z",
		1:         "2023-09-05T13:40:13.000000001Z",
	} {
		at := time.Date(2023, 9, 5, 15, 40, 13, nanosecond, time.FixedZone("", 7200))
		if got := stamp(at); got != want {
			t.Errorf("%d: %s, want %s", nanosecond, got, want)
		}
	}
}

// FuzzStamp: what is written has one of four lengths, tells the whole and can be
// read; what is read can be written.
func FuzzStamp(f *testing.F) {
	f.Add(int64(1693921213), int64(364870000), "2023-09-05T13:40:13.364870Z")
	f.Add(int64(0), int64(0), "2030-01-31T12:00:00.5+01:30")
	f.Add(int64(253402300799), int64(999999999), "2030-01-31T12:00:00,5Z")
	form := regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3}|\.\d{6}|\.\d{9})?Z$`)
	f.Fuzz(func(t *testing.T, second, nanosecond int64, text string) {
		// From the year 1 to 9999: RFC 3339 knows no other.
		at := time.Unix(second, nanosecond%1e9)
		if y := at.UTC().Year(); y >= 1 && y <= 9999 {
			written := stamp(at)
			back, err := readStamp(written)
			if err != nil || !back.Equal(at) || !form.MatchString(written) {
				t.Fatalf("%v is written %s and read %v: %v", at, written, back, err)
			}
			if strings.HasSuffix(written, "000Z") && strings.Contains(written, ".") {
				t.Fatalf("%s has digits that tell nothing", written)
			}
		}
		read, err := readStamp(text)
		if err != nil {
			if text != "" && strings.Contains(err.Error(), text) && len(text) > 30 {
				t.Fatalf("%v repeats %s", err, text)
			}
			return
		}
		if y := read.Year(); y >= 1 && y <= 9999 && !form.MatchString(stamp(read)) {
			t.Fatalf("%s is read as %v", text, read)
		}
	})
}

// FuzzSession: what is taken is one JSON string of base64url and nothing more.
func FuzzSession(f *testing.F) {
	for _, body := range []string{`"c2Vh"`, `""`, `"a" "b"`, `"\u0061"`, `"\ud800\udc00"`, `{"a":"b"}`, "\"\xff\"", `"a`, " \n\"a\"\t"} {
		f.Add([]byte(body))
	}
	alphabet := regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	f.Fuzz(func(t *testing.T, body []byte) {
		session, err := readSession(body)
		if err != nil {
			if session != "" {
				t.Fatalf("%q and %v", session, err)
			}
			return
		}
		var whole string
		if !alphabet.MatchString(session) || len(session) > maxCredential || json.Unmarshal(body, &whole) != nil || whole != session {
			t.Fatalf("%q is read as %q", body, session)
		}
	})
}

// FuzzAccounts: a path that is taken is put together again from its parts, and no
// call is about an id that is not one.
func FuzzAccounts(f *testing.F) {
	for _, path := range []string{
		accountPath, tokensPath, tokenPath, "/v1/accounts/", "/v1/accounts//tokens/", "/v1/accounts/x/tokens/y/z", "/v1/accounts/{accountId}",
		"/v1/accounts/../tokens", "/v1/accounts/a/token", "/v1/oauth2",
	} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		at, is := underAccounts(path)
		if is != strings.HasPrefix(path, accountsPath) {
			t.Fatalf("%q: %t", path, is)
		}
		whole := map[string]string{
			accountRoute: accountsPath + at.account,
			tokensRoute:  accountsPath + at.account + "/tokens",
			tokenRoute:   accountsPath + at.account + "/tokens/" + at.token,
		}
		if at.route != "" && (whole[at.route] != path || at.account == "" || strings.Contains(at.account+at.token, "/")) {
			t.Fatalf("%q: %+v", path, at)
		}
		s := newTestSite(t)
		r := asAda("GET", "/", "")
		r.URL.Path = path
		if !s.Serves(r) {
			return
		}
		s.ServeHTTP(httptest.NewRecorder(), r)
		q := s.auth.call
		if strings.HasPrefix(path, accountsPath) && len(s.auth.calls) > 0 && (!isUUID(q.Account) || q.TokenID != "" && !isUUID(q.TokenID)) {
			t.Fatalf("%q asks for %+v", path, q)
		}
	})
}

// FuzzLogin: whatever stands in query and body, the answer is one of the dialect's;
// what reaches the authority is text, of one value and of a provider of the realm.
func FuzzLogin(f *testing.F) {
	f.Add("provider=github&access_token=a", "", "")
	f.Add("provider=github&provider=x", wire.FormType, "access-token=a")
	f.Add("access_token=%ff&=", wire.FormType, "&&a")
	f.Add("provider=github", "application/json", `{"access_token":"a"}`)
	f.Fuzz(func(t *testing.T, query, contentType, body string) {
		s := newTestSite(t, "github")
		r := request("POST", "/v1/oauth2", body, "Content-Type", contentType)
		r.URL.RawQuery = query
		w := s.do(t, r)
		q := s.auth.login
		switch w.Code {
		case 200:
			if q.Provider != "github" || q.AccessToken == "" || !wire.ValidText(q.AccessToken) || len(q.AccessToken) > maxCredential {
				t.Fatalf("%+v", q)
			}
			return
		case 400, 413:
			wantError(t, w, w.Code)
		default:
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if len(s.auth.calls) > 0 {
			t.Fatalf("%d, but the authority was asked", w.Code)
		}
	})
}
