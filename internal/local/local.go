// Package local is the scheduling driver for one machine: every workload is a process with an agent beside it, both
// children of nobody, so that they outlive the gateway.
//
// Each workload has a folder of mode 0700 below the run folder; its name is the workload's ID. The folder is all that the
// driver knows: a second driver on the same folder finds every workload again.
package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/hopyard/hopyard/agent"
	"github.com/hopyard/hopyard/agent/journal"
	"github.com/hopyard/hopyard/plugins/scheduling"
)

// Config says where workloads live and how agents are started.
type Config struct {
	// Run is the folder below which every workload has its own. It is made with mode 0700. Its path must be short: see
	// RunDir.
	Run string
	// Agent is the command that starts an agent; the workload's folder is added as "--dir DIR".
	Agent []string
	// Journal bounds what is kept of each workload's output.
	Journal journal.Options
}

// Driver implements scheduling.Driver. It is safe for concurrent use.
type Driver struct {
	cfg Config
}

var _ scheduling.Driver = (*Driver)(nil)

// handleVersion is the version of Handle.State that this driver writes.
const handleVersion = 1

// handleState is what Handle.State holds: the workload's folder, and its agent's process for certain.
type handleState struct {
	Dir string `json:"dir"`
	agent.Process
}

// New makes the run folder and the driver.
func New(cfg Config) (*Driver, error) {
	if err := os.MkdirAll(cfg.Run, 0o700); err != nil {
		return nil, fmt.Errorf("local: %w", err)
	}
	if len(cfg.Agent) == 0 {
		return nil, errors.New("local: no agent command")
	}
	return &Driver{cfg: cfg}, nil
}

// Info implements scheduling.Driver. This driver runs everything as the gateway's own user.
func (d *Driver) Info(context.Context) (scheduling.Info, error) {
	version := "unknown"
	if bi, ok := debug.ReadBuildInfo(); ok {
		version = bi.Main.Version
	}
	return scheduling.Info{Name: "local", Version: version}, nil
}

// launchWait is how long a Launch waits for another of the same ID to come to its end.
const launchWait = 30 * time.Second

// Launch implements scheduling.Driver.
func (d *Driver) Launch(ctx context.Context, w scheduling.Workload) (scheduling.Handle, error) {
	if w.User != "" {
		return scheduling.Handle{}, fmt.Errorf("local: act as %s: %w", w.User, scheduling.ErrUnsupported)
	}
	if w.ID == "" || strings.ContainsAny(w.ID, "/\x00") || strings.HasPrefix(w.ID, ".") {
		return scheduling.Handle{}, fmt.Errorf("local: %q cannot name a workload", w.ID)
	}
	if err := os.MkdirAll(d.cfg.Run, 0o700); err != nil { // another driver on it may have closed
		return scheduling.Handle{}, fmt.Errorf("local: %w", err)
	}
	dir := filepath.Join(d.cfg.Run, w.ID)
	err := os.Mkdir(dir, 0o700)
	for deadline := time.Now().Add(launchWait); errors.Is(err, fs.ErrExist); err = os.Mkdir(dir, 0o700) {
		h, herr := d.existing(w, dir)
		if herr == nil || errors.Is(herr, scheduling.ErrDenied) || time.Now().After(deadline) || ctx.Err() != nil {
			return h, herr
		}
		select { // somebody else is at it, who may fail yet
		case <-ctx.Done():
		case <-time.After(5 * time.Millisecond):
		}
	}
	if err != nil {
		return scheduling.Handle{}, fmt.Errorf("local: %w", err)
	}
	h, err := d.launch(ctx, w, dir)
	if err != nil {
		return scheduling.Handle{}, errors.Join(err, os.RemoveAll(dir))
	}
	return h, nil
}

// marker is the variable by which a workload's processes are known whose agent was killed.
func marker(id string) string { return "HOPYARD_WORKLOAD=" + id }

func (d *Driver) launch(ctx context.Context, w scheduling.Workload, dir string) (scheduling.Handle, error) {
	w.Env = append(slices.Clone(w.Env), marker(w.ID))
	spec, err := json.Marshal(agent.Spec{Workload: w, Journal: d.cfg.Journal})
	if err != nil {
		return scheduling.Handle{}, fmt.Errorf("local: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, agent.SpecFile), spec, 0o600); err != nil {
		return scheduling.Handle{}, fmt.Errorf("local: %w", err)
	}
	pid, err := startAgent(ctx, append(append([]string(nil), d.cfg.Agent...), "--dir", dir), dir)
	if err != nil {
		return scheduling.Handle{}, fmt.Errorf("local: start the agent: %w", err)
	}
	return receipt(w.ID, handleState{Dir: dir, Process: agent.ProcessOf(pid)})
}

func receipt(id string, st handleState) (scheduling.Handle, error) {
	b, err := json.Marshal(st)
	if err != nil {
		return scheduling.Handle{}, fmt.Errorf("local: %w", err)
	}
	return scheduling.Handle{Version: handleVersion, ID: id, Driver: "local", State: b}, nil
}

// existing gives the handle of a workload that was launched before: clients can attach, or it has ended. One of another
// project is not given, whatever its ID.
func (d *Driver) existing(w scheduling.Workload, dir string) (scheduling.Handle, error) {
	st, err := readAgent(dir)
	if err == nil && st.Alive() {
		_, err = os.Stat(filepath.Join(dir, agent.SocketFile))
	}
	var spec agent.Spec
	if err == nil {
		spec, err = agent.ReadSpec(dir)
	}
	if err != nil {
		return scheduling.Handle{}, fmt.Errorf("local: workload %s is being launched, or its launch was cut short; stop it first: %w", w.ID, err)
	}
	if spec.Workload.Project != w.Project {
		return scheduling.Handle{}, fmt.Errorf("local: workload %s is of another project: %w", w.ID, scheduling.ErrDenied)
	}
	return receipt(w.ID, st)
}

// readAgent finds the agent of a workload by the file that every agent writes before anything else.
func readAgent(dir string) (handleState, error) {
	process, err := agent.ReadProcess(filepath.Join(dir, agent.AgentFile))
	return handleState{Dir: dir, Process: process}, err
}

// Recover implements scheduling.Driver.
func (d *Driver) Recover(_ context.Context, h scheduling.Handle) error {
	st, err := d.state(h)
	if err != nil {
		return err
	}
	if _, err := os.Stat(st.Dir); err != nil {
		return fmt.Errorf("local: %s: %w", h.ID, scheduling.ErrNotFound)
	}
	return nil
}

func (d *Driver) state(h scheduling.Handle) (handleState, error) {
	var st handleState
	if len(h.State) == 0 && h.Driver == "local" {
		dir := filepath.Join(d.cfg.Run, h.ID)
		if filepath.Dir(dir) != filepath.Clean(d.cfg.Run) {
			return st, fmt.Errorf("local: %q cannot name a workload", h.ID)
		}
		st, err := readAgent(dir)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, agent.ErrNoProcess) {
			return handleState{Dir: dir}, nil // it came no further than its folder, or the machine lost its power then
		}
		return st, err
	}
	if h.Driver != "local" || h.Version != handleVersion {
		return st, fmt.Errorf("local: a handle of driver %q, version %d, is not ours", h.Driver, h.Version)
	}
	if err := json.Unmarshal(h.State, &st); err != nil {
		return st, fmt.Errorf("local: handle of %s: %w", h.ID, err)
	}
	if filepath.Dir(st.Dir) != filepath.Clean(d.cfg.Run) {
		return st, fmt.Errorf("local: %s lives outside %s", h.ID, d.cfg.Run)
	}
	return st, nil
}

// Inspect implements scheduling.Driver.
func (d *Driver) Inspect(_ context.Context, h scheduling.Handle) (scheduling.Status, error) {
	st, err := d.state(h)
	if err != nil {
		return scheduling.Status{}, err
	}
	info, err := os.Stat(st.Dir)
	if err != nil {
		return scheduling.Status{}, fmt.Errorf("local: %s: %w", h.ID, scheduling.ErrNotFound)
	}
	if spec, err := os.Stat(filepath.Join(st.Dir, agent.SpecFile)); err == nil {
		info = spec // written once; the folder's own time moves with every file that is made in it
	}
	s := scheduling.Status{Phase: scheduling.PhaseRunning, Started: info.ModTime(), Address: "unix:" + filepath.Join(st.Dir, agent.SocketFile)}
	if st.Alive() {
		return s, nil
	}
	s.Phase, s.Address = scheduling.PhaseEnded, ""
	exit, err := readExit(st.Dir)
	if err != nil {
		exit = agent.Exit{Ended: time.Now(), ExitCode: -1, Reason: "its agent was killed"}
	}
	s.Ended, s.ExitCode, s.Reason = exit.Ended, exit.ExitCode, exit.Reason
	return s, nil
}

func readExit(dir string) (agent.Exit, error) {
	var e agent.Exit
	b, err := os.ReadFile(filepath.Join(dir, agent.StatusFile))
	if err != nil {
		return e, err
	}
	return e, json.Unmarshal(b, &e)
}

// Wait implements scheduling.Driver.
func (d *Driver) Wait(ctx context.Context, h scheduling.Handle) (scheduling.Status, error) {
	st, err := d.state(h)
	if err != nil {
		return scheduling.Status{}, err
	}
	if err := waitGone(ctx, st); err != nil {
		return scheduling.Status{}, err
	}
	return d.Inspect(ctx, h)
}

// Signal implements scheduling.Driver.
func (d *Driver) Signal(ctx context.Context, h scheduling.Handle, s scheduling.Signal) error {
	return d.call(ctx, h, func(ctx context.Context, c *agent.Conn) error {
		switch s {
		case scheduling.SignalInterrupt:
			return c.Interrupt(ctx)
		case scheduling.SignalTerminate, scheduling.SignalKill:
			return c.Signal(ctx, s == scheduling.SignalKill)
		default:
			return fmt.Errorf("local: signal %q is unknown", s)
		}
	})
}

// call attaches to the workload's agent for one request.
func (d *Driver) call(ctx context.Context, h scheduling.Handle, do func(context.Context, *agent.Conn) error) error {
	st, err := d.state(h)
	if err != nil {
		return err
	}
	if !st.Alive() {
		return fmt.Errorf("local: %s: %w", h.ID, scheduling.ErrNotFound)
	}
	c, err := agent.Dial(ctx, filepath.Join(st.Dir, agent.SocketFile), agent.Hello{Watch: true}, nil)
	if err != nil {
		return fmt.Errorf("local: %s: %w", h.ID, err)
	}
	defer c.Close()
	go pump(c)
	return do(ctx, c)
}

// pump reads what the agent tells, so that replies arrive.
func pump(c *agent.Conn) {
	for {
		if _, _, err := c.Next(func() []byte { return nil }); err != nil {
			return
		}
	}
}

// Stop implements scheduling.Driver.
func (d *Driver) Stop(ctx context.Context, h scheduling.Handle, grace time.Duration) error {
	st, err := d.state(h)
	if err != nil {
		return err
	}
	if now, err := readAgent(st.Dir); err == nil && now.Process != st.Process && now.Alive() {
		return nil // gone, and its ID is used again
	}
	if st.Alive() {
		kind, cancel := context.WithTimeout(ctx, grace+5*time.Second)
		defer cancel()
		err := d.call(kind, h, func(ctx context.Context, c *agent.Conn) error { return c.Stop(ctx, grace) })
		if err == nil || errors.Is(err, agent.ErrEnded) {
			_ = waitGone(kind, st)
		}
		if ctx.Err() != nil { // the caller has left: the program still has its grace, and whoever stops it next sees to the rest
			return fmt.Errorf("local: stop %s: %w", h.ID, context.Cause(ctx))
		}
		killAgent(st) // it is gone, or deaf
	}
	if _, err := readExit(st.Dir); err != nil { // an agent that leaves its word has swept by itself
		sweep(ctx, st, h.ID)
		if ctx.Err() != nil {
			return fmt.Errorf("local: stop %s: %w", h.ID, context.Cause(ctx))
		}
	}
	if err := os.RemoveAll(st.Dir); err != nil {
		return fmt.Errorf("local: %w", err)
	}
	return nil
}

// Logs implements scheduling.Driver.
func (d *Driver) Logs(_ context.Context, h scheduling.Handle, limit int) ([]byte, error) {
	st, err := d.state(h)
	if err != nil {
		return nil, err
	}
	var out []byte
	for _, name := range []string{agent.LogFile, agent.OutputFile} {
		b, err := os.ReadFile(filepath.Join(st.Dir, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("local: %w", err)
		}
		out = append(out, b...)
	}
	if over := len(out) - limit; over > 0 {
		out = out[over:]
	}
	return out, nil
}

// Close implements scheduling.Driver; workloads live on. A run folder without workloads goes: nothing is left behind.
func (d *Driver) Close() error {
	_ = os.Remove(d.cfg.Run) // fails where there is something in it
	return nil
}
