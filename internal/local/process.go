package local

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/hopyard/hopyard/agent"
	"golang.org/x/sys/unix"
)

// RunDir gives the run folder of a data folder: a folder in it, or, where its path would be too long for the sockets
// in it (Linux allows 107 bytes), a folder for temporary files that belongs to the same data folder for ever.
func RunDir(data string) (string, error) {
	abs, err := filepath.Abs(data)
	if err != nil {
		return "", fmt.Errorf("local: %w", err)
	}
	run := filepath.Join(abs, "run")
	const longest = 107 - len("/12345678-1234-1234-1234-123456789012/g1000/kernel-5")
	if len(run) <= longest {
		return run, nil
	}
	sum := sha256.Sum256([]byte(abs))
	run = filepath.Join(os.TempDir(), "hopyard-"+hex.EncodeToString(sum[:6]))
	return run, private(run)
}

// private makes a folder that only we may use, and refuses one that somebody else made before us.
func private(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("local: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("local: %w", err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || info.Mode().Perm() != 0o700 || int(st.Uid) != os.Getuid() {
		return fmt.Errorf("local: %s belongs to somebody else; remove it, or use a data folder with a shorter path", dir)
	}
	return nil
}

// startAgent starts the agent in a session of its own and waits until it says that clients can attach.
func startAgent(ctx context.Context, argv []string, dir string) (pid int, err error) {
	log, err := os.OpenFile(filepath.Join(dir, agent.LogFile), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer r.Close()
	cmd := exec.Command(argv[0], argv[1:]...) //nolint:noctx // it must outlive every context here
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"}
	cmd.ExtraFiles = []*os.File{w} // file 3: the agent closes it behind the word "ready"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	_ = w.Close()
	if err != nil {
		return 0, err
	}
	gone := make(chan struct{})
	go func() { // so that it leaves no zombie while we live
		_ = cmd.Wait()
		close(gone)
	}()
	stop := context.AfterFunc(ctx, func() { _ = r.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	said, _ := io.ReadAll(r)
	if string(said) == "ready" {
		return cmd.Process.Pid, nil
	}
	_ = cmd.Process.Kill()
	<-gone // its folder is removed next, and it must not write there any more
	why, _ := os.ReadFile(filepath.Join(dir, agent.LogFile))
	return 0, errors.Join(context.Cause(ctx), fmt.Errorf("it said: %s", bytes.TrimSpace(why)))
}

// waitGone waits until the agent has gone.
func waitGone(ctx context.Context, st handleState) error {
	if !st.Alive() {
		return nil
	}
	fd, err := unix.PidfdOpen(st.PID, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil //nolint:nilerr // gone between the two looks
	}
	f := os.NewFile(uintptr(fd), "pidfd")
	defer f.Close()
	for st.Alive() {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if n, err := unix.Poll(fds, 50); n > 0 && err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// killAgent ends an agent by force. The system ends the program with it.
func killAgent(st handleState) {
	if st.Alive() {
		_ = syscall.Kill(st.PID, syscall.SIGKILL)
		_ = waitGone(context.Background(), st)
	}
}

// sweep ends what a killed agent may have left: the program dies with its agent, but not what the program started. A process
// belongs to the workload if it is in the session which the program leads, or has our marker in its environment.
func sweep(ctx context.Context, st handleState, id string) {
	sid := sessionOf(st)
	for deadline := time.Now().Add(sweepLimit); ctx.Err() == nil && time.Now().Before(deadline); {
		left := processes(func(pid int) bool {
			got, err := unix.Getsid(pid)
			return err == nil && sid != 0 && got == sid || marked(pid, marker(id))
		})
		if len(left) == 0 {
			return
		}
		for _, pid := range left {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// sweepLimit is when a process that cannot die (it waits for a dead disk) is given up.
const sweepLimit = 5 * time.Second

// sessionOf is the number of the session which the program leads, or 0 if it is not known or somebody else has it now. It is
// not used again while somebody is in the session; a process that has it as its own number and is not the program
// shows that the session has gone.
func sessionOf(st handleState) int {
	program, err := agent.ReadProcess(filepath.Join(st.Dir, agent.ProgramFile))
	if err != nil || !program.ThisBoot() {
		return 0
	}
	if leader := agent.ProcessOf(program.PID); leader.Started != 0 && leader != program {
		return 0
	}
	return program.PID
}

// processes lists the running processes that match.
func processes(match func(pid int) bool) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var out []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err == nil && pid > 1 && pid != os.Getpid() && match(pid) && agent.ProcessOf(pid).Started != 0 {
			out = append(out, pid)
		}
	}
	return out
}

// marked says whether a process has the variable in the environment that it was started with.
func marked(pid int, variable string) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	return err == nil && bytes.Contains(append([]byte{0}, b...), []byte("\x00"+variable+"\x00"))
}
