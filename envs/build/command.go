package build

import (
	"context"
	"errors"
	"os/exec"
	"syscall"
	"time"
)

// command is a program that gets nothing of ours and ends with us, and whatever it starts ends with it.
func (b *builder) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "HOME=/nonexistent", "PYTHONNOUSERSITE=1", "PYTHONDONTWRITEBYTECODE=1"}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	return cmd
}

// start starts a program with the memory that the order allows.
func (b *builder) start(cmd *exec.Cmd) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := limitMemory(cmd.Process.Pid, b.order.Limits.MemoryBytes); err != nil {
		return errors.Join(err, cmd.Cancel(), cmd.Wait())
	}
	return nil
}

// run runs a program to its end.
func (b *builder) run(cmd *exec.Cmd) error {
	if err := b.start(cmd); err != nil {
		return err
	}
	return cmd.Wait()
}
