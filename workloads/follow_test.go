package workloads_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/hopyard/hopyard/agent"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/plugins/storage"
	"github.com/hopyard/hopyard/workloads"
)

// two opens two gateways on one site.
func (s *site) two() (a, b *workloads.Manager) {
	s.t.Helper()
	a, b = s.open(), s.open()
	for _, m := range []*workloads.Manager{a, b} {
		if err := m.Recovered(s.t.Context()); err != nil {
			s.t.Fatal(err)
		}
	}
	return a, b
}

func TestProgramOfOneGatewayIsUsedThroughAnother(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a, b := s.two()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	hints := b.Subscribe(ctx)
	r := request(t.TempDir(), `trap ': > interrupted' INT; : > up; while :; do sleep 0.01; done`)
	written := func(name string) func() bool {
		return func() bool { _, err := os.Stat(filepath.Join(r.Workload.Dir, name)); return err == nil }
	}
	id := launch(t, a, r)
	if c := <-hints; c != (workloads.Change{Project: "demo", ID: id}) {
		t.Errorf("hint = %+v", c)
	}
	if info := is(t, b, id, workloads.Running); info.Owner != "ann" || info.Name != "a program" || info.Kind != "plain" {
		t.Errorf("Get() = %+v", info)
	}
	eventually(t, "its memory is known", func() bool {
		info, err := b.Get(ctx, "demo", id)
		return err == nil && info.MemoryBytes > 0
	})
	if all, err := b.List(ctx, "demo"); err != nil || len(all) != 1 {
		t.Errorf("List() = %+v, %v, want the program", all, err)
	}
	if labels, err := b.Labels("demo", id); err != nil || labels["colour"] != "red" {
		t.Errorf("Labels() = %v, %v", labels, err)
	}
	if _, err := b.Launch(ctx, r); !problem.Is(err, problem.Conflict) {
		t.Errorf("Launch() of the same = %v, want a conflict", err)
	}
	c, err := b.Attach(ctx, "demo", id, agent.Hello{Client: "tab"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	eventually(t, "the program is up", written("up"))
	if err := b.Interrupt(ctx, "demo", id); err != nil {
		t.Error(err)
	}
	eventually(t, "the program is interrupted", written("interrupted"))
	n := pid(t, r)
	if err := b.Stop(ctx, "demo", id, "ann"); err != nil {
		t.Error(err)
	}
	isGone(t, a, id)
	if running(n) {
		t.Error("the program runs")
	}
	s.mustBeEmpty()
}

func TestChangesOfTwoGatewaysAreBothKept(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a, b := s.two()
	id := launch(t, a, request(t.TempDir(), forever))
	is(t, a, id, workloads.Running)
	is(t, b, id, workloads.Running)
	for i := range 10 {
		name := fmt.Sprint("name ", i)
		if err := a.Rename(t.Context(), "demo", id, name); err != nil {
			t.Fatal(err)
		}
		to := workloads.Move{Environment: &workloads.Environment{Name: "science", Build: i + 1}, Argv: []string{"/bin/sleep", "1000"}}
		if err := b.Restart(t.Context(), "demo", id, &to); err != nil { // it may not know of the name yet
			t.Fatal(err)
		}
		for _, m := range []*workloads.Manager{a, b} {
			eventually(t, "all is known", func() bool {
				info, err := m.Get(t.Context(), "demo", id)
				return err == nil && info.Name == name && info.Environment != nil && info.Environment.Build == i+1
			})
		}
	}
}

func TestProgramOfAnotherGatewayThatEndsIsForgottenByBoth(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a, b := s.two()
	dir := t.TempDir()
	var ids []string
	for range 5 {
		ids = append(ids, launch(t, a, request(dir, "while [ ! -e done ]; do sleep 0.01; done")))
	}
	for _, id := range ids {
		is(t, b, id, workloads.Running)
	}
	finish(t, dir)
	for _, id := range ids {
		isGone(t, a, id)
		isGone(t, b, id)
	}
	s.mustBeEmpty()
}

// TestIDThatIsUsedAgainInAnotherProjectIsThatProjectsAlone writes what another gateway does that ends a program and launches one of the
// same ID before anybody looks.
func TestIDThatIsUsedAgainInAnotherProjectIsThatProjectsAlone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a, b := s.two()
	id := launch(t, a, request(t.TempDir(), forever))
	is(t, b, id, workloads.Running)
	stored, err := s.storage.Get(t.Context(), "workloads/demo/"+id)
	if err != nil {
		t.Fatal(err)
	}
	var r map[string]any
	if err := json.Unmarshal(stored.Value, &r); err != nil {
		t.Fatal(err)
	}
	r["started"] = "2026-01-02T03:04:05Z"
	next, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.storage.Apply(t.Context(), storage.Delete("workloads/demo/"+id), storage.Create("workloads/other/"+id, next)); err != nil {
		t.Fatal(err)
	}
	for _, m := range []*workloads.Manager{a, b} {
		eventually(t, "it is the other project's", func() bool { _, err := m.Get(t.Context(), "other", id); return err == nil })
		if _, err := m.Get(t.Context(), "demo", id); !problem.Is(err, problem.NotFound) {
			t.Errorf("Get() in the old project = %v", err)
		}
	}
	if err := b.Stop(t.Context(), "other", id, "ann"); err != nil {
		t.Error(err)
	}
}

// watchedStorage notes whether it was listed before anybody watched it.
type watchedStorage struct {
	storage.Backend
	watched, early atomic.Bool
}

func (w *watchedStorage) Watch(ctx context.Context, prefix string) (storage.Watcher, error) {
	w.watched.Store(true)
	return w.Backend.Watch(ctx, prefix)
}

func (w *watchedStorage) List(ctx context.Context, q storage.Query) (storage.Page, error) {
	if !w.watched.Load() {
		w.early.Store(true)
	}
	return w.Backend.List(ctx, q)
}

// TestNothingIsMissedBetweenListingAndWatching looks at the order alone: what would be missed is found some time later.
func TestNothingIsMissedBetweenListingAndWatching(t *testing.T) {
	t.Parallel()
	for range 10 {
		s := newSite(t)
		w := &watchedStorage{Backend: s.storage}
		s.storage = w
		if err := s.open().Recovered(t.Context()); err != nil {
			t.Fatal(err)
		}
		if w.early.Load() {
			t.Fatal("storage was listed before it was watched")
		}
	}
}
