package agent

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Mark says that the record Seq is complete for the client when End bytes have been written to its connection, counted
// from the attachment on.
type Mark struct{ Seq, End uint64 }

// board is a page of memory that a gateway shares with an agent for one client. Before the gateway writes records to the
// client it posts which of them ends at which byte; when it is killed, the agent reads what it was about to write. Posting
// costs no system call and wakes nobody, and what was posted outlives the gateway.
//
// There are two lists, used in turn: one can be read while the other is being written, for a gateway can be killed at
// any instruction. The first word says which one holds, and how long it is.
type board struct {
	mu   sync.Mutex // guards mem against being unmapped
	mem  []byte
	turn uint64
}

const (
	boardBytes = 4096
	boardLists = 64 // where the lists begin
	// MaxMarks is how many marks can be posted at once.
	MaxMarks = (boardBytes - boardLists) / 2 / 16
)

// newBoard makes a board and the file by which it can be shared, which nobody can make smaller: touching what is cut off
// would end the process. The caller closes the file.
func newBoard() (*board, *os.File, error) {
	fd, err := unix.MemfdCreate("hopyard-board", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, nil, fmt.Errorf("agent: board: %w", err)
	}
	f := os.NewFile(uintptr(fd), "board")
	if err := f.Truncate(boardBytes); err != nil {
		_ = f.Close()
		return nil, nil, fmt.Errorf("agent: board: %w", err)
	}
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL); err != nil {
		_ = f.Close()
		return nil, nil, fmt.Errorf("agent: board: %w", err)
	}
	b, err := openBoard(f)
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return b, f, nil
}

// openBoard maps a board that somebody shares. It refuses one that could be made smaller under our hands.
func openBoard(f *os.File) (*board, error) {
	seals, err := unix.FcntlInt(f.Fd(), unix.F_GET_SEALS, 0)
	if err != nil {
		return nil, fmt.Errorf("agent: board: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("agent: board: %w", err)
	}
	if seals&unix.F_SEAL_SHRINK == 0 || info.Size() != boardBytes {
		return nil, fmt.Errorf("agent: board of %d bytes with seals %#x", info.Size(), seals)
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, boardBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("agent: board: %w", err)
	}
	return &board{mem: mem}, nil
}

// word is the i-th word of the board; mu is held and it is mapped.
func (b *board) word(i uint64) *uint64 { return (*uint64)(unsafe.Pointer(&b.mem[8*i])) }

// list is the first word of one of the two lists.
func list(turn uint64) uint64 { return boardLists/8 + turn*MaxMarks*2 }

// post replaces what is posted. There are at most MaxMarks marks.
func (b *board) post(marks []Mark) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mem == nil {
		return
	}
	b.turn ^= 1
	at := list(b.turn)
	for i, m := range marks[:min(len(marks), MaxMarks)] {
		*b.word(at + 2*uint64(i)) = m.Seq
		*b.word(at + 2*uint64(i) + 1) = m.End
	}
	atomic.StoreUint64(b.word(0), b.turn<<32|uint64(len(marks)))
}

// posted reads what was posted last, by a gateway that does not post any more.
func (b *board) posted() []Mark {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mem == nil {
		return nil
	}
	head := atomic.LoadUint64(b.word(0))
	turn, n := head>>32&1, min(head&(1<<32-1), MaxMarks)
	marks := make([]Mark, n)
	for i := range marks {
		at := list(turn) + 2*uint64(i)
		marks[i] = Mark{Seq: *b.word(at), End: *b.word(at + 1)}
	}
	return marks
}

// close unmaps the board; it can then neither be posted to nor read.
func (b *board) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mem != nil {
		_ = unix.Munmap(b.mem)
		b.mem = nil
	}
}
