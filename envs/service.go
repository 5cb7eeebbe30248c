package envs

import (
	"cmp"
	"context"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/policy"
	"github.com/hopyard/hopyard/envs/store"
	"github.com/hopyard/hopyard/plugins/queue"
	"github.com/hopyard/hopyard/plugins/storage"
	"github.com/hopyard/hopyard/workloads"
)

// Drivers are the ways to make environments that this host has. It is safe for concurrent use.
type Drivers interface {
	// Driver gives the one for a kind, a problem.Unavailable with what is being done about it if there is none yet. Where that came
	// to nothing there is a *driver.Failure in it: builds do not wait for what somebody must mend first.
	Driver(kind lock.Kind) (driver.Driver, error)
	// Kind says how new environments are made and why, in a sentence; an error as Driver's until that is known.
	Kind(ctx context.Context) (kind lock.Kind, why string, err error)
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
	// Builder is the command that makes builds; "--store DIR" and "--id ID" or "--standby NAME" are added. BuilderEnv is its whole
	// environment.
	Builder    []string
	BuilderEnv []string
	// Starter gives the content of a project's first environment. A problem.Unavailable while that is not known yet.
	Starter func(ctx context.Context) (Starter, error)
	Audit   workloads.Audit // may be nil
	Log     *slog.Logger
	Now     func() time.Time // nil means time.Now
	// Builds is how many may be built at once; half the processors by default.
	Builds int
	// Standbys is how many builders may be kept ready at once, each for a project of its own; 2 by default, none if it is negative.
	Standbys int
	// Keep is how many ready builds of each environment stay on disk; 3 by default.
	Keep int
	// MemoryBytes bounds a builder, where the host can; Timeout bounds how long it may take, an hour by default.
	MemoryBytes int64
	Timeout     time.Duration
	// Site names this gateway among those on this host and those that share the Store: its data directory's path. It must be unique.
	Site string
	// Order gives what a builder has to be told besides the content: tools, credentials file, limits. A problem.Unavailable while
	// the tools are not there.
	Order func(kind lock.Kind) (store.Order, error)
}

// Service keeps the environments of all projects. It is safe for concurrent use. Errors that a person can mend are
// problems; where solving or the policy is concerned, a *driver.Failure is in their chain.
type Service struct {
	cfg    Config
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	known   known
	hub     hub
	roots   roots
	usage   usageCache
	infos   infos
	judged  judged
	locks   locks
	folders folders
	lane    chan struct{} // held by the build that is being solved
	slots   chan struct{} // held by the builds whose builders run
	lines   keyed         // held by who works on an environment's builds
	files   keyed         // held by who starts or ends the builder of a prefix
	firsts  keyed         // held by who makes a project's first environment
	collect chan struct{} // asks for a collection

	standbys standbys

	mu   sync.Mutex // guards runs
	runs map[buildRef]*run
}

// New makes a Service. Call Start next, and Close in the end.
func New(cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Builds = cmp.Or(max(cfg.Builds, 0), max(runtime.NumCPU()/2, 1))
	cfg.Standbys = cmp.Or(cfg.Standbys, 2)
	cfg.Keep = cmp.Or(max(cfg.Keep, 0), 3)
	cfg.Timeout = cmp.Or(cfg.Timeout, time.Hour)
	cfg.Site = cmp.Or(cfg.Site, cfg.Store.Dir())
	s := &Service{
		cfg: cfg, lane: make(chan struct{}, 1), slots: make(chan struct{}, cfg.Builds), collect: make(chan struct{}, 1),
		standbys: standbys{byProject: map[string]*standby{}}, runs: map[buildRef]*run{},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Start takes up what an earlier process left, in the background, and begins to serve the queue.
func (s *Service) Start() {
	s.follow()
	s.wg.Go(s.recover)
	s.wg.Go(s.serveQueue)
	s.wg.Go(s.collectAtTimes)
	s.wg.Go(s.scrubAtTimes)
}

// Close lets go of the builds, which another Service takes up again, ends the builders that are kept ready, and waits for the
// Service's own work to end.
func (s *Service) Close() error {
	s.standbys.mu.Lock() // no more of them
	s.cancel()
	s.standbys.mu.Unlock()
	s.wg.Wait()
	return nil
}
