package agent

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"
)

// Conn is a gateway's attachment to an agent. One goroutine calls Next until it fails; everything else is safe for
// concurrent use. The caller closes it.
type Conn struct {
	conn    *net.UnixConn
	r       *bufio.Reader
	Welcome Welcome

	wmu sync.Mutex // serialises writes

	mu     sync.Mutex // guards below
	calls  map[uint32]chan reply
	lastID uint32
	failed error
}

// Event is one thing an agent tells.
type Event struct {
	// Records are encoded journal records for this client; journal.Decode reads them. Good until the next Next.
	Records []byte
	// Notice is what the bridge has to say in place of records that were cut. Good until the next Next.
	Notice []byte
	// State is the new state, for a watcher.
	State *State
}

// ErrEnded is returned by Next when the agent has ended or has closed the attachment.
var ErrEnded = errors.New("agent: the attachment has ended")

// Dial attaches to the agent that listens at the unix socket path. socket, if not nil, is the client's own TCP connection: the agent holds it too, so
// that it knows what the client got if this process is killed.
func Dial(ctx context.Context, path string, hello Hello, socket syscall.RawConn) (*Conn, error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("agent: %w", err)
	}
	c := &Conn{conn: nc.(*net.UnixConn), r: bufio.NewReaderSize(nc, 2<<10)}
	stop := context.AfterFunc(ctx, func() { _ = nc.SetDeadline(time.Unix(1, 0)) })
	err = c.handshake(hello, socket)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = nc.Close()
		return nil, err
	}
	return c, nil
}

func (c *Conn) handshake(hello Hello, socket syscall.RawConn) error {
	hello.Version, hello.Socket = protocolVersion, socket != nil
	b, err := json.Marshal(hello)
	if err != nil {
		return err
	}
	frame := appendFrame(nil, frameHello, b)
	if socket == nil {
		_, err = c.conn.Write(frame)
	} else {
		err = sendWithSocket(c.conn, frame, socket)
	}
	if err != nil {
		return fmt.Errorf("agent: hello: %w", err)
	}
	typ, payload, _, err := readFrame(c.r, nil)
	if err != nil {
		return fmt.Errorf("agent: welcome: %w", err)
	}
	if typ != frameWelcome {
		return fmt.Errorf("agent: frame type %d instead of a welcome", typ)
	}
	return json.Unmarshal(payload, &c.Welcome)
}

func sendWithSocket(conn *net.UnixConn, frame []byte, socket syscall.RawConn) error {
	var werr error
	err := socket.Control(func(fd uintptr) {
		_, _, werr = conn.WriteMsgUnix(frame, syscall.UnixRights(int(fd)), nil)
	})
	return errors.Join(err, werr)
}

// Next waits for what the agent tells next. It takes its buffer from buf when the first byte of a frame has come, so that a
// silent connection holds none, and returns the buffer in use for the caller to put back when it is done with the Event.
func (c *Conn) Next(buf func() []byte) (Event, []byte, error) {
	for {
		if _, err := c.r.Peek(1); err != nil {
			return Event{}, nil, c.fail(err)
		}
		typ, payload, b, err := readFrame(c.r, buf())
		if err != nil {
			return Event{}, b, c.fail(err)
		}
		switch typ {
		case frameRecords:
			return Event{Records: payload}, b, nil
		case frameNotice:
			return Event{Notice: payload}, b, nil
		case frameState:
			var s State
			if err := json.Unmarshal(payload, &s); err != nil {
				return Event{}, b, c.fail(err)
			}
			return Event{State: &s}, b, nil
		case frameReply:
			c.answer(payload)
		default:
			return Event{}, b, c.fail(fmt.Errorf("agent: frame type %d is unknown", typ))
		}
	}
}

// fail ends all calls that still wait.
func (c *Conn) fail(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed == nil {
		c.failed = fmt.Errorf("%w: %w", ErrEnded, err)
		for _, ch := range c.calls {
			close(ch)
		}
		c.calls = nil
	}
	return c.failed
}

func (c *Conn) answer(payload []byte) {
	if len(payload) < 4 {
		return
	}
	var rep reply
	if err := json.Unmarshal(payload[4:], &rep); err != nil {
		rep.Error = err.Error()
	}
	id := binary.LittleEndian.Uint32(payload)
	c.mu.Lock()
	ch := c.calls[id]
	delete(c.calls, id)
	c.mu.Unlock()
	if ch != nil {
		ch <- rep
	}
}

// Input sends a client's bytes to the program.
func (c *Conn) Input(body []byte) error { return c.write(frameInput, body) }

// Sending tells that the records of the marks are about to be written to the client and all before have been.
func (c *Conn) Sending(marks []Mark) error {
	return c.write(frameSending, appendMarks(make([]byte, 0, 16*len(marks)), marks))
}

// Delivered is the last word on how far the client has got.
func (c *Conn) Delivered(seq uint64) error {
	return c.write(frameDelivered, binary.LittleEndian.AppendUint64(nil, seq))
}

// Interrupt asks the program to stop what it is doing.
func (c *Conn) Interrupt(ctx context.Context) error { return c.call(ctx, verbInterrupt, 0) }

// Restart ends the program, kindly for at most grace, and begins a new generation. It returns when that has begun.
func (c *Conn) Restart(ctx context.Context, grace time.Duration) error {
	return c.call(ctx, verbRestart, grace)
}

// Stop ends the program, kindly for at most grace, and with it the agent.
func (c *Conn) Stop(ctx context.Context, grace time.Duration) error {
	return c.call(ctx, verbStop, grace)
}

// Signal sends SIGTERM, or SIGKILL if kill is set, to the program's process group.
func (c *Conn) Signal(ctx context.Context, kill bool) error {
	if kill {
		return c.call(ctx, verbKill, 0)
	}
	return c.call(ctx, verbTerminate, 0)
}

// call sends a request and waits for its reply, which Next reads.
func (c *Conn) call(ctx context.Context, method verb, grace time.Duration) error {
	params, _ := json.Marshal(callParams{GraceMillis: grace.Milliseconds()})
	b, _ := json.Marshal(call{Method: string(method), Params: params})
	ch := make(chan reply, 1)
	c.mu.Lock()
	if c.failed != nil {
		defer c.mu.Unlock()
		return c.failed
	}
	if c.calls == nil {
		c.calls = map[uint32]chan reply{}
	}
	c.lastID++
	id := c.lastID
	c.calls[id] = ch
	c.mu.Unlock()
	if err := c.write(frameCall, append(binary.LittleEndian.AppendUint32(nil, id), b...)); err != nil {
		return err
	}
	select {
	case rep, ok := <-ch:
		if !ok {
			return ErrEnded
		}
		if rep.Error != "" {
			return errors.New(rep.Error)
		}
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (c *Conn) write(typ frameType, payload []byte) error {
	var head [frameHead]byte
	h := appendFrameHead(head[:0], typ, len(payload))
	c.wmu.Lock()
	defer c.wmu.Unlock()
	var err error
	if len(payload) <= 1024 {
		_, err = c.conn.Write(append(h, payload...))
	} else {
		bufs := net.Buffers{h, payload}
		_, err = bufs.WriteTo(c.conn)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrEnded, err)
	}
	return nil
}

// Close ends the attachment.
func (c *Conn) Close() error { return c.conn.Close() }
