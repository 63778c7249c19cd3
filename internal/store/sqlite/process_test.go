package sqlite

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// childRole names the variable that makes the test binary a second process; the
// path of the store stands in childPath.
const (
	childRole = "GATEHOUSE_TEST_ROLE"
	childPath = "GATEHOUSE_TEST_PATH"
)

func TestMain(m *testing.M) {
	switch role := os.Getenv(childRole); {
	case role == "hold":
		os.Exit(hold(os.Getenv(childPath)))
	case strings.HasPrefix(role, "write "):
		os.Exit(writeAndTell(os.Getenv(childPath), role))
	}
	os.Exit(m.Run())
}

// child starts this binary in a role. Its answers come by the reader; it ends
// when its input does.
func child(t *testing.T, role, path string) (*exec.Cmd, io.Closer, *bufio.Reader) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childRole+"="+role, childPath+"="+path)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, in, bufio.NewReader(out)
}

// hold opens the store, says how that went, and keeps it until its input ends.
func hold(path string) int {
	s, err := Open(context.Background(), path, Options{})
	if err != nil {
		fmt.Printf("error: %v\n", err)
		return 0
	}
	fmt.Println("open")
	_, _ = io.Copy(io.Discard, os.Stdin)
	if s.Close() != nil {
		return 1
	}
	return 0
}

func TestOneProcessPerFile(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "gatehouse.db"), filepath.Join(dir, "link.db")
	s := open(t, path)
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, link, filepath.Join(dir, ".", "..", filepath.Base(dir), "gatehouse.db")} {
		_, err := Open(t.Context(), name, Options{})
		if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), name) {
			t.Errorf("a second store in this process on %s: %v, want ErrInUse and the path", name, err)
		}
		cmd, in, out := child(t, "hold", name)
		line, err := out.ReadString('\n')
		if err != nil || !strings.Contains(line, fmt.Sprintf("in use by another process (process id %d)", os.Getpid())) {
			t.Errorf("a second process on %s said %q, %v", name, line, err)
		}
		if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
			t.Error(err)
		}
	}
	wantWorking(t, s) // the refused ones did not disturb the first
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	cmd, in, out := child(t, "hold", path)
	if line, err := out.ReadString('\n'); line != "open\n" || err != nil {
		t.Fatalf("the second process said %q, %v", line, err)
	}
	if _, err := Open(t.Context(), path, Options{}); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), fmt.Sprint(cmd.Process.Pid)) {
		t.Errorf("while the second process has it: %v, want ErrInUse and its id", err)
	}
	if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
		t.Error(err)
	}
	if !has(t, open(t, path), "working") {
		t.Error("the token is lost")
	}
}

// writers is how many goroutines of the child write at once.
const writers = 6

// writeAndTell puts tokens and takes every other one away again, and tells of
// each step that was answered: + is there, - is gone, ~ is being taken away.
func writeAndTell(path, role string) int {
	s, err := Open(context.Background(), path, Options{})
	if err != nil {
		fmt.Printf("error: %v\n", err)
		return 1
	}
	round := strings.TrimPrefix(role, "write ")
	failed := make(chan error)
	for w := range writers {
		go func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("%s.%d.%d", round, w, i)
				if err := s.Update(context.Background(), put(name)); err != nil {
					failed <- err
				}
				_, _ = os.Stdout.WriteString("+" + name + "\n")
				if i%2 == 0 {
					continue
				}
				_, _ = os.Stdout.WriteString("~" + name + "\n")
				err := s.Update(context.Background(), func(tx authority.Tx) error {
					return tx.DeleteToken(sha256.Sum256([]byte(name)))
				})
				if err != nil {
					failed <- err
				}
				_, _ = os.Stdout.WriteString("-" + name + "\n")
			}
		}()
	}
	fmt.Printf("error: %v\n", <-failed)
	return 1
}

// What was answered as done is on disk: the process is killed in the midst of its
// work, and no token that it handed out is lost, none that it ended is back.
func TestKill(t *testing.T) {
	const rounds = 10
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	told := make(map[string]byte)
	for round := range rounds {
		cmd, in, out := child(t, fmt.Sprint("write ", round), path)
		for left := 1 + rand.N(300); ; left-- {
			if left == 0 {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
			line, err := out.ReadString('\n')
			if err != nil {
				break // what it did not finish saying was not answered
			}
			if strings.HasPrefix(line, "error") {
				t.Fatal(line)
			}
			told[strings.TrimSpace(line[1:])] = line[0]
		}
		_ = in.Close()
		_ = cmd.Wait() // it was killed
		s, err := Open(t.Context(), path, Options{})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		for name, state := range told {
			if got := has(t, s, name); state != '~' && got != (state == '+') {
				t.Errorf("round %d: token %s was last told %c, and is there: %v", round, name, state, got)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(told) < rounds {
		t.Errorf("only %d tokens were told of in %d rounds", len(told), rounds)
	}
}
