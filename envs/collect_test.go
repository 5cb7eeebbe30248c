package envs_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hopyard/hopyard/envs"
)

// versions makes n builds of environment science, with other packages each.
func versions(t *testing.T, g *gateway, n int) []envs.Build {
	t.Helper()
	builds := []envs.Build{g.create(t, "demo", "science", "alpha")}
	for i := 2; i <= n; i++ {
		_, _, err := g.SetSpec(t.Context(), ann, "demo", "science", yml("alpha", strings.Repeat("b", i)), "", 0, true)
		must(t, err)
		builds = append(builds, g.is(t, "demo", "science", i, envs.Ready))
	}
	return builds
}

// states are those of the builds of environment science, the oldest first.
func states(t *testing.T, g *gateway) string {
	t.Helper()
	all, err := g.Builds(t.Context(), "demo", "science")
	must(t, err)
	var out []string
	for i := range all {
		out = append(out, string(all[len(all)-1-i].State))
	}
	return strings.Join(out, " ")
}

func TestCollectKeepsWhatTheRuleSays(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	g := s.open()
	builds := versions(t, g, 7)
	g = s.calm(g) // a collection after the last build may still be under way, and would take what is counted here
	_, err := g.Activate(t.Context(), ann, "demo", "science", 1, "")
	must(t, err)
	_, err = g.Pin(t.Context(), ann, "demo", "science", 2, true)
	must(t, err)
	if r, err := g.Collect(t.Context(), ann, "demo"); err != nil || r.Builds != 0 {
		t.Errorf("Collect() of what is young = %+v, %v, want nothing", r, err)
	}
	s.clock.forward(2 * time.Hour)
	g.program(t, s, envs.Resolved{Name: "science", Build: 3, ID: builds[2].ID})
	r, err := g.Collect(t.Context(), ann, "demo")
	if err != nil || r.Builds != 1 || r.Bytes != 10 {
		t.Errorf("Collect() = %+v, %v, want build 4 alone", r, err)
	}
	if got, want := states(t, g), "ready ready ready collected ready ready ready"; got != want {
		t.Errorf("builds are %s, want %s", got, want)
	}
	u, err := g.Usage(t.Context(), "demo")
	if err != nil || u.Builds != 6 || !strings.Contains(u.Rule, "last 3 ready builds") {
		t.Errorf("Usage() = %+v, %v", u, err)
	}
	if _, err := g.Lock(t.Context(), "demo", "science", 4); err != nil {
		t.Errorf("Lock() of a collected build = %v", err)
	}
}

func TestCollectKeepsWhatWasHandedOutLately(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.change = func(c *envs.Config) { c.Keep = 1 }
	g := s.open()
	g.create(t, "demo", "science", "alpha")
	s.clock.forward(2 * time.Hour)
	if r, err := g.Resolve(t.Context(), "demo"); err != nil || r.Build != 1 {
		t.Fatalf("Resolve() = %+v, %v", r, err)
	}
	_, _, err := g.SetSpec(t.Context(), ann, "demo", "science", yml("beta"), "", 0, true)
	must(t, err)
	g.is(t, "demo", "science", 2, envs.Ready)
	g = s.calm(g) // which knows of the hand-out from the history alone
	if r, err := g.Collect(t.Context(), ann, "demo"); err != nil || r.Builds != 0 {
		t.Errorf("Collect() = %+v, %v, want build 1 to stay: a kernel may be starting on it", r, err)
	}
	s.clock.forward(11 * time.Minute)
	if r, err := g.Collect(t.Context(), ann, "demo"); err != nil || r.Builds != 1 {
		t.Errorf("Collect() later = %+v, %v, want build 1 to go", r, err)
	}
}

func TestCollectedBuildIsRestoredFromItsLock(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.change = func(c *envs.Config) { c.Keep = 1 }
	g := s.open()
	versions(t, g, 2)
	s.clock.forward(2 * time.Hour)
	_, err := g.Collect(t.Context(), ann, "demo")
	must(t, err)
	if got, want := states(t, g), "collected ready"; got != want {
		t.Fatalf("builds are %s, want %s", got, want)
	}
	solves := s.solver.count()
	s.order("fail")
	a, err := g.Activate(t.Context(), bob, "demo", "science", 1, "as it was")
	if err != nil || !a.Pending || a.Build != 1 {
		t.Fatalf("Activate() = %+v, %v, want it pending", a, err)
	}
	b := g.is(t, "demo", "science", 1, envs.Collected)
	eventually(t, "the restoration has failed", func() bool {
		b, err = g.GetBuild(t.Context(), "demo", "science", 1)
		return err == nil && b.Failure != nil
	})
	if r, err := g.Resolve(t.Context(), "demo"); err != nil || r.Build != 2 {
		t.Errorf("Resolve() = %+v, %v, want build 2 to stay", r, err)
	}
	s.release("fail")
	_, err = g.Activate(t.Context(), bob, "demo", "science", 1, "as it was")
	must(t, err)
	b = g.is(t, "demo", "science", 1, envs.Ready)
	if !b.Active || s.solver.count() != solves {
		t.Errorf("build = %+v after %d more solves, want it active without one", b, s.solver.count()-solves)
	}
	history, err := g.History(t.Context(), "demo", "science")
	if err != nil || history[0].By != "bob" || history[0].Reason != "as it was" || history[0].From != 2 {
		t.Errorf("History() = %+v, %v", history, err)
	}
	events := g.events(t, "demo", "science", 1, 0)
	results := 0
	for _, e := range events {
		if e.Type == "result" {
			results++
		}
	}
	if results != 3 || events[len(events)-1].Type != "result" {
		t.Errorf("%d results in the log, want all three", results)
	}
}

func TestCollectedBuildIsRestoredWhereItsTrustDomainIsNow(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.change = func(c *envs.Config) { c.Keep = 1 }
	g := s.open()
	old := versions(t, g, 2)[0]
	s.clock.forward(2 * time.Hour)
	_, err := g.Collect(t.Context(), ann, "demo")
	must(t, err)
	s.rules.ChannelURLs = map[string]string{"hush": "https://example.org"}
	s.rules.PrivateChannels = map[string][]string{"hush": {"demo"}}
	g = s.reopen(g)
	s.order("fail")
	_, err = g.Activate(t.Context(), bob, "demo", "science", 1, "as it was")
	must(t, err)
	eventually(t, "the restoration has failed", func() bool {
		b, err := g.GetBuild(t.Context(), "demo", "science", 1)
		return err == nil && b.Failure != nil
	})
	events := g.events(t, "demo", "science", 1, 0)
	if last := events[len(events)-1]; last.State != string(envs.Failed) || last.Failure == nil {
		t.Errorf("last event = %+v, want it failed with the reason", last)
	}
	if s.audit.has("bob environment_rolled_back") {
		t.Error("the audit log tells of an activation that has not happened")
	}
	s.release("fail")
	_, err = g.Activate(t.Context(), bob, "demo", "science", 1, "as it was")
	must(t, err)
	b := g.is(t, "demo", "science", 1, envs.Ready)
	r, err := g.Resolve(t.Context(), "demo")
	if err != nil || r.Build != 1 || r.ID != b.ID || b.ID == old.ID || b.Lock != old.Lock {
		t.Errorf("Resolve() = %+v, %v, build = %+v, want the same lock at another place than %s", r, err, b, old.ID)
	}
	eventually(t, "the audit log tells of it", func() bool { return s.audit.has("bob environment_rolled_back") })
}

func TestCollectRemovesWhatKilledBuildersLeft(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	g := s.open()
	g.create(t, "demo", "science", "alpha")
	half := s.store.Prefix("0123456789abcdef")
	must(t, os.MkdirAll(half, 0o755))
	_, err := g.Collect(t.Context(), ann, "demo")
	must(t, err)
	if _, err := os.Stat(half); err == nil {
		t.Error("half a prefix is still there")
	}
}

func TestUsageKnowsAtOnceOfFilesThatWereThere(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	g := s.open()
	g.create(t, "demo", "science", "alpha")
	if u, err := g.Usage(t.Context(), "other"); err != nil || u.Builds != 0 {
		t.Errorf("Usage() = %+v, %v, want nothing", u, err)
	}
	_, err := g.Create(t.Context(), ann, "other", envs.NewEnvironment{Name: "copy", From: &envs.Ref{Project: "demo", Environment: "science"}, Build: true})
	must(t, err)
	if u, err := g.Usage(t.Context(), "other"); err != nil || u.Builds != 1 {
		t.Errorf("Usage() = %+v, %v, want the files of the clone", u, err)
	}
}

func TestTwoSitesOnOneStoreKeepEachOthersBuilds(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	g := s.open()
	g.create(t, "demo", "science", "alpha")
	neighbour := newSite(t)
	neighbour.store = s.store
	neighbour.change = func(c *envs.Config) { c.Site = "neighbour" }
	neighbour.clock.forward(2 * time.Hour)
	other := neighbour.open()
	if r, err := other.Collect(t.Context(), ann, "demo"); err != nil || r.Builds != 0 {
		t.Errorf("Collect() of the neighbour = %+v, %v, want it to leave our build", r, err)
	}
	if b := other.create(t, "demo", "science", "alpha"); !b.Reused {
		t.Errorf("build of the neighbour = %+v, want our files", b)
	}
}
