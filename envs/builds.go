package envs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/hopyard/hopyard/envs/build"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/store"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/plugins/storage"
)

// buildRef names a build.
type buildRef struct {
	project, name string
	n             int
}

// show is a build as people see it. A ready build whose files have gone is Collected, whoever removed them.
func (s *Service) show(env envRecord, b buildRecord) Build {
	shown := b.Build
	shown.Active = env.Active != nil && env.Active.Build == b.Number
	if b.State == Ready {
		if _, ok := s.cfg.Store.Manifest(b.ID); !ok {
			shown.State = Collected
		}
	}
	if !b.State.Ended() {
		if r := s.running(buildRef{b.Project, b.Environment, b.Number}); r != nil {
			shown.Progress, shown.Waiting = r.progress()
		}
	}
	return shown
}

// Build asks for a build of a revision; 0 is the newest.
func (s *Service) Build(ctx context.Context, by By, project, name string, revision int) (Build, error) {
	var asked buildRecord
	env, err := s.change(ctx, project, name, func(st *step) error {
		n := revision
		if n == 0 {
			n = st.env.Revision
		}
		r, err := s.revision(ctx, project, name, n)
		if err != nil {
			return err
		}
		asked, err = s.ask(ctx, st, wish{by: by, revision: r.Number, reason: fmt.Sprintf("build of revision %d", r.Number)})
		return err
	})
	if err != nil {
		return Build{}, err
	}
	s.audit(ctx, by, "environment_build", project, name, fmt.Sprintf("build %d of revision %d", asked.Number, asked.Revision))
	return s.show(env, asked), s.enqueue(ctx, project, name)
}

// Builds lists all builds of an environment, the newest first.
func (s *Service) Builds(ctx context.Context, project, name string) ([]Build, error) {
	records, err := s.builds(ctx, project, name)
	if err != nil {
		return nil, err
	}
	env, err := s.environment(ctx, project, name)
	if err != nil {
		return nil, err
	}
	out := make([]Build, 0, len(records))
	for _, b := range slices.Backward(records) {
		out = append(out, s.show(env, b.value))
	}
	return out, nil
}

// GetBuild tells of one build.
func (s *Service) GetBuild(ctx context.Context, project, name string, n int) (Build, error) {
	b, _, err := s.build(ctx, project, name, n)
	if err != nil {
		return Build{}, err
	}
	env, err := s.environment(ctx, project, name) // second: whether it is in use is at least as new
	return s.show(env, b), err
}

// Pin keeps the files of a build, or no longer does.
func (s *Service) Pin(ctx context.Context, by By, project, name string, n int, pinned bool) (Build, error) {
	env, err := s.environment(ctx, project, name)
	if err != nil {
		return Build{}, err
	}
	b, err := s.revisit(ctx, project, name, n, func(b *buildRecord) error {
		b.Pinned = pinned
		return nil
	})
	if err != nil {
		return Build{}, err
	}
	if pinned && b.ID != "" {
		if err := s.want(ctx, b.ID); err != nil {
			return Build{}, err
		}
	}
	s.audit(ctx, by, "environment_pinned", project, name, fmt.Sprintf("build %d: %v", n, pinned))
	return s.show(env, b), nil
}

// revisit changes a build, whoever else changes it, as long as the checks hold: a problem.NotFound if they do not.
func (s *Service) revisit(ctx context.Context, project, name string, n int, do func(*buildRecord) error, checks ...storage.Op) (buildRecord, error) {
	key := numbered(buildKeys, project, name, n)
	for {
		b, rev, err := load[buildRecord](ctx, s.cfg.Storage, key)
		if err != nil {
			return b, missing(err, "there is no build %d of environment %q", n, name)
		}
		if err := do(&b); err != nil {
			return b, err
		}
		err = s.apply(ctx, project, append(slices.Clip(checks), storage.Update(key, encode(b), rev))...)
		if !errors.Is(err, storage.ErrConflict) {
			return b, err
		}
		if len(checks) > 0 {
			if _, err := s.cfg.Storage.Apply(ctx, checks...); errors.Is(err, storage.ErrConflict) {
				return b, problem.New(problem.NotFound, "there is no environment %q any more", name)
			}
		}
	}
}

// Cancel ends a build that is not over: a problem.Conflict if it is. Nothing of it is left, soon.
func (s *Service) Cancel(ctx context.Context, by By, project, name string, n int) error {
	if _, err := s.environment(ctx, project, name); err != nil {
		return err
	}
	if err := s.cancelBuild(ctx, by, buildRef{project, name, n}); err != nil {
		return err
	}
	s.audit(ctx, by, "environment_canceled", project, name, fmt.Sprintf("build %d", n))
	return nil
}

func (s *Service) cancelBuild(ctx context.Context, by By, ref buildRef, checks ...storage.Op) error {
	b, err := s.revisit(ctx, ref.project, ref.name, ref.n, func(b *buildRecord) error {
		if b.State.Ended() {
			return problem.New(problem.Conflict, "build %d is over: it is %s", ref.n, b.State)
		}
		b.stop(by.User, s.now())
		return nil
	}, checks...)
	if err != nil {
		return err
	}
	if r := s.running(ref); r != nil {
		r.cancel(errCanceled)
		return nil
	}
	s.seal(b, "")
	return nil
}

// stop ends a build on behalf of a user. What was ready once stays so.
func (b *buildRecord) stop(by string, now time.Time) {
	if by == "" {
		by = "somebody"
	}
	b.end(CanceledS, driver.Failf(driver.Canceled, "%s canceled it", by), now)
}

// end is the one way into a state without success.
func (b *buildRecord) end(state State, f *driver.Failure, now time.Time) {
	if b.Restore {
		state = Ready // which it was, and its lock stays
	}
	b.State, b.Failure, b.Ended, b.Restore, b.Phase = state, f, new(now), false, ""
}

// finish is the one way to Ready.
func (b *buildRecord) finish(m *store.Manifest, now time.Time) {
	b.State, b.Failure, b.Ended, b.Restore, b.Phase = Ready, nil, new(now), false, ""
	b.Packages, b.Bytes, b.Python, b.Link = len(m.Packages), m.Bytes, m.PythonVersion, m.Link
}

// activation is why it becomes the one in use by itself.
func (b *buildRecord) activation() string { return fmt.Sprintf("build %d is ready", b.Number) }

// DeleteBuild removes a build from the list, with its log. A problem.Conflict if it is in use or not over.
func (s *Service) DeleteBuild(ctx context.Context, by By, project, name string, n int) error {
	programs, err := s.programs(ctx, project)
	if err != nil {
		return err
	}
	for _, w := range programs {
		if w.Environment.Name == name && w.Environment.Build == n {
			return problem.New(problem.Conflict, "%s (%s of %s) runs on build %d", w.Name, w.Kind, w.Owner, n)
		}
	}
	b, rev, err := s.build(ctx, project, name, n)
	if err != nil {
		return err
	}
	if !b.State.Ended() {
		return problem.New(problem.Conflict, "build %d is not over; cancel it first", n)
	}
	_, err = s.change(ctx, project, name, func(st *step) error {
		if st.env.Active != nil && st.env.Active.Build == n {
			return problem.New(problem.Conflict, "build %d is in use; activate another one first", n)
		}
		st.ops = append(st.ops, storage.Delete(numbered(buildKeys, project, name, n)).When(storage.At(rev)))
		return nil
	})
	if err != nil {
		return err
	}
	s.audit(ctx, by, "environment_build_deleted", project, name, fmt.Sprintf("build %d", n))
	if err := os.Remove(s.cfg.Store.Log(project, name, n)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("delete log of build %d: %w", n, err)
	}
	return nil
}

// Lock returns what a build holds; build 0 is the one in use. A problem.Conflict while that is not known.
func (s *Service) Lock(ctx context.Context, project, name string, build int) (*lock.Lock, error) {
	b, err := s.chosen(ctx, project, name, build)
	if err != nil {
		return nil, err
	}
	if b.Lock == "" {
		return nil, problem.New(problem.Conflict, "build %d of %q has not been solved", b.Number, name)
	}
	return s.LockByID(ctx, b.Lock)
}

// chosen is a build, or the one in use where the number is 0.
func (s *Service) chosen(ctx context.Context, project, name string, n int) (buildRecord, error) {
	if n == 0 {
		env, err := s.environment(ctx, project, name)
		if err != nil {
			return buildRecord{}, err
		}
		if env.Active == nil {
			return buildRecord{}, problem.New(problem.NotFound, "the environment %q has no build in use yet", name)
		}
		n = env.Active.Build
	}
	b, _, err := s.build(ctx, project, name, n)
	return b, err
}

// Diff tells what differs from one build to another. From 0 is the one in use, negative nothing at all; to 0 is the newest that
// has been solved.
func (s *Service) Diff(ctx context.Context, project, name string, from, to int) (lock.Diff, error) {
	var before *lock.Lock
	if from >= 0 {
		l, err := s.Lock(ctx, project, name, from)
		if err != nil && (from != 0 || !problem.Is(err, problem.NotFound)) {
			return lock.Diff{}, err
		}
		before = l
	}
	if to == 0 {
		builds, err := s.builds(ctx, project, name)
		if err != nil {
			return lock.Diff{}, err
		}
		for _, b := range builds {
			if b.value.Lock != "" {
				to = b.value.Number
			}
		}
	}
	after, err := s.Lock(ctx, project, name, to)
	if err != nil {
		return lock.Diff{}, err
	}
	return lock.Compare(before, after), nil
}

// Packages lists what is in a build, sorted by name; build 0 is the one in use. Requested are those that its own revision names; channels have
// the names of the rules, where they have one.
func (s *Service) Packages(ctx context.Context, project, name string, n int) ([]store.Item, error) {
	b, err := s.chosen(ctx, project, name, n)
	if err != nil {
		return nil, err
	}
	r, err := s.revision(ctx, project, name, b.Revision)
	if err != nil {
		return nil, err
	}
	sp, err := parse(r.Text)
	if err != nil {
		return nil, err
	}
	if b.Lock == "" {
		return nil, problem.New(problem.Conflict, "build %d of %q has not been solved", b.Number, name)
	}
	l, err := s.LockByID(ctx, b.Lock)
	if err != nil {
		return nil, err
	}
	items, rules := build.Inventory(l, sp.Names()), s.cfg.Rules.Shown(project)
	for i := range items {
		items[i].Channel = rules.Name(items[i].Channel)
	}
	return items, nil
}
