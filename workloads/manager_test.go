package workloads_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/hopyard/hopyard/agent"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/plugins/queue"
	"github.com/hopyard/hopyard/plugins/scheduling"
	"github.com/hopyard/hopyard/plugins/storage"
	"github.com/hopyard/hopyard/projects"
	"github.com/hopyard/hopyard/workloads"
)

func TestWorkloadRunsUntilItIsStopped(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	m, r := s.open(), request(t.TempDir(), forever)
	id := launch(t, m, r)
	n := pid(t, r)
	info := is(t, m, id, workloads.Running)
	if info.Owner != "ann" || info.Name != "a program" || info.Kind != "plain" || info.Project != "demo" || info.Isolation == "" {
		t.Errorf("Get() = %+v", info)
	}
	if labels, err := m.Labels("demo", id); err != nil || labels["colour"] != "red" {
		t.Errorf("Labels() = %v, %v", labels, err)
	}
	if _, err := m.Get(t.Context(), "other", id); !problem.Is(err, problem.NotFound) {
		t.Errorf("Get() in another project = %v, want not found", err)
	}
	if all, err := m.List(t.Context(), "other"); err != nil || len(all) > 0 {
		t.Errorf("List() of another project = %v, %v", all, err)
	}
	if err := m.Stop(t.Context(), "other", id, "eve"); !problem.Is(err, problem.NotFound) {
		t.Errorf("Stop() in another project = %v, want not found", err)
	}
	if err := m.Stop(t.Context(), "demo", id, "ann"); err != nil {
		t.Fatal(err)
	}
	if running(n) {
		t.Error("the program runs after Stop")
	}
	if err := m.Stop(t.Context(), "demo", id, "ann"); !problem.Is(err, problem.NotFound) {
		t.Errorf("second Stop() = %v, want not found", err)
	}
	s.mustBeEmpty()
}

func TestLaunchOfATakenIDIsAConflict(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	m, r := s.open(), request(t.TempDir(), forever)
	id := launch(t, m, r)
	if _, err := m.Launch(t.Context(), r); !problem.Is(err, problem.Conflict) {
		t.Errorf("Launch() = %v, want a conflict", err)
	}
	is(t, m, id, workloads.Running)
}

func TestLaunchOfAnotherProjectsIDIsAConflictAndTakesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	m, r := s.open(), request(t.TempDir(), forever)
	id := launch(t, m, r)
	r.Project, r.Owner = "theirs", "eve"
	if info, err := m.Launch(t.Context(), r); !problem.Is(err, problem.Conflict) {
		t.Errorf("Launch() = %+v, %v, want a conflict", info, err)
	}
	if _, err := m.Get(t.Context(), "theirs", id); !problem.Is(err, problem.NotFound) {
		t.Errorf("Get() = %v, want that it is not there", err)
	}
	is(t, m, id, workloads.Running)
}

func TestLaunchThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	m := s.open()
	for name, spoil := range map[string]func(*workloads.Request){
		"user that cannot be had": func(r *workloads.Request) { r.Workload.User = "nobody" },
		"unknown kind":            func(r *workloads.Request) { r.Workload.Kind = "dance" },
		"impossible id":           func(r *workloads.Request) { r.Workload.ID = ".." },
	} {
		r := request(t.TempDir(), forever)
		spoil(&r)
		if info, err := m.Launch(t.Context(), r); err == nil {
			t.Errorf("%s: Launch() = %+v, want an error", name, info)
		}
	}
	if all, err := m.List(t.Context(), ""); err != nil || len(all) > 0 {
		t.Errorf("List() = %v, %v, want nothing", all, err)
	}
	s.mustBeEmpty()
}

func TestWorkloadsAreFoundAgainAfterARestart(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const n = 12
	first := workloads.New(s.config())
	first.Start()
	dir := t.TempDir()
	var requests []workloads.Request
	for range n {
		r := request(dir, forever)
		launch(t, first, r)
		requests = append(requests, r)
	}
	if err := first.Rename(t.Context(), "demo", requests[0].Workload.ID, "another name"); err != nil {
		t.Fatal(err)
	}
	pids := map[int]bool{}
	for _, r := range requests {
		pids[pid(t, r)] = true
	}
	_ = first.Close()
	begin := time.Now()
	second := s.open()
	second.Settled(t.Context(), patience)
	t.Logf("%d workloads were found again after %s", n, time.Since(begin))
	all, err := second.List(t.Context(), "demo")
	if err != nil || len(all) != n {
		t.Fatalf("List() = %d, %v, want %d", len(all), err, n)
	}
	for i, info := range all {
		is(t, second, info.ID, workloads.Running)
		if info.Owner != "ann" || i > 0 && info.Started.Before(all[i-1].Started) {
			t.Errorf("workload %d is %+v", i, info)
		}
	}
	if i, err := second.Get(t.Context(), "demo", requests[0].Workload.ID); err != nil || i.Name != "another name" {
		t.Errorf("Get() = %+v, %v, want the new name", i, err)
	}
	s.stopAll(second)
	for n := range pids {
		if running(n) {
			t.Errorf("program %d runs", n)
		}
	}
	s.mustBeEmpty()
}

func TestWhatABrokenLaunchLeftIsSwept(t *testing.T) {
	t.Parallel()
	for name, started := range map[string]bool{"before its program": false, "behind its program": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			r := request(t.TempDir(), forever)
			value := []byte(`{"kind":"plain","owner":"ann","started":"2026-01-02T03:04:05Z"}`)
			if _, err := s.storage.Apply(t.Context(), storage.Create("workloads/demo/"+r.Workload.ID, value)); err != nil {
				t.Fatal(err)
			}
			n := 0
			if started {
				if _, err := s.driver.Launch(t.Context(), r.Workload); err != nil {
					t.Fatal(err)
				}
				n = pid(t, r)
			}
			m := s.open()
			isGone(t, m, r.Workload.ID)
			if started && running(n) {
				t.Error("the program runs")
			}
			s.mustBeEmpty()
		})
	}
}

func TestStopThatNeverReachedTheQueueIsCarriedOut(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	broken := s.config()
	broken.Queue = deafQueue{s.queue}
	m := workloads.New(broken)
	m.Start()
	r := request(t.TempDir(), forever)
	id := launch(t, m, r)
	n := pid(t, r)
	if err := m.Stop(t.Context(), "demo", id, "ann"); err == nil {
		t.Error("Stop() without a queue succeeds")
	}
	_ = m.Close()
	isGone(t, s.open(), id)
	if running(n) {
		t.Error("the program runs")
	}
	s.mustBeEmpty()
}

// deafQueue takes no job.
type deafQueue struct{ queue.Queue }

func (deafQueue) Enqueue(context.Context, queue.Job) error { return errors.New("the queue is away") }

func TestRecordThatCannotBeReadHarmsNobodyElse(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	m, r := s.open(), request(t.TempDir(), forever)
	id := launch(t, m, r)
	_ = m.Close()
	if _, err := s.storage.Apply(t.Context(), storage.Put("workloads/demo/a", []byte("{")), storage.Put("workloads/b", nil)); err != nil {
		t.Fatal(err)
	}
	is(t, s.open(), id, workloads.Running)
	if _, err := s.storage.Apply(t.Context(), storage.Delete("workloads/demo/a"), storage.Delete("workloads/b")); err != nil {
		t.Fatal(err)
	}
}

// TestStopsFromTwoProcessesAtOnce stops everything through two Managers at once, and through the one that does not know the
// youngest.
func TestStopsFromTwoProcessesAtOnce(t *testing.T) {
	t.Parallel()
	for range 5 {
		s := newSite(t)
		gateway, dir := s.open(), t.TempDir()
		for range 4 {
			launch(t, gateway, request(dir, forever))
		}
		command := s.open()
		if err := command.Recovered(t.Context()); err != nil {
			t.Fatal(err)
		}
		young := request(dir, forever)
		launch(t, gateway, young)
		n := pid(t, young)
		var stopping sync.WaitGroup
		stopping.Go(func() { s.stopAll(command) })
		stopping.Go(func() { s.stopAll(gateway) })
		stopping.Wait()
		for name, m := range map[string]*workloads.Manager{"gateway": gateway, "command": command} {
			eventually(t, "the "+name+" knows of nothing", func() bool {
				all, err := m.List(t.Context(), "")
				return err == nil && len(all) == 0
			})
		}
		if running(n) {
			t.Error("the youngest program runs")
		}
		s.mustBeEmpty()
	}
}

// patientQueue gives leases that outlive the test.
type patientQueue struct{ queue.Queue }

func (q patientQueue) Claim(ctx context.Context, kinds []string, most int, _ time.Duration) ([]queue.Claim, error) {
	return q.Queue.Claim(ctx, kinds, most, time.Hour)
}

func (q patientQueue) Extend(ctx context.Context, c queue.Claim, _ time.Duration) (queue.Claim, error) {
	return q.Queue.Extend(ctx, c, time.Hour)
}

// gatedQueue gives no job until it is opened.
type gatedQueue struct {
	queue.Queue
	opened chan struct{}
}

func (q gatedQueue) Claim(ctx context.Context, kinds []string, most int, lease time.Duration) ([]queue.Claim, error) {
	select {
	case <-q.opened:
		return q.Queue.Claim(ctx, kinds, most, lease)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// stuckDriver stops nothing. It says when it was asked to.
type stuckDriver struct {
	scheduling.Driver
	asked chan struct{}
	first *sync.Once
}

func (d stuckDriver) Stop(ctx context.Context, _ scheduling.Handle, _ time.Duration) error {
	d.first.Do(func() { close(d.asked) })
	<-ctx.Done()
	return context.Cause(ctx)
}

// TestStopGoesOnAtOnceWhenItsManagerCloses has one Manager ask for a stop, and another begin it and leave.
func TestStopGoesOnAtOnceWhenItsManagerCloses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.queue = patientQueue{s.queue}
	gate := gatedQueue{s.queue, make(chan struct{})}
	waiting := s.config()
	waiting.Queue = gate
	gateway := workloads.New(waiting)
	gateway.Start()
	defer gateway.Close()
	r := request(t.TempDir(), forever)
	id := launch(t, gateway, r)
	n := pid(t, r)

	leaving := s.config()
	stuck := stuckDriver{s.driver, make(chan struct{}), new(sync.Once)}
	leaving.Driver = stuck
	other := workloads.New(leaving)
	other.Start()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- gateway.Stop(ctx, "demo", id, "ann") }()
	<-stuck.asked
	_ = other.Close()
	close(gate.opened)
	if err := <-stopped; err != nil {
		t.Errorf("Stop() = %v", err)
	}
	if running(n) {
		t.Error("the program runs")
	}
	s.mustBeEmpty()
}

func TestGatewayForgetsWhatAnotherProcessStops(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	gateway := s.open()
	dir := t.TempDir()
	var ids []string
	for range 5 {
		ids = append(ids, launch(t, gateway, request(dir, forever)))
	}
	command := workloads.New(s.config())
	command.Start()
	s.stopAll(command)
	_ = command.Close()
	for _, id := range ids {
		isGone(t, gateway, id)
	}
	s.mustBeEmpty()
}

func TestWorkloadThatEndsByItselfIsSwept(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	m := s.open()
	for name, end := range map[string]func(t *testing.T, r workloads.Request){
		"well":         func(*testing.T, workloads.Request) {},
		"killed":       func(t *testing.T, r workloads.Request) { _ = syscall.Kill(pid(t, r), syscall.SIGKILL) },
		"agent killed": func(t *testing.T, r workloads.Request) { killAgent(t, s, r) },
		"its folder is off": func(t *testing.T, r workloads.Request) {
			killAgent(t, s, r)
			_ = os.RemoveAll(filepath.Join(s.run, r.Workload.ID))
		},
	} {
		t.Run(name, func(t *testing.T) {
			script := forever
			if name == "well" {
				script = "exit 0"
			}
			r := request(t.TempDir(), script)
			id := launch(t, m, r)
			n := pid(t, r)
			end(t, r)
			isGone(t, m, id)
			eventually(t, "the program has ended", func() bool { return !running(n) })
		})
	}
	s.mustBeEmpty()
}

func killAgent(t *testing.T, s *site, r workloads.Request) {
	t.Helper()
	pid(t, r) // it is up
	p, err := agent.ReadProcess(filepath.Join(s.run, r.Workload.ID, agent.AgentFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

func TestUpTellsWhyAProgramDidNotStart(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	m, r := s.open(), request(t.TempDir(), "")
	r.Workload.Argv, r.Workload.Restarts = []string{"/no/such/program"}, 1
	id := launch(t, m, r)
	info, err := m.Up(t.Context(), "demo", id)
	if err != nil || info.State != workloads.Ended || !strings.Contains(info.Reason, "no such file") {
		t.Errorf("Up() = %+v, %v, want ended with the reason", info, err)
	}
}

func TestSubscribersHearOfEveryChange(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	m, r := s.open(), request(t.TempDir(), forever)
	ctx, cancel := context.WithCancel(t.Context())
	lazy := m.Subscribe(ctx) // never reads until the end
	hints := m.Subscribe(ctx)
	var seen atomic.Int64
	read := make(chan struct{})
	go func() {
		defer close(read)
		for c := range hints {
			if c != (workloads.Change{Project: "demo", ID: r.Workload.ID}) {
				t.Errorf("hint = %+v", c)
			}
			seen.Add(1)
		}
	}()
	id := launch(t, m, r)
	is(t, m, id, workloads.Running)
	eventually(t, "hints of the start", func() bool { return seen.Load() > 0 })
	before := seen.Load()
	for i := range 200 { // more than a channel holds
		if err := m.Rename(t.Context(), "demo", id, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "hints of renames", func() bool { return seen.Load() > before })
	if err := m.Stop(t.Context(), "demo", id, "ann"); err != nil {
		t.Fatal(err)
	}
	cancel()
	<-read
	n := 0
	for range lazy {
		n++
	}
	if n == 0 {
		t.Error("who did not read in time heard nothing at all")
	}
}

func TestIDCanBeUsedAgainAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	m, r := s.open(), request(t.TempDir(), forever)
	for range 10 {
		launch(t, m, r)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		if err := m.Stop(ctx, "demo", r.Workload.ID, "ann"); err != nil {
			t.Fatal(err)
		}
		cancel()
	}
	s.mustBeEmpty()
}

// TestOldJobDoesNotStopTheNextOfItsID gives the queue a stop that was carried out before, as it may.
func TestOldJobDoesNotStopTheNextOfItsID(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	m, r := s.open(), request(t.TempDir(), forever)
	id := launch(t, m, r)
	payload := fmt.Sprintf(`{"project":"demo","id":%q,"started":"2026-01-02T03:04:05Z"}`, id)
	old := queue.Job{ID: uuid.NewString(), Kind: "workload.stop", UniqueKey: "old", Payload: []byte(payload)}
	if err := s.queue.Enqueue(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	other := request(t.TempDir(), forever)
	launch(t, m, other)
	if err := m.Stop(t.Context(), "demo", other.Workload.ID, "ann"); err != nil { // the queue is served in order
		t.Fatal(err)
	}
	is(t, m, id, workloads.Running)
	if !running(pid(t, r)) {
		t.Error("the program was stopped")
	}
}

// flaky fails while it is told to.
type flaky struct {
	storage.Backend
	fail atomic.Bool
}

func (f *flaky) List(ctx context.Context, q storage.Query) (storage.Page, error) {
	if f.fail.Load() {
		return storage.Page{}, errors.New("storage is away")
	}
	return f.Backend.List(ctx, q)
}

func TestWorkloadsAreFoundOnceStorageWorksAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	f := &flaky{Backend: s.storage}
	s.storage = f
	first := workloads.New(s.config())
	first.Start()
	id := launch(t, first, request(t.TempDir(), forever))
	_ = first.Close()
	f.fail.Store(true)
	second := s.open()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if i, err := second.Get(ctx, "demo", id); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Get() = %+v, %v, want that it waits", i, err)
	}
	f.fail.Store(false)
	is(t, second, id, workloads.Running)
}

func (f *flaky) Apply(ctx context.Context, ops ...storage.Op) (storage.Revision, error) {
	if f.fail.Load() {
		return 0, storage.ErrFull
	}
	return f.Backend.Apply(ctx, ops...)
}

func TestEndedWorkloadIsSweptOnceStorageWorksAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	f := &flaky{Backend: s.storage}
	s.storage = f
	m, r := s.open(), request(t.TempDir(), forever)
	id := launch(t, m, r)
	n := pid(t, r)
	f.fail.Store(true)
	if err := syscall.Kill(n, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "its end is seen", func() bool {
		i, err := m.Get(t.Context(), "demo", id)
		return err == nil && i.State != workloads.Running
	})
	if _, err := m.Launch(t.Context(), request(t.TempDir(), forever)); !errors.Is(err, storage.ErrFull) {
		t.Errorf("Launch() with full storage = %v, want that it is full", err)
	}
	f.fail.Store(false)
	isGone(t, m, id)
	s.mustBeEmpty()
}

// slow takes its time with writes until it is let go.
type slow struct {
	storage.Backend
	wait  atomic.Bool
	going chan struct{}
}

func (s *slow) Apply(ctx context.Context, ops ...storage.Op) (storage.Revision, error) {
	if s.wait.Load() {
		<-s.going
	}
	return s.Backend.Apply(ctx, ops...)
}

func TestListsDoNotWaitForStorage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := &slow{Backend: s.storage, going: make(chan struct{})}
	s.storage = b
	m, r := s.open(), request(t.TempDir(), forever)
	id := launch(t, m, r)
	b.wait.Store(true)
	renamed := make(chan error)
	go func() { renamed <- m.Rename(context.Background(), "demo", id, "new") }()
	eventually(t, "the list shows the new name while it is being stored", func() bool {
		all, err := m.List(t.Context(), "demo")
		return err == nil && len(all) == 1 && all[0].Name == "new"
	})
	b.wait.Store(false)
	close(b.going)
	if err := <-renamed; err != nil {
		t.Error(err)
	}
}

func TestAttachReachesTheAgent(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	m, r := s.open(), request(t.TempDir(), `trap 'exit 7' INT; while :; do sleep 0.01; done`)
	r.Workload.Restarts = 1
	id := launch(t, m, r)
	c, err := m.Attach(t.Context(), "demo", id, agent.Hello{Client: "tab"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	eventually(t, "the connection is counted", func() bool {
		i, err := m.Get(t.Context(), "demo", id)
		return err == nil && i.Connections == 1
	})
	first := pid(t, r)
	if err := m.Restart(t.Context(), "demo", id, nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another program runs", func() bool { return pid(t, r) != first })
	is(t, m, id, workloads.Running)
	if err := m.Interrupt(t.Context(), "demo", id); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Attach(t.Context(), "demo", "none", agent.Hello{Client: "tab"}, nil); !problem.Is(err, problem.NotFound) {
		t.Errorf("Attach() to nothing = %v, want not found", err)
	}
}

// ledger remembers what was audited.
type ledger struct {
	mu      sync.Mutex
	entries []string
}

func (l *ledger) Record(_ context.Context, e projects.Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, fmt.Sprintf("%s %s %s", e.User, e.Action, e.Project))
	return nil
}

func TestStartsAndStopsAreAudited(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := &ledger{}
	c := s.config()
	c.Audit = l
	m := workloads.New(c)
	m.Start()
	defer m.Close()
	id := launch(t, m, request(t.TempDir(), forever))
	if err := m.Stop(t.Context(), "demo", id, "bob"); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(l.entries, ", "); got != "ann start demo, bob stop demo" {
		t.Errorf("audit = %q", got)
	}
}

// TestLaunchingAndStoppingLeavesNothingInTheProcess is not parallel: it counts goroutines and files.
func TestLaunchingAndStoppingLeavesNothingInTheProcess(t *testing.T) {
	s := newSite(t)
	m, dir := s.open(), t.TempDir()
	const n = 5
	round := func() {
		for range n {
			r := request(dir, forever)
			id := launch(t, m, r)
			c, err := m.Attach(t.Context(), "demo", id, agent.Hello{Client: "tab"}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Stop(t.Context(), "demo", id, "ann"); err != nil {
				t.Fatal(err)
			}
			_ = c.Close()
		}
	}
	files := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	round()
	goroutines, open := runtime.NumGoroutine(), files()
	round()
	eventually(t, "not one more goroutine or file for each launch", func() bool { // fewer may be what the process has begun meanwhile
		return runtime.NumGoroutine() < goroutines+n && files() < open+n
	})
}
