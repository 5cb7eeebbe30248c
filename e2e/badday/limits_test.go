//go:build e2e

package badday_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/internal/testchannel"
)

func TestDiskThatIsFullOrFillsUp(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	g.inside = smallDisk(t, g.store(), 64)
	ch := testchannel.Serve(t)
	g.startOn(ch, nil)
	g.endsWell("python", 1)

	g.create("many", "many-files") // 0.6 MB to fetch, 80 MB on disk: nobody can know
	first := g.ended("many", 1)
	if first.Failure == nil || first.Failure.Cause != driver.DiskFull {
		t.Errorf("20,000 files on a disk of 64 MB: %s %+v", first.State, first.Failure)
	}
	g.create("little", "symlink-inside")
	g.endsWell("little", 1) // what filled the disk has been swept

	disk := fmt.Sprintf("/proc/%d/root%s", g.cmd.Process.Pid, g.store())
	filler := filepath.Join(disk, "filler")
	if err := os.WriteFile(filler, make([]byte, 58<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	g.create("late", "odd-names")
	if b := g.ended("late", 1); b.Failure == nil || b.Failure.Cause != driver.DiskFull || !strings.Contains(b.Failure.Message, "MB free") {
		t.Errorf("with 90 %% of the disk full: %s %+v", b.State, b.Failure)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	g.endsWell("late", g.again("late"))
}

// endsWell is ready for a disk that cannot be looked at.
func (g *gateway) endsWell(name string, n int) {
	g.t.Helper()
	if b := g.ended(name, n); b.Failure != nil {
		g.t.Fatalf("build %d of %s is %s: %+v", n, name, b.State, b.Failure)
	}
}

// smallDisk gives what runs a program with a disk of its own, of so many megabytes, at a folder.
func smallDisk(t *testing.T, folder string, megabytes int) []string {
	t.Helper()
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	flags := "-m"
	if os.Geteuid() != 0 {
		flags = "-Urm"
	}
	mount := fmt.Sprintf(`mount -t tmpfs -o mode=700,size=%dm tmpfs %s && exec "$@"`, megabytes, folder)
	inside := []string{"unshare", flags, "sh", "-c", mount, "sh"}
	if out, err := exec.CommandContext(t.Context(), inside[0], append(inside[1:], "true")...).CombinedOutput(); err != nil {
		t.Skipf("no small disk can be mounted here, which takes root or namespaces of users: %v: %s", err, out)
	}
	return inside
}

func TestSolverThatNeedsMoreMemoryThanItMayHave(t *testing.T) {
	t.Parallel()
	ch := testchannel.Serve(t)
	g := startOn(t, ch, nil)
	g.ready("python", 1)
	g.kill()
	g.configure(ch, map[string]any{"memory": "60MiB"})
	g.serve()
	g.create("big", "symlink-inside")
	failure := g.fails("big", 1, driver.OutOfMemory)
	if !strings.Contains(failure.Message, "memory") {
		t.Errorf("the failure says %q", failure.Message)
	}
	if status := g.ask("GET", environments, nil, nil); status != 200 {
		t.Errorf("the gateway answers %d", status)
	}
	g.kill()
	g.configure(ch, nil)
	g.serve()
	g.ready("big", g.again("big"))
}
