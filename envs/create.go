package envs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/policy"
	"github.com/hopyard/hopyard/envs/spec"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/plugins/storage"
)

// source is the content of an environment that is about to be made.
type source struct {
	text string
	spec *spec.Spec
	lock *lock.Lock // nil where it has to be solved
	kind lock.Kind
	why  string
	said string // in words, for the reason of its first build
}

// Create makes an environment. Where it comes with a lock whose files are there, its first build is ready and in use when
// Create returns, if one was asked for.
func (s *Service) Create(ctx context.Context, by By, project string, n NewEnvironment) (Environment, error) {
	if n.Private {
		return Environment{}, errPrivate
	}
	if err := errors.Join(checkName(n.Name), checkText(n.Message)); err != nil {
		return Environment{}, err
	}
	if n.Kind != "" {
		if err := checkKind(n.Kind); err != nil {
			return Environment{}, err
		}
	}
	src, err := s.source(ctx, project, n)
	if err != nil {
		return Environment{}, err
	}
	if err := s.create(ctx, by, project, n, src); err != nil {
		return Environment{}, err
	}
	return s.Get(ctx, project, n.Name)
}

func (s *Service) create(ctx context.Context, by By, project string, n NewEnvironment, src source) error {
	rules := s.rules(project, nil)
	if err := s.allowed(rules, src); err != nil {
		return err
	}
	lockID := ""
	if src.lock != nil {
		var err error
		if lockID, err = s.keepLock(ctx, src.lock); err != nil {
			return err
		}
	}
	build := 0
	_, err := s.retry(ctx, project, func() (*step, error) {
		st, err := s.vacant(ctx, by, project, n.Name, rules)
		if err != nil {
			return nil, err
		}
		st.env.Kind, st.env.Why = src.kind, src.why
		st.revise(by, src.text, n.Message, lockID, s.now())
		if !n.Build {
			return st, nil
		}
		b, err := s.ask(ctx, st, wish{by: by, revision: 1, reason: src.said, merge: true})
		build = b.Number
		return st, err
	})
	if err != nil {
		return err
	}
	s.audit(ctx, by, "environment_created", project, n.Name, src.said)
	if build > 0 {
		return s.enqueue(ctx, project, n.Name)
	}
	return nil
}

// allowed checks a source against the policy.
func (s *Service) allowed(rules policy.Rules, src source) error {
	if err := denied(rules.CheckSpec(src.spec)); err != nil {
		return err
	}
	if src.lock == nil {
		return nil
	}
	return denied(s.findings(rules, src.spec, src.lock))
}

// findings are what the policy has against a lock.
func (s *Service) findings(rules policy.Rules, sp *spec.Spec, l *lock.Lock) []driver.Failure {
	return append(rules.CheckLock(l, s.now()), policy.CheckHashes(sp, l)...)
}

// vacant begins an environment of that name in a project that has room for it.
func (s *Service) vacant(ctx context.Context, by By, project, name string, rules policy.Rules) (*step, error) {
	old, _, err := load[envRecord](ctx, s.cfg.Storage, envKey(project, name))
	switch {
	case err == nil && old.Deleting:
		if err := s.finishRemoval(ctx, by, project, name); err != nil {
			return nil, err
		}
	case err == nil:
		return nil, problem.New(problem.Conflict, "there is an environment %q already", name)
	case !errors.Is(err, storage.ErrNotFound):
		return nil, err
	}
	st := &step{env: envRecord{Environment: Environment{Project: project, Name: name, Created: s.now(), CreatedBy: by.User}}}
	others, err := s.others(ctx, st)
	if err != nil {
		return nil, err
	}
	if limit := rules.MaxEnvironments; limit > 0 && len(others) >= limit {
		return nil, problem.New(problem.TooMany, "project %s has %d environments and may have no more", project, limit)
	}
	st.enroll(others, "")
	return st, nil
}

// source finds what a new environment is to hold.
func (s *Service) source(ctx context.Context, project string, n NewEnvironment) (source, error) {
	src := source{text: n.Text, kind: n.Kind, said: "created"}
	if n.Kind != "" {
		src.why = "it was asked for"
	}
	var err error
	switch {
	case n.From != nil:
		err = s.cloned(ctx, *n.From, &src)
	case n.LockID != "":
		src.lock, err = s.LockByID(ctx, n.LockID)
	case n.Lock != nil:
		err = s.imported(ctx, project, n.Name, n.Lock, &src)
	case n.Text == "":
		err = problem.New(problem.Invalid, "say what the environment is to hold: an environment.yml, a lock or another environment")
	}
	if err != nil {
		return src, err
	}
	if src.lock != nil {
		if err := src.locked(n); err != nil {
			return src, err
		}
	}
	if src.spec, err = parse(src.text); err == nil {
		err = checkVariables(src.spec)
	}
	if err != nil {
		return src, err
	}
	if src.kind == "" && len(src.spec.Channels) > 0 {
		src.kind, src.why = lock.Conda, "its environment.yml names channels"
	}
	if src.kind == "" {
		if kind, why, err := s.cfg.Drivers.Kind(ctx); err == nil { // else it shows when it is built
			src.kind, src.why = kind, why
		}
	}
	return src, nil
}

// cloned takes text and lock of a build of another environment. That the caller may read that project was checked at the door.
func (s *Service) cloned(ctx context.Context, from Ref, src *source) error {
	env, err := s.environment(ctx, from.Project, from.Environment)
	if err != nil {
		return err
	}
	src.said = fmt.Sprintf("cloned from %s of project %s", from.Environment, from.Project)
	n := from.Build
	if n == 0 && env.Active != nil {
		n = env.Active.Build
	}
	revision := env.Revision
	if n > 0 {
		b, _, err := s.build(ctx, from.Project, from.Environment, n)
		if err != nil {
			return err
		}
		revision = b.Revision
		src.said += fmt.Sprintf(", build %d", n)
		if b.Lock != "" {
			if src.lock, err = s.LockByID(ctx, b.Lock); err != nil {
				return err
			}
		}
	}
	if src.text == "" {
		r, err := s.Spec(ctx, from.Project, from.Environment, revision)
		if err != nil {
			return err
		}
		src.text = r.Text
	}
	if src.kind == "" {
		src.kind, src.why = env.Kind, env.Why
	}
	return nil
}

// locked makes a source of a lock: its kind counts, and where there is no text, one that names what is in it.
func (src *source) locked(n NewEnvironment) error {
	if err := src.lock.Check(); err != nil {
		return problem.New(problem.Invalid, "the lock cannot be used: %w", err)
	}
	if n.Kind != "" && n.Kind != src.lock.Kind {
		return problem.New(problem.Invalid, "the lock is of kind %s, not %s", src.lock.Kind, n.Kind)
	}
	if src.kind != src.lock.Kind || src.why == "" {
		src.kind, src.why = src.lock.Kind, "its lock is of that kind"
	}
	if n.From == nil {
		src.said = "made from a lock"
	}
	if src.text != "" {
		return nil
	}
	var err error
	src.text, err = textOf(src.lock, n.Name, driver.Places{})
	return err
}

// parse reads an environment.yml; mistakes are a problem.Invalid over a *driver.Failure with their place.
func parse(text string) (*spec.Spec, error) {
	if len(text) > spec.MaxBytes {
		return nil, problem.New(problem.TooLarge, "an environment.yml has at most %d bytes", spec.MaxBytes)
	}
	sp, err := spec.Parse([]byte(text))
	return sp, mistaken(err)
}

// mistaken is the problem of a *spec.Error.
func mistaken(err error) error {
	if err == nil {
		return nil
	}
	f := &driver.Failure{Cause: driver.SpecInvalid, Message: err.Error(), Err: err}
	if e, ok := errors.AsType[*spec.Error](err); ok {
		f.Line, f.Column, f.Package, f.Near = e.Line, e.Col, e.Package, e.Near
	}
	return &problem.Problem{Code: problem.Invalid, Message: f.Message, Err: f}
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
