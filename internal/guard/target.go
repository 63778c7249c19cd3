package guard

import (
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// Ambiguous reports why an upstream could read the target of the request as another path
// or host than a rule does, "" if all read the same: as it stands, and as it came when it
// was stripped, before any rewrite that could have made it plain. The words name what to
// mend and hold nothing of the request.
func (st *Request) Ambiguous(r *http.Request) string {
	switch {
	case st.came != "":
		return st.came
	case st.judged != "" && st.judged == r.RequestURI && isPathOf(r.URL, st.judged):
		return "" // nothing has been rewritten since
	}
	return ambiguous(r)
}

// isPathOf reports whether the path of a URL is that of a target, byte by byte.
func isPathOf(u *url.URL, target string) bool {
	rest, ok := strings.CutPrefix(target, u.Path)
	return ok && u.Path != "" && u.RawPath == "" && (rest == "" || rest[0] == '?') && strings.IndexByte(u.Path, '?') < 0
}

// Arrive judges the target as it came, given the method, the target and the URL before
// any rewrite. Only the first call counts; stripping makes it of what it finds.
func (st *Request) Arrive(r *http.Request, method, target string, u *url.URL) {
	if st.arrived {
		return
	}
	st.arrived, st.judged = true, target
	if st.came = ambiguousHost(r); st.came == "" {
		st.came = ambiguousTarget(method, target, u)
	}
}

// Judge says that ambiguous targets are refused on the whole site.
func (st *Request) Judge() { st.everywhere = true }

// JudgeQuery says that what the query says decides which guard of the site a request meets:
// queries that cannot be parsed are refused on all of it, lenient guards or not.
func (st *Request) JudgeQuery() { st.queried = true }

// Rewritten is why the target is ambiguous as it stands now, "" if it is plain or nobody
// said that such are refused on the whole site: its guards judge for themselves then.
func (st *Request) Rewritten(r *http.Request) string {
	if st.everywhere {
		if why := st.Ambiguous(r); why != "" {
			return why
		}
	}
	return st.garbled(r)
}

// garbled is why the query cannot be parsed, "" if it can or none decides. To a matcher and
// to placeholders such a query has nothing in it, or less, and to many apps all that it says.
func (st *Request) garbled(r *http.Request) string {
	if !st.queried {
		return ""
	}
	if _, err := url.ParseQuery(r.URL.RawQuery); err != nil {
		return whyGarbled
	}
	return ""
}

// RefuseTarget answers a request whose target is ambiguous.
func RefuseTarget(why string) *Refusal {
	return newRefusal(http.StatusBadRequest, ReasonTarget, &authority.Error{Kind: authority.Invalid, Public: why})
}

// ambiguous judges both the target as it stands (Request.RequestURI, RFC 9112 §3.2) and
// Request.URL, which a rewrite may have changed since; and the host, in whichever of its
// places it came.
func ambiguous(r *http.Request) (why string) {
	if why := ambiguousHost(r); why != "" {
		return why
	}
	return ambiguousTarget(r.Method, r.RequestURI, r.URL)
}

func ambiguousTarget(method, target string, u *url.URL) string {
	if u.Opaque != "" || u.Scheme != "" || u.Host != "" || u.User != nil {
		// Only the absolute form and the authority form leave these behind. The server has
		// thrown the Host field away by then (RFC 9112 §3.2.2), so nobody can say any more
		// whether the two agreed.
		return "the target must be a path: the absolute and the authority form are not taken"
	}
	path := target
	if i := strings.IndexByte(path, '?'); i >= 0 {
		if strings.IndexByte(path[i:], '#') >= 0 {
			return whyFragment
		}
		path = path[:i]
	}
	if path == "*" || u.Path == "*" {
		if method == http.MethodOptions && path == u.Path {
			return ""
		}
		return "the target * is for OPTIONS only"
	}
	if path != "" {
		if why := ambiguousPath(path, true); why != "" {
			return why
		}
	}
	return ambiguousURL(u, path)
}

// ambiguousURL judges the path that the rule sees and the one that is sent on, as far
// as they differ from the raw one that was judged already.
func ambiguousURL(u *url.URL, judged string) string {
	if u.Path != judged && u.Path != "" { // an empty one is sent on as "/"
		if why := ambiguousPath(u.Path, false); why != "" {
			return why
		}
	}
	if u.RawPath != "" && u.RawPath != judged {
		if why := ambiguousPath(u.RawPath, true); why != "" {
			return why
		}
	}
	if strings.IndexByte(u.RawQuery, '#') >= 0 {
		return whyFragment
	}
	return ""
}

const (
	whyFragment  = "the target must not have a fragment, nor the path an encoded #"
	whyStart     = "the path must start with /"
	whyEmpty     = "the path must not have empty segments"
	whyDots      = "the path must not have the segments . and .."
	whySlash     = "the path must not have encoded slashes"
	whyDot       = "the path must not have encoded dots"
	whyBackslash = "the path must not have backslashes"
	whySemicolon = "the path must not have parameters after a semicolon"
	whyQuery     = "the path must not have an encoded question mark"
	whySpace     = "the path must encode a space as %20"
	whyPercent   = "the path must encode a percent sign as %25"
	whyGarbled   = "the query must not have semicolons, nor a percent sign without two digits, nor too many parameters"
	whyTwice     = "the path must not be encoded twice"
	whyControl   = "the path must not have control characters"
	whyUTF8      = "the path must be UTF-8"
)

// The classes of bytes in a path.
const (
	pathPlain = iota // stands for itself in a segment
	pathSlash
	pathDot
	pathSpace
	pathPercent
	pathSemicolon
	pathBackslash
	pathQuestion
	pathHash
	pathControl
	pathHigh // part of a character beyond ASCII
)

var pathClasses = func() (t [256]uint8) {
	for c := range t {
		switch {
		case c < ' ', c == 0x7f:
			t[c] = pathControl
		case c >= utf8.RuneSelf:
			t[c] = pathHigh
		}
	}
	t['/'], t['.'], t[' '], t['%'], t[';'] = pathSlash, pathDot, pathSpace, pathPercent, pathSemicolon
	t['\\'], t['?'], t['#'] = pathBackslash, pathQuestion, pathHash
	t['+'] = pathSpace // to whoever decodes a path like a form
	return t
}()

// pathJudge is what is known of a path up to one of its bytes.
type pathJudge struct {
	bytes   int               // in the segment, decoded
	dots    int               // in the segment
	spaces  int               // bytes of the segment that a trim may take away
	percent int               // 1 after a percent sign that is text, 2 after one and a hexadecimal digit
	char    [utf8.UTFMax]byte // the beginning of a character beyond ASCII
	have    int               // bytes in char
}

// ambiguousPath judges a path in one pass; encoded says that its percent sequences
// are still to be decoded.
func ambiguousPath(path string, encoded bool) string {
	if path == "" || path[0] != '/' {
		return whyStart
	}
	var j pathJudge
	for i := 1; i < len(path); i++ {
		c, escaped := path[i], false
		if pathClasses[c] == pathPlain && j.percent == 0 && j.have == 0 {
			j.bytes++
			continue
		}
		if c == '%' && encoded {
			if i+2 >= len(path) || !isHex(path[i+1]) || !isHex(path[i+2]) {
				return whyPercent
			}
			c, escaped = unhex(path[i+1])<<4|unhex(path[i+2]), true
			i += 2
		}
		if why := j.next(c, escaped); why != "" {
			return why
		}
		if c == ' ' && encoded && !escaped {
			return whySpace
		}
	}
	return j.end()
}

// next judges one decoded byte; escaped says that it came as a percent sequence.
func (j *pathJudge) next(c byte, escaped bool) string {
	if why := j.text(c); why != "" {
		return why
	}
	class := pathClasses[c]
	if class == pathSlash {
		switch {
		case escaped:
			return whySlash
		case j.bytes == 0:
			return whyEmpty
		}
		why := j.end()
		j.bytes, j.dots, j.spaces = 0, 0, 0
		return why
	}
	j.bytes++
	switch class {
	case pathDot:
		if escaped {
			return whyDot
		}
		j.dots++
	case pathSpace:
		j.spaces++
	case pathPercent:
		j.percent = 1
	case pathSemicolon:
		return whySemicolon
	case pathBackslash:
		return whyBackslash
	case pathQuestion:
		return whyQuery
	case pathHash:
		return whyFragment
	case pathControl:
		return whyControl
	}
	return ""
}

// text judges a decoded byte by those before it: what would decode once more, and
// what is not UTF-8, such as the overlong forms of a slash.
func (j *pathJudge) text(c byte) string {
	switch {
	case j.percent == 0:
	case isHex(c):
		if j.percent++; j.percent > 2 {
			return whyTwice
		}
	case j.percent == 1 && c|0x20 == 'u': // %u002f, as some servers read it
	default:
		j.percent = 0
	}
	if c < utf8.RuneSelf {
		if j.have > 0 {
			return whyUTF8
		}
		return ""
	}
	j.char[j.have] = c
	j.have++
	if !utf8.FullRune(j.char[:j.have]) {
		return ""
	}
	switch char, size := utf8.DecodeRune(j.char[:j.have]); {
	case char == utf8.RuneError && size == 1:
		return whyUTF8
	case char < 0xa0:
		return whyControl
	default:
		j.have = 0
		return j.beyond(char, size)
	}
}

// beyond judges a character beyond ASCII that some upstream takes for one of ASCII: one
// that brings text into its compatible form (NFKC), or whose idea of white space is that
// of Unicode.
func (j *pathJudge) beyond(char rune, size int) string {
	switch char {
	case '\uff0f':
		return whySlash
	case '\uff3c', '\ufe68':
		return whyBackslash
	case '\u037e': // the Greek question mark, which is a semicolon in any normal form
		return whySemicolon
	case '\uff05', '\ufe6a':
		j.percent = 1
	case '\uff0e', '\u2024', '\ufe52':
		j.dots, j.spaces = j.dots+1, j.spaces+size-1
	case '\u2025':
		j.dots, j.spaces = j.dots+2, j.spaces+size-2
	case '\ufeff':
		j.spaces += size
	default:
		if unicode.IsSpace(char) {
			j.spaces += size
		}
	}
	return ""
}

// end judges a segment that is complete. Some upstreams take the spaces off a
// segment before they look whether it is "..".
func (j *pathJudge) end() string {
	switch {
	case j.have > 0:
		return whyUTF8
	case (j.dots == 1 || j.dots == 2) && j.dots+j.spaces == j.bytes:
		return whyDots
	}
	return ""
}
