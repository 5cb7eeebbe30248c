package store

import (
	"errors"
	"io"
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

// LinkFile makes to another name of the file from, or a copy where links are refused.
func LinkFile(from, to string) error {
	err := os.Link(from, to)
	if err == nil || errors.Is(err, os.ErrExist) || errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ENOSPC) {
		return err
	}
	// No links at all, or EMLINK: the file has as many names as the filesystem allows.
	return copyFile(from, to)
}

func copyFile(from, to string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	info, err := src.Stat()
	if err != nil {
		return err
	}
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, info.Mode().Perm()|0o200)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	err = errors.Join(err, dst.Chmod(info.Mode().Perm()), dst.Close())
	if err != nil {
		os.Remove(to)
	}
	return err
}
