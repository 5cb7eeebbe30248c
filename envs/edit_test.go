package envs_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/hopyard/hopyard/envs"
	"github.com/hopyard/hopyard/envs/spec"
	"github.com/hopyard/hopyard/internal/problem"
)

func adding(name string) spec.Edit { return spec.Edit{Add: []spec.Package{{Name: name}}} }

func TestEditsMergeIntoTheQueuedBuildAndQueueBehindARunningOne(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	g := s.open()
	g.create(t, "demo", "science", "alpha")
	s.order("hold")
	_, err := g.Edit(t.Context(), ann, "demo", "science", adding("beta"), "")
	must(t, err)
	g.is(t, "demo", "science", 2, envs.Building)
	first, err := g.Edit(t.Context(), ann, "demo", "science", adding("gamma"), "")
	must(t, err)
	second, err := g.Edit(t.Context(), bob, "demo", "science", adding("delta"), "please")
	if err != nil || first.Number != 3 || second.Number != 3 || first.State != envs.Queued {
		t.Fatalf("edits = builds %d and %d, %v, want both to be build 3", first.Number, second.Number, err)
	}
	if second.Reason != "add gamma; add delta: please" {
		t.Errorf("reason = %q, want both edits", second.Reason)
	}
	s.release("hold")
	b := g.is(t, "demo", "science", 3, envs.Ready)
	if b.Packages != 4 || b.Revision != 4 {
		t.Errorf("build 3 = %+v, want all four packages", b)
	}
	env, err := g.Get(t.Context(), "demo", "science")
	if err != nil || env.Active.Build != 3 || env.Active.Packages != 4 {
		t.Errorf("active = %+v, %v, want build 3", env.Active, err)
	}
}

func TestStaleSpecIsAConflictThatNamesWhoWasFaster(t *testing.T) {
	t.Parallel()
	g := newSite(t).open()
	g.create(t, "demo", "science", "alpha")
	r, b, err := g.SetSpec(t.Context(), bob, "demo", "science", yml("alpha", "beta"), "more", 1, false)
	if err != nil || r.Number != 2 || b != nil || r.Author != "bob" {
		t.Fatalf("SetSpec() = %+v, %v, %v", r, b, err)
	}
	_, _, err = g.SetSpec(t.Context(), ann, "demo", "science", yml("gamma"), "", 1, true)
	wantCode(t, err, problem.Conflict, "bob", "revision 2")
	all, err := g.Revisions(t.Context(), "demo", "science")
	if err != nil || len(all) != 2 || all[0].Number != 2 || all[0].Message != "more" {
		t.Errorf("Revisions() = %+v, %v, want two, the newest first", all, err)
	}
	if r, _, err = g.SetSpec(t.Context(), ann, "demo", "science", yml("alpha", "beta"), "", 2, false); err != nil || r.Number != 2 {
		t.Errorf("SetSpec() of the same text = revision %d, %v, want 2", r.Number, err)
	}
}

func TestEditsAtOnceAllCount(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	g := s.open()
	g.create(t, "demo", "science", "alpha")
	var wg sync.WaitGroup
	for _, name := range []string{"beta", "gamma", "delta", "epsilon"} {
		wg.Go(func() {
			if _, err := g.Edit(t.Context(), ann, "demo", "science", adding(name), ""); err != nil {
				t.Errorf("Edit(%s) = %v", name, err)
			}
		})
	}
	wg.Wait()
	env, err := g.Get(t.Context(), "demo", "science")
	must(t, err)
	g.is(t, "demo", "science", env.Latest.Number, envs.Ready)
	r, err := g.Spec(t.Context(), "demo", "science", 0)
	must(t, err)
	for _, name := range []string{"beta", "gamma", "delta", "epsilon"} {
		if !strings.Contains(r.Text, name) {
			t.Errorf("spec = %q, want %s in it", r.Text, name)
		}
	}
}

func TestNothingIsSolvedTwice(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	g := s.open()
	first := g.create(t, "demo", "science", "alpha")
	b, err := g.Build(t.Context(), ann, "demo", "science", 0)
	if err != nil || b.State != envs.Ready || !b.Reused || b.ID != first.ID {
		t.Errorf("Build() of what is there = %+v, %v, want it ready at once", b, err)
	}
	_, b2, err := g.SetSpec(t.Context(), ann, "demo", "science", "# why not\n"+yml("alpha"), "", 0, true)
	if err != nil || b2.State != envs.Ready {
		t.Errorf("SetSpec() with a comment = %+v, %v, want a build that is ready at once", b2, err)
	}
	if events := g.events(t, "demo", "science", 3, 0); len(events) != 2 {
		t.Errorf("events = %+v, want a line and a result", events)
	}
	if n := s.solver.count(); n != 1 {
		t.Errorf("%d solves, want 1", n)
	}
	s.solver.set(func(d *solver) { d.versions["alpha"] = "2.0" })
	up, err := g.Edit(t.Context(), ann, "demo", "science", spec.Edit{Upgrade: []string{"alpha"}}, "")
	must(t, err)
	g.is(t, "demo", "science", up.Number, envs.Ready)
	d, err := g.Diff(t.Context(), "demo", "science", 1, up.Number)
	if err != nil || len(d.Changed) != 1 || d.Changed[0].New != "2.0" {
		t.Errorf("Diff() = %+v, %v, want alpha changed", d, err)
	}
	if s.solver.asked.Prefer == nil || len(s.solver.asked.Upgrade) != 1 {
		t.Errorf("the solver was asked %+v, want it to stay with the rest", s.solver.asked)
	}
}

func TestDeleteNamesWhatRunsAndLeavesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	g := s.open()
	g.create(t, "demo", "science", "alpha")
	g.create(t, "demo", "second", "beta")
	r, err := g.Resolve(t.Context(), "demo")
	must(t, err)
	id := g.program(t, s, r)
	wantCode(t, g.Delete(t.Context(), ann, "demo", "science"), problem.Conflict, "my notebook", "bob")
	env, err := g.Get(t.Context(), "demo", "science")
	if err != nil || len(env.InUse) != 1 || env.InUse[0].Build != 1 || env.InUse[0].Workloads[0] != id {
		t.Errorf("in use = %+v, %v, want the program", env.InUse, err)
	}
	must(t, g.workloads.Stop(t.Context(), "demo", id, "bob"))
	must(t, g.Delete(t.Context(), ann, "demo", "science"))
	_, err = g.Get(t.Context(), "demo", "science")
	wantCode(t, err, problem.NotFound)
	if r, err := g.Resolve(t.Context(), "demo"); err != nil || r.Name != "second" {
		t.Errorf("Resolve() = %+v, %v, want the other environment to be the default", r, err)
	}
	b := g.create(t, "demo", "science", "alpha")
	if b.Number != 1 || !b.Reused {
		t.Errorf("build of a new one of that name = %+v, want number 1, with the files that are there still", b)
	}
	must(t, g.Forget(t.Context(), ann, "demo"))
	all, err := g.List(t.Context(), "demo")
	if err != nil || len(all) != 0 {
		t.Errorf("List() of a forgotten project = %+v, %v", all, err)
	}
}

func TestWhatAQueuedBuildIsAskedForDoesNotGrowWithoutEnd(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.drivers.set(problem.New(problem.Unavailable, "no tools"))
	g := s.open()
	_, err := g.Create(t.Context(), ann, "demo", envs.NewEnvironment{Name: "science", Text: yml("alpha"), Build: true})
	must(t, err)
	for i := range 8 {
		_, b, err := g.SetSpec(t.Context(), ann, "demo", "science", yml("alpha", strings.Repeat("b", i+1)), strings.Repeat(string(rune('a'+i)), 200), 0, true)
		must(t, err)
		if b.Number != 1 || len(b.Reason) > 510 || !strings.HasPrefix(b.Reason, "created; environment.yml changed: aaa") {
			t.Fatalf("build = %d for %d bytes of reason: %q", b.Number, len(b.Reason), b.Reason)
		}
	}
}
