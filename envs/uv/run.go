package uv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/fetch"
	"golang.org/x/sys/unix"
)

const (
	defaultMemory  = 4 << 30
	defaultTimeout = 5 * time.Minute
	// killedAfter is how long the pipes of a killed uv may stay open before they are closed on it.
	killedAfter = 5 * time.Second
	// maxWords bounds what is kept of uv's words, in bytes.
	maxWords = 1 << 20
)

// invocation is one run of uv.
type invocation struct {
	args  []string
	stdin string
	cache string // uv's cache; empty means one that goes with the run
	netrc string // credentials in netrc's form; empty means none
	dir   string // working folder; empty means the private home
}

// answer is what uv wrote.
type answer struct{ stdout, stderr string }

// run starts uv in an environment built from nothing and waits for it. An error is *failed where uv ended by itself in a bad
// way, a *driver.Failure where we ended it.
func (t *Tool) run(ctx context.Context, in invocation) (answer, error) {
	home, err := os.MkdirTemp("", "hopyard-uv-")
	if err != nil {
		return answer{}, fmt.Errorf("make a home for uv: %w", err)
	}
	defer os.RemoveAll(home)
	limited, cancel := context.WithTimeoutCause(ctx, t.timeout(), errTime)
	defer cancel()
	cmd := exec.CommandContext(limited, t.Path, in.args...)
	cmd.Env = t.environment(home, in)
	cmd.Dir = in.dir
	if cmd.Dir == "" {
		cmd.Dir = home
	}
	var out, words bounded
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(in.stdin), &out, &words
	if in.netrc != "" {
		secrets, err := memoryFile(in.netrc)
		if err != nil {
			return answer{}, err
		}
		defer secrets.Close()
		cmd.ExtraFiles = []*os.File{secrets}
	}
	err = runAlone(cmd, t.memory())
	got := answer{stdout: out.String(), stderr: words.String()}
	switch {
	case err == nil:
		return got, nil
	case ctx.Err() != nil:
		return got, fetch.Ended(ctx)
	case limited.Err() != nil:
		return got, driver.Failf(driver.TimedOut, "uv was stopped after %s; ask for less, or raise the time limit", t.timeout())
	}
	return got, &failed{words: got.stderr, err: err}
}

var errTime = errors.New("time limit")

// failed is uv ending in a bad way.
type failed struct {
	words string
	err   error
}

func (f *failed) Error() string { return f.err.Error() }
func (f *failed) Unwrap() error { return f.err }

// environment is all that uv gets to know: nothing of ours but the way to the network.
func (t *Tool) environment(home string, in invocation) []string {
	cache := in.cache
	if cache == "" {
		cache = filepath.Join(home, "cache")
	}
	env := []string{
		"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "NO_COLOR=1",
		"HOME=" + home, "TMPDIR=" + home, "UV_CACHE_DIR=" + cache,
		"UV_PYTHON_DOWNLOADS=never", "UV_NO_CONFIG=1", "UV_NO_PROGRESS=1", "UV_HTTP_RETRIES=2", "UV_HTTP_TIMEOUT=30",
	}
	if in.netrc != "" {
		env = append(env, "NETRC=/proc/self/fd/3")
	}
	for _, name := range []string{
		"SSL_CERT_FILE", "SSL_CERT_DIR",
		"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
	} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

func (t *Tool) memory() uint64 {
	if t.MemoryBytes > 0 {
		return uint64(t.MemoryBytes)
	}
	return defaultMemory
}

func (t *Tool) timeout() time.Duration {
	if t.Timeout > 0 {
		return t.Timeout
	}
	return defaultTimeout
}

// runAlone runs cmd in a process group of its own that dies when its context ends and when this process does, with a limit to
// its address space.
func runAlone(cmd *exec.Cmd, memory uint64) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = killedAfter
	// The death signal comes when the thread that started the program ends, so that thread stays ours until then.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start uv: %w", err)
	}
	// There is no way to set it before the program runs. It cannot have used much yet.
	limit := unix.Rlimit{Cur: memory, Max: memory}
	if err := unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_AS, &limit, nil); err != nil && !errors.Is(err, unix.ESRCH) {
		_ = cmd.Cancel()
		_ = cmd.Wait()
		return fmt.Errorf("limit uv's memory: %w", err)
	}
	return cmd.Wait()
}

// memoryFile holds text where no other process and no disk sees it.
func memoryFile(text string) (*os.File, error) {
	fd, err := unix.MemfdCreate("netrc", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a file for credentials: %w", err)
	}
	file := os.NewFile(uintptr(fd), "netrc")
	if _, err := file.WriteString(text); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("write credentials: %w", err)
	}
	return file, nil
}

// bounded keeps the first maxWords bytes of what is written to it.
type bounded struct{ buf bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if room := maxWords - b.buf.Len(); room > 0 {
		b.buf.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

func (b *bounded) String() string { return b.buf.String() }

// Version is uv's own, "0.13.9".
func (t *Tool) Version(ctx context.Context) (string, error) {
	got, err := t.run(ctx, invocation{args: []string{"--version"}})
	if err != nil {
		return "", t.failure(err, "")
	}
	_, rest, _ := strings.Cut(strings.TrimSpace(got.stdout), " ")
	version, _, _ := strings.Cut(rest, " ")
	if version == "" {
		return "", driver.Failf(driver.ToolFailed, "%s does not say its version", t.Path)
	}
	return version, nil
}
