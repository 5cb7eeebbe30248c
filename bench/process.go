package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a program that was started here.
type process struct {
	cmd  *exec.Cmd
	gone chan struct{} // closed when it has ended
	log  string
}

// launch starts a program, which writes to the file log and works in its folder.
func launch(log string, env []string, argv ...string) (*process, error) {
	f, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	cmd := exec.Command(argv[0], argv[1:]...) //nolint:noctx // it is ended by stop, kindly
	cmd.Stdout, cmd.Stderr = f, f
	cmd.Env, cmd.Dir = append(os.Environ(), env...), filepath.Dir(log)
	// Everybody gets a session of its own, as every server gives its kernels one: Linux shares the processors out by session
	// first, and who shares one with the client would be served better.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, gone: make(chan struct{}), log: log}
	go func() {
		_ = cmd.Wait()
		close(p.gone)
	}()
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// kill ends it as a crash would.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.gone
}

// stop ends it kindly, and by force after ten seconds.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.gone:
	case <-time.After(10 * time.Second):
		p.kill()
	}
}

// until calls try until it succeeds, the process has ended, or the time is over.
func (p *process) until(ctx context.Context, limit time.Duration, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-p.gone:
			return fmt.Errorf("%s has ended: %s", filepath.Base(p.cmd.Path), lastWords(p.log))
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w: %s", filepath.Base(p.cmd.Path), err, lastWords(p.log))
		}
	}
}

func lastWords(path string) string {
	b, _ := os.ReadFile(path)
	return string(b[max(0, len(b)-600):])
}

// freePort returns a port of loopback that nobody has.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // does not wait
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// usage is what a process, or several together, hold.
type usage struct {
	RSS, PSS int // kB
	Files    int
}

// usageOf adds up what the processes hold now; those that are gone count nothing.
func usageOf(pids ...int) (sum usage) {
	for _, pid := range pids {
		dir := "/proc/" + strconv.Itoa(pid)
		rollup, _ := os.ReadFile(dir + "/smaps_rollup")
		sum.RSS += kilobytes(rollup, "Rss:")
		sum.PSS += kilobytes(rollup, "Pss:")
		files, _ := os.ReadDir(dir + "/fd")
		sum.Files += len(files)
	}
	return sum
}

// cpuOf adds up the processor time that the threads of the processes have used. On a busy machine it is the figure that
// others disturb the least.
func cpuOf(pids ...int) (sum time.Duration) {
	for _, pid := range pids {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		for _, path := range threads {
			text, _ := os.ReadFile(path)
			spent, _, _ := strings.Cut(string(text), " ")
			ns, _ := strconv.ParseInt(spent, 10, 64)
			sum += time.Duration(ns)
		}
	}
	return sum
}

func kilobytes(rollup []byte, name string) int {
	for line := range bytes.Lines(rollup) {
		if f := strings.Fields(string(line)); len(f) > 1 && f[0] == name {
			n, _ := strconv.Atoi(f[1])
			return n
		}
	}
	return 0
}

// load is the machine's load average of the last minute.
func load() float64 {
	b, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(b), " ")
	n, _ := strconv.ParseFloat(first, 64)
	return n
}
