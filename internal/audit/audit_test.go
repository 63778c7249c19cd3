package audit

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

func TestRecordWritesOneLineAndCountsIt(t *testing.T) {
	var out bytes.Buffer
	m := NewMetrics()
	l := New(slog.New(slog.NewJSONHandler(&out, nil)), m)
	ctx := authority.WithCaller(t.Context(), authority.Caller{Address: "192.0.2.7", RequestID: "req-1"})
	l.Record(ctx, authority.Event{Name: "issue", Realm: "demo", Client: "app", TokenID: "t1", Detail: "client_credentials"})
	l.Record(ctx, authority.Event{Name: "refuse", Realm: "demo", Client: strings.Repeat("x", 5000) + "\xff", Kind: authority.Unavailable})

	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines, want 2:\n%s", len(lines), out.String())
	}
	var first, second map[string]any
	for i, into := range []*map[string]any{&first, &second} {
		if err := json.Unmarshal([]byte(lines[i]), into); err != nil {
			t.Fatal(err)
		}
	}
	for k, want := range map[string]string{"msg": "issue", "level": "INFO", "client": "app", "address": "192.0.2.7", "request_id": "req-1"} {
		if first[k] != want {
			t.Errorf("first line: %s is %v, want %q", k, first[k], want)
		}
	}
	if second["level"] != "WARN" || len(second["client"].(string)) > maxText+3 {
		t.Errorf("second line: %v", second)
	}
	if n := testutil.ToFloat64(m.events.WithLabelValues("issue", "demo", "")); n != 1 {
		t.Errorf("issue counted %v times", n)
	}
	if n := testutil.ToFloat64(m.events.WithLabelValues("refuse", "demo", "unavailable")); n != 1 {
		t.Errorf("refuse counted %v times", n)
	}
}

func TestRefusedWritesALineForACredential(t *testing.T) {
	var out bytes.Buffer
	m := NewMetrics()
	l := New(slog.New(slog.NewJSONHandler(&out, nil)), m)
	l.Refused("no_credential", false, authority.Event{}, authority.Caller{Address: "192.0.2.7"})
	if out.Len() > 0 {
		t.Errorf("a line without an event: %s", &out)
	}
	l.Refused("token", true, authority.Event{Realm: "main", Client: "app", TokenID: "t1", Detail: "main: expired"},
		authority.Caller{Address: "192.0.2.7", RequestID: "r"})
	const want = `"msg":"guard","refused":"token","realm":"main","client":"app","token_id":"t1","detail":"main: expired","address":"192.0.2.7","request_id":"r"}`
	if !strings.Contains(out.String(), want) {
		t.Errorf("%s", &out)
	}
	for _, reason := range []string{"no_credential", "token"} {
		if n := testutil.ToFloat64(m.refusals.WithLabelValues(reason)); n != 1 {
			t.Errorf("%s counted %v times", reason, n)
		}
	}
}

// Each configuration of Caddy has a registry of its own, and one may be asked twice.
func TestMetricsSurviveARegistry(t *testing.T) {
	m := NewMetrics()
	m.events.WithLabelValues("issue", "demo", "").Add(3)
	g := Number{Name: "cache_hits_total", Help: "Hits.", Read: func() float64 { return 7 }}
	for range 2 {
		reg := prometheus.NewRegistry()
		for range 2 {
			if err := m.Register(reg, g); err != nil {
				t.Fatal(err)
			}
		}
		got, err := testutil.GatherAndCount(reg, "gatehouse_events_total", "gatehouse_cache_hits_total")
		if err != nil || got != 2 {
			t.Errorf("%d series, %v", got, err)
		}
	}
}
