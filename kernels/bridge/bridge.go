// Package bridge is how an agent talks with a Jupyter kernel: ZeroMQ over IPC sockets in a folder that nobody else may
// enter, one connection for each channel, and all of the kernel's messages as records of the journal.
//
// A record's body is the message in v1 websocket framing, which the gateway forwards without looking into it. Its To is
// the client that asked, for replies and input requests; what a kernel publishes is for everyone.
//
// It implements the client side of Jupyter messaging 5.x (jupyter-client, docs/messaging.rst).
package bridge

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/hopyard/hopyard/agent"
	"github.com/hopyard/hopyard/agent/journal"
	"github.com/hopyard/hopyard/kernels/wire"
	"github.com/hopyard/hopyard/kernels/zmq"
)

// Kind is the kind of workloads that this bridge serves.
const Kind = "kernel"

// Spec is what a kernel's workload carries for its bridge.
type Spec struct {
	// Username goes into the headers of messages that we make ourselves.
	Username string `json:"username"`
	// InterruptMode is "signal" or "message" (kernelspec, interrupt_mode); empty means signal.
	InterruptMode string `json:"interrupt_mode,omitempty"`
}

// Placeholders in a kernel's argv.
const (
	ConnectionFile = "{connection_file}"
	Launcher       = "{launcher}" // our starter for ipykernel
)

//go:embed launcher.py
var launcher []byte

// The kinds of records, one for each channel that a kernel speaks on.
const (
	KindIOPub uint8 = iota + 1
	KindShell
	KindControl
	KindStdin
)

// socket is one of the kernel's sockets: its channel, and the number that is its port in a connection file.
type socket struct {
	channel string
	kind    uint8
	port    int
	typ     zmq.Type
}

var sockets = []socket{
	{wire.IOPub, KindIOPub, 2, zmq.Sub}, // first: nothing may be asked before somebody listens
	{wire.Shell, KindShell, 1, zmq.Dealer},
	{wire.Control, KindControl, 4, zmq.Dealer},
	{wire.Stdin, KindStdin, 3, zmq.Dealer},
}

const heartbeatPort = 5

// kindOf is the kind of records that a channel's messages are.
func kindOf(channel string) uint8 {
	for _, s := range sockets {
		if s.channel == channel {
			return s.kind
		}
	}
	return 0
}

// Bridge implements agent.Bridge for one generation of a kernel.
type Bridge struct {
	host    agent.Host
	spec    Spec
	key     []byte
	base    string // path of the sockets, without "-port"
	session string // of the messages that we make

	mu      sync.Mutex // guards below
	open    map[string]*zmq.Channel
	signer  *wire.Signer // for sending
	ready   bool         // what the kernel says is kept from now on
	running []byte       // the header of the last execute_request that became busy
	routes  routes

	heard  chan struct{} // something came on iopub; capacity 1
	info   chan struct{} // our kernel_info_request was answered; capacity 1
	cancel context.CancelFunc
	wg     sync.WaitGroup // the readers
}

var _ agent.Bridge = (*Bridge)(nil)

// New is the agent.Factory for kernels.
func New(host agent.Host) (agent.Bridge, error) {
	var spec Spec
	if len(host.Spec.Workload.Spec) > 0 {
		if err := json.Unmarshal(host.Spec.Workload.Spec, &spec); err != nil {
			return nil, fmt.Errorf("kernel: %w", err)
		}
	}
	return &Bridge{
		host: host, spec: spec, key: []byte(random(32)), base: filepath.Join(host.Dir, "kernel"), session: random(16),
		open: map[string]*zmq.Channel{}, heard: make(chan struct{}, 1), info: make(chan struct{}, 1),
	}, nil
}

func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// Prepare implements agent.Bridge: it writes the connection file.
func (b *Bridge) Prepare(context.Context) (agent.Start, error) {
	b.signer = wire.NewSigner(b.key)
	conn := map[string]any{
		"transport": "ipc", "ip": b.base, "hb_port": heartbeatPort,
		"key": string(b.key), "signature_scheme": "hmac-sha256",
	}
	for _, s := range sockets {
		conn[s.channel+"_port"] = s.port
	}
	text, err := json.MarshalIndent(conn, "", "  ")
	if err != nil {
		return agent.Start{}, err
	}
	file, start := filepath.Join(b.host.Dir, "connection.json"), filepath.Join(b.host.Dir, "launcher.py")
	if err := errors.Join(os.WriteFile(file, text, 0o600), os.WriteFile(start, launcher, 0o600)); err != nil {
		return agent.Start{}, fmt.Errorf("kernel: %w", err)
	}
	return agent.Start{Placeholders: map[string]string{ConnectionFile: file, Launcher: start}}, nil
}

// startLimit is how long a kernel may take from its process to its first answer.
const startLimit = 2 * time.Minute

// Connect implements agent.Bridge: it opens the channels and asks for the kernel's info until both a reply and a
// published message have come. Only then is it sure that nothing the kernel publishes will be missed.
func (b *Bridge) Connect(ctx context.Context) error {
	ctx, b.cancel = context.WithCancel(ctx)
	wait, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	identity := random(16)
	for _, s := range sockets {
		ch, err := b.dial(wait, s, identity)
		if err != nil {
			return fmt.Errorf("kernel: %s: %w", s.channel, err)
		}
		b.wg.Go(func() { b.follow(ctx, s, identity, ch) })
	}
	if err := b.greet(wait); err != nil {
		return fmt.Errorf("kernel: no answer: %w", err)
	}
	b.mu.Lock()
	b.ready = true
	b.mu.Unlock()
	b.host.Sink.Activity("idle", true)
	return nil
}

// greet is the handshake.
func (b *Bridge) greet(ctx context.Context) error {
	again := time.NewTicker(500 * time.Millisecond)
	defer again.Stop()
	ask := func() error {
		header := wire.NewHeader(random(16), "kernel_info_request", b.session, b.spec.Username, time.Now())
		return b.send(wire.Message{Channel: wire.Shell, Header: header})
	}
	if err := ask(); err != nil {
		return err
	}
	for heard, info := false, false; !heard || !info; {
		select {
		case <-b.heard:
			heard = true
		case <-b.info:
			info = true
		case <-again.C:
			if err := ask(); err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

func (b *Bridge) dial(ctx context.Context, s socket, identity string) (*zmq.Channel, error) {
	cfg := zmq.Config{Network: "unix", Addr: fmt.Sprintf("%s-%d", b.base, s.port), Type: s.typ, Identity: identity}
	ch, err := zmq.DialWhenReady(ctx, cfg)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	b.open[s.channel] = ch
	b.mu.Unlock()
	return ch, nil
}

// send signs a message and writes it to its channel.
func (b *Bridge) send(m wire.Message) error {
	b.mu.Lock()
	ch := b.open[m.Channel]
	if ch == nil {
		b.mu.Unlock()
		return fmt.Errorf("kernel: channel %q is not open", m.Channel)
	}
	frames := b.signer.AppendFrames(nil, m)
	b.mu.Unlock()
	return ch.Send(frames)
}

// Input implements agent.Bridge: one message in v1 framing. A message whose id was seen before is refused, so that
// nothing runs twice however often somebody sends it.
func (b *Bridge) Input(_ context.Context, client string, body []byte) error {
	m, err := wire.ParseV1(body)
	if err != nil {
		return fmt.Errorf("kernel: %w", err)
	}
	id, typ, _, err := wire.Head(m.Header)
	if err != nil {
		return fmt.Errorf("kernel: header: %w", err)
	}
	if id == "" || typ == "" {
		return errors.New("kernel: a message needs msg_id and msg_type")
	}
	switch m.Channel {
	case wire.Shell, wire.Control, wire.Stdin:
	default:
		return fmt.Errorf("kernel: nothing can be sent on channel %q", m.Channel)
	}
	b.mu.Lock()
	fresh := b.routes.add(id, client)
	b.mu.Unlock()
	if !fresh {
		return fmt.Errorf("kernel: message %s was sent before", id)
	}
	err = b.send(m)
	if errors.Is(err, zmq.ErrUnknownFate) || errors.Is(err, zmq.ErrClosed) {
		b.tellFate(client, m, typ, err)
	}
	return err
}

// tellFate answers a request in the kernel's place when sending it broke off, so that nobody waits for ever.
func (b *Bridge) tellFate(client string, m wire.Message, typ string, cause error) {
	fate, text := "NotSent", "The kernel could not be reached; this has not run. Run it again."
	if errors.Is(cause, zmq.ErrUnknownFate) {
		fate, text = "FateUnknown", "The connection to the kernel broke while this was sent: it may have run or not. Look before you run it again."
	}
	name, ok := replyType(typ)
	if !ok {
		return
	}
	content, _ := json.Marshal(map[string]any{"status": "error", "ename": fate, "evalue": text, "traceback": []string{text}})
	b.emit(kindOf(m.Channel), client, b.message(m.Channel, name, m.Header, content))
	if typ == "execute_request" {
		b.emit(KindIOPub, client, b.message(wire.IOPub, "error", m.Header, content))
	}
	b.emit(KindIOPub, client, b.message(wire.IOPub, "status", m.Header, []byte(`{"execution_state":"idle"}`)))
}

func replyType(request string) (string, bool) {
	const suffix = "_request"
	n := len(request) - len(suffix)
	if n <= 0 || request[n:] != suffix {
		return "", false
	}
	return request[:n] + "_reply", true
}

// message makes a message of our own in v1 framing.
func (b *Bridge) message(channel, typ string, parent, content []byte) []byte {
	header := wire.NewHeader(random(16), typ, b.session, b.spec.Username, time.Now())
	return wire.AppendV1(nil, wire.Message{Channel: channel, Header: header, Parent: parent, Content: content})
}

func (b *Bridge) emit(kind uint8, to string, body []byte) {
	b.host.Sink.Emit(journal.Record{Kind: kind, To: to, Body: body})
}

// Interrupt implements agent.Bridge.
func (b *Bridge) Interrupt(context.Context) error {
	if b.spec.InterruptMode != "message" {
		return agent.ErrUseSignal
	}
	header := wire.NewHeader(random(16), "interrupt_request", b.session, b.spec.Username, time.Now())
	return b.send(wire.Message{Channel: wire.Control, Header: header})
}

// Shutdown implements agent.Bridge. What runs is interrupted first: a busy kernel would not hear the request.
func (b *Bridge) Shutdown(ctx context.Context, restart bool) error {
	if b.Interrupt(ctx) == agent.ErrUseSignal { //nolint:errorlint // the sentinel itself
		_ = b.host.Signal(syscall.SIGINT)
	}
	header := wire.NewHeader(random(16), "shutdown_request", b.session, b.spec.Username, time.Now())
	content := fmt.Appendf(nil, `{"restart":%t}`, restart)
	return b.send(wire.Message{Channel: wire.Control, Header: header, Content: content})
}

// Lost implements agent.Bridge: clients learn it from a status message, as from jupyter_server.
func (b *Bridge) Lost(reason string, again bool) {
	state := "dead"
	if again {
		state = "restarting"
	}
	b.mu.Lock()
	running := b.running
	b.mu.Unlock()
	if running != nil {
		b.emit(KindIOPub, "", b.stderr(running, "The kernel died: "+reason+"\n"))
	}
	b.emit(KindIOPub, "", b.message(wire.IOPub, "status", nil, []byte(`{"execution_state":"`+state+`"}`)))
}

// Cut implements agent.Bridge: the reader sees, in the cell that runs, that older output is gone.
func (b *Bridge) Cut(from, to uint64) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stderr(b.running, fmt.Sprintf("\n[%d messages of older output were cut: the journal of this kernel was full]\n", to-from+1))
}

func (b *Bridge) stderr(parent []byte, text string) []byte {
	content, _ := json.Marshal(map[string]string{"name": "stderr", "text": text})
	return b.message(wire.IOPub, "stream", parent, content)
}

// lastWait is how long the last words of a kernel may take to be read. They are here already, and end with its process.
const lastWait = 5 * time.Second

// Close implements agent.Bridge.
func (b *Bridge) Close() error {
	if b.cancel == nil {
		return nil // never connected
	}
	b.cancel()
	read := make(chan struct{})
	go func() {
		b.wg.Wait()
		close(read)
	}()
	select {
	case <-read:
	case <-time.After(lastWait): // a process that cannot be killed holds the sockets
	}
	b.mu.Lock()
	for _, ch := range b.open {
		ch.Close()
	}
	b.mu.Unlock()
	<-read
	return nil
}
