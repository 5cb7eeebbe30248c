package envs_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hopyard/hopyard/envs"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/internal/problem"
)

// begun asks for a first build and returns at once.
func begun(t *testing.T, g *gateway) {
	t.Helper()
	_, err := g.Create(t.Context(), ann, "demo", envs.NewEnvironment{Name: "science", Text: yml("alpha"), Build: true})
	must(t, err)
}

func TestQueuedBuildSurvivesTheGateway(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.drivers.set(problem.New(problem.Unavailable, "no tools"))
	g := s.open()
	begun(t, g)
	g = s.reopen(g)
	s.drivers.set(nil)
	g.is(t, "demo", "science", 1, envs.Ready)
}

func TestSolvingBuildSurvivesTheGateway(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.solver.hold, s.solver.inside = make(chan struct{}), make(chan struct{}, 2)
	g := s.open()
	begun(t, g)
	<-s.solver.inside
	g = s.reopen(g)
	close(s.solver.hold)
	g.is(t, "demo", "science", 1, envs.Ready)
	if n := s.solver.count(); n != 2 {
		t.Errorf("%d solves, want 2", n)
	}
}

func TestRunningBuilderIsFoundAgainAndItsEventsAreNotDoubled(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.order("hold")
	g := s.open()
	begun(t, g)
	s.builderPID()
	copied(t, g, 3)
	g = s.reopen(g)
	copied(t, g, 3)
	s.release("hold")
	g.is(t, "demo", "science", 1, envs.Ready)
	wantProgress(t, g)
	if n := s.builders(); n != 1 {
		t.Errorf("%d builders, want the one that was found again", n)
	}
}

// copied waits until so many of the builder's progress events are in the log.
func copied(t *testing.T, g *gateway, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for e, err := range g.Events(ctx, "demo", "science", 1, 0) {
		must(t, err)
		if e.Type == driver.TypeProgress && e.Phase != driver.Solve {
			n--
		}
		if n == 0 {
			return
		}
	}
	t.Fatalf("the log ends with %d events missing", n)
}

// wantProgress looks that each of the builder's events is in the log once, in order, and none after the result.
func wantProgress(t *testing.T, g *gateway) {
	t.Helper()
	events := g.events(t, "demo", "science", 1, 0)
	var done []int
	for i, e := range events {
		if e.Seq != uint64(i+1) {
			t.Errorf("event %d has number %d", i+1, e.Seq)
		}
		if e.Type == driver.TypeProgress && e.Phase != driver.Solve {
			done = append(done, e.Done)
		}
	}
	if want := []int{1, 2, 3, 4, 5, 6}; !slices.Equal(done, want) {
		t.Errorf("progress = %v, want %v", done, want)
	}
	if last := events[len(events)-1]; last.Type != driver.TypeResult {
		t.Errorf("last event = %+v, want the result", last)
	}
}

func TestBuilderThatEndsWithoutAGatewayIsReadyAfterwards(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.order("hold")
	g := s.open()
	begun(t, g)
	pid := s.builderPID()
	copied(t, g, 3)
	id := g.is(t, "demo", "science", 1, envs.Building).ID
	g.kill()
	s.release("hold")
	eventually(t, "the prefix is whole", func() bool { _, ok := s.store.Manifest(id); return ok })
	eventually(t, "the builder has ended", func() bool { return syscall.Kill(pid, 0) != nil })
	g = s.reopen(g)
	if b := g.is(t, "demo", "science", 1, envs.Ready); !b.Active || b.Reused {
		t.Errorf("build = %+v, want an active one", b)
	}
}

func TestBuilderThatFailsWithoutAGatewayHasFailed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.order("hold")
	g := s.open()
	begun(t, g)
	pid := s.builderPID()
	copied(t, g, 3)
	id := g.is(t, "demo", "science", 1, envs.Building).ID
	g.kill()
	must(t, syscall.Kill(pid, syscall.SIGKILL))
	events, err := os.OpenFile(s.store.Events(id), os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = events.WriteString(`{"type":"result","state":"failed","failure":{"cause":"disk_full","message":"no room"}}` + "\n")
	must(t, errors.Join(err, events.Close()))
	g = s.reopen(g)
	if b := g.is(t, "demo", "science", 1, envs.Failed); b.Failure.Cause != driver.DiskFull {
		t.Errorf("failure = %+v, want its last words", b.Failure)
	}
	if n := s.builders(); n != 1 {
		t.Errorf("%d builders, want 1", n)
	}
}

func TestLostBuilderIsTriedOnceMore(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.order("die")
	g := s.open()
	begun(t, g)
	g.is(t, "demo", "science", 1, envs.Ready)
	if n := s.builders(); n != 2 {
		t.Errorf("%d builders, want 2", n)
	}
}

func TestBuilderThatIsLostTwiceHasFailed(t *testing.T) {
	t.Parallel()
	for memory, want := range map[int64]driver.Cause{0: driver.WorkerLost, 1 << 30: driver.OutOfMemory} {
		t.Run(string(want), func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.change = func(c *envs.Config) { c.MemoryBytes = memory }
			s.order("die always")
			g := s.open()
			begun(t, g)
			if b := g.is(t, "demo", "science", 1, envs.Failed); b.Failure.Cause != want {
				t.Errorf("failure = %+v, want %s", b.Failure, want)
			}
			if n := s.builders(); n != 2 {
				t.Errorf("%d builders, want 2", n)
			}
		})
	}
}

func TestBuilderThatEndsWellWithoutFilesIsLost(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.order("mute")
	g := s.open()
	begun(t, g)
	if b := g.is(t, "demo", "science", 1, envs.Failed); b.Failure.Cause != driver.WorkerLost {
		t.Errorf("failure = %+v, want worker_lost", b.Failure)
	}
}

func TestBuildThatTakesTooLongIsEnded(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.change = func(c *envs.Config) { c.Timeout = 300 * time.Millisecond }
	s.order("hold")
	g := s.open()
	begun(t, g)
	b := g.is(t, "demo", "science", 1, envs.Failed)
	if b.Failure.Cause != driver.TimedOut {
		t.Errorf("failure = %+v, want timed_out", b.Failure)
	}
	if list, err := g.workloads.List(t.Context(), ""); err != nil || len(list) != 0 {
		t.Errorf("left running: %+v, %v", list, err)
	}
}

func TestEventsResumeWithoutDoubles(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.order("hold")
	g := s.open()
	begun(t, g)
	s.builderPID()
	copied(t, g, 3)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var seen []driver.Event
	for e, err := range g.Events(ctx, "demo", "science", 1, 0) {
		must(t, err)
		seen = append(seen, e)
		if len(seen) == 3 {
			break // the connection is cut
		}
	}
	s.release("hold")
	g = s.reopen(g)
	rest := g.events(t, "demo", "science", 1, 3)
	g.is(t, "demo", "science", 1, envs.Ready)
	all := g.events(t, "demo", "science", 1, 0)
	if got := append(seen, rest...); !slices.EqualFunc(got, all, func(a, b driver.Event) bool { return a.Seq == b.Seq && a.Type == b.Type }) {
		t.Errorf("in two parts %+v, want %+v", got, all)
	}
	if after := g.events(t, "demo", "science", 1, uint64(len(all))); len(after) != 0 {
		t.Errorf("after the result = %+v, want nothing", after)
	}
}

func TestHalfALineOfAKilledGatewayIsCutOff(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.order("hold")
	g := s.open()
	begun(t, g)
	s.builderPID()
	copied(t, g, 3)
	g.kill()
	log, err := os.OpenFile(s.store.Log("demo", "science", 1), os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = log.WriteString(`{"seq":99,"type":"log","te`)
	must(t, errors.Join(err, log.Close()))
	g = s.reopen(g)
	s.release("hold")
	g.is(t, "demo", "science", 1, envs.Ready)
	wantProgress(t, g)
}

func TestCancelThatDiedHalfWayLeavesNoBuilder(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.order("hold")
	g := s.open()
	begun(t, g)
	pid := s.builderPID()
	copied(t, g, 3)
	g.kill()
	other := s.idle() // it writes down that the build is canceled, and can do no more
	must(t, other.Cancel(t.Context(), ann, "demo", "science", 1))
	g = s.reopen(other)
	eventually(t, "the builder is stopped", func() bool { return syscall.Kill(pid, 0) != nil })
	g.is(t, "demo", "science", 1, envs.CanceledS)
	eventually(t, "its files are swept", func() bool {
		left, err := filepath.Glob(s.store.Prefix("*"))
		return err == nil && len(left) == 0
	})
}

func TestDeletionThatDiedHalfWayIsFinished(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	g := s.open()
	g.create(t, "demo", "science", "alpha")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = g.Delete(ctx, ann, "demo", "science") // at whatever place that ends
	g = s.reopen(g)
	eventually(t, "the environment is there or has gone, whole", func() bool {
		if err := g.Delete(t.Context(), ann, "demo", "science"); err != nil && !problem.Is(err, problem.NotFound) {
			t.Fatal(err)
		}
		return true
	})
	if b := g.create(t, "demo", "science", "beta"); b.Number != 1 {
		t.Errorf("build = %+v, want the first of a new environment", b)
	}
}

// cut changes the log of build 1 of science, as a process does that is killed while it writes or finds the disk full.
func (g *gateway) cut(t *testing.T, do func(text string) string) {
	t.Helper()
	path := g.log("demo", "science", 1)
	text, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, []byte(do(string(text))), 0o600))
}

func TestHalfALineAtTheEndOfALogEndsIt(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	g := s.open()
	g.create(t, "demo", "science", "alpha")
	whole := g.events(t, "demo", "science", 1, 0)
	g.cut(t, func(text string) string { return text + `{"seq":9` })
	if got := g.events(t, "demo", "science", 1, 0); len(got) != len(whole) {
		t.Errorf("%d events with half a line behind the result, want the %d before it", len(got), len(whole))
	}
	g.cut(t, func(text string) string { return text[:strings.LastIndex(text, `"type":"result"`)] })
	got := g.events(t, "demo", "science", 1, 0)
	if last := got[len(got)-1]; len(got) != len(whole) || last.Type != driver.TypeResult || last.State != string(envs.Ready) {
		t.Errorf("events = %+v, want the half result to be replaced by a whole one", got)
	}
}

func TestALogIsWrittenByOneProcessAtATime(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.order("hold")
	g := s.open()
	begun(t, g)
	s.builderPID()
	other := s.open()
	must(t, other.Cancel(t.Context(), bob, "demo", "science", 1))
	g.is(t, "demo", "science", 1, envs.CanceledS)
	s.release("hold")
	events := g.events(t, "demo", "science", 1, 0)
	eventually(t, "nobody works on it", func() bool {
		list, err := g.workloads.List(t.Context(), "")
		return err == nil && len(list) == 0
	})
	if again := other.events(t, "demo", "science", 1, 0); len(again) != len(events) {
		t.Errorf("%d events, and later %d", len(events), len(again))
	}
	for i, e := range events {
		if e.Seq != uint64(i+1) || (e.Type == driver.TypeResult) != (i == len(events)-1) {
			t.Errorf("events = %+v, want them numbered and one result at the end", events)
			break
		}
	}
}
