package contents

import (
	"errors"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Spool holds the body of a large upload outside the process's own memory, in a file without a name that the kernel pages in as it
// is read. Whoever got it closes it.
type Spool struct {
	bytes  []byte
	mapped bool
}

// spoolFrom is the size in bytes from which a body is spooled.
const spoolFrom = 32 << 20

// Spool takes all of r, of which size is the expected length in bytes or -1. It is a problem.NoSpace if the project's disk is full.
func (s *Store) Spool(project string, r io.Reader, size int64) (*Spool, error) {
	if size >= 0 && size <= spoolFrom {
		b := make([]byte, size)
		_, err := io.ReadFull(r, b)
		return &Spool{bytes: b}, err
	}
	root, err := s.open(project)
	if err != nil {
		return nil, err
	}
	f, err := nameless(root)
	if err != nil {
		return nil, explain("the upload", err)
	}
	defer f.Close()
	n, err := io.CopyBuffer(struct{ io.Writer }{f}, struct{ io.Reader }{r}, make([]byte, 256<<10))
	if err != nil {
		return nil, explain("the upload", err)
	}
	if n == 0 {
		return &Spool{}, nil
	}
	// Nobody else can reach the file, so it cannot shrink under the mapping.
	b, err := syscall.Mmap(int(f.Fd()), 0, int(n), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return &Spool{bytes: b, mapped: true}, nil
}

// nameless opens a new file that has no name, or loses it at once where the file system must give it one.
func nameless(root *os.Root) (*os.File, error) {
	f, err := root.OpenFile(".", unix.O_TMPFILE|os.O_RDWR, 0o600)
	if !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EISDIR) {
		return f, err
	}
	temp := tempName()
	if f, err = root.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600); err != nil {
		return nil, err
	}
	return f, root.Remove(temp)
}

// Bytes gives what was taken, valid until Close and not to be changed.
func (s *Spool) Bytes() []byte { return s.bytes }

// Close gives the space back. What was made of Bytes must not be used any more.
func (s *Spool) Close() error {
	if !s.mapped {
		return nil
	}
	s.mapped = false
	return syscall.Munmap(s.bytes)
}
