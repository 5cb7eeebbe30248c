package store

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// probeLink tries, in dir, how files can share their bytes.
func probeLink(dir string) (string, error) {
	src, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return "", err
	}
	defer func() {
		src.Close()
		os.Remove(src.Name())
	}()
	if _, err := src.WriteString("hopyard"); err != nil {
		return "", err
	}
	if reflinks(src) {
		return "reflink", nil
	}
	to := src.Name() + "-link"
	if err := os.Link(src.Name(), to); err != nil {
		return "copy", nil //nolint:nilerror // that links are refused is the answer
	}
	os.Remove(to)
	return "hardlink", nil
}

func reflinks(src *os.File) bool {
	dst, err := os.CreateTemp(filepath.Dir(src.Name()), ".probe-*")
	if err != nil {
		return false
	}
	defer func() {
		dst.Close()
		os.Remove(dst.Name())
	}()
	return unix.IoctlFileClone(int(dst.Fd()), int(src.Fd())) == nil
}

// Free is how many bytes of the store's disk can still be written by us, and how many it has.
func (s *Store) Free() (free, size int64, err error) {
	var st unix.Statfs_t
	for {
		if err = unix.Statfs(s.dir, &st); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	return int64(st.Bavail) * st.Bsize, int64(st.Blocks) * st.Bsize, err
}
