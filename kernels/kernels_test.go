package kernels_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/hopyard/hopyard/agent"
	"github.com/hopyard/hopyard/agent/journal"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/kernels"
	"github.com/hopyard/hopyard/kernels/wire"
	"github.com/hopyard/hopyard/workloads"
)

func TestKernelRunsAsAsked(t *testing.T) {
	t.Parallel()
	w := setup(t)
	id := uuid.NewString()
	k := w.start(ann, kernels.StartRequest{ID: id, Name: "My notebook"})
	if k.ID != id || k.Name != "python3" || k.Activity != "idle" || k.Owner != "ann" {
		t.Errorf("StartKernel() = %+v", k)
	}
	if got := w.run(ann, id, "echo hello"); got != "hello\n" {
		t.Errorf("it said %q, want hello", got)
	}
	info, err := w.runs.Get(t.Context(), "demo", id)
	if err != nil || info.Name != "My notebook" || info.Environment == nil || *info.Environment != (workloads.Environment{Name: "analytics", Build: 12, ID: "0123456789abcdef"}) {
		t.Errorf("workload = %+v, %v", info, err)
	}
	_, err = w.StartKernel(t.Context(), ann, kernels.StartRequest{ID: id})
	wantProblem(t, "second StartKernel()", err, problem.Conflict)
	if err := w.StopKernel(t.Context(), ann, id); err != nil {
		t.Fatal(err)
	}
	_, err = w.Kernel(t.Context(), ann, id)
	wantProblem(t, "Kernel() after its end", err, problem.NotFound)
	if err == nil || err.Error() != "Kernel does not exist: "+id {
		t.Errorf("error = %v, want Jupyter's sentence", err)
	}
}

func TestBadRequestsForKernelsAreRefused(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for name, req := range map[string]kernels.StartRequest{
		"an id that is no UUID": {ID: "../../etc"},
		"a zero in the path":    {Path: "a\x00b"},
		"an endless path":       {Path: strings.Repeat("x", 5000)},
	} {
		_, err := w.StartKernel(t.Context(), ann, req)
		wantProblem(t, name, err, problem.Invalid)
	}
	_, err := w.StartKernel(t.Context(), ann, kernels.StartRequest{Spec: "julia"})
	if u, ok := errors.AsType[*kernels.UnknownSpecError](err); !ok || u.Name != "julia" {
		t.Errorf("StartKernel(julia) = %v, want that it is unknown", err)
	}
	if all, err := w.runs.List(t.Context(), ""); err != nil || len(all) > 0 {
		t.Errorf("left running: %v, %v", all, err)
	}
}

func TestKernelThatDiesAtStartTellsWhyAndLeavesNothing(t *testing.T) {
	t.Parallel()
	w := setup(t)
	_, err := w.StartKernel(t.Context(), ann, kernels.StartRequest{Spec: "dying"})
	if err == nil || !strings.Contains(err.Error(), "No module named ipykernel") || !strings.Contains(err.Error(), "exited with code 1") {
		t.Errorf("StartKernel() = %v, want its exit code and last words", err)
	}
	if all, err := w.runs.List(t.Context(), ""); err != nil || len(all) > 0 {
		t.Errorf("left running: %v, %v", all, err)
	}
}

func TestKernelThatTakesLongIsStarting(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.wait = 50 * time.Millisecond
	w.restart()
	k, err := w.StartKernel(t.Context(), ann, kernels.StartRequest{Spec: "late"})
	if err != nil || k.Activity != "starting" {
		t.Errorf("StartKernel() = %+v, %v, want starting", k, err)
	}
	if err := w.StopKernel(t.Context(), ann, k.ID); err != nil {
		t.Error(err)
	}
}

func TestKernelSeesOnlyTheEnvironmentMadeForIt(t *testing.T) {
	t.Parallel()
	w := setup(t)
	home := filepath.Join(w.files, "homes", "demo", "ann")
	id := w.start(ann, kernels.StartRequest{Path: "work/nb.ipynb"}).ID
	for name, want := range map[string]string{
		"HOME": home, "USER": "ann", "LOGNAME": "ann", "HOPYARD_PROJECT": "demo", "LANG": "C.UTF-8",
		"PATH": w.env.Bin + ":/usr/local/bin:/usr/bin:/bin", "CONDA_PREFIX": w.env.Prefix, "PYTHONNOUSERSITE": "1",
		"IPYTHONDIR": home + "/.ipython", "JUPYTER_DATA_DIR": home + "/.local/share/jupyter",
		"JPY_SESSION_NAME": filepath.Join(w.files, "demo", "work", "nb.ipynb"),
		"FROM_SPEC":        "yes", "MY_HOME": home + "/x",
		"NO_SECRET": "", "HOPYARD_TEST_SECRET": "", "JPY_PARENT_PID": "", "GORACE": "",
	} {
		if got := w.run(ann, id, "env "+name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	known := []string{
		"CONDA_PREFIX", "FROM_SPEC", "HOME", "HOPYARD_PROJECT", "HOPYARD_WORKLOAD", "IPYTHONDIR", "JPY_SESSION_NAME", "JUPYTER_DATA_DIR", "LANG", "LOGNAME",
		"MY_HOME", "NO_SECRET", "PATH", "PYTHONNOUSERSITE", "SHELL", "USER",
	}
	b, err := os.ReadFile("/proc/" + w.run(ann, id, "pid") + "/environ")
	if err != nil {
		t.Fatal(err)
	}
	for kv := range strings.SplitSeq(strings.TrimSuffix(string(b), "\x00"), "\x00") {
		if name, _, _ := strings.Cut(kv, "="); !slices.Contains(known, name) {
			t.Errorf("the kernel has %s", kv)
		}
	}
}

func TestKernelWorksInTheNearestFolderOfTheProject(t *testing.T) {
	t.Parallel()
	w := setup(t)
	root := filepath.Join(w.files, "demo")
	outside := t.TempDir()
	if err := errors.Join(
		os.MkdirAll(filepath.Join(root, "a", "b"), 0o700), os.WriteFile(filepath.Join(root, "a", "nb.ipynb"), nil, 0o600),
		os.Symlink(outside, filepath.Join(root, "out")), os.Symlink("b", filepath.Join(root, "a", "link")), os.Mkdir(filepath.Join(outside, "deep"), 0o700),
	); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, workDir, want string }{
		{"", "", ""},
		{"a/nb.ipynb", "", "a"},
		{"/a/b/", "", "a/b"},
		{"a/b/none/of/these.ipynb", "", "a/b"},
		{"none", "", ""},
		{"../../../etc", "", ""},
		{"a/../../..", "", ""},
		{"out", "", ""},
		{"out/deep", "", ""},
		{"a/link", "", "a/link"},
		{"a", filepath.Join(root, "a", "b"), "a/b"},
		{"a", outside, ""},
		{"a", "/", ""},
		{"a", "relative", "a"},
		{"a", root + "/../demo/a/b", "a/b"},
	} {
		k := w.start(ann, kernels.StartRequest{Path: c.path, WorkDir: c.workDir})
		got, err := os.Readlink("/proc/" + w.run(ann, k.ID, "pid") + "/cwd")
		want, werr := filepath.EvalSymlinks(filepath.Join(root, c.want))
		if err != nil || werr != nil || got != want {
			t.Errorf("folder for path %q, work dir %q = %q, %v, want %q", c.path, c.workDir, got, err, want)
		}
		if err := w.StopKernel(t.Context(), ann, k.ID); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNobodySeesTheKernelsOfOthers(t *testing.T) {
	t.Parallel()
	w := setup(t)
	id := w.start(ann, kernels.StartRequest{}).ID
	_, err := w.Kernel(t.Context(), bob, id)
	wantProblem(t, "Kernel()", err, problem.NotFound)
	wantProblem(t, "StopKernel()", w.StopKernel(t.Context(), bob, id), problem.NotFound)
	wantProblem(t, "InterruptKernel()", w.InterruptKernel(t.Context(), bob, id), problem.NotFound)
	_, err = w.RestartKernel(t.Context(), bob, id)
	wantProblem(t, "RestartKernel()", err, problem.NotFound)
	_, err = w.Attach(t.Context(), bob, id, "tab", nil)
	wantProblem(t, "Attach()", err, problem.NotFound)
	_, err = w.CreateSession(t.Context(), bob, kernels.SessionRequest{Path: "x", Type: "notebook", KernelID: id})
	wantProblem(t, "CreateSession()", err, problem.NotFound)
	_, err = w.Kernel(t.Context(), kernels.Who{Project: "other", User: "ann"}, id)
	wantProblem(t, "Kernel() in another project", err, problem.NotFound)
	if all, err := w.Kernels(t.Context(), bob); err != nil || len(all) > 0 {
		t.Errorf("Kernels() = %v, %v, want none", all, err)
	}
	if _, err := w.StartKernel(t.Context(), bob, kernels.StartRequest{ID: id}); !problem.Is(err, problem.Conflict) {
		t.Errorf("StartKernel() with its id = %v, want a conflict", err)
	}
	if all, err := w.Kernels(t.Context(), ann); err != nil || len(all) != 1 || all[0].ID != id {
		t.Errorf("Kernels() = %v, %v, want ann's", all, err)
	}
}

func TestKernelSurvivesTheGateway(t *testing.T) {
	t.Parallel()
	w := setup(t)
	k := w.start(ann, kernels.StartRequest{})
	pid := w.run(ann, k.ID, "pid")
	w.restart()
	w.runs.Settled(t.Context(), patience)
	again, err := w.Kernel(t.Context(), ann, k.ID)
	if err != nil || again.Name != k.Name || again.Owner != "ann" || again.Activity != "idle" {
		t.Errorf("Kernel() = %+v, %v, want %+v", again, err, k)
	}
	if got := w.run(ann, k.ID, "pid"); got != pid {
		t.Errorf("process = %s, want %s", got, pid)
	}
}

func TestRestartBeginsAnewAndInterruptStops(t *testing.T) {
	t.Parallel()
	w := setup(t)
	id := w.start(ann, kernels.StartRequest{}).ID
	pid := w.run(ann, id, "pid")
	k, err := w.RestartKernel(t.Context(), ann, id)
	if err != nil || k.ID != id {
		t.Fatalf("RestartKernel() = %+v, %v", k, err)
	}
	if got := w.run(ann, id, "pid"); got == pid {
		t.Error("the same process goes on")
	}
	done := make(chan string, 1)
	go func() { done <- w.run(ann, id, "sleep 100000") }()
	eventually(t, "it is busy", func() bool {
		k, err := w.Kernel(t.Context(), ann, id)
		return err == nil && k.Activity == "busy"
	})
	for {
		if err := w.InterruptKernel(t.Context(), ann, id); err != nil {
			t.Fatal(err)
		}
		select {
		case <-done:
			return
		case <-time.After(100 * time.Millisecond): // it takes no interrupt for a cell that begins
		}
	}
}

func TestRestartUsesTheBuildThatIsActiveNow(t *testing.T) {
	t.Parallel()
	w := setup(t)
	id := w.start(ann, kernels.StartRequest{Path: "nb.ipynb"}).ID
	old := w.env
	w.env.Build, w.env.ID, w.env.Prefix = 13, "fedcba9876543210", t.TempDir()
	w.env.Bin, w.env.Variables = filepath.Join(w.env.Prefix, "bin"), map[string]string{"CONDA_PREFIX": w.env.Prefix}
	build := func() int {
		info, err := w.runs.Get(t.Context(), "demo", id)
		if err != nil || info.Environment == nil {
			t.Fatalf("workload = %+v, %v", info, err)
		}
		return info.Environment.Build
	}
	if got := w.run(ann, id, "env CONDA_PREFIX"); got != old.Prefix || build() != 12 {
		t.Errorf("a running kernel has %s, build %d, want what it started with", got, build())
	}
	if _, err := w.RestartKernel(t.Context(), ann, id); err != nil {
		t.Fatal(err)
	}
	if got := w.run(ann, id, "env CONDA_PREFIX"); got != w.env.Prefix || build() != 13 {
		t.Errorf("a restarted kernel has %s, build %d, want %s, build 13", got, build(), w.env.Prefix)
	}
	if got, want := w.run(ann, id, "env JPY_SESSION_NAME"), filepath.Join(w.files, "demo", "nb.ipynb"); got != want {
		t.Errorf("JPY_SESSION_NAME = %q, want %q", got, want)
	}
	w.restart()
	if build() != 13 {
		t.Errorf("the next gateway says build %d", build())
	}
	w.noEnv = problem.New(problem.Unavailable, "gone")
	if _, err := w.RestartKernel(t.Context(), ann, id); err != nil {
		t.Errorf("RestartKernel() without an environment = %v, want it to go on where it was", err)
	}
}

// untilDeath reads until clients are told that the kernel has died: it may be back before anybody asks for its state.
func untilDeath(t *testing.T, c *agent.Conn) {
	t.Helper()
	for {
		ev, _, err := c.Next(func() []byte { return nil })
		if err != nil {
			t.Fatal(err)
		}
		for b := ev.Records; len(b) > 0; {
			var r journal.Record
			if r, b, err = journal.Decode(b); err != nil {
				t.Fatal(err)
			}
			m, err := wire.ParseV1(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			if state := string(m.Content); strings.Contains(state, `"restarting"`) || strings.Contains(state, `"dead"`) {
				return
			}
		}
	}
}

func TestKernelThatDiesIsRestartedAndInTheEndDead(t *testing.T) {
	t.Parallel()
	w := setup(t)
	id := w.start(ann, kernels.StartRequest{}).ID
	pid := w.run(ann, id, "pid")
	c, err := w.Attach(t.Context(), ann, id, "killer", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 6 {
		eventually(t, "it is idle", func() bool {
			k, err := w.Kernel(t.Context(), ann, id)
			return err == nil && k.Activity == "idle"
		})
		if err := c.Input(execute("die 9")); err != nil {
			t.Fatal(err)
		}
		untilDeath(t, c)
	}
	eventually(t, "it is dead", func() bool {
		k, err := w.Kernel(t.Context(), ann, id)
		return err == nil && k.Activity == "dead"
	})
	k, err := w.Kernel(t.Context(), ann, id)
	if err != nil || k.Activity != "dead" || !strings.Contains(k.Reason, "code 9") {
		t.Errorf("Kernel() = %+v, %v, want dead with code 9", k, err)
	}
	if _, err := w.RestartKernel(t.Context(), ann, id); err != nil {
		t.Fatal(err)
	}
	if got := w.run(ann, id, "pid"); got == pid || got == "" {
		t.Errorf("process = %q, want another than %s", got, pid)
	}
}

// TestLastWordsOfAKernelAreRead lets a kernel say much and die at once.
func TestLastWordsOfAKernelAreRead(t *testing.T) {
	t.Parallel()
	w := setup(t)
	id := w.start(ann, kernels.StartRequest{}).ID
	for i := range 5 {
		c, err := w.Attach(t.Context(), ann, id, "talker", nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(c.Input(execute("flood 500 500")), c.Input(execute("die 0"))); err != nil {
			t.Fatal(err)
		}
		if n := countStreams(t, c); n != 500 {
			t.Errorf("round %d: %d messages, want 500", i, n)
		}
		_ = c.Close()
		if err := w.StopKernel(t.Context(), ann, id); err != nil {
			t.Fatal(err)
		}
		id = w.start(ann, kernels.StartRequest{}).ID
	}
}
