package jupyter

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"
	"github.com/hopyard/hopyard/agent"
	"github.com/hopyard/hopyard/agent/journal"
	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/internal/tcpstat"
	"github.com/hopyard/hopyard/kernels"
	"github.com/hopyard/hopyard/kernels/wire"
	"github.com/labstack/echo/v4"
)

const (
	// pingEvery and silence are jupyter_server's: ping every 30 s, close after 90 s without an answer.
	pingEvery = 30 * time.Second
	silence   = 90 * time.Second
	// stalled is how long a client may take nothing at all before it is cut; it may come back and go on.
	stalled = 60 * time.Second
	// attachLimit bounds the connection to a kernel's agent.
	attachLimit = 10 * time.Second
)

// framing writes a message of the journal, which is in v1 framing, as a client reads it.
type framing func(ws *websocket.Conn, v1 []byte, scratch []byte) ([]byte, error)

// framingFor chooses by the subprotocol that was agreed on. A client without one that is no browser is another Jupyter server
// or a script: those decode every frame as text, so buffers are left out for them. Browsers name themselves and their page;
// Python's websocket-client, which jupyter_server's GatewayKernelClient uses, makes up the page but has no name.
func framingFor(ws *websocket.Conn, r *http.Request) framing {
	switch {
	case ws.Subprotocol() == wire.V1Protocol:
		return asIs
	case r.Header.Get("Origin") == "" || r.Header.Get("User-Agent") == "":
		return asText
	default:
		return asDefault
	}
}

func asIs(ws *websocket.Conn, v1, scratch []byte) ([]byte, error) {
	return scratch, ws.WriteMessage(websocket.BinaryMessage, v1)
}

func asText(ws *websocket.Conn, v1, scratch []byte) ([]byte, error) {
	m, err := wire.ParseV1(v1)
	if err != nil {
		return scratch, err
	}
	out := wire.AppendText(scratch[:0], m)
	return out, ws.WriteMessage(websocket.TextMessage, out)
}

func asDefault(ws *websocket.Conn, v1, scratch []byte) ([]byte, error) {
	m, err := wire.ParseV1(v1)
	if err != nil {
		return scratch, err
	}
	out, binary := wire.AppendDefault(scratch[:0], m)
	kind := websocket.TextMessage
	if binary {
		kind = websocket.BinaryMessage
	}
	return out, ws.WriteMessage(kind, out)
}

// tab is one open kernel websocket: a client's cursor on the kernel's journal, and its way to the kernel.
type tab struct {
	h     *Handler
	key   tabKey
	who   kernels.Who
	ctx   context.Context // the request's values; it does not end
	ws    *websocket.Conn
	batch *door.Batch
	agent *agent.Conn // set under quiet and mu; constant from then on
	frame framing
	text  bool // the client speaks the framing without subprotocol

	ping   *time.Timer
	socket syscall.RawConn // the client's; nil where it is no plain TCP connection
	base   uint64          // bytes the system had taken from us when the attachment began
	bias   uint64          // bytes the batch had counted then
	once   sync.Once       // ends it
	done   atomic.Bool
	gone   chan struct{} // closed when the agent knows how far the client got

	quiet   sync.Mutex   // held while the counts begin: a control frame in between would be in one and not in the other
	mu      sync.Mutex   // guards below
	got     uint64       // every record up to this one has reached the client
	sent    []agent.Mark // written, or about to be, and not yet known to have arrived
	written uint64       // every record up to this one has been handed to the connection
}

// channels opens a kernel's websocket (jupyter_server, kernel websocket protocol). The handler returns at once: an idle
// websocket costs two small goroutines and nothing of the HTTP server's.
func (h *Handler) channels(c echo.Context) error {
	id := c.Param("id")
	if _, err := h.cfg.Kernels.Kernel(c.Request().Context(), who(c), id); err != nil {
		return err
	}
	session := cmp.Or(c.QueryParam("session_id"), uuid.NewString())
	if len(session) > 255 {
		return problem.New(problem.Invalid, "session_id has %d bytes; 255 are the most", len(session))
	}
	ws, err := door.Upgrade(c, door.UpgradeOptions{Subprotocols: []string{wire.V1Protocol}, MaxMessage: 256 << 20})
	if err != nil {
		return err
	}
	batch, ok := door.BatchOf(ws)
	if !ok {
		_ = ws.Close()
		return errors.New("jupyter: a websocket without a batch")
	}
	t := &tab{
		h: h, key: tabKey{id, session}, who: who(c), ctx: context.WithoutCancel(c.Request().Context()), ws: ws, batch: batch,
		frame: framingFor(ws, c.Request()), text: ws.Subprotocol() != wire.V1Protocol, gone: make(chan struct{}),
	}
	t.keepAlive()
	t.open()
	return nil
}

// attach connects t to its kernel, unless it is or has ended.
func (t *tab) attach() error {
	t.quiet.Lock()
	defer t.quiet.Unlock()
	if t.agent != nil || t.done.Load() {
		return nil
	}
	ctx, cancel := context.WithTimeout(t.ctx, attachLimit)
	defer cancel()
	// The counts begin here: nothing is written to the client until the agent has its own hold on the socket.
	t.bias = t.batch.Mark()
	// Where it is no plain TCP connection nobody can look into it, and the client may see the last write twice.
	if socket, err := t.batch.SyscallConn(); err == nil {
		if t.base, err = tcpstat.Accepted(socket); err == nil {
			t.socket = socket
		}
	}
	conn, err := t.h.cfg.Kernels.Attach(ctx, t.who, t.key.kernel, t.key.session, t.socket)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.agent, t.got, t.written = conn, conn.Welcome.Next-1, conn.Welcome.Next-1
	go t.pump()
	return nil
}

// control writes a control frame.
func (t *tab) control(kind int, body string) error {
	t.quiet.Lock()
	defer t.quiet.Unlock()
	return t.ws.WriteControl(kind, []byte(body), time.Now().Add(time.Second))
}

// keepAlive pings the client and gives it up when it is silent for too long. Nobody reads from it yet.
func (t *tab) keepAlive() {
	alive := func() { _ = t.ws.SetReadDeadline(time.Now().Add(silence)) }
	alive()
	t.ws.SetPongHandler(func(string) error { alive(); return nil })
	t.ws.SetPingHandler(func(body string) error {
		_ = t.control(websocket.PongMessage, body) // who reads will be told if the connection has broken
		return nil
	})
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ping = time.AfterFunc(pingEvery, func() {
		if t.control(websocket.PingMessage, "") != nil {
			return
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		if !t.done.Load() {
			t.ping.Reset(pingEvery)
		}
	})
}

// readBuffers hold what came from an agent while it is being written to a client.
var readBuffers = sync.Pool{New: func() any { return make([]byte, 0, 72<<10) }}

func readBuffer() []byte { return readBuffers.Get().([]byte) }

// pump writes what the kernel says to the client, as fast as the client reads.
func (t *tab) pump() {
	var scratch []byte
	for {
		ev, buf, err := t.agent.Next(readBuffer)
		if err == nil {
			scratch, err = t.write(ev, scratch)
		}
		if cap(buf) > 0 && cap(buf) <= 1<<20 {
			readBuffers.Put(buf[:0]) //nolint:staticcheck // a slice header is small against what it saves
		}
		if cap(scratch) > 64<<10 {
			scratch = nil
		}
		if err != nil {
			t.fail(err)
			return
		}
	}
}

// write sends what an event holds.
func (t *tab) write(ev agent.Event, scratch []byte) ([]byte, error) {
	var err error
	for b := ev.Records; len(b) > 0 && err == nil; {
		b, scratch, err = t.writeSome(b, scratch)
	}
	if ev.Notice != nil && err == nil {
		t.batch.Begin()
		scratch, err = t.frame(t.ws, ev.Notice, scratch)
		err = t.batch.Flush(stalled, func() error { return err })
	}
	return scratch, err
}

// writeSome sends as many records as can be noted at once, with one system call, and returns the rest. What is about to be
// written is noted first, where the agent finds it if this process is killed. If the client is told to go meanwhile, what was
// gathered before still goes out, with the reason behind it.
func (t *tab) writeSome(b, scratch []byte) (rest, grown []byte, err error) {
	var marks [agent.MaxMarks]agent.Mark
	n := 0
	t.batch.Begin()
	for len(b) > 0 && n < len(marks) && err == nil {
		var r journal.Record
		if r, b, err = journal.Decode(b); err == nil {
			scratch, err = t.frame(t.ws, r.Body, scratch)
			marks[n] = agent.Mark{Seq: r.Seq, End: t.batch.Mark() - t.bias}
			n++
		}
	}
	told := errors.Is(err, websocket.ErrCloseSent)
	if told {
		n--
	}
	ferr := t.batch.Flush(stalled, func() error {
		if err != nil && !told {
			return err
		}
		if n > 0 { // an empty note would hide the one before
			t.note(marks[:n])
			t.agent.Sending(marks[:n])
		}
		return nil
	})
	if ferr == nil && n > 0 {
		t.mu.Lock()
		t.written = marks[n-1].Seq
		t.mu.Unlock()
	}
	return b, scratch, errors.Join(err, ferr)
}

// maxSent is how many marks are kept before it is asked which have arrived.
const maxSent = 2048

func (t *tab) note(marks []agent.Mark) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sent = append(t.sent, marks...); len(t.sent) > maxSent {
		_ = t.settle() // closed: whoever writes will be told
	}
}

// settle drops the marks that have arrived; mu is held.
func (t *tab) settle() error {
	if t.socket == nil {
		return door.ErrNoSocket
	}
	acked, err := tcpstat.Acked(t.socket)
	if err != nil {
		return err
	}
	i := 0
	for i < len(t.sent) && t.base+t.sent[i].End <= acked {
		t.got = t.sent[i].Seq
		i++
	}
	t.sent = append(t.sent[:0], t.sent[i:]...)
	return nil
}

// delivered is the last record that has reached a client that reads no more, if that is known. What its system has not
// confirmed must not reach it any more either.
func (t *tab) delivered() (seq uint64, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.socket == nil {
		return t.written, true // the best that we know
	}
	if t.settle() != nil {
		return 0, false // closed already
	}
	if len(t.sent) > 0 {
		t.batch.Discard()
	}
	return t.got, true
}

// read passes on what the client sends.
func (t *tab) read() {
	served := false
	for {
		kind, body, err := t.ws.ReadMessage()
		if err != nil {
			t.lost(websocket.CloseServiceRestart, "no answer") // to one that sleeps; who has said goodbye hears its own code
			return
		}
		if t.text {
			m, err := wire.ParseDefault(body, kind == websocket.BinaryMessage)
			if err != nil {
				t.end(websocket.CloseUnsupportedData, "that was no Jupyter message")
				return
			}
			body = wire.AppendV1(nil, m)
		}
		if !served && !t.insist() {
			return
		}
		served = true
		if err := t.agent.Input(body); err != nil {
			t.fail(err)
			return
		}
	}
}

// fail ends the tab after the agent or the client could not be reached. A client whose kernel is there may come back; one
// whose kernel has ended must not try. One that has been told to go is on its way, and its answer ends the tab.
func (t *tab) fail(err error) {
	if t.done.Load() || errors.Is(err, websocket.ErrCloseSent) {
		return
	}
	if !errors.Is(err, agent.ErrEnded) {
		t.lost(websocket.CloseInternalServerErr, "too slow")
		return
	}
	code, text := websocket.CloseInternalServerErr, "the connection to the kernel broke"
	ctx, cancel := context.WithTimeout(context.Background(), attachLimit)
	defer cancel()
	if t.h.cfg.Kernels.Gone(ctx, t.key.kernel) {
		code, text = websocket.CloseNormalClosure, "the kernel has been shut down"
	}
	t.end(code, text)
}

// lost ends the tab of a client that reads no more: it left, is out of reach, or has connected again. What its system has
// confirmed is what it got.
func (t *tab) lost(code int, text string) {
	last := func(conn *agent.Conn) {
		t.batch.Settle() // whoever is writing would count otherwise, and would keep the reason from the client
		if seq, known := t.delivered(); known {
			_ = conn.Delivered(seq)
		}
	}
	t.close(last, func() { // at once: what is written behind that would come twice
		_ = say(t.ws, code, text)
		_ = t.ws.Close()
	})
}

// end ends the tab of a client that reads on: it will get what has been written, and the agent, which holds its socket
// too, sees how much that was.
func (t *tab) end(code int, text string) {
	t.close(func(*agent.Conn) {}, func() { closeWith(t.ws, code, text) })
}

// close closes both sides, once, after the last word to the agent. An attachment that has begun is waited for: the agent would
// take it for a younger one than that of the client's next websocket.
func (t *tab) close(last func(*agent.Conn), goodbye func()) {
	t.once.Do(func() {
		t.done.Store(true)
		t.quiet.Lock()
		t.mu.Lock()
		conn, ping := t.agent, t.ping
		t.mu.Unlock()
		t.quiet.Unlock()
		if ping != nil {
			ping.Stop()
		}
		if conn != nil {
			last(conn)
		}
		goodbye()
		if conn != nil {
			_ = conn.Close()
		}
		t.h.tabs.drop(t)
		close(t.gone)
	})
}
