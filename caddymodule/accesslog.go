package caddymodule

import (
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/gatehouse-auth/gatehouse/internal/gatehouse"
)

// accessLog writes the access-log entry of a request in Caddy's place, with what is
// secret masked. Caddy's own entry is skipped: it holds the request as it came in.
type accessLog struct {
	logger     *zap.Logger
	discretion *gatehouse.Discretion
}

// accessLogger is the module that Caddy's access log calls itself, so that logs
// which include or exclude that name take or leave our entries too.
type accessLogger struct{}

// CaddyModule returns the id. It is not registered: nobody configures it.
func (accessLogger) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.log.access", New: func() caddy.Module { return new(accessLogger) }}
}

func newAccessLog(ctx caddy.Context, d *gatehouse.Discretion) *accessLog {
	return &accessLog{logger: ctx.Logger(accessLogger{}), discretion: d}
}

// entry is the access-log entry of one request.
type entry struct {
	log      *accessLog
	server   *caddyhttp.ServerLogConfig
	request  *http.Request // as the log shows it
	response caddyhttp.ResponseRecorder
	body     *countedBody
}

// secretive reports whether the request may carry secrets in its query.
func (a *accessLog) secretive(r *http.Request) bool {
	return a.discretion.Secretive(a.paths(r)...)
}

// paths are the request's path as it is now and as it came in.
func (*accessLog) paths(r *http.Request) []string {
	return []string{r.URL.Path, original(r).URL.Path}
}

// begin keeps Caddy from logging the request. It returns the writer and request to
// go on with, and what writes the entry once the answer is written.
func (a *accessLog) begin(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, *http.Request, func()) {
	skipped, _ := caddyhttp.GetVar(r.Context(), caddyhttp.LogSkipVar).(bool)
	caddyhttp.SetVar(r.Context(), caddyhttp.LogSkipVar, true)
	server, ok := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if skipped || !ok || server == nil || !logs(server.Logs, r.Host) {
		return w, r, func() {}
	}
	e := &entry{log: a, server: server.Logs, request: a.shown(r), response: caddyhttp.NewResponseRecorder(w, nil, nil)}
	if r.Body != nil {
		e.body = &countedBody{ReadCloser: r.Body}
		r.Body = e.body
	}
	return e.response, r, func() { e.write(r) }
}

// original is the request as it came in, before other handlers changed it. It has
// no header.
func original(r *http.Request) *http.Request {
	if was, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
		return &was
	}
	return r
}

// shown is a copy of the original request with what is secret masked.
func (a *accessLog) shown(r *http.Request) *http.Request {
	was := original(r)
	shown := r.WithContext(r.Context())
	shown.Method, shown.RemoteAddr = was.Method, was.RemoteAddr
	shown.RequestURI = a.discretion.Target(was.RequestURI)
	shown.Header = a.discretion.Header(r.Header)
	return shown
}

// write writes the entry as Caddy would, with the request's id, by which the audit log
// knows it. What log_append adds is left out: it may be what was masked.
func (e *entry) write(r *http.Request) {
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return
	}
	user, _ := repl.GetString("http.auth.user.id")
	id, _ := repl.GetString("http.request.uuid")
	spent, _ := repl.Get("http.request.duration")
	duration, _ := spent.(time.Duration)
	read := 0
	if e.body != nil {
		read = e.body.n
	}
	credentials := e.server.ShouldLogCredentials
	fields := []zapcore.Field{
		zap.Object("request", caddyhttp.LoggableHTTPRequest{Request: e.request, ShouldLogCredentials: credentials}),
		zap.Int("bytes_read", read),
		zap.String("user_id", user),
		zap.Duration("duration", duration),
		zap.Int("size", e.response.Size()),
		zap.Int("status", e.response.Status()),
		zap.Object("resp_headers", caddyhttp.LoggableHTTPHeader{Header: e.response.Header(), ShouldLogCredentials: credentials}),
		zap.String("uuid", id),
	}
	level := levelOf(r, e.response.Status())
	for _, name := range namesOf(e.server, r) {
		logger := e.log.logger
		if name != "" {
			logger = logger.Named(name)
		}
		if c := logger.Check(level, "handled request"); c != nil {
			c.Write(fields...)
		}
	}
}

// levelOf is the level of the entry, as Caddy chooses it.
func levelOf(r *http.Request, status int) zapcore.Level {
	if name, ok := caddyhttp.GetVar(r.Context(), caddyhttp.LogLevelVar).(string); ok {
		if level, err := zapcore.ParseLevel(name); err == nil && level >= zapcore.DebugLevel && level <= zapcore.ErrorLevel {
			return level
		}
	}
	if status >= http.StatusInternalServerError {
		return zapcore.ErrorLevel
	}
	return zapcore.InfoLevel
}

// logs reports whether the server logs requests to the host, as Caddy decides it.
func logs(c *caddyhttp.ServerLogConfig, hostport string) bool {
	if c == nil {
		return false
	}
	host := hostOf(hostport)
	for mapped := range c.LoggerNames {
		if certmagic.MatchWildcard(host, mapped) {
			return true
		}
	}
	skips := func(skipped string) bool { return certmagic.MatchWildcard(host, skipped) }
	return !slices.ContainsFunc(c.SkipHosts, skips) && !c.SkipUnmappedHosts
}

// namesOf are the names of the loggers that get the entry, as Caddy chooses them;
// an empty one stands for the access log itself.
func namesOf(c *caddyhttp.ServerLogConfig, r *http.Request) []string {
	if chosen, ok := caddyhttp.GetVar(r.Context(), caddyhttp.AccessLoggerNameVarKey).([]any); ok { // by log_name
		names := make([]string, 0, len(chosen))
		for _, n := range chosen {
			if name, ok := n.(string); ok {
				names = append(names, name)
			}
		}
		return names
	}
	host := strings.ToLower(hostOf(r.Host))
	if names, ok := c.LoggerNames[host]; ok {
		return names
	}
	labels := strings.Split(host, ".")
	for i, label := range labels {
		if label == "" {
			continue
		}
		labels[i] = "*" // and stays so: *.example.com, then *.*.com
		if names, ok := c.LoggerNames[strings.Join(labels, ".")]; ok {
			return names
		}
	}
	return []string{c.DefaultLoggerName}
}

func hostOf(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return hostport
}

// countedBody counts what was read of a request's body.
type countedBody struct {
	io.ReadCloser
	n int
}

// Read reads and counts.
func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n += n
	return n, err
}
