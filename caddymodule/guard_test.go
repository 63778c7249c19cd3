package caddymodule

import (
	"context"
	"net/http"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
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

// through is the door's own part in letting a request pass: the state that guards
// share, the hold on the configuration, the placeholders.
func through(tb testing.TB, r *http.Request, door *lease) {
	st := stateOf(r)
	run, err := door.enter()
	if err != nil {
		tb.Fatal(err)
	}
	run.leave()
	showUser(r, st)
}

func BenchmarkDoor(b *testing.B) {
	again, door := knocking(b)
	b.ReportAllocs()
	for b.Loop() {
		through(b, again(), door)
	}
}

// The door stands on every request's path: it allocates the state of the guards and
// the function that answers the placeholders.
func TestDoorAllocations(t *testing.T) {
	again, door := knocking(t)
	if got := testing.AllocsPerRun(100, func() { through(t, again(), door) }); got != 2 {
		t.Errorf("%v allocations, want 2", got)
	}
}

// The placeholders answer from the first guard on, once, and policies learn the
// client's address from Caddy.
func TestDoorShares(t *testing.T) {
	again, door := knocking(t)
	r := again()
	through(t, r, door)
	st := stateOf(r)
	through(t, r, door)
	if stateOf(r) != st || !st.Shown {
		t.Error("two handlers do not share one state")
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
	if stateOf(bare) == nil || stateOf(bare).ClientIP(bare) != "" {
		t.Error("a request that is not Caddy's has an address")
	}
}
