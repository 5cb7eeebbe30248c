package build_test

import (
	"strings"
	"testing"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/store"
)

func TestActivationIsCaptured(t *testing.T) {
	t.Parallel()
	texts := map[string]string{
		"etc/conda/env_vars.d/a.json": `{"FROM_PACKAGE":"a","BOTH":"a","PATH":"/evil","NOT A NAME":"x","NUMBER":1,
			"LD_PRELOAD":"/evil.so","LD_LIBRARY_PATH":"/evil","PYTHONPATH":"/evil","PYTHONHOME":"/evil","PYTHONSTARTUP":"/evil","HOPYARD_X":"evil","HOME":"/evil","USER":"evil","SHELL":"evil"}`,
		"etc/conda/env_vars.d/b.json": `{"BOTH":"b"}`,
		"etc/conda/activate.d/x.sh":   `echo noise; export BY_SCRIPT="$CONDA_PREFIX/x" MINE=script LD_AUDIT=evil PYTHONSTARTUP=evil; unset FROM_PACKAGE`,
	}
	vars := map[string]string{"MINE": "spec", "PYTHONPATH": "/mine", "HOPYARD_TOKEN": "evil", "PATH": "/evil"}
	t.Run("without scripts", func(t *testing.T) {
		t.Parallel()
		s := newStore(t)
		o := store.Order{Lock: lockOf("made"), Options: store.Options{Variables: vars}}
		m, err := made(t, s, o, files(texts))
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{
			"CONDA_PREFIX": m.Prefix, "FROM_PACKAGE": "a", "BOTH": "b", "MINE": "spec", "PATH": "", "NUMBER": "", "BY_SCRIPT": "", "PYTHONNOUSERSITE": "1",
			"LD_PRELOAD": "", "LD_LIBRARY_PATH": "", "PYTHONHOME": "", "PYTHONSTARTUP": "", "HOPYARD_X": "", "HOME": "", "USER": "", "SHELL": "",
			"PYTHONPATH": "/mine", "HOPYARD_TOKEN": "",
		} {
			if got := m.Variables[name]; got != want {
				t.Errorf("%s = %q, want %q", name, got, want)
			}
		}
		if !said(events(t, s, m.ID), "etc/conda/activate.d/x.sh") {
			t.Error("nobody is told that a script was not run")
		}
		if !said(events(t, s, m.ID), "LD_PRELOAD") {
			t.Error("nobody is told that a variable was left out")
		}
	})
	t.Run("with scripts", func(t *testing.T) {
		t.Parallel()
		m, err := made(t, newStore(t), store.Order{Options: store.Options{Variables: vars, Scripts: true}}, files(texts))
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{"BY_SCRIPT": m.Prefix + "/x", "MINE": "spec", "FROM_PACKAGE": "", "BOTH": "b", "PATH": "", "LD_AUDIT": "", "PYTHONSTARTUP": "", "LD_PRELOAD": ""} {
			if got := m.Variables[name]; got != want {
				t.Errorf("%s = %q, want %q", name, got, want)
			}
		}
	})
	t.Run("with a script that fails", func(t *testing.T) {
		t.Parallel()
		s := newStore(t)
		_, err := made(t, s, store.Order{Options: store.Options{Scripts: true}},
			files(map[string]string{"etc/conda/activate.d/x.sh": "echo so sorry >&2; exit 3"}))
		if f := driver.FailureOf(err); err == nil || f.Cause != driver.ScriptFailed || !strings.Contains(f.Message, "so sorry") {
			t.Errorf("build = %v, want that the script failed and what it said", err)
		}
		leftNothing(t, s)
	})
	t.Run("with a list that is none", func(t *testing.T) {
		t.Parallel()
		_, err := made(t, newStore(t), store.Order{}, files(map[string]string{"etc/conda/env_vars.d/a.json": "["}))
		if f := driver.FailureOf(err); err == nil || f.Cause != driver.PackageBroken {
			t.Errorf("build = %v, want that the package is broken", err)
		}
	})
}

func said(all []driver.Event, words string) bool {
	for _, e := range all {
		if e.Type == driver.TypeLog && strings.Contains(e.Text, words) {
			return true
		}
	}
	return false
}

func TestKernelspecsAndInventoryAreRead(t *testing.T) {
	t.Parallel()
	l := lockOf("made", "needed")
	l.Packages[0].Depends = []string{"needed >=1.0", "__glibc >=2.17", "python_abi 3.11.* *_cp311"}
	m, err := made(t, newStore(t), store.Order{Lock: l, Requested: []string{"made"}}, files(map[string]string{
		"share/jupyter/kernels/bash/kernel.json":  `{"argv":["bash"],"display_name":"Bash","language":"bash"}`,
		"share/jupyter/kernels/plain/kernel.json": `{"argv":["x"]}`,
		"share/jupyter/kernels/bad/kernel.json":   `{`,
		"share/jupyter/kernels/none/readme":       ``,
	}))
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Kernelspecs) != 2 || m.Kernelspecs[0] != (store.Kernelspec{Name: "bash", DisplayName: "Bash", Language: "bash"}) || m.Kernelspecs[1].DisplayName != "plain" {
		t.Errorf("kernelspecs = %+v", m.Kernelspecs)
	}
	if len(m.Packages) != 2 || !m.Packages[0].Requested || m.Packages[1].Requested || strings.Join(m.Packages[0].Requires, " ") != "needed python_abi" ||
		m.Packages[0].Channel != "https://channel.example/made" || m.Packages[0].License != "MIT" {
		t.Errorf("packages = %+v", m.Packages)
	}
}
