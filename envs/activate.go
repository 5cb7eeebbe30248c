package envs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/store"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/plugins/storage"
)

// activate makes a ready build the one in use, with its entry of the history. chosen says that a person asked for it.
func (st *step) activate(b buildRecord, m *store.Manifest, by, reason string, chosen bool, now time.Time) Activation {
	st.active = true
	st.env.Activations++
	a := Activation{Number: st.env.Activations, Build: b.Number, By: by, Reason: reason, Created: now}
	if st.env.Active != nil {
		a.From = st.env.Active.Build
	}
	if chosen {
		st.env.Chosen = a.Number
	}
	st.env.Active = &Active{
		Build: b.Number, ID: b.ID, Revision: b.Revision, Python: m.PythonVersion, Packages: len(m.Packages), Prefix: m.Prefix, Since: now, By: by,
	}
	st.create(numbered(activationKeys, st.env.Project, st.env.Name, a.Number), a)
	return a
}

// Activate makes a build that is or was ready the one that new programs get; an older one too, which is a roll-back. One whose
// files were collected is restored from its lock first: then the answer is Pending, and what is in use stays until the files are there.
// One that today's rules refuse is not activated; what is in use stays so whatever the rules say by now.
func (s *Service) Activate(ctx context.Context, by By, project, name string, n int, reason string) (Activation, error) {
	if err := checkText(reason); err != nil {
		return Activation{}, err
	}
	b, _, err := s.build(ctx, project, name, n)
	if err != nil {
		return Activation{}, err
	}
	if err := activatable(b); err != nil {
		return Activation{}, err
	}
	if err := s.stillAllowed(ctx, b); err != nil {
		return Activation{}, err
	}
	m, ok, err := s.present(ctx, b.ID)
	if err != nil {
		return Activation{}, err
	}
	if !ok {
		return s.restore(ctx, by, project, name, n, reason)
	}
	var a Activation
	back := false
	_, err = s.change(ctx, project, name, func(st *step) error {
		b, rev, err := s.build(ctx, project, name, n)
		if err != nil {
			return err
		}
		if err := activatable(b); err != nil {
			return err
		}
		back = st.env.Active != nil && st.env.Active.Build > n
		st.ops = append(st.ops, storage.Check(numbered(buildKeys, project, name, n), storage.At(rev)))
		a = st.activate(b, m, by.User, sayWhy(reason, back), true, s.now())
		return nil
	})
	if err != nil {
		return Activation{}, err
	}
	s.auditActivation(ctx, by, project, name, n, back)
	return a, nil
}

func activatable(b buildRecord) error {
	if b.State == Ready {
		return nil
	}
	if b.Restore {
		return problem.New(problem.Conflict, "build %d is being restored already", b.Number)
	}
	return problem.New(problem.Conflict, "build %d is %s; only a build that was ready can be used", b.Number, b.State)
}

func sayWhy(reason string, back bool) string {
	if reason == "" && back {
		return "rolled back"
	}
	return reason
}

func (s *Service) auditActivation(ctx context.Context, by By, project, name string, n int, back bool) {
	action := "environment_activated"
	if back {
		action = "environment_rolled_back"
	}
	s.audit(ctx, by, action, project, name, fmt.Sprintf("build %d", n))
}

// restore asks for the files of a build that was ready once.
func (s *Service) restore(ctx context.Context, by By, project, name string, n int, reason string) (Activation, error) {
	a := Activation{Build: n, By: by.User, Created: s.now(), Pending: true}
	back := false
	_, err := s.change(ctx, project, name, func(st *step) error {
		b, rev, err := s.build(ctx, project, name, n)
		if err != nil {
			return err
		}
		if err := activatable(b); err != nil {
			return err
		}
		if st.env.Active != nil {
			a.From, back = st.env.Active.Build, st.env.Active.Build > n
		}
		a.Reason = sayWhy(reason, back)
		b.State, b.Restore, b.Then, b.ThenBy, b.Asked = Queued, true, a.Reason, by.User, st.env.Activations
		b.Failure, b.Started, b.Ended, b.Tries, b.Workload = nil, nil, nil, 0, ""
		st.update(numbered(buildKeys, project, name, n), b, rev)
		return nil
	})
	if err != nil {
		return Activation{}, err
	}
	s.audit(ctx, by, "environment_restoring", project, name, fmt.Sprintf("build %d is to be in use again", n))
	return a, s.enqueue(ctx, project, name)
}

// History lists all activations of an environment, the newest first.
func (s *Service) History(ctx context.Context, project, name string) ([]Activation, error) {
	if _, err := s.environment(ctx, project, name); err != nil {
		return nil, err
	}
	return newestFirst[Activation](ctx, s.cfg.Storage, activationKeys+project+"/"+name+"/")
}

// Resolve says what the default environment of a project is now. A problem.Unavailable says how far it is, or why there is none.
// A project without any environment gets its first one.
func (s *Service) Resolve(ctx context.Context, project string) (Resolved, error) {
	envs, err := s.environments(ctx, project)
	if err != nil {
		return Resolved{}, err
	}
	if len(envs) == 0 {
		if err := s.EnsureFirst(ctx, project); err != nil {
			return Resolved{}, err
		}
		if envs, err = s.environments(ctx, project); err != nil {
			return Resolved{}, err
		}
	}
	if len(envs) == 0 {
		return Resolved{}, problem.New(problem.Unavailable, "project %s has no environment; create one", project)
	}
	return s.resolved(ctx, envs[0])
}

// ResolveNamed is Resolve for one environment.
func (s *Service) ResolveNamed(ctx context.Context, project, name string) (Resolved, error) {
	env, err := s.environment(ctx, project, name)
	if err != nil {
		return Resolved{}, err
	}
	return s.resolved(ctx, env)
}

// ResolveAll says what all environments of a project are that can be used now, the default one first. If there is none it
// returns what Resolve says.
func (s *Service) ResolveAll(ctx context.Context, project string) ([]Resolved, error) {
	first, firstErr := s.Resolve(ctx, project)
	envs, err := s.environments(ctx, project)
	if err != nil {
		return nil, err
	}
	var out []Resolved
	if firstErr == nil {
		out = append(out, first)
	}
	for _, env := range envs {
		if firstErr == nil && env.Name == first.Name {
			continue
		}
		if r, err := s.resolved(ctx, env); err == nil {
			out = append(out, r)
		}
	}
	if len(out) == 0 {
		return nil, firstErr
	}
	return out, nil
}

// resolved hands out the build in use of an environment, which is not collected for a while from now on.
func (s *Service) resolved(ctx context.Context, env envRecord) (Resolved, error) {
	if env.Active == nil {
		return Resolved{}, s.notYet(ctx, env)
	}
	s.roots.handOut(env.Active.ID, s.now())
	m, ok := s.cfg.Store.Find(env.Active.ID)
	if !ok {
		return Resolved{}, problem.New(problem.Unavailable, "the files of build %d of the environment %s have gone; activate it again to restore them",
			env.Active.Build, env.Name)
	}
	return Resolved{
		Name: env.Name, Build: env.Active.Build, ID: env.Active.ID, Lock: m.Lock, Prefix: m.Prefix, Bin: m.Bin, Python: m.Python, Version: m.PythonVersion,
		Variables: m.Variables, Kernelspecs: m.Kernelspecs,
	}, nil
}

// notYet says why an environment cannot be used, and what is being done about it.
func (s *Service) notYet(ctx context.Context, env envRecord) error {
	b, err := s.latest(ctx, env)
	if err != nil {
		return err
	}
	if b == nil {
		return problem.New(problem.Unavailable, "the environment %s has not been built yet; start a build on its page", env.Name)
	}
	switch {
	case b.State == Failed && b.Failure != nil:
		return problem.New(problem.Unavailable, "the environment %s could not be built: %w", env.Name, b.Failure)
	case b.State.Ended():
		return problem.New(problem.Unavailable, "build %d of the environment %s is %s; start another one", b.Number, env.Name, b.State)
	case b.Waiting != "":
		return problem.New(problem.Unavailable, "the environment %s waits: %s; try again in a moment", env.Name, b.Waiting)
	default:
		return problem.New(problem.Unavailable, "the environment %s is being built (%s); try again in a moment", env.Name, howFar(*b))
	}
}

// howFar says in words what a build is doing: "fetch, 12 of 40 packages, 30 %".
func howFar(b Build) string {
	p := b.Progress
	if p == nil || p.Type != driver.TypeProgress {
		if b.Phase != "" {
			return string(b.Phase)
		}
		return string(b.State)
	}
	text := string(p.Phase)
	if p.Total > 0 {
		text += fmt.Sprintf(", %d of %d packages", p.Done, p.Total)
	}
	switch {
	case p.TotalBytes > 0:
		text += fmt.Sprintf(", %d %%", 100*p.Bytes/p.TotalBytes)
	case p.Total > 0:
		text += fmt.Sprintf(", %d %%", 100*p.Done/p.Total)
	}
	return text
}

// FirstName is what the first environment of a project is called.
const FirstName = "python"

// EnsureFirst gives a project its first environment unless it has one. It is harmless twice.
func (s *Service) EnsureFirst(ctx context.Context, project string) error {
	unlock, err := s.firsts.lock(ctx, project)
	if err != nil {
		return err
	}
	defer unlock()
	envs, err := s.environments(ctx, project)
	if err != nil || len(envs) > 0 {
		return err
	}
	starter, err := s.cfg.Starter(ctx)
	if err != nil {
		return err
	}
	n := NewEnvironment{Name: FirstName, Text: starter.Text, Kind: starter.Kind, Message: "the first environment", Build: true}
	src, err := s.source(ctx, project, n)
	if err != nil {
		return err
	}
	if src.lock = starter.Lock; src.lock != nil { // it is ours
		src.kind = src.lock.Kind
	}
	src.why, src.said = starter.Why, "the project's first environment"
	err = s.create(ctx, By{}, project, n, src)
	if problem.Is(err, problem.Conflict) && !errors.As(err, new(*driver.Failure)) {
		return nil // another process was faster
	}
	return err
}
