// Package terminal is how an agent talks with a shell: a pseudo-terminal, with what the shell writes as records of the
// journal, so that a terminal's screen comes back after a reload and after the gateway's death.
//
// Inputs and records are the frames of Jupyter's terminal websocket (terminado): ["stdin", text], ["set_size", rows, columns,
// …] and ["stdout", text].
package terminal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/creack/pty"
	"github.com/hopyard/hopyard/agent"
	"github.com/hopyard/hopyard/agent/journal"
)

// Kind is the kind of workloads that this bridge serves.
const Kind = "terminal"

// KindOutput is the one kind of records that terminals have.
const KindOutput uint8 = 1

// Bridge implements agent.Bridge for one shell.
type Bridge struct {
	host  agent.Host
	ours  *os.File // our end of the terminal
	their *os.File
	done  chan struct{} // closed when the output has ended
}

var _ agent.Bridge = (*Bridge)(nil)

// New is the agent.Factory for terminals.
func New(host agent.Host) (agent.Bridge, error) { return &Bridge{host: host}, nil }

// Prepare implements agent.Bridge: it opens the pseudo-terminal.
func (b *Bridge) Prepare(context.Context) (agent.Start, error) {
	ours, their, err := pty.Open()
	if err != nil {
		return agent.Start{}, fmt.Errorf("terminal: %w", err)
	}
	b.ours, b.their, b.done = ours, their, make(chan struct{})
	_ = pty.Setsize(ours, &pty.Winsize{Rows: 24, Cols: 80})
	return agent.Start{Terminal: their, Env: []string{"TERM=xterm-256color"}}, nil
}

// Connect implements agent.Bridge.
func (b *Bridge) Connect(context.Context) error {
	_ = b.their.Close() // the shell has it now; the output ends with the last process that holds it
	b.their = nil
	b.host.Sink.Activity("idle", true)
	go b.read()
	return nil
}

// read passes on what the shell writes, cut only between characters.
func (b *Bridge) read() {
	defer close(b.done)
	buf := make([]byte, 16<<10)
	have := 0
	for {
		n, err := b.ours.Read(buf[have:])
		have += n
		whole := have
		if err == nil {
			whole = wholeRunes(buf[:have])
		}
		if whole > 0 {
			body, _ := json.Marshal([2]string{"stdout", string(buf[:whole])})
			b.host.Sink.Emit(journal.Record{Kind: KindOutput, Body: body})
			have = copy(buf, buf[whole:have])
		}
		if err != nil {
			return
		}
	}
}

// wholeRunes is how much of b does not end within a character. Bytes that are no UTF-8 at all count as whole: they are
// shown as replacement characters.
func wholeRunes(b []byte) int {
	for i := 1; i <= min(utf8.UTFMax-1, len(b)); i++ {
		at := len(b) - i
		if utf8.RuneStart(b[at]) {
			if !utf8.FullRune(b[at:]) {
				return at
			}
			break
		}
	}
	return len(b)
}

// Input implements agent.Bridge: one frame of the websocket.
func (b *Bridge) Input(_ context.Context, _ string, body []byte) error {
	var frame []json.RawMessage
	var kind string
	if err := json.Unmarshal(body, &frame); err != nil || len(frame) == 0 || json.Unmarshal(frame[0], &kind) != nil {
		return fmt.Errorf("terminal: %.40q is no frame", body)
	}
	switch kind {
	case "stdin":
		var text string
		if len(frame) < 2 || json.Unmarshal(frame[1], &text) != nil {
			return fmt.Errorf("terminal: stdin without a text")
		}
		b.host.Sink.Activity("idle", true)
		_, err := b.ours.WriteString(text)
		return err
	case "set_size":
		var rows, cols uint16
		if len(frame) < 3 || json.Unmarshal(frame[1], &rows) != nil || json.Unmarshal(frame[2], &cols) != nil {
			return fmt.Errorf("terminal: set_size without a size")
		}
		return pty.Setsize(b.ours, &pty.Winsize{Rows: rows, Cols: cols})
	default:
		return fmt.Errorf("terminal: frame %q is unknown", kind)
	}
}

// Interrupt implements agent.Bridge.
func (b *Bridge) Interrupt(context.Context) error { return agent.ErrUseSignal }

// Shutdown implements agent.Bridge: shells end when their terminal hangs up.
func (b *Bridge) Shutdown(context.Context, bool) error { return b.host.Signal(syscall.SIGHUP) }

// Lost implements agent.Bridge; a shell that ends has simply ended.
func (b *Bridge) Lost(string, bool) {}

// Cut implements agent.Bridge: what scrolled off a screen is not missed.
func (b *Bridge) Cut(uint64, uint64) []byte { return nil }

// lastWait is how long the last words of a shell may take to be read. They are here already, and end with its processes.
const lastWait = 5 * time.Second

// Close implements agent.Bridge.
func (b *Bridge) Close() error {
	switch {
	case b.ours == nil:
		return nil
	case b.their != nil: // never connected
		return errors.Join(b.their.Close(), b.ours.Close())
	}
	select {
	case <-b.done:
	case <-time.After(lastWait): // a process that cannot be killed holds the terminal
	}
	err := b.ours.Close()
	<-b.done
	return err
}
