package caddymodule

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/guard"
)

// holding is a writer that holds its header back until the handlers have ended, and puts
// fields of its own there, as a server of HTTP/3 does with a short answer.
type holding struct {
	header http.Header
	ops    func(http.Header) // of an operator's handler in front of the guard
}

func (w *holding) Header() http.Header         { return w.header }
func (w *holding) Write(p []byte) (int, error) { return len(p), nil }
func (w *holding) WriteHeader(int) {
	if w.ops != nil {
		w.ops(w.header)
	}
	w.header["Date"] = []string{"today"}
}

// A header that is held back is not taken for trailers: the app's cookies stay, and what
// the operator says. What the app says of the caller goes, at whichever time it says so.
func TestAnswersHeldBack(t *testing.T) {
	for name, c := range map[string]struct {
		before, after http.Header
		ops           func(http.Header)
		silent        bool // the app leaves its header to the server
		want          []string
	}{
		"cookies":           {after: http.Header{}, want: []string{"Date", "Set-Cookie"}},
		"a silent app":      {silent: true, want: []string{"Set-Cookie"}},
		"trailers":          {after: http.Header{"Trailer:Remote-User": {"admin"}, "Trailer:X-Digest": {"1"}, "Remote-User": {"admin"}}, want: []string{"Date", "Set-Cookie", "Trailer:X-Digest"}},
		"one for another":   {before: http.Header{"Server": {"Caddy"}}, ops: func(h http.Header) { delete(h, "Server") }, after: http.Header{"Trailer:remote_user": {"admin"}}, want: []string{"Date", "Set-Cookie"}},
		"the operator":      {before: http.Header{"Remote-User": {"operator"}}, after: http.Header{"Remote-User": {"admin"}}, want: []string{"Date", "Remote-User", "Set-Cookie"}},
		"the operator last": {ops: func(h http.Header) { h["Remote-User"] = []string{"operator"} }, want: []string{"Date", "Remote-User", "Set-Cookie"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := &holding{header: http.Header{}, ops: c.ops}
			maps.Copy(w.header, c.before)
			to, own, before := new(App).answerTo(w, new(guard.Request), ofIdentity)
			maps.Copy(to.Header(), http.Header{"Set-Cookie": {"app=1", "gatehouse-login-x=s"}, "Remote-Groups": {"admin"}})
			if !c.silent {
				to.WriteHeader(http.StatusOK)
			}
			maps.Copy(to.Header(), c.after)
			own.ended(before)
			got := slices.Sorted(maps.Keys(w.header))
			if !slices.Equal(got, c.want) || !slices.Equal(w.header["Set-Cookie"], []string{"app=1"}) {
				t.Errorf("the caller gets %v", w.header)
			}
			if user := w.header.Get("Remote-User"); user != "" && user != "operator" {
				t.Errorf("the caller is told to be %q", user)
			}
		})
	}
}

// On the rest of a guarded site an app says what it likes but for our cookies, at whichever
// time it says so; before and after a guard looks, and when the gateway itself answers.
func TestAnswersBesideTheGuard(t *testing.T) {
	said := http.Header{"Set-Cookie": {"app=1", "gatehouse-login-x=s"}, "Remote-User": {"admin"}, "Trailer:Set-Cookie": {"gatehouse-y=s"}}
	for name, c := range map[string]struct {
		silent, late, guard, own bool
		was                      []string // cookies that the gateway has set
		want                     []string // cookies
	}{
		"an app":               {want: []string{"app=1"}},
		"a silent app":         {silent: true, want: []string{"app=1"}},
		"a late one":           {silent: true, late: true, want: []string{"app=1"}},
		"after a guard":        {guard: true, silent: true, want: []string{"app=1"}},
		"the gateway":          {own: true, want: said["Set-Cookie"]},
		"the gateway, quietly": {own: true, silent: true, want: said["Set-Cookie"]},
		"an app in its place":  {was: []string{"gatehouse-login-x=s"}, want: []string{"app=1", "gatehouse-login-x=s"}},
		"one in another's":     {was: []string{"gatehouse-login-x=t"}, want: []string{"app=1"}},
	} {
		t.Run(name, func(t *testing.T) {
			w, app, st := &holding{header: http.Header{}}, new(App), &guard.Request{Own: &guard.OwnAnswer{Now: c.own, SetCookies: c.was}}
			to, own, before := app.answerTo(w, st, ofCookies)
			if _, again, _ := app.answerTo(to, st, ofCookies); again != nil {
				t.Fatal("it is looked after twice")
			}
			if c.guard {
				_, behind, site := app.answerTo(to, st, ofIdentity)
				behind.ended(site)
			}
			if c.late {
				to.WriteHeader(http.StatusEarlyHints)
			}
			maps.Copy(to.Header(), http.Header{"Set-Cookie": slices.Clone(said["Set-Cookie"]), "Remote-User": said["Remote-User"]})
			if !c.silent {
				to.WriteHeader(http.StatusOK)
				if !slices.Equal(w.header["Set-Cookie"], c.want) {
					t.Errorf("written with %v", w.header)
				}
			}
			w.header["Trailer:Set-Cookie"] = said["Trailer:Set-Cookie"]
			own.ended(before)
			if !slices.Equal(w.header["Set-Cookie"], c.want) || w.header.Get("Remote-User") != "admin" || (w.header["Trailer:Set-Cookie"] != nil) != c.own {
				t.Errorf("the caller gets %v", w.header)
			}
		})
	}
}

// A handler that begins another request with the writer of this one gets no part of what
// is known of it, and a writer that is printed tells no credential.
func TestExchangeBelongsToOneRequest(t *testing.T) {
	app := new(App)
	first, second := httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRequest(http.MethodGet, "/", nil)
	first.Header.Set("Authorization", "Bearer very-secret")
	w, st := app.exchangeOf(httptest.NewRecorder(), first)
	guard.NewNames().Strip(first, st)
	if _, same := app.exchangeOf(w, second); same == st || same.Stripped() {
		t.Error("the second request has what is known of the first")
	}
	if _, same := app.exchangeOf(w, first.WithContext(t.Context())); same != st {
		t.Error("the same request is another one with another context")
	}
	if told := fmt.Sprintf("%v %+v %#v %s", w, w, w, w); strings.Contains(told, "ResponseRecorder") {
		t.Errorf("it tells %s", told)
	}
	if err := w.(http.Pusher).Push("/x", nil); err == nil {
		t.Error("it pushes without the server")
	}
}
