package conda_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hopyard/hopyard/envs/conda"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/internal/testchannel"
)

// archives are the requests for archives that a channel got: the ranges that were asked for, by path.
func archives(s *testchannel.Server) map[string][]string {
	got := map[string][]string{}
	for _, r := range s.Requests() {
		if strings.HasSuffix(r.Path, ".conda") {
			got[r.Path] = append(got[r.Path], r.Range)
		}
	}
	return got
}

// left is what is left of the work on archives.
func left(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "cache", "pkgs", ".archives", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// old is how an environment comes to be by py-rattler alone, which downloads, unpacks and links.
const old = `
import asyncio, json, os, sys
sys.path.append(sys.argv[1])
import rattler
from helper.records import revive
asyncio.run(rattler.install(revive(json.load(sys.stdin)), target_prefix=sys.argv[2], cache_dir=sys.argv[3], installed_packages=[], execute_link_scripts=False, show_progress=False))
os._exit(0)
`

// Neither an environment nor the cache tells whether py-rattler has downloaded a package, or we have, or it was there.
func TestInstallMakesWhatPyRattlerAloneMakes(t *testing.T) {
	t.Parallel()
	server := testchannel.Serve(t)
	cache := filepath.Join(t.TempDir(), "helper")
	d, dir := newDriver(t, func(c *conda.Config) { c.CacheDir = cache }), t.TempDir()
	l := solve(t, d, wants(t, server.Channel(), "python=3.11", "symlink-inside", "odd-names"))
	var records []json.RawMessage
	for _, p := range l.Packages {
		records = append(records, p.Record)
	}
	input, err := json.Marshal(records)
	if err != nil {
		t.Fatal(err)
	}
	helpers, err := filepath.Glob(filepath.Join(cache, "helper-*"))
	if err != nil || len(helpers) != 1 {
		t.Fatalf("helpers = %v, %v", helpers, err)
	}
	at := place(dir, "one")
	cmd := exec.CommandContext(t.Context(), testchannel.Python(t), "-c", old, helpers[0], at.Prefix, at.Packages)
	cmd.Stdin = bytes.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("py-rattler alone: %v\n%s", err, out)
	}
	prefix, packages := tree(t, at.Prefix), tree(t, at.Packages)
	for _, what := range []string{"fresh", "cached"} {
		if err := os.RemoveAll(at.Prefix); err != nil {
			t.Fatal(err)
		}
		if what == "fresh" {
			if err := os.RemoveAll(at.Packages); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.Install(t.Context(), l, at, func(driver.Event) {}); err != nil {
			t.Fatal(err)
		}
		same(t, what+" environment", tree(t, at.Prefix), prefix)
		same(t, what+" cache", tree(t, at.Packages), packages)
	}
}

// tree is all that is below a folder: the mode and the content of each file.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		name, _ := filepath.Rel(dir, path)
		if err != nil || strings.HasPrefix(name, ".checked") || strings.HasPrefix(name, ".archives") { // ours
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		content := ""
		if info.Mode().IsRegular() {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			sum := sha256.Sum256(text)
			content = hex.EncodeToString(sum[:])
			if strings.HasSuffix(name, ".json") {
				content = string(text)
			}
		} else {
			content, _ = os.Readlink(path) // of links; nothing of folders
		}
		all[name] = info.Mode().String() + " " + content
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func same(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s: %s is there, too", what, name)
		}
	}
	for name, content := range want {
		if got[name] != content {
			t.Errorf("%s: %s is\n%.300s\nwant\n%.300s", what, name, got[name], content)
		}
	}
}

// bz2 makes a package of the old kind with a file that leaves it.
const bz2 = `
import io, json, sys, tarfile
files = {
    "share/old-traversal.txt": "harmless\n",
    "info/files": "share/old-traversal.txt\n",
    "info/index.json": json.dumps({"name": "old-traversal", "version": "1.0", "build": "0", "build_number": 0, "subdir": "noarch", "noarch": "generic", "depends": []}),
    "info/paths.json": json.dumps({"paths_version": 1, "paths": [{"_path": "share/old-traversal.txt", "path_type": "hardlink", "size_in_bytes": 9}]}),
}
files.update({name: "evil\n" for name in sys.argv[2:]})
with tarfile.open(sys.argv[1], "w:bz2") as out:
    for name, text in files.items():
        entry = tarfile.TarInfo(name)
        entry.size = len(text)
        out.addfile(entry, io.BytesIO(text.encode()))
`

func TestInstallLooksIntoPackagesOfTheOldKind(t *testing.T) {
	t.Parallel()
	d := newDriver(t)
	for name, evil := range map[string][]string{"good": nil, "evil": {"../../old-traversal.txt"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, "noarch", "old-traversal-1.0-0.tar.bz2")
			if err := os.Mkdir(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.CommandContext(t.Context(), testchannel.Python(t), append([]string{"-c", bz2, file}, evil...)...).CombinedOutput(); err != nil {
				t.Fatalf("make a package: %v\n%s", err, out)
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256(text)
			server := httptest.NewServer(http.FileServer(http.Dir(dir)))
			t.Cleanup(server.Close)
			l := &lock.Lock{Version: lock.FormatVersion, Kind: lock.Conda, Platform: "linux-64", Channels: []string{server.URL}, Packages: []lock.Package{{
				Name: "old-traversal", Version: "1.0", Build: "0", Subdir: "noarch", Noarch: "generic", URL: server.URL + "/noarch/" + filepath.Base(file),
				SHA256: hex.EncodeToString(sum[:]), Size: int64(len(text)),
			}}}
			if evil != nil {
				refused(t, d, l, "old-traversal", "outside of the environment")
				return
			}
			store := t.TempDir()
			if err := d.Install(t.Context(), l, place(store, "one"), func(driver.Event) {}); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(filepath.Join(store, "b", "one", "share", "old-traversal.txt")); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestInstallGoesOnWithWhatWasDownloaded(t *testing.T) {
	t.Parallel()
	server := testchannel.Serve(t)
	d, dir := newDriver(t), t.TempDir()
	l := solve(t, d, wants(t, server.Channel(), "python=3.11", "numpy"))
	server.Slow(4 << 20)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := d.Install(ctx, l, place(dir, "one"), func(e driver.Event) {
		if e.Bytes > 2<<20 {
			cancel()
		}
	})
	failure(t, err, driver.Canceled)
	if len(left(t, dir)) == 0 {
		t.Error("nothing is left of the downloads")
	}
	server.Slow(0)
	before := archives(server)
	if err := d.Install(t.Context(), l, place(dir, "two"), func(driver.Event) {}); err != nil {
		t.Fatal(err)
	}
	went := 0
	for path, ranges := range archives(server) {
		for _, r := range ranges[len(before[path]):] {
			if r != "" && r != "bytes=0-" {
				went++
			}
		}
	}
	if went == 0 {
		t.Errorf("no download went on where it was cut: %v", archives(server))
	}
	if names := left(t, dir); len(names) > 0 {
		t.Errorf("%v are left", names)
	}
}

// What is in the cache and cannot be used is brought anew.
func TestInstallMendsTheCache(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(folder string) error{
		"a package without its list of files":        func(folder string) error { return os.Remove(filepath.Join(folder, "info", "paths.json")) },
		"a package without its index":                func(folder string) error { return os.Remove(filepath.Join(folder, "info", "index.json")) },
		"a package of the same name, of another one": func(folder string) error { return os.WriteFile(folder+".lock", make([]byte, 40), 0o600) },
		"a package that nobody knows the archive of": func(folder string) error { return os.Remove(folder + ".lock") },
		"half a package": func(folder string) error {
			return errors.Join(os.RemoveAll(folder), os.Mkdir(folder, 0o755))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := testchannel.Serve(t)
			d, dir := newDriver(t), t.TempDir()
			l := solve(t, d, wants(t, server.Channel(), "packaging", "clobber-one", "clobber-two"))
			if err := d.Install(t.Context(), l, place(dir, "one"), func(driver.Event) {}); err != nil {
				t.Fatal(err)
			}
			p := l.Packages[0]
			if err := harm(filepath.Join(dir, "cache", "pkgs", p.Name+"-"+p.Version+"-"+p.Build)); err != nil {
				t.Fatal(err)
			}
			var events heard
			if err := d.Install(t.Context(), l, place(dir, "two"), events.sink); err != nil {
				t.Fatal(err)
			}
			if e := events.last(driver.Fetch); e.Done != len(l.Packages) || e.Bytes != l.Bytes() {
				t.Errorf("fetch ended with %+v", e)
			}
			same(t, "prefix", names(tree(t, filepath.Join(dir, "b", "two"))), names(tree(t, filepath.Join(dir, "b", "one"))))
			for path, ranges := range archives(server) {
				want := 1
				if strings.HasPrefix(filepath.Base(path), p.Name+"-") {
					want = 2
				}
				if len(ranges) != want {
					t.Errorf("%s was downloaded %d times, want %d", path, len(ranges), want)
				}
			}
		})
	}
}

// names leaves the contents out, which may have the place of the prefix in them.
func names(tree map[string]string) map[string]string {
	for name := range tree {
		tree[name] = ""
	}
	return tree
}

func TestInstallOfflineUsesTheCacheAlone(t *testing.T) {
	t.Parallel()
	server := testchannel.Serve(t)
	d, dir := newDriver(t), t.TempDir()
	offline := newDriver(t, func(c *conda.Config) { c.Offline = true })
	l := solve(t, d, wants(t, server.Channel(), "packaging", "python=3.11"))
	f := failure(t, offline.Install(t.Context(), l, place(dir, "one"), func(driver.Event) {}), driver.ChannelUnreachable)
	if f.Package == "" || !strings.Contains(f.Message, "offline") {
		t.Errorf("failure = %+v", f)
	}
	if asked := archives(server); len(asked) > 0 {
		t.Errorf("offline asked for %v", asked)
	}
	if err := d.Install(t.Context(), l, place(dir, "one"), func(driver.Event) {}); err != nil {
		t.Fatal(err)
	}
	if err := offline.Install(t.Context(), l, place(dir, "two"), func(driver.Event) {}); err != nil {
		t.Errorf("Install from the cache = %v", err)
	}
}
