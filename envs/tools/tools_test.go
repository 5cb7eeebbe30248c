package tools_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/hopyard/hopyard/envs/tools"
	"github.com/hopyard/hopyard/internal/problem"
)

// A real build, of one small package; its wheel comes from the user's cache when it is there.
func TestBuildMakesTheEnvironmentOnce(t *testing.T) {
	t.Parallel()
	d := &tools.Driver{Dir: filepath.Join(t.TempDir(), "envs"), Python: "python3"}
	d.Only(t, "packaging")
	if env, ok := d.Find(); ok {
		t.Fatalf("Find in an empty folder = %v, want nothing", env)
	}
	half := halfBuilt(t, d)

	var mu sync.Mutex
	var lines []string
	progress := func(line string) {
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, line)
	}
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if _, err := d.Build(t.Context(), progress); err != nil {
				t.Errorf("Build = %v", err)
			}
		})
	}
	wg.Wait()

	env, ok := d.Find()
	if !ok {
		t.Fatal("Find after Build = nothing, want the environment")
	}
	if _, err := os.Stat(half); err == nil {
		t.Errorf("%s of the half-built environment is still there", half)
	}
	if n := strings.Count(strings.Join(lines, "\n"), "making a virtual environment"); n != 1 {
		t.Errorf("two concurrent builds made %d environments, want 1; progress was %q", n, lines)
	}
	if out, err := exec.CommandContext(t.Context(), env.Python, "-I", "-c", "import packaging").CombinedOutput(); err != nil {
		t.Errorf("the environment lacks its package: %v\n%s", err, out)
	}
}

// halfBuilt leaves what a killed build leaves: a folder with the right name and no marker.
func halfBuilt(t *testing.T, d *tools.Driver) string {
	t.Helper()
	name, err := d.BuildName(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(d.Dir, name, "lib", "half")
	if err := os.MkdirAll(left, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, ok := d.Find(); ok {
		t.Fatal("Find took a half-built environment for a whole one")
	}
	return left
}

// `make unit` builds the whole environment once for all tests and names its interpreter.
func TestWholeEnvironmentHasWhatNotebooksNeed(t *testing.T) {
	t.Parallel()
	python := os.Getenv("HOPYARD_TEST_PYTHON")
	if python == "" {
		t.Skip("HOPYARD_TEST_PYTHON names no interpreter of a prepared environment")
	}
	out, err := exec.CommandContext(t.Context(), python, "-I", "-c", `
import json, ipykernel, ipywidgets, matplotlib, numpy, pandas, psutil, nbconvert, sys
print(json.dumps({"ipykernel": ipykernel.__version__, "inside": sys.prefix != sys.base_prefix}))`).CombinedOutput()
	if err != nil {
		t.Fatalf("import what a notebook needs: %v\n%s", err, out)
	}
	var got struct {
		IPykernel string `json:"ipykernel"`
		Inside    bool   `json:"inside"`
	}
	if err := json.Unmarshal(bytes.TrimSpace(out), &got); err != nil {
		t.Fatal(err)
	}
	if got.IPykernel != "7.4.0" || !got.Inside {
		t.Errorf("environment = %+v, want ipykernel 7.4.0 inside the virtual environment", got)
	}
}

func TestOfflineBuildSaysWhatIsMissingAndLeavesNothing(t *testing.T) {
	t.Parallel()
	d := &tools.Driver{Dir: t.TempDir(), Offline: true, Cache: t.TempDir()}
	_, err := d.Build(t.Context(), func(string) {})
	if !problem.Is(err, problem.Unavailable) || !strings.Contains(err.Error(), "offline") {
		t.Fatalf("Build offline without wheels = %v, want a problem that says offline", err)
	}
	left, _ := filepath.Glob(filepath.Join(d.Dir, "*-py*"))
	if len(left) != 0 {
		t.Errorf("Build offline left %v", left)
	}
}

func TestFindPythonRefusesWhatCannotRunKernels(t *testing.T) {
	t.Parallel()
	fake := func(t *testing.T, answer string) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), "python")
		if err := os.WriteFile(path, []byte("#!/bin/sh\necho '"+answer+"'\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, c := range map[string]struct{ answer, want string }{
		"too old":      {`{"full":"3.9.2","version":"3.9","machine":"x86_64","libc":"glibc 2.36","venv":true}`, "Python 3.9.2"},
		"no venv":      {`{"full":"3.11.2","version":"3.11","machine":"x86_64","libc":"glibc 2.36"}`, "apt install python3-venv"},
		"another arch": {`{"full":"3.11.2","version":"3.11","machine":"aarch64","libc":"glibc 2.36","venv":true}`, "aarch64"},
		"another libc": {`{"full":"3.11.2","version":"3.11","machine":"x86_64","libc":"","venv":true}`, "glibc"},
		"no Python":    {`hello`, "cannot be started"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := tools.FindPython(t.Context(), fake(t, c.answer))
			if !problem.Is(err, problem.Unavailable) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("FindPython = %v, want a problem with %q", err, c.want)
			}
		})
	}
}

func TestEveryVersionHasALockOfTheSamePackages(t *testing.T) {
	t.Parallel()
	want := tools.Packages(t, tools.Versions[0])
	for _, name := range []string{"ipykernel", "ipywidgets", "matplotlib", "nbconvert", "numpy", "pandas", "psutil", "pyzmq"} {
		if want[name] == "" {
			t.Errorf("the lock of Python %s lacks %s", tools.Versions[0], name)
		}
	}
	for _, version := range tools.Versions[1:] {
		got := tools.Packages(t, version)
		for name := range want {
			if got[name] == "" {
				t.Errorf("the lock of Python %s lacks %s, which that of %s has", version, name, tools.Versions[0])
			}
		}
	}
}
