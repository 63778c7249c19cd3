package gatehouse

import (
	"log/slog"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatehouse-auth/gatehouse/internal/config"
)

// The first request of a configuration may come when another serves in its place, on a
// connection that was opened before: what that one set stays.
func TestAFirstRequestAfterTheNextConfigurationServes(t *testing.T) {
	s := openTestState(t)
	configured := func() *Gatehouse {
		c := &config.Config{Realms: []config.Realm{{Name: "main", Issuer: "https://auth.example.com"}}}
		c.SetDefaults()
		g, err := New(t.Context(), s, Parts{Config: c, Logger: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry()})
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	old, next := configured(), configured()
	configured() // refused in the end: it never serves
	next.Serving()
	now := s.upkeep.Load()
	old.Serving()
	if s.upkeep.Load() != now {
		t.Error("a configuration that has gone took over")
	}
	configured().Serving()
	if s.upkeep.Load() == now {
		t.Error("the last one did not take over")
	}
}
