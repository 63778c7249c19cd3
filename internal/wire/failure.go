package wire

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// DefaultRetryAfter is when to come again if the error does not say.
const DefaultRetryAfter = 5 * time.Second

// Row is how a dialect says one kind of error.
type Row struct {
	Status int    // HTTP status
	Code   string // the dialect's own code for it, if it has codes
	Text   string // what is said when the error brings no public text
}

// Table is a dialect's error table. It has a row for every kind.
type Table map[authority.Kind]Row

// Missing returns the kinds without a usable row, for the test that each dialect has.
func (t Table) Missing() []authority.Kind {
	var missing []authority.Kind
	for _, kind := range authority.Kinds() {
		if row := t[kind]; row.Status < 400 || row.Status > 599 || row.Text == "" {
			missing = append(missing, kind)
		}
	}
	return missing
}

// Failure is an error as a caller may see it.
type Failure struct {
	Kind       authority.Kind
	Status     int
	Code       string
	Text       string            // never empty; may hold the caller's own words
	Fields     []authority.Field // the faulty parameters
	RetryAfter time.Duration     // zero unless trying again may help
}

// Failure translates err. Of the error only Public and Fields come through, and of
// a fault of ours not even these.
func (t Table) Failure(err error) Failure {
	f := Failure{Kind: authority.KindOf(err)}
	row, ok := t[f.Kind]
	if !ok {
		f.Kind, row = authority.Internal, t[authority.Internal]
	}
	f.Status, f.Code, f.Text = row.Status, row.Code, row.Text
	if f.Status == 0 {
		f.Status = http.StatusInternalServerError
	}
	e, ok := errors.AsType[*authority.Error](err)
	if ok && f.Kind != authority.Internal {
		f.Fields = e.Fields
		f.Text = publicText(e, row.Text)
	}
	if f.Kind == authority.Unavailable || f.Kind == authority.Throttled || f.Kind == authority.ProviderFailed {
		f.RetryAfter = DefaultRetryAfter
		if ok && e.RetryAfter > 0 {
			f.RetryAfter = e.RetryAfter
		}
	}
	return f
}

func publicText(e *authority.Error, otherwise string) string {
	if said := e.Said(); said != "" {
		return said
	}
	return otherwise
}

// SetHeader sets what every error answer carries, in every dialect: that nobody
// may keep it, and when to come again (RFC 9110 §10.2.3, whole seconds).
func (f *Failure) SetHeader(h http.Header) {
	NoStore(h)
	if f.RetryAfter > 0 {
		seconds := int64((f.RetryAfter + time.Second - 1) / time.Second)
		h.Set("Retry-After", strconv.FormatInt(seconds, 10))
	}
}

// Log writes the errors an operator must see: faults of ours and what cannot be
// reached. The rest is the caller's doing and belongs to the audit log. Of the
// request it names the id, the method and the path, never the query, a header or
// the body.
func Log(logger *slog.Logger, r *http.Request, err error) {
	kind := authority.KindOf(err)
	level := slog.LevelError
	switch {
	case kind != authority.Internal && kind != authority.Unavailable && kind != authority.ProviderFailed:
		return
	case errors.Is(err, context.Canceled) && r.Context().Err() != nil:
		level = slog.LevelDebug // the caller hung up; nothing of ours is wrong
	case kind != authority.Internal:
		level = slog.LevelWarn
	}
	logger.LogAttrs(r.Context(), level, "request failed",
		slog.String("request_id", authority.CallerOf(r.Context()).RequestID),
		slog.String("method", r.Method),
		slog.String("path", r.URL.Path),
		slog.String("kind", kind.String()),
		slog.String("error", err.Error()),
	)
}
