package envs

import (
	"context"
	"errors"
	"time"

	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/plugins/storage"
)

// step is a change to one environment that is being put together. All of it happens at once or nothing does.
type step struct {
	env envRecord
	rev storage.Revision // of what is stored; 0 for a new one
	ops []storage.Op
	// roster is the revision of the project's roster that others saw; 0 where there is none.
	roster storage.Revision
	// active says that another build becomes the one in use.
	active bool
	// revised are the revisions that it adds, by number.
	revised map[int]Revision
	// after is run when it has happened.
	after []func()
}

func (st *step) create(key string, v any) { st.ops = append(st.ops, storage.Create(key, encode(v))) }

func (st *step) update(key string, v any, rev storage.Revision) {
	st.ops = append(st.ops, storage.Update(key, encode(v), rev))
}

func (st *step) then(do func()) { st.after = append(st.after, do) }

// change reads an environment, lets do decide, and writes; again for as long as others come in between.
func (s *Service) change(ctx context.Context, project, name string, do func(*step) error) (envRecord, error) {
	return s.retry(ctx, project, func() (*step, error) {
		env, rev, err := s.load(ctx, project, name)
		if err != nil {
			return nil, err
		}
		st := &step{env: env, rev: rev}
		return st, do(st)
	})
}

// retry carries out the step that plan decides on, and lets it decide again if others came in between.
func (s *Service) retry(ctx context.Context, project string, plan func() (*step, error)) (envRecord, error) {
	for range 16 {
		st, err := plan()
		if err != nil {
			return envRecord{}, err
		}
		err = s.apply(ctx, project, append(st.ops, st.put())...)
		if err == nil {
			if st.rev == 0 || st.active {
				s.usage.forget() // the project may have files that it had not
			}
			for _, do := range st.after {
				do()
			}
			return st.env, nil
		}
		if !errors.Is(err, storage.ErrConflict) {
			return envRecord{}, err
		}
	}
	return envRecord{}, problem.New(problem.Unavailable, "too many people change this environment at once; try again")
}

// put writes the environment itself.
func (st *step) put() storage.Op {
	key := envKey(st.env.Project, st.env.Name)
	if st.rev == 0 {
		return storage.Create(key, encode(st.env))
	}
	return storage.Update(key, encode(st.env), st.rev)
}

// apply writes, and has memory forget the project before anybody is told that it has happened.
func (s *Service) apply(ctx context.Context, project string, ops ...storage.Op) error {
	defer s.known.write(project)()
	_, err := s.cfg.Storage.Apply(ctx, ops...)
	return err
}

// load reads an environment from storage, to change it.
func (s *Service) load(ctx context.Context, project, name string) (envRecord, storage.Revision, error) {
	if checkName(name) != nil {
		return envRecord{}, 0, noEnvironment(project, name)
	}
	env, rev, err := load[envRecord](ctx, s.cfg.Storage, envKey(project, name))
	if err == nil && env.Deleting {
		err = storage.ErrNotFound
	}
	if errors.Is(err, storage.ErrNotFound) {
		return env, 0, noEnvironment(project, name)
	}
	return env, rev, err
}

func noEnvironment(project, name string) error {
	return problem.New(problem.NotFound, "there is no environment %q in project %s", name, project)
}

func (s *Service) now() time.Time { return s.cfg.Now().UTC() }
