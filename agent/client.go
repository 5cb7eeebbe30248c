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
	board   *board // nil for a watcher
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
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Conn) handshake(hello Hello, socket syscall.RawConn) error {
	hello.Version = protocolVersion
	b, err := json.Marshal(hello)
	if err != nil {
		return err
	}
	if err := c.greet(appendFrame(nil, frameHello, b), hello.Watch, socket); err != nil {
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

// greet sends the Hello, for a client together with its board and, if there is one, its socket.
func (c *Conn) greet(frame []byte, watch bool, socket syscall.RawConn) error {
	if watch {
		_, err := c.conn.Write(frame)
		return err
	}
	board, file, err := newBoard()
	if err != nil {
		return err
	}
	defer file.Close()
	c.board = board
	send := func(fds ...int) error {
		_, _, err := c.conn.WriteMsgUnix(frame, syscall.UnixRights(fds...), nil)
		return err
	}
	if socket == nil {
		return send(int(file.Fd()))
	}
	cerr := socket.Control(func(fd uintptr) { err = send(int(file.Fd()), int(fd)) })
	return errors.Join(err, cerr)
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

// Sending notes that the records of the marks, at most MaxMarks, are about to be written to the client and all before have
// been. The agent reads the note if this process is killed.
func (c *Conn) Sending(marks []Mark) { c.board.post(marks) }

// Delivered is the last word on how far the client has got.
func (c *Conn) Delivered(seq uint64) error {
	return c.write(frameDelivered, binary.LittleEndian.AppendUint64(nil, seq))
}

// Interrupt asks the program to stop what it is doing.
func (c *Conn) Interrupt(ctx context.Context) error { return c.call(ctx, verbInterrupt, callParams{}) }

// Restart ends the program, kindly for at most grace, and begins a new generation: of program, or of what ran if it is nil. It
// returns when that has begun.
func (c *Conn) Restart(ctx context.Context, grace time.Duration, program *Program) error {
	return c.call(ctx, verbRestart, callParams{GraceMillis: grace.Milliseconds(), Program: program})
}

// Stop ends the program, kindly for at most grace, and with it the agent.
func (c *Conn) Stop(ctx context.Context, grace time.Duration) error {
	return c.call(ctx, verbStop, callParams{GraceMillis: grace.Milliseconds()})
}

// Signal sends SIGTERM, or SIGKILL if kill is set, to the program's process group.
func (c *Conn) Signal(ctx context.Context, kill bool) error {
	if kill {
		return c.call(ctx, verbKill, callParams{})
	}
	return c.call(ctx, verbTerminate, callParams{})
}

// call sends a request and waits for its reply, which Next reads.
func (c *Conn) call(ctx context.Context, method verb, with callParams) error {
	params, _ := json.Marshal(with)
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
func (c *Conn) Close() error {
	if c.board != nil {
		c.board.close()
	}
	return c.conn.Close()
}
