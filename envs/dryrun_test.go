package envs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hopyard/hopyard/envs"
	"github.com/hopyard/hopyard/envs/lock"
)

func TestDryRunsGoByTheNewestRevision(t *testing.T) {
	t.Parallel()
	g := newSite(t).open()
	edit := adding("beta")
	solves := func(wanted ...string) {
		t.Helper()
		sol, err := g.Solve(t.Context(), "demo", "science", envs.Try{Edit: &edit})
		must(t, err)
		for _, name := range append(wanted, "beta") {
			if !strings.Contains(sol.Text, name) {
				t.Errorf("what is solved is %q, want %s in it", sol.Text, name)
			}
		}
	}
	g.create(t, "demo", "science", "alpha")
	solves("alpha")
	_, _, err := g.SetSpec(t.Context(), ann, "demo", "science", yml("gamma"), "", 0, false)
	must(t, err)
	solves("gamma")
	solves("gamma")
	must(t, g.Delete(t.Context(), ann, "demo", "science"))
	g.create(t, "demo", "science", "delta") // its first revision has the name of the other's
	solves("delta")
}

func TestDryRunsCountWhatTheCachesLack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.solver.conda = true
	g := s.open()
	_, err := g.Create(t.Context(), ann, "demo", envs.NewEnvironment{Name: "science", Text: yml("alpha", "beta"), Kind: lock.Conda})
	must(t, err)
	lacks := func(want int64) {
		t.Helper()
		sol, err := g.Solve(t.Context(), "demo", "science", envs.Try{})
		if err != nil || sol.Download != want || sol.Artifacts == 0 {
			t.Errorf("Solve() = %d bytes to fetch of %d, %v, want %d", sol.Download, sol.Artifacts, err, want)
		}
	}
	all, folder := int64(200), s.store.Packages("")
	lacks(all)
	must(t, os.MkdirAll(filepath.Join(folder, "alpha-1.0-0"), 0o755))
	lacks(all - 100)
	must(t, os.Chtimes(folder, time.Time{}, time.Now().Add(-time.Hour))) // long enough ago to be remembered
	lacks(all - 100)
	must(t, os.Mkdir(filepath.Join(folder, "beta-1.0-0"), 0o755))
	lacks(0)
	must(t, os.Remove(filepath.Join(folder, "alpha-1.0-0")))
	lacks(100)
}
