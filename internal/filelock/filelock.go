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
func (l *Lock) Close() error { return l.file.Close() }

// Try takes the lock at path, making the file where it is missing, and writes this process's id into it. It returns a
// *HeldError when another process has it.
func Try(path string) (*Lock, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock file: %w", err)
	}
	if err := take(file); err != nil {
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

// Wait takes the lock at path as soon as nobody has it. It gives up when ctx ends. It polls, because a blocking flock cannot
// be given up.
func Wait(ctx context.Context, path string) (*Lock, error) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		lock, err := Try(path)
		if err == nil || !errors.Is(err, ErrHeld) {
			return lock, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-tick.C:
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

func take(file *os.File) error {
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
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
