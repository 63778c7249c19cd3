package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

func fullTable() Table {
	table := Table{}
	for _, kind := range authority.Kinds() {
		table[kind] = Row{Status: 400, Code: kind.String(), Text: "text of " + kind.String()}
	}
	table[authority.Internal] = Row{Status: 500, Code: "internal", Text: "our fault"}
	return table
}

func TestTableMissing(t *testing.T) {
	table := fullTable()
	if missing := table.Missing(); len(missing) != 0 {
		t.Errorf("a full table lacks %v", missing)
	}
	delete(table, authority.Throttled)
	table[authority.NotFound] = Row{Status: 404}
	table[authority.Invalid] = Row{Status: 200, Text: "fine"}
	if got := fmt.Sprint(table.Missing()); got != "[throttled invalid not_found]" {
		t.Errorf("missing %s", got)
	}
}

func TestFailure(t *testing.T) {
	table := fullTable()
	delete(table, authority.TooLarge)
	field := authority.Field{Name: "scope", Reason: "missing"}
	for _, tc := range []struct {
		name   string
		err    error
		status int
		code   string
		text   string
		retry  time.Duration
	}{
		{"public text", &authority.Error{Kind: authority.Invalid, Public: "say more"}, 400, "invalid", "say more", 0},
		{"the table's own text", &authority.Error{Kind: authority.Invalid}, 400, "invalid", "text of invalid", 0},
		{"fields", &authority.Error{Kind: authority.Invalid, Fields: []authority.Field{field, {Name: "a", Reason: "b"}}}, 400, "invalid", "scope: missing; a: b", 0},
		{"both", &authority.Error{Kind: authority.Invalid, Public: "no", Fields: []authority.Field{field}}, 400, "invalid", "no; scope: missing", 0},
		{"wrapped", fmt.Errorf("op: %w", &authority.Error{Kind: authority.NotFound}), 400, "not_found", "text of not_found", 0},
		{"the cause stays in", &authority.Error{Kind: authority.Unavailable, Err: errors.New("dsn=secret")}, 400, "unavailable", "text of unavailable", DefaultRetryAfter},
		{"its own delay", &authority.Error{Kind: authority.Throttled, RetryAfter: time.Minute}, 400, "throttled", "text of throttled", time.Minute},
		{"a delay where trying again does not help", &authority.Error{Kind: authority.Invalid, RetryAfter: time.Minute}, 400, "invalid", "text of invalid", 0},
		{"a fault of ours says nothing", &authority.Error{Kind: authority.Internal, Public: "row 7 of users", Fields: []authority.Field{field}}, 500, "internal", "our fault", 0},
		{"a foreign error says nothing", errors.New("pq: password=secret"), 500, "internal", "our fault", 0},
		{"no row", &authority.Error{Kind: authority.TooLarge, Public: "x"}, 500, "internal", "our fault", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := table.Failure(tc.err)
			if f.Status != tc.status || f.Code != tc.code || f.Text != tc.text || f.RetryAfter != tc.retry {
				t.Errorf("%+v, want %+v", f, tc)
			}
			if f.Kind == authority.Internal && f.Fields != nil {
				t.Errorf("fields of a fault of ours: %v", f.Fields)
			}
		})
	}
	if f := (Table{}).Failure(errors.New("x")); f.Status != 500 {
		t.Errorf("an empty table answers %d", f.Status)
	}
}

func TestFailureHeader(t *testing.T) {
	for delay, want := range map[time.Duration]string{
		0: "", 1: "1", time.Second: "1", 1001 * time.Millisecond: "2", time.Minute: "60",
	} {
		h := http.Header{}
		(&Failure{RetryAfter: delay}).SetHeader(h)
		if got := h.Get("Retry-After"); got != want {
			t.Errorf("Retry-After of %v is %q, want %q", delay, got, want)
		}
		if h.Get("Cache-Control") != "no-store" || h.Get("Pragma") != "no-cache" {
			t.Errorf("an error may be cached: %v", h)
		}
	}
}

// A log line names the request, never what it carried.
func TestLog(t *testing.T) {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tc := range []struct {
		name string
		ctx  context.Context
		err  error
		want string // level; empty: no line
	}{
		{"internal", t.Context(), &authority.Error{Kind: authority.Internal, Op: "sign", Err: errors.New("no key")}, "ERROR"},
		{"foreign", t.Context(), errors.New("no key"), "ERROR"},
		{"unavailable", t.Context(), &authority.Error{Kind: authority.Unavailable, Err: errors.New("no key")}, "WARN"},
		{"the caller hung up", gone, &authority.Error{Kind: authority.Unavailable, Err: fmt.Errorf("no key: %w", context.Canceled)}, "DEBUG"},
		{"cancelled by ourselves", t.Context(), fmt.Errorf("no key: %w", context.Canceled), "ERROR"},
		{"invalid", t.Context(), &authority.Error{Kind: authority.Invalid, Public: "say more"}, ""},
		{"wrong secret", t.Context(), &authority.Error{Kind: authority.ClientUnauthenticated}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var out bytes.Buffer
			logger := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
			ctx := authority.WithCaller(tc.ctx, authority.Caller{Address: "192.0.2.1", RequestID: "req-7"})
			r := httptest.NewRequest(http.MethodPost, "/oauth2/token?token=hush-query", strings.NewReader("token=hush-body")).WithContext(ctx)
			r.Header.Set("Authorization", "Basic hush-header")
			Log(logger, r, tc.err)
			line := out.String()
			if tc.want == "" {
				if line != "" {
					t.Errorf("logged %q", line)
				}
				return
			}
			for _, part := range []string{"level=" + tc.want, "request_id=req-7", "method=POST", "path=/oauth2/token ", "no key"} {
				if !strings.Contains(line, part) {
					t.Errorf("%q lacks %q", line, part)
				}
			}
			if strings.Contains(line, "hush") {
				t.Errorf("the line holds a secret: %q", line)
			}
		})
	}
}
