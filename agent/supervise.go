package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// ErrUseSignal is what a Bridge answers where a signal to the process group is the way.
var ErrUseSignal = errors.New("agent: use a signal")

// command is something that is asked of the supervisor; it answers on done when it has happened.
type command struct {
	verb    verb
	grace   time.Duration
	program *Program // for a restart; nil means the one that ran
	done    chan error
}

type verb string

// The methods that can be called.
const (
	verbInterrupt verb = "interrupt"
	verbRestart   verb = "restart"
	verbStop      verb = "stop"
	verbTerminate verb = "terminate"
	verbKill      verb = "kill"
)

// callParams are the parameters of every call.
type callParams struct {
	GraceMillis int64    `json:"grace_ms"`
	Program     *Program `json:"program,omitempty"`
}

// Program is what a restart starts in place of what ran: the same kind of program, from another place.
type Program struct {
	Argv []string `json:"argv"`
	Env  []string `json:"env"`
}

// do carries out a call and waits until it has happened.
func (a *Agent) do(ctx context.Context, c call) (any, error) {
	var p callParams
	if len(c.Params) > 0 {
		if err := json.Unmarshal(c.Params, &p); err != nil {
			return nil, fmt.Errorf("parameters: %w", err)
		}
	}
	cmd := command{verb: verb(c.Method), grace: time.Duration(p.GraceMillis) * time.Millisecond, program: p.Program, done: make(chan error, 1)}
	switch cmd.verb {
	case verbInterrupt, verbRestart, verbStop, verbTerminate, verbKill:
	default:
		return nil, fmt.Errorf("method %q is unknown", c.Method)
	}
	select {
	case a.commands <- cmd:
	case <-a.over:
		if cmd.verb == verbStop {
			return nil, nil // another gateway was faster
		}
		return nil, errors.New("the program has ended")
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	select {
	case err := <-cmd.done:
		return nil, err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// stable is how long a program must have been up for its earlier deaths to be forgotten. How long it took to come up does not count.
const stable = 10 * time.Second

// supervise runs generation after generation of the program until it is stopped or has ended well, or, where the workload
// does not ask for restarts, has ended at all. It keeps its thread: the kernel ends the program when the thread that started
// it ends.
func (a *Agent) supervise() Exit {
	runtime.LockOSThread()
	deaths := 0
	for gen := uint32(1); ; gen++ {
		g := &generation{a: a, n: gen}
		out := g.run()
		if out.cameUp && time.Since(out.since) > stable {
			deaths = 0
		}
		switch {
		case out.stopped, !out.restart && a.spec.Workload.Restarts == 0:
			out.answer(nil)
			return out.exit()
		case out.restart:
			a.replace(out.cmd.program)
			a.again("")
			out.answer(nil) // the model says restarting; the new program comes up meanwhile
		case out.cameUp && deaths < a.spec.Workload.Restarts:
			deaths++
			g.lost(out.how, true)
			a.again(out.how)
		default:
			g.lost(out.reason(), false)
			a.forget()
			a.setState(func(s *State) { s.Phase, s.Reason, s.ExitCode, s.Activity = Dead, out.reason(), out.code, "dead" })
			cmd := a.idle()
			if cmd.verb != verbRestart {
				cmd.done <- nil
				return out.exit()
			}
			deaths = 0
			a.replace(cmd.program)
			a.again("")
			cmd.done <- nil
		}
	}
}

// driverOwn begins the names of variables by which a driver finds its processes again: they stay.
const driverOwn = "HOPYARD_"

// replace makes p the program of the generations to come.
func (a *Agent) replace(p *Program) {
	if p == nil {
		return
	}
	w := &a.spec.Workload
	env := slices.Clone(p.Env)
	for _, kv := range w.Env {
		name, _, _ := strings.Cut(kv, "=")
		given := slices.ContainsFunc(env, func(have string) bool { return strings.HasPrefix(have, name+"=") })
		if strings.HasPrefix(name, driverOwn) && !given {
			env = append(env, kv)
		}
	}
	w.Argv, w.Env = p.Argv, env
}

// again prepares the state for another generation.
func (a *Agent) again(reason string) {
	a.setState(func(s *State) { s.Phase, s.Activity, s.Reason, s.ExitCode = Restarting, "restarting", reason, 0 })
}

// idle waits, without a program, for a command that changes that.
func (a *Agent) idle() command {
	for {
		select {
		case cmd := <-a.commands:
			if cmd.verb != verbInterrupt {
				return cmd
			}
			cmd.done <- errors.New("the program is dead; restart it")
		case <-a.ctx.Done():
			return command{verb: verbStop, done: make(chan error, 1)}
		}
	}
}

// outcome is how a generation ended.
type outcome struct {
	stopped bool // it was asked for
	restart bool // and another is to follow
	cameUp  bool
	since   time.Time // when it came up
	code    int
	how     string
	fate    error  // why it never came up
	words   string // the end of what it wrote
	cmd     *command
}

func (o outcome) exit() Exit { return Exit{Ended: time.Now(), ExitCode: o.code, Reason: o.reason()} }

func (o outcome) answer(err error) {
	if o.cmd != nil {
		o.cmd.done <- err
	}
}

// reason is the sentence for people, with the program's own last words where it never came up.
func (o outcome) reason() string {
	s := o.how
	switch {
	case o.fate != nil && s == "":
		s = o.fate.Error()
	case o.fate != nil:
		s += " (" + o.fate.Error() + ")"
	}
	if w := strings.TrimSpace(o.words); w != "" {
		s += "; it wrote:\n" + w
	}
	return s
}

// generation is one process of the program, from its preparation to the last thing it left.
type generation struct {
	a      *Agent
	n      uint32
	dir    string
	bridge Bridge
	prog   *program
}

// run runs the process until it has ended for whatever reason.
func (g *generation) run() outcome {
	a := g.a
	a.setState(func(s *State) { s.Gen = g.n })
	g.dir = filepath.Join(a.dir, fmt.Sprintf("g%d", g.n))
	defer os.RemoveAll(g.dir)
	out, err := g.start()
	if err != nil {
		if g.bridge != nil {
			_ = g.bridge.Close()
		}
		return outcome{fate: err, code: -1}
	}
	ctx, cancel := context.WithCancel(a.ctx)
	up := make(chan error, 1)
	var connecting sync.WaitGroup
	connecting.Go(func() { up <- g.bridge.Connect(ctx) })
	o := g.watch(ctx, cancel, up)
	cancel() // first: then nobody sets a.bridge again
	a.mu.Lock()
	a.bridge = nil
	a.mu.Unlock()
	connecting.Wait()
	_ = g.bridge.Close()
	o.code, o.how = g.prog.exit()
	words := out.lastWords() // in any case: what is not in the log before we end is lost
	if !o.cameUp && !o.stopped {
		o.words = words
	}
	a.log.Info("program ended", "generation", g.n, "how", o.how, "asked", o.stopped || o.restart)
	return o
}

func (g *generation) start() (*output, error) {
	a := g.a
	if err := os.Mkdir(g.dir, 0o700); err != nil {
		return nil, err
	}
	sig := func(s os.Signal) error {
		if g.prog == nil {
			return errors.New("the program has not started")
		}
		return g.prog.signal(s)
	}
	b, err := a.factory(Host{Spec: a.spec, Gen: g.n, Dir: g.dir, Sink: a, Signal: sig})
	if err != nil {
		return nil, err
	}
	g.bridge = b
	start, err := b.Prepare(a.ctx)
	if err != nil {
		return nil, err
	}
	out, err := newOutput(filepath.Join(a.dir, OutputFile))
	if err != nil {
		return nil, err
	}
	g.prog, err = startProgram(a.spec.Workload, start, out.w)
	out.started()
	if err != nil {
		return nil, err
	}
	if err := writeFile(filepath.Join(a.dir, ProgramFile), ProcessOf(g.prog.pid()).append(nil)); err != nil {
		a.log.Warn("program's id could not be kept", "error", err)
	}
	a.log.Info("program started", "generation", g.n, "pid", g.prog.pid())
	return out, nil
}

// watch waits for what happens first: the program is up, it ends, a command, a dead child. giveUp ends what is still being tried to
// connect with it.
func (g *generation) watch(ctx context.Context, giveUp func(), up <-chan error) (o outcome) {
	a := g.a
	sigchld := make(chan os.Signal, 1)
	signal.Notify(sigchld, syscall.SIGCHLD)
	defer signal.Stop(sigchld)
	for {
		select {
		case err := <-up:
			up = nil
			if err != nil {
				o.fate = err
				g.prog.stop(a.ctx, false, time.Second)
				return o
			}
			o.cameUp, o.since = true, time.Now()
			a.setState(func(s *State) { s.Phase, s.Reason = Running, "" })
			go a.ready(ctx, g.bridge)
		case <-g.prog.done:
			killDescendants()
			if up != nil { // perhaps just before
				giveUp()
				o.cameUp, o.since = <-up == nil, time.Now()
			}
			return o
		case <-sigchld:
			reapOrphans(g.prog.pid())
		case cmd := <-a.commands:
			if g.obey(cmd, &o) {
				return o
			}
		case <-a.ctx.Done():
			o.stopped = true
			g.prog.stop(context.Background(), false, time.Second)
			return o
		}
	}
}

// obey carries out a command; it reports whether that ended the generation.
func (g *generation) obey(cmd command, o *outcome) bool {
	switch cmd.verb {
	case verbInterrupt:
		err := g.bridge.Interrupt(g.a.ctx)
		if errors.Is(err, ErrUseSignal) {
			err = g.prog.signal(syscall.SIGINT)
		}
		cmd.done <- err
		return false
	case verbTerminate, verbKill:
		sig := syscall.SIGTERM
		if cmd.verb == verbKill {
			sig = syscall.SIGKILL
		}
		cmd.done <- g.prog.signal(sig)
		return false
	default:
		o.restart = cmd.verb == verbRestart
		o.stopped = !o.restart
		o.cmd = &cmd
		g.a.forget() // what waited was not meant for another program
		asked := o.cameUp && g.bridge.Shutdown(g.a.ctx, o.restart) == nil
		g.prog.stop(g.a.ctx, asked, cmd.grace)
		return true
	}
}

// lost tells the clients, through the bridge, that the program ended although nobody asked.
func (g *generation) lost(reason string, again bool) {
	if g.bridge != nil {
		g.bridge.Lost(reason, again)
	}
}
