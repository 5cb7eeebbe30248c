package workloads

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hopyard/hopyard/agent"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/plugins/queue"
	"github.com/hopyard/hopyard/plugins/scheduling"
	"github.com/hopyard/hopyard/plugins/storage"
	"github.com/hopyard/hopyard/projects"
)

// Audit takes note of starts and stops; projects.Service is one.
type Audit interface {
	Record(ctx context.Context, e projects.Entry) error
}

// Config is what a Manager works with.
type Config struct {
	Storage storage.Backend
	Queue   queue.Queue
	Driver  scheduling.Driver
	Audit   Audit // may be nil
	Log     *slog.Logger
	// Grace is how long a program may take to end kindly; 5 s by default.
	Grace time.Duration
}

// Manager knows all workloads of all projects. It is safe for concurrent use. Its lists are answered from memory; agents
// keep it up to date.
type Manager struct {
	cfg    Config
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	recovered chan struct{} // closed when all that was stored has been found again
	driver    string        // its name; set before recovered is closed

	mu       sync.Mutex // guards below
	live     map[string]*workload
	reserved map[string]bool // ids whose workloads are being stored for the first time
	past     []*workload     // the last that have ended, the oldest first
	subs     map[chan Change]struct{}
}

// New makes a Manager. Call Start next, and Close in the end.
func New(cfg Config) *Manager {
	cfg.Grace = cmp.Or(cfg.Grace, 5*time.Second)
	ctx, cancel := context.WithCancel(context.Background())
	return &Manager{
		cfg: cfg, ctx: ctx, cancel: cancel, recovered: make(chan struct{}),
		live: map[string]*workload{}, reserved: map[string]bool{}, subs: map[chan Change]struct{}{},
	}
}

// Request says what to launch and on whose behalf.
type Request struct {
	Project, Owner string
	Name           string       // for people
	Environment    *Environment // nil for none
	// Labels are the domain's own notes; it gets them back after a restart.
	Labels map[string]string
	// Workload is the program; its ID is the workload's and Kind its kind. Project is filled in.
	Workload scheduling.Workload
}

// Launch starts a workload. The decision is stored before the program starts, so that whatever happens in between is
// found and swept.
func (m *Manager) Launch(ctx context.Context, req Request) (Info, error) {
	if err := m.Recovered(ctx); err != nil {
		return Info{}, err
	}
	w := &workload{m: m, project: req.Project, id: req.Workload.ID, rec: record{
		Kind: req.Workload.Kind, Name: req.Name, Owner: req.Owner, Started: time.Now().UTC(),
		Environment: req.Environment, Isolation: "none: runs as the gateway's own user", Labels: req.Labels,
		Launcher: m.launcher(),
	}, changed: make(chan struct{}), gone: make(chan struct{})}
	b, err := w.rec.encode()
	if err != nil {
		return Info{}, err
	}
	if !m.reserve(w.id) {
		return Info{}, taken(w)
	}
	w.rev, err = m.cfg.Storage.Apply(ctx, storage.Create(key(w.project, w.id), b))
	m.take(w, err == nil)
	if errors.Is(err, storage.ErrConflict) {
		return Info{}, taken(w)
	}
	if err != nil {
		return Info{}, fmt.Errorf("launch %s: %w", w.id, err)
	}
	m.tell(w)
	if err := m.launch(ctx, w, req.Workload); err != nil {
		m.forget(context.WithoutCancel(ctx), w, err.Error())
		return Info{}, fmt.Errorf("launch %s: %w", w.id, err)
	}
	m.audit(ctx, w, req.Owner, "start")
	return w.info(), nil
}

func (m *Manager) launch(ctx context.Context, w *workload, sw scheduling.Workload) error {
	sw.Project = w.project
	h, err := m.cfg.Driver.Launch(ctx, sw)
	if err != nil {
		return err
	}
	if err := w.update(ctx, func(r *record) { r.Handle, r.Launcher = &h, "" }); err != nil {
		return errors.Join(err, m.cfg.Driver.Stop(context.WithoutCancel(ctx), h, 0))
	}
	m.wg.Go(w.watch)
	return nil
}

func (m *Manager) audit(ctx context.Context, w *workload, by, action string) {
	if m.cfg.Audit == nil {
		return
	}
	err := m.cfg.Audit.Record(ctx, projects.Entry{
		User: by, Action: action, Resource: w.rec.Kind + " " + w.id, Project: w.project, Detail: w.rec.Name,
	})
	if err != nil {
		m.cfg.Log.ErrorContext(ctx, "audit entry lost", "workload", w.id, "action", action, "error", err)
	}
}

func taken(w *workload) error {
	return problem.New(problem.Conflict, "a %s with the id %s exists already", w.rec.Kind, w.id)
}

// reserve takes an id, unless it is taken: in whatever project, for a program has one id everywhere.
func (m *Manager) reserve(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.live[id] != nil || m.reserved[id] {
		return false
	}
	m.reserved[id] = true
	return true
}

// take makes the workload known whose id was reserved, if it has been stored.
func (m *Manager) take(w *workload, stored bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.reserved, w.id)
	if stored {
		m.live[w.id] = w
	}
}

// forget removes a workload that was never launched from storage and memory. If another process wants it stopped, that one
// sees to the rest.
func (m *Manager) forget(ctx context.Context, w *workload, reason string) {
	w.saving.Lock()
	op := storage.Delete(key(w.project, w.id)).When(storage.At(w.rev))
	w.saving.Unlock()
	if _, err := m.cfg.Storage.Apply(ctx, op); err != nil && !errors.Is(err, storage.ErrConflict) {
		m.cfg.Log.ErrorContext(ctx, "ended workload stays in storage", "workload", w.id, "error", err)
	}
	m.drop(w, reason)
}

// drop removes a workload that is stored no longer from memory.
func (m *Manager) drop(w *workload, reason string) {
	m.mu.Lock()
	if m.live[w.id] == w {
		delete(m.live, w.id)
		m.bury(w)
	}
	m.mu.Unlock()
	w.end(reason)
}

func (m *Manager) find(project, id string) (*workload, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := m.live[id]
	if w == nil || w.project != project {
		return nil, notFound(project, id)
	}
	return w, nil
}

func notFound(project, id string) error {
	return problem.New(problem.NotFound, "There is no workload %s in project %s", id, project)
}

// Get tells what is known of a workload. A problem.NotFound if there is none in that project.
func (m *Manager) Get(ctx context.Context, project, id string) (Info, error) {
	if err := m.Recovered(ctx); err != nil {
		return Info{}, err
	}
	w, err := m.find(project, id)
	if err != nil {
		return Info{}, err
	}
	return w.info(), nil
}

// List tells of all workloads of a project, the oldest first; of all projects if project is empty.
func (m *Manager) List(ctx context.Context, project string) ([]Info, error) {
	if err := m.Recovered(ctx); err != nil {
		return nil, err
	}
	m.mu.Lock()
	all := make([]*workload, 0, len(m.live))
	for _, w := range m.live {
		if project == "" || w.project == project {
			all = append(all, w)
		}
	}
	m.mu.Unlock()
	out := make([]Info, len(all))
	for i, w := range all {
		out[i] = w.info()
	}
	slices.SortFunc(out, func(a, b Info) int {
		return cmp.Or(a.Started.Compare(b.Started), strings.Compare(a.ID, b.ID))
	})
	return out, nil
}

// Labels gives the domain's notes back.
func (m *Manager) Labels(project, id string) (map[string]string, error) {
	w, err := m.find(project, id)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rec.Labels, nil
}

// Rename gives a workload another name for people.
func (m *Manager) Rename(ctx context.Context, project, id, name string) error {
	w, err := m.find(project, id)
	if err != nil {
		return err
	}
	return w.update(ctx, func(r *record) { r.Name = name })
}

// Attach opens a connection to the workload's agent. The caller closes it. socket is as for agent.Dial.
func (m *Manager) Attach(ctx context.Context, project, id string, hello agent.Hello, socket syscall.RawConn) (*agent.Conn, error) {
	if err := m.Recovered(ctx); err != nil {
		return nil, err
	}
	w, err := m.find(project, id)
	if err != nil {
		return nil, err
	}
	path, err := w.socket(ctx)
	if err != nil {
		return nil, err
	}
	return agent.Dial(ctx, path, hello, socket)
}

// Interrupt asks the program to stop what it is doing.
func (m *Manager) Interrupt(ctx context.Context, project, id string) error {
	w, err := m.find(project, id)
	if err != nil {
		return err
	}
	return w.call(ctx, func(ctx context.Context, c *agent.Conn) error { return c.Interrupt(ctx) })
}

// Move says where a restarted program goes on: another build of its environment, with the program from there.
type Move struct {
	Environment *Environment
	Argv, Env   []string
}

// Restart begins a new generation of the program, where to says or, if that is nil, where it was. It returns when the old one
// has ended.
func (m *Manager) Restart(ctx context.Context, project, id string, to *Move) error {
	w, err := m.find(project, id)
	if err != nil {
		return err
	}
	var program *agent.Program
	if to != nil {
		program = &agent.Program{Argv: to.Argv, Env: to.Env}
	}
	err = w.call(ctx, func(ctx context.Context, c *agent.Conn) error { return c.Restart(ctx, m.cfg.Grace, program) })
	if err != nil || to == nil {
		return err
	}
	return w.update(ctx, func(r *record) { r.Environment = to.Environment })
}

// Subscribe yields a hint for every change until the context ends; then the channel is closed. A subscriber that does not
// read misses hints, but never the last one: look at the list after each.
func (m *Manager) Subscribe(ctx context.Context) <-chan Change {
	ch := make(chan Change, 64)
	m.mu.Lock()
	m.subs[ch] = struct{}{}
	m.mu.Unlock()
	context.AfterFunc(ctx, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.subs, ch)
		close(ch)
	})
	return ch
}

// tell sends the hint. A full channel holds 64 hints that have not been looked at yet: the list will show this change too.
func (m *Manager) tell(w *workload) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for ch := range m.subs {
		select {
		case ch <- Change{Project: w.project, ID: w.id}:
		default:
		}
	}
}

// Close lets go of the workloads, which live on, waits for what the Manager itself had started, and closes the driver.
func (m *Manager) Close() error {
	m.cancel()
	m.wg.Wait()
	return m.cfg.Driver.Close()
}
