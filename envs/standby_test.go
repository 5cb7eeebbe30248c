package envs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/hopyard/hopyard/agent"
	"github.com/hopyard/hopyard/envs"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/internal/memory"
	"github.com/hopyard/hopyard/workloads"
)

// ahead is a site whose environments are of packages from channels, with a gateway and the environment science in project demo.
func ahead(t *testing.T) (*site, *gateway) {
	t.Helper()
	s := newSite(t)
	s.ofPackages()
	g := s.open()
	_, err := g.Create(t.Context(), ann, "demo", envs.NewEnvironment{Name: "science", Text: yml("alpha")})
	must(t, err)
	return s, g
}

// atWork gives a standby that has taken the order of ann's environment and is held in the middle of it, and its process.
func atWork(t *testing.T) (s *site, g *gateway, standby workloads.Info, pid int) {
	t.Helper()
	s, g = ahead(t)
	s.order("hold")
	g.dry(t, "demo", "science")
	standby = g.waiting(t, s, "demo")
	_, err := g.Build(t.Context(), ann, "demo", "science", 0)
	must(t, err)
	return s, g, standby, s.builderPID()
}

// ofPackages makes the site's environments of packages from a channel.
func (s *site) ofPackages() {
	s.solver.conda, s.rules.AllowedChannels = true, []string{"*"}
}

// dry asks what an environment would be, as ann does before she builds it.
func (g *gateway) dry(t *testing.T, project, name string) {
	t.Helper()
	_, err := g.Solve(t.Context(), project, name, envs.Try{By: ann})
	must(t, err)
}

// waiting waits until a builder is kept ready for a project.
func (g *gateway) waiting(t *testing.T, s *site, project string) workloads.Info {
	t.Helper()
	var found workloads.Info
	eventually(t, "a builder is kept ready", func() bool {
		list, err := g.workloads.List(t.Context(), project)
		must(t, err)
		for _, w := range list {
			if name, ok := strings.CutPrefix(w.ID, "standby-"); ok && s.store.Waits(name[:16]) && w.State == workloads.Running {
				found = w
				return true
			}
		}
		return false
	})
	return found
}

// pidOf is the process of a standby.
func (s *site) pidOf(w workloads.Info) (pid int) {
	s.t.Helper()
	found, err := filepath.Glob(filepath.Join(s.control, "standby-*"))
	must(s.t, err)
	for _, path := range found {
		text, err := os.ReadFile(path)
		must(s.t, err)
		if strings.Contains(w.ID, string(text)) {
			_, err := fmt.Sscanf(filepath.Base(path), "standby-%d", &pid)
			must(s.t, err)
		}
	}
	if pid == 0 {
		s.t.Fatalf("no process of %s", w.ID)
	}
	return pid
}

// none waits until nothing is left of standbys.
func (g *gateway) none(t *testing.T, s *site) {
	t.Helper()
	eventually(t, "no builder is kept ready", func() bool {
		list, err := g.workloads.List(t.Context(), "")
		must(t, err)
		left, err := filepath.Glob(filepath.Join(s.store.Dir(), "work", "standby-*"))
		must(t, err)
		return len(list) == 0 && len(left) == 0
	})
}

// builds asks for a build of an environment and waits for its end.
func (g *gateway) builds(t *testing.T, project, name string) envs.Build {
	t.Helper()
	b, err := g.Build(t.Context(), ann, project, name, 0)
	must(t, err)
	return g.is(t, project, name, b.Number, envs.Ready)
}

func TestBuilderThatWasKeptReadyBuilds(t *testing.T) {
	t.Parallel()
	s, g := ahead(t)
	s.order("hold")
	g.dry(t, "demo", "science")
	w := g.waiting(t, s, "demo")
	if w.Name != "a builder kept ready" || w.Owner != "ann" || w.Kind != "build" || w.Activity != "waiting" {
		t.Errorf("the list says %+v", w)
	}
	_, err := g.Build(t.Context(), ann, "demo", "science", 0)
	must(t, err)
	if pid := s.builderPID(); pid != s.pidOf(w) {
		t.Errorf("process %d builds, want %d", pid, s.pidOf(w))
	}
	if b := g.is(t, "demo", "science", 1, envs.Building); b.Workload != w.ID {
		t.Errorf("build = %+v, want its workload to be %s", b, w.ID)
	}
	eventually(t, "the list names the build and its phase", func() bool {
		now, err := g.workloads.Get(t.Context(), "demo", w.ID)
		return err == nil && now.Name == "science build 1" && now.Activity == string(driver.Fetch)
	})
	s.release("hold")
	g.is(t, "demo", "science", 1, envs.Ready)
	wantProgress(t, g)
}

func TestBuildIsFollowedByABuilderKeptReady(t *testing.T) {
	t.Parallel()
	s, g := ahead(t)
	g.builds(t, "demo", "science")
	g.waiting(t, s, "demo")
	must(t, g.EndStandbys(t.Context(), "demo"))
	g.none(t, s)
}

func TestNobodysDryRunKeepsNothingReady(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*site, *envs.Config, *envs.Try){
		"of nobody":       func(_ *site, _ *envs.Config, try *envs.Try) { try.By = envs.By{} },
		"of wheels":       func(s *site, _ *envs.Config, _ *envs.Try) { s.solver.conda = false },
		"where it is off": func(_ *site, c *envs.Config, _ *envs.Try) { c.Standbys = -1 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, try := newSite(t), envs.Try{By: ann}
			s.ofPackages()
			s.change = func(c *envs.Config) { change(s, c, &try) }
			g := s.open()
			_, err := g.Create(t.Context(), ann, "demo", envs.NewEnvironment{Name: "science", Text: yml("alpha")})
			must(t, err)
			_, err = g.Solve(t.Context(), "demo", "science", try)
			must(t, err)
			g.kill() // it waits for what it has begun
			if made, _ := filepath.Glob(filepath.Join(s.control, "standby-*")); len(made) > 0 {
				t.Errorf("started %q", made)
			}
		})
	}
}

func TestBuilderThatNobodyWantedEnds(t *testing.T) {
	t.Parallel()
	s, g := ahead(t)
	s.order("impatient")
	g.dry(t, "demo", "science")
	eventually(t, "it was started", func() bool {
		made, _ := filepath.Glob(filepath.Join(s.control, "standby-*"))
		return len(made) == 1
	})
	g.none(t, s)
	if b := g.builds(t, "demo", "science"); strings.HasPrefix(b.Workload, "standby") {
		t.Errorf("build = %+v, want it built by another", b)
	}
}

func TestStandbyThatWasKilledCostsTheBuildNothing(t *testing.T) {
	t.Parallel()
	s, g := ahead(t)
	g.dry(t, "demo", "science")
	w := g.waiting(t, s, "demo")
	pid := s.pidOf(w)
	must(t, syscall.Kill(pid, syscall.SIGKILL))
	eventually(t, "all of its threads have ended", func() bool { return syscall.Kill(pid, 0) != nil })
	g.builds(t, "demo", "science")
	for _, e := range g.events(t, "demo", "science", 1, 0) {
		if strings.Contains(e.Text, "lost") {
			t.Errorf("the log says %q", e.Text)
		}
	}
}

func TestStandbyThatIsLostInTheMiddleIsReplacedOnce(t *testing.T) {
	t.Parallel()
	s, g := ahead(t)
	s.order("die")
	g.dry(t, "demo", "science")
	w := g.waiting(t, s, "demo")
	if b := g.builds(t, "demo", "science"); b.Workload == w.ID {
		t.Errorf("build = %+v, want another builder", b)
	}
	if n := s.builders(); n != 2 {
		t.Errorf("%d builders, want 2", n)
	}
}

func TestCancelEndsTheStandbyThatBuilds(t *testing.T) {
	t.Parallel()
	s, g, w, _ := atWork(t)
	canceled(t, s, g, 1)
	if agent.ProcessOf(s.pidOf(w)).Started != 0 {
		t.Error("the builder runs on")
	}
	g.none(t, s)
}

func TestTwoEnvironmentsAtOnceGetOneStandbyAndOneBuilder(t *testing.T) {
	t.Parallel()
	s, g := ahead(t)
	_, err := g.Create(t.Context(), ann, "demo", envs.NewEnvironment{Name: "other", Text: yml("beta")})
	must(t, err)
	s.order("hold")
	g.dry(t, "demo", "science")
	g.waiting(t, s, "demo")
	for _, name := range []string{"science", "other"} {
		_, err := g.Build(t.Context(), ann, "demo", name, 0)
		must(t, err)
	}
	eventually(t, "both are being built", func() bool { return s.builders() == 2 })
	s.release("hold")
	a, b := g.is(t, "demo", "science", 1, envs.Ready), g.is(t, "demo", "other", 1, envs.Ready)
	if strings.HasPrefix(a.Workload, "standby-") == strings.HasPrefix(b.Workload, "standby-") {
		t.Errorf("workloads = %s and %s, want one that was kept ready", a.Workload, b.Workload)
	}
}

func TestStandbyOfAnotherUserOrProjectIsNotTaken(t *testing.T) {
	t.Parallel()
	s, g := ahead(t)
	_, err := g.Create(t.Context(), ann, "other", envs.NewEnvironment{Name: "science", Text: yml("alpha")})
	must(t, err)
	g.dry(t, "demo", "science")
	w := g.waiting(t, s, "demo")
	if b := g.builds(t, "other", "science"); b.Workload == w.ID {
		t.Errorf("build = %+v, want a builder of that project", b)
	}
	_, err = g.Edit(t.Context(), bob, "demo", "science", adding("beta"), "")
	must(t, err)
	if b := g.is(t, "demo", "science", 1, envs.Ready); b.Workload == w.ID {
		t.Errorf("build = %+v, want a builder of that user", b)
	}
}

func TestTwoProjectsShareTheStandbyThatBuilds(t *testing.T) {
	t.Parallel()
	s, g, _, _ := atWork(t)
	_, err := g.Create(t.Context(), bob, "other", envs.NewEnvironment{Name: "science", Text: yml("alpha"), Build: true})
	must(t, err)
	g.is(t, "other", "science", 1, envs.Building)
	for e, err := range g.Events(t.Context(), "other", "science", 1, 0) {
		must(t, err)
		if e.Type == driver.TypeProgress && e.Phase == driver.Fetch {
			break
		}
	}
	must(t, g.Cancel(t.Context(), ann, "demo", "science", 1))
	s.release("hold")
	g.is(t, "other", "science", 1, envs.Ready)
	if n := s.builders(); n != 1 {
		t.Errorf("%d builders, want 1", n)
	}
}

func TestStandbyAtWorkIsFoundByTheNextGateway(t *testing.T) {
	t.Parallel()
	s, g, _, _ := atWork(t)
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

func TestCancelThatDiedHalfWayLeavesNoStandbyAtWork(t *testing.T) {
	t.Parallel()
	s, g, _, pid := atWork(t)
	copied(t, g, 3)
	g.kill()
	other := s.idle()
	must(t, other.Cancel(t.Context(), ann, "demo", "science", 1))
	g = s.reopen(other)
	eventually(t, "the builder is stopped", func() bool { return agent.ProcessOf(pid).Started == 0 })
	g.is(t, "demo", "science", 1, envs.CanceledS)
}

func TestClosedGatewayLeavesNoStandby(t *testing.T) {
	t.Parallel()
	s, g := ahead(t)
	g.dry(t, "demo", "science")
	pid := s.pidOf(g.waiting(t, s, "demo"))
	must(t, g.Close())
	if agent.ProcessOf(pid).Started != 0 {
		t.Error("it runs on")
	}
	if left, _ := filepath.Glob(filepath.Join(s.store.Dir(), "work", "standby-*")); len(left) > 0 {
		t.Errorf("left %q", left)
	}
}

func TestStandbyOfAnotherProcessIsLeftAloneUntilItsProjectGoes(t *testing.T) {
	t.Parallel()
	s, g := ahead(t)
	g.dry(t, "demo", "science")
	w := g.waiting(t, s, "demo")
	s.queue = memory.NewQueue() // what the next one is asked for is not done by g
	next := s.open()            // as after g was killed
	if b := next.builds(t, "demo", "science"); b.Workload == w.ID {
		t.Errorf("build = %+v, want a builder of its own", b)
	}
	must(t, next.Forget(t.Context(), ann, "demo"))
	next.none(t, s)
}
