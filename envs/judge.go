package envs

import (
	"context"
	"sync"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/policy"
)

// objections are what rules have against a lock that they once allowed. How old packages must be is left out: that is about what is
// solved, and what is in a lock gets older by itself.
func (s *Service) objections(rules policy.Rules, l *lock.Lock) []driver.Failure {
	rules.MinimumAge = policy.Duration{}
	return rules.CheckLock(l, s.now())
}

// judge gives what today's rules have against a lock that an environment had.
func (s *Service) judge(ctx context.Context, env envRecord, lockID string) ([]driver.Failure, error) {
	rules := s.rules(env.Project, &env)
	key := [2]string{lockID, string(encode(rules))}
	if found, ok := s.judged.get(key); ok {
		return found, nil
	}
	l, err := s.LockByID(ctx, lockID)
	if err != nil {
		return nil, err
	}
	found := s.objections(rules, l)
	s.judged.put(key, found)
	return found, nil
}

// stillAllowed is the problem of what today's rules have against a build that was ready once.
func (s *Service) stillAllowed(ctx context.Context, b buildRecord) error {
	env, err := s.environment(ctx, b.Project, b.Environment)
	if err != nil {
		return err
	}
	found, err := s.judge(ctx, env, b.Lock)
	if err != nil {
		return err
	}
	return denied(found)
}

// against is what today's rules have against the build in use of an environment.
func (s *Service) against(ctx context.Context, env envRecord) []driver.Failure {
	if env.Active == nil {
		return nil
	}
	m, ok := s.cfg.Store.Manifest(env.Active.ID)
	if !ok {
		return nil
	}
	found, err := s.judge(ctx, env, m.Lock)
	if err != nil {
		s.cfg.Log.WarnContext(ctx, "build in use is not compared with the rules", "project", env.Project, "environment", env.Name, "error", err)
	}
	return found
}

// judged remembers what rules have against locks. Neither changes, and a list of environments asks each time.
type judged struct {
	mu   sync.Mutex
	have map[[2]string][]driver.Failure // by lock and rules; guarded by mu
}

// maxJudged is how many findings are remembered.
const maxJudged = 1000

func (j *judged) get(key [2]string) (found []driver.Failure, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	found, ok = j.have[key]
	return found, ok
}

func (j *judged) put(key [2]string, found []driver.Failure) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.have == nil || len(j.have) >= maxJudged {
		j.have = map[[2]string][]driver.Failure{} // all are as easily had again
	}
	j.have[key] = found
}
