package agent

import (
	"context"
	"os"
	"time"

	"github.com/hopyard/hopyard/agent/journal"
)

// Bridge is what an agent needs to know of one kind of program: how to start it, how to talk with it and how to ask it to
// end. One Bridge serves one generation, that is one process, of a program.
//
// The agent calls Prepare, starts the process, then Connect; it calls Input only after Connect has returned nil, and Close
// last, in every case, after Connect has returned and the process has ended. Input, Interrupt and Shutdown may be called at
// the same time.
type Bridge interface {
	// Prepare makes what the program needs before it starts and says how to start it.
	Prepare(ctx context.Context) (Start, error)
	// Connect returns when the program can be used. The context ends when the process does.
	Connect(ctx context.Context) error
	// Input passes what a client sent to the program. An error means that the input will certainly not have an effect, except
	// where the Bridge itself has told the client that its fate is unknown.
	Input(ctx context.Context, client string, body []byte) error
	// Interrupt asks the program to stop what it is doing. It returns ErrUseSignal where SIGINT to the process group is
	// the way.
	Interrupt(ctx context.Context) error
	// Shutdown asks the program to end by itself and returns at once; ErrUseSignal where only signals do.
	Shutdown(ctx context.Context, restart bool) error
	// Lost is called when the process has ended although nobody asked. again says that a new generation will follow.
	Lost(reason string, again bool)
	// Cut makes what clients are told when the records from to to were cut before they read them; nil for nothing.
	Cut(from, to uint64) []byte
	// Close reads to the end what the process has said before it ended, and releases what the Bridge holds.
	Close() error
}

// Start says how to start a program.
type Start struct {
	// Placeholders are filled into the workload's argv: "{connection_file}" → path.
	Placeholders map[string]string
	Env          []string // added to the workload's
	// Terminal, when set, becomes the program's standard input, output and error and its controlling terminal.
	Terminal *os.File
}

// Sink is where a Bridge puts what its program says. It is safe for concurrent use.
type Sink interface {
	// Emit appends records to the journal; their Seq and Gen are set by the agent, bodies are copied.
	Emit(records ...journal.Record)
	// Activity tells the program's own state in its own words, and whether this counts as something a person does.
	Activity(state string, counts bool)
}

// Factory makes the Bridge for one generation of a program.
type Factory func(host Host) (Bridge, error)

// Host is what an agent offers to a Bridge.
type Host struct {
	Spec Spec
	Gen  uint32
	// Dir is a folder of mode 0700 for this generation alone; the agent removes it.
	Dir  string
	Sink Sink
	// Signal sends to the program's process group.
	Signal func(os.Signal) error
}

// State is what an agent tells those who watch it.
type State struct {
	Phase        Phase     `json:"phase"`
	Activity     string    `json:"activity,omitempty"`
	Gen          uint32    `json:"gen"`
	Reason       string    `json:"reason,omitempty"`
	Started      time.Time `json:"started"`
	LastActivity time.Time `json:"last_activity"`
	Connections  int       `json:"connections"`
	ExitCode     int       `json:"exit_code"`
	Usage        Usage     `json:"usage"`
}

// Phase is where a program is in its life.
type Phase string

// The phases: starting → running → (restarting → running)… → dead or ended. A dead or ended program does not come back,
// unless a restart is asked for.
const (
	Starting   Phase = "starting"
	Running    Phase = "running"
	Restarting Phase = "restarting"
	Dead       Phase = "dead"  // it ended although nobody asked
	Ended      Phase = "ended" // it ended by itself, well, or was stopped
)
