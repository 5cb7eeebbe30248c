package envs_test

import (
	"strings"
	"testing"

	"github.com/hopyard/hopyard/envs"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/policy"
	"github.com/hopyard/hopyard/envs/spec"
	"github.com/hopyard/hopyard/internal/problem"
)

func TestBuildGoesFromSpecToActive(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	g := s.open()
	b := g.create(t, "demo", "science", "alpha", "beta")
	if !b.Active || b.Packages != 2 || b.Python != "3.11.7" || b.Lock == "" || b.ID == "" || b.Reused || b.Ended == nil {
		t.Errorf("build = %+v, want an active one with two packages", b)
	}
	r, err := g.Resolve(t.Context(), "demo")
	if err != nil || r.Name != "science" || r.Build != 1 || r.ID != b.ID || r.Prefix != s.store.Prefix(b.ID) {
		t.Errorf("Resolve() = %+v, %v, want build 1 of science", r, err)
	}
	events := g.events(t, "demo", "science", 1, 0)
	last := events[len(events)-1]
	if last.Type != driver.TypeResult || last.State != string(envs.Ready) || last.Text != "build 1 is ready" {
		t.Errorf("last event = %+v, want a result", last)
	}
	for i, e := range events {
		if e.Seq != uint64(i+1) || e.Time.IsZero() {
			t.Errorf("event %d = %+v, want it numbered and timed", i, e)
		}
	}
	history, err := g.History(t.Context(), "demo", "science")
	if err != nil || len(history) != 1 || history[0].Build != 1 || history[0].By != "ann" {
		t.Errorf("History() = %+v, %v, want one activation", history, err)
	}
	items, err := g.Packages(t.Context(), "demo", "science", 0)
	if err != nil || len(items) != 2 || !items[0].Requested || items[0].Name != "alpha" {
		t.Errorf("Packages() = %+v, %v, want alpha and beta", items, err)
	}
	if !s.audit.has("ann environment_created") || !s.audit.has("ann environment_activated") {
		t.Errorf("audit = %q, want creation and activation", s.audit.actions)
	}
}

func TestPackagesNameTheChannelAsTheRulesDo(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.rules.ChannelURLs = map[string]string{"ours": "https://channel.example/made"}
	s.solver.conda = true
	g := s.open()
	g.create(t, "demo", "science", "alpha")
	items, err := g.Packages(t.Context(), "demo", "science", 0)
	if err != nil || len(items) == 0 || items[0].Channel != "ours" {
		t.Errorf("Packages() = %+v, %v, want them from ours", items, err)
	}
}

func TestFailedBuildSaysWhyAndLeavesWhatIsInUse(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	g := s.open()
	g.create(t, "demo", "science", "alpha")
	s.order("fail")
	_, err := g.Edit(t.Context(), ann, "demo", "science", spec.Edit{Add: []spec.Package{{Name: "beta"}}}, "")
	must(t, err)
	b := g.is(t, "demo", "science", 2, envs.Failed)
	if b.Failure == nil || b.Failure.Cause != driver.HashMismatch || b.Reason != "add beta" {
		t.Errorf("build = %+v with %+v, want a wrong hash", b, b.Failure)
	}
	if r, err := g.Resolve(t.Context(), "demo"); err != nil || r.Build != 1 {
		t.Errorf("Resolve() = %+v, %v, want build 1", r, err)
	}
	s.release("fail")
	_, err = g.Build(t.Context(), ann, "demo", "science", 0)
	must(t, err)
	g.is(t, "demo", "science", 3, envs.Ready)
	if n := s.solver.count(); n != 2 {
		t.Errorf("%d solves, want 2: what failed to be built had been solved", n)
	}
}

func TestUnsolvableSpecFailsWithItsTree(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.solver.err = &driver.Failure{Cause: driver.Unsatisfiable, Message: "alpha and beta do not go together", Tree: "alpha\n  beta"}
	g := s.open()
	_, err := g.Create(t.Context(), ann, "demo", envs.NewEnvironment{Name: "science", Text: yml("alpha"), Build: true})
	must(t, err)
	b := g.is(t, "demo", "science", 1, envs.Failed)
	if b.Failure.Cause != driver.Unsatisfiable || b.Failure.Tree == "" {
		t.Errorf("failure = %+v, want a tree", b.Failure)
	}
	events := g.events(t, "demo", "science", 1, 0)
	if f := events[len(events)-1].Failure; f == nil || f.Tree != b.Failure.Tree {
		t.Errorf("result = %+v, want the failure", events[len(events)-1])
	}
	_, err = g.Resolve(t.Context(), "demo")
	wantCode(t, err, problem.Unavailable, "alpha and beta do not go together")
	_, err = g.Solve(t.Context(), "demo", "science", envs.Try{})
	wantCode(t, err, problem.Conflict)
	if f := driver.FailureOf(err); f.Tree == "" {
		t.Errorf("failure of the dry run = %+v, want its tree", f)
	}
}

func TestDryRunTellsWhatWouldChange(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	g := s.open()
	g.create(t, "demo", "science", "alpha")
	sol, err := g.Solve(t.Context(), "demo", "science", envs.Try{Edit: &spec.Edit{Add: []spec.Package{{Name: "beta"}}}})
	if err != nil || len(sol.Diff.Added) != 1 || sol.Diff.Added[0].Name != "beta" || sol.Ready || sol.Artifacts != 200 || sol.Download != 200 {
		t.Errorf("Solve() = %+v, %v, want beta added", sol, err)
	}
	if env, err := g.Get(t.Context(), "demo", "science"); err != nil || env.Revision != 1 || env.Latest.Number != 1 {
		t.Errorf("Get() = %+v, %v: a dry run changed something", env, err)
	}
	text := yml("alpha")
	if sol, err = g.Solve(t.Context(), "demo", "science", envs.Try{Text: &text}); err != nil || !sol.Ready || sol.Download != 0 {
		t.Errorf("Solve() of what is built = %+v, %v, want it ready", sol, err)
	}
}

func TestPolicyRefusesBeforeAndAfterTheSolve(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.rules = policy.Rules{DenyPackages: []string{"evil"}, MaxArtifactBytes: 150, MaxEnvironments: 1}
	g := s.open()
	_, err := g.Create(t.Context(), ann, "demo", envs.NewEnvironment{Name: "science", Text: yml("evil")})
	wantCode(t, err, problem.Conflict, "evil")
	if f := driver.FailureOf(err); f.Cause != driver.PolicyDenied || f.Rule == "" {
		t.Errorf("failure = %+v, want a rule", f)
	}
	g.create(t, "demo", "science", "alpha")
	_, _, err = g.SetSpec(t.Context(), ann, "demo", "science", yml("alpha", "beta"), "", 0, true)
	must(t, err)
	b := g.is(t, "demo", "science", 2, envs.Failed)
	if b.Failure.Cause != driver.PolicyDenied || !strings.Contains(b.Failure.Rule, "max_artifact_bytes") {
		t.Errorf("failure = %+v, want it refused for its size", b.Failure)
	}
	_, err = g.Create(t.Context(), ann, "demo", envs.NewEnvironment{Name: "second", Text: yml("alpha")})
	wantCode(t, err, problem.TooMany)
	_, err = g.Create(t.Context(), ann, "demo", envs.NewEnvironment{Name: "science", Text: yml("alpha"), Private: true})
	wantCode(t, err, problem.Unsupported, "isolated")
}

func TestBuildsWaitForTheToolsWithASentence(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.drivers.set(problem.New(problem.Unavailable, "the tools are being fetched (45 %%)"))
	g := s.open()
	_, err := g.Create(t.Context(), ann, "demo", envs.NewEnvironment{Name: "science", Text: yml("alpha"), Build: true})
	must(t, err)
	eventually(t, "the build says what it waits for", func() bool {
		b, err := g.GetBuild(t.Context(), "demo", "science", 1)
		return err == nil && b.State == envs.Queued && strings.Contains(b.Waiting, "45 %")
	})
	_, err = g.Resolve(t.Context(), "demo")
	wantCode(t, err, problem.Unavailable, "45 %")
	_, err = g.Edit(t.Context(), bob, "demo", "science", spec.Edit{Add: []spec.Package{{Name: "beta"}}}, "")
	must(t, err)
	s.drivers.set(nil)
	b := g.is(t, "demo", "science", 1, envs.Ready)
	if b.Packages != 2 || b.Revision != 2 || b.Waiting != "" {
		t.Errorf("build = %+v, want the edit to be part of it", b)
	}
	env, err := g.Get(t.Context(), "demo", "science")
	if err != nil || env.Kind != lock.Venv || env.Why == "" {
		t.Errorf("Get() = %+v, %v, want the kind with its reason", env, err)
	}
}

// TestBuildEndsWithTheFailureOfItsTools is about tools that could not be had, or a first environment that has no solution.
func TestBuildEndsWithTheFailureOfItsTools(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	failed := &driver.Failure{Cause: driver.ToolFailed, Message: "environments cannot be made: no interpreter", Tree: "a tree"}
	s.drivers.set(&problem.Problem{Code: problem.Unavailable, Message: failed.Message, Err: failed})
	g := s.open()
	for name, kind := range map[string]lock.Kind{"science": "", "wheels": lock.Venv} {
		_, err := g.Create(t.Context(), ann, "demo", envs.NewEnvironment{Name: name, Text: yml("alpha"), Kind: kind, Build: true})
		must(t, err)
		b := g.is(t, "demo", name, 1, envs.Failed)
		if b.Failure == nil || b.Failure.Message != failed.Message || b.Failure.Tree != failed.Tree {
			t.Errorf("failure = %+v, want that of the tools", b.Failure)
		}
		if events := g.events(t, "demo", name, 1, 0); events[len(events)-1].Type != driver.TypeResult {
			t.Errorf("events = %+v, want that they end", events)
		}
	}
	_, err := g.Resolve(t.Context(), "demo")
	wantCode(t, err, problem.Unavailable, "no interpreter")
	s.drivers.set(nil)
	_, err = g.Build(t.Context(), ann, "demo", "science", 0)
	must(t, err)
	g.is(t, "demo", "science", 2, envs.Ready)
}

func TestBadSpecIsRefusedWithItsPlace(t *testing.T) {
	t.Parallel()
	g := newSite(t).open()
	_, err := g.Create(t.Context(), ann, "demo", envs.NewEnvironment{Name: "science", Text: "dependencies:\n  - [\n"})
	wantCode(t, err, problem.Invalid)
	if f := driver.FailureOf(err); f.Cause != driver.SpecInvalid || f.Line == 0 {
		t.Errorf("failure = %+v, want a line", f)
	}
	_, err = g.Create(t.Context(), ann, "demo", envs.NewEnvironment{Name: "No Name", Text: yml("alpha")})
	wantCode(t, err, problem.Invalid)
	_, err = g.Create(t.Context(), ann, "demo", envs.NewEnvironment{Name: "science"})
	wantCode(t, err, problem.Invalid)
}

func TestSearchAndPolicyAnswerInWords(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.rules = policy.Rules{DenyPackages: []string{"evil"}}
	g := s.open()
	found, err := g.Search(t.Context(), "demo", "alpha", "", 10)
	if err != nil || len(found) != 1 || found[0].Name != "alpha-tools" {
		t.Errorf("Search() = %+v, %v", found, err)
	}
	_, err = g.Search(t.Context(), "demo", "alpha", "npm", 10)
	wantCode(t, err, problem.Invalid)
	v, err := g.Policy(t.Context(), "demo")
	if err != nil || v.Kind != lock.Venv || v.Why == "" || !strings.Contains(strings.Join(v.Words, " "), "evil") {
		t.Errorf("Policy() = %+v, %v", v, err)
	}
	g.create(t, "demo", "science", "alpha")
	stricter := policy.Rules{DenyPackages: []string{"beta"}}
	_, err = g.Update(t.Context(), ann, "demo", "science", envs.Patch{Policy: &stricter})
	must(t, err)
	_, err = g.Edit(t.Context(), ann, "demo", "science", adding("beta"), "")
	wantCode(t, err, problem.Conflict, "beta")
	_, err = g.Edit(t.Context(), ann, "demo", "science", adding("evil"), "")
	wantCode(t, err, problem.Conflict, "evil")
}

func TestBuildInUseIsNotDeleted(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	g := s.open()
	g.create(t, "demo", "science", "alpha")
	_, err := g.Edit(t.Context(), ann, "demo", "science", adding("beta"), "")
	must(t, err)
	g.is(t, "demo", "science", 2, envs.Ready)
	wantCode(t, g.DeleteBuild(t.Context(), ann, "demo", "science", 2), problem.Conflict, "in use")
	must(t, g.DeleteBuild(t.Context(), ann, "demo", "science", 1))
	_, err = g.GetBuild(t.Context(), "demo", "science", 1)
	wantCode(t, err, problem.NotFound)
	b, err := g.Build(t.Context(), ann, "demo", "science", 0)
	if err != nil || b.Number != 3 {
		t.Errorf("Build() = %+v, %v, want a number that was never used", b, err)
	}
}

func TestWhatWouldBeIgnoredIsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	g := s.open()
	_, err := g.Create(t.Context(), ann, "demo", envs.NewEnvironment{Name: "science", Text: yml("alpha"), Kind: "evil"})
	wantCode(t, err, problem.Invalid, "conda", "venv")
	g.create(t, "demo", "science", "alpha")
	for name, rules := range map[string]policy.Rules{
		"channel_urls":     {ChannelURLs: map[string]string{"x": "https://example.org/x"}},
		"channel_alias":    {ChannelAlias: "https://example.org"},
		"private_channels": {PrivateChannels: map[string][]string{"x": {"demo"}}},
		"allowed_channels": {AllowedChannels: []string{"*"}},
		"bioconda":         {AllowedChannels: []string{"conda-forge", "bioconda"}},
		"index":            {Index: "https://example.org/simple"},
		"allowed_indexes":  {AllowedIndexes: []string{"*"}},
		"max_environments": {MaxEnvironments: 1},
	} {
		_, err := g.Update(t.Context(), ann, "demo", "science", envs.Patch{Policy: &rules})
		wantCode(t, err, problem.Invalid, name)
	}
	rules := policy.Rules{AllowedChannels: []string{"conda-forge"}, DenyPackages: []string{"evil"}}
	_, err = g.Update(t.Context(), ann, "demo", "science", envs.Patch{Policy: &rules})
	must(t, err)
}

func TestRulesThatSomebodyElseHasChangedAreNotWrittenOver(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	g := s.open()
	g.create(t, "demo", "science", "alpha")
	set := func(was *policy.Rules, denied ...string) error {
		_, err := g.Update(t.Context(), ann, "demo", "science", envs.Patch{Policy: &policy.Rules{DenyPackages: denied}, PolicyWas: was})
		return err
	}
	must(t, set(&policy.Rules{}, "evil"))
	wantCode(t, set(&policy.Rules{}, "vile"), problem.Conflict, "somebody else")
	must(t, set(&policy.Rules{DenyPackages: []string{"evil"}}, "vile"))
	must(t, set(nil, "wicked"))
	env, err := g.Get(t.Context(), "demo", "science")
	if err != nil || len(env.Policy.DenyPackages) != 1 || env.Policy.DenyPackages[0] != "wicked" {
		t.Errorf("Get() = %+v, %v, want the last rules", env.Policy, err)
	}
}

func TestVariablesOfOursAreRefusedWhenTheyAreSaved(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	g := s.open()
	g.create(t, "demo", "science", "alpha")
	for _, name := range []string{"PATH", "HOPYARD_TOKEN"} {
		text := yml("alpha") + "variables:\n  " + name + ": x\n"
		_, _, err := g.SetSpec(t.Context(), ann, "demo", "science", text, "", 0, false)
		wantCode(t, err, problem.Invalid, name)
		_, err = g.Create(t.Context(), ann, "demo", envs.NewEnvironment{Name: "other", Text: text})
		wantCode(t, err, problem.Invalid, name)
	}
	_, _, err := g.SetSpec(t.Context(), ann, "demo", "science", yml("alpha")+"variables:\n  PYTHONPATH: /mine\n", "", 0, false)
	must(t, err)
}
