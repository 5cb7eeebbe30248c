package build

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/store"
)

// cached is a cache of packages with the paths that each of them says it has.
func cached(t *testing.T, noarch string, packages map[string][]string) (dir string, l *lock.Lock) {
	t.Helper()
	dir, l = t.TempDir(), &lock.Lock{Kind: lock.Conda, Python: "3.11"}
	for name, paths := range packages {
		p := lock.Package{Name: name, Version: "1", Build: "0", SHA256: name, Noarch: noarch}
		l.Packages = append(l.Packages, p)
		list := map[string][]map[string]string{}
		for _, path := range paths {
			list["paths"] = append(list["paths"], map[string]string{"_path": path, "path_type": "hardlink"})
		}
		text, err := json.Marshal(list)
		info := filepath.Join(dir, cacheName(p), "info")
		if err == nil {
			err = os.MkdirAll(info, 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(info, "paths.json"), text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir, l
}

// become makes a skeleton of a lock the prefix of another one, and gives its folders.
func become(t *testing.T, packages string, ahead, l *lock.Lock) (s *skeleton, prefix string, folders []string) {
	t.Helper()
	s, err := makeSkeleton(nil, filepath.Join(t.TempDir(), "ahead"), packages, ahead)
	if err != nil {
		t.Fatal(err)
	}
	prefix = filepath.Join(t.TempDir(), "prefix")
	if err := s.become(prefix, l); err != nil {
		t.Fatal(err)
	}
	return s, prefix, foldersBelow(t, prefix)
}

func foldersBelow(t *testing.T, prefix string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(prefix, func(path string, _ fs.DirEntry, err error) error {
		below, _ := filepath.Rel(prefix, path)
		all = append(all, below)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all[1:]
}

func TestSkeletonHasTheFoldersOfPackagesThatBothLocksHave(t *testing.T) {
	t.Parallel()
	packages, ahead := cached(t, "python", map[string][]string{
		"both": {"site-packages/both/sub/a.py", "python-scripts/run", "share/both/x", "top"},
		"gone": {"site-packages/gone/a.py", "share/gone/deep/x", "share/both/y"},
		"evil": {"../out/x", "/abs/x", "share/../../x", "site-packages/../../../../x"},
	})
	l := &lock.Lock{Kind: lock.Conda, Python: "3.11", Packages: []lock.Package{
		{Name: "new", Version: "1", Build: "0", SHA256: "new"},
		{Name: "gone", Version: "1", Build: "0", SHA256: "mended"},
	}}
	for _, p := range ahead.Packages {
		if p.Name != "gone" {
			l.Packages = append(l.Packages, p)
		}
	}
	_, _, got := become(t, packages, ahead, l)
	site := "lib/python3.11/site-packages"
	want := []string{"bin", "lib", "lib/python3.11", site, site + "/both", site + "/both/sub", "share", "share/both"}
	if !slices.Equal(got, want) {
		t.Errorf("folders = %q, want %q", got, want)
	}
}

func TestFoldersThatNothingCameToLieInAreRemoved(t *testing.T) {
	t.Parallel()
	packages, l := cached(t, "", map[string][]string{"some": {"used/by/file", "used/wrong/deep/file", "wrong/deep/file"}})
	s, prefix, _ := become(t, packages, l, l)
	root, err := os.OpenRoot(prefix)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := os.Mkdir(filepath.Join(prefix, "installed-empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(prefix, "used", "by", "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	found, err := walk(t.Context(), prefix, &store.Known{}, nil, ".")
	if err != nil {
		t.Fatal(err)
	}
	cleared, err := s.clear(root, found.empty)
	if err != nil || !cleared {
		t.Fatalf("clear() = %v, %v", cleared, err)
	}
	if got, want := foldersBelow(t, prefix), []string{"installed-empty", "used", "used/by", "used/by/file"}; !slices.Equal(got, want) {
		t.Errorf("the prefix has %q, want %q", got, want)
	}
}

func TestSkeletonThatIsWantedEarlyIsWhatThereIs(t *testing.T) {
	t.Parallel()
	packages, l := cached(t, "", map[string][]string{"some": {"a/b/c"}})
	enough := make(chan struct{})
	close(enough)
	s, err := makeSkeleton(enough, filepath.Join(t.TempDir(), "ahead"), packages, l)
	if err != nil || len(s.folders) > 0 {
		t.Errorf("makeSkeleton() = %v, %v, want none", s, err)
	}
	if err := s.become(filepath.Join(t.TempDir(), "prefix"), l); err == nil {
		t.Error("nothing became a prefix")
	}
}
