package build_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hopyard/hopyard/envs/build"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/spec"
	"github.com/hopyard/hopyard/envs/store"
	"github.com/hopyard/hopyard/envs/venv"
	"github.com/hopyard/hopyard/internal/testchannel"
	"github.com/hopyard/hopyard/internal/testscript"
)

func TestEnvironmentOfWheelsIsBuilt(t *testing.T) {
	t.Parallel()
	r := setup(t)
	server := testchannel.Serve(t)
	base, err := venv.FindBase(t.Context(), "")
	if err != nil {
		t.Skip(err)
	}
	d := venv.New(venv.Config{UV: r.tools.UV, Bases: []string{base.Path}, CacheDir: t.TempDir()})
	s, err := spec.Parse([]byte("dependencies:\n  - ipykernel\n  - pip:\n    - tabulate\n"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := d.Solve(t.Context(), driver.Request{Spec: s, Index: server.Simple()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	m := r.build(l, private(t))
	if m.Kind != lock.Venv || m.Variables["VIRTUAL_ENV"] != m.Prefix || m.PythonVersion != base.Version || len(m.Kernelspecs) != 1 {
		t.Errorf("manifest = %+v", m)
	}
	before, flags := names(t, m.Prefix)
	if len(flags) != 1 || flags[1] < 500 {
		t.Errorf("flags of compiled modules = %v, want 1 alone", flags)
	}
	python(t, m, "-c", "import ipykernel.kernelapp, tabulate, IPython.core.interactiveshell, zmq, jedi.api")
	unchanged(t, m.Prefix, before)
	second := r.build(l, store.Options{Variables: map[string]string{"TEST": t.Name() + " again"}})
	if r.store.Link() == "hardlink" && (second.Link != "hardlink" || second.OwnBytes > second.Bytes/5) {
		t.Errorf("link = %s, %d of %d bytes are its own", second.Link, second.OwnBytes, second.Bytes)
	}
	id := r.order(l, private(t), func(o *store.Order) { o.Task = store.TaskArchive })
	err = build.Run(t.Context(), build.Config{Store: r.store, ID: id})
	if f := driver.FailureOf(err); err == nil || !strings.Contains(f.Message, "cannot be packed") {
		t.Errorf("archive of an environment of wheels = %v", err)
	}
}

// TestModulesOfOneInterpreterAreNotRunByAnother: whoever could choose what compiles would choose what all environments run.
func TestModulesOfOneInterpreterAreNotRunByAnother(t *testing.T) {
	t.Parallel()
	r := setup(t).fresh()
	server := testchannel.Serve(t)
	base, err := venv.FindBase(t.Context(), "")
	if err != nil {
		t.Skip(err)
	}
	s, err := spec.Parse([]byte("dependencies:\n  - pip:\n    - tabulate\n"))
	if err != nil {
		t.Fatal(err)
	}
	d := venv.New(venv.Config{UV: r.tools.UV, Bases: []string{base.Path}, CacheDir: t.TempDir()})
	l, err := d.Solve(t.Context(), driver.Request{Spec: s, Index: server.Simple()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "python3")
	testscript.Write(t, program, "#!/bin/sh\nexec "+base.Path+" \"$@\"\n")
	other := *l
	other.Base = &lock.Base{Path: program, Version: base.Version}
	theirs := r.build(&other, private(t), func(o *store.Order) { o.Bases = []string{program} })
	ours, again := r.build(l, private(t)), r.build(l, store.Options{Variables: map[string]string{"TEST": t.Name() + " again"}})
	compiled := func(m *store.Manifest) os.FileInfo {
		t.Helper()
		found, err := filepath.Glob(filepath.Join(m.Prefix, "lib", "python3.*", "site-packages", "tabulate", "__pycache__", "__init__.*.pyc"))
		if err != nil || len(found) != 1 {
			t.Fatalf("compiled modules = %v, %v", found, err)
		}
		info, err := os.Stat(found[0])
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	if os.SameFile(compiled(theirs), compiled(ours)) {
		t.Error("what another interpreter has compiled is run")
	}
	if r.store.Link() == "hardlink" && !os.SameFile(compiled(again), compiled(ours)) {
		t.Error("what the same interpreter has compiled is not shared")
	}
}

func TestBuildAfterTheCachesWereCollected(t *testing.T) {
	t.Parallel()
	r := setup(t).fresh()
	server := testchannel.Serve(t)
	s, err := spec.Parse([]byte(specOf("python 3.11.*") + "  - pip:\n    - tabulate\n"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := r.drv.Solve(t.Context(), driver.Request{Spec: s, Channels: r.chans, Index: server.Simple()}, func(driver.Event) {})
	if err != nil {
		t.Fatal(err)
	}
	m := r.build(l, private(t))
	if err := r.store.Remove(t.Context(), m.ID); err != nil {
		t.Fatal(err)
	}
	if done, err := r.store.CollectCaches(t.Context(), -time.Hour); err != nil || len(done.IDs) < 5 {
		t.Errorf("CollectCaches = %+v, %v", done, err)
	}
	if left, _ := filepath.Glob(filepath.Join(r.store.Packages(""), "[^.]*")); len(left) > 0 {
		t.Errorf("left in the cache: %v", left)
	}
	m = r.build(l, private(t))
	python(t, m, "-c", "import tabulate")
}

func TestWheelsOnTopOfPackagesAreBuilt(t *testing.T) {
	t.Parallel()
	r := setup(t)
	server := testchannel.Serve(t)
	s, err := spec.Parse([]byte(specOf("python 3.11.*") + "  - pip:\n    - tabulate\n    - cowsay\n"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := r.drv.Solve(t.Context(), driver.Request{Spec: s, Channels: r.chans, Index: server.Simple()}, func(driver.Event) {})
	if err != nil {
		t.Fatal(err)
	}
	m := r.build(l, private(t), func(o *store.Order) { o.Index = server.Simple() })
	i := slices.IndexFunc(m.Packages, func(p store.Item) bool { return p.Name == "tabulate" })
	if i < 0 || m.Packages[i].From != "pip" {
		t.Errorf("packages = %+v, want tabulate from pip", m.Packages)
	}
	before, _ := names(t, m.Prefix)
	python(t, m, "-c", "import tabulate, cowsay")
	unchanged(t, m.Prefix, before)
}

func TestModulesOfTwoPackagesAreNotShared(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "python3", "-c", "import sys; print(sys.executable, '%d.%d' % sys.version_info[:2])").Output()
	if err != nil {
		t.Skipf("no python3 on this host: %v", err)
	}
	python, minor, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	s := newStore(t)
	site := "lib/python" + minor + "/site-packages/"
	l := lockOf("one", "two", "python")
	l.Python = minor
	// Two packages say that mod.py is theirs; the interpreter is a script, so that it lies in the prefix.
	record := func(p lock.Package, paths string) string {
		return `{"name":"` + p.Name + `","version":"1.0","build":"0","sha256":"` + p.SHA256 + `","paths_data":{"paths":[` + paths + `]}}`
	}
	const hashOfX1 = "1c5c13ea0efcb6b1a0b4bc1c6a2a1a6c5c0a2a2f6bfa4e4b1d0f7e3c9d8b7a65"
	texts := map[string]string{
		site + "mod.py": "x = 1\n", site + "alone.py": "y = 1\n",
		"conda-meta/one-1.0-0.json": record(l.Packages[0], `{"_path":"`+site+`mod.py","path_type":"hardlink","sha256":"`+hashOfX1+`"}`),
		"conda-meta/two-1.0-0.json": record(l.Packages[1], `{"_path":"`+site+`mod.py","path_type":"hardlink","sha256":"`+hashOfX1+`"},{"_path":"`+site+`alone.py","path_type":"hardlink","sha256":"00"}`),
		"bin/python":                "#!/bin/sh\nexec " + python + ` "$@"` + "\n",
	}
	for n := range 2 {
		o := store.Order{Lock: l, Options: store.Options{Variables: map[string]string{"N": string(rune('0' + n))}}}
		m, err := made(t, s, o, executable(files(texts), "bin/python"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"mod", "alone"} {
			path := filepath.Join(m.Prefix, site, "__pycache__", name+".cpython-"+strings.ReplaceAll(minor, ".", "")+".pyc")
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o444 {
				t.Errorf("%s was not compiled: %v", name, err)
			}
		}
	}
	shared, err := filepath.Glob(filepath.Join(s.Compiled(""), "*", "*", "[0-9]*"))
	if err != nil || len(shared) > 0 {
		t.Errorf("shared: %v, %v", shared, err)
	}
}

func TestInterpreterThatDoesNotRunFailsTheBuild(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	l := lockOf("one", "python")
	l.Python = "3.11"
	const site = "lib/python3.11/site-packages/"
	_, err := made(t, s, store.Order{Lock: l}, executable(files(map[string]string{
		site + "mod.py": "x = 1\n", "bin/python": "#!/bin/sh\necho not today >&2\nexit 1\n",
		"conda-meta/one-1.0-0.json": `{"name":"one","version":"1.0","build":"0","sha256":"` + l.Packages[0].SHA256 +
			`","paths_data":{"paths":[{"_path":"` + site + `mod.py","path_type":"hardlink"}]}}`,
	}), "bin/python"))
	if f := driver.FailureOf(err); err == nil || f.Cause != driver.SmokeFailed || !strings.Contains(f.Message, "not today") {
		t.Errorf("build = %v, want that Python does not run and what it said", err)
	}
	leftNothing(t, s)
}
