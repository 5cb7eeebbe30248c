package zmq

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
)

const (
	greetingSize  = 64       // a ZMTP greeting has a fixed size and no frame header
	maxReadyFrame = 64 << 10 // a READY command is some dozens of bytes; metadata may grow it

	flagMore    = 1
	flagLong    = 2
	flagCommand = 4
)

// guard is the net.Conn that the library sees. Its Read follows the ZMTP framing and fails before the library sees the
// header of a frame that it would allocate unchecked; its Write gathers the library's two small writes per frame into
// one system call per message. One goroutine may read while another writes.
type guard struct {
	net.Conn
	r *bufio.Reader
	w *bufio.Writer // nil during the handshake, which is written through

	maxBytes  uint64 // of one message
	maxFrames int    // of one message

	open   bool   // the handshake is over
	left   uint64 // bytes of the present frame, header included, that the library has not read
	more   bool   // the present frame is not the last of its message
	bytes  uint64 // of the present message so far
	frames int    // of the present message so far
}

func newGuard(c net.Conn, readBuffer int, maxBytes uint64, maxFrames int) *guard {
	return &guard{
		Conn: c, r: bufio.NewReaderSize(c, readBuffer), left: greetingSize,
		maxBytes: maxBytes, maxFrames: maxFrames,
	}
}

// handshakeDone begins the stream of messages: commands are refused from here on and writes are gathered.
func (g *guard) handshakeDone() {
	g.open, g.w = true, bufio.NewWriterSize(g.Conn, 2<<10)
}

func (g *guard) Read(p []byte) (int, error) {
	if g.left == 0 {
		if err := g.nextFrame(); err != nil {
			return 0, err
		}
	}
	if uint64(len(p)) > g.left {
		p = p[:g.left]
	}
	n, err := g.r.Read(p)
	g.left -= uint64(n)
	return n, ending(err, true)
}

// nextFrame looks at the header of the frame that comes next, without taking it out of the buffer.
func (g *guard) nextFrame() error {
	head, err := g.r.Peek(2)
	if err != nil {
		return ending(err, len(head) > 0 || g.more)
	}
	flags, size, headSize := head[0], uint64(head[1]), uint64(2)
	if flags&flagLong != 0 {
		if head, err = g.r.Peek(9); err != nil {
			return ending(err, true)
		}
		size, headSize = binary.BigEndian.Uint64(head[1:]), 9
	}
	if err := g.admit(flags, size); err != nil {
		return err
	}
	g.left, g.more = headSize+size, flags&flagMore != 0
	return nil
}

// admit decides whether the library may see a frame.
func (g *guard) admit(flags byte, size uint64) error {
	if !g.open {
		if flags != flagCommand && flags != flagCommand|flagLong || size > maxReadyFrame {
			return fmt.Errorf("%w: flags %#x, %d bytes in the handshake", ErrProtocol, flags, size)
		}
		return nil
	}
	// We announce ZMTP 3.0, which has no commands after the handshake. The library would answer a PING on the reading
	// goroutine, in the middle of whatever another one is writing.
	if flags&^(flagMore|flagLong) != 0 {
		return fmt.Errorf("%w: frame flags %#x", ErrProtocol, flags)
	}
	if !g.more {
		g.bytes, g.frames = 0, 0
	}
	g.frames++
	if size > g.maxBytes-g.bytes {
		return fmt.Errorf("%w: a frame of %d bytes, limit %d for a message", ErrTooBig, size, g.maxBytes)
	}
	if g.frames > g.maxFrames {
		return fmt.Errorf("%w: more than %d frames", ErrTooBig, g.maxFrames)
	}
	g.bytes += size
	return nil
}

func (g *guard) Write(p []byte) (int, error) {
	if g.w == nil {
		return g.Conn.Write(p)
	}
	return g.w.Write(p)
}

// ending tells a peer that left between two messages (io.EOF) from one that left inside one. A peer that dies with our
// bytes unread resets the connection, which is no other news.
func ending(err error, inside bool) error {
	if err == nil || !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		return err
	}
	if inside {
		return io.ErrUnexpectedEOF
	}
	return io.EOF
}

var _ net.Conn = (*guard)(nil)
