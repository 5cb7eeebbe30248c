package kernels

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/hopyard/hopyard/agent"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/kernels/bridge"
	"github.com/hopyard/hopyard/plugins/scheduling"
	"github.com/hopyard/hopyard/plugins/storage"
	"github.com/hopyard/hopyard/workloads"
)

// Config is what a Manager works with.
type Config struct {
	Workloads *workloads.Manager
	Storage   storage.Backend
	Env       EnvResolver
	// SpecDirs are folders of kernelspecs that every project has besides those of its environment.
	SpecDirs []string
	// Root gives the folder of a project's files, Home a user's home folder in it; both exist.
	Root func(project string) (string, error)
	Home func(project, user string) (string, error)
	Log  *slog.Logger
	// StartWait is how long Start waits for a kernel's first answer before it says "starting"; 10 s by default.
	StartWait time.Duration
}

// Manager runs kernels, notebook sessions and terminals. It is safe for concurrent use.
//
// In a project everyone has kernels, sessions and terminals of their own: what belongs to another user does not exist here.
type Manager struct {
	cfg Config

	loaded chan struct{} // closed when the stored sessions are in memory
	turns  turns         // of making sessions and terminals

	// storing is held while a change of sessions goes to storage and to memory, so that both see changes in one order.
	storing  sync.Mutex
	mu       sync.Mutex                            // guards below
	sessions map[string]map[string]NotebookSession // project → id
}

// New makes a Manager. Call Start next.
func New(cfg Config) *Manager {
	cfg.StartWait = cmp.Or(cfg.StartWait, 10*time.Second)
	return &Manager{cfg: cfg, loaded: make(chan struct{}), sessions: map[string]map[string]NotebookSession{}}
}

// Who is on whose behalf something is done: the project and user of the login.
type Who struct{ Project, User string }

// Kernel is a running kernel as clients see it.
type Kernel struct {
	ID           string
	Name         string // of its kernelspec
	Activity     string // starting, idle, busy, restarting, dead
	LastActivity time.Time
	Connections  int
	Reason       string
	Owner        string
}

// labels that a kernel's workload carries.
const (
	labelSpec     = "spec"
	labelPath     = "path" // of the notebook that it was started for
	labelTerminal = "terminal"
)

// StartRequest says which kernel to start.
type StartRequest struct {
	ID   string // a UUID; made if empty
	Spec string // name of the kernelspec; the default if empty
	// Path is a file or folder in the project; the kernel's working folder is the nearest folder that exists.
	Path string
	Name string // for people; the kernelspec's display name if empty
	// WorkDir is an absolute folder that a gateway client asks for; it counts only if it lies in the project.
	WorkDir string
}

// StartKernel starts a kernel and waits, within Config.StartWait, for its first answer. A kernel that dies at start is an
// error with its last words. *UnknownSpecError if there is no such kernelspec, problem.Conflict if the ID is taken.
func (m *Manager) StartKernel(ctx context.Context, who Who, req StartRequest) (Kernel, error) {
	s, err := m.spec(ctx, who.Project, req.Spec)
	if err != nil {
		return Kernel{}, err
	}
	if req.ID == "" {
		req.ID = uuid.NewString()
	} else if id, err := uuid.Parse(req.ID); err != nil || id.String() != req.ID {
		return Kernel{}, problem.New(problem.Invalid, "A kernel's id must be a UUID in lower case with dashes, not %q", req.ID)
	}
	if err := checkTexts(req.Path, req.Name); err != nil {
		return Kernel{}, err
	}
	root, err := m.cfg.Root(who.Project)
	if err != nil {
		return Kernel{}, err
	}
	dir, err := workDir(root, req)
	if err != nil {
		return Kernel{}, err
	}
	env, err := m.kernelEnviron(who, s, root, req.Path)
	if err != nil {
		return Kernel{}, err
	}
	spec, err := json.Marshal(bridge.Spec{Username: who.User, InterruptMode: s.Spec.InterruptMode})
	if err != nil {
		return Kernel{}, fmt.Errorf("start kernel: %w", err)
	}
	_, err = m.cfg.Workloads.Launch(ctx, workloads.Request{
		Project: who.Project, Owner: who.User, Name: cmp.Or(req.Name, s.Spec.DisplayName, s.Name),
		Environment: s.env.workload(), Labels: map[string]string{labelSpec: s.Name, labelPath: req.Path},
		Workload: scheduling.Workload{ID: req.ID, Kind: bridge.Kind, Argv: s.argv(), Env: env, Dir: dir, Spec: spec, Restarts: 5},
	})
	if err != nil {
		return Kernel{}, fmt.Errorf("start kernel: %w", err)
	}
	return m.firstAnswer(ctx, who, req.ID)
}

func (m *Manager) firstAnswer(ctx context.Context, who Who, id string) (Kernel, error) {
	wait, cancel := context.WithTimeout(ctx, m.cfg.StartWait)
	defer cancel()
	info, err := m.cfg.Workloads.Up(wait, who.Project, id)
	if err != nil {
		return Kernel{}, err
	}
	if info.State == workloads.Ended {
		if err := m.cfg.Workloads.Stop(context.WithoutCancel(ctx), who.Project, id, who.User); err != nil && !problem.Is(err, problem.NotFound) {
			m.cfg.Log.ErrorContext(ctx, "kernel that failed to start is not swept", "kernel", id, "error", err)
		}
		return Kernel{}, problem.New(problem.Internal, "Kernel died at start: %s", info.Reason)
	}
	return m.kernel(info), nil
}

// workDir finds the nearest folder at or above the request's path that exists. The path cannot leave the project, not even
// through a symbolic link: os.Root sees to it.
func workDir(dir string, req StartRequest) (string, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", fmt.Errorf("project folder: %w", err)
	}
	defer root.Close()
	want := strings.Trim(req.Path, "/")
	if rel, err := filepath.Rel(dir, req.WorkDir); req.WorkDir != "" && err == nil {
		want = filepath.ToSlash(rel)
	}
	for p := path.Clean("/" + want)[1:]; p != ""; p = strings.TrimPrefix(path.Dir("/"+p), "/") {
		if info, err := root.Stat(p); err == nil && info.IsDir() {
			return filepath.Join(dir, filepath.FromSlash(p)), nil
		}
	}
	return dir, nil
}

// kernelEnviron is the environment of a kernel for the notebook at path below root.
func (m *Manager) kernelEnviron(who Who, s NamedSpec, root, path string) ([]string, error) {
	return m.environ(who, s.env, s.Spec.Env, "JPY_SESSION_NAME="+filepath.Join(root, filepath.FromSlash(path)))
}

// environ builds a program's environment from nothing.
func (m *Manager) environ(who Who, env Environment, extra map[string]string, more ...string) ([]string, error) {
	home, err := m.cfg.Home(who.Project, who.User)
	if err != nil {
		return nil, err
	}
	vars := map[string]string{
		"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": home, "USER": who.User, "LOGNAME": who.User,
		"LANG": "C.UTF-8", "SHELL": "/bin/bash", "HOPYARD_PROJECT": who.Project,
		"IPYTHONDIR": filepath.Join(home, ".ipython"), "JUPYTER_DATA_DIR": filepath.Join(home, ".local", "share", "jupyter"),
	}
	for k, v := range env.Variables { // a package may say what it needs, but not who runs it
		if _, ours := vars[k]; !ours {
			vars[k] = v
		}
	}
	if env.Prefix != "" {
		vars["PATH"], vars["PYTHONNOUSERSITE"] = env.Bin+":/usr/local/bin:/usr/bin:/bin", "1"
	}
	base := maps.Clone(vars)
	for k, v := range extra { // "${VAR}" means ours (kernelspec, env)
		vars[k] = os.Expand(v, func(name string) string { return base[name] })
	}
	out := slices.Clone(more)
	for _, k := range slices.Sorted(maps.Keys(vars)) {
		out = append(out, k+"="+vars[k])
	}
	return out, nil
}

func (m *Manager) kernel(i workloads.Info) Kernel {
	k := Kernel{ID: i.ID, Activity: i.Activity, LastActivity: i.LastActivity, Connections: i.Connections, Reason: i.Reason, Owner: i.Owner}
	if labels, err := m.cfg.Workloads.Labels(i.Project, i.ID); err == nil {
		k.Name = labels[labelSpec]
	}
	return k
}

// ofUser says whether a workload is a kernel that the user has. One that has been asked to end is none any more; one that died
// is, so that its last words can be read.
func ofUser(i workloads.Info, who Who) bool {
	ended := i.State == workloads.Stopping || i.State == workloads.Ended && i.Activity != "dead"
	return i.Kind == bridge.Kind && i.Owner == who.User && !ended
}

// Kernel tells of one kernel. A problem.NotFound in Jupyter's words if the user has none of that id.
func (m *Manager) Kernel(ctx context.Context, who Who, id string) (Kernel, error) {
	i, err := m.cfg.Workloads.Get(ctx, who.Project, id)
	if problem.Is(err, problem.NotFound) || err == nil && !ofUser(i, who) {
		return Kernel{}, problem.New(problem.NotFound, "Kernel does not exist: %s", id)
	}
	if err != nil {
		return Kernel{}, err
	}
	return m.kernel(i), nil
}

// Kernels lists the user's kernels, the oldest first.
func (m *Manager) Kernels(ctx context.Context, who Who) ([]Kernel, error) {
	all, err := m.cfg.Workloads.List(ctx, who.Project)
	if err != nil {
		return nil, err
	}
	out := []Kernel{}
	for _, i := range all {
		if ofUser(i, who) {
			out = append(out, m.kernel(i))
		}
	}
	return out, nil
}

// StopKernel ends a kernel and returns when nothing of it is left.
func (m *Manager) StopKernel(ctx context.Context, who Who, id string) error {
	if _, err := m.Kernel(ctx, who, id); err != nil {
		return err
	}
	return m.cfg.Workloads.Stop(ctx, who.Project, id, who.User)
}

// InterruptKernel stops what a kernel is doing.
func (m *Manager) InterruptKernel(ctx context.Context, who Who, id string) error {
	if _, err := m.Kernel(ctx, who, id); err != nil {
		return err
	}
	return m.cfg.Workloads.Interrupt(ctx, who.Project, id)
}

// RestartKernel begins a new generation of a kernel, on the build of its environment that is in use now.
func (m *Manager) RestartKernel(ctx context.Context, who Who, id string) (Kernel, error) {
	if _, err := m.Kernel(ctx, who, id); err != nil {
		return Kernel{}, err
	}
	to, err := m.move(ctx, who, id)
	if err != nil {
		return Kernel{}, err
	}
	if err := m.cfg.Workloads.Restart(ctx, who.Project, id, to); err != nil {
		return Kernel{}, err
	}
	return m.Kernel(ctx, who, id)
}

// move says where a kernel goes on after a restart; nil for where it is, which it is too where its kernelspec or its
// environment has gone.
func (m *Manager) move(ctx context.Context, who Who, id string) (*workloads.Move, error) {
	info, err := m.cfg.Workloads.Get(ctx, who.Project, id)
	if err != nil {
		return nil, err
	}
	labels, err := m.cfg.Workloads.Labels(who.Project, id)
	if err != nil {
		return nil, err
	}
	s, err := m.spec(ctx, who.Project, labels[labelSpec])
	to := s.env.workload()
	if err != nil || to == nil || info.Environment == nil || info.Environment.Name != to.Name || *info.Environment == *to {
		return nil, nil
	}
	root, err := m.cfg.Root(who.Project)
	if err != nil {
		return nil, err
	}
	env, err := m.kernelEnviron(who, s, root, labels[labelPath])
	if err != nil {
		return nil, err
	}
	return &workloads.Move{Environment: to, Argv: s.argv(), Env: env}, nil
}

// Attach opens a client's connection to a kernel under its session id. The caller closes it.
func (m *Manager) Attach(ctx context.Context, who Who, id, session string, socket syscall.RawConn) (*agent.Conn, error) {
	if _, err := m.Kernel(ctx, who, id); err != nil {
		return nil, err
	}
	c, err := m.cfg.Workloads.Attach(ctx, who.Project, id, agent.Hello{Client: session}, socket)
	if err != nil && !errors.Is(err, context.Canceled) && problem.CodeOf(err) == problem.Internal {
		err = problem.New(problem.Unavailable, "Kernel %s cannot be reached: %w", id, err)
	}
	return c, err
}

// Gone reports whether a kernel has ended for good, or is ending.
func (m *Manager) Gone(ctx context.Context, id string) bool {
	all, err := m.cfg.Workloads.List(ctx, "")
	if err != nil {
		return false
	}
	i := slices.IndexFunc(all, func(i workloads.Info) bool { return i.ID == id })
	return i < 0 || all[i].State == workloads.Stopping || all[i].State == workloads.Ended
}
