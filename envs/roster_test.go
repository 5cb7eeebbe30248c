package envs_test

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"github.com/hopyard/hopyard/envs"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/plugins/storage"
)

// defaults are the default environments of project demo.
func defaults(t *testing.T, g *gateway) []string {
	t.Helper()
	list, err := g.List(t.Context(), "demo")
	must(t, err)
	var names []string
	for _, e := range list {
		if e.Default {
			names = append(names, e.Name)
		}
	}
	return names
}

func TestManyAtOnceMakeNoMoreEnvironmentsThanAllowedAndOneDefault(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.rules.MaxEnvironments = 4
	doors := []*gateway{s.open(), s.open()}
	var all sync.WaitGroup
	made := make(chan string, 12)
	for i := range 12 {
		all.Go(func() {
			name := fmt.Sprintf("e%d", i)
			_, err := doors[i%2].Create(t.Context(), ann, "demo", envs.NewEnvironment{Name: name, Text: yml("alpha")})
			switch {
			case err == nil:
				made <- name
			case !problem.Is(err, problem.TooMany):
				t.Errorf("Create() = %v, want it to work or to be one too many", err)
			}
		})
	}
	all.Wait()
	close(made)
	if len(made) != 4 {
		t.Errorf("%d environments were made, want 4", len(made))
	}
	one := func() { // the door may have to hear what went through the other one
		eventually(t, "there is one default", func() bool { return len(defaults(t, doors[0])) == 1 })
	}
	one()
	yes := true
	for name := range made {
		all.Go(func() {
			_, err := doors[len(name)%2].Update(t.Context(), ann, "demo", name, envs.Patch{Default: &yes})
			if err != nil && !problem.Is(err, problem.NotFound) {
				t.Errorf("Update() = %v", err)
			}
		})
		all.Go(func() {
			err := doors[0].Delete(t.Context(), ann, "demo", name)
			if err == nil {
				_, err = doors[1].Create(t.Context(), ann, "demo", envs.NewEnvironment{Name: name + "x", Text: yml("alpha")})
			}
			if err != nil && !problem.Is(err, problem.NotFound) && !problem.Is(err, problem.TooMany) {
				t.Errorf("Delete() or Create() = %v", err)
			}
		})
		all.Wait()
		one()
	}
}

func TestSeveralDefaultsFromBeforeBecomeOne(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	g := s.open()
	for _, name := range []string{"one", "two", "three"} {
		_, err := g.Create(t.Context(), ann, "demo", envs.NewEnvironment{Name: name, Text: yml("alpha")})
		must(t, err)
	}
	// What an earlier version could leave: no roster, and a second default.
	r, err := s.storage.Get(t.Context(), "environments/demo/two")
	must(t, err)
	value := bytes.Replace(r.Value, []byte(`"default":false`), []byte(`"default":true`), 1)
	_, err = s.storage.Apply(t.Context(), storage.Update(r.Key, value, r.Rev), storage.Delete("environment-rosters/demo"))
	must(t, err)
	eventually(t, "there are two defaults", func() bool { return len(defaults(t, g)) == 2 })
	must(t, g.Delete(t.Context(), ann, "demo", "three"))
	if got := defaults(t, g); len(got) != 1 || got[0] != "one" {
		t.Errorf("the default environments are %q, want the oldest alone", got)
	}
	must(t, g.Forget(t.Context(), ann, "demo"))
	page, err := s.storage.List(t.Context(), storage.Query{Prefix: "environment"})
	if err != nil || len(page.Records) > 0 {
		t.Errorf("left of a deleted project: %d records, %v", len(page.Records), err)
	}
}
