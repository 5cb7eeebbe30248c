package fetch

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// Claim is the right to write to one path, which one process has at a time. The file of that path is the lock: a process that dies in
// whatever way leaves what it had, and gives up the claim.
type Claim struct {
	file *os.File
	path string
}

// Take takes the claim on a path as soon as nobody has it, and makes the file where there is none. It gives up when ctx ends.
func Take(ctx context.Context, path string) (*Claim, error) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := try(path)
		if c != nil || err != nil {
			return c, err
		}
		select {
		case <-ctx.Done():
			return nil, Ended(ctx)
		case <-tick.C:
		}
	}
}

// try gives nil where another process has the claim, or has just removed the file.
func try(path string) (*Claim, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, NoRoom("write "+path, err)
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		var same bool
		if same, err = is(file, path); same {
			return &Claim{file, path}, nil
		}
	}
	_ = file.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR) {
		err = nil
	}
	return nil, err
}

// is says whether an open file is still the one at a path: whoever had the claim may have removed it.
func is(file *os.File, path string) (bool, error) {
	mine, err := file.Stat()
	if err != nil {
		return false, err
	}
	there, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(mine, there), err
}

// Close gives the claim up and leaves the file for whoever wants it next.
func (c *Claim) Close() error { return c.file.Close() }

// Remove gives the claim up and removes the file.
func (c *Claim) Remove() error { return errors.Join(os.Remove(c.path), c.file.Close()) }
