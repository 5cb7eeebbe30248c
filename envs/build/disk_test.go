package build_test

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/store"
	"golang.org/x/sys/unix"
)

// onDisk is what a folder takes, each file once, and the part of it that are folders.
func onDisk(t *testing.T, dir string) (total, folders int64) {
	t.Helper()
	seen := map[uint64]bool{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		if !seen[st.Ino] {
			seen[st.Ino] = true
			total += st.Blocks * 512
			if d.IsDir() {
				folders += st.Blocks * 512
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return total, folders
}

func TestTenEnvironmentsTakeLittleMoreThanOne(t *testing.T) {
	t.Parallel()
	r := setup(t).fresh()
	if r.store.Link() != "hardlink" {
		t.Skipf("this filesystem shares by %s", r.store.Link())
	}
	l := r.solve(specOf(kernel...))
	other := r.solve(specOf(append(kernel, "traitlets 5.14.3")...)) // one of 33 is another
	first := r.build(l, store.Options{Variables: map[string]string{"N": "1"}})
	one, oneFolders := onDisk(t, r.store.Dir())
	ids := []string{first.ID}
	for n := 2; n <= 10; n++ {
		m := r.build([]*lock.Lock{l, other}[n%2], store.Options{Variables: map[string]string{"N": fmt.Sprint(n)}})
		ids = append(ids, m.ID)
	}
	ten, tenFolders := onDisk(t, r.store.Dir())
	t.Logf("one: %d kB, of which folders %d; ten: %d kB, of which folders %d; ratio %.3f, without folders %.3f", one>>10, oneFolders>>10,
		ten>>10, tenFolders>>10, float64(ten)/float64(one), float64(ten-tenFolders)/float64(one-oneFolders))
	if float64(ten-tenFolders) > 1.15*float64(one-oneFolders) {
		t.Errorf("the files of ten environments take %d kB, those of one %d kB", (ten-tenFolders)>>10, (one-oneFolders)>>10)
	}
	usage, err := r.store.Usages(ids, ids[:1])
	if err != nil {
		t.Fatal(err)
	}
	if whole, single := usage[0], usage[1]; whole.Shared != 0 || whole.Exclusive > ten || whole.Exclusive < ten*8/10 ||
		single.Total() != first.Bytes || single.Exclusive > first.Bytes/10 {
		t.Errorf("usage of all = %+v, of one = %+v, of %d and %d", whole, single, ten, first.Bytes)
	}
}
