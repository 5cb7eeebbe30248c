package envs_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hopyard/hopyard/agent"
	"github.com/hopyard/hopyard/envs"
	"github.com/hopyard/hopyard/envs/build"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/policy"
	"github.com/hopyard/hopyard/envs/store"
	"github.com/hopyard/hopyard/internal/local"
	"github.com/hopyard/hopyard/internal/local/localtest"
	"github.com/hopyard/hopyard/internal/memory"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/plugins/queue"
	"github.com/hopyard/hopyard/plugins/scheduling"
	"github.com/hopyard/hopyard/plugins/storage"
	"github.com/hopyard/hopyard/projects"
	"github.com/hopyard/hopyard/workloads"
)

const patience = 2 * time.Minute

// TestMain lets the test binary be its own agents and builders.
func TestMain(m *testing.M) {
	localtest.Main(m, map[string]localtest.Program{
		"agent":   localtest.Agent(map[string]agent.Factory{build.Kind: build.NewBridge}),
		"builder": builder,
	})
}

// site is what outlives gateways: storage, the queue, the run folder and the store. What its builders do is told by files in control.
type site struct {
	t       testing.TB
	storage storage.Backend
	queue   queue.Queue
	run     string
	store   *store.Store
	control string
	solver  *solver
	drivers *drivers
	audit   *audit
	clock   *clock
	rules   policy.Rules
	starter func(context.Context) (envs.Starter, error)
	change  func(*envs.Config)
}

// gateway is one process of a site.
type gateway struct {
	*envs.Service
	log       func(project, name string, n int) string // the path of a build's log
	workloads *workloads.Manager
	closed    bool
}

func newSite(t testing.TB) *site {
	t.Helper()
	dir := localtest.RunDir(t)
	st, err := store.Open(filepath.Join(dir, "s"))
	must(t, err)
	s := &site{
		t: t, storage: memory.NewStorage(), queue: memory.NewQueue(), run: localtest.RunDir(t), store: st,
		control: filepath.Join(dir, "c"), solver: &solver{versions: map[string]string{}}, audit: &audit{}, clock: &clock{},
	}
	s.drivers = &drivers{solver: s.solver}
	must(t, os.Mkdir(s.control, 0o700))
	s.starter = func(context.Context) (envs.Starter, error) {
		return envs.Starter{Text: yml("ipykernel"), Kind: lock.Venv, Why: "no channel answers"}, nil
	}
	t.Cleanup(func() {
		s.release("hold")
		s.release("linger")
		s.queue = memory.NewQueue() // what was in work comes back with its lease only
		g := s.idle()               // builds that are not over must not go on
		g.workloads.Start()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := g.workloads.StopAll(ctx, "", func(workloads.Info) {}); err != nil {
			t.Errorf("StopAll() = %v", err)
		}
		g.kill()
		if left := localtest.Left(t, s.run); len(left) > 0 {
			t.Errorf("left in the run folder: %q", left)
		}
	})
	return s
}

// open starts a gateway, which ends with the test at the latest.
func (s *site) open() *gateway {
	s.t.Helper()
	g := s.idle()
	g.workloads.Start()
	g.Start()
	return g
}

// idle makes a gateway that does nothing by itself.
func (s *site) idle() *gateway {
	s.t.Helper()
	d, err := local.New(localtest.Config(s.t, s.run))
	must(s.t, err)
	log := slog.New(slog.DiscardHandler)
	if testing.Verbose() {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	g := &gateway{log: s.store.Log, workloads: workloads.New(workloads.Config{
		Storage: s.storage, Queue: s.queue, Driver: d, Log: log, Grace: 200 * time.Millisecond,
	})}
	exe, err := os.Executable()
	must(s.t, err)
	cfg := envs.Config{
		Storage: s.storage, Queue: s.queue, Workloads: g.workloads, Store: s.store, Drivers: s.drivers, Rules: s.rules,
		Builder: []string{exe, "builder"}, BuilderEnv: []string{"CONTROL=" + s.control, "GORACE=atexit_sleep_ms=0"},
		Starter: func(ctx context.Context) (envs.Starter, error) { return s.starter(ctx) },
		Audit:   s.audit, Log: log, Now: s.clock.now, Builds: 2, Site: s.control,
		Order: func(lock.Kind) (store.Order, error) { return store.Order{}, s.drivers.missing() },
	}
	if s.change != nil {
		s.change(&cfg)
	}
	g.Service = envs.New(cfg)
	s.t.Cleanup(g.kill)
	return g
}

// kill ends a gateway and leaves what it has begun.
func (g *gateway) kill() {
	if !g.closed {
		g.closed = true
		_ = g.Close()
		_ = g.workloads.Close()
	}
}

// reopen kills a gateway and starts another. The jobs that were in work do not come back with their leases, which would take long:
// the new one finds all in storage.
func (s *site) reopen(g *gateway) *gateway {
	s.t.Helper()
	g.kill()
	s.queue = memory.NewQueue()
	return s.open()
}

// calm kills a gateway and starts one that keeps workloads but does nothing with environments by itself: what it collects it was asked for.
// Builders that had told their result have ended: what one of them still holds would not be collected.
func (s *site) calm(g *gateway) *gateway {
	s.t.Helper()
	g.kill()
	g = s.idle()
	g.workloads.Start()
	eventually(s.t, "nothing runs", func() bool {
		list, err := g.workloads.List(s.t.Context(), "")
		return err == nil && len(list) == 0
	})
	return g
}

// order makes builders behave: "hold" stops them half way until it is released, "fail" makes them fail, "die" kills the next one, "die
// always" all of them, "mute" lets them end well without a prefix, "linger" keeps them after their result until it is released.
func (s *site) order(what string) {
	s.t.Helper()
	must(s.t, os.WriteFile(filepath.Join(s.control, what), nil, 0o600))
}

func (s *site) release(what string) { _ = os.Remove(filepath.Join(s.control, what)) }

// builders counts the builders that have been started.
func (s *site) builders() int {
	entries, err := os.ReadDir(s.control)
	must(s.t, err)
	n := 0
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "pid-") {
			n++
		}
	}
	return n
}

// builderPID waits for a builder to be half way and gives its process number.
func (s *site) builderPID() int {
	s.t.Helper()
	pid := 0
	eventually(s.t, "a builder is half way", func() bool {
		b, err := os.ReadFile(filepath.Join(s.control, "half"))
		if err == nil {
			_, err = fmt.Sscan(string(b), &pid)
		}
		return err == nil
	})
	return pid
}

// builder is the program that makes prefixes.
func builder(args []string) int {
	st, err := store.Open(args[1])
	if err != nil {
		return 2
	}
	id, control := args[3], os.Getenv("CONTROL")
	has := func(what string) bool { _, err := os.Stat(filepath.Join(control, what)); return err == nil }
	pid := fmt.Sprint(os.Getpid())
	if args[2] == "--standby" {
		defer st.RemoveStandby(id)
		if id = awaited(st, id, control); id == "" {
			return 0
		}
	}
	_ = os.WriteFile(filepath.Join(control, "pid-"+pid), nil, 0o600)
	held, err := st.Lock(context.Background(), id)
	if err != nil {
		return 2
	}
	defer held.Close()
	o, err := st.ReadOrder(id)
	if err != nil {
		return 2
	}
	events, err := os.OpenFile(st.Events(id), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return 2
	}
	tell := func(e driver.Event) {
		b, _ := json.Marshal(e)
		_, _ = events.Write(append(b, '\n'))
	}
	if o.Task == store.TaskArchive {
		draft := st.ArchiveDraft(id)
		_ = os.WriteFile(draft, []byte("packed"), 0o600)
		if err := st.CommitArchive(id, draft, strings.Repeat("a", 64)); err != nil {
			return 2
		}
		tell(driver.Event{Type: driver.TypeResult, State: "ready"})
		return 0
	}
	prefix := st.Prefix(id)
	_ = os.MkdirAll(filepath.Join(prefix, "bin"), 0o755)
	for i := range 3 {
		tell(driver.Event{Type: driver.TypeProgress, Phase: driver.Fetch, Done: i + 1, Total: 6})
	}
	_ = os.WriteFile(filepath.Join(control, "half"), []byte(pid+"\n"), 0o600)
	switch {
	case has("die always"):
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case has("die"):
		_ = os.Remove(filepath.Join(control, "die"))
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case has("fail"):
		tell(driver.Event{Type: driver.TypeResult, State: "failed", Failure: driver.Failf(driver.HashMismatch, "the bytes are wrong")})
		return 1
	case has("mute"):
		return 0
	}
	for has("hold") {
		time.Sleep(2 * time.Millisecond)
	}
	for i := range 3 {
		tell(driver.Event{Type: driver.TypeProgress, Phase: driver.Link, Done: i + 4, Total: 6})
	}
	python := filepath.Join(prefix, "bin", "python")
	_ = os.WriteFile(python, nil, 0o755)
	m := &store.Manifest{
		ID: id, Lock: o.Lock.ID(), Kind: o.Lock.Kind, Options: o.Options, Prefix: prefix, Bin: filepath.Dir(python), Python: python,
		PythonVersion: "3.11.7", Packages: build.Inventory(o.Lock, o.Requested), Link: "hardlink", Bytes: 10, OwnBytes: 10, Finished: time.Now(),
	}
	if err := st.Commit(m, nil); err != nil {
		return 2
	}
	tell(driver.Event{Type: driver.TypeResult, State: "ready"})
	for has("linger") {
		time.Sleep(2 * time.Millisecond)
	}
	return 0
}

// awaited waits for an order as a standby does: for long, or not at all if it is told to be "impatient".
func awaited(st *store.Store, name, control string) (id string) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	life := patience
	if _, err := os.Stat(filepath.Join(control, "impatient")); err == nil {
		life = time.Millisecond
	}
	_ = os.WriteFile(filepath.Join(control, "standby-"+fmt.Sprint(os.Getpid())), []byte(name), 0o600)
	id, _ = st.Await(ctx, name, life)
	return id
}

// solver is a driver that finds one wheel for every name.
type solver struct {
	mu       sync.Mutex
	conda    bool              // it finds packages of a channel instead; guarded by mu
	versions map[string]string // other than "1.0"; guarded by mu
	solves   int               // guarded by mu
	hold     chan struct{}     // when set, a solve waits for it; guarded by mu
	err      error             // guarded by mu
	asked    driver.Request    // guarded by mu
	inside   chan struct{}     // when set, hears of every solve that begins
}

func (d *solver) Info(context.Context) (driver.Info, error) {
	return driver.Info{Kind: lock.Venv, Name: "fake", Version: "1"}, nil
}

func (d *solver) Solve(ctx context.Context, req driver.Request, tell driver.Sink) (*lock.Lock, error) {
	d.mu.Lock()
	d.solves++
	d.asked = req
	hold, fail, inside := d.hold, d.err, d.inside
	d.mu.Unlock()
	tell(driver.Event{Type: driver.TypeProgress, Phase: driver.Solve})
	if inside != nil {
		inside <- struct{}{}
	}
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	if fail != nil {
		return nil, fail
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lock(req), nil
}

func (d *solver) lock(req driver.Request) *lock.Lock {
	var names []string
	for _, r := range req.Spec.Dependencies {
		names = append(names, r.Name)
	}
	slices.Sort(names)
	if d.conda {
		return packages(names)
	}
	l := &lock.Lock{Version: lock.FormatVersion, Kind: lock.Venv, Platform: "linux-64", Python: "3.11", Base: &lock.Base{Path: "/usr/bin/python3", Version: "3.11.7"}}
	for _, name := range names {
		version := d.versions[name]
		if version == "" {
			version = "1.0"
		}
		file := name + "-" + version + "-py3-none-any.whl"
		l.Wheels = append(l.Wheels, lock.Wheel{
			Name: name, Version: version, Filename: file, URL: "https://example.org/" + file, SHA256: fmt.Sprintf("%064x", len(name)+len(version)*100+int(name[0])*7+int(version[0])), Size: 100,
		})
	}
	return l
}

// packages is a lock of packages from a channel.
func packages(names []string) *lock.Lock {
	l := &lock.Lock{Version: lock.FormatVersion, Kind: lock.Conda, Platform: "linux-64", Channels: []string{"https://channel.example/made"}}
	for _, name := range names {
		file := name + "-1.0-0.conda"
		l.Packages = append(l.Packages, lock.Package{
			Name: name, Version: "1.0", Build: "0", Subdir: "noarch", URL: "https://channel.example/made/noarch/" + file,
			SHA256: fmt.Sprintf("%064x", len(name)*1000+int(name[0])), Size: 100, Noarch: "generic",
		})
	}
	return l
}

func (d *solver) Complete(_ context.Context, l *lock.Lock, _ string) (*lock.Lock, error) {
	l = l.Bare()
	if l.Kind == lock.Venv {
		l.Base = &lock.Base{Path: "/usr/bin/python3", Version: "3.11.7"}
	}
	for i := range l.Wheels {
		l.Wheels[i].Size = 100
	}
	return l, nil
}

func (d *solver) Places(context.Context, []string) (driver.Places, error) {
	return driver.Places{}, nil
}

func (d *solver) Search(_ context.Context, q driver.Query) ([]driver.Found, error) {
	return []driver.Found{{Name: q.Text + "-tools", From: "pip", Versions: []string{"2.0", "1.0"}}}, nil
}

func (d *solver) Install(context.Context, *lock.Lock, driver.Place, driver.Sink) error {
	return errors.New("a gateway does not install")
}

func (d *solver) Close() error { return nil }

func (d *solver) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.solves
}

// set changes how it behaves.
func (d *solver) set(do func(*solver)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	do(d)
}

// drivers are the tools of the site, which may be missing.
type drivers struct {
	solver *solver
	mu     sync.Mutex
	err    error // guarded by mu
}

func (d *drivers) Driver(lock.Kind) (driver.Driver, error) { return d.solver, d.missing() }

func (d *drivers) Kind(context.Context) (lock.Kind, string, error) {
	if err := d.missing(); err != nil {
		return "", "", err
	}
	return lock.Venv, "no channel answers", nil
}

func (d *drivers) missing() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

func (d *drivers) set(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = err
}

// audit remembers actions.
type audit struct {
	mu      sync.Mutex
	actions []string
}

func (a *audit) Record(_ context.Context, e projects.Entry) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.actions = append(a.actions, e.User+" "+e.Action)
	return nil
}

func (a *audit) has(action string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Contains(a.actions, action)
}

// clock is the real one, put forward by hand.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

var ann, bob = envs.By{User: "ann"}, envs.By{User: "bob"}

// yml is an environment.yml that asks for these packages.
func yml(names ...string) string {
	return "dependencies:\n  - " + strings.Join(names, "\n  - ") + "\n"
}

// create makes an environment of these packages in project demo and waits for its build.
func (g *gateway) create(t testing.TB, project, name string, packages ...string) envs.Build {
	t.Helper()
	_, err := g.Create(t.Context(), ann, project, envs.NewEnvironment{Name: name, Text: yml(packages...), Build: true})
	must(t, err)
	return g.is(t, project, name, 1, envs.Ready)
}

// is waits until a build is in that state.
func (g *gateway) is(t testing.TB, project, name string, n int, want envs.State) envs.Build {
	t.Helper()
	var b envs.Build
	eventually(t, fmt.Sprintf("build %d of %s in %s is %s", n, name, project, want), func() bool {
		var err error
		b, err = g.GetBuild(t.Context(), project, name, n)
		if err == nil && b.State != want && b.State.Ended() {
			log, _ := os.ReadFile(g.log(project, name, n))
			t.Fatalf("build %d of %s in %s is %s (%+v), want %s; its log:\n%s", n, name, project, b.State, b.Failure, want, log)
		}
		return err == nil && b.State == want
	})
	return b
}

// events reads all events of a build that is over.
func (g *gateway) events(t testing.TB, project, name string, n int, after uint64) []driver.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var all []driver.Event
	for e, err := range g.Events(ctx, project, name, n, after) {
		must(t, err)
		all = append(all, e)
	}
	return all
}

// program runs something on a build for the length of the test, as a kernel would.
func (g *gateway) program(t testing.TB, s *site, r envs.Resolved) string {
	t.Helper()
	id := "kernel-" + r.ID
	st, err := json.Marshal(build.Spec{Events: filepath.Join(s.control, "none")})
	must(t, err)
	_, err = g.workloads.Launch(t.Context(), workloads.Request{
		Project: "demo", Owner: "bob", Name: "my notebook", Environment: &workloads.Environment{Name: r.Name, Build: r.Build, ID: r.ID},
		Workload: scheduling.Workload{ID: id, Kind: build.Kind, Argv: []string{"/bin/sleep", "600"}, Dir: s.control, Spec: st},
	})
	must(t, err)
	return id
}

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for deadline := time.Now().Add(patience); !holds(); <-look.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantCode(t testing.TB, err error, code problem.Code, words ...string) {
	t.Helper()
	if !problem.Is(err, code) {
		t.Fatalf("error = %v, want a problem %q", err, code)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error = %q, want it to name %q", err, w)
		}
	}
}
