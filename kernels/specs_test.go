package kernels_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/kernels"
)

func TestSpecsOfEnvironmentAndSite(t *testing.T) {
	t.Parallel()
	w := setup(t)
	own := filepath.Join(w.env.Prefix, "share", "jupyter", "kernels")
	w.write(filepath.Join(own, "Python3", "kernel.json"), `{"argv":["python","-m","ipykernel_launcher"],"display_name":"Own","language":"python","metadata":{"debugger":true}}`)
	w.spec("broken", `{"argv":`)
	w.spec("empty", ``)
	w.spec("noargv", `{"display_name":"x"}`)
	w.spec("list", `[]`)
	w.spec("a name with blanks", map[string]any{"argv": []string{"x"}})
	if err := errors.Join(os.Mkdir(filepath.Join(w.specs, "nothing"), 0o700), os.WriteFile(filepath.Join(w.specs, "file"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	all, err := w.Specs(t.Context(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	if !slices.Equal(names, []string{"dying", "late", "python3"}) {
		t.Errorf("Specs() = %q, want dying, late, python3", names)
	}
	s := all["python3"].Spec
	const marked = `{"debugger":true,"hopyard":{"name":"analytics","build":12,"id":"0123456789abcdef"}}`
	if s.DisplayName != "Python 3.11 (analytics)" || s.InterruptMode != "signal" || string(s.Metadata) != marked || s.Env == nil {
		t.Errorf("python3 = %+v, want the environment's own, whole", s)
	}
	w.noEnv = problem.New(problem.Unavailable, "being prepared")
	if all, err := w.Specs(t.Context(), "demo"); err != nil || all["python3"].Spec.DisplayName != "Python 3" {
		t.Errorf("Specs() without environment = %v, %v, want the site's", all, err)
	}
}

func TestEveryEnvironmentHasItsKernelspecs(t *testing.T) {
	t.Parallel()
	w := setup(t)
	spark := kernels.Environment{Name: "spark", Build: 3, ID: "fedcba9876543210", Version: "3.12.1", Prefix: t.TempDir()}
	w.more = []kernels.Environment{spark}
	for _, prefix := range []string{w.env.Prefix, spark.Prefix} {
		dir := filepath.Join(prefix, "share", "jupyter", "kernels")
		w.write(filepath.Join(dir, "python3", "kernel.json"), `{"argv":["python","-m","ipykernel_launcher"],"display_name":"Python 3 (ipykernel)","language":"python"}`)
		w.write(filepath.Join(dir, "ir", "kernel.json"), `{"argv":["R"],"display_name":"R","language":"R"}`)
	}
	all, err := w.Specs(t.Context(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	for name, title := range map[string]string{
		"python3": "Python 3.11 (analytics)", "ir": "R (analytics)", "spark": "Python 3.12 (spark)", "spark-ir": "R (spark)",
	} {
		if got := all[name].Spec.DisplayName; got != title {
			t.Errorf("kernelspec %s is %q, want %q", name, got, title)
		}
	}
}

func TestKernelspecsOfAllEnvironmentsHaveNamesOfTheirOwn(t *testing.T) {
	t.Parallel()
	w := setup(t)
	const python, other = `{"argv":["python"],"display_name":"P","language":"python"}`, `{"argv":["x"],"display_name":"X","language":"x"}`
	add := func(prefix string, kernels ...string) {
		for _, name := range kernels {
			text := other
			if name == "python3" {
				text = python
			}
			w.write(filepath.Join(prefix, "share", "jupyter", "kernels", name, "kernel.json"), text)
		}
	}
	add(w.env.Prefix, "python3", "bash", "b", "B")
	for name, specs := range map[string][]string{
		"a": {"python3", "bash", "env"}, "a-bash": {"python3"}, "a-env": {"python3"}, "b": {"python3", "bash"}, "python3": {"python3"}, "python3-env": {"python3", "x"},
	} {
		e := kernels.Environment{Name: name, Build: 1, ID: "fedcba9876543210", Version: "3.12.1", Prefix: t.TempDir()}
		add(e.Prefix, specs...)
		w.more = append(w.more, e)
	}
	all, err := w.Specs(t.Context(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	for name, title := range map[string]string{
		"python3": "Python 3.11 (analytics)", "bash": "X (analytics)", "b": "X (analytics)", "analytics--b": "X (analytics)",
		"a": "Python 3.12 (a)", "a-bash": "Python 3.12 (a-bash)", "a--bash": "X (a)", "a-env": "Python 3.12 (a-env)", "a--env": "X (a)",
		"b-env": "Python 3.12 (b)", "b-bash": "X (b)",
		"python3-env": "Python 3.12 (python3-env)", "python3-env-2": "Python 3.12 (python3)", "python3-env-x": "X (python3-env)",
	} {
		if got := all[name]; got.Spec.DisplayName != title || got.Name != name {
			t.Errorf("kernelspec %s is %q, want %q", name, got.Spec.DisplayName, title)
		}
		delete(all, name)
	}
	if delete(all, "dying"); len(all) != 1 { // late
		t.Errorf("there are %d more: %v", len(all)-1, all)
	}
}

func TestResourcesAreTheSpecsOwnFilesAlone(t *testing.T) {
	t.Parallel()
	w := setup(t)
	dir := filepath.Join(w.specs, "python3")
	secret := filepath.Join(t.TempDir(), "secret")
	w.write(secret, "secret")
	w.write(filepath.Join(dir, "logo-64x64.png"), "a picture")
	w.write(filepath.Join(dir, "notes.txt"), "notes")
	if err := os.Symlink(secret, filepath.Join(dir, "logo-svg.svg")); err != nil {
		t.Fatal(err)
	}
	f, err := w.Resource(t.Context(), "demo", "python3", "logo-64x64.png")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(f); err != nil || string(b) != "a picture" {
		t.Errorf("resource = %q, %v", b, err)
	}
	_ = f.Close()
	for _, name := range []string{"notes.txt", "kernel.json", "../python3/logo-64x64.png", "logo-none.png", "", "logo-svg.svg"} {
		_, err := w.Resource(t.Context(), "demo", "python3", name)
		wantProblem(t, "Resource("+name+")", err, problem.NotFound)
	}
	if _, err := w.Resource(t.Context(), "demo", "none", "logo-64x64.png"); err == nil {
		t.Error("a kernelspec that is not there has a resource")
	}
}

// TestArgvIsRewritten runs a kernelspec as ipykernel installs it, with a Python that is a script of the test.
func TestArgvIsRewritten(t *testing.T) {
	t.Parallel()
	w := setup(t)
	out := filepath.Join(t.TempDir(), "args")
	w.write(w.env.Python, "#!/bin/sh\nprintf '%s\\n' \"$0\" \"$@\" > "+out+"\nexit 3\n")
	if err := os.Chmod(w.env.Python, 0o700); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(w.env.Prefix, "share", "jupyter", "kernels", "python3")
	w.write(filepath.Join(dir, "kernel.json"),
		`{"argv":["python","-m","ipykernel_launcher","-f","{connection_file}","{resource_dir}/x","{prefix}/y","-m","other"],"display_name":"P","language":"python"}`)
	if _, err := w.StartKernel(t.Context(), ann, kernels.StartRequest{}); err == nil {
		t.Fatal("a script is a kernel")
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	args := lines(string(b))
	if len(args) != 8 || args[0] != w.env.Python || filepath.Base(args[1]) != "launcher.py" || args[2] != "-f" ||
		filepath.Base(args[3]) != "connection.json" || args[4] != dir+"/x" || args[5] != w.env.Prefix+"/y" || args[6] != "-m" || args[7] != "other" {
		t.Errorf("argv = %q", args)
	}
}
