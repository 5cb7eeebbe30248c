package sqlite

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// holders tells which handles on a database are still open, in whatever process: each has a number, and holds the lock of the
// byte with that number in a file beside the database. The system gives a lock up when the handle is closed or its process
// has died, however it died, so that a number whose byte nobody locks is that of a holder who has gone. Process ids would not do:
// they are used again, and mean nothing in another container. Nothing is ever written to the file.
//
// Somebody may remove or replace the file. Who comes then looks into another file than those who are there, and must not take them
// for dead: so a name says in which file its byte is, by the number of its inode, and nobody is called dead but by that very file. A
// handle that notices that another file is at the path takes a number in that one too, and keeps the old one for as long as it lives:
// its names in both stay true, and no other file can get the inode meanwhile. Whose file nobody else has is neither dead nor alive to
// them, until leases run out.
type holders struct {
	path string

	mu    sync.Mutex
	holds []hold // the last is in the file at the path; guarded by mu
	lost  bool   // there is no file at the path, and none can be made; guarded by mu
}

// hold is a number in a file.
type hold struct {
	file   *os.File
	info   os.FileInfo
	number int64
}

// openHolders takes a number.
func openHolders(database string) (*holders, error) {
	h := &holders{path: database + "-holders"}
	return h, h.follow()
}

// follow takes a number in the file that is at the path now, if it has none there. It tells once why it cannot.
func (h *holders) follow() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	info, err := os.Stat(h.path)
	if n := len(h.holds); err == nil && n > 0 && os.SameFile(info, h.holds[n-1].info) {
		return nil
	}
	next, err := take(h.path)
	if err == nil {
		h.holds = append(h.holds, next)
	}
	told := h.lost
	if h.lost = err != nil; told {
		return nil
	}
	return err
}

// take locks a byte of the file at path that nobody else has, and makes the file where there is none.
func take(path string) (hold, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return hold{}, err
	}
	info, err := file.Stat()
	for err == nil {
		own := hold{file: file, info: info, number: number()}
		lock := byteLock(own.number)
		// The lock belongs to the open file (OFD): those of a process would be one for all its handles.
		err = unix.FcntlFlock(file.Fd(), unix.F_OFD_SETLK, &lock)
		if err == nil {
			return own, nil
		}
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) { // the number is somebody's
			err = nil
		}
	}
	return hold{}, errors.Join(fmt.Errorf("lock %s: %w", path, err), file.Close())
}

// maxNumber leaves room for the byte behind it.
const maxNumber = 1 << 62

// number makes one that nobody else is likely to have.
func number() int64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return int64(binary.LittleEndian.Uint64(b[:])%maxNumber) + 1
}

func byteLock(at int64) unix.Flock_t {
	return unix.Flock_t{Type: unix.F_WRLCK, Start: at, Len: 1}
}

func (h hold) inode() uint64 { return h.info.Sys().(*syscall.Stat_t).Ino }

func (h hold) name() string {
	return strconv.FormatInt(h.number, 36) + "." + strconv.FormatUint(h.inode(), 36)
}

// parseName reads what hold.name wrote.
func parseName(name string) (number int64, inode uint64, ok bool) {
	first, second, ok := strings.Cut(name, ".")
	number, err := strconv.ParseInt(first, 36, 64)
	inode, ierr := strconv.ParseUint(second, 36, 64)
	return number, inode, ok && err == nil && ierr == nil && number >= 1 && number <= maxNumber
}

// name is how others call this handle. It changes with the file.
func (h *holders) name() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.holds[len(h.holds)-1].name()
}

// token makes a token for a claim of this handle's.
func (h *holders) token() string { return h.name() + "-" + rand.Text() }

// claimantGone says whether the handle that made a token has gone. A token that does not name its holder, as older programs made
// them, may be anybody's.
func (h *holders) claimantGone(token string) (bool, error) {
	name, _, _ := strings.Cut(token, "-")
	return h.gone(name)
}

// gone says whether the handle of that name has been closed or its process has died, for certain.
func (h *holders) gone(name string) (bool, error) {
	number, inode, ok := parseName(name)
	if !ok {
		return false, nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, own := range h.holds {
		if own.inode() != inode {
			continue
		}
		if own.number == number {
			return false, nil // a file does not see its own locks
		}
		lock := byteLock(number)
		if err := unix.FcntlFlock(own.file.Fd(), unix.F_OFD_GETLK, &lock); err != nil {
			return false, fmt.Errorf("look at the lock of a holder: %w", err)
		}
		return lock.Type == unix.F_UNLCK, nil
	}
	return false, nil
}

func (h *holders) close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	var err error
	for _, own := range h.holds {
		err = errors.Join(err, own.file.Close())
	}
	return err
}
