// Package zmq connects to the ZeroMQ sockets of a kernel.
//
// It is the only place that knows go-zeromq/zmq4. That library allocates whatever length a peer announces, panics on
// some handshakes, and its sockets leak goroutines and retry behind the caller's back; so its sockets are not used at
// all. A Channel is one connection with one peer: the library does the ZMTP handshake and framing over a net.Conn of
// ours that refuses what it could not survive (guard.go). There are no goroutines, no queues and no retries here.
//
// Nothing is dropped here either. What is not received stays in the kernel's send queue, which drops when it is
// full: somebody must always be in Recv.
package zmq

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/go-zeromq/zmq4"
	"github.com/go-zeromq/zmq4/security/null"
)

var (
	// ErrTooBig means that the peer announced a message over the limits. The channel is closed.
	ErrTooBig = errors.New("zmq: message over the limit")
	// ErrProtocol means that the peer does not speak ZMTP as a kernel does. The channel is closed.
	ErrProtocol = errors.New("zmq: protocol violation")
	// ErrUnknownFate means that a send broke off: the peer may have got the message, or not. The channel is closed
	// and the message must not be sent again.
	ErrUnknownFate = errors.New("zmq: send broke off, fate of the message unknown")
	// ErrClosed means that the channel was closed before the call: nothing was sent or received by it.
	ErrClosed = errors.New("zmq: channel closed")
)

// Type is the kind of a channel's socket.
type Type string

// The socket types that a Jupyter client needs.
const (
	Dealer Type = "DEALER" // shell, control, stdin
	Sub    Type = "SUB"    // iopub; subscribes to everything
)

// Config says what to connect to. Zero limits mean the defaults.
type Config struct {
	Network  string // "unix" or "tcp"
	Addr     string // a socket's path, or host:port
	Type     Type
	Identity string // at most 255 bytes; shell and stdin of one client must share it

	MaxMessage uint64 // bytes of one message, all frames together; 256 MB by default
	MaxFrames  int    // frames of one message; 1024 by default
	ReadBuffer int    // bytes; 64 kB for Sub, 4 kB for Dealer by default

	HandshakeTimeout time.Duration // 30 s by default
	WriteTimeout     time.Duration // of one Send; 10 s by default
}

func (c Config) withDefaults() Config {
	buffer := 4 << 10
	if c.Type == Sub {
		buffer = 64 << 10
	}
	// The library allocates a frame when its header arrives. The pages are not touched before the bytes come, so a
	// false header of this size costs address space and the collector's pacing, not memory.
	c.MaxMessage = cmp.Or(c.MaxMessage, 256<<20)
	c.MaxFrames = cmp.Or(c.MaxFrames, 1024)
	c.ReadBuffer = cmp.Or(c.ReadBuffer, buffer)
	c.HandshakeTimeout = cmp.Or(c.HandshakeTimeout, 30*time.Second)
	c.WriteTimeout = cmp.Or(c.WriteTimeout, 10*time.Second)
	return c
}

// Channel is one open connection. Send and Close are safe for concurrent use; Recv and Pending belong to one goroutine.
type Channel struct {
	conn    *zmq4.Conn
	guard   *guard
	timeout time.Duration

	mu     sync.Mutex    // held for one Send, so that messages do not mix
	closed chan struct{} // closed by close
	close  func()
}

// Dial connects and does the handshake, once. Cancelling ctx ends it at any point; afterwards ctx has no effect.
func Dial(ctx context.Context, cfg Config) (*Channel, error) {
	cfg = cfg.withDefaults()
	var d net.Dialer
	raw, err := d.DialContext(ctx, cfg.Network, cfg.Addr)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, fmt.Errorf("zmq: %w", err)
	}
	c, err := handshake(ctx, raw, cfg)
	if err != nil {
		raw.Close()
		return nil, fmt.Errorf("zmq: connect %s %s: %w", cfg.Type, cfg.Addr, err)
	}
	return c, nil
}

// DialWhenReady is Dial for a kernel that is still starting: it waits until something listens at the address. Only
// ctx ends the waiting; cancel it when the kernel's process ends.
func DialWhenReady(ctx context.Context, cfg Config) (*Channel, error) {
	const slowest = 50 * time.Millisecond
	for pause := 2 * time.Millisecond; ; pause = min(pause*2, slowest) {
		c, err := Dial(ctx, cfg)
		if !notListening(err) {
			return c, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("zmq: wait for %s: %w", cfg.Addr, context.Cause(ctx))
		case <-time.After(pause):
		}
	}
}

// notListening says whether err is how a socket answers that is not bound, not listening yet, or has a full backlog.
func notListening(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EAGAIN)
}

func handshake(ctx context.Context, raw net.Conn, cfg Config) (*Channel, error) {
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	defer stop()
	raw.SetDeadline(time.Now().Add(cfg.HandshakeTimeout))
	g := newGuard(raw, cfg.ReadBuffer, cfg.MaxMessage, cfg.MaxFrames)
	conn, err := open(g, cfg)
	if err == nil && cfg.Type == Sub {
		err = conn.SendMsg(zmq4.NewMsg([]byte{1})) // 1 subscribes, to the empty prefix
	}
	if !stop() { // raw is closed, or about to be
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, err
	}
	raw.SetDeadline(time.Time{})
	g.handshakeDone()
	c := &Channel{conn: conn, guard: g, timeout: cfg.WriteTimeout, closed: make(chan struct{})}
	c.close = sync.OnceFunc(func() {
		close(c.closed)
		raw.Close()
	})
	return c, nil
}

// open is zmq4.Open, whose handshake panics on metadata and socket types that it does not expect.
func open(g *guard, cfg Config) (conn *zmq4.Conn, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: handshake: %v", ErrProtocol, r)
		}
	}()
	if len(cfg.Identity) > 255 {
		return nil, fmt.Errorf("identity of %d bytes, limit 255", len(cfg.Identity))
	}
	return zmq4.Open(g, null.Security(), zmq4.SocketType(cfg.Type), zmq4.SocketIdentity(cfg.Identity), false, nil)
}

// Send writes one message. A nil error says that the kernel of the operating system has it, not that the peer read it.
// It returns ErrClosed if nothing was sent, ErrUnknownFate (and closes the channel) if the write failed or timed out.
func (c *Channel) Send(frames [][]byte) error {
	if len(frames) == 0 {
		return errors.New("zmq: message without frames")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isClosed() {
		return ErrClosed
	}
	c.guard.SetWriteDeadline(time.Now().Add(c.timeout))
	err := c.conn.SendMsg(zmq4.Msg{Frames: frames})
	if err == nil {
		err = c.guard.w.Flush()
	}
	if err != nil {
		c.Close()
		return fmt.Errorf("%w: %w", ErrUnknownFate, err)
	}
	return nil
}

// Recv waits for one message and returns its frames, which belong to the caller. After an error the channel is closed:
// the error is io.EOF if the peer left between two messages, ErrClosed after Close, else what went wrong.
// A channel must always be read, until Recv errors.
func (c *Channel) Recv() ([][]byte, error) {
	msg, err := c.conn.RecvMsg()
	if err == nil {
		return msg.Frames, nil
	}
	if c.isClosed() {
		return nil, ErrClosed
	}
	c.Close()
	return nil, fmt.Errorf("zmq: receive: %w", err)
}

// Pending says that more of what the peer sent is already here, so that a reader may go on collecting a batch. It may
// be only the beginning of a message.
func (c *Channel) Pending() bool { return c.guard.r.Buffered() > 0 }

// Close ends the connection and whatever Send or Recv is waiting. It can be called any number of times.
func (c *Channel) Close() { c.close() }

func (c *Channel) isClosed() bool {
	select {
	case <-c.closed:
		return true
	default:
		return false
	}
}
