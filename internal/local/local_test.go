package local_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hopyard/hopyard/agent"
	"github.com/hopyard/hopyard/internal/local"
	"github.com/hopyard/hopyard/internal/local/localtest"
	"github.com/hopyard/hopyard/plugins/scheduling"
)

// open opens a driver on a run folder that must be empty in the end.
func open(t *testing.T) (*local.Driver, string) {
	t.Helper()
	run := localtest.RunDir(t)
	d, err := local.New(localtest.Config(t, run))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if left := localtest.Left(t, run); len(left) > 0 {
			t.Errorf("left in the run folder: %q", left)
		}
	})
	return d, run
}

func sleeper(t *testing.T) scheduling.Workload {
	return scheduling.Workload{ID: "sleeper-" + filepath.Base(t.TempDir()), Kind: "process", Argv: []string{"/bin/sleep", "1000"}, Dir: t.TempDir()}
}

func TestLaunchWaitsForAnotherOfTheSameID(t *testing.T) {
	t.Parallel()
	d, _ := open(t)
	w := sleeper(t)
	const n = 8
	handles, errs := make(chan string, n), make(chan error, n)
	for range n {
		go func() {
			h, err := d.Launch(t.Context(), w)
			handles <- string(h.State)
			errs <- err
		}()
	}
	first := <-handles
	for range n - 1 {
		if other := <-handles; other != first {
			t.Errorf("handle = %s, want %s", other, first)
		}
	}
	for range n {
		if err := <-errs; err != nil {
			t.Errorf("Launch() = %v", err)
		}
	}
	stop(t, d, scheduling.Handle{ID: w.ID, Driver: "local"})
}

func stop(t *testing.T, d *local.Driver, h scheduling.Handle) {
	t.Helper()
	if err := d.Stop(context.Background(), h, 0); err != nil {
		t.Errorf("Stop() = %v", err)
	}
}

func TestLaunchThatWasCutShortIsAnErrorUntilItIsStopped(t *testing.T) {
	t.Parallel()
	d, run := open(t)
	w := sleeper(t)
	if err := os.Mkdir(filepath.Join(run, w.ID), 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := d.Launch(ctx, w); err == nil || !strings.Contains(err.Error(), "stop it first") {
		t.Errorf("Launch() = %v, want that it must be stopped first", err)
	}
	bare := scheduling.Handle{ID: w.ID, Driver: "local"}
	stop(t, d, bare)
	if _, err := d.Launch(t.Context(), w); err != nil {
		t.Errorf("Launch() = %v", err)
	}
	stop(t, d, bare)
}

func TestStopThatIsBrokenOffLeavesTheProgramItsGrace(t *testing.T) {
	t.Parallel()
	d, _ := open(t)
	w := sleeper(t)
	w.Argv = []string{"/bin/sh", "-c", `trap ': > asked; while [ ! -e go ]; do sleep 0.01; done; : > ended; exit 0' TERM; : > up; while :; do sleep 0.01; done`}
	w.Env = []string{"PATH=/usr/bin:/bin"}
	h, err := d.Launch(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	exists := func(name string) func() bool {
		return func() bool { _, err := os.Stat(filepath.Join(w.Dir, name)); return err == nil }
	}
	eventually(t, "the program is up", exists("up"))
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- d.Stop(ctx, h, time.Minute) }()
	eventually(t, "the program is asked to end", exists("asked"))
	cancel()
	if err := <-stopped; !errors.Is(err, context.Canceled) {
		t.Errorf("Stop() = %v, want that it was broken off", err)
	}
	if err := os.WriteFile(filepath.Join(w.Dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the program ends as it likes", exists("ended"))
	stop(t, d, h)
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for deadline := time.Now().Add(2 * time.Minute); !holds(); <-look.C {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

func TestStopWithAnOldHandleSparesTheNextOfItsID(t *testing.T) {
	t.Parallel()
	d, _ := open(t)
	w := sleeper(t)
	old, err := d.Launch(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	stop(t, d, old)
	young, err := d.Launch(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	stop(t, d, old)
	if s, err := d.Inspect(t.Context(), young); err != nil || s.Phase != scheduling.PhaseRunning {
		t.Errorf("Inspect() = %+v, %v, want running", s, err)
	}
	stop(t, d, young)
}

// TestStopSparesProcessesThatHaveOldNumbers makes what a workload leaves when its agent is killed, whose numbers others have
// got since.
func TestStopSparesProcessesThatHaveOldNumbers(t *testing.T) {
	t.Parallel()
	d, run := open(t)
	other := exec.Command("/bin/sleep", "1000")
	other.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = other.Process.Kill(), other.Wait() }()
	p := agent.ProcessOf(other.Process.Pid)
	for name, text := range map[string]string{
		"of this boot":    fmt.Sprintln(p.PID, p.Started-1, p.Boot),
		"of another boot": fmt.Sprintln(p.PID, p.Started, "another"),
		"cut short":       fmt.Sprint(p.PID),
		"no numbers":      "x y z",
		"a bad number":    "-1 0 " + p.Boot,
		"number one":      "1 0 " + p.Boot,
	} {
		id := strings.ReplaceAll(name, " ", "-") + "-of-a-test"
		dir := filepath.Join(run, id)
		err := os.Mkdir(dir, 0o700)
		for _, file := range []string{agent.AgentFile, agent.ProgramFile} {
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Stop(t.Context(), scheduling.Handle{ID: id, Driver: "local"}, 0); err != nil {
			t.Errorf("%s: Stop() = %v", name, err)
			_ = os.RemoveAll(dir)
		}
		if !p.Alive() {
			t.Fatalf("%s: Stop() killed a process that is not ours", name)
		}
	}
}

func TestHandleThatLeadsOutsideIsRefused(t *testing.T) {
	t.Parallel()
	d, _ := open(t)
	victim := t.TempDir()
	for _, h := range []scheduling.Handle{
		{ID: "../" + filepath.Base(victim), Driver: "local"},
		{ID: "x", Driver: "local", Version: 1, State: []byte(`{"dir":"` + victim + `","pid":2,"started":1}`)},
		{ID: "x", Driver: "local", Version: 1, State: []byte(`{`)},
		{ID: "x", Driver: "local", Version: 9, State: []byte(`{}`)},
		{ID: "x", Driver: "other", Version: 1, State: []byte(`{}`)},
	} {
		if err := d.Stop(t.Context(), h, 0); err == nil {
			t.Errorf("Stop(%+v) succeeds", h)
		}
	}
	if _, err := os.Stat(victim); err != nil {
		t.Error(err)
	}
}

func TestAgentThatDoesNotStartTellsWhy(t *testing.T) {
	t.Parallel()
	d, _ := open(t)
	w := sleeper(t)
	w.Kind = "unheard of"
	if _, err := d.Launch(t.Context(), w); err == nil || !strings.Contains(err.Error(), "are unknown") {
		t.Errorf("Launch() = %v, want the agent's own words", err)
	}
}

func TestLaunchWhoseCallerLeavesStartsNothing(t *testing.T) {
	t.Parallel()
	d, _ := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if h, err := d.Launch(ctx, sleeper(t)); err == nil {
		t.Errorf("Launch() = %+v", h)
		stop(t, d, h)
	}
}

// TestLaunchesWhoseCallersLeaveLeaveNothing breaks launches off at all moments.
func TestLaunchesWhoseCallersLeaveLeaveNothing(t *testing.T) {
	t.Parallel()
	d, _ := open(t)
	for i := range 40 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*2*time.Millisecond)
		if h, err := d.Launch(ctx, sleeper(t)); err == nil {
			stop(t, d, h)
		}
		cancel()
	}
}

func TestRunDirIsShortEnoughForSockets(t *testing.T) {
	t.Parallel()
	short, err := local.RunDir("/srv/hopyard")
	if err != nil || short != "/srv/hopyard/run" {
		t.Errorf("RunDir() = %q, %v", short, err)
	}
	deep := filepath.Join(t.TempDir(), strings.Repeat("deep/", 30))
	long, err := local.RunDir(deep)
	if err != nil || len(long) > 50 {
		t.Fatalf("RunDir() = %q, %v", long, err)
	}
	defer os.Remove(long)
	if again, err := local.RunDir(deep); err != nil || again != long {
		t.Errorf("RunDir() = %q, %v, want the same again", again, err)
	}
	if err := os.Chmod(long, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := local.RunDir(deep); err == nil {
		t.Error("a folder that others may enter is taken")
	}
}
