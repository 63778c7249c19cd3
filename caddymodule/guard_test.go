package caddymodule

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/internal/guard"
)

// knocking is a request as Caddy hands it to handlers. Each call of the function gives
// it as it was before any handler met it.
func knocking(tb testing.TB) (func() *http.Request, *lease) {
	tb.Helper()
	vars := map[string]any{caddyhttp.TrustedProxyVarKey: true, caddyhttp.ClientIPVarKey: "192.0.2.7"}
	repl := caddy.NewReplacer()
	repl.Map(func(string) (any, bool) { return nil, false }) // in the place of Caddy's own for HTTP
	bare := *repl
	ctx := context.WithValue(tb.Context(), caddy.ReplacerCtxKey, repl)
	ctx = context.WithValue(ctx, caddyhttp.VarsCtxKey, vars)
	r, err := http.NewRequestWithContext(context.WithValue(ctx, caddyhttp.OriginalRequestCtxKey, http.Request{}), http.MethodGet, "/", nil)
	if err != nil {
		tb.Fatal(err)
	}
	r.RemoteAddr = "127.0.0.1:1"
	door := &lease{open: func() (*running, error) { return newRunning(nil, func() {}), nil }}
	if err := door.start(); err != nil {
		tb.Fatal(err)
	}
	return func() *http.Request {
		delete(vars, requestVar)
		*repl = bare
		return r
	}, door
}

// door is the handlers' own part in letting a request pass: what they share, the hold on
// the configuration, the placeholders, the answer that is looked after.
type door struct {
	app    App
	writer http.ResponseWriter
}

func newDoor() *door {
	w := httptest.NewRecorder()
	w.Header()["Server"] = []string{"Caddy"}
	return &door{writer: w}
}

func (d *door) through(tb testing.TB, r *http.Request, hold *lease) (http.ResponseWriter, *guard.Request) {
	w, st := d.app.exchangeOf(d.writer, r)
	run, err := hold.enter()
	if err != nil {
		tb.Fatal(err)
	}
	run.leave()
	showUser(r, st)
	w, _, _ = d.app.answerTo(w, st, ofIdentity)
	return w, st
}

func BenchmarkDoor(b *testing.B) {
	again, hold := knocking(b)
	d := newDoor()
	b.ReportAllocs()
	for b.Loop() {
		d.through(b, again(), hold)
	}
}

// The door stands on every request's path: it allocates the exchange and the function
// that answers the placeholders.
func TestDoorAllocations(t *testing.T) {
	again, hold := knocking(t)
	d := newDoor()
	if got := testing.AllocsPerRun(100, func() { d.through(t, again(), hold) }); got != 2 {
		t.Errorf("%v allocations, want 2", got)
	}
}

// The handlers of a request share what the first of them made, also when somebody
// else's writer stands between them. The placeholders answer from the first guard on,
// once, and policies learn the client's address from Caddy.
func TestDoorShares(t *testing.T) {
	again, hold := knocking(t)
	d := newDoor()
	r := again()
	w, st := d.through(t, r, hold)
	for name, between := range map[string]http.ResponseWriter{"nobody": w, "another writer": struct{ http.ResponseWriter }{w}} {
		handed, same := d.app.exchangeOf(between, r)
		if same != st || handed != between || !st.Shown {
			t.Errorf("with %s between them two handlers do not share one state", name)
		}
	}
	if again, own, _ := d.app.answerTo(w, st, ofIdentity); again != w || own != nil {
		t.Error("an answer is looked after twice")
	}
	if ip := st.ClientIP(r); ip != "192.0.2.7" {
		t.Errorf("the client's address is %q", ip)
	}
	repl := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if got := repl.ReplaceKnown("<{http.auth.user.id}>", ""); got != "<>" {
		t.Errorf("nobody's id is %q", got)
	}
	bare, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, st := d.app.exchangeOf(d.writer, bare); st.ClientIP(bare) != "" {
		t.Error("a request that is not Caddy's has an address")
	}
	if told := fmt.Sprintf("%v %+v %#v", r.Context().Value(caddyhttp.VarsCtxKey), st, *st); strings.Contains(told, "ResponseWriter") {
		t.Errorf("the variable tells %s", told)
	}
}

// Attack: a client asks with Expect whether to send its body, and waits for the answer, for
// which the server waits for the body. Whatever the gateway says instead ends the connection.
func TestRefusalsAwaitNoBody(t *testing.T) {
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request) error{
		"refused":     func(w http.ResponseWriter, r *http.Request) error { return refused(w, r, guard.RefuseMethod("get")) },
		"unavailable": func(w http.ResponseWriter, r *http.Request) error { return unavailable(w, r, errNotProvisioned) },
	} {
		for _, c := range []struct {
			major  int
			expect []string
			want   string
		}{{1, nil, ""}, {1, []string{"100-continue"}, "close"}, {2, []string{"100-continue"}, ""}} {
			w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", nil)
			r.ProtoMajor = c.major
			if c.expect != nil {
				r.Header["Expect"] = c.expect
			}
			if err := answer(w, r); err == nil || w.Header().Get("Connection") != c.want {
				t.Errorf("%s, HTTP/%d, Expect %q: Connection %q, %v", name, c.major, c.expect, w.Header().Get("Connection"), err)
			}
		}
	}
}
