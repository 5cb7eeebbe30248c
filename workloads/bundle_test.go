package workloads_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/hopyard/hopyard/agent"
	"github.com/hopyard/hopyard/internal/local"
	"github.com/hopyard/hopyard/internal/local/localtest"
	"github.com/hopyard/hopyard/internal/memory"
	"github.com/hopyard/hopyard/plugins/queue"
	"github.com/hopyard/hopyard/plugins/scheduling"
	"github.com/hopyard/hopyard/plugins/storage"
	"github.com/hopyard/hopyard/workloads"
)

const patience = 2 * time.Minute

// TestMain lets the test binary be its own agents.
func TestMain(m *testing.M) {
	localtest.Main(m, map[string]localtest.Program{"agent": localtest.Agent(map[string]agent.Factory{"plain": newPlain})})
}

// plain is the bridge to a program that nobody talks with.
type plain struct{}

func newPlain(agent.Host) (agent.Bridge, error) { return plain{}, nil }

func (plain) Prepare(context.Context) (agent.Start, error) { return agent.Start{}, nil }
func (plain) Connect(context.Context) error                { return nil }
func (plain) Input(context.Context, string, []byte) error  { return nil }
func (plain) Interrupt(context.Context) error              { return agent.ErrUseSignal }
func (plain) Shutdown(context.Context, bool) error         { return agent.ErrUseSignal }
func (plain) Lost(string, bool)                            {}
func (plain) Cut(uint64, uint64) []byte                    { return nil }
func (plain) Close() error                                 { return nil }

// site is what outlives gateways: storage, the queue and the run folder.
type site struct {
	t       testing.TB
	storage storage.Backend
	queue   queue.Queue
	driver  scheduling.Driver
	run     string
}

// newSite makes an empty one. When the test ends it must be empty again.
func newSite(t testing.TB) *site {
	t.Helper()
	t.TempDir() // the first: what programs write to is removed after they have ended
	s := &site{t: t, storage: memory.NewStorage(), queue: memory.NewQueue(), run: localtest.RunDir(t)}
	d, err := local.New(localtest.Config(t, s.run))
	if err != nil {
		t.Fatal(err)
	}
	s.driver = d
	t.Cleanup(func() {
		m := workloads.New(s.config())
		m.Start()
		defer m.Close()
		s.stopAll(m)
		s.mustBeEmpty()
	})
	return s
}

func (s *site) config() workloads.Config {
	return workloads.Config{
		Storage: s.storage, Queue: s.queue, Driver: s.driver, Log: slog.New(slog.DiscardHandler), Grace: 200 * time.Millisecond,
	}
}

// open makes a Manager, as a gateway does when it starts, and closes it when the test ends.
func (s *site) open() *workloads.Manager {
	m := workloads.New(s.config())
	m.Start()
	s.t.Cleanup(func() { _ = m.Close() })
	return m
}

func (s *site) stopAll(m *workloads.Manager) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := m.StopAll(ctx, "ann", func(workloads.Info) {}); err != nil {
		s.t.Errorf("StopAll() = %v", err)
	}
}

// mustBeEmpty looks for what is left of workloads, in storage and on disk.
func (s *site) mustBeEmpty() {
	s.t.Helper()
	page, err := s.storage.List(context.Background(), storage.Query{Prefix: "workloads/"})
	if err != nil || len(page.Records) > 0 {
		s.t.Errorf("left in storage: %v, %v", page.Records, err)
	}
	if left := localtest.Left(s.t, s.run); len(left) > 0 {
		s.t.Errorf("left in the run folder: %q", left)
	}
}

// request is a workload of a script, whose process number is written to the file of its ID in dir.
func request(dir, script string) workloads.Request {
	id := uuid.NewString()
	return workloads.Request{
		Project: "demo", Owner: "ann", Name: "a program", Labels: map[string]string{"colour": "red"},
		Workload: scheduling.Workload{
			ID: id, Kind: "plain", Argv: []string{"/bin/sh", "-c", "echo $$ > " + id + "; " + script}, Dir: dir, Env: []string{"PATH=/usr/bin:/bin"},
		},
	}
}

const forever = "exec sleep 1000"

func launch(t testing.TB, m *workloads.Manager, r workloads.Request) string {
	t.Helper()
	info, err := m.Launch(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return info.ID
}

// pid waits for a program to run and gives its process number.
func pid(t testing.TB, r workloads.Request) int {
	t.Helper()
	n := 0
	eventually(t, "the program runs", func() bool {
		b, err := os.ReadFile(filepath.Join(r.Workload.Dir, r.Workload.ID))
		if err == nil {
			n, err = strconv.Atoi(strings.TrimSpace(string(b)))
		}
		return err == nil
	})
	return n
}

// finish tells the programs in a folder that wait for it to end.
func finish(t testing.TB, dir string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "done"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func running(pid int) bool { return agent.ProcessOf(pid).Started != 0 }

// is waits until a workload is in that state.
func is(t testing.TB, m *workloads.Manager, id string, want workloads.State) workloads.Info {
	t.Helper()
	var info workloads.Info
	eventually(t, id+" is "+string(want), func() bool {
		var err error
		info, err = m.Get(t.Context(), "demo", id)
		return err == nil && info.State == want
	})
	return info
}

// isGone waits until a Manager does not know a workload.
func isGone(t testing.TB, m *workloads.Manager, id string) {
	t.Helper()
	eventually(t, id+" is gone", func() bool {
		_, err := m.Get(t.Context(), "demo", id)
		return err != nil
	})
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
