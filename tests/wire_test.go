package tests

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// A transcript is what a client says and hears, one exchange after the other:
//
//	# a comment
//	> POST /oauth2/token
//	> Content-Type: application/x-www-form-urlencoded
//	>
//	> grant_type=client_credentials
//	< 200
//	< Cache-Control: no-store
//	< Pragma:                        an empty value: the field must not be there
//	<
//	< {"access_token":"{{token}}","expires_in":300}
//
// {{name}} in an answer takes what stands there at its first sight and must meet
// the same again afterwards; in a request it is replaced. {{*}} meets anything that
// is not empty. $AUTH and the like are the server's addresses. A JSON body must have
// exactly the members written; other bodies must be equal to the letter. Header
// fields that are not written are not looked at.
type exchange struct {
	line              int
	method, target    string
	reqHeader         [][2]string
	reqBody           string
	status            string
	header            [][2]string
	body              string
	hasBody, answered bool
}

func readTranscript(t *testing.T, s *server, path string) []exchange {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []exchange
	var inBody bool
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := s.fill(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		rest := strings.TrimPrefix(line[1:], " ")
		switch {
		case line[0] == '>' && (len(all) == 0 || all[len(all)-1].answered):
			method, target, _ := strings.Cut(rest, " ")
			all, inBody = append(all, exchange{line: n, method: method, target: target}), false
		case line[0] == '<' && !all[len(all)-1].answered:
			e := &all[len(all)-1]
			e.status, e.answered, inBody = rest, true, false
		default:
			all[len(all)-1].add(t, path, n, line[0], rest, &inBody)
		}
	}
	return all
}

func (e *exchange) add(t *testing.T, path string, n int, side byte, rest string, inBody *bool) {
	t.Helper()
	body, header := &e.reqBody, &e.reqHeader
	if side == '<' {
		body, header = &e.body, &e.header
	}
	switch {
	case *inBody:
		*body += rest
		e.hasBody = e.hasBody || side == '<'
	case rest == "":
		*inBody = true
		e.hasBody = e.hasBody || side == '<'
	default:
		name, value, ok := strings.Cut(rest, ":")
		if !ok || (side != '>' && side != '<') {
			t.Fatalf("%s:%d: cannot read this line", path, n)
		}
		*header = append(*header, [2]string{name, strings.TrimSpace(value)})
	}
}

var marker = regexp.MustCompile(`\{\{([a-z_*0-9]+)\}\}`)

// bindings are the values that {{name}} took.
type bindings map[string]string

func (b bindings) fill(s string) string {
	return marker.ReplaceAllStringFunc(s, func(m string) string { return b[m[2:len(m)-2]] })
}

// meets compares a text with its pattern and takes values.
func (b bindings) meets(want, got string) error {
	re, names := "^", []string(nil)
	last := 0
	for _, at := range marker.FindAllStringSubmatchIndex(want, -1) {
		re += regexp.QuoteMeta(want[last:at[0]]) + "((?s:.+))"
		names = append(names, want[at[2]:at[3]])
		last = at[1]
	}
	found := regexp.MustCompile(re + regexp.QuoteMeta(want[last:]) + "$").FindStringSubmatch(got)
	if found == nil {
		return fmt.Errorf("got  %q\nwant %q", got, want)
	}
	for i, name := range names {
		if old, bound := b[name]; name != "*" && bound && old != found[i+1] {
			return fmt.Errorf("%s was %q, is %q", name, old, found[i+1])
		}
		b[name] = found[i+1]
	}
	return nil
}

// meetsJSON compares two JSON values; strings of want may hold markers. A number
// that may vary is written as the string "{{name}}" and met by its digits.
func (b bindings) meetsJSON(at string, want, got any) error {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return fmt.Errorf("%s: got %v, want an object", at, got)
		}
		for k := range g {
			if _, ok := w[k]; !ok {
				return fmt.Errorf("%s.%s is there and should not be", at, k)
			}
		}
		for k := range w {
			if _, ok := g[k]; !ok {
				return fmt.Errorf("%s.%s is missing", at, k)
			}
			if err := b.meetsJSON(at+"."+k, w[k], g[k]); err != nil {
				return err
			}
		}
		return nil
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return fmt.Errorf("%s: got %v, want %v", at, got, want)
		}
		for i := range w {
			if err := b.meetsJSON(fmt.Sprintf("%s[%d]", at, i), w[i], g[i]); err != nil {
				return err
			}
		}
		return nil
	case string:
		text, isString := got.(string)
		if n, isNumber := got.(json.Number); isNumber && marker.MatchString(w) {
			text, isString = n.String(), true
		}
		if !isString {
			return fmt.Errorf("%s: got %v, want %q", at, got, w)
		}
		if err := b.meets(w, text); err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		return nil
	}
	if !reflect.DeepEqual(want, got) {
		return fmt.Errorf("%s: got %v, want %v", at, got, want)
	}
	return nil
}

func decodeJSON(s string) (any, error) {
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}

func (e exchange) run(t *testing.T, s *server, b bindings) error {
	var headers []string
	for _, h := range e.reqHeader {
		headers = append(headers, h[0], b.fill(h[1]))
	}
	target := b.fill(e.target)
	if !strings.HasPrefix(target, "http://") {
		target = "http://" + s.vars["AUTH"] + target
	}
	got, err := trySend(t.Context(), e.method, target, b.fill(e.reqBody), headers...)
	if err != nil {
		return err
	}
	if fmt.Sprint(got.status) != e.status {
		return fmt.Errorf("status %d, want %s; body %s", got.status, e.status, got.body)
	}
	for _, h := range e.header {
		value := strings.Join(got.header.Values(h[0]), ", ")
		if h[1] == "" && value == "" {
			continue
		}
		if err := b.meets(h[1], value); err != nil {
			return fmt.Errorf("%s: %w", http.CanonicalHeaderKey(h[0]), err)
		}
	}
	if !e.hasBody {
		return nil
	}
	if want, err := decodeJSON(e.body); err == nil {
		gotJSON, err := decodeJSON(got.body)
		if err != nil {
			return fmt.Errorf("body is not JSON: %s", got.body)
		}
		return b.meetsJSON("body", want, gotJSON)
	}
	return b.meets(e.body, got.body)
}

// secretName matches the markers that stand for what no log may hold.
var secretName = regexp.MustCompile(`token|access|refresh|secret|code|state|session|cookie`)

// TestWire plays every transcript of every dialect against the real binary.
func TestWire(t *testing.T) {
	dialects, err := filepath.Glob("wire/*/Caddyfile")
	if err != nil || len(dialects) == 0 {
		t.Fatal("no dialects found", err)
	}
	for _, caddyfile := range dialects {
		dir := filepath.Dir(caddyfile)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			text, err := os.ReadFile(caddyfile)
			if err != nil {
				t.Fatal(err)
			}
			s := newServer(t)
			s.withUpstreams()
			s.start(string(text))
			files, _ := filepath.Glob(filepath.Join(dir, "*.txt"))
			if len(files) == 0 {
				t.Fatal("no transcripts")
			}
			for _, file := range files {
				t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
					b := bindings{}
					for _, e := range readTranscript(t, s, file) {
						if err := e.run(t, s, b); err != nil {
							t.Fatalf("%s:%d: %s %s: %v", file, e.line, e.method, e.target, err)
						}
						for name, value := range b {
							if secretName.MatchString(name) && !strings.Contains(value, " ") {
								s.secret(value) // whatever was handed out must not be in the log
							}
						}
					}
				})
			}
		})
	}
}
