package envs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/plugins/storage"
)

// locksKept is how many locks are remembered: a page, a dry run and a build ask for the same few, and to read one of 500 packages
// takes longer than to solve it.
const locksKept = 16

// locks remembers locks that were read, by ID. What an ID stands for never changes.
type locks struct {
	mu    sync.Mutex
	known []knownLock // guarded by mu; what was used last is last
}

type knownLock struct {
	id   string
	lock *lock.Lock
}

func (l *locks) get(id string) (*lock.Lock, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.known, func(k knownLock) bool { return k.id == id })
	if i < 0 {
		return nil, false
	}
	k := l.known[i]
	l.known = append(slices.Delete(l.known, i, i+1), k)
	return copied(k.lock), true
}

func (l *locks) put(id string, known *lock.Lock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known = slices.DeleteFunc(l.known, func(k knownLock) bool { return k.id == id })
	l.known = append(l.known, knownLock{id, copied(known)})
	if over := len(l.known) - locksKept; over > 0 {
		l.known = slices.Delete(l.known, 0, over)
	}
}

func (l *locks) drop(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known = slices.DeleteFunc(l.known, func(k knownLock) bool { return k.id == id })
}

// copied is a lock whose lists can be sorted and cut without touching the other's. What is in their entries is shared.
func copied(l *lock.Lock) *lock.Lock {
	c := *l
	c.Packages, c.Wheels = slices.Clone(l.Packages), slices.Clone(l.Wheels)
	return &c
}

// keepLock stores a lock unless it is there, and gives its ID.
func (s *Service) keepLock(ctx context.Context, l *lock.Lock) (string, error) {
	id := l.ID()
	b, err := packLock(l)
	if err != nil {
		return "", err
	}
	if err := s.touch(ctx, id); err != nil { // first, so that it is not collected from under who is about to name it
		return "", err
	}
	_, err = s.cfg.Storage.Apply(ctx, storage.Create(lockKeys+id, b))
	if err != nil && !errors.Is(err, storage.ErrConflict) {
		return "", fmt.Errorf("store lock: %w", err)
	}
	return id, nil
}

// LockByID returns a lock that is known here, or a problem.NotFound.
func (s *Service) LockByID(ctx context.Context, id string) (*lock.Lock, error) {
	if id == "" || len(id) > 64 || strings.Contains(id, "/") {
		return nil, problem.New(problem.NotFound, "there is no lock %q", id)
	}
	if l, ok := s.locks.get(id); ok {
		return l, nil
	}
	r, err := s.cfg.Storage.Get(ctx, lockKeys+id)
	if err != nil {
		return nil, missing(err, "there is no lock %q", id)
	}
	l, err := unpackLock(r.Value)
	if err == nil {
		s.locks.put(id, l)
	}
	return l, err
}
