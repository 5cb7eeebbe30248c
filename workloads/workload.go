package workloads

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/hopyard/hopyard/agent"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/plugins/scheduling"
	"github.com/hopyard/hopyard/plugins/storage"
)

// workload is one live workload: its record, and what its agent told last.
type workload struct {
	m       *Manager
	project string
	id      string

	gone chan struct{} // closed when it has been forgotten

	saving sync.Mutex       // held while the record is being written
	rev    storage.Revision // of what is stored; guarded by saving

	mu       sync.Mutex // guards below
	rec      record
	state    agent.State
	conn     *agent.Conn // of the watch; nil until it is attached
	address  string
	reason   string
	exit     int  // the program's exit code, once it has ended by itself
	asked    bool // somebody wants it stopped
	finished bool
	changed  chan struct{} // closed and replaced at every change
}

// info is a copy of what is known now.
func (w *workload) info() Info {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := Info{
		ID: w.id, Project: w.project, Kind: w.rec.Kind, Name: w.rec.Name, Owner: w.rec.Owner, Started: w.rec.Started,
		State: w.phase(), Activity: w.state.Activity, Reason: w.reason, LastActivity: w.state.LastActivity,
		MemoryBytes: w.state.Usage.MemoryBytes, CPUSeconds: w.state.Usage.CPUSeconds, Connections: w.state.Connections,
		Environment: w.rec.Environment, Isolation: w.rec.Isolation,
	}
	if i.Reason == "" {
		i.Reason = w.state.Reason
	}
	if i.LastActivity.IsZero() {
		i.LastActivity = i.Started
	}
	if i.Activity == "" {
		i.Activity = "starting"
	}
	return i
}

// phase is the state as people see it.
func (w *workload) phase() State {
	switch {
	case w.finished, w.state.Phase == agent.Dead, w.state.Phase == agent.Ended:
		return Ended
	case w.rec.Stopping:
		return Stopping
	case w.state.Phase == agent.Running, w.state.Phase == agent.Restarting:
		return Running
	default:
		return Starting
	}
}

// started tells a workload from another one of the same id.
func (w *workload) started() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rec.Started
}

// set changes what is known and tells it.
func (w *workload) set(change func()) {
	w.mu.Lock()
	change()
	close(w.changed)
	w.changed = make(chan struct{})
	w.mu.Unlock()
	w.m.tell(w)
}

func (w *workload) end(reason string) {
	w.set(func() {
		if w.finished {
			return
		}
		w.finished = true
		if reason != "" {
			w.reason = reason
		}
		close(w.gone)
	})
}

// errForgotten means that another process has carried out the workload's end.
var errForgotten = errors.New("workloads: ended and forgotten by another process")

// update changes the record, here and in storage. What other processes have written meanwhile stays.
func (w *workload) update(ctx context.Context, change func(*record)) error {
	w.saving.Lock()
	defer w.saving.Unlock()
	w.set(func() { change(&w.rec) })
	for {
		w.mu.Lock()
		b, err := w.rec.encode()
		w.mu.Unlock()
		if err != nil {
			return err
		}
		rev, err := w.m.cfg.Storage.Apply(ctx, storage.Update(key(w.project, w.id), b, w.rev))
		if err == nil {
			w.rev = rev
			return nil
		}
		if !errors.Is(err, storage.ErrConflict) {
			return err
		}
		if err := w.reread(ctx, change); err != nil {
			return err
		}
	}
}

// reread takes over what another process wrote and changes that; saving is held.
func (w *workload) reread(ctx context.Context, change func(*record)) error {
	stored, err := w.m.cfg.Storage.Get(ctx, key(w.project, w.id))
	if errors.Is(err, storage.ErrNotFound) {
		return errForgotten
	}
	if err != nil {
		return err
	}
	r, err := decode(stored.Value)
	if err != nil {
		return err
	}
	if !r.Started.Equal(w.started()) {
		return errForgotten // and its ID is used again
	}
	change(&r)
	w.takeOver(r, stored.Rev)
	return nil
}

// refresh takes over what is stored, if another process has written it since. It reports whether that is about w, as far as it can be
// read.
func (w *workload) refresh(stored storage.Record) bool {
	w.saving.Lock()
	defer w.saving.Unlock()
	r, err := decode(stored.Value)
	if stored.Key != key(w.project, w.id) || err == nil && !r.Started.Equal(w.started()) {
		return false
	}
	if err == nil && stored.Rev > w.rev {
		w.takeOver(r, stored.Rev)
	}
	return true
}

// takeOver replaces what is known by what is stored; saving is held. What is being stopped stays so.
func (w *workload) takeOver(r record, rev storage.Revision) {
	w.set(func() {
		r.Stopping = r.Stopping || w.rec.Stopping
		w.rec = r
	})
	w.rev = rev
}

// revision is that of what is stored, as far as it is known here.
func (w *workload) revision() storage.Revision {
	w.saving.Lock()
	defer w.saving.Unlock()
	return w.rev
}

func (w *workload) handle() (scheduling.Handle, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.rec.Handle == nil {
		return scheduling.Handle{}, false
	}
	return *w.rec.Handle, true
}

// socket is the path of the agent's socket.
func (w *workload) socket(ctx context.Context) (string, error) {
	w.mu.Lock()
	addr := w.address
	w.mu.Unlock()
	if addr == "" {
		h, ok := w.handle()
		if !ok {
			return "", problem.New(problem.Unavailable, "%s is just being started", w.id)
		}
		st, err := w.m.cfg.Driver.Inspect(ctx, h)
		if err != nil {
			return "", err
		}
		if st.Phase == scheduling.PhaseEnded {
			return "", problem.New(problem.Gone, "%s has ended: %s", w.id, st.Reason)
		}
		addr = st.Address
		w.mu.Lock()
		w.address = addr
		w.mu.Unlock()
	}
	path, ok := strings.CutPrefix(addr, "unix:")
	if !ok {
		return "", problem.New(problem.Unsupported, "the agent of %s serves at %s, which cannot be reached from here", w.id, addr)
	}
	return path, nil
}

// watch follows the agent's states until the workload ends or the Manager closes.
func (w *workload) watch() {
	for try := 0; ; try++ {
		err := w.watchOnce()
		if w.m.ctx.Err() != nil || w.isGone() {
			return
		}
		if w.hasEnded(err) {
			w.m.reap(w)
			return
		}
		select { // the agent lives but the connection broke
		case <-time.After(min(time.Duration(try)*100*time.Millisecond, 2*time.Second)):
		case <-w.m.ctx.Done():
			return
		}
	}
}

func (w *workload) isGone() bool {
	select {
	case <-w.gone:
		return true
	default:
		return false
	}
}

func (w *workload) watchOnce() error {
	path, err := w.socket(w.m.ctx)
	if err != nil {
		return err
	}
	c, err := agent.Dial(w.m.ctx, path, agent.Hello{Watch: true}, nil)
	if err != nil {
		return err
	}
	defer c.Close()
	stop := context.AfterFunc(w.m.ctx, func() { _ = c.Close() })
	defer stop()
	w.set(func() { w.conn, w.state = c, c.Welcome.State })
	defer w.set(func() { w.conn = nil })
	var buf []byte
	for {
		ev, b, err := c.Next(func() []byte { return buf })
		if err != nil {
			return err
		}
		buf = b
		if ev.State != nil {
			w.set(func() { w.state = *ev.State })
		}
	}
}

// hasEnded asks the driver after the connection to the agent failed.
func (w *workload) hasEnded(cause error) bool {
	h, ok := w.handle()
	if !ok {
		return true
	}
	st, err := w.m.cfg.Driver.Inspect(w.m.ctx, h)
	if errors.Is(err, scheduling.ErrNotFound) {
		w.set(func() { w.reason = "it has disappeared" })
		return true
	}
	if err != nil {
		w.m.cfg.Log.Warn("workload cannot be inspected", "workload", w.id, "error", err, "after", cause)
		return false
	}
	if st.Phase != scheduling.PhaseEnded {
		return false
	}
	w.set(func() { w.reason, w.exit = st.Reason, st.ExitCode })
	return true
}

// callLimit is how long a request to an agent may take. A restart waits for the old program to end.
const callLimit = 30 * time.Second

// call runs a request on the watch connection, waiting for it if the workload is just starting.
func (w *workload) call(ctx context.Context, do func(context.Context, *agent.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	for {
		w.mu.Lock()
		c, changed := w.conn, w.changed
		w.mu.Unlock()
		if c != nil {
			err := do(ctx, c)
			if errors.Is(err, agent.ErrEnded) || errors.Is(err, context.DeadlineExceeded) {
				return problem.New(problem.Unavailable, "the agent of %s does not answer: %w", w.id, err)
			}
			return err
		}
		select {
		case <-changed:
		case <-w.gone:
			return problem.New(problem.Gone, "%s has ended", w.id)
		case <-ctx.Done():
			return problem.New(problem.Unavailable, "the agent of %s does not answer", w.id)
		}
	}
}

// Up waits until a workload's program can be used, or has failed to start: then the Info's State is Ended and its Reason says
// why. It returns what is known when the context ends, without an error.
func (m *Manager) Up(ctx context.Context, project, id string) (Info, error) {
	w, err := m.find(project, id)
	if err != nil {
		return Info{}, err
	}
	for {
		w.mu.Lock()
		changed := w.changed
		w.mu.Unlock()
		if i := w.info(); i.State != Starting {
			return i, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return w.info(), nil
		}
	}
}
