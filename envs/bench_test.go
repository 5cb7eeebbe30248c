package envs_test

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/hopyard/hopyard/envs"
	"github.com/hopyard/hopyard/internal/sqlite"
)

// onDisk is a site whose storage is on disk, as a real one's, with two builds of environment science.
func onDisk(b *testing.B) (*site, *gateway) {
	b.Helper()
	db, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "db"), slog.New(slog.DiscardHandler))
	must(b, err)
	b.Cleanup(func() { _ = db.Close() })
	s := newSite(b)
	s.storage = db.Storage()
	g := s.open()
	g.create(b, "demo", "science", "alpha")
	_, err = g.Edit(b.Context(), ann, "demo", "science", adding("beta"), "")
	must(b, err)
	g.is(b, "demo", "science", 2, envs.Ready)
	return s, g
}

func BenchmarkResolve(b *testing.B) {
	_, g := onDisk(b)
	for b.Loop() {
		if _, err := g.Resolve(b.Context(), "demo"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRollBack is until the next kernel gets the other build.
func BenchmarkRollBack(b *testing.B) {
	_, g := onDisk(b)
	for n := 1; b.Loop(); n = 3 - n {
		if _, err := g.Activate(b.Context(), ann, "demo", "science", n, ""); err != nil {
			b.Fatal(err)
		}
		if r, err := g.Resolve(b.Context(), "demo"); err != nil || r.Build != n {
			b.Fatalf("Resolve() = %+v, %v, want build %d", r, err, n)
		}
	}
}

// BenchmarkClone is until a kernel of another project can start on the same packages.
func BenchmarkClone(b *testing.B) {
	_, g := onDisk(b)
	from := &envs.Ref{Project: "demo", Environment: "science"}
	for i := 0; b.Loop(); i++ {
		project := fmt.Sprintf("p%d", i)
		if _, err := g.Create(b.Context(), ann, project, envs.NewEnvironment{Name: "copy", From: from, Build: true}); err != nil {
			b.Fatal(err)
		}
		if _, err := g.Resolve(b.Context(), project); err != nil {
			b.Fatal(err)
		}
	}
}
