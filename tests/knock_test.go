package tests

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// knocks reads how often a knock is repeated: fewer times in every run of the tests,
// more on demand (GATEHOUSE_KNOCKS=full).
func knocks(usual, full int) int {
	if os.Getenv("GATEHOUSE_KNOCKS") == "full" {
		return full
	}
	return usual
}

// adaHash is the hash of "ada's password 1", as cheap as the bounds allow.
const adaHash = "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$yI4MUHfm5kv1DU4oTjNnEoeco2K1AqszDmaNMnPHHpg"

// withLogins is the main job with opaque tokens, a user, the dialect that logs users
// in, and a guard without demands.
var withLogins = strings.NewReplacer(
	"realm demo {", "realm demo {\n\t\t\taccess_token opaque 1h\n\t\t\tuser ada {\n\t\t\t\tpassword_hash "+adaHash+"\n\t\t\t}",
	"	guard {\n		scopes read\n	}", "	guard",
	"	gatehouse\n}", "	gatehouse {\n		dialects oauth keycloak\n	}\n}",
).Replace(mainJob)

// login logs ada in and returns the access and the refresh token.
func (s *server) login(ctx context.Context) (access, refresh string, err error) {
	a, err := trySend(ctx, "POST", "http://"+s.vars["AUTH"]+"/auth/api/v1/oauth/connect/user/login",
		"username=ada&password="+url.QueryEscape("ada's password 1"), "Content-Type", form)
	return s.pair(a, err)
}

// few reports whether so few secrets are registered that looking for one more costs
// little: a knock makes thousands.
func (s *server) few() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.secrets) < 100
}

func (s *server) refresh(ctx context.Context, token string) (access, refresh string, err error) {
	a, err := trySend(ctx, "POST", "http://"+s.vars["AUTH"]+"/oauth2/token",
		"grant_type=refresh_token&client_id=gatehouse&refresh_token="+token, "Content-Type", form)
	return s.pair(a, err)
}

func (s *server) pair(a answer, err error) (access, refresh string, _ error) {
	if err != nil {
		return "", "", err
	}
	if a.status != 200 {
		return "", "", fmt.Errorf("%d %s", a.status, a.body)
	}
	m := a.json(s.t)
	access, refresh = m["access_token"].(string), m["refresh_token"].(string)
	if s.few() {
		s.secret("ada's password 1", access, refresh)
	}
	return access, refresh, nil
}

// acknowledged is what callers were told and what must therefore be so.
type acknowledged struct {
	mu    sync.Mutex
	alive map[string]string // access token to the refresh token that came with it
	ended map[string]string
	grew  chan struct{} // an answer was kept
}

func newAcknowledged() *acknowledged {
	return &acknowledged{alive: map[string]string{}, ended: map[string]string{}, grew: make(chan struct{}, 1000)}
}

// wait returns when so many more answers were kept, or none comes for long.
func (k *acknowledged) wait(answers int) {
	for range answers {
		select {
		case <-k.grew:
		case <-time.After(5 * time.Second):
			return
		}
	}
}

func (k *acknowledged) handedOut(access, refresh string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.alive[access] = refresh
	select {
	case k.grew <- struct{}{}:
	default:
	}
}

// asked takes a token out: its fate is open until the answer.
func (k *acknowledged) asked(access string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.alive, access)
}

func (k *acknowledged) wasEnded(access, refresh string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ended[access] = refresh
}

// Knock: the process is killed at any moment, again and again, while tokens are
// issued, refreshed and revoked. Nothing handed out is lost, nothing ended comes back.
func TestKillAtAnyMoment(t *testing.T) {
	s := newServer(t)
	known := newAcknowledged()
	rounds, told := knocks(200, 1000), 0
	for round := range rounds {
		s.start(withLogins)
		s.compare(known, round)
		if t.Failed() {
			return
		}
		known = newAcknowledged()
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for worker := range 3 {
			wg.Go(func() { s.work(ctx, known, worker) })
		}
		known.wait(5 + rand.IntN(15))
		time.Sleep(time.Duration(rand.IntN(5000)) * time.Microsecond) //nolint:forbidigo // the kill comes at any moment
		s.kill()
		cancel()
		wg.Wait()
		client.CloseIdleConnections()
		told += len(known.alive) + len(known.ended)
		if round%50 == 49 {
			t.Logf("%d of %d rounds, %d answers kept", round+1, rounds, told)
		}
	}
	if told < 3*rounds {
		t.Errorf("only %d answers in %d rounds: the kill comes too early to prove anything", told, rounds)
	}
}

// work logs in, refreshes and revokes until the process is gone.
func (s *server) work(ctx context.Context, known *acknowledged, worker int) {
	for i := worker; ctx.Err() == nil; i++ {
		access, refresh, err := s.login(ctx)
		if err != nil {
			return
		}
		known.handedOut(access, refresh)
		switch i % 3 {
		case 0:
			known.asked(access)
			a, err := trySend(ctx, "POST", "http://"+s.vars["AUTH"]+"/oauth2/revoke", "client_id=gatehouse&token="+refresh, "Content-Type", form)
			if err != nil || a.status != 200 {
				return
			}
			known.wasEnded(access, refresh)
		case 1:
			known.asked(access)
			next, successor, err := s.refresh(ctx, refresh)
			if err != nil {
				return
			}
			known.handedOut(access, successor)
			known.handedOut(next, successor)
		}
	}
}

// compare asks the new process about what the last one said.
func (s *server) compare(known *acknowledged, round int) {
	s.t.Helper()
	for access, refresh := range known.alive {
		if a := s.app(access).status; a != 200 {
			s.t.Errorf("round %d: a token that was handed out gets %d", round, a)
		}
		if _, _, err := s.refresh(s.t.Context(), refresh); err != nil {
			s.t.Errorf("round %d: a refresh token that was handed out: %v", round, err)
		}
	}
	for access, refresh := range known.ended {
		if a := s.app(access).status; a != 401 {
			s.t.Errorf("round %d: a token that was ended gets %d", round, a)
		}
		if _, _, err := s.refresh(s.t.Context(), refresh); err == nil {
			s.t.Errorf("round %d: a refresh token that was ended is good", round)
		}
	}
}

// Knock: the disk is full, and then it is not. Meanwhile nothing is answered as done
// that was not, cached verdicts go on, and no restart is needed afterwards.
func TestDiskFull(t *testing.T) {
	s := newServer(t)
	disk := filepath.Join(s.dir, "disk")
	inside := s.onSmallDisk(disk, withLogins)
	good, refresh, err := s.login(t.Context())
	if err != nil || s.app(good).status != 200 {
		t.Fatal(err)
	}
	inside("cat /dev/zero > " + disk + "/fill 2>/dev/null")
	refused := 0
	for range 400 { // SQLite has some room of its own before it meets the end
		a := send(t, "POST", "http://"+s.vars["AUTH"]+"/oauth2/token", appCredentials+"&grant_type=client_credentials", "Content-Type", form)
		if a.status == 200 {
			continue
		}
		if a.status != 503 || a.header.Get("Retry-After") == "" || strings.Contains(a.body, disk) {
			t.Fatalf("%d %s %s", a.status, a.header, a.body)
		}
		if refused++; refused == 3 {
			break
		}
	}
	if refused < 3 {
		t.Fatal("the disk never was full")
	}
	a := send(t, "POST", "http://"+s.vars["AUTH"]+"/oauth2/revoke", "client_id=gatehouse&token="+refresh, "Content-Type", form)
	if a.status != 503 {
		t.Errorf("a revocation that cannot be kept is answered %d (attack 104)", a.status)
	}
	if got := s.app(good).status; got != 200 {
		t.Errorf("reading needs no room, and yet a good token gets %d", got)
	}
	inside("rm " + disk + "/fill")
	a = send(t, "POST", "http://"+s.vars["AUTH"]+"/oauth2/revoke", "client_id=gatehouse&token="+refresh, "Content-Type", form)
	if a.status != 200 || s.app(good).status != 401 {
		t.Errorf("with room again: %d, then the guard %d", a.status, s.app(good).status)
	}
}

// onSmallDisk starts the Caddyfile with its database on a disk of 3 MiB. inside runs a
// script where that disk can be seen.
func (s *server) onSmallDisk(disk, caddyfile string) (inside func(script string)) {
	s.t.Helper()
	if err := os.Mkdir(disk, 0o700); err != nil {
		s.t.Fatal(err)
	}
	s.wrap = []string{"unshare", "--map-root-user", "--mount", "sh", "-c", `mount -t tmpfs -o size=3m tmpfs "$0" && exec "$@"`, disk}
	s.start(strings.Replace(caddyfile, "$DIR/gatehouse.db", "$DIR/disk/gatehouse.db", 1))
	return func(script string) {
		out, err := exec.CommandContext(s.t.Context(), "nsenter", "--user", "--preserve-credentials", "--mount", "-t", strconv.Itoa(s.cmd.Process.Pid), "sh", "-c", script).CombinedOutput()
		if err != nil && !strings.Contains(script, "fill") {
			s.t.Fatalf("%v %s", err, out)
		}
	}
}

// Knock: a disk that may only be read is refused at the start, and says so.
func TestDiskReadOnly(t *testing.T) {
	s := newServer(t).start(withLogins)
	s.stop()
	s.wrap = []string{"unshare", "--map-root-user", "--mount", "sh", "-c", `mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"`, s.dir}
	err := s.tryStart(withLogins)
	if err == nil || !strings.Contains(s.output.String(), "gatehouse.db") || !strings.Contains(s.output.String(), "read-only") {
		t.Errorf("%v\n%s", err, s.output)
	}
	s.cmd, s.wrap = nil, nil
	s.start(withLogins)
	if _, _, err := s.login(t.Context()); err != nil {
		t.Errorf("writable again: %v", err)
	}
}

// Knock: a flood of bad tokens and of bad logins leaves memory bounded and good
// callers alone.
func TestFloods(t *testing.T) {
	s := newServer(t).start(withLogins)
	good, _, err := s.login(t.Context())
	if err != nil || s.app(good).status != 200 {
		t.Fatal(err)
	}
	before := s.memory()
	n := knocks(20_000, 1_000_000)
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range n / 8 {
				a, err := trySend(t.Context(), "GET", "http://"+s.vars["APP"]+"/", "", "Authorization", fmt.Sprintf("Bearer gateat_%043d", i*8+worker))
				if err != nil || a.status != 401 {
					t.Errorf("a bad token: %v %d", err, a.status)
					return
				}
			}
		})
	}
	wg.Wait()
	throttled := 0
	for i := range n / 100 {
		a := send(t, "POST", "http://"+s.vars["AUTH"]+"/auth/api/v1/oauth/connect/user/login", fmt.Sprintf("username=user%d&password=x", i), "Content-Type", form)
		switch {
		case a.status == 429 && a.header.Get("Retry-After") != "":
			throttled++
		case a.status != 401:
			t.Fatalf("a bad login: %d %s", a.status, a.body)
		}
	}
	if throttled != n/100-100 {
		t.Errorf("%d of %d logins from one address were throttled, want all but 100", throttled, n/100)
	}
	if s.app(good).status != 200 {
		t.Error("a good token is refused after the flood")
	}
	s.grown(before)
}

// footprint is what a process takes, in bytes.
type footprint struct {
	heap     int // once its garbage is collected
	resident int
}

func (s *server) memory() (f footprint) {
	s.t.Helper()
	profile := send(s.t, "GET", "http://"+s.vars["ADMIN"]+"/debug/pprof/heap?gc=1&debug=1", "")
	_, after, _ := strings.Cut(profile.body, "\n# HeapInuse = ")
	text, _, _ := strings.Cut(after, "\n")
	heap, err := strconv.Atoi(text)
	must(s.t, err)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.cmd.Process.Pid))
	must(s.t, err)
	pages, err := strconv.Atoi(strings.Fields(string(status))[1])
	must(s.t, err)
	return footprint{heap, pages * os.Getpagesize()}
}

// grown demands that the process holds no more than 64 MiB on top of what it did. In full,
// a flood fills the heap up to gc_floor, beside which the race detector takes several
// times as much: what is resident then tells nothing of what is kept.
func (s *server) grown(before footprint) {
	s.t.Helper()
	after := s.memory()
	s.t.Logf("heap %d MiB, then %d; resident %d MiB, then %d", before.heap>>20, after.heap>>20, before.resident>>20, after.resident>>20)
	if grown := after.heap - before.heap; grown > 64<<20 {
		s.t.Errorf("%d MiB are left on the heap", grown>>20)
	}
	if grown := after.resident - before.resident; grown > 192<<20 && os.Getenv("GATEHOUSE_KNOCKS") != "full" {
		s.t.Errorf("%d MiB more are resident", grown>>20)
	}
}

// Knock: clients that send half a request and no more hold nobody up, and are sent
// away in time.
func TestSlowClients(t *testing.T) {
	s := newServer(t).start(withLogins)
	conns := make([]net.Conn, 100)
	for i := range conns {
		c, err := net.Dial("tcp", s.vars["AUTH"])
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns[i] = c
		half := "POST /oauth2/token HTTP/1.1\r\nHost: " + s.vars["AUTH"] + "\r\nContent-Type: " + form + "\r\nContent-Length: 100\r\n\r\ngrant_type="
		if i%2 == 1 { // half-open: not even the head is complete
			half = half[:40]
		}
		if _, err := c.Write([]byte(half)); err != nil {
			t.Fatal(err)
		}
	}
	start := time.Now()
	for range 20 {
		if got := s.app(s.token(appCredentials)).status; got != 200 {
			t.Errorf("beside them a good caller gets %d", got)
		}
	}
	answered := make([]byte, 64)
	_ = conns[0].SetReadDeadline(start.Add(30 * time.Second))
	n, err := conns[0].Read(answered)
	if err != nil && !strings.Contains(err.Error(), "EOF") && !strings.Contains(err.Error(), "reset") {
		t.Errorf("after 30 s a stalled body still waits: %q %v", answered[:n], err)
	}
}
