package venv_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/spec"
	"github.com/hopyard/hopyard/envs/tools"
	"github.com/hopyard/hopyard/envs/venv"
	"github.com/hopyard/hopyard/internal/testchannel"
	"github.com/hopyard/hopyard/internal/testscript"
)

// program is the real uv of the tool environment, which is built once per machine.
var program = sync.OnceValues(func() (string, error) {
	dir := os.Getenv("HOPYARD_TEST_TOOLS")
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(cache, "hopyard", "test", "tools")
	}
	if found, ok := tools.Find(dir); ok {
		return found.UV, nil
	}
	built, err := tools.Build(context.Background(), tools.Config{Dir: dir})
	return built.UV, err
})

func newDriver(t *testing.T, change func(*venv.Config)) *venv.Driver {
	t.Helper()
	uv, err := program()
	if err != nil {
		t.Skipf("no uv: %v", err)
	}
	c := venv.Config{UV: uv, CacheDir: t.TempDir()}
	if change != nil {
		change(&c)
	}
	d := venv.New(c)
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func parse(t *testing.T, text string) *spec.Spec {
	t.Helper()
	s, err := spec.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newPlace(t *testing.T) driver.Place {
	t.Helper()
	dir := t.TempDir()
	return driver.Place{Prefix: filepath.Join(dir, "prefix"), Wheels: filepath.Join(dir, "wheels"), UVCache: filepath.Join(dir, "uv")}
}

// phases are the phases that were told of, each once.
type phases struct {
	mu   sync.Mutex
	seen []driver.Phase
	logs []string
}

func (p *phases) tell(e driver.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.Type == driver.TypeState {
		p.seen = append(p.seen, e.Phase)
	}
	if e.Type == driver.TypeLog {
		p.logs = append(p.logs, e.Text)
	}
}

func TestSpecBecomesAnEnvironmentThatRuns(t *testing.T) {
	t.Parallel()
	server := testchannel.Serve(t)
	base, err := venv.FindBase(t.Context(), "")
	if err != nil {
		t.Skip(err)
	}
	d := newDriver(t, func(c *venv.Config) { c.Bases = []string{base.Path} })
	var told phases
	s := parse(t, "name: x\nchannels: [conda-forge]\ndependencies:\n  - python >=3.9\n  - pip\n  - traitlets 5.*\n  - ipykernel\n  - pip:\n    - tabulate\n")
	l, err := d.Solve(t.Context(), driver.Request{Spec: s, Index: server.Simple()}, told.tell)
	if err != nil {
		t.Fatal(err)
	}
	if l.Kind != lock.Venv || l.Base == nil || *l.Base != base || !slices.Equal(l.Indexes, []string{server.Simple()}) || !strings.HasPrefix(l.Solver, "uv ") {
		t.Errorf("lock = %+v", l)
	}
	if err := l.Check(); err != nil {
		t.Error(err)
	}
	at := newPlace(t)
	if err := d.Install(t.Context(), l, at, told.tell); err != nil {
		t.Fatal(err)
	}
	if want := []driver.Phase{driver.Solve, driver.Fetch, driver.Link, driver.Pip}; !slices.Equal(told.seen, want) {
		t.Errorf("phases = %v, want %v", told.seen, want)
	}
	python := filepath.Join(at.Prefix, "bin", "python")
	out, err := exec.CommandContext(t.Context(), python, "-c", "import ipykernel, traitlets, tabulate; print(ipykernel.__version__)").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "7.") {
		t.Errorf("%s: %v", out, err)
	}
	if out, err := exec.CommandContext(t.Context(), python, "-m", "pip", "--version").CombinedOutput(); err == nil {
		t.Errorf("there is a pip: %s", out)
	}
	again, err := d.Solve(t.Context(), driver.Request{Spec: s, Index: server.Simple(), Prefer: l}, nil)
	if err != nil || again.ID() != l.ID() {
		t.Errorf("another solve gives another lock: %v", err)
	}
}

func TestSolveNamesTheCauseAndItsLine(t *testing.T) {
	t.Parallel()
	server := testchannel.Serve(t)
	d := newDriver(t, nil)
	for _, c := range []struct {
		name, text string
		cause      driver.Cause
		line       int
		says       string
	}{
		{"a Python that is not on this host", "dependencies:\n  - numpy\n  - python 3.4.*", driver.PackageMissing, 3, "no Python of this host is python==3.4.*"},
		{"a channel of its own", "dependencies:\n  - conda-forge::numpy", driver.SpecInvalid, 2, "built from the package index, because no conda channel answers"},
		{"a build", "dependencies:\n  - numpy 1.26.4 py311_0", driver.SpecInvalid, 2, "a build"},
		{"a package that is not there", "dependencies:\n  - tabulate\n  - no-such-thing", driver.PackageMissing, 3, "no-such-thing"},
		{"sources alone", "dependencies:\n  - only-sdist", driver.Unsatisfiable, 2, "source builds are off"},
		{"a conflict", "dependencies:\n  - tabulate <0.1", driver.Unsatisfiable, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := d.Solve(t.Context(), driver.Request{Spec: parse(t, c.text), Index: server.Simple()}, nil)
			f, ok := errors.AsType[*driver.Failure](err)
			if !ok || f.Cause != c.cause || f.Line != c.line || !strings.Contains(f.Message, c.says) {
				t.Errorf("got %+v (%v), want %s in line %d that says %q", f, err, c.cause, c.line, c.says)
			}
		})
	}
}

func TestSolveWithoutAnyPython(t *testing.T) {
	t.Parallel()
	d := newDriver(t, func(c *venv.Config) { c.Bases = []string{filepath.Join(t.TempDir(), "python")} })
	_, err := d.Solve(t.Context(), driver.Request{Spec: parse(t, "dependencies: [numpy]")}, nil)
	if f := driver.FailureOf(err); err == nil || f.Cause != driver.PackageMissing || !strings.Contains(f.Message, "no Python on this host") {
		t.Errorf("got %v", err)
	}
}

func TestInstallOnAnInterpreterThatHasGone(t *testing.T) {
	t.Parallel()
	d := newDriver(t, nil)
	l := &lock.Lock{Version: lock.FormatVersion, Kind: lock.Venv, Platform: "linux-64", Python: "3.11", Base: &lock.Base{Path: filepath.Join(t.TempDir(), "python3.11"), Version: "3.11.7"}}
	at := newPlace(t)
	err := d.Install(t.Context(), l, at, nil)
	if f := driver.FailureOf(err); err == nil || !strings.Contains(f.Message, "no longer at") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(at.Prefix); err == nil {
		t.Error("a prefix was made all the same")
	}
	base, err := venv.FindBase(t.Context(), "")
	if err != nil {
		t.Skip(err)
	}
	l.Base = &lock.Base{Path: base.Path, Version: "3.8.1"}
	if f := driver.FailureOf(d.Install(t.Context(), l, at, nil)); f.Cause != driver.ToolFailed || !strings.Contains(f.Message, "by now") {
		t.Errorf("an interpreter of another version: %+v", f)
	}
	l.Kind = lock.Conda
	if f := driver.FailureOf(d.Install(t.Context(), l, at, nil)); f.Cause != driver.SpecInvalid {
		t.Errorf("a lock of conda: %+v", f)
	}
}

// TestInstallStartsNoProgramThatALockNames: a lock may come from anybody.
func TestInstallStartsNoProgramThatALockNames(t *testing.T) {
	t.Parallel()
	base, err := venv.FindBase(t.Context(), "")
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	started, program := filepath.Join(dir, "started"), filepath.Join(dir, "python3")
	testscript.Write(t, program, "#!/bin/sh\ntouch "+started+"\nexec "+base.Path+" \"$@\"\n")
	l := &lock.Lock{Version: lock.FormatVersion, Kind: lock.Venv, Platform: "linux-64", Base: &lock.Base{Path: program, Version: base.Version}}
	at := newPlace(t)
	err = newDriver(t, nil).Install(t.Context(), l, at, nil)
	if f := driver.FailureOf(err); err == nil || f.Cause != driver.PolicyDenied || !strings.Contains(f.Message, "none of the Pythons of this host") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(started); err == nil {
		t.Error("the program was started")
	}
	configured := newDriver(t, func(c *venv.Config) { c.Bases = []string{program} })
	if err := configured.Install(t.Context(), l, at, nil); err != nil {
		t.Errorf("a program that the site names: %v", err)
	}
}

func TestImportedLockStandsOnAPythonOfThisHost(t *testing.T) {
	t.Parallel()
	server := testchannel.Serve(t)
	base, err := venv.FindBase(t.Context(), "")
	if err != nil {
		t.Skip(err)
	}
	d := newDriver(t, func(c *venv.Config) { c.Bases = []string{base.Path} })
	l, err := d.Solve(t.Context(), driver.Request{Spec: parse(t, "dependencies: [tabulate, ipykernel]"), Index: server.Simple()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	forged := *l
	forged.Base = &lock.Base{Path: "/tmp/python3", Version: base.Version}
	forged.Wheels = slices.Clone(l.Wheels)
	for i := range forged.Wheels {
		forged.Wheels[i].License, forged.Wheels[i].Uploaded = "MIT", "2001-01-01T00:00:00Z"
	}
	text, err := forged.Encode()
	if err != nil {
		t.Fatal(err)
	}
	in, err := lock.Import(text)
	if err != nil {
		t.Fatal(err)
	}
	got, err := d.Complete(t.Context(), in, server.Simple())
	if err != nil {
		t.Fatal(err)
	}
	if got.Base == nil || *got.Base != base || !slices.Equal(got.Indexes, l.Indexes) {
		t.Errorf("lock = %+v", got)
	}
	for i, w := range got.Wheels {
		if w.License != l.Wheels[i].License || w.Uploaded != l.Wheels[i].Uploaded {
			t.Errorf("%+v, and the index says %+v", w, l.Wheels[i])
		}
	}
	in.Python = "3.4"
	if _, err = d.Complete(t.Context(), in, server.Simple()); err == nil || driver.FailureOf(err).Cause != driver.PackageMissing {
		t.Errorf("for a Python that is not on this host: %v", err)
	}
}

func TestSearchAndInfo(t *testing.T) {
	t.Parallel()
	server := testchannel.Serve(t)
	d := newDriver(t, nil)
	found, err := d.Search(t.Context(), driver.Query{Text: "tabulate", Index: server.Simple(), Limit: 5})
	if err != nil || len(found) != 1 || found[0].From != "pip" || len(found[0].Versions) == 0 {
		t.Errorf("got %+v, %v", found, err)
	}
	info, err := d.Info(t.Context())
	if err != nil || info.Kind != lock.Venv || info.Name != "venv" || !strings.HasPrefix(info.Version, "uv ") {
		t.Errorf("got %+v, %v", info, err)
	}
}

func TestStarterNeedsNoSolve(t *testing.T) {
	if testing.Short() {
		t.Skip("installs 60 wheels")
	}
	t.Parallel()
	base, err := venv.FindBase(t.Context(), "")
	if err != nil {
		t.Skip(err)
	}
	text, l, err := venv.Starter(base)
	if err != nil {
		t.Fatal(err)
	}
	if s := parse(t, string(text)); !s.Kernel {
		t.Error("the first environment has no kernel")
	}
	d, at := newDriver(t, nil), newPlace(t)
	if err := d.Install(t.Context(), l, at, nil); err != nil {
		if driver.FailureOf(err).Cause == driver.ChannelUnreachable {
			t.Skipf("wheels cannot be had: %v", err)
		}
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), filepath.Join(at.Prefix, "bin", "python"), "-c", "import ipykernel.kernelapp, zmq, numpy, pandas, matplotlib, ipywidgets, nbconvert, psutil").CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v", out, err)
	}
}

func BenchmarkInstallOfTheStarter(b *testing.B) {
	uv, err := program()
	if err != nil {
		b.Skip(err)
	}
	base, err := venv.FindBase(b.Context(), "")
	if err != nil {
		b.Skip(err)
	}
	_, l, err := venv.Starter(base)
	if err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	d := venv.New(venv.Config{UV: uv, CacheDir: filepath.Join(dir, "cache")})
	at := driver.Place{Wheels: filepath.Join(dir, "wheels"), UVCache: filepath.Join(dir, "uv"), Prefix: filepath.Join(dir, "warm")}
	if err := d.Install(b.Context(), l, at, nil); err != nil {
		b.Skip(err)
	}
	for b.Loop() {
		b.StopTimer()
		at.Prefix, err = os.MkdirTemp(dir, "prefix-")
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if err := d.Install(b.Context(), l, at, nil); err != nil {
			b.Fatal(err)
		}
	}
}
