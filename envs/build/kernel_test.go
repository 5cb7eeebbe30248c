package build_test

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/store"
	"github.com/hopyard/hopyard/envs/venv"
)

// kernelFiles are what ipykernel brings, and a Python that notes how it was started.
func kernelFiles(notes string) map[string]string {
	const site = "lib/python3.11/site-packages/"
	return map[string]string{
		"bin/python":                                "#!/bin/sh\necho \"$@\" >> " + notes + "\nexit 0\n",
		site + "ipykernel_launcher.py":              "",
		site + "ipykernel/kernelapp.py":             "",
		site + "ipykernel-7.0.dist-info/METADATA":   "Metadata-Version: 2.1\nName: ipykernel\nRequires-Dist: traitlets>=5\nRequires-Dist: appnope; sys_platform == \"darwin\"\n\nwords\n",
		site + "traitlets-5.0.dist-info/METADATA":   "Metadata-Version: 2.1\nName: traitlets\n\nRequires-Dist: nothing\n",
		site + "evil.pth":                           "import os; os.system('touch " + notes + ".evil')\n",
		"share/jupyter/kernels/python3/kernel.json": `{"argv":["python"],"display_name":"Python","language":"python"}`,
	}
}

func TestKernelIsLookedAtAndNotStarted(t *testing.T) {
	t.Parallel()
	notes := filepath.Join(t.TempDir(), "notes")
	l := lockOf("ipykernel", "python")
	l.Python = "3.11"
	if _, err := made(t, newStore(t), store.Order{Lock: l}, executable(files(kernelFiles(notes)), "bin/python")); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(notes)
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "import ipykernel") || !strings.Contains(line, " -S ") {
			t.Errorf("the environment's Python was started with %s", line)
		}
	}
	if _, err := os.Stat(notes + ".evil"); err == nil {
		t.Error("a .pth file was run")
	}
}

func TestPackageDoesNotDecideWhatPythonRuns(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"pyvenv.cfg", "bin/pyvenv.cfg", "lib/python311.zip"} {
		notes := filepath.Join(t.TempDir(), "notes")
		all := kernelFiles(notes)
		all[file] = "home = /elsewhere\n"
		l := lockOf("ipykernel", "python")
		l.Python = "3.11"
		_, err := made(t, newStore(t), store.Order{Lock: l}, executable(files(all), "bin/python"))
		if f := driver.FailureOf(err); err == nil || f.Cause != driver.PackageBroken || !strings.Contains(f.Message, file) {
			t.Errorf("with %s: %v", file, err)
		}
		if _, err := os.Stat(notes); err == nil {
			t.Errorf("with %s: Python was started", file)
		}
	}
}

// TestWheelsAreCompiledByTheHostsPython: a wheel may bring a script of that name.
func TestWheelsAreCompiledByTheHostsPython(t *testing.T) {
	t.Parallel()
	base, err := venv.FindBase(t.Context(), "")
	if err != nil {
		t.Skip(err)
	}
	notes := filepath.Join(t.TempDir(), "notes")
	parts := strings.SplitN(base.Version, ".", 3)
	minor := parts[0] + "." + parts[1]
	site := "lib/python" + minor + "/site-packages/"
	l := &lock.Lock{Version: lock.FormatVersion, Kind: lock.Venv, Platform: "linux-64", Python: minor, Base: &base, Wheels: []lock.Wheel{{
		Name: "one", Version: "1.0", Filename: "one-1.0-py3-none-any.whl", SHA256: strings.Repeat("1", 64),
	}}}
	m, err := made(t, newStore(t), store.Order{Lock: l}, executable(files(map[string]string{
		"bin/python":                        "#!/bin/sh\ntouch " + notes + "\n",
		site + "one.py":                     "x = 1\n",
		site + "one-1.0.dist-info/RECORD":   "one.py,,\n",
		site + "one-1.0.dist-info/METADATA": "Metadata-Version: 2.1\n\n",
	}), "bin/python"))
	if err != nil {
		t.Fatal(err)
	}
	if found, _ := filepath.Glob(filepath.Join(m.Prefix, site, "__pycache__", "one.*.pyc")); len(found) != 1 {
		t.Errorf("compiled = %v", found)
	}
	if _, err := os.Stat(notes); err == nil {
		t.Error("the wheel's program was started")
	}
}

func TestEnvironmentOnWhichNoKernelCouldStartIsRefused(t *testing.T) {
	t.Parallel()
	const site = "lib/python3.11/site-packages/"
	for file, says := range map[string]string{
		site + "ipykernel_launcher.py":              "ipykernel_launcher.py",
		site + "ipykernel/kernelapp.py":             "kernelapp.py",
		site + "ipykernel-7.0.dist-info/METADATA":   "left no metadata",
		site + "traitlets-5.0.dist-info/METADATA":   "ipykernel needs traitlets",
		"share/jupyter/kernels/python3/kernel.json": "kernelspec",
	} {
		left := maps.Clone(kernelFiles(filepath.Join(t.TempDir(), "notes")))
		delete(left, file)
		l := lockOf("ipykernel", "python")
		l.Python = "3.11"
		s := newStore(t)
		_, err := made(t, s, store.Order{Lock: l}, executable(files(left), "bin/python"))
		if f := driver.FailureOf(err); err == nil || f.Cause != driver.SmokeFailed || !strings.Contains(f.Message, says) {
			t.Errorf("without %s: %v", file, err)
		}
		leftNothing(t, s)
	}
}
