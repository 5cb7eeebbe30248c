package envs

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/policy"
	"github.com/hopyard/hopyard/envs/spec"
	"github.com/hopyard/hopyard/envs/store"
	"github.com/hopyard/hopyard/internal/problem"
)

// plan is a revision on its way to a prefix: what is asked for, under which rules, and, once it is settled, the lock and where
// its files are.
type plan struct {
	revision Revision
	spec     *spec.Spec
	rules    policy.Rules
	kind     lock.Kind
	upgrade  []string
	inputs   string // empty while the driver is not known

	lock    *lock.Lock
	lockID  string
	options store.Options
	id      string
}

// plan begins one.
func (s *Service) plan(ctx context.Context, env envRecord, r Revision, upgrade []string) (*plan, error) {
	sp, err := parse(r.Text)
	if err != nil {
		return nil, err
	}
	return s.planFor(ctx, env, r, sp, upgrade)
}

// planFor begins one whose spec has been read.
func (s *Service) planFor(ctx context.Context, env envRecord, r Revision, sp *spec.Spec, upgrade []string) (*plan, error) {
	p := &plan{revision: r, spec: sp, rules: s.rules(env.Project, &env), kind: env.Kind, upgrade: upgrade}
	if p.kind == "" {
		var err error
		if p.kind, _, err = s.cfg.Drivers.Kind(ctx); err != nil {
			return nil, err
		}
	}
	if err := denied(p.rules.CheckSpec(sp)); err != nil {
		return nil, err
	}
	if info, ok := s.infos.get(p.kind); ok {
		p.from(info)
	}
	return p, nil
}

// from names the inputs of a solve with that driver.
func (p *plan) from(info driver.Info) {
	rules, err := json.Marshal(p.rules)
	if err != nil { // strings and numbers
		return
	}
	p.inputs = digest(fmt.Sprintf("%s\n%s\n%s %s\n%s", p.spec.Hash(), p.kind, info.Name, info.Version, rules))
}

// request is what the solver is asked.
func (p *plan) request(prefer *lock.Lock) driver.Request {
	if slices.Contains(p.upgrade, "*") {
		prefer = nil
	}
	return driver.Request{
		Spec: p.spec, Channels: p.rules.Channels(p.spec), Index: p.rules.Index, Prefer: prefer, Upgrade: p.upgrade,
		MinimumAgeSeconds: int64(p.rules.MinimumAge.Seconds()),
	}
}

// settle says what it comes to.
func (p *plan) settle(l *lock.Lock) {
	p.lock, p.lockID = l, l.ID()
	p.options = store.Options{Domain: p.rules.Domain(l), Variables: p.spec.Variables}
	p.id = store.IDOf(p.lockID, l.Platform, p.options)
}

// take notes in a build what a plan comes to.
func (b *buildRecord) take(p *plan) { b.Inputs, b.Lock, b.ID = p.inputs, p.lockID, p.id }

// lockedBefore is the lock that a plan comes to without a solver, nil if one is needed: the revision came with one, or nothing
// has changed since it was solved.
func (s *Service) lockedBefore(ctx context.Context, p *plan, before []stored[buildRecord]) (*lock.Lock, error) {
	if len(p.upgrade) > 0 {
		return nil, nil
	}
	if p.revision.Lock != "" {
		return s.LockByID(ctx, p.revision.Lock)
	}
	for _, b := range slices.Backward(before) {
		if p.inputs != "" && b.value.Inputs == p.inputs && b.value.Lock != "" {
			return s.LockByID(ctx, b.value.Lock)
		}
	}
	return nil, nil
}

// infos remembers what drivers say of themselves: asking starts their tool.
type infos struct {
	mu     sync.Mutex
	byKind map[lock.Kind]driver.Info // guarded by mu
}

func (i *infos) get(kind lock.Kind) (driver.Info, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	info, ok := i.byKind[kind]
	return info, ok
}

func (i *infos) put(kind lock.Kind, info driver.Info) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.byKind == nil {
		i.byKind = map[lock.Kind]driver.Info{}
	}
	i.byKind[kind] = info
}

// driver gives the driver of a plan, which then knows its inputs. A problem.Unavailable while there is none.
func (s *Service) driver(ctx context.Context, p *plan) (driver.Driver, error) {
	d, err := s.cfg.Drivers.Driver(p.kind)
	if err != nil {
		return nil, err
	}
	if _, ok := s.infos.get(p.kind); !ok {
		info, err := d.Info(ctx)
		if err != nil {
			return nil, err
		}
		s.infos.put(p.kind, info)
	}
	info, _ := s.infos.get(p.kind)
	p.from(info)
	return d, nil
}

// solve finds the lock of a plan and checks it. The errors are *driver.Failure or problems.
func (s *Service) solve(ctx context.Context, d driver.Driver, p *plan, prefer *lock.Lock, tell driver.Sink) ([]driver.Failure, error) {
	l, err := d.Solve(ctx, p.request(prefer), tell)
	if err != nil {
		return nil, err
	}
	if err := l.Check(); err != nil {
		return nil, driver.Failf(driver.ToolFailed, "what the solver found cannot be used: %w", err)
	}
	p.settle(l)
	return s.findings(p.rules, p.spec, l), nil
}

// activeLock is the lock of the build in use, nil where there is none.
func (s *Service) activeLock(ctx context.Context, env envRecord) (*lock.Lock, error) {
	if env.Active == nil {
		return nil, nil
	}
	if m, ok := s.cfg.Store.Manifest(env.Active.ID); ok {
		return s.LockByID(ctx, m.Lock)
	}
	b, _, err := s.build(ctx, env.Project, env.Name, env.Active.Build)
	if err != nil || b.Lock == "" {
		return nil, err
	}
	return s.LockByID(ctx, b.Lock)
}

// Solve is a dry run: what a build would hold, and how that differs from the build in use. It changes nothing; a builder may be
// started ahead for the build that may follow. An error whose cause is known has a *driver.Failure in its chain.
func (s *Service) Solve(ctx context.Context, project, name string, t Try) (Solution, error) {
	active, p, findings, err := s.dryRun(ctx, project, name, t)
	if err != nil {
		return Solution{}, err
	}
	_, ready := s.cfg.Store.Find(p.id)
	sol := Solution{
		Lock: p.lockID, Diff: lock.Compare(active, p.lock), Artifacts: p.lock.Bytes(), Ready: ready, Findings: findings, Text: p.revision.Text,
	}
	if !ready {
		sol.Download = s.download(p)
		if refusal(findings) == nil {
			s.keepReady(project, t.By.User, p, 0)
		}
	}
	return sol, nil
}

// dryRun gives the lock in use, the plan with its lock, and what the policy has against it.
func (s *Service) dryRun(ctx context.Context, project, name string, t Try) (active *lock.Lock, p *plan, findings []driver.Failure, err error) {
	env, err := s.environment(ctx, project, name)
	if err != nil {
		return nil, nil, nil, err
	}
	if p, err = s.tried(ctx, env, t); err != nil {
		return nil, nil, nil, err
	}
	if active, err = s.activeLock(ctx, env); err != nil {
		return nil, nil, nil, err
	}
	d, err := s.driver(ctx, p)
	if err != nil {
		return nil, nil, nil, explained(err)
	}
	findings, err = s.solve(ctx, d, p, active, func(driver.Event) {})
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return nil, nil, nil, cause
	}
	if err != nil {
		return nil, nil, nil, explained(err)
	}
	return active, p, findings, nil
}

// tried is the plan of a dry run.
func (s *Service) tried(ctx context.Context, env envRecord, t Try) (*plan, error) {
	newest, err := s.newest(ctx, env)
	if err != nil {
		return nil, err
	}
	r, sp := newest.Revision, newest.spec
	if t.Text != nil {
		r.Text, sp = *t.Text, nil
	}
	if sp == nil {
		if sp, err = parse(r.Text); err != nil {
			return nil, err
		}
	}
	var upgrade []string
	if t.Edit != nil {
		if sp, err = edited(sp, *t.Edit); err != nil {
			return nil, err
		}
		r.Text, upgrade = string(sp.Text), t.Edit.Upgrade
	}
	return s.planFor(ctx, env, r, sp, upgrade)
}

// explained makes the failure of a solve a problem, for a door; what is one already stays.
func explained(err error) error {
	if problem.CodeOf(err) != problem.Internal {
		return err
	}
	f := driver.FailureOf(err)
	code, ok := codes[f.Cause]
	if !ok {
		code = problem.Conflict
	}
	return &problem.Problem{Code: code, Message: f.Message, Err: f}
}

// codes are those of causes that are no fault of what was asked for, or of its form.
var codes = map[driver.Cause]problem.Code{
	driver.SpecInvalid:        problem.Invalid,
	driver.ChannelUnreachable: problem.Unavailable,
	driver.ToolFailed:         problem.Unavailable,
	driver.TimedOut:           problem.Unavailable,
	driver.OutOfMemory:        problem.Unavailable,
	driver.DiskFull:           problem.NoSpace,
	driver.QuotaExceeded:      problem.NoSpace,
}
