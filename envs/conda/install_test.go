package conda_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/internal/testchannel"
)

// place makes one below a folder, so that two places may share the folder's caches.
func place(dir, prefix string) driver.Place {
	return driver.Place{
		Prefix: filepath.Join(dir, "b", prefix), Packages: filepath.Join(dir, "cache", "pkgs"),
		Wheels: filepath.Join(dir, "cache", "wheels"), UVCache: filepath.Join(dir, "cache", "uv"),
	}
}

func TestInstallMakesAnEnvironmentThatRuns(t *testing.T) {
	t.Parallel()
	d, dir := newDriver(t), t.TempDir()
	l := solve(t, d, wants(t, local(t), "python=3.11", "numpy", "ipykernel"))
	var cold, warm heard
	if err := d.Install(t.Context(), l, place(dir, "one"), cold.sink); err != nil {
		t.Fatal(err)
	}
	for _, phase := range []driver.Phase{driver.Fetch, driver.Link} {
		if e := cold.last(phase); e.Done != len(l.Packages) || e.Total != len(l.Packages) {
			t.Errorf("last of phase %s = %d of %d, want %d of them", phase, e.Done, e.Total, len(l.Packages))
		}
	}
	if e := cold.last(driver.Fetch); e.Bytes != l.Bytes() || e.TotalBytes != l.Bytes() {
		t.Errorf("fetched %d of %d bytes, want %d", e.Bytes, e.TotalBytes, l.Bytes())
	}
	python := filepath.Join(dir, "b", "one", "bin", "python")
	out, err := exec.CommandContext(t.Context(), python, "-I", "-c", "import sys, ssl, sqlite3, numpy, ipykernel; print(sys.prefix)").CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != filepath.Join(dir, "b", "one") {
		t.Errorf("python in the environment: %v\n%s", err, out)
	}
	if err := d.Install(t.Context(), l, place(dir, "two"), warm.sink); err != nil {
		t.Fatal(err)
	}
	if shared, all := hardLinked(t, filepath.Join(dir, "b", "two")); shared < all*9/10 {
		t.Errorf("%d of %d files are shared with the cache, want nearly all", shared, all)
	}
}

func hardLinked(t *testing.T, dir string) (shared, all int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		all++
		if info.Sys().(*syscall.Stat_t).Nlink > 1 {
			shared++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return shared, all
}

func TestInstallAddsWheels(t *testing.T) {
	t.Parallel()
	server := testchannel.Serve(t)
	d, dir := newDriver(t), t.TempDir()
	req := wantsText(t, server.Channel(), "dependencies:\n  - python=3.11\n  - pip:\n    - cowsay\n")
	req.Index = server.Simple()
	l := solve(t, d, req)
	var events heard
	if err := d.Install(t.Context(), l, place(dir, "one"), events.sink); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), filepath.Join(dir, "b", "one", "bin", "python"), "-I", "-c", "import cowsay").CombinedOutput(); err != nil {
		t.Errorf("import of the wheel: %v\n%s", err, out)
	}
	most, done := len(l.Packages)+len(l.Wheels), 0
	for _, e := range events.events {
		if e.Type != driver.TypeProgress || e.Phase != driver.Fetch {
			continue
		}
		if e.Total != most || e.Done < done {
			t.Errorf("fetch goes back or changes its mind: %d of %d after %d of %d", e.Done, e.Total, done, most)
		}
		done = e.Done
	}
	if done != most {
		t.Errorf("fetch ended with %d of %d", done, most)
	}
}

func TestInstallRefusesWhatLeavesItsPrefix(t *testing.T) {
	t.Parallel()
	server := testchannel.Serve(t)
	d := newDriver(t)
	for where, channel := range map[string]string{"folder": local(t), "server": server.Channel()} {
		for name, word := range map[string]string{
			"paths-traversal": "outside of the environment",
			"symlink-outside": "leads out of the environment",
			"entry-traversal": "entry",
			"tar-traversal":   "outside of the environment",
		} {
			t.Run(name+" of a "+where, func(t *testing.T) {
				t.Parallel()
				want := []string{name}
				if name == "entry-traversal" {
					want = append(want, "python=3.11")
				}
				refused(t, d, solve(t, d, wants(t, channel, want...)), name, word)
			})
		}
	}
}

// refused installs a lock with a package that must be refused, also where others of the lock are in the cache already.
func refused(t *testing.T, d driver.Driver, l *lock.Lock, name, word string) {
	t.Helper()
	dir := t.TempDir()
	for range 2 {
		f := failure(t, d.Install(t.Context(), l, place(dir, "deep/in/the/store"), func(driver.Event) {}), driver.PackageBroken)
		if f.Package != name || !strings.Contains(f.Message, word) {
			t.Errorf("failure = %+v, want one of %s with %q", f, name, word)
		}
	}
	for _, leaf := range leaves(t, dir) {
		if strings.Contains(leaf, name) {
			t.Errorf("%s is left of it", leaf)
		}
	}
}

// leaves are all files below a folder, relative to it.
func leaves(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			found = append(found, rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestInstallTakesALinkThatStaysInside(t *testing.T) {
	t.Parallel()
	d, dir := newDriver(t), t.TempDir()
	l := solve(t, d, wants(t, local(t), "symlink-inside"))
	if err := d.Install(t.Context(), l, place(dir, "one"), func(driver.Event) {}); err != nil {
		t.Fatal(err)
	}
	var links int
	for _, leaf := range leaves(t, filepath.Join(dir, "b", "one")) {
		if target, err := os.Readlink(filepath.Join(dir, "b", "one", leaf)); err == nil {
			links++
			if _, err := os.Stat(filepath.Join(dir, "b", "one", leaf)); err != nil {
				t.Errorf("%s -> %s leads nowhere", leaf, target)
			}
		}
	}
	if links == 0 {
		t.Error("the link is not there")
	}
}

func TestInstallNamesScriptsAndRunsNone(t *testing.T) {
	t.Parallel()
	d, dir := newDriver(t), t.TempDir()
	l := solve(t, d, wants(t, local(t), "link-script", "link-script-fails"))
	for _, prefix := range []string{"cold", "warm"} {
		var events heard
		if err := d.Install(t.Context(), l, place(dir, prefix), events.sink); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"link-script", "link-script-fails"} {
			if want := name + " has a post-link script, which was not run"; !strings.Contains(events.logs(), want) {
				t.Errorf("%s: log %q lacks %q", prefix, events.logs(), want)
			}
		}
		if _, err := os.Stat(filepath.Join(dir, "b", prefix, "POST_LINK_RAN")); err == nil {
			t.Errorf("%s: the script was run", prefix)
		}
	}
}

func TestInstallSaysWhichPackageWinsAFile(t *testing.T) {
	t.Parallel()
	d, dir := newDriver(t), t.TempDir()
	l := solve(t, d, wants(t, local(t), "clobber-one", "clobber-two"))
	content := map[string]bool{}
	for _, prefix := range []string{"a", "b", "c", "d", "e", "f"} {
		var events heard
		if err := d.Install(t.Context(), l, place(dir, prefix), events.sink); err != nil {
			t.Fatal(err)
		}
		log := events.logs()
		if !strings.Contains(log, "share/clobber.txt is in two packages") || !strings.Contains(log, "clobber-one") || !strings.Contains(log, "clobber-two") {
			t.Errorf("log = %q, want both packages named", log)
		}
		text, err := os.ReadFile(filepath.Join(dir, "b", prefix, "share", "clobber.txt"))
		if err != nil {
			t.Fatal(err)
		}
		content[string(text)] = true
		same(t, "prefix", names(tree(t, filepath.Join(dir, "b", prefix))), names(tree(t, filepath.Join(dir, "b", "a"))))
	}
	if len(content) != 1 {
		t.Errorf("the winner changes from one installation to the next: %v", content)
	}
}

func TestInstallOfAChannelInAFolderLooksAtHashes(t *testing.T) {
	t.Parallel()
	d, dir := newDriver(t), t.TempDir()
	l := solve(t, d, wants(t, local(t), "wrong-hash"))
	f := failure(t, d.Install(t.Context(), l, place(dir, "one"), func(driver.Event) {}), driver.HashMismatch)
	if f.Package != "wrong-hash" {
		t.Errorf("failure = %+v", f)
	}
	l = solve(t, d, wants(t, local(t), "missing-artifact"))
	failure(t, d.Install(t.Context(), l, place(dir, "one"), func(driver.Event) {}), driver.PackageMissing)
}

// What was found harmless once is looked at again when the cache has it no more: the channel's file may be another by then.
func TestInstallOfAChannelInAFolderLooksAtHashesAgain(t *testing.T) {
	t.Parallel()
	d, dir, channel := newDriver(t), t.TempDir(), t.TempDir()
	l := solve(t, d, wants(t, local(t), "clobber-one", "clobber-two"))
	if err := os.Mkdir(filepath.Join(channel, "noarch"), 0o755); err != nil {
		t.Fatal(err)
	}
	archives := make([][]byte, len(l.Packages))
	for i := range l.Packages {
		p := &l.Packages[i]
		text, err := os.ReadFile(strings.TrimPrefix(p.URL, "file://"))
		if err != nil {
			t.Fatal(err)
		}
		archives[i] = text
		p.URL, p.Record = "file://"+filepath.Join(channel, "noarch", filepath.Base(p.URL)), nil
		if err := os.WriteFile(strings.TrimPrefix(p.URL, "file://"), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Install(t.Context(), l, place(dir, "one"), func(driver.Event) {}); err != nil {
		t.Fatal(err)
	}
	first := l.Packages[0]
	unpacked := filepath.Join(dir, "cache", "pkgs", first.Name+"-"+first.Version+"-"+first.Build)
	if err := errors.Join(os.RemoveAll(unpacked), os.Remove(unpacked+".lock")); err != nil { // as a collection does
		t.Fatal(err)
	}
	if err := os.WriteFile(strings.TrimPrefix(first.URL, "file://"), archives[1], 0o644); err != nil {
		t.Fatal(err)
	}
	f := failure(t, d.Install(t.Context(), l, place(dir, "two"), func(driver.Event) {}), driver.HashMismatch)
	if f.Package != first.Name {
		t.Errorf("failure = %+v, want %s", f, first.Name)
	}
}

func TestInstallFromALockWithoutRecords(t *testing.T) {
	t.Parallel()
	d, dir := newDriver(t), t.TempDir()
	l := solve(t, d, wants(t, local(t), "python=3.11", "jupyter-core"))
	bare := *l
	bare.Packages = nil
	for _, p := range l.Packages {
		p.Record = nil
		bare.Packages = append(bare.Packages, p)
	}
	if err := d.Install(t.Context(), &bare, place(dir, "one"), func(driver.Event) {}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "b", "one", "bin", "jupyter")); err != nil {
		t.Errorf("a program of a package of pure Python is missing: %v", err)
	}
}

func TestInstalledRecordsAreThoseOfTheLock(t *testing.T) {
	t.Parallel()
	d, dir := newDriver(t), t.TempDir()
	l := solve(t, d, wants(t, local(t), "packaging", "python=3.11"))
	if err := d.Install(t.Context(), l, place(dir, "one"), func(driver.Event) {}); err != nil {
		t.Fatal(err)
	}
	for _, p := range l.Packages {
		text, err := os.ReadFile(filepath.Join(dir, "b", "one", "conda-meta", p.Name+"-"+p.Version+"-"+p.Build+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var meta struct {
			URL    string   `json:"url"`
			SHA256 string   `json:"sha256"`
			Files  []string `json:"files"`
		}
		if err := json.Unmarshal(text, &meta); err != nil || meta.URL != p.URL || meta.SHA256 != p.SHA256 || (p.Size > 5000 && len(meta.Files) == 0) {
			t.Errorf("record of %s = %s %s with %d files (%v)", p.Name, meta.URL, meta.SHA256, len(meta.Files), err)
		}
	}
}

func TestCanceledInstallationStopsWriting(t *testing.T) {
	t.Parallel()
	server := testchannel.Serve(t)
	d, dir := newDriver(t), t.TempDir()
	l := solve(t, d, wants(t, server.Channel(), "python=3.11", "numpy", "many-files"))
	server.Slow(2 << 20)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := d.Install(ctx, l, place(dir, "one"), func(e driver.Event) {
		if e.Bytes > 0 {
			cancel()
		}
	})
	failure(t, err, driver.Canceled)
	before := len(leaves(t, dir))
	if after := len(leaves(t, dir)); after != before {
		t.Errorf("%d files, and a moment later %d", before, after)
	}
}

func TestTwoInstallationsShareACacheThatIsBeingFilled(t *testing.T) {
	t.Parallel()
	server := testchannel.Serve(t)
	one, other, dir := newDriver(t), newDriver(t), t.TempDir()
	l := solve(t, one, wants(t, server.Channel(), "python=3.11", "ipykernel"))
	done := make(chan error, 2)
	for name, d := range map[string]driver.Driver{"one": one, "other": other} {
		go func() { done <- d.Install(t.Context(), l, place(dir, name), func(driver.Event) {}) }()
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if a, b := len(leaves(t, filepath.Join(dir, "b", "one"))), len(leaves(t, filepath.Join(dir, "b", "other"))); a != b {
		t.Errorf("one has %d files, the other %d", a, b)
	}
	for path, ranges := range archives(server) {
		if len(ranges) != 1 {
			t.Errorf("%s was downloaded %d times", path, len(ranges))
		}
	}
}

func TestInstallOfManySmallFiles(t *testing.T) {
	t.Parallel()
	d, dir := newDriver(t), t.TempDir()
	l := solve(t, d, wants(t, local(t), "many-files"))
	if err := d.Install(t.Context(), l, place(dir, "one"), func(driver.Event) {}); err != nil {
		t.Fatal(err)
	}
	if n := len(leaves(t, filepath.Join(dir, "b", "one"))); n < 20000 {
		t.Errorf("%d files, want 20,000", n)
	}
}

// A small filesystem is full before the packages are unpacked.
func TestInstallOnAFullDisk(t *testing.T) {
	t.Parallel()
	small := t.TempDir()
	if err := syscall.Mount("tmpfs", small, "tmpfs", 0, "size=12m"); err != nil {
		t.Skipf("a small filesystem cannot be mounted here: %v", err)
	}
	defer func() { _ = syscall.Unmount(small, syscall.MNT_DETACH) }()
	d := newDriver(t)
	l := solve(t, d, wants(t, local(t), "python=3.11", "numpy"))
	f := failure(t, d.Install(t.Context(), l, place(small, "one"), func(driver.Event) {}), driver.DiskFull)
	if !strings.Contains(f.Message, "disk is full") {
		t.Errorf("message = %q", f.Message)
	}
}
