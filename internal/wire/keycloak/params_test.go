package keycloak

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/wire"
)

// missing is the fault of a parameter that is nowhere.
func missing(name string) string {
	return `{"type":"missing","loc":["query","` + name + `"],"msg":"Field required","input":null}`
}

func valueError(loc, why string) string {
	return `{"type":"value_error","loc":[` + loc + `],"msg":"Value error, ` + why + `","input":null}`
}

const (
	notString  = `"msg":"Input should be a valid string","input":null}`
	notUnicode = `"msg":"Input should be a valid string, unable to parse raw data as a unicode string","input":null}`
)

func TestFaultyParameters(t *testing.T) {
	for _, tc := range []struct {
		name, target, body string
		want               []string
	}{
		{"nothing at all", tokenPath, "", []string{missing("client_id"), missing("client_secret")}},
		{"the original's 422", tokenPath + "?client_secret=x", "", []string{missing("client_id")}},
		{"without values", tokenPath + "?client_id=&client_secret=", "", []string{missing("client_id"), missing("client_secret")}},
		{"a refresh of nothing", tokenPath + "?grant_type=refresh_token", "", []string{missing("client_id"), missing("refresh_token")}},
		{"a login of nobody", loginPath, "", []string{missing("username"), missing("password")}},
		{"a logout of nothing", logoutPath, "", []string{missing("refresh_token")}},
		{"a secret of nobody", logoutPath + "?refresh_token=r&client_secret=x", "", []string{missing("client_id")}},
		{"no token", introspectPath + "?client_id=app&client_secret=x", "", []string{missing("token")}},
		{"null", introspectPath, `{"token":null}`, []string{missing("token")}},
		{"empty in the body", loginPath + "?username=a", "password=", []string{`{"type":"missing","loc":["body","password"],"msg":"Field required","input":null}`}},

		{"twice in the query", loginPath + "?username=a&username=a&password=b", "", []string{valueError(`"query","username"`, "given more than once")}},
		{"twice in a form", loginPath, "username=a&username=b&password=b", []string{valueError(`"body","username"`, "given more than once")}},
		{"twice in JSON", loginPath, `{"username":"a","user\u006eame":"a","password":"b"}`, []string{valueError(`"body","username"`, "given more than once")}},
		{"an unknown one twice", loginPath + "?username=a&password=b&x=1&x=2", "", []string{valueError(`"query","x"`, "given more than once")}},
		{"two values in two places", loginPath + "?username=a&password=b", "username=c", []string{valueError(`"body","username"`, "not the value that stands in the query")}},
		{"two values, one empty", loginPath + "?username=&password=b", "username=c", []string{valueError(`"body","username"`, "not the value that stands in the query")}},
		{"two values of JSON", loginPath + "?username=a&password=b", `{"username":"A"}`, []string{valueError(`"body","username"`, "not the value that stands in the query")}},
		{"every fault at once", loginPath + "?realm=a&realm=b&scopes=%ff", `{"grant_type":1}`, []string{
			valueError(`"query","realm"`, "given more than once"), `{"type":"string_unicode","loc":["query","scopes"],` + notUnicode,
			`{"type":"string_type","loc":["body","grant_type"],` + notString, missing("username"), missing("password")}},

		{"a number", loginPath, `{"username":"a","password":12345}`, []string{`{"type":"string_type","loc":["body","password"],` + notString}},
		{"true", loginPath, `{"username":true,"password":"b"}`, []string{`{"type":"string_type","loc":["body","username"],` + notString}},
		{"a list", loginPath, `{"username":["a"],"password":"b"}`, []string{`{"type":"string_type","loc":["body","username"],` + notString}},
		{"an unknown object", loginPath, `{"username":"a","password":"b","x":{}}`, []string{`{"type":"string_type","loc":["body","x"],` + notString}},
		{"half an escape", loginPath + "?username=%&password=b", "", []string{`{"type":"string_unicode","loc":["query","username"],` + notUnicode}},
		{"NUL", loginPath + "?username=a%00&password=b", "", []string{`{"type":"string_unicode","loc":["query","username"],` + notUnicode}},
		{"half a pair", loginPath, `{"username":"a","password":"\ud800"}`, []string{`{"type":"string_unicode","loc":["body","password"],` + notUnicode}},

		{"no JSON", loginPath, `{"username":"a",}`, []string{`{"type":"json_invalid","loc":["body",16],"msg":"JSON decode error","input":null}`}},
		{"JSON and more", loginPath, `{"username":"a"}{}`, []string{`{"type":"json_invalid","loc":["body",16],"msg":"JSON decode error","input":null}`}},
		{"a name that is none", loginPath + "?%zz=1", "", []string{valueError(`"query"`, "a parameter's name is empty, badly percent-encoded or not UTF-8 text without NUL")}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newTestSite(t, Options{})
			w := s.do(t, post(tc.target, tc.body))
			want := `{"detail":[` + strings.Join(tc.want, ",") + `]}`
			if w.Code != 422 || w.Body.String() != want {
				t.Errorf("%d %s\nwant %s", w.Code, w.Body, want)
			}
			if len(s.auth.calls) > 0 {
				t.Error("the authority was asked")
			}
		})
	}
}

func TestParametersFromAnywhere(t *testing.T) {
	for _, tc := range []struct{ query, body string }{
		{"username=ann&password=p%26w", ""},
		{"", "username=ann&password=p%26w"},
		{"", `{"username":"ann","password":"p&w","realm":null,"x":1}`},
		{"username=ann", "password=p%26w"},
		{"username=ann", `{"password":"p&w"}`},
		{"username=ann&password=p%26w", "username=ann&password=p%26w"},
		{"username=ann&password=p%26w&realm=main", `{"username":"ann","password":"p&w","realm":"main"}`},
		{"username=ann&password=p%26w&", "&"},
	} {
		s := newTestSite(t, Options{})
		w := s.do(t, post(loginPath+"?"+tc.query, tc.body))
		if w.Code != 200 || s.auth.login.Username != "ann" || s.auth.login.Password != "p&w" || s.auth.login.Realm != "main" {
			t.Errorf("%s and %s: %d %s, asks %+v", tc.query, tc.body, w.Code, w.Body, s.auth.login)
		}
	}
}

func TestBodies(t *testing.T) {
	s := newTestSite(t, Options{})
	const query = loginPath + "?username=a&password=b"
	for name, tc := range map[string]struct {
		contentType, coding, body string
		status                    int
		loc                       string
	}{
		"no type":        {"", "", "x=1", 422, `["header","content-type"]`},
		"multipart":      {"multipart/form-data; boundary=x", "", "x", 422, `["header","content-type"]`},
		"text":           {"text/plain", "", "{}", 422, `["header","content-type"]`},
		"charset":        {"application/json; charset=latin1", "", "{}", 422, `["header","content-type"]`},
		"compressed":     {"application/json", "gzip", "{}", 422, `["body"]`},
		"not an object":  {"application/json", "", "[]", 422, `["body"]`},
		"not UTF-8":      {"application/json", "", "{\"x\":\"\xff\"}", 422, `["body"]`},
		"too large":      {"application/json", "", strings.Repeat(" ", wire.MaxBody+1), 413, ""},
		"empty":          {"text/plain", "", "", 200, ""},
		"JSON, a blank":  {"application/json", "", " ", 422, `["body",0]`},
		"JSON with care": {"application/json; charset=utf-8", "", " { } ", 200, ""},
	} {
		r := post(query, tc.body)
		r.Header.Set("Content-Type", tc.contentType)
		if tc.coding != "" {
			r.Header.Set("Content-Encoding", tc.coding)
		}
		w := s.do(t, r)
		if w.Code != tc.status || !strings.Contains(w.Body.String(), tc.loc) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	if w := s.do(t, post(loginPath+"?"+strings.Repeat("x", wire.MaxBody+1), "")); w.Code != 413 {
		t.Errorf("a query without end: %d", w.Code)
	}
}

// Attack: a client that says who it is twice, or in no way that can be believed,
// must not pass as what is weaker of the two.
func TestClientSaysWhoItIsOnce(t *testing.T) {
	const basic = "Basic YXBwOng=" // app:x
	for _, tc := range []struct {
		name          string
		authorization []string
		query         string
		status        int
		want          string
	}{
		{"Basic", []string{basic}, "", 200, ""},
		{"and the same id", []string{basic}, "&client_id=app", 200, ""},
		{"and another id", []string{basic}, "&client_id=other", 422, valueError(`"query","client_id"`, "not the client of the Authorization header")},
		{"and a secret", []string{basic}, "&client_id=app&client_secret=x", 422, valueError(`"query","client_secret"`, "the Authorization header says who the client is")},
		{"two", []string{basic, basic}, "", 422, valueError(`"header","authorization"`, "given more than once")},
		{"another scheme", []string{"Bearer t"}, "", 401, ""},
		{"not Basic", []string{"Basic x"}, "", 401, ""},
		{"not Basic, nor anything else", []string{"Basic x"}, "&realm=main&realm=main", 422, valueError(`"query","realm"`, "given more than once")},
	} {
		for _, target := range []string{tokenPath + "?grant_type=client_credentials", logoutPath + "?refresh_token=r", introspectPath + "?token=t"} {
			s := newTestSite(t, Options{Anonymous: true})
			r := post(target+tc.query, "")
			r.Header["Authorization"] = tc.authorization
			w := s.do(t, r)
			switch {
			case w.Code >= 400 && len(s.auth.calls) > 0:
				t.Errorf("%s: the authority was asked", tc.name)
			case tc.status == 200 && (w.Code == 200 || w.Code == 204):
			case w.Code != tc.status, tc.status == 422 && w.Body.String() != `{"detail":[`+tc.want+`]}`:
				t.Errorf("%s at %s: %d %s", tc.name, target, w.Code, w.Body)
			}
			if w.Code == 401 && w.Header().Get("WWW-Authenticate") != `Basic realm="main"` {
				t.Errorf("%s: %v", tc.name, w.Header())
			}
		}
	}
}

// FuzzParams: whatever stands in query and body, the answer is one of the dialect's;
// what reaches the authority is text, of one value, and what was sent.
func FuzzParams(f *testing.F) {
	for _, seed := range [][3]string{
		{"username=a&password=b", "", ""}, {"username=a", "application/json", `{"password":"b"}`},
		{"username=a&username=b", wire.FormType, "password=%00"}, {"", "application/json", `{"username":1,"password":[],"x":null}`},
		{"realm=main&realm=staff", "text/plain", "x"}, {"%zz", "application/json", "{"}, {"username=a&password=b", "application/json", `{"username":"\ud800"}`},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, query, contentType, body string) {
		s := newTestSite(t, Options{})
		r := httptest.NewRequest("POST", loginPath, strings.NewReader(body))
		r.URL.RawQuery = query
		r.Header.Set("Content-Type", contentType)
		w := s.do(t, r)
		switch w.Code {
		case 200:
			q := s.auth.login
			for _, v := range []string{q.Username, q.Password, q.Scope} {
				if !wire.ValidText(v) {
					t.Fatalf("%q is no text", v)
				}
			}
			if q.Username == "" || q.Password == "" || q.Realm != "main" && q.Realm != "staff" {
				t.Fatalf("%+v", q)
			}
			return
		case 422:
			var answer struct {
				Detail []fault `json:"detail"`
			}
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || len(answer.Detail) == 0 {
				t.Fatalf("%s: %v", w.Body, err)
			}
			for _, one := range answer.Detail {
				if one.Type == "" || one.Msg == "" || len(one.Loc) == 0 || one.Input != nil {
					t.Fatalf("%s", w.Body)
				}
			}
		case 400, 404, 413:
			wantDetail(t, w, w.Code)
		default:
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if len(s.auth.calls) > 0 {
			t.Fatalf("%d, but the authority was asked", w.Code)
		}
	})
}
