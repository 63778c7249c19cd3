package gatehouse

import (
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/config"
)

// masked stands where a log would show a secret, as Caddy writes it.
const masked = "REDACTED"

const (
	maxShown   = 128 // bytes of a harmless value that a log shows
	maxSegment = 15  // bytes of a path segment that a log shows: secrets have at least 16
	maxParams  = 32  // parameters that a log shows
)

// secretivePaths are the paths under which a dialect takes secrets in the query or in
// fields that Caddy does not mask; * stands for one segment, and $ ends a path under
// which nothing else is meant.
var secretivePaths = map[string][]string{
	"keycloak": {"/auth/api/v1/oauth/connect/"},
	"pakt":     {"/v1/auth/*/oauth/", "/v1/account/$", "/v1/account/logout/$"},
	"golem":    {"/v1/oauth2/", "/v1/login/oauth2/"},
}

// harmless are the parameters whose values a log may show. A list of the secret
// ones would miss those that were misspelt.
var harmless = []string{"client_id", "grant_type", "provider", "realm", "scope", "scopes"}

// secretWords mark request headers whose values a log must not show on such paths:
// keys and tokens under any name, and copies of the address. Those that Caddy masks
// by itself are left to it.
var (
	secretWords = []string{"key", "token", "secret", "passw", "auth", "credential", "session", "cookie", "referer", "uri", "url", "path"}
	caddyMasks  = []string{"authorization", "cookie", "proxy-authorization", "set-cookie"}
)

// Discretion knows which requests of an endpoint handler may carry secrets where
// others would log them, and what a log may show of these.
type Discretion struct {
	prefixes []secretivePrefix
}

// secretivePrefix is one of secretivePaths and whose it is.
type secretivePrefix struct{ dialect, pattern string }

// NewDiscretion returns the Discretion that the handler's dialects need.
func NewDiscretion(e *config.Endpoints) *Discretion {
	d := new(Discretion)
	for name, prefixes := range secretivePaths {
		if slices.Contains(e.Dialects, name) || name == "keycloak" && e.Keycloak != nil || name == "pakt" && e.Pakt != nil {
			for _, pattern := range prefixes {
				d.prefixes = append(d.prefixes, secretivePrefix{name, pattern})
			}
		}
	}
	return d
}

// Secretive reports whether one of the paths, as it came in or as it is now, is one
// where secrets may stand in the query. An odd spelling counts too: case, encoding,
// doubled slashes and stray characters are folded.
func (d *Discretion) Secretive(paths ...string) bool {
	return len(d.prefixes) > 0 && d.dialectOf(paths) != ""
}

// dialectOf is the dialect whose the first of the paths is that is anybody's.
func (d *Discretion) dialectOf(paths []string) string {
	for _, where := range paths {
		folded := fold(where)
		for _, p := range d.prefixes {
			if under(folded+"/", p.pattern) || under(path.Clean(folded)+"/", p.pattern) {
				return p.dialect
			}
		}
	}
	return ""
}

// under reports whether a path lies under a prefix, segment by segment.
func under(where, prefix string) bool {
	for prefix != "" {
		if prefix == "$" {
			return where == ""
		}
		want, restPrefix, _ := strings.Cut(prefix, "/")
		got, rest, ok := strings.Cut(where, "/")
		if !ok || want != "*" && got != want {
			return false
		}
		prefix, where = restPrefix, rest
	}
	return true
}

var (
	notOfPath = regexp.MustCompile(`[;?#][^/]*|[^a-z0-9/._-]`)
	slashes   = regexp.MustCompile(`/+`)
)

// fold brings the spellings of a path together. Only what it yields is compared;
// nothing is served by it.
func fold(where string) string {
	for range 3 { // decoded once already; encoded again by something on the way
		decoded, err := url.PathUnescape(where)
		if err != nil || decoded == where {
			break
		}
		where = decoded
	}
	where = strings.ToLower(strings.ReplaceAll(where, `\`, "/"))
	return slashes.ReplaceAllString(notOfPath.ReplaceAllString("/"+where, ""), "/")
}

// Target is what a log may show of a request target: the path as far as it is
// plain, and of the query the values of harmless parameters.
func (d *Discretion) Target(target string) string {
	where, query, has := strings.Cut(target, "?")
	shown := plainPath(where)
	if !has {
		return shown
	}
	params := strings.Split(query, "&")
	if len(params) > maxParams {
		params = append(params[:maxParams], masked)
	}
	for i, p := range params {
		params[i] = param(p)
	}
	return shown + "?" + strings.Join(params, "&")
}

var oddInPath = regexp.MustCompile(`[^A-Za-z0-9/._:-]`)

func plainPath(where string) string {
	rest := ""
	if at := oddInPath.FindStringIndex(where); at != nil {
		where, rest = where[:at[0]], masked
	}
	segments := strings.Split(where, "/")
	for i, s := range segments {
		if len(s) > maxSegment {
			segments[i] = masked
		}
	}
	return strings.Join(segments, "/") + rest
}

var (
	plainName  = regexp.MustCompile(`^[a-z_]{1,32}$`)
	plainValue = regexp.MustCompile(`^[A-Za-z0-9 ._~:/,-]*$`)
)

// param is what a log may show of one parameter: a name that looks like one, and
// the value if the parameter is harmless and nothing else hides in it.
func param(p string) string {
	name, value, hasValue := strings.Cut(p, "=")
	name, nameErr := url.QueryUnescape(name)
	if nameErr != nil || !hasValue || !plainName.MatchString(name) {
		return masked
	}
	value, valueErr := url.QueryUnescape(value)
	if valueErr != nil || len(value) > maxShown || !plainValue.MatchString(value) || !slices.Contains(harmless, name) {
		return name + "=" + masked
	}
	return name + "=" + url.QueryEscape(value)
}

// Header is what a log may show of the request's header.
func (d *Discretion) Header(h http.Header) http.Header {
	shown := h.Clone()
	for name := range shown {
		lower := strings.ToLower(name)
		if slices.Contains(caddyMasks, lower) {
			continue
		}
		if slices.ContainsFunc(secretWords, func(word string) bool { return strings.Contains(lower, word) }) {
			shown[name] = []string{masked}
		}
	}
	return shown
}

// Refuse answers a secretive request that nobody served, in the form of the dialect
// whose path it looks like. Nothing of the request is in the answer.
func (d *Discretion) Refuse(w http.ResponseWriter, status int, paths ...string) {
	text, kind := http.StatusText(status), "application/json"
	body := `{"detail":"` + text + `"}`
	switch d.dialectOf(paths) {
	case "pakt":
		body = `{"status":"error","message":"` + text + `","statusCode":` + strconv.Itoa(status) + `,"data":null}`
	case "golem":
		kind += "; charset=utf-8"
		body = `{"error":"` + text + `"}`
		if status == http.StatusServiceUnavailable { // the dialect has no other for it
			status = http.StatusInternalServerError
		}
	}
	if status >= http.StatusInternalServerError {
		w.Header().Set("Retry-After", "5")
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}
