package wire

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
)

func answer(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }
}

func TestMux(t *testing.T) {
	wrong := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusMethodNotAllowed) }
	mux, err := NewMux([]Route{
		{Path: "/read", Methods: []string{"GET"}, Handle: answer("read")},
		{Path: "/write", Methods: []string{"POST"}, Handle: answer("write")},
		{Path: "/both", Methods: []string{"GET", "POST"}, Handle: answer("both")},
	}, wrong)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		method, target string
		status         int // 0: not ours
		body, allow    string
	}{
		{"GET", "/read", 200, "read", ""},
		{"HEAD", "/read", 200, "read", ""}, // the server drops the body
		{"GET", "/read?a=b", 200, "read", ""},
		{"POST", "/write", 200, "write", ""},
		{"POST", "/both", 200, "both", ""},
		{"POST", "/read", 405, "", "GET, HEAD"},
		{"GET", "/write", 405, "", "POST"},
		{"HEAD", "/write", 405, "", "POST"},
		{"OPTIONS", "/both", 405, "", "GET, POST, HEAD"},
		{"get", "/read", 405, "", "GET, HEAD"},
		{"TRACE", "/read", 405, "", "GET, HEAD"},
		{"GET", "/", 0, "", ""},
		{"GET", "/read/", 0, "", ""},
		{"GET", "//read", 0, "", ""},
		{"GET", "/Read", 0, "", ""},
		{"GET", "/./read", 0, "", ""},
		{"GET", "/x/../read", 0, "", ""},
		{"GET", "/r%65ad", 0, "", ""},
		{"GET", "/%2e/read", 0, "", ""},
		{"GET", "/read%2f", 0, "", ""},
		{"GET", "/read;x", 0, "", ""},
	} {
		t.Run(tc.method+" "+tc.target, func(t *testing.T) {
			w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, tc.target, nil)
			r.Method = tc.method
			found := mux.Find(r)
			if (found != nil) != (tc.status != 0) {
				t.Fatalf("found: %t, want status %d", found != nil, tc.status)
			}
			if found == nil {
				return
			}
			found(w, r)
			if w.Code != tc.status || w.Body.String() != tc.body || w.Header().Get("Allow") != tc.allow {
				t.Errorf("%d %q Allow %q; want %d %q Allow %q", w.Code, w.Body, w.Header().Get("Allow"), tc.status, tc.body, tc.allow)
			}
		})
	}
}

func TestMuxRefusesTheSamePathTwice(t *testing.T) {
	route := Route{Path: "/x", Methods: []string{"GET"}, Handle: answer("")}
	if _, err := NewMux([]Route{route, route}, nil); err == nil {
		t.Error("one of the two would never answer")
	}
}

func TestCall(t *testing.T) {
	bad := errors.New("bad")
	for _, tc := range []struct {
		name                 string
		decode, verb, encode error
		wantSteps            []string
		wantErr              error
	}{
		{name: "well", wantSteps: []string{"decode", "verb", "encode"}},
		{name: "decode", decode: bad, wantSteps: []string{"decode", "fail"}, wantErr: bad},
		{name: "verb", verb: bad, wantSteps: []string{"decode", "verb", "fail"}, wantErr: bad},
		{name: "encode", encode: bad, wantSteps: []string{"decode", "verb", "encode", "fail"}, wantErr: bad},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var steps []string
			var got error
			Call(
				func(*http.Request) (int, error) { steps = append(steps, "decode"); return 6, tc.decode },
				func(_ context.Context, q int) (int, error) { steps = append(steps, "verb"); return q * 7, tc.verb },
				func(_ http.ResponseWriter, a int) error {
					steps = append(steps, "encode")
					if a != 42 {
						t.Errorf("encode got %d", a)
					}
					return tc.encode
				},
				func(_ http.ResponseWriter, _ *http.Request, err error) { steps = append(steps, "fail"); got = err },
			)(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
			if !slices.Equal(steps, tc.wantSteps) || got != tc.wantErr {
				t.Errorf("%v, %v; want %v, %v", steps, got, tc.wantSteps, tc.wantErr)
			}
		})
	}
}
