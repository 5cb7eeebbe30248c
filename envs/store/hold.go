package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Hold keeps Collect away from a prefix for as long as the file is open that it gives, in this process or in one that inherited it:
// a program may run for longer than anybody else knows of it. It needs no more than to read the prefix. The error is fs.ErrNotExist if
// the files have gone.
func Hold(prefix string) (*os.File, error) {
	f, err := os.Open(prefix)
	if err != nil {
		return nil, fmt.Errorf("hold environment: %w", err)
	}
	err = flock(f, unix.LOCK_SH)
	if err == nil {
		err = sameAs(f, prefix)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("hold environment: %w", err)
	}
	return f, nil
}

// sameAs sees whether what was opened is still at path.
func sameAs(f *os.File, path string) error {
	then, err := f.Stat()
	if err != nil {
		return err
	}
	now, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !os.SameFile(then, now) {
		return fs.ErrNotExist
	}
	return nil
}

// freeOfPrograms keeps programs from holding the prefix id until the file is released; nil if one holds it.
func (s *Store) freeOfPrograms(id string) (*os.File, error) {
	f, err := os.Open(s.Prefix(id))
	if errors.Is(err, fs.ErrNotExist) {
		return os.Open(s.dir) // there is nothing to hold
	}
	if err != nil {
		return nil, fmt.Errorf("collect %s: %w", id, err)
	}
	err = flock(f, unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, nil
	}
	return nil, fmt.Errorf("collect %s: %w", id, err)
}

func flock(f *os.File, how int) error {
	for {
		err := unix.Flock(int(f.Fd()), how)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
