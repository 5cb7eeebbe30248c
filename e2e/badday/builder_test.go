//go:build e2e

package badday_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hopyard/hopyard/envs"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/store"
	"github.com/hopyard/hopyard/internal/testchannel"
)

// lengthy has something to do in every phase, and one package that nobody has fetched before.
const lengthy = `
dependencies:
  - python=3.11
  - pandas
  - %s
  - pip:
    - tabulate
    - cowsay
`

func TestKilledInEveryPhase(t *testing.T) {
	t.Parallel()
	for name, victim := range map[string]func(g *gateway, b envs.Build){
		"gateway": func(g *gateway, _ envs.Build) { g.kill(); g.serve() },
		"agent":   func(g *gateway, b envs.Build) { slay(g.t, parent(g.t, g.builder(b))) },
		"builder": func(g *gateway, b envs.Build) { slay(g.t, g.builder(b)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ch := testchannel.Serve(t)
			g := startOn(t, ch, nil)
			g.ready("python", 1)
			for i, c := range []struct {
				phase driver.Phase
				fresh []string // a package for each try
			}{
				{driver.Fetch, []string{"symlink-inside"}},
				{driver.Link, []string{"odd-names", "constrainer", "cycle-one"}},
				{driver.Pip, []string{"clobber-one", "link-script", "link-script-fails"}},
				{driver.Finish, []string{"agpl", "clobber-two", "cycle-two"}},
			} {
				tries := 1
				for !g.killedIn(ch, c.phase, c.fresh[tries-1], i%2 == 0, victim) {
					if tries++; tries > len(c.fresh) {
						t.Fatalf("%s was over before anybody could stop it, every time", c.phase)
					}
				}
			}
			g.swept()
			if out, err := g.stop(); err != nil {
				t.Errorf("stop: %v: %s", err, out)
			}
			eventually(t, "no process of a build is left", func() bool { return !strings.Contains(strings.Join(g.processes(), "\n"), " build --store ") })
		})
	}
}

// killedIn builds an environment with a fresh package, by a builder that is kept ready or not, has somebody killed in a phase of it,
// and checks what becomes of it. It reports whether the phase was long enough to be seen. The victim is chosen while the builder is
// stopped: the moment stays what it is.
func (g *gateway) killedIn(ch *testchannel.Server, phase driver.Phase, fresh string, ahead bool, victim func(*gateway, envs.Build)) bool {
	g.t.Helper()
	name := string(phase) + "-" + fresh
	g.createUnbuilt(name, fmt.Sprintf(lengthy, fresh))
	var until time.Time
	if ahead {
		until = g.keptReady(name)
	}
	ch.Hold(fresh + "-*") // no builder gets beyond its fetching
	defer ch.Hold("")
	g.again(name)
	g.reach(name, driver.Fetch)
	b := g.build(name, 1)
	if ahead && !strings.HasPrefix(b.Workload, "standby-") && time.Now().Before(until) {
		g.t.Errorf("%s is made by %s, want the builder that was kept ready", name, b.Workload)
	}
	pid := g.builder(b)
	if phase != driver.Fetch {
		ch.Hold("")
	}
	stopped := g.stopIn(b, pid, phase)
	if stopped {
		victim(g, b)
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
	ch.Hold("")
	g.whole(g.ready(name, 1)) // a builder that is lost once is started again
	return stopped
}

// stopIn stops the builder of a build in a phase, and reports whether that was possible: it goes on if the phase was over before.
func (g *gateway) stopIn(b envs.Build, pid int, phase driver.Phase) bool {
	g.t.Helper()
	told := func(what string) bool {
		all, _ := os.ReadFile(g.store("work", b.ID, "events.jsonl"))
		return bytes.Contains(all, []byte(what))
	}
	over := `"type":"result"`
	if at := slices.Index(driver.Phases, phase) + 1; at < len(driver.Phases) {
		over = `"phase":"` + string(driver.Phases[at]) + `"`
	}
	for end := time.Now().Add(patience); !told(`"phase":"` + string(phase) + `"`); {
		if time.Now().After(end) {
			g.t.Fatalf("never: %s is in %s", b.ID, phase)
		}
		time.Sleep(time.Millisecond)
	}
	if syscall.Kill(pid, syscall.SIGSTOP) != nil {
		return false
	}
	eventually(g.t, "the builder has stopped", func() bool { return stands(pid) })
	if told(over) || !alive(pid) {
		_ = syscall.Kill(pid, syscall.SIGCONT)
		return false
	}
	return true
}

// stands reports whether no thread of a process runs.
func stands(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, thread := range threads {
		stat, err := os.ReadFile(thread)
		_, after, _ := bytes.Cut(stat, []byte(") "))
		if err == nil && len(after) > 0 && !bytes.ContainsAny(after[:1], "TZX") {
			return false
		}
	}
	return true
}

// reach waits until a build that is under way is in the phase.
func (g *gateway) reach(name string, phase driver.Phase) {
	g.t.Helper()
	want := []byte(`"phase":"` + string(phase) + `"`)
	eventually(g.t, name+" is in "+string(phase), func() bool {
		b := g.build(name, 1)
		if b.State.Ended() {
			g.t.Fatalf("%s is %s before anybody could kill it in %s: %+v", name, b.State, phase, b.Failure)
		}
		told, _ := os.ReadFile(g.store("work", b.ID, "events.jsonl"))
		return b.ID != "" && bytes.Contains(told, want)
	})
}

// createUnbuilt makes an environment that is not built yet.
func (g *gateway) createUnbuilt(name, text string) {
	g.t.Helper()
	body := map[string]any{"name": name, "text": text, "build": false}
	if status := g.ask("POST", environments, body, nil); status != http.StatusCreated {
		g.t.Fatalf("create %s: %d", name, status)
	}
}

// keptReady tries what an environment would be, waits until a builder of this gateway waits for it, and gives a moment up to which that
// surely does so: it waits for a minute.
func (g *gateway) keptReady(name string) (until time.Time) {
	g.t.Helper()
	if status := g.ask("POST", environments+"/"+name+"/solve", map[string]any{}, nil); status != http.StatusOK {
		g.t.Fatalf("try %s: %d", name, status)
	}
	eventually(g.t, "a builder is kept ready", func() bool {
		all, _ := filepath.Glob(g.store("work", "standby-*", "waiting"))
		for _, waiting := range all {
			info, err := os.Stat(waiting)
			if err == nil && !slices.Contains(g.orphans, filepath.Dir(waiting)) {
				until = info.ModTime().Add(30 * time.Second)
			}
		}
		return !until.IsZero()
	})
	return until
}

// builder is the process that makes what a build is.
func (g *gateway) builder(b envs.Build) int {
	g.t.Helper()
	told := "--id " + b.ID
	if rest, ahead := strings.CutPrefix(b.Workload, "standby-"); ahead {
		name, _, _ := strings.Cut(rest, "-")
		told = "--standby " + name
	}
	for _, p := range g.processes() {
		if number, command, _ := strings.Cut(p, " "); strings.Contains(command, " build --store ") && strings.Contains(command, told) {
			pid, _ := strconv.Atoi(number)
			if !strings.Contains(command, " agent ") {
				return pid
			}
		}
	}
	g.t.Fatalf("nobody makes %s: %q", b.ID, g.processes())
	return 0
}

func slay(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Fatal(err)
	}
}

// whole checks that all files of an environment are there, and that it works.
func (g *gateway) whole(prefix string) {
	g.t.Helper()
	var manifest store.Manifest
	text, err := os.ReadFile(g.store("m", filepath.Base(prefix)+".json"))
	if err != nil || json.Unmarshal(text, &manifest) != nil {
		g.t.Fatalf("the manifest of %s: %v: %s", prefix, err, text)
	}
	files := 0
	_ = filepath.WalkDir(prefix, func(_ string, entry os.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			files++
		}
		return err
	})
	if files != manifest.Files {
		g.t.Errorf("%s has %d files, and should have %d", prefix, files, manifest.Files)
	}
	python := exec.CommandContext(g.t.Context(), filepath.Join(prefix, "bin", "python"), "-c", "import pandas, cowsay, tabulate")
	if out, err := python.CombinedOutput(); err != nil {
		g.t.Errorf("%s: %v: %s", prefix, err, out)
	}
}

func TestBuilderThatDiesEveryTimeFailsTheBuild(t *testing.T) {
	t.Parallel()
	ch := testchannel.Serve(t)
	g := startOn(t, ch, nil)
	g.ready("python", 1)
	ch.Hang("symlink-inside*.conda")
	g.create("doomed", "symlink-inside")
	last := 0
	eventually(t, "it has failed", func() bool {
		b := g.build("doomed", 1)
		for _, p := range g.processes() {
			number, command, _ := strings.Cut(p, " ")
			if pid, _ := strconv.Atoi(number); pid != last && b.ID != "" && strings.Contains(command, " build --store ") && !strings.Contains(command, " agent ") {
				slay(t, pid)
				last = pid
			}
		}
		return b.State.Ended()
	})
	g.fails("doomed", 1, driver.WorkerLost)
	g.swept()
	ch.Set(testchannel.Faults{})
	g.ready("doomed", g.again("doomed"))
}

func TestGatewayIsKilledWhileItSolves(t *testing.T) {
	t.Parallel()
	ch := testchannel.Serve(t)
	g := startOn(t, ch, nil)
	g.ready("python", 1)
	ch.Hang("*")
	g.create("solving", "symlink-inside")
	eventually(t, "it solves", func() bool { return g.build("solving", 1).State == envs.Solving })
	g.kill()
	ch.Set(testchannel.Faults{})
	g.serve()
	g.ready("solving", 1)
}

func TestTwoEditsAtOnceAreBothInTheBuildOrOneIsRefused(t *testing.T) {
	t.Parallel()
	ch := testchannel.Serve(t)
	g := startOn(t, ch, map[string]any{"builds": 1})
	g.ready("python", 1)
	g.create("edited", "symlink-inside")
	g.ready("edited", 1)
	ch.Hang("link-script*.conda")
	g.create("ahead", "link-script") // the next ones queue
	g.reach("ahead", driver.Fetch)
	packages := []string{"constrainer", "odd-names", "cycle-one"}
	statuses := make(chan int, len(packages))
	for _, name := range packages {
		go func() {
			statuses <- g.ask("POST", environments+"/edited/packages", map[string]any{"add": []map[string]string{{"name": name, "from": "conda"}}}, nil)
		}()
	}
	accepted := 0
	for range packages {
		switch status := <-statuses; status {
		case http.StatusAccepted:
			accepted++
		case http.StatusConflict:
		default:
			t.Errorf("an edit was answered with %d", status)
		}
	}
	ch.Set(testchannel.Faults{})
	var e envs.Environment
	eventually(t, "all builds have ended", func() bool {
		g.ask("GET", environments+"/edited", nil, &e)
		return e.Latest.State.Ended() && e.Active.Build == e.Latest.Number
	})
	var revision envs.Revision
	g.ask("GET", environments+"/edited/spec", nil, &revision)
	found := 0
	for _, name := range packages {
		if strings.Contains(revision.Text, name) {
			found++
		}
	}
	if found != accepted {
		t.Errorf("%d edits were accepted and %d are in:\n%s", accepted, found, revision.Text)
	}
	// The whole text: who began from an older revision is told so.
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPut, g.url+environments+"/edited/spec", strings.NewReader(text("activates")))
	req.Header.Set("Authorization", "token "+g.token)
	req.Header.Set("Content-Type", "text/yaml")
	req.Header.Set("If-Match", `"r1"`)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusConflict {
		t.Errorf("a text from revision 1: %d, want 409", res.StatusCode)
	}
}

func TestEnvironmentInUseIsNotDeleted(t *testing.T) {
	t.Parallel()
	g := startOn(t, testchannel.Serve(t), nil)
	g.ready("python", 1)
	g.create("used", "python=3.11", "ipykernel")
	g.ready("used", 1)
	kernel := g.startKernel("used")
	b := g.open(t, kernel)
	if got := b.result("6 * 7"); got != "42" {
		t.Fatalf("the kernel says %q", got)
	}
	var refused struct{ Error struct{ Message string } }
	if status := g.ask("DELETE", environments+"/used", nil, &refused); status != http.StatusConflict {
		t.Errorf("delete: %d, want 409", status)
	}
	if !strings.Contains(refused.Error.Message, "kernel of admin") {
		t.Errorf("the refusal names no kernel: %q", refused.Error.Message)
	}
	if got := b.result("import json; json.dumps(1)"); got != "'1'" {
		t.Errorf("the kernel says %q afterwards", got)
	}
	g.ask("DELETE", jupyter+"/api/kernels/"+kernel, nil, nil)
	eventually(t, "it is deleted", func() bool { return g.ask("DELETE", environments+"/used", nil, nil) < 300 })
}
