//go:build e2e

package badday_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

func TestNoLineIsLostWhenTheGatewayIsKilledAgainAndAgain(t *testing.T) {
	t.Parallel()
	g := start(t)
	const kernels, lines = 3, 400
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	var readers sync.WaitGroup
	enough := filepath.Join(g.data, "enough") // the cells last until it is there
	for i := range kernels {
		b := g.open(t, g.startKernel("python3"))
		id := b.execute(fmt.Sprintf("import os, time\ni = 0\nwhile i < %d or not os.path.exists(%q):\n  print(i, flush=True)\n  i += 1\n  time.sleep(0.02)", lines, enough))
		b.next("the first line", func(m message) bool { return m.Header.Type == "execute_input" })
		readers.Go(func() { readThrough(t, fmt.Sprint("kernel ", i), b, id, lines) })
	}
	random := rand.New(rand.NewPCG(seed, 0))
	for range 4 {
		time.Sleep(time.Duration(200+random.IntN(1200)) * time.Millisecond) // the moment is what is being tested
		g.kill()
		g.serve()
	}
	g.write("enough", nil)
	readers.Wait()
	if n := len(g.kernels()); n != kernels {
		t.Errorf("%d kernels are left of %d", n, kernels)
	}
}

// readThrough reads a cell of at least so many numbered lines to its end, whatever happens to the connection.
func readThrough(t *testing.T, who string, b *tab, id string, least int) {
	var got strings.Builder
	breaks := 0
	for end := time.Now().Add(2 * patience); ; {
		m, err := b.read()
		switch {
		case time.Now().After(end):
			t.Errorf("%s: the cell did not end", who)
			return
		case err != nil:
			breaks++
			b.comeBack()
		case m.Parent.ID == id && m.Header.Type == "stream":
			got.WriteString(m.Content.Text)
		case m.Parent.ID == id && m.Header.Type == "status" && m.Content.State == "idle":
			if want := numbers(max(least, strings.Count(got.String(), "\n"))); got.String() != want {
				t.Errorf("%s: %s", who, difference(got.String(), want))
			}
			if breaks == 0 {
				t.Errorf("%s: the connection never broke, so nothing was tested", who)
			}
			return
		}
	}
}

// difference says where two texts part.
func difference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return fmt.Sprintf("line %d is %q, want %q; %d lines of %d", i, g[i], w[i], len(g)-1, len(w)-1)
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(g)-1, len(w)-1)
}

func TestSIGTERMEndsTheGatewayCleanlyAndNothingElse(t *testing.T) {
	t.Parallel()
	g := start(t)
	b := g.open(t, g.startKernel("test"))
	pid := b.pid()
	if err := g.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_, err := b.read()
	for err == nil {
		_, err = b.read()
	}
	if !websocket.IsCloseError(err, websocket.CloseServiceRestart) {
		t.Errorf("the websocket ended with %v, want 1012: Lab comes back only then", err)
	}
	if err := g.cmd.Wait(); err != nil {
		t.Errorf("the gateway ended with %v, want 0", err)
	}
	if !alive(pid) {
		t.Error("the kernel has ended with the gateway")
	}
	g.serve()
	b.comeBack()
	if again := b.pid(); again != pid {
		t.Errorf("pid = %d, was %d", again, pid)
	}
}

func TestKilledAgentLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	g := start(t)
	id := g.startKernel("test")
	pid := g.open(t, id).pid()
	if err := syscall.Kill(parent(t, pid), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the kernel is off the list", func() bool { return len(g.kernels()) == 0 })
	eventually(t, "its process is gone", func() bool { return !alive(pid) })
	eventually(t, "its folder is gone", func() bool { return len(g.runFolders()) == 0 })
	eventually(t, "nothing else runs", func() bool { return len(g.processes()) == 0 })
}

func parent(t *testing.T, pid int) int {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := bytes.Cut(stat, []byte(") "))
	ppid, err := strconv.Atoi(strings.Fields(string(after))[1])
	if err != nil || ppid <= 1 {
		t.Fatalf("the kernel's parent is %d: %v", ppid, err)
	}
	return ppid
}

// runFolders are those of running programs.
func (g *gateway) runFolders() []string {
	all, _ := filepath.Glob(filepath.Join(g.data, "run", "*"))
	return all
}

// processes are those that have to do with the data directory, but for the gateway itself.
func (g *gateway) processes() []string {
	var found []string
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, proc := range all {
		command, err := os.ReadFile(filepath.Join(proc, "cmdline"))
		if err != nil || filepath.Base(proc) == strconv.Itoa(g.cmd.Process.Pid) {
			continue
		}
		place, _ := os.Readlink(filepath.Join(proc, "cwd"))
		if bytes.Contains(command, []byte(g.data)) || strings.HasPrefix(place, g.data) {
			found = append(found, filepath.Base(proc)+" "+string(bytes.ReplaceAll(command, []byte{0}, []byte(" "))))
		}
	}
	return found
}

func TestStopEndsEverythingThatRuns(t *testing.T) {
	t.Parallel()
	g := start(t)
	for _, spec := range []string{"test", "python3", "test"} {
		g.open(t, g.startKernel(spec))
	}
	stubborn := g.open(t, g.startKernel("test"))
	stubborn.execute("hang") // nothing but SIGKILL ends it
	if status := g.ask("POST", jupyter+"/api/terminals", map[string]string{}, nil); status != 200 {
		t.Fatalf("a terminal: %d", status)
	}
	if out, err := g.stop(); err != nil {
		t.Fatalf("stop: %v: %s", err, out)
	}
	eventually(t, "nothing is listed", func() bool { return len(g.kernels()) == 0 })
	eventually(t, "no folder is left", func() bool { return len(g.runFolders()) == 0 })
	eventually(t, "nothing runs", func() bool { return len(g.processes()) == 0 })
}

func TestDataDirectoryIsServedOnce(t *testing.T) {
	t.Parallel()
	g := start(t)
	out, err := exec.CommandContext(t.Context(), binary, "serve", "--data", g.data, "--listen", "127.0.0.1:0").CombinedOutput()
	failed, ok := errors.AsType[*exec.ExitError](err)
	if !ok || failed.ExitCode() == 0 {
		t.Errorf("a second serve: %v, want a refusal", err)
	}
	if want := fmt.Sprint("pid ", g.cmd.Process.Pid); !strings.Contains(string(out), want) {
		t.Errorf("it says %q, want a sentence with %q", out, want)
	}
}

func TestOfflineDownloadsNothingAndSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), binary, "prepare", "--data", t.TempDir(), "--offline")
	cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+t.TempDir()) // what was downloaded before is there otherwise
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Error("prepare --offline in an empty folder has succeeded")
	}
	if !strings.Contains(string(out), "offline") {
		t.Errorf("it says %q, want a sentence about being offline", out)
	}
}
