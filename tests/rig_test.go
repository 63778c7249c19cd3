package tests

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// binary is the real program, built once with the race detector.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "gatehouse-tests-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "gatehouse")
		build := exec.Command("go", "build", "-race", "-pgo=off", "-o", binary, "../cmd/gatehouse")
		build.Stdout, build.Stderr = os.Stderr, os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintln(os.Stderr, "building the binary:", err)
			return 1
		}
		return m.Run()
	}())
}

// lastPort counts the ports that were tried, so that no two tests get the same.
var lastPort atomic.Uint32

// freePorts returns n ports that nothing listens on. They are below those that the system
// gives to outgoing connections, which would take one before its server does.
func freePorts(t testing.TB, n int) []string {
	t.Helper()
	ports := make([]string, n)
	for i := range ports {
		var l net.Listener
		var err error
		for range 1000 {
			if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10_000+(uint32(os.Getpid())*97+lastPort.Add(1))%20_000)); err == nil {
				break
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, ports[i], _ = net.SplitHostPort(l.Addr().String())
	}
	return ports
}

// lockedBuffer collects what a process writes.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// server is a running Gatehouse.
type server struct {
	t       testing.TB
	dir     string            // its working and data directory
	vars    map[string]string // replaced in Caddyfiles: $AUTH and so on
	stockGC bool              // the collector as Go has it
	wrap    []string          // a command that runs the binary, its arguments first; usually none
	cmd     *exec.Cmd
	output  *lockedBuffer
	done    chan error

	mu      sync.Mutex
	secrets []string // what none of its output may hold
}

// newServer prepares a place for a Gatehouse: a directory and the variables ADMIN,
// AUTH, APP, UP and METRICS (host:port each) and DIR for its Caddyfiles.
func newServer(t testing.TB) *server {
	t.Helper()
	ports := freePorts(t, 5)
	s := &server{t: t, dir: t.TempDir(), vars: map[string]string{}, stockGC: true}
	for i, name := range []string{"ADMIN", "AUTH", "APP", "UP", "METRICS"} {
		s.vars[name] = "127.0.0.1:" + ports[i]
	}
	s.vars["DIR"] = s.dir
	return s
}

// fill replaces the variables of a Caddyfile.
func (s *server) fill(text string) string {
	for name, value := range s.vars {
		text = strings.ReplaceAll(text, "$"+name, value)
	}
	return text
}

// command prepares the binary with arguments in the server's directory.
func (s *server) command(ctx context.Context, args ...string) *exec.Cmd {
	line := append(append(slices.Clone(s.wrap), binary), args...)
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+filepath.Join(s.dir, "data"), "XDG_CONFIG_HOME="+filepath.Join(s.dir, "config"), "HOME="+s.dir, "GORACE=halt_on_error=1")
	if s.stockGC { // or the race detector would multiply the heap floor of our own binary
		cmd.Env = append(cmd.Env, "GOGC=100")
	}
	return cmd
}

// write puts a Caddyfile into the server's directory and returns its path.
func (s *server) write(caddyfile string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, "Caddyfile")
	if err := os.WriteFile(path, []byte(s.fill(caddyfile)), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// start runs the Caddyfile until the test ends and waits until it serves.
func (s *server) start(caddyfile string) *server {
	s.t.Helper()
	if err := s.tryStart(caddyfile); err != nil {
		s.t.Fatalf("%v\n%s", err, s.output)
	}
	return s
}

// tryStart is start for those who expect it to fail: the error says how it ended.
func (s *server) tryStart(caddyfile string) error {
	s.t.Helper()
	s.output, s.done = new(lockedBuffer), make(chan error, 1)
	s.cmd = s.command(context.Background(), "run", "--config", s.write(s.prepared(caddyfile)), "--adapter", "caddyfile")
	s.cmd.Stdout, s.cmd.Stderr = s.output, s.output
	if err := s.cmd.Start(); err != nil {
		return err
	}
	cmd, done := s.cmd, s.done
	go func() { done <- cmd.Wait() }()
	s.t.Cleanup(func() { s.stop() })
	limit := time.After(60 * time.Second)
	for {
		select {
		case err := <-s.done:
			s.done <- err
			return fmt.Errorf("it ended while starting: %w", errors.Join(err, errors.New("see its output")))
		case <-limit:
			return errors.New("it did not serve within a minute")
		case <-time.After(20 * time.Millisecond):
		}
		if strings.Contains(s.output.String(), "serving initial configuration") {
			return nil
		}
	}
}

// stop ends the process as an operator would and checks its last words.
func (s *server) stop() {
	s.t.Helper()
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.done:
	case <-time.After(30 * time.Second):
		_ = s.cmd.Process.Kill()
		<-s.done
		s.t.Errorf("it did not stop within 30 s:\n%s", s.output)
	}
	s.cmd = nil
	s.checkOutput()
}

// kill ends the process as a power cut would.
func (s *server) kill() {
	s.t.Helper()
	_ = s.cmd.Process.Kill()
	<-s.done
	s.cmd = nil
	s.checkOutput()
}

// secret registers texts that must not turn up in the server's output.
func (s *server) secret(texts ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, text := range texts {
		if len(text) >= 8 { // a shorter one is in any output by chance
			s.secrets = append(s.secrets, text)
		}
	}
}

var secretLine = regexp.MustCompile(`(?m)^\s*(?:secret|client_secret|password_hash|totp_secret|tenant_key)\s+(.+)$`)

// prepared is the Caddyfile with logging at debug level, where the most could slip
// out. The literal secrets in it are registered.
func (s *server) prepared(caddyfile string) string {
	for _, found := range secretLine.FindAllStringSubmatch(s.fill(caddyfile), -1) {
		for word := range strings.FieldsSeq(found[1]) {
			if !strings.HasPrefix(word, "{") {
				s.secret(strings.Trim(word, "\"`"))
			}
		}
	}
	if strings.Contains(caddyfile, "\tdebug\n") {
		return caddyfile
	}
	return strings.Replace(caddyfile, "admin $ADMIN\n", "admin $ADMIN\n\tdebug\n", 1)
}

func (s *server) checkOutput() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, secret := range s.secrets {
		if at := strings.Index(s.output.String(), secret); at >= 0 {
			line := s.output.String()[:at]
			s.t.Errorf("its output holds the secret %q, after: %s", secret, line[strings.LastIndexByte(line, '\n')+1:])
		}
	}
	for _, bad := range []string{"DATA RACE", "panic:", "fatal error:", "\"logger\":\"http.log.error\",\"msg\":\"panic"} {
		if strings.Contains(s.output.String(), bad) {
			s.t.Errorf("its output has %q:\n%s", bad, s.output)
		}
	}
}

// reload loads another Caddyfile through the admin endpoint, as `caddy reload` does.
// The error is the refusal's text.
func (s *server) reload(caddyfile string) error {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, "http://"+s.vars["ADMIN"]+"/load", strings.NewReader(s.fill(s.prepared(caddyfile))))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "text/caddyfile")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%d: %s", resp.StatusCode, body)
	}
	return nil
}

// answer is a response read to its end.
type answer struct {
	status int
	header http.Header
	body   string
}

// json returns the body as a JSON object.
func (a answer) json(t testing.TB) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(a.body), &m); err != nil {
		t.Fatalf("%d %q is not a JSON object: %v", a.status, a.body, err)
	}
	return m
}

// client does not follow redirects and does not wait for ever.
var client = &http.Client{
	Timeout:       30 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Transport:     &http.Transport{MaxIdleConnsPerHost: 600},
}

// send makes a request; headers are name, value pairs.
func send(t testing.TB, method, url, body string, headers ...string) answer {
	t.Helper()
	a, err := trySend(t.Context(), method, url, body, headers...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// trySend tries what is idempotent twice: a reload closes listeners and idle connections, and a
// connection that meets its end so is taken up anew (RFC 9110 §9.2.2, RFC 9112 §9.5).
func trySend(ctx context.Context, method, url, body string, headers ...string) (answer, error) {
	a, err := sendOnce(ctx, method, url, body, headers...)
	if method != http.MethodPost && method != http.MethodPatch && (errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF)) {
		return sendOnce(ctx, method, url, body, headers...)
	}
	return a, err
}

func sendOnce(ctx context.Context, method, url, body string, headers ...string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(b)}, err
}

const form = "application/x-www-form-urlencoded"

// token gets an access token by client credentials.
func (s *server) token(body string) string {
	s.t.Helper()
	ask := func() (answer, error) {
		return trySend(s.t.Context(), "POST", "http://"+s.vars["AUTH"]+"/oauth2/token", "grant_type=client_credentials&"+body, "Content-Type", form)
	}
	a, err := ask()
	if err != nil { // see trySend; a second token does no harm
		a, err = ask()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	if a.status != http.StatusOK {
		s.t.Fatalf("no token: %d %s", a.status, a.body)
	}
	token := a.json(s.t)["access_token"].(string)
	s.secret(token)
	return token
}

// revoke ends a token and fails the test unless that is answered as done.
func (s *server) revoke(token, credentials string) {
	s.t.Helper()
	a := send(s.t, "POST", "http://"+s.vars["AUTH"]+"/oauth2/revoke", credentials+"&token="+token, "Content-Type", form)
	if a.status != http.StatusOK {
		s.t.Fatalf("not revoked: %d %s", a.status, a.body)
	}
}

// app calls the guarded site with a bearer token.
func (s *server) app(token string) answer {
	s.t.Helper()
	return send(s.t, "GET", "http://"+s.vars["APP"]+"/", "", "Authorization", "Bearer "+token)
}
