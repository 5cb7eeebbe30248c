package console

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/hopyard/hopyard/envs"
	"github.com/hopyard/hopyard/internal/watch"
	"github.com/hopyard/hopyard/projects"
	"github.com/hopyard/hopyard/workloads"
)

// change is a hint that something has to be looked at again.
type change struct {
	id      uint64
	user    string // whom it is about, for those who may see no more than that
	kind    projects.Kind
	project string
	name    string // of the thing itself
}

// Kinds that complete those of package projects: who is a member does not change with them.
const (
	kindWorkloads    projects.Kind = "workloads"
	kindEnvironments projects.Kind = "environments"
)

// remembered is how many changes a client may be behind before it is told to look at everything.
const remembered = 1024

// feed numbers the changes and remembers the last ones. Numbers begin at the time of the start, so that those of an
// earlier process lie before.
type feed struct {
	bell watch.Bell

	mu   sync.Mutex
	last uint64   // number of the newest change; guarded by mu
	kept []change // oldest first; guarded by mu
}

func newFeed() *feed { return &feed{last: uint64(time.Now().UnixMicro())} }

// follow puts what it hears into the feed, until ctx ends.
func (f *feed) follow(ctx context.Context, people <-chan projects.Change, runs <-chan workloads.Change, built <-chan envs.Change) {
	for ctx.Err() == nil {
		select {
		case c, ok := <-people:
			if !ok {
				people = nil
				continue
			}
			f.add(change{kind: c.Kind, project: c.Project, user: c.User, name: c.ID})
		case c, ok := <-runs:
			if !ok {
				runs = nil
				continue
			}
			f.add(change{kind: kindWorkloads, project: c.Project, name: c.ID})
		case c, ok := <-built:
			if !ok {
				built = nil
				continue
			}
			f.add(changeOf(c))
		case <-ctx.Done():
		}
	}
}

// changeOf is a change of an environment; one that may be any of all projects' makes everybody look at everything.
func changeOf(c envs.Change) change {
	if c.Project == "" {
		return change{kind: projects.Resync}
	}
	return change{kind: kindEnvironments, project: c.Project, name: c.Environment}
}

func (f *feed) add(c change) {
	f.mu.Lock()
	f.last++
	c.id = f.last
	if len(f.kept) == remembered {
		f.kept = append(f.kept[:0], f.kept[remembered/2:]...)
	}
	f.kept = append(f.kept, c)
	f.mu.Unlock()
	f.bell.Ring()
}

// now is the number of the newest change.
func (f *feed) now() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last
}

// since returns the changes after number, each thing's last one only, and the newest number. It reports false when some of
// them are forgotten, or the number is none of this feed's.
func (f *feed) since(number uint64) (changes []change, last uint64, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if number > f.last || number < f.last-uint64(len(f.kept)) {
		return nil, f.last, false
	}
	fresh := f.kept[len(f.kept)-int(f.last-number):]
	seen := map[change]bool{}
	for _, c := range slices.Backward(fresh) {
		thing := c
		thing.id = 0
		if !seen[thing] {
			seen[thing] = true
			changes = append(changes, c)
		}
	}
	slices.Reverse(changes)
	return changes, f.last, true
}
