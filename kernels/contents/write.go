package contents

import (
	"bufio"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"github.com/hopyard/hopyard/internal/problem"
	"golang.org/x/sys/unix"
)

// tempPrefix begins the hidden names of what is not finished: files being saved, uploads in chunks.
const tempPrefix = ".hopyard-"

// abandoned is the age at which something unfinished is taken for left behind.
const abandoned = 24 * time.Hour

// sweep removes something unfinished that nobody has touched for long.
func (s *Store) sweep(root *os.Root, path string) {
	info, err := root.Lstat(path)
	if err != nil || time.Since(info.ModTime()) < abandoned {
		return
	}
	if err := root.RemoveAll(path); err != nil {
		s.log.Warn("an abandoned file stays", "path", path, "err", err)
	}
}

func tempName() string { return tempPrefix + "save-" + rand.Text() }

// stage writes a file under a hidden name in dir, flushed to the disk, and returns its path and its bytes' SHA-256. It gets
// the mode and owner of the file that it is to replace; without one it belongs to whoever owns the folder. After an error
// nothing is left.
func stage(root *os.Root, dir string, old fs.FileInfo, fill func(io.Writer) error) (temp, sum string, err error) {
	temp = join(dir, tempName())
	f, err := root.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return "", "", err
	}
	h := sha256.New()
	err = errors.Join(adopt(root, dir, f, old), fillFile(f, h, fill), f.Close())
	if err != nil {
		_ = root.Remove(temp)
		return "", "", err
	}
	return temp, hex.EncodeToString(h.Sum(nil)), nil
}

func fillFile(f *os.File, h hash.Hash, fill func(io.Writer) error) error {
	w := bufio.NewWriterSize(io.MultiWriter(f, h), 64<<10)
	if err := fill(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Sync()
}

// adopt gives f the mode and owner of old, or the owner of its folder if there is no old. Only root can and need give files away.
func adopt(root *os.Root, dir string, f *os.File, old fs.FileInfo) error {
	like := old
	if old != nil {
		if err := f.Chmod(old.Mode().Perm()); err != nil {
			return err
		}
	} else if os.Geteuid() == 0 {
		var err error
		if like, err = root.Stat(osPath(dir)); err != nil {
			return err
		}
	}
	uid, gid, ok := foreign(like)
	if !ok {
		return nil
	}
	return f.Chown(uid, gid)
}

// foreign gives the owner that something must be given to, if we are root and the owner is not.
func foreign(like fs.FileInfo) (uid, gid int, ok bool) {
	if like == nil || os.Geteuid() != 0 {
		return 0, 0, false
	}
	st, ok := like.Sys().(*syscall.Stat_t)
	if !ok || st.Uid == 0 && st.Gid == 0 {
		return 0, 0, false
	}
	return int(st.Uid), int(st.Gid), true
}

// replace writes the file at a place anew, whether or not there is one, and returns the bytes' SHA-256 and whether it is a new
// file. After an error the old file is as it was.
func replace(at place, fill func(io.Writer) error) (sum string, created bool, err error) {
	target, err := follow(at)
	if err != nil {
		return "", false, err
	}
	old, err := at.root.Stat(target)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		old = nil
	case err != nil:
		return "", false, err
	case !old.Mode().IsRegular():
		return "", false, problem.New(problem.Invalid, "%s is not a file", at.path).WithReason(badType)
	case !writable(old):
		return "", false, fs.ErrPermission
	}
	dir, _ := split(target)
	temp, sum, err := stage(at.root, dir, old, fill)
	if err != nil {
		return "", false, err
	}
	if err := at.root.Rename(temp, target); err != nil {
		_ = at.root.Remove(temp)
		return "", false, err
	}
	return sum, old == nil, syncDir(at.root, dir)
}

// follow finds the path that a place's symbolic links lead to, so that saving changes the file and leaves the link. The
// result is a path like any other: os.Root refuses it if it leads out.
func follow(at place) (string, error) {
	target := at.path
	for range 40 {
		info, err := at.root.Lstat(target)
		if err != nil || info.Mode()&fs.ModeSymlink == 0 {
			return target, nil // what is not there has no links
		}
		link, err := at.root.Readlink(target)
		if err != nil {
			return "", err
		}
		if path.IsAbs(link) {
			return "", notFound(at.path)
		}
		dir, _ := split(target)
		if target = path.Join(dir, link); target == ".." || strings.HasPrefix(target, "../") {
			return "", notFound(at.path)
		}
	}
	return "", syscall.ELOOP
}

// syncDir makes the names in a folder last.
func syncDir(root *os.Root, dir string) error {
	d, err := root.Open(osPath(dir))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// renameNew renames from to a name that must be free, in one step, and makes that last. It is fs.ErrExist if the name is taken.
func renameNew(root *os.Root, from, to string) error {
	fromDir, fromName := split(from)
	toDir, toName := split(to)
	a, err := root.Open(osPath(fromDir))
	if err != nil {
		return err
	}
	defer a.Close()
	b, err := root.Open(osPath(toDir))
	if err != nil {
		return err
	}
	defer b.Close()
	// The folders are open and the names have no slashes, so nothing can lead this out of the root.
	err = unix.Renameat2(int(a.Fd()), fromName, int(b.Fd()), toName, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) { // a file system without that flag
		if _, err := root.Lstat(to); err == nil {
			return fs.ErrExist
		}
		err = root.Rename(from, to)
	}
	if err != nil {
		return err
	}
	return b.Sync()
}

// publish renames what was staged to the first of the names that is free in dir.
func publish(root *os.Root, dir, temp string, name func(i int) string) (string, error) {
	for i := range 10_000 {
		target := join(dir, name(i))
		if _, err := root.Lstat(target); err == nil {
			continue
		}
		err := renameNew(root, temp, target)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		return target, err
	}
	return "", problem.New(problem.Conflict, "there are too many files called like %s", name(0))
}
