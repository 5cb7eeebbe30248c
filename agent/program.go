package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/hopyard/hopyard/plugins/scheduling"
)

// program is one process that the agent started, with everything that descends from it.
type program struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has been reaped
	err  error         // of Wait; read after done
}

// startProgram starts the workload's program as the leader of a session and process group of its own. It must be called
// on a locked thread that lives as long as the agent: the kernel kills the program when that thread ends, so that no
// program survives its agent.
func startProgram(w scheduling.Workload, s Start, out *os.File) (*program, error) {
	argv := fill(w.Argv, s.Placeholders)
	if len(argv) == 0 {
		return nil, errors.New("the workload has no program to run")
	}
	path, err := lookPath(argv[0], w.Env)
	if err != nil {
		return nil, err
	}
	cmd := &exec.Cmd{Path: path, Args: argv, Dir: w.Dir, Stdout: out, Stderr: out}
	cmd.Env = append(append(make([]string, 0, len(w.Env)+len(s.Env)), w.Env...), s.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if s.Terminal != nil {
		cmd.Stdin, cmd.Stdout, cmd.Stderr = s.Terminal, s.Terminal, s.Terminal
		cmd.SysProcAttr.Setctty = true
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", argv[0], err)
	}
	p := &program{cmd: cmd, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// lookPath finds the program on the PATH of the workload, not on ours.
func lookPath(name string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	for _, kv := range env {
		list, ok := strings.CutPrefix(kv, "PATH=")
		if !ok {
			continue
		}
		for dir := range strings.SplitSeq(list, ":") {
			path := dir + "/" + name
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
				return path, nil
			}
		}
	}
	return "", fmt.Errorf("start %s: no such program on the PATH of its environment", name)
}

func fill(argv []string, placeholders map[string]string) []string {
	out := make([]string, len(argv))
	for i, a := range argv {
		for k, v := range placeholders {
			a = strings.ReplaceAll(a, k, v)
		}
		out[i] = a
	}
	return out
}

func (p *program) pid() int { return p.cmd.Process.Pid }

// signal sends to the process group, whose leader the program is.
func (p *program) signal(sig os.Signal) error {
	s, ok := sig.(syscall.Signal)
	if !ok {
		return fmt.Errorf("signal %v is unknown here", sig)
	}
	if err := syscall.Kill(-p.pid(), s); err != nil {
		return fmt.Errorf("signal %v: %w", sig, err)
	}
	return nil
}

// stop ends the program: first wait for what was asked kindly, then SIGTERM, then SIGKILL, each for half of grace. It returns when the
// program and all its descendants are gone.
func (p *program) stop(ctx context.Context, asked bool, grace time.Duration) {
	if asked && p.wait(ctx, grace/2) {
		killDescendants()
		return
	}
	_ = p.signal(syscall.SIGTERM)
	if !p.wait(ctx, grace/2) {
		_ = p.signal(syscall.SIGKILL)
		<-p.done
	}
	killDescendants()
}

func (p *program) wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-p.done:
		return true
	case <-t.C:
	case <-ctx.Done():
	}
	return false
}

// exit gives the exit code (128+n for signal n) and how it ended in words. Call it after done.
func (p *program) exit() (code int, how string) {
	ws, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case !ok:
		return -1, fmt.Sprint(p.err)
	case ws.Signaled():
		return 128 + int(ws.Signal()), fmt.Sprintf("killed by signal %d (%s)", ws.Signal(), ws.Signal())
	default:
		return ws.ExitStatus(), fmt.Sprintf("exited with code %d", ws.ExitStatus())
	}
}
