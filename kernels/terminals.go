package kernels

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/hopyard/hopyard/agent"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/kernels/terminal"
	"github.com/hopyard/hopyard/plugins/scheduling"
	"github.com/hopyard/hopyard/workloads"
)

// Terminal is a running shell as clients see it.
type Terminal struct {
	Name         string
	LastActivity time.Time
	id           string
}

var terminalName = regexp.MustCompile(`^\w{1,64}$`)

// StartTerminal starts a shell in the project's environment. An empty name means the lowest free number. dir is a folder in the
// project.
func (m *Manager) StartTerminal(ctx context.Context, who Who, name, dir string) (Terminal, error) {
	unlock, err := m.turns.wait(ctx, "terminal "+who.Project+"/"+who.User)
	if err != nil {
		return Terminal{}, err
	}
	defer unlock()
	all, err := m.Terminals(ctx, who)
	if err != nil {
		return Terminal{}, err
	}
	taken := map[string]Terminal{}
	for _, t := range all {
		taken[t.Name] = t
	}
	for n := 1; name == ""; n++ {
		if _, ok := taken[strconv.Itoa(n)]; !ok {
			name = strconv.Itoa(n)
		}
	}
	if t, ok := taken[name]; ok {
		return t, nil
	}
	if !terminalName.MatchString(name) {
		return Terminal{}, problem.New(problem.Invalid, "A terminal's name is letters and digits, not %q", name)
	}
	root, err := m.cfg.Root(who.Project)
	if err != nil {
		return Terminal{}, err
	}
	cwd, err := workDir(root, StartRequest{Path: dir, WorkDir: dir})
	if err != nil {
		return Terminal{}, err
	}
	env, err := m.cfg.Env.Resolve(ctx, who.Project)
	if err != nil {
		env = Environment{} // a shell is useful without one, all the more to find out why
	}
	vars, err := m.environ(who, env, nil)
	if err != nil {
		return Terminal{}, err
	}
	info, err := m.cfg.Workloads.Launch(ctx, workloads.Request{
		Project: who.Project, Owner: who.User, Name: "Terminal " + name, Environment: env.workload(),
		Labels:   map[string]string{labelTerminal: name},
		Workload: scheduling.Workload{ID: uuid.NewString(), Kind: terminal.Kind, Argv: []string{"/bin/bash", "-i"}, Env: vars, Dir: cwd},
	})
	if err != nil {
		return Terminal{}, fmt.Errorf("start terminal: %w", err)
	}
	up, cancel := context.WithTimeout(ctx, m.cfg.StartWait)
	defer cancel()
	info, err = m.cfg.Workloads.Up(up, who.Project, info.ID)
	if err != nil && !problem.Is(err, problem.NotFound) {
		return Terminal{}, err
	}
	if err != nil || info.State == workloads.Ended {
		return Terminal{}, problem.New(problem.Internal, "The shell ended at once: %s", info.Reason)
	}
	return Terminal{Name: name, LastActivity: info.LastActivity, id: info.ID}, nil
}

// Terminals lists the user's terminals, the oldest first.
func (m *Manager) Terminals(ctx context.Context, who Who) ([]Terminal, error) {
	all, err := m.cfg.Workloads.List(ctx, who.Project)
	if err != nil {
		return nil, err
	}
	out := []Terminal{}
	for _, i := range all {
		if i.Kind != terminal.Kind || i.Owner != who.User || i.State == workloads.Stopping || i.State == workloads.Ended {
			continue
		}
		if labels, err := m.cfg.Workloads.Labels(i.Project, i.ID); err == nil {
			out = append(out, Terminal{Name: labels[labelTerminal], LastActivity: i.LastActivity, id: i.ID})
		}
	}
	return out, nil
}

// Terminal tells of one terminal.
func (m *Manager) Terminal(ctx context.Context, who Who, name string) (Terminal, error) {
	all, err := m.Terminals(ctx, who)
	if err != nil {
		return Terminal{}, err
	}
	for _, t := range all {
		if t.Name == name {
			return t, nil
		}
	}
	return Terminal{}, problem.New(problem.NotFound, "Terminal not found: %s", name)
}

// StopTerminal ends a terminal and everything that runs in it.
func (m *Manager) StopTerminal(ctx context.Context, who Who, name string) error {
	t, err := m.Terminal(ctx, who, name)
	if err != nil {
		return err
	}
	return m.cfg.Workloads.Stop(ctx, who.Project, t.id, who.User)
}

// scrollBack is how many pieces of older output a new connection sees again.
const scrollBack = 1000

// AttachTerminal opens a connection to a terminal, which begins with the end of its older output. The caller closes it.
func (m *Manager) AttachTerminal(ctx context.Context, who Who, name string, socket syscall.RawConn) (*agent.Conn, error) {
	t, err := m.Terminal(ctx, who, name)
	if err != nil {
		return nil, err
	}
	return m.cfg.Workloads.Attach(ctx, who.Project, t.id, agent.Hello{Client: uuid.NewString(), Last: scrollBack}, socket)
}
