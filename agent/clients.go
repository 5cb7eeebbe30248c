package agent

import (
	"context"
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/hopyard/hopyard/internal/tcpstat"
)

// clients remembers how far each client has got, so that one that comes back goes on where it was, whichever gateway it
// comes through.
type clients struct {
	mu  sync.Mutex // guards all below
	all map[string]*client
}

// maxClients bounds how many keys are remembered; the one that was away the longest is forgotten first.
const maxClients = 4096

// client is one key's place in the journal.
type client struct {
	got  uint64 // every record up to this one has reached the client, or was not meant for it
	left time.Time
	att  *attachment // nil while away
}

// join makes att the one attachment of the client. It returns where it goes on and whether the client was known.
// An older attachment of the same key is ended, and its place settled, first. It fails only with the context.
func (c *clients) join(ctx context.Context, key string, att *attachment, from, next uint64) (uint64, bool, error) {
	for {
		c.mu.Lock()
		cl := c.all[key]
		if cl == nil || cl.att == nil {
			break
		}
		old := cl.att
		c.mu.Unlock()
		old.end(errReplaced)
		select {
		case <-old.settled:
		case <-ctx.Done():
			return 0, false, context.Cause(ctx)
		}
	}
	defer c.mu.Unlock()
	cl := c.all[key]
	if cl != nil {
		cl.att = att
		return cl.got + 1, true, nil
	}
	if from == 0 {
		from = next
	}
	if c.all == nil {
		c.all = map[string]*client{}
	}
	c.forgetOne()
	c.all[key] = &client{got: from - 1, att: att}
	return from, false, nil
}

// forgetOne makes room for another client; mu is held.
func (c *clients) forgetOne() {
	if len(c.all) < maxClients {
		return
	}
	oldest, when := "", time.Now()
	for key, cl := range c.all {
		if cl.att == nil && cl.left.Before(when) {
			oldest, when = key, cl.left
		}
	}
	if cl := c.all[oldest]; cl != nil && cl.att == nil { // all may be here
		delete(c.all, oldest)
	}
}

// leave records how far the client has got when its attachment ended.
func (c *clients) leave(key string, got uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cl := c.all[key]; cl != nil {
		cl.got, cl.att, cl.left = max(cl.got, got), nil, time.Now()
	}
}

// progress is what an attachment knows of how far its client has got.
type progress struct {
	board *board // what the gateway is about to write

	mu    sync.Mutex // guards below
	got   uint64     // certainly
	final bool       // the gateway has said the last word
}

// delivered notes the gateway's own last word.
func (p *progress) delivered(seq uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.got, p.final = max(p.got, seq), true
}

func (p *progress) isFinal() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.final
}

// conclude says how far the client has got after the gateway has gone. If it left no last word, all that it had posted
// before its last note has been written; of the records in the note, the client's socket, where we hold it too, knows how many
// bytes the system has taken: those reach the client. Without a socket the last write counts as not made, so that output
// may come twice but is never lost.
func (p *progress) conclude(w *witness) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.final {
		return p.got
	}
	marks := p.board.posted()
	if len(marks) == 0 {
		return p.got
	}
	p.got = max(p.got, marks[0].Seq-1)
	written, ok := w.written()
	for _, m := range marks {
		if !ok || m.End > written {
			break
		}
		p.got = max(p.got, m.Seq)
	}
	return p.got
}

// witness is a second hold on a client's TCP socket: it stays open when the gateway is killed.
type witness struct {
	file   *os.File
	socket syscall.RawConn // of file; never file.Fd, which may change how the gateway's end behaves
	base   uint64
}

// newWitness takes over the socket; the counts begin now. It is nil where the system does not count.
func newWitness(f *os.File) *witness {
	if f == nil {
		return nil
	}
	socket, err := f.SyscallConn()
	if err != nil {
		_ = f.Close()
		return nil
	}
	base, err := tcpstat.Accepted(socket)
	if err != nil {
		_ = f.Close()
		return nil
	}
	return &witness{file: f, socket: socket, base: base}
}

// written is how many bytes the system has taken since the attachment began.
func (w *witness) written() (uint64, bool) {
	if w == nil {
		return 0, false
	}
	n, err := tcpstat.Accepted(w.socket)
	if err != nil || n < w.base {
		return 0, false
	}
	return n - w.base, true
}

// lingerTime is how long a dead gateway's connection is kept for its last bytes to reach a slow client.
const lingerTime = time.Minute

// release lets go of the socket. After the gateway's death nobody else holds it: what the system has taken must still reach the client, and
// what the client sent in the meantime must be read, for closing a socket with unread data cuts the connection at once.
func (w *witness) release(gatewayDied bool) {
	if w == nil {
		return
	}
	if !gatewayDied {
		_ = w.file.Close()
		return
	}
	go func() {
		defer w.file.Close()
		_ = shutdownWrite(w.socket)
		_ = w.file.SetReadDeadline(time.Now().Add(lingerTime))
		buf := make([]byte, 4<<10)
		for {
			if _, err := w.file.Read(buf); err != nil {
				return // the client has seen the end, or had its minute
			}
		}
	}()
}

var errReplaced = errors.New("agent: the client has attached again")
