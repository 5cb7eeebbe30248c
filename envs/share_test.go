package envs_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/hopyard/hopyard/envs"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/policy"
	"github.com/hopyard/hopyard/envs/store"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/workloads"
)

func TestTwoProjectsShareOneBuilder(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.order("hold")
	g := s.open()
	begun(t, g)
	s.builderPID()
	_, err := g.Create(t.Context(), bob, "other", envs.NewEnvironment{Name: "science", Text: yml("alpha"), Build: true})
	must(t, err)
	g.is(t, "other", "science", 1, envs.Building)
	ctx := t.Context()
	for e, err := range g.Events(ctx, "other", "science", 1, 0) {
		must(t, err)
		if e.Type == driver.TypeProgress && e.Phase == driver.Fetch {
			break
		}
	}
	s.release("hold")
	a, b := g.is(t, "demo", "science", 1, envs.Ready), g.is(t, "other", "science", 1, envs.Ready)
	if a.ID != b.ID || !b.Active {
		t.Errorf("builds = %+v and %+v, want the same prefix", a, b)
	}
	if n := s.builders(); n != 1 {
		log, _ := os.ReadFile(s.store.Log("demo", "science", 1))
		t.Errorf("%d builders, want 1; the log:\n%s", n, log)
	}
}

func TestWhatAnotherBuildHasMadeMeanwhileIsNotBuiltAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	asked := make(chan chan struct{}) // the builds that have found no builder, each with what lets it go on
	s.change = func(c *envs.Config) {
		order := c.Order
		c.Order = func(kind lock.Kind) (store.Order, error) {
			goOn := make(chan struct{})
			select {
			case asked <- goOn:
				<-goOn
			case <-t.Context().Done():
			}
			return order(kind)
		}
	}
	g := s.open()
	begun(t, g)
	first := <-asked
	_, err := g.Create(t.Context(), bob, "other", envs.NewEnvironment{Name: "science", Text: yml("alpha"), Build: true})
	must(t, err)
	second := <-asked
	close(first)
	g.is(t, "demo", "science", 1, envs.Ready)
	close(second)
	if b := g.is(t, "other", "science", 1, envs.Ready); !b.Active {
		t.Errorf("build = %+v, want it active", b)
	}
	if n := s.builders(); n != 1 {
		t.Errorf("%d builders, want 1", n)
	}
	events := g.events(t, "other", "science", 1, 0)
	if last := events[len(events)-1]; last.Type != driver.TypeResult || last.State != string(envs.Ready) {
		t.Errorf("last event = %+v, want the result", last)
	}
}

func TestCancelLeavesTheBuilderToWhoElseWaits(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.order("hold")
	g := s.open()
	begun(t, g)
	s.builderPID()
	_, err := g.Create(t.Context(), bob, "other", envs.NewEnvironment{Name: "science", Text: yml("alpha"), Build: true})
	must(t, err)
	g.is(t, "other", "science", 1, envs.Building)
	must(t, g.Cancel(t.Context(), ann, "demo", "science", 1))
	if events := g.events(t, "demo", "science", 1, 0); events[len(events)-1].State != string(envs.CanceledS) {
		t.Errorf("last event = %+v, want it canceled", events[len(events)-1])
	}
	s.release("hold")
	g.is(t, "other", "science", 1, envs.Ready)
	if n := s.builders(); n != 1 {
		t.Errorf("%d builders, want 1", n)
	}
}

func TestStoppedBuilderOfAnotherProjectIsStartedAnew(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.order("hold")
	g := s.open()
	begun(t, g)
	s.builderPID()
	_, err := g.Create(t.Context(), bob, "other", envs.NewEnvironment{Name: "science", Text: yml("alpha"), Build: true})
	must(t, err)
	for e, err := range g.Events(t.Context(), "other", "science", 1, 0) {
		must(t, err)
		if e.Type == driver.TypeProgress && e.Phase == driver.Fetch {
			break
		}
	}
	b := g.is(t, "demo", "science", 1, envs.Building)
	s.release("half")
	eventually(t, "the builder is up", func() bool {
		w, err := g.workloads.Get(t.Context(), "demo", b.Workload)
		return err == nil && w.State == workloads.Running
	})
	must(t, g.workloads.Stop(t.Context(), "demo", b.Workload, "ann"))
	g.is(t, "demo", "science", 1, envs.CanceledS)
	s.builderPID()
	s.release("hold")
	g.is(t, "other", "science", 1, envs.Ready)
}

func TestLockOfAnotherProjectIsInUseAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	g := s.open()
	first := g.create(t, "demo", "science", "alpha", "beta")
	began := time.Now()
	env, err := g.Create(t.Context(), bob, "other", envs.NewEnvironment{Name: "copy", From: &envs.Ref{Project: "demo", Environment: "science"}, Build: true})
	t.Logf("cloned in %s", time.Since(began))
	if err != nil || env.Active == nil || env.Active.ID != first.ID || env.Latest.State != envs.Ready || !env.Default {
		t.Fatalf("Create() = %+v, %v, want it active at once", env, err)
	}
	if r, err := g.Resolve(t.Context(), "other"); err != nil || r.Name != "copy" || r.Build != 1 {
		t.Errorf("Resolve() = %+v, %v", r, err)
	}
	l, err := g.Lock(t.Context(), "demo", "science", 1)
	must(t, err)
	env, err = g.Create(t.Context(), bob, "third", envs.NewEnvironment{Name: "locked", LockID: l.ID(), Build: true})
	if err != nil || env.Active == nil || env.Active.ID != first.ID {
		t.Errorf("Create() from a lock = %+v, %v, want it active at once", env, err)
	}
	env, err = g.Create(t.Context(), bob, "third", envs.NewEnvironment{Name: "imported", Lock: l, Text: yml("alpha", "beta"), Build: true})
	if err != nil || env.Active == nil || env.Default {
		t.Errorf("Create() from a lock and a text = %+v, %v, want it active at once and not the default", env, err)
	}
	if s.solver.count() != 1 || s.builders() != 1 {
		t.Errorf("%d solves, %d builders, want 1 each", s.solver.count(), s.builders())
	}
}

func TestFirstEnvironmentOfAProject(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	g := s.open()
	_, err := g.Resolve(t.Context(), "demo")
	wantCode(t, err, problem.Unavailable, "python")
	g.is(t, "demo", envs.FirstName, 1, envs.Ready)
	must(t, g.EnsureFirst(t.Context(), "demo"))
	env, err := g.Get(t.Context(), "demo", envs.FirstName)
	if err != nil || !env.Default || env.Why != "no channel answers" || env.Revision != 1 {
		t.Errorf("Get() = %+v, %v", env, err)
	}
	solved, err := g.Lock(t.Context(), "demo", envs.FirstName, 0)
	must(t, err)
	starter := s.starter
	s.starter = func(ctx context.Context) (envs.Starter, error) {
		st, err := starter(ctx)
		st.Lock = solved
		return st, err
	}
	if r, err := g.Resolve(t.Context(), "second"); err != nil || r.Build != 1 {
		t.Errorf("Resolve() of the next project = %+v, %v, want it at once", r, err)
	}
}

func TestWithoutAStarterResolveSaysSo(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.starter = nil
	s.change = func(c *envs.Config) {
		c.Starter = func(context.Context) (envs.Starter, error) {
			return envs.Starter{}, problem.New(problem.Unavailable, "the tools are being fetched")
		}
	}
	g := s.open()
	_, err := g.Resolve(t.Context(), "demo")
	wantCode(t, err, problem.Unavailable, "being fetched")
	_, err = g.ResolveAll(t.Context(), "demo")
	wantCode(t, err, problem.Unavailable, "being fetched")
}

func TestActivateRollsBackWithoutASolve(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	g := s.open()
	g.create(t, "demo", "science", "alpha")
	_, err := g.Edit(t.Context(), ann, "demo", "science", adding("beta"), "")
	must(t, err)
	g.is(t, "demo", "science", 2, envs.Ready)
	began := time.Now()
	a, err := g.Activate(t.Context(), bob, "demo", "science", 1, "")
	r, resolveErr := g.Resolve(t.Context(), "demo")
	t.Logf("rolled back and resolved in %s", time.Since(began))
	if err != nil || a.Number != 3 || a.From != 2 || a.Reason != "rolled back" || a.By != "bob" || resolveErr != nil || r.Build != 1 {
		t.Errorf("Activate() = %+v, %v; Resolve() = %+v, %v", a, err, r, resolveErr)
	}
	if !s.audit.has("bob environment_rolled_back") {
		t.Errorf("audit = %q", s.audit.actions)
	}
	_, err = g.Activate(t.Context(), bob, "demo", "science", 7, "")
	wantCode(t, err, problem.NotFound)
}

func TestBuildDoesNotReplaceWhatSomebodyChoseMeanwhile(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	g := s.open()
	g.create(t, "demo", "science", "alpha")
	_, err := g.Edit(t.Context(), ann, "demo", "science", adding("beta"), "")
	must(t, err)
	g.is(t, "demo", "science", 2, envs.Ready)
	s.order("hold")
	s.release("half")
	_, err = g.Edit(t.Context(), ann, "demo", "science", adding("gamma"), "")
	must(t, err)
	s.builderPID()
	_, err = g.Activate(t.Context(), bob, "demo", "science", 1, "beta is broken")
	must(t, err)
	s.release("hold")
	b := g.is(t, "demo", "science", 3, envs.Ready)
	if b.Active {
		t.Errorf("build = %+v, want bob's choice to stay", b)
	}
	events := g.events(t, "demo", "science", 3, 0)
	if last := events[len(events)-1]; last.Text == "" || b.Reason == "add gamma" {
		t.Errorf("result = %+v, reason %q, want it said why", last, b.Reason)
	}
	if r, err := g.Resolve(t.Context(), "demo"); err != nil || r.Build != 1 {
		t.Errorf("Resolve() = %+v, %v, want build 1", r, err)
	}
}

func TestActivationOfWhatFailedLeavesWhatIsInUse(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	g := s.open()
	g.create(t, "demo", "science", "alpha")
	s.order("fail")
	_, err := g.Edit(t.Context(), ann, "demo", "science", adding("beta"), "")
	must(t, err)
	g.is(t, "demo", "science", 2, envs.Failed)
	_, err = g.Activate(t.Context(), ann, "demo", "science", 2, "")
	wantCode(t, err, problem.Conflict, "failed")
	if r, err := g.Resolve(t.Context(), "demo"); err != nil || r.Build != 1 {
		t.Errorf("Resolve() = %+v, %v, want build 1", r, err)
	}
}

func TestResolveFollowsWhatAnotherGatewayActivates(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	g := s.open()
	g.create(t, "demo", "science", "alpha")
	_, err := g.Edit(t.Context(), ann, "demo", "science", adding("beta"), "")
	must(t, err)
	g.is(t, "demo", "science", 2, envs.Ready)
	other := s.open()
	if r, err := other.Resolve(t.Context(), "demo"); err != nil || r.Build != 2 {
		t.Fatalf("Resolve() = %+v, %v", r, err)
	}
	changes := other.Changes(t.Context())
	_, err = g.Activate(t.Context(), ann, "demo", "science", 1, "")
	must(t, err)
	eventually(t, "the other gateway knows", func() bool {
		r, err := other.Resolve(t.Context(), "demo")
		return err == nil && r.Build == 1
	})
	if c := <-changes; c.Project != "demo" || c.Environment != "science" {
		t.Errorf("change = %+v", c)
	}
}

func TestRollBackToWhatIsRefusedByNowIsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	g := s.open()
	g.create(t, "demo", "science", "evil")
	_, _, err := g.SetSpec(t.Context(), ann, "demo", "science", yml("alpha"), "", 0, true)
	must(t, err)
	g.is(t, "demo", "science", 2, envs.Ready)
	rules := policy.Rules{DenyPackages: []string{"evil"}, MinimumAge: policy.Duration{Duration: 24 * time.Hour}, DenyUnknownAge: true}
	_, err = g.Update(t.Context(), ann, "demo", "science", envs.Patch{Policy: &rules})
	must(t, err)
	_, err = g.Activate(t.Context(), bob, "demo", "science", 1, "")
	wantCode(t, err, problem.Conflict, "evil")
	if f := driver.FailureOf(err); f.Cause != driver.PolicyDenied {
		t.Errorf("failure = %+v, want the rule", f)
	}
	if env, err := g.Get(t.Context(), "demo", "science"); err != nil || env.Active.Build != 2 || len(env.Findings) > 0 {
		t.Errorf("Get() = %+v, %v, want build 2 in use and nothing against it: its age is no matter", env, err)
	}
	rules.DenyPackages = []string{"alpha"}
	_, err = g.Update(t.Context(), ann, "demo", "science", envs.Patch{Policy: &rules})
	must(t, err)
	if env, err := g.Get(t.Context(), "demo", "science"); err != nil || env.Active.Build != 2 || len(env.Findings) != 1 || env.Findings[0].Package != "alpha" {
		t.Errorf("Get() = %+v, %v, want build 2 to stay in use, and what is against it", env, err)
	}
	_, err = g.Activate(t.Context(), bob, "demo", "science", 1, "")
	must(t, err)
}

func TestDefaultEnvironmentGoesFirst(t *testing.T) {
	t.Parallel()
	g := newSite(t).open()
	g.create(t, "demo", "science", "alpha")
	g.create(t, "demo", "other", "beta")
	yes := true
	if env, err := g.Update(t.Context(), ann, "demo", "other", envs.Patch{Default: &yes}); err != nil || !env.Default {
		t.Fatalf("Update() = %+v, %v", env, err)
	}
	all, err := g.ResolveAll(t.Context(), "demo")
	if err != nil || len(all) != 2 || all[0].Name != "other" || all[1].Name != "science" {
		t.Errorf("ResolveAll() = %+v, %v, want other first", all, err)
	}
	list, err := g.List(t.Context(), "demo")
	if err != nil || !list[0].Default || list[0].Name != "other" || list[1].Default {
		t.Errorf("List() = %+v, %v, want one default", list, err)
	}
	if r, err := g.ResolveNamed(t.Context(), "demo", "science"); err != nil || r.Name != "science" {
		t.Errorf("ResolveNamed() = %+v, %v", r, err)
	}
}

func TestArchiveIsPackedOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	g := s.open()
	g.create(t, "demo", "science", "alpha")
	if a, err := g.GetArchive(t.Context(), "demo", "science", 1); err != nil || a.State != envs.ArchiveNone {
		t.Fatalf("GetArchive() = %+v, %v, want none", a, err)
	}
	changes := g.Changes(t.Context())
	_, err := g.Archive(t.Context(), ann, "demo", "science", 0)
	must(t, err)
	var a envs.Archive
	for a.State != envs.ArchiveReady { // whoever looks again when told to does not miss it
		if c := <-changes; c != (envs.Change{Project: "demo", Environment: "science"}) {
			t.Errorf("change = %+v", c)
		}
		a, err = g.GetArchive(t.Context(), "demo", "science", 1)
		must(t, err)
	}
	if _, err := os.Stat(a.Path); err != nil || a.Bytes != 6 || a.Spark["spark.pyspark.python"] == "" || a.Flink["python.archives"] == "" {
		t.Errorf("archive = %+v, %v", a, err)
	}
	if a, err = g.Archive(t.Context(), ann, "demo", "science", 1); err != nil || a.State != envs.ArchiveReady {
		t.Errorf("Archive() again = %+v, %v", a, err)
	}
}

func TestArchiverWaitsForTheBuilderToEnd(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	g := s.open()
	s.order("linger")
	g.create(t, "demo", "science", "alpha")
	asked := make(chan envs.Archive, 1)
	go func() {
		a, err := g.Archive(t.Context(), ann, "demo", "science", 1)
		if err != nil {
			t.Error(err)
		}
		asked <- a
	}()
	s.release("linger")
	if a := <-asked; a.State != envs.ArchiveBuilding && a.State != envs.ArchiveReady {
		t.Errorf("Archive() = %+v, want it to be packed", a)
	}
	eventually(t, "it is packed", func() bool {
		a, err := g.GetArchive(t.Context(), "demo", "science", 1)
		must(t, err)
		return a.State == envs.ArchiveReady
	})
}
