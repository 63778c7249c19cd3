package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// hasPlaceholder reports whether a text holds a placeholder, complete or not.
func hasPlaceholder(s string) bool {
	return strings.Contains(s, "{env.") || strings.Contains(s, "{file.")
}

// pending reports whether a value cannot be judged yet, because it holds a
// placeholder. One that nobody will replace is a fault: without its brace, or there
// after all have been replaced.
func (ck *checker) pending(path, what, s string) bool {
	if !hasPlaceholder(s) {
		return false
	}
	open := max(strings.LastIndex(s, "{env."), strings.LastIndex(s, "{file."))
	switch {
	case ck.expanded:
		ck.fault(path, "%s holds a placeholder that was not replaced", what)
	case !strings.Contains(s[open:], "}"):
		ck.fault(path, "%s holds a placeholder without its closing brace", what)
	}
	return true
}

// Nearest returns the known word that was probably meant, or "" if none is close:
// at most two letters wrong, and fewer than half of them.
func Nearest(word string, known []string) string {
	if len(word) > 64 {
		return ""
	}
	best, limit := "", min(2, (len(word)-1)/2)
	for _, k := range slices.Sorted(slices.Values(known)) {
		if d := distance(strings.ToLower(word), k); d <= limit {
			best, limit = k, d-1
		}
	}
	return best
}

// suggestion is what a message adds if a known word was probably meant, or "".
func suggestion(word string, known ...string) string {
	if meant := Nearest(word, known); meant != "" {
		return fmt.Sprintf("; did you mean %q?", meant)
	}
	return ""
}

// distance counts the letters to insert, delete, change or swap with their
// neighbour to make a into b.
func distance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			change := last[j]
			if a[i] != b[j] {
				change++
			}
			row[j+1] = min(change, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}

func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// text checks what any text must be: there, bounded, UTF-8 without control
// characters, and without a placeholder that nobody would expand.
func (ck *checker) text(path, what, s string, maxLen int) bool {
	switch {
	case s == "":
		ck.fault(path, "%s is missing", what)
	case len(s) > maxLen:
		ck.fault(path, "%s is longer than %d bytes", what, maxLen)
	case !clean(s):
		ck.fault(path, "%s has a control character or is not UTF-8", what)
	case hasPlaceholder(s):
		ck.fault(path, "%s takes no placeholder: only secrets, the client_id of a provider or trust and store sqlite are expanded at load; in a Caddyfile {$NAME} works everywhere", what)
	default:
		return true
	}
	return false
}

func clean(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// ascii checks for printable ASCII without spaces.
func (ck *checker) ascii(path, what, s string, maxLen int) bool {
	if !ck.text(path, what, s, maxLen) {
		return false
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		ck.fault(path, "%s %q may hold only printable ASCII without spaces", what, s)
		return false
	}
	return true
}

// scope checks the syntax of RFC 6749 §3.3: printable ASCII but space, " and \.
func (ck *checker) scope(path, s string) {
	if ck.ascii(path, "scope", s, maxName) && ck.apart(path, "scope", s) && strings.ContainsAny(s, `"\`) {
		ck.fault(path, `scope %q may not hold " or \`, s)
	}
}

func (ck *checker) role(path, s string) {
	if ck.text(path, "role", s, maxName) {
		ck.apart(path, "role", s)
	}
}

func (ck *checker) audience(path, s string) {
	if ck.ascii(path, "audience", s, maxURL) {
		ck.apart(path, "audience", s)
	}
}

// resource checks for an absolute URI without fragment (RFC 8707 §2).
func (ck *checker) resource(path, what, s string) {
	if !ck.ascii(path, what, s, maxURL) || !ck.apart(path, what, s) {
		return
	}
	u, err := url.Parse(s)
	if err != nil || !u.IsAbs() || u.Opaque+u.Host+u.Path == "" || strings.Contains(s, "#") {
		ck.fault(path, "%s %q must be an absolute URI without fragment", what, s)
	}
}

// oneOf checks a word of a closed list. block is what Available calls the list.
func (ck *checker) oneOf(path, what, block, s string, known ...string) {
	if !Available(block, s) {
		ck.fault(path, "%s", Unavailable(what+" "+s))
		return
	}
	known = slices.DeleteFunc(known, func(k string) bool { return !Available(block, k) })
	if slices.Contains(known, s) {
		return
	}
	ck.fault(path, "%s must be %s, not %q", what, enumerate(known, "or"), s)
}

// enumerate joins words as a sentence does.
func enumerate(words []string, last string) string {
	n := len(words) - 1
	if n < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:n], ", ") + " " + last + " " + words[n]
}

// between checks that d is at least a second and at most most.
func (ck *checker) between(path, what string, d, most Duration) bool {
	if d < second || d > most {
		ck.fault(path, "%s must be between %s and %s, not %s", what, second, most, d)
		return false
	}
	return true
}

// apart reports a comma at an end of a value that stands in a list: who writes `admin, editor`
// means two, and would not see the comma in the text of a refusal. Nor does `scopes = read`
// mean two.
func (ck *checker) apart(path, what, s string) bool {
	if s == "=" || s == ":" {
		ck.fault(path, "%s %q is none: values stand behind their word without it", what, s)
		return false
	}
	if strings.HasPrefix(s, ",") || strings.HasSuffix(s, ",") {
		ck.fault(path, "%s %q begins or ends with a comma: the values of a list stand apart by spaces alone", what, s)
		return false
	}
	return true
}

// list checks the length of a list, that no value stands in it twice, and each value.
func (ck *checker) list(path, what string, values []string, most int, check func(path, value string)) {
	if len(values) > most {
		ck.fault(path, "%s: more than %d values", what, most)
		return
	}
	for i, v := range values {
		if slices.Contains(values[:i], v) {
			ck.fault(index(path, i), "%s %q is given twice", what, v)
			continue
		}
		check(index(path, i), v)
	}
}

// once remembers names that must differ.
type once map[string]struct{}

// again reports whether the name was there before, and remembers it.
func (o once) again(name string) bool {
	_, there := o[name]
	o[name] = struct{}{}
	return there
}

// fold maps all spellings of a text that differ only in case to one.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		return least
	}, s)
}

// isUUID reports whether s has the form of a UUID (RFC 9562 §4), in any case.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		if hyphen := i == 8 || i == 13 || i == 18 || i == 23; hyphen != (s[i] == '-') ||
			!hyphen && !strings.ContainsRune("0123456789abcdefABCDEF", rune(s[i])) {
			return false
		}
	}
	return true
}

// issuerFault says what is wrong with an issuer (RFC 8414 §2: https, no query, no
// fragment), or "". Its spelling must be the only one, because tokens carry it and
// are compared with it by exact string.
func issuerFault(s string) string {
	if strings.ContainsAny(s, "%\\") {
		return "must not hold percent-encoding or backslashes"
	}
	if wrong := addressFault(s, false); wrong != "" {
		return wrong
	}
	if strings.HasSuffix(s, "/") {
		return "must not end with a slash"
	}
	u, err := url.Parse(s)
	if err != nil {
		return err.Error()
	}
	for segment := range strings.SplitSeq(strings.TrimPrefix(u.Path, "/"), "/") {
		if u.Path != "" && (segment == "" || segment == "." || segment == "..") {
			return "must not have empty or dot segments in its path"
		}
	}
	return ""
}

// addressFault says what is wrong with an address that is asked or compared as it
// stands, or "".
func addressFault(s string, query bool) string {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "" || !strings.EqualFold(u.Scheme, "https") && !strings.EqualFold(u.Scheme, "http"):
		return "must be an absolute URL such as https://auth.example.com"
	case u.User != nil:
		return "must not hold a user name or password"
	case query && strings.Contains(s, "#"):
		return "must have no fragment"
	case !query && strings.ContainsAny(s, "?#"):
		return "must have neither query nor fragment"
	case u.Host != strings.ToLower(u.Host) || !strings.HasPrefix(s, u.Scheme):
		return "must be in lower case up to its path"
	case !validHost(u):
		return "has a host or port that cannot be"
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return "must be https; http is only for loopback hosts (127.0.0.0/8, [::1], localhost)"
	}
	return ""
}

// shown is an address as a message quotes it: without a password.
func shown(s string) string {
	u, err := url.Parse(s)
	switch at := strings.LastIndex(s, "@"); {
	case err == nil && u.User != nil:
		return u.Redacted()
	case err != nil && at >= 0: // nobody can say where a password would be
		return "..." + s[at:]
	}
	return s
}

func validHost(u *url.URL) bool {
	if strings.HasSuffix(u.Host, ":") {
		return false
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || port != fmt.Sprint(n) {
			return false
		}
	}
	host := u.Hostname()
	if strings.HasPrefix(u.Host, "[") {
		a, err := netip.ParseAddr(host)
		return err == nil && a.Zone() == ""
	}
	return host != "" && strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-._") == ""
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}
