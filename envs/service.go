package envs

import (
	"context"
	"iter"
	"log/slog"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/policy"
	"github.com/hopyard/hopyard/envs/spec"
	"github.com/hopyard/hopyard/envs/store"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/plugins/queue"
	"github.com/hopyard/hopyard/plugins/storage"
	"github.com/hopyard/hopyard/workloads"
)

// Drivers are the ways to make environments that this host has. It is safe for concurrent use.
type Drivers interface {
	// Driver gives the one for a kind, a problem.Unavailable with what is being done about it if there is none yet.
	Driver(kind lock.Kind) (driver.Driver, error)
	// Kind says how new environments are made and why, in a sentence; an empty kind while that is not known yet.
	Kind(ctx context.Context) (kind lock.Kind, why string)
}

// Config is what a Service works with.
type Config struct {
	Storage   storage.Backend
	Queue     queue.Queue
	Workloads *workloads.Manager
	Store     *store.Store
	Drivers   Drivers
	// Rules are the site's.
	Rules policy.Rules
	// Builder is the command that makes builds; "--store DIR --id ID" is added. BuilderEnv is its whole environment.
	Builder    []string
	BuilderEnv []string
	// Starter gives the content of a project's first environment. A problem.Unavailable while that is not known yet.
	Starter func(ctx context.Context) (Starter, error)
	Audit   workloads.Audit // may be nil
	Log     *slog.Logger
	Now     func() time.Time // nil means time.Now
	// Builds is how many may be built at once; half the processors by default.
	Builds int
	// Keep is how many ready builds of each environment stay on disk; 3 by default.
	Keep int
	// MemoryBytes bounds a builder, where the host can; Timeout bounds how long it may take, an hour by default.
	MemoryBytes int64
	Timeout     time.Duration
	// Site names this gateway among those that share the Store; "site" by default.
	Site string
}

// Service keeps the environments of all projects. It is safe for concurrent use. Errors that a person can mend are
// problems, and *driver.Failure where solving or the policy is concerned.
type Service struct{ cfg Config }

var errSoon = problem.New(problem.Unsupported, "environments cannot be managed yet")

// New makes a Service. Call Start next, and Close in the end.
func New(cfg Config) *Service { return &Service{cfg: cfg} }

func (s *Service) Start()       {}
func (s *Service) Close() error { return nil }

func (s *Service) List(ctx context.Context, project string) ([]Environment, error) {
	return nil, errSoon
}

func (s *Service) Get(ctx context.Context, project, name string) (Environment, error) {
	return Environment{}, errSoon
}

func (s *Service) Create(ctx context.Context, by By, project string, n NewEnvironment) (Environment, error) {
	return Environment{}, errSoon
}

func (s *Service) Update(ctx context.Context, by By, project, name string, p Patch) (Environment, error) {
	return Environment{}, errSoon
}
func (s *Service) Delete(ctx context.Context, by By, project, name string) error { return errSoon }
func (s *Service) Forget(ctx context.Context, by By, project string) error       { return errSoon }

func (s *Service) Spec(ctx context.Context, project, name string, revision int) (Revision, error) {
	return Revision{}, errSoon
}

func (s *Service) Revisions(ctx context.Context, project, name string) ([]Revision, error) {
	return nil, errSoon
}

func (s *Service) SetSpec(ctx context.Context, by By, project, name, text, message string, ifRevision int, build bool) (Revision, *Build, error) {
	return Revision{}, nil, errSoon
}

func (s *Service) Edit(ctx context.Context, by By, project, name string, e spec.Edit, message string) (Build, error) {
	return Build{}, errSoon
}

func (s *Service) Solve(ctx context.Context, project, name string, t Try) (Solution, error) {
	return Solution{}, errSoon
}

func (s *Service) Build(ctx context.Context, by By, project, name string, revision int) (Build, error) {
	return Build{}, errSoon
}

func (s *Service) Builds(ctx context.Context, project, name string) ([]Build, error) {
	return nil, errSoon
}

func (s *Service) GetBuild(ctx context.Context, project, name string, n int) (Build, error) {
	return Build{}, errSoon
}

func (s *Service) Cancel(ctx context.Context, by By, project, name string, n int) error {
	return errSoon
}

func (s *Service) Pin(ctx context.Context, by By, project, name string, n int, pinned bool) (Build, error) {
	return Build{}, errSoon
}

func (s *Service) DeleteBuild(ctx context.Context, by By, project, name string, n int) error {
	return errSoon
}

func (s *Service) Diff(ctx context.Context, project, name string, from, to int) (lock.Diff, error) {
	return lock.Diff{}, errSoon
}

func (s *Service) Packages(ctx context.Context, project, name string, build int) ([]store.Item, error) {
	return nil, errSoon
}

func (s *Service) Activate(ctx context.Context, by By, project, name string, build int, reason string) (Activation, error) {
	return Activation{}, errSoon
}

func (s *Service) History(ctx context.Context, project, name string) ([]Activation, error) {
	return nil, errSoon
}

func (s *Service) Lock(ctx context.Context, project, name string, build int) (*lock.Lock, error) {
	return nil, errSoon
}

func (s *Service) LockByID(ctx context.Context, id string) (*lock.Lock, error) { return nil, errSoon }

// Events yields a build's events after the one numbered after, those that are still to come too, and ends after the result, or
// with an error when the context ends.
func (s *Service) Events(ctx context.Context, project, name string, n int, after uint64) iter.Seq2[driver.Event, error] {
	return func(yield func(driver.Event, error) bool) { yield(driver.Event{}, errSoon) }
}

func (s *Service) Archive(ctx context.Context, by By, project, name string, build int) (Archive, error) {
	return Archive{}, errSoon
}

func (s *Service) GetArchive(ctx context.Context, project, name string, build int) (Archive, error) {
	return Archive{}, errSoon
}

func (s *Service) Search(ctx context.Context, project, text, from string, limit int) ([]driver.Found, error) {
	return nil, errSoon
}
func (s *Service) Usage(ctx context.Context, project string) (Usage, error) { return Usage{}, errSoon }
func (s *Service) Collect(ctx context.Context, by By, project string) (Report, error) {
	return Report{}, errSoon
}

func (s *Service) Policy(ctx context.Context, project string) (PolicyView, error) {
	return PolicyView{}, errSoon
}

// Changes yields a hint for every change until the context ends; then the channel is closed.
func (s *Service) Changes(ctx context.Context) <-chan Change { return nil }

func (s *Service) Resolve(ctx context.Context, project string) (Resolved, error) {
	return Resolved{}, errSoon
}

func (s *Service) ResolveNamed(ctx context.Context, project, name string) (Resolved, error) {
	return Resolved{}, errSoon
}

func (s *Service) ResolveAll(ctx context.Context, project string) ([]Resolved, error) {
	return nil, errSoon
}

func (s *Service) EnsureFirst(ctx context.Context, project string) error { return errSoon }
