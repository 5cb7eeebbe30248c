// Package agent is the small process beside every program that people run.
//
// The agent starts the program, owns the only connection to it, writes everything it says to a journal before anybody reads
// it, and serves clients that attach over a unix socket. It outlives the gateway: kill the gateway, and the
// program notices nothing. A slow or vanished client costs the program nothing; a hostile program can only break
// its own agent.
//
// What kind of program it is (a Jupyter kernel, a terminal) is the business of a Bridge.
//
//	starting ──▶ running ──▶ ended          a stop was asked for, or the program ended well
//	    │         │  ▲
//	    │         ▼  │
//	    │      restarting ──▶ dead          it ended although nobody asked, too often
//	    └────────────────────▶ dead         it never came up
package agent

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hopyard/hopyard/agent/journal"
	"github.com/hopyard/hopyard/plugins/scheduling"
)

// Spec is what an agent is told, in the file spec.json of its folder.
type Spec struct {
	Workload scheduling.Workload `json:"workload"`
	Journal  journal.Options     `json:"journal"`
}

// The files of an agent's folder.
const (
	SpecFile    = "spec.json"
	StatusFile  = "status.json" // Exit, once the program has ended for good
	SocketFile  = "attach.sock"
	AgentFile   = "agent.pid"   // the agent's own Process, written first
	ProgramFile = "program.pid" // the program's Process
	OutputFile  = "program.log" // what the program wrote to its standard output and error
	LogFile     = "agent.log"
)

// Exit is what StatusFile holds.
type Exit struct {
	Ended    time.Time `json:"ended"`
	ExitCode int       `json:"exit_code"`
	Reason   string    `json:"reason"`
}

// Config is what an agent needs to run.
type Config struct {
	Dir       string // its folder, of mode 0700; it holds SpecFile
	Factories map[string]Factory
	Log       *slog.Logger
	// Ready is called once, when clients can attach.
	Ready func()
	// LastWait is how long the end of a program waits for gateways to read it: those that read have it at once, unless the machine is
	// very busy. One that does not read will look at the file. 2 s by default.
	LastWait time.Duration
}

// Agent runs one program. Use Run.
type Agent struct {
	spec    Spec
	dir     string
	log     *slog.Logger
	factory Factory
	journal *journal.Journal
	clients clients
	patient time.Duration // in the end
	ctx     context.Context
	end     context.CancelFunc

	commands chan command
	over     chan struct{} // closed when no command is taken any more

	mu       sync.Mutex // guards below
	state    State
	changed  chan struct{}
	bridge   Bridge // of the present generation, once it is connected
	pending  []input
	waiting  int           // bytes in pending
	attached int           // attachments that are being served
	ending   bool          // the last attachment closes told
	told     chan struct{} // all attachments have ended

	emitMu   sync.Mutex // one writer for the journal
	refusals atomic.Int32
}

// input waits for a program that is not connected yet.
type input struct {
	client string
	body   []byte
}

// maxPending bounds what waits for a starting program, in bytes.
const maxPending = 64 << 20

// Run runs the agent of a folder until its program has ended for good and, if that was not asked for, until it is stopped:
// a dead program's last words can be read as long as somebody may want them.
func Run(ctx context.Context, cfg Config) error {
	pid := os.Getpid()
	if err := writeFile(filepath.Join(cfg.Dir, AgentFile), ProcessOf(pid).append(nil)); err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	a, err := open(ctx, cfg)
	if err != nil {
		return err
	}
	defer a.end()
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(cfg.Dir, SocketFile), Net: "unix"})
	if err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	defer ln.Close()
	if err := becomeSubreaper(); err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	// What a shell runs in the background ignores SIGINT, and what nohup runs SIGHUP. Programs would inherit that, and no interrupt
	// would reach them; that somebody hears a signal they do not inherit.
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, syscall.SIGINT, syscall.SIGHUP)
	defer signal.Stop(heard)
	go a.serve(ln)
	if cfg.Ready != nil {
		cfg.Ready()
	}
	exit := a.supervise()
	return a.finish(exit)
}

// ReadSpec reads what the agent of a folder is told.
func ReadSpec(dir string) (Spec, error) {
	var spec Spec
	b, err := os.ReadFile(filepath.Join(dir, SpecFile))
	if err != nil {
		return spec, fmt.Errorf("agent: %w", err)
	}
	if err := json.Unmarshal(b, &spec); err != nil {
		return spec, fmt.Errorf("agent: %s: %w", SpecFile, err)
	}
	return spec, nil
}

func open(ctx context.Context, cfg Config) (*Agent, error) {
	spec, err := ReadSpec(cfg.Dir)
	if err != nil {
		return nil, err
	}
	factory, ok := cfg.Factories[spec.Workload.Kind]
	if !ok {
		return nil, fmt.Errorf("agent: workloads of kind %q are unknown", spec.Workload.Kind)
	}
	j, err := journal.Open(filepath.Join(cfg.Dir, "journal"), spec.Journal)
	if err != nil {
		return nil, fmt.Errorf("agent: %w", err)
	}
	now := time.Now()
	ctx, end := context.WithCancel(ctx)
	return &Agent{
		spec: spec, dir: cfg.Dir, log: cfg.Log, factory: factory, journal: j, patient: cmp.Or(cfg.LastWait, lastWait), ctx: ctx, end: end,
		commands: make(chan command), over: make(chan struct{}), changed: make(chan struct{}), told: make(chan struct{}),
		state: State{Phase: Starting, Started: now, LastActivity: now},
	}, nil
}

const lastWait = 2 * time.Second

// finish leaves the program's fate on disk, lets watchers and clients read to the end, and ends.
func (a *Agent) finish(exit Exit) error {
	close(a.over)
	b, err := json.Marshal(exit)
	if err == nil {
		err = writeFile(filepath.Join(a.dir, StatusFile), b)
	}
	a.setState(func(s *State) {
		s.Phase, s.Reason, s.ExitCode = Ended, exit.Reason, exit.ExitCode
	})
	_ = a.journal.Close()
	a.mu.Lock()
	a.ending = true
	if a.attached == 0 {
		close(a.told)
	}
	a.mu.Unlock()
	select {
	case <-a.told:
	case <-time.After(a.patient):
	}
	return err
}

// isOver says whether the agent is ending.
func (a *Agent) isOver() bool {
	select {
	case <-a.over:
		return true
	default:
		return false
	}
}

// enter counts an attachment; it reports false when the agent ends.
func (a *Agent) enter() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ending {
		return false
	}
	a.attached++
	return true
}

func (a *Agent) leave() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.attached--; a.ending && a.attached == 0 {
		close(a.told)
	}
}

// writeFile replaces a file whole or not at all.
func writeFile(path string, b []byte) error {
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// State is the state now.
func (a *Agent) State() State {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state
}

// setState changes the state and wakes the watchers.
func (a *Agent) setState(change func(*State)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change(&a.state)
	close(a.changed)
	a.changed = make(chan struct{})
}

// stateAndChange is the state with what is closed when it has changed since.
func (a *Agent) stateAndChange() (State, <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state, a.changed
}

func (a *Agent) connected(delta int) {
	a.setState(func(s *State) { s.Connections += delta })
}

// measure takes the program's usage anew and tells it if it has changed enough since it was last told.
func (a *Agent) measure() {
	u := usage()
	a.mu.Lock()
	old := a.state.Usage
	a.mu.Unlock()
	moved := u.MemoryBytes - old.MemoryBytes
	if max(moved, -moved) > 1<<20 || u.CPUSeconds-old.CPUSeconds > 0.05 || u.Processes != old.Processes {
		a.setState(func(s *State) { s.Usage = u })
	}
}

// Emit implements Sink. Records for names that no client can have are left out: programs make such names up.
func (a *Agent) Emit(records ...journal.Record) {
	records = slices.DeleteFunc(records, func(r journal.Record) bool { return len(r.To) > maxClient })
	a.mu.Lock()
	gen := a.state.Gen
	a.mu.Unlock()
	for i := range records {
		records[i].Gen = gen
	}
	a.emitMu.Lock()
	defer a.emitMu.Unlock()
	if err := a.journal.Append(records...); err != nil {
		// The program goes on: it must never wait for our disk. Readers will be told that something is missing.
		a.log.Error("output could not be kept", "records", len(records), "error", err)
	}
}

// Activity implements Sink.
func (a *Agent) Activity(activity string, counts bool) {
	a.mu.Lock()
	same := a.state.Activity == activity
	if counts {
		a.state.LastActivity = time.Now()
	}
	a.mu.Unlock()
	if !same {
		a.setState(func(s *State) { s.Activity = activity })
	}
}

// input passes a client's bytes to the program, or keeps them until there is one.
func (a *Agent) input(ctx context.Context, client string, body []byte) error {
	a.mu.Lock()
	b := a.bridge
	if b == nil && a.state.Phase != Dead && a.state.Phase != Ended {
		defer a.mu.Unlock()
		if a.waiting+len(body) > maxPending {
			return fmt.Errorf("agent: more than %d MiB wait for a program that has not started", maxPending>>20)
		}
		a.waiting += len(body)
		a.pending = append(a.pending, input{client, append([]byte(nil), body...)})
		return nil
	}
	a.mu.Unlock()
	if b == nil {
		return nil // dead: the client has been told by the state
	}
	if err := b.Input(ctx, client, body); err != nil {
		a.refused(client, err)
	}
	return nil
}

// maxRefusals is how many refused inputs are logged: clients can send as many as they like.
const maxRefusals = 100

func (a *Agent) refused(client string, err error) {
	if a.refusals.Add(1) <= maxRefusals {
		a.log.Warn("input refused", "client", client, "error", err)
	}
}

// forget drops the input that waits: it was meant for a program that will not come.
func (a *Agent) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pending, a.waiting = nil, 0
}

// ready makes the bridge take input, first what has waited, in order. The context ends when the bridge may not be used any
// more.
func (a *Agent) ready(ctx context.Context, b Bridge) {
	for {
		a.mu.Lock()
		if ctx.Err() != nil {
			a.mu.Unlock()
			return
		}
		batch := a.pending
		a.pending, a.waiting = nil, 0
		if len(batch) == 0 {
			a.bridge = b
			a.mu.Unlock()
			return
		}
		a.mu.Unlock()
		for _, in := range batch {
			if err := b.Input(ctx, in.client, in.body); err != nil {
				a.refused(in.client, err)
			}
		}
	}
}

func (a *Agent) notice(from, to uint64) []byte {
	a.mu.Lock()
	b := a.bridge
	a.mu.Unlock()
	if b == nil {
		return nil
	}
	return b.Cut(from, to)
}
