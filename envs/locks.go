package envs

import (
	"slices"
	"sync"

	"github.com/hopyard/hopyard/envs/lock"
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

// copied is a lock whose lists can be sorted and cut without touching the other's. What is in their entries is shared.
func copied(l *lock.Lock) *lock.Lock {
	c := *l
	c.Packages, c.Wheels = slices.Clone(l.Packages), slices.Clone(l.Wheels)
	return &c
}
