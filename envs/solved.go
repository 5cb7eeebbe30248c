package envs

import (
	"sync"
	"time"
)

// solvedFor is how long what was solved for one project serves as the first environment of others, so that new projects start at
// once and still do not stay behind for ever.
const solvedFor = 7 * 24 * time.Hour

// solved remembers what was solved, for all projects.
type solved struct {
	mu    sync.Mutex
	locks map[string]solvedLock // by inputs; guarded by mu
}

type solvedLock struct {
	id string
	at time.Time
}

func (s *solved) note(b buildRecord) {
	if b.Inputs == "" || b.Lock == "" || b.Reused || len(b.Upgrade) > 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.locks == nil {
		s.locks = map[string]solvedLock{}
	}
	if old, ok := s.locks[b.Inputs]; !ok || old.at.Before(b.Created) {
		s.locks[b.Inputs] = solvedLock{b.Lock, b.Created}
	}
}

func (s *solved) get(inputs string, now time.Time) (lockID string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.locks[inputs]
	return l.id, ok && inputs != "" && now.Sub(l.at) < solvedFor
}
