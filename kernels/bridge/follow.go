package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hopyard/hopyard/agent/journal"
	"github.com/hopyard/hopyard/kernels/wire"
	"github.com/hopyard/hopyard/kernels/zmq"
)

// follow reads one channel as long as the kernel lives, at full speed, whatever clients do. A connection that breaks is
// made anew: the kernel may have sent what we refuse, but it goes on.
func (b *Bridge) follow(ctx context.Context, s socket, identity string, ch *zmq.Channel) {
	signer := wire.NewSigner(b.key)
	for {
		err := b.drain(s, signer, ch)
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, zmq.ErrTooBig) || errors.Is(err, zmq.ErrProtocol) {
			b.refused(err)
		}
		if ch, err = b.dial(ctx, s, identity); err != nil {
			return
		}
	}
}

// refused tells, in the cell that runs, that the kernel sent what we could not take.
func (b *Bridge) refused(err error) {
	b.mu.Lock()
	running := b.running
	b.mu.Unlock()
	b.emit(KindIOPub, "", b.stderr(running, fmt.Sprintf("\n[output of this kernel was refused: %v]\n", err)))
}

// batchBytes is about how much is gathered before it is written to the journal.
const batchBytes = 128 << 10

// drain reads messages until the channel fails. What is there already goes to the journal in one batch, also when the
// channel fails behind it.
func (b *Bridge) drain(s socket, signer *wire.Signer, ch *zmq.Channel) error {
	var arena []byte
	var batch []journal.Record
	for {
		frames, err := ch.Recv()
		if err == nil {
			arena, batch = b.gather(s, signer, frames, arena, batch)
		}
		if len(batch) > 0 && (err != nil || !ch.Pending() || len(arena) > batchBytes) {
			b.host.Sink.Emit(batch...)
			clear(batch)
			batch, arena = batch[:0], arena[:0]
			if cap(arena) > 2*batchBytes {
				arena, batch = nil, nil // a flood or a large message has passed
			}
		}
		if err != nil {
			return err
		}
	}
}

// gather adds a message to the batch, unless it is not signed with the key and so not from our kernel, or concerns us alone.
func (b *Bridge) gather(s socket, signer *wire.Signer, frames [][]byte, arena []byte, batch []journal.Record) ([]byte, []journal.Record) {
	m, err := signer.FromFrames(frames, s.channel)
	if err != nil {
		return arena, batch
	}
	to, keep := b.look(s, m)
	if !keep {
		return arena, batch
	}
	start := len(arena)
	arena = wire.AppendV1(arena, m)
	return arena, append(batch, journal.Record{Kind: s.kind, To: to, Body: arena[start:len(arena):len(arena)]})
}

// look takes note of what concerns the bridge itself, and says to whom a message goes and whether it is kept.
func (b *Bridge) look(s socket, m wire.Message) (to string, keep bool) {
	if s.kind == KindIOPub {
		signal(b.heard)
		if wire.IsType(m.Header, "status") {
			b.status(m)
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		return "", b.ready
	}
	id, _, session, err := wire.Head(m.Parent)
	if err != nil {
		return "", false
	}
	if session == b.session { // our own question
		if wire.IsType(m.Header, "kernel_info_reply") {
			signal(b.info)
		}
		return "", false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if client, ok := b.routes.find(id); ok {
		return client, true
	}
	return session, true // an old request: most clients attach under their session
}

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// uncounted are requests whose busy and idle say nothing of what the kernel does for people (jupyter_server,
// untracked_message_types).
var uncounted = map[string]bool{
	"comm_info_request": true, "kernel_info_request": true, "shutdown_request": true, "interrupt_request": true,
	"debug_request": true, "history_request": true, "complete_request": true, "inspect_request": true, "is_complete_request": true,
}

// status follows the kernel's execution state. That it is starting is said without a request, and may be read after the
// answers to ours: Connect knows better when that is over.
func (b *Bridge) status(m wire.Message) {
	_, request, _, err := wire.Head(m.Parent)
	if err != nil || uncounted[request] {
		return
	}
	var content struct {
		State string `json:"execution_state"`
	}
	if json.Unmarshal(m.Content, &content) != nil || content.State == "" || content.State == "starting" {
		return
	}
	if request == "execute_request" && content.State == "busy" {
		b.mu.Lock()
		b.running = append([]byte(nil), m.Parent...)
		b.mu.Unlock()
	}
	b.host.Sink.Activity(content.State, request == "execute_request")
}
