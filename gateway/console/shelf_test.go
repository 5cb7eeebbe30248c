package console_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/hopyard/hopyard/envs"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/spec"
	"github.com/hopyard/hopyard/envs/store"
	"github.com/hopyard/hopyard/gateway/console"
	"github.com/hopyard/hopyard/internal/problem"
)

// shelf is environments kept by hand. Every change is noted in asked; what fail has for a method is its answer.
type shelf struct {
	mu       sync.Mutex
	asked    []string // guarded by mu
	listed   int      // how often packages were read; guarded by mu
	fail     map[string]error
	envs     []envs.Environment
	texts    []envs.Revision // the newest first
	builds   []envs.Build
	items    []store.Item
	lock     *lock.Lock
	archive  envs.Archive
	view     envs.PolicyView
	resolved envs.Resolved
	events   chan driver.Event // what comes after those of past; nil where nothing does
	past     []driver.Event
	changes  chan envs.Change
}

func newShelf() *shelf {
	return &shelf{
		fail: map[string]error{}, changes: make(chan envs.Change, 10),
		envs:   []envs.Environment{{Project: "demo", Name: "base", Kind: lock.Conda, Revision: 4, Active: &envs.Active{Build: 2, ID: "00000000000000aa"}}},
		texts:  []envs.Revision{{Number: 4, Text: "dependencies: [python=3.11]\n"}, {Number: 3, Text: "dependencies: [python=3.12]\n"}},
		builds: []envs.Build{{Project: "demo", Environment: "base", Number: 2, Revision: 3, State: envs.Ready, ID: "00000000000000aa", Lock: "aaaa"}},
	}
}

// note keeps what was asked for, and gives what the method is to fail with.
func (s *shelf) note(method string, format string, args ...any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if format != "" {
		s.asked = append(s.asked, method+" "+fmt.Sprintf(format, args...))
	}
	return s.fail[method]
}

// last is what was asked for last.
func (s *shelf) last() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.asked) == 0 {
		return ""
	}
	return s.asked[len(s.asked)-1]
}

func missing(what, name string) error {
	return problem.New(problem.NotFound, "there is no %s %q", what, name)
}

func (s *shelf) List(_ context.Context, project string) ([]envs.Environment, error) {
	return s.envs, s.note("List", "")
}

func (s *shelf) Get(_ context.Context, project, name string) (envs.Environment, error) {
	for _, e := range s.envs {
		if e.Project == project && e.Name == name {
			return e, s.note("Get", "")
		}
	}
	return envs.Environment{}, missing("environment", name)
}

func (s *shelf) Create(_ context.Context, by envs.By, project string, n envs.NewEnvironment) (envs.Environment, error) {
	from := ""
	if n.From != nil {
		from = fmt.Sprint(*n.From)
	}
	err := s.note("Create", "%s/%s text %q from %s lock %v %s build %v by %s", project, n.Name, n.Text, from, n.Lock != nil, n.LockID, n.Build, by.User)
	return envs.Environment{Project: project, Name: n.Name}, err
}

func (s *shelf) Update(_ context.Context, by envs.By, project, name string, p envs.Patch) (envs.Environment, error) {
	return envs.Environment{Name: name, Default: true}, s.note("Update", "%s/%s default %v", project, name, *p.Default)
}

func (s *shelf) Delete(_ context.Context, by envs.By, project, name string) error {
	return s.note("Delete", "%s/%s by %s", project, name, by.User)
}

func (s *shelf) Spec(_ context.Context, project, name string, revision int) (envs.Revision, error) {
	for _, r := range s.texts {
		if revision == 0 || r.Number == revision {
			return r, s.note("Spec", "")
		}
	}
	return envs.Revision{}, missing("revision", fmt.Sprint(revision))
}

func (s *shelf) Revisions(context.Context, string, string) ([]envs.Revision, error) {
	return s.texts, s.note("Revisions", "")
}

func (s *shelf) SetSpec(_ context.Context, by envs.By, project, name, text, message string, ifRevision int, build bool) (envs.Revision, *envs.Build, error) {
	if ifRevision != 0 && ifRevision != s.texts[0].Number {
		return envs.Revision{}, nil, problem.New(problem.Conflict, "revision %d is the newest", s.texts[0].Number)
	}
	err := s.note("SetSpec", "%q %q build %v", text, message, build)
	if !build {
		return envs.Revision{Number: 5, Text: text}, nil, err
	}
	return envs.Revision{Number: 5, Text: text}, &envs.Build{Number: 3, State: envs.Queued}, err
}

func (s *shelf) Edit(_ context.Context, by envs.By, project, name string, e spec.Edit, message string) (envs.Build, error) {
	return envs.Build{Number: 3, State: envs.Queued}, s.note("Edit", "%v %q", e, message)
}

func (s *shelf) Solve(_ context.Context, project, name string, t envs.Try) (envs.Solution, error) {
	text := "-"
	if t.Text != nil {
		text = *t.Text
	}
	return envs.Solution{Lock: "bbbb", Diff: lock.Diff{Unchanged: 3}}, s.note("Solve", "text %q edit %v", text, t.Edit)
}

func (s *shelf) Build(_ context.Context, by envs.By, project, name string, revision int) (envs.Build, error) {
	return envs.Build{Number: 3, Revision: revision, State: envs.Queued}, s.note("Build", "revision %d", revision)
}

func (s *shelf) Builds(context.Context, string, string) ([]envs.Build, error) {
	return s.builds, s.note("Builds", "")
}

func (s *shelf) GetBuild(_ context.Context, project, name string, n int) (envs.Build, error) {
	i := slices.IndexFunc(s.builds, func(b envs.Build) bool { return b.Number == n && b.Environment == name && b.Project == project })
	if i < 0 {
		return envs.Build{}, missing("build", fmt.Sprint(n))
	}
	return s.builds[i], s.note("GetBuild", "")
}

func (s *shelf) Pin(_ context.Context, by envs.By, project, name string, n int, pinned bool) (envs.Build, error) {
	return envs.Build{Number: n, Pinned: pinned}, s.note("Pin", "%d %v", n, pinned)
}

func (s *shelf) EndStandbys(context.Context, string) error { return nil }

func (s *shelf) Cancel(_ context.Context, by envs.By, project, name string, n int) error {
	return s.note("Cancel", "%d by %s", n, by.User)
}

func (s *shelf) DeleteBuild(_ context.Context, by envs.By, project, name string, n int) error {
	return s.note("DeleteBuild", "%d by %s", n, by.User)
}

func (s *shelf) Events(ctx context.Context, project, name string, n int, after uint64) iter.Seq2[driver.Event, error] {
	return func(yield func(driver.Event, error) bool) {
		for _, e := range s.past {
			if e.Seq > after && !yield(e, nil) {
				return
			}
		}
		for s.events != nil {
			select {
			case e, ok := <-s.events:
				if !ok || !yield(e, nil) {
					return
				}
			case <-ctx.Done():
				yield(driver.Event{}, context.Cause(ctx))
				return
			}
		}
	}
}

func (s *shelf) Diff(_ context.Context, project, name string, from, to int) (lock.Diff, error) {
	return lock.Diff{Unchanged: 7}, s.note("Diff", "%d..%d", from, to)
}

func (s *shelf) Packages(context.Context, string, string, int) ([]store.Item, error) {
	s.mu.Lock()
	s.listed++
	s.mu.Unlock()
	return s.items, s.note("Packages", "")
}

func (s *shelf) Lock(context.Context, string, string, int) (*lock.Lock, error) {
	return s.lock, s.note("Lock", "")
}

func (s *shelf) Activate(_ context.Context, by envs.By, project, name string, build int, reason string) (envs.Activation, error) {
	return envs.Activation{Number: 1, Build: build, Reason: reason, Pending: build == 1}, s.note("Activate", "%d %q by %s", build, reason, by.User)
}

func (s *shelf) History(context.Context, string, string) ([]envs.Activation, error) {
	return []envs.Activation{{Number: 2, Build: 2, From: 1}, {Number: 1, Build: 1}}, s.note("History", "")
}

func (s *shelf) ResolveNamed(_ context.Context, project, name string) (envs.Resolved, error) {
	return s.resolved, s.note("ResolveNamed", "")
}

func (s *shelf) Archive(_ context.Context, by envs.By, project, name string, build int) (envs.Archive, error) {
	return s.archive, s.note("Archive", "%d by %s", build, by.User)
}

func (s *shelf) GetArchive(context.Context, string, string, int) (envs.Archive, error) {
	return s.archive, s.note("GetArchive", "")
}

func (s *shelf) Search(_ context.Context, project, text, from string, limit int) ([]driver.Found, error) {
	return nil, s.note("Search", "%q %q %d", text, from, limit)
}

func (s *shelf) Usage(context.Context, string) (envs.Usage, error) {
	return envs.Usage{Exclusive: 1, Shared: 2, Builds: 3, Rule: "the last three are kept"}, s.note("Usage", "")
}

func (s *shelf) Collect(_ context.Context, by envs.By, project string) (envs.Report, error) {
	return envs.Report{Builds: 2, Bytes: 10}, s.note("Collect", "%s by %s", project, by.User)
}

func (s *shelf) Policy(context.Context, string) (envs.PolicyView, error) {
	return s.view, s.note("Policy", "")
}

func (s *shelf) Changes(context.Context) <-chan envs.Change { return s.changes }

var (
	_ console.Environments = (*shelf)(nil)
	_ console.Environments = (*envs.Service)(nil)
)
