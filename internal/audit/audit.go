package audit

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// maxText bounds a text in a log line that a caller may have chosen.
const maxText = 256

// Metrics are the counters. They outlive a configuration, while Caddy makes a new
// registry for each: Register puts them there again.
type Metrics struct {
	events *prometheus.CounterVec
}

// NewMetrics returns counters at zero.
func NewMetrics() *Metrics {
	return &Metrics{events: prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "gatehouse", Name: "events_total",
		Help: "Events of the audit log, by name, realm and, for refusals, kind of error.",
	}, []string{"event", "realm", "kind"})}
}

// Registry is where counters become visible: Caddy's registry.
type Registry = prometheus.Registerer

// Register makes the counters visible in reg, and the numbers that other rooms
// keep. A registry that has them already is left as it is.
func (m *Metrics) Register(reg Registry, numbers ...Number) error {
	all := []prometheus.Collector{m.events}
	for _, n := range numbers {
		all = append(all, n.collector())
	}
	for _, c := range all {
		var again prometheus.AlreadyRegisteredError
		if err := reg.Register(c); err != nil && !errors.As(err, &again) {
			return err
		}
	}
	return nil
}

// Number is what another room counts, read when somebody looks.
type Number struct {
	Name  string // without the namespace
	Help  string
	Level bool // it goes up and down: a gauge; otherwise a counter
	Read  func() float64
}

func (n Number) collector() prometheus.Collector {
	if n.Level {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "gatehouse", Name: n.Name, Help: n.Help}, n.Read)
	}
	return prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: "gatehouse", Name: n.Name, Help: n.Help}, n.Read)
}

// Log writes events to a logger and counts them.
type Log struct {
	logger  *slog.Logger
	metrics *Metrics
}

var _ authority.Audit = (*Log)(nil)

// New returns a Log.
func New(logger *slog.Logger, m *Metrics) *Log { return &Log{logger: logger, metrics: m} }

// Record writes one line and counts it. Refusals for reasons that lie with us are
// warnings, everything else is information.
func (l *Log) Record(ctx context.Context, e authority.Event) {
	kind, level := "", slog.LevelInfo
	if e.Name == "refuse" {
		kind = e.Kind.String()
		if e.Kind == authority.Internal || e.Kind == authority.Unavailable {
			level = slog.LevelWarn
		}
	}
	l.metrics.events.WithLabelValues(e.Name, e.Realm, kind).Inc()
	if !l.logger.Enabled(ctx, level) {
		return
	}
	caller := authority.CallerOf(ctx)
	attrs := make([]slog.Attr, 0, 9)
	for _, a := range [...][2]string{
		{"realm", e.Realm}, {"client", e.Client}, {"account", e.Account}, {"session", e.Session},
		{"token_id", e.TokenID}, {"kind", kind}, {"detail", e.Detail},
		{"address", caller.Address}, {"request_id", caller.RequestID},
	} {
		if a[1] != "" {
			attrs = append(attrs, slog.String(a[0], bounded(a[1])))
		}
	}
	l.logger.LogAttrs(ctx, level, e.Name, attrs...)
}

// bounded cuts a text to maxText bytes of valid UTF-8.
func bounded(s string) string {
	if len(s) > maxText {
		s = s[:maxText] + "..."
	}
	return strings.ToValidUTF8(s, "?")
}
