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

	"golang.org/x/sys/unix"
)

// holders tells which handles on a database are still open, in whatever process: each has a number, and holds the lock of the
// byte with that number in a file beside the database. The system gives a lock up when the handle is closed or its process
// has died, however it died, so that a number whose byte nobody locks is that of a holder who has gone. Process ids would not do:
// they are used again, and mean nothing in another container. Nothing is ever written to the file.
type holders struct {
	self int64

	mu   sync.Mutex
	file *os.File // guarded by mu
}

// openHolders takes a number of its own.
func openHolders(database string) (*holders, error) {
	file, err := os.OpenFile(database+"-holders", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		h := &holders{file: file, self: number()}
		lock := byteLock(h.self)
		// The lock belongs to the open file (OFD): those of a process would be one for all its handles.
		err := unix.FcntlFlock(file.Fd(), unix.F_OFD_SETLK, &lock)
		if err == nil {
			return h, nil
		}
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EACCES) { // else the number is somebody's
			return nil, errors.Join(fmt.Errorf("lock %s: %w", file.Name(), err), file.Close())
		}
	}
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

// name is how others call this handle.
func (h *holders) name() string { return strconv.FormatInt(h.self, 36) }

// token makes a token for a claim of this handle's.
func (h *holders) token() string { return h.name() + "-" + rand.Text() }

// claimantGone says whether the handle that made a token has gone. A token that does not name its holder, as older programs made
// them, may be anybody's.
func (h *holders) claimantGone(token string) (bool, error) {
	name, _, named := strings.Cut(token, "-")
	if !named {
		return false, nil
	}
	return h.gone(name)
}

// gone says whether the handle of that name has been closed or its process has died.
func (h *holders) gone(name string) (bool, error) {
	holder, err := strconv.ParseInt(name, 36, 64)
	if err != nil || holder < 1 || holder > maxNumber || holder == h.self {
		return false, nil //nolint:nilerr // that is no holder's number
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	lock := byteLock(holder)
	if err := unix.FcntlFlock(h.file.Fd(), unix.F_OFD_GETLK, &lock); err != nil {
		return false, fmt.Errorf("look at the lock of a holder: %w", err)
	}
	return lock.Type == unix.F_UNLCK, nil
}

func (h *holders) close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.file.Close()
}
