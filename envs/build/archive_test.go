package build_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hopyard/hopyard/envs/build"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/store"
)

func TestArchiveRunsElsewhere(t *testing.T) {
	t.Parallel()
	r := setup(t)
	l, o := r.solve(specOf("python 3.11.*", "traitlets")), private(t)
	m := r.build(l, o)
	id := r.order(l, o, func(o *store.Order) { o.Task = store.TaskArchive })
	if err := build.Run(t.Context(), build.Config{Store: r.store, ID: id}); err != nil {
		t.Fatal(err)
	}
	a, ok := r.store.Archive(m.ID)
	if !ok || a.Bytes == 0 || len(a.SHA256) != 64 {
		t.Fatalf("archive = %+v, %v", a, ok)
	}
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "tar", "-xzf", a.Path, "-C", dir).CombinedOutput(); err != nil {
		t.Fatalf("unpack: %v: %s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), filepath.Join(dir, "bin", "python"), "-I", "-c", "import traitlets; print(traitlets.__file__)").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), dir) {
		t.Errorf("elsewhere: %v: %s", err, out)
	}
	if err := r.store.RemoveArchive(m.ID); err != nil {
		t.Fatal(err)
	}
	if _, ok := r.store.Archive(m.ID); ok {
		t.Error("the archive is there after it was removed")
	}
}

func TestWhatCannotBePackedSaysSo(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	o := store.Order{Task: store.TaskArchive, Lock: lockOf("made")}
	id := store.ID(o.Lock, o.Options)
	if err := s.Order(t.Context(), id, o); err != nil {
		t.Fatal(err)
	}
	err := build.Run(t.Context(), build.Config{Store: s, ID: id})
	if f := driver.FailureOf(err); err == nil || !strings.Contains(f.Message, "not on disk") {
		t.Errorf("archive of nothing = %v", err)
	}
}
