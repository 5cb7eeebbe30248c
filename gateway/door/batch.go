package door

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/gorilla/websocket"
)

// Batch is a websocket's connection that can gather several frames and write them with one system call, and that counts
// bytes, so that it is known which frames a client has got.
//
// Between Begin and Flush everything that is written is gathered, also control frames that other goroutines write. Begin, Mark and
// Flush belong to the one goroutine that writes messages; Write is safe for concurrent use.
type Batch struct {
	net.Conn

	mu      sync.Mutex // guards below; held during writes, so that frames stay whole
	open    bool
	buf     []byte
	written uint64
}

// BatchOf gives the Batch of a websocket that Upgrade made.
func BatchOf(ws *websocket.Conn) (*Batch, bool) {
	b, ok := ws.NetConn().(*Batch)
	return b, ok
}

// batchBuffers hold what is gathered: only a batch that is being written has one.
var batchBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 96<<10); return &b }}

// Write writes p, or gathers it.
func (b *Batch) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open {
		b.buf = append(b.buf, p...)
		return len(p), nil
	}
	n, err := b.Conn.Write(p)
	b.written += uint64(n)
	return n, err
}

// Begin starts to gather.
func (b *Batch) Begin() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open, b.buf = true, (*batchBuffers.Get().(*[]byte))[:0]
}

// Mark is how many bytes will have been written when everything gathered so far has been.
func (b *Batch) Mark() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.written + uint64(len(b.buf))
}

// Flush calls about, which may refuse, and then writes what was gathered within the time limit.
func (b *Batch) Flush(limit time.Duration, about func() error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	buf := b.buf
	b.open, b.buf = false, nil
	defer func() {
		if cap(buf) <= 1<<20 { // a larger one was for a single message
			batchBuffers.Put(&buf)
		}
	}()
	if err := about(); err != nil {
		return err
	}
	if err := b.SetWriteDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	n, err := b.Conn.Write(buf)
	b.written += uint64(n)
	return err
}

// ErrNoSocket means that a connection is no plain TCP connection whose bytes the system counts.
var ErrNoSocket = errors.New("door: not a plain TCP connection")

// SyscallConn gives the TCP connection itself.
func (b *Batch) SyscallConn() (syscall.RawConn, error) {
	c, ok := b.Conn.(syscall.Conn)
	if !ok {
		return nil, ErrNoSocket
	}
	return c.SyscallConn()
}
