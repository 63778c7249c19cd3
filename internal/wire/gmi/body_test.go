package gmi

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/wire"
)

func required(field string) string {
	return `{"field":"` + field + `","expression":"required","originalValue":"","reason":"This field is required."}`
}

func fault(field, expression, reason string) string {
	return `{"field":"` + field + `","expression":"` + expression + `","reason":"` + reason + `"}`
}

const (
	notText = "This field must be a string."
	twice   = "This field is given more than once."
	badText = "This field must be Unicode text without NUL."
)

func TestFaultyFields(t *testing.T) {
	long := strings.Repeat("x", maxToken+1)
	for _, tc := range []struct {
		name, method, path, body string
		want                     []string
	}{
		{"an empty object", "POST", exchangePath, `{}`, []string{required("provider"), required("code")}},
		{"null and empty", "POST", oauthTokenPath, `{"provider":null,"accessToken":""}`, []string{required("provider"), required("accessToken")}},
		{"a login of nobody", "POST", authTokenPath, `{}`, []string{required("email"), required("password")}},
		{"a session of nothing", "POST", sessionsPath, `{"otpCode":"123456"}`, []string{required("authToken")}},
		{"a refresh of nothing", "PATCH", sessionsPath, `{"authToken":"x"}`, []string{required("refreshToken")}},
		{"another case", "PATCH", sessionsPath, `{"RefreshToken":"x","refreshtoken":"x"}`, []string{required("refreshToken")}},

		{"not text", "POST", oauthTokenPath, `{"provider":1,"accessToken":["hush"]}`, []string{fault("provider", "string", notText), fault("accessToken", "string", notText)}},
		{"true", "POST", authTokenPath, `{"email":true,"password":false}`, []string{fault("email", "string", notText), fault("password", "string", notText)}},
		{"twice", "POST", oauthTokenPath, `{"provider":"github","accessToken":"hush","access\u0054oken":"hush2"}`, []string{fault("accessToken", "unique", twice)}},
		{"NUL", "POST", authTokenPath, `{"email":"ann@example.com","password":"hush\u0000"}`, []string{fault("password", "utf8", badText)}},
		{"half a pair", "POST", oauthTokenPath, `{"provider":"\ud800","accessToken":"hush"}`, []string{fault("provider", "utf8", badText)}},

		{"no address", "POST", authTokenPath, `{"email":"ann","password":"hush"}`,
			[]string{`{"field":"email","expression":"email","originalValue":"ann","reason":"This field must be an email address."}`}},
		{"two addresses", "POST", authTokenPath, `{"email":"a@evil@example.com"}`,
			[]string{`{"field":"email","expression":"email","originalValue":"a@evil@example.com","reason":"This field must be an email address."}`, required("password")}},
		{"an address without end", "POST", authTokenPath, `{"email":"` + strings.Repeat("a", 250) + `@b.example","password":"hush"}`,
			[]string{`{"field":"email","expression":"max","argument":"254","reason":"This field must be at most 254 bytes long."}`}},
		{"a token without end", "POST", oauthTokenPath, `{"provider":"github","accessToken":"` + long + `"}`,
			[]string{`{"field":"accessToken","expression":"max","argument":"16384","reason":"This field must be at most 16384 bytes long."}`}},
		{"everything", "POST", exchangePath, `{"code":{},"provider":"` + strings.Repeat("p", 65) + `","redirectUri":"/cb","codeVerifier":"hush","state":1}`, []string{
			`{"field":"provider","expression":"max","argument":"64","reason":"This field must be at most 64 bytes long."}`,
			fault("code", "string", notText),
			`{"field":"redirectUri","expression":"uri","originalValue":"/cb","reason":"This field must be an absolute URI without a fragment."}`,
			`{"field":"codeVerifier","expression":"min","argument":"43","reason":"This field must be at least 43 bytes long."}`,
			fault("state", "string", notText)}},
		{"a fragment", "POST", exchangePath, `{"provider":"github","code":"hush","redirectUri":"https://a.example/#x"}`,
			[]string{`{"field":"redirectUri","expression":"uri","originalValue":"https://a.example/#x","reason":"This field must be an absolute URI without a fragment."}`}},
		{"a verifier of other letters", "POST", exchangePath, `{"provider":"github","code":"hush","codeVerifier":"` + strings.Repeat("hush ", 10) + `"}`,
			[]string{fault("codeVerifier", "code_verifier", "This field must consist of letters, digits and - . _ ~ (RFC 7636).")}},
		{"a code of letters", "POST", sessionsPath, `{"authToken":"hush","otpCode":"12345x"}`, []string{fault("otpCode", "numeric", "This field must consist of digits.")}},
		{"a fraction", "POST", sessionsPath, `{"authToken":"hush","otpCode":1.5}`, []string{fault("otpCode", "numeric", "This field must consist of digits.")}},
		{"a code of truth", "POST", sessionsPath, `{"authToken":"hush","otpCode":true}`, []string{fault("otpCode", "numeric", "This field must consist of digits.")}},
		{"a code in a list", "POST", sessionsPath, `{"authToken":"hush","otpCode":[1]}`, []string{fault("otpCode", "string", "This field must be a string or a number.")}},
		{"a long code", "POST", sessionsPath, `{"authToken":"hush","otpCode":12345678901}`,
			[]string{`{"field":"otpCode","expression":"max","argument":"10","reason":"This field must be at most 10 bytes long."}`}},

		{"no JSON", "POST", authTokenPath, `{"password":"hush",}`, []string{fault("body", "json", "The request body is not JSON, from byte 19 on.")}},
		{"a form", "POST", authTokenPath, `email=a&password=hush`, []string{fault("body", "json", "The request body is not JSON, from byte 0 on.")}},
		{"two values", "POST", authTokenPath, `{} {}`, []string{fault("body", "json", "The request body is not JSON, from byte 3 on.")}},
		{"a list", "POST", authTokenPath, `["hush"]`, []string{fault("body", "json", "The request body is JSON, but not an object.")}},
		{"not UTF-8", "POST", authTokenPath, "{\"email\":\"\xff\"}", []string{fault("body", "json", "The request body is not UTF-8 text.")}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newTestSite(t)
			w := s.do(t, callTo(t, tc.method, tc.path).request(tc.body))
			want := `{"group":"request","code":0,"validationDetail":[` + strings.Join(tc.want, ",") + `]}`
			if w.Code != 400 || w.Body.String() != want {
				t.Errorf("%d %s\nwant %s", w.Code, w.Body, want)
			}
			if len(s.auth.calls) > 0 || strings.Contains(w.Body.String()+s.log.String(), "hush") {
				t.Errorf("calls %v; %s", s.auth.calls, s.log)
			}
		})
	}
}

// What is wrong with members that nobody asks for is nobody's business.
func TestUnknownMembers(t *testing.T) {
	s := newTestSite(t)
	w := s.do(t, callTo(t, "POST", oauthTokenPath).request(`{"x":{"y":[]},"x":1,"z":"\u0000","code":7,"otpCode":[],"provider":"github","accessToken":"t"}`))
	if w.Code != 201 || s.auth.token.AccessToken != "t" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestBodies(t *testing.T) {
	badType := `{"group":"request","code":0,"validationDetail":[{"field":"Content-Type","expression":"oneof","argument":"application/json","reason":"The Content-Type must be application/json, in UTF-8."}]}`
	missing := `{"group":"request","code":1,"message":"The request body is required."}`
	for name, tc := range map[string]struct {
		contentType, coding, body string
		status                    int
		want                      string
	}{
		"nothing":      {"application/json", "", "", 400, missing},
		"nothing else": {"", "", "", 400, missing},
		"a blank":      {"application/json", "", " \r\n", 400, missing},
		"null":         {"application/json", "", " null ", 400, missing},
		"no type":      {"", "", "{}", 400, badType},
		"a form":       {"application/x-www-form-urlencoded", "", "{}", 400, badType},
		"text":         {"text/plain", "", "{}", 400, badType},
		"charset":      {"application/json; charset=latin1", "", "{}", 400, badType},
		"compressed":   {"application/json", "gzip", "{}", 400, "must not be compressed"},
		"too large":    {"application/json", "", strings.Repeat(" ", wire.MaxBody+1), 413, `"group":"request","code":3,"message":"The request body is larger than 64 KiB."`},
		"with care":    {"Application/JSON; charset=UTF-8", "", " { } ", 400, `"expression":"required"`},
	} {
		for _, c := range calls[:5] {
			s := newTestSite(t)
			r := c.request(tc.body)
			r.Header.Set("Content-Type", tc.contentType)
			if tc.contentType == "" {
				r.Header.Del("Content-Type")
			}
			if tc.coding != "" {
				r.Header.Set("Content-Encoding", tc.coding)
			}
			w := s.do(t, r)
			if w.Code != tc.status || !strings.Contains(w.Body.String(), tc.want) || len(s.auth.calls) > 0 {
				t.Errorf("%s at %s: %d %s", name, c.path, w.Code, w.Body)
			}
		}
	}
}

// FuzzBody: whatever the body is, the answer is one of the dialect's; what reaches
// the authority is text, within its bounds, and as sent; no secret comes back.
func FuzzBody(f *testing.F) {
	for i, seed := range []string{
		`{"provider":"github","code":"c","redirectUri":"https://a.example/","codeVerifier":"` + verifier + `"}`,
		`{"provider":"google","accessToken":"t","x":{}}`, `{"email":"a@b","password":"\ud83d\ude00"}`,
		`{"authToken":"a","otpCode":123456}`, `{"refreshToken":"r","refreshToken":null}`, `{"email":"\u0000"}`, `null`, ` `, `[]`, `{`,
	} {
		f.Add(uint8(i), "application/json", seed)
	}
	f.Fuzz(func(t *testing.T, which uint8, contentType, body string) {
		s := newTestSite(t)
		c := calls[which%5]
		r := httptest.NewRequest(c.method, c.path, strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		r.Header.Set("CE-ClientId", "portal")
		w := s.do(t, r)
		if w.Code < 400 {
			checkAsked(t, s.auth)
			return
		}
		var answer status
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.Group == nil || answer.Code == nil || len(s.auth.calls) > 0 {
			t.Fatalf("%s: %v, calls %v", w.Body, err, s.auth.calls)
		}
		switch {
		case w.Code == 400 && *answer.Group == "request" && *answer.Code == 0 && len(answer.Details) > 0 && answer.Message == "":
		case w.Code == 400 && *answer.Group == "request" && *answer.Code == 1, w.Code == 400 && *answer.Group == "oauth" && *answer.Code == 0:
		case w.Code == 413 && *answer.Code == 3:
		default:
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		for _, d := range answer.Details {
			value, echoed := d["originalValue"].(string)
			if echoed && value != "" && secret(d["field"].(string)) {
				t.Fatalf("a secret came back: %s", w.Body)
			}
		}
	})
}

// checkAsked checks what reached the authority.
func checkAsked(t *testing.T, f *fake) {
	t.Helper()
	if len(f.calls) != 1 {
		t.Fatalf("calls %v", f.calls)
	}
	needed := map[string][]string{
		"exchange": {f.code.Provider, f.code.Code}, "token": {f.token.Provider, f.token.AccessToken},
		"password": {f.login.Username, f.login.Password}, "open": {f.session.Token, f.session.Binding}, "refresh": {f.refresh.RefreshToken, f.refresh.Binding},
	}[f.calls[0]]
	for _, v := range needed {
		if v == "" {
			t.Fatalf("%s without all it needs: %+v", f.calls[0], f)
		}
	}
	for _, v := range append(needed, f.code.RedirectURI, f.code.Verifier, f.session.Code) {
		if !wire.ValidText(v) || len(v) > maxToken {
			t.Fatalf("%q reached the authority", v)
		}
	}
	if digits := f.session.Code; digits != "" && (len(digits) < otpDigits || strings.Trim(digits, "0123456789") != "") {
		t.Fatalf("second factor %q", digits)
	}
}
