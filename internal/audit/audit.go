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
	events   *prometheus.CounterVec
	refusals *prometheus.CounterVec
}

// NewMetrics returns counters at zero.
func NewMetrics() *Metrics {
	return &Metrics{events: prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "gatehouse", Name: "events_total",
		Help: "Events of the audit log, by name, realm and, for refusals, kind of error.",
	}, []string{"event", "realm", "kind"}), refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "gatehouse", Name: "guard_refusals_total",
		Help: "Requests that a guard refused, by reason.",
	}, []string{"reason"})}
}

// Registry is where counters become visible: Caddy's registry.
type Registry = prometheus.Registerer

// Register makes the counters visible in reg, and the numbers that other rooms
// keep, in the place of what stood there under their names.
func (m *Metrics) Register(reg Registry, numbers ...Number) error {
	all := []prometheus.Collector{m.events, m.refusals}
	for _, n := range numbers {
		all = append(all, n.collector())
	}
	for _, c := range all {
		err := reg.Register(c)
		if again, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok { // of a store that was closed and opened again meanwhile
			reg.Unregister(again.ExistingCollector)
			err = reg.Register(c)
		}
		if err != nil {
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
	l.logger.LogAttrs(ctx, level, e.Name, attributes(e, kind, authority.CallerOf(ctx))...)
}

// attributes are what is known of an event.
func attributes(e authority.Event, kind string, caller authority.Caller) []slog.Attr {
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
	return attrs
}

// Refused counts a request that a guard refused and writes a line about it, unless
// it brought no credential: asking for one is no event. e says whose token it was, as
// far as that is known, and why it was refused.
func (l *Log) Refused(reason string, credential bool, e authority.Event, caller authority.Caller) {
	l.metrics.refusals.WithLabelValues(reason).Inc()
	if credential {
		attrs := append([]slog.Attr{slog.String("refused", reason)}, attributes(e, "", caller)...)
		l.logger.LogAttrs(context.Background(), slog.LevelInfo, "guard", attrs...)
	}
}

// bounded cuts a text to maxText bytes of valid UTF-8.
func bounded(s string) string {
	if len(s) > maxText {
		s = s[:maxText] + "..."
	}
	return strings.ToValidUTF8(s, "?")
}
