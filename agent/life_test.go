package agent_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hopyard/hopyard/agent"
	"github.com/hopyard/hopyard/agent/journal"
	"github.com/hopyard/hopyard/internal/local"
	"github.com/hopyard/hopyard/internal/local/localtest"
	"github.com/hopyard/hopyard/plugins/scheduling"
)

func TestWatchersAlwaysSeeTheLastState(t *testing.T) {
	t.Parallel()
	for round := range 5 {
		p := launch(t, `: > up; read line < fifo; exit 3`, func(w *scheduling.Workload) {
			if err := syscall.Mkfifo(filepath.Join(w.Dir, "fifo"), 0o600); err != nil {
				t.Fatal(err)
			}
		})
		var watchers []<-chan agent.State
		for range 10 {
			_, states := p.watch()
			watchers = append(watchers, states)
		}
		p.file("up")
		if err := os.WriteFile(filepath.Join(p.dir, "fifo"), []byte("go\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, states := range watchers {
			s := until(t, states, fmt.Sprintf("end in round %d", round), phase(agent.Ended))
			if s.ExitCode != 3 || s.Reason != "exited with code 3" {
				t.Errorf("last state = %+v, want exit code 3", s)
			}
		}
	}
}

// TestClientsReadToTheEnd lets a program end right behind its last words.
func TestClientsReadToTheEnd(t *testing.T) {
	t.Parallel()
	p := launch(t, `: > up; trap 'exit 0' TERM; while :; do sleep 0.01; done`)
	c := p.attach(agent.Hello{Client: "tab"})
	p.file("up")
	const n = 2000
	say(t, c, fmt.Sprintf("many %d", n), "all last")
	w, _ := p.watch()
	got := make(chan int)
	go func() {
		seen := 0
		for {
			ev, _, err := c.Next(noBuffer)
			if err != nil {
				got <- seen
				return
			}
			for b := ev.Records; len(b) > 0; seen++ {
				if _, b, err = journal.Decode(b); err != nil {
					break
				}
			}
		}
	}()
	other := p.attach(agent.Hello{Client: "other", From: 1})
	eventuallyRead(t, other, "last")
	if err := w.Signal(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if seen := <-got; seen != n+1 {
		t.Errorf("%d records were read before the end, want %d", seen, n+1)
	}
	p.wait()
}

func TestProgramThatDiesIsRestartedSoOften(t *testing.T) {
	t.Parallel()
	p := launch(t, `echo $$ >> pids; [ -e stay ] && exec sleep 1000; read line < fifo; exit 4`, restarts(2), func(w *scheduling.Workload) {
		if err := syscall.Mkfifo(filepath.Join(w.Dir, "fifo"), 0o600); err != nil {
			t.Fatal(err)
		}
	})
	w, states := p.watch()
	for gen := range uint32(3) { // one that dies before it is up is not started again
		until(t, states, "life", func(s agent.State) bool { return s.Phase == agent.Running && s.Gen == gen+1 })
		if err := os.WriteFile(filepath.Join(p.dir, "fifo"), []byte("go\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := until(t, states, "death", phase(agent.Dead))
	if s.Gen != 3 || s.ExitCode != 4 || !strings.Contains(s.Reason, "exited with code 4") {
		t.Errorf("state = %+v, want generation 3 dead with code 4", s)
	}
	if n := len(p.pids("pids")); n != 3 {
		t.Errorf("%d programs ran, want 3", n)
	}
	if err := w.Interrupt(t.Context()); err == nil {
		t.Error("Interrupt() of a dead program succeeds")
	}
	if err := os.WriteFile(filepath.Join(p.dir, "stay"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.Restart(t.Context(), 0, nil); err != nil {
		t.Fatal(err)
	}
	if s := until(t, states, "new life", phase(agent.Running)); s.Gen != 4 || s.Reason != "" {
		t.Errorf("state = %+v, want generation 4", s)
	}
}

func TestProgramThatCannotStartEndsItsAgent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*scheduling.Workload)
		want   string
	}{
		"no such program":     {func(w *scheduling.Workload) { w.Argv = []string{"/no/such/program"} }, "no such file"},
		"not on the PATH":     {func(w *scheduling.Workload) { w.Argv = []string{"nosuch"} }, "no such program on the PATH"},
		"nothing to run":      {func(w *scheduling.Workload) { w.Argv = nil }, "no program"},
		"no working folder":   {func(w *scheduling.Workload) { w.Dir = "/no/such/folder" }, "no such file"},
		"a bridge that fails": {func(w *scheduling.Workload) { w.Spec = []byte("my own reason") }, "my own reason"},
		"a zero in its name":  {func(w *scheduling.Workload) { w.Argv = []string{"/bin/\x00sh"} }, "invalid argument"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := launch(t, "", c.change)
			if s := p.wait(); s.Phase != scheduling.PhaseEnded || s.ExitCode == 0 || !strings.Contains(s.Reason, c.want) {
				t.Errorf("Wait() = %+v, want another code than 0 and %q", s, c.want)
			}
		})
	}
}

func TestProgramThatCannotStartStaysDeadWhereItMayBeRestarted(t *testing.T) {
	t.Parallel()
	p := launch(t, "", restarts(5), func(w *scheduling.Workload) { w.Argv = []string{"/no/such/program"} })
	w, states := p.watch()
	if s := until(t, states, "death", phase(agent.Dead)); s.Gen != 1 || !strings.Contains(s.Reason, "no such file") {
		t.Errorf("state = %+v, want dead in generation 1, with the reason", s)
	}
	if err := w.Stop(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	p.wait()
}

func TestRestartEndsTheOldProgramAndItsDescendants(t *testing.T) {
	t.Parallel()
	p := launch(t, `sleep 1000 & echo $! >> pids; echo $$ >> pids; : > up; wait`, restarts(1))
	w, states := p.watch()
	p.file("up")
	until(t, states, "life", phase(agent.Running))
	old := p.pids("pids")
	if err := w.Restart(t.Context(), time.Second, nil); err != nil {
		t.Fatal(err)
	}
	for _, pid := range old {
		if running(pid) {
			t.Errorf("process %d of the old program runs", pid)
		}
	}
	s := until(t, states, "second life", func(s agent.State) bool { return s.Phase == agent.Running && s.Gen == 2 })
	if s.Reason != "" {
		t.Errorf("reason = %q, want none: it was asked for", s.Reason)
	}
}

func TestProgramThatIgnoresAllIsStoppedInTime(t *testing.T) {
	t.Parallel()
	p := launch(t, `trap '' TERM INT HUP; echo $$ > pids; : > up; while :; do sleep 0.1; done`)
	p.file("up")
	pids := p.pids("pids")
	p.stop(400 * time.Millisecond)
	if running(pids[0]) {
		t.Error("the program runs")
	}
}

func TestInterruptReachesProgramsAlsoWhereTheAgentWasStartedInTheBackground(t *testing.T) {
	t.Parallel()
	config := localtest.Config(t, localtest.RunDir(t))
	config.Agent = append([]string{"/bin/sh", "-c", `trap '' INT HUP; exec "$@"`, "sh"}, config.Agent...)
	d, err := local.New(config)
	if err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, driver: d, dir: t.TempDir()}
	p.handle, err = d.Launch(t.Context(), scheduling.Workload{
		ID: "w", Kind: "plain", Dir: p.dir, Env: []string{"PATH=/usr/bin:/bin"},
		Argv: []string{"/bin/sh", "-c", `trap 'exit 42' INT; : > up; while :; do sleep 0.01; done`},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.stop(0) })
	p.file("up")
	if err := d.Signal(t.Context(), p.handle, scheduling.SignalInterrupt); err != nil {
		t.Fatal(err)
	}
	if s := p.wait(); s.ExitCode != 42 {
		t.Errorf("Wait() = %+v, want exit code 42", s)
	}
}

// daemons starts descendants of all sorts: a child, one in a session of its own, and one that both its parents have left.
const daemons = `
	sleep 1000 & echo $! >> pids
	setsid sh -c 'echo $$ >> pids; exec sleep 1000' &
	(setsid sh -c '(setsid sh -c "echo \$\$ >> pids; : > up; exec sleep 1000" &)' &)
	echo $$ > leader; echo $$ >> pids
`

func TestNoDescendantOutlivesTheProgram(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*program){
		"stopped":            func(p *program) { p.stop(time.Second) },
		"ended by itself":    func(p *program) { _ = os.WriteFile(filepath.Join(p.dir, "go"), nil, 0o600); p.wait() },
		"killed from aside":  func(p *program) { _ = syscall.Kill(p.pids("leader")[0], syscall.SIGKILL); p.wait() },
		"agent asked to end": func(p *program) { _ = syscall.Kill(p.agentPID(), syscall.SIGTERM); p.wait() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := launch(t, daemons+`while [ ! -e go ]; do sleep 0.01; done`)
			p.file("up")
			var pids []int
			eventually(t, "all four run", func() bool { pids = p.pids("pids"); return len(pids) == 4 })
			end(p)
			for _, pid := range pids {
				if running(pid) {
					t.Errorf("process %d runs", pid)
				}
			}
		})
	}
}

func TestProgramDiesWithItsAgentAndStopSweepsTheRest(t *testing.T) {
	t.Parallel()
	p := launch(t, daemons+`while :; do sleep 0.1; done`)
	var pids []int
	eventually(t, "all four run", func() bool { pids = p.pids("pids"); return len(pids) == 4 })
	leader := p.pids("leader")[0]
	if err := syscall.Kill(p.agentPID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the program has died", func() bool { return !running(leader) })
	if s := p.wait(); s.Phase != scheduling.PhaseEnded || !strings.Contains(s.Reason, "killed") {
		t.Errorf("Wait() = %+v, want that its agent was killed", s)
	}
	p.stop(0)
	for _, pid := range pids {
		if running(pid) {
			t.Errorf("process %d runs", pid)
		}
	}
}

func TestOrphansAreCollected(t *testing.T) {
	t.Parallel()
	// Each inner shell ends at once and leaves its child, which dies a moment later, to the agent.
	p := launch(t, `for i in 1 2 3 4 5 6 7 8 9 10; do sh -c 'sleep 0.01 &'; done; : > up; exec sleep 1000`)
	p.file("up")
	eventually(t, "the agent's only child is the program", func() bool {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", p.agentPID(), p.agentPID()))
		return err == nil && len(strings.Fields(string(b))) <= 1
	})
}

func TestOutputIsBoundedAndHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	p := launch(t, `head -c 20000000 /dev/zero | tr '\0' x; echo; echo the end; exec sleep 1000`)
	var b []byte
	eventually(t, "the end is in the logs", func() bool {
		var err error
		if b, err = p.driver.Logs(t.Context(), p.handle, 100); err != nil {
			t.Fatal(err)
		}
		return strings.HasSuffix(string(b), "the end\n")
	})
	size := int64(0)
	files, err := filepath.Glob(filepath.Join(filepath.Dir(p.socket), agent.OutputFile+"*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if info, err := os.Stat(f); err == nil {
			size += info.Size()
		}
	}
	if size > 3<<20 {
		t.Errorf("the output takes %d bytes in %q, want at most 3 MB", size, files)
	}
}

func TestUsageIsTold(t *testing.T) {
	t.Parallel()
	p := launch(t, `sleep 1000 & : > up; wait`)
	p.file("up")
	_, states := p.watch()
	if s := <-states; s.Usage.Processes != 2 || s.Usage.MemoryBytes == 0 {
		t.Errorf("usage = %+v, want that of two processes", s.Usage)
	}
}

func TestCallsAtOnceAreAllAnswered(t *testing.T) {
	t.Parallel()
	p := launch(t, `trap : INT; : > up; while :; do sleep 0.01; done`, restarts(100)) // an interrupt before the trap is its death
	p.file("up")
	w, _ := p.watch()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var calls sync.WaitGroup
	for i := range 30 {
		calls.Go(func() {
			var err error
			if i%10 == 0 {
				err = w.Restart(ctx, 0, nil)
			} else {
				err = w.Interrupt(ctx)
			}
			if err != nil && !strings.Contains(err.Error(), "no such process") { // between two of its lives
				t.Errorf("call %d: %v", i, err)
			}
		})
	}
	calls.Wait()
	if err := w.Stop(ctx, 0); err != nil {
		t.Error(err)
	}
	p.wait()
}

func TestStopsFromTwoGatewaysAtOnceBothSucceed(t *testing.T) {
	t.Parallel()
	p := launch(t, `trap ': > asked; while [ ! -e go ]; do sleep 0.01; done; exit 3' TERM; : > up; while :; do sleep 0.01; done`)
	p.file("up")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	stops := make(chan error, 2)
	for range 2 {
		c, _ := p.watch()
		go func() { stops <- c.Stop(ctx, time.Minute) }()
	}
	p.file("asked")
	if err := os.WriteFile(filepath.Join(p.dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := <-stops; err != nil {
			t.Errorf("Stop() = %v", err)
		}
	}
	if s := p.wait(); s.ExitCode != 3 {
		t.Errorf("exit code = %d, want 3", s.ExitCode)
	}
}
