package door

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/gorilla/websocket"
)

// Batch is a websocket's connection that can gather several frames and write them with one system call, and that counts
// bytes, so that it is known which frames a client has got.
//
// Between Begin and Flush everything that is written is gathered, also control frames that other goroutines write. Begin,
// Mark and Flush belong to the one goroutine that writes messages; Write is safe for concurrent use and never waits for
// another write: a client that does not read must not keep us from closing its connection.
type Batch struct {
	net.Conn

	mu       sync.Mutex // guards below; never held during a write
	open     bool       // gathering into buf
	busy     bool       // somebody is writing, and will write late too
	idle     *sync.Cond // not busy any more
	ended    uint64     // how many writes have
	ending   bool       // writes have only closeWait left: somebody waits to close the connection
	buf      []byte
	late     []byte
	taken    uint64    // bytes that have been or are being written, late included
	deadline time.Time // of writes that are not gathered
	broken   error     // a write that broke off: what followed would be read as the rest of it
}

func newBatch(c net.Conn) *Batch {
	b := &Batch{Conn: c}
	b.idle = sync.NewCond(&b.mu)
	return b
}

// maxLate bounds what is kept while another write waits for the client; control frames are small.
const maxLate = 64 << 10

// BatchOf gives the Batch of a websocket that Upgrade made.
func BatchOf(ws *websocket.Conn) (*Batch, bool) {
	b, ok := ws.NetConn().(*Batch)
	return b, ok
}

// batchBuffers hold what is gathered: only a batch that is being written has one.
var batchBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 96<<10); return &b }}

// Write writes p, or gathers it, or leaves it to whoever is writing.
func (b *Batch) Write(p []byte) (int, error) {
	b.mu.Lock()
	switch {
	case b.broken != nil:
		defer b.mu.Unlock()
		return 0, b.broken
	case b.open:
		b.buf = append(b.buf, p...)
	case b.busy && len(b.late)+len(p) > maxLate:
		b.mu.Unlock()
		return 0, os.ErrDeadlineExceeded
	case b.busy:
		b.taken += uint64(len(p))
		b.late = append(b.late, p...)
	default:
		b.taken += uint64(len(p))
		b.busy = true
		_ = b.Conn.SetWriteDeadline(begun(b.deadline))
		b.mu.Unlock()
		return len(p), b.writeOut(p)
	}
	b.mu.Unlock()
	return len(p), nil
}

// begun is the deadline of a write that begins now. One that was kept from it by nothing but a busy machine has its time all the same: a
// client that is not told why it has to go comes back as if its connection had been cut.
func begun(deadline time.Time) time.Time {
	if least := time.Now().Add(closeWait); !deadline.IsZero() && deadline.Before(least) {
		return least
	}
	return deadline
}

// SetWriteDeadline holds for writes that begin afterwards, each of which has a moment at least. Somebody who sends a control frame in a
// hurry must not cut short what is being written already.
func (b *Batch) SetWriteDeadline(t time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.deadline = t
	return nil
}

// writeOut writes p and what came in the meantime. busy is set, and is cleared by it.
func (b *Batch) writeOut(p []byte) error {
	for {
		_, err := b.Conn.Write(p)
		b.mu.Lock()
		if p = b.late; err != nil || len(p) == 0 {
			b.broken = err
			b.release()
			b.mu.Unlock()
			return err
		}
		b.late = nil
		if b.ending {
			_ = b.Conn.SetWriteDeadline(time.Now().Add(closeWait))
		}
		b.mu.Unlock()
	}
}

// release lets the next one write; mu is held.
func (b *Batch) release() {
	b.busy = false
	b.ended++
	b.idle.Broadcast()
}

// Settle returns when all that has been said so far is written, a close frame that was left to whoever is writing above all, or when a client
// has taken none of it for a moment. It is for who is about to close the connection, and does not write itself.
func (b *Batch) Settle() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ending = true
	_ = b.Conn.SetWriteDeadline(time.Now().Add(closeWait)) // for who is in the middle of it
	last := b.ended + 1
	if b.open && b.busy { // what is gathered is written behind that
		last++
	}
	for (b.open || b.busy) && b.ended < last { // others may go on writing
		b.idle.Wait()
	}
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
	return b.taken + uint64(len(b.buf))
}

// Flush calls about, which may refuse, and then writes what was gathered within the time limit. After an error nothing more
// is written to the connection, ever.
func (b *Batch) Flush(limit time.Duration, about func() error) error {
	b.mu.Lock()
	for b.busy {
		b.idle.Wait()
	}
	buf, err := b.buf, b.broken
	b.open, b.buf, b.busy = false, nil, true
	b.taken += uint64(len(buf))
	b.mu.Unlock()
	defer func() {
		if cap(buf) <= 1<<20 { // a larger one was for a single message
			batchBuffers.Put(&buf)
		}
	}()
	if err == nil {
		err = about()
	}
	if err == nil {
		err = b.limit(limit)
	}
	if err != nil {
		b.mu.Lock()
		b.broken = err
		b.release()
		b.mu.Unlock()
		return err
	}
	return b.writeOut(buf)
}

func (b *Batch) limit(d time.Duration) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ending {
		d = min(d, closeWait)
	}
	return b.Conn.SetWriteDeadline(time.Now().Add(d))
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

// Discard makes the system throw away what it has not sent yet, instead of delivering it late, when the connection is closed.
func (b *Batch) Discard() {
	if c, ok := b.Conn.(interface{ SetLinger(sec int) error }); ok {
		_ = c.SetLinger(0)
	}
}
