package sqlite

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// ErrInUse means another process, or another Store of this one, has the file.
var ErrInUse = errors.New("in use by another process")

// errHeld is what tryLock answers when somebody else has the lock.
var errHeld = errors.New("the lock is held")

// fileLock is the right to use a database file. The system gives it back when
// the process ends, however it ends.
type fileLock struct{ f *os.File }

// lockFile takes the lock. The file stays when the lock is given back: removing
// it would let two processes lock two files of one name.
func lockFile(name string) (*fileLock, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, fmt.Errorf("its lock file cannot be opened for writing: %w", err)
	}
	if err := tryLock(f); err != nil {
		holder := readHolder(f)
		_ = f.Close()
		if errors.Is(err, errHeld) {
			return nil, fmt.Errorf("%w%s; stop that one first, or give each a file of its own", ErrInUse, holder)
		}
		return nil, fmt.Errorf("its lock file %s cannot be locked: %w", name, err)
	}
	// The process id only helps who reads the message above, so its loss is no fault.
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return &fileLock{f}, nil
}

func (l *fileLock) release() error { return l.f.Close() }

// readHolder tells who has the lock, if that can be read.
func readHolder(f *os.File) string {
	text, err := io.ReadAll(io.NewSectionReader(f, 0, 32))
	pid, bad := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || bad != nil || pid <= 0 {
		return ""
	}
	return fmt.Sprintf(" (process id %d)", pid)
}
