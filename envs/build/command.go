package build

import (
	"context"
	"errors"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// command is a program that gets nothing of ours and ends with us, and whatever it starts ends with it. Start it with start or
// run alone.
func (b *builder) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "HOME=/nonexistent", "PYTHONNOUSERSITE=1", "PYTHONDONTWRITEBYTECODE=1"}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	return cmd
}

// running is a program that has been started. Its wait must be called, once, after the last read from its pipes.
type running struct {
	wanted chan struct{} // closed when somebody waits
	ended  chan error
}

func (r running) wait() error {
	close(r.wanted)
	return <-r.ended
}

// start starts a program with the memory that the order allows. The kernel ends a program with the thread that started it, not with
// the process, so the thread is kept for as long as the program runs.
func (b *builder) start(cmd *exec.Cmd) (running, error) {
	r := running{wanted: make(chan struct{}), ended: make(chan error, 1)}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			err = limitMemory(cmd.Process.Pid, b.order.Limits.MemoryBytes)
			if err != nil {
				err = errors.Join(err, cmd.Cancel(), cmd.Wait())
			}
		}
		if started <- err; err == nil {
			<-r.wanted
			r.ended <- cmd.Wait()
		}
	}()
	return r, <-started
}

// run runs a program to its end.
func (b *builder) run(cmd *exec.Cmd) error {
	r, err := b.start(cmd)
	if err != nil {
		return err
	}
	return r.wait()
}
