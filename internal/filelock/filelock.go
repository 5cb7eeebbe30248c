// Package filelock lets one process at a time do something, by an advisory lock on a file.
//
// The lock belongs to the open file: the kernel gives it up when the process dies in whatever way, so there is nothing to
// clean up. The file itself stays.
package filelock

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ErrHeld is in the chain of an error that says that another process has the lock.
var ErrHeld = errors.New("locked by another process")

// Lock is a held lock. Close gives it up.
type Lock struct{ file *os.File }

// Close gives the lock up.
func (l *Lock) Close() error { return Release(l.file) }

// Is says whether the lock is that of the file which is at path now: one that was removed, and perhaps made anew, is another.
func (l *Lock) Is(path string) (bool, error) {
	locked, err := l.file.Stat()
	if err != nil {
		return false, fmt.Errorf("lock file: %w", err)
	}
	now, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("lock file: %w", err)
	}
	return os.SameFile(locked, now), nil
}

// Release gives up the flock of an open file and closes it. To close it alone would not do: a program that is being started at this
// moment has the file too, until it has become that program, and with the file the lock.
func Release(file *os.File) error {
	return errors.Join(flock(file, syscall.LOCK_UN), file.Close())
}

// Try takes the lock at path, making the file where it is missing, and writes this process's id into it. It returns a
// *HeldError when another process has it.
func Try(path string) (*Lock, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock file: %w", err)
	}
	if err := flock(file, syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, &HeldError{Path: path, PID: readPID(file)}
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if err := writePID(file); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("write lock file: %w", err)
	}
	return &Lock{file: file}, nil
}

// maxPause is how long Wait lets pass between two looks in the end. It begins with a thousandth of that: most locks are held briefly.
const maxPause = 100 * time.Millisecond

// Wait takes the lock at path as soon as nobody has it. It gives up when ctx ends. It polls, because a blocking flock cannot
// be given up.
func Wait(ctx context.Context, path string) (*Lock, error) {
	for pause := maxPause / 1000; ; pause = min(2*pause, maxPause) {
		lock, err := Try(path)
		if err == nil || !errors.Is(err, ErrHeld) {
			return lock, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// HeldError says who has the lock.
type HeldError struct {
	Path string
	PID  int // 0 when it is not known
}

// Error is a sentence with the holder's process id where it is known.
func (e *HeldError) Error() string {
	if e.PID == 0 {
		return e.Path + " is " + ErrHeld.Error()
	}
	return fmt.Sprintf("%s is %v (pid %d)", e.Path, ErrHeld, e.PID)
}

// Unwrap makes errors.Is(err, ErrHeld) true.
func (e *HeldError) Unwrap() error { return ErrHeld }

func flock(file *os.File, how int) error {
	for {
		err := syscall.Flock(int(file.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

func writePID(file *os.File) error {
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err := file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

func readPID(file *os.File) int {
	text, err := io.ReadAll(io.NewSectionReader(file, 0, 32))
	if err != nil {
		return 0
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid
}
