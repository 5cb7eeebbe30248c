package envs_test

import (
	"context"
	"os"
	"sync/atomic"
	"testing"

	"github.com/hopyard/hopyard/agent"
	"github.com/hopyard/hopyard/envs"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/plugins/storage"
	"github.com/hopyard/hopyard/workloads"
)

// canceled cancels build n of environment science and looks that all has gone.
func canceled(t *testing.T, s *site, g *gateway, n int) {
	t.Helper()
	must(t, g.Cancel(t.Context(), bob, "demo", "science", n))
	b := g.is(t, "demo", "science", n, envs.CanceledS)
	if b.Failure == nil || b.Failure.Cause != driver.Canceled {
		t.Errorf("failure = %+v, want canceled", b.Failure)
	}
	events := g.events(t, "demo", "science", n, 0)
	if last := events[len(events)-1]; last.Type != driver.TypeResult || last.State != string(envs.CanceledS) {
		t.Errorf("last event = %+v, want it canceled", last)
	}
	wantCode(t, g.Cancel(t.Context(), bob, "demo", "science", n), problem.Conflict)
	if b.ID != "" {
		if _, err := os.Stat(s.store.Prefix(b.ID)); err == nil {
			t.Errorf("the prefix is still there")
		}
	}
	list, err := g.workloads.List(t.Context(), "")
	if err != nil || len(list) != 0 {
		t.Errorf("left running: %+v, %v", list, err)
	}
}

func TestCancelWhileQueued(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.drivers.set(problem.New(problem.Unavailable, "no tools"))
	g := s.open()
	_, err := g.Create(t.Context(), ann, "demo", envs.NewEnvironment{Name: "science", Text: yml("alpha"), Build: true})
	must(t, err)
	canceled(t, s, g, 1)
}

// lateLists gives one list of the builds of environment science late.
type lateLists struct {
	storage.Backend
	armed  atomic.Bool
	listed chan struct{} // closed when it has been made
	goOn   chan struct{} // closed when it may be given
}

func (l *lateLists) List(ctx context.Context, q storage.Query) (storage.Page, error) {
	page, err := l.Backend.List(ctx, q)
	if q.Prefix == "environment-builds/demo/science/" && l.armed.CompareAndSwap(true, false) {
		close(l.listed)
		<-l.goOn
	}
	return page, err
}

func TestCanceledAsItIsTakenUpHasOneResult(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	late := &lateLists{Backend: s.storage, listed: make(chan struct{}), goOn: make(chan struct{})}
	s.storage = late
	g := s.idle()
	g.workloads.Start()
	begun(t, g)
	late.armed.Store(true)
	g.Start()
	<-late.listed // to see what is to be built
	canceled(t, s, g, 1)
	close(late.goOn)
	g.builds(t, "demo", "science") // after the first one is done with
	results := 0
	for _, e := range g.events(t, "demo", "science", 1, 0) {
		if e.Type == driver.TypeResult {
			results++
		}
	}
	if results != 1 {
		t.Errorf("%d results in the log, want one", results)
	}
}

func TestCancelWhileSolving(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.solver.hold, s.solver.inside = make(chan struct{}), make(chan struct{}, 1)
	g := s.open()
	_, err := g.Create(t.Context(), ann, "demo", envs.NewEnvironment{Name: "science", Text: yml("alpha"), Build: true})
	must(t, err)
	<-s.solver.inside
	canceled(t, s, g, 1)
}

func TestCancelWhileBuilding(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.order("hold")
	g := s.open()
	_, err := g.Create(t.Context(), ann, "demo", envs.NewEnvironment{Name: "science", Text: yml("alpha"), Build: true})
	must(t, err)
	pid := s.builderPID()
	canceled(t, s, g, 1)
	if agent.ProcessOf(pid).Started != 0 {
		t.Errorf("the builder %d runs on", pid)
	}
	s.release("hold")
	_, err = g.Build(t.Context(), ann, "demo", "science", 0)
	must(t, err)
	g.is(t, "demo", "science", 2, envs.Ready)
}

func TestCanceledBehindARunningOneNeverBegins(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.order("hold")
	g := s.open()
	_, err := g.Create(t.Context(), ann, "demo", envs.NewEnvironment{Name: "science", Text: yml("alpha"), Build: true})
	must(t, err)
	s.builderPID()
	_, err = g.Edit(t.Context(), ann, "demo", "science", adding("beta"), "")
	must(t, err)
	must(t, g.Cancel(t.Context(), ann, "demo", "science", 2))
	s.release("hold")
	g.is(t, "demo", "science", 1, envs.Ready)
	if b := g.is(t, "demo", "science", 2, envs.CanceledS); b.Started != nil {
		t.Errorf("build 2 = %+v, want it never started", b)
	}
	if events := g.events(t, "demo", "science", 2, 0); len(events) != 1 || events[0].Type != driver.TypeResult {
		t.Errorf("events = %+v, want the result alone", events)
	}
}

func TestStoppingTheBuilderCancelsTheBuild(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.order("hold")
	g := s.open()
	_, err := g.Create(t.Context(), ann, "demo", envs.NewEnvironment{Name: "science", Text: yml("alpha"), Build: true})
	must(t, err)
	s.builderPID()
	b := g.is(t, "demo", "science", 1, envs.Building)
	eventually(t, "the builder is up", func() bool {
		w, err := g.workloads.Get(t.Context(), "demo", b.Workload)
		return err == nil && w.State == workloads.Running
	})
	must(t, g.workloads.Stop(t.Context(), "demo", b.Workload, "bob"))
	g.is(t, "demo", "science", 1, envs.CanceledS)
}

func TestCancelFromAnotherGateway(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.order("hold")
	g := s.open()
	_, err := g.Create(t.Context(), ann, "demo", envs.NewEnvironment{Name: "science", Text: yml("alpha"), Build: true})
	must(t, err)
	pid := s.builderPID()
	other := s.open()
	must(t, other.Cancel(t.Context(), ann, "demo", "science", 1))
	eventually(t, "the builder has gone", func() bool { return agent.ProcessOf(pid).Started == 0 })
	g.is(t, "demo", "science", 1, envs.CanceledS)
}
