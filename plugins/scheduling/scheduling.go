// Package scheduling is the contract for "start a program somewhere, under someone's name, and find it again after a
// restart".
//
// A Driver starts workloads that outlive the process that asked for them. The Handle it returns is a receipt: the host
// stores it, only the driver understands its State.
//
// The contract imports the standard library alone. schedulingtest.Run is its conformance suite.
package scheduling

import (
	"context"
	"errors"
	"time"
)

// Errors that a caller branches on.
var (
	// ErrNotFound means that the handle's workload is not known here (any more).
	ErrNotFound = errors.New("scheduling: not found")
	// ErrUnsupported means that the driver cannot do this on this host, such as acting as Workload.User.
	ErrUnsupported = errors.New("scheduling: unsupported")
	// ErrDenied means that the workload belongs to another project.
	ErrDenied = errors.New("scheduling: denied")
	// ErrClosed means that the driver has been closed.
	ErrClosed = errors.New("scheduling: closed")
)

// Info describes a driver.
type Info struct {
	Name         string
	Version      string
	Capabilities []Capability
}

// Capability is something that not every driver or host can do.
type Capability string

// The capabilities that callers ask about.
const (
	CapRunAs   Capability = "run-as"  // can run a workload as Workload.User
	CapSandbox Capability = "sandbox" // programs are isolated from each other
	CapLimits  Capability = "limits"  // Workload.Limits are enforced
)

// Workload is what to start.
type Workload struct {
	// ID names the workload for ever. Launching an ID that already runs returns its handle.
	ID string
	// Kind is the bridge that the agent uses to talk to the program: "kernel", "terminal".
	Kind string
	// Project and User say on whose behalf; User is empty where the driver's own identity is meant.
	Project string
	User    string
	// Argv is the program and its arguments, never a shell line. "{name}" placeholders that the bridge defines, such
	// as "{connection_file}", are filled in by the agent.
	Argv []string
	// Env is the whole environment of the program, KEY=value; nothing is inherited.
	Env []string
	// Dir is the working directory.
	Dir string
	// Restarts is how often in a row the program is started anew after it ended although nobody asked.
	Restarts int
	// Spec is passed to the bridge as it is.
	Spec []byte
	// Limits that a driver with CapLimits enforces; zero means none.
	Limits Limits
}

// Limits bound what a workload may use.
type Limits struct {
	MemoryBytes int64
	CPUMillis   int64 // thousandths of a core
}

// Handle is the portable receipt of a launched workload. Store it; give it back to Recover after a restart. A handle with
// only Driver and ID is enough to find a workload whose launcher died before it could store the receipt.
type Handle struct {
	Version int // of State's format
	ID      string
	Driver  string
	State   []byte
}

// Phase is where a workload is in its life. It never moves backwards.
type Phase string

// The phases.
const (
	PhaseRunning Phase = "running"
	PhaseEnded   Phase = "ended"
)

// Status is a driver's knowledge of a workload.
type Status struct {
	Phase    Phase
	Started  time.Time
	Ended    time.Time
	ExitCode int    // of the agent's program, once ended; 128+n for signal n
	Reason   string // why it ended, for people
	// Usage of the program and all its descendants, where the host can tell.
	MemoryBytes int64
	CPUSeconds  float64
	Processes   int
	// Address is where the workload's agent serves its attach protocol, such as "unix:/path".
	Address string
}

// Signal is what to send to a workload's program.
type Signal string

// The signals that are the same everywhere.
const (
	SignalInterrupt Signal = "interrupt"
	SignalTerminate Signal = "terminate"
	SignalKill      Signal = "kill"
)

// Driver starts and finds workloads. All methods are safe for concurrent use. Every method but Wait returns promptly.
type Driver interface {
	// Info names the driver and what it can do here.
	Info(ctx context.Context) (Info, error)
	// Launch starts w and returns a handle that outlives this process. Launching an ID that already runs returns its
	// existing handle; ErrDenied if that runs for another project. ErrUnsupported if the driver cannot act as w.User.
	Launch(ctx context.Context, w Workload) (Handle, error)
	// Recover makes a stored handle usable again after a restart. ErrNotFound if its workload has gone.
	Recover(ctx context.Context, h Handle) error
	// Inspect tells what is known now. A workload that has ended is still known until Stop has cleaned it up.
	Inspect(ctx context.Context, h Handle) (Status, error)
	// Wait blocks until the workload has ended or the context ends.
	Wait(ctx context.Context, h Handle) (Status, error)
	// Signal reaches the program and its process group. ErrNotFound if it has ended.
	Signal(ctx context.Context, h Handle, s Signal) error
	// Stop ends the workload, kindly for at most grace and then by force, and removes everything it left: processes,
	// sockets, folders. Stopping what has gone is no error.
	Stop(ctx context.Context, h Handle, grace time.Duration) error
	// Logs returns the last bytes, at most max, that the agent and the program wrote to their standard error.
	Logs(ctx context.Context, h Handle, max int) ([]byte, error)
	// Close releases the driver; workloads live on. It is idempotent.
	Close() error
}
