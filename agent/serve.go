package agent

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hopyard/hopyard/agent/journal"
)

// attachment is one connection to the agent.
type attachment struct {
	a     *Agent
	conn  *net.UnixConn
	hello Hello

	ctx     context.Context
	end     context.CancelCauseFunc
	settled chan struct{} // closed when the client's place has been recorded

	progress progress
	witness  *witness

	calls sync.WaitGroup // that are being carried out; added to by who reads
	wmu   sync.Mutex     // serialises writes
}

// serve answers on the agent's socket until it is closed.
func (a *Agent) serve(ln *net.UnixListener) {
	for {
		conn, err := ln.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			a.log.Error("accept", "error", err)
			time.Sleep(100 * time.Millisecond) // no files left, most likely: it will not be better at once
			continue
		}
		go a.attach(conn)
	}
}

// attach serves one connection to its end.
func (a *Agent) attach(conn *net.UnixConn) {
	defer conn.Close()
	hello, files, err := readHello(conn)
	if err != nil {
		return
	}
	if !a.enter() {
		closeAll(files)
		return
	}
	defer a.leave()
	ctx, end := context.WithCancelCause(a.ctx)
	t := &attachment{a: a, conn: conn, hello: hello, ctx: ctx, end: end, settled: make(chan struct{})}
	if err := t.take(files); err != nil {
		a.log.Warn("attachment refused", "error", err)
		t.witness.release(false)
		end(err)
		return
	}
	defer end(nil)
	// What the gateway has said already, its last word above all, is still read; then reading and writing fail.
	context.AfterFunc(ctx, func() { _, _ = conn.CloseRead(), conn.CloseWrite() })
	if hello.Watch {
		t.watch()
		return
	}
	t.follow()
}

// take takes over what came with a Hello: for a client its board, and perhaps its socket.
func (t *attachment) take(files []*os.File) (err error) {
	if t.hello.Watch {
		closeAll(files)
		return nil
	}
	if len(files) == 0 {
		return errors.New("agent: a client without a board")
	}
	if len(files) > 1 {
		t.witness = newWitness(files[1])
	}
	defer files[0].Close()
	t.progress.board, err = openBoard(files[0])
	return err
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// readHello reads the first frame together with the files that come with it.
func readHello(conn *net.UnixConn) (Hello, []*os.File, error) {
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	defer conn.SetReadDeadline(time.Time{})
	buf, oob := make([]byte, 4<<10), make([]byte, syscall.CmsgSpace(2*4))
	n, oobn, _, _, err := conn.ReadMsgUnix(buf, oob)
	if err != nil {
		return Hello{}, nil, err
	}
	files := receivedFiles(oob[:oobn])
	var h Hello
	size := 0
	if n >= frameHead {
		size = int(binary.LittleEndian.Uint32(buf)) - 1
	}
	// A gateway sends its Hello with one write and waits for the answer, so it is here whole and alone.
	if n < frameHead || frameType(buf[4]) != frameHello || size != n-frameHead || json.Unmarshal(buf[frameHead:n], &h) != nil {
		closeAll(files)
		return Hello{}, nil, errors.New("agent: that was no hello")
	}
	if len(h.Client) > maxClient {
		closeAll(files)
		return Hello{}, nil, fmt.Errorf("agent: a client's key of %d bytes", len(h.Client))
	}
	return h, files, nil
}

func receivedFiles(oob []byte) []*os.File {
	msgs, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	var files []*os.File
	for _, m := range msgs {
		fds, err := syscall.ParseUnixRights(&m)
		if err != nil {
			continue
		}
		for _, fd := range fds {
			_ = syscall.SetNonblock(fd, true) // so that deadlines work
			files = append(files, os.NewFile(uintptr(fd), "client"))
		}
	}
	return files
}

// follow sends a client the records that are meant for it, and takes its input.
func (t *attachment) follow() {
	next := t.a.journal.Next()
	begin := t.hello.From
	if t.hello.Last > 0 {
		begin = next - min(t.hello.Last, next-1)
	}
	defer t.progress.board.close()
	from, resumed, err := t.a.clients.join(t.ctx, t.hello.Client, t, begin, next)
	if err != nil {
		t.witness.release(false)
		return
	}
	t.progress.got = from - 1
	t.a.connected(+1)
	go t.send(from, resumed)
	t.end(t.receive())
	t.a.connected(-1)
	died := !t.progress.isFinal() && !t.a.isOver() // where we end, the gateway tells its client why
	t.a.clients.leave(t.hello.Client, t.progress.conclude(t.witness))
	close(t.settled)
	t.witness.release(died)
}

// sendBytes is how much of the journal goes into one frame.
const sendBytes = 64 << 10

// send is the client's cursor. It waits for the client, never the program for it.
func (t *attachment) send(from uint64, resumed bool) {
	if t.writeJSON(frameWelcome, Welcome{Version: protocolVersion, Next: from, Resumed: resumed, State: t.a.State()}) != nil {
		return
	}
	cur := t.a.journal.From(from)
	var out []byte
	for {
		data, err := cur.Read(t.ctx, sendBytes)
		var cut *journal.CutError
		switch {
		case errors.As(err, &cut):
			err = t.writeNotice(cut)
		case err == nil:
			if data = journal.For(data, t.hello.Client, out[:0]); len(data) > 0 {
				err = t.write(frameRecords, data)
			}
		}
		if err != nil {
			t.end(err)
			return
		}
		if cur.Seq() == t.a.journal.Next() {
			cur.Release()
		}
	}
}

func (t *attachment) writeNotice(cut *journal.CutError) error {
	t.a.log.Warn("output was cut before a client read it", "from", cut.From, "to", cut.To)
	if b := t.a.notice(cut.From, cut.To); b != nil {
		return t.write(frameNotice, b)
	}
	return nil
}

// receive takes what the gateway sends until it ends.
func (t *attachment) receive() error {
	r := bufio.NewReaderSize(t.conn, 512) // most inputs are small, and there are many idle clients
	var buf []byte
	for {
		typ, payload, grown, err := readFrame(r, buf)
		if err != nil {
			return err
		}
		if buf = grown; cap(buf) > 64<<10 {
			buf = nil
		}
		if err := t.handle(typ, payload); err != nil {
			return err
		}
	}
}

func (t *attachment) handle(typ frameType, payload []byte) error {
	switch typ {
	case frameInput:
		return t.a.input(t.ctx, t.hello.Client, payload)
	case frameDelivered:
		if len(payload) != 8 {
			return fmt.Errorf("agent: delivered of %d bytes", len(payload))
		}
		t.progress.delivered(binary.LittleEndian.Uint64(payload))
	case frameCall:
		return t.call(payload)
	default:
		return fmt.Errorf("agent: frame type %d is unknown", typ)
	}
	return nil
}

// call starts a request; its reply comes when it is done, in any order.
func (t *attachment) call(payload []byte) error {
	if len(payload) < 4 {
		return errors.New("agent: call without id")
	}
	var c call
	if err := json.Unmarshal(payload[4:], &c); err != nil {
		return fmt.Errorf("agent: call: %w", err)
	}
	id := [4]byte(payload[:4])
	t.calls.Go(func() {
		var rep reply
		result, err := t.a.do(t.ctx, c)
		if err != nil {
			rep.Error = err.Error()
		} else if result != nil {
			rep.Result, _ = json.Marshal(result)
		}
		b, _ := json.Marshal(rep)
		_ = t.write(frameReply, append(id[:], b...))
	})
	return nil
}

// usageEvery is how often a watcher hears of memory and processor time.
const usageEvery = 5 * time.Second

// watch sends the agent's state whenever it changes. The last state is followed by the replies to all calls.
func (t *attachment) watch() {
	var last atomic.Bool
	read := make(chan struct{})
	go func() {
		defer close(read)
		if err := t.receive(); !last.Load() {
			t.end(err)
		}
	}()
	t.a.measure()
	state, changed := t.a.stateAndChange()
	if t.writeJSON(frameWelcome, Welcome{Version: protocolVersion, State: state}) != nil {
		return
	}
	tick := time.NewTicker(usageEvery)
	defer tick.Stop()
	for state.Phase != Ended { // which it may be for who comes late
		select {
		case <-changed:
		case <-tick.C:
			t.a.measure()
			continue
		case <-t.ctx.Done():
			return
		}
		if t.a.State().Phase == state.Phase && !t.rest() {
			return
		}
		state, changed = t.a.stateAndChange()
		if t.writeJSON(frameState, state) != nil {
			return
		}
	}
	last.Store(true)
	_ = t.conn.CloseRead()
	<-read
	t.calls.Wait()
}

// watchRest is how long small changes are gathered before a watcher hears of them. A quick cell turns busy and idle within
// it: telling both would cost more than the cell.
const watchRest = 10 * time.Millisecond

// rest waits that long; it reports false if the attachment ends meanwhile.
func (t *attachment) rest() bool {
	timer := time.NewTimer(watchRest)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-t.ctx.Done():
		return false
	}
}

func (t *attachment) writeJSON(typ frameType, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return t.write(typ, b)
}

func (t *attachment) write(typ frameType, payload []byte) error {
	var head [frameHead]byte
	h := appendFrameHead(head[:0], typ, len(payload))
	t.wmu.Lock()
	defer t.wmu.Unlock()
	bufs := net.Buffers{h, payload}
	_, err := bufs.WriteTo(t.conn)
	return err
}

func shutdownWrite(socket syscall.RawConn) (err error) {
	cerr := socket.Control(func(fd uintptr) { err = syscall.Shutdown(int(fd), syscall.SHUT_WR) })
	return errors.Join(cerr, err)
}
