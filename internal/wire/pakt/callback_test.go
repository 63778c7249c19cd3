package pakt

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/wire"
)

// Clients put the code into the address as it is, or encode it; both must mean the same.
func TestCodesFromAnywhere(t *testing.T) {
	for _, tc := range []struct{ query, body, code string }{
		{"state=abc&code=4/0AX4XfWh-_z", "", "4/0AX4XfWh-_z"},
		{"state=abc&code=4%2F0AX4XfWh-_z", "", "4/0AX4XfWh-_z"},
		{"state=abc&code=4%2f0AX4XfWh-_z", "", "4/0AX4XfWh-_z"},
		{"state=abc&code=a+b/c==", "", "a+b/c=="},
		{"state=abc&code=a%2Bb%2Fc%3D%3D", "", "a+b/c=="},
		{"state=abc&code=a%20b", "", "a b"},
		{"state=abc&code=a?b:c@d!$'()*,;e~", "", "a?b:c@d!$'()*,;e~"},
		{"state=abc&code=100%25", "", "100%"},
		{"state=abc&code=4%252F0A", "", "4%2F0A"}, // decoded once, never twice
		{"code=x&state=abc&scope=a&scope=b&type=testnet&authuser=0&prompt=none", "", "x"},
		{"state=abc&code=x&error=", "", "x"},
		{"", "state=abc&code=4%2F0A%2BB", "4/0A+B"},
		{"", "state=abc&code=4/0A+B", "4/0A+B"},
		{"", `{"state":"abc","code":"4/0A+B"}`, "4/0A+B"},
		{"", `{"state":"abc","code":"4%2F0A","iss":null,"more":{"x":[1]},"more":2}`, "4%2F0A"},
		{"state=abc", `{"code":"4/0A"}`, "4/0A"},
		{"code=4/0A", "state=abc", "4/0A"},
		{"state=abc&code=x", "{}", "x"},
		{"state=abc&code=" + strings.Repeat("x", maxCode), "", strings.Repeat("x", maxCode)},
	} {
		s := newTestSite(t, Options{})
		r := post(validatePath, tc.body)
		r.URL.RawQuery = tc.query
		w := s.do(t, r)
		if w.Code != 200 || s.auth.finish.Code != tc.code || s.auth.finish.State != "abc" {
			t.Errorf("%s and %s: %d %s, asks %+v", tc.query, tc.body, w.Code, w.Body, s.auth.finish)
		}
	}
}

func TestFaultyParameters(t *testing.T) {
	const (
		badState = "state: not one of ours, which are letters and digits"
		badCode  = "code: not a code: printable ASCII, at most 4 KiB"
		both     = ": given in the query and in the body: send it once"
	)
	for _, tc := range []struct{ name, query, body, want string }{
		{"nothing", "", "", "state: missing; code: missing"},
		{"empty", "state=&code=", "", "state: missing; code: missing"},
		{"no code", "state=abc", "", "code: missing"},
		{"null", "", `{"state":null,"code":null}`, "state: missing; code: missing"},
		{"state twice", "state=abc&code=x&state=def", "", "state: given more than once"},
		{"the same code twice", "state=abc&code=x&code=x", "", "code: given more than once"},
		{"twice in JSON", "", `{"state":"abc","code":"x","c\u006fde":"x"}`, "code: given more than once"},
		{"iss twice", "state=abc&code=x&iss=a&iss=b", "", "iss: given more than once"},
		{"error twice", "state=abc&code=x&error=&error=", "", "error: given more than once"},
		{"two places", "state=abc&code=x", "code=x", "code" + both},
		{"two places, one empty", "state=abc&code=", `{"code":"x"}`, "code" + both},
		{"two places, both parameters", "state=abc&code=x", "state=abc&code=x", "state" + both + "; code" + both},
		{"a state of others", "state=a-b&code=x", "", badState},
		{"a state with a +", "state=a+b&code=x", "", badState},
		{"a state without end", "state=" + strings.Repeat("a", maxState+1) + "&code=x", "", badState},
		{"a code without end", "state=abc&code=" + strings.Repeat("x", maxCode+1), "", badCode},
		{"a code of two lines", "state=abc&code=x%0d%0ay", "", badCode},
		{"a code of other letters", "state=abc&code=%c3%a9", "", badCode},
		{"an issuer without end", "state=abc&code=x&iss=" + strings.Repeat("x", maxIssuer+1), "", "iss: not an issuer: printable ASCII, at most 2 KiB"},
		{"half an escape", "state=abc&code=100%", "", "code: badly percent-encoded"},
		{"not UTF-8", "state=abc&code=%ff", "", "code: not UTF-8 text without NUL"},
		{"NUL", "state=abc&code=a%00", "", "code: not UTF-8 text without NUL"},
		{"a number", "", `{"state":"abc","code":12}`, "code: not a text"},
		{"a list", "", `{"state":["abc"],"code":"x"}`, "state: not a text"},
		{"all at once", "state=%zz&code=&iss=%00", "", "state: badly percent-encoded; iss: not UTF-8 text without NUL; code: missing"},
		{"an error, twice", "error=a&error=b", "", "error: given more than once; state: missing; code: missing"},
		{"no JSON", "", `{"state":"abc",}`, "the request body is not JSON"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newTestSite(t, Options{})
			r := post(validatePath, tc.body)
			r.URL.RawQuery = tc.query
			if got := wantMessage(t, s.do(t, r), 400); got != tc.want {
				t.Errorf("%q\nwant %q", got, tc.want)
			}
			if len(s.auth.calls) > 0 {
				t.Error("the authority was asked")
			}
		})
	}
}

func TestProviderSaysNo(t *testing.T) {
	const other = "the provider ended the login with an error instead of a code: begin a new login"
	for query, want := range map[string]string{
		"error=access_denied&state=abc":                      "the login was refused at the provider (access_denied)",
		"error=access_denied":                                "the login was refused at the provider (access_denied)",
		"error=server_error&state=abc&error_description=x":   other,
		"error=<script>alert(1)</script>&state=abc":          other,
		"error=access_denied&state=abc&code=still-a-code":    "the login was refused at the provider (access_denied)",
		"error=ACCESS_DENIED&error_uri=https://evil.example": other,
	} {
		s := newTestSite(t, Options{})
		r := post(validatePath, "")
		r.URL.RawQuery = query
		if got := wantMessage(t, s.do(t, r), 400); got != want {
			t.Errorf("%s: %q", query, got)
		}
		if len(s.auth.calls) > 0 {
			t.Errorf("%s: the authority was asked", query)
		}
	}
}

func TestBodies(t *testing.T) {
	s := newTestSite(t, Options{})
	const query = validatePath + "?state=abc&code=x"
	for name, tc := range map[string]struct {
		contentType, coding, body string
		status                    int
	}{
		"no type":           {"", "", "x=1", 400},
		"multipart":         {"multipart/form-data; boundary=x", "", "x", 400},
		"text":              {"text/plain", "", "{}", 400},
		"compressed":        {"application/json", "gzip", "{}", 400},
		"not an object":     {"application/json", "", "[]", 400},
		"too large":         {"application/json", "", strings.Repeat(" ", wire.MaxBody+1), 413},
		"empty, any type":   {"text/plain", "", "", 200},
		"empty JSON":        {"application/json", "", "", 200},
		"JSON with charset": {"application/json; charset=utf-8", "", " { } ", 200},
	} {
		r := post(query, tc.body)
		r.Header.Set("Content-Type", tc.contentType)
		if tc.coding != "" {
			r.Header.Set("Content-Encoding", tc.coding)
		}
		if w := s.do(t, r); w.Code != tc.status {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	if w := s.do(t, post(validatePath+"?"+strings.Repeat("x", wire.MaxBody+1), "")); w.Code != 413 {
		t.Errorf("a query without end: %d", w.Code)
	}
	if w := s.do(t, with(post(logoutPath, strings.Repeat("x", wire.MaxBody+1)), "Authorization", "Bearer t")); w.Code != 413 {
		t.Errorf("a logout without end: %d", w.Code)
	}
}

// FuzzCallback: whatever stands in query and body, the answer is one of the dialect's;
// what reaches the authority is within its bounds and was sent once.
func FuzzCallback(f *testing.F) {
	for _, start := range [][3]string{
		{"state=abc&code=4/0A+b", "", ""}, {"state=abc", "application/json", `{"code":"4/0A"}`},
		{"state=abc&code=x", wire.FormType, "code=%00"}, {"", "application/json", `{"state":1,"code":[],"iss":null}`},
		{"error=access_denied", "text/plain", "x"}, {"%zz", "application/json", "{"}, {"", wire.FormType, "state=a+b&code=%2B&iss=https://a"},
	} {
		f.Add(start[0], start[1], start[2])
	}
	f.Fuzz(func(t *testing.T, query, contentType, body string) {
		s := newTestSite(t, Options{})
		r := httptest.NewRequest(http.MethodPost, validatePath, strings.NewReader(body))
		r.URL.RawQuery = query
		r.Header.Set("Content-Type", contentType)
		w := s.do(t, r)
		switch w.Code {
		case 200:
			q := s.auth.finish
			if !isState(q.State) || q.Code == "" || len(q.Code) > maxCode || len(q.Issuer) > maxIssuer || !isVisible(q.Code+q.Issuer) {
				t.Fatalf("%+v", q)
			}
			// What was sent without escapes arrives as it stood there.
			if !strings.Contains(query+body, "%") && !strings.Contains(body, `\`) && !strings.Contains(query+body, q.Code) {
				t.Fatalf("%q became %q", query+body, q.Code)
			}
		case 400, 413:
			if message := wantMessage(t, w, w.Code); strings.ContainsAny(message, "<>") {
				t.Fatalf("it repeats what was sent: %s", message)
			}
			if len(s.auth.calls) > 0 {
				t.Fatalf("%d, but the authority was asked", w.Code)
			}
		default:
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	})
}
