//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd || windows)

package sqlite

import (
	"errors"
	"os"
)

// tryLock refuses: without a lock two processes could damage each other's work.
func tryLock(*os.File) error { return errors.ErrUnsupported }
