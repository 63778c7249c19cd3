package tests

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// arrival is what an upstream says of a request that reached it
// (tests/upstreams_paths).
type arrival struct {
	Case    string      `json:"case"`
	Method  string      `json:"method"`
	Target  string      `json:"target"`
	Reached []string    `json:"reached"` // readings of the target that lead to what is guarded
	Fields  [][2]string `json:"fields"`  // header and trailer fields
}

// field returns the values of a field in any spelling that folds to the name.
func (a arrival) field(name string) (values []string) {
	folded := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r < 0x80 && (r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') {
				return r
			}
			return '-'
		}, strings.ToLower(s))
	}
	for _, f := range a.Fields {
		if folded(f[0]) == folded(name) {
			values = append(values, f[1])
		}
	}
	return values
}

// pathUpstream is an upstream in one language and what has reached it.
type pathUpstream struct {
	t    testing.TB
	name string
	addr string

	mu   sync.Mutex
	seen map[string]arrival // by case
	more *sync.Cond
}

// pathUpstreams starts the upstreams of all languages that the machine has. Go and Node
// it must have.
func pathUpstreams(t *testing.T) []*pathUpstream {
	t.Helper()
	program := filepath.Join(t.TempDir(), "upstream")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./upstreams_paths").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	all := []*pathUpstream{
		startPathUpstream(t, "go", program),
		startPathUpstream(t, "node", "node", "upstreams_paths/node/upstream.mjs"),
	}
	if _, err := exec.LookPath("javac"); err == nil {
		all = append(all, startPathUpstream(t, "java", "java", "-Dsun.net.httpserver.nodelay=true", "upstreams_paths/java/Upstream.java"))
	}
	if _, err := exec.LookPath("php"); err == nil {
		all = append(all, startPathUpstream(t, "php", "php", "-d", "display_errors=0", "-S"))
	}
	return all
}

func startPathUpstream(t *testing.T, name string, line ...string) *pathUpstream {
	t.Helper()
	u := &pathUpstream{t: t, name: name, addr: "127.0.0.1:" + freePorts(t, 1)[0], seen: map[string]arrival{}}
	u.more = sync.NewCond(&u.mu)
	line = append(line, u.addr)
	if name == "php" {
		line = append(line, "upstreams_paths/php/upstream.php")
	}
	cmd := exec.CommandContext(t.Context(), line[0], line[1:]...)
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		t.Fatalf("the upstream in %s: %v", name, err)
	}
	go u.read(r)
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		w.Close()
	})
	limit := time.After(time.Minute)
	for {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", u.addr)
		if err == nil {
			conn.Close()
			return u
		}
		select {
		case <-limit:
			t.Fatalf("the upstream in %s does not listen: %v", name, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (u *pathUpstream) read(r io.Reader) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var a arrival
		if json.Unmarshal(lines.Bytes(), &a) != nil {
			continue // what an interpreter says of itself
		}
		u.mu.Lock()
		u.seen[a.Case] = a
		u.more.Broadcast()
		u.mu.Unlock()
	}
}

// wait returns what is said of a case. An upstream says it before it answers, but the
// answer may be here first.
func (u *pathUpstream) wait(id string) (arrival, bool) {
	timer := time.AfterFunc(10*time.Second, u.more.Broadcast)
	defer timer.Stop()
	deadline := time.Now().Add(10 * time.Second)
	u.mu.Lock()
	defer u.mu.Unlock()
	for {
		if a, ok := u.seen[id]; ok || !time.Now().Before(deadline) {
			return a, ok
		}
		u.more.Wait()
	}
}

// arrived returns what is said of a case so far.
func (u *pathUpstream) arrived(id string) (arrival, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	a, ok := u.seen[id]
	return a, ok
}

// rawClient sends requests whose every byte is the caller's, over one connection that
// is made anew when the server closes it. Its methods are for one goroutine.
type rawClient struct {
	addr string
	h2   bool
	tls  *tls.Config // nil: in the clear
	conn net.Conn
	in   *bufio.Reader

	framer  *http2.Framer
	encoder *hpack.Encoder
	block   *bytes.Buffer
	decoder *hpack.Decoder
	fields  http.Header
	stream  uint32
}

// errRefused says that the server cut a stream or a connection off without an answer.
var errRefused = errors.New("cut off")

// send makes a request and returns the status and header of its answer. A status of 0
// stands for a request cut off. Fields are name, value pairs; a field named ":body" is
// the body, ":trailer" a trailer field as a line.
func (c *rawClient) send(method, target, host string, fields ...string) (int, http.Header) {
	for range 2 {
		if c.conn == nil {
			if err := c.dial(); err != nil {
				return 0, nil
			}
		}
		exchange := c.http1
		if c.h2 {
			exchange = c.http2
		}
		status, header, err := exchange(method, target, host, fields)
		if err == nil {
			return status, header
		}
		c.close()
		if errors.Is(err, errRefused) {
			return 0, nil
		}
	}
	return 0, nil
}

func (c *rawClient) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

func (c *rawClient) dial() (err error) {
	if c.conn, err = net.DialTimeout("tcp", c.addr, 10*time.Second); err != nil {
		return err
	}
	if c.tls != nil {
		config := c.tls.Clone()
		config.ServerName, config.NextProtos = "app.example", []string{map[bool]string{true: "h2", false: "http/1.1"}[c.h2]}
		c.conn = tls.Client(c.conn, config)
	}
	c.in = bufio.NewReader(c.conn)
	if !c.h2 {
		return nil
	}
	c.stream, c.block, c.fields = 1, new(bytes.Buffer), http.Header{}
	c.encoder = hpack.NewEncoder(c.block)
	c.decoder = hpack.NewDecoder(4096, func(f hpack.HeaderField) { c.fields.Add(f.Name, f.Value) })
	c.framer = http2.NewFramer(c.conn, c.in)
	if _, err := io.WriteString(c.conn, http2.ClientPreface); err != nil {
		return err
	}
	return c.framer.WriteSettings()
}

func (c *rawClient) http1(method, target, host string, fields []string) (int, http.Header, error) {
	var b, trailers strings.Builder
	body, chunked := "", false
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, target, host)
	for i := 0; i < len(fields); i += 2 {
		switch fields[i] {
		case ":body":
			body, chunked = fields[i+1], true
		case ":trailer":
			fmt.Fprintf(&trailers, "%s\r\n", fields[i+1])
		default:
			fmt.Fprintf(&b, "%s: %s\r\n", fields[i], fields[i+1])
		}
	}
	if chunked {
		fmt.Fprintf(&b, "Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n%s\r\n", len(body), body, &trailers)
	} else {
		b.WriteString("\r\n")
	}
	_ = c.conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(c.conn, b.String()); err != nil {
		return 0, nil, err
	}
	resp, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusSwitchingProtocols {
		c.close()
		return resp.StatusCode, resp.Header, nil
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return 0, nil, err
	}
	if resp.Close {
		c.close()
	}
	return resp.StatusCode, resp.Header, nil
}

func (c *rawClient) http2(method, target, host string, fields []string) (int, http.Header, error) {
	c.block.Reset()
	c.fields = http.Header{}
	write := func(name, value string) {
		_ = c.encoder.WriteField(hpack.HeaderField{Name: name, Value: value})
	}
	for _, f := range [][2]string{{":method", method}, {":scheme", "http"}, {":authority", host}, {":path", target}} {
		write(f[0], f[1])
	}
	body, trailers := "", [][2]string{}
	for i := 0; i < len(fields); i += 2 {
		switch fields[i] {
		case ":body":
			body = fields[i+1]
		case ":trailer":
			name, value, _ := strings.Cut(fields[i+1], ": ")
			trailers = append(trailers, [2]string{strings.ToLower(name), value})
		default:
			write(strings.ToLower(fields[i]), fields[i+1])
		}
	}
	_ = c.conn.SetDeadline(time.Now().Add(20 * time.Second))
	id := c.stream
	c.stream += 2
	err := c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.block.Bytes(), EndHeaders: true, EndStream: body == ""})
	if err == nil && body != "" {
		err = c.framer.WriteData(id, len(trailers) == 0, []byte(body))
	}
	if err == nil && len(trailers) > 0 {
		c.block.Reset()
		for _, f := range trailers {
			write(f[0], f[1])
		}
		err = c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.block.Bytes(), EndHeaders: true, EndStream: true})
	}
	if err != nil {
		return 0, nil, err
	}
	return c.answer2(id)
}

// answer2 reads frames until a stream ends.
func (c *rawClient) answer2(id uint32) (int, http.Header, error) {
	for {
		frame, err := c.framer.ReadFrame()
		if err != nil {
			return 0, nil, err
		}
		ended := false
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				err = c.framer.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !f.IsAck() {
				err = c.framer.WritePing(true, f.Data)
			}
		case *http2.HeadersFrame:
			_, err = c.decoder.Write(f.HeaderBlockFragment())
			ended = f.StreamEnded()
		case *http2.ContinuationFrame:
			_, err = c.decoder.Write(f.HeaderBlockFragment())
		case *http2.DataFrame:
			ended = f.StreamEnded()
		case *http2.RSTStreamFrame:
			if f.StreamID == id {
				if c.fields.Get(":status") == "" {
					return 0, nil, errRefused
				}
				ended = true
			}
		case *http2.GoAwayFrame:
			if f.LastStreamID < id || f.ErrCode != http2.ErrCodeNo {
				return 0, nil, errRefused
			}
		}
		if err != nil {
			return 0, nil, err
		}
		if ended {
			status, err := strconv.Atoi(c.fields.Get(":status"))
			return status, c.fields, err
		}
	}
}

// target is one line of the corpus.
type target struct{ want, text string }

// pathCorpus reads testdata/paths.txt.
func pathCorpus(t testing.TB) (all []target) {
	t.Helper()
	text, err := os.ReadFile("testdata/paths.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), "  #")
		want, quoted, ok := strings.Cut(line, " ")
		if !ok || want == "#" {
			continue
		}
		text, err := strconv.Unquote(`"` + strings.ReplaceAll(strings.TrimSpace(quoted), `"`, `\"`) + `"`)
		if err != nil || !slices.Contains([]string{"open", "guarded", "refused"}, want) {
			t.Fatalf("testdata/paths.txt: %q: %v", line, err)
		}
		all = append(all, target{want, text})
	}
	if len(all) < 500 {
		t.Fatalf("the corpus has %d targets", len(all))
	}
	return all
}

// pathLayout is a way to write a site with a guard on /admin/* and /private*.
type pathLayout struct {
	name, site, prefix string
	private            bool // all but /public/* is guarded
}

var pathLayouts = []pathLayout{
	{name: "matchers", site: "guard /admin/*\n\tguard /private*\n\treverse_proxy $BACKEND"},
	{name: "blocks", site: "handle /admin/* {\n\t\tguard\n\t\treverse_proxy $BACKEND\n\t}\n\thandle /private* {\n\t\tguard\n\t\treverse_proxy $BACKEND\n\t}\n\thandle {\n\t\treverse_proxy $BACKEND\n\t}"},
	{name: "handle_path", prefix: "/app", site: "handle_path /app/* {\n\t\tguard /admin/*\n\t\tguard /private*\n\t\treverse_proxy $BACKEND\n\t}\n\trespond 404"},
	{name: "all but public", private: true, site: "@rest not path /public/*\n\tguard @rest\n\treverse_proxy $BACKEND"},
	{name: "route", site: "route {\n\t\t@mine path /admin/* /private*\n\t\tguard @mine\n\t\treverse_proxy $BACKEND\n\t}"},
}

var guardLine = regexp.MustCompile(`(?m)^\t*guard .*$|^\t*guard$`)

// pathSites starts a gateway with one site for each pair and returns their addresses.
// A word of the guards may be given.
func pathSites(t *testing.T, layouts []pathLayout, upstreams []*pathUpstream, word string) (*server, map[string]string) {
	t.Helper()
	s := newServer(t)
	before, _, _ := strings.Cut(mainJob, "http://$APP {")
	before = strings.Replace(before, "{\n", "{\n\tservers {\n\t\tprotocols h1 h2c\n\t}\n", 1)
	var text strings.Builder
	text.WriteString(before)
	sites := map[string]string{}
	ports := freePorts(t, len(layouts)*len(upstreams))
	for _, l := range layouts {
		for _, u := range upstreams {
			port := ports[0]
			ports = ports[1:]
			sites[l.name+"/"+u.name] = "127.0.0.1:" + port
			site := strings.ReplaceAll(l.site, "$BACKEND", u.addr)
			if word != "" {
				site = guardLine.ReplaceAllString(site, "$0 {\n\t\t"+word+"\n\t}")
			}
			fmt.Fprintf(&text, "http://:%s {\n\tbind 127.0.0.1\n\t%s\n}\n", port, site)
		}
	}
	return s.start(text.String()), sites
}

// runCorpus sends every target of the corpus to one site, as several clients do at once, and
// hands each answer to judge.
func runCorpus(addr string, h2 bool, corpus []target, prefix, name string, judge func(id string, at target, status int, h http.Header), fields ...string) {
	var wait sync.WaitGroup
	const clients = 4
	for n := range clients {
		wait.Go(func() {
			c := &rawClient{addr: addr, h2: h2}
			defer c.close()
			for i := n; i < len(corpus); i += clients {
				at := corpus[i]
				if prefix != "" && !strings.HasPrefix(at.text, "/") {
					continue
				}
				id := fmt.Sprintf("%s/%d", name, i)
				status, h := c.send("GET", prefix+at.text, "app.example", append([]string{"X-Case", id}, fields...)...)
				judge(id, at, status, h)
			}
		})
	}
	wait.Wait()
}

// Attacks 17 to 25: a target that some upstream reads as a guarded path, and the rule
// as another one. Each of the corpus comes raw, by HTTP/1.1 and HTTP/2, to every layout
// of a site and to upstreams in several languages, each of which reads its path in every
// way that its programs do. None leads anybody without a credential to what is guarded.
func TestNoTargetTalksTheGuardRound(t *testing.T) {
	upstreams := pathUpstreams(t)
	corpus := pathCorpus(t)
	s, sites := pathSites(t, pathLayouts, upstreams, "")
	bearer := "Bearer " + s.token(appCredentials)
	for _, l := range pathLayouts {
		for _, u := range upstreams {
			if u.name != "go" && l.name != "matchers" && l.name != "handle_path" {
				continue // what is refused looks alike to all of them
			}
			for _, h2 := range []bool{false, true} {
				name := fmt.Sprintf("%s/%s/h2=%v", l.name, u.name, h2)
				t.Run(name, func(t *testing.T) {
					addr := sites[l.name+"/"+u.name]
					runCorpus(addr, h2, corpus, l.prefix, name, func(id string, at target, status int, h http.Header) { judgeTarget(t, u, l, id, at, status, h) })
					withToken := slices.DeleteFunc(slices.Clone(corpus), func(at target) bool { return at.want != "guarded" })
					runCorpus(addr, h2, withToken, l.prefix, name+"/token", func(id string, at target, status int, _ http.Header) {
						a, ok := u.wait(id)
						if status != 200 || !ok || len(a.Reached) == 0 || !slices.Equal(a.field("Remote-User"), []string{"service-account-app"}) {
							t.Errorf("%q with a token: %d, %+v", at.text, status, a)
						}
					}, "Authorization", bearer)
				})
			}
		}
	}
	for _, u := range upstreams {
		u.mu.Lock()
		for _, a := range u.seen {
			if len(a.Reached) > 0 && !slices.Equal(a.field("Remote-User"), []string{"service-account-app"}) {
				t.Errorf("%s, %s: %q reached what is guarded by %v, of nobody", u.name, a.Case, a.Target, a.Reached)
			}
		}
		if len(u.seen) == 0 {
			t.Errorf("nothing reached the upstream in %s", u.name)
		}
		u.mu.Unlock()
	}
}

// judgeTarget judges the answer to one target of the corpus without a credential.
func judgeTarget(t *testing.T, u *pathUpstream, l pathLayout, id string, at target, status int, h http.Header) {
	t.Helper()
	want := at.want
	if want == "open" && l.private && !strings.HasPrefix(at.text, "/public/") {
		want = "guarded"
	}
	switch want {
	case "open":
		if status == 400 && u.name == "java" {
			return // its URI class is stricter than RFC 3986 asks for
		}
		if _, ok := u.wait(id); !ok || status != 200 {
			t.Errorf("%q, which is open: %d", at.text, status)
		}
		return
	case "guarded":
		if status != 401 || h.Get("WWW-Authenticate") == "" {
			t.Errorf("%q, which is guarded: %d", at.text, status)
		}
	case "refused":
		if status != 400 && status != 0 {
			t.Errorf("%q, which is ambiguous: %d", at.text, status)
		}
	}
	if a, ok := u.arrived(id); ok {
		t.Errorf("%q reached the upstream: %+v", at.text, a)
	}
}

// The corpus bites: with lenient_paths, which switches the judgement off, some target
// of it leads every upstream to what is guarded, without a credential.
func TestLenientPathsAreTalkedRound(t *testing.T) {
	upstreams := pathUpstreams(t)
	corpus := slices.DeleteFunc(pathCorpus(t), func(at target) bool { return at.want != "refused" })
	_, sites := pathSites(t, pathLayouts[:1], upstreams, "lenient_paths")
	for _, u := range upstreams {
		runCorpus(sites["matchers/"+u.name], false, corpus, "", "lenient/"+u.name, func(string, target, int, http.Header) {})
		ways := map[string]bool{}
		u.mu.Lock()
		for _, a := range u.seen {
			for _, reading := range a.Reached {
				ways[reading] = true
			}
		}
		u.mu.Unlock()
		if len(ways) < 2 {
			t.Errorf("%s: only the readings %v are talked round by the corpus", u.name, ways)
		}
		t.Logf("%s: talked round by %d readings", u.name, len(ways))
	}
}

// Attack 26: rewrites stand before the guard. What came must be plain; the rule then
// sees the path as it is by then, which is what goes to the upstream.
func TestRewritesBeforeTheGuard(t *testing.T) {
	u := pathUpstreams(t)[0]
	s := newServer(t)
	for name, text := range map[string]string{"secret.txt": "secret", "index.html": "index", "secrets/index.html": "secret", "open/a.txt": "open"} {
		file := filepath.Join(s.dir, "www", name)
		must(t, os.MkdirAll(filepath.Dir(file), 0o700))
		must(t, os.WriteFile(file, []byte(text), 0o600))
	}
	before, _, _ := strings.Cut(mainJob, "http://$APP {")
	ports := freePorts(t, 2)
	s.start(before + "http://:" + ports[0] + ` {
	bind 127.0.0.1
	rewrite /alias /admin/alias
	rewrite /admin/open /public/open
	rewrite /query /public/x?next=/admin/x
	rewrite /dirty /public/../admin/x
	rewrite /dirtier /admin/..;/x
	uri /strip/* strip_prefix /strip
	uri /old/* replace /old/ /admin/
	uri /new/* path_regexp ^/new/ /admin/
	guard /admin/*
	reverse_proxy ` + u.addr + `
}
http://:` + ports[1] + ` {
	bind 127.0.0.1
	root * $DIR/www
	try_files {path} {path}/index.html /secret.txt
	guard /secret*
	file_server
}
`)
	token := s.token(appCredentials)
	for _, c := range []struct {
		site       int
		path, sent string // what the upstream gets where it is reached
		want       int    // without a credential; a 401 is a 200 with one
	}{
		{0, "/alias", "/admin/alias", 401}, {0, "/admin/open", "/public/open", 200}, {0, "/query", "/public/x?next=/admin/x", 200},
		{0, "/strip/admin/x", "/admin/x", 401}, {0, "/strip/public/x", "/public/x", 200}, {0, "/STRIP/ADMIN/x", "/ADMIN/x", 401}, {0, "/strip/strip/admin/x", "/strip/admin/x", 200},
		{0, "/strip/%61dmin/x", "/%61dmin/x", 401},
		{0, "/old/x", "/admin/x", 401}, {0, "/new/x", "/admin/x", 401}, {0, "/x/old/x", "/x/old/x", 200},
		{0, "/strip//admin/x", "", 400}, {0, "/strip/../admin/x", "", 400}, {0, "/strip/%2e%2e/admin/x", "", 400}, {0, "/strip%2fadmin/x", "", 400}, {0, "/old/..%2fx", "", 400},
		{0, "/alias/../public", "", 400}, {0, "/alias?a#b", "", 400}, {0, "/dirty", "", 400}, {0, "/dirtier", "", 400},
		{1, "/open/a.txt", "", 200}, {1, "/secret.txt", "", 401}, {1, "/nowhere", "", 401}, {1, "/secrets", "", 401}, {1, "/SECRETS/", "", 401}, {1, "/", "", 200},
		{1, "/open/../secret.txt", "", 400}, {1, "/open/%2e%2e/secret.txt", "", 400}, {1, "/open/..%5csecret.txt", "", 400},
	} {
		client := &rawClient{addr: "127.0.0.1:" + ports[c.site]}
		for _, credential := range [][]string{nil, {"Authorization", "Bearer " + token}} {
			want := c.want
			if credential != nil && want == 401 {
				want = 200
			}
			id := fmt.Sprintf("rewrite/%d%s/%v", c.site, c.path, credential != nil)
			status, _ := client.send("GET", c.path, "app.example", append([]string{"X-Case", id}, credential...)...)
			if status != want {
				t.Errorf("%s, with a token %v: %d, want %d", c.path, credential != nil, status, want)
			}
			if reaches := want == 200 && c.site == 0; reaches {
				if a, _ := u.wait(id); a.Target != c.sent {
					t.Errorf("%s, with a token %v: the upstream got %q, want %q", c.path, credential != nil, a.Target, c.sent)
				}
			} else if a, ok := u.arrived(id); ok {
				t.Errorf("%s, with a token %v: the upstream got %q", c.path, credential != nil, a.Target)
			}
		}
		client.close()
	}
}

// Attacks 27 to 29, 31 and 33: methods and their overrides, probes, and hosts that look
// like another one.
func TestMethodsAndHosts(t *testing.T) {
	u := pathUpstreams(t)[0]
	s := newServer(t)
	before, _, _ := strings.Cut(strings.Replace(mainJob, "{\n", "{\n\tservers {\n\t\tprotocols h1 h2c\n\t}\n", 1), "http://$APP {")
	ports := freePorts(t, 2)
	s.start(before + "http://:" + ports[0] + " {\n\tbind 127.0.0.1\n\tguard /admin/*\n\t@mine host admin.example *.admin.example\n\tguard @mine\n\treverse_proxy " + u.addr + "\n}\n" +
		"http://app.example:" + ports[1] + " {\n\tbind 127.0.0.1\n\tguard\n\treverse_proxy " + u.addr + "\n}\n")
	preflight := []string{"Origin", "https://spa.example", "Access-Control-Request-Method", "GET"}
	for i, c := range []struct {
		site                 int
		h2                   bool
		method, target, host string
		fields               []string
		want                 int
		reaches              bool
	}{
		{method: "GET", target: "/admin/x", fields: []string{"X-HTTP-Method-Override", "OPTIONS"}, want: 401},
		{method: "POST", target: "/admin/x?_method=OPTIONS", want: 401},
		{method: "OPTIONS", target: "/admin/x", want: 401},
		{method: "OPTIONS", target: "/admin/x", fields: preflight, want: 200, reaches: true},
		{method: "OPTIONS", target: "/admin/x", fields: append(slices.Clone(preflight), "X-HTTP-Method-Override", "DELETE"), want: 401},
		{method: "OPTIONS", target: "/public/../admin/x", fields: preflight, want: 400},
		{method: "TRACE", target: "/admin/x", want: 405},
		{method: "CONNECT", target: "/admin/x", want: 405},
		{method: "CONNECT", target: "internal:22", host: "internal:22", want: 400},
		{method: "HEAD", target: "/admin/x", want: 401},
		{method: "BREW", target: "/admin/x", want: 401},
		{method: "get", target: "/admin/x", want: 405},
		{method: "GET", target: "/admin/x", fields: []string{"User-Agent", "kube-probe/1.31"}, want: 401},
		{method: "GET", target: "/admin/healthz", fields: []string{"User-Agent", "GoogleHC/1.0"}, want: 401},
		{method: "GET", target: "/admin/x", fields: []string{"User-Agent", "ELB-HealthChecker/2.0"}, want: 401},
		{method: "GET", target: "/admin/x", fields: []string{"X-Original-URL", "/public", "X-Rewrite-URL", "/public", "X-Forwarded-Uri", "/public"}, want: 401},
		{method: "GET", target: "/x", host: "admin.example", want: 401},
		{method: "GET", target: "/x", host: "ADMIN.Example", want: 401},
		{method: "GET", target: "/x", host: "admin.example:8080", want: 401},
		{method: "GET", target: "/x", host: "a.admin.example", want: 401},
		{method: "GET", target: "/x", host: "evil-admin.example", want: 200, reaches: true},
		{method: "GET", target: "/x", host: "admin.example.evil", want: 200, reaches: true},
		{method: "GET", target: "/x", host: "admin.example.", want: 400},
		{method: "GET", target: "/x", host: "admin..example", want: 400},
		{method: "GET", target: "/x", host: "evil@admin.example", want: 400},
		{method: "GET", target: "/x", host: "admin.example:", want: 400},
		{method: "GET", target: "/x", host: "admin.example:80:80", want: 400},
		{method: "GET", target: "/x", host: "admin.example, x", want: 400},
		{method: "GET", target: "/x", host: "app.example\r\nHost: admin.example", want: 400},
		{method: "GET", target: "http://admin.example/x", want: 400},
		{method: "GET", target: "http://app.example/x", host: "admin.example", want: 400},
		{method: "GET", target: "//admin.example/x", want: 400},
		{h2: true, method: "GET", target: "/x", host: "app.example", fields: []string{"Host", "admin.example"}, want: 400},
		{h2: true, method: "GET", target: "/x", host: "admin.example", fields: []string{"Host", "app.example"}, want: 400},
		{h2: true, method: "GET", target: "/x", host: "admin.example.", want: 400},
		{h2: true, method: "GET", target: "/x", host: "admin.example", want: 401},
		{site: 1, method: "GET", target: "/x", want: 401},
		{site: 1, method: "GET", target: "/x", host: "APP.EXAMPLE", want: 401},
		{site: 1, method: "GET", target: "/x", host: "evil-app.example", want: 200},
		{site: 1, method: "GET", target: "/x", host: "app.example.", want: 200}, // another site's, and there is none
		{site: 1, method: "GET", target: "/x", host: "app.example.evil", want: 200},
		{site: 1, method: "GET", target: "http://app.example/x", host: "other.example", want: 400},
	} {
		id := fmt.Sprintf("hosts/%d", i)
		client := &rawClient{addr: "127.0.0.1:" + ports[c.site], h2: c.h2}
		host := c.host
		if host == "" {
			host = "app.example"
		}
		status, _ := client.send(c.method, c.target, host, append([]string{"X-Case", id}, c.fields...)...)
		client.close()
		if status != c.want && (c.want != 400 || status != 0) {
			t.Errorf("%s %s, Host %s, %q: %d, want %d", c.method, c.target, host, c.fields, status, c.want)
		}
		reached := u.arrived
		if c.reaches {
			reached = u.wait
		}
		if a, ok := reached(id); ok != c.reaches {
			t.Errorf("%s %s, Host %s, %q reached the upstream: %v %+v", c.method, c.target, host, c.fields, ok, a)
		}
	}
}

// The refusal of a target looks alike wherever it is judged: before an open path, where
// handle_errors may answer it, and at a guard. It is counted. lenient_paths at one guard
// leaves the site to its guards, of which each other one judges as before, also what a
// rewrite has made plain since.
func TestRefusalOfTargets(t *testing.T) {
	u := pathUpstreams(t)[0]
	s := newServer(t)
	before, _, _ := strings.Cut(strings.Replace(mainJob, "{\n", "{\n\tmetrics\n", 1), "http://$APP {")
	ports := freePorts(t, 2)
	s.start(before + "http://$METRICS {\n\tbind 127.0.0.1\n\tmetrics\n}\nhttp://:" + ports[0] + " {\n\tbind 127.0.0.1\n\tguard /admin/*\n\treverse_proxy " + u.addr + "\n\thandle_errors {\n\t\trespond \"sorry: {err.status_code}\"\n\t}\n}\n" +
		"http://:" + ports[1] + " {\n\tbind 127.0.0.1\n\turi /plain/* path_regexp .* /admin/x\n\tguard /files/* {\n\t\tlenient_paths\n\t}\n\tguard /admin/*\n\treverse_proxy " + u.addr + "\n}\n")
	token := s.token(appCredentials)
	for _, c := range []struct {
		site   int
		target string
		token  bool
		want   int
	}{
		{0, "/public/%2e%2e/admin/x", false, 400}, {0, "/public/a%2fb", true, 400}, {0, "/admin/a%2fb", true, 400}, {0, "/admin//x", true, 400}, {0, "/public/x", false, 200},
		{1, "/public/a%2fb", false, 200}, {1, "/files/a%2fb", true, 200}, {1, "/files/a%2fb", false, 401}, {1, "/admin/a%2fb", true, 400}, {1, "/admin/a%2fb", false, 400},
		{1, "/plain/x", true, 200}, {1, "/plain/a%2fb", true, 400}, {1, "/plain/..;/x", true, 400},
	} {
		client := &rawClient{addr: "127.0.0.1:" + ports[c.site]}
		var fields []string
		if c.token {
			fields = []string{"Authorization", "Bearer " + token}
		}
		status, header := client.send("GET", c.target, "app.example", fields...)
		client.close()
		if status != c.want || status == 400 && header.Get("Cache-Control") != "no-store" {
			t.Errorf("site %d, %s, with a token %v: %d %v, want %d", c.site, c.target, c.token, status, header, c.want)
		}
	}
	if a := send(t, "GET", "http://127.0.0.1:"+ports[0]+"/public/a%2fb", ""); a.body != "sorry: 400" {
		t.Errorf("handle_errors answers %d %q", a.status, a.body)
	}
	if a := send(t, "GET", "http://"+s.vars["METRICS"]+"/metrics", ""); !strings.Contains(a.body, `gatehouse_guard_refusals_total{reason="target"} 9`) {
		for line := range strings.Lines(a.body) {
			if strings.Contains(line, "refusals") {
				t.Error(line)
			}
		}
	}
}
