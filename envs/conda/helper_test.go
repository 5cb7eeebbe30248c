package conda_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hopyard/hopyard/envs/conda"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/internal/testchannel"
)

// helpers are the ids of the helper processes whose cache is below dir.
func helpers(t *testing.T, dir string) []int {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []int
	for _, file := range files {
		text, _ := os.ReadFile(file) // it may have ended
		if bytes.Contains(text, []byte(filepath.Join(dir, "helper-"))) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			found = append(found, pid)
		}
	}
	return found
}

func kill(t *testing.T, pids []int, signal syscall.Signal) {
	t.Helper()
	if len(pids) == 0 {
		t.Fatal("there is no helper to kill")
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Fatal(err)
		}
	}
}

func TestKilledHelperIsReplaced(t *testing.T) {
	t.Parallel()
	cache := filepath.Join(t.TempDir(), "cache")
	d := newDriver(t, func(c *conda.Config) { c.CacheDir = cache })
	req := wants(t, local(t), "packaging", "python=3.11")
	first := solve(t, d, req)
	kill(t, helpers(t, cache), syscall.SIGKILL)
	if again := solve(t, d, req); again.ID() != first.ID() {
		t.Error("the new helper gave another lock")
	}
	if n := len(helpers(t, cache)); n != 1 {
		t.Errorf("%d helpers run, want 1", n)
	}
}

func TestSolveIsAskedAgainWhereTheHelperIsKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	server := testchannel.Serve(t)
	server.Hang("*")
	cache := filepath.Join(t.TempDir(), "cache")
	d := newDriver(t, func(c *conda.Config) { c.CacheDir = cache })
	req := wants(t, server.Channel(), "packaging")
	done := make(chan error, 1)
	go func() {
		_, err := d.Solve(t.Context(), req, nil)
		done <- err
	}()
	for len(server.Requests()) == 0 && len(helpers(t, cache)) == 0 {
		if _, err := d.Info(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	server.Hang("")
	kill(t, helpers(t, cache), syscall.SIGKILL)
	if err := <-done; err != nil {
		t.Errorf("Solve = %v, want the answer of the next helper", err)
	}
}

func TestInstallationWhoseHelperIsKilledFails(t *testing.T) {
	t.Parallel()
	server := testchannel.Serve(t)
	cache := filepath.Join(t.TempDir(), "cache")
	d := newDriver(t, func(c *conda.Config) { c.CacheDir = cache })
	l := solve(t, d, wants(t, server.Channel(), "packaging", "python=3.11"))
	server.Slow(1 << 20)
	killed := false
	err := d.Install(t.Context(), l, place(t.TempDir(), "one"), func(e driver.Event) {
		if e.Bytes > 0 && !killed {
			killed = true
			kill(t, helpers(t, cache), syscall.SIGKILL)
		}
	})
	failure(t, err, driver.ToolFailed)
}

func TestStoppedHelperIsGivenUp(t *testing.T) {
	t.Parallel()
	cache := filepath.Join(t.TempDir(), "cache")
	d := newDriver(t, func(c *conda.Config) { c.CacheDir, c.Timeout = cache, 15*time.Second })
	req := wants(t, local(t), "packaging")
	solve(t, d, req)
	stopped := helpers(t, cache)
	kill(t, stopped, syscall.SIGSTOP)
	_, err := d.Solve(t.Context(), req, nil)
	failure(t, err, driver.TimedOut)
	// It does not let go of the request, so that it is killed and another one takes its place.
	deadline := time.Now().Add(4 * time.Minute)
	for err != nil && time.Now().Before(deadline) {
		_, err = d.Solve(t.Context(), req, nil)
	}
	if err != nil {
		t.Errorf("Solve stays at %v", err)
	}
}

func TestHelperThatNeedsTooMuchMemory(t *testing.T) {
	t.Parallel()
	d := newDriver(t, func(c *conda.Config) { c.MemoryBytes = 60 << 20 })
	_, err := d.Solve(t.Context(), wants(t, local(t), "python=3.11", "ipykernel", "numpy", "pandas"), nil)
	if f := failure(t, err, driver.OutOfMemory); !strings.Contains(f.Message, "memory") {
		t.Errorf("message = %q", f.Message)
	}
}

func TestHelperEndsWithItsDriver(t *testing.T) {
	t.Parallel()
	cache := filepath.Join(t.TempDir(), "cache")
	d := newDriver(t, func(c *conda.Config) { c.CacheDir = cache })
	solve(t, d, wants(t, local(t), "packaging"))
	for range 2 {
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if left := helpers(t, cache); len(left) != 0 {
		t.Errorf("helpers %v are left", left)
	}
	_, err := d.Info(t.Context())
	failure(t, err, driver.Canceled)
}

func TestHelperThatWasDamagedOnDiskIsMended(t *testing.T) {
	t.Parallel()
	cache := filepath.Join(t.TempDir(), "cache")
	with := func(c *conda.Config) { c.CacheDir = cache }
	if _, err := newDriver(t, with).Info(t.Context()); err != nil {
		t.Fatal(err)
	}
	modules, err := filepath.Glob(filepath.Join(cache, "helper-*", "helper", "*.py"))
	if err != nil || len(modules) == 0 {
		t.Fatalf("modules = %v, %v", modules, err)
	}
	if err := os.Remove(modules[0]); err != nil {
		t.Fatal(err)
	}
	for _, module := range modules[1:] {
		if err := os.WriteFile(module, []byte("half a mod"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := newDriver(t, with).Info(t.Context()); err != nil {
		t.Errorf("Info of the next driver = %v", err)
	}
}

func TestToolEnvironmentThatIsGone(t *testing.T) {
	t.Parallel()
	d := newDriver(t, func(c *conda.Config) { c.Tools.Python = "/nowhere/bin/python" })
	_, err := d.Info(t.Context())
	failure(t, err, driver.ToolFailed)
}
