package wheels_test

import (
	"archive/zip"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hopyard/hopyard/internal/wheels"
)

// makeWheel writes a zip with the given names; a name that ends in "@" becomes a symbolic link.
func makeWheel(t *testing.T, names ...string) string {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "x-1-py3-none-any.whl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	archive := zip.NewWriter(file)
	for _, name := range names {
		header := &zip.FileHeader{Name: strings.TrimSuffix(name, "@")}
		if strings.HasSuffix(name, "@") {
			header.SetMode(fs.ModeSymlink | 0o777)
		}
		out, err := archive.CreateHeader(header)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "/") {
			continue
		}
		if _, err := out.Write([]byte("/etc/passwd")); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	return file.Name()
}

func tree(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestExtractTakesTheChosenSubtrees(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	wheel := makeWheel(t, "x.data/static/a.js", "x.data/static/deep/b.js", "x.data/staticother/c.js", "x/d.py", "x/one.html", "x.data/static/dir/")
	err := wheels.Extract(t.Context(), wheel, dir, wheels.Subtree{From: "x.data/static", To: "lab"}, wheels.Subtree{From: "x/one.html", To: "page.html"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := tree(t, dir), []string{"lab/a.js", "lab/deep/b.js", "page.html"}; !slices.Equal(got, want) {
		t.Errorf("unpacked %v, want %v", got, want)
	}
}

func TestExtractRefusesNamesThatLeadOut(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"s/../../out", "s/a/../b", "s//x", "s/./x", "s/link@", `s/..\..\out/../x`} {
		dir := filepath.Join(t.TempDir(), "in")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := wheels.Extract(t.Context(), makeWheel(t, name), dir, wheels.Subtree{From: "s", To: "s"}); err == nil {
			t.Errorf("Extract took %q: %v", name, tree(t, filepath.Dir(dir)))
		}
	}
}

func TestOnceFillsOnceHoweverManyAsk(t *testing.T) {
	t.Parallel()
	dest := filepath.Join(t.TempDir(), "ui", "tree")
	var fills atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			err := wheels.Once(t.Context(), dest, func(_ context.Context, dir string) error {
				fills.Add(1)
				return os.WriteFile(filepath.Join(dir, "file"), nil, 0o600)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if fills.Load() != 1 {
		t.Errorf("filled %d times, want 1", fills.Load())
	}
	if got := tree(t, dest); !slices.Equal(got, []string{"file"}) {
		t.Errorf("tree = %v, want the file", got)
	}
}

func TestOnceLeavesNothingOfAFailure(t *testing.T) {
	t.Parallel()
	dest := filepath.Join(t.TempDir(), "tree")
	wrong := errors.New("wrong")
	err := wheels.Once(t.Context(), dest, func(_ context.Context, dir string) error {
		return errors.Join(os.WriteFile(filepath.Join(dir, "half"), nil, 0o600), wrong)
	})
	if !errors.Is(err, wrong) {
		t.Errorf("Once = %v, want the failure", err)
	}
	if got := tree(t, filepath.Dir(dest)); !slices.Equal(got, []string{".lock"}) {
		t.Errorf("left behind: %v", got)
	}
}
