package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Only the owner reads what we keep: signing keys are in it.
const (
	fileMode fs.FileMode = 0o600
	dirMode  fs.FileMode = 0o700
)

// place makes path absolute and free of links, so that one file has one lock
// however it is named, and makes its directory if it is missing.
func place(path string) (string, error) {
	switch {
	case path == "":
		return "", errors.New("the path is empty; name a file")
	case strings.IndexByte(path, 0) >= 0:
		return "", errors.New("the path holds a NUL; name another file")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	// A link is followed before anything is made: only what it points to is ours.
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return "", errors.New("it is a directory; name a file in it")
	case err == nil && !info.Mode().IsRegular():
		return "", errors.New("it is not a regular file; name another file")
	case err == nil:
		return path, nil
	}
	// Made through a link, the file would have one name now and another one, with
	// another lock, the next time.
	if _, err := os.Lstat(path); err == nil {
		return "", errors.New("it is a link to a file that is not there; name the file itself")
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return "", fmt.Errorf("its directory cannot be made; make %s, or name a file in another one: %w", dir, err)
	}
	dir, err = filepath.EvalSymlinks(dir)
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, filepath.Base(path)), nil
}

// prepareFile makes the database file before SQLite would, so that it is never
// readable by others, not even for a moment; -wal and -shm take its mode. What is
// there already is narrowed.
func prepareFile(path string) (fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, fmt.Errorf("it cannot be opened for writing: %w", err)
	}
	info, err := f.Stat()
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, err
	}
	for _, name := range [...]string{path, path + "-wal", path + "-shm"} {
		if err := narrow(name); err != nil {
			return nil, fmt.Errorf("others may read %s; make its mode 0600: %w", name, err)
		}
	}
	return info, nil
}

// narrow takes from a file what it grants to others than its owner.
func narrow(name string) error {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || info.Mode().Perm()&^fileMode == 0 {
		return err
	}
	return os.Chmod(name, fileMode)
}
